//! A real Chromium: the road from the setup link to a page that changes by itself, and back from everything that can come between.

mod proxy;

use std::process::Stdio;

use allclear::config::{Config, Registration};
use fantoccini::{Client as Window, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::{Client, Options, PASSWORD, Server, eventually};
use proxy::Proxy;

/// One browser at a time: several on two cores make each other slow for nothing.
static TURN: Mutex<()> = Mutex::const_new(());

/// A browser with a profile of its own; it and its driver are killed when dropped.
struct Browser {
    window: Window,
    driver: Child,
    _profile: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    async fn open(javascript: bool) -> Self {
        let turn = TURN.lock().await;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // Chromium joins its driver's group, and so ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`chromedriver` can't be run ({error}): on Debian, apt-get install chromium chromium-driver"));
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("text").expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir().expect("a profile");
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", format!("--user-data-dir={}", profile.path().display()),
            ],
            "prefs": { "profile.managed_default_content_settings.javascript": if javascript { 1 } else { 2 } },
        });
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let window = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { window: window.expect("a session"), driver, _profile: profile, _turn: turn }
    }

    async fn goto(&self, url: &str) {
        self.window.goto(url).await.expect("the page loads");
    }

    /// The value of an expression in the page.
    async fn value(&self, expression: &str) -> Value {
        self.window.execute(&format!("return {expression}"), Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression in the page is true; while the page is being replaced by another, it is not.
    async fn wait_for(&self, expression: &str) {
        let script = format!("return {expression}");
        eventually(async || self.window.execute(&script, Vec::new()).await.is_ok_and(|value| value == true)).await;
    }

    /// Waits until the page's text has these words.
    async fn reads(&self, words: &str) {
        self.wait_for(&format!("document.body.innerText.includes({})", json!(words))).await;
    }

    async fn type_into(&self, name: &str, text: &str) {
        let field = self.window.find(Locator::Id(name)).await.expect("a field");
        field.send_keys(text).await.expect("it takes text");
    }

    async fn click(&self, selector: &str) {
        let element = self.window.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.click().await.expect("it can be clicked");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(group) = self.driver.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// An organization with a service in a group and an incident that has been going on for a while.
async fn trouble(ada: &Client) -> (String, String) {
    let group = ada.post("/api/service-groups", json!({ "name": "Core" })).await.expect(201).id();
    let api = ada.post("/api/services", json!({ "name": "API", "group_id": group })).await.expect(201).id();
    let input = json!({ "title": "Checkout fails", "message": "Looking.", "service_status": "major_outage" });
    let incident = ada.post(format!("/api/services/{api}/incidents"), input).await.expect(201).id();
    for number in 1..=6 {
        say(ada, &incident, json!({ "message": format!("Still looking, {number}.") })).await;
    }
    (api, incident)
}

async fn say(ada: &Client, incident: &str, update: Value) {
    ada.post(format!("/api/incidents/{incident}/updates"), update).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_setup_link_to_a_page_that_changes_by_itself() {
    let options = Options::default();
    let server = Server::start_with(Options { config: Config { registration: Registration::Invite, ..options.config }, ..options }).await;
    let token = server.app().setup_token().await.unwrap().unwrap();
    let browser = Browser::open(true).await;

    browser.goto(&format!("{}/setup/{token}", server.base())).await;
    for (field, text) in [("full_name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("organization_name", "Engines")] {
        browser.type_into(field, text).await;
    }
    browser.click("form button").await;
    browser.wait_for("location.pathname === '/'").await;
    browser.reads("Engines").await;
    let cookie = browser.window.get_named_cookie("allclear_session").await.expect("a cookie");
    assert_eq!(cookie.http_only(), Some(true));
    let ada = server.anonymous().with_cookie(&format!("allclear_session={}", cookie.value()));
    let (api, incident) = trouble(&ada).await;

    let second = browser.window.new_window(false).await.expect("a window");
    browser.window.switch_to_window(second.handle).await.expect("the other window");
    browser.goto(&format!("{}/p/engines", server.base())).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_without_javascript() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (_, incident) = trouble(&ada).await;
    let url = format!("{}/p/{}", server.base(), ada.slug);
    let browser = Browser::open(false).await;
    let text = async || {
        browser.goto(&url).await;
        browser.window.find(Locator::Css("body")).await.expect("a body").text().await.expect("text")
    };

    eventually(async || text().await.contains("Still looking, 6.")).await;
    let shown = text().await;
    for words in ["API", "Major outage", "Checkout fails", "Reload the page to see changes."] {
        assert!(shown.contains(words), "`{words}` is missing from {shown}");
    }
    say(&ada, &incident, json!({ "status": "resolved", "message": "All clear." })).await;
    eventually(async || text().await.contains("All Systems Operational")).await;

    browser.goto(&format!("{}/login", server.base())).await;
    browser.type_into("email", "ada@example.com").await;
    browser.type_into("password", PASSWORD).await;
    browser.click("form button").await;
    eventually(async || match browser.window.find(Locator::Css("h1")).await {
        Ok(heading) => heading.text().await.is_ok_and(|text| text.contains("Ada")),
        Err(_) => false,
    })
    .await;
}
