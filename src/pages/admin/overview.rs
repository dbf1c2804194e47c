//! What is broken, what is open, what happened last; for a new organization, what to do first.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::count::Count;
use super::desk::Desk;
use super::frame::{Frame, Tab};
use super::incidents::gist;
use super::timeline::lines::Line;
use super::why::{Causes, Titles};
use crate::access::Read;
use crate::domain::incident::{self, Incident, Which};
use crate::domain::service::Service;
use crate::domain::status::{Rollup, ServiceStatus, rollup};
use crate::domain::timeline::{self, Filter};
use crate::error::Result;
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::{State, When};
use crate::store::{OrgView, Reads, Scan};

/// The most services that are named as broken.
const BROKEN_SHOWN: usize = 20;
/// The most incidents that are named as why.
const WHY_SHOWN: usize = 3;
/// The most open incidents that are shown.
const OPEN_SHOWN: usize = 10;
/// The latest entries of the timeline.
const LAST_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    look: &'a Look,
    /// The line above all, as the public page has it.
    overall: State,
    extent: String,
    public_page: String,
    /// While there is something to do first.
    steps: Option<&'a Steps>,
}

impl<'a> OverviewPage<'a> {
    fn new(frame: &'a Frame, look: &'a Look) -> Self {
        Self {
            shell: &frame.shell,
            frame,
            look,
            overall: State { state: look.rollup.state.as_str(), word: look.rollup.description },
            extent: look.extent(),
            public_page: format!("{}/p/{}", frame.shell.path(), frame.page),
            steps: Some(&look.steps).filter(|steps| !steps.are_done()),
        }
    }
}

/// What the page reads.
struct Look {
    rollup: Rollup,
    /// How many services there are.
    services: Count,
    broken: Vec<Broken>,
    more_broken: Count,
    open: Vec<Open>,
    more_open: Count,
    last: Vec<Line>,
    steps: Steps,
}

/// A service that is not operational, and why.
struct Broken {
    id: String,
    name: String,
    status: State,
    by_hand: bool,
    /// The unresolved incidents that say so.
    why: Causes,
}

/// An unresolved incident.
struct Open {
    id: String,
    title: String,
    stage: &'static str,
    stage_word: &'static str,
    impact: &'static str,
    impact_word: String,
    since: When,
    said_at: When,
    said_by: String,
    said: String,
}

/// How far a new organization has come.
struct Steps {
    /// One of its services.
    service: Option<String>,
    /// Whether an incident was ever reported.
    has_reported: bool,
}

/// `GET /o/:org`.
#[handler]
pub(crate) async fn show(desk: Desk) -> poem::Result<Response> {
    let (frame, look) = desk.look(Tab::Overview, look).await?;
    Ok(html(StatusCode::OK, &OverviewPage::new(&frame, &look))?)
}

/// Reads what is shown and no more: statuses are found by the index of services, whatever their number.
fn look(view: &OrgView<'_, Read>) -> Result<Look> {
    let with = |status: ServiceStatus| Service::BY_STATUS.of(status.as_str().into());
    let (mut present, mut broken, mut count, mut titles) = (Vec::new(), Vec::new(), Count::default(), Titles::default());
    let mut statuses = ServiceStatus::ALL.to_vec();
    // The worst first; among equals, in the order of the page.
    statuses.sort_by_key(|status| std::cmp::Reverse(status.severity()));
    for status in statuses {
        let such = Count::of(view, with(status))?;
        if such.number() == 0 {
            continue;
        }
        present.push(status);
        if status != ServiceStatus::Operational {
            count = count.plus(such);
            let room = BROKEN_SHOWN - broken.len();
            for service in view.scan(with(status).limit(room))?.items {
                broken.push(Broken::of(view, &mut titles, &service)?);
            }
        }
    }
    let open = incident::list(view, Which::Open, |scan| scan.limit(OPEN_SHOWN))?.items;
    let entries = timeline::read(view, None, &Filter::default(), None, LAST_SHOWN)?;
    Ok(Look {
        // Which statuses there are is all that the line says; how often each of them comes makes no difference to it.
        rollup: rollup(&present),
        services: Count::of(view, Service::BY_POSITION.of(()))?,
        more_broken: count.beside(broken.len()),
        broken,
        more_open: Count::of(view, Incident::BY_STATE.of("open".into()))?.beside(open.len()),
        open: open.iter().map(Open::of).collect(),
        last: entries.items.iter().map(|entry| Line::of(view, entry)).collect::<Result<_>>()?,
        steps: Steps {
            service: view.scan(Service::BY_POSITION.of(()).limit(1))?.items.first().map(|service| service.id.to_string()),
            // Deleted ones count: who has tried it need not try again.
            has_reported: view.count(Scan::<Incident>::all().limit(1))? > 0,
        },
    })
}

impl Look {
    /// How much of all the services is broken, in words.
    fn extent(&self) -> String {
        let broken = self.more_broken.plus(Count::exactly(self.broken.len()));
        match (broken.number(), self.services.number()) {
            (0, 1) => "The one service is operational.".to_owned(),
            (0, _) => format!("All {} services are operational.", self.services),
            (_, 1) => "The one service is not operational.".to_owned(),
            (1, _) => format!("1 of {} services is not operational.", self.services),
            _ => format!("{broken} of {} services are not operational.", self.services),
        }
    }
}

impl Broken {
    fn of(view: &impl Reads, titles: &mut Titles, service: &Service) -> Result<Self> {
        let status = service.status();
        Ok(Self {
            id: service.id.to_string(),
            name: service.name.clone(),
            status: status.into(),
            by_hand: service.own_status == status,
            why: Causes::worsening(view, titles, service, WHY_SHOWN)?,
        })
    }
}

impl Open {
    fn of(incident: &Incident) -> Self {
        let impact = incident.impact();
        // There is always one; an incident begins with it.
        let last = incident.updates.last();
        Self {
            id: incident.id.to_string(),
            title: incident.title.clone(),
            stage: incident.status.as_str(),
            stage_word: incident.status.label(),
            impact: impact.as_str(),
            impact_word: format!("Impact: {}", impact.label().to_lowercase()),
            since: incident.started_at.into(),
            said_at: last.map_or(incident.started_at, |last| last.created_at).into(),
            said_by: last.map(|last| last.author.name.clone()).unwrap_or_default(),
            said: last.map(|last| gist(&last.message)).unwrap_or_default(),
        }
    }
}

impl Steps {
    fn are_done(&self) -> bool {
        self.service.is_some() && self.has_reported
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{Kind, Told};
    use super::super::why::Cause;
    use super::*;
    use crate::access::Role;
    use crate::clock::Timestamp;
    use crate::domain::service;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn nothing() -> Look {
        Look {
            rollup: rollup(&[]),
            services: Count::default(),
            broken: Vec::new(),
            more_broken: Count::default(),
            open: Vec::new(),
            more_open: Count::default(),
            last: Vec::new(),
            steps: Steps { service: None, has_reported: false },
        }
    }

    fn full(each: &str) -> Look {
        let when = || When::from(Timestamp::from_millis(0));
        let broken = |number: usize| Broken {
            id: format!("svc_{number}"),
            name: each.into(),
            status: ServiceStatus::MajorOutage.into(),
            by_hand: true,
            why: Causes { first: vec![Cause { id: "inc_1".into(), title: each.into(), status: None }], more: Some("4".into()) },
        };
        let open = |number: usize| Open {
            id: format!("inc_{number}"),
            title: each.into(),
            stage: "identified",
            stage_word: "Identified",
            impact: "critical",
            impact_word: "Impact: critical".into(),
            since: when(),
            said_at: when(),
            said_by: each.into(),
            said: each.into(),
        };
        Look {
            rollup: rollup(&[ServiceStatus::MajorOutage, ServiceStatus::Operational]),
            services: Count::exactly(1_000),
            broken: (0..BROKEN_SHOWN).map(broken).collect(),
            more_broken: Count::exactly(30),
            open: (0..OPEN_SHOWN).map(open).collect(),
            more_open: Count::exactly(7),
            last: (0..10).map(|seq| Line::sample(seq, each)).collect(),
            steps: Steps { service: Some("svc_0".into()), has_reported: true },
        }
    }

    fn rendered(look: &Look, role: Role) -> String {
        let frame = Frame { role, ..Frame::sample("Acme", Tab::Overview) };
        OverviewPage::new(&frame, look).render().unwrap()
    }

    #[test]
    fn what_was_just_done_is_said_with_the_way_to_undo_it() {
        let told = |undo: Option<&str>| {
            let told = Told { text: "The service is deleted.", kind: Kind::Done, undo: undo.map(str::to_owned) };
            OverviewPage::new(&Frame { told: Some(told), ..Frame::sample("Acme", Tab::Overview) }, &nothing()).render().unwrap()
        };
        let html = told(Some("/o/acme/services/svc_1/restore"));
        assert!(html.contains("The service is deleted.") && html.contains("action=\"/status/o/acme/services/svc_1/restore\""), "{html}");
        assert!(!told(None).contains("/restore"));
    }

    #[test]
    fn a_new_organization_is_told_what_to_do_first() {
        let html = rendered(&nothing(), Role::Admin);
        for part in [
            "First steps",
            "href=\"/status/o/acme/services/new\"",
            "href=\"/status/o/acme/incidents/new\"",
            "href=\"/status/p/acme\"",
            "curl --cookie cookies.txt https://example.org/status/api/services/SERVICE_ID/incidents",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("id=\"broken\"") && !html.contains("Done:"), "{html}");

        let begun = Look { services: Count::exactly(1), steps: Steps { service: Some("svc_9".into()), has_reported: false }, ..nothing() };
        let html = rendered(&begun, Role::Admin);
        assert_eq!(html.matches("Done:").count(), 1);
        assert!(html.contains("/api/services/svc_9/incidents") && !html.contains("services/new\""), "{html}");
    }

    #[test]
    fn who_may_only_look_is_offered_nothing_to_do() {
        let html = rendered(&full("API"), Role::Viewer);
        assert!(!html.contains("Post update") && !html.contains("incidents/new"), "{html}");
        assert!(!rendered(&nothing(), Role::Viewer).contains("First steps"));
    }

    #[test]
    fn first_steps_are_those_that_one_may_take() {
        let html = rendered(&nothing(), Role::Responder);
        assert!(html.contains("Report a test incident") && html.contains("Report an incident with curl"), "{html}");
        assert!(!html.contains("Create a service"), "{html}");
        let reported = Look { steps: Steps { service: None, has_reported: true }, ..nothing() };
        assert!(!rendered(&reported, Role::Responder).contains("First steps"));
        assert!(rendered(&reported, Role::Editor).contains("Create a service with curl"));
    }

    #[test]
    fn what_is_broken_is_said_with_why_and_how_much() {
        let html = rendered(&full("API"), Role::Responder);
        assert!(html.contains("50 of 1000 services are not operational.") && html.contains("Partial System Outage"), "{html}");
        assert!(html.contains("30 more among all services") && html.contains("7 more open incidents"), "{html}");
        assert!(html.contains("Set by hand") && html.contains("href=\"/status/o/acme/incidents/inc_1\""), "{html}");
        assert!(html.contains("href=\"/status/o/acme/incidents/inc_0#update\""), "{html}");
        assert_eq!(html.matches("id=\"broken-svc_").count(), BROKEN_SHOWN);
        assert!(!html.contains("First steps"));
    }

    #[test]
    fn the_extent_reads_well_whatever_the_numbers() {
        let extent =
            |broken, services| Look { services: Count::exactly(services), more_broken: Count::exactly(broken), ..nothing() }.extent();
        assert_eq!(extent(0, 1), "The one service is operational.");
        assert_eq!(extent(1, 1), "The one service is not operational.");
        assert_eq!(extent(0, 3), "All 3 services are operational.");
        assert_eq!(extent(1, 3), "1 of 3 services is not operational.");
        assert_eq!(extent(2, 3), "2 of 3 services are not operational.");
        assert_eq!(extent(0, 4_000), "All 1000+ services are operational.");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(200), "שירות".to_owned()] {
            let html = rendered(&full(&each), Role::Admin);
            assert!(!html.contains("<script>") && !html.contains(" style="), "{html}");
        }
    }

    #[test]
    fn the_line_and_the_numbers_are_those_of_all_services() {
        use crate::domain::service::Visibility;
        use crate::domain::testing::TestOrg;

        let mut org = TestOrg::new();
        for (number, status) in ServiceStatus::ALL.iter().copied().cycle().take(50).enumerate() {
            org.service(&format!("Service {number}"), Visibility::Private, status);
        }
        let open = |org: &mut TestOrg| org.open("It fails", [("Service 0", ServiceStatus::MajorOutage)]);
        for _ in 0..12 {
            open(&mut org);
        }
        let look = org.read(look);
        let all = org.read(|view| service::list(view, |scan| scan)).items;
        let statuses: Vec<_> = all.iter().map(|state| state.status).collect();
        let broken = statuses.iter().filter(|status| **status != ServiceStatus::Operational).count();
        assert_eq!(look.rollup, rollup(&statuses));
        assert_eq!(look.extent(), format!("{broken} of 50 services are not operational."));
        assert_eq!((look.broken.len(), look.more_broken.number()), (BROKEN_SHOWN, broken - BROKEN_SHOWN));
        assert_eq!((look.open.len(), look.more_open.number()), (OPEN_SHOWN, 2));
        assert_eq!(look.broken[0].why.more.as_deref(), Some("9"), "of twelve incidents three are named");
    }
}
