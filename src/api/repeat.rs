//! `Idempotency-Key`: a write that may be sent again.

use poem::Request;

use super::header::header_parameter;
use crate::app::Caller;
use crate::domain::answered::Once;
use crate::error::{Error, Result};

/// The key of a request, with what it holds for: method and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    key: Option<String>,
    method: String,
    path: String,
}

header_parameter!(Repeat);

impl Repeat {
    fn of(request: &Request) -> Result<Self> {
        let key = match request.headers().get("idempotency-key").map(|value| value.to_str().map(str::to_owned)) {
            None => None,
            Some(Ok(key)) => Some(key),
            Some(Err(_)) => return Err(Error::invalid("Idempotency-Key", "must be 1 to 255 printable ASCII characters")),
        };
        // With or without a slash at the end, it is the same path.
        let path = request.original_uri().path().trim_end_matches('/').to_owned();
        Ok(Self { key, method: request.method().as_str().to_owned(), path })
    }

    /// What keeps the answer of this request for this caller; `None` without a key.
    ///
    /// # Errors
    /// `Invalid`, under `Idempotency-Key`.
    pub fn once(&self, caller: &Caller, body: &[u8]) -> Result<Option<Once>> {
        let of = |key: &String| Once::new(&caller.user.id.to_string(), &self.method, &self.path, key, body);
        self.key.as_ref().map(of).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_ascii() {
        let sent = |value: &'static [u8]| {
            let mut request = Request::builder().method(http::Method::POST).finish();
            request.headers_mut().insert("idempotency-key", http::HeaderValue::from_bytes(value).unwrap());
            Repeat::of(&request).map(|repeat| repeat.key)
        };
        assert_eq!(sent(b"7f2a"), Ok(Some("7f2a".to_owned())));
        assert!(matches!(sent(b"\xff"), Err(Error::Invalid(_))));
        assert_eq!(Repeat::of(&Request::default()).map(|repeat| repeat.key), Ok(None));
    }
}
