//! Commands: one queue for each organization and node, one transaction for all that wait in it.
//!
//! What waits while a transaction commits goes into the next one, so that an organization's changes a second are not the disk's syncs a second.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::Object;
use uuid::Uuid;

use super::super::base::{LogKind, Scope};
use super::super::{Answer, Base, Committed, Locks, Outcome, Run, WriteSet, unavailable};
use super::session::Session;
use super::{SIGNALS, Shared, signal_entry};
use crate::clock::monotonic;
use crate::error::Result;

/// How many commands may wait on this node. Beyond that the caller hears `Unavailable` at once instead of a growing delay.
const WAITING: usize = 8_192;
/// The most commands in one transaction: bounds how long the first of them waits, and how long other nodes do.
const BATCH: usize = 256;
/// The most commands in one transaction that locks what belongs to no organization: with it goes each organization that one of them names, until
/// the last of them is through.
const WIDE_BATCH: usize = 32;
/// How long a batch waits for as many commands as came last time: they are on their way, having just been answered.
const GATHER: Duration = Duration::from_micros(200);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_micros(40);

/// What waits for its turn.
pub(super) struct Waiting {
    /// An organization that is locked as well, after what belongs to none.
    also: Option<Uuid>,
    run: Run,
}

/// The commands that wait, by what they lock first.
///
/// A std `Mutex`, held for a push or a pop: by whoever submits, and by the worker of a queue when it takes what waits. A queue is in the map for as
/// long as it has a worker, which takes it out once it is empty.
#[derive(Default)]
pub(super) struct Queues {
    inner: Mutex<Inner>,
    /// Wakes [`Queues::close`] when the last queue is gone.
    emptied: Condvar,
}

#[derive(Default)]
struct Inner {
    queues: HashMap<Uuid, VecDeque<Waiting>>,
    waiting: usize,
    closed: bool,
}

impl Queues {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it there. Answers whether the queue needs a worker.
    fn push(&self, key: Uuid, waiting: Waiting) -> Result<bool> {
        let mut inner = self.lock();
        if inner.closed || inner.waiting >= WAITING {
            return Err(unavailable());
        }
        inner.waiting += 1;
        match inner.queues.entry(key) {
            Entry::Occupied(mut there) => {
                there.get_mut().push_back(waiting);
                Ok(false)
            }
            Entry::Vacant(none) => {
                none.insert(VecDeque::from([waiting]));
                Ok(true)
            }
        }
    }

    fn take(&self, key: Uuid, most: usize) -> Vec<Waiting> {
        let mut inner = self.lock();
        let taken: Vec<_> = match inner.queues.get_mut(&key) {
            Some(queue) => queue.drain(..queue.len().min(most)).collect(),
            None => Vec::new(),
        };
        inner.waiting -= taken.len();
        taken
    }

    /// Ends the queue if nothing waits in it.
    fn retire(&self, key: Uuid) -> bool {
        let mut inner = self.lock();
        if inner.queues.get(&key).is_some_and(|queue| !queue.is_empty()) {
            return false;
        }
        inner.queues.remove(&key);
        if inner.queues.is_empty() {
            self.emptied.notify_all();
        }
        true
    }

    /// Takes nothing more, and waits until what was taken is done.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        while !inner.queues.is_empty() {
            inner = self.emptied.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    pub(super) fn submit(self: &Arc<Self>, locks: Locks, run: Run) -> Result<()> {
        let (key, also) = match locks {
            Locks::Org(org) => (org.uuid(), None),
            Locks::System => (Uuid::nil(), None),
            Locks::Both(org) => (Uuid::nil(), Some(org.uuid())),
        };
        if self.queues.push(key, Waiting { also, run })? {
            let shared = self.clone();
            self.pools.handle().spawn(async move { shared.work(key).await });
        }
        Ok(())
    }

    /// Works on a queue until it is empty.
    async fn work(self: Arc<Self>, key: Uuid) {
        let mut last = 1;
        loop {
            let Ok(connection) = self.pools.writer().await else {
                // Dropped, they tell their callers that the store is not available.
                drop(self.queues.take(key, usize::MAX));
                if self.queues.retire(key) {
                    return;
                }
                continue;
            };
            let shared = self.clone();
            let done = tokio::task::spawn_blocking(move || shared.batch(key, connection, last)).await;
            last = done.unwrap_or(1);
            if self.queues.retire(key) {
                return;
            }
        }
    }

    /// Runs what waits in one transaction. Answers how many that were.
    fn batch(&self, key: Uuid, connection: Object, last: usize) -> usize {
        let Some(session) = self.begin(key, connection) else {
            drop(self.queues.take(key, usize::MAX));
            return 1;
        };
        let batch = self.gather(key, last);
        let count = batch.len();
        let mut answers = Vec::with_capacity(count);
        let mut committed = Committed::default();
        for Waiting { also, run } in batch {
            if session.has_failed() {
                // Dropped, it tells its caller; what it would read is not to be had.
                continue;
            }
            if let Some(org) = also {
                session.lock(Scope(org));
            }
            let mut writes = WriteSet::default();
            // A bug in one command must not take along those that share its transaction. Its caller hears of a dropped answer.
            let Ok((outcome, answer)) = catch_unwind(AssertUnwindSafe(|| run(Base::Postgres(&session), &mut writes))) else {
                tracing::error!("a command panicked; nothing of it was written");
                continue;
            };
            answers.push(answer);
            if let Outcome::Commit = outcome
                && let Err(error) = collect(&session, writes, &mut committed)
            {
                // Its caller must not hear of success, nor those whose changes rest on it.
                tracing::error!(%error, "what a command wants written can't be; its batch is not committed");
                session.give_up();
            }
        }
        self.finish(session, committed, answers);
        count
    }

    /// Begins on this connection, or on another if this one turns out to be dead.
    fn begin(&self, key: Uuid, connection: Object) -> Option<Session> {
        let mut connection = connection;
        for _ in 0..=self.pools.tries {
            match Session::change(&self.pools, connection, key) {
                Ok(session) => return Some(session),
                Err(true) if self.pools.away_since().is_none() => connection = self.pools.block_on(self.pools.writer()).ok()?,
                // Somebody has held the lock for too long, or the schema is another: a new connection would change nothing.
                Err(_) => return None,
            }
        }
        None
    }

    /// Takes what waits, and a little later what has come since if that was less than last time.
    fn gather(&self, key: Uuid, last: usize) -> Vec<Waiting> {
        let most = if key.is_nil() { WIDE_BATCH } else { BATCH };
        let mut batch = self.queues.take(key, most);
        let start = monotonic();
        while batch.len() < last.min(most) && start.elapsed() < GATHER {
            std::thread::sleep(LOOK);
            batch.extend(self.queues.take(key, most - batch.len()));
        }
        batch
    }

    fn finish(&self, session: Session, committed: Committed, answers: Vec<Answer>) {
        let durable = if session.has_failed() {
            Err(unavailable())
        } else if session.has_nothing() {
            session.end();
            Ok(())
        } else {
            session.commit()
        };
        if durable.is_ok() {
            self.announce_own(committed);
        }
        for answer in answers {
            // Those that were refused by a rule, too: it may have been by what was not committed in the end.
            answer(durable.clone());
        }
    }
}

/// Lays what a command wants written over what the next ones see, and notes what is to be told of it.
fn collect(session: &Session, mut writes: WriteSet, committed: &mut Committed) -> Result<()> {
    let signals = std::mem::take(&mut writes.signals);
    let mut seq = if signals.is_empty() { 0 } else { session.head(LogKind::Org(SIGNALS))? };
    for signal in &signals {
        seq += 1;
        writes.append(signal_entry(seq, signal)?);
    }
    committed.entries.extend(writes.entries.iter().filter(|entry| entry.log().uuid() != SIGNALS).cloned());
    committed.signals.extend(signals);
    session.keep(writes);
    Ok(())
}
