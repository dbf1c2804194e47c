//! Deleting an incident and bringing it back, each with the exact events it leaves.

use serde_json::json;

use super::operations::*;
use super::*;
use crate::access::Respond;
use crate::domain::status::ServiceStatus::{MajorOutage, Operational};
use crate::domain::testing::TestOrg;
use crate::event::Change;
use crate::store::OrgTx;

fn erase(org: &mut TestOrg, id: Id<Incident>) {
    org.change(move |tx| delete(tx, id, None)).unwrap();
    assert_eq!(org.new_events().pop().unwrap(), "incident.deleted");
}

/// As many unresolved incidents like this one as there may be.
fn crowd(org: &TestOrg, model: Incident) -> Vec<Id<Incident>> {
    org.change(move |tx: &mut OrgTx<'_, Respond>| {
        let mut ids = Vec::with_capacity(OPEN_MAX);
        for _ in 0..OPEN_MAX {
            let one = Incident { id: tx.new_id(), deleted_at: None, ..model.clone() };
            tx.put(&one)?;
            ids.push(one.id);
        }
        Ok(Change::nothing(ids))
    })
    .unwrap()
}

fn listed(org: &TestOrg, which: Which) -> Vec<Id<Incident>> {
    org.read(move |view| list(view, which, |scan| scan)).items.into_iter().map(|incident| incident.id).collect()
}

#[test]
fn a_deleted_incident_comes_back_as_it_was() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (id, api) = (org.open("Checkout fails", [("API", MajorOutage)]), org.named("API"));
    org.say(id, IncidentStatus::Identified, "A deployment.");
    let before = org.incident(id);
    erase(&mut org, id);
    assert_eq!(org.status("API"), Operational);

    let restored = org.change(move |tx| restore(tx, id)).unwrap();

    assert_eq!(restored, Incident { version: before.version + 2, ..before });
    assert_eq!(restored, org.incident(id));
    assert_eq!(org.status("API"), MajorOutage);
    assert_eq!((listed(&org, Which::All), listed(&org, Which::Open)), (vec![id], vec![id]));
    assert_eq!(org.read(move |view| list_of(view, api, |scan| scan)).items.len(), 1);
    let (events, _) = org.new_logs();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "incident.restored");
    let after = json!({
        "title": "Checkout fails", "status": "identified", "impact": "critical",
        "affected": [{ "service_id": api, "name": "API", "status": "major_outage" }],
        "services": [{ "id": api, "name": "API", "status": "major_outage" }],
    });
    let before = json!({ "services": [{ "id": api, "name": "API", "status": "operational" }] });
    assert_eq!(events[0]["data"], json!({ "before": before, "after": after }));
}

#[test]
fn nothing_finds_a_deleted_incident() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (open, over) = (org.open("Checkout fails", [("API", MajorOutage)]), org.open("Search fails", [("API", MajorOutage)]));
    org.resolve(over);
    let api = org.named("API");
    let said = org.incident(open).updates[0].id;
    erase(&mut org, open);
    erase(&mut org, over);

    for which in [Which::All, Which::Open, Which::Closed] {
        assert!(listed(&org, which).is_empty(), "{which:?}");
    }
    assert_eq!(org.read(move |view| list_of(view, api, |scan| scan)).items.len(), 0);
    let page = org.page();
    assert!(page.active.is_empty() && page.days.iter().all(|day| day.incidents.is_empty()));

    let more = NewUpdate { status: None, message: "More.".into(), affected: Vec::new() };
    assert!(matches!(org.change(move |tx| post_update(tx, open, more, None)), Err(Error::NotFound)));
    assert!(matches!(org.change(move |tx| update(tx, open, IncidentPatch::default(), None)), Err(Error::NotFound)));
    let text = Details { message: "Other words.".into() };
    assert!(matches!(org.change(move |tx| correct(tx, open, said, text, None)), Err(Error::NotFound)));
    assert!(matches!(org.change(move |tx| delete(tx, open, None)), Err(Error::NotFound)));
    assert_eq!(org.new_events(), [] as [&str; 0]);
}

#[test]
fn only_a_deleted_incident_is_restored() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    org.new_events();
    assert!(matches!(org.change(move |tx| restore(tx, id)), Err(Error::Conflict(_))));
    assert!(matches!(org.change(|tx| restore(tx, Id::from_u128(1))), Err(Error::NotFound)));
    assert_eq!(org.new_events(), [] as [&str; 0]);
}

#[test]
fn there_must_be_room_for_one_that_is_not_over() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (open, over) = (org.open("Checkout fails", [("API", MajorOutage)]), org.open("Search fails", [("API", MajorOutage)]));
    org.resolve(over);
    erase(&mut org, open);
    erase(&mut org, over);
    crowd(&org, org.incident(open));
    assert!(matches!(org.change(move |tx| restore(tx, open)), Err(Error::Conflict(_))));
    assert_eq!(org.new_events(), [] as [&str; 0]);
    org.change(move |tx| restore(tx, over)).unwrap();
    assert_eq!(org.new_events(), ["incident.restored"]);
}

#[test]
fn there_must_be_room_for_one_that_is_opened_again() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    let model = org.incident(id);
    org.resolve(id);
    let others = crowd(&org, model);
    org.new_events();

    let again = || IncidentPatch { status: Some(IncidentStatus::Investigating), ..IncidentPatch::default() };
    let patch = again();
    assert!(matches!(org.change(move |tx| update(tx, id, patch, None)), Err(Error::Conflict(_))));
    let said = NewUpdate { status: Some(IncidentStatus::Investigating), message: "It is back.".into(), affected: Vec::new() };
    assert!(matches!(org.change(move |tx| post_update(tx, id, said, None)), Err(Error::Conflict(_))));
    assert!(org.incident(id).resolved_at.is_some());
    assert_eq!(org.new_events(), [] as [&str; 0]);

    org.resolve(others[0]);
    let patch = again();
    org.change(move |tx| update(tx, id, patch, None)).unwrap();
    assert_eq!(org.new_events(), ["incident.resolved", "incident.reopened"]);
}
