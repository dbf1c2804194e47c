//! The writer: one thread, many commands a commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::{Answer, Base, Committed, Erase, LogEntry, Outcome, Scope, WriteSet, base::LogRange, unavailable};
use super::tables::{self, ReadTables, WriteTables};
use super::{Command, Place, Shared};
use crate::clock::monotonic;
use redb::ReadableDatabase;

/// The most commands in one commit: bounds how long the first of them waits.
const BATCH: usize = 1_024;
/// How long the writer waits for as many commands as came last time. At 64 submitters this is worth a tenth of the throughput; alone it costs nothing.
const GATHER: Duration = Duration::from_micros(200);
/// How often a store that could not be opened after a fault is tried again, by the writer itself: those who only read would never ask for it.
const RETRY: Duration = Duration::from_secs(1);

/// What hears of a commit on the writer's thread, before anyone is answered.
pub(super) type Hook = Arc<OnceLock<Box<dyn Fn(&Committed) + Send + Sync>>>;

pub(super) struct Writer {
    pub(super) database: Shared,
    pub(super) place: Place,
    pub(super) cache_bytes: usize,
    /// To the one follower of this process, which hears of a commit before the callers do.
    pub(super) news: mpsc::UnboundedSender<Committed>,
    pub(super) hook: Hook,
    /// What a failed commit would have announced. It may have reached the disk after all: looked at once the file can be opened again.
    pub(super) doubtful: Committed,
}

impl Writer {
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut last = 1;
        loop {
            if self.is_away() {
                if !refuse_for(RETRY, commands) {
                    break;
                }
                self.reopen();
                continue;
            }
            let Ok(first) = commands.recv() else { break };
            let batch = gather(first, commands, last);
            last = batch.len();
            self.commit(batch);
        }
        // Closing the database here, and not whenever the last reader goes, leaves a clean file behind.
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_away(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let mut answers = Vec::with_capacity(batch.len());
        let mut committed = Committed::default();
        let durable = {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match guard.as_ref() {
                Some(database) => write(database, batch, &mut answers, &mut committed)
                    .inspect_err(|error| tracing::error!(%error, "a commit failed"))
                    .is_ok(),
                None => false,
            }
        };
        if durable {
            self.announce(committed);
            for answer in answers {
                answer(Ok(()));
            }
            return;
        }
        // Answered after the file was looked at again: a retry then finds a store that works, if it can.
        self.doubtful.entries.extend(committed.entries);
        self.doubtful.signals.extend(committed.signals);
        self.reopen();
        for answer in answers {
            answer(Err(unavailable()));
        }
    }

    fn announce(&self, committed: Committed) {
        if !committed.entries.is_empty() || !committed.signals.is_empty() {
            if let Some(hook) = self.hook.get() {
                hook(&committed);
            }
            // Nobody follows a store that is only copied or inspected.
            let _ = self.news.send(committed);
        }
    }

    /// Opens the file anew after a fault, since redb writes nothing after the first failed write. Memory has no file to open again.
    fn reopen(&mut self) {
        if let Place::Memory = self.place {
            return;
        }
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *guard = None;
        match self.place.open(self.cache_bytes) {
            Ok(database) => {
                tracing::warn!("the store was opened anew after a fault");
                let Committed { entries, signals } = std::mem::take(&mut self.doubtful);
                let entries = durable_of(&database, entries);
                *guard = Some(database);
                drop(guard);
                // A connection closed without need comes back; one that stays open against the store does not go.
                self.announce(Committed { entries, signals });
            }
            Err(error) => tracing::error!(%error, "the store can't be opened; it is tried again"),
        }
    }
}

/// Refuses every command for a while, by dropping it: trying the disk for each of them would keep readers from their turn. False when the store
/// is being closed.
fn refuse_for(time: Duration, commands: &Receiver<Command>) -> bool {
    let start = monotonic();
    loop {
        match commands.recv_timeout(time.saturating_sub(start.elapsed())) {
            Ok(refused) => drop(refused),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Takes what waits, and a little longer while fewer wait than last time.
fn gather(first: Command, commands: &Receiver<Command>, last: usize) -> Vec<Command> {
    let mut batch = vec![first];
    let start = monotonic();
    while batch.len() < BATCH {
        if let Ok(next) = commands.try_recv() {
            batch.push(next);
            continue;
        }
        let left = GATHER.saturating_sub(start.elapsed());
        if batch.len() >= last || left.is_zero() {
            break;
        }
        match commands.recv_timeout(left) {
            Ok(next) => batch.push(next),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    batch
}

/// Runs the commands in one transaction and commits it. Every command's answer is in `answers`, also when this fails.
fn write(database: &redb::Database, batch: Vec<Command>, answers: &mut Vec<Answer>, committed: &mut Committed) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(redb::Durability::Immediate)?;
    let mut changed = false;
    {
        let mut tables = WriteTables::open(&transaction)?;
        for command in batch {
            let run = match command {
                Command::Run(run) => run,
                Command::Erase(erase) => {
                    let (gone, answer) = erased(&mut tables, erase)?;
                    answers.push(answer);
                    changed |= gone > 0;
                    continue;
                }
            };
            let mut writes = WriteSet::default();
            // A bug in one command must not take the writer, and so every tenant, down. Its caller hears of a dropped answer.
            let Ok((outcome, answer)) = catch_unwind(AssertUnwindSafe(|| run(Base::RedbWrite(&tables), &mut writes))) else {
                tracing::error!("a command panicked; nothing of it was written");
                continue;
            };
            answers.push(answer);
            if let Outcome::Commit = outcome {
                tables.apply(&writes)?;
                changed = true;
                let Committed { entries, signals } = writes.into_committed();
                committed.entries.extend(entries);
                committed.signals.extend(signals);
            }
        }
    }
    if changed {
        transaction.commit()?;
    } else {
        // Commands that only refused leave nothing to sync.
        transaction.abort()?;
    }
    Ok(())
}

/// Removes what is asked for, as far as it goes, and says how much that was.
fn erased(tables: &mut WriteTables<'_>, erase: Erase) -> Result<(usize, Answer), redb::StorageError> {
    let Erase { owners, limit, answer } = erase;
    let mut gone = 0;
    // What belongs to no organization has no owner who could be deleted.
    for owner in owners.into_iter().filter(|owner| Scope(*owner) != Scope::SYSTEM) {
        gone += tables.erase(owner, limit - gone)?;
    }
    let more = gone == limit;
    let answer: Answer = Box::new(move |durable| answer(durable.map(|()| more)));
    Ok((gone, answer))
}

/// Those entries that are in the database.
fn durable_of(database: &redb::Database, entries: Vec<LogEntry>) -> Vec<LogEntry> {
    let Ok(transaction) = database.begin_read() else { return Vec::new() };
    let Ok(tables) = ReadTables::open(&transaction) else { return Vec::new() };
    let is_durable = |entry: &LogEntry| {
        let range = LogRange { after: entry.seq() - 1, before: entry.seq() + 1, newest: false, limit: 1 };
        tables::log(&tables.log, entry.log(), range)
            .is_ok_and(|found| found.first().is_some_and(|(_, json)| json.as_slice() == entry.json().as_ref()))
    };
    entries.into_iter().filter(is_durable).collect()
}
