//! What each setting's text may be. Every refusal says what would be right.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::{BaseUrl, FrontPage, LogFormat, Registration, SmtpUrl, StorePlace, sender};

type Parsed<T> = Result<T, String>;

pub(super) fn listen(text: &str) -> Parsed<SocketAddr> {
    text.parse::<SocketAddr>().map_err(|_| {
        format!("{text:?} is not an address with a port; write such as 127.0.0.1:8080, or 0.0.0.0:8080 or [::]:8080 for every address")
    })
}

pub(super) fn data_dir(text: &str) -> Parsed<PathBuf> {
    if text.trim().is_empty() { Err("is empty; name a directory such as ./data".to_owned()) } else { Ok(text.into()) }
}

/// Says what is wrong without the text: it may hold a password.
pub(super) fn store(text: &str) -> Parsed<StorePlace> {
    text.parse::<StorePlace>().map_err(|error| {
        format!(
            "is no place for the data: {error}; write such as redb:/var/lib/allclear/allclear.redb, or \
             postgres://user:password@db.example.com/allclear?sslmode=verify-full"
        )
    })
}

pub(super) fn key_file(text: &str) -> Parsed<PathBuf> {
    if text.trim().is_empty() { Err("is empty; name a file such as ./data/keys".to_owned()) } else { Ok(text.into()) }
}

pub(super) fn base_url(text: &str) -> Parsed<BaseUrl> {
    text.parse::<BaseUrl>().map_err(|error| format!("{text:?} is not a base URL: {error}; write such as https://status.example.com"))
}

pub(super) fn registration(text: &str) -> Parsed<Registration> {
    one_of(text, [Registration::Open, Registration::Invite, Registration::Closed], Registration::as_str)
}

pub(super) fn front_page(text: &str) -> Parsed<FrontPage> {
    one_of(text, [FrontPage::SignIn, FrontPage::Pages], FrontPage::as_str)
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    text.parse::<bool>().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    one_of(text, [LogFormat::Text, LogFormat::Json], LogFormat::as_str)
}

pub(super) fn slug(text: &str) -> Parsed<String> {
    let known = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if known && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a page's slug; write the last part of its address /p/…, such as acme"))
    }
}

/// Origins with commas between them, each in the spelling that browsers send.
pub(super) fn origins(text: &str) -> Parsed<Vec<String>> {
    let origin = |item: &str| match item.parse::<BaseUrl>() {
        Ok(url) if url.path().is_empty() => Ok(url.origin()),
        // A wildcard can't be: these requests carry cookies, for which browsers refuse it and we would regret it.
        _ => Err(format!("{item:?} is not an origin; write scheme and host only, such as https://app.example.com")),
    };
    items(text).map(origin).collect()
}

/// Networks with commas between them, in CIDR notation; a bare address is a network of one.
pub(super) fn networks(text: &str) -> Parsed<Vec<String>> {
    let network = |item: &str| {
        let parsed = item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
        let net = parsed.map_err(|_| format!("{item:?} is not a network; write such as 10.0.0.0/8 or 192.0.2.1"))?;
        // Guessing whether the address or the prefix was mistyped could trust a whole network too many.
        if net == net.trunc() { Ok(net.to_string()) } else { Err(format!("{item:?} has bits beyond its prefix; write {}", net.trunc())) }
    };
    items(text).map(network).collect()
}

pub(super) fn number<T: FromStr + PartialOrd + Display>(text: &str, least: T, most: T) -> Parsed<T> {
    match text.parse::<T>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("{text:?} is not a whole number from {least} to {most}")),
    }
}

/// A filter as `tracing-subscriber` reads it. Beyond its own grammar, a bare word must be a level: it would take `inof` for the
/// name of a target and log nothing else.
pub(super) fn log_filter(text: &str) -> Parsed<String> {
    // Its parser miscounts around blanks; nobody means them.
    let filter = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let level = |word: &str| levels.iter().any(|level| level.eq_ignore_ascii_case(word));
    let plain = !filter.contains('[');
    let bad_word = filter.split(',').any(|part| !part.contains('=') && !level(part));
    if (plain && bad_word) || EnvFilter::builder().parse(&filter).is_err() {
        return Err(format!("{text:?} is not a log filter; write a level ({}) or such as info,allclear=debug", levels.join(", ")));
    }
    Ok(filter)
}

/// Only what is surely no address; the account's own rules judge the rest when it is made.
pub(super) fn email(text: &str) -> Parsed<String> {
    let sound = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if sound && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not an email address; write such as ada@example.com"))
    }
}

/// Says what is wrong without the text: it may hold a password.
pub(super) fn smtp_url(text: &str) -> Parsed<SecretString> {
    match text.parse::<SmtpUrl>() {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(format!(
            "is not a mail relay's URL: {error}; write such as smtps://user:password@mail.example.com, \
             smtp://user:password@mail.example.com:587?tls=required, or smtp://localhost:1025 for a relay at hand"
        )),
    }
}

pub(super) fn mail_from(text: &str) -> Parsed<String> {
    match sender(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(says) => Err(format!("{text:?} {says}; write such as Allclear <status@example.com>")),
    }
}

/// The rules for passwords are the account's; an empty file is the operator's slip.
pub(super) fn password(text: &str) -> Parsed<SecretString> {
    if text.is_empty() { Err("the file is empty; write the password into it".to_owned()) } else { Ok(text.into()) }
}

fn one_of<T: Copy, const N: usize>(text: &str, all: [T; N], word: fn(T) -> &'static str) -> Parsed<T> {
    let found = all.into_iter().find(|value| word(*value) == text);
    found.ok_or_else(|| format!("{text:?} is none of {}", all.map(word).join(", ")))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
