//! Bringing services back and arranging them, each with the exact events it leaves.

use serde_json::{Value, json};

use super::*;
use crate::domain::status::ServiceStatus::{DegradedPerformance, MajorOutage, Operational};
use crate::domain::testing::TestOrg;

fn into(group: Option<Id<Group>>) -> ServicePatch {
    ServicePatch { group_id: Some(group), ..ServicePatch::default() }
}

fn names(org: &TestOrg) -> Vec<String> {
    org.read(|view| list(view, |scan| scan)).items.into_iter().map(|state| state.service.name).collect()
}

fn moves(events: &[Value]) -> Vec<(&str, i64, i64)> {
    let told = |event: &Value, side: &str| event["data"][side]["position"].as_i64().unwrap();
    assert!(events.iter().all(|event| event["type"] == "service.updated"), "{events:?}");
    events.iter().map(|event| (event["subject"]["name"].as_str().unwrap(), told(event, "before"), told(event, "after"))).collect()
}

#[test]
fn a_deleted_service_comes_back_as_it_was() {
    let mut org = TestOrg::new().with_service("API", DegradedPerformance);
    let core = org.group("Core");
    let api = org.named("API");
    org.patch(api, into(Some(core)));
    let before = org.read(move |view| get(view, api)).service;
    org.change(move |tx| delete(tx, api, None)).unwrap();
    org.new_events();

    let restored = org.change(move |tx| restore(tx, api)).unwrap();

    assert_eq!(restored.service, Service { version: before.version + 2, ..before });
    assert_eq!(names(&org), ["API"]);
    let (events, _) = org.new_logs();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "service.restored");
    let after = json!({
        "name": "API", "description": "", "status": "degraded_performance", "visibility": "public", "group_id": core, "position": 0,
    });
    assert_eq!(events[0]["data"], json!({ "before": {}, "after": after }));
}

#[test]
fn it_comes_back_into_an_incident_that_is_not_over() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let api = org.named("API");
    org.open("Checkout fails", [("API", MajorOutage)]);
    org.change(move |tx| delete(tx, api, None)).unwrap();
    org.new_events();
    assert_eq!(org.change(move |tx| restore(tx, api)).unwrap().status, MajorOutage);
    let (events, _) = org.new_logs();
    assert_eq!(events[0]["data"]["after"]["status"], "major_outage");
}

#[test]
fn it_comes_back_into_no_group_where_its_own_is_gone() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let core = org.group("Core");
    let api = org.named("API");
    org.patch(api, into(Some(core)));
    org.change(move |tx| delete(tx, api, None)).unwrap();
    org.change(move |tx| group::delete(tx, core, None)).unwrap();
    org.new_events();
    assert_eq!(org.change(move |tx| restore(tx, api)).unwrap().service.group_id, None);
    let (events, _) = org.new_logs();
    assert_eq!((&events[0]["type"], &events[0]["data"]["after"]["group_id"]), (&json!("service.restored"), &Value::Null));
}

#[test]
fn only_a_deleted_service_is_restored() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let api = org.named("API");
    assert!(matches!(org.change(move |tx| restore(tx, api)), Err(Error::Conflict(_))));
    assert!(matches!(org.change(|tx| restore(tx, Id::from_u128(1))), Err(Error::NotFound)));
    assert_eq!(org.new_events(), [] as [&str; 0]);
}

#[test]
fn a_service_moves_among_those_of_its_group() {
    let mut org = TestOrg::new().with_service("A", Operational).with_service("X", Operational).with_service("B", Operational);
    let core = org.group("Core");
    let (x, b) = (org.named("X"), org.named("B"));
    org.patch(x, into(Some(core)));
    org.new_events();

    let moved = org.change(move |tx| shift(tx, b, Direction::Up)).unwrap();
    assert_eq!((moved.service.name.as_str(), moved.service.position), ("B", 0));
    assert_eq!(names(&org), ["B", "X", "A"]);
    assert_eq!(moves(&org.new_logs().0), [("B", 2, 0), ("A", 0, 2)]);

    org.change(move |tx| shift(tx, b, Direction::Up)).unwrap();
    org.change(move |tx| shift(tx, x, Direction::Down)).unwrap();
    assert_eq!(org.new_events(), [] as [&str; 0], "they are at the end already");

    org.change(move |tx| shift(tx, b, Direction::Down)).unwrap();
    assert_eq!(names(&org), ["A", "X", "B"]);
    assert_eq!(moves(&org.new_logs().0), [("A", 2, 0), ("B", 0, 2)]);
}

#[test]
fn services_with_one_position_can_be_told_apart_by_moving_them() {
    let mut org = TestOrg::new().with_service("A", Operational).with_service("B", Operational).with_service("C", Operational);
    for name in ["B", "C"] {
        let id = org.named(name);
        org.patch(id, ServicePatch { position: Some(0), ..ServicePatch::default() });
    }
    let (a, c) = (org.named("A"), org.named("C"));
    org.new_events();
    org.change(move |tx| shift(tx, c, Direction::Up)).unwrap();
    assert_eq!(names(&org), ["A", "C", "B"]);
    assert_eq!(moves(&org.new_logs().0), [("B", 0, 1)]);
    org.change(move |tx| delete(tx, a, None)).unwrap();
    org.new_events();
    org.change(move |tx| shift(tx, c, Direction::Up)).unwrap();
    assert_eq!(org.new_events(), [] as [&str; 0], "what is deleted is nobody's neighbour");
    assert!(matches!(org.change(move |tx| shift(tx, a, Direction::Up)), Err(Error::NotFound)));
}
