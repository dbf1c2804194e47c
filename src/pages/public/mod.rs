//! What visitors see.
//!
//! | file | what |
//! |---|---|
//! | `render.rs` | a page as HTML, whole and in fragments |
//! | `rendition.rs` | a rendering in every encoding, with its headers |
//! | `shelf.rs` | the renditions in memory: found, marked, bounded |
//! | `cache.rs` | [`Pages`]: answers before the router, hears of commits |
//! | `renderer.rs` | makes renditions, once for all who wait, and announces what changed |
//! | `live.rs` | the stream that keeps an open page up to date |
//!
//! The way of a change: the store's writer marks the page; from then on nobody is served the old one; the renderer, or whoever asks first, makes the
//! new one; its fragments that differ go to all who follow the page, in one frame.

mod cache;
pub mod live;
pub mod render;
mod renderer;
pub mod rendition;
mod shelf;

use bytes::Bytes;
use poem::web::Data;
use poem::{Request, Response, handler};

pub use cache::Pages;

use crate::web::Web;

/// `GET` and `HEAD /p/:slug`, where it is not answered from memory before the router.
#[handler]
pub(crate) async fn page(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let rendition = web.pages.fresh(request.raw_path_param("slug").unwrap_or_default()).await?;
    Ok(sent(rendition.answer(request.headers())))
}

/// An answer from memory as the router sends it.
pub(super) fn sent(answer: http::Response<Bytes>) -> Response {
    let (head, body) = answer.into_parts();
    let mut response = Response::builder().status(head.status).body(body);
    *response.headers_mut() = head.headers;
    response
}
