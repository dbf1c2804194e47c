//! What visitors see.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the routes: a page, led to where it has moved, and its logo |
//! | `render.rs` | a page as HTML, whole and in fragments |
//! | `rendition.rs` | a rendering in every encoding, with its headers |
//! | `shelf.rs` | the renditions in memory: found, marked, bounded |
//! | `cache.rs` | [`Pages`]: answers before the router, hears of commits |
//! | `renderer.rs` | makes renditions, once for all who wait, and announces what changed |
//! | `stale.rs` | what pages say while the store is away |
//! | `live.rs` | the stream that keeps an open page up to date |
//!
//! The way of a change: the store tells of the commit and the page is marked; from then on this process serves nobody the old one; the
//! renderer, or whoever asks first, makes the new one; its fragments that differ go to all who follow the page, in one frame.

mod cache;
pub mod live;
pub mod render;
mod renderer;
pub mod rendition;
mod shelf;
mod stale;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use poem::web::Data;
use poem::{Request, Response, handler};

pub use cache::Pages;

use crate::error::{Error, Result};
use crate::web::Web;

/// `GET` and `HEAD /p/:slug`, where it is not answered from memory before the router. An older word of the page's address leads to the present
/// one.
#[handler]
pub(crate) async fn page(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let slug = request.raw_path_param("slug").unwrap_or_default();
    let rendition = web.pages.fresh(slug).await?;
    if rendition.stamp.slug == slug { Ok(sent(rendition.answer(request.headers()))) } else { Ok(moved(web.0, &rendition.stamp.slug)?) }
}

/// For good, but not to be kept: the page may move again, and come back.
fn moved(web: &Web, slug: &str) -> Result<Response> {
    let location = HeaderValue::try_from(format!("{}/p/{slug}", web.base_url.path())).map_err(Error::internal)?;
    Ok(Response::builder().status(StatusCode::PERMANENT_REDIRECT).header(header::LOCATION, location).finish())
}

/// `GET /p/:slug/logo/:file`, the file being `{hash}.png`: what is at an address never changes.
#[handler]
pub(crate) async fn logo(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let [slug, file] = ["slug", "file"].map(|name| request.raw_path_param(name).unwrap_or_default());
    let png = web.pages.logo(slug, file.strip_suffix(".png").ok_or(Error::NotFound)?).await?;
    let kept = "public, max-age=31536000, immutable";
    Ok(Response::builder().content_type("image/png").header(header::CACHE_CONTROL, kept).body(png))
}

/// An answer from memory as the router sends it.
pub(super) fn sent(answer: http::Response<Bytes>) -> Response {
    let (head, body) = answer.into_parts();
    let mut response = Response::builder().status(head.status).body(body);
    *response.headers_mut() = head.headers;
    response
}
