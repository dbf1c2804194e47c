//! The page as rendered: empty, long and hostile.

use jiff::civil::date;

use super::*;
use crate::domain::group::Group as GroupKind;
use crate::domain::incident::{Incident as IncidentKind, Update as UpdateKind};
use crate::domain::page::PublicPage;
use crate::domain::public::PublicAffected;
use crate::domain::service::Service as ServiceKind;
use crate::domain::status::{IncidentStatus, Rollup};
use crate::id::Id;

const NOON: i64 = 1_772_366_400_000; // 2026-03-01T12:00:00Z
const TARGETS: [&str; 5] = ["banner", "incidents", "services", "history", "asof"];

fn view() -> PageView {
    PageView {
        page: PublicPage { slug: "acme".into(), name: "Acme".into() },
        rollup: Rollup { description: "All Systems Operational", state: ServiceStatus::Operational },
        sections: Vec::new(),
        active: Vec::new(),
        days: (0..14)
            .map(|back| Day { date: date(2026, 3, 1).saturating_sub(jiff::Span::new().days(back)), incidents: Vec::new() })
            .collect(),
        at: "k3v9:42".into(),
        seq: 42,
        made_at: Timestamp::from_millis(NOON),
    }
}

fn service(number: u128, name: &str, status: ServiceStatus) -> PublicService {
    PublicService {
        id: Id::<ServiceKind>::from_u128(number),
        name: name.into(),
        description: String::new(),
        status,
        group_id: None,
        position: i64::try_from(number).unwrap(),
    }
}

fn incident(number: u128, title: &str, updates: usize) -> PublicIncident {
    PublicIncident {
        id: Id::<IncidentKind>::from_u128(number),
        title: title.into(),
        status: IncidentStatus::Identified,
        impact: Impact::Major,
        affected: vec![PublicAffected {
            service_id: Id::<ServiceKind>::from_u128(1),
            name: "API".into(),
            status: Some(ServiceStatus::PartialOutage),
        }],
        updates: (0..updates)
            .map(|back| PublicUpdate {
                id: Id::<UpdateKind>::from_u128(number * 1_000 + back as u128),
                status: IncidentStatus::Identified,
                message: format!("Update **{}**", updates - back),
                created_at: Timestamp::from_millis(NOON - 60_000 * back as i64),
            })
            .collect(),
        started_at: Timestamp::from_millis(NOON - 3_600_000),
        resolved_at: None,
    }
}

fn grouped(name: &str, services: Vec<PublicService>) -> Section {
    Section { group: Some(PublicGroup { id: Id::<GroupKind>::from_u128(9), name: name.into(), position: 0 }), services }
}

fn shown(view: &PageView) -> Rendered {
    render(view, &Shell { base_url: "https://example.org/status".into() }).unwrap()
}

fn fragment<'a>(rendered: &'a Rendered, target: &str) -> &'a str {
    &rendered.fragments.iter().find(|fragment| fragment.target == target).unwrap().html
}

/// All values of `id="…"`.
fn ids(html: &str) -> Vec<&str> {
    html.split(" id=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id).collect()
}

#[test]
fn an_empty_page_says_so() {
    let mut view = view();
    view.rollup = Rollup { description: "No data", state: ServiceStatus::Unknown };
    let rendered = shown(&view);

    assert!(rendered.html.contains("<title>No data · Acme</title>"));
    assert!(fragment(&rendered, "banner").contains("data-state=\"unknown\""));
    assert!(fragment(&rendered, "incidents").contains("aria-labelledby=\"incidents-title\" hidden>"));
    assert!(fragment(&rendered, "services").contains("No services are listed yet."));
    assert_eq!(fragment(&rendered, "history").matches("No incidents reported.").count(), 14);
    assert!(fragment(&rendered, "history").contains("<time datetime=\"2026-02-16\">16 February 2026</time>"));
    assert_eq!(
        fragment(&rendered, "asof"),
        "<p id=\"asof\">As of <time datetime=\"2026-03-01T12:00:00.000Z\">1 Mar 2026, 12:00 UTC</time></p>"
    );
}

#[test]
fn links_carry_the_sub_path_and_the_position_in_the_log() {
    let html = shown(&view()).html;
    assert!(html.contains("<link rel=\"canonical\" href=\"https://example.org/status/p/acme\">"));
    assert!(html.contains("hx-sse:connect=\"/status/p/acme/live?after=k3v9:42\""));
    for link in html.split("src=\"").skip(1) {
        assert!(link.starts_with("/status/"), "{}", &link[..30]);
    }
}

#[test]
fn a_fragment_is_what_the_page_shows_and_nothing_around_it() {
    let mut view = view();
    view.sections = vec![grouped("Core", vec![service(1, "API", ServiceStatus::Operational)])];
    view.active = vec![incident(5, "Checkout fails", 5)];
    let rendered = shown(&view);

    assert_eq!(rendered.fragments.iter().map(|fragment| fragment.target).collect::<Vec<_>>(), TARGETS);
    for Fragment { target, html } in &rendered.fragments {
        assert!(rendered.html.contains(html.as_str()), "{target} differs from the page");
        // White space around it would be morphed in as text, once more with each frame.
        assert!(html.starts_with('<') && html.ends_with('>'), "{target}");
        assert_eq!(ids(html)[0], *target);
    }
    let frame = frame(&rendered.fragments[..2]);
    assert!(frame.starts_with("<hx-partial hx-target=\"#banner\" hx-swap=\"outerMorph\"><section id=\"banner\""));
    assert_eq!(frame.matches("</section></hx-partial>").count(), 2);
    assert_eq!(super::frame([]), "");
}

#[test]
fn a_state_is_told_by_shape_and_word_too() {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let all = [Operational, DegradedPerformance, PartialOutage, MajorOutage, UnderMaintenance, Unknown];
    let mut view = view();
    view.sections =
        vec![Section { group: None, services: all.iter().zip(1..).map(|(status, number)| service(number, "x", *status)).collect() }];
    let rendered = shown(&view);

    for status in all {
        let (state, word) = (status.as_str(), status.label());
        assert!(rendered.html.contains(&format!("<symbol id=\"i-{state}\"")), "{state} has no shape");
        assert!(fragment(&rendered, "services").contains(&format!("<use href=\"#i-{state}\"/></svg>{word}</span>")), "{state}");
    }
}

#[test]
fn a_folded_group_tells_the_worst_of_its_services() {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let of = |states: &[ServiceStatus]| worst(&states.iter().map(|status| service(1, "x", *status)).collect::<Vec<_>>());
    assert_eq!(of(&[]), Unknown);
    assert_eq!(of(&[Unknown, Operational]), Operational);
    assert_eq!(of(&[UnderMaintenance, Operational]), UnderMaintenance);
    assert_eq!(of(&[UnderMaintenance, DegradedPerformance]), DegradedPerformance);
    assert_eq!(of(&[PartialOutage, DegradedPerformance]), PartialOutage);
    assert_eq!(of(&[PartialOutage, MajorOutage, Unknown]), MajorOutage);
}

#[test]
fn a_long_incident_folds_its_earlier_updates_away() {
    let mut view = view();
    view.active = vec![incident(5, "Checkout fails", 8)];
    view.days[2].incidents = vec![PublicIncident { resolved_at: Some(Timestamp::from_millis(NOON)), ..incident(6, "Slow search", 8) }];
    let rendered = shown(&view);

    let active = fragment(&rendered, "incidents");
    let (open, folded) = active.split_once("<summary>Earlier updates (5)</summary>").unwrap();
    assert!(
        open.contains("Update <strong>8</strong>")
            && open.contains("Update <strong>6</strong>")
            && !open.contains("Update <strong>5</strong>")
    );
    assert!(folded.contains("Update <strong>5</strong>") && folded.contains("Update <strong>1</strong>"));
    assert!(open.contains("Impact: ") && open.contains("API <span class=\"status\" data-state=\"partial_outage\">"));

    let past = fragment(&rendered, "history");
    assert_eq!(past.matches("No incidents reported.").count(), 13);
    assert_eq!(past.matches("Update <strong>").count(), 8);
    assert!(past.contains("<h4>Slow search</h4>"));
}

#[test]
fn two_hundred_services_have_ids_of_their_own() {
    let mut view = view();
    let many = |from: u128| (from..from + 100).map(|number| service(number, "Service", ServiceStatus::Operational)).collect();
    view.sections = vec![Section { group: None, services: many(1) }, grouped("Core", many(101))];
    view.active = vec![incident(5, "Checkout fails", 5)];
    // The same incident may stand in the list of active ones and in a day's.
    view.days[0].incidents = vec![incident(5, "Checkout fails", 5)];
    let html = shown(&view).html;

    let mut all = ids(&html);
    assert!(all.len() > 200);
    all.sort_unstable();
    let before = all.len();
    all.dedup();
    assert_eq!(all.len(), before, "an id stands twice");
}

#[test]
fn nothing_hostile_gets_out_of_its_place() {
    let evil = "\"><script>alert(1)</script><hx-partial hx-target=\"#banner\" x='";
    let mut view = view();
    view.page.name = evil.into();
    view.sections = vec![grouped(evil, vec![PublicService { description: evil.into(), ..service(1, evil, ServiceStatus::Operational) }])];
    let mut hostile = incident(5, evil, 1);
    hostile.updates[0].message = evil.into();
    hostile.affected[0].name = evil.into();
    view.active = vec![hostile.clone()];
    view.days[0].incidents = vec![hostile];
    let rendered = shown(&view);

    assert_eq!(rendered.html.matches("<script").count(), 3, "our three and no other");
    assert!(!rendered.html.contains("<hx-partial"));
    assert_eq!(frame(&rendered.fragments).matches("<hx-partial").count(), TARGETS.len());
}

#[test]
fn the_page_obeys_its_own_content_security_policy() {
    let mut view = view();
    view.sections = vec![grouped("Core", vec![service(1, "API", ServiceStatus::Operational)])];
    view.active = vec![incident(5, "Checkout fails", 5)];
    let html = shown(&view).html;
    let handler =
        |rest: &str| rest.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()));
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("hx-on"));
    assert!(!html.split(" on").skip(1).any(handler), "an inline handler");
    assert_eq!(html.matches("<script src=").count(), html.matches("<script").count());
}
