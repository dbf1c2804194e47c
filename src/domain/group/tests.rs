//! Bringing groups back and arranging them, each with the exact events it leaves.

use serde_json::json;

use super::*;
use crate::domain::service::ServicePatch;
use crate::domain::status::ServiceStatus::Operational;
use crate::domain::testing::TestOrg;

fn into(group: Id<Group>) -> ServicePatch {
    ServicePatch { group_id: Some(Some(group)), ..ServicePatch::default() }
}

/// An organization whose services are all in one group.
fn org_with(services: &[&str]) -> (TestOrg, Id<Group>) {
    let mut org = services.iter().fold(TestOrg::new(), |org, name| org.with_service(name, Operational));
    let group = org.group("Core");
    for name in services {
        let id = org.named(name);
        org.patch(id, into(group));
    }
    org.new_events();
    (org, group)
}

fn group_of(org: &TestOrg, id: Id<Service>) -> Option<Id<Group>> {
    org.read(move |view| service::live(view, id)).group_id
}

fn names(org: &TestOrg) -> Vec<String> {
    org.read(|view| list(view, |scan| scan)).items.into_iter().map(|group| group.name).collect()
}

#[test]
fn a_deleted_group_comes_back_with_its_services() {
    let (mut org, core) = org_with(&["API", "Web"]);
    let (api, web) = (org.named("API"), org.named("Web"));
    let before = org.read(move |view| live(view, core));
    org.change(move |tx| delete(tx, core, None)).unwrap();
    assert_eq!((group_of(&org, api), group_of(&org, web)), (None, None));
    org.new_events();

    let restored = org.change(move |tx| restore(tx, core)).unwrap();

    assert_eq!(restored, Group { version: before.version + 2, ..before });
    assert_eq!((group_of(&org, api), group_of(&org, web)), (Some(core), Some(core)));
    let (events, _) = org.new_logs();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "group.restored");
    assert_eq!(events[0]["data"], json!({ "before": {}, "after": { "name": "Core", "position": 0, "services": [api, web] } }));
}

#[test]
fn it_takes_back_only_what_is_free() {
    let (mut org, core) = org_with(&["API", "Web", "Mail"]);
    let (api, web, mail) = (org.named("API"), org.named("Web"), org.named("Mail"));
    org.change(move |tx| delete(tx, core, None)).unwrap();
    let edge = org.group("Edge");
    org.patch(api, into(edge));
    org.change(move |tx| service::delete(tx, web, None)).unwrap();
    org.new_events();
    org.change(move |tx| restore(tx, core)).unwrap();
    assert_eq!((group_of(&org, api), group_of(&org, mail)), (Some(edge), Some(core)));
    let (events, _) = org.new_logs();
    assert_eq!(events[0]["data"]["after"]["services"], json!([mail]));
    let web = org.change(move |tx| service::restore(tx, web)).unwrap().service;
    assert_eq!(web.group_id, None, "it was in none when it was deleted");
}

#[test]
fn a_service_that_was_deleted_first_finds_its_group_again() {
    let (mut org, core) = org_with(&["API"]);
    let api = org.named("API");
    org.change(move |tx| service::delete(tx, api, None)).unwrap();
    org.change(move |tx| delete(tx, core, None)).unwrap();
    org.change(move |tx| restore(tx, core)).unwrap();
    assert_eq!(org.change(move |tx| service::restore(tx, api)).unwrap().service.group_id, Some(core));
    assert_eq!(org.new_events(), ["service.deleted", "group.deleted", "group.restored", "service.restored"]);
}

#[test]
fn a_deleted_group_is_nowhere() {
    let (mut org, core) = org_with(&["API"]);
    let api = org.named("API");
    org.change(move |tx| delete(tx, core, None)).unwrap();
    org.new_events();
    assert!(names(&org).is_empty());
    assert!(matches!(org.change(move |tx| update(tx, core, GroupPatch::default(), None)), Err(Error::NotFound)));
    assert!(matches!(org.change(move |tx| delete(tx, core, None)), Err(Error::NotFound)));
    assert!(matches!(org.change(move |tx| shift(tx, core, Direction::Up)), Err(Error::NotFound)));
    assert!(matches!(org.change(move |tx| service::update(tx, api, into(core), None)), Err(Error::Invalid(_))));
    assert_eq!(org.page().sections.len(), 1);
    assert!(org.page().sections[0].group.is_none());
    assert_eq!(org.new_events(), [] as [&str; 0]);
}

#[test]
fn only_a_deleted_group_is_restored() {
    let (mut org, core) = org_with(&[]);
    assert!(matches!(org.change(move |tx| restore(tx, core)), Err(Error::Conflict(_))));
    assert!(matches!(org.change(|tx| restore(tx, Id::from_u128(1))), Err(Error::NotFound)));
    assert_eq!(org.new_events(), [] as [&str; 0]);
}

#[test]
fn groups_move_past_each_other() {
    let (mut org, core) = org_with(&[]);
    let (gone, edge) = (org.group("Gone"), org.group("Edge"));
    org.change(move |tx| delete(tx, gone, None)).unwrap();
    org.new_events();
    let moved = org.change(move |tx| shift(tx, core, Direction::Down)).unwrap();
    assert_eq!((moved.position, names(&org)), (2, vec!["Edge".to_owned(), "Core".to_owned()]));
    let (events, _) = org.new_logs();
    let told: Vec<_> = events.iter().map(|event| (&event["type"], &event["subject"]["name"], &event["data"]["after"])).collect();
    let updated = json!("group.updated");
    let (first, last) = (json!({ "position": 0 }), json!({ "position": 2 }));
    assert_eq!(told, [(&updated, &json!("Edge"), &first), (&updated, &json!("Core"), &last)]);
    org.change(move |tx| shift(tx, edge, Direction::Up)).unwrap();
    assert_eq!(org.new_events(), [] as [&str; 0]);
}
