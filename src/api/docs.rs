//! The page that shows the document; it works offline, from embedded assets.

use askama::Template;
use poem::{Request, Response};

use super::problem;
use crate::error::Error;
use crate::http::RequestId;
use crate::pages::docs::DocsPage;
use crate::pages::shell::Shell;
use crate::web::Web;

/// The page at `/api/docs`.
pub fn docs(request: Request) -> Response {
    let id = request.data::<RequestId>();
    let Some(web) = request.data::<Web>() else { return problem::respond(&Error::internal("the router lacks its state"), id) };
    let shell = Shell { base_url: web.base_url.to_string() };
    match (DocsPage { shell: &shell }).render() {
        Ok(html) => Response::builder().content_type("text/html; charset=utf-8").body(html),
        Err(fault) => problem::respond(&Error::internal(fault), id),
    }
}
