//! The stream that keeps an open page up to date: fragments of HTML that htmx morphs in.
//!
//! It begins with all of them if the page is behind (loaded from an old cache, slept through something), and goes on with those that change.
//! They are rendered and encoded once, however many follow.

use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::StreamExt;
use poem::web::Data;
use poem::{Body, Request, Response, handler};

use super::render::{self, Fragment};
use super::rendition::Stamp;
use crate::domain::page::Page;
use crate::error::Result;
use crate::id::Id;
use crate::live::Room;
use crate::live::frame::{self as frames, Frame};
use crate::live::sse::EventStream;
use crate::web::Web;

/// `GET /p/:slug/live?after=…`, or with a `Last-Event-ID`. No cookie is looked at: everyone gets the same. An older word of the page's address
/// serves as well as the present one: pages that are open keep the address that they were loaded from.
#[handler]
pub(crate) async fn stream(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    Ok(follow(web.0, request).await?)
}

/// An event without content: scripts can't see comments, and the page must notice a line that died without a word.
static ALIVE: LazyLock<Bytes> = LazyLock::new(|| frames::message(None, Some("alive"), ""));

async fn follow(web: &Web, request: &Request) -> Result<Response> {
    let held = web.pages.hold(request.raw_path_param("slug").unwrap_or_default()).await?;
    // Joined before it is looked where the page stands, so that nothing falls between the two; what is told twice is left out by its number.
    let (mut connection, receiver) = web.hub.connect(None);
    connection.join(Room::Fragments(held.page));
    let seen = position(request);
    let rendition = web.pages.rendition_for(&held, &seen).await?;

    let is_behind = !rendition.is_seen_at(&seen);
    let opening = frames::opening(if is_behind { None } else { Some(&rendition.stamp.at) });
    let mut events = EventStream::new(&web.shutdown, connection, receiver, opening, rendition.stamp.number).alive_by(ALIVE.clone());
    if is_behind {
        events = events.then(rendition.told());
    }
    let mut response = events.into_response();
    // For as long as someone follows the page it is marked when it changes, and rendered, even if others have taken its place in memory.
    let messages = response.take_body().into_bytes_stream().inspect(move |_| {
        let _stays = &held;
    });
    response.set_body(Body::from_bytes_stream(messages));
    Ok(response)
}

/// Where the client stands. Its last event counts more than the address: htmx repeats that as it was when the page was loaded.
fn position(request: &Request) -> String {
    let last = request.header("last-event-id").filter(|id| !id.is_empty());
    let query = || -> Vec<(String, String)> { request.params().unwrap_or_default() };
    last.map(str::to_owned).or_else(|| query().into_iter().find(|(name, _)| name == "after").map(|(_, after)| after)).unwrap_or_default()
}

/// What all who follow the page are sent at once. The frame's number is the rendition's, for midnight changes a page without a word in its log.
pub(super) fn frame<'a>(page: Id<Page>, stamp: &Stamp, fragments: impl IntoIterator<Item = &'a Fragment>) -> Frame {
    Frame::fragments(page, stamp.number, message(stamp, fragments))
}

/// What all who are behind are sent: everything, encoded once.
pub(super) fn message<'a>(stamp: &Stamp, fragments: impl IntoIterator<Item = &'a Fragment>) -> Bytes {
    frames::message(Some(&stamp.at), None, &render::frame(fragments))
}

#[cfg(test)]
mod tests {
    use super::super::rendition::tests::rendition;
    use super::*;

    fn asking(uri: &str, last_event_id: Option<&str>) -> Request {
        let request = Request::builder().uri_str(uri);
        match last_event_id {
            Some(id) => request.header("last-event-id", id).finish(),
            None => request.finish(),
        }
    }

    #[test]
    fn the_last_event_counts_more_than_the_address() {
        assert_eq!(position(&asking("/p/acme/live?after=e:1.7", None)), "e:1.7");
        assert_eq!(position(&asking("/p/acme/live?after=e:1.7", Some("e:2.7"))), "e:2.7");
        assert_eq!(position(&asking("/p/acme/live?after=e%3A1.7&x=y", Some(""))), "e:1.7");
        assert_eq!(position(&asking("/p/acme/live", None)), "");
    }

    #[test]
    fn a_frame_is_one_unnamed_message_of_partials() {
        let rendition = rendition(7, "two\nlines");
        let frame = frame(Id::from_u128(1), &rendition.stamp, &rendition.fragments);
        let text = String::from_utf8(frame.sse().to_vec()).unwrap();
        assert_eq!((frame.seq(), frame.room()), (7, Room::Fragments(Id::from_u128(1))));
        assert!(text.starts_with("id: epoch:7.2026-03-01\ndata: <hx-partial hx-target=\"#banner\""), "{text}");
        assert!(text.contains("two\ndata: lines") && text.ends_with("\n\n") && !text.contains("event:"), "{text}");
    }
}
