//! The port: what an engine answers about what is committed.

use bytes::Bytes;
use uuid::Uuid;

use super::document::Parts;
use super::scan::Cursor;
use super::{postgres, redb};
use crate::domain::page::Page;
use crate::domain::public_event::PublicEvent;
use crate::domain::timeline;
use crate::error::Result;
use crate::id::Id;

/// Whose rows: an organization's, or nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub(crate) Uuid);

impl Scope {
    /// What belongs to no organization.
    pub const SYSTEM: Scope = Scope(Uuid::nil());
}

/// Which log: an organization's, with everything, or a page's, with what visitors may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// The organization's log: its timeline.
    Org(Uuid),
    /// A page's public log.
    Page(Uuid),
}

impl LogKind {
    /// The log's own id.
    pub fn uuid(self) -> Uuid {
        match self {
            LogKind::Org(id) | LogKind::Page(id) => id,
        }
    }

    /// Whether it is a page's.
    pub(in crate::store) fn is_page(self) -> bool {
        matches!(self, LogKind::Page(_))
    }
}

/// One numbered entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    log: LogKind,
    seq: u64,
    json: Bytes,
    services: Vec<Uuid>,
    lists: Vec<Uuid>,
}

impl LogEntry {
    /// An entry of an organization's log: the event as JSON, and the services whose own timelines show it.
    pub(crate) fn org(org: Uuid, seq: u64, json: Vec<u8>, services: Vec<Uuid>) -> Self {
        let lists = timeline::lists(&json);
        Self { log: LogKind::Org(org), seq, json: json.into(), services, lists }
    }

    /// An entry of a page's log. A page's log, and so a page's room, takes public events alone:
    ///
    /// ```
    /// use allclear::{domain::{page::Page, public_event::PublicEvent}, id::Id, store::LogEntry};
    /// fn announce(page: Id<Page>, event: &PublicEvent) -> LogEntry {
    ///     LogEntry::public(page, 1, event)
    /// }
    /// ```
    /// An organization's event, with its actor and what is private in it, does not go in:
    /// ```compile_fail,E0308
    /// use allclear::{domain::page::Page, event::Event, id::Id, store::LogEntry};
    /// fn announce(page: Id<Page>, event: &Event) -> LogEntry {
    ///     LogEntry::public(page, 1, event)
    /// }
    /// ```
    pub fn public(page: Id<Page>, seq: u64, event: &PublicEvent) -> Self {
        Self { log: LogKind::Page(page.uuid()), seq, json: event.to_json().to_string().into(), services: Vec::new(), lists: Vec::new() }
    }

    /// An entry as an engine has stored it; the lists that name it are known to the engine alone.
    pub(in crate::store) fn raw(log: LogKind, seq: u64, json: Vec<u8>, services: Vec<Uuid>) -> Self {
        Self { log, seq, json: json.into(), services, lists: Vec::new() }
    }

    /// Where it stands.
    pub fn log(&self) -> LogKind {
        self.log
    }

    /// Its number: 1, 2, 3 … without gaps.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The event as JSON, as clients get it.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The services whose own timelines show it (organization logs only).
    pub fn services(&self) -> &[Uuid] {
        &self.services
    }

    /// The lists that name it, beside those of its services: its type's, its actor's, its subject's (organization logs only).
    pub(crate) fn lists(&self) -> &[Uuid] {
        &self.lists
    }
}

/// A request for rows, as engines see it.
#[derive(Debug)]
pub(crate) struct RowQuery {
    /// Whose.
    pub scope: Scope,
    /// The collection's number.
    pub collection: u16,
    /// The index's number and the group; `None` = by id.
    pub index: Option<(u8, Parts)>,
    /// Backwards.
    pub newest: bool,
    /// Only what comes after this place in the order asked for.
    pub after: Option<Cursor>,
    /// At most this many.
    pub limit: usize,
}

/// Entries of a log with their numbers, and below which number to go on; `None` at the end.
pub(crate) type Listed = (Vec<(u64, Vec<u8>)>, Option<u64>);

/// Reading direction and bounds of a log.
#[derive(Debug, Clone, Copy)]
pub struct LogRange {
    /// Only numbers greater than this.
    pub after: u64,
    /// Only numbers less than this.
    pub before: u64,
    /// Highest first.
    pub newest: bool,
    /// At most this many.
    pub limit: usize,
}

/// What is committed, on one of the engines. `Copy`, so that a transaction and the views it lends share it.
#[derive(Clone, Copy)]
pub enum Base<'a> {
    /// Inside redb's writer: what was committed and what the batch's earlier commands wrote.
    RedbWrite(&'a redb::WriteTables<'a>),
    /// A redb snapshot.
    RedbRead(&'a redb::ReadTables),
    /// A transaction on PostgreSQL with what the batch's earlier commands want written, or a snapshot.
    Postgres(&'a postgres::Session),
}

macro_rules! each {
    ($self:ident, $tables:ident => $redb:expr, $session:ident => $postgres:expr) => {
        match $self {
            Base::RedbWrite($tables) => $redb,
            Base::RedbRead($tables) => $redb,
            Base::Postgres($session) => $postgres,
        }
    };
}

#[cfg(test)]
thread_local! {
    static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many rows and entries of logs this thread has read since it was asked last: tests hold that no page reads all there are.
#[cfg(test)]
pub(crate) fn read_since() -> usize {
    READ.take()
}

/// Counts what is read, in tests alone.
#[cfg(test)]
fn note(read: usize) {
    READ.set(READ.get() + read);
}
#[cfg(not(test))]
fn note(_: usize) {}

impl Base<'_> {
    /// Makes sure that nobody else writes to this until the transaction ends. Before anything of it is read; in a snapshot there is nothing to do.
    pub(crate) fn lock(self, scope: Scope) {
        match self {
            // Its one writer is alone with everything.
            Base::RedbWrite(_) | Base::RedbRead(_) => {}
            Base::Postgres(session) => session.lock(scope),
        }
    }

    /// One document.
    pub(crate) fn get(self, scope: Scope, collection: u16, id: Uuid) -> Result<Option<Vec<u8>>> {
        each!(self, tables => redb::get(&tables.rows, scope, collection, id), session => session.get(scope, collection, id))
            .inspect(|found| note(found.iter().len()))
    }

    /// Documents with their ids, in the order asked for.
    pub(crate) fn scan(self, query: &RowQuery) -> Result<Vec<(Uuid, Vec<u8>)>> {
        each!(self, tables => redb::scan(&tables.rows, &tables.index, query), session => session.scan(query))
            .inspect(|found| note(found.len()))
    }

    /// How many documents that are, up to the limit. None of them is read.
    pub(crate) fn count(self, query: &RowQuery) -> Result<usize> {
        each!(self, tables => redb::count(&tables.rows, &tables.index, query), session => session.count(query))
    }

    /// Places in an index of names where the text begins so. No document is read.
    pub(crate) fn names(self, query: &RowQuery, beginning: &str) -> Result<Vec<Cursor>> {
        each!(self, tables => redb::names(&tables.index, query, beginning), session => session.names(query, beginning))
    }

    /// The organizations that have something in this index, which has no groups and is sorted by a number, up to that number; in the order
    /// of their ids. No document is read, and what belongs to no organization is not among it.
    pub(crate) fn due(self, collection: u16, index: u8, until: i64, limit: usize) -> Result<Vec<Uuid>> {
        each!(self, tables => redb::due(&tables.index, collection, index, until, limit), session => session.due(collection, index, until, limit))
    }

    /// The number of the last entry of a log; 0 = none yet.
    pub(crate) fn head(self, log: LogKind) -> Result<u64> {
        each!(self, tables => redb::head(&tables.heads, log), session => session.head(log))
    }

    /// Entries of a log with their numbers.
    pub(crate) fn log(self, log: LogKind, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        each!(self, tables => redb::log(&tables.log, log, range), session => session.log(log, range)).inspect(|found| note(found.len()))
    }

    /// The entries of an organization's log that a service's timeline shows.
    pub(crate) fn service_log(self, org: Uuid, service: Uuid, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        each!(self, tables => redb::service_log(&tables.log, &tables.touches, org, service, range), session => session.service_log(org, service, range)).inspect(|found| note(found.len()))
    }

    /// The entries of an organization's log that stand in each of these lists, newest first, and below which number to go on.
    pub(crate) fn common_log(self, org: Uuid, lists: &[Uuid], before: u64, limit: usize) -> Result<Listed> {
        each!(self, tables => redb::common_log(&tables.log, &tables.touches, org, lists, before, limit), session => session.common_log(org, lists, before, limit))
            .inspect(|(found, _)| note(found.len()))
    }
}
