//! What handlers return: for each kind of answer its status, its headers, and how the document describes it.

use std::marker::PhantomData;

use http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use super::dto::Nullable;
use super::etag::{IfNoneMatch, Versioned, tag};
use super::paging::Listing;
use super::problem::{self, Problem};
use crate::error::Error;

/// Says that the answer is one that was given before.
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Something by itself: 200.
#[derive(Debug)]
pub struct Shown<T>(pub T);

/// One page of a list: 200.
#[derive(Debug)]
pub struct Listed<T>(pub Listing<T>);

/// One thing with its tag: 200, or 304 for a reader who has it.
#[derive(Debug)]
pub struct Found<T> {
    /// The thing.
    pub thing: Versioned<T>,
    /// What the reader has.
    pub known: IfNoneMatch,
}

/// What was changed: 200.
#[derive(Debug)]
pub struct Changed<T> {
    /// As it is now; when replayed, as it was then.
    pub thing: Versioned<T>,
    /// Whether an earlier answer is repeated.
    pub replayed: bool,
}

/// What was made: 201.
#[derive(Debug)]
pub struct Created<T> {
    /// As it was made.
    pub thing: Versioned<T>,
    /// Whether an earlier answer is repeated.
    pub replayed: bool,
}

/// What was made, with a secret in it: 201. It is told once and kept by nobody, which is why it is never repeated.
#[derive(Debug)]
pub struct Issued<T>(pub T);

/// Done, and nothing to show: 204.
#[derive(Debug)]
pub struct Done {
    /// Whether an earlier answer is repeated.
    pub replayed: bool,
}

/// Someone came in or left: an answer with a cookie.
#[derive(Debug)]
pub struct Entered<T> {
    /// What is shown.
    pub body: T,
    /// The `Set-Cookie`.
    pub cookie: HeaderValue,
}

/// An account was made, and its person is signed in: 201 with a cookie.
#[derive(Debug)]
pub struct Welcomed<T>(pub Entered<T>);

/// Someone left: 204 with a cookie that is over.
#[derive(Debug)]
pub struct Left {
    /// The `Set-Cookie`.
    pub cookie: HeaderValue,
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => Response::builder().status(status).content_type("application/json").body(body),
        Err(fault) => problem::respond(&Error::internal(fault), None),
    }
}

fn tagged<T: Serialize>(status: StatusCode, thing: &Versioned<T>, replayed: bool, known: Option<&IfNoneMatch>) -> Response {
    let body = match serde_json::to_vec(&thing.body) {
        Ok(body) => body,
        Err(fault) => return problem::respond(&Error::internal(fault), None),
    };
    let tag = tag(thing.version, &body);
    let mut response = if known.is_some_and(|known| known.has(&tag)) {
        Response::builder().status(StatusCode::NOT_MODIFIED).finish()
    } else {
        Response::builder().status(status).content_type("application/json").body(body)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    mark(response, replayed)
}

fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert(&IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

impl<T: Serialize + Send> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize + Send> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize + Send> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        tagged(StatusCode::OK, &self.thing, false, Some(&self.known))
    }
}

impl<T: Serialize + Send> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        tagged(StatusCode::OK, &self.thing, self.replayed, None)
    }
}

impl<T: Serialize + Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        tagged(StatusCode::CREATED, &self.thing, self.replayed, None)
    }
}

impl<T: Serialize + Send> IntoResponse for Issued<T> {
    fn into_response(self) -> Response {
        json(StatusCode::CREATED, &self.0)
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        mark(Response::builder().status(StatusCode::NO_CONTENT).finish(), self.replayed)
    }
}

impl<T: Serialize + Send> IntoResponse for Entered<T> {
    fn into_response(self) -> Response {
        with_cookie(json(StatusCode::OK, &self.body), self.cookie)
    }
}

impl<T: Serialize + Send> IntoResponse for Welcomed<T> {
    fn into_response(self) -> Response {
        with_cookie(json(StatusCode::CREATED, &self.0.body), self.0.cookie)
    }
}

impl IntoResponse for Left {
    fn into_response(self) -> Response {
        with_cookie(Response::builder().status(StatusCode::NO_CONTENT).finish(), self.cookie)
    }
}

fn described(status: u16, description: &'static str, schema: Option<MetaSchemaRef>, headers: Vec<MetaHeader>) -> MetaResponse {
    let content = schema.map(|schema| MetaMediaType { content_type: "application/json", schema }).into_iter().collect();
    MetaResponse { description, status: Some(status), status_range: None, content, headers }
}

fn text_header(name: &str, description: &str, required: bool) -> MetaHeader {
    MetaHeader { name: name.into(), description: Some(description.into()), required, deprecated: false, schema: String::schema_ref() }
}

fn etag() -> MetaHeader {
    text_header("ETag", "Version and content, for If-Match and If-None-Match.", true)
}

fn replayed() -> MetaHeader {
    text_header("Idempotency-Replayed", "`true` when this is the answer to an earlier request with the same Idempotency-Key.", false)
}

fn set_cookie() -> MetaHeader {
    text_header("Set-Cookie", "The session.", true)
}

/// Describes a kind of answer that shows a `T`.
macro_rules! describes {
    ($($answer:ident: $responses:expr;)*) => {$(
        impl<T: Type> ApiResponse for $answer<T> {
            fn meta() -> MetaResponses {
                let describe: fn(MetaSchemaRef) -> Vec<MetaResponse> = $responses;
                MetaResponses { responses: describe(T::schema_ref()) }
            }

            fn register(registry: &mut Registry) {
                T::register(registry);
            }
        }
    )*};
}

describes! {
    Shown: |schema| vec![described(200, "As it is.", Some(schema), Vec::new())];
    Found: |schema| vec![
        described(200, "As it is.", Some(schema), vec![etag()]),
        described(304, "As the reader has it already.", None, vec![etag()]),
    ];
    Changed: |schema| vec![described(200, "As it is now.", Some(schema), vec![etag(), replayed()])];
    Created: |schema| vec![described(201, "Made.", Some(schema), vec![etag(), replayed()])];
    Issued: |schema| vec![described(201, "Made, and told this once.", Some(schema), Vec::new())];
    Entered: |schema| vec![described(200, "Signed in.", Some(schema), vec![set_cookie()])];
    Welcomed: |schema| vec![described(201, "Signed up, and in.", Some(schema), vec![set_cookie()])];
    Listed: |schema| {
        let data = MetaSchema { items: Some(Box::new(schema)), ..MetaSchema::new("array") };
        let page = MetaSchema {
            required: vec!["data", "next_cursor"],
            properties: vec![
                ("data", MetaSchemaRef::Inline(Box::new(data))),
                ("next_cursor", Nullable::<String>::schema_ref()),
            ],
            ..MetaSchema::new("object")
        };
        vec![described(200, "One page; go on with `?cursor=` until next_cursor is null.", Some(MetaSchemaRef::Inline(Box::new(page))), Vec::new())]
    };
}

impl ApiResponse for Done {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(204, "Done.", None, vec![replayed()])] }
    }

    fn register(_: &mut Registry) {}
}

impl ApiResponse for Left {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(204, "Signed out.", None, vec![set_cookie()])] }
    }

    fn register(_: &mut Registry) {}
}

/// A status and what it means.
type Status = (u16, &'static str);

const UNREADABLE: Status = (400, "The body is not JSON.");
const UNAUTHENTICATED: Status = (401, "Not signed in.");
const WRONG_CREDENTIALS: Status = (401, "The address or the password is wrong.");
const FORBIDDEN: Status = (403, "A member without the role that this needs, or of an organization that is suspended.");
const CLOSED: Status = (403, "Registration is not open.");
const ANOTHERS: Status = (403, "The link is for another address.");
const NOT_FOUND: Status = (404, "An id that is unknown, malformed or another organization's.");
const DEAD_LINK: Status = (404, "A link that is unknown, used, revoked or over.");
const CONFLICT: Status = (409, "Not possible as things stand.");
const STALE: Status = (412, "It has changed since the version that If-Match names.");
const TOO_LARGE: Status = (413, "The body is too large.");
const MEDIA_TYPE: Status = (415, "The body is not declared as application/json.");
const INVALID: Status = (422, "Fields or parameters that are wrong or unknown, each named.");
const TOO_MANY: Status = (429, "Too often; Retry-After says when to come back.");
const UNAVAILABLE: Status = (503, "Not now; Retry-After says when to come back.");

/// Which problems an operation may answer with, as the document lists them.
pub trait Situation: Send + Sync + 'static {
    /// Each with its meaning, in order.
    const STATUSES: &'static [Status];
}

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident: [$($status:ident),*];)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl Situation for $name {
            const STATUSES: &'static [Status] = &[$($status),*];
        }
    )*};
}

situations! {
    /// Reading.
    Reading: [UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, INVALID, UNAVAILABLE];
    /// Changing something with a body.
    Writing: [UNREADABLE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT, STALE, TOO_LARGE, MEDIA_TYPE, INVALID, UNAVAILABLE];
    /// Changing something without a body.
    Removing: [UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STALE, INVALID, UNAVAILABLE];
    /// Taking somebody out, which the last admin can't be.
    Parting: [UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT, STALE, INVALID, UNAVAILABLE];
    /// Making a link for somebody.
    Inviting: [UNREADABLE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Making another link.
    Resending: [UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_MANY, UNAVAILABLE];
    /// Taking something back, whatever its version.
    Withdrawing: [UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, INVALID, UNAVAILABLE];
    /// Looking at what a link offers.
    Looking: [DEAD_LINK, TOO_MANY, UNAVAILABLE];
    /// Taking what a link offers.
    Joining: [UNAUTHENTICATED, ANOTHERS, DEAD_LINK, CONFLICT, UNAVAILABLE];
    /// Asking for a link.
    Forgetting: [UNREADABLE, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Setting a password by a link.
    Resetting: [UNREADABLE, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Changing one's own account.
    Own: [UNREADABLE, UNAUTHENTICATED, CONFLICT, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Signing up.
    SigningUp: [UNREADABLE, CLOSED, CONFLICT, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Signing in.
    SigningIn: [UNREADABLE, WRONG_CREDENTIALS, TOO_LARGE, MEDIA_TYPE, INVALID, TOO_MANY, UNAVAILABLE];
    /// Ending another session.
    Ending: [UNAUTHENTICATED, NOT_FOUND, UNAVAILABLE];
    /// Signing out.
    SigningOut: [UNAUTHENTICATED, UNAVAILABLE];
}

/// Why an operation did not do it.
#[derive(Debug)]
pub struct Refused<S>(Error, PhantomData<S>);

/// The result of a handler that may be refused as `S` says.
pub type Answer<T, S> = Result<T, Refused<S>>;

impl<S> From<Error> for Refused<S> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl<S> From<Refused<S>> for poem::Error {
    fn from(refused: Refused<S>) -> Self {
        refused.0.into()
    }
}

impl<S: Situation> ApiResponse for Refused<S> {
    fn meta() -> MetaResponses {
        let content = || vec![MetaMediaType { content_type: problem::MEDIA_TYPE, schema: Problem::schema_ref() }];
        let retry_after = |status| match status {
            429 | 503 => vec![text_header("Retry-After", "Seconds.", true)],
            _ => Vec::new(),
        };
        let listed = S::STATUSES.iter().map(|&(status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: content(),
            headers: retry_after(status),
        });
        let others =
            MetaResponse { description: "Any other problem.", status: None, status_range: None, content: content(), headers: Vec::new() };
        MetaResponses { responses: listed.chain([others]).collect() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::*;

    fn reader(known: &str) -> IfNoneMatch {
        let request = Request::builder().header("if-none-match", known).finish();
        futures_util::FutureExt::now_or_never(async {
            let options = poem_openapi::ExtractParamOptions::default();
            <IfNoneMatch as poem_openapi::ApiExtractor>::from_request(&request, &mut poem::RequestBody::default(), options).await
        })
        .unwrap()
        .unwrap()
    }

    #[tokio::test]
    async fn a_reader_who_has_it_gets_a_304_with_the_tag_and_no_body() {
        let thing = Versioned { version: 3, body: "x" };
        let first = Found { thing: thing.clone(), known: reader("\"other\"") }.into_response();
        assert_eq!(first.status(), 200);
        let tag = first.header("etag").unwrap().to_owned();
        let second = Found { thing, known: reader(&tag) }.into_response();
        assert_eq!((second.status().as_u16(), second.header("etag")), (304, Some(tag.as_str())));
        assert!(second.into_body().into_vec().await.unwrap().is_empty());
    }

    #[test]
    fn a_repeated_answer_says_so_and_is_the_same() {
        let made = |replayed| Created { thing: Versioned { version: 1, body: 5 }, replayed }.into_response();
        assert_eq!(made(false).header("idempotency-replayed"), None);
        assert_eq!(made(true).header("idempotency-replayed"), Some("true"));
        assert_eq!((made(true).status().as_u16(), made(true).header("etag")), (201, made(false).header("etag")));
        assert_eq!(Done { replayed: true }.into_response().header("idempotency-replayed"), Some("true"));
    }
}
