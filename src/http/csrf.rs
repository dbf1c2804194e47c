//! Keeping other sites from acting with a visitor's cookie (OWASP ASVS 5.0, 3.5 and 4.4.2).
//!
//! No tokens in forms: browsers say where a request comes from. `Sec-Fetch-Site`, if present, must be `same-origin` or `none`; else
//! `Origin`, if present, must match the host or the base URL; with neither it is no browser (curl, scripts), which no site can steer.

use http::{HeaderMap, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, error::ResponseError};

use super::{cors::is_for_programs, refuse::problem, request_id::RequestId};

/// A browser sent this on behalf of another site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request comes from another site")]
pub struct CrossSite {
    /// The request's name, for the answer; `None` from [`check`] and [`check_origin`], which see headers only.
    pub request_id: Option<RequestId>,
}

impl CrossSite {
    /// The same with the request's name.
    #[must_use]
    pub fn of(mut self, request: &Request) -> Self {
        self.request_id = request.data::<RequestId>().cloned();
        self
    }
}

impl ResponseError for CrossSite {
    fn status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn as_response(&self) -> Response {
        problem(self.status(), "cross-site", "The request comes from another site.", self.request_id.as_ref())
    }
}

/// Refuses an unsafe request that another site made.
///
/// `base_url_origin` is scheme, host and port of the base URL; `allowed` are further origins (`cors_origins`, where they apply).
///
/// # Errors
/// It comes from another site, or its headers contradict each other.
pub fn check(method: &Method, headers: &HeaderMap, base_url_origin: &str, allowed: &[String]) -> Result<(), CrossSite> {
    if method.is_safe() { Ok(()) } else { check_origin(headers, base_url_origin, allowed) }
}

/// The same whatever the method: for WebSockets, which begin with a GET and are not bound by CORS.
///
/// # Errors
/// As [`check`].
pub fn check_origin(headers: &HeaderMap, base_url_origin: &str, allowed: &[String]) -> Result<(), CrossSite> {
    const REFUSED: CrossSite = CrossSite { request_id: None };

    // A browser never adds a bearer token by itself, so a request with one is its sender's own.
    if has_bearer(headers) {
        return Ok(());
    }
    let site = only(headers, "sec-fetch-site").ok_or(REFUSED)?;
    let origin = only(headers, header::ORIGIN.as_str()).ok_or(REFUSED)?;

    let fine = match (site, origin) {
        (Some("same-origin" | "none"), _) | (None, None) => true,
        (Some(_), origin) => origin.is_some_and(|origin| is_listed(origin, allowed)),
        (None, Some(origin)) => {
            let host = only(headers, header::HOST.as_str()).ok_or(REFUSED)?;
            origin.eq_ignore_ascii_case(base_url_origin) || host.is_some_and(|host| names_host(origin, host)) || is_listed(origin, allowed)
        }
    };
    if fine { Ok(()) } else { Err(REFUSED) }
}

/// A header that may come once: `Some(None)` when absent, `None` when it comes twice or is not ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn has_bearer(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| {
        let (scheme, token) = value.as_bytes().split_at(value.len().min(7));
        scheme.eq_ignore_ascii_case(b"bearer ") && !token.trim_ascii().is_empty()
    })
}

fn is_listed(origin: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|entry| entry.eq_ignore_ascii_case(origin))
}

/// Whether an origin is that of this host. The scheme is left open: TLS may end at a proxy that says nothing about it.
fn names_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |name: &str| name.strip_suffix(default_port).unwrap_or(name).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

/// Applies [`check`] to every request. `cors_origins` are let through where [`Cors`](super::Cors) lets them read.
///
/// Belongs around the whole router: inside a nested one the path is a part only, and front ends are refused.
#[derive(Debug, Clone)]
pub struct Csrf {
    /// Scheme, host and port of the base URL, such as `https://status.example.com`.
    pub base_url_origin: String,
    /// Other front ends that may act for their signed-in visitors, on `/api` and `/live` only.
    pub cors_origins: Vec<String>,
}

impl<E: Endpoint> Middleware<E> for Csrf {
    type Output = CsrfEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CsrfEndpoint { inner, rule: self.clone() }
    }
}

/// An endpoint that other sites can't act on.
pub struct CsrfEndpoint<E> {
    inner: E,
    rule: Csrf,
}

impl<E: Endpoint> Endpoint for CsrfEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let allowed: &[String] = if is_for_programs(request.uri().path()) { &self.rule.cors_origins } else { &[] };
        if let Err(refused) = check(request.method(), request.headers(), &self.rule.base_url_origin, allowed) {
            // Not the path: there are one-time links among them.
            tracing::warn!(method = %request.method(), request_id = request.data::<RequestId>().map(RequestId::as_str), "refused a cross-site request");
            return Err(refused.of(&request).into());
        }
        self.inner.call(request).await.map(IntoResponse::into_response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const BASE: &str = "https://status.example.com";

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn post(list: &[(&str, &str)]) -> bool {
        check(&Method::POST, &headers(list), BASE, &[]).is_ok()
    }

    #[test]
    fn a_browser_on_our_own_page_may_write() {
        assert!(post(&[("sec-fetch-site", "same-origin"), ("origin", BASE)]));
        assert!(post(&[("sec-fetch-site", "none")]));
        assert!(post(&[("origin", BASE)]));
        assert!(post(&[("origin", "http://10.0.0.5:8080"), ("host", "10.0.0.5:8080")]));
        assert!(post(&[("origin", "https://Status.example.com"), ("host", "status.example.com:443")]));
    }

    #[test]
    fn another_site_may_not() {
        assert!(!post(&[("sec-fetch-site", "cross-site")]));
        assert!(!post(&[("sec-fetch-site", "same-site"), ("origin", BASE)]), "a sibling subdomain is another site");
        assert!(!post(&[("origin", "https://evil.example")]));
        assert!(!post(&[("origin", "null"), ("host", "status.example.com")]));
        assert!(!post(&[("origin", "https://status.example.com.evil.example"), ("host", "status.example.com")]));
        assert!(!post(&[("origin", "https://status.example.com:8443"), ("host", "status.example.com")]), "another port is another origin");
        assert!(!post(&[("origin", "file://status.example.com"), ("host", "status.example.com")]));
        assert!(!post(&[("origin", "https://"), ("host", "")]));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(!post(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
        assert!(!post(&[("origin", BASE), ("origin", "https://evil.example")]));
    }

    #[test]
    fn scripts_and_tokens_may() {
        assert!(post(&[]));
        assert!(post(&[("authorization", "Bearer abc"), ("sec-fetch-site", "cross-site")]));
        assert!(!post(&[("authorization", "Basic abc"), ("sec-fetch-site", "cross-site")]), "browsers do resend Basic");
        assert!(!post(&[("authorization", "Bearer "), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn reading_is_free_but_a_websocket_is_not_reading() {
        let foreign = headers(&[("origin", "https://evil.example"), ("host", "status.example.com")]);
        assert!(check(&Method::GET, &foreign, BASE, &[]).is_ok());
        assert!(check_origin(&foreign, BASE, &[]).is_err());
    }

    #[test]
    fn a_configured_front_end_may_write() {
        let allowed = ["https://app.example.org".to_owned()];
        for site in
            [&[("sec-fetch-site", "cross-site"), ("origin", "https://app.example.org")][..], &[("origin", "https://app.example.org")]]
        {
            assert!(check(&Method::POST, &headers(site), BASE, &allowed).is_ok());
            assert!(check(&Method::POST, &headers(site), BASE, &[]).is_err());
        }
    }

    #[tokio::test]
    async fn the_middleware_answers_with_a_problem_and_only_the_api_knows_front_ends() {
        let rule = Csrf { base_url_origin: BASE.to_owned(), cors_origins: vec!["https://app.example.org".to_owned()] };
        let endpoint = rule.transform(poem::endpoint::make_sync(|_| "done"));
        let request =
            |path: &str| Request::builder().method(Method::POST).uri_str(path).header("origin", "https://app.example.org").finish();
        let response = endpoint.get_response(request("/login")).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        let body: serde_json::Value = response.into_body().into_json().await.unwrap();
        assert_eq!(body["type"], "urn:allclear:problem:cross-site");

        assert_eq!(endpoint.get_response(request("/api/services")).await.status(), StatusCode::OK);
    }
}
