//! By keyboard alone: no step of the responder's way needs a pointer, and the focus is never lost.

use super::driver::Browser;
use crate::harness::Server;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";
const CONTROL: &str = "\u{e009}";
/// Releases what is held.
const NULL: &str = "\u{e000}";

/// Presses Tab until the focus is on what the selector means.
async fn tab_to(browser: &Browser, selector: &str) {
    let is_there = format!("document.activeElement.matches({selector:?})");
    for _ in 0..120 {
        if browser.value(&is_there).await == true {
            return;
        }
        browser.keys(TAB).await;
    }
    panic!("{selector} can't be reached by the keyboard; the page: {}", browser.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_by_keyboard_alone() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.service("Checkout").await;
    let browser = Browser::open(true).await;
    browser.be(&server, &ada).await;
    browser.goto(&format!("{}/o/{}", server.base(), ada.slug)).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;

    // The first Tab offers to leave the navigation out.
    browser.keys(TAB).await;
    browser.wait_for("document.activeElement.matches('.skip')").await;
    // The list of keys opens and closes, and gives the focus back.
    browser.keys("?").await;
    browser.wait_for("document.getElementById('keys').open").await;
    browser.keys(ESCAPE).await;
    browser.wait_for("!document.getElementById('keys').open && document.activeElement.matches('.skip')").await;

    browser.keys("n").await;
    browser.wait_for("location.pathname.endsWith('/incidents/new') && document.getElementById('title') !== null").await;
    tab_to(&browser, "#title").await;
    browser.keys("Checkout fails").await;
    tab_to(&browser, "#message").await;
    browser.keys("We are looking into it.").await;
    tab_to(&browser, "select[name^='affected-']").await;
    browser.keys("Maj").await;
    browser.wait_for("document.querySelector(\"select[name^='affected-']\").value === 'major_outage'").await;
    tab_to(&browser, "main form button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The incident is reported.").await;
    browser.wait_for("document.activeElement !== document.body").await;

    // Away, and back by its first letters.
    browser.keys("o").await;
    browser.wait_for("!location.pathname.includes('/incidents')").await;
    browser.keys(&format!("{CONTROL}k{NULL}")).await;
    browser.wait_for("document.getElementById('palette').open").await;
    browser.keys("checkout f").await;
    browser
        .wait_for("[...document.querySelectorAll('#palette-results a')].some((link) => link.innerText.includes('Checkout fails'))")
        .await;
    browser.wait_for("document.querySelector('#palette-results a').href.includes('/incidents/')").await;
    browser.keys(DOWN).await;
    browser.keys(ENTER).await;
    browser.wait_for("location.pathname.includes('/incidents/inc_') && document.getElementById('message') !== null").await;

    tab_to(&browser, "input[name=status]").await;
    browser.value("(window.radio = document.querySelector('input[name=status][value=resolved]'), true)").await;
    for _ in 0..5 {
        if browser.value("window.radio.checked").await == true {
            break;
        }
        browser.keys(DOWN).await;
    }
    browser.wait_for("window.radio.checked").await;
    tab_to(&browser, "#message").await;
    browser.keys("All clear.").await;
    tab_to(&browser, "#update button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The incident is resolved.").await;
    assert_eq!(ada.events().await.last().map(String::as_str), Some("incident.resolved"));
}
