//! A real Chromium, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use fantoccini::wd::WindowHandle;
use fantoccini::{Client as Window, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::harness::{Client, PASSWORD, Server, eventually};

/// One browser at a time: several on two cores make each other slow for nothing.
static TURN: Mutex<()> = Mutex::const_new(());

/// What kind of browser a visitor has.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) javascript: bool,
    pub(super) dark: bool,
    /// In CSS pixels.
    pub(super) width: u32,
}

impl Default for Kind {
    fn default() -> Self {
        Self { javascript: true, dark: false, width: 1280 }
    }
}

/// A browser with a profile of its own; it and its driver are killed when dropped.
pub(super) struct Browser {
    pub(super) window: Window,
    driver: Child,
    _profile: tempfile::TempDir,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// A driver, and on which port it listens.
///
/// It looks for a free port and then takes it, for IPv4 and for IPv6; now and then one of them is taken by then, and it ends.
async fn driver() -> (Child, String) {
    for _ in 0..5 {
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
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return (driver, port.trim_end_matches('.').to_owned());
            }
        }
    }
    panic!("chromedriver never said its port")
}

impl Browser {
    pub(super) async fn open(javascript: bool) -> Self {
        Self::of(Kind { javascript, ..Kind::default() }).await
    }

    pub(super) async fn of(kind: Kind) -> Self {
        let turn = TURN.lock().await;
        Self::start(kind, Some(turn)).await
    }

    /// Two people's browsers: the second one comes and goes within the turn of the first.
    pub(super) async fn pair() -> (Self, Self) {
        let first = Self::of(Kind::default()).await;
        (first, Self::start(Kind::default(), None).await)
    }

    async fn start(kind: Kind, turn: Option<MutexGuard<'static, ()>>) -> Self {
        let (driver, port) = driver().await;
        let profile = tempfile::tempdir().expect("a profile");
        let mut args: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(String::from)
        .into();
        args.push(format!("--user-data-dir={}", profile.path().display()));
        args.push(format!("--window-size={},900", kind.width.max(500)));
        if kind.dark {
            args.push("--blink-settings=preferredColorScheme=0".into());
        }
        let mut options = json!({
            "args": args,
            "prefs": { "profile.managed_default_content_settings.javascript": if kind.javascript { 1 } else { 2 } },
        });
        // A window can't be narrower than 500 px; a phone is emulated.
        if kind.width < 500 {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": kind.width, "height": 844, "pixelRatio": 1.0, "touch": true } });
        }
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let window = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { window: window.expect("a session"), driver, _profile: profile, _turn: turn }
    }

    pub(super) async fn goto(&self, url: &str) {
        self.window.goto(url).await.expect("the page loads");
    }

    /// The value of an expression in the page.
    pub(super) async fn value(&self, expression: &str) -> Value {
        self.window.execute(&format!("return {expression}"), Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression in the page is true; while the page is being replaced by another, it is not.
    pub(super) async fn wait_for(&self, expression: &str) {
        let script = format!("return {expression}");
        let holds = async || self.window.execute(&script, Vec::new()).await.is_ok_and(|value| value == true);
        let shown = async || self.window.execute("return location.href + '\\n' + document.body.innerText", Vec::new()).await;
        let waiting = std::panic::AssertUnwindSafe(eventually(holds));
        if futures_util::FutureExt::catch_unwind(waiting).await.is_err() {
            panic!(
                "{expression}\ndid not come to hold; the page: {}",
                shown().await.map(|text| text.as_str().unwrap_or_default().to_owned()).unwrap_or_default()
            );
        }
    }

    /// Waits until the page's text has these words.
    pub(super) async fn reads(&self, words: &str) {
        self.wait_for(&format!("document.body.innerText.includes({})", json!(words))).await;
    }

    /// The page's text, also where no script may run.
    pub(super) async fn text(&self) -> String {
        match self.window.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// As [`reads`](Self::reads), also where no script may run.
    pub(super) async fn shows(&self, words: &str) {
        let holds = async || self.text().await.contains(words);
        let waiting = std::panic::AssertUnwindSafe(eventually(holds));
        if futures_util::FutureExt::catch_unwind(waiting).await.is_err() {
            panic!("`{words}` did not come to be shown; the page: {}", self.text().await);
        }
    }

    pub(super) async fn type_into(&self, id: &str, text: &str) {
        let field = self.window.find(Locator::Id(id)).await.unwrap_or_else(|error| panic!("#{id}: {error}"));
        field.send_keys(text).await.expect("it takes text");
    }

    pub(super) async fn click(&self, selector: &str) {
        loop {
            let element = self.window.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
            match element.click().await {
                Ok(()) => return,
                // News came between the look and the click and put a new element in its place; a person clicks on what is there.
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => panic!("{selector} can't be clicked: {error}"),
            }
        }
    }

    /// Presses keys on whatever has the focus.
    pub(super) async fn keys(&self, keys: &str) {
        let focused = self.window.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("it takes keys");
    }

    /// Opens another window of the same person and turns to it.
    pub(super) async fn another(&self) -> WindowHandle {
        let window = self.window.new_window(false).await.expect("a window").handle;
        self.turn_to(&window).await;
        window
    }

    pub(super) async fn here(&self) -> WindowHandle {
        self.window.window().await.expect("a window")
    }

    pub(super) async fn turn_to(&self, window: &WindowHandle) {
        self.window.switch_to_window(window.clone()).await.expect("the window is there");
    }

    /// Signs this person in, and whoever was before out.
    pub(super) async fn be(&self, server: &Server, client: &Client) {
        self.window.delete_all_cookies().await.expect("cookies can be forgotten");
        self.goto(&format!("{}/login", server.base())).await;
        self.type_into("email", &client.email).await;
        self.type_into("password", PASSWORD).await;
        self.click("main form button").await;
        self.wait_for("location.pathname !== '/login'").await;
    }

    /// The status of what the server answers to this person when the page asks for something, or posts fields as a form does.
    pub(super) async fn status(&self, path: &str, fields: Option<&str>) -> u64 {
        let ask = "const [path, fields, done] = arguments;
            const post = fields === null ? {} : { method: 'POST', body: new URLSearchParams(fields) };
            fetch(path, { headers: { Accept: 'text/html' }, ...post }).then(({ status }) => done(status), (error) => done(String(error)));";
        let told = self.window.execute_async(ask, vec![json!(path), json!(fields)]).await.expect("an answer");
        told.as_u64().unwrap_or_else(|| panic!("{path}: {told}"))
    }

    /// What axe finds wrong with the page, by WCAG 2.2 A and AA and the field's good practice.
    pub(super) async fn axe(&self) -> Vec<String> {
        let source = std::fs::read_to_string(modules().await.join("axe-core/axe.min.js")).expect("axe");
        self.window.execute(&source, Vec::new()).await.expect("axe loads");
        let run = "const done = arguments[arguments.length - 1];
            // The rule for target sizes, WCAG 2.2's own, is not among those that run by themselves.
            axe.run(document, { rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'] }).then(
                ({ violations }) => done(violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${failureSummary}`))),
                (error) => done([String(error)]),
            );";
        let found = self.window.execute_async(run, Vec::new()).await.expect("axe runs");
        found.as_array().expect("a list").iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
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

/// Where npm has put what `tests/browser/package-lock.json` names, by its hashes.
async fn modules() -> PathBuf {
    static MODULES: OnceCell<PathBuf> = OnceCell::const_new();
    let install = async || {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        std::fs::create_dir_all(&to).expect("a folder");
        for file in [".npmrc", "package.json", "package-lock.json"] {
            std::fs::copy(from.join(file), to.join(file)).expect("it can be copied");
        }
        let npm = Command::new("npm").args(["ci", "--prefer-offline"]).current_dir(&to).stdin(Stdio::null()).output().await;
        let output = npm.unwrap_or_else(|error| panic!("`npm` can't be run ({error}): on Debian, apt-get install nodejs npm"));
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
        to.join("node_modules")
    };
    MODULES.get_or_init(install).await.clone()
}
