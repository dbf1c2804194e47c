//! What a client missed: read from the log in bounded chunks, each in a snapshot of its own.
//!
//! Whoever resumes has joined its rooms before. The last chunk reaches the end of the log as it then stands; what is announced later waits in
//! the queue, and what is in both is dropped there by its number.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use super::access::{Door, Visitor};
use super::hub::Room;
use super::protocol::EventId;
use crate::access::{Actor, Read};
use crate::app::App;
use crate::domain::organization::OrgId;
use crate::domain::page::Page;
use crate::domain::public::Public;
use crate::domain::public_event;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::{LogKind, LogRange, OrgView};

/// The most events that are told again; who missed more loads the state anew, which costs both sides less.
const MISSED_MAX: u64 = 1_000;

/// How many entries are read at once.
const CHUNK: usize = 100;

/// A log to read the past from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// An organization's, as one of its members.
    Org {
        actor: Actor,
        org: OrgId,
        /// Only what these services' timelines show; everything with `None`.
        services: Option<Vec<Uuid>>,
    },
    /// A page's.
    Page { org: OrgId, page: Id<Page> },
}

/// Where a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the head, with nothing before it.
    At(u64),
    /// With what comes after this number.
    After(u64),
    /// At the head, the past being out of reach.
    Reset(u64),
}

impl Begin {
    /// After which number events follow.
    pub(super) fn position(self) -> u64 {
        match self {
            Begin::At(seq) | Begin::After(seq) | Begin::Reset(seq) => seq,
        }
    }
}

/// A part of the past.
#[derive(Debug, PartialEq, Eq)]
struct Chunk {
    /// With their numbers, in order.
    events: Vec<(u64, Bytes)>,
    /// Up to which number everything is told.
    position: u64,
    /// Whether that is the end of the log as it stood.
    complete: bool,
}

impl Source {
    /// The log behind these rooms.
    ///
    /// # Errors
    /// `Invalid` for rooms that share no numbering: those of several organizations, or a page with anything else.
    pub(super) fn of(visitor: &Visitor, doors: &[Door]) -> Result<Self> {
        let mixed = || Error::invalid("room", "must name rooms of one organization, or one page");
        let first = doors.first().ok_or_else(mixed)?;
        if let Room::Page(page) | Room::Fragments(page) = first.room {
            return if doors.len() == 1 { Ok(Source::Page { org: first.org, page }) } else { Err(mixed()) };
        }
        let mut services = Some(Vec::new());
        for door in doors {
            match door.room {
                Room::Org(org) if org == first.org => services = None,
                Room::Service(org, service) if org == first.org => {
                    if let Some(services) = &mut services {
                        services.push(service.uuid());
                    }
                }
                _ => return Err(mixed()),
            }
        }
        let actor = visitor.member.as_ref().ok_or(Error::Unauthenticated)?.actor.clone();
        Ok(Source::Org { actor, org: first.org, services })
    }

    /// Where a client begins that has seen everything up to `after`.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn begin(&self, app: &App, after: Option<&str>) -> Result<Begin> {
        // A position of another epoch is as unreadable as one that is no position at all.
        let after = after.map(|text| EventId::parse(text).filter(|id| id.epoch == app.epoch()).map(|id| id.seq));
        match self.clone() {
            Source::Org { actor, org, services } => {
                app.read(actor, org, move |view: &OrgView<'_, Read>| {
                    let head = view.head(LogKind::Org(org.uuid()))?;
                    weigh(head, after, |seq| match &services {
                        None => Ok(true),
                        Some(services) => misses_too_many(view, services, seq),
                    })
                })
                .await
            }
            Source::Page { org, page } => {
                app.read_public(org, move |view| {
                    // The room is joined by now: whatever shut the page before this look is seen here, and what does later closes the room.
                    view.page(page)?;
                    weigh(view.head(LogKind::Page(page.uuid()))?, after, |_| Ok(true))
                })
                .await
            }
        }
    }

    /// Tells again what comes after this number.
    pub(super) fn replay(self, app: &App, after: u64) -> Replay {
        Replay { app: app.clone(), source: self, ready: Vec::new().into_iter(), position: after, complete: false }
    }

    async fn chunk(&self, app: &App, after: u64) -> Result<Chunk> {
        match self.clone() {
            Source::Org { actor, org, services } => {
                app.read(actor, org, move |view: &OrgView<'_, Read>| {
                    let range = chunk_after(after);
                    let logs = match services {
                        None => vec![view.log(None, range)?],
                        Some(services) => services.into_iter().map(|service| view.log(Some(service), range)).collect::<Result<_>>()?,
                    };
                    Ok(merge(logs, view.head(LogKind::Org(org.uuid()))?))
                })
                .await
            }
            Source::Page { org, page } => app.read_public(org, move |view| public_chunk(view, page, after)).await,
        }
    }
}

fn chunk_after(after: u64) -> LogRange {
    LogRange { after, before: u64::MAX, newest: false, limit: CHUNK }
}

/// `after` is `None` without a position, and `Some(None)` with one that can't be read. `too_many` is asked when more numbers than allowed lie
/// between the position and the head: of a service's log, most of them may be others'.
fn weigh(head: u64, after: Option<Option<u64>>, too_many: impl FnOnce(u64) -> Result<bool>) -> Result<Begin> {
    match after {
        None => Ok(Begin::At(head)),
        Some(Some(seq)) if seq <= head && (head - seq <= MISSED_MAX || !too_many(seq)?) => Ok(Begin::After(seq)),
        Some(_) => Ok(Begin::Reset(head)),
    }
}

fn misses_too_many(view: &OrgView<'_, Read>, services: &[Uuid], after: u64) -> Result<bool> {
    let limit = usize::try_from(MISSED_MAX).unwrap_or(usize::MAX).saturating_add(1);
    let mut missed = BTreeSet::new();
    for service in services {
        let log = view.log(Some(*service), LogRange { limit, ..chunk_after(after) })?;
        missed.extend(log.into_iter().map(|(seq, _)| seq));
        if missed.len() >= limit {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Several services' parts of one log as one part, each event once.
fn merge(logs: Vec<Vec<(u64, Vec<u8>)>>, head: u64) -> Chunk {
    // A log that filled its part goes on right after: beyond its last number, nothing of the others may be told yet.
    let cut = logs.iter().filter(|log| log.len() >= CHUNK).filter_map(|log| log.last()).map(|(seq, _)| *seq).min();
    let position = cut.unwrap_or(head);
    let events: BTreeMap<u64, Vec<u8>> = logs.into_iter().flatten().filter(|(seq, _)| *seq <= position).collect();
    Chunk { events: events.into_iter().map(|(seq, json)| (seq, json.into())).collect(), position, complete: cut.is_none() }
}

/// What a page's log holds, as far as it may be shown now.
fn public_chunk(view: &OrgView<'_, Public>, page: Id<Page>, after: u64) -> Result<Chunk> {
    let entries = view.page_log(page.uuid(), chunk_after(after))?;
    let cut = entries.last().filter(|_| entries.len() >= CHUNK).map(|(seq, _)| *seq);
    let position = match cut {
        Some(seq) => seq,
        None => view.head(LogKind::Page(page.uuid()))?,
    };
    let mut events = Vec::with_capacity(entries.len());
    for (seq, json) in entries {
        let event: Value = serde_json::from_slice(&json).map_err(Error::internal)?;
        if let Some(event) = public_event::revisit(view, event)? {
            events.push((seq, event.to_string().into()));
        }
    }
    Ok(Chunk { events, position, complete: cut.is_none() })
}

/// The past, event by event.
pub(super) struct Replay {
    app: App,
    source: Source,
    ready: std::vec::IntoIter<(u64, Bytes)>,
    position: u64,
    complete: bool,
}

impl Replay {
    /// The next event with its number; `None` when the end of the log is reached. Dropping the future loses nothing that was read.
    ///
    /// # Errors
    /// What the store says; `NotFound` when the caller may not see it any more.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        loop {
            if let Some(event) = self.ready.next() {
                return Ok(Some(event));
            }
            if self.complete {
                return Ok(None);
            }
            let chunk = self.source.chunk(&self.app, self.position).await?;
            self.ready = chunk.events.into_iter();
            self.position = chunk.position;
            self.complete = chunk.complete;
        }
    }

    /// Up to which number the log was read. Once there is no next event, everything up to there is told.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, Vec<u8>)> {
        numbers.into_iter().map(|seq| (seq, seq.to_string().into_bytes())).collect()
    }

    fn numbers(chunk: &Chunk) -> Vec<u64> {
        chunk.events.iter().map(|(seq, _)| *seq).collect()
    }

    #[test]
    fn an_event_of_two_services_is_told_once_and_in_its_place() {
        let chunk = merge(vec![log([2, 5]), log([1, 5, 7])], 9);
        assert_eq!(numbers(&chunk), [1, 2, 5, 7]);
        assert_eq!((chunk.position, chunk.complete), (9, true));
    }

    #[test]
    fn a_full_part_holds_the_others_back() {
        let full = CHUNK as u64 * 2;
        let chunk = merge(vec![log((2..=full).step_by(2)), log([1, full - 1, full + 1])], full * 10);
        assert_eq!(chunk.events.len(), CHUNK + 2);
        assert_eq!(numbers(&chunk).last(), Some(&full), "what comes later may lie between entries not read yet");
        assert!(numbers(&chunk).is_sorted());
        assert_eq!((chunk.position, chunk.complete), (full, false));
    }

    #[test]
    fn an_empty_log_is_told_at_once() {
        assert_eq!(merge(vec![log([])], 4), Chunk { events: Vec::new(), position: 4, complete: true });
    }

    fn refused(_: u64) -> Result<bool> {
        Ok(true)
    }

    fn never(seq: u64) -> Result<bool> {
        panic!("{seq} is not worth a look")
    }

    #[test]
    fn where_a_client_begins() {
        let far = 5_000;
        assert_eq!(weigh(far, None, never), Ok(Begin::At(far)));
        assert_eq!(weigh(far, Some(Some(far)), never), Ok(Begin::After(far)));
        assert_eq!(weigh(far, Some(Some(far - MISSED_MAX)), never), Ok(Begin::After(far - MISSED_MAX)));
        assert_eq!(weigh(far, Some(Some(far - MISSED_MAX - 1)), refused), Ok(Begin::Reset(far)));
        assert_eq!(weigh(far, Some(Some(far - MISSED_MAX - 1)), |_| Ok(false)), Ok(Begin::After(far - MISSED_MAX - 1)));
        assert_eq!(weigh(far, Some(Some(far + 1)), never), Ok(Begin::Reset(far)), "a number that is not given out yet");
        assert_eq!(weigh(far, Some(None), never), Ok(Begin::Reset(far)));
    }
}
