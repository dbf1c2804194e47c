//! The session cookie (OWASP ASVS 5.0, 3.3). Its value is opaque here.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

/// Longest value that is looked at; browsers keep cookies of up to 4 KiB.
const MAX_VALUE: usize = 4096;

/// How the session's token travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCookie {
    https: bool,
}

impl SessionCookie {
    /// `https`: whether the base URL is. Then the cookie is `Secure` and named so that browsers accept it from this very host only.
    pub fn new(https: bool) -> Self {
        Self { https }
    }

    /// The cookie's name.
    pub fn name(self) -> &'static str {
        if self.https { "__Host-allclear_session" } else { "allclear_session" }
    }

    /// A `Set-Cookie` that keeps the token for so long; `None` for a token that is empty, too long or could end the value.
    pub fn set(self, token: &str, max_age: Duration) -> Option<HeaderValue> {
        if !is_token(token) {
            return None;
        }
        self.written(token, max_age.as_secs())
    }

    /// A `Set-Cookie` that makes the browser forget it.
    pub fn clear(self) -> HeaderValue {
        self.written("", 0).unwrap_or(HeaderValue::from_static(""))
    }

    /// The token that a request carries.
    ///
    /// A cookie that comes twice with different values is no cookie: a neighbouring subdomain can plant one, and taking either would let it
    /// choose whose session a visitor acts in.
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        let mut found = None;
        for line in headers.get_all(header::COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            for pair in line.split(';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                if name.trim() != self.name() {
                    continue;
                }
                let value = value.trim();
                if !is_token(value) || found.is_some_and(|other| other != value) {
                    return None;
                }
                found = Some(value);
            }
        }
        found
    }

    fn written(self, value: &str, max_age: u64) -> Option<HeaderValue> {
        let secure = if self.https { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age}{secure}", self.name())).ok()
    }
}

/// What tokens are made of: base64url and the separators of PASETO and JWT.
fn is_token(value: &str) -> bool {
    (1..=MAX_VALUE).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SessionCookie = SessionCookie { https: false };
    const SECURE: SessionCookie = SessionCookie { https: true };

    fn sent(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn it_is_out_of_reach_for_scripts_and_other_sites() {
        let hour = Duration::from_secs(3600);
        assert_eq!(PLAIN.set("v4.local.abc", hour).unwrap(), "allclear_session=v4.local.abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600");
        assert_eq!(
            SECURE.set("v4.local.abc", hour).unwrap(),
            "__Host-allclear_session=v4.local.abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600; Secure"
        );
        assert_eq!(SECURE.clear(), "__Host-allclear_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; Secure");
    }

    #[test]
    fn a_token_cannot_add_attributes() {
        for bad in ["", "a;Domain=evil.example", "a b", "a\r\nSet-Cookie: x=y", "a,b", "a\"b", "é"] {
            assert_eq!(PLAIN.set(bad, Duration::from_secs(1)), None, "{bad:?}");
        }
        assert_eq!(PLAIN.set(&"a".repeat(MAX_VALUE + 1), Duration::from_secs(1)), None);
    }

    #[test]
    fn it_is_found_among_others() {
        assert_eq!(PLAIN.read(&sent(&["a=1; allclear_session=tok.en; b=2"])), Some("tok.en"));
        assert_eq!(PLAIN.read(&sent(&["a=1", "allclear_session=tok.en"])), Some("tok.en"), "HTTP/2 sends one line per cookie");
        assert_eq!(PLAIN.read(&sent(&["allclear_session=same; allclear_session=same"])), Some("same"));
        assert_eq!(PLAIN.read(&sent(&["allclear_session=a=="])), Some("a=="));
    }

    #[test]
    fn hostile_lines_are_no_session() {
        for line in [
            "",
            ";;;=;",
            "allclear_session",
            "allclear_session=",
            "allclear_session=a b",
            "allclear_session=\"quoted\"",
            "xallclear_session=tok",
            "ALLCLEAR_SESSION=tok",
            "allclear_session=mine; allclear_session=planted",
        ] {
            assert_eq!(PLAIN.read(&sent(&[line])), None, "{line:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_bytes(b"allclear_session=\xff").unwrap());
        assert_eq!(PLAIN.read(&headers), None);
    }

    #[test]
    fn under_https_the_plain_name_means_nothing() {
        assert_eq!(SECURE.read(&sent(&["allclear_session=planted-over-http"])), None);
        assert_eq!(SECURE.read(&sent(&["__Host-allclear_session=tok"])), Some("tok"));
    }
}
