//! One transaction, or one snapshot, as the domain reads through it: synchronous, on a thread that may wait.
//!
//! In a transaction several commands follow each other, and nothing is written until the last of them has run: what the earlier ones want
//! written is laid over what the database says.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deadpool_postgres::Object;
use futures_util::FutureExt;
use futures_util::future::join;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::super::base::{Listed, LogKind, LogRange, RowQuery, Scope};
use super::super::document::{Part, PartKind, Parts};
use super::super::scan::Cursor;
use super::super::writes::WriteSet;
use super::super::{SCHEMA, unavailable};
use super::sql::{self, Column, Table};
use super::write::{Write, send, statements, stored};
use super::{Pools, REPLY};
use crate::error::{Error, Result};

/// How many entries of a list [`Session::common_log`] looks at, at most.
const LOOKS: usize = 2_000;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A snapshot: it begins with the first question.
    View,
    /// A transaction that writes. READ COMMITTED, so that whoever has waited for the lock sees what was committed meanwhile.
    Change,
}

/// Rows of an answer, with their places.
type Found = Vec<(Cursor, Vec<u8>)>;

/// Rows by where they stand; `None` for what is not there.
type Known = HashMap<(Scope, u16, Uuid), Option<Vec<u8>>>;

/// What earlier commands say of a row: where it is now, or that it is not there.
type Own = (Uuid, Option<(Cursor, Vec<u8>)>);

/// A question that was asked before in the same transaction.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    collection: u16,
    scope: Scope,
    index: Option<(u8, Parts)>,
    newest: bool,
    after: Option<(Parts, Uuid)>,
}

/// A connection in the middle of something.
pub struct Session {
    pools: Arc<Pools>,
    mode: Mode,
    connection: RefCell<Option<Object>>,
    /// Whether the database is in the middle of a transaction on this connection.
    begun: Cell<bool>,
    /// A statement failed, or the connection is gone: nothing of this can be committed.
    failed: Cell<bool>,
    /// It failed since the connection is gone.
    dead: Cell<bool>,
    /// Something is written already and waits for the commit.
    written: Cell<bool>,
    /// What the commands so far want written.
    pending: RefCell<WriteSet>,
    /// The organizations that nobody else writes to until this ends. All zeros: what belongs to none.
    locked: RefCell<HashSet<Uuid>>,
    /// Rows that can't change meanwhile: all of a snapshot, those of what is locked. And who is signed in, as it was when the batch began: each
    /// command of it was handed in before.
    rows: RefCell<Known>,
    scans: RefCell<HashMap<Question, (usize, Found)>>,
    heads: RefCell<HashMap<Uuid, u64>>,
}

impl Session {
    fn new(pools: &Arc<Pools>, mode: Mode, connection: Option<Object>) -> Self {
        Self {
            pools: pools.clone(),
            mode,
            connection: RefCell::new(connection),
            begun: Cell::new(false),
            failed: Cell::new(false),
            dead: Cell::new(false),
            written: Cell::new(false),
            pending: RefCell::default(),
            locked: RefCell::default(),
            rows: RefCell::default(),
            scans: RefCell::default(),
            heads: RefCell::default(),
        }
    }

    /// A snapshot, not taken before something is asked.
    pub(super) fn view(pools: &Arc<Pools>) -> Self {
        Self::new(pools, Mode::View, None)
    }

    /// A transaction with this organization locked. `Err` when it can't be begun: `true` if the connection was dead already, so that another may
    /// be better.
    pub(super) fn change(pools: &Arc<Pools>, connection: Object, lock: Uuid) -> Result<Self, bool> {
        let session = Self::new(pools, Mode::Change, Some(connection));
        session.begin(lock);
        if session.failed.get() { Err(session.dead.get()) } else { Ok(session) }
    }

    /// Begins and locks in one go.
    fn begin(&self, lock: Uuid) {
        let done = self.with_connection(async |connection| {
            let statement = connection.prepare_cached(sql::LOCK).await?;
            let parameters: [&(dyn ToSql + Sync); 1] = [&lock];
            let (begun, locked) = join(connection.batch_execute("begin"), connection.query_opt(&statement, &parameters)).await;
            begun?;
            locked
        });
        self.pools.own_trips.fetch_add(1, Ordering::Relaxed);
        self.begun.set(true);
        if let Ok(row) = done {
            self.note_lock(lock, row.as_ref());
        }
    }

    /// Takes the right to write to an organization; nothing of it may have been read before.
    pub(crate) fn lock(&self, scope: Scope) {
        if self.mode == Mode::View || self.failed.get() || self.locked.borrow().contains(&scope.0) {
            return;
        }
        let row = self.ask(sql::LOCK, &[&scope.0]);
        if let Ok(rows) = row {
            self.note_lock(scope.0, rows.first());
        }
    }

    fn note_lock(&self, lock: Uuid, row: Option<&SqlRow>) {
        self.locked.borrow_mut().insert(lock);
        // An organization that is not there yet has no row to lock; its id is known to nobody else.
        if let Some(row) = row {
            if !is_ours(row) {
                self.failed.set(true);
            }
            self.heads.borrow_mut().insert(lock, number(row.get(0)));
        }
    }

    /// Runs something on the connection, for as long as an answer may take; marks the session as failed when there is none.
    fn with_connection<T>(&self, ask: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>) -> Result<T> {
        let connection = self.connection.borrow();
        let Some(connection) = connection.as_ref().filter(|_| !self.failed.get()) else { return Err(unavailable()) };
        match self.pools.block_on(async { tokio::time::timeout(REPLY, ask(connection)).await }) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.failed.set(true);
                self.dead.set(error.is_closed());
                Err(fault(&error))
            }
            Err(_) => {
                self.failed.set(true);
                tracing::error!("the database does not answer within {REPLY:?}");
                Err(unavailable())
            }
        }
    }

    /// Asks the database.
    fn ask(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<SqlRow>> {
        if self.mode == Mode::View && !self.begun.get() {
            return self.ask_first(sql, parameters);
        }
        self.pools.read_trips.fetch_add(1, Ordering::Relaxed);
        self.with_connection(async |connection| {
            let statement = connection.prepare_cached(sql).await?;
            connection.query(&statement, parameters).await
        })
    }

    /// Begins a snapshot with the first question, on whatever connection is there. One that died while it lay in the pool is found out here, and
    /// costs nothing but another try.
    fn ask_first(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<SqlRow>> {
        let asked = self.pools.block_on(async {
            let mut tries = 0;
            loop {
                let connection = self.pools.reader().await?;
                let asking = async {
                    let statement = connection.prepare_cached(sql).await?;
                    let begin = connection.batch_execute("begin isolation level repeatable read read only");
                    let (begun, rows) = join(begin, connection.query(&statement, parameters)).await;
                    begun?;
                    rows
                };
                self.pools.read_trips.fetch_add(1, Ordering::Relaxed);
                match tokio::time::timeout(REPLY, asking).await {
                    Ok(Ok(rows)) => return Ok((connection, rows)),
                    Ok(Err(error)) => {
                        let retry = error.is_closed() && tries < self.pools.tries;
                        let told = fault(&error);
                        drop(Object::take(connection));
                        if !retry {
                            return Err(told);
                        }
                        tries += 1;
                    }
                    Err(_) => {
                        drop(Object::take(connection));
                        tracing::error!("the database does not answer within {REPLY:?}");
                        return Err(unavailable());
                    }
                }
            }
        });
        match asked {
            Ok((connection, rows)) => {
                *self.connection.borrow_mut() = Some(connection);
                self.begun.set(true);
                Ok(rows)
            }
            Err(error) => {
                self.failed.set(true);
                Err(error)
            }
        }
    }

    /// Whether a row can't change before this ends.
    fn is_steady(&self, scope: Scope) -> bool {
        self.mode == Mode::View || self.locked.borrow().contains(&scope.0)
    }

    fn table(&self, collection: u16) -> Result<&Table> {
        self.pools.tables.get(collection).ok_or_else(|| Error::internal(format!("no table for collection {collection}")))
    }

    /// One document.
    pub(crate) fn get(&self, scope: Scope, collection: u16, id: Uuid) -> Result<Option<Vec<u8>>> {
        if let Some(own) = self.pending.borrow().row(scope, collection, id) {
            return Ok(own.map(|row| row.doc.clone()));
        }
        let key = (scope, collection, id);
        if let Some(known) = self.rows.borrow().get(&key) {
            return Ok(known.clone());
        }
        let rows = self.ask(&self.table(collection)?.get, &[&scope.0, &id])?;
        let doc = rows.first().map(|row| row.get::<_, &str>(0).as_bytes().to_vec());
        if self.is_steady(scope) || scope == Scope::SYSTEM {
            self.rows.borrow_mut().insert(key, doc.clone());
        }
        Ok(doc)
    }

    /// Documents with their ids, in the order asked for.
    pub(crate) fn scan(&self, query: &RowQuery) -> Result<Vec<(Uuid, Vec<u8>)>> {
        let own = self.own(query);
        let wanted = query.limit.saturating_add(own.len());
        let mut found = self.stored(query, wanted)?;
        if !own.is_empty() {
            found.retain(|(place, _)| own.iter().all(|(id, _)| *id != place.id));
            found.extend(own.into_iter().filter_map(|(_, filed)| filed));
            let order = |a: &Cursor, b: &Cursor| {
                let forward = (&a.sort, a.id).cmp(&(&b.sort, b.id));
                if query.newest { forward.reverse() } else { forward }
            };
            if let Some(after) = &query.after {
                let after = if query.index.is_some() { after.clone() } else { Cursor { sort: Vec::new(), id: after.id } };
                found.retain(|(place, _)| order(place, &after).is_gt());
            }
            found.sort_by(|(a, _), (b, _)| order(a, b));
            found.truncate(query.limit);
        }
        Ok(found.into_iter().map(|(place, doc)| (place.id, doc)).collect())
    }

    /// What earlier commands say of a collection's rows: hidden, or at this place.
    fn own(&self, query: &RowQuery) -> Vec<Own> {
        let pending = self.pending.borrow();
        let place = |id: Uuid, row: &super::super::document::Row| match &query.index {
            None => Some((Cursor { sort: Vec::new(), id }, row.doc.clone())),
            Some((number, group)) => {
                let filed = row.filed.iter().find(|filed| filed.index == *number && filed.group == *group)?;
                Some((Cursor { sort: filed.sort.clone(), id }, row.doc.clone()))
            }
        };
        pending.collection(query.scope, query.collection).map(|(id, row)| (id, row.and_then(|row| place(id, row)))).collect()
    }

    /// What the database has.
    fn stored(&self, query: &RowQuery, wanted: usize) -> Result<Found> {
        let question = Question {
            collection: query.collection,
            scope: query.scope,
            index: query.index.clone(),
            newest: query.newest,
            after: query.after.as_ref().map(|after| (after.sort.clone(), after.id)),
        };
        if let Some((asked, known)) = self.scans.borrow().get(&question)
            && (known.len() < *asked || *asked >= wanted)
        {
            return Ok(known.iter().take(wanted).cloned().collect());
        }
        let table = self.table(query.collection)?;
        let found = match &query.index {
            None => {
                let limit = limit(wanted);
                let rows = match &query.after {
                    None => self.ask(table.scan(query.newest, false), &[&query.scope.0, &limit])?,
                    Some(after) => self.ask(table.scan(query.newest, true), &[&query.scope.0, &after.id, &limit])?,
                };
                rows.iter().map(|row| (Cursor { sort: Vec::new(), id: row.get(0) }, text(row, 1))).collect()
            }
            Some((number, group)) => {
                let index = table.index(*number).ok_or_else(|| Error::internal(format!("no index {number} of {}", table.name)))?;
                let Some(keys) = keys(group, &index.group, query.after.as_ref(), &index.sort) else { return Ok(Vec::new()) };
                let limit = limit(wanted);
                let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&query.scope.0];
                parameters.extend(keys.iter().map(|key| &**key));
                parameters.push(&limit);
                let rows = self.ask(index.scan(query.newest, query.after.is_some()), &parameters)?;
                rows.iter().map(|row| (Cursor { sort: sort(row, &index.sort), id: row.get(0) }, text(row, 1))).collect()
            }
        };
        if self.is_steady(query.scope) {
            self.scans.borrow_mut().insert(question, (wanted, Vec::clone(&found)));
        }
        Ok(found)
    }

    /// How many documents that are, up to the limit.
    pub(crate) fn count(&self, query: &RowQuery) -> Result<usize> {
        let is_written = self.pending.borrow().collection(query.scope, query.collection).next().is_some();
        if is_written || query.after.is_some() {
            return Ok(self.scan(query)?.len());
        }
        let table = self.table(query.collection)?;
        let limit = limit(query.limit);
        let rows = match &query.index {
            None => self.ask(table.counting(), &[&query.scope.0, &limit])?,
            Some((number, group)) => {
                let index = table.index(*number).ok_or_else(|| Error::internal(format!("no index {number} of {}", table.name)))?;
                let Some(keys) = keys(group, &index.group, None, &index.sort) else { return Ok(0) };
                let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&query.scope.0];
                parameters.extend(keys.iter().map(|key| &**key));
                parameters.push(&limit);
                self.ask(index.counting(), &parameters)?
            }
        };
        Ok(rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
    }

    /// Places in an index of names where the text begins so. What the batch's earlier commands named is not found: only views look for names.
    pub(crate) fn names(&self, query: &RowQuery, beginning: &str) -> Result<Vec<Cursor>> {
        let Some((index, group)) = &query.index else { return Ok(Vec::new()) };
        let [Part::Int(rank)] = group.as_slice() else { return Ok(Vec::new()) };
        let (collection, index) = (i16::try_from(query.collection).unwrap_or(i16::MAX), i16::from(*index));
        let (beginning, limit) = (beginning.replace('\0', ""), limit(query.limit));
        let rows = match &query.after {
            None => self.ask(sql::NAMES, &[&query.scope.0, &collection, &index, rank, &beginning, &limit])?,
            Some(after) => {
                // A cursor is the client's: one that names no text leads nowhere.
                let [Part::Text(text)] = after.sort.as_slice() else { return Ok(Vec::new()) };
                let text = text.replace('\0', "");
                self.ask(sql::NAMES_AFTER, &[&query.scope.0, &collection, &index, rank, &beginning, &text, &after.id, &limit])?
            }
        };
        Ok(rows.iter().map(|row| Cursor { sort: vec![Part::Text(row.get(0))], id: row.get(1) }).collect())
    }

    /// The number of the last entry of a log; 0 = none yet.
    pub(crate) fn head(&self, log: LogKind) -> Result<u64> {
        if let Some(own) = self.pending.borrow().head(log) {
            return Ok(own);
        }
        if let Some(known) = self.heads.borrow().get(&log.uuid()) {
            return Ok(*known);
        }
        let rows = self.ask(sql::HEAD, &[&log.uuid()])?;
        let head = rows.first().map_or(0, |row| number(row.get(0)));
        // A page's log is its organization's to write; in a batch of one organization's there is no other's page.
        let of_the_batch = log.is_page() && !self.locked.borrow().contains(&Uuid::nil());
        if self.mode == Mode::View || of_the_batch || self.locked.borrow().contains(&log.uuid()) {
            self.heads.borrow_mut().insert(log.uuid(), head);
        }
        Ok(head)
    }

    /// Entries of a log with their numbers.
    pub(crate) fn log(&self, log: LogKind, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        self.flush()?;
        let Some((first, last)) = numbers(range) else { return Ok(Vec::new()) };
        let rows = self.ask(sql::LOG[usize::from(range.newest)], &[&log.uuid(), &first, &last, &limit(range.limit)])?;
        Ok(rows.iter().map(entry).collect())
    }

    /// The entries of an organization's log that a service's timeline shows.
    pub(crate) fn service_log(&self, org: Uuid, service: Uuid, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        self.flush()?;
        let Some((first, last)) = numbers(range) else { return Ok(Vec::new()) };
        let rows = self.ask(sql::SERVICE_LOG[usize::from(range.newest)], &[&org, &service, &first, &last, &limit(range.limit)])?;
        Ok(rows.iter().map(entry).collect())
    }

    /// The entries of an organization's log that stand in each of these lists, newest first, and below which number to go on.
    pub(crate) fn common_log(&self, org: Uuid, lists: &[Uuid], before: u64, most: usize) -> Result<Listed> {
        self.flush()?;
        let (Some((first, others)), Some(last)) = (lists.split_first(), before.checked_sub(1)) else { return Ok((Vec::new(), None)) };
        let looks = LOOKS.max(most);
        let rows = self.ask(sql::COMMON_LOG, &[&org, first, &others, &stored(last), &limit(looks)])?;
        let (mut found, mut below) = (Vec::new(), before);
        for row in &rows {
            below = number(row.get(0));
            if let Some(doc) = row.get::<_, Option<&str>>(1) {
                found.push((below, doc.as_bytes().to_vec()));
                if found.len() == most {
                    return Ok((found, Some(below)));
                }
            }
        }
        Ok((found, (rows.len() >= looks).then_some(below)))
    }

    /// Organizations with a row whose sort key in this index has come.
    pub(crate) fn due(&self, collection: u16, index: u8, before: i64, most: usize) -> Result<Vec<Uuid>> {
        let table = self.table(collection)?;
        let due = table.index(index).and_then(|index| index.due.as_ref());
        let sql = due.ok_or_else(|| Error::internal(format!("index {index} of {} is not one of times", table.name)))?;
        Ok(self.ask(sql, &[&before, &limit(most)])?.iter().map(|row| row.get(0)).collect())
    }

    /// Lays a command's writes over what the database says, for those that follow.
    pub(super) fn keep(&self, writes: WriteSet) {
        let mut pending = self.pending.borrow_mut();
        pending.rows.extend(writes.rows);
        pending.entries.extend(writes.entries);
    }

    /// Nothing of this may be committed.
    pub(super) fn give_up(&self) {
        self.failed.set(true);
    }

    /// Whether nothing of this can be committed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Whether there is nothing to commit.
    pub(super) fn has_nothing(&self) -> bool {
        !self.written.get() && self.pending.borrow().is_empty()
    }

    /// Writes what waits without committing it: for the rare question that can't be answered from both.
    fn flush(&self) -> Result<()> {
        if self.mode == Mode::View || self.pending.borrow().is_empty() {
            return Ok(());
        }
        self.written.set(true);
        let writes = std::mem::take(&mut *self.pending.borrow_mut());
        for entry in &writes.entries {
            self.heads.borrow_mut().insert(entry.log().uuid(), entry.seq());
        }
        self.rows.borrow_mut().clear();
        self.scans.borrow_mut().clear();
        self.write(&statements(&self.pools.tables, &writes), None)
    }

    fn write(&self, writes: &[Write], last: Option<&str>) -> Result<()> {
        self.pools.own_trips.fetch_add(1, Ordering::Relaxed);
        self.with_connection(async |connection| {
            let mut prepared = Vec::with_capacity(writes.len());
            for write in writes {
                prepared.push((connection.prepare_cached(&write.sql).await?, write));
            }
            send(connection, &prepared, last).await
        })
    }

    /// Writes all that waits and commits, in one go. An error may mean that it was committed all the same: the connection went before the answer.
    pub(super) fn commit(self) -> Result<()> {
        let writes = std::mem::take(&mut *self.pending.borrow_mut());
        let done = self.write(&statements(&self.pools.tables, &writes), Some("commit"));
        if done.is_ok() {
            self.begun.set(false);
        }
        done
    }

    /// Ends without a trace. Does not wait for the answer: whoever has the connection next is answered after it.
    pub(super) fn end(self) {
        if self.failed.get() || !self.begun.get() {
            return;
        }
        let connection = self.connection.borrow();
        if let Some(connection) = connection.as_ref() {
            let _entered = self.pools.enter();
            // The first look at the future sends the question.
            let _ = std::pin::pin!(connection.batch_execute("rollback")).now_or_never();
            self.begun.set(false);
        }
    }
}

impl Drop for Session {
    /// A connection in the middle of a transaction is closed, not put back: the next one there would write into a stranger's transaction.
    fn drop(&mut self) {
        if self.begun.get()
            && let Some(connection) = self.connection.borrow_mut().take()
        {
            let _entered = self.pools.enter();
            drop(Object::take(connection));
        }
    }
}

/// Whether the schema that comes with a lock is this program's.
pub(super) fn is_ours(row: &SqlRow) -> bool {
    let schema: Option<String> = row.get(1);
    let ours = schema.and_then(|schema| schema.parse().ok()) == Some(SCHEMA);
    if !ours {
        tracing::error!("the database has another schema than this program: it was upgraded; start the same version here");
    }
    ours
}

/// What the caller hears of a fault in the database; what it was is for the log.
pub(super) fn fault(error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(detail) => tracing::error!(code = detail.code().code(), "the database refused: {}", detail.message()),
        None => tracing::warn!("the database can't be reached: {error}"),
    }
    unavailable()
}

pub(super) fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn text(row: &SqlRow, at: usize) -> Vec<u8> {
    row.get::<_, &str>(at).as_bytes().to_vec()
}

fn entry(row: &SqlRow) -> (u64, Vec<u8>) {
    (number(row.get(0)), text(row, 1))
}

/// The first and last number of a range; `None` when it is empty.
fn numbers(range: LogRange) -> Option<(i64, i64)> {
    let first = range.after.checked_add(1)?;
    let last = range.before.checked_sub(1)?;
    (first <= last).then(|| (stored(first), stored(last)))
}

/// The sort key of a row, as the index has it: after the id and the document.
fn sort(row: &SqlRow, columns: &[Column]) -> Parts {
    let part = |(at, column): (usize, &Column)| match column.kind {
        PartKind::Uuid => Part::Uuid(row.get(at + 2)),
        PartKind::Int => Part::Int(row.get(at + 2)),
        PartKind::Text => Part::Text(row.get(at + 2)),
    };
    columns.iter().enumerate().map(part).collect()
}

/// Group and place as parameters. `None` when they are not of the index's types: a cursor is the client's, and one from elsewhere finds nothing.
fn keys<'k>(group: &'k Parts, columns: &[Column], after: Option<&'k Cursor>, sort: &[Column]) -> Option<Vec<Box<dyn ToSql + Sync + 'k>>> {
    let mut keys: Vec<Box<dyn ToSql + Sync + 'k>> = Vec::new();
    let mut add = |parts: &'k [Part], columns: &[Column]| {
        if parts.len() != columns.len() || parts.iter().zip(columns).any(|(part, column)| part.kind() != column.kind) {
            return false;
        }
        for part in parts {
            keys.push(match part {
                Part::Uuid(id) => Box::new(id),
                Part::Int(number) => Box::new(number),
                Part::Text(text) => Box::new(text.replace('\0', "")),
            });
        }
        true
    };
    if !add(group, columns) {
        return None;
    }
    if let Some(after) = after {
        if !add(&after.sort, sort) {
            return None;
        }
        keys.push(Box::new(&after.id));
    }
    Some(keys)
}
