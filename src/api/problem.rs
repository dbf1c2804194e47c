//! The one mapper from what went wrong to what a client is told: RFC 9457 problem+json.
//!
//! `type` is for programs and never changes. The detail of a fault of ours goes to the log and not to the client.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use poem::error::ResponseError;
use poem::{PathPattern, Response};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::allow;
use crate::error::{Error, FieldError};
use crate::http::{CrossSite, RequestId};

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The most fields that one answer names: a body of a megabyte can be wrong in a hundred thousand places.
const FIELDS_MAX: usize = 100;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Problem {
    /// Names the kind of problem for programs; never changes.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// This very problem, for people.
    pub detail: String,
    /// The request's name, also in `x-request-id` and in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldProblem>>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct FieldProblem {
    /// Which, with a path where it is nested: `affected[0].status`.
    pub field: String,
    /// What would be right.
    pub message: String,
}

impl From<&FieldError> for FieldProblem {
    fn from(error: &FieldError) -> Self {
        Self { field: error.field.clone(), message: error.message.clone() }
    }
}

/// A body that no operation gets to see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Something else than JSON.
    #[error("send the body as application/json")]
    MediaType,
    /// It says that it is JSON, but is not.
    #[error("the body is not JSON: {0}")]
    Unreadable(String),
}

impl BadBody {
    fn respond(&self, id: Option<&RequestId>) -> Response {
        match self {
            BadBody::MediaType => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", &self.to_string(), id),
            BadBody::Unreadable(_) => plain(StatusCode::BAD_REQUEST, "bad-request", &self.to_string(), id),
        }
    }
}

impl ResponseError for BadBody {
    fn status(&self) -> StatusCode {
        match self {
            BadBody::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BadBody::Unreadable(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn as_response(&self) -> Response {
        self.respond(None)
    }
}

impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        kind(self).0
    }

    fn as_response(&self) -> Response {
        respond(self, None)
    }
}

/// The status and the last word of the type of each error.
fn kind(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Error::NotFound => (StatusCode::NOT_FOUND, "not-found"),
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
        Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        Error::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        Error::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "stale"),
        Error::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests"),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The answer to an error of ours; `id` is the request's.
pub fn respond(error: &Error, id: Option<&RequestId>) -> Response {
    let (status, slug) = kind(error);
    match error {
        Error::Unauthenticated => plain(status, slug, "you are not signed in, or the credentials are wrong", id),
        Error::NotFound => plain(status, slug, "there is nothing here, or nothing that you may see", id),
        Error::Forbidden(why) => {
            tracing::info!(request_id = id.map(RequestId::as_str), %why, "refused");
            plain(status, slug, why, id)
        }
        Error::Conflict(why) => plain(status, slug, why, id),
        Error::Stale { .. } => plain(status, slug, &error.to_string(), id),
        Error::Invalid(fields) => {
            let errors = fields.iter().take(FIELDS_MAX).map(FieldProblem::from).collect();
            write(status, slug, "some fields are wrong; each is named in errors", Some(errors), id)
        }
        Error::TooMany(wait) => later(plain(status, slug, "too many attempts; try again later", id), *wait),
        Error::Unavailable(wait) => later(plain(status, slug, "nothing can be done at the moment; try again soon", id), *wait),
        Error::Internal(detail) => {
            tracing::error!(request_id = id.map(RequestId::as_str), %detail, "a request failed");
            plain(status, slug, "something went wrong on our side", id)
        }
    }
}

/// The answer to any error that comes out of the router: ours, and poem's own, whose texts are for developers. `id` is the request's.
pub async fn into_response(error: poem::Error, id: Option<&RequestId>) -> Response {
    if let Some(error) = error.downcast_ref::<Error>() {
        return respond(error, id);
    }
    if let Some(error) = error.downcast_ref::<BadBody>() {
        return error.respond(id);
    }
    if error.is_from_response() || error.is::<CrossSite>() {
        return error.into_response();
    }
    match error.status() {
        StatusCode::NOT_FOUND => respond(&Error::NotFound, id),
        StatusCode::METHOD_NOT_ALLOWED => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this address does not take that method", id);
            // RFC 9110, 15.5.6: a 405 says what would be allowed. The router leaves the route that it found in the error.
            if let Some(methods) = error.data::<PathPattern>().and_then(|route| allow::methods(&route.0)) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            response
        }
        status if status.is_server_error() => respond(&Error::internal(error), id),
        status => {
            let slug = status.canonical_reason().unwrap_or("bad-request").to_lowercase().replace(' ', "-");
            plain(status, &slug, &error.to_string(), id)
        }
    }
}

fn plain(status: StatusCode, slug: &str, detail: &str, id: Option<&RequestId>) -> Response {
    write(status, slug, detail, None, id)
}

fn write(status: StatusCode, slug: &str, detail: &str, errors: Option<Vec<FieldProblem>>, id: Option<&RequestId>) -> Response {
    let problem = Problem {
        kind: format!("urn:allclear:problem:{slug}"),
        title: status.canonical_reason().unwrap_or("Error").into(),
        status: status.as_u16(),
        detail: sentence(detail),
        request_id: id.map(ToString::to_string),
        errors,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    Response::builder().status(status).content_type(MEDIA_TYPE).body(body)
}

/// Errors are worded as parts of a sentence, for logs; people get a whole one.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

/// Says when to come back, in whole seconds and never too early.
fn later(mut response: Response, wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

#[cfg(test)]
mod tests {
    use poem::{Endpoint, Request};
    use serde_json::{Value, json};

    use super::*;
    use crate::http::RequestIds;

    async fn told(error: impl Into<poem::Error>) -> (Response, Value) {
        let id = RequestIds::new("test").of(&http::HeaderMap::new(), false);
        let mut response = into_response(error.into(), Some(&id)).await;
        assert_eq!(response.content_type(), Some(MEDIA_TYPE));
        let body = response.take_body().into_json().await.unwrap();
        (response, body)
    }

    #[tokio::test]
    async fn wrong_fields_are_each_named() {
        let fields = vec![
            FieldError { field: "name".into(), message: "is required".into() },
            FieldError { field: "affected[1].status".into(), message: "must be a string".into() },
        ];
        let (_, body) = told(Error::Invalid(fields)).await;
        assert_eq!(
            body,
            json!({
                "type": "urn:allclear:problem:invalid",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "Some fields are wrong; each is named in errors.",
                "request_id": "test-1",
                "errors": [
                    { "field": "name", "message": "is required" },
                    { "field": "affected[1].status", "message": "must be a string" },
                ],
            })
        );
    }

    #[tokio::test]
    async fn a_fault_of_ours_is_not_explained_to_strangers() {
        let poems = poem::error::InternalServerError(std::io::Error::other("the disk says no"));
        for error in [poem::Error::from(Error::internal("the disk says no")), poems] {
            let (response, body) = told(error).await;
            assert_eq!(response.status(), 500);
            assert_eq!(body["type"], "urn:allclear:problem:internal");
            assert!(!body.to_string().contains("disk"), "{body}");
        }
    }

    #[tokio::test]
    async fn who_should_come_back_hears_when() {
        let (response, body) = told(Error::TooMany(Duration::from_millis(1_200))).await;
        assert_eq!((response.status().as_u16(), response.header("retry-after")), (429, Some("2")));
        assert_eq!(body["type"], "urn:allclear:problem:too-many-requests");
        let (response, _) = told(Error::Unavailable(Duration::from_millis(0))).await;
        assert_eq!((response.status().as_u16(), response.header("retry-after")), (503, Some("1")));
    }

    #[tokio::test]
    async fn each_error_has_its_status() {
        let statuses = [
            (Error::Unauthenticated, 401),
            (Error::NotFound, 404),
            (Error::Forbidden("no".into()), 403),
            (Error::Conflict("no".into()), 409),
            (Error::Stale { current: 7 }, 412),
        ];
        for (error, status) in statuses {
            assert_eq!(told(error).await.0.status(), status);
        }
        let (_, body) = told(Error::Stale { current: 7 }).await;
        assert_eq!(body["detail"], "It has changed since it was read; its version is now 7.");
    }

    #[tokio::test]
    async fn what_the_router_refuses_looks_the_same() {
        let (_, body) = told(poem::error::NotFoundError).await;
        assert_eq!(body["type"], "urn:allclear:problem:not-found");
        let (_, body) = told(poem::error::MethodNotAllowedError).await;
        assert_eq!((body["type"].as_str(), body["status"].as_u64()), (Some("urn:allclear:problem:method-not-allowed"), Some(405)));
        let (_, body) = told(BadBody::MediaType).await;
        assert_eq!((body["type"].as_str(), body["status"].as_u64()), (Some("urn:allclear:problem:unsupported-media-type"), Some(415)));
        let (_, body) = told(BadBody::Unreadable("eof".into())).await;
        assert_eq!((body["detail"].as_str(), body["status"].as_u64()), (Some("The body is not JSON: eof."), Some(400)));
    }

    #[tokio::test]
    async fn a_405_says_what_is_allowed() {
        let router = poem::Route::new().nest("/api", crate::api::routes());
        let request = Request::builder().method(http::Method::PATCH).uri_str("/api/services/svc_1").finish();
        let (response, _) = told(router.call(request).await.err().unwrap()).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.header("allow"), Some("GET, HEAD, PUT, DELETE"));
    }

    #[test]
    fn a_megabyte_of_mistakes_gets_a_short_answer() {
        let fields = vec![FieldError { field: "x".into(), message: "is not a known field".into() }; 10_000];
        let response = respond(&Error::Invalid(fields), None);
        assert_eq!(response.status(), 422);
        let body = futures_util::FutureExt::now_or_never(response.into_body().into_vec()).unwrap().unwrap();
        assert!(body.len() < 10_000);
    }
}
