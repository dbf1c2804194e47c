//! A service, an incident, a person, a page or something to do by a few letters: a page of its own, and with script what the palette shows.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::desk::{Desk, query};
use super::frame::{Frame, Tab};
use crate::access::Read;
use crate::domain::incident::Incident;
use crate::domain::member;
use crate::domain::naming::{self, Fit, WITHIN};
use crate::domain::service::Service;
use crate::error::Result;
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::State;
use crate::store::OrgView;

/// The most that is shown.
const SHOWN: usize = 20;
/// How many people are looked at. They are walked through: teams are small, and names are the instance's, not the organization's, to file.
const PEOPLE: usize = 200;
/// As long as the longest name.
const ASKED_MAX: usize = 200;

#[derive(Template)]
#[template(path = "admin/find.html")]
struct FindPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    q: &'a str,
    hits: Vec<Hit>,
    /// What is to be known about what is not shown.
    cut: Option<String>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    name: String,
    href: String,
    /// `Service`, `Incident`, `Person`, `Page` or `Action`.
    kind: &'static str,
    status: Option<State>,
    stage: Option<Stage>,
}

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stage {
    name: &'static str,
    word: &'static str,
}

/// What was found in the organization.
struct Look {
    /// With a path below the organization's.
    hits: Vec<(Fit, Hit)>,
    /// How many there are beside those.
    more: usize,
    /// Whether there may be others yet.
    is_cut: bool,
}

/// `GET /o/:org/find?q=`.
#[handler]
pub(crate) async fn find(desk: Desk, request: &Request) -> poem::Result<Response> {
    let q: String = query(request, "q").trim().chars().take(ASKED_MAX).collect();
    let wanted = q.to_lowercase();
    let sought = wanted.clone();
    let (frame, look) = desk.look(Tab::None, move |view: &OrgView<'_, Read>| look(view, &sought)).await?;
    let (hits, cut) = ranked(look, pages(&frame, &wanted), &frame);
    Ok(html(StatusCode::OK, &FindPage { shell: &frame.shell, q: &q, hits, cut, frame: &frame })?)
}

/// Services and incidents. Without a word to look for they are as many as anyone has: then the pages alone are offered.
fn look(view: &OrgView<'_, Read>, wanted: &str) -> Result<Look> {
    if wanted.is_empty() {
        return Ok(Look { hits: Vec::new(), more: 0, is_cut: false });
    }
    let services = naming::find(view, &Service::NAMES, Service::BY_POSITION.of(()), wanted, SHOWN)?;
    let incidents = naming::find(view, &Incident::NAMES, Incident::BY_START.of(()).newest(), wanted, SHOWN)?;
    let mut hits = Vec::new();
    for service in services.found {
        if let Some(fit) = Fit::of(&service.name, wanted) {
            let (status, href) = (Some(service.status().into()), format!("/services/{}", service.id));
            hits.push((fit, Hit { name: service.name, href, kind: "Service", status, stage: None }));
        }
    }
    for incident in incidents.found {
        if let Some(fit) = Fit::of(&incident.title, wanted) {
            let stage = Some(Stage { name: incident.status.as_str(), word: incident.status.label() });
            let href = format!("/incidents/{}", incident.id);
            hits.push((fit, Hit { name: incident.title, href, kind: "Incident", status: None, stage }));
        }
    }
    let people = member::list(view, PEOPLE, None)?;
    for person in people.items {
        let fit = [&person.user.full_name, person.user.email.as_str()].into_iter().filter_map(|name| Fit::of(name, wanted)).min();
        if let Some(fit) = fit {
            let href = format!("/team/members/{}", person.user.id);
            hits.push((fit, Hit { name: person.user.full_name, href, kind: "Person", status: None, stage: None }));
        }
    }
    let is_cut = services.is_cut || incidents.is_cut || people.next.is_some();
    Ok(Look { hits, more: services.more + incidents.more, is_cut })
}

/// The pages of that name that the person may use, and what they may do there, with whole paths.
fn pages(frame: &Frame, wanted: &str) -> Vec<(Fit, Hit)> {
    const PAGE: &str = "Page";
    const ACTION: &str = "Action";
    let elsewhere = |path: &str| format!("{}{path}", frame.shell.path());
    let pages = [
        (true, PAGE, "Overview", frame.path("")),
        (true, PAGE, "Incidents", frame.path("/incidents")),
        (frame.responds(), ACTION, "Report incident", frame.path("/incidents/new")),
        (true, PAGE, "Services", frame.path("/services")),
        (frame.edits(), ACTION, "New service", frame.path("/services/new")),
        (frame.edits(), ACTION, "New group", frame.path("/groups/new")),
        (true, PAGE, "Timeline", frame.path("/timeline")),
        (true, PAGE, "Team", frame.path("/team")),
        (frame.administers(), ACTION, "Invite somebody", frame.path("/team/invite")),
        (frame.edits(), PAGE, "Settings of the public page", frame.path("/page")),
        (frame.edits(), ACTION, "Change the logo", frame.path("/page#logo")),
        (frame.administers(), PAGE, "Settings of the organization", frame.path("/settings")),
        (true, PAGE, "Public page", elsewhere(&format!("/p/{}", frame.page))),
        (true, ACTION, "Leave this organization", frame.path("/team/leave")),
        (true, ACTION, "Export the timeline", frame.path("/timeline#export")),
        (frame.organizations.len() > 1, ACTION, "Switch organization", elsewhere("/organizations")),
        (frame.is_operator, PAGE, "Instance", elsewhere("/instance")),
        (frame.is_operator, ACTION, "New organization", elsewhere("/instance/organizations")),
        (true, PAGE, "Account", elsewhere("/account")),
        (true, PAGE, "Password and sessions", elsewhere("/account#password")),
        (true, PAGE, "API documentation", elsewhere("/api/docs")),
    ];
    pages
        .into_iter()
        .filter(|(is_allowed, ..)| *is_allowed)
        .filter_map(|(_, kind, name, href)| {
            Some((Fit::of(name, wanted)?, Hit { name: name.to_owned(), href, kind, status: None, stage: None }))
        })
        .collect()
}

/// The best first; among equals, services, then incidents, then pages. And what to say of the rest.
fn ranked(look: Look, pages: Vec<(Fit, Hit)>, frame: &Frame) -> (Vec<Hit>, Option<String>) {
    let own = look.hits.into_iter().map(|(fit, hit)| (fit, Hit { href: frame.path(&hit.href), ..hit }));
    let mut found: Vec<_> = own.chain(pages).collect();
    found.sort_by_key(|(fit, _)| *fit);
    let more = look.more + found.len().saturating_sub(SHOWN);
    let cut = match (more, look.is_cut) {
        (0, false) => None,
        (0, true) => Some(format!(
            "Within words, the first {WITHIN} services, the latest {WITHIN} incidents and {PEOPLE} people were looked through."
        )),
        (more, false) => Some(format!("{more} more. Type more of the name.")),
        (more, true) => Some(format!("{more} more at least. Type more of the name.")),
    };
    (found.into_iter().take(SHOWN).map(|(_, hit)| hit).collect(), cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::domain::service::Visibility;
    use crate::domain::status::ServiceStatus;
    use crate::domain::testing::TestOrg;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn hit(name: &str) -> Hit {
        Hit {
            name: name.into(),
            href: "/services/svc_1".into(),
            kind: "Service",
            status: Some(ServiceStatus::Operational.into()),
            stage: Some(Stage { name: "identified", word: "Identified" }),
        }
    }

    fn rendered(q: &str, hits: Vec<Hit>, cut: Option<String>) -> String {
        let frame = Frame::sample("Acme", Tab::None);
        FindPage { shell: &frame.shell, frame: &frame, q, hits, cut }.render().unwrap()
    }

    #[test]
    fn the_best_come_first_and_the_rest_is_counted() {
        let frame = Frame::sample("Acme", Tab::None);
        let hits = vec![(Fit::Within, hit("rapid")), (Fit::Beginning, hit("API")), (Fit::Beginning, hit("Apis"))];
        let (found, cut) = ranked(Look { hits, more: 0, is_cut: false }, pages(&frame, "api"), &frame);
        assert_eq!(found.iter().map(|hit| hit.name.as_str()).collect::<Vec<_>>(), ["API", "Apis", "API documentation", "rapid"]);
        assert_eq!((found[0].href.as_str(), cut), ("/status/o/acme/services/svc_1", None));

        let many = |is_cut| Look { hits: vec![(Fit::Within, hit("x")); 22], more: 3, is_cut };
        let (found, cut) = ranked(many(true), Vec::new(), &frame);
        assert_eq!((found.len(), cut.as_deref()), (SHOWN, Some("5 more at least. Type more of the name.")));
        assert_eq!(ranked(many(false), Vec::new(), &frame).1.as_deref(), Some("5 more. Type more of the name."));
    }

    #[test]
    fn whatever_there_is_is_found_by_its_words_and_nothing_twice() {
        let mut org = TestOrg::new();
        let count = WITHIN + 13;
        for number in 0..count {
            org.service(&format!("Service {number}."), Visibility::Private, ServiceStatus::Operational);
            org.open(&format!("Incident {number}."), []);
        }
        let found = |wanted: String| org.read(move |view| look(view, &wanted));
        for number in 0..count {
            let hits = found(format!(" {number}.")).hits;
            assert_eq!(hits.iter().map(|(_, hit)| hit.kind).collect::<Vec<_>>(), ["Service", "Incident"], "{number}");
        }
        for word in ["service", "incident"] {
            let look = found(word.into());
            assert_eq!((look.hits.len(), look.more), (SHOWN, count - SHOWN), "{word}");
        }
        let rare = found("ervice 0".into());
        assert_eq!((rare.hits.len(), rare.is_cut), (1, true), "within a word, among the first");
        assert_eq!(found("ervice 50".into()).hits.len(), 0);
    }

    #[test]
    fn nobody_is_offered_what_they_may_not_do() {
        let names = |role| -> Vec<String> {
            let frame = Frame { role, is_operator: false, ..Frame::sample("Acme", Tab::None) };
            pages(&frame, "").into_iter().map(|(_, hit)| hit.name).collect()
        };
        assert!(!names(Role::Viewer).iter().any(|name| name.starts_with("New") || name.starts_with("Report")));
        assert!(
            names(Role::Responder).contains(&"Report incident".to_owned()) && !names(Role::Responder).contains(&"New service".to_owned())
        );
        assert!(names(Role::Editor).contains(&"New group".to_owned()) && !names(Role::Editor).contains(&"Invite somebody".to_owned()));
        assert!(names(Role::Admin).contains(&"Invite somebody".to_owned()) && !names(Role::Admin).contains(&"New organization".to_owned()));
        let operator = Frame { role: Role::Viewer, ..Frame::sample("Acme", Tab::None) };
        assert!(pages(&operator, "new org").iter().any(|(_, hit)| hit.name == "New organization"));
    }

    #[test]
    fn what_is_found_is_a_list_and_nothing_is_said_to_be_nothing() {
        let html = rendered("api", vec![hit("API")], Some("5 more.".into()));
        assert!(html.contains("<ul class=\"list\" id=\"found\">") && html.contains("value=\"api\"") && html.contains("5 more."), "{html}");
        assert!(rendered("x", Vec::new(), None).contains("Nothing is called like that."));
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(200), "שירות".to_owned(), String::new()] {
            let html = rendered(&each, vec![hit(&each), hit(&each)], None);
            assert!(!html.contains("<script>") && !html.contains(" style="), "{html}");
        }
    }
}
