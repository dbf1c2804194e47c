//! PostgreSQL: several nodes on one database.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the engine: opened, asked, closed |
//! | `schema.rs`, `views.sql` | the tables, and what people may query |
//! | `sql.rs` | the statements, from what the collections declare |
//! | `pools.rs`, `tls.rs` | connections, and how they are encrypted |
//! | `session.rs` | one transaction or snapshot, as the domain reads through it |
//! | `write.rs` | what is written, in as few statements as there are tables |
//! | `queue.rs` | commands: one queue an organization and node, one transaction for all that wait |
//! | `follower.rs` | what is committed, here and on the other nodes, in order |
//! | `erase.rs` | what is removed without a look at it |
//! | `import.rs` | a database that is filled by a copy |
//!
//! Two nodes never write to one organization at the same time: each transaction first locks the row of `allclear.heads` that says how far the
//! organization's log is. That makes of every organization what the embedded engine is as a whole: one writer, numbers without gaps, in the order
//! of the commits. Where something of no organization is written as well, its row (all zeros) is locked first, and then organizations one after the
//! other: there is one such transaction at a time, and those of one organization wait for nothing else, so that nobody waits in a circle.
//!
//! A node announces nothing by itself: it follows the database, which tells of its own commits and of the others' in one order.

mod erase;
mod follower;
mod import;
mod pools;
mod queue;
mod schema;
mod session;
mod sql;
#[cfg(test)]
mod tests;
mod tls;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_postgres::Error as SqlError;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Base, Committed, Erase, Locks, LogEntry, OpenError, Run, Signal, StoreSize, unavailable};
use crate::clock::Timestamp;
use crate::config::PostgresUrl;
use crate::domain::{COLLECTIONS, Collection};
use crate::error::{Error, Result};
use follower::{Follower, Own};
pub(super) use import::Import;
use pools::Pools;
use queue::Queues;
use schema::{Problem, Use};
pub(super) use session::Session;
use sql::Tables;

/// How long an answer may take before the connection is given up. Statements take milliseconds; the rest is for a database that is busy.
const REPLY: Duration = Duration::from_secs(10);

/// Called for each commit before its author is answered.
type Hook = Box<dyn Fn(&Committed) + Send + Sync>;

/// The engine.
pub(super) struct Postgres {
    shared: Arc<Shared>,
    /// Where connections live. The engine's own, so that threads that wait for an answer wait for nobody who waits for them.
    runtime: Mutex<Option<Runtime>>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// What the parts of the engine share.
struct Shared {
    epoch: String,
    pools: Arc<Pools>,
    queues: Queues,
    own: Own,
    hook: OnceLock<Hook>,
    /// Tells the follower that this node has committed something. A permit is kept, so that nothing falls between two looks.
    committed: Notify,
    stopping: CancellationToken,
    closed: AtomicBool,
}

/// Every collection that has a table.
fn collections() -> impl Iterator<Item = &'static Collection> {
    #[cfg(test)]
    let all = COLLECTIONS.iter().chain(super::suite::COLLECTIONS);
    #[cfg(not(test))]
    let all = COLLECTIONS.iter();
    all
}

impl Postgres {
    /// Connects, and makes the tables where they are missing.
    ///
    /// Whoever calls may be an async thread, which must not wait: it is done on another, and waited for.
    pub(super) fn open(url: &PostgresUrl, connections: usize) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        let place = url.to_string();
        let failed = |detail: String| OpenError::Failed { path: place.clone(), detail };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("allclear-store")
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let handle = runtime.handle().clone();
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| handle.block_on(Self::connect(url, connections, &place)));
            opening.join().unwrap_or_else(|_| Err(failed("opening it panicked".into())))
        });
        match opened {
            Ok((shared, follower, news)) => {
                let follower = runtime.spawn(follower.run());
                let engine = Self { shared, runtime: Mutex::new(Some(runtime)), follower: Mutex::new(Some(follower)) };
                Ok((engine, news))
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    async fn connect(
        url: &PostgresUrl,
        connections: usize,
        place: &str,
    ) -> Result<(Arc<Shared>, Follower, mpsc::UnboundedReceiver<Committed>), OpenError> {
        let away = |error: &SqlError| unreachable(place, error);
        let tls = tls::connector(url.tls()).map_err(|detail| OpenError::Failed { path: place.to_owned(), detail })?;
        let tables = Tables::of(collections());
        let pools = Pools::new(url.config().clone(), tls, tables, connections)
            .map_err(|detail| OpenError::Failed { path: place.to_owned(), detail })?;
        let (client, hints) = pools.listener().await.map_err(|error| away(&error))?;
        let found = schema::prepare(&client, place, &pools.tables, Use::Work).await.map_err(|problem| match problem {
            Problem::Refused(error) => error,
            Problem::Sql(error) if error.as_db_error().is_none() => away(&error),
            Problem::Sql(error) => OpenError::Failed { path: place.to_owned(), detail: pools::explain(&error) },
        })?;
        let (send, news) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            epoch: found.epoch,
            pools: Arc::new(pools),
            queues: Queues::default(),
            own: Own::default(),
            hook: OnceLock::new(),
            committed: Notify::new(),
            stopping: CancellationToken::new(),
            closed: AtomicBool::new(false),
        });
        let follower = Follower::begin(shared.clone(), client, hints, send).await.map_err(|error| away(&error))?;
        Ok((shared, follower, news))
    }

    pub(super) fn submit(&self, locks: Locks, run: Run) -> Result<()> {
        self.reachable()?;
        self.shared.submit(locks, run)
    }

    pub(super) fn erase(&self, erase: Erase) -> Result<()> {
        self.reachable()?;
        self.shared.erase(erase)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(Base<'_>) -> Result<T>) -> Result<T> {
        self.reachable()?;
        let session = Session::view(&self.shared.pools);
        let result = read(Base::Postgres(&session));
        session.end();
        result
    }

    /// Refuses at once what would only wait for a database that is known to be away.
    fn reachable(&self) -> Result<()> {
        if self.shared.closed.load(Ordering::SeqCst) || self.away_since().is_some() { Err(unavailable()) } else { Ok(()) }
    }

    pub(super) fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        if self.shared.hook.set(Box::new(hook)).is_err() {
            tracing::error!("a store has one hook; the second is not called");
        }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    pub(super) fn away_since(&self) -> Option<Timestamp> {
        self.shared.pools.away_since()
    }

    pub(super) fn size(&self) -> Result<StoreSize> {
        self.reachable()?;
        let pools = &self.shared.pools;
        let asking = async {
            let connection = pools.reader().await?;
            let row = connection.query_one("select pg_database_size(current_database())", &[]).await;
            row.map(|row| row.get::<_, i64>(0)).map_err(|error| session::fault(&error))
        };
        let bytes = pools.block_on(async { tokio::time::timeout(REPLY, asking).await }).unwrap_or_else(|_| Err(unavailable()))?;
        Ok(StoreSize { file_bytes: u64::try_from(bytes).ok(), free_bytes: None })
    }

    pub(super) fn close(&self) {
        if self.shared.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.shared.queues.close();
        self.shared.stopping.cancel();
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(runtime), Some(follower)) = (&runtime, follower) {
            let handle = runtime.handle();
            let ended = std::thread::scope(|scope| scope.spawn(|| handle.block_on(follower)).join());
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the store's follower ended by a panic");
            }
        }
        if let Some(runtime) = runtime {
            // The connections close with it; waiting for that would be waiting for a database that may be away.
            runtime.shutdown_background();
        }
    }

    /// How often this engine has waited for the database: for itself (to begin, lock, write and commit), and for what was read.
    #[cfg(test)]
    pub(super) fn trips(&self) -> (u64, u64) {
        (self.shared.pools.own_trips.load(Ordering::Relaxed), self.shared.pools.read_trips.load(Ordering::Relaxed))
    }
}

impl Drop for Postgres {
    /// Waits for nothing: the last handle may go with a command, on the thread that what is queued waits for.
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.stopping.cancel();
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

/// Why a server can't be worked with: it may be back in a moment, or it never will with what it was told.
fn unreachable(place: &str, error: &SqlError) -> OpenError {
    // It starts, it stops, it has no connection to spare: another time.
    let for_now = [SqlState::CANNOT_CONNECT_NOW, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::TOO_MANY_CONNECTIONS];
    let (place, detail) = (place.to_owned(), pools::explain(error));
    match error.code() {
        Some(code) if !for_now.contains(code) => OpenError::Refused { place, detail },
        // The driver keeps the kind of its errors to itself. What encryption was refused for, time does not mend.
        None if error.to_string().contains("TLS") => OpenError::Refused { place, detail },
        _ => OpenError::Away { place, detail },
    }
}

impl Shared {
    /// What must be true by the time the author hears of success; and the follower's turn.
    fn announce_own(&self, committed: Committed) {
        if committed.entries.is_empty() && committed.signals.is_empty() {
            return;
        }
        if let Some(hook) = self.hook.get() {
            hook(&committed);
        }
        self.own.keep(committed);
        self.committed.notify_one();
    }
}

/// Where signals are numbered and kept: the log of what belongs to no organization.
const SIGNALS: Uuid = Uuid::nil();

/// A signal as the other nodes find it.
fn signal_entry(seq: u64, signal: &Signal) -> Result<LogEntry> {
    let json = serde_json::to_vec(signal).map_err(Error::internal)?;
    Ok(LogEntry::raw(super::LogKind::Org(SIGNALS), seq, json, Vec::new()))
}
