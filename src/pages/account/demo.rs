//! The demonstration's welcome, and its one door.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use crate::demo::Demo;
use crate::error::{Error, Result};
use crate::pages::answer::{caller, html, see_other, visit, welcome};
use crate::pages::shell::Shell;
use crate::web::Web;

/// What this is, and the way in.
#[derive(Template)]
#[template(path = "account/demo.html")]
struct DemoPage<'a> {
    shell: &'a Shell,
    organization: &'a str,
    slug: &'a str,
}

/// `GET /` of a demonstration, for who has not come in yet.
pub(super) fn front(web: &Web, demo: &Demo) -> Result<Response> {
    html(StatusCode::OK, &DemoPage { shell: web.pages.shell(), organization: &demo.organization, slug: &demo.slug })
}

/// `POST /demo`: a click signs the visitor in as the demonstration's admin. Anywhere else there is no such address.
#[handler]
pub(crate) async fn enter_demo(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let demo = web.demo.as_ref().ok_or(Error::NotFound)?;
    let admin_pages = format!("/o/{}", demo.slug);
    if caller(web.0, request.headers()).await?.is_some() {
        return Ok(see_other(web.0, &admin_pages)?);
    }
    let (from, origin) = visit(request);
    let signed_in = web.app.sign_in_demo(&demo.admin, from, origin).await?;
    Ok(welcome(web.0, &signed_in, &admin_pages)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(organization: &str, slug: &str) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        DemoPage { shell: &shell, organization, slug }.render().unwrap()
    }

    #[test]
    fn it_says_what_it_is_and_has_two_ways_on() {
        let html = page("Skerry Cloud", "skerry-cloud");
        assert!(html.contains("Skerry Cloud") && html.contains("This is a demonstration."));
        assert!(html.contains("<form method=\"post\" action=\"/status/demo\"") && html.contains("Open the admin</button>"));
        assert!(html.contains("href=\"/status/p/skerry-cloud\""));
    }

    #[test]
    fn names_stay_in_their_place() {
        for name in [EVIL.to_owned(), EVIL.repeat(500), "اسم ".repeat(50), String::new()] {
            let html = page(&name, &name);
            assert!(!html.contains("<script>") && !html.contains("=\"\">"), "{html}");
        }
    }
}
