//! What is committed, by this node and by the others: each organization's in the order of its numbers, nothing twice, nothing left out.
//!
//! It asks the database once a second, and at once when this node has committed something or another one says so. A hint is only that: it is sent
//! after the commit, outside of its transaction (inside, it would take a lock of the whole database), many commits share one, and one that is lost
//! costs a second.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Error as SqlError, Row, Statement};
use uuid::Uuid;

use super::super::base::{LogEntry, LogKind};
use super::super::{Committed, Signal};
use super::pools::{CHANNEL, Hints, explain};
use super::sql;
use super::write::stored;
use super::{REPLY, SIGNALS, Shared};

/// How often it looks without being told to.
const LOOK: Duration = Duration::from_secs(1);
/// For how long it waits before it tries again to reach a database that is away.
const AGAIN: Duration = Duration::from_millis(250);
/// A horizon that nothing lies below.
const EVERYTHING: &str = "0";
/// How many entries of a log are read at once.
const CHUNK: i64 = 500;

/// Entries that this node has committed and not announced yet: they need not be read again.
///
/// A std `Mutex`, held for a push or a pop: filled by whoever commits, emptied by the follower.
#[derive(Default)]
pub(super) struct Own(Mutex<HashMap<Uuid, BTreeMap<u64, LogEntry>>>);

impl Own {
    pub(super) fn keep(&self, committed: Committed) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in committed.entries {
            own.entry(entry.log().uuid()).or_default().insert(entry.seq(), entry);
        }
    }

    /// Forgets what was announced already, having been read from the database before its author's node had put it here.
    fn prune(&self, seen: &HashMap<Uuid, u64>) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|log, entries| {
            let announced = seen.get(log).copied().unwrap_or(0);
            entries.retain(|seq, _| *seq > announced);
            !entries.is_empty()
        });
    }

    /// The entries of a log after `seen`, up to `head`, if all of them are here. What is no longer needed goes in any case.
    fn take(&self, log: Uuid, seen: u64, head: u64) -> Option<Vec<LogEntry>> {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = own.get_mut(&log)?;
        let later = entries.split_off(&head.saturating_add(1));
        let taken: Vec<_> = std::mem::replace(entries, later).into_values().filter(|entry| entry.seq() > seen).collect();
        if entries.is_empty() {
            own.remove(&log);
        }
        (u64::try_from(taken.len()).is_ok_and(|count| count == head - seen)).then_some(taken)
    }
}

/// The one task that announces.
pub(super) struct Follower {
    shared: Arc<Shared>,
    news: UnboundedSender<Committed>,
    line: Option<Line>,
    /// From which transaction on something may be new.
    horizon: String,
    /// Up to which number each log is announced.
    seen: HashMap<Uuid, u64>,
}

/// The connection that listens.
struct Line {
    client: Client,
    hints: Hints,
    poll: Statement,
    news: Statement,
}

impl Line {
    async fn new(client: Client, hints: Hints) -> Result<Self, SqlError> {
        let (poll, news) = (client.prepare(sql::POLL).await?, client.prepare(sql::NEWS).await?);
        Ok(Self { client, hints, poll, news })
    }
}

/// A log that has gone on.
struct Ahead {
    log: Uuid,
    page: bool,
    head: u64,
}

impl Ahead {
    fn of(row: &Row) -> Option<Self> {
        let log: Option<Uuid> = row.get(1);
        Some(Self { log: log?, page: row.get(2), head: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0) })
    }

    fn kind(&self) -> LogKind {
        if self.page { LogKind::Page(self.log) } else { LogKind::Org(self.log) }
    }
}

impl Follower {
    /// Begins where the logs stand now.
    pub(super) async fn begin(
        shared: Arc<Shared>,
        client: Client,
        hints: Hints,
        news: UnboundedSender<Committed>,
    ) -> Result<Self, SqlError> {
        let rows = client.query(sql::HEADS, &[]).await?;
        let horizon = rows.first().map(|row| row.get(0)).unwrap_or_default();
        let seen = rows.iter().filter_map(Ahead::of).map(|ahead| (ahead.log, ahead.head)).collect();
        let line = Line::new(client, hints).await?;
        Ok(Self { shared, news, line: Some(line), horizon, seen })
    }

    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        loop {
            let Some(line) = self.line.take() else {
                tokio::select! {
                    () = shared.stopping.cancelled() => return,
                    () = sleep(AGAIN) => {}
                }
                self.line = self.reconnect().await;
                continue;
            };
            let (stops, own) = tokio::select! {
                () = shared.stopping.cancelled() => (true, true),
                () = shared.committed.notified() => (false, true),
                () = line.hints.hint.notified() => (false, false),
                () = line.hints.gone.cancelled() => (false, false),
                () = sleep(LOOK) => (false, false),
            };
            let looked = timeout(REPLY, self.look(&line, own)).await;
            match looked {
                Ok(Ok(())) => {
                    shared.pools.is_away(false);
                    self.line = Some(line);
                }
                Ok(Err(error)) => tracing::warn!("the database can't be followed: {}", explain(&error)),
                Err(_) => tracing::warn!("the database does not answer within {REPLY:?}"),
            }
            if stops {
                return;
            }
            if self.line.is_none() {
                // A connection may be lost alone; that the database is away is said when no other can be had.
                self.line = self.reconnect().await;
            }
        }
    }

    async fn reconnect(&mut self) -> Option<Line> {
        let shared = self.shared.clone();
        let reached = shared.stopping.run_until_cancelled(timeout(REPLY, async {
            let (client, hints) = shared.pools.listener().await?;
            let line = Line::new(client, hints).await?;
            // A database that crashed, or another that took its place, may give out again what it gave to transactions that it has forgotten: a commit
            // could then lie below the horizon. So this once every log is looked at.
            self.horizon = EVERYTHING.into();
            self.look(&line, true).await?;
            Ok::<_, SqlError>(line)
        }));
        match reached.await {
            Some(Ok(Ok(line))) => {
                shared.pools.is_away(false);
                return Some(line);
            }
            Some(Ok(Err(error))) => self.unreached(&explain(&error)),
            Some(Err(_)) => self.unreached(&format!("it does not answer within {REPLY:?}")),
            None => return None,
        }
        shared.pools.is_away(true);
        None
    }

    /// Why it can't be reached, told once and then for those who look closer.
    fn unreached(&self, why: &str) {
        if self.shared.pools.away_since().is_none() {
            tracing::warn!("the database can't be reached: {why}");
        } else {
            tracing::debug!("the database can't be reached: {why}");
        }
    }

    /// Announces what is new. `own`: this node has committed something, which the others should know.
    async fn look(&mut self, line: &Line, own: bool) -> Result<(), SqlError> {
        let notify = format!("notify {CHANNEL}");
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&self.horizon];
        let rows = if own {
            let (hinted, rows) =
                futures_util::future::join(line.client.batch_execute(&notify), line.client.query(&line.poll, &parameters)).await;
            if let Err(error) = hinted {
                // They find out by themselves within a second; a queue of notifications that somebody else has filled must not stop us.
                tracing::debug!("the other nodes can't be given a hint: {}", explain(&error));
            }
            rows?
        } else {
            line.client.query(&line.poll, &parameters).await?
        };
        let horizon = rows.first().map(|row| row.get::<_, String>(0));
        let mut ahead: Vec<Ahead> = rows.iter().filter_map(Ahead::of).filter(|ahead| self.is_news(ahead)).collect();
        // What members hear comes before what visitors do, and what ended before both.
        ahead.sort_by_key(|ahead| (ahead.page, ahead.log));
        self.announce(line, ahead).await?;
        self.shared.own.prune(&self.seen);
        // Only now: whatever stops it before this is found again.
        if let Some(horizon) = horizon {
            self.horizon = horizon;
        }
        Ok(())
    }

    /// Whether there is something to announce of a log that was listed: it is listed as well when a transaction took long.
    fn is_news(&mut self, ahead: &Ahead) -> bool {
        let seen = self.seen.entry(ahead.log).or_insert(0);
        if ahead.head < *seen {
            tracing::error!(log = %ahead.log, "a log has become shorter: the database was restored under a running node; restart all nodes");
            *seen = ahead.head;
            self.tell(Committed { entries: Vec::new(), signals: vec![Signal::Missed] });
            return false;
        }
        ahead.head > *seen
    }

    async fn announce(&mut self, line: &Line, ahead: Vec<Ahead>) -> Result<(), SqlError> {
        let (mut known, mut unread) = (Vec::new(), Vec::new());
        for log in ahead {
            match self.shared.own.take(log.log, self.seen_of(log.log), log.head) {
                Some(entries) => known.push((log, entries)),
                None => unread.push(log),
            }
        }
        // Part by part, without waiting between what is noted as seen and its telling: whatever breaks off then has told what it has noted.
        // What has ended is read to its end before anything else, so that nobody hears of what came after their end.
        let (mut ended, mut unread): (Vec<_>, Vec<_>) = unread.into_iter().partition(|ahead: &Ahead| ahead.log == SIGNALS);
        while !ended.is_empty() || !unread.is_empty() {
            let mut news = Committed::default();
            if ended.is_empty() {
                unread = self.read(line, unread, &mut news).await?;
            } else {
                ended = self.read(line, ended, &mut news).await?;
            }
            // What other nodes did is heard of here for the first time; of our own commits the hook knows.
            if let Some(hook) = self.shared.hook.get()
                && !(news.entries.is_empty() && news.signals.is_empty())
            {
                hook(&news);
            }
            news.entries.sort_by_key(|entry| entry.log().is_page());
            self.tell(news);
        }
        let mut news = Committed::default();
        for (log, entries) in known {
            self.seen.insert(log.log, log.head);
            news.entries.extend(entries);
        }
        self.tell(news);
        Ok(())
    }

    fn seen_of(&self, log: Uuid) -> u64 {
        self.seen.get(&log).copied().unwrap_or(0)
    }

    /// Reads entries of these logs, and answers which of them go on.
    async fn read(&mut self, line: &Line, logs: Vec<Ahead>, news: &mut Committed) -> Result<Vec<Ahead>, SqlError> {
        let (ids, seen): (Vec<Uuid>, Vec<i64>) = logs.iter().map(|ahead| (ahead.log, stored(self.seen_of(ahead.log)))).unzip();
        let rows = line.client.query(&line.news, &[&ids, &seen, &CHUNK]).await?;
        let mut found: HashMap<Uuid, i64> = HashMap::new();
        for row in &rows {
            let (log, seq) = (row.get::<_, Uuid>(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0));
            let Some(ahead) = logs.iter().find(|ahead| ahead.log == log) else { continue };
            *found.entry(log).or_default() += 1;
            let json = row.get::<_, &str>(2).as_bytes();
            if log == SIGNALS {
                if seq != self.seen_of(log) + 1 {
                    // They are kept for a while only.
                    news.signals.push(Signal::Missed);
                }
                // One of a newer program means nothing here; that something ended is the safe guess.
                news.signals.push(serde_json::from_slice(json).unwrap_or(Signal::Missed));
            } else {
                news.entries.push(LogEntry::raw(ahead.kind(), seq, json.to_vec(), row.get(3)));
            }
            self.seen.insert(log, seq);
        }
        let goes_on = |ahead: &Ahead| found.get(&ahead.log).is_some_and(|count| *count == CHUNK);
        let (more, done): (Vec<_>, Vec<_>) = logs.into_iter().partition(goes_on);
        for ahead in done {
            // Of an organization that was erased meanwhile there is nothing to tell.
            let seen = self.seen.entry(ahead.log).or_insert(0);
            *seen = (*seen).max(ahead.head);
        }
        Ok(more)
    }

    fn tell(&self, news: Committed) {
        if !news.entries.is_empty() || !news.signals.is_empty() {
            // Nobody follows a store that is only copied or inspected.
            let _ = self.news.send(news);
        }
    }
}
