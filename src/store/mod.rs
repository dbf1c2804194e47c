//! The store: typed collections over a narrow port.
//!
//! A noun declares its collection in its own file ([`Document`]); all of them are listed in [`crate::domain::COLLECTIONS`]. The domain sees
//! [`OrgTx`] and [`OrgView`], which put the organization before every key, and [`SystemTx`] for what belongs to no organization. What an
//! engine must do is small: run a command against a [`Base`] and a [`WriteSet`], make the write-set durable, and then tell what was committed.
//!
//! | file | what |
//! |---|---|
//! | `document.rs` | `Document`, `Index`, `Part`: how a noun is stored and found |
//! | `names.rs` | `Names`: documents found by a word of what they are called |
//! | `scan.rs` | `Scan`, `Page`, `Cursor`: reading many, in order, by cursor |
//! | `writes.rs` | `WriteSet`: what one command wants written, read through by the command itself |
//! | `base.rs` | `Base`, the port: what is committed, on any engine |
//! | `tx.rs` | `OrgTx`, `OrgView`, `SystemTx`, `SystemView`, `WideTx`, `Reads` |
//! | `copy.rs` | from a file into a database, whole, verified, resumable |
//! | `redb/` | the embedded engine: one writer thread with group commit, snapshots for reads |
//! | `postgres/` | the engine for several nodes: a queue an organization and node, one follower of what all of them commit |

mod base;
pub mod copy;
mod document;
mod names;
mod postgres;
pub mod redb;
mod scan;
#[cfg(test)]
mod suite;
mod tx;
mod writes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::config::StorePlace;
use crate::domain::organization::OrgId;
use crate::domain::page::Page as PublicPage;
use crate::domain::session::Session;
use crate::error::{Error, Result};
use crate::id::Id;
pub(crate) use base::Listed;
#[cfg(test)]
pub(crate) use base::read_since;
pub use base::{Base, LogEntry, LogKind, LogRange, Scope};
pub use document::{AnyIndex, Document, Filed, Index, OrgDocument, Part, PartKind, Parts, Shape, SystemDocument};
pub(crate) use document::{Row, refile, shapes};
pub use names::Names;
pub(crate) use names::{divides, sought};
pub use scan::{Cursor, Page, Scan};
pub(crate) use tx::Context;
pub use tx::{OrgTx, OrgView, Reads, SystemTx, SystemView, WideTx};
pub use writes::WriteSet;

/// The version of what is stored. A store with a newer one is refused; an older one is filed anew when it is opened.
pub const SCHEMA: u32 = 3;

/// What a command decided.
pub enum Outcome {
    /// Write everything in the write-set.
    Commit,
    /// Write nothing.
    Discard,
}

/// Called once the command's batch is durable, or with the reason why it is not.
pub type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// A command: reads through the base and its own writes, and says what becomes of them.
///
/// Erased, so that every engine queues the same thing.
pub type Run = Box<dyn FnOnce(Base<'_>, &mut WriteSet) -> (Outcome, Answer) + Send>;

/// Nobody else writes to this while a command runs, on any node: what is read of it stays so until the command is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// One organization.
    Org(OrgId),
    /// What belongs to none. An organization that is entered is locked then.
    System,
    /// First what belongs to none, then one organization.
    Both(OrgId),
}

/// What is to be removed without a look at it.
struct Erase {
    /// Under which ids it stands.
    owners: Vec<Uuid>,
    /// The most that goes.
    limit: usize,
    /// Called once that is durable: whether there may be more.
    answer: Box<dyn FnOnce(Result<bool>) + Send>,
}

/// What one command made durable, in the order of the commits.
#[derive(Debug, Default)]
pub struct Committed {
    /// Log entries, each organization's in the order of its numbers.
    pub entries: Vec<LogEntry>,
    /// What ended, beside the log.
    pub signals: Vec<Signal>,
}

/// News that belong to no organization's log, but that open connections must hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// This session is over: close what was opened through it.
    SessionEnded(Id<Session>),
    /// This organization can't be entered any more, nor these pages of it be seen: close what is open there.
    OrganizationShut(OrgId, Vec<Id<PublicPage>>),
    /// This process was out of reach for so long that it can't know what has ended meanwhile: close all that depends on a session.
    Missed,
}

/// A store on one of the engines.
#[derive(Clone)]
pub struct Store(Engine);

/// The engines: a closed set, matched here and in `base.rs`, and nowhere else.
#[derive(Clone)]
enum Engine {
    Redb(Arc<redb::Redb>),
    Postgres(Arc<postgres::Postgres>),
}

/// Does the same with whichever engine it is.
macro_rules! each {
    ($self:ident, $engine:ident => $body:expr) => {
        match &$self.0 {
            Engine::Redb($engine) => $body,
            Engine::Postgres($engine) => $body,
        }
    };
}

impl Store {
    /// The embedded store in this file, made when missing.
    ///
    /// # Errors
    /// [`OpenError`], each saying what to do next.
    pub fn open(path: &std::path::Path, cache_bytes: usize) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        Self::open_at(redb::Place::File(path.to_path_buf()), cache_bytes)
    }

    /// The embedded store wherever that is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(place: redb::Place, cache_bytes: usize) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        redb::Redb::open(place, cache_bytes).map(|(engine, news)| (Self(Engine::Redb(Arc::new(engine))), news))
    }

    /// The store that the operator has named: embedded, with so much memory for its pages, or on a server, with so many connections. Waits for the
    /// disk or the network; may be called from an async thread at the start, when nothing else goes on.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_place(
        place: &StorePlace,
        cache_bytes: usize,
        connections: usize,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        match place {
            StorePlace::Redb(path) => Self::open(path, cache_bytes),
            StorePlace::Postgres(url) => {
                postgres::Postgres::open(url, connections).map(|(engine, news)| (Self(Engine::Postgres(Arc::new(engine))), news))
            }
        }
    }

    /// A store in memory, gone with the process: for tests and the demonstration.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn memory() -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        Self::open_at(redb::Place::Memory, 16 << 20)
    }

    /// Queues a command. Its answer comes after the commit; when the queue is full or the store is closed it is never called and the command is dropped.
    ///
    /// # Errors
    /// `Unavailable` when the queue is full or the store has closed.
    pub fn submit(&self, locks: Locks, run: Run) -> Result<()> {
        match &self.0 {
            // It has one writer, which is alone with everything.
            Engine::Redb(engine) => engine.submit(run),
            Engine::Postgres(engine) => engine.submit(locks, run),
        }
    }

    /// Queues the removal of what is stored under these ids: the rows of such an organization with their index, its log, the log of such a page. At
    /// most `limit` of them all go, so that it holds nobody up; `answer` then hears, after the commit, whether there may be more. As with a command,
    /// it is never called when the store is closed.
    ///
    /// For what nobody can find any more: no event tells of it, and what writes to such an organization meanwhile is not stopped.
    ///
    /// # Errors
    /// `Unavailable` when the queue is full or the store has closed.
    pub fn erase(&self, owners: Vec<Uuid>, limit: usize, answer: impl FnOnce(Result<bool>) + Send + 'static) -> Result<()> {
        let erase = Erase { owners, limit, answer: Box::new(answer) };
        each!(self, engine => engine.erase(erase))
    }

    /// Calls this for each commit, on a thread of the engine's, once the commit can be read and before anyone is answered: for what must be
    /// true by the time the author hears of success. Where other processes commit to the same store it is called for those, too, when they
    /// are heard of, perhaps on another thread, and now and then twice for one. It must be quick, and must not call the store. A store has one.
    pub fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        each!(self, engine => engine.on_commit(hook));
    }

    /// Reads a snapshot. Blocks for the disk: call it from a blocking thread.
    ///
    /// # Errors
    /// What `read` says; `Unavailable` while the store can't be read.
    pub fn read<T>(&self, read: impl FnOnce(Base<'_>) -> Result<T>) -> Result<T> {
        each!(self, engine => engine.read(read))
    }

    /// The name of this log's life: random, kept across restarts, changed only by a restore.
    pub fn epoch(&self) -> &str {
        each!(self, engine => engine.epoch())
    }

    /// Whether other processes write to it as well. Where none do, what is to happen once happens here, and nothing has to be agreed on.
    pub fn is_shared(&self) -> bool {
        match self.0 {
            // A file is locked by the process that has it open.
            Engine::Redb(_) => false,
            Engine::Postgres(_) => true,
        }
    }

    /// Since when it can't be reached, by this machine's clock; `None` while it can. An engine in the same process is never away. Quick, and without
    /// a look at the store: it is asked for each request that can't be answered from memory.
    pub fn away_since(&self) -> Option<Timestamp> {
        match &self.0 {
            Engine::Redb(_) => None,
            Engine::Postgres(engine) => engine.away_since(),
        }
    }

    /// How much room the store takes. Asks the disk: call it from a blocking thread.
    ///
    /// # Errors
    /// `Internal` when the system does not say.
    pub fn size(&self) -> Result<StoreSize> {
        each!(self, engine => engine.size())
    }

    /// Finishes what is queued and closes the files. Later commands are `Unavailable`.
    pub fn close(&self) {
        each!(self, engine => engine.close());
    }
}

/// How much room a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    /// The file's length, room for what is still to come included, or what the database server says; none for a store in memory.
    pub file_bytes: Option<u64>,
    /// What is left on the file's disk for this process; none for a store in memory or on a server.
    pub free_bytes: Option<u64>,
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("{0} is in use by another allclear: stop that one, or name another --data-dir")]
    InUse(String),
    /// A newer program wrote it.
    #[error(
        "{path} was written by a newer allclear (schema {found}, this one knows {SCHEMA}): start that version again, or restore a backup made before"
    )]
    Newer {
        /// The file.
        path: String,
        /// The schema version found in it.
        found: u32,
    },
    /// Its server can't be reached.
    #[error("{place} can't be reached: {detail}; start the database, or correct --store")]
    Away {
        /// The server's address, without a password.
        place: String,
        /// What the network says.
        detail: String,
    },
    /// Its server wants nothing to do with it: a wrong password, a database that does not exist.
    #[error("{place} refuses: {detail}; correct --store, or what that user may do there")]
    Refused {
        /// The server's address, without a password.
        place: String,
        /// What the server says.
        detail: String,
    },
    /// Anything else.
    #[error("{path} can't be opened: {detail}")]
    Failed {
        /// The file.
        path: String,
        /// What the engine says.
        detail: String,
    },
}

/// What a caller hears while the store can't write.
pub(crate) fn unavailable() -> Error {
    Error::Unavailable(std::time::Duration::from_secs(2))
}
