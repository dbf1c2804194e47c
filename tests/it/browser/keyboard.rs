//! By keyboard alone: no step of the responder's way needs a pointer, and the focus is never lost.

use super::driver::Browser;
use super::newcomer::unclaimed;
use crate::harness::{PASSWORD, Server};

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

/// Goes to a field and fills it in.
async fn fill(browser: &Browser, id: &str, text: &str) {
    tab_to(browser, &format!("#{id}")).await;
    browser.keys(text).await;
}

/// Goes by its first letters to what the palette finds, at a path that has this in it.
async fn find(browser: &Browser, letters: &str, path: &str) {
    browser.keys(&format!("{CONTROL}k{NULL}")).await;
    browser.wait_for("document.getElementById('palette').open").await;
    browser.keys(letters).await;
    browser.wait_for(&format!("document.querySelector('#palette-results a')?.getAttribute('href').includes({path:?}) === true")).await;
    browser.keys(DOWN).await;
    browser.keys(ENTER).await;
    browser.wait_for(&format!("location.pathname.includes({path:?})")).await;
}

/// Chooses among radio buttons.
async fn choose(browser: &Browser, name: &str, value: &str) {
    tab_to(browser, &format!("input[name={name}]")).await;
    let chosen = format!("document.querySelector('input[name={name}][value={value}]').checked");
    for _ in 0..5 {
        if browser.value(&chosen).await == true {
            break;
        }
        browser.keys(DOWN).await;
    }
    browser.wait_for(&chosen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_setup_link_to_a_resolved_incident_by_keyboard_alone() {
    let (server, link) = unclaimed().await;
    let browser = Browser::open(true).await;
    browser.goto(&link).await;
    for (id, text) in [("full_name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("organization_name", "Engines")] {
        fill(&browser, id, text).await;
    }
    browser.keys(ENTER).await;
    browser.wait_for("location.pathname === '/o/engines'").await;
    browser.wait_for("document.activeElement !== document.body").await;

    // The first Tab on a page offers to leave the navigation out.
    browser.goto(&format!("{}/o/engines", server.base())).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;
    browser.keys(TAB).await;
    browser.wait_for("document.activeElement.matches('.skip')").await;
    // The list of keys opens and closes, and gives the focus back.
    browser.keys("?").await;
    browser.wait_for("document.getElementById('keys').open").await;
    browser.keys(ESCAPE).await;
    browser.wait_for("!document.getElementById('keys').open && document.activeElement.matches('.skip')").await;

    tab_to(&browser, "#main a[href$='/services/new']").await;
    browser.keys(ENTER).await;
    browser.wait_for("document.getElementById('name') !== null").await;
    fill(&browser, "name", "Checkout").await;
    tab_to(&browser, "main form button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The service is on the page.").await;

    // Single letters go from page to page; they are no letters in a field.
    tab_to(&browser, ".tabs a").await;
    browser.keys("n").await;
    browser.wait_for("location.pathname.endsWith('/incidents/new') && document.getElementById('title') !== null").await;
    fill(&browser, "title", "Checkout fails, soon not").await;
    fill(&browser, "message", "We are looking into it.").await;
    tab_to(&browser, "select[name^='affected-']").await;
    browser.keys("Maj").await;
    browser.wait_for("document.querySelector(\"select[name^='affected-']\").value === 'major_outage'").await;
    tab_to(&browser, "main form button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The incident is reported.").await;
    browser.wait_for("document.activeElement !== document.body").await;

    // Away, and back by its first letters.
    tab_to(&browser, ".tabs a").await;
    browser.keys("o").await;
    browser.wait_for("!location.pathname.includes('/incidents')").await;
    find(&browser, "checkout f", "/incidents/inc_").await;
    browser.wait_for("document.getElementById('message') !== null").await;

    choose(&browser, "status", "resolved").await;
    fill(&browser, "message", "All clear.").await;
    tab_to(&browser, "#update button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The incident is resolved.").await;

    browser.goto(&format!("{}/p/engines", server.base())).await;
    browser.reads("All Systems Operational").await;
    browser.reads("Checkout fails, soon not").await;
    // The past incident unfolds, and the theme changes and is remembered.
    tab_to(&browser, "#history summary").await;
    browser.keys(ENTER).await;
    browser.reads("All clear.").await;
    tab_to(&browser, "select[data-theme-choice]").await;
    browser.keys("D").await;
    browser.wait_for("document.documentElement.dataset.theme === 'dark'").await;
    browser.goto(&format!("{}/p/engines", server.base())).await;
    assert_eq!(browser.value("document.documentElement.dataset.theme").await, "dark");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_sign_in_to_a_changed_team_by_keyboard_alone() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    grace.accept(&ada.invite(&grace.email, "viewer").await).await;
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}/login", server.base())).await;
    fill(&browser, "email", &ada.email).await;
    fill(&browser, "password", PASSWORD).await;
    browser.keys(ENTER).await;
    browser.wait_for("location.pathname === '/o/adas-org' && document.activeElement !== document.body").await;

    tab_to(&browser, ".tabs a").await;
    browser.keys("p").await;
    browser.wait_for("location.pathname === '/o/adas-org/team' && document.querySelector('h1').innerText === 'Team'").await;

    // What can be done is found as what there is.
    find(&browser, "invit", "/team/invite").await;
    browser.wait_for("document.getElementById('invite') !== null").await;
    fill(&browser, "email", "sam@example.com").await;
    choose(&browser, "role", "responder").await;
    tab_to(&browser, "#invite button.primary").await;
    browser.keys(ENTER).await;
    browser.wait_for("document.querySelector('[data-copy=link]:not([hidden])') !== null").await;
    tab_to(&browser, "[data-copy=link]").await;
    browser.keys(ENTER).await;
    browser.wait_for("['Copied.', 'It is selected'].some((words) => document.getElementById('toasts').innerText.includes(words))").await;
    assert_eq!(browser.value("document.activeElement !== document.body").await, true);
    assert_eq!(ada.new_events().await.last().map(String::as_str), Some("member.invited"));

    // And so are people.
    find(&browser, "grac", "/team/members/usr_").await;
    browser.wait_for("document.getElementById('role-form') !== null").await;
    choose(&browser, "role", "editor").await;
    tab_to(&browser, "#role-form button.primary").await;
    browser.keys(ENTER).await;
    browser.reads("The role is saved.").await;
    assert_eq!(ada.new_events().await, ["member.role_changed"]);

    browser.wait_for("document.activeElement !== document.body").await;
    tab_to(&browser, "#remove > summary").await;
    browser.keys(ENTER).await;
    browser.wait_for("document.getElementById('remove').open").await;
    tab_to(&browser, "#remove-form button").await;
    browser.keys(ENTER).await;
    browser.reads("That person is out of the organization.").await;
    browser.wait_for("document.activeElement !== document.body").await;
    assert_eq!(ada.new_events().await, ["member.removed"]);
}
