//! The newcomer's way, in the browser alone: from the link that the server printed to an incident that a customer watched being resolved.

use allclear::config::{Config, Registration};
use fantoccini::Locator;

use super::driver::Browser;
use crate::harness::{Options, PASSWORD, Server};

#[tokio::test(flavor = "multi_thread")]
async fn from_the_setup_link_to_an_incident_resolved_before_a_customers_eyes() {
    let (server, link) = unclaimed().await;
    let browser = Browser::open(true).await;

    browser.goto(&link).await;
    for (field, text) in [("full_name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("organization_name", "Engines")] {
        browser.type_into(field, text).await;
    }
    browser.click("main form button").await;
    browser.wait_for("location.pathname === '/o/engines'").await;
    let cookie = browser.window.get_named_cookie("allclear_session").await.expect("a cookie");
    assert_eq!(cookie.http_only(), Some(true));

    // A service, from the first steps that the overview shows.
    browser.click("#main a[href$='/services/new']").await;
    browser.wait_for("location.pathname === '/o/engines/services/new' && document.getElementById('name') !== null").await;
    browser.type_into("name", "Checkout").await;
    browser.click("main form .primary").await;
    browser.reads("The service is on the page.").await;
    browser.wait_for("!location.search.includes('told')").await;

    // A customer opens the public page in a second window, and leaves it open.
    let (mine, path) = (browser.here().await, format!("{}/p/engines", server.base()));
    let theirs = browser.another().await;
    browser.goto(&path).await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'operational'").await;
    browser.value("(window.mark = 'the same document', window.focused = document.querySelector('select[data-theme-choice]'), focused.focus(), true)").await;

    browser.turn_to(&mine).await;
    browser.click(".bar a[href$='/incidents/new']").await;
    browser.wait_for("document.getElementById('title') !== null").await;
    browser.type_into("title", "Checkout fails for some cards").await;
    browser.type_into("message", "We are looking into it.").await;
    choose(&browser, "select[name^='affected-']", "major_outage").await;
    browser.click("main form .primary[type=submit], main form button.primary").await;
    browser.reads("The incident is reported.").await;

    browser.turn_to(&theirs).await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'major_outage'").await;
    browser.reads("Checkout fails for some cards").await;
    let undisturbed = "window.mark === 'the same document' && document.activeElement === window.focused";
    assert_eq!(browser.value(undisturbed).await, true, "after the report");

    for (stage, message) in [("identified", "A certificate has run out."), ("monitoring", "A new one is in place.")] {
        browser.turn_to(&mine).await;
        update(&browser, stage, message).await;
        browser.turn_to(&theirs).await;
        browser.reads(message).await;
        assert_eq!(browser.value(undisturbed).await, true, "after {stage}");
    }
    // Earlier updates unfold, and stay so while the last one comes in.
    browser.turn_to(&mine).await;
    update(&browser, "monitoring", "Cards are accepted again.").await;
    browser.turn_to(&theirs).await;
    browser.reads("Cards are accepted again.").await;
    browser.click("#incidents details > summary").await;
    browser.turn_to(&mine).await;
    update(&browser, "monitoring", "We keep an eye on it.").await;
    browser.turn_to(&theirs).await;
    browser.reads("We keep an eye on it.").await;
    assert_eq!(browser.value("document.querySelector('#incidents details').open").await, true);

    browser.turn_to(&mine).await;
    update(&browser, "resolved", "All clear.").await;
    browser.reads("The incident is resolved.").await;
    browser.turn_to(&theirs).await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'operational' && document.title.includes('Operational')").await;
    browser.wait_for("document.getElementById('incidents').hidden").await;
    assert_eq!(browser.value("window.mark").await, "the same document");
    browser.reads("Checkout fails for some cards").await;
}

/// A server that nobody has set up yet, and the link that it printed.
pub(super) async fn unclaimed() -> (Server, String) {
    let options = Options::default();
    let server = Server::start_with(Options { config: Config { registration: Registration::Invite, ..options.config }, ..options }).await;
    let token = server.app().setup_token().await.expect("a token").expect("there is no operator");
    let link = format!("{}/setup/{token}", server.base());
    (server, link)
}

/// Chooses in the first list of that selector.
pub(super) async fn choose(browser: &Browser, selector: &str, value: &str) {
    let list = browser.window.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    list.select_by_value(value).await.unwrap_or_else(|error| panic!("{selector} has no {value}: {error}"));
}

/// Posts an update on the page of an incident.
pub(super) async fn update(browser: &Browser, stage: &str, message: &str) {
    browser.wait_for("document.querySelector('form#update-form, #update form, form#update') !== null").await;
    let radio = format!("input[name=status][value={stage}]");
    browser.value(&format!("(document.querySelector({radio:?}).click(), true)")).await;
    browser.type_into("message", message).await;
    browser.click("#update button.primary").await;
    browser.wait_for(&format!("document.querySelector('.updates')?.innerText.includes({message:?}) === true")).await;
}
