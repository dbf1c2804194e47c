//! Signing in and out.

use http::{StatusCode, header};
use poem::web::Data;
use poem::{Request, Response, handler};

use super::templates::LoginPage;
use crate::config::Registration;
use crate::pages::admin::told::Told;
use crate::pages::answer::{Refused, caller, html, see_other, visit, welcome};
use crate::pages::fields::Fields;
use crate::web::Web;

/// `GET /login`.
#[handler]
pub(crate) async fn login_form(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let query: Vec<(String, String)> = request.params().unwrap_or_default();
    let asked = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
    let next = asked("next");
    if caller(web.0, request.headers()).await?.is_some() {
        return Ok(see_other(web.0, destination(next))?);
    }
    // Nobody has a password for a demonstration: the way in is on its front page.
    if web.demo.is_some() {
        return Ok(see_other(web.0, "/")?);
    }
    let next = if is_ours(next) { next } else { "" };
    let told = Told::of(request, "/login").map(|told| told.text);
    // An invitation's page knows whom it is for. It is a value in the form and no more: nobody is signed in, or told anything, by it.
    let page = LoginPage::new(web.pages.shell(), next, asked("email"), &[]).telling(told).welcoming(is_open(web.0));
    Ok(html(StatusCode::OK, &page)?)
}

/// `POST /login`.
#[handler]
pub(crate) async fn log_in(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let (from, origin) = visit(request);
    let (email, next) = (fields.get("email"), fields.get("next"));
    let signed_in = match fields.only(&["email", "password", "next"]) {
        Ok(()) => web.app.sign_in(email, fields.get("password").to_owned(), from, origin).await,
        Err(error) => Err(error),
    };
    match signed_in {
        Ok(signed_in) => Ok(welcome(web.0, &signed_in, destination(next))?),
        Err(error) => {
            let refused = Refused::by_credentials(error)?;
            let next = if is_ours(next) { next } else { "" };
            Ok(refused.answer(&LoginPage::new(web.pages.shell(), next, email, &refused.errors).welcoming(is_open(web.0)))?)
        }
    }
}

/// `POST /logout`. Who is not signed in is no less welcome to leave, and whatever else the form has: its `next` says where to go then.
#[handler]
pub(crate) async fn log_out(web: Data<&Web>, request: &Request, fields: Option<Fields>) -> poem::Result<Response> {
    if let Some(caller) = caller(web.0, request.headers()).await? {
        web.app.sign_out(caller).await?;
    }
    let next = fields.as_ref().map_or("", |fields| fields.get("next"));
    let mut response = see_other(web.0, if is_ours(next) { next } else { "/login" })?;
    response.headers_mut().insert(header::SET_COOKIE, web.cookie.clear());
    Ok(response)
}

/// Whether anyone may make an account.
fn is_open(web: &Web) -> bool {
    matches!(web.app.registration(), Registration::Open)
}

/// Where to go after signing in.
fn destination(next: &str) -> &str {
    if is_ours(next) { next } else { "/" }
}

/// Whether this is a path on this site and nothing that a browser reads as another one: not `//host`, nor `/\host`, nor either of them with
/// blanks in between that browsers leave out.
fn is_ours(next: &str) -> bool {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && next.len() <= 1_000 && next.starts_with('/') && !next.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in ["/", "/o/acme", "/o/acme/incidents?status=open&q=a%20b#latest"] {
            assert_eq!(destination(ours), ours);
        }
        for foreign in [
            "",
            "o/acme",
            "//example.org",
            "/\\example.org",
            "\\/example.org",
            "https://example.org",
            "javascript:alert(1)",
            "/\t/example.org",
            "/\r\nset-cookie: a=b",
            "/ö",
        ] {
            assert_eq!(destination(foreign), "/", "{foreign:?}");
        }
        assert_eq!(destination(&format!("/{}", "x".repeat(1_000))), "/");
    }
}
