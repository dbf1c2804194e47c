//! Two people at one incident: they see each other, hear of each other, and lose nothing of what they typed.

use super::driver::Browser;
use super::newcomer::update;
use super::trouble;
use crate::harness::{Client, Server, eventually};

const STALE: &str = "document.querySelector('[data-kind=stale]')";

async fn name(who: &Client) -> String {
    who.get("/api/users/auth/profile").await.expect(200).json["user"]["full_name"].as_str().expect("a name").to_owned()
}

async fn sees(browser: &Browser, who: &str) {
    browser.wait_for(&format!("document.querySelector('[data-people]').innerText.includes({who:?})")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_on_one_incident() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let grace = ada.make_member("admin").await;
    let (_, incident) = trouble(&ada).await;
    let url = format!("{}/o/{}/incidents/{incident}", server.base(), ada.slug);
    let (adas_name, graces_name) = (name(&ada).await, name(&grace).await);

    let (adas, graces) = Browser::pair().await;
    adas.be(&server, &ada).await;
    adas.goto(&url).await;
    adas.value("(window.mark = 'the same document', true)").await;
    graces.be(&server, &grace).await;
    graces.goto(&url).await;
    sees(&adas, &graces_name).await;
    sees(&graces, &adas_name).await;

    // Ada types; Grace is quicker. Ada sees it come in, and her words stay.
    adas.type_into("message", "I think it is the disk.").await;
    update(&graces, "identified", "It is the network.").await;
    adas.wait_for("document.querySelector('.updates').innerText.includes('It is the network.')").await;
    assert_eq!(adas.value("document.getElementById('message').value").await, "I think it is the disk.");
    assert_eq!(adas.value("window.mark").await, "the same document");

    // What she sends was written before she could know: she is told what changed, and nothing typed is lost.
    adas.click("#update button.primary").await;
    adas.wait_for(&format!("{STALE} !== null && {STALE}.innerText.includes({graces_name:?})")).await;
    assert_eq!(adas.value("document.getElementById('message').value").await, "I think it is the disk.");
    assert!(!ada.get(format!("/api/incidents/{incident}")).await.expect(200).text.contains("I think it is the disk."));
    adas.click("#update button.primary").await;
    graces.wait_for("document.querySelector('.updates').innerText.includes('I think it is the disk.')").await;
    // She changed the words and not the status: Grace's stands.
    eventually(async || ada.get(format!("/api/incidents/{incident}")).await.json["status"] == "identified").await;

    drop(graces);
    adas.wait_for("document.querySelector('[data-people]').hidden").await;

    // A second window of hers follows what the first does, and is nobody else.
    let mine = adas.here().await;
    let other = adas.another().await;
    adas.goto(&url).await;
    adas.wait_for("document.querySelector('.updates') !== null").await;
    adas.turn_to(&mine).await;
    update(&adas, "resolved", "All clear.").await;
    adas.turn_to(&other).await;
    adas.wait_for("document.querySelector('.updates').innerText.includes('All clear.')").await;
    assert_eq!(adas.value("document.querySelector('[data-people]').hidden").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_an_organization_follows_by_itself() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, incident) = trouble(&ada).await;
    let browser = Browser::open(true).await;
    browser.be(&server, &ada).await;
    for (number, page) in
        ["", "/services", "/incidents", "/timeline", &format!("/services/{api}"), &format!("/incidents/{incident}")].iter().enumerate()
    {
        browser.goto(&format!("{}/o/{}{page}", server.base(), ada.slug)).await;
        browser.value("(window.mark = 'the same document', true)").await;
        let title = format!("Trouble number {number}");
        ada.put(format!("/api/incidents/{incident}"), serde_json::json!({ "title": title })).await.expect(200);
        browser.wait_for(&format!("document.getElementById('app').innerText.includes({title:?})")).await;
        assert_eq!(browser.value("window.mark").await, "the same document", "{page}");
        // Both are a click away, from anywhere.
        for link in ["/incidents/new", "#update"] {
            let shown = format!("document.querySelector(\".bar a[href$='{link}']\").checkVisibility()");
            assert_eq!(browser.value(&shown).await, true, "{page} lacks {link}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_survives_a_lost_session_and_a_lost_server() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (_, incident) = trouble(&ada).await;
    let browser = Browser::open(true).await;
    browser.be(&server, &ada).await;
    browser.goto(&format!("{}/o/{}/incidents/{incident}", server.base(), ada.slug)).await;
    browser.type_into("message", "Half an hour's work.").await;

    // Her session ends elsewhere.
    ada.post(
        "/api/users/auth/password",
        serde_json::json!({ "current_password": crate::harness::PASSWORD, "new_password": "otter-plinth-tangerine" }),
    )
    .await
    .expect(204);
    browser.click("#update button.primary").await;
    browser.wait_for("document.getElementById('toasts').innerText.includes('You are signed out')").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "Half an hour's work.");

    server.stop().await;
    browser.wait_for("!document.getElementById('offline').hidden").await;
    browser.click("#update button.primary").await;
    browser.wait_for("document.getElementById('toasts').innerText.includes('can\\'t be reached')").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "Half an hour's work.");
}
