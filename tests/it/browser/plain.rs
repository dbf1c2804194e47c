//! Without JavaScript: everything that visitors read, and everything that responders do.

use fantoccini::Locator;
use serde_json::json;

use super::driver::Browser;
use super::newcomer::{choose, unclaimed};
use super::{say, trouble};
use crate::admin_settings::png;
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

/// Signs somebody in, and whoever was before out. What they then see has these words.
async fn be(browser: &Browser, server: &Server, email: &str, password: &str, words: &str) {
    browser.window.delete_all_cookies().await.expect("cookies can be forgotten");
    browser.goto(&format!("{}/login", server.base())).await;
    browser.type_into("email", email).await;
    browser.type_into("password", password).await;
    browser.click("main form button").await;
    browser.shows(words).await;
}

/// Whether the page has such an element.
async fn has(browser: &Browser, selector: &str) -> bool {
    !browser.window.find_all(Locator::Css(selector)).await.expect("a page").is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_work_and_go_without_javascript() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.service("Checkout").await;
    let browser = Browser::open(false).await;
    let page = |rest: &str| format!("{}/o/adas-org{rest}", server.base());

    be(&browser, &server, &ada.email, PASSWORD, "What happened last").await;
    browser.click(".tabs a[href$='/team']").await;
    browser.shows("Nobody else is here yet").await;
    browser.click(".page-head a[href$='/team/invite']").await;
    browser.type_into("email", "grace@example.com").await;
    browser.click("#invite .primary").await;
    browser.shows("Now pass the link on.").await;
    // There is no button that would need script to copy.
    assert!(!browser.text().await.contains("Copy"));
    let field = browser.window.find(Locator::Id("link")).await.expect("the field");
    let link = field.prop("value").await.expect("a value").expect("a link");

    // Ada looks where it leads; whoever sits down next comes back there as somebody else.
    browser.goto(&link).await;
    browser.shows("You are signed in as ada@example.com").await;
    browser.click("#sign-out .primary").await;
    browser.shows("Create account and join").await;
    browser.type_into("full_name", "Grace").await;
    browser.type_into("password", "short").await;
    browser.click("#signup .primary").await;
    browser.shows("That did not work").await;
    browser.type_into("password", PASSWORD).await;
    browser.click("#signup .primary").await;
    browser.shows("You are in.").await;
    assert!(!has(&browser, "a[href$='/incidents/new']").await, "{}", browser.text().await);
    browser.goto(&page("/incidents/new")).await;
    browser.shows("Not allowed").await;

    be(&browser, &server, &ada.email, PASSWORD, "What happened last").await;
    browser.goto(&page("/team")).await;
    browser.window.find(Locator::LinkText("Grace")).await.expect("Grace").click().await.expect("a link");
    browser.shows("Change the role").await;
    browser.click("#role-form [value=responder]").await;
    browser.click("#role-form .primary").await;
    browser.shows("The role is saved.").await;

    be(&browser, &server, "grace@example.com", PASSWORD, "What happened last").await;
    browser.click(".bar a[href$='/incidents/new']").await;
    browser.type_into("title", "Checkout fails").await;
    browser.type_into("message", "We are looking into it.").await;
    choose(&browser, "select[name^='affected-']", "partial_outage").await;
    browser.click("#report .form-actions .primary").await;
    browser.shows("The incident is reported.").await;
    browser.click(".tabs a[href$='/team']").await;
    browser.click("#leave").await;
    browser.shows("What happens then").await;
    browser.click("#leave button").await;
    browser.shows("You have left the organization.").await;
    browser.goto(&page("")).await;
    browser.shows("Not found").await;

    // Grace comes back, and is removed by a button that is only there when asked for.
    let again = ada.invite("grace@example.com", "viewer").await;
    browser.goto(&format!("{}/invite/{}", server.base(), again.text_at("/token"))).await;
    browser.click("#join .primary").await;
    browser.shows("You are in.").await;
    be(&browser, &server, &ada.email, PASSWORD, "What happened last").await;
    browser.goto(&page("/team")).await;
    browser.window.find(Locator::LinkText("Grace")).await.expect("Grace").click().await.expect("a link");
    browser.click("#remove > summary").await;
    browser.click("#remove-form button").await;
    browser.shows("That person is out of the organization.").await;
    assert!(!browser.text().await.contains("Grace"), "{}", browser.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_a_logo_and_a_new_password_without_javascript() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let files = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = files.path().join(name);
        std::fs::write(&path, content).expect("it is written");
        path.to_str().expect("text").to_owned()
    };
    let (logo, text) = (file("logo.png", &png(240, 80)), file("logo.txt", b"no picture"));
    let browser = Browser::open(false).await;
    be(&browser, &server, &ada.email, PASSWORD, "What happened last").await;

    browser.click(".tabs a[href$='/page']").await;
    browser.type_into("name", "Engine room").await;
    browser.type_into("description", "What runs, and what does not.").await;
    let zone = browser.window.find(Locator::Id("time_zone")).await.expect("the field");
    zone.clear().await.expect("it is cleared");
    zone.send_keys("Europe/Berlin").await.expect("it takes text");
    browser.click("#texts .form-actions .primary").await;
    browser.shows("The public page is saved.").await;

    let sends = async |path: &str| {
        let chooser = browser.window.find(Locator::Css("#logo-new input[type=file]")).await.expect("the field");
        chooser.send_keys(path).await.expect("it takes a file");
        browser.click("#logo-new button").await;
    };
    sends(&text).await;
    browser.shows("must be a PNG, JPEG or WebP").await;
    sends(&logo).await;
    browser.shows("The logo is saved.").await;
    assert!(has(&browser, "#logo img").await);
    eventually(async || {
        browser.goto(&format!("{}/p/{}", server.base(), ada.slug)).await;
        has(&browser, "img[src*='/logo/']").await && browser.text().await.contains("Engine room")
    })
    .await;
    browser.goto(&format!("{}/o/{}/page", server.base(), ada.slug)).await;
    browser.click("#logo-remove > summary").await;
    browser.click("#logo-remove-form button").await;
    browser.shows("The logo is removed.").await;

    // The password is forgotten.
    browser.window.delete_all_cookies().await.expect("cookies can be forgotten");
    browser.goto(&format!("{}/login", server.base())).await;
    browser.click("a[href$='/forgot']").await;
    browser.shows("allclear user reset-password").await;
    let link = server.app().reset_link(&ada.email).await.expect("a link");
    browser.goto(&link).await;
    browser.type_into("new_password", "short").await;
    browser.click("#reset .primary").await;
    browser.shows("That did not work").await;
    browser.type_into("new_password", "otter-plinth-tangerine").await;
    browser.click("#reset .primary").await;
    browser.shows("Your password is changed.").await;
    be(&browser, &server, &ada.email, "otter-plinth-tangerine", "What happened last").await;
    browser.goto(&link).await;
    browser.shows("This link does not work").await;
}
