//! The address that browsers use: scheme, host, port and, behind a proxy that mounts us under a path, that path.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A parsed base URL without a trailing slash. Links, cookies and the origin check are built from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    https: bool,
    authority: String,
    path: String,
}

/// Why a text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidBaseUrl(pub(super) &'static str);

impl BaseUrl {
    /// The plain-http URL by which this machine reaches a listening address.
    pub fn of_address(address: SocketAddr) -> Self {
        let address = reachable(address);
        let authority = if address.port() == 80 { host_of(address.ip()) } else { address.to_string() };
        Self { https: false, authority, path: String::new() }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Whether cookies may be `Secure` and HSTS may be sent.
    pub fn https(&self) -> bool {
        self.https
    }

    /// Host and, unless it is the scheme's own, port; lower case.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path that everything is under: empty, or such as `/status`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a browser sends as `Origin` (RFC 6454).
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority)
    }

    /// The absolute URL of a path of ours, with or without its leading slash.
    pub fn join(&self, path: &str) -> String {
        format!("{self}/{}", path.strip_prefix('/').unwrap_or(path))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    /// Stricter than RFC 3986 on purpose: what is refused here would otherwise surface as a broken link in somebody's mail.
    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidBaseUrl("it must begin with http:// or https://"))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(InvalidBaseUrl("it must begin with http:// or https://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self { https, authority: authority_of(authority, https)?, path: path_of(path)? })
    }
}

fn authority_of(text: &str, https: bool) -> Result<String, InvalidBaseUrl> {
    let (host, port) = host_and_port(text)?;
    let usual = if https { 443 } else { 80 };
    Ok(port.filter(|port| *port != usual).map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
}

/// A URL's host, in lower case and an IPv6 address in its brackets, and its port, where it names one.
pub(super) fn host_and_port(text: &str) -> Result<(String, Option<u16>), InvalidBaseUrl> {
    let after_host = if text.starts_with('[') { text.find(']').map_or(0, |end| end + 1) } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at(after_host);
    let host = host.to_ascii_lowercase();
    let sound = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    if !sound {
        return Err(InvalidBaseUrl("its host must be a name (in ASCII, xn--… for others), an IPv4 address or an IPv6 address in brackets"));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    // `parse` alone would take "+80".
    let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<u16>().ok()).filter(|number| *number > 0);
    number.map(|number| (host, Some(number))).ok_or(InvalidBaseUrl("its port must be a number from 1 to 65535"))
}

fn path_of(text: &str) -> Result<String, InvalidBaseUrl> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let plain = |segment: &str| {
        let known = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        known && !matches!(segment, "" | "." | "..")
    };
    if path.split('/').skip(1).all(plain) {
        Ok(path.to_owned())
    } else {
        Err(InvalidBaseUrl("its path may have plain segments only (letters, digits, - . _ ~), and no query or fragment"))
    }
}

/// An unspecified address (`0.0.0.0`, `[::]`), which nobody can open, becomes the loopback one.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn host_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BaseUrl {
        text.parse().unwrap()
    }

    #[test]
    fn one_place_has_one_spelling() {
        for text in ["https://Status.Example.com", "HTTPS://status.example.com/", "https://status.example.com:443"] {
            assert_eq!(url(text).to_string(), "https://status.example.com", "{text}");
        }
        assert_eq!(url("http://[::1]:8080").origin(), "http://[::1]:8080");
        assert_eq!(url("http://example.com:443").authority(), "example.com:443");
    }

    #[test]
    fn links_keep_the_path_that_a_proxy_mounts_us_under() {
        let base = url("https://example.com/status/");
        assert_eq!((base.path(), base.origin().as_str(), base.https()), ("/status", "https://example.com", true));
        assert_eq!(base.join("/p/acme"), "https://example.com/status/p/acme");
        assert_eq!(base.join("p/acme"), "https://example.com/status/p/acme");
    }

    #[test]
    fn what_would_make_broken_links_is_refused() {
        let refused = [
            "example.com",
            "ftp://example.com",
            "https://",
            "https://user@example.com",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:",
            "https://example.com:+80",
            "https://exa mple.com",
            "https://[::1",
            "https://[::1]8080",
            "https://example.com//a",
            "https://example.com/../a",
            "https://example.com/a?b",
            "https://example.com?b",
            "https://example.com/#a",
            "https://example.com/a\r\nb",
        ];
        for text in refused {
            assert!(text.parse::<BaseUrl>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_listening_address_becomes_one_that_opens() {
        let of = |text: &str| BaseUrl::of_address(text.parse().unwrap()).to_string();
        assert_eq!(of("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(of("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(of("[::]:80"), "http://[::1]");
        assert_eq!(of("192.0.2.7:80"), "http://192.0.2.7");
    }
}
