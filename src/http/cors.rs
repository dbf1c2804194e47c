//! Front ends on other origins: `/api` and `/live` only, and only those the operator names.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
const REQUEST_HEADERS: &str = "content-type, authorization, idempotency-key, if-match, if-none-match, last-event-id";
const EXPOSED_HEADERS: &str = "etag, location, retry-after, x-request-id, idempotency-replayed";

/// Whether a path is made for programs: where front ends on other origins may go.
pub(super) fn is_for_programs(path: &str) -> bool {
    ["/api", "/live"].into_iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Lets named origins call the API with their visitors' cookies.
///
/// Belongs outside of whatever turns errors into answers, so that a front end can read those too.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Arc<[String]>,
}

impl Cors {
    /// `origins` are compared as they stand: scheme, host and port, no path, no wildcard.
    pub fn new(origins: Vec<String>) -> Self {
        Self { origins: origins.into() }
    }

    /// The origin of a request, if it is a named one.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// What a browser asks before it dares: 204 with what is allowed.
    fn preflight(origin: HeaderValue) -> Response {
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        grant(headers, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        response
    }
}

fn grant(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

impl<E: Endpoint> Middleware<E> for Cors {
    type Output = CorsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CorsEndpoint { inner, cors: self.clone() }
    }
}

/// An endpoint that named origins may call.
pub struct CorsEndpoint<E> {
    inner: E,
    cors: Cors,
}

impl<E: Endpoint> Endpoint for CorsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if self.cors.origins.is_empty() || !is_for_programs(request.uri().path()) {
            return self.inner.call(request).await.map(IntoResponse::into_response);
        }
        let origin = self.cors.allowed(request.headers());
        if let Some(origin) = &origin
            && request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Ok(Cors::preflight(origin.clone()));
        }
        let mut response = self.inner.call(request).await?.into_response();
        let headers = response.headers_mut();
        match origin {
            Some(origin) => {
                grant(headers, origin);
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
            }
            // A cache must not give this one to a front end that may read it.
            None => {
                headers.append(header::VARY, HeaderValue::from_static("origin"));
            }
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example.org";

    async fn ask(method: Method, path: &str, list: &[(&str, &str)]) -> Response {
        let endpoint = Cors::new(vec![APP.to_owned()]).transform(poem::endpoint::make_sync(|_| "data"));
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in list {
            request = request.header(*name, *value);
        }
        endpoint.get_response(request.finish()).await
    }

    #[tokio::test]
    async fn a_named_origin_may_read_answers() {
        let response = ask(Method::GET, "/api/services", &[("origin", APP)]).await;
        assert_eq!(response.header("access-control-allow-origin"), Some(APP));
        assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(response.header("access-control-expose-headers"), Some(EXPOSED_HEADERS));
        assert_eq!(response.header("vary"), Some("origin"));
    }

    #[tokio::test]
    async fn nobody_else_may() {
        for origin in ["https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org", "*"] {
            let response = ask(Method::GET, "/api/services", &[("origin", origin)]).await;
            assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(response.header("vary"), Some("origin"));
        }
    }

    #[tokio::test]
    async fn pages_are_not_for_other_origins() {
        for path in ["/", "/o/acme", "/apis", "/livestream", "/p/acme/live"] {
            assert_eq!(ask(Method::GET, path, &[("origin", APP)]).await.header("access-control-allow-origin"), None, "{path}");
        }
    }

    #[tokio::test]
    async fn a_preflight_is_answered_without_the_endpoint() {
        let response = ask(Method::OPTIONS, "/live/sse", &[("origin", APP), ("access-control-request-method", "GET")]).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.header("access-control-allow-methods"), Some(METHODS));
        assert_eq!(response.header("access-control-allow-headers"), Some(REQUEST_HEADERS));
        assert!(response.into_body().is_empty());

        let foreign =
            ask(Method::OPTIONS, "/live/sse", &[("origin", "https://evil.example"), ("access-control-request-method", "GET")]).await;
        assert_eq!(foreign.header("access-control-allow-methods"), None);
    }
}
