//! The embedded engine: redb, one writer thread with group commit, MVCC snapshots for reads.

mod keys;
mod refile;
mod tables;
mod writer;

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError};
use tokio::sync::mpsc;

use super::{Base, Committed, Erase, OpenError, Run, SCHEMA, StoreSize, unavailable};
use crate::error::{Error, Result};
pub(super) use tables::RowKey;
pub use tables::{ReadTables, WriteTables};
pub(super) use tables::{common_log, count, due, get, head, log, names, scan, service_log};
#[cfg(test)]
pub(super) use tables::{pretend_first, pretend_schema};

/// Where the data is.
#[derive(Clone)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In memory, gone with the process.
    Memory,
    /// Behind this, opened anew after a fault: a slow disk for measurements, a failing one for tests.
    Disk(Arc<dyn Fn() -> Result<Box<dyn StorageBackend>, DatabaseError> + Send + Sync>),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Place::File(path) => path.display().to_string(),
            Place::Memory => "the store in memory".into(),
            Place::Disk(_) => "the disk".into(),
        }
    }

    fn open(&self, cache_bytes: usize) -> Result<Database, OpenError> {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        let opened = match self {
            Place::File(path) => builder.create(path),
            Place::Memory => builder.create_with_backend(redb::backends::InMemoryBackend::new()),
            Place::Disk(disk) => disk().and_then(|disk| builder.create_with_backend(Boxed(disk))),
        };
        opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(self.name()),
            other => OpenError::Failed { path: self.name(), detail: other.to_string() },
        })
    }
}

/// redb takes a type, not a box.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.0.write(offset, data)
    }
    fn close(&self) -> Result<(), std::io::Error> {
        self.0.close()
    }
}

/// The database, shared by readers and the writer.
///
/// An `RwLock` that readers hold shared for one snapshot. The writer takes it alone only to reopen the file after a disk fault: redb refuses every
/// write after the first failed one, even when there is space again. `None` while that has not worked yet.
type Shared = Arc<RwLock<Option<Database>>>;

/// How many commands may wait. Beyond that the caller hears `Unavailable` at once instead of a growing delay.
const QUEUE: usize = 8_192;

/// What waits for the writer.
enum Command {
    /// Something to decide and write.
    Run(Run),
    /// Something to remove, whatever it is.
    Erase(Erase),
}

/// The engine.
pub(super) struct Redb {
    place: Place,
    database: Shared,
    epoch: String,
    /// The writer's queue; taken away on [`close`](Self::close), which ends the writer once it is empty.
    queue: Mutex<Option<SyncSender<Command>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    hook: writer::Hook,
}

impl Redb {
    pub(super) fn open(place: Place, cache_bytes: usize) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), OpenError> {
        let failed = |detail: String| OpenError::Failed { path: place.name(), detail };
        let database = place.open(cache_bytes)?;
        let found = tables::prepare(&database, SCHEMA).map_err(|error| failed(error.to_string()))?;
        if found.schema > SCHEMA {
            return Err(OpenError::Newer { path: place.name(), found: found.schema });
        }
        if found.schema < SCHEMA {
            tracing::info!(from = found.schema, to = SCHEMA, "the store is brought to the present schema");
            refile::refile(&database, SCHEMA).map_err(|error| failed(error.to_string()))?;
        }
        let database: Shared = Arc::new(RwLock::new(Some(database)));
        let (queue, commands) = sync_channel(QUEUE);
        let (news, follower) = mpsc::unbounded_channel();
        let hook = writer::Hook::default();
        let writer = writer::Writer {
            hook: hook.clone(),
            doubtful: Committed::default(),
            database: database.clone(),
            place: place.clone(),
            cache_bytes,
            news,
        };
        let thread = std::thread::Builder::new()
            .name("allclear-writer".into())
            .spawn(move || writer.run(&commands))
            .map_err(|error| OpenError::Failed { path: "the writer thread".into(), detail: error.to_string() })?;
        let engine = Self { place, database, epoch: found.epoch, queue: Mutex::new(Some(queue)), writer: Mutex::new(Some(thread)), hook };
        Ok((engine, follower))
    }

    pub(super) fn submit(&self, run: Run) -> Result<()> {
        self.queue(Command::Run(run))
    }

    pub(super) fn erase(&self, erase: Erase) -> Result<()> {
        self.queue(Command::Erase(erase))
    }

    fn queue(&self, command: Command) -> Result<()> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(command)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => Err(unavailable()),
        }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(Base<'_>) -> Result<T>) -> Result<T> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or_else(unavailable)?;
        let transaction = database.begin_read().map_err(Error::internal)?;
        let tables = ReadTables::open(&transaction).map_err(Error::internal)?;
        read(Base::RedbRead(&tables))
    }

    pub(super) fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        if self.hook.set(Box::new(hook)).is_err() {
            tracing::error!("a store has one hook; the second is not called");
        }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(super) fn size(&self) -> Result<StoreSize> {
        let Place::File(path) = &self.place else { return Ok(StoreSize { file_bytes: None, free_bytes: None }) };
        let disk = rustix::fs::statvfs(path).map_err(Error::internal)?;
        Ok(StoreSize {
            file_bytes: Some(std::fs::metadata(path).map_err(Error::internal)?.len()),
            free_bytes: Some(disk.f_bavail.saturating_mul(disk.f_frsize)),
        })
    }

    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
            // The last handle may go with a command, on the writer itself; it ends by itself then.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        self.close();
    }
}

/// A storage fault as the domain hears it: the caller may try again, the log says what happened.
pub(super) fn fault(error: StorageError) -> Error {
    tracing::error!(%error, "the store can't be read");
    unavailable()
}
