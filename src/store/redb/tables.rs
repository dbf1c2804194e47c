//! redb's tables, and reading and writing them.
//!
//! | table | key | value |
//! |---|---|---|
//! | `rows` | scope 16, collection 2, id 16 | the index keys it is filed under, then JSON |
//! | `index` | scope 16, collection 2, index 1, group, sort, id 16 | nothing |
//! | `log` | log 16, number 8 | the event as JSON |
//! | `touches` | organization 16, service or list 16, number 8 | nothing |
//! | `heads` | log 16 | the last number |
//! | `meta` | name | the schema version, the epoch |
//!
//! How the parts of a key become bytes stands in `keys.rs`.

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use uuid::Uuid;

use super::super::base::{Listed, LogKind, LogRange, RowQuery, Scope};
use super::super::document::{Part, Row};
use super::super::scan::Cursor;
use super::super::writes::WriteSet;
use super::fault;
use super::keys::{
    Bound, as_bound, bounds, decode_row, encode, encode_row, first_uuid, index_key, index_suffix, last_number, last_uuid, log_key, row_key,
    successor, touch_key,
};
use crate::domain::timeline;
use crate::error::Result;

type Bytes = &'static [u8];
const ROWS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rows");
const INDEX: TableDefinition<'_, Bytes, ()> = TableDefinition::new("index");
const LOG: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("log");
const TOUCHES: TableDefinition<'_, Bytes, ()> = TableDefinition::new("touches");
const HEADS: TableDefinition<'_, u128, u64> = TableDefinition::new("heads");
const META: TableDefinition<'_, &'static str, &'static str> = TableDefinition::new("meta");

/// The tables inside a write transaction.
pub struct WriteTables<'t> {
    pub(crate) rows: Table<'t, Bytes, Bytes>,
    pub(crate) index: Table<'t, Bytes, ()>,
    pub(crate) log: Table<'t, Bytes, Bytes>,
    pub(crate) touches: Table<'t, Bytes, ()>,
    pub(crate) heads: Table<'t, u128, u64>,
}

/// The tables of a snapshot.
pub struct ReadTables {
    pub(crate) rows: ReadOnlyTable<Bytes, Bytes>,
    pub(crate) index: ReadOnlyTable<Bytes, ()>,
    pub(crate) log: ReadOnlyTable<Bytes, Bytes>,
    pub(crate) touches: ReadOnlyTable<Bytes, ()>,
    pub(crate) heads: ReadOnlyTable<u128, u64>,
}

impl ReadTables {
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, TableError> {
        Ok(Self {
            rows: transaction.open_table(ROWS)?,
            index: transaction.open_table(INDEX)?,
            log: transaction.open_table(LOG)?,
            touches: transaction.open_table(TOUCHES)?,
            heads: transaction.open_table(HEADS)?,
        })
    }
}

impl<'t> WriteTables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            rows: transaction.open_table(ROWS)?,
            index: transaction.open_table(INDEX)?,
            log: transaction.open_table(LOG)?,
            touches: transaction.open_table(TOUCHES)?,
            heads: transaction.open_table(HEADS)?,
        })
    }

    /// Puts a command's writes into the transaction.
    pub(super) fn apply(&mut self, writes: &WriteSet) -> Result<(), redb::StorageError> {
        for ((scope, collection, id), (_, row)) in &writes.rows {
            self.file(*scope, *collection, *id, row.as_ref())?;
        }
        for entry in &writes.entries {
            let log = entry.log().uuid();
            self.log.insert(log_key(log, entry.seq()).as_slice(), entry.json().as_ref())?;
            self.heads.insert(log.as_u128(), entry.seq())?;
            for service in entry.services().iter().chain(entry.lists()) {
                self.touches.insert(touch_key(log, *service, entry.seq()).as_slice(), ())?;
            }
        }
        Ok(())
    }

    /// Writes a row, or removes it, and keeps the index with it.
    pub(super) fn file(&mut self, scope: Scope, collection: u16, id: Uuid, row: Option<&Row>) -> Result<(), redb::StorageError> {
        let key = row_key(scope, collection, id);
        let filed = row.map(|row| row.filed.iter().map(index_suffix).collect::<Vec<_>>()).unwrap_or_default();
        let before = match row {
            Some(row) => self.rows.insert(key.as_slice(), encode_row(row, &filed).as_slice())?.map(|old| old.value().to_vec()),
            None => self.rows.remove(key.as_slice())?.map(|old| old.value().to_vec()),
        };
        // What a row was filed under stands in the row itself, so that a move or a delete needs no old decode.
        let before = before.as_deref().map(|value| decode_row(value).0).unwrap_or_default();
        for gone in before.iter().filter(|suffix| !filed.iter().any(|new| new == *suffix)) {
            self.index.remove(index_key(scope, collection, gone, id).as_slice())?;
        }
        for new in filed.iter().filter(|suffix| !before.contains(&suffix.as_slice())) {
            self.index.insert(index_key(scope, collection, new, id).as_slice(), ())?;
        }
        Ok(())
    }

    /// As [`stored`].
    pub(super) fn stored(&self, last: Option<RowKey>, limit: usize) -> Result<Vec<(RowKey, Vec<u8>)>, redb::StorageError> {
        stored(&self.rows, last, limit)
    }

    /// Puts every entry of the organizations' logs into the lists that name it.
    pub(super) fn relist(&mut self) -> Result<(), redb::StorageError> {
        for entry in self.log.iter()? {
            let (key, json) = entry?;
            let key = key.value();
            let log = key.first_chunk().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes));
            for list in timeline::lists(json.value()) {
                self.touches.insert(touch_key(log, list, last_number(key)).as_slice(), ())?;
            }
        }
        Ok(())
    }

    /// Removes at most so much of what stands under an id, and says how much. The rows go last, and backwards: an organization's own, which says
    /// that it is deleted, outlives everything else that it had.
    pub(super) fn erase(&mut self, owner: Uuid, most: usize) -> Result<usize, redb::StorageError> {
        let mut gone = drain(&mut self.index, owner, most)?;
        gone += drain(&mut self.touches, owner, most - gone)?;
        gone += drain(&mut self.log, owner, most - gone)?;
        if gone < most {
            gone += usize::from(self.heads.remove(owner.as_u128())?.is_some());
        }
        gone += drain(&mut self.rows, owner, most - gone)?;
        Ok(gone)
    }
}

/// Removes the last keys that begin with this id, at most so many, and says how many those were.
fn drain<V: redb::Value + 'static>(table: &mut Table<'_, Bytes, V>, owner: Uuid, most: usize) -> Result<usize, redb::StorageError> {
    let (low, high) = bounds(owner.as_bytes(), None, false);
    let mut keys = Vec::new();
    for entry in table.range::<&[u8]>((as_bound(&low), as_bound(&high)))?.rev().take(most) {
        keys.push(entry?.0.value().to_vec());
    }
    for key in &keys {
        table.remove(key.as_slice())?;
    }
    Ok(keys.len())
}

/// Some rows as they are stored, in the order of their keys: those after that one.
pub(super) fn stored(
    rows: &impl ReadableTable<Bytes, Bytes>,
    last: Option<RowKey>,
    limit: usize,
) -> Result<Vec<(RowKey, Vec<u8>)>, redb::StorageError> {
    let low = last.map_or(Bound::Unbounded, |(scope, collection, id)| Bound::Excluded(row_key(scope, collection, id).to_vec()));
    let high: Bound = Bound::Unbounded;
    let mut found = Vec::new();
    for entry in rows.range::<&[u8]>((as_bound(&low), as_bound(&high)))?.take(limit) {
        let (key, value) = entry?;
        let key = key.value();
        let scope = Scope(first_uuid(key));
        let collection = key.get(16..18).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u16::from_be_bytes(*bytes));
        found.push(((scope, collection, last_uuid(key)), decode_row(value.value()).1.to_vec()));
    }
    Ok(found)
}

impl ReadTables {
    /// As [`stored`].
    pub(in crate::store) fn stored(&self, last: Option<RowKey>, limit: usize) -> Result<Vec<(RowKey, Vec<u8>)>> {
        stored(&self.rows, last, limit).map_err(fault)
    }

    /// Some entries of all logs, in the order of logs and numbers: those after that one.
    pub(in crate::store) fn entries(&self, last: Option<(Uuid, u64)>, limit: usize) -> Result<Vec<(Uuid, u64, Vec<u8>)>> {
        let low = last.map_or(Bound::Unbounded, |(log, seq)| Bound::Excluded(log_key(log, seq).to_vec()));
        let high: Bound = Bound::Unbounded;
        let mut found = Vec::new();
        for entry in self.log.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?.take(limit) {
            let (key, json) = entry.map_err(fault)?;
            found.push((first_uuid(key.value()), last_number(key.value()), json.value().to_vec()));
        }
        Ok(found)
    }

    /// Calls this for every list that an entry stands in: the organization, the list, the number; in this order.
    pub(in crate::store) fn touches(&self, org: Option<Uuid>, mut each: impl FnMut(Uuid, Uuid, u64)) -> Result<()> {
        let (low, high) = org.map_or((Bound::Unbounded, Bound::Unbounded), |org| bounds(org.as_bytes(), None, false));
        for entry in self.touches.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)? {
            let (key, _) = entry.map_err(fault)?;
            let key = key.value();
            let list = key.get(16..32).and_then(|bytes| bytes.first_chunk()).map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes));
            each(first_uuid(key), list, last_number(key));
        }
        Ok(())
    }

    /// How far each log is.
    pub(in crate::store) fn heads(&self) -> Result<Vec<(Uuid, u64)>> {
        let heads = self.heads.iter().map_err(fault)?;
        heads.map(|entry| entry.map(|(log, seq)| (Uuid::from_u128(log.value()), seq.value())).map_err(fault)).collect()
    }
}

/// Where a row stands.
pub(in crate::store) type RowKey = (Scope, u16, Uuid);

/// What a file says of itself.
pub(super) struct Found {
    pub(super) schema: u32,
    pub(super) epoch: String,
}

/// Makes the tables of a new file, reads the schema version of an old one. A newer schema is left untouched.
pub(super) fn prepare(database: &Database, schema: u32) -> Result<Found, redb::Error> {
    let transaction = database.begin_write()?;
    let found = {
        let mut meta = transaction.open_table(META)?;
        let text = |name: &str, meta: &Table<'_, &'static str, &'static str>| {
            meta.get(name).map(|value| value.map(|value| value.value().to_owned()))
        };
        match (text("schema", &meta)?, text("epoch", &meta)?) {
            // A version that is no number was written by something newer than this program can know.
            (Some(version), Some(epoch)) => Found { schema: version.parse().unwrap_or(u32::MAX), epoch },
            _ => {
                let epoch = u64::from_be_bytes(crate::id::secret());
                let epoch = format!("{epoch:016x}");
                meta.insert("schema", schema.to_string().as_str())?;
                meta.insert("epoch", epoch.as_str())?;
                Found { schema, epoch }
            }
        }
    };
    if found.schema > schema {
        transaction.abort()?;
    } else {
        WriteTables::open(&transaction)?;
        transaction.commit()?;
    }
    Ok(found)
}

/// Says of a file that it is of this schema.
pub(super) fn mark(transaction: &WriteTransaction, schema: u32) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert("schema", schema.to_string().as_str())?;
    Ok(())
}

/// Makes a file look as the first schema left it: without an index or a list, and without the fields that came later.
#[cfg(test)]
pub(in crate::store) fn pretend_first(path: &std::path::Path) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut tables = WriteTables::open(&transaction).unwrap();
        for ((scope, collection, id), doc) in tables.stored(None, usize::MAX).unwrap() {
            let mut json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&doc).unwrap();
            let late: &[&str] = match collection {
                14 => &["raised"],
                16 => &["open", "status"],
                _ => &[],
            };
            late.iter().for_each(|field| drop(json.remove(*field)));
            let row = Row { doc: serde_json::to_vec(&json).unwrap(), filed: Vec::new() };
            tables.file(scope, collection, id, Some(&row)).unwrap();
        }
        // Services' own lists were there from the first.
        let late: std::collections::HashSet<Uuid> =
            tables.log.iter().unwrap().flat_map(|entry| timeline::lists(entry.unwrap().1.value())).collect();
        tables.touches.retain(|key, ()| !late.contains(&Uuid::from_slice(&key[16..32]).unwrap())).unwrap();
    }
    mark(&transaction, 1).unwrap();
    transaction.commit().unwrap();
}

/// Marks a file as written by a program that knows this schema.
#[cfg(test)]
pub(in crate::store) fn pretend_schema(path: &std::path::Path, schema: u32) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("schema", schema.to_string().as_str()).unwrap();
    transaction.commit().unwrap();
}

pub(crate) fn get(rows: &impl ReadableTable<Bytes, Bytes>, scope: Scope, collection: u16, id: Uuid) -> Result<Option<Vec<u8>>> {
    let value = rows.get(row_key(scope, collection, id).as_slice()).map_err(fault)?;
    Ok(value.map(|value| decode_row(value.value()).1.to_vec()))
}

pub(crate) fn scan(
    rows: &impl ReadableTable<Bytes, Bytes>,
    index: &impl ReadableTable<Bytes, ()>,
    query: &RowQuery,
) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let mut found = Vec::new();
    let (low, high) = span(query);
    if query.index.is_none() {
        for entry in walk(rows.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?, query.newest).take(query.limit) {
            let (key, value) = entry.map_err(fault)?;
            found.push((last_uuid(key.value()), decode_row(value.value()).1.to_vec()));
        }
        return Ok(found);
    }
    for entry in walk(index.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?, query.newest).take(query.limit) {
        let id = last_uuid(entry.map_err(fault)?.0.value());
        if let Some(doc) = get(rows, query.scope, query.collection, id)? {
            found.push((id, doc));
        }
    }
    Ok(found)
}

/// How many rows that are, up to the limit: keys alone are looked at.
pub(crate) fn count(rows: &impl ReadableTable<Bytes, Bytes>, index: &impl ReadableTable<Bytes, ()>, query: &RowQuery) -> Result<usize> {
    let (low, high) = span(query);
    if query.index.is_none() {
        return tally(rows.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?, query.limit);
    }
    tally(index.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?, query.limit)
}

fn tally<T>(entries: impl Iterator<Item = Result<T, redb::StorageError>>, limit: usize) -> Result<usize> {
    let mut counted = 0;
    for entry in entries.take(limit) {
        entry.map_err(fault)?;
        counted += 1;
    }
    Ok(counted)
}

/// Places in an index that is sorted by a text, where that text begins so: keys alone are looked at.
pub(crate) fn names(index: &impl ReadableTable<Bytes, ()>, query: &RowQuery, beginning: &str) -> Result<Vec<Cursor>> {
    let prefix = prefix(query);
    let mut first = prefix.clone();
    first.extend(beginning.bytes().filter(|byte| *byte != 0));
    let (mut low, high) = bounds(&first, None, false);
    if let Some(after) = after(query, &prefix).filter(|after| *after >= first) {
        low = Bound::Excluded(after);
    }
    // A cursor is the client's: one from behind these names finds none of them.
    if let (Bound::Excluded(low), Bound::Excluded(high)) = (&low, &high)
        && low >= high
    {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in index.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?.take(query.limit) {
        let (key, _) = entry.map_err(fault)?;
        let key = key.value();
        // Between what all of them begin with and the id there is the text, with its NUL.
        let text = key.get(prefix.len()..key.len().saturating_sub(17)).unwrap_or_default();
        found.push(Cursor { sort: vec![Part::Text(String::from_utf8_lossy(text).into_owned())], id: last_uuid(key) });
    }
    Ok(found)
}

/// Whose first row in an index of numbers is no greater than that: keys alone are looked at, two for each organization. The first of all
/// its keys says which organization comes next, and where its part of this index begins follows from that.
pub(crate) fn due(index: &impl ReadableTable<Bytes, ()>, collection: u16, number: u8, until: i64, limit: usize) -> Result<Vec<Uuid>> {
    let (mut found, mut last) = (Vec::new(), Scope::SYSTEM.0);
    while found.len() < limit {
        let Some(low) = successor(last.as_bytes()).map(Bound::Included) else { break };
        let high: Bound = Bound::Unbounded;
        let Some(first) = index.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?.next() else { break };
        last = first.map_err(fault)?.0.value().first_chunk().map_or(Uuid::max(), |bytes| Uuid::from_bytes(*bytes));

        let low = [last.as_bytes().as_slice(), &collection.to_be_bytes(), &[number]].concat();
        let mut end = low.clone();
        encode(&[Part::Int(until)], &mut end);
        let (low, high) = (Bound::Included(low), successor(&end).map_or(Bound::Unbounded, Bound::Excluded));
        if let Some(entry) = index.range::<&[u8]>((as_bound(&low), as_bound(&high))).map_err(fault)?.next() {
            entry.map_err(fault)?;
            found.push(last);
        }
    }
    Ok(found)
}

/// What the keys of all rows that a query could find begin with.
fn prefix(query: &RowQuery) -> Vec<u8> {
    let mut prefix = query.scope.0.as_bytes().to_vec();
    prefix.extend(query.collection.to_be_bytes());
    if let Some((number, group)) = &query.index {
        prefix.push(*number);
        encode(group, &mut prefix);
    }
    prefix
}

/// The key of the place after which a query reads.
fn after(query: &RowQuery, prefix: &[u8]) -> Option<Vec<u8>> {
    let cursor = query.after.as_ref()?;
    let mut key = prefix.to_vec();
    if query.index.is_some() {
        encode(&cursor.sort, &mut key);
    }
    key.extend(cursor.id.as_bytes());
    Some(key)
}

/// The keys that a query looks at.
fn span(query: &RowQuery) -> (Bound, Bound) {
    let prefix = prefix(query);
    bounds(&prefix, after(query, &prefix), query.newest)
}

pub(crate) fn head(heads: &impl ReadableTable<u128, u64>, log: LogKind) -> Result<u64> {
    Ok(heads.get(log.uuid().as_u128()).map_err(fault)?.map_or(0, |seq| seq.value()))
}

pub(crate) fn log(log: &impl ReadableTable<Bytes, Bytes>, kind: LogKind, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
    let Some((first, last)) = numbers(range) else { return Ok(Vec::new()) };
    let (first, last) = (log_key(kind.uuid(), first), log_key(kind.uuid(), last));
    let entries = log.range(first.as_slice()..=last.as_slice()).map_err(fault)?;
    walk(entries, range.newest)
        .take(range.limit)
        .map(|entry| entry.map(|(key, json)| (last_number(key.value()), json.value().to_vec())).map_err(fault))
        .collect()
}

pub(crate) fn service_log(
    log: &impl ReadableTable<Bytes, Bytes>,
    touches: &impl ReadableTable<Bytes, ()>,
    org: Uuid,
    service: Uuid,
    range: LogRange,
) -> Result<Vec<(u64, Vec<u8>)>> {
    let Some((first, last)) = numbers(range) else { return Ok(Vec::new()) };
    let (first, last) = (touch_key(org, service, first), touch_key(org, service, last));
    let mut found = Vec::new();
    for entry in walk(touches.range(first.as_slice()..=last.as_slice()).map_err(fault)?, range.newest).take(range.limit) {
        let seq = last_number(entry.map_err(fault)?.0.value());
        if let Some(json) = log.get(log_key(org, seq).as_slice()).map_err(fault)? {
            found.push((seq, json.value().to_vec()));
        }
    }
    Ok(found)
}

/// How often [`common_log`] looks into the lists, at most, before it answers with what it has.
const LOOKS: usize = 600;

/// The entries that stand in each of these lists, newest first and below `before`: at most so many, after a bounded number of looks; and below
/// which number to go on.
///
/// The lists are sorted by number, so that they are walked in turns, each from where the last one stopped: how long it takes follows from the
/// shortest list, not from the log.
pub(crate) fn common_log(
    log: &impl ReadableTable<Bytes, Bytes>,
    touches: &impl ReadableTable<Bytes, ()>,
    org: Uuid,
    lists: &[Uuid],
    mut before: u64,
    limit: usize,
) -> Result<Listed> {
    let mut found = Vec::new();
    let (mut candidate, mut agreed) = (None, 0);
    // Enough for a whole page where all lists agree, whatever its length.
    for list in lists.iter().cycle().take(LOOKS.max(lists.len().saturating_mul(limit))) {
        let Some((first, last)) = numbers(LogRange { after: 0, before, newest: true, limit: 1 }) else { return Ok((found, None)) };
        let (first, last) = (touch_key(org, *list, first), touch_key(org, *list, last));
        let Some(entry) = touches.range(first.as_slice()..=last.as_slice()).map_err(fault)?.next_back() else {
            return Ok((found, None));
        };
        let seq = last_number(entry.map_err(fault)?.0.value());
        if candidate == Some(seq) {
            agreed += 1;
        } else {
            (candidate, agreed) = (Some(seq), 1);
            before = seq.saturating_add(1);
        }
        if agreed == lists.len() {
            if let Some(json) = log.get(log_key(org, seq).as_slice()).map_err(fault)? {
                found.push((seq, json.value().to_vec()));
            }
            (candidate, agreed, before) = (None, 0, seq);
            if found.len() == limit {
                break;
            }
        }
    }
    Ok((found, Some(before)))
}

/// The first and last number of a range; `None` when it is empty.
fn numbers(range: LogRange) -> Option<(u64, u64)> {
    let first = range.after.checked_add(1)?;
    let last = range.before.checked_sub(1)?;
    (first <= last).then_some((first, last))
}

/// Forwards or backwards through the same range.
fn walk<T>(range: impl DoubleEndedIterator<Item = T>, newest: bool) -> impl Iterator<Item = T> {
    let (mut forward, mut backward) = if newest { (None, Some(range.rev())) } else { (Some(range), None) };
    std::iter::from_fn(move || match (&mut forward, &mut backward) {
        (Some(forward), _) => forward.next(),
        (None, Some(backward)) => backward.next(),
        (None, None) => None,
    })
}
