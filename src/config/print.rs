//! `config print`: the effective settings as a TOML file, each line with its source.

use std::fmt::Write as _;

use toml::Value;

use super::{Config, Key, Loaded};

/// Where the comments begin, unless the value is longer.
const COLUMN: usize = 48;

pub(super) fn print(loaded: &Loaded) -> String {
    let mut out = String::new();
    for key in Key::ALL {
        let name = key.name();
        let line = match value(&loaded.config, key) {
            Shown::Value(value) => format!("{name} = {value}"),
            Shown::Unset => format!("# {name} is not set"),
            Shown::Secret => format!("# {name} is set and not shown"),
        };
        let source = match key {
            Key::BaseUrl if loaded.config.base_url_derived => "from listen".to_owned(),
            Key::Store if loaded.config.store.is_none() => "from data_dir".to_owned(),
            Key::KeyFile if loaded.config.key_file.is_none() => "from data_dir".to_owned(),
            _ => loaded.origin(key).source(key),
        };
        // Writing to a String can't fail.
        let _ = writeln!(out, "{line:<COLUMN$} # {source}");
    }
    out
}

enum Shown {
    Value(Value),
    Unset,
    Secret,
}

fn value(config: &Config, key: Key) -> Shown {
    let text = |text: &str| Shown::Value(Value::from(text));
    let number = |number: usize| Shown::Value(Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
    let list = |items: &[String]| Shown::Value(Value::from(items.to_vec()));
    match key {
        Key::Listen => text(&config.listen.to_string()),
        Key::DataDir => text(&config.data_dir.to_string_lossy()),
        // A password in it is shown as one that is refused: left out, the line would make of this file one that begins an empty store.
        Key::Store => text(&config.store_place().to_string()),
        Key::KeyFile => text(&config.key_path().to_string_lossy()),
        Key::BaseUrl => text(&config.base_url.to_string()),
        Key::Registration => text(config.registration.as_str()),
        Key::HomePage => config.home_page.as_deref().map_or(Shown::Unset, text),
        Key::FrontPage => text(config.front_page.as_str()),
        Key::CorsOrigins => list(&config.cors_origins),
        Key::TrustedProxies => list(&config.trusted_proxies),
        Key::CacheSizeMib => number(config.cache_size_mib),
        Key::StoreConnections => number(config.store_connections),
        Key::MaxConnections => number(config.max_connections),
        Key::SessionIdleDays => Shown::Value(Value::from(config.session_idle_days)),
        Key::SessionAbsoluteDays => Shown::Value(Value::from(config.session_absolute_days)),
        Key::Log => text(&config.log),
        Key::LogFormat => text(config.log_format.as_str()),
        Key::SmtpUrl => config.smtp_url.as_ref().map_or(Shown::Unset, |_| Shown::Secret),
        Key::MailFrom => config.mail_from.as_deref().map_or(Shown::Unset, text),
        Key::BootstrapEmail => config.bootstrap_email.as_deref().map_or(Shown::Unset, text),
        Key::BootstrapPassword => config.bootstrap_password.as_ref().map_or(Shown::Unset, |_| Shown::Secret),
        Key::Demo => Shown::Value(Value::from(config.demo)),
    }
}
