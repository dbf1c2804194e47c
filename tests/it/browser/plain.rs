//! Without JavaScript: everything that visitors read, and everything that responders do.

use fantoccini::Locator;
use serde_json::json;

use super::driver::Browser;
use super::newcomer::{choose, unclaimed};
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
async fn from_the_setup_link_to_undo_without_javascript() {
    let (server, link) = unclaimed().await;
    let browser = Browser::open(false).await;
    browser.goto(&link).await;
    for (field, text) in [("full_name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("organization_name", "Engines")] {
        browser.type_into(field, text).await;
    }
    browser.click("main form button").await;
    browser.shows("First steps").await;
    browser.click("details#menu-person > summary").await;
    browser.click("form[action='/logout'] button").await;
    browser.shows("Sign in").await;

    // Signed out: the way leads through the door, and on to where one wanted to go.
    browser.goto(&format!("{}/o/engines/services/new", server.base())).await;
    browser.type_into("email", "ada@example.com").await;
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
    let incident = browser.window.current_url().await.expect("an address");
    let public = format!("{}/p/engines", server.base());
    let visitors_see = async |words: &str| {
        eventually(async || {
            browser.goto(&public).await;
            browser.text().await.contains(words)
        })
        .await;
    };
    visitors_see("Oh, checkout fails").await;
    visitors_see("Partial outage").await;

    browser.goto(incident.as_str()).await;
    browser.click("input[name=status][value=resolved]").await;
    browser.type_into("message", "All clear.").await;
    browser.click("#update button.primary").await;
    browser.shows("The incident is resolved.").await;

    browser.click("form[action$='/delete'] button").await;
    browser.shows("The incident is deleted.").await;
    browser.click("form[action$='/restore'] button").await;
    browser.shows("The incident is back.").await;
    visitors_see("All Systems Operational").await;
    visitors_see("Oh, checkout fails").await;

    browser.goto(&format!("{}/o/engines/timeline?type=incident", server.base())).await;
    let told = browser.text().await;
    for words in ["reported the incident", "resolved the incident", "deleted the incident"] {
        assert!(told.contains(words), "`{words}` is missing from {told}");
    }
}
