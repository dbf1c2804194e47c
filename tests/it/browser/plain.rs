//! Without JavaScript: everything that visitors read, and everything that responders do.

use fantoccini::Locator;
use serde_json::json;

use super::driver::Browser;
use super::newcomer::choose;
use super::{say, trouble};
use crate::harness::{PASSWORD, Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_without_javascript() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (_, incident) = trouble(&ada).await;
    let url = format!("{}/p/{}", server.base(), ada.slug);
    let browser = Browser::open(false).await;
    let text = async || {
        browser.goto(&url).await;
        browser.text().await
    };

    eventually(async || text().await.contains("Still looking, 6.")).await;
    let shown = text().await;
    for words in ["API", "Major outage", "Checkout fails", "Reload the page to see changes."] {
        assert!(shown.contains(words), "`{words}` is missing from {shown}");
    }
    say(&ada, &incident, json!({ "status": "resolved", "message": "All clear." })).await;
    eventually(async || text().await.contains("All Systems Operational")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_from_report_to_undo_without_javascript() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let browser = Browser::open(false).await;
    browser.goto(&format!("{}/o/{}/services/new", server.base(), ada.slug)).await;

    // Signed out: the way leads through the door, and on to where one wanted to go.
    browser.shows("Sign in").await;
    browser.type_into("email", &ada.email).await;
    browser.type_into("password", PASSWORD).await;
    browser.click("main form button").await;
    browser.shows("New service").await;

    browser.type_into("name", "Checkout").await;
    browser.click("main form .primary").await;
    browser.shows("The service is on the page.").await;

    browser.click(".bar a[href$='/incidents/new']").await;
    browser.type_into("title", "Oh").await;
    browser.type_into("message", "We are looking into it.").await;
    choose(&browser, "select[name^='affected-']", "partial_outage").await;
    browser.click("main form .primary").await;
    // Refused; what was typed and chosen is still there.
    browser.shows("That did not work").await;
    let title = browser.window.find(Locator::Id("title")).await.expect("the field");
    assert_eq!(title.prop("value").await.expect("a value").as_deref(), Some("Oh"));
    let chosen = browser.window.find(Locator::Css("select[name^='affected-']")).await.expect("the list");
    assert_eq!(chosen.prop("value").await.expect("a value").as_deref(), Some("partial_outage"));
    title.send_keys(", checkout fails").await.expect("it takes text");
    browser.click("main form .primary").await;
    browser.shows("The incident is reported.").await;

    browser.click("input[name=status][value=resolved]").await;
    browser.type_into("message", "All clear.").await;
    browser.click("#update button.primary").await;
    browser.shows("The incident is resolved.").await;

    browser.click("form[action$='/delete'] button").await;
    browser.shows("The incident is deleted.").await;
    browser.click("form[action$='/restore'] button").await;
    browser.shows("The incident is back.").await;

    let told = ada.events().await;
    let incidents: Vec<_> = told.iter().filter(|kind| kind.starts_with("incident.")).collect();
    assert_eq!(incidents, ["incident.opened", "incident.resolved", "incident.deleted", "incident.restored"]);
}
