//! A name for each request, in its answer, its problem document and the log.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it, both ways.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request, found in its extensions: 1 to 64 characters of `A–Z a–z 0–9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the value of `x-request-id`; cheap to clone.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names requests: a prefix that is random per process, and a counter. No randomness is spent on each of them.
#[derive(Debug)]
pub struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Names that begin with `prefix`, of which the first 40 legal characters count.
    pub fn new(prefix: &str) -> Self {
        let prefix = prefix.bytes().filter(|byte| is_legal(*byte)).take(40).map(char::from).collect();
        Self { prefix, next: AtomicU64::new(1) }
    }

    /// The request's own name if it comes from a proxy we trust and is legal; else a new one.
    pub fn of(&self, headers: &HeaderMap, from_trusted_proxy: bool) -> RequestId {
        if from_trusted_proxy
            && let Some(given) = headers.get(&X_REQUEST_ID)
            && (1..=64).contains(&given.len())
            && given.as_bytes().iter().copied().all(is_legal)
        {
            return RequestId(given.clone());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number:x}", self.prefix);
        RequestId(HeaderValue::try_from(name).unwrap_or_else(|_| HeaderValue::from_static("unnamed")))
    }
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(X_REQUEST_ID.clone(), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn each_request_has_its_own() {
        let ids = RequestIds::new("k3y");
        assert_eq!(ids.of(&HeaderMap::new(), false).as_str(), "k3y-1");
        assert_eq!(ids.of(&HeaderMap::new(), true).as_str(), "k3y-2");
    }

    #[test]
    fn only_a_trusted_proxy_may_name_a_request() {
        let ids = RequestIds::new("own");
        assert_eq!(ids.of(&given("theirs-1"), true).as_str(), "theirs-1");
        assert_eq!(ids.of(&given("theirs-1"), false).as_str(), "own-1");
    }

    #[test]
    fn an_illegal_name_is_replaced() {
        let ids = RequestIds::new("own");
        for bad in ["", "a b", "a\tb", "a\"b", "x;y", "x".repeat(65).as_str()] {
            assert!(ids.of(&given(bad), true).as_str().starts_with("own-"), "{bad:?}");
        }
        assert_eq!(ids.of(&given(&"x".repeat(64)), true).as_str().len(), 64);
    }

    #[test]
    fn a_bad_prefix_is_cleaned() {
        assert_eq!(RequestIds::new("a\r\nb ").of(&HeaderMap::new(), false).as_str(), "ab-1");
    }
}
