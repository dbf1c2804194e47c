//! The timeline as a file: all entries that pass the filters, however many.
//!
//! Read and sent a piece at a time, each in a short read of its own, and only as fast as the client takes them: nothing waits in memory, and a client
//! that goes away stops the reading, since nobody asks for the next piece. Entries are never changed, and those that come meanwhile are newer than
//! where the file began: it has no gaps and nothing twice.

use std::future;
use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header;
use poem::{Body, Request, Response, handler};

use super::filters::{Asked, Filters};
use super::table;
use crate::access::{Actor, Read};
use crate::api::dto::TimelineEntry;
use crate::app::App;
use crate::domain::organization::OrgId;
use crate::domain::timeline;
use crate::error::{Error, Result};
use crate::pages::admin::desk::{Desk, attachment};
use crate::store::OrgView;

/// How many entries are read at once.
const PIECE: usize = 200;

/// `GET /o/:org/timeline.jsonl`: a line for each entry, as the API has it.
#[handler]
pub(crate) async fn json_lines(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(export(&desk, request, Format::JsonLines).await?)
}

/// `GET /o/:org/timeline.csv`.
#[handler]
pub(crate) async fn csv(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(export(&desk, request, Format::Csv).await?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    JsonLines,
    Csv,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::JsonLines => "application/x-ndjson; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// What comes before the first entry.
    fn head(self) -> Result<Vec<u8>> {
        match self {
            Format::JsonLines => Ok(Vec::new()),
            Format::Csv => table::head(),
        }
    }

    fn lines(self, entries: &[TimelineEntry]) -> Result<Vec<u8>> {
        match self {
            Format::Csv => table::rows(entries),
            Format::JsonLines => {
                let mut lines = Vec::new();
                for entry in entries {
                    serde_json::to_writer(&mut lines, entry).map_err(Error::internal)?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

async fn export(desk: &Desk, request: &Request, format: Format) -> Result<Response> {
    let app = desk.web.app.clone();
    let date = app.clock().now().jiff().strftime("%Y-%m-%d").to_string();
    let name = format!("{}-timeline-{date}.{}", desk.slug, format.extension());
    let mut walk = Walk { app, actor: desk.caller.actor(), org: desk.org, asked: Filters::of(request).parse()?, format, is_over: false };
    // What can be refused is refused now: once the file has begun, all that can be said is that it is broken off.
    let mut first = format.head()?;
    if let Some(piece) = walk.next().await? {
        first.extend_from_slice(&piece);
    }
    tracing::info!(user = %desk.caller.user.id, org = %desk.org, format = format.extension(), filters = ?walk.asked, "timeline exported");
    let rest = stream::try_unfold(walk, |mut walk| async move {
        match walk.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, walk))),
            Err(error) => {
                tracing::warn!(%error, "an export of the timeline was broken off");
                Err(io::Error::other(error))
            }
        }
    });
    let file = stream::once(future::ready(Ok::<Bytes, io::Error>(first.into()))).chain(rest);
    let response = Response::builder().content_type(format.media_type()).header(header::CONTENT_DISPOSITION, attachment(&name)?);
    Ok(response.body(Body::from_bytes_stream(file)))
}

/// The way through the timeline, newest entry first.
struct Walk {
    app: App,
    actor: Actor,
    org: OrgId,
    asked: Asked,
    format: Format,
    is_over: bool,
}

impl Walk {
    /// The next lines; `None` at the end. Whether the person still belongs to the organization is looked at each time.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.is_over {
            let asked = self.asked.clone();
            let read = move |view: &OrgView<'_, Read>| timeline::read(view, asked.service, &asked.filter, asked.before, PIECE);
            let entries = self.app.read(self.actor.clone(), self.org, read).await?;
            self.asked.before = entries.next_before;
            self.is_over = entries.next_before.is_none();
            // A strict filter may let nothing of a stretch pass.
            if !entries.items.is_empty() {
                let epoch = self.app.epoch();
                let entries = entries.items.into_iter().map(|entry| TimelineEntry::of(epoch, entry)).collect::<Result<Vec<_>>>()?;
                return self.format.lines(&entries).map(|lines| Some(lines.into()));
            }
        }
        Ok(None)
    }
}
