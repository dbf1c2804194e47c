//! The incidents, page by page, with their filters in the address.

use askama::Template;
use form_urlencoded::Serializer;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::words::{self, ImpactShown, Stage};
use crate::access::Read;
use crate::clock::Timestamp;
use crate::domain::incident::{self, Incident, Which};
use crate::domain::service::Service;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::{When, duration};
use crate::store::{Cursor, OrgView, Page, Reads};

/// How many a page has.
const PAGE: usize = 50;
/// How many unresolved ones stand above the others.
const OPEN: usize = 20;
/// How many incidents one page looks at for a filter that few of them pass; beyond it the page ends early, with a link to go on.
const LOOKED_AT: usize = 1_000;
/// How many affected services a row names.
const NAMED: usize = 3;

/// The list.
#[derive(Template)]
#[template(path = "admin/incidents.html")]
pub(super) struct ListPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) asked: Shown,
    /// Unresolved ones, where nothing is filtered.
    pub(super) open: Vec<Row>,
    pub(super) more_open: bool,
    pub(super) rows: Vec<Row>,
    /// Where the list begins, on a later page.
    pub(super) first: Option<String>,
    /// Where it goes on.
    pub(super) next: Option<String>,
}

/// The filter, as the form shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// `open`, `resolved` or nothing.
    pub(super) state: &'static str,
    pub(super) q: String,
    /// The service's id and name.
    pub(super) service: Option<(String, String)>,
    pub(super) is_plain: bool,
}

/// An incident of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) stage: Stage,
    pub(super) impact: ImpactShown,
    pub(super) affected: Vec<String>,
    /// How many more services it touches.
    pub(super) more: usize,
    pub(super) started: When,
    pub(super) over: Option<When>,
    pub(super) span: String,
    /// What was said last begins like this.
    pub(super) gist: String,
}

/// `GET …/incidents?state=&service=&q=&cursor=`.
#[handler]
pub(crate) async fn list(desk: Desk, request: &Request) -> poem::Result<Response> {
    let filter = Filter::of(request)?;
    let asked = filter.clone();
    let (frame, listed) = desk.look(Tab::Incidents, move |view: &OrgView<'_, Read>| asked.read(view)).await?;
    let page = ListPage {
        shell: frame.shell.clone(),
        first: filter.after.is_some().then(|| filter.link(&frame, None)),
        next: listed.next.map(|next| filter.link(&frame, Some(&next))),
        asked: Shown {
            state: filter.state(),
            q: filter.q.clone(),
            service: filter.service.map(|id| (id.to_string(), listed.service.unwrap_or_default())),
            is_plain: filter.is_plain(),
        },
        open: listed.open,
        more_open: listed.more_open,
        rows: listed.rows,
        frame,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Filter {
    which: Which,
    service: Option<Id<Service>>,
    q: String,
    after: Option<Cursor>,
}

/// What was found.
struct Listed {
    service: Option<String>,
    open: Vec<Row>,
    more_open: bool,
    rows: Vec<Row>,
    next: Option<Cursor>,
}

impl Filter {
    fn of(request: &Request) -> Result<Self> {
        let named = |name| Some(query(request, name)).filter(|text| !text.is_empty());
        Ok(Self {
            which: match query(request, "state").as_str() {
                "open" => Which::Open,
                "resolved" => Which::Closed,
                _ => Which::All,
            },
            service: named("service").map(|id| id.parse::<Id<Service>>().map_err(|_| Error::NotFound)).transpose()?,
            q: query(request, "q").trim().chars().take(200).collect(),
            after: named("cursor").map(|text| text.parse::<Cursor>().map_err(|_| Error::NotFound)).transpose()?,
        })
    }

    fn state(&self) -> &'static str {
        match self.which {
            Which::All => "",
            Which::Open => "open",
            Which::Closed => "resolved",
        }
    }

    fn is_plain(&self) -> bool {
        self.which == Which::All && self.service.is_none() && self.q.is_empty()
    }

    /// The address of another page of the same list.
    fn link(&self, frame: &Frame, after: Option<&Cursor>) -> String {
        let service = self.service.map(|id| id.to_string()).unwrap_or_default();
        let cursor = after.map(Cursor::to_string).unwrap_or_default();
        let pairs = [("state", self.state()), ("service", service.as_str()), ("q", self.q.as_str()), ("cursor", cursor.as_str())];
        let query = Serializer::new(String::new()).extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty())).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", frame.path("/incidents"))
    }

    fn read(&self, view: &impl Reads) -> Result<Listed> {
        let service = self.service.map(|id| view.get(id)).transpose()?.map(|service| service.name);
        let rows = |incidents: Vec<Incident>| incidents.iter().map(|incident| Row::read(view, incident)).collect::<Result<Vec<_>>>();
        if !self.is_plain() {
            let page = self.page(view, self.which)?;
            return Ok(Listed { service, open: Vec::new(), more_open: false, rows: rows(page.items)?, next: page.next });
        }
        let page = self.page(view, Which::Closed)?;
        let open = match self.after {
            None => incident::list(view, Which::Open, |scan| scan.limit(OPEN))?,
            Some(_) => Page { items: Vec::new(), next: None },
        };
        let more_open = open.next.is_some();
        Ok(Listed { service, open: rows(open.items)?, more_open, rows: rows(page.items)?, next: page.next })
    }

    /// A page of those that pass. What is read at once is never more than what there is room for, so that its end is the page's end.
    fn page(&self, view: &impl Reads, which: Which) -> Result<Page<Incident>> {
        let wanted = self.q.to_lowercase();
        let passes = |incident: &Incident| {
            let is_in_state = match which {
                Which::All => true,
                Which::Open => !incident.status.is_resolved(),
                Which::Closed => incident.status.is_resolved(),
            };
            is_in_state && incident.title.to_lowercase().contains(&wanted)
        };
        let mut items = Vec::new();
        let mut after = self.after.clone();
        let mut looked_at = 0;
        loop {
            let room = PAGE - items.len();
            let part = match self.service {
                Some(service) => incident::list_of(view, service, |scan| scan.limit(room).after(after))?,
                None => incident::list(view, which, |scan| scan.limit(room).after(after))?,
            };
            items.extend(part.items.into_iter().filter(passes));
            after = part.next;
            looked_at += room;
            if after.is_none() || items.len() == PAGE || looked_at >= LOOKED_AT {
                return Ok(Page { items, next: after });
            }
        }
    }
}

impl Row {
    fn read(view: &impl Reads, incident: &Incident) -> Result<Self> {
        let name = |id| Ok(view.find(id)?.map(|service: Service| service.name).unwrap_or_default());
        let affected = incident.services().take(NAMED).map(name).collect::<Result<Vec<String>>>()?;
        Ok(Self::of(incident, affected, view.now()))
    }

    fn of(incident: &Incident, affected: Vec<String>, now: Timestamp) -> Self {
        Self {
            id: incident.id.to_string(),
            title: incident.title.clone(),
            stage: incident.status.into(),
            impact: incident.impact().into(),
            more: incident.affected.len() - affected.len(),
            affected,
            started: incident.started_at.into(),
            over: incident.resolved_at.map(When::from),
            span: duration(incident.started_at, incident.resolved_at.unwrap_or(now)),
            gist: incident.updates.last().map(|update| words::gist(&update.message)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::status::ServiceStatus::{MajorOutage, Operational};
    use crate::domain::testing::TestOrg;

    fn asking(query: &str) -> Result<Filter> {
        let uri = format!("/o/acme/incidents?{query}").parse().unwrap();
        Filter::of(&Request::builder().uri(uri).finish())
    }

    /// Every title, page by page.
    fn walk(org: &TestOrg, query: &str) -> Vec<Vec<String>> {
        let frame = Frame::sample("x", Tab::Incidents);
        let (mut pages, mut query) = (Vec::new(), query.to_owned());
        loop {
            let filter = asking(&query).unwrap();
            let asked = filter.clone();
            let (titles, next) = org.read(move |view| {
                let listed = asked.read(view)?;
                Ok((listed.open.into_iter().chain(listed.rows).map(|row| row.title).collect::<Vec<_>>(), listed.next))
            });
            pages.push(titles);
            let Some(next) = next else { return pages };
            query = filter.link(&frame, Some(&next)).split_once('?').unwrap().1.to_owned();
        }
    }

    fn titles(org: &TestOrg, query: &str) -> Vec<String> {
        walk(org, query).concat()
    }

    #[test]
    fn every_incident_comes_once_whatever_is_asked_for() {
        let mut org = TestOrg::new().with_service("API", Operational).with_service("Web", Operational);
        for number in 0..120 {
            org.advance(Duration::from_secs(1));
            let service = if number % 2 == 0 { "API" } else { "Web" };
            let id = org.open(&format!("Incident {number}"), [(service, MajorOutage)]);
            if number >= 5 {
                org.resolve(id);
            }
        }
        let api = org.named("API");
        let pages = walk(&org, "");
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5 + 50, 50, 15]);
        let mut all = pages.concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 120, "none is missing and none comes twice");

        assert_eq!(titles(&org, "state=open"), ["Incident 4", "Incident 3", "Incident 2", "Incident 1", "Incident 0"]);
        assert_eq!(titles(&org, "state=resolved").len(), 115);
        assert_eq!(walk(&org, &format!("service={api}")).iter().map(Vec::len).collect::<Vec<_>>(), [50, 10]);
        assert_eq!(titles(&org, &format!("service={api}&state=open")), ["Incident 4", "Incident 2", "Incident 0"]);
        assert_eq!(titles(&org, "q=INCIDENT+11").len(), 11, "11 and 110 to 119");
        assert!(titles(&org, "q=nothing").is_empty());
    }

    #[test]
    fn what_is_no_id_and_no_place_is_not_found() {
        for query in ["service=x", "cursor=x", "cursor=%00"] {
            assert_eq!(asking(query).err(), Some(Error::NotFound), "{query}");
        }
        assert!(asking("").unwrap().is_plain() && asking("state=&service=&q=+&cursor=").unwrap().is_plain());
    }

    #[test]
    fn links_keep_the_filter() {
        let frame = Frame::sample("x", Tab::Incidents);
        assert_eq!(asking("").unwrap().link(&frame, None), "/status/o/acme/incidents");
        let filter = asking("state=open&q=a%26b+c").unwrap();
        assert_eq!(filter.link(&frame, None), "/status/o/acme/incidents?state=open&q=a%26b+c");
    }
}
