//! From a configuration to a running server, and back to nothing without cutting anyone off.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Socket;
use crate::demo::{self, Demo, Pace};
use crate::domain::session::Lifetime;
use crate::error::Error;
use crate::http::{Limits, RequestIds, SecurityHeaders, Server, Shutdown, TrustedProxies, bind, raise_fd_limit};
use crate::id::{IdSource, secret};
use crate::live;
use crate::mail::Mailer;
use crate::store::{Committed, OpenError, Store};
use crate::tasks::clockwork::Clockwork;
use crate::token::Keys;
use crate::web::{self, Web};

/// Why the server did not start; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be made or used.
    #[error("the data directory {path} can't be used: {error}; make it writable for this user, or name another with --data-dir")]
    DataDir {
        /// Which.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The key file can't be read or made.
    #[error("{0}")]
    Keys(String),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {error}; stop what uses it, or name another with --listen")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Mail can't be sent as configured.
    #[error("{0}")]
    Mail(String),
    /// The bootstrap's account was refused.
    #[error("the first account (ALLCLEAR_BOOTSTRAP_EMAIL, ALLCLEAR_BOOTSTRAP_PASSWORD_FILE) can't be made: {0}")]
    Bootstrap(Error),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl StartError {
    /// The process's exit code, after `sysexits.h`: 75 when trying again later may help, 78 when the configuration must change, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Store(OpenError::InUse(_) | OpenError::Away { .. }) | StartError::Listen { .. } => 75,
            StartError::Store(OpenError::Newer { .. } | OpenError::Refused { .. })
            | StartError::Keys(_)
            | StartError::Mail(_)
            | StartError::Bootstrap(_) => 78,
            StartError::DataDir { .. } | StartError::Store(OpenError::Failed { .. }) | StartError::Failed(_) => 1,
        }
    }
}

/// Serves until SIGTERM or SIGINT; drains, then returns. A second signal returns at once.
///
/// # Errors
/// [`StartError`].
pub async fn run(config: Config) -> Result<(), StartError> {
    let mut interrupts = Interrupts::new().map_err(|error| StartError::Failed(format!("signals can't be heard: {error}")))?;
    let fds = raise_fd_limit().unwrap_or(1_024);
    let limits = Limits { max_connections: config.max_connections, ..Limits::default() }.fitted_to(fds);
    if limits.max_connections < config.max_connections {
        tracing::warn!(
            wanted = config.max_connections,
            possible = limits.max_connections,
            "the limit of open files allows fewer connections than max_connections; raise it (ulimit -n, LimitNOFILE)"
        );
    }
    let running = if config.demo {
        let (config, listener) = listen(config)?;
        let running = start_demo(&config, listener, limits, Pace::default()).await?;
        say(&(listening(&config) + &about_demo(&config)));
        running
    } else {
        let (store, keys, news) = {
            let config = config.clone();
            let opened = tokio::task::spawn_blocking(move || open(&config)).await;
            opened.map_err(|error| StartError::Failed(error.to_string()))??
        };
        let (config, listener) = listen(config)?;
        let app = App::new(store, Clock::system(), IdSource::system(), keys, settings(&config)?);
        app.agree_on_keys().await.map_err(|error| strange_keys(&config, &error))?;
        if let (Some(email), Some(password)) = (&config.bootstrap_email, &config.bootstrap_password) {
            let made = app.bootstrap(email, password.expose_secret().to_owned()).await.map_err(StartError::Bootstrap)?;
            if made {
                tracing::info!(%email, "made the operator's account");
            }
        }
        let setup = app.setup_token().await.map_err(failed)?;
        let mut running = start(Start { app, news, listener, config: &config, limits }).map_err(failed)?;
        running.hear_commands(&config.data_dir);
        say(&(listening(&config) + &setup.map(|token| about_setup(&config, &token)).unwrap_or_default()));
        running
    };

    interrupts.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = running.stop() => Ok(()),
        () = interrupts.next() => Err(StartError::Failed("stopped at once by a second signal".into())),
    }
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}

/// What a node hears whose keys are not the others'.
pub(crate) fn strange_keys(config: &Config, error: &Error) -> StartError {
    match error {
        Error::Conflict(which) => StartError::Keys(format!(
            "the keys in {} are not those of the other nodes on {} ({which}): give every node the same file with --key-file, or, if the old one is lost, \
             stop all nodes and run `allclear store adopt-keys` with the file that they shall have; everyone then has to sign in again",
            config.key_path().display(),
            config.store_place()
        )),
        other => failed(other),
    }
}

/// Takes the address, and with it the base URL where nobody named one.
fn listen(config: Config) -> Result<(Config, TcpListener), StartError> {
    let taken = |error| StartError::Listen { address: config.listen, error };
    let listener = bind(config.listen).map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    Ok((config.bound_to(address), listener))
}

/// What the configuration says about the application itself.
///
/// # Errors
/// `Mail`, where the relay can't be spoken to as it says.
pub fn settings(config: &Config) -> Result<Settings, StartError> {
    let mail = match (&config.smtp_url, &config.mail_from) {
        (Some(url), Some(from)) => Mailer::new(url, from).map_err(StartError::Mail)?,
        _ => Mailer::off(),
    };
    Ok(Settings { registration: config.registration, sessions: lifetime(config), base_url: config.base_url.clone(), mail })
}

fn lifetime(config: &Config) -> Lifetime {
    let days = |days: u32| Duration::from_secs(u64::from(days) * 86_400);
    Lifetime { idle: days(config.session_idle_days), absolute: days(config.session_absolute_days) }
}

type Opened = (Store, Keys, mpsc::UnboundedReceiver<Committed>);

fn open(config: &Config) -> Result<Opened, StartError> {
    let folder = config.data_dir.as_path();
    make(folder).map_err(|error| StartError::DataDir { path: folder.display().to_string(), error })?;
    let (store, news) = Store::open_place(&config.store_place(), config.cache_size_bytes(), config.store_connections)?;
    let keys = Keys::load(&config.key_path()).map_err(StartError::Keys)?;
    Ok((store, keys, news))
}

/// The application on the data of a server that does not run, for a command. Whoever opens it closes it.
///
/// # Errors
/// [`StartError`]; above all, that a server runs after all.
pub(crate) fn open_app(config: &Config) -> Result<App, StartError> {
    let settings = settings(config)?;
    // Nobody follows what a command commits: followers begin with the state that they find.
    let (store, keys, _) = open(config)?;
    Ok(App::new(store, Clock::system(), IdSource::system(), keys, settings))
}

/// Makes the data directory, for its owner alone. One that exists is left as its owner has it.
fn make(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Where to go.
fn listening(config: &Config) -> String {
    let mut words = format!("Allclear {} listens on http://{}\n", env!("CARGO_PKG_VERSION"), config.local_address());
    if !config.base_url_derived {
        words.push_str(&format!("Browsers reach it at {}\n", config.base_url));
    }
    words
}

fn about_setup(config: &Config, token: &str) -> String {
    let link = config.base_url.join(&format!("/setup/{token}"));
    format!("There is no operator yet. Open this link within 30 minutes to set the instance up; it works once:\n  {link}\n")
}

fn about_demo(config: &Config) -> String {
    let link = config.base_url.join("/");
    format!(
        "This is a demonstration: its data is invented, kept in memory alone, and forgotten when the program ends.\n\
         Open this address to look around; no account is needed:\n  {link}\n"
    )
}

/// Says it on standard output: this is the program's result, not its log.
fn say(words: &str) {
    let mut out = io::stdout().lock();
    // Nobody may be reading; that is no reason not to serve.
    let _ = out.write_all(words.as_bytes()).and_then(|()| out.flush());
}

/// What a server needs.
pub struct Start<'a> {
    /// The application.
    pub app: App,
    /// What its store commits.
    pub news: mpsc::UnboundedReceiver<Committed>,
    /// Bound already, so that the base URL can follow the port.
    pub listener: TcpListener,
    /// The rest.
    pub config: &'a Config,
    /// What clients may cost.
    pub limits: Limits,
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What its handlers share.
    pub web: Web,
    /// To stop it.
    pub shutdown: Shutdown,
    server: JoinHandle<io::Result<()>>,
    control: Option<JoinHandle<()>>,
    clockwork: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts serving.
///
/// # Errors
/// The listener has no address, or a trusted proxy is no network.
pub fn start(start: Start<'_>) -> io::Result<Running> {
    begin(start, None)
}

/// Starts serving a demonstration, on a store of its own in memory, that moves on at this pace.
///
/// # Errors
/// As [`start`], or what the store in memory says.
pub async fn start_demo(config: &Config, listener: TcpListener, limits: Limits, pace: Pace) -> Result<Running, StartError> {
    let demo::Opened { app, news, demo, script } = demo::open(lifetime(config)).await.map_err(failed)?;
    let mut running = begin(Start { app: app.clone(), news, listener, config, limits }, Some(demo)).map_err(failed)?;
    running.tasks.push(tokio::spawn(script.play(app, pace, running.shutdown.clone())));
    Ok(running)
}

fn begin(start: Start<'_>, demo: Option<Demo>) -> io::Result<Running> {
    let Start { app, news, listener, config, limits } = start;
    let addr = listener.local_addr()?;
    let shutdown = Shutdown::new();
    let headers = SecurityHeaders::new(config.base_url.https());
    let web = Web { demo: demo.map(Arc::new), ..Web::new(app.clone(), config, headers.clone(), shutdown.clone()) };

    let pages = web.pages.clone();
    let clockwork = Clockwork::new(app.clone(), app.is_shared());
    let (mark, wake) = (pages.marker(), clockwork.waker());
    app.on_commit(move |committed| {
        mark(committed);
        wake(committed);
    });
    let tasks =
        vec![tokio::spawn(live::follow(news, web.hub.clone(), app.epoch().to_owned())), tokio::spawn(pages.clone().run(shutdown.clone()))];
    let clockwork = tokio::spawn(clockwork.run(shutdown.clone()));

    let prefix: String = secret::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
    let server = Server {
        limits,
        trusted_proxies: TrustedProxies::parse(&config.trusted_proxies).map_err(io::Error::other)?,
        fast_path: Arc::new(pages),
        headers,
        shutdown: shutdown.clone(),
        request_ids: RequestIds::new(&prefix),
    };
    let server = tokio::spawn(server.serve(listener, web::endpoint(web.clone())));
    Ok(Running { addr, web, shutdown, server, control: None, clockwork, tasks })
}

impl Running {
    /// Lets the command line ask this server, through a socket in its data directory. Without one it serves all the same.
    fn hear_commands(&mut self, data_dir: &Path) {
        match Socket::bind(data_dir) {
            Ok(socket) => self.control = Some(tokio::spawn(socket.serve(self.web.app.clone(), self.shutdown.clone()))),
            Err(error) => tracing::warn!(%error, "no control.sock in the data directory; `allclear user` needs a stopped server"),
        }
    }

    /// Stops: no new connections, requests finish, streams end cleanly, then the store closes.
    pub async fn stop(self) {
        self.shutdown.begin();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
            Err(error) => tracing::error!(%error, "the server ended by a panic"),
        }
        // Before the store lets go of its lock: the next server's socket has the same name.
        if let Some(control) = self.control
            && let Err(error) = control.await
        {
            tracing::error!(%error, "the control socket ended by a panic");
        }
        // While there is a store to say so in: another node need not wait for the end of this one's lease.
        if let Err(error) = self.clockwork.await {
            tracing::error!(%error, "what happens by the clock ended by a panic");
        }
        let app = self.web.app.clone();
        drop(self.web);
        // Closing waits for the last commit, and so ends the news, which ends the follower.
        if tokio::task::spawn_blocking(move || app.close()).await.is_err() {
            tracing::error!("the store did not close");
        }
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a background task ended by a panic");
            }
        }
    }
}

/// SIGTERM and SIGINT, which mean the same.
struct Interrupts {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_says_that_it_is_one_and_where() {
        let config = Config { base_url: "https://demo.example.com/look".parse().unwrap(), base_url_derived: false, ..Config::default() };
        let words = listening(&config) + &about_demo(&config);
        assert!(words.contains("http://127.0.0.1:8080\n") && words.contains("\n  https://demo.example.com/look/\n"), "{words}");
        assert!(words.contains("demonstration") && words.contains("forgotten") && !words.contains("/setup/"), "{words}");
    }
}
