//! Where the data is kept: in a file that one process has to itself, or in a PostgreSQL database that several nodes share.
//!
//! Refusals are sentences of our own and never quote the text: it may hold a password.

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::Host;

use super::mail::decoded;

/// Where the data is kept: what `store` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In this file; one process has it at a time.
    Redb(PathBuf),
    /// In this database, which any number of nodes share.
    Postgres(PostgresUrl),
}

/// Why a text names no place for data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidStore(String);

fn refused(says: impl Into<String>) -> InvalidStore {
    InvalidStore(says.into())
}

impl StorePlace {
    /// The file, where it is one.
    pub fn redb_path(&self) -> Option<&Path> {
        match self {
            Self::Redb(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for StorePlace {
    /// As it is written, but for the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redb(path) => write!(f, "redb:{}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl FromStr for StorePlace {
    type Err = InvalidStore;

    fn from_str(text: &str) -> Result<Self, InvalidStore> {
        if let Some(path) = text.strip_prefix("redb:") {
            return if path.trim().is_empty() { Err(refused("after redb: a file must be named")) } else { Ok(Self::Redb(path.into())) };
        }
        if after_scheme(text).is_none() {
            return Err(refused("it must begin with redb:, postgres:// or postgresql://"));
        }
        text.parse().map(Self::Postgres)
    }
}

/// A PostgreSQL database and how to reach it: libpq's connection URL, with the options that are known here.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    // In a box: it is many times as large as the path that may stand in its place.
    config: Box<tokio_postgres::Config>,
    tls: Tls,
    /// As it was given, but for the password.
    shown: String,
}

/// How a connection is encrypted, and whose word on the server is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// What is asked of the connection.
    pub mode: SslMode,
    /// Who vouches for the server's certificate, where the URL says so.
    pub roots: Option<Roots>,
}

/// What is asked of a connection, in libpq's words (<https://www.postgresql.org/docs/current/libpq-ssl.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// `disable`: it is not encrypted.
    Disable,
    /// `prefer`, and what holds when nothing is said: encrypted if the server can, which who sits between can prevent. `allow` is the
    /// same here.
    Prefer,
    /// `require`: encrypted, whoever the server is.
    Require,
    /// `verify-ca`: encrypted, and the server's certificate comes from somebody who is trusted.
    VerifyCa,
    /// `verify-full`: and it is made out to the host that the URL names.
    VerifyFull,
}

/// Who vouches for a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those in this PEM file.
    File(PathBuf),
    /// Those whom browsers trust, as they are built into this program.
    System,
}

/// How long one attempt to connect may take. The database is near; a node that waits longer for it serves nobody meanwhile.
const CONNECT: Duration = Duration::from_secs(3);

/// After how much silence the other end is asked whether it is there, and how often from then on.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// How long what was sent may go unacknowledged. Without it a server that vanished is noticed after a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// By which name the server lists our connections.
const APPLICATION: &str = "allclear";

/// What a hidden password looks like. One that is so itself can be written as `%2A%2A%2A`.
const HIDDEN: &str = "***";

/// The options that the driver reads by itself. Client certificates (`sslcert`, `sslkey`) and `sslnegotiation` are not among them: nothing
/// here would heed them.
const OPTIONS: [&str; 16] = [
    "user",
    "password",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "options",
    "application_name",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

impl PostgresUrl {
    /// What the driver needs to connect, the password included.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// How connections are encrypted. The driver's own mode agrees with it, as far as that goes.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }
}

impl fmt::Display for PostgresUrl {
    /// As it is written, but for the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({})", self.shown)
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidStore;

    /// Stricter than the driver on purpose: of a URL with an unescaped `/` or `@` in its password it makes another host, and a part of the
    /// password would be shown as that. What the driver would get wrong is read here: it knows the weaker half of libpq's modes alone,
    /// and takes `tcp_user_timeout` for seconds, where libpq means milliseconds.
    fn from_str(text: &str) -> Result<Self, InvalidStore> {
        let rest = after_scheme(text).ok_or_else(|| refused("it must begin with postgres:// or postgresql://"))?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refused("it may hold no white space; a space is written as %20"));
        }
        if decoded(rest).is_none_or(|plain| plain.contains(char::is_control)) {
            return Err(refused("a % that is meant as such must be written as %25"));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains(['@', '#']) || authority.matches('@').count() > 1 {
            return Err(refused("in a user name, a password or an option, / ? # @ : and % must be written as %2F %3F %23 %40 %3A and %25"));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let password = login.and_then(|login| login.split_once(':'));
        let options = Options::of(query)?;
        if password.is_some_and(|(_, password)| password == HIDDEN) || options.of_driver.contains(&("password", HIDDEN)) {
            return Err(refused(
                "its password is hidden, as `allclear config print` shows it; write the password itself, or name a file that holds the URL \
                 in ALLCLEAR_STORE_FILE",
            ));
        }

        let tls = tls(options.sslmode, options.sslrootcert.clone())?;
        let login = login.map(|login| password.map_or_else(|| format!("{login}@"), |(user, _)| format!("{user}:{HIDDEN}@")));
        Ok(Self {
            config: Box::new(connection(&format!("postgres://{authority}{path}"), &options, tls.mode)?),
            tls,
            shown: format!("postgres://{}{place}{path}{}", login.unwrap_or_default(), options.shown()),
        })
    }
}

/// What follows the scheme of a database's URL.
fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    ["postgres", "postgresql"].iter().any(|ours| scheme.eq_ignore_ascii_case(ours)).then_some(rest)
}

/// What follows the question mark, told apart by who reads it.
#[derive(Default)]
struct Options<'a> {
    sslmode: Option<SslMode>,
    sslrootcert: Option<Roots>,
    /// Zero: as the system has it.
    tcp_user_timeout: Option<Duration>,
    /// Name and value, as they were written.
    of_driver: Vec<(&'a str, &'a str)>,
    /// All of them in their order, as they were written.
    all: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    fn of(query: &'a str) -> Result<Self, InvalidStore> {
        let mut options = Self::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or_else(|| refused("an option is written as name=value"))?;
            let plain = decoded(value).ok_or_else(|| refused("a % that is meant as such must be written as %25"))?;
            match name {
                "sslmode" => options.sslmode = Some(SslMode::of(&plain)?),
                "sslrootcert" => options.sslrootcert = Some(Roots::of(&plain)?),
                "tcp_user_timeout" => {
                    let millis = plain.parse::<u64>().map_err(|_| refused("tcp_user_timeout must be a number of milliseconds"))?;
                    options.tcp_user_timeout = Some(Duration::from_millis(millis));
                }
                known if OPTIONS.contains(&known) => options.of_driver.push((name, value)),
                _ => {
                    let known = OPTIONS.join(", ");
                    return Err(refused(format!("it has an unknown option; known are sslmode, sslrootcert, tcp_user_timeout, {known}")));
                }
            }
            options.all.push((name, value));
        }
        Ok(options)
    }

    fn gives(&self, name: &str) -> bool {
        self.of_driver.iter().any(|(given, _)| *given == name)
    }

    /// All of them with the question mark, but for a password.
    fn shown(&self) -> String {
        query_of(self.all.iter().map(|(name, value)| (*name, if *name == "password" { HIDDEN } else { *value })))
    }
}

/// The options as the part of a URL that they are; nothing where there are none.
fn query_of<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let options: Vec<String> = options.map(|(name, value)| format!("{name}={value}")).collect();
    if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) }
}

impl SslMode {
    fn of(word: &str) -> Result<Self, InvalidStore> {
        match word {
            "disable" => Ok(Self::Disable),
            // libpq would try without encryption first, which is worth nothing to anybody.
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(refused("its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full")),
        }
    }

    /// The nearest that the driver knows; what goes beyond it is the business of who makes the TLS session.
    fn of_driver(self) -> tokio_postgres::config::SslMode {
        match self {
            Self::Disable => tokio_postgres::config::SslMode::Disable,
            Self::Prefer => tokio_postgres::config::SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => tokio_postgres::config::SslMode::Require,
        }
    }
}

impl Roots {
    fn of(text: &str) -> Result<Self, InvalidStore> {
        match text {
            "" => Err(refused("its sslrootcert is empty; name a PEM file, or write system")),
            "system" => Ok(Self::System),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// Mode and roots together, by libpq's rules: who names a file of roots along with `require` means `verify-ca`; and anybody gets a
/// certificate for some name from those whom a system trusts, so that these are worth nothing without looking at the name.
fn tls(mode: Option<SslMode>, roots: Option<Roots>) -> Result<Tls, InvalidStore> {
    let mode = match (mode, &roots) {
        (None | Some(SslMode::VerifyFull), Some(Roots::System)) => SslMode::VerifyFull,
        (Some(_), Some(Roots::System)) => return Err(refused("sslrootcert=system needs sslmode=verify-full")),
        // Anybody's certificate is somebody's whom browsers trust; without the name that says nothing.
        (Some(SslMode::VerifyCa), None) => return Err(refused("sslmode=verify-ca needs sslrootcert with the authority's certificate")),
        (Some(SslMode::Require), Some(Roots::File(_))) => SslMode::VerifyCa,
        (mode, _) => mode.unwrap_or(SslMode::Prefer),
    };
    Ok(Tls { mode, roots })
}

/// The driver's configuration, with our patience where the URL says nothing of its own.
fn connection(url: &str, options: &Options<'_>, mode: SslMode) -> Result<tokio_postgres::Config, InvalidStore> {
    let query = query_of(options.of_driver.iter().copied());
    let mut config = format!("{url}{query}").parse::<tokio_postgres::Config>().map_err(|error| {
        // Its causes name an option and never a value; a name that it doesn't know has been refused.
        refused(error.source().map_or_else(|| error.to_string(), |cause| cause.to_string()))
    })?;

    let nameless = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty());
    if config.get_hosts().iter().any(nameless) || (config.get_hosts().is_empty() && config.get_hostaddrs().is_empty()) {
        return Err(refused("it names no host; one stands before the database, as in …@db.example.com/allclear"));
    }
    if config.get_user().is_some_and(str::is_empty) {
        return Err(refused("its user name is empty"));
    }
    if config.get_dbname().is_none_or(str::is_empty) {
        return Err(refused("it names no database; one stands after the host, as in …@db.example.com/allclear"));
    }

    config.ssl_mode(mode.of_driver());
    if !options.gives("connect_timeout") {
        config.connect_timeout(CONNECT);
    }
    if !options.gives("keepalives_idle") {
        config.keepalives_idle(KEEPALIVE.0);
    }
    if !options.gives("keepalives_interval") {
        config.keepalives_interval(KEEPALIVE.1);
    }
    let unacknowledged = options.tcp_user_timeout.unwrap_or(UNACKNOWLEDGED);
    if !unacknowledged.is_zero() {
        config.tcp_user_timeout(unacknowledged);
    }
    if !options.gives("application_name") {
        config.application_name(APPLICATION);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PostgresUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_place_is_a_file_or_a_database() {
        let file: StorePlace = "redb:/srv/allclear.redb".parse().unwrap();
        assert_eq!(file, StorePlace::Redb("/srv/allclear.redb".into()));
        assert_eq!((file.redb_path(), file.to_string().as_str()), (Some(Path::new("/srv/allclear.redb")), "redb:/srv/allclear.redb"));

        for text in ["postgres://ada:hunter2@db/status", "postgresql://ada:hunter2@db/status", "PostgreSQL://ada:hunter2@db/status"] {
            let database: StorePlace = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((database.redb_path(), database.to_string().as_str()), (None, "postgres://ada:***@db/status"));
        }

        for text in ["", "allclear.redb", "redb:", "redb: ", "mysql://ada:hunter2@db/status", "ada:hunter2@db/status", "postgres:hunter2"] {
            let error = text.parse::<StorePlace>().err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(error.to_string().contains("redb:") && !error.to_string().contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_url_says_where_and_as_whom() {
        let tcp = |name: &str| Host::Tcp(name.to_owned());
        for (text, user, password, hosts, ports, database) in [
            ("postgres://db/status", None, None, vec![tcp("db")], vec![5_432], "status"),
            ("postgres://ada@db:6432/status", Some("ada"), None, vec![tcp("db")], vec![6_432], "status"),
            ("postgres://ada%40x:p%2F%3A%40%20w@[::1]/st%61tus", Some("ada@x"), Some("p/:@ w"), vec![tcp("::1")], vec![5_432], "status"),
            (
                "postgres://ada:a:b@one,two:6432/status",
                Some("ada"),
                Some("a:b"),
                vec![tcp("one"), tcp("two")],
                vec![5_432, 6_432],
                "status",
            ),
            ("postgres:///status?user=ada&host=/run/db", Some("ada"), None, vec![Host::Unix("/run/db".into())], vec![], "status"),
            ("postgres://db?dbname=status&password=x", None, Some("x"), vec![tcp("db")], vec![5_432], "status"),
        ] {
            let url = url(text);
            let config = url.config();
            assert_eq!((config.get_user(), config.get_password()), (user, password.map(str::as_bytes)), "{text}");
            assert_eq!((config.get_hosts(), config.get_ports(), config.get_dbname()), (&*hosts, &*ports, Some(database)), "{text}");
        }
    }

    #[test]
    fn encryption_speaks_libpqs_words() {
        use tokio_postgres::config::SslMode as Driver;
        let file = || Some(Roots::File("/etc/ca.pem".into()));
        for (query, mode, roots, driver) in [
            ("", SslMode::Prefer, None, Driver::Prefer),
            ("?sslmode=disable", SslMode::Disable, None, Driver::Disable),
            ("?sslmode=allow", SslMode::Prefer, None, Driver::Prefer),
            ("?sslmode=prefer", SslMode::Prefer, None, Driver::Prefer),
            ("?sslmode=require", SslMode::Require, None, Driver::Require),
            ("?sslmode=verify-ca&sslrootcert=/etc/ca.pem", SslMode::VerifyCa, file(), Driver::Require),
            ("?sslmode=verify-full", SslMode::VerifyFull, None, Driver::Require),
            ("?sslrootcert=/etc/ca.pem", SslMode::Prefer, file(), Driver::Prefer),
            ("?sslmode=disable&sslrootcert=/etc/ca.pem", SslMode::Disable, file(), Driver::Disable),
            ("?sslrootcert=/etc/ca.pem&sslmode=require", SslMode::VerifyCa, file(), Driver::Require),
            ("?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem", SslMode::VerifyFull, file(), Driver::Require),
            ("?sslrootcert=system", SslMode::VerifyFull, Some(Roots::System), Driver::Require),
            ("?sslmode=verify-full&connect_timeout=9&sslrootcert=system", SslMode::VerifyFull, Some(Roots::System), Driver::Require),
        ] {
            let url = url(&format!("postgres://db/status{query}"));
            assert_eq!((url.tls(), url.config().get_ssl_mode()), (&Tls { mode, roots }, driver), "{query}");
        }
    }

    #[test]
    fn patience_is_ours_where_the_url_says_nothing() {
        let seconds = Duration::from_secs;
        let all = "connect_timeout=9&keepalives_idle=7200&keepalives_interval=8&tcp_user_timeout=7000&application_name=status%20page";
        for (query, connect, idle, interval, unacknowledged, name) in [
            ("", Some(3), 10, 5, Some(10), "allclear"),
            (all, Some(9), 7_200, 8, Some(7), "status page"),
            ("connect_timeout=0&tcp_user_timeout=0", None, 10, 5, None, "allclear"),
        ] {
            let url = url(&format!("postgres://db/status?{query}"));
            let config = url.config();
            assert_eq!(config.get_connect_timeout().copied(), connect.map(seconds), "{query}");
            assert_eq!(
                (config.get_keepalives_idle(), config.get_keepalives_interval()),
                (seconds(idle), Some(seconds(interval))),
                "{query}"
            );
            assert_eq!(config.get_tcp_user_timeout().copied(), unacknowledged.map(seconds), "{query}");
            assert_eq!(config.get_application_name(), Some(name), "{query}");
        }
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        for (text, shown) in [
            ("postgres://ada:hunter2@db/status?sslmode=verify-full", "postgres://ada:***@db/status?sslmode=verify-full"),
            ("postgres://ada:@db:1,two:2/status", "postgres://ada:***@db:1,two:2/status"),
            ("postgres://ada:hunter2:hunter2@db/status", "postgres://ada:***@db/status"),
            ("postgres://ada:%2A%2A%2A@db/status", "postgres://ada:***@db/status"),
            ("postgres://ada@db/status?password=hunter2&port=1", "postgres://ada@db/status?password=***&port=1"),
            ("postgres://ada@db/status", "postgres://ada@db/status"),
            ("postgres:///status?host=/run/db&&", "postgres:///status?host=/run/db"),
        ] {
            let url = url(text);
            assert_eq!(url.to_string(), shown);
            let debug = format!("{url:?} {:?}", StorePlace::Postgres(url.clone()));
            assert!(debug.contains(shown) && !debug.contains("hunter2"), "{debug}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_never_quotes_the_password() {
        for (text, says) in [
            ("mysql://ada:hunter2@db/status", "postgres://"),
            ("ada:hunter2@db/status", "postgres://"),
            ("postgres://ada:hunter2@db", "no database"),
            ("postgres://ada:hunter2@db/", "no database"),
            ("postgres://ada:hunter2@/status", "no host"),
            ("postgres://ada:hunter2@:5432/status", "no host"),
            ("postgres://ada:hunter2@db,/status", "no host"),
            ("postgres:///status", "no host"),
            ("postgres://:hunter2@db/status", "user name is empty"),
            ("postgres://ada:hunter2@db:hunter2/status", "port"),
            ("postgres://ada:hunter2@[::1/status", "host"),
            ("postgres://ada:hunter2@db/status?sslmode=hunter2", "disable, allow, prefer, require, verify-ca, verify-full"),
            ("postgres://ada:hunter2@db/status?sslmode=require&sslrootcert=system", "sslmode=verify-full"),
            ("postgres://ada:hunter2@db/status?sslrootcert=", "PEM"),
            ("postgres://ada:hunter2@db/status?hunter2=1", "sslrootcert, tcp_user_timeout, user,"),
            ("postgres://ada:hunter2@db/status?hunter2", "name=value"),
            ("postgres://ada:hunter2@db/status?sslkey=hunter2", "unknown option"),
            ("postgres://ada:hunter2@db/status?ssl%6Dode=disable", "unknown option"),
            ("postgres://ada:hunter2@db/status?tcp_user_timeout=hunter2", "milliseconds"),
            ("postgres://ada:hunter2@db/status?connect_timeout=hunter2", "connect_timeout"),
            ("postgres://ada:hunter2/x@db/status", "%2F"),
            ("postgres://ada:hunter2#x@db/status", "%23"),
            ("postgres://ada:hunter2?x@db/status", "%3F"),
            ("postgres://ada:hunter2@x@db/status", "%40"),
            ("postgres://ada:hunter2%@db/status", "%25"),
            ("postgres://ada:hunter2%zz@db/status", "%25"),
            ("postgres://ada:hunter2%00@db/status", "%25"),
            ("postgres://ada:hunter2 @db/status", "%20"),
            ("postgres://ada:hunter2@db/status\n", "white space"),
            ("postgres://ada:***@db/status", "ALLCLEAR_STORE_FILE"),
            ("postgres://ada@db/status?password=***", "ALLCLEAR_STORE_FILE"),
        ] {
            let error = text.parse::<PostgresUrl>().err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(error.to_string().contains(says) && !error.to_string().contains("hunter2"), "{text}: {error}");
        }
    }
}
