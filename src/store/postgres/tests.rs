//! What holds on PostgreSQL alone: two nodes on one database, what a transaction costs, what is refused.

use std::sync::mpsc;
use std::time::Duration;

use tokio_postgres::NoTls;
use uuid::Uuid;

use super::super::suite::{Engine, ORG, OTHER, Thing, empty_database, thing};
use super::super::tx::{Context, SystemTx};
use super::super::{
    Committed, Engine as AnyEngine, Locks, LogEntry, LogKind, OpenError, Outcome, Reads, SCHEMA, Scan, Signal, Store, WriteSet,
};
use crate::access::{ActorRef, Read};
use crate::clock::{Timestamp, monotonic};
use crate::config::{PostgresUrl, StorePlace};
use crate::domain::organization::OrgId;
use crate::error::Result;
use crate::id::{Id, IdSource};

const PATIENCE: Duration = Duration::from_secs(30);

/// A node, without the program around it.
struct Node(Engine);

impl std::ops::Deref for Node {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Node {
    fn on(url: &PostgresUrl) -> Self {
        Self(Engine::on(url))
    }

    /// Appends so many entries, each in a command of its own that says which node it was.
    fn append(&self, org: OrgId, count: usize, who: &'static str) -> Vec<mpsc::Receiver<Result<u64>>> {
        let one = |_| {
            self.queue(org, move |tx| {
                let seq = tx.head(LogKind::Org(org.uuid()))? + 1;
                tx.append(LogEntry::org(org.uuid(), seq, format!("\"{who}\"").into_bytes(), vec![Uuid::from_u128(9)]));
                Ok(seq)
            })
        };
        (0..count).map(one).collect()
    }

    fn signal(&self, signal: Signal) {
        let (done, waiting) = mpsc::channel();
        let run = move |base: super::Base<'_>, writes: &mut WriteSet| {
            let (actor, ids) = (actor(), IdSource::seeded(1));
            SystemTx::new(base, writes, Context { now: Timestamp::from_millis(7), actor: &actor, ids: &ids }).signal(signal);
            (Outcome::Commit, Box::new(move |durable: Result<()>| drop(done.send(durable))) as super::super::Answer)
        };
        self.store.submit(Locks::System, Box::new(run)).unwrap();
        waiting.recv_timeout(PATIENCE).unwrap().unwrap();
    }

    /// Waits for so many entries and signals.
    fn hear(&mut self, entries: usize, signals: usize) -> Committed {
        let (mut heard, start) = (Committed::default(), monotonic());
        while heard.entries.len() < entries || heard.signals.len() < signals {
            match self.0.news.try_recv() {
                Ok(news) => {
                    heard.entries.extend(news.entries);
                    heard.signals.extend(news.signals);
                }
                Err(_) if start.elapsed() < PATIENCE => std::thread::yield_now(),
                Err(error) => panic!("{error} after {heard:?}"),
            }
        }
        heard
    }

    fn trips(&self) -> (u64, u64) {
        let AnyEngine::Postgres(engine) = &self.store.0 else { panic!("another engine") };
        engine.trips()
    }
}

fn actor() -> ActorRef {
    ActorRef { kind: "system".into(), id: None, name: "suite".into() }
}

fn all<T>(answers: Vec<mpsc::Receiver<Result<T>>>) -> Vec<T> {
    answers.into_iter().map(|answer| answer.recv_timeout(PATIENCE).unwrap().unwrap()).collect()
}

/// Runs SQL as an operator would.
fn sql(url: &PostgresUrl, text: &str) -> Vec<Vec<Option<String>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = url.config().connect(NoTls).await.unwrap();
        let talking = tokio::spawn(connection);
        let answers = client.simple_query(text).await.unwrap();
        drop(client);
        talking.await.unwrap().unwrap();
        let row = |answer| match answer {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
            _ => None,
        };
        answers.into_iter().filter_map(row).collect()
    })
}

#[test]
fn what_two_nodes_commit_both_hear_once_and_in_order() {
    let url = empty_database();
    let (mut a, mut b) = (Node::on(&url), Node::on(&url));
    // As an organization is made: by one, before any other node can know of it.
    let mut answers = a.append(ORG, 1, "a");
    answers.extend(a.append(OTHER, 1, "a"));
    let mut numbers = all(std::mem::take(&mut answers));
    for _ in 0..10 {
        answers.extend(a.append(ORG, 20, "a"));
        answers.extend(b.append(ORG, 20, "b"));
        answers.extend(b.append(OTHER, 5, "b"));
    }
    numbers.extend(all(answers));
    numbers.sort_unstable();
    let mut expected: Vec<u64> = (1..=401).chain(1..=51).collect();
    expected.sort_unstable();
    assert_eq!(numbers, expected, "each number was given out once");

    let (heard_a, heard_b) = (a.hear(452, 0), b.hear(452, 0));
    for (heard, node) in [(heard_a, &a), (heard_b, &b)] {
        for (org, count) in [(ORG, 401), (OTHER, 51)] {
            let of_org: Vec<_> = heard.entries.iter().filter(|entry| entry.log().uuid() == org.uuid()).collect();
            assert_eq!(of_org.iter().map(|entry| entry.seq()).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
            let range = super::super::LogRange { after: 0, before: u64::MAX, newest: false, limit: 1_000 };
            let stored = node.read(org, |view| view.log(None, range));
            assert!(of_org.iter().zip(stored).all(|(told, (seq, json))| told.seq() == seq && told.json().as_ref() == json));
            assert!(of_org.iter().all(|entry| entry.services() == [Uuid::from_u128(9)]));
        }
    }
    assert!(a.0.news.try_recv().is_err() && b.0.news.try_recv().is_err());
}

#[test]
fn what_ends_on_one_node_ends_on_the_others_and_pages_are_marked_there() {
    let url = empty_database();
    let (a, mut b) = (Node::on(&url), Node::on(&url));
    let (mark, marked) = mpsc::channel();
    b.store.on_commit(move |news| {
        let _ = mark.send((news.entries.len(), news.signals.len()));
    });
    let ended = Signal::SessionEnded(Id::from_u128(5));
    a.signal(ended.clone());
    all(a.append(ORG, 1, "a"));
    let heard = b.hear(1, 1);
    assert_eq!((heard.signals, heard.entries.len()), (vec![ended], 1));
    let total = marked.try_iter().fold((0, 0), |(entries, signals), news| (entries + news.0, signals + news.1));
    assert_eq!(total, (1, 1), "before it was told");
}

#[test]
fn a_transaction_costs_two_looks_at_the_database_however_many_share_it() {
    let node = Node::on(&empty_database());
    let write = |at: u128| {
        node.queue(ORG, move |tx| {
            let seq = tx.head(LogKind::Org(ORG.uuid()))? + 1;
            tx.append(LogEntry::org(ORG.uuid(), seq, b"{}".to_vec(), Vec::new()));
            tx.put(&thing(at, "red", 1))
        })
    };
    all(vec![write(1)]);
    let (own, read) = node.trips();
    for at in 2..12 {
        all(vec![write(at)]);
    }
    let (own_after, read_after) = node.trips();
    assert_eq!(own_after - own, 20, "to begin and lock, to write and commit");
    assert_eq!(read_after, read, "the head comes with the lock");

    // What is handed in at once shares transactions; beside their own reads they cost no more than three looks each, and far fewer.
    let (own, _) = node.trips();
    let gate = node.queue(ORG, |_| Ok(()));
    let waiting: Vec<_> = (100..164).map(write).collect();
    all(vec![gate]);
    all(waiting);
    assert!(node.trips().0 - own <= 3 * 64 / 2, "{} looks for 64 commands", node.trips().0 - own);
}

#[test]
fn a_command_sees_what_earlier_ones_of_its_transaction_wrote_also_in_the_log() {
    let node = Node::on(&empty_database());
    let mut answers = Vec::new();
    for at in 1..=20_u64 {
        answers.push(node.queue(ORG, move |tx| {
            tx.put(&thing(u128::from(at), "red", 0))?;
            let log = LogKind::Org(ORG.uuid());
            let seq = tx.head(log)? + 1;
            tx.append(LogEntry::org(ORG.uuid(), seq, at.to_string().into_bytes(), Vec::new()));
            let range = super::super::LogRange { after: 0, before: u64::MAX, newest: false, limit: 100 };
            let earlier = tx.view::<Read>().log(None, range)?.len();
            Ok((tx.count(Scan::<Thing>::all())?, earlier))
        }));
    }
    let seen = all(answers);
    // The log holds what earlier commands appended, as on the other engine: not what this one is about to.
    assert_eq!(seen, (1..=20).map(|at| (at, at - 1)).collect::<Vec<_>>());
}

#[test]
fn a_newer_schema_is_refused_and_a_node_that_is_older_writes_nothing_more() {
    let url = empty_database();
    let node = Node::on(&url);
    all(node.append(ORG, 1, "a"));
    sql(&url, &format!("update allclear.meta set value = '{}' where name = 'schema'", SCHEMA + 1));
    let refused = Store::open_place(&StorePlace::Postgres(url.clone()), 0, 6);
    assert!(matches!(refused, Err(OpenError::Newer { found, .. }) if found == SCHEMA + 1));
    let late = node.append(ORG, 1, "a").remove(0).recv_timeout(PATIENCE);
    assert!(!matches!(late, Ok(Ok(_))), "the program beside it keeps rows otherwise");
    assert_eq!(node.read(ORG, |view| view.head(LogKind::Org(ORG.uuid()))), 1);
    sql(&url, &format!("update allclear.meta set value = '{SCHEMA}' where name = 'schema'"));
    all(node.append(ORG, 1, "a"));
}

#[test]
fn an_older_database_is_filed_anew() {
    let url = empty_database();
    let node = Node::on(&url);
    all(vec![node.queue(ORG, |tx| tx.put(&thing(1, "red", 5)))]);
    node.store.close();
    // As a program left it that did not know this index.
    sql(
        &url,
        "alter table allclear.things drop column colour_1, drop column weight_1; update allclear.meta set value = '2' where name = 'schema'",
    );
    let node = Node::on(&url);
    let found = node.read(ORG, |view| view.scan(Thing::BY_COLOUR.of("red".into())));
    assert_eq!(found.items, [thing(1, "red", 5)]);
    assert_eq!(sql(&url, "select value from allclear.meta where name = 'schema'"), [[Some(SCHEMA.to_string())]]);
}

#[test]
fn the_epoch_outlives_a_restart_and_not_a_restore() {
    let url = empty_database();
    let node = Node::on(&url);
    all(node.append(ORG, 3, "a"));
    let epoch = node.store.epoch().to_owned();
    node.store.close();
    let again = Node::on(&url);
    assert_eq!(again.store.epoch(), epoch);
    again.store.close();

    let copy = empty_database();
    let name = |url: &PostgresUrl| url.config().get_dbname().unwrap().to_owned();
    let server = std::env::var("POSTGRES_FOR_TESTS").unwrap().parse().unwrap();
    sql(&server, &format!("drop database {}", name(&copy)));
    sql(&server, &format!("create database {} template {}", name(&copy), name(&url)));
    let mut restored = Node::on(&copy);
    assert_ne!(restored.store.epoch(), epoch, "viewers must not be told that they have missed nothing");
    assert_eq!(all(restored.append(ORG, 1, "a")), [4]);
    assert_eq!(restored.hear(1, 0).entries[0].seq(), 4);
}

#[test]
fn two_that_start_at_once_make_the_tables_once() {
    let url = empty_database();
    let epochs = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| Node::on(&url).store.epoch().to_owned())).collect();
        starting.into_iter().map(|node| node.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[test]
fn what_lies_below_the_horizon_is_found_once_the_line_was_lost() {
    let url = empty_database();
    let mut node = Node::on(&url);
    all(node.append(ORG, 1, "a"));
    node.hear(1, 0);
    // As after a crash: a transaction id is given out a second time, below what was looked at already.
    let org = ORG.uuid();
    let write =
        "insert into allclear.log values ('ORG', 2, '\"again\"', '{}'); update allclear.heads set seq = 2, changed = '3' where log = 'ORG'";
    sql(&url, &write.replace("ORG", &org.to_string()));
    let line = "select pg_terminate_backend(pid) from pg_stat_activity \
                where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_snapshot_xmin%'";
    let lost = sql(&url, line);
    assert_eq!(lost, [[Some("t".to_owned())]]);
    assert_eq!(node.hear(1, 0).entries[0].seq(), 2);
    all(node.append(ORG, 1, "a"));
    assert_eq!(node.hear(1, 0).entries[0].seq(), 3, "and nothing twice");
}

#[test]
fn who_was_away_for_too_many_endings_is_told_so() {
    let url = empty_database();
    let (a, mut b) = (Node::on(&url), Node::on(&url));
    a.signal(Signal::SessionEnded(Id::from_u128(1)));
    b.hear(0, 1);
    // What ended meanwhile is not kept for ever.
    sql(
        &url,
        "insert into allclear.log values (uuid_nil(), 9, '{\"session_ended\":\"ses_00000000000000000000000000000005\"}', '{}'); \
               update allclear.heads set seq = 9, changed = pg_current_xact_id() where log = uuid_nil()"
            .replace("uuid_nil()", "'00000000-0000-0000-0000-000000000000'")
            .as_str(),
    );
    assert_eq!(b.hear(0, 2).signals, [Signal::Missed, Signal::SessionEnded(Id::from_u128(5))]);
}

#[test]
fn people_may_query_what_is_no_secret() {
    let url = empty_database();
    let node = Node::on(&url);
    drop(node);
    let columns = sql(
        &url,
        "select table_name || '.' || column_name from information_schema.columns where table_schema = 'allclear_report' order by 1",
    );
    let columns: Vec<String> = columns.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
    for view in ["organizations", "members", "services", "incidents", "incident_services", "incident_updates", "timeline"] {
        assert!(columns.iter().any(|column| column.starts_with(&format!("{view}."))), "{view}");
        assert_eq!(sql(&url, &format!("select * from allclear_report.{view}")), Vec::<Vec<Option<String>>>::new());
    }
    let secret = |column: &&String| ["password", "email", "token", "once", "doc", "session"].iter().any(|word| column.contains(word));
    assert_eq!(columns.iter().find(secret), None);
}
