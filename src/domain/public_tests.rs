//! What visitors see and hear. Each of these fails when its filter in `public.rs` or `public_event.rs` is taken away.

use std::time::Duration;

use serde_json::{Value, json};

use super::group;
use super::incident::{self, Details, IncidentPatch};
use super::organization::{self, OrganizationPatch};
use super::page::{self, PagePatch};
use super::service::{self, ServicePatch, Visibility};
use super::status::{Impact, IncidentStatus, ServiceStatus::*};
use super::testing::TestOrg;
use crate::access::{Actor, Administer, Permission};
use crate::error::{Error, Result};
use crate::event::Change;
use crate::store::WideTx;

fn wide<P: Permission, T: Send + 'static>(
    org: &TestOrg,
    op: impl FnOnce(&mut WideTx<'_, P>) -> Result<Change<T>> + Send + 'static,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(org.app.change_wide(Actor::System("test"), org.org, op))
}

fn rename(org: &TestOrg, name: &str) {
    let patch = OrganizationPatch { name: Some(name.into()), ..OrganizationPatch::default() };
    wide(org, move |tx| organization::update(tx, patch, None)).unwrap();
}

fn describe(org: &TestOrg, name: &str, description: &str) {
    let patch = PagePatch { name: Some(name.into()), description: Some(description.into()), ..PagePatch::default() };
    wide(org, move |tx| page::update(tx, patch, None)).unwrap();
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Everything visitors could get hold of, as one text.
fn everything(org: &mut TestOrg) -> String {
    let page = org.page();
    let (_, heard) = org.new_logs();
    format!("{:?} {:?} {:?} {:?} {:?}", page.sections, page.active, page.days, heard, org.replay())
}

#[test]
fn a_private_service_and_its_incident_are_not_even_numbered() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let before = org.page().seq;
    let secret = org.service("Ledger", Visibility::Private, Operational);
    org.patch(secret, ServicePatch { name: Some("Ledger 2".into()), ..ServicePatch::default() });
    let incident = org.open("Ledger is down", [("Ledger 2", MajorOutage)]);
    org.resolve(incident);
    assert_eq!(org.page().seq, before);
    assert!(!everything(&mut org).contains("Ledger"));
    assert_eq!(org.page().rollup.description, "All Systems Operational");
}

#[test]
fn made_public_it_shows_nothing_of_its_private_past() {
    let mut org = TestOrg::new();
    let secret = org.service("Ledger", Visibility::Private, Operational);
    let over = org.open("Old secret trouble", [("Ledger", MajorOutage)]);
    org.resolve(over);
    let open = org.open("Open secret trouble", [("Ledger", PartialOutage)]);
    org.advance(Duration::from_secs(60));
    org.new_logs();

    org.show(secret, Visibility::Public);
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["service.created"]);
    assert_eq!(heard[0]["data"]["after"]["status"], "partial_outage", "what is true now is told");
    assert!(heard[0].get("actor").is_none());
    let all = everything(&mut org);
    assert!(!all.contains("secret trouble") && !all.contains("We are looking"), "{all}");

    org.say(open, IncidentStatus::Identified, "Said in public.");
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["incident.opened"]);
    let page = org.page();
    assert_eq!(page.active[0].updates.len(), 1);
    assert_eq!(page.active[0].updates[0].message, "Said in public.");
    assert_eq!(page.active[0].started_at, org.now());
    assert!(!everything(&mut org).contains("We are looking"));
}

#[test]
fn made_private_it_leaves_with_its_incidents_and_its_name() {
    let mut org = TestOrg::new().with_service("Ledger", Operational).with_service("API", Operational);
    org.open("Ledger is down", [("Ledger", MajorOutage)]);
    let ledger = org.named("Ledger");
    org.new_logs();
    org.show(ledger, Visibility::Private);
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["service.deleted", "incident.deleted"]);
    assert!(heard.iter().all(|event| event["data"]["before"] == json!({})));
    assert_eq!(org.page().rollup.description, "All Systems Operational");

    // Whoever comes back later hears that something is gone, but no longer its name.
    let replay = org.replay();
    assert!(types(&replay).contains(&"service.deleted"));
    assert!(!format!("{replay:?}").contains("Ledger"), "{replay:?}");

    org.change(move |tx| service::delete(tx, ledger, None)).unwrap();
    assert!(!format!("{:?}", org.replay()).contains("Ledger"), "private names stay private after deletion");
    assert_eq!(org.new_logs().1.len(), 0);
}

#[test]
fn of_a_mixed_incident_only_the_public_part_is_seen() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let secret = org.service("Ledger", Visibility::Private, Operational);
    org.new_logs();
    let incident = org.open("Something fails", [("API", DegradedPerformance), ("Ledger", MajorOutage)]);
    let (members, heard) = org.new_logs();
    assert!(members[0].to_string().contains("Ledger"));
    assert!(!heard[0].to_string().contains("Ledger") && !heard[0].to_string().contains(&secret.to_string()));
    assert_eq!(org.page().active[0].impact, Impact::Minor, "a derived impact must not tell of the private outage");

    org.say(incident, IncidentStatus::Resolved, "Fixed.");
    org.advance(Duration::from_secs(60));
    org.show(secret, Visibility::Public);
    let page = org.page();
    let past = page.days.iter().flat_map(|day| &day.incidents).next().unwrap();
    assert_eq!(past.affected.len(), 1, "that the ledger was part of it happened while it was private");
    assert!(
        !format!("{:?}", org.replay()[..].iter().filter(|event| event["subject"]["kind"] == "incident").collect::<Vec<_>>())
            .contains("Ledger")
    );
}

#[test]
fn replay_forgets_what_became_private() {
    let mut org = TestOrg::new().with_service("API", Operational).with_service("Ledger", Operational);
    org.open("Both fail", [("API", PartialOutage), ("Ledger", MajorOutage)]);
    let ledger = org.named("Ledger");
    org.show(ledger, Visibility::Private);
    let replay = org.replay();
    assert!(!format!("{replay:?}").contains("Ledger"), "{replay:?}");
    assert!(types(&replay).contains(&"incident.opened"), "the public half of the incident is still told");
    org.show(ledger, Visibility::Public);
    assert!(types(&org.replay()).contains(&"service.created"));
}

#[test]
fn a_group_is_seen_only_while_it_holds_something_public() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let group = org.group("Project Nightingale");
    let secret = org.service("Ledger", Visibility::Private, Operational);
    let into = |group_id| ServicePatch { group_id: Some(group_id), ..ServicePatch::default() };
    org.patch(secret, into(Some(group)));
    assert!(!everything(&mut org).contains("Nightingale"));
    let api = org.named("API");
    org.patch(api, into(Some(group)));
    let (_, heard) = org.new_logs();
    assert_eq!(heard[0]["data"]["after"]["group"], "Project Nightingale");
    assert_eq!(org.page().sections[0].group.as_ref().unwrap().name, "Project Nightingale");
    org.patch(api, into(None));
    assert!(org.page().sections[0].group.is_none());
    assert!(!format!("{:?}", org.replay()).contains("Nightingale"), "the name of what is seen no more");
}

#[test]
fn public_numbers_have_no_gaps_and_say_nothing_of_private_work() {
    let mut org = TestOrg::new();
    let mut seen = Vec::new();
    for number in 0..12 {
        let visibility = if number % 3 == 0 { Visibility::Public } else { Visibility::Private };
        org.service(&format!("Service {number}"), visibility, Operational);
        seen.push(org.page().seq);
    }
    assert_eq!(seen, [2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]);
}

#[test]
fn authors_and_actors_are_never_told() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    org.say(incident, IncidentStatus::Identified, "Found it.");
    let (members, heard) = org.new_logs();
    assert!(members.iter().all(|event| event["actor"]["name"] == "test"));
    assert!(heard.iter().all(|event| !event.to_string().contains("actor") && !event.to_string().contains("author")));
}

#[test]
fn a_corrected_text_is_not_told_again_as_it_was() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Password is hunter2", [("API", MajorOutage)]);
    let update = org.incident(incident).updates[0].id;
    org.new_logs();
    org.change(move |tx| incident::correct(tx, incident, update, Details { message: "We look into it.".into() }, None)).unwrap();
    let (members, heard) = org.new_logs();
    assert!(members[0].to_string().contains("We are looking."), "members keep the earlier text");
    assert!(!heard[0].to_string().contains("We are looking."), "{}", heard[0]);
    assert!(heard[0].to_string().contains("We look into it."));
    let title = IncidentPatch { title: Some("Password leaked".into()), ..IncidentPatch::default() };
    org.change(move |tx| incident::update(tx, incident, title, None)).unwrap();
    let replay = format!("{:?}", org.replay());
    assert!(!replay.contains("hunter2") && !replay.contains("We are looking."), "{replay}");
    assert!(replay.contains("We look into it."));
}

#[test]
fn a_slip_of_visibility_forgets_nothing_that_was_public() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    org.resolve(incident);
    let api = org.named("API");
    org.advance(Duration::from_secs(60));
    org.show(api, Visibility::Private);
    assert!(org.page().days[0].incidents.is_empty());
    org.show(api, Visibility::Public);
    assert_eq!(org.page().days[0].incidents[0].affected.len(), 1);
}

#[test]
fn a_long_incident_is_in_the_history_when_it_ends() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    org.advance(Duration::from_secs(20 * 86_400));
    org.resolve(incident);
    assert_eq!(org.page().days[0].incidents.len(), 1);
}

#[test]
fn private_incidents_do_not_push_public_ones_off() {
    let mut org = TestOrg::new().with_service("API", Operational);
    org.service("Ledger", Visibility::Private, Operational);
    let seen = org.open("Checkout fails", [("API", MajorOutage)]);
    for number in 0..210 {
        org.advance(Duration::from_secs(1));
        org.open(&format!("Ledger trouble {number}"), [("Ledger", MajorOutage)]);
    }
    let page = org.page();
    assert_eq!(page.active.iter().map(|incident| incident.id).collect::<Vec<_>>(), [seen]);
}

#[test]
fn a_group_comes_with_its_first_public_service_and_goes_with_its_last() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (group, api) = (org.group("Core"), org.named("API"));
    org.new_logs();
    org.patch(api, ServicePatch { group_id: Some(Some(group)), ..ServicePatch::default() });
    assert_eq!(types(&org.new_logs().1), ["service.updated", "group.created"]);
    org.show(api, Visibility::Private);
    assert_eq!(types(&org.new_logs().1), ["service.deleted", "group.deleted"]);
}

#[test]
fn an_incident_about_nothing_in_particular_is_public() {
    let mut org = TestOrg::new();
    org.open("Phones are down", []);
    assert_eq!(org.page().active.len(), 1);
    assert_eq!(types(&org.new_logs().1), ["incident.opened"]);
}

#[test]
fn history_is_cut_by_days() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    org.resolve(incident);
    assert_eq!(org.page().days.len(), 14);
    assert_eq!(org.page().days[0].incidents.len(), 1);
    org.advance(Duration::from_secs(13 * 86_400));
    assert_eq!(org.page().days[13].incidents.len(), 1);
    org.advance(Duration::from_secs(86_400));
    assert!(org.page().days.iter().all(|day| day.incidents.is_empty()));
}

#[test]
fn a_day_that_is_not_told_of_wholly_is_not_shown_as_a_quiet_one() {
    let mut org = TestOrg::new();
    let day = Duration::from_secs(86_400);
    let one = |org: &mut TestOrg, title: &str| {
        let id = org.open(title, []);
        org.resolve(id);
    };
    one(&mut org, "Three days ago");
    org.advance(day);
    (0..5).for_each(|number| one(&mut org, &format!("Two days ago, {number}")));
    org.advance(2 * day);
    (0..198).for_each(|number| one(&mut org, &format!("Today, {number}")));

    let shown = |org: &TestOrg| org.page().days.iter().map(|day| day.incidents.len()).collect::<Vec<_>>();
    // 198 and two of five make two hundred: of the day in which it stops, and of those before, nothing is said.
    assert_eq!(shown(&org), [198, 0]);
    // What is older than the days shown makes no difference.
    org.advance(13 * day);
    assert_eq!(shown(&org), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 198]);
}

#[test]
fn what_comes_back_is_told_like_something_new() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (incident, api) = (org.open("Checkout fails", [("API", MajorOutage)]), org.named("API"));
    org.change(move |tx| incident::delete(tx, incident, None)).unwrap();
    org.new_logs();
    org.change(move |tx| incident::restore(tx, incident)).unwrap();
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["incident.opened"]);
    assert_eq!(heard[0]["data"]["after"]["services"], json!([{ "id": api, "name": "API", "status": "major_outage" }]));
    assert_eq!(heard[0]["data"]["after"]["updates"][0]["message"], "We are looking.");
    assert_eq!(org.page().active.len(), 1);
    assert_eq!(types(&org.replay())[2..], ["incident.opened", "incident.deleted", "incident.opened"]);

    org.change(move |tx| service::delete(tx, api, None)).unwrap();
    org.new_logs();
    org.change(move |tx| service::restore(tx, api)).unwrap();
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["service.created"]);
    assert_eq!(heard[0]["data"]["after"]["status"], "major_outage");
}

#[test]
fn a_group_comes_back_with_its_public_services_alone() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let (core, api) = (org.group("Core"), org.named("API"));
    let secret = org.service("Ledger", Visibility::Private, Operational);
    let into_core = ServicePatch { group_id: Some(Some(core)), ..ServicePatch::default() };
    org.patch(api, into_core.clone());
    org.patch(secret, into_core);
    org.change(move |tx| group::delete(tx, core, None)).unwrap();
    org.new_logs();
    org.change(move |tx| group::restore(tx, core)).unwrap();
    let (members, heard) = org.new_logs();
    assert_eq!(members[0]["data"]["after"]["services"], json!([api, secret]));
    assert_eq!(types(&heard), ["group.created", "service.updated"]);
    assert_eq!(heard[1]["subject"]["id"], json!(api));
    assert_eq!(heard[1]["data"]["after"], json!({ "group_id": core, "group": "Core" }));
    let text = format!("{heard:?} {:?}", org.replay());
    assert!(!text.contains("Ledger") && !text.contains(&secret.to_string()), "{text}");

    org.show(api, Visibility::Private);
    org.change(move |tx| group::delete(tx, core, None)).unwrap();
    org.new_logs();
    org.change(move |tx| group::restore(tx, core)).unwrap();
    assert_eq!(org.new_logs().1.len(), 0, "a group of private services is nobody's business");
}

#[test]
fn restoring_tells_nothing_of_a_private_past() {
    let mut org = TestOrg::new();
    let secret = org.service("Ledger", Visibility::Private, Operational);
    let over = org.open("Old secret trouble", [("Ledger", MajorOutage)]);
    org.resolve(over);
    let open = org.open("Open secret trouble", [("Ledger", PartialOutage)]);
    for incident in [over, open] {
        org.change(move |tx| incident::delete(tx, incident, None)).unwrap();
    }
    org.show(secret, Visibility::Public);
    org.new_logs();

    org.change(move |tx| incident::restore(tx, over)).unwrap();
    assert_eq!(org.new_logs().1.len(), 0);
    org.change(move |tx| incident::restore(tx, open)).unwrap();
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["service.status_changed"], "what the service is now is seen, but not why");
    assert_eq!(heard[0]["data"], json!({ "before": { "status": "operational" }, "after": { "status": "partial_outage" } }));
    assert!(org.page().active.is_empty());
    let all = format!("{:?} {}", heard, everything(&mut org));
    assert!(!all.contains("secret trouble") && !all.contains("We are looking"), "{all}");
}

#[test]
fn a_restored_incident_names_no_more_than_it_did() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let secret = org.service("Ledger", Visibility::Private, Operational);
    let incident = org.open("Something fails", [("API", DegradedPerformance), ("Ledger", MajorOutage)]);
    org.resolve(incident);
    org.change(move |tx| incident::delete(tx, incident, None)).unwrap();
    org.show(secret, Visibility::Public);
    org.new_logs();
    org.change(move |tx| incident::restore(tx, incident)).unwrap();
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["incident.opened"]);
    assert!(!heard[0].to_string().contains("Ledger"), "{}", heard[0]);
    assert_eq!(heard[0]["data"]["after"]["impact"], "minor");
    let page = org.page();
    assert_eq!(page.days[0].incidents[0].affected.iter().map(|affected| affected.name.as_str()).collect::<Vec<_>>(), ["API"]);
}

#[test]
fn what_became_private_meanwhile_comes_back_unheard() {
    let mut org = TestOrg::new().with_service("Ledger", Operational);
    let (incident, ledger) = (org.open("Ledger is down", [("Ledger", MajorOutage)]), org.named("Ledger"));
    org.change(move |tx| incident::delete(tx, incident, None)).unwrap();
    org.show(ledger, Visibility::Private);
    org.change(move |tx| service::delete(tx, ledger, None)).unwrap();
    org.new_logs();
    org.change(move |tx| service::restore(tx, ledger)).unwrap();
    org.change(move |tx| incident::restore(tx, incident)).unwrap();
    assert_eq!(org.new_logs().1.len(), 0);
    assert!(!everything(&mut org).contains("Ledger"));
}

#[test]
fn of_a_page_its_name_its_text_and_its_zone_are_told_and_nothing_else() {
    let mut org = TestOrg::new();
    let before = org.page().seq;
    let patch = PagePatch { slug: Some("acme-status".into()), ..PagePatch::default() };
    wide(&org, move |tx| page::update(tx, patch, None)).unwrap();
    assert_eq!(types(&org.new_logs().0), ["page.updated"]);
    assert_eq!((org.page().seq, org.page().page.slug.as_str()), (before, "acme-status"), "a page that moves tells nothing");

    let patch = PagePatch {
        name: Some("Acme Cloud".into()),
        slug: Some("acme-cloud".into()),
        description: Some("What we run.".into()),
        time_zone: Some("Europe/Berlin".into()),
    };
    wide(&org, move |tx| page::update(tx, patch, None)).unwrap();
    let (_, heard) = org.new_logs();
    assert_eq!(types(&heard), ["page.updated"]);
    assert_eq!((&heard[0]["subject"]["kind"], &heard[0]["subject"]["name"]), (&json!("page"), &json!("Acme Cloud")));
    let data = json!({
        "before": { "name": "Acme", "description": "", "time_zone": "UTC" },
        "after": { "name": "Acme Cloud", "description": "What we run.", "time_zone": "Europe/Berlin" },
    });
    assert_eq!(heard[0]["data"], data);
    assert!(heard[0].get("actor").is_none());
}

#[test]
fn an_earlier_text_of_a_page_is_not_told_again() {
    let mut org = TestOrg::new();
    describe(&org, "Acme Skunkworks", "Call Eve at home.");
    describe(&org, "Acme Cloud", "Call the office.");
    let replay = format!("{:?}", org.replay());
    assert!(!replay.contains("Skunkworks") && !replay.contains("at home"), "{replay}");
    assert!(replay.contains("Acme Cloud") && replay.contains("Call the office."), "{replay}");
    assert!(everything(&mut org).contains("Call the office."));
}

#[test]
fn the_organizations_name_is_told_only_where_a_page_shows_it() {
    let mut org = TestOrg::new();
    rename(&org, "Acme Group");
    assert_eq!(types(&org.new_logs().1), ["organization.updated"]);
    assert_eq!(org.page().page.name, "Acme Group");

    describe(&org, "Status", "");
    assert_eq!(types(&org.new_logs().1), ["page.updated"]);
    rename(&org, "Secret Holding");
    assert_eq!(org.new_logs().1.len(), 0);
    assert_eq!(org.page().page.name, "Status");
    let all = everything(&mut org);
    assert!(!all.contains("Secret Holding") && !all.contains("Acme Group"), "{all}");

    describe(&org, "", "");
    let (_, heard) = org.new_logs();
    assert_eq!((types(&heard), &heard[0]["data"]["after"]), (vec!["page.updated"], &json!({ "name": "Secret Holding" })));
}

#[test]
fn nothing_is_seen_of_an_organization_that_is_suspended_or_deleted_and_nothing_is_said_of_it() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let seq = org.page().seq;
    let id = org.read(|view| page::own(view).map(|page| page.id));
    let look = |org: &TestOrg| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(org.app.read_public(org.org, move |view| page::view(view, id, "e").map(|page| page.seq)))
    };
    for (suspended, seen) in [(true, Err(Error::NotFound)), (false, Ok(seq))] {
        wide(&org, move |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, suspended)).unwrap();
        assert_eq!(look(&org), seen);
        assert_eq!(org.new_logs().1.len(), 0);
    }
    wide(&org, |tx: &mut WideTx<'_, Administer>| organization::delete(tx, "Acme")).unwrap();
    assert_eq!(look(&org), Err(Error::NotFound));
    assert_eq!(org.new_logs().1.len(), 0);
}
