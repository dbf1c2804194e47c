//! The settings as flags. Values stay text: the configuration judges them all alike, whichever source they come from.

use std::path::PathBuf;

use crate::config::{Flags, Key};

/// Settings, valid before and after any subcommand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingFlags {
    /// Read this TOML file, too
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen here [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// Keep the database and the keys here [default: ./data]
    #[arg(long, global = true, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    data_dir: Option<String>,

    /// Where the data is: redb:FILE, or postgres://… for several nodes, and then in ALLCLEAR_STORE_FILE rather than here if there is a
    /// password in it, since everyone on the machine reads command lines [default: redb:<data directory>/allclear.redb]
    #[arg(long, global = true, value_name = "PLACE")]
    store: Option<String>,

    /// The file with the keys that seal sessions and links; the same for all nodes [default: <data directory>/keys]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    key_file: Option<String>,

    /// How browsers reach the server [default: from the listen address]
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,

    /// Who may sign up [default: invite]
    #[arg(long, global = true, value_name = "WHO", value_parser = ["open", "invite", "closed"])]
    registration: Option<String>,

    /// The page that / shows
    #[arg(long, global = true, value_name = "SLUG")]
    home_page: Option<String>,

    /// What / shows without one [default: sign-in]
    #[arg(long, global = true, value_name = "WHAT", value_parser = ["sign-in", "pages"])]
    front_page: Option<String>,

    /// A front end elsewhere that may use the API; may be repeated
    #[arg(long, global = true, value_name = "ORIGIN", visible_alias = "cors-origin")]
    cors_origins: Vec<String>,

    /// A network whose X-Forwarded-For is believed; may be repeated
    #[arg(long, global = true, value_name = "CIDR", visible_alias = "trusted-proxy")]
    trusted_proxies: Vec<String>,

    /// The most memory for the database's page cache [default: 1024]
    #[arg(long, global = true, value_name = "MIB")]
    cache_size_mib: Option<String>,

    /// The most connections that this node opens to PostgreSQL [default: 16]
    #[arg(long, global = true, value_name = "COUNT")]
    store_connections: Option<String>,

    /// The most connections open at once [default: 16384]
    #[arg(long, global = true, value_name = "COUNT")]
    max_connections: Option<String>,

    /// End a session after so many days without a request [default: 14]
    #[arg(long, global = true, value_name = "DAYS")]
    session_idle_days: Option<String>,

    /// End a session after so many days [default: 90]
    #[arg(long, global = true, value_name = "DAYS")]
    session_absolute_days: Option<String>,

    /// What is logged: a level, or such as info,allclear=debug [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,

    /// How it is logged [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,

    /// Whom mails come from, such as "Allclear <status@example.com>"
    // The relay itself has no flag: its URL may hold a password, and everyone on the machine reads command lines.
    #[arg(long, global = true, value_name = "SENDER")]
    mail_from: Option<String>,

    /// Look around: invented data in memory, which is forgotten at the end; the data directory is not touched
    #[arg(long, global = true)]
    demo: bool,
}

impl From<SettingFlags> for Flags {
    fn from(flags: SettingFlags) -> Self {
        let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(","));
        let values = [
            (Key::Listen, flags.listen),
            (Key::DataDir, flags.data_dir),
            (Key::Store, flags.store),
            (Key::KeyFile, flags.key_file),
            (Key::BaseUrl, flags.base_url),
            (Key::Registration, flags.registration),
            (Key::HomePage, flags.home_page),
            (Key::FrontPage, flags.front_page),
            (Key::CorsOrigins, list(flags.cors_origins)),
            (Key::TrustedProxies, list(flags.trusted_proxies)),
            (Key::CacheSizeMib, flags.cache_size_mib),
            (Key::StoreConnections, flags.store_connections),
            (Key::MaxConnections, flags.max_connections),
            (Key::SessionIdleDays, flags.session_idle_days),
            (Key::SessionAbsoluteDays, flags.session_absolute_days),
            (Key::Log, flags.log),
            (Key::LogFormat, flags.log_format),
            (Key::MailFrom, flags.mail_from),
            // The flag can't say "false": without it the other sources decide.
            (Key::Demo, flags.demo.then(|| "true".to_owned())),
        ];
        let values = values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Self { config: flags.config, values }
    }
}
