//! A service, an incident or a page by a few letters: a page of its own, and with script what the palette shows.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::desk::{Desk, query};
use super::frame::{Frame, Tab};
use crate::access::Read;
use crate::domain::incident::{self, Incident, Which};
use crate::domain::service::{self, Service};
use crate::error::Result;
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::State;
use crate::store::{Cursor, OrgView, Page, Reads};

/// The most that is shown.
const SHOWN: usize = 20;
/// How many services, in the order shown, and how many of the latest incidents are looked at.
const LOOKED_AT: usize = 1_000;
/// How many of them are in memory at once: an incident comes with all that was ever said of it, and this is asked with each letter typed.
const PART: usize = 50;
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
    /// `Service`, `Incident` or `Page`.
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

/// How well a name fits; the better, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Beginning,
    BeginningOfAWord,
    Within,
}

/// What was found in the organization.
struct Look {
    /// With a path below the organization's.
    hits: Vec<(Fit, Hit)>,
    /// Whether there was more than was looked at.
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
        return Ok(Look { hits: Vec::new(), is_cut: false });
    }
    let mut hits = Vec::new();
    let open = service::open_incidents(view)?;
    let more_services = each(
        |after| view.scan(Service::BY_POSITION.of(()).limit(PART).after(after)),
        |service: Service| {
            if let Some(fit) = fit(&service.name, wanted) {
                let status = Some(service::effective_among(&open, &service).into());
                let href = format!("/services/{}", service.id);
                hits.push((fit, Hit { name: service.name, href, kind: "Service", status, stage: None }));
            }
        },
    )?;
    let more_incidents = each(
        |after| incident::list(view, Which::All, |scan| scan.limit(PART).after(after)),
        |incident: Incident| {
            if let Some(fit) = fit(&incident.title, wanted) {
                let stage = Some(Stage { name: incident.status.as_str(), word: incident.status.label() });
                let href = format!("/incidents/{}", incident.id);
                hits.push((fit, Hit { name: incident.title, href, kind: "Incident", status: None, stage }));
            }
        },
    )?;
    Ok(Look { hits, is_cut: more_services || more_incidents })
}

/// Hands on one after the other, reading a part at a time, until there are no more or enough were looked at. Answers whether some were not.
fn each<T>(part: impl Fn(Option<Cursor>) -> Result<Page<T>>, mut then: impl FnMut(T)) -> Result<bool> {
    let mut after = None;
    for _ in 0..LOOKED_AT / PART {
        let found = part(after)?;
        found.items.into_iter().for_each(&mut then);
        after = found.next;
        if after.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The pages of that name that the person may use, with whole paths.
fn pages(frame: &Frame, wanted: &str) -> Vec<(Fit, Hit)> {
    let elsewhere = |path: &str| format!("{}{path}", frame.shell.path());
    let pages = [
        (true, "Overview", frame.path("")),
        (true, "Incidents", frame.path("/incidents")),
        (frame.responds(), "Report incident", frame.path("/incidents/new")),
        (true, "Services", frame.path("/services")),
        (frame.edits(), "New service", frame.path("/services/new")),
        (frame.edits(), "New group", frame.path("/groups/new")),
        (true, "Timeline", frame.path("/timeline")),
        (true, "Public page", elsewhere(&format!("/p/{}", frame.slug))),
        (true, "Account", elsewhere("/account")),
        (true, "Password and sessions", elsewhere("/account#password")),
        (true, "API documentation", elsewhere("/api/docs")),
    ];
    pages
        .into_iter()
        .filter(|(is_allowed, ..)| *is_allowed)
        .filter_map(|(_, name, href)| {
            Some((fit(name, wanted)?, Hit { name: name.to_owned(), href, kind: "Page", status: None, stage: None }))
        })
        .collect()
}

/// The best first; among equals, services, then incidents, then pages. And what to say of the rest.
fn ranked(look: Look, pages: Vec<(Fit, Hit)>, frame: &Frame) -> (Vec<Hit>, Option<String>) {
    let own = look.hits.into_iter().map(|(fit, hit)| (fit, Hit { href: frame.path(&hit.href), ..hit }));
    let mut found: Vec<_> = own.chain(pages).collect();
    found.sort_by_key(|(fit, _)| *fit);
    let more = found.len().saturating_sub(SHOWN);
    let cut = match (more, look.is_cut) {
        (0, false) => None,
        (0, true) => Some(format!("Looked through the first {LOOKED_AT} services and the latest {LOOKED_AT} incidents.")),
        (more, false) => Some(format!("{more} more. Type more of the name.")),
        (more, true) => Some(format!("{more} more at least. Type more of the name.")),
    };
    (found.into_iter().take(SHOWN).map(|(_, hit)| hit).collect(), cut)
}

/// How a name fits what is looked for, which is in lower case; everything fits nothing.
fn fit(name: &str, wanted: &str) -> Option<Fit> {
    let name = name.to_lowercase();
    if name.starts_with(wanted) {
        return Some(Fit::Beginning);
    }
    let begins_a_word = |at: usize| name[..at].chars().next_back().is_some_and(|before| !before.is_alphanumeric());
    // Each place is looked at: `api` is in `rapid`, too, which comes first in "rapid API".
    let places = name.match_indices(wanted).map(|(at, _)| begins_a_word(at));
    places.map(|begins| if begins { Fit::BeginningOfAWord } else { Fit::Within }).min()
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
    fn the_beginning_counts_more_than_a_word_and_a_word_more_than_the_rest() {
        assert_eq!(fit("Checkout API", "check"), Some(Fit::Beginning));
        assert_eq!(fit("Checkout API", "api"), Some(Fit::BeginningOfAWord));
        assert_eq!(fit("api-gateway", "gate"), Some(Fit::BeginningOfAWord));
        assert_eq!(fit("out of checkout", "ou"), Some(Fit::Beginning));
        assert_eq!(fit("rapid API", "api"), Some(Fit::BeginningOfAWord), "also where it is within a word before");
        assert_eq!(fit("Checkout", "out"), Some(Fit::Within));
        assert_eq!(fit("ÄPFEL", "äpf"), Some(Fit::Beginning));
        assert_eq!(fit("Checkout", "web"), None);
        assert_eq!(fit("Checkout", ""), Some(Fit::Beginning));
    }

    #[test]
    fn the_best_come_first_and_the_rest_is_counted() {
        let frame = Frame::sample("Acme", Tab::None);
        let hits = vec![(Fit::Within, hit("rapid")), (Fit::Beginning, hit("API")), (Fit::Beginning, hit("Apis"))];
        let (found, cut) = ranked(Look { hits, is_cut: false }, pages(&frame, "api"), &frame);
        assert_eq!(found.iter().map(|hit| hit.name.as_str()).collect::<Vec<_>>(), ["API", "Apis", "API documentation", "rapid"]);
        assert_eq!((found[0].href.as_str(), cut), ("/status/o/acme/services/svc_1", None));

        let many = |is_cut| Look { hits: vec![(Fit::Within, hit("x")); 25], is_cut };
        let (found, cut) = ranked(many(true), Vec::new(), &frame);
        assert_eq!((found.len(), cut.as_deref()), (SHOWN, Some("5 more at least. Type more of the name.")));
        assert_eq!(ranked(many(false), Vec::new(), &frame).1.as_deref(), Some("5 more. Type more of the name."));
    }

    #[test]
    fn what_is_in_a_later_part_is_found_and_nothing_twice() {
        let mut org = TestOrg::new();
        let count = PART + 3;
        for number in 0..count {
            org.service(&format!("Service {number}."), Visibility::Private, ServiceStatus::Operational);
            org.open(&format!("Incident {number}."), []);
        }
        let found = |wanted: String| org.read(move |view| look(view, &wanted)).hits;
        for number in 0..count {
            let hits = found(format!(" {number}."));
            assert_eq!(hits.iter().map(|(_, hit)| hit.kind).collect::<Vec<_>>(), ["Service", "Incident"], "{number}");
        }
        assert_eq!(found("service".into()).len(), count);
        assert_eq!(found("incident".into()).len(), count);
        assert!(!org.read(|view| look(view, "service")).is_cut);
    }

    #[test]
    fn no_more_is_looked_at_than_is_said() {
        let place = || Cursor { sort: Vec::new(), id: uuid::Uuid::from_u128(1) };
        let mut looked_at = 0;
        let is_cut = each(|_| Ok(Page { items: vec![(); PART], next: Some(place()) }), |()| looked_at += 1).unwrap();
        assert_eq!((looked_at, is_cut), (LOOKED_AT, true));
    }

    #[test]
    fn nobody_is_offered_what_they_may_not_do() {
        let names = |role| -> Vec<String> {
            let frame = Frame { role, ..Frame::sample("Acme", Tab::None) };
            pages(&frame, "").into_iter().map(|(_, hit)| hit.name).collect()
        };
        assert!(!names(Role::Viewer).iter().any(|name| name.starts_with("New") || name.starts_with("Report")));
        assert!(
            names(Role::Responder).contains(&"Report incident".to_owned()) && !names(Role::Responder).contains(&"New service".to_owned())
        );
        assert!(names(Role::Editor).contains(&"New group".to_owned()));
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
