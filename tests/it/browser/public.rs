//! The public page in a browser: it follows by itself, undisturbed, and comes back from what stands between.

use serde_json::json;

use super::driver::Browser;
use super::proxy::Proxy;
use super::{say, trouble};
use crate::harness::{Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_follows_and_leaves_the_visitor_undisturbed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, incident) = trouble(&ada).await;
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}/p/{}", server.base(), ada.slug)).await;
    browser.reads("Checkout fails").await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'major_outage'").await;
    let details = format!("document.getElementById('earlier-{incident}')");
    browser.click(&format!("#earlier-{incident} > summary")).await;
    browser.value("(window.mark = 'the same document', window.focused = document.querySelector('details.group > summary'), focused.focus(), true)").await;
    let is_undisturbed = format!(
        "window.mark === 'the same document' && document.activeElement === window.focused && focused.isConnected && {details}.open"
    );
    browser.wait_for(&is_undisturbed).await;

    say(&ada, &incident, json!({ "status": "identified", "message": "A disk is full." })).await;
    browser.reads("A disk is full.").await;
    assert_eq!(browser.value(&is_undisturbed).await, true, "after an update");

    ada.put(format!("/api/services/{api}"), json!({ "description": "What apps talk to" })).await.expect(200);
    browser.reads("What apps talk to").await;
    assert_eq!(browser.value(&is_undisturbed).await, true, "after the service itself has changed");

    say(&ada, &incident, json!({ "status": "resolved", "message": "All clear." })).await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'operational'").await;
    browser.wait_for("document.getElementById('incidents').hidden && document.title.includes('Operational')").await;
    let still = "window.mark === 'the same document' && document.activeElement === window.focused";
    assert_eq!(browser.value(still).await, true, "after the incident has left the page");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_gone_says_so_to_who_has_it_open() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}/p/{}", server.base(), ada.slug)).await;
    browser.wait_for("!document.getElementById('online').hidden").await;

    ada.post_form(format!("/o/{}/settings/delete", ada.slug), &[("name", "Ada's Org")]).await.expect(303);
    browser.wait_for("document.querySelector('h1')?.innerText === 'Not found'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_from_a_stale_cache_converges() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.service("API").await;
    let path = format!("/p/{}", ada.slug);
    eventually(async || ada.get(&path).await.text.contains("API")).await;
    let stale = ada.get(&path).await.text;
    trouble(&ada).await;
    eventually(async || ada.get(&path).await.text.contains("Still looking, 6.")).await;
    assert!(!stale.contains("Checkout fails"));

    let proxy = Proxy::before(&server).await;
    proxy.serve_stale(&path, &stale);
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}{path}", proxy.base())).await;

    browser.reads("Still looking, 6.").await;
    browser.wait_for("document.getElementById('banner').dataset.state === 'partial_outage'").await;
    assert_eq!(proxy.stale_served(), 1, "the page was loaded once, and from the cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_refused_at_load_and_allowed_later_converges() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = format!("/p/{}", ada.slug);
    let proxy = Proxy::before(&server).await;
    proxy.refuse(&format!("{path}/live"), true);
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}{path}", proxy.base())).await;
    browser.value("(window.mark = 'the same document', true)").await;
    eventually(async || proxy.refused() > 0).await;
    browser.wait_for("!document.getElementById('offline').hidden").await;

    trouble(&ada).await;
    eventually(async || ada.get(&path).await.text.contains("Still looking, 6.")).await;
    assert_eq!(browser.value("document.body.innerText.includes('Checkout fails')").await, false, "it can't know yet");

    proxy.refuse(&format!("{path}/live"), false);
    browser.reads("Checkout fails").await;
    browser.wait_for("document.getElementById('offline').hidden").await;
    assert_eq!(browser.value("window.mark").await, "the same document");
}
