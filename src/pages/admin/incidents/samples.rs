//! The pages of incidents as rendered: empty, long and hostile.

use askama::Template;

use super::correcting::{self, CorrectPage};
use super::editing::{self, EditPage};
use super::listing::{self, ListPage};
use super::picker::Picker;
use super::reporting::{self, ReportPage};
use super::showing::{self, IncidentPage, Shown};
use super::typed::Typed;
use crate::access::Role;
use crate::clock::Timestamp;
use crate::domain::incident::{self, Affected, Incident, NewUpdate, OpenIncident};
use crate::domain::service::Visibility;
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::domain::testing::TestOrg;
use crate::error::FieldError;
use crate::id::Id;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::preview;
use crate::pages::admin::seen::Seen;
use crate::pages::admin::stale::{Meanwhile, MeanwhileChange};

const EVIL: &str = "\"><script>alert(1)</script>'<hx-x>";

fn assert_harmless(html: &str) {
    assert!(!html.contains("<script>") && !html.contains("<hx-"), "{html}");
    assert!(!html.contains(" style=") && !html.contains(" onclick") && !html.contains("<style"), "{html}");
    let mut ids: Vec<_> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id comes twice: {ids:?}");
    assert_eq!(html.matches("<h1").count(), 1, "{html}");
}

fn typed(each: &str) -> Typed {
    Typed {
        title: each.into(),
        message: each.into(),
        status: each.into(),
        impact: each.into(),
        affected: None,
        find: each.into(),
        ..Typed::default()
    }
}

fn wrong() -> Vec<FieldError> {
    ["title", "message", "status", "impact", EVIL, ""].map(|field| FieldError { field: field.into(), message: EVIL.into() }).into()
}

fn seen(each: &str) -> Seen {
    Seen { version: each.into(), at: each.into() }
}

fn meanwhile(each: &str) -> Meanwhile {
    let at = Timestamp::from_millis(0).into();
    Meanwhile { changes: vec![MeanwhileChange { who: each.into(), what: each.into(), at }] }
}

/// An organization with that many services of this name, and an incident that touches all of them and has so many updates.
fn org(each: &str, services: usize, updates: usize) -> (TestOrg, Id<Incident>) {
    let mut org = TestOrg::new();
    let status = Some(ServiceStatus::MajorOutage);
    let affected = (0..services)
        .map(|_| Affected { service_id: org.service(each, Visibility::Private, ServiceStatus::Operational), status })
        .collect();
    let input = OpenIncident { title: each.into(), message: each.into(), affected, ..OpenIncident::default() };
    let id = org.change(move |tx| incident::open(tx, input)).unwrap().id;
    for _ in 1..updates {
        let input = NewUpdate { status: Some(IncidentStatus::Identified), message: each.into(), affected: Vec::new() };
        org.change(move |tx| incident::post_update(tx, id, input, None)).unwrap();
    }
    (org, id)
}

fn incident_page(org: &TestOrg, id: Id<Incident>, frame: Frame, typed: &Typed, errors: &[FieldError]) -> IncidentPage {
    let find = typed.find.clone();
    let (incident, picker) = org.read(move |view| {
        let incident = incident::live(view, id)?;
        let picker = Picker::read(view, &incident.affected, &incident.affected, &find)?;
        Ok((Shown::read(view, &incident, 50)?, picker))
    });
    IncidentPage {
        shell: frame.shell.clone(),
        action: format!("/o/acme/incidents/{id}"),
        seen: seen(EVIL),
        was: EVIL.into(),
        form: showing::form(&incident, typed, errors),
        preview: Some(preview::rendered(&typed.message)),
        meanwhile: (!errors.is_empty()).then(|| meanwhile(EVIL)),
        picker_open: false,
        frame,
        incident,
        picker,
    }
}

fn report_page(picker: Picker, typed: &Typed, errors: &[FieldError]) -> String {
    let frame = Frame::sample(EVIL, Tab::Incidents);
    let page = ReportPage {
        shell: frame.shell.clone(),
        action: "/o/acme/incidents".into(),
        frame,
        form: reporting::form(typed, errors),
        picker,
        preview: None,
    };
    page.render().unwrap()
}

#[test]
fn an_empty_form_for_a_new_organization() {
    let html = report_page(Picker::default(), &Typed { status: "investigating".into(), ..Typed::default() }, &[]);
    assert_harmless(&html);
    assert!(html.contains("There are no services yet") && html.contains("value=\"investigating\" checked"), "{html}");
    assert!(!html.contains("aria-invalid") && !html.contains("id=\"problems\""));
}

#[test]
fn a_picker_of_thirty_services() {
    let mut org = TestOrg::new();
    for number in 0..30 {
        org.service(&format!("Service {number}"), Visibility::Public, ServiceStatus::Operational);
    }
    let html = report_page(org.read(|view| Picker::read(view, &[], &[], "")), &Typed::default(), &[]);
    assert_harmless(&html);
    assert_eq!(html.matches("class=\"picker-row\"").count(), 30);
    assert!(html.contains("name=\"picker\" value=\"1\"") && !html.contains("There are more services"));
}

#[test]
fn an_incident_with_more_updates_than_a_page_shows() {
    let (org, id) = org("It **works** again", 15, 60);
    let html = incident_page(&org, id, Frame::sample("Ada", Tab::Incidents), &Typed::default(), &[]).render().unwrap();
    assert_harmless(&html);
    assert_eq!(html.matches("class=\"update\"").count(), 50);
    assert!(html.contains("Show 10 older updates") && html.contains("<summary>3 more</summary>"), "{html}");
    assert!(html.contains("<strong>works</strong>") && html.contains("Visitors don't see this incident"), "{html}");
    assert!(html.contains("value=\"identified\" checked"), "the form begins with the present status: {html}");
}

#[test]
fn who_only_watches_sees_no_forms() {
    let (org, id) = org("It is slow", 1, 1);
    let mut frame = Frame::sample("Ada", Tab::Incidents);
    frame.role = Role::Viewer;
    let html = incident_page(&org, id, frame, &Typed::default(), &[]).render().unwrap();
    assert_harmless(&html);
    // The one that is left signs out.
    assert_eq!(html.matches("method=\"post\"").count(), 1, "{html}");
    assert!(!html.contains("/edit\"") && !html.contains("Correct"));
}

#[test]
fn nothing_hostile_gets_out_of_its_place() {
    let (org, id) = org(EVIL, 3, 3);
    let frame = || Frame::sample(EVIL, Tab::Incidents);
    let incident = incident_page(&org, id, frame(), &typed(EVIL), &wrong());
    let (picker, edited) = (incident.picker.clone(), incident.picker.clone());
    let edit = EditPage {
        shell: frame().shell,
        frame: frame(),
        action: "/o/acme/incidents/inc_1/edit".into(),
        id: EVIL.into(),
        seen: seen(EVIL),
        was: EVIL.into(),
        title: EVIL.into(),
        form: editing::form(&typed(EVIL), &wrong()),
        picker: edited,
        meanwhile: Some(meanwhile(EVIL)),
    };
    let correct = CorrectPage {
        shell: frame().shell,
        frame: frame(),
        action: "/o/acme/incidents/inc_1/updates/upd_1".into(),
        id: EVIL.into(),
        seen: seen(EVIL),
        title: EVIL.into(),
        stage: IncidentStatus::Identified.into(),
        at: Timestamp::from_millis(0).into(),
        form: correcting::form(EVIL, &wrong()),
        preview: Some(preview::rendered(EVIL)),
        meanwhile: Some(Meanwhile::default()),
    };
    assert!(correct.render().unwrap().contains("Something changed since you opened this."));
    for html in [
        incident.render().unwrap(),
        edit.render().unwrap(),
        correct.render().unwrap(),
        report_page(picker, &typed(&EVIL.repeat(200)), &wrong()),
        list_page(EVIL, 3),
    ] {
        assert_harmless(&html);
    }
}

fn list_page(each: &str, rows: usize) -> String {
    let frame = Frame::sample(each, Tab::Incidents);
    let row = |number: usize| listing::Row {
        id: format!("inc_{number}"),
        title: each.into(),
        stage: IncidentStatus::Monitoring.into(),
        impact: crate::domain::status::Impact::Major.into(),
        affected: vec![each.into(), each.into()],
        more: 7,
        started: Timestamp::from_millis(0).into(),
        over: None,
        span: "2 h".into(),
        gist: each.into(),
    };
    let page = ListPage {
        shell: frame.shell.clone(),
        frame,
        asked: listing::Shown { state: "open", q: each.into(), service: Some((each.into(), each.into())), is_plain: rows == 0 },
        open: Vec::new(),
        more_open: true,
        rows: (0..rows).map(row).collect(),
        is_cut: false,
        first: None,
        next: (rows > 0).then(|| each.into()),
    };
    page.render().unwrap()
}

#[test]
fn an_empty_list_says_what_to_do_next() {
    let html = list_page("Acme", 0);
    assert_harmless(&html);
    assert!(
        html.contains("No incidents yet") && html.contains("curl --cookie cookies.txt https://example.org/status/api/incidents"),
        "{html}"
    );
    assert!(!html.contains("class=\"pager\""));
    let full = list_page("Acme", 50);
    assert_harmless(&full);
    assert_eq!(full.matches("class=\"item\"").count(), 50);
}
