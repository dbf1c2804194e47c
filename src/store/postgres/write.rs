//! What a batch of commands wants written, in as few statements as there are tables to write to.

use std::fmt::Write as _;
use std::pin::Pin;

use futures_util::future::join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

use super::super::base::LogEntry;
use super::super::document::{Filed, Part, PartKind, Row};
use super::super::writes::WriteSet;
use super::sql::{self, Column, Keyed, Table, Tables};

/// A parameter: an array, as long as there are rows.
type Array = Box<dyn ToSql + Sync + Send>;

/// A statement with its parameters.
pub(super) struct Write {
    pub(super) sql: String,
    pub(super) parameters: Vec<Array>,
}

/// How many signals are kept for nodes that were away for a while; who has missed more is told so.
const SIGNALS_KEPT: i64 = 10_000;

/// The statements that write all this.
pub(super) fn statements(tables: &Tables, writes: &WriteSet) -> Vec<Write> {
    let mut all = Vec::new();
    for table in tables.sorted() {
        let rows: Vec<_> = writes.rows.iter().filter(|((_, number, _), _)| *number == table.number).collect();
        if rows.is_empty() {
            continue;
        }
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        for ((scope, _, id), (_, row)) in rows {
            match row {
                Some(row) => put.push((scope.0, *id, row)),
                None => gone.push((scope.0, *id)),
            }
        }
        if !table.names.is_empty() {
            let touched = put.iter().map(|(org, id, _)| (*org, *id)).chain(gone.iter().copied());
            all.push(unname(table, touched.collect()));
            all.push(name(table, &put));
        }
        if !put.is_empty() {
            all.push(put_rows(table, &put));
        }
        if !gone.is_empty() {
            let (orgs, ids): (Vec<Uuid>, Vec<Uuid>) = gone.into_iter().unzip();
            all.push(Write { sql: table.delete.clone(), parameters: vec![Box::new(orgs), Box::new(ids)] });
        }
    }
    all.extend(log(&writes.entries));
    all
}

fn put_rows<R: std::borrow::Borrow<Row>>(table: &Table, rows: &[(Uuid, Uuid, R)]) -> Write {
    let orgs: Vec<Uuid> = rows.iter().map(|(org, ..)| *org).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(_, id, _)| *id).collect();
    let mut parameters: Vec<Array> = vec![Box::new(orgs), Box::new(ids)];
    for index in &table.keyed {
        for (at, column) in index.columns().enumerate() {
            let parts = rows.iter().map(|(.., row)| part(index, &row.borrow().filed, at));
            parameters.push(array(column, parts));
        }
    }
    let docs: Vec<String> = rows.iter().map(|(.., row)| String::from_utf8_lossy(&row.borrow().doc).into_owned()).collect();
    parameters.push(Box::new(docs));
    Write { sql: table.upsert.clone(), parameters }
}

/// What stands in one column of an index for a document; `None` = it is not in that index.
fn part<'r>(index: &Keyed, filed: &'r [Filed], at: usize) -> Option<&'r Part> {
    let entry = filed.iter().find(|entry| entry.index == index.number)?;
    entry.group.iter().chain(&entry.sort).nth(at)
}

fn array<'r>(column: &Column, parts: impl Iterator<Item = Option<&'r Part>>) -> Array {
    match column.kind {
        PartKind::Uuid => Box::new(parts.map(|part| if let Some(Part::Uuid(id)) = part { Some(*id) } else { None }).collect::<Vec<_>>()),
        PartKind::Int => {
            Box::new(parts.map(|part| if let Some(Part::Int(number)) = part { Some(*number) } else { None }).collect::<Vec<_>>())
        }
        PartKind::Text => Box::new(
            parts.map(|part| if let Some(Part::Text(text)) = part { Some(text.replace('\0', "")) } else { None }).collect::<Vec<_>>(),
        ),
    }
}

fn number_of(table: &Table) -> i16 {
    // Collections are numbered by hand, with small numbers.
    i16::try_from(table.number).unwrap_or(i16::MAX)
}

fn unname(table: &Table, rows: Vec<(Uuid, Uuid)>) -> Write {
    let numbers = vec![number_of(table); rows.len()];
    let (orgs, ids): (Vec<Uuid>, Vec<Uuid>) = rows.into_iter().unzip();
    Write { sql: sql::UNNAME.into(), parameters: vec![Box::new(orgs), Box::new(numbers), Box::new(ids)] }
}

fn name<R: std::borrow::Borrow<Row>>(table: &Table, rows: &[(Uuid, Uuid, R)]) -> Write {
    let (mut orgs, mut numbers, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ranks, mut texts, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (org, id, row) in rows {
        for filed in row.borrow().filed.iter().filter(|filed| table.names.contains(&filed.index)) {
            if let ([Part::Int(rank)], [Part::Text(text)]) = (filed.group.as_slice(), filed.sort.as_slice()) {
                orgs.push(*org);
                numbers.push(number_of(table));
                indexes.push(i16::from(filed.index));
                ranks.push(*rank);
                texts.push(text.replace('\0', ""));
                ids.push(*id);
            }
        }
    }
    let parameters: Vec<Array> =
        vec![Box::new(orgs), Box::new(numbers), Box::new(indexes), Box::new(ranks), Box::new(texts), Box::new(ids)];
    Write { sql: sql::NAME.into(), parameters }
}

/// Entries of logs, the lists that name them, and how far the logs are with them.
fn log(entries: &[LogEntry]) -> Vec<Write> {
    if entries.is_empty() {
        return Vec::new();
    }
    let (mut logs, mut numbers, mut docs, mut services) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut orgs, mut lists, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    let mut heads = std::collections::BTreeMap::new();
    for entry in entries {
        let (log, seq) = (entry.log().uuid(), stored(entry.seq()));
        logs.push(log);
        numbers.push(seq);
        docs.push(String::from_utf8_lossy(entry.json()).into_owned());
        services.push(array_text(entry.services()));
        for list in entry.services().iter().chain(entry.lists()) {
            orgs.push(log);
            lists.push(*list);
            listed.push(seq);
        }
        heads.insert(log, (entry.log().is_page(), seq));
    }
    let mut all =
        vec![Write { sql: sql::APPEND.into(), parameters: vec![Box::new(logs), Box::new(numbers), Box::new(docs), Box::new(services)] }];
    if !orgs.is_empty() {
        all.push(Write { sql: sql::TOUCH.into(), parameters: vec![Box::new(orgs), Box::new(lists), Box::new(listed)] });
    }
    if let Some((_, seq)) = heads.get(&Uuid::nil()) {
        all.push(Write { sql: sql::FORGET_SIGNALS.into(), parameters: vec![Box::new(*seq - SIGNALS_KEPT)] });
    }
    let (mut logs, mut pages, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (log, (page, seq)) in heads {
        logs.push(log);
        pages.push(page);
        numbers.push(seq);
    }
    all.push(Write { sql: sql::ADVANCE.into(), parameters: vec![Box::new(logs), Box::new(pages), Box::new(numbers)] });
    all
}

/// A number of a log as the database has it: 2^63 of them are enough.
pub(super) fn stored(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// An array of ids inside an array, which can't be a parameter.
fn array_text(ids: &[Uuid]) -> String {
    let mut text = String::from("{");
    for (at, id) in ids.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{id}");
    }
    text.push('}');
    text
}

/// Sends all of them, and what comes last, without waiting in between; then hears what became of each. A COMMIT after a statement that failed
/// answers as if all were well, so that each answer counts.
pub(super) async fn send(client: &Client, prepared: &[(Statement, &Write)], last: Option<&str>) -> Result<(), Error> {
    type Sent<'s> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 's>>;
    let mut sent: Vec<Sent<'_>> = Vec::with_capacity(prepared.len() + 1);
    for (statement, write) in prepared {
        sent.push(Box::pin(async move {
            let parameters: Vec<&(dyn ToSql + Sync)> = write.parameters.iter().map(|array| &**array as &(dyn ToSql + Sync)).collect();
            client.execute(statement, &parameters).await.map(|_| ())
        }));
    }
    if let Some(last) = last {
        sent.push(Box::pin(client.batch_execute(last)));
    }
    join_all(sent).await.into_iter().collect()
}

/// Writes some rows of one collection with everything that belongs to them, outside of any batch.
pub(super) async fn upsert(client: &Client, table: &Table, rows: &[(Uuid, Uuid, Row)]) -> Result<(), Error> {
    let mut writes = Vec::new();
    if !table.names.is_empty() {
        writes.push(unname(table, rows.iter().map(|(org, id, _)| (*org, *id)).collect()));
        writes.push(name(table, rows));
    }
    writes.push(put_rows(table, rows));
    execute(client, &writes).await
}

/// Appends entries to logs, outside of any batch.
pub(super) async fn append(client: &Client, entries: &[LogEntry]) -> Result<(), Error> {
    execute(client, &log(entries)).await
}

async fn execute(client: &Client, writes: &[Write]) -> Result<(), Error> {
    let mut prepared = Vec::with_capacity(writes.len());
    for write in writes {
        prepared.push((client.prepare(&write.sql).await?, write));
    }
    send(client, &prepared, None).await
}
