//! Errors as pages: what a browser gets where a program gets problem+json.

use askama::Template;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use serde::Deserialize;

use super::account::templates::ErrorPage;
use crate::http::RequestId;
use crate::web::Web;

/// What the page takes from a problem document.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    detail: String,
}

/// Whether this request comes from someone who reads pages: `text/html` is asked for by name, and JSON not more.
///
/// `*/*` is what programs send, so it asks for no page.
pub fn wants_html(request: &Request) -> bool {
    let page = weight(request.headers(), &["text/html", "application/xhtml+xml"]);
    page > 0 && page >= weight(request.headers(), &["application/json", "application/problem+json"])
}

/// The path where someone who isn't signed in can do so, and then see the page that they asked for; none for what is no page of a person's own.
pub(crate) fn way_in(request: &Request) -> Option<String> {
    let path = request.uri().path();
    let is_own =
        ["/o/", "/instance/"].iter().any(|below| path.starts_with(below)) || ["/account", "/organizations", "/instance"].contains(&path);
    if request.method() != Method::GET || !is_own {
        return None;
    }
    let next = request.uri().path_and_query().map_or(path, |whole| whole.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    Some(format!("/login?{query}"))
}

/// How much one of these media types is wanted, in thousandths (RFC 9110, 12.5.1).
fn weight(headers: &HeaderMap, kinds: &[&str]) -> u16 {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?;
            let is_named = kinds.iter().any(|known| known.eq_ignore_ascii_case(kind));
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            is_named.then(|| quality.map_or(1_000, thousandths))
        })
        .max()
        .unwrap_or(0)
}

fn thousandths(quality: &str) -> u16 {
    match quality.split_once('.').unwrap_or((quality, "")) {
        ("0", fraction) => {
            fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u16::from(digit.wrapping_sub(b'0').min(9)))
        }
        _ => 1_000,
    }
}

/// A problem document's answer as a page, with its status and headers (when to come back, what would be allowed).
pub async fn error_page(web: &Web, mut problem: Response, id: Option<&RequestId>) -> Response {
    let body = problem.take_body().into_bytes().await.unwrap_or_default();
    let told: Told = serde_json::from_slice(&body).unwrap_or_default();
    let (title, advice) = words(problem.status());
    let page = ErrorPage {
        shell: web.pages.shell(),
        status: problem.status().as_u16(),
        title,
        detail: advice.unwrap_or(&told.detail),
        request_id: id.map_or("", RequestId::as_str),
    };
    // A template that can't be rendered leaves the words.
    let html = page.render().unwrap_or_else(|_| title.to_owned());
    problem.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    problem.headers_mut().remove(header::CONTENT_LENGTH);
    problem.set_body(html);
    problem
}

/// The title, and what to do about it where the problem itself speaks to programs.
fn words(status: StatusCode) -> (&'static str, Option<&'static str>) {
    match status {
        StatusCode::UNAUTHORIZED => ("Not signed in", Some("This page is for people with an account. Sign in, then open it again.")),
        StatusCode::FORBIDDEN => ("Not allowed", None),
        StatusCode::NOT_FOUND => {
            ("Not found", Some("There is nothing at this address. It may have been mistyped, or what was here is gone."))
        }
        StatusCode::METHOD_NOT_ALLOWED => ("Not possible", Some("This address can't be used in that way. Go back and try another way.")),
        StatusCode::CONFLICT => ("Not possible", None),
        StatusCode::PAYLOAD_TOO_LARGE => ("Too large", Some("What was sent is larger than is taken here. Go back and send less.")),
        StatusCode::TOO_MANY_REQUESTS => ("Too many attempts", Some("Wait a little, then go back and try again.")),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Not available", Some("This can't be done at the moment. Wait a little, then go back and try again."))
        }
        status if status.is_server_error() => (
            "Something went wrong",
            Some("The fault is on our side. Go back and try again; if it stays, tell whoever runs this instance the request id below."),
        ),
        _ => ("Not possible", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::shell::Shell;

    fn wants(accept: &str) -> bool {
        wants_html(&Request::builder().header(header::ACCEPT, accept).finish())
    }

    #[test]
    fn browsers_get_pages() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/json",
            "application/json;q=0.5, text/html;q=0.6",
            "TEXT/HTML",
            "text/html;level=1;q=0.1",
        ] {
            assert!(wants(browser), "{browser}");
        }
    }

    #[test]
    fn programs_get_problems() {
        for program in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
            "text/html;q=0",
            "text/html;q=0.000",
            "text/*",
            "text/event-stream",
            "application/problem+json, */*",
        ] {
            assert!(!wants(program), "{program}");
        }
        assert!(!wants_html(&Request::builder().finish()));
    }

    fn page(status: u16, detail: &str) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let (title, advice) = words(StatusCode::from_u16(status).unwrap());
        let page = ErrorPage { shell: &shell, status, title, detail: advice.unwrap_or(detail), request_id: "r-1" };
        page.render().unwrap()
    }

    #[test]
    fn every_error_says_what_to_do_and_leads_on() {
        for status in [401, 403, 404, 405, 409, 413, 429, 500, 503] {
            let html = page(status, "This needs the role editor.");
            assert!(html.contains("href=\"/status/\"") && html.contains(&format!("{status} · Request id: <code>r-1</code>")), "{html}");
            assert_eq!(html.contains("href=\"/status/login\""), status == 401, "{status}");
            let (_, advice) = words(StatusCode::from_u16(status).unwrap());
            let says = advice.unwrap_or("This needs the role editor.").replace('\'', "&#39;");
            assert!(html.contains(&says), "{status}: {html}");
        }
    }

    #[test]
    fn long_and_hostile_details_stay_in_their_place() {
        for detail in ["<script>alert(1)</script>".repeat(200), "\"><img src=x>".into(), "كلمة ".repeat(100)] {
            let html = page(409, &detail);
            assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
        }
    }
}
