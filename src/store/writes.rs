//! What one command wants written, and reads through before it is.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::base::{LogEntry, LogKind, Scope};
use super::document::{Document, Row};
use super::{Committed, Signal};
use crate::error::Result;

/// A command's writes: an overlay over what is committed, thrown away whole if the command fails.
#[derive(Debug, Default, Clone)]
pub struct WriteSet {
    pub(crate) rows: BTreeMap<(Scope, u16, Uuid), (&'static str, Option<Row>)>,
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) signals: Vec<Signal>,
}

impl WriteSet {
    pub(crate) fn put<D: Document>(&mut self, scope: Scope, document: &D) -> Result<()> {
        self.rows.insert((scope, D::NUMBER, document.id().uuid()), (D::NAME, Some(Row::of(document)?)));
        Ok(())
    }

    pub(crate) fn delete<D: Document>(&mut self, scope: Scope, id: Uuid) {
        self.rows.insert((scope, D::NUMBER, id), (D::NAME, None));
    }

    /// The command's own word on a row: `None` = it has none, `Some(None)` = deleted.
    pub(crate) fn row(&self, scope: Scope, collection: u16, id: Uuid) -> Option<Option<&Row>> {
        self.rows.get(&(scope, collection, id)).map(|(_, row)| row.as_ref())
    }

    /// The command's own rows of one collection.
    pub(crate) fn collection(&self, scope: Scope, collection: u16) -> impl Iterator<Item = (Uuid, Option<&Row>)> {
        self.rows
            .range((scope, collection, Uuid::nil())..=(scope, collection, Uuid::max()))
            .map(|((_, _, id), (_, row))| (*id, row.as_ref()))
    }

    /// The highest number this command gave out in a log.
    pub(crate) fn head(&self, log: LogKind) -> Option<u64> {
        self.entries.iter().rev().find(|entry| entry.log() == log).map(LogEntry::seq)
    }

    pub(crate) fn append(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.signals.push(signal);
    }

    /// Whether there is nothing to make durable or to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.entries.is_empty() && self.signals.is_empty()
    }

    pub(crate) fn into_committed(self) -> Committed {
        Committed { entries: self.entries, signals: self.signals }
    }
}
