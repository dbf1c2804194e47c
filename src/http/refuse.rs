//! Answers to requests that never reach a handler, as RFC 9457 problem+json.

use http::{StatusCode, header};
use poem::Response;

use super::request_id::RequestId;

/// Why the server answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Path and query are too long.
    UriTooLong,
    /// The body is larger than this many bytes.
    TooLarge {
        /// What would have been taken.
        limit: usize,
    },
    /// The body did not arrive in time.
    TooSlow,
    /// The body ended early or was malformed.
    Broken,
    /// The body is compressed.
    Encoded,
    /// Too many bodies are being held already.
    Busy,
    /// The handler panicked.
    Panicked,
}

impl Refusal {
    /// The answer.
    pub fn response(self, request_id: &RequestId) -> Response {
        let id = Some(request_id);
        match self {
            Self::UriTooLong => problem(StatusCode::URI_TOO_LONG, "uri-too-long", "The address is too long.", id),
            Self::TooLarge { limit } => {
                problem(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", &format!("The body may have at most {limit} bytes."), id)
            }
            Self::TooSlow => problem(StatusCode::REQUEST_TIMEOUT, "request-timeout", "The body did not arrive in time.", id),
            Self::Broken => problem(StatusCode::BAD_REQUEST, "bad-request", "The body could not be read.", id),
            Self::Encoded => {
                problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Send the body without Content-Encoding.", id)
            }
            Self::Busy => {
                let mut response =
                    problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Too many requests at once; try again soon.", id);
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
                response
            }
            Self::Panicked => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.", id),
        }
    }

    /// Whether the client may still be sending, so that closing at once would cost it the answer.
    pub(super) fn leaves_a_sender(self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Encoded | Self::Busy)
    }
}

/// A problem document. `slug` names the kind for programs and never changes: `urn:allclear:problem:<slug>`.
pub fn problem(status: StatusCode, slug: &str, detail: &str, request_id: Option<&RequestId>) -> Response {
    let mut body = serde_json::json!({
        "type": format!("urn:allclear:problem:{slug}"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(id) = request_id {
        body["request_id"] = id.as_str().into();
    }
    Response::builder().status(status).content_type("application/problem+json").body(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestIds;

    #[tokio::test]
    async fn a_refusal_names_its_kind_and_the_request() {
        let id = RequestIds::new("test").of(&http::HeaderMap::new(), false);
        let response = Refusal::TooLarge { limit: 7 }.response(&id);
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response.content_type(), Some("application/problem+json"));

        let body: serde_json::Value = response.into_body().into_json().await.unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:allclear:problem:payload-too-large",
                "title": "Payload Too Large",
                "status": 413,
                "detail": "The body may have at most 7 bytes.",
                "request_id": id.as_str(),
            })
        );
    }

    #[test]
    fn busy_says_when_to_come_back() {
        let id = RequestIds::new("test").of(&http::HeaderMap::new(), false);
        let response = Refusal::Busy.response(&id);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.header("retry-after"), Some("5"));
    }
}
