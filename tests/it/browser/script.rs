//! What script adds to the admin pages, and must not take away: what is typed, the focus, the way back.

use serde_json::json;

use super::driver::Browser;
use super::trouble;
use crate::harness::{Client, Server};

const NOTICES: &str = "document.getElementById('toasts').innerText";

async fn at(server: &Server, who: &Client, path: &str) -> Browser {
    let browser = Browser::open(true).await;
    browser.be(server, who).await;
    browser.goto(&format!("{}/o/{}{path}", server.base(), who.slug)).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn resolve_pressed_while_writing_keeps_the_words() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (_, incident) = trouble(&ada).await;
    let browser = at(&server, &ada, &format!("/incidents/{incident}")).await;

    browser.type_into("message", "Fixed it.").await;
    browser.click("a[href$='?status=resolved#update']").await;
    browser.wait_for("document.querySelector('input[name=status][value=resolved]').checked").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "Fixed it.");

    browser.click("#update button.primary").await;
    browser.wait_for(&format!("{NOTICES}.includes('The incident is resolved.')")).await;
    // Said once, though the line tells of it, too; and the focus is on the page.
    browser.wait_for("document.querySelector('.updates').innerText.includes('Fixed it.')").await;
    ada.put(format!("/api/incidents/{incident}"), json!({ "title": "Checkout failed" })).await.expect(200);
    browser.wait_for("document.querySelector('h1').innerText === 'Checkout failed'").await;
    assert_eq!(browser.value("document.querySelectorAll('#toasts .toast').length").await, 1);
    assert_eq!(browser.value("document.activeElement === document.body").await, false);
    assert_eq!(browser.value("location.search").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_comes_back_by_its_notice() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let service = ada.service("Checkout").await;
    let browser = at(&server, &ada, &format!("/services/{service}")).await;

    browser.click("form[action$='/delete'] button").await;
    browser.wait_for(&format!("{NOTICES}.includes('The service is deleted.')")).await;
    browser.click("#toasts form button").await;
    browser.wait_for(&format!("{NOTICES}.includes('The service is back.')")).await;
    assert_eq!(browser.value("document.querySelector('#toasts form') === null").await, true, "it can't be undone twice");
    assert_eq!(ada.events().await.last().map(String::as_str), Some("service.restored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_changed_in_its_place() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut last = String::new();
    for number in 0..40 {
        last = ada.service(&format!("Service {number}")).await;
    }
    let browser = at(&server, &ada, "/services").await;

    let button = format!("document.querySelector('#status-{last} button')");
    browser.value(&format!("({button}.scrollIntoView({{ block: 'center' }}), true)")).await;
    let top = browser.value(&format!("Math.round({button}.getBoundingClientRect().top)")).await;
    for status in ["major_outage", "operational"] {
        super::newcomer::choose(&browser, &format!("#status-{last} select"), status).await;
        browser.click(&format!("#status-{last} button")).await;
        browser
            .wait_for(&format!(
                "document.getElementById('status-{last}').closest('li').querySelector('.status').dataset.state === '{status}'"
            ))
            .await;
        browser.wait_for(&format!("document.activeElement === {button}")).await;
    }
    let moved = browser.value(&format!("Math.abs(Math.round({button}.getBoundingClientRect().top) - {top})")).await;
    assert!(moved.as_f64().is_some_and(|moved| moved < 40.0), "it jumped by {moved} px");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_and_the_way_back() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (_, incident) = trouble(&ada).await;
    let browser = at(&server, &ada, "/services/new").await;

    browser.type_into("description", "What *apps* talk to").await;
    browser.click("button[hx-post$='/preview']").await;
    browser.wait_for("document.querySelector('#preview em')?.innerText === 'apps'").await;
    browser.type_into("name", &"x".repeat(300)).await;
    browser.click("main form .primary").await;
    browser.wait_for("document.activeElement.id === 'problems'").await;
    assert_eq!(browser.value("location.pathname.endsWith('/services/new')").await, true, "a reload would ask for another address");
    browser.click(".tabs a[href$='/incidents']").await;
    browser.wait_for("document.querySelector('h1').innerText === 'Incidents'").await;
    browser.click(".tabs a[href$='/timeline']").await;
    browser.wait_for("document.querySelector('h1').innerText === 'Timeline'").await;
    browser.value("(history.back(), true)").await;
    browser.wait_for("document.querySelector('h1').innerText === 'Incidents' && location.pathname.endsWith('/incidents')").await;
    // And the page that came back follows.
    ada.put(format!("/api/incidents/{incident}"), json!({ "title": "Checkout failed" })).await.expect(200);
    browser.wait_for("document.getElementById('main').innerText.includes('Checkout failed')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_are_the_readers_and_the_icon_follows_the_state() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}/p/{}", server.base(), ada.slug)).await;
    let service = ada.service("API").await;
    browser.wait_for("document.getElementById('favicon').href.includes('favicon-operational')").await;
    ada.put(format!("/api/services/{service}"), json!({ "own_status": "major_outage" })).await.expect(200);
    browser.wait_for("document.getElementById('favicon').href.includes('favicon-major_outage')").await;
    browser.wait_for("document.title.startsWith('Major')").await;
    let moment = "document.querySelector('time[datetime*=T]')";
    browser.wait_for(&format!("{moment}.title.endsWith('UTC') && {moment}.textContent !== ''")).await;
    for property in ["og:title", "og:description", "og:url", "og:type"] {
        let content = format!("document.querySelector(\"meta[property='{property}']\")?.content.length > 0");
        assert_eq!(browser.value(&content).await, true, "{property}");
    }
    assert_eq!(browser.value("document.querySelector('link[rel=canonical]').href.endsWith('/p/adas-org')").await, true);
}
