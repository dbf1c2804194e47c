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
//! | `redb/` | the embedded engine: one writer thread with group commit, snapshots for reads |

mod base;
mod document;
mod names;
pub mod redb;
mod scan;
#[cfg(test)]
mod suite;
mod tx;
mod writes;

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain::organization::OrgId;
use crate::domain::page::Page as PublicPage;
use crate::domain::session::Session;
use crate::error::{Error, Result};
use crate::id::Id;
pub(crate) use base::Listed;
#[cfg(test)]
pub(crate) use base::read_since;
pub use base::{Base, LogEntry, LogKind, LogRange, Scope};
pub use document::{AnyIndex, Document, Filed, Index, OrgDocument, Part, Parts, SystemDocument};
pub(crate) use document::{Row, refile};
pub use names::Names;
pub(crate) use names::{divides, sought};
pub use scan::{Cursor, Page, Scan};
pub(crate) use tx::Context;
pub use tx::{OrgTx, OrgView, Reads, SystemTx, SystemView, WideTx};
pub use writes::WriteSet;

/// The version of what is stored. A store with a newer one is refused; an older one is filed anew when it is opened.
pub const SCHEMA: u32 = 2;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// This session is over: close what was opened through it.
    SessionEnded(Id<Session>),
    /// This organization can't be entered any more, nor these pages of it be seen: close what is open there.
    OrganizationShut(OrgId, Vec<Id<PublicPage>>),
}

/// A store on one of the engines. A closed set, matched here and nowhere else.
#[derive(Clone)]
pub struct Store(Arc<redb::Redb>);

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
        redb::Redb::open(place, cache_bytes).map(|(engine, news)| (Self(Arc::new(engine)), news))
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
    pub fn submit(&self, run: Run) -> Result<()> {
        self.0.submit(run)
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
        self.0.erase(Erase { owners, limit, answer: Box::new(answer) })
    }

    /// Calls this for each commit, on the writer's thread and before anyone is answered: for what must be true by the time the author hears of
    /// success. It must be quick, and must not call the store. A store has one.
    pub fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        self.0.on_commit(hook);
    }

    /// Reads a snapshot. Blocks for the disk: call it from a blocking thread.
    ///
    /// # Errors
    /// What `read` says; `Unavailable` while the store can't be read.
    pub fn read<T>(&self, read: impl FnOnce(Base<'_>) -> Result<T>) -> Result<T> {
        self.0.read(read)
    }

    /// The name of this log's life: random, kept across restarts, changed only by a restore.
    pub fn epoch(&self) -> &str {
        self.0.epoch()
    }

    /// How much room the store takes. Asks the disk: call it from a blocking thread.
    ///
    /// # Errors
    /// `Internal` when the system does not say.
    pub fn size(&self) -> Result<StoreSize> {
        self.0.size()
    }

    /// Finishes what is queued and closes the files. Later commands are `Unavailable`.
    pub fn close(&self) {
        self.0.close();
    }
}

/// How much room a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    /// The file's length, room for what is still to come included; none for a store in memory.
    pub file_bytes: Option<u64>,
    /// What is left on the file's disk for this process; none for a store in memory.
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
