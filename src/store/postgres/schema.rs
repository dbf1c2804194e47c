//! The tables: made when missing, brought up to date, refused when they are newer than this program.
//!
//! | table | a row |
//! |---|---|
//! | one for each collection | `org_id` (all zeros for what belongs to no organization), `id`, the columns of its indexes, `doc` |
//! | `names` | a document under a word of its name |
//! | `log` | an entry of an organization's or a page's log; under all zeros what ended, for the other nodes |
//! | `touches` | that an entry stands in a list: a service's, a type's, an actor's, a subject's |
//! | `heads` | how far a log is, and which transaction brought it there; the lock of whoever writes to that organization |
//! | `meta` | the schema version, the epoch, where the database is |
//!
//! Everything is in the schema `allclear`; what people may query is in `allclear_report`, as views that hold no secrets.

use tokio_postgres::Client;

use super::super::{OpenError, SCHEMA};
use super::sql::{Keyed, Table, Tables, sql_type};
use super::write::upsert;

/// Held while the tables are made or changed, so that of nodes that start at once one does it. A number of ours; advisory locks are a database's.
const MIGRATING: i64 = 0x616c_6c63_6c65_6172;

/// How many rows are filed anew at once.
const PART: i64 = 500;

const VIEWS: &str = include_str!("views.sql");

/// What the database says of itself.
pub(super) struct Found {
    pub(super) epoch: String,
}

/// What the database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To be worked on. One that a copy has not filled yet is refused.
    Work,
    /// To be filled by a copy.
    Copy,
}

/// Why the tables are not as they must be.
pub(super) enum Problem {
    /// The engine's own words.
    Sql(tokio_postgres::Error),
    /// Ready to be told.
    Refused(OpenError),
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

/// Makes the tables of an empty database, and brings those of an older program up to date, in one transaction.
pub(super) async fn prepare(client: &Client, place: &str, tables: &Tables, purpose: Use) -> Result<Found, Problem> {
    // Another node may be at it for minutes.
    client.batch_execute("set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0").await?;
    client.execute("select pg_advisory_lock($1)", &[&MIGRATING]).await?;
    let found = locked(client, place, tables, purpose).await;
    // Best effort: the lock goes with the connection as well.
    let _ = client.execute("select pg_advisory_unlock($1)", &[&MIGRATING]).await;
    let _ = client.batch_execute("reset statement_timeout; reset lock_timeout; reset idle_in_transaction_session_timeout").await;
    found
}

async fn locked(client: &Client, place: &str, tables: &Tables, purpose: Use) -> Result<Found, Problem> {
    let encoding: String = client.query_one("show server_encoding", &[]).await?.get(0);
    if encoding != "UTF8" {
        let detail = format!("its encoding is {encoding}; make it with encoding 'UTF8' template template0");
        return Err(Problem::Refused(OpenError::Failed { path: place.to_owned(), detail }));
    }
    let there = client.query_one("select to_regclass('allclear.meta') is not null", &[]).await?.get::<_, bool>(0);
    let schema = if there { meta(client, "schema").await? } else { None };
    // A version that is no number was written by something newer than this program can know.
    let version = schema.map(|version| version.parse().unwrap_or(u32::MAX));
    if let Some(found) = version.filter(|version| *version > SCHEMA) {
        return Err(Problem::Refused(OpenError::Newer { path: place.to_owned(), found }));
    }
    if purpose == Use::Work && there && meta(client, "copying").await?.is_some() {
        let detail = "a copy into it was not finished; run `allclear store copy` again, or empty it".to_owned();
        return Err(Problem::Refused(OpenError::Failed { path: place.to_owned(), detail }));
    }
    if purpose == Use::Copy && version.is_some_and(|version| version != SCHEMA) {
        // Not brought up to date for nothing: others may work on it.
        let detail = "an older version has written to it; a copy needs an empty database".to_owned();
        return Err(Problem::Refused(OpenError::Failed { path: place.to_owned(), detail }));
    }
    if version != Some(SCHEMA) {
        client.batch_execute("begin").await?;
        let made = make(client, tables, version).await;
        match made {
            Ok(()) => client.batch_execute("commit").await?,
            Err(problem) => {
                let _ = client.batch_execute("rollback").await;
                return Err(problem);
            }
        }
    }
    settle(client).await?;
    let epoch = meta(client, "epoch").await?.unwrap_or_default();
    Ok(Found { epoch })
}

/// One of the things that the database remembers of itself.
pub(super) async fn meta(client: &Client, name: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let row = client.query_opt("select value from allclear.meta where name = $1", &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Remembers it.
pub(super) async fn remember(client: &Client, name: &str, value: &str) -> Result<(), tokio_postgres::Error> {
    let sql = "insert into allclear.meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
    client.execute(sql, &[&name, &value]).await.map(|_| ())
}

async fn make(client: &Client, tables: &Tables, from: Option<u32>) -> Result<(), Problem> {
    client.batch_execute(BASE).await?;
    if from.is_some() {
        // Whoever is in the middle of a change ends it first, and whoever comes waits, and then sees that the schema is another.
        client.batch_execute("lock table allclear.heads in access exclusive mode").await?;
    }
    for table in tables.sorted() {
        client.batch_execute(&definition(table)).await?;
    }
    if let Some(from) = from {
        tracing::info!(from, to = SCHEMA, "the store is brought to the present schema");
        for table in tables.sorted() {
            refile(client, table).await?;
        }
    }
    client.batch_execute(VIEWS).await?;
    remember(client, "schema", &SCHEMA.to_string()).await?;
    if meta(client, "epoch").await?.is_none() {
        remember(client, "epoch", &epoch()).await?;
    }
    Ok(())
}

pub(super) fn epoch() -> String {
    format!("{:016x}", u64::from_be_bytes(crate::id::secret()))
}

const BASE: &str = "
create schema if not exists allclear;
create table if not exists allclear.meta (name text primary key, value text not null);
create table if not exists allclear.log (
    log uuid not null, seq int8 not null, doc json not null, services uuid[] not null, primary key (log, seq));
create table if not exists allclear.touches (org_id uuid not null, list uuid not null, seq int8 not null, primary key (org_id, list, seq));
create table if not exists allclear.names (
    org_id uuid not null, collection int2 not null, index int2 not null, rank int8 not null, text text collate \"C\" not null, id uuid not null,
    primary key (org_id, collection, index, rank, text, id));
create index if not exists names_of on allclear.names (org_id, collection, id);
create table if not exists allclear.heads (log uuid primary key, page bool not null, seq int8 not null, changed xid8 not null)
    with (fillfactor = 50);
create index if not exists heads_changed on allclear.heads (changed);
insert into allclear.heads values ('00000000-0000-0000-0000-000000000000', false, 0, pg_current_xact_id()) on conflict do nothing;
";

/// A collection's table with its indexes, each made only if it is not there: so a new index is added by declaring it.
fn definition(table: &Table) -> String {
    let name = table.name;
    let mut sql = format!(
        "create table if not exists allclear.{name} (org_id uuid not null, id uuid not null, doc jsonb not null, primary key (org_id, id));\n"
    );
    for index in &table.keyed {
        for column in index.columns() {
            let collation = if sql_type(column.kind) == "text" { " collate \"C\"" } else { "" };
            sql += &format!("alter table allclear.{name} add column if not exists {} {}{collation};\n", column.name, sql_type(column.kind));
        }
    }
    for index in &table.keyed {
        let Keyed { number, .. } = index;
        let columns: Vec<&str> = index.columns().map(|column| column.name.as_str()).collect();
        let Some(first) = columns.first() else { continue };
        let listed = columns.join(", ");
        sql += &format!(
            "create index if not exists {name}_by_{number} on allclear.{name} (org_id, {listed}, id) where {first} is not null;\n"
        );
        if index.due.is_some() {
            sql += &format!("create index if not exists {name}_due_{number} on allclear.{name} ({first}) where {first} is not null;\n");
        }
    }
    sql
}

/// Writes every row of a collection as it would be written today.
///
/// What follows from several rows together is not looked at: no program whose rows lacked that has ever written to this engine.
async fn refile(client: &Client, table: &Table) -> Result<(), Problem> {
    let collection = &table.collection;
    let walk = client.prepare(&table.walk).await?;
    let (mut org, mut id) = (uuid::Uuid::nil(), uuid::Uuid::nil());
    loop {
        let rows = client.query(&walk, &[&org, &id, &PART]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (org, id) = (last.get(0), last.get(1));
        let mut filed = Vec::with_capacity(rows.len());
        for row in &rows {
            let doc: &str = row.get(2);
            let row_id: uuid::Uuid = row.get(1);
            let again = (collection.refile)(doc.as_bytes()).map_err(|error| {
                let detail = format!("{}_{} among the {}: {error}", collection.prefix, row_id.simple(), collection.name);
                Problem::Refused(OpenError::Failed { path: "the database".into(), detail })
            })?;
            filed.push((row.get(0), row_id, again));
        }
        upsert(client, table, &filed).await?;
    }
}

/// Notices that the database is a copy of another: restored, or made from a template.
///
/// Its transaction ids are then of another count than those in `heads`, and its log may go on differently from the one that viewers have seen:
/// they must not be told that they have missed nothing. A restore of the files themselves, to an earlier moment, can't be seen from here;
/// docs/operations/cluster.md says what to do then.
async fn settle(client: &Client) -> Result<(), tokio_postgres::Error> {
    let sql = "select system_identifier::text || '/' || (select oid from pg_database where datname = current_database())::text || '/' || \
               'allclear.heads'::regclass::oid::text from pg_control_system()";
    let here: String = client.query_one(sql, &[]).await?.get(0);
    let before = meta(client, "home").await?;
    if before.as_ref() == Some(&here) {
        return Ok(());
    }
    client.batch_execute("begin; update allclear.heads set changed = pg_current_xact_id();").await?;
    remember(client, "home", &here).await?;
    if before.is_some() {
        tracing::warn!("this database was restored or copied: viewers who were connected before load everything anew");
        remember(client, "epoch", &epoch()).await?;
    }
    client.batch_execute("commit").await
}
