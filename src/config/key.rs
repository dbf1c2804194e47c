//! The list of settings: each one's name, kind and default. Names of flags and variables follow from the name.

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Where the server listens.
    Listen,
    /// Where everything is kept that has no place of its own.
    DataDir,
    /// Where the data is kept.
    Store,
    /// The file with the keys that seal sessions and links.
    KeyFile,
    /// How browsers reach the server.
    BaseUrl,
    /// Who may sign up.
    Registration,
    /// The page that `/` shows.
    HomePage,
    /// What `/` shows without one.
    FrontPage,
    /// Front ends elsewhere.
    CorsOrigins,
    /// Proxies whose word is believed.
    TrustedProxies,
    /// The database's page cache.
    CacheSizeMib,
    /// The most connections to a shared database.
    StoreConnections,
    /// The most open connections.
    MaxConnections,
    /// When an unused session ends.
    SessionIdleDays,
    /// When any session ends.
    SessionAbsoluteDays,
    /// What is logged.
    Log,
    /// How it is logged.
    LogFormat,
    /// The relay that takes mails.
    SmtpUrl,
    /// Whom mails come from.
    MailFrom,
    /// The first operator's address.
    BootstrapEmail,
    /// The first operator's password.
    BootstrapPassword,
    /// Invented data in memory.
    Demo,
}

/// What a setting looks like in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// `true` or `false`.
    Switch,
    /// An array of strings; elsewhere one text with commas, which none of the values may contain.
    List,
    /// Not in TOML, not in the environment: only in a file of its own.
    Secret,
}

impl Key {
    /// Every setting, in the order that the example and `config print` show.
    pub const ALL: [Self; 22] = [
        Self::Listen,
        Self::DataDir,
        Self::Store,
        Self::KeyFile,
        Self::BaseUrl,
        Self::Registration,
        Self::HomePage,
        Self::FrontPage,
        Self::CorsOrigins,
        Self::TrustedProxies,
        Self::CacheSizeMib,
        Self::StoreConnections,
        Self::MaxConnections,
        Self::SessionIdleDays,
        Self::SessionAbsoluteDays,
        Self::Log,
        Self::LogFormat,
        Self::SmtpUrl,
        Self::MailFrom,
        Self::BootstrapEmail,
        Self::BootstrapPassword,
        Self::Demo,
    ];

    /// The key in TOML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::DataDir => "data_dir",
            Self::Store => "store",
            Self::KeyFile => "key_file",
            Self::BaseUrl => "base_url",
            Self::Registration => "registration",
            Self::HomePage => "home_page",
            Self::FrontPage => "front_page",
            Self::CorsOrigins => "cors_origins",
            Self::TrustedProxies => "trusted_proxies",
            Self::CacheSizeMib => "cache_size_mib",
            Self::StoreConnections => "store_connections",
            Self::MaxConnections => "max_connections",
            Self::SessionIdleDays => "session_idle_days",
            Self::SessionAbsoluteDays => "session_absolute_days",
            Self::Log => "log",
            Self::LogFormat => "log_format",
            Self::SmtpUrl => "smtp_url",
            Self::MailFrom => "mail_from",
            Self::BootstrapEmail => "bootstrap_email",
            Self::BootstrapPassword => "bootstrap_password",
            Self::Demo => "demo",
        }
    }

    /// The environment variable, for example `ALLCLEAR_DATA_DIR`.
    pub fn variable(self) -> String {
        format!("ALLCLEAR_{}", self.name().to_uppercase())
    }

    /// The flag, for example `--data-dir`.
    pub fn flag(self) -> String {
        format!("--{}", self.name().replace('_', "-"))
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::CorsOrigins | Self::TrustedProxies => Kind::List,
            Self::CacheSizeMib | Self::StoreConnections | Self::MaxConnections | Self::SessionIdleDays | Self::SessionAbsoluteDays => {
                Kind::Number
            }
            Self::Demo => Kind::Switch,
            Self::BootstrapPassword => Kind::Secret,
            _ => Kind::Text,
        }
    }

    /// What holds when nobody says anything. `None`: nothing, or (for the base URL, the store and the keys) what another setting implies.
    pub(super) fn default_text(self) -> Option<&'static str> {
        match self {
            Self::Listen => Some("127.0.0.1:8080"),
            Self::DataDir => Some("./data"),
            Self::Registration => Some("invite"),
            Self::FrontPage => Some("sign-in"),
            Self::CorsOrigins | Self::TrustedProxies => Some(""),
            Self::CacheSizeMib => Some("1024"),
            Self::StoreConnections => Some("16"),
            Self::MaxConnections => Some("16384"),
            Self::SessionIdleDays => Some("14"),
            Self::SessionAbsoluteDays => Some("90"),
            Self::Log => Some("info"),
            Self::LogFormat => Some("text"),
            Self::Demo => Some("false"),
            Self::Store | Self::KeyFile | Self::BaseUrl | Self::HomePage => None,
            Self::SmtpUrl | Self::MailFrom | Self::BootstrapEmail | Self::BootstrapPassword => None,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}
