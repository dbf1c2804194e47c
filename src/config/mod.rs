//! What the operator decides: one place that gathers, checks and explains every setting.
//!
//! A setting comes from, in falling order: a flag, `ALLCLEAR_…`, the file that `ALLCLEAR_…_FILE` names, the TOML file, the
//! default. What nobody knows and what can't be is refused by name and place, everything at once, so that an operator corrects a
//! configuration in one go and a typing error never passes for a default.
//!
//! The command line and the environment are handed in: nothing here reads the process's own, so tests give theirs.
//!
//! A general configuration crate was the other road. It would merge the layers, but knows neither the line that a value came from
//! nor all faults at once; both matter more here than the two hundred lines they cost.

mod base_url;
mod file;
mod key;
mod mail;
mod print;
mod problem;
mod similar;
mod sources;
mod store;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use key::Key;
pub(crate) use mail::sender;
pub use mail::{Encryption, InvalidSmtpUrl, SmtpUrl};
pub use problem::{Problem, Problems};
use sources::Given;
pub use sources::{Flags, Origin};
pub use store::{InvalidStore, PostgresUrl, Roots, SslMode, StorePlace, Tls};

/// The commented file that `config init` writes; every key is in it, with its default.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Those who hold an invitation.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// The word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

/// What `/` shows to those who are not signed in, where no home page is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontPage {
    /// The way in.
    SignIn,
    /// The instance's public pages.
    Pages,
}

impl FrontPage {
    /// The word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Pages => "pages",
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one line of text an event.
    Text,
    /// For machines: one JSON object an event.
    Json,
}

impl LogFormat {
    /// The word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where everything is kept that has no place of its own: the store and the keys, unless they are named, and the control socket.
    pub data_dir: PathBuf,
    /// Where the data is kept, if somebody said so; [`store_place`](Self::store_place) answers in any case.
    pub store: Option<StorePlace>,
    /// The file with the keys that seal sessions and links, if somebody said so; [`key_path`](Self::key_path) answers in any case.
    pub key_file: Option<PathBuf>,
    /// How browsers reach the server; every link is built from it, never from a request.
    pub base_url: BaseUrl,
    /// Whether [`base_url`](Self::base_url) was derived from [`listen`](Self::listen) because nobody named one.
    pub base_url_derived: bool,
    /// Who may sign up.
    pub registration: Registration,
    /// The slug of the page that `/` shows.
    pub home_page: Option<String>,
    /// What `/` shows without one.
    pub front_page: FrontPage,
    /// Origins (`https://app.example.com`) of front ends that may use `/api` and `/live` from elsewhere.
    pub cors_origins: Vec<String>,
    /// Networks in CIDR notation whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// The most memory that the database's page cache may take, in MiB.
    pub cache_size_mib: usize,
    /// The most connections that this node opens to a database that it shares; a store in a file has none.
    pub store_connections: usize,
    /// The most connections that are open at once.
    pub max_connections: usize,
    /// After how many days without a request a session ends.
    pub session_idle_days: u32,
    /// After how many days a session ends in any case.
    pub session_absolute_days: u32,
    /// Which events are logged: a level, or `target=level` pairs.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The relay that takes mails, as [`SmtpUrl`] reads it. Set together with the sender, or not at all: then no mail is sent.
    pub smtp_url: Option<SecretString>,
    /// Whom mails come from: an address, or a name with an address.
    pub mail_from: Option<String>,
    /// The operator's address, for a first start without a terminal. Set together with the password, or not at all.
    pub bootstrap_email: Option<String>,
    /// The operator's first password; read from a file only.
    pub bootstrap_password: Option<SecretString>,
    /// Whether this is a demonstration: invented data on a store in memory; the data directory is not touched.
    pub demo: bool,
}

impl Config {
    /// Gathers every source and checks the whole.
    ///
    /// # Errors
    /// All that is wrong, each with its place and what would be right.
    pub fn load(flags: Flags, env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Problems> {
        let mut problems = Problems::default();
        let given = sources::gather(flags, env, &mut problems);
        let config = resolve(&given, &mut problems);
        let origins = given.into_iter().map(|(key, given)| (key, given.origin)).collect();
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded { config, origins }),
            _ => Err(problems),
        }
    }

    /// The same settings once the listener is bound: a base URL that nobody named follows the real port, which is only known
    /// now when `listen` asked for port 0.
    pub fn bound_to(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        if self.base_url_derived {
            self.base_url = BaseUrl::of_address(address);
        }
        self
    }

    /// Where this machine itself reaches the listener: loopback when it listens on every address.
    pub fn local_address(&self) -> SocketAddr {
        base_url::reachable(self.listen)
    }

    /// Where the data is kept: as it was said, else in a file in the data directory.
    pub fn store_place(&self) -> StorePlace {
        self.store.clone().unwrap_or_else(|| StorePlace::Redb(self.data_dir.join("allclear.redb")))
    }

    /// The file with the keys that seal sessions and links, the same for all nodes of a fleet: as it was said, else in the data directory.
    pub fn key_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.data_dir.join("keys"))
    }

    /// [`cache_size_mib`](Self::cache_size_mib) in bytes.
    pub fn cache_size_bytes(&self) -> usize {
        self.cache_size_mib.saturating_mul(1024 * 1024)
    }
}

impl Default for Config {
    /// What a server gets that is told nothing.
    fn default() -> Self {
        let mut problems = Problems::default();
        resolve(&BTreeMap::new(), &mut problems).expect("a test holds every default to be valid")
    }
}

/// A checked configuration that remembers where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    origins: BTreeMap<Key, Origin>,
}

impl Loaded {
    /// Where a setting's value came from.
    pub fn origin(&self, key: Key) -> &Origin {
        self.origins.get(&key).unwrap_or(&Origin::Default)
    }

    /// The effective configuration as TOML that can be used as a file, each line with its source. Secrets are not shown.
    pub fn print(&self) -> String {
        print::print(self)
    }
}

/// Reads every setting before giving up on any, so that all faults are told at once.
fn resolve(given: &BTreeMap<Key, Given>, problems: &mut Problems) -> Option<Config> {
    let mut reader = Reader { given, problems };
    let listen = reader.read(Key::Listen, values::listen);
    let data_dir = reader.read(Key::DataDir, values::data_dir);
    let store = reader.read(Key::Store, values::store);
    let key_file = reader.read(Key::KeyFile, values::key_file);
    let base_url = reader.read(Key::BaseUrl, values::base_url);
    let registration = reader.read(Key::Registration, values::registration);
    let home_page = reader.read(Key::HomePage, values::slug);
    let front_page = reader.read(Key::FrontPage, values::front_page);
    let cors_origins = reader.read(Key::CorsOrigins, values::origins);
    let trusted_proxies = reader.read(Key::TrustedProxies, values::networks);
    let cache_size_mib = reader.read(Key::CacheSizeMib, |text| values::number::<usize>(text, 4, 1_048_576));
    let store_connections = reader.read(Key::StoreConnections, |text| values::number::<usize>(text, 4, 500));
    let max_connections = reader.read(Key::MaxConnections, |text| values::number::<usize>(text, 16, 1_000_000));
    let session_idle_days = reader.read(Key::SessionIdleDays, |text| values::number::<u32>(text, 1, 365));
    let session_absolute_days = reader.read(Key::SessionAbsoluteDays, |text| values::number::<u32>(text, 1, 365));
    let log = reader.read(Key::Log, values::log_filter);
    let log_format = reader.read(Key::LogFormat, values::log_format);
    let smtp_url = reader.read(Key::SmtpUrl, values::smtp_url);
    let mail_from = reader.read(Key::MailFrom, values::mail_from);
    let bootstrap_email = reader.read(Key::BootstrapEmail, values::email);
    let bootstrap_password = reader.read(Key::BootstrapPassword, values::password);
    let demo = reader.read(Key::Demo, values::switch);

    // Rules between settings speak only once each of them is sound by itself: a second complaint about a bad value misleads.
    if problems.is_empty() {
        if session_idle_days > session_absolute_days {
            let says = "is longer than session_absolute_days; a session can't be idle longer than it lives";
            problems.add(Key::SessionIdleDays, origin(given, Key::SessionIdleDays), says);
        }
        if smtp_url.is_some() != mail_from.is_some() {
            let (there, says) = if smtp_url.is_some() {
                (Key::SmtpUrl, "needs mail_from too, such as Allclear <status@example.com>: a mail comes from somebody")
            } else {
                (Key::MailFrom, "needs smtp_url too, such as smtps://user:password@mail.example.com: nothing else takes mails")
            };
            problems.add(there, origin(given, there), says);
        }
        if bootstrap_email.is_some() != bootstrap_password.is_some() {
            let (there, says) = if bootstrap_email.is_some() {
                (Key::BootstrapEmail, "needs ALLCLEAR_BOOTSTRAP_PASSWORD_FILE too: the operator can't be made without a password")
            } else {
                (Key::BootstrapPassword, "needs ALLCLEAR_BOOTSTRAP_EMAIL too: the operator can't be made without an address")
            };
            problems.add(there, origin(given, there), says);
        }
    }

    let listen = listen?;
    Some(Config {
        listen,
        data_dir: data_dir?,
        store,
        key_file,
        base_url_derived: base_url.is_none(),
        base_url: base_url.unwrap_or_else(|| BaseUrl::of_address(listen)),
        registration: registration?,
        home_page,
        front_page: front_page?,
        cors_origins: cors_origins?,
        trusted_proxies: trusted_proxies?,
        cache_size_mib: cache_size_mib?,
        store_connections: store_connections?,
        max_connections: max_connections?,
        session_idle_days: session_idle_days?,
        session_absolute_days: session_absolute_days?,
        log: log?,
        log_format: log_format?,
        smtp_url,
        mail_from,
        bootstrap_email,
        bootstrap_password,
        demo: demo?,
    })
}

fn origin(given: &BTreeMap<Key, Given>, key: Key) -> Origin {
    given.get(&key).map_or(Origin::Default, |given| given.origin.clone())
}

struct Reader<'a> {
    given: &'a BTreeMap<Key, Given>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    /// The setting's value; `None` when it is neither given nor has a default, or is wrong and now among the problems.
    fn read<T>(&mut self, key: Key, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = match self.given.get(&key) {
            Some(given) => given.text.as_str(),
            None => key.default_text()?,
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err(says) => {
                self.problems.add(key, origin(self.given, key), says);
                None
            }
        }
    }
}
