//! Files as the first schema left them, opened by this program.

use std::collections::HashSet;
use std::path::Path;

use redb::ReadableTable;

use super::super::{pretend_first, tables::RowKey};
use super::*;
use crate::access::Edit;
use crate::app::record;
use crate::clock::Timestamp;
use crate::domain::incident::{Affected, Incident, IncidentLink, OpenIncident};
use crate::domain::page::Page;
use crate::domain::service::{self, NewService, Service, Visibility};
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::domain::timeline::{self, Filter};
use crate::store::suite::{Engine, ORG, OTHER, thing};
use crate::store::{Document, LogEntry, LogRange, Reads, Row, SCHEMA, Scan};

/// How many services the two organizations have: more than are in memory at once.
const ROWS: [(OrgId, u128); 2] = [(ORG, 700), (OTHER, 500)];

/// A file of this folder, opened.
fn open(folder: &tempfile::TempDir) -> Engine {
    Engine::open(&folder.path().join("old.redb")).unwrap()
}

/// Closes a file, and makes it look older.
fn age(folder: &tempfile::TempDir, engine: Engine) {
    engine.store.close();
    drop(engine);
    pretend_first(&folder.path().join("old.redb"));
}

/// Looks into a file that nobody has open.
fn inside<T>(path: &Path, look: impl FnOnce(&mut WriteTables<'_>) -> T) -> T {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let seen = look(&mut WriteTables::open(&transaction).unwrap());
    transaction.commit().unwrap();
    seen
}

/// Puts something else in a row's place, and answers what was there.
fn swap(path: &Path, (scope, collection, id): RowKey, doc: &[u8]) -> Vec<u8> {
    inside(path, |tables| {
        let old = tables::get(&tables.rows, scope, collection, id).unwrap().unwrap();
        tables.file(scope, collection, id, Some(&Row { doc: doc.to_vec(), filed: Vec::new() })).unwrap();
        old
    })
}

fn schema_of(path: &Path) -> u32 {
    tables::prepare(&Database::open(path).unwrap(), SCHEMA).unwrap().schema
}

/// A service whose id is its number; every tenth is deleted.
fn numbered(number: u128) -> Service {
    let at = Timestamp::from_millis(7);
    Service {
        id: Id::from_u128(number),
        version: 1,
        name: format!("Service {number}"),
        description: String::new(),
        group_id: None,
        position: i64::try_from(number).unwrap(),
        visibility: Visibility::Private,
        own_status: ServiceStatus::Operational,
        raised: None,
        created_at: at,
        updated_at: at,
        deleted_at: number.is_multiple_of(10).then_some(at),
    }
}

fn new_service(name: &str) -> NewService {
    NewService {
        name: name.into(),
        description: String::new(),
        visibility: Visibility::Public,
        own_status: ServiceStatus::Operational,
        group_id: None,
    }
}

fn create(tx: &mut OrgTx<'_, Edit>, name: &str) -> Result<Id<Service>> {
    service::create(tx, new_service(name)).map(|made| made.value.service.id)
}

fn report(tx: &mut OrgTx<'_, Edit>, title: &str, status: IncidentStatus, touched: &[Id<Service>]) -> Result<Id<Incident>> {
    let affected = touched.iter().map(|id| Affected { service_id: *id, status: Some(ServiceStatus::MajorOutage) }).collect();
    let input =
        OpenIncident { title: title.into(), message: "We are looking.".into(), status: Some(status), affected, ..OpenIncident::default() };
    incident::open(&mut tx.lower(), input).map(|made| made.value.id)
}

/// Fills both organizations.
fn fill(engine: &Engine) {
    for (org, count) in ROWS {
        engine.change(org, move |tx| (1..=count).try_for_each(|number| tx.put(&numbered(number)))).unwrap();
    }
}

/// The numbers of the services that are listed, those that are found by their names, and how many there are with those deleted.
fn listed(engine: &Engine, org: OrgId) -> (Vec<u128>, HashSet<u128>, usize) {
    engine.read(org, |view| {
        let listed = view.scan(Service::BY_POSITION.of(()))?.items;
        let named = view.names(&Service::NAMES, "service", None, 10_000)?;
        let numbers = listed.iter().map(|service| service.id.uuid().as_u128()).collect();
        Ok((numbers, named.iter().map(|place| place.id.as_u128()).collect(), view.count(Scan::<Service>::all())?))
    })
}

fn expected(count: u128) -> (Vec<u128>, HashSet<u128>, usize) {
    let live: Vec<u128> = (1..=count).filter(|number| number % 10 != 0).collect();
    (live.clone(), live.into_iter().collect(), usize::try_from(count).unwrap())
}

#[test]
fn an_older_file_is_filed_anew_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let (api, subject) = engine
        .change(ORG, |tx| {
            let (api, _) = (create(tx, "Public API")?, create(tx, "Web")?);
            tx.put(&thing(1, "red", 1))?;
            Ok((api, Id::<Incident>::from_u128(1)))
        })
        .unwrap();
    engine
        .change(ORG, move |tx| {
            for status in [IncidentStatus::Investigating, IncidentStatus::Resolved] {
                report(tx, "Checkout fails", status, &[api])?;
            }
            let event = serde_json::json!({
                "type": "incident.opened",
                "at": tx.now(),
                "actor": { "kind": "system", "id": null, "name": "suite" },
                "subject": { "kind": "incident", "id": subject, "name": "Checkout fails" },
            });
            tx.append(LogEntry::org(ORG.uuid(), 1, event.to_string().into_bytes(), vec![api.uuid()]));
            tx.append(LogEntry::org(ORG.uuid(), 2, b"{}".to_vec(), Vec::new()));
            Ok(())
        })
        .unwrap();
    let look = |engine: &Engine| {
        engine.read(ORG, |view| {
            let major = view.scan(Service::BY_STATUS.of("major_outage".into()))?.items;
            let in_none = view.scan(Service::IN_GROUP.of(service::NO_GROUP))?.items;
            let causes = incident::causes(view, api, 10)?;
            let names = view.names(&Service::NAMES, "api", None, 10)?;
            let titles = view.names(&Incident::NAMES, "fails", None, 10)?;
            let filter = Filter { subject: Some(subject.to_string()), actor: Some("system".into()), ..Filter::default() };
            let told = timeline::read(view, Some(api), &filter, None, 10)?.items;
            assert_eq!((major.len(), in_none.len(), causes.len(), names.len(), titles.len(), told.len()), (1, 2, 1, 1, 2, 1));
            Ok((major, in_none, causes, names, titles, told))
        })
    };
    let before = look(&engine);
    age(&folder, engine);
    let engine = open(&folder);
    assert_eq!(look(&engine), before);
    assert_eq!(engine.read(ORG, |view| view.get(thing(1, "red", 1).id())), thing(1, "red", 1), "what nobody knows stays");
}

#[test]
fn however_many_rows_there_are_each_is_filed_under_its_own_organization() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    fill(&engine);
    age(&folder, engine);
    inside(&folder.path().join("old.redb"), |tables| {
        assert!(tables.stored(None, usize::MAX).unwrap().len() > 2 * PART && tables.index.iter().unwrap().next().is_none());
    });
    let engine = open(&folder);
    for (org, count) in ROWS {
        assert_eq!(listed(&engine, org), expected(count), "{org}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_nothing_is_changed_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.redb");
    let engine = open(&folder);
    fill(&engine);
    age(&folder, engine);
    let number = 613;
    let old = swap(&path, (Scope(ORG.uuid()), Service::NUMBER, Uuid::from_u128(number)), br#"{"id":1}"#);

    for _ in 0..2 {
        let refused = Engine::open(&path).err().unwrap().to_string();
        for word in [Id::<Service>::from_u128(number).to_string(), ORG.to_string(), "services".into(), "old.redb".into()] {
            assert!(refused.contains(&word), "{word}: {refused}");
        }
        assert_eq!(schema_of(&path), 1);
        inside(&path, |tables| assert!(tables.index.iter().unwrap().next().is_none(), "nothing is filed by halves"));
    }
    swap(&path, (Scope(ORG.uuid()), Service::NUMBER, Uuid::from_u128(number)), &old);
    let engine = open(&folder);
    for (org, count) in ROWS {
        assert_eq!(listed(&engine, org), expected(count), "{org}");
    }
    engine.store.close();
    drop(engine);
    assert_eq!(schema_of(&path), SCHEMA);
}

#[test]
fn what_is_deleted_stays_deleted_and_keeps_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let (api, gone) = engine.change(ORG, |tx| Ok((create(tx, "API")?, create(tx, "Gone")?))).unwrap();
    engine
        .change(ORG, move |tx| {
            report(tx, "Both are down", IncidentStatus::Investigating, &[api, gone])?;
            let mistake = report(tx, "By mistake", IncidentStatus::Identified, &[api])?;
            drop(incident::delete(&mut tx.lower(), mistake, None)?);
            service::delete(tx, gone, None).map(drop)
        })
        .unwrap();
    let look = |engine: &Engine| {
        engine.read(ORG, |view| {
            let services: Vec<Service> = view.scan(Scan::all())?.items;
            let incidents: Vec<Incident> = view.scan(Scan::all())?.items;
            let links: Vec<IncidentLink> = view.scan(Scan::all())?.items;
            let found = (view.names(&Service::NAMES, "gone", None, 10)?, view.names(&Incident::NAMES, "mistake", None, 10)?);
            assert_eq!((services.len(), incidents.len(), links.len(), found.0.len(), found.1.len()), (2, 2, 2, 0, 0));
            assert!(services.iter().all(|service| service.raised == Some(ServiceStatus::MajorOutage)), "{services:?}");
            assert_eq!(view.count(Service::BY_POSITION.of(()))? + view.count(Incident::BY_START.of(()))?, 2);
            Ok((services, incidents, links))
        })
    };
    let before = look(&engine);
    age(&folder, engine);
    assert_eq!(look(&open(&folder)), before);
}

#[test]
fn a_pages_log_gets_no_lists() {
    let folder = tempfile::tempdir().unwrap();
    let page: Id<Page> = Id::from_u128(77);
    let engine = open(&folder);
    engine.change(ORG, move |tx| tx.put(&Page::new(page, "acme".into(), tx.now()))).unwrap();
    engine
        .change(ORG, |tx| {
            let (created, actor) = (service::create(tx, new_service("API"))?, tx.actor().clone());
            record(tx, &WriteSet::default(), &actor, &created.events)
        })
        .unwrap();
    age(&folder, engine);
    let engine = open(&folder);
    let all = LogRange { after: 0, before: u64::MAX, newest: false, limit: 10 };
    assert_eq!(engine.read(ORG, |view| view.page_log(page.uuid(), all)).len(), 1);
    engine.store.close();
    drop(engine);
    let owners: HashSet<Uuid> = inside(&folder.path().join("old.redb"), |tables| {
        let owner = |key: &[u8]| Uuid::from_slice(&key[..16]).unwrap();
        tables.touches.iter().unwrap().map(|entry| owner(entry.unwrap().0.value())).collect()
    });
    assert_eq!(owners, HashSet::from([ORG.uuid()]));
}
