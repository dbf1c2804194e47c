//! A server in this process, and what tests hold in their hands.

mod client;
pub(crate) mod cluster;
mod dice;
pub(crate) mod engine;
mod line;
mod process;
mod record;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allclear::app::App;
use allclear::clock::{Clock, Timestamp};
use allclear::config::{Config, Registration};
use allclear::demo::Pace;
use allclear::http::{Limits, bind};
use allclear::id::IdSource;
use allclear::serve::{self, Running, Start};
use allclear::token::Keys;

pub(crate) use client::{Answer, Client, PASSWORD, accepting};
pub(crate) use cluster::{Cluster, Stop};
pub(crate) use dice::Dice;
pub(crate) use line::Line;
pub(crate) use process::Process;
pub(crate) use record::{Acknowledged, Log};

/// How long anything may take before a test gives up on it: far longer than it does on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a condition holds.
///
/// # Panics
/// At the caller's line, when it does not come to hold within [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let asked_at = Location::caller();
    async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let polling = async {
            loop {
                ticks.tick().await;
                if holds().await {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(PATIENCE, polling).await.is_ok(), "{asked_at}: did not come to hold within {PATIENCE:?}");
    }
}

/// What a server may be told; the default is what [`Server::start`] uses.
pub(crate) struct Options {
    /// Where the store (or a note of its database's name) and the keys live; both go with the server without.
    pub(crate) dir: Option<PathBuf>,
    /// Give the same one to a restarted server, or it begins again at the start.
    pub(crate) clock: Clock,
    /// The operator's settings. `listen` and a derived base URL follow the port.
    pub(crate) config: Config,
    /// What clients may cost.
    pub(crate) limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        Self {
            dir: None,
            clock: Clock::manual(start),
            config: Config { registration: Registration::Open, ..Config::default() },
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Open registration, reached by browsers at this address.
    pub(crate) fn at(base_url: &str) -> Self {
        let options = Self::default();
        let base_url = base_url.parse().expect("a base URL");
        Self { config: Config { base_url, base_url_derived: false, ..options.config }, ..options }
    }
}

/// A server that runs in this process, with a clock that stands until it is moved.
pub(crate) struct Server {
    app: App,
    base: String,
    running: Running,
    /// On PostgreSQL, and of no directory. The last, so that it goes after all that uses it.
    database: Option<engine::Database>,
}

impl Server {
    /// On a store of its own, with open registration, at 2026-03-01T12:00:00Z.
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// On the store of this directory; a second start finds what the first one left.
    pub(crate) async fn start_in(dir: &Path) -> Self {
        Self::start_with(Options { dir: Some(dir.to_path_buf()), ..Options::default() }).await
    }

    /// As the options say.
    pub(crate) async fn start_with(options: Options) -> Self {
        // Ids repeat from run to run, but not from start to start: a restarted server must not make again what is in its file already.
        static STARTS: AtomicU64 = AtomicU64::new(1);
        let ids = IdSource::seeded(STARTS.fetch_add(1, Ordering::Relaxed));
        let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let config = options.config.bound_to(listener.local_addr().expect("an address"));
        let settings = serve::settings(&config).expect("a relay, if there is to be one");
        let (store, news, database) = engine::open(options.dir.as_deref()).await;
        let keys = options.dir.as_ref().map_or_else(Keys::ephemeral, |dir| Keys::load(&dir.join("keys")).expect("the keys load"));
        let app = App::new(store, options.clock, ids, keys, settings);
        let running =
            serve::start(Start { app: app.clone(), news, listener, config: &config, limits: options.limits }).expect("the server starts");
        Self { app, base: format!("http://{}", running.addr), running, database }
    }

    /// The demonstration, on the machine's clock, moving on at this pace.
    pub(crate) async fn start_demo(pace: Pace) -> Self {
        let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let config = Config { demo: true, ..Config::default() }.bound_to(listener.local_addr().expect("an address"));
        let running = serve::start_demo(&config, listener, Limits::default(), pace).await.expect("the demonstration starts");
        Self { app: running.web.app.clone(), base: format!("http://{}", running.addr), running, database: None }
    }

    /// Stops as on SIGTERM: requests finish, streams end, the store closes.
    pub(crate) async fn stop(self) {
        let Self { app, running, database, .. } = self;
        drop(app);
        running.stop().await;
        drop(database);
    }

    /// `http://127.0.0.1:<port>`, whatever the base URL is.
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    /// The application beneath.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.app.clock().advance(by);
    }

    /// Signs `ada` up as `Ada`, `ada@example.com`, with an organization `Ada's Org`.
    pub(crate) async fn sign_up(&self, name: &str) -> Client {
        self.anonymous().sign_up(name).await
    }

    /// Someone without a session.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.base.clone())
    }
}
