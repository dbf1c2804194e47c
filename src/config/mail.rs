//! How mails leave: the relay's URL and the sender.
//!
//! Refusals are fixed sentences and never quote the text: it may hold a password.

use std::net::IpAddr;
use std::str::FromStr;

use lettre::message::Mailbox;

use super::base_url::host_and_port;

/// A mail relay and how to speak to it: what `smtp_url` says. No `Debug`: it may hold a password.
pub struct SmtpUrl {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The port; without one in the URL, the usual one for its encryption.
    pub port: u16,
    /// When the connection becomes secret.
    pub encryption: Encryption,
    /// User name and password.
    pub login: Option<(String, String)>,
    /// How to greet the relay, where the machine's own name would not do: the URL's path.
    pub greeting: Option<String>,
}

/// How a connection to a relay is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: for a relay on this machine or this network.
    Off,
    /// If the relay offers it, which who sits between can prevent.
    Offered,
    /// By STARTTLS (RFC 3207), or nothing is sent.
    Required,
    /// From the first byte (RFC 8314).
    Whole,
}

impl Encryption {
    fn usual_port(self) -> u16 {
        match self {
            Self::Off => 25,
            Self::Offered | Self::Required => 587,
            Self::Whole => 465,
        }
    }
}

/// Why a text names no relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSmtpUrl(&'static str);

impl FromStr for SmtpUrl {
    type Err = InvalidSmtpUrl;

    /// Stricter than a general parser on purpose: of a URL with an unescaped `/` or `#` in its password those make another host, and an
    /// option that they don't know they pass over, where `?tls=require` would send everything in the clear.
    fn from_str(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let begins = InvalidSmtpUrl("it must begin with smtps:// or smtp://");
        let (scheme, rest) = text.split_once("://").ok_or(begins)?;
        let whole = match scheme.to_ascii_lowercase().as_str() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(begins),
        };
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains(['@', '#']) {
            return Err(InvalidSmtpUrl("in a user name or a password, / ? # @ : and % must be written as %2F %3F %23 %40 %3A and %25"));
        }
        let (path, query) = tail.split_once('?').map_or((tail, None), |(path, query)| (path, Some(query)));
        let encryption = match query {
            None | Some("tls=required" | "tls=opportunistic") if whole => Encryption::Whole,
            None => Encryption::Off,
            Some("tls=required") => Encryption::Required,
            Some("tls=opportunistic") => Encryption::Offered,
            Some(_) => return Err(InvalidSmtpUrl("the only option is ?tls=required (or ?tls=opportunistic: only if the relay offers it)")),
        };
        let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let (host, port) = host_and_port(place).map_err(|error| InvalidSmtpUrl(error.0))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
        let login = login.map(login_of).transpose()?;
        if login.is_some() && encryption == Encryption::Off && !is_here(&host) {
            return Err(InvalidSmtpUrl("the password would be sent unencrypted; begin with smtps://, or add ?tls=required"));
        }
        Ok(Self { host, port: port.unwrap_or(encryption.usual_port()), encryption, login, greeting: greeting_of(path)? })
    }
}

fn login_of(text: &str) -> Result<(String, String), InvalidSmtpUrl> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    if user.is_empty() || password.is_empty() {
        return Err(InvalidSmtpUrl("a user name and a password come together, as user:password@ before the host"));
    }
    let part = |text: &str| decoded(text).filter(|text| !text.contains(char::is_control));
    part(user).zip(part(password)).ok_or(InvalidSmtpUrl("a % in a user name or a password must be written as %25"))
}

/// The text without its percent-encoding (RFC 3986, 2.1); `None` for a broken escape, and where it comes to no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let (high, low) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

fn greeting_of(path: &str) -> Result<Option<String>, InvalidSmtpUrl> {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => Ok(None),
        name if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) => Ok(Some(name.to_owned())),
        _ => Err(InvalidSmtpUrl("its path, the name to greet the relay by, must be a host's name")),
    }
}

/// Whether what is sent there never leaves the machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address that mails come from, with or without a name.
///
/// # Errors
/// What is wrong, as a sentence part.
pub(crate) fn sender(text: &str) -> Result<Mailbox, &'static str> {
    if text.contains(char::is_control) {
        return Err("must be one line");
    }
    let sender: Mailbox = text.parse().map_err(|_| "is neither an address nor a name with an address in angle brackets")?;
    // Another spelling would need SMTPUTF8 of every relay on the way, and the domain is a part of each Message-ID.
    if sender.email.to_string().is_ascii() { Ok(sender) } else { Err("has an address that is not ASCII; write its domain as xn--…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SmtpUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_says_where_and_how() {
        let remote = url("smtps://ada%40example.com:p%2F%3A%23%20w@Mail.Example.com");
        assert_eq!((remote.host.as_str(), remote.port, remote.encryption), ("mail.example.com", 465, Encryption::Whole));
        assert_eq!(remote.login, Some(("ada@example.com".to_owned(), "p/:# w".to_owned())));
        assert_eq!(remote.greeting, None);

        let submission = url("smtp://ada:secret@mail.example.com:2525/status.example.com?tls=required");
        assert_eq!((submission.port, submission.encryption), (2_525, Encryption::Required));
        assert_eq!(submission.greeting.as_deref(), Some("status.example.com"));

        for (text, port, encryption) in [
            ("smtp://relay", 25, Encryption::Off),
            ("smtp://relay/", 25, Encryption::Off),
            ("smtp://relay?tls=opportunistic", 587, Encryption::Offered),
            ("smtp://ada:secret@relay?tls=opportunistic", 587, Encryption::Offered),
            ("smtp://relay?tls=required", 587, Encryption::Required),
            ("SMTPS://relay?tls=required", 465, Encryption::Whole),
            ("smtp://localhost:1025", 1_025, Encryption::Off),
            ("smtp://ada:secret@127.0.0.1:1025", 1_025, Encryption::Off),
        ] {
            assert_eq!((url(text).port, url(text).encryption), (port, encryption), "{text}");
        }
        assert_eq!(url("smtp://ada:secret@[::1]:1025").host, "::1", "as sockets take it");
    }

    #[test]
    fn a_refusal_never_quotes_the_password() {
        for text in [
            "ada:hunter2@mail.example.com",
            "http://ada:hunter2@mail.example.com",
            "smtps://ada:hunter2@",
            "smtps://ada:hunter2@mail.example.com:0",
            "smtps://ada:hunter2@mail.example.com:hunter2",
            "smtps://ada:hunter2@exa mple.com",
            "smtps://ada:hunter2@mail.example.com\r\n",
            "smtps://ada:hunter2/x@mail.example.com",
            "smtps://ada:hunter2#x@mail.example.com",
            "smtps://ada:hunter2?x@mail.example.com",
            "smtps://ada:hunter2%@mail.example.com",
            "smtps://ada:hunter2%zz@mail.example.com",
            "smtps://ada:hunter2%0d%0a@mail.example.com",
            "smtps://hunter2@mail.example.com",
            "smtps://:hunter2@mail.example.com",
            "smtps://ada:hunter2@mail.example.com?tls=no",
            "smtp://ada:hunter2@mail.example.com?starttls=required",
            "smtp://ada:hunter2@mail.example.com?tls=required&x=hunter2",
            "smtp://ada:hunter2@mail.example.com",
            "smtps://ada:hunter2@mail.example.com/hunter2/x",
        ] {
            let error = text.parse::<SmtpUrl>().err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(!error.to_string().contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let named = sender("Acme Status <status@example.com>").unwrap();
        assert_eq!((named.name.as_deref(), named.email.to_string().as_str()), (Some("Acme Status"), "status@example.com"));
        assert_eq!(sender("status@example.com").unwrap().name, None);
        assert_eq!(sender("\"Acme, Inc.\" <status@example.com>").unwrap().name.as_deref(), Some("Acme, Inc."));
        let two_lines = "Acme\r\nBcc: x@example.com <a@example.com>";
        for bad in ["", "Acme", "Acme <status>", "a@example.com, b@example.com", two_lines, "a@exämple.com"] {
            assert!(sender(bad).is_err(), "{bad:?}");
        }
    }
}
