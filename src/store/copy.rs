//! Moving to another engine: everything, as it is, from a file into an empty database.
//!
//! Rows are copied before logs, both in the order of their keys and some at a time, each part in one transaction together with how far it has come:
//! a copy that was interrupted goes on where it stopped. In the end both sides are counted and summed in the same order, and only if they agree is
//! the database released for use.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::base::{Base, LogEntry, LogKind, Scope};
use super::postgres::Import;
use super::redb::{Place, ReadTables, Redb, RowKey};
use super::{OpenError, Row, SystemView, WriteSet};
use crate::clock::Timestamp;
use crate::config::PostgresUrl;
use crate::domain::page::Page;
use crate::domain::{COLLECTIONS, Collection, purge, timeline};
use crate::error::{Error, Result};
use crate::store::Document;

/// How many rows or entries are copied in one transaction.
const PART: usize = if cfg!(test) { 20 } else { 500 };

/// What stands beside the documents and entries, as it is counted.
const LISTED: &str = "listed entries";
const LOGS: &str = "logs";

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// How many of each kind there are, on both sides: a collection's documents, entries of logs, lists that name them.
    pub counts: Vec<(String, u64)>,
    /// The sum of everything, the same on both sides.
    pub checksum: String,
    /// Whether it went on with one that had been interrupted.
    pub resumed: bool,
}

/// Why nothing, or not everything, was copied. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of both can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the database.
    #[error("{0} is not empty: a copy never writes over anything; name an empty database")]
    NotEmpty(String),
    /// What is being removed is neither there nor gone.
    #[error(
        "a deleted organization is still being removed from {0}: start the server on it until its log says that everything of it is erased, stop it \
         again, and then copy"
    )]
    BeingErased(String),
    /// A copy of something else was begun there.
    #[error(
        "{0} holds a copy that was begun from other data, or from this before it was changed; empty it (drop schema allclear, allclear_report \
         cascade) and begin again"
    )]
    Other(String),
    /// Both sides differ in the end.
    #[error("the copy is not the same as the original ({0}); it can't be used: empty the database and begin again")]
    Different(String),
    /// A disk or a network failed; what is copied is kept.
    #[error("the copy stopped: {0}; run the same command again, and it goes on from there")]
    Stopped(String),
}

impl CopyError {
    pub(super) fn stopped(error: &dyn std::fmt::Display) -> Self {
        Self::Stopped(error.to_string())
    }
}

/// How far a copy has come. Stands in the database until it is finished.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Progress {
    /// The sum of the original.
    pub(super) source: String,
    /// The last row copied.
    pub(super) row: Option<(Uuid, u16, Uuid)>,
    /// Whether that was the last of all.
    pub(super) rows_done: bool,
    /// The last entry copied.
    pub(super) entry: Option<(Uuid, u64)>,
}

/// Counts and sums, by kind. Both sides feed it in the same order: documents by organization and id, entries by log and number.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<String, (u64, Sha256)>);

impl Tally {
    fn add(&mut self, kind: &str, parts: &[&[u8]]) {
        let (count, sum) = self.0.entry(kind.to_owned()).or_default();
        *count += 1;
        for part in parts {
            sum.update((part.len() as u64).to_be_bytes());
            sum.update(part);
        }
    }

    /// A document. What it says counts, not how it is written: a database keeps the members of an object in an order of its own.
    pub(super) fn document(&mut self, collection: &str, org: Uuid, id: Uuid, doc: &[u8]) -> Result<()> {
        let value: serde_json::Value = serde_json::from_slice(doc).map_err(Error::internal)?;
        self.add(collection, &[org.as_bytes(), id.as_bytes(), value.to_string().as_bytes()]);
        Ok(())
    }

    pub(super) fn entry(&mut self, log: Uuid, seq: u64, json: &[u8], services: &[Uuid]) {
        let mut sorted: Vec<Uuid> = services.to_vec();
        sorted.sort_unstable();
        let services: Vec<u8> = sorted.iter().flat_map(|service| *service.as_bytes()).collect();
        self.add("log entries", &[log.as_bytes(), &seq.to_be_bytes(), json, &services]);
    }

    pub(super) fn touch(&mut self, org: Uuid, list: Uuid, seq: u64) {
        self.add(LISTED, &[org.as_bytes(), list.as_bytes(), &seq.to_be_bytes()]);
    }

    pub(super) fn head(&mut self, log: Uuid, seq: u64) {
        self.add(LOGS, &[log.as_bytes(), &seq.to_be_bytes()]);
    }

    fn counts(&self) -> Vec<(String, u64)> {
        self.0.iter().map(|(kind, (count, _))| (kind.clone(), *count)).collect()
    }

    fn sums(&self) -> BTreeMap<&str, (u64, String)> {
        self.0.iter().map(|(kind, (count, sum))| (kind.as_str(), (*count, hex(&sum.clone().finalize())))).collect()
    }

    fn checksum(&self) -> String {
        let mut sum = Sha256::new();
        for (kind, (count, of_kind)) in self.sums() {
            sum.update(format!("{kind} {count} {of_kind}\n"));
        }
        hex(&sum.finalize())
    }

    /// The kinds in which both differ.
    fn differs(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.sums(), other.sums());
        let kinds: HashSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
        let mut kinds: Vec<_> = kinds.into_iter().filter(|kind| ours.get(kind) != theirs.get(kind)).map(str::to_owned).collect();
        kinds.sort();
        kinds
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Copies everything in a file of the embedded engine into an empty database. `say` hears now and then how much is copied, of how much. A file that an
/// older program wrote is brought to the present schema first, as a server would.
///
/// # Errors
/// [`CopyError`].
pub fn copy(from: &Path, to: &PostgresUrl, mut say: impl FnMut(u64, u64)) -> Result<Copied, CopyError> {
    if !from.is_file() {
        let detail = "there is no such file".to_owned();
        return Err(OpenError::Failed { path: from.display().to_string(), detail }.into());
    }
    // Nobody follows: nothing is committed.
    let (source, _news) = Redb::open(Place::File(from.to_path_buf()), 256 << 20)?;
    let copied = source.read(|base| {
        let Base::RedbRead(tables) = base else { return Err(Error::internal("a file is read by snapshots")) };
        if purge::next(&SystemView::new(base, &WriteSet::default(), Timestamp::from_millis(0)))?.is_some() {
            return Ok(Err(CopyError::BeingErased(from.display().to_string())));
        }
        Ok(copy_snapshot(tables, source.epoch(), to, &mut say))
    });
    let copied = copied.map_err(|error| CopyError::stopped(&error))?;
    source.close();
    copied
}

fn copy_snapshot(tables: &ReadTables, epoch: &str, to: &PostgresUrl, say: &mut dyn FnMut(u64, u64)) -> Result<Copied, CopyError> {
    let stopped = |error: Error| CopyError::stopped(&error);
    let source = tally(tables).map_err(stopped)?;
    // Lists and heads come along with the entries.
    let copied = |kind: &str| kind != LISTED && kind != LOGS;
    let total = source.counts().iter().filter(|(kind, _)| copied(kind)).map(|(_, count)| count).sum();
    let checksum = source.checksum();
    let (mut import, resumed) = Import::begin(to, &checksum)?;
    let mut progress = import.progress().clone();
    let mut done = import.done()?;
    while !progress.rows_done {
        let part = tables.stored(progress.row.map(|(org, collection, id)| (Scope(org), collection, id)), PART).map_err(stopped)?;
        match part.last() {
            Some(((scope, collection, id), _)) => progress.row = Some((scope.0, *collection, *id)),
            None => progress.rows_done = true,
        }
        done += part.len() as u64;
        let rows = part.into_iter().map(refiled).collect::<Result<Vec<_>>>().map_err(stopped)?;
        import.rows(&rows, &progress)?;
        say(done, total);
    }
    let pages = pages(tables).map_err(stopped)?;
    let mut lists = Lists::default();
    loop {
        let part = tables.entries(progress.entry, PART).map_err(stopped)?;
        let Some((log, seq, _)) = part.last() else { break };
        progress.entry = Some((*log, *seq));
        let mut entries = Vec::with_capacity(part.len());
        for (log, seq, json) in part {
            entries.push(lists.entry(tables, &pages, log, seq, json).map_err(stopped)?);
        }
        done += entries.len() as u64;
        import.entries(&entries, &progress)?;
        say(done, total);
    }
    let copy = import.tally()?;
    let different = source.differs(&copy);
    if !different.is_empty() {
        return Err(CopyError::Different(different.join(", ")));
    }
    import.release(epoch)?;
    Ok(Copied { counts: source.counts(), checksum, resumed })
}

fn collection(number: u16) -> Result<&'static Collection> {
    let known = COLLECTIONS.iter().find(|collection| collection.number == number);
    known.ok_or_else(|| Error::internal(format!("the file holds documents of a collection {number} that this program does not know")))
}

/// A row as it is to be written, with its place.
fn refiled(((scope, number, id), doc): (RowKey, Vec<u8>)) -> Result<(u16, Uuid, Uuid, Row)> {
    let filed = (collection(number)?.refile)(&doc)?;
    // The document stays as it is, to the letter; only where it is filed is worked out anew.
    Ok((number, scope.0, id, Row { doc, filed: filed.filed }))
}

/// The logs that are pages'.
fn pages(tables: &ReadTables) -> Result<HashSet<Uuid>> {
    let (mut pages, mut last) = (HashSet::new(), None);
    loop {
        let part = tables.stored(last, PART)?;
        let Some((key, _)) = part.last() else { return Ok(pages) };
        last = Some(*key);
        pages.extend(part.into_iter().filter(|((_, number, _), _)| *number == Page::NUMBER).map(|((.., id), _)| id));
    }
}

/// Which lists the entries of an organization stand in; of one at a time.
#[derive(Default)]
struct Lists {
    org: Option<Uuid>,
    by_number: HashMap<u64, Vec<Uuid>>,
}

impl Lists {
    fn of(&mut self, tables: &ReadTables, org: Uuid, seq: u64) -> Result<Vec<Uuid>> {
        if self.org != Some(org) {
            self.by_number.clear();
            tables.touches(Some(org), |_, list, seq| self.by_number.entry(seq).or_default().push(list))?;
            self.org = Some(org);
        }
        Ok(self.by_number.get(&seq).cloned().unwrap_or_default())
    }

    /// The lists that an entry stands in but those that follow from itself: its services'.
    fn services(&mut self, tables: &ReadTables, log: Uuid, seq: u64, json: &[u8]) -> Result<Vec<Uuid>> {
        let own = timeline::lists(json);
        Ok(self.of(tables, log, seq)?.into_iter().filter(|list| !own.contains(list)).collect())
    }

    fn entry(&mut self, tables: &ReadTables, pages: &HashSet<Uuid>, log: Uuid, seq: u64, json: Vec<u8>) -> Result<LogEntry> {
        if pages.contains(&log) {
            return Ok(LogEntry::raw(LogKind::Page(log), seq, json, Vec::new()));
        }
        let services = self.services(tables, log, seq, &json)?;
        Ok(LogEntry::org(log, seq, json, services))
    }
}

/// Everything in the file.
fn tally(tables: &ReadTables) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut last = None;
    loop {
        let part = tables.stored(last, PART)?;
        let Some((key, _)) = part.last() else { break };
        last = Some(*key);
        for ((scope, number, id), doc) in part {
            tally.document(collection(number)?.name, scope.0, id, &doc)?;
        }
    }
    let pages = pages(tables)?;
    let (mut last, mut lists) = (None, Lists::default());
    loop {
        let part = tables.entries(last, PART)?;
        let Some((log, seq, _)) = part.last() else { break };
        last = Some((*log, *seq));
        for (log, seq, json) in part {
            let services = if pages.contains(&log) { Vec::new() } else { lists.services(tables, log, seq, &json)? };
            tally.entry(log, seq, &json, &services);
        }
    }
    tables.touches(None, |org, list, seq| tally.touch(org, list, seq))?;
    for (log, seq) in tables.heads()? {
        tally.head(log, seq);
    }
    Ok(tally)
}
