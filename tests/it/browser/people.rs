//! People come by an invitation, are given a role, work, lose it, and go: what their open pages make of it, without a reload and without signing
//! in again.

use serde_json::json;

use super::driver::Browser;
use super::newcomer::{choose, update};
use crate::harness::{Client, PASSWORD, Server};

const NOTICES: &str = "document.getElementById('toasts').innerText";
/// The way to a new incident, in the header of every page of who may take it.
const REPORT: &str = "document.querySelector(\".bar a[href$='/incidents/new']\")";
/// The way to the public page's settings.
const SETTINGS: &str = "document.querySelector(\".tabs a[href$='/page']\")";

/// Waits until a notice says this.
async fn told(browser: &Browser, words: &str) {
    browser.wait_for(&format!("{NOTICES}.includes({})", json!(words))).await;
}

/// Signs this person in, at a page of the organization that they are here for.
async fn at(browser: &Browser, server: &Server, who: &Client, path: &str) {
    browser.be(server, who).await;
    browser.goto(&format!("{}/o/{}{path}", server.base(), who.slug)).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;
}

/// Sets a mark that a reload would take away.
async fn mark(browser: &Browser) {
    browser.value("(window.mark = 'the same document', true)").await;
}

async fn is_unreloaded(browser: &Browser) {
    assert_eq!(browser.value("window.mark").await, "the same document");
}

/// Invites somebody, from any page of the organization on; answers with the link that is shown to be passed on.
async fn invite(browser: &Browser, email: &str) -> String {
    browser.click(".tabs a[href$='/team']").await;
    browser.wait_for("document.querySelector(\"#main a[href$='/team/invite']\") !== null").await;
    browser.click("#main a[href$='/team/invite']").await;
    browser.wait_for("document.getElementById('invite') !== null").await;
    browser.type_into("email", email).await;
    browser.click("#invite .primary").await;
    browser.wait_for("document.querySelector('[data-copy=link]:not([hidden])') !== null").await;
    told(browser, "Now pass the link on.").await;

    browser.click("[data-copy=link]").await;
    // Whether the clipboard is open to pages is the browser's to say. In either case the link is selected.
    browser.wait_for(&format!("['Copied.', 'It is selected'].some((words) => {NOTICES}.includes(words))")).await;
    let selected =
        "(({ value, selectionStart, selectionEnd }) => value.slice(selectionStart, selectionEnd))(document.getElementById('link'))";
    let link = browser.value("document.getElementById('link').value").await;
    assert_eq!(browser.value(selected).await, link);
    link.as_str().expect("a link").to_owned()
}

/// Opens somebody's page, from any page of the organization on.
async fn look_up(browser: &Browser, user_id: &str) {
    browser.click(".tabs a[href$='/team']").await;
    let link = format!("#people a[href$='/team/members/{user_id}']");
    browser.wait_for(&format!("document.querySelector({link:?}) !== null")).await;
    browser.click(&link).await;
    browser.wait_for("document.getElementById('role-form') !== null").await;
}

/// From now on it is kept, for the next page to find, how the page's line is closed.
async fn watch_the_line(browser: &Browser) {
    let hook = "(() => {
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
            if (window.line !== this) {
                window.line = this;
                this.addEventListener('close', ({ code }) => sessionStorage.setItem('closed', code));
            }
            return send.call(this, text);
        };
        sessionStorage.removeItem('closed');
        return true;
    })()";
    assert_eq!(browser.value(hook).await, true);
    // A page that is looked at again asks its line whether it is still there.
    let is_open = "(document.dispatchEvent(new Event('visibilitychange')), window.line?.readyState === WebSocket.OPEN)";
    browser.wait_for(is_open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invited_a_viewer_then_a_responder_then_out_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.service("Checkout").await;
    let (adas, graces) = Browser::pair().await;
    at(&adas, &server, &ada, "").await;
    let link = invite(&adas, "grace@example.com").await;

    graces.goto(&link).await;
    graces.reads("Ada invites you to Ada's Org as a viewer.").await;
    graces.type_into("full_name", "Grace").await;
    graces.type_into("password", PASSWORD).await;
    graces.click("#signup .primary").await;
    graces.wait_for("location.pathname === '/o/adas-org'").await;
    told(&graces, "You are in.").await;
    let grace = graces.value("document.getElementById('app').dataset.me").await;
    let grace = grace.as_str().expect("an id");

    // A viewer is offered nothing that they may not do, and nothing of it is done for them.
    assert_eq!(graces.value(&format!("{REPORT} === null && document.querySelector('main form') === null")).await, true);
    assert_eq!(graces.status("/o/adas-org/incidents", Some("title=It+fails&message=Looking.")).await, 403);
    assert_eq!(graces.status("/o/adas-org/incidents/new", None).await, 403);
    assert_eq!(ada.get("/api/incidents").await.expect(200).json["data"], json!([]));
    mark(&graces).await;

    look_up(&adas, grace).await;
    adas.click("#role-form [value=responder]").await;
    adas.click("#role-form .primary").await;
    told(&adas, "The role is saved.").await;

    // In the page that she had open all the time.
    graces.wait_for(&format!("{REPORT}?.checkVisibility() === true")).await;
    told(&graces, "Your role is now Responder.").await;
    graces.click(".bar a[href$='/incidents/new']").await;
    graces.wait_for("document.getElementById('report') !== null").await;
    graces.type_into("title", "Checkout fails for some cards").await;
    graces.type_into("message", "We are looking into it.").await;
    choose(&graces, "select[name^='affected-']", "major_outage").await;
    graces.click("#report .form-actions .primary").await;
    told(&graces, "The incident is reported.").await;
    update(&graces, "identified", "A certificate has run out.").await;
    is_unreloaded(&graces).await;
    let last = ada.timeline().await.pop().expect("an entry");
    assert_eq!(last["actor"]["name"], "Grace", "{last}");

    watch_the_line(&graces).await;
    adas.click("#remove > summary").await;
    adas.click("#remove-form button").await;
    told(&adas, "That person is out of the organization.").await;

    graces.wait_for("location.pathname === '/organizations'").await;
    told(&graces, "That organization is not open to you any more").await;
    graces.reads("You belong to no organization.").await;
    assert_eq!(graces.value("sessionStorage.getItem('closed')").await, "1008");
    for path in ["/o/adas-org", "/o/adas-org/incidents", "/o/adas-org/team/leave"] {
        assert_eq!(graces.status(path, None).await, 404, "{path}");
    }
    // She is out of the organization alone: the account is hers.
    assert_eq!(graces.status("/account", None).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_a_role_loses_no_words() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let grace = ada.make_member("editor").await;
    let give = async |role: &str| {
        ada.put(ada.own(&format!("/members/{}", grace.user_id)), json!({ "role": role })).await.expect(200);
    };
    let browser = Browser::open(true).await;
    at(&browser, &server, &grace, "").await;
    mark(&browser).await;
    assert_eq!(browser.value(&format!("{SETTINGS} !== null && {REPORT} !== null")).await, true);

    // The page offers what the role is good for, whatever it becomes.
    give("viewer").await;
    browser.wait_for(&format!("{SETTINGS} === null && {REPORT} === null")).await;
    give("responder").await;
    browser.wait_for(&format!("{SETTINGS} === null && {REPORT}?.checkVisibility() === true")).await;
    is_unreloaded(&browser).await;

    // A form that is not theirs any more goes, unless something was typed into it.
    browser.click(".bar a[href$='/incidents/new']").await;
    browser.wait_for("document.getElementById('report') !== null").await;
    give("viewer").await;
    browser.wait_for("document.getElementById('report') === null && document.body.innerText.includes('Not allowed')").await;

    give("responder").await;
    browser.goto(&format!("{}/o/{}/incidents/new", server.base(), grace.slug)).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;
    mark(&browser).await;
    browser.type_into("title", "Checkout fails").await;
    browser.type_into("message", "Half an hour's work.").await;
    ada.new_events().await;
    give("viewer").await;
    told(&browser, "your role has changed").await;
    browser.click("#report .form-actions .primary").await;
    told(&browser, "Not allowed").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "Half an hour's work.");
    assert_eq!(ada.new_events().await, ["member.role_changed"]);

    give("responder").await;
    browser.click("#report .form-actions .primary").await;
    told(&browser, "The incident is reported.").await;
    browser.reads("Half an hour's work.").await;
    is_unreloaded(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switcher_leads_from_one_organization_to_the_other() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    let guest = grace.accept(&ada.invite(&grace.email, "viewer").await).await;
    assert_ne!(guest.slug, grace.slug);
    let browser = Browser::open(true).await;
    at(&browser, &server, &grace, "").await;
    mark(&browser).await;
    let present = "document.querySelector('#menu-person a[aria-current=true]').innerText.trim()";
    let switch = async |slug: &str, name: &str| {
        browser.click("#menu-person > summary").await;
        browser.click(&format!("#menu-person a[href$='/o/{slug}']")).await;
        browser.wait_for(&format!("location.pathname === '/o/{slug}' && document.querySelector('.org-name').innerText === {name:?}")).await;
        browser.click("#menu-person > summary").await;
        assert_eq!(browser.value(present).await, name);
        browser.click("#menu-person > summary").await;
    };
    let reads = async |words: &str| browser.wait_for(&format!("document.getElementById('main').innerText.includes({words:?})")).await;

    switch(&ada.slug, "Ada's Org").await;
    // Each role counts in its own organization alone.
    assert_eq!(browser.value(&format!("{REPORT} === null && {SETTINGS} === null")).await, true);
    grace.incident(&[], "At home it fails").await;
    let away = ada.incident(&[], "Away it fails").await;
    reads("Away it fails").await;
    assert_eq!(browser.value("document.getElementById('main').innerText.includes('At home it fails')").await, false);

    switch(&grace.slug, "Grace's Org").await;
    reads("At home it fails").await;
    assert_eq!(browser.value(&format!("{REPORT} !== null && {SETTINGS} !== null")).await, true);
    // And back: each page follows its own organization.
    switch(&ada.slug, "Ada's Org").await;
    ada.put(format!("/api/incidents/{away}"), json!({ "title": "Away it failed" })).await.expect(200);
    reads("Away it failed").await;
    is_unreloaded(&browser).await;
}
