//! What every engine must do, told once. Another engine joins by a line in [`engines`].

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::access::{ActorRef, Edit, Read};
use crate::clock::Timestamp;
use crate::domain::organization::OrgId;
use crate::error::Error;
use crate::id::{IdSource, Kind};

/// A noun of the suite's own, with two indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thing {
    id: Id<Thing>,
    colour: Option<String>,
    weight: i64,
}
impl Kind for Thing {
    const PREFIX: &'static str = "thg";
}
impl Thing {
    pub(super) const BY_COLOUR: Index<Thing, String, i64> =
        Index { number: 1, group: &["colour"], sort: &["weight"], key: |t| t.colour.clone().map(|colour| (colour, t.weight)) };
    /// The weight taken for a time. What weighs nothing is not in it.
    const BY_TIME: Index<Thing, (), Timestamp> =
        Index { number: 2, group: &[], sort: &["weight"], key: |t| (t.weight != 0).then(|| ((), Timestamp::from_millis(t.weight))) };
}
impl Document for Thing {
    const NAME: &'static str = "things";
    const NUMBER: u16 = 900;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_COLOUR, &Self::BY_TIME];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Thing {}

/// What engines with tables must know of beside the domain's own.
pub(super) const COLLECTIONS: &[crate::domain::Collection] = &[crate::domain::collection::<Thing>()];

pub(super) const ORG: OrgId = Id::from_u128(1);
pub(super) const OTHER: OrgId = Id::from_u128(2);

pub(super) fn thing(id: u128, colour: &str, weight: i64) -> Thing {
    Thing { id: Id::from_u128(id), colour: (!colour.is_empty()).then(|| colour.to_owned()), weight }
}

pub(super) struct Engine {
    name: &'static str,
    pub(super) store: Store,
    pub(super) news: tokio::sync::mpsc::UnboundedReceiver<Committed>,
    ids: IdSource,
    _folder: Option<tempfile::TempDir>,
}

/// An empty database, and where it is.
pub(super) fn empty_database() -> crate::config::PostgresUrl {
    static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let server = std::env::var("POSTGRES_FOR_TESTS").expect("a PostgreSQL server for tests; run `scripts/with-postgres cargo test`");
    let name = format!("suite_{}_{}", std::process::id(), MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let config: tokio_postgres::Config = server.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let talking = tokio::spawn(connection);
        client.batch_execute(&format!("create database {name}")).await.unwrap();
        drop(client);
        talking.await.unwrap().unwrap();
    });
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{name}").parse().unwrap()
}

fn engines() -> Vec<Engine> {
    let folder = tempfile::tempdir().unwrap();
    let (file, file_news) = Store::open(&folder.path().join("suite.redb"), 8 << 20).unwrap();
    let (memory, memory_news) = Store::memory().unwrap();
    vec![
        Engine { name: "redb in a file", store: file, news: file_news, ids: IdSource::seeded(1), _folder: Some(folder) },
        Engine { name: "redb in memory", store: memory, news: memory_news, ids: IdSource::seeded(1), _folder: None },
        Engine::on(&empty_database()),
    ]
}

impl Engine {
    /// The store in this file.
    pub(super) fn open(path: &std::path::Path) -> Result<Self, OpenError> {
        let (store, news) = Store::open(path, 8 << 20)?;
        Ok(Self { name: "redb in a file", store, news, ids: IdSource::seeded(1), _folder: None })
    }

    /// The store in this database.
    pub(super) fn on(url: &crate::config::PostgresUrl) -> Self {
        let (store, news) = Store::open_place(&crate::config::StorePlace::Postgres(url.clone()), 0, 6).unwrap();
        Self { name: "PostgreSQL", store, news, ids: IdSource::seeded(1), _folder: None }
    }

    /// Queues a command without waiting.
    pub(super) fn queue<T: Send + 'static>(
        &self,
        org: OrgId,
        op: impl FnOnce(&mut OrgTx<'_, Edit>) -> Result<T> + Send + 'static,
    ) -> mpsc::Receiver<Result<T>> {
        let (done, waiting) = mpsc::channel();
        let ids = self.ids.clone();
        self.store
            .submit(
                Locks::Org(org),
                Box::new(move |base, writes| {
                    let actor = ActorRef { kind: "system".into(), id: None, name: "suite".into() };
                    let context = Context { now: Timestamp::from_millis(7), actor: &actor, ids: &ids };
                    let result = op(&mut OrgTx::new(base, writes, org, context));
                    let outcome = if result.is_ok() { Outcome::Commit } else { Outcome::Discard };
                    (outcome, Box::new(move |durable| drop(done.send(durable.and(result)))))
                }),
            )
            .unwrap();
        waiting
    }

    pub(super) fn change<T: Send + 'static>(
        &self,
        org: OrgId,
        op: impl FnOnce(&mut OrgTx<'_, Edit>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue(org, op).recv_timeout(Duration::from_secs(30)).expect(self.name)
    }

    pub(super) fn read<T>(&self, org: OrgId, query: impl FnOnce(&OrgView<'_, Read>) -> Result<T>) -> T {
        self.store.read(|base| query(&OrgView::new(base, &WriteSet::default(), org, Timestamp::from_millis(7)))).expect(self.name)
    }

    /// Erases so much of what is under these ids, and says whether there may be more.
    fn erase(&self, owners: &[Uuid], limit: usize) -> bool {
        let (done, waiting) = mpsc::channel();
        self.store.erase(owners.to_vec(), limit, move |more| drop(done.send(more))).unwrap();
        waiting.recv_timeout(Duration::from_secs(30)).expect(self.name).unwrap()
    }

    /// The next news, with so many entries in all: an engine that several processes share tells of a commit a little after it.
    fn told(&mut self, entries: usize) -> Vec<LogEntry> {
        let (mut told, start) = (Vec::new(), crate::clock::monotonic());
        while told.len() < entries {
            match self.news.try_recv() {
                Ok(committed) => told.extend(committed.entries),
                Err(_) if start.elapsed() < Duration::from_secs(30) => std::thread::yield_now(),
                Err(error) => panic!("{}: {error} after {told:?}", self.name),
            }
        }
        told
    }

    fn put(&self, org: OrgId, things: Vec<Thing>) {
        self.change(org, move |tx| things.iter().try_for_each(|thing| tx.put(thing))).unwrap();
    }
}

fn ids(page: &Page<Thing>) -> Vec<u128> {
    page.items.iter().map(|thing| thing.id.uuid().as_u128()).collect()
}

#[test]
fn what_is_written_is_found_by_id_and_by_index() {
    for engine in engines() {
        engine.put(ORG, vec![thing(1, "red", 5), thing(2, "red", -3), thing(3, "blue", 9), thing(4, "", 1)]);
        engine.read(ORG, |view| {
            assert_eq!(view.get(Id::<Thing>::from_u128(3))?, thing(3, "blue", 9), "{}", engine.name);
            assert_eq!(ids(&view.scan(Thing::BY_COLOUR.of("red".into()))?), [2, 1]);
            assert_eq!(ids(&view.scan(Thing::BY_COLOUR.of("red".into()).newest())?), [1, 2]);
            assert_eq!(ids(&view.scan(Thing::BY_COLOUR.of("re".into()))?), [] as [u128; 0], "a group is no prefix");
            assert_eq!(ids(&view.scan(Scan::all())?), [1, 2, 3, 4]);
            Ok(())
        });
        // A move and a delete leave nothing behind in the index.
        engine
            .change(ORG, |tx| {
                tx.put(&thing(1, "blue", 10))?;
                tx.delete::<Thing>(Id::from_u128(2));
                Ok(())
            })
            .unwrap();
        engine.read(ORG, |view| {
            assert_eq!(ids(&view.scan(Thing::BY_COLOUR.of("red".into()))?), [] as [u128; 0], "{}", engine.name);
            assert_eq!(ids(&view.scan(Thing::BY_COLOUR.of("blue".into()))?), [3, 1]);
            assert!(matches!(view.get::<Thing>(Id::from_u128(2)), Err(Error::NotFound)));
            Ok(())
        });
    }
}

#[test]
fn a_command_reads_its_own_writes_and_a_failed_one_leaves_nothing() {
    for engine in engines() {
        engine.put(ORG, vec![thing(1, "red", 1), thing(2, "red", 2), thing(3, "red", 3)]);
        let seen = engine.change(ORG, |tx| {
            tx.delete::<Thing>(Id::from_u128(2));
            tx.put(&thing(3, "blue", 3))?;
            tx.put(&thing(4, "red", 0))?;
            let first = tx.scan(Thing::BY_COLOUR.of("red".into()).limit(1))?;
            let rest = tx.scan(Thing::BY_COLOUR.of("red".into()).after(first.next.clone()))?;
            Ok((ids(&first), ids(&rest), rest.next))
        });
        assert_eq!(seen.unwrap(), (vec![4], vec![1], None), "{}", engine.name);

        let refused: Result<()> = engine.change(ORG, |tx| {
            tx.put(&thing(9, "red", 9))?;
            Err(Error::NotFound)
        });
        assert_eq!(refused, Err(Error::NotFound));
        engine.read(ORG, |view| {
            assert_eq!(view.find::<Thing>(Id::from_u128(9))?, None, "{}", engine.name);
            Ok(())
        });
    }
}

#[test]
fn a_panic_spoils_nothing_else_of_its_batch() {
    for engine in engines() {
        let before = engine.queue(ORG, |tx| tx.put(&thing(1, "red", 1)));
        let bad = engine.queue::<()>(ORG, |tx| {
            tx.put(&thing(2, "red", 2))?;
            panic!("a bug in an operation")
        });
        let after = engine.queue(ORG, |tx| tx.put(&thing(3, "red", 3)));
        assert_eq!(before.recv().unwrap(), Ok(()), "{}", engine.name);
        assert!(bad.recv().is_err(), "whoever asked hears of a dropped answer");
        assert_eq!(after.recv().unwrap(), Ok(()));
        assert_eq!(engine.read(ORG, |view| Ok(ids(&view.scan(Scan::all())?))), [1, 3]);
    }
}

#[test]
fn another_organizations_rows_cannot_be_reached() {
    for engine in engines() {
        engine.put(ORG, vec![thing(1, "red", 1)]);
        engine.put(OTHER, vec![thing(1, "red", 7), thing(2, "red", 8)]);
        let page = engine.read(ORG, |view| view.scan(Thing::BY_COLOUR.of("red".into())));
        assert_eq!(page.items, [thing(1, "red", 1)], "{}", engine.name);
        engine
            .change(OTHER, |tx| {
                tx.delete::<Thing>(Id::from_u128(1));
                Ok(())
            })
            .unwrap();
        assert_eq!(engine.read(ORG, |view| view.get(Id::<Thing>::from_u128(1))), thing(1, "red", 1));
        // A cursor is the client's: one that names a place of another group or tenant leads nowhere else.
        for cursor in [
            Cursor { sort: vec![Part::Text("zzz".into())], id: Uuid::max() },
            Cursor { sort: vec![Part::Uuid(Uuid::nil()), Part::Int(i64::MIN)], id: Uuid::nil() },
            Cursor { sort: Vec::new(), id: Uuid::nil() },
        ] {
            let page = engine.read(ORG, |view| view.scan(Thing::BY_COLOUR.of("red".into()).after(Some(cursor.clone()))));
            assert!(page.items.iter().all(|found| *found == thing(1, "red", 1)), "{cursor:?}");
        }
    }
}

#[test]
fn organizations_with_something_due_are_found_and_no_others() {
    const LAST: OrgId = Id::from_u128(u128::MAX);
    for engine in engines() {
        let due = |until: i64, limit: usize| {
            let writes = WriteSet::default();
            let until = Timestamp::from_millis(until);
            let found = engine.store.read(|base| SystemView::new(base, &writes, until).due(&Thing::BY_TIME, until, limit));
            found.expect(engine.name)
        };
        assert!(due(i64::MAX, 10).is_empty(), "{}", engine.name);
        engine.put(ORG, vec![thing(1, "red", 900), thing(2, "", 5)]);
        engine.put(OTHER, vec![thing(1, "red", 6)]);
        engine.put(Id::from_u128(3), vec![thing(1, "red", 0)]);
        engine.put(LAST, vec![thing(1, "red", -5), thing(2, "blue", -4)]);
        // What belongs to no organization is nobody's to do.
        engine.put(Id::from_uuid(Scope::SYSTEM.0), vec![thing(1, "red", -900)]);

        for (until, expected) in [(-6, vec![]), (-5, vec![LAST]), (4, vec![LAST]), (5, vec![ORG, LAST]), (6, vec![ORG, OTHER, LAST])] {
            assert_eq!(due(until, 10), expected, "{} {until}", engine.name);
        }
        assert_eq!((due(6, 2), due(6, 0)), (vec![ORG, OTHER], vec![]), "{}", engine.name);

        engine
            .change(ORG, |tx| {
                tx.delete::<Thing>(Id::from_u128(2));
                Ok(())
            })
            .unwrap();
        assert_eq!(due(899, 10), [OTHER, LAST], "{}", engine.name);
        assert_eq!(due(900, 10), [ORG, OTHER, LAST], "{}", engine.name);
    }
}

#[test]
fn logs_are_numbered_without_gaps_and_told_in_order() {
    for mut engine in engines() {
        let service = Uuid::from_u128(77);
        for number in 1..=5_u64 {
            engine
                .change(ORG, move |tx| {
                    let seq = tx.head(LogKind::Org(ORG.uuid()))? + 1;
                    let services = if number % 2 == 0 { vec![service] } else { Vec::new() };
                    tx.append(LogEntry::org(ORG.uuid(), seq, number.to_string().into_bytes(), services));
                    // Two in one command follow each other.
                    let next = tx.head(LogKind::Org(ORG.uuid()))? + 1;
                    tx.append(LogEntry::org(ORG.uuid(), next, b"\"again\"".to_vec(), Vec::new()));
                    Ok(())
                })
                .unwrap();
        }
        let all = LogRange { after: 0, before: u64::MAX, newest: false, limit: 100 };
        let numbers = |log: Vec<(u64, Vec<u8>)>| log.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
        engine.read(ORG, |view| {
            assert_eq!(numbers(view.log(None, all)?), (1..=10).collect::<Vec<_>>(), "{}", engine.name);
            assert_eq!(numbers(view.log(None, LogRange { after: 3, before: 9, newest: true, limit: 2 })?), [8, 7]);
            assert_eq!(numbers(view.log(Some(service), all)?), [3, 7]);
            assert_eq!(numbers(view.log(None, LogRange { after: 10, ..all })?), [] as [u64; 0]);
            assert_eq!(view.head(LogKind::Org(ORG.uuid()))?, 10);
            Ok(())
        });
        assert_eq!(engine.read(OTHER, |view| view.head(LogKind::Org(OTHER.uuid()))), 0);
        let told = engine.told(10);
        assert_eq!(told.iter().map(LogEntry::seq).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
        assert_eq!(told[2].services(), [service], "{}", engine.name);
    }
}

#[test]
fn what_is_erased_goes_a_little_at_a_time_and_takes_nothing_else_along() {
    const SERVICE: Uuid = Uuid::from_u128(77);
    const LIMIT: usize = 3;
    let all = LogRange { after: 0, before: u64::MAX, newest: false, limit: 100 };
    for engine in engines() {
        for org in [ORG, OTHER] {
            engine.put(org, (1..=5).map(|id| thing(id, "red", 0)).collect());
            engine
                .change(org, move |tx| {
                    (1..=3).for_each(|seq| tx.append(LogEntry::org(org.uuid(), seq, b"{}".to_vec(), vec![SERVICE])));
                    Ok(())
                })
                .unwrap();
        }
        let rows = |org| engine.read(org, |view| Ok(ids(&view.scan(Scan::all())?)));
        let filed = |org| engine.read(org, |view| Ok(ids(&view.scan(Thing::BY_COLOUR.of("red".into()))?)));
        let logged = |org: OrgId| {
            engine.read(org, |view| {
                Ok((view.log(None, all)?.len(), view.log(Some(SERVICE), all)?.len(), view.head(LogKind::Org(org.uuid()))?))
            })
        };
        let mut steps = 1;
        while engine.erase(&[ORG.uuid()], LIMIT) {
            steps += 1;
            assert!(rows(ORG).is_empty() || rows(ORG)[0] == 1, "{}: the first row goes last", engine.name);
            let (entries, listed, _) = logged(ORG);
            assert!(rows(ORG).len() == 5 || (entries, listed) == (0, 0), "{}: rows outlive the log", engine.name);
        }
        // Rows, index entries where they are apart, log entries, what they touch, and the log's head.
        let index = if engine.store.is_shared() { 0 } else { 5 };
        assert!(steps >= (5 + index + 3 + 3 + 1_usize).div_ceil(LIMIT), "{} needed {steps} steps alone", engine.name);
        assert_eq!((rows(ORG), filed(ORG), logged(ORG)), (vec![], vec![], (0, 0, 0)), "{}", engine.name);
        let untouched = (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5], (3, 3, 3));
        assert_eq!((rows(OTHER), filed(OTHER), logged(OTHER)), untouched, "{}", engine.name);

        // Several at once, and once more what is gone already; but never what belongs to no organization.
        let nobody: OrgId = Id::from_uuid(Scope::SYSTEM.0);
        engine.put(nobody, vec![thing(1, "red", 0)]);
        assert!(!engine.erase(&[ORG.uuid(), OTHER.uuid(), nobody.uuid()], 1_000));
        assert_eq!((rows(OTHER), filed(OTHER), logged(OTHER)), (vec![], vec![], (0, 0, 0)), "{}", engine.name);
        assert_eq!(rows(nobody), [1], "{}", engine.name);
        // As if it had never been.
        engine.put(ORG, vec![thing(9, "red", 0)]);
        assert_eq!(filed(ORG), [9], "{}", engine.name);
    }
}

#[test]
fn a_files_size_is_told_and_memory_has_none() {
    for engine in engines() {
        let size = engine.store.size().unwrap();
        match engine._folder {
            Some(_) => assert!(size.file_bytes.is_some_and(|bytes| bytes > 0) && size.free_bytes.is_some(), "{size:?}"),
            None if engine.store.is_shared() => assert!(size.file_bytes.is_some_and(|bytes| bytes > 0), "{size:?}"),
            None => assert_eq!(size, StoreSize { file_bytes: None, free_bytes: None }),
        }
    }
}

#[test]
fn news_come_before_the_answer_where_nobody_else_makes_any() {
    for mut engine in engines().into_iter().filter(|engine| !engine.store.is_shared()) {
        engine
            .change(ORG, |tx| {
                tx.append(LogEntry::org(ORG.uuid(), 1, b"{}".to_vec(), Vec::new()));
                Ok(())
            })
            .unwrap();
        assert_eq!(engine.news.try_recv().map(|committed| committed.entries.len()).ok(), Some(1), "{}", engine.name);
    }
}

#[test]
fn a_closed_store_takes_nothing_more_and_finishes_what_it_took() {
    for engine in engines() {
        let waiting: Vec<_> = (0..50).map(|id| engine.queue(ORG, move |tx| tx.put(&thing(id, "red", 0)))).collect();
        engine.store.close();
        assert!(waiting.iter().all(|answer| answer.recv().is_ok_and(|answer| answer.is_ok())), "{}", engine.name);
        assert!(engine.store.submit(Locks::System, Box::new(|_, _| (Outcome::Discard, Box::new(|_| ())))).is_err());
    }
}

#[test]
fn a_file_keeps_everything_and_refuses_a_second_process_and_a_newer_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.redb");
    let engine = Engine::open(&path).unwrap();
    let epoch = engine.store.epoch().to_owned();
    assert!(matches!(Store::open(&path, 8 << 20), Err(OpenError::InUse(_))));
    engine.put(ORG, vec![thing(1, "red", 1)]);
    engine.store.close();

    let engine = Engine::open(&path).unwrap();
    assert_eq!(engine.store.epoch(), epoch);
    assert_eq!(engine.read(ORG, |view| view.get(Id::<Thing>::from_u128(1))), thing(1, "red", 1));
    engine.store.close();
    drop(engine);

    redb::pretend_schema(&path, SCHEMA + 1);
    match Store::open(&path, 8 << 20) {
        Err(OpenError::Newer { found, .. }) => assert_eq!(found, SCHEMA + 1),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// A file on a disk that can be full.
#[derive(Debug)]
struct Fickle {
    file: ::redb::backends::FileBackend,
    full: Arc<std::sync::atomic::AtomicBool>,
}

impl Fickle {
    fn check(&self) -> Result<(), std::io::Error> {
        let full = self.full.load(std::sync::atomic::Ordering::SeqCst);
        if full { Err(std::io::Error::from(std::io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl ::redb::StorageBackend for Fickle {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.check().and_then(|()| self.file.set_len(len))
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.check().and_then(|()| self.file.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.check().and_then(|()| self.file.write(offset, data))
    }
}

#[test]
fn a_full_disk_refuses_changes_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.redb");
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let disk = {
        let full = full.clone();
        move || {
            let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = ::redb::backends::FileBackend::new(file.map_err(::redb::StorageError::from)?)?;
            Ok(Box::new(Fickle { file, full: full.clone() }) as Box<dyn ::redb::StorageBackend>)
        }
    };
    let (store, news) = Store::open_at(redb::Place::Disk(Arc::new(disk)), 8 << 20).unwrap();
    let engine = Engine { name: "redb on a fickle disk", store, news, ids: IdSource::seeded(1), _folder: None };
    engine.put(ORG, vec![thing(1, "red", 1)]);

    full.store(true, std::sync::atomic::Ordering::SeqCst);
    for id in 2..5 {
        let refused = engine.queue(ORG, move |tx| tx.put(&thing(id, "red", 1))).recv();
        assert!(!matches!(refused, Ok(Ok(()))), "it was taken though nothing can be written");
    }
    full.store(false, std::sync::atomic::Ordering::SeqCst);
    // Nobody changes anything: who only reads must find the store again, too.
    let start = crate::clock::monotonic();
    while engine.store.read(|_| Ok(())).is_err() {
        assert!(start.elapsed() < Duration::from_secs(60), "it stays away");
        std::thread::yield_now();
    }
    engine.put(ORG, vec![thing(9, "red", 9)]);
    assert_eq!(engine.read(ORG, |view| Ok(ids(&view.scan(Scan::all())?))), [1, 9]);
}

/// What someone may do to a collection.
#[derive(Debug, Clone)]
enum Step {
    Put(Thing),
    Delete(u128),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let a_thing = (0_u128..12, prop::sample::select(vec!["", "red", "blue", "re"]), -3_i64..3)
        .prop_map(|(id, colour, weight)| thing(id, colour, weight));
    let step = prop_oneof![4 => a_thing.prop_map(Step::Put), 2 => (0_u128..12).prop_map(Step::Delete), 1 => Just(Step::Commit)];
    prop::collection::vec(step, 1..40)
}

/// Reads a whole scan, a few at a time.
fn paged(reads: &impl Reads, scan: impl Fn() -> Scan<Thing>, limit: usize) -> Vec<Thing> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = reads.scan(scan().limit(limit).after(cursor)).unwrap();
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => return found,
        }
    }
}

/// Whatever is put and deleted, in the same command or in earlier ones: a scan in pages of any size, forwards or backwards, is the model's list.
#[test]
fn scans_agree_with_a_model() {
    for engine in engines() {
        let orgs = std::cell::Cell::new(100);
        let told = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) }).run(
            &(steps(), 1_usize..5),
            |(steps, limit)| {
                // An organization of its own for each story.
                orgs.set(orgs.get() + 1);
                story(&engine, Id::from_u128(orgs.get()), &steps, limit)
            },
        );
        told.unwrap_or_else(|failure| panic!("{}: {failure}", engine.name));
    }
}

fn story(engine: &Engine, org: OrgId, steps: &[Step], limit: usize) -> Result<(), TestCaseError> {
    let mut model: BTreeMap<u128, Thing> = BTreeMap::new();
    let mut waiting = Vec::new();
    // All handed in before the first is answered: several share a transaction, where an engine does that.
    for command in steps.split(|step| matches!(step, Step::Commit)).map(<[Step]>::to_vec) {
        for step in &command {
            match step {
                Step::Put(thing) => drop(model.insert(thing.id.uuid().as_u128(), thing.clone())),
                Step::Delete(id) => drop(model.remove(id)),
                Step::Commit => {}
            }
        }
        let mut reds: Vec<Thing> = model.values().filter(|thing| thing.colour.as_deref() == Some("red")).cloned().collect();
        reds.sort_by_key(|thing| (thing.weight, thing.id));
        let found = engine.queue(org, move |tx| {
            for step in command {
                match step {
                    Step::Put(thing) => tx.put(&thing)?,
                    Step::Delete(id) => tx.delete::<Thing>(Id::from_u128(id)),
                    Step::Commit => {}
                }
            }
            let mut backwards = paged(tx, || Thing::BY_COLOUR.of("red".into()).newest(), limit);
            backwards.reverse();
            let counted = tx.count(Thing::BY_COLOUR.of("red".into()))?;
            Ok((paged(tx, || Thing::BY_COLOUR.of("red".into()), limit), backwards, paged(tx, Scan::all, limit), counted))
        });
        waiting.push((found, reds, model.values().cloned().collect::<Vec<_>>()));
    }
    for (found, reds, things) in waiting {
        let (forwards, backwards, all, counted) = found.recv_timeout(Duration::from_secs(30)).expect(engine.name).unwrap();
        prop_assert_eq!(&forwards, &reds);
        prop_assert_eq!(&backwards, &reds);
        prop_assert_eq!(counted, reds.len());
        prop_assert_eq!(all, things);
    }
    let kept = engine.read(org, |view| Ok(paged(view, Scan::all, limit)));
    prop_assert_eq!(kept, model.into_values().collect::<Vec<_>>());
    Ok(())
}
