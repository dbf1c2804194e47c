//! A store with a past, copied, looked at from the other side.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::access::Read;
use crate::clock::Timestamp;
use crate::config::StorePlace;
use crate::domain::incident::Incident;
use crate::domain::service::{Service, Visibility};
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::domain::testing::TestOrg;
use crate::domain::timeline::{self, Filter};
use crate::store::suite::empty_database;
use crate::store::{LogRange, OrgView, Reads, Scan, Store, WriteSet};

/// A file in which something has happened, and whose it is.
fn past() -> (TempDir, PathBuf, Uuid) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past.redb");
    let mut org = TestOrg::on(Store::open(&path, 8 << 20).unwrap());
    for number in 0..40 {
        let visibility = if number % 3 == 0 { Visibility::Private } else { Visibility::Public };
        org.service(&format!("Service {number}"), visibility, ServiceStatus::Operational);
    }
    org.group("Group");
    let incident = org.open("Everything fails", [("Service 1", ServiceStatus::MajorOutage), ("Service 3", ServiceStatus::PartialOutage)]);
    org.say(incident, IncidentStatus::Identified, "Somebody pulled a plug — “again”.");
    org.resolve(incident);
    org.open("It fails again", [("Service 2", ServiceStatus::DegradedPerformance)]);
    let id = org.org.uuid();
    org.app.close();
    (folder, path, id)
}

/// What an organization is to its members.
#[derive(Debug, PartialEq)]
struct Seen {
    services: Vec<Service>,
    incidents: Vec<Incident>,
    log: Vec<(u64, Vec<u8>)>,
    of_service: Vec<(u64, Vec<u8>)>,
    of_type: Vec<u64>,
    found: usize,
    epoch: String,
}

fn look(store: &Store, org: Uuid) -> Seen {
    let epoch = store.epoch().to_owned();
    let look = |base: Base<'_>| {
        let writes = WriteSet::default();
        let view: OrgView<'_, Read> = OrgView::new(base, &writes, crate::id::Id::from_uuid(org), Timestamp::from_millis(0));
        let range = LogRange { after: 0, before: u64::MAX, newest: true, limit: 500 };
        let services = view.scan(Scan::<Service>::all())?.items;
        let touched = services.iter().find(|service| service.name == "Service 1").map(|service| service.id.uuid());
        let filter = Filter { kind: Some("incident.opened".into()), ..Filter::default() };
        Ok(Seen {
            incidents: view.scan(Incident::BY_STATE.of("open".into()))?.items,
            log: view.log(None, range)?,
            of_service: view.log(touched, range)?,
            of_type: timeline::read(&view, None, &filter, None, 50)?.items.into_iter().map(|entry| entry.seq).collect(),
            found: view.names(&Service::NAMES, "service 1", None, 50)?.len(),
            services,
            epoch,
        })
    };
    store.read(look).unwrap()
}

fn on_the_server(url: &PostgresUrl) -> Result<Store, OpenError> {
    Store::open_place(&StorePlace::Postgres(url.clone()), 0, 4).map(|(store, _)| store)
}

#[test]
fn everything_is_there_and_says_the_same() {
    let (_folder, path, org) = past();
    let before = {
        let (store, _news) = Store::open(&path, 8 << 20).unwrap();
        let seen = look(&store, org);
        store.close();
        seen
    };
    assert_eq!((before.services.len(), before.incidents.len(), before.of_type.len(), before.found), (40, 1, 2, 11));
    assert!(before.of_service.len() >= 4 && before.log.len() > 45);

    let url = empty_database();
    let told = Cell::new((0, 0));
    let copied = copy(&path, &url, |done, total| told.set((done, total))).unwrap();
    assert!(!copied.resumed);
    let count = |kind: &str| copied.counts.iter().find(|(name, _)| name == kind).map(|(_, count)| *count);
    assert_eq!((count("services"), count("incidents"), count("users")), (Some(40), Some(2), Some(1)));
    assert!(told.get().0 > 0 && told.get().0 <= told.get().1, "{told:?}");

    let store = on_the_server(&url).unwrap();
    assert_eq!(look(&store, org), before);
    store.close();

    // Once there is something, nothing is written over it: not by a second copy either.
    assert!(matches!(copy(&path, &url, |_, _| ()), Err(CopyError::NotEmpty(_))));
    assert_eq!(look(&on_the_server(&url).unwrap(), org), before);
}

#[test]
fn an_interrupted_copy_goes_on_and_can_not_be_used_before() {
    let (_folder, path, org) = past();
    let url = empty_database();
    for stop_after in [1, 2, 3] {
        let parts = Cell::new(0);
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            copy(&path, &url, |_, _| {
                parts.set(parts.get() + 1);
                assert!(parts.get() < stop_after, "the machine is switched off");
            })
        }));
        assert!(stopped.is_err());
        match on_the_server(&url) {
            Err(OpenError::Failed { detail, .. }) => assert!(detail.contains("run `allclear store copy` again"), "{detail}"),
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    // Other data do not go on where these stopped.
    let (_other_folder, other, _) = past();
    let mut changed = TestOrg::on(Store::open(&other.with_file_name("other.redb"), 8 << 20).unwrap());
    changed.service("Another", Visibility::Public, ServiceStatus::Operational);
    changed.app.close();
    assert!(matches!(copy(&other.with_file_name("other.redb"), &url, |_, _| ()), Err(CopyError::Other(_))));

    let copied = copy(&path, &url, |_, _| ()).unwrap();
    assert!(copied.resumed);
    let (store, _news) = Store::open(&path, 8 << 20).unwrap();
    assert_eq!(look(&on_the_server(&url).unwrap(), org), look(&store, org));
}

#[test]
fn what_differs_is_named_and_not_released() {
    let (mut ours, mut theirs) = (Tally::default(), Tally::default());
    let (org, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    ours.document("services", org, id, br#"{"a": 1, "b": "x"}"#).unwrap();
    theirs.document("services", org, id, br#"{ "b": "x", "a": 1 }"#).unwrap();
    assert!(ours.differs(&theirs).is_empty(), "what it says counts");
    theirs.document("services", org, Uuid::from_u128(3), b"{}").unwrap();
    ours.document("services", org, Uuid::from_u128(3), br#"{"a": 2}"#).unwrap();
    ours.entry(org, 1, b"{}", &[id]);
    assert_eq!(ours.differs(&theirs), ["log entries", "services"]);
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = copy(&folder.path().join("nothing.redb"), &empty_database(), |_, _| ());
    assert!(matches!(missing, Err(CopyError::Open(OpenError::Failed { detail, .. })) if detail.contains("no such file")));
}
