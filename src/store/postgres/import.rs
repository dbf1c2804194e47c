//! The other side of a copy: an empty database that is filled, some at a time, and can't be used before it is whole.

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Error as SqlError};
use uuid::Uuid;

use super::super::OpenError;
use super::super::base::LogEntry;
use super::super::copy::{CopyError, Progress, Tally};
use super::super::document::Row;
use super::pools::{Pools, explain};
use super::schema::{self, Problem, Use};
use super::session::number;
use super::sql::Tables;
use super::write::{append, upsert};
use super::{SIGNALS, collections, tls, unreachable};
use crate::config::PostgresUrl;
use crate::domain::COLLECTIONS;

/// Held for as long as somebody copies. A number of ours, another than that of those who change the tables.
const COPYING: i64 = 0x616c_6c63_636f_7079;

/// How many rows are summed at once.
const PART: i64 = 1_000;

/// A database that is being filled.
pub(in crate::store) struct Import {
    runtime: Runtime,
    client: Client,
    tables: Tables,
    place: String,
    progress: Progress,
}

impl Import {
    /// Takes hold of an empty database, or of one in which a copy of the same was begun. Answers which.
    pub(in crate::store) fn begin(to: &PostgresUrl, source: &str) -> Result<(Self, bool), CopyError> {
        let place = to.to_string();
        let failed = |detail: String| OpenError::Failed { path: place.clone(), detail };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let tls = tls::connector(to.tls()).map_err(failed)?;
        let away = |error: &SqlError| unreachable(&to.to_string(), error);
        let (client, tables) = runtime.block_on(async {
            let pools = Pools::new(to.config().clone(), tls, Tables::of(collections()), 4).map_err(failed)?;
            let (client, _) = pools.listener().await.map_err(|error| away(&error))?;
            schema::prepare(&client, &place, &pools.tables, Use::Copy).await.map_err(|problem| match problem {
                Problem::Refused(error) => error,
                Problem::Sql(error) => failed(explain(&error)),
            })?;
            // Some statements here look at everything.
            client.batch_execute("set statement_timeout = 0").await.map_err(|error| away(&error))?;
            Ok::<_, OpenError>((client, pools.tables))
        })?;
        let mut import = Self {
            runtime,
            client,
            tables,
            place,
            progress: Progress { source: source.to_owned(), row: None, rows_done: false, entry: None },
        };
        let resumed = import.take()?;
        Ok((import, resumed))
    }

    /// How far the copy was when it was taken up.
    pub(in crate::store) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How much was copied before.
    pub(in crate::store) fn done(&self) -> Result<u64, CopyError> {
        let counting = async {
            let mut done = 0;
            for table in self.tables.sorted().iter().map(|table| table.name).chain(["log"]) {
                let count: i64 = self.client.query_one(&format!("select count(*) from allclear.{table}"), &[]).await?.get(0);
                done += number(count);
            }
            Ok::<_, SqlError>(done)
        };
        self.runtime.block_on(counting).map_err(|error| CopyError::stopped(&explain(&error)))
    }

    fn take(&mut self) -> Result<bool, CopyError> {
        let client = &self.client;
        let (alone, begun, empty) = self
            .runtime
            .block_on(async {
                let alone: bool = client.query_one("select pg_try_advisory_lock($1)", &[&COPYING]).await?.get(0);
                let begun = schema::meta(client, "copying").await?;
                let mut empty = true;
                for table in self.tables.sorted() {
                    let sql = format!("select not exists (select from allclear.{})", table.name);
                    empty &= client.query_one(&sql, &[]).await?.get::<_, bool>(0);
                }
                empty &= client.query_one("select not exists (select from allclear.log)", &[]).await?.get::<_, bool>(0);
                Ok::<_, SqlError>((alone, begun, empty))
            })
            .map_err(|error| CopyError::stopped(&explain(&error)))?;
        if !alone {
            return Err(CopyError::Stopped("another copy into it is under way".into()));
        }
        match begun.as_deref().map(serde_json::from_str::<Progress>) {
            Some(Ok(begun)) if begun.source == self.progress.source => {
                self.progress = begun;
                Ok(true)
            }
            Some(_) => Err(CopyError::Other(self.place.clone())),
            None if !empty => Err(CopyError::NotEmpty(self.place.clone())),
            None => {
                let progress = self.progress.clone();
                self.step(&progress, async |_| Ok(()))?;
                Ok(false)
            }
        }
    }

    /// Writes something, and how far that brings the copy, in one transaction.
    fn step(&self, progress: &Progress, write: impl AsyncFnOnce(&Client) -> Result<(), SqlError>) -> Result<(), CopyError> {
        let position = serde_json::to_string(progress).map_err(|error| CopyError::stopped(&error))?;
        self.runtime
            .block_on(async {
                self.client.batch_execute("begin").await?;
                write(&self.client).await?;
                schema::remember(&self.client, "copying", &position).await?;
                self.client.batch_execute("commit").await
            })
            .map_err(|error| CopyError::stopped(&explain(&error)))
    }

    /// Writes documents.
    pub(in crate::store) fn rows(&mut self, rows: &[(u16, Uuid, Uuid, Row)], progress: &Progress) -> Result<(), CopyError> {
        self.step(progress, async |client| {
            for table in self.tables.sorted() {
                let of_table = rows.iter().filter(|(number, ..)| *number == table.number);
                let of_table: Vec<_> = of_table.map(|(_, org, id, row)| (*org, *id, row.clone())).collect();
                if !of_table.is_empty() {
                    upsert(client, table, &of_table).await?;
                }
            }
            Ok(())
        })
    }

    /// Writes entries of logs, with the lists that name them.
    pub(in crate::store) fn entries(&mut self, entries: &[LogEntry], progress: &Progress) -> Result<(), CopyError> {
        self.step(progress, async |client| append(client, entries).await)
    }

    /// Counts and sums all that is there.
    pub(in crate::store) fn tally(&self) -> Result<Tally, CopyError> {
        self.runtime.block_on(self.sum())
    }

    async fn sum(&self) -> Result<Tally, CopyError> {
        let stopped = |error: &SqlError| CopyError::stopped(&explain(error));
        let (client, mut tally) = (&self.client, Tally::default());
        for collection in COLLECTIONS {
            let Some(table) = self.tables.get(collection.number) else { continue };
            let walk = client.prepare(&table.walk).await.map_err(|error| stopped(&error))?;
            // Before the first: no row has this id.
            let (mut org, mut id) = (Uuid::nil(), Uuid::nil());
            loop {
                let rows = client.query(&walk, &[&org, &id, &PART]).await.map_err(|error| stopped(&error))?;
                let Some(last) = rows.last() else { break };
                (org, id) = (last.get(0), last.get(1));
                for row in &rows {
                    let doc = row.get::<_, &str>(2).as_bytes();
                    tally.document(collection.name, row.get(0), row.get(1), doc).map_err(|error| CopyError::stopped(&error))?;
                }
            }
        }
        let sql = "select log, seq, doc::text, services from allclear.log where (log, seq) > ($1, $2) order by log, seq limit $3";
        let (mut log, mut seq) = (Uuid::nil(), 0_i64);
        loop {
            let rows = client.query(sql, &[&log, &seq, &PART]).await.map_err(|error| stopped(&error))?;
            let Some(last) = rows.last() else { break };
            (log, seq) = (last.get(0), last.get(1));
            for row in &rows {
                let services: Vec<Uuid> = row.get(3);
                tally.entry(row.get(0), number(row.get(1)), row.get::<_, &str>(2).as_bytes(), &services);
            }
        }
        let sql =
            "select org_id, list, seq from allclear.touches where (org_id, list, seq) > ($1, $2, $3) order by org_id, list, seq limit $4";
        let (mut org, mut list, mut seq) = (Uuid::nil(), Uuid::nil(), 0_i64);
        loop {
            let rows = client.query(sql, &[&org, &list, &seq, &PART]).await.map_err(|error| stopped(&error))?;
            let Some(last) = rows.last() else { break };
            (org, list, seq) = (last.get(0), last.get(1), last.get(2));
            rows.iter().for_each(|row| tally.touch(row.get(0), row.get(1), number(row.get(2))));
        }
        let sql = "select log, seq from allclear.heads where log <> $1 order by log";
        for row in client.query(sql, &[&SIGNALS]).await.map_err(|error| stopped(&error))? {
            tally.head(row.get(0), number(row.get(1)));
        }
        Ok(tally)
    }

    /// Releases it for use: viewers of the original go on here, as the log is the same.
    pub(in crate::store) fn release(self, epoch: &str) -> Result<(), CopyError> {
        let client = &self.client;
        self.runtime
            .block_on(async {
                client.batch_execute("begin").await?;
                schema::remember(client, "epoch", epoch).await?;
                client.execute("delete from allclear.meta where name = 'copying'", &[]).await?;
                client.batch_execute("commit").await
            })
            .map_err(|error| CopyError::stopped(&explain(&error)))?;
        // So that the first nodes find the way through tables that are full at once; the database would see to it by itself before long.
        if let Err(error) = self.runtime.block_on(client.batch_execute("analyze")) {
            tracing::warn!("the database has not counted its rows yet: {}", explain(&error));
        }
        Ok(())
    }
}
