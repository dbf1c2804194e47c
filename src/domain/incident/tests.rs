//! The rules of incidents, each with the exact events it leaves.

use std::time::Duration;

use serde_json::json;

use super::operations::*;
use super::*;
use crate::access::Respond;
use crate::domain::service::{self, ServicePatch};
use crate::domain::status::{Impact, IncidentStatus, ServiceStatus::*};
use crate::domain::testing::TestOrg;
use crate::error::Error;
use crate::event::Change;
use crate::store::OrgTx;

/// Puts updates with these texts in the place of those that an incident has.
fn fill(org: &TestOrg, id: Id<Incident>, texts: Vec<String>) {
    let incident = org.incident(id);
    org.change(move |tx: &mut OrgTx<'_, Respond>| {
        let model = incident.updates[0].clone();
        let updates = texts.into_iter().map(|message| Update { id: tx.new_id(), message, ..model.clone() }).collect();
        tx.put(&Incident { updates, ..incident })?;
        Ok(Change::nothing(()))
    })
    .unwrap();
}

#[test]
fn resolving_gives_the_service_its_own_status_back() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    assert_eq!(org.status("API"), MajorOutage);

    org.resolve(incident);

    assert_eq!(org.status("API"), Operational);
    assert_eq!(org.new_events(), ["incident.opened", "incident.resolved"]);
}

#[test]
fn the_event_tells_what_the_incident_does_to_services() {
    let mut org = TestOrg::new().with_service("API", DegradedPerformance).with_service("Web", Operational);
    let (api, web) = (org.named("API"), org.named("Web"));
    org.open("Checkout fails", [("API", MajorOutage), ("Web", Operational)]);
    let (events, _) = org.new_logs();
    assert_eq!(events[0]["data"]["before"]["services"], json!([{ "id": api, "name": "API", "status": "degraded_performance" }]));
    assert_eq!(events[0]["data"]["after"]["services"], json!([{ "id": api, "name": "API", "status": "major_outage" }]));
    assert_eq!(events[0]["data"]["after"]["affected"][1], json!({ "service_id": web, "name": "Web", "status": "operational" }));
    assert_eq!(events[0]["actor"], json!({ "kind": "system", "id": null, "name": "test" }));
}

#[test]
fn a_hand_set_outage_outlives_a_lesser_incident() {
    let mut org = TestOrg::new().with_service("API", PartialOutage);
    let incident = org.open("Slow answers", [("API", DegradedPerformance)]);
    assert_eq!(org.status("API"), PartialOutage);
    org.resolve(incident);
    assert_eq!(org.status("API"), PartialOutage);
    let (events, _) = org.new_logs();
    assert!(events[0]["data"]["after"].get("services").is_none(), "nothing changed for anyone");
}

#[test]
fn reopening_is_allowed_and_said() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", PartialOutage)]);
    org.resolve(incident);
    assert!(org.incident(incident).resolved_at.is_some());
    org.say(incident, IncidentStatus::Investigating, "It is back.");
    assert_eq!(org.status("API"), PartialOutage);
    assert_eq!(org.incident(incident).resolved_at, None);
    org.resolve(incident);
    org.say(incident, IncidentStatus::Postmortem, "What we learned.");
    assert_eq!(org.status("API"), Operational);
    assert_eq!(org.new_events(), ["incident.opened", "incident.resolved", "incident.reopened", "incident.resolved", "incident.updated"]);
}

#[test]
fn impact_is_derived_unless_said() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", PartialOutage)]);
    assert_eq!(org.incident(id).impact(), Impact::Major);
    let patch = |impact| IncidentPatch { impact: Some(impact), ..IncidentPatch::default() };
    org.change(move |tx| update(tx, id, patch(Some(Impact::Critical)), None)).unwrap();
    assert_eq!(org.incident(id).impact(), Impact::Critical);
    org.change(move |tx| update(tx, id, patch(None), None)).unwrap();
    assert_eq!(org.incident(id).impact(), Impact::Major);
    assert_eq!(org.new_events(), ["incident.opened", "incident.updated", "incident.updated"]);
}

#[test]
fn a_title_and_a_status_are_two_events_and_nothing_is_none() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", PartialOutage)]);
    org.new_events();
    let patch =
        IncidentPatch { title: Some("Checkout is slow".into()), status: Some(IncidentStatus::Identified), ..IncidentPatch::default() };
    org.change(move |tx| update(tx, id, patch, None)).unwrap();
    let (events, _) = org.new_logs();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["data"], json!({ "before": { "title": "Checkout fails" }, "after": { "title": "Checkout is slow" } }));
    assert_eq!(events[1]["data"]["before"], json!({ "status": "investigating" }));

    let version = org.incident(id).version;
    let same =
        IncidentPatch { title: Some("Checkout is slow".into()), status: Some(IncidentStatus::Identified), ..IncidentPatch::default() };
    org.change(move |tx| update(tx, id, same, None)).unwrap();
    assert_eq!(org.new_events(), [] as [&str; 0]);
    assert_eq!(org.incident(id).version, version);
}

#[test]
fn an_update_lays_its_statuses_over_and_a_put_replaces_them() {
    let mut org = TestOrg::new().with_service("API", Operational).with_service("Web", Operational);
    let (api, web) = (org.named("API"), org.named("Web"));
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    let entry = |service_id, status| Affected { service_id, status };
    let input = NewUpdate { status: None, message: "Web too.".into(), affected: vec![entry(web, Some(PartialOutage))] };
    org.change(move |tx| post_update(tx, id, input, None)).unwrap();
    assert_eq!((org.status("API"), org.status("Web")), (MajorOutage, PartialOutage));

    let patch = IncidentPatch { affected: Some(vec![entry(web, None)]), ..IncidentPatch::default() };
    org.change(move |tx| update(tx, id, patch, None)).unwrap();
    assert_eq!((org.status("API"), org.status("Web")), (Operational, Operational));
    assert_eq!(org.read(move |view| list_of(view, api, |scan| scan)).items.len(), 0, "it no longer touches the API");
    assert_eq!(org.read(move |view| list_of(view, web, |scan| scan)).items.len(), 1);
    assert_eq!(org.new_events(), ["incident.opened", "incident.updated", "incident.updated"]);
}

#[test]
fn a_correction_keeps_the_earlier_text_in_the_timeline() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    let update = org.incident(id).updates[0].id;
    org.new_events();
    org.change(move |tx| correct(tx, id, update, Details { message: "We are looking into it.".into() }, None)).unwrap();
    let (events, public) = org.new_logs();
    assert_eq!(events[0]["type"], "incident.updated");
    assert_eq!(events[0]["data"]["before"]["message"], "We are looking.");
    assert_eq!(org.incident(id).updates[0].message, "We are looking into it.");
    assert_eq!(public.len(), 1, "open pages get the corrected text");
    let unknown = Id::from_u128(1);
    assert!(matches!(org.change(move |tx| correct(tx, id, unknown, Details { message: "x".into() }, None)), Err(Error::NotFound)));
}

#[test]
fn deleting_releases_the_services_and_leaves_the_timeline() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    org.change(move |tx| delete(tx, id, None)).unwrap();
    assert_eq!(org.status("API"), Operational);
    let (events, public) = org.new_logs();
    assert_eq!(events[1]["type"], "incident.deleted");
    assert_eq!(events[1]["data"]["after"]["services"][0]["status"], "operational");
    assert_eq!(public[1]["type"], "incident.deleted");
    let api = org.named("API");
    assert_eq!(org.read(move |view| list_of(view, api, |scan| scan)).items.len(), 0);
}

#[test]
fn a_deleted_service_shows_by_its_last_name() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (id, api) = (org.open("Checkout fails", [("API", MajorOutage)]), org.named("API"));
    org.patch(api, ServicePatch { name: Some("Core API".into()), ..ServicePatch::default() });
    org.change(move |tx| service::delete(tx, api, None)).unwrap();
    let incident = org.incident(id);
    assert_eq!(org.read(move |view| named(view, incident)).names, ["Core API"]);
    assert_eq!(org.page().active[0].affected[0].name, "Core API");
    assert_eq!(org.page().sections.len(), 0);
    assert_eq!(org.new_events(), ["incident.opened", "service.updated", "service.deleted"]);
}

#[test]
fn every_wrong_field_is_named_and_nothing_is_written() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let api = org.named("API");
    let affected = vec![
        Affected { service_id: api, status: Some(UnderMaintenance) },
        Affected { service_id: api, status: None },
        Affected { service_id: Id::from_u128(5), status: Some(MajorOutage) },
    ];
    let input = OpenIncident { title: "no".into(), message: " ".into(), affected, ..OpenIncident::default() };
    let Err(Error::Invalid(fields)) = org.change(move |tx| open(tx, input)) else { panic!("it was taken") };
    let names: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(names, ["title", "message", "affected[0].status", "affected[1].service_id", "affected[2].service_id"]);
    assert_eq!(org.new_events(), [] as [&str; 0]);
    assert_eq!(org.read(|view| list(view, Which::All, |scan| scan)).items.len(), 0);
}

#[test]
fn a_stale_change_is_refused() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    org.say(id, IncidentStatus::Identified, "Found it.");
    let late = NewUpdate { status: Some(IncidentStatus::Monitoring), message: "Fixed?".into(), affected: Vec::new() };
    assert!(matches!(org.change(move |tx| post_update(tx, id, late, Some(1))), Err(Error::Stale { current: 2 })));
    assert_eq!(org.incident(id).updates.len(), 2);
}

#[test]
fn an_incident_without_room_takes_no_more_words_but_can_be_resolved() {
    let mut org = TestOrg::new().with_service("API", Operational);
    for texts in [vec!["x".to_owned(); UPDATES_MAX], vec!["x".repeat(TEXT_MAX)]] {
        let id = org.open("Checkout fails", [("API", MajorOutage)]);
        fill(&org, id, texts);
        let count = org.incident(id).updates.len();
        let words = |status| NewUpdate { status: Some(status), message: "More.".into(), affected: Vec::new() };
        for status in [IncidentStatus::Identified, IncidentStatus::Resolved] {
            assert!(matches!(org.change(move |tx| post_update(tx, id, words(status), None)), Err(Error::Conflict(_))), "{status:?}");
        }
        assert_eq!(org.incident(id).updates.len(), count);

        org.resolve(id);

        let over = org.incident(id);
        assert!(over.resolved_at.is_some() && over.updates.len() == count + 1);
        assert_eq!(org.status("API"), Operational);
        let again = words(IncidentStatus::Investigating);
        assert!(matches!(org.change(move |tx| post_update(tx, id, again, None)), Err(Error::Conflict(_))), "it would grow for ever");
        assert_eq!(org.new_events(), ["incident.opened", "incident.resolved"]);
    }
}

#[test]
fn a_status_alone_needs_room_too_unless_it_is_the_end() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    fill(&org, id, vec!["x".to_owned(); UPDATES_MAX]);
    let only = |status| IncidentPatch { status: Some(status), ..IncidentPatch::default() };
    assert!(matches!(org.change(move |tx| update(tx, id, only(IncidentStatus::Identified), None)), Err(Error::Conflict(_))));
    org.resolve(id);
    assert!(matches!(org.change(move |tx| update(tx, id, only(IncidentStatus::Investigating), None)), Err(Error::Conflict(_))));
    assert_eq!(org.incident(id).updates.len(), UPDATES_MAX + 1);
}

#[test]
fn a_correction_needs_room_for_its_text_alone() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let id = org.open("Checkout fails", [("API", MajorOutage)]);
    let said = |org: &TestOrg| org.incident(id).updates.last().unwrap().id;
    let text = |message: &str| Details { message: message.into() };

    fill(&org, id, vec!["x".to_owned(); UPDATES_MAX]);
    let (last, longer) = (said(&org), text("A longer text."));
    org.change(move |tx| correct(tx, id, last, longer, None)).unwrap();

    fill(&org, id, vec!["x".repeat(TEXT_MAX - 1), "x".into()]);
    let (last, longer, as_long) = (said(&org), text("yy"), text("y"));
    assert!(matches!(org.change(move |tx| correct(tx, id, last, longer, None)), Err(Error::Conflict(_))));
    org.change(move |tx| correct(tx, id, last, as_long, None)).unwrap();
    assert_eq!(org.incident(id).updates[1].message, "y");
}

#[test]
fn incidents_are_listed_latest_first_by_state() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(org.open(&format!("Incident {number}"), [("API", MajorOutage)]));
        org.advance(Duration::from_secs(60));
    }
    org.resolve(ids[1]);
    let listed =
        |which| org.read(move |view| list(view, which, |scan| scan)).items.into_iter().map(|incident| incident.id).collect::<Vec<_>>();
    assert_eq!(listed(Which::Closed), [ids[1]]);
    assert_eq!(listed(Which::Open), [ids[4], ids[3], ids[2], ids[0]]);
    assert_eq!(listed(Which::All), [ids[4], ids[3], ids[2], ids[1], ids[0]]);
}
