//! The incidents, page by page, with their filters in the address.

use std::fmt;

use askama::Template;
use form_urlencoded::Serializer;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::words::{self, ImpactShown, Stage};
use crate::access::{Permission, Read};
use crate::clock::Timestamp;
use crate::domain::incident::{self, Incident, IncidentLink, Which};
use crate::domain::naming::{self, Latest};
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
const OPEN: usize = 10;
/// How many incidents one page looks at for a filter that few of them pass; beyond it the page ends early, with a link to go on.
const LOOKED_AT: usize = 150;
/// How many incidents of a title are sorted by time. Where there are more, the latest of all are looked through: many of them have it.
const SORTED: usize = 1_000;
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
    /// Whether others may have what is looked for within a word of their title.
    pub(super) is_cut: bool,
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
        is_cut: listed.is_cut,
        frame,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// Where a page begins. How a title is looked for may differ from page to page, as there come to be more or fewer incidents that have it: a
/// place says which way it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// After a place in an index.
    Walked(Cursor),
    /// After this one of those of a title, the last made first.
    Sorted(Id<Incident>),
}

impl Start {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::Sorted).or_else(|| text.parse().ok().map(Self::Walked))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Walked(place) => fmt::Display::fmt(place, f),
            Self::Sorted(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Filter {
    which: Which,
    service: Option<Id<Service>>,
    q: String,
    after: Option<Start>,
}

/// A page of what was found.
struct Part {
    items: Vec<Incident>,
    next: Option<Start>,
    /// Whether others may have what is looked for within a word.
    is_cut: bool,
}

/// What is shown of it.
struct Listed {
    service: Option<String>,
    open: Vec<Row>,
    more_open: bool,
    rows: Vec<Row>,
    next: Option<Start>,
    is_cut: bool,
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
            after: named("cursor").map(|text| Start::parse(&text).ok_or(Error::NotFound)).transpose()?,
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
    fn link(&self, frame: &Frame, after: Option<&Start>) -> String {
        let service = self.service.map(|id| id.to_string()).unwrap_or_default();
        let cursor = after.map(Start::to_string).unwrap_or_default();
        let pairs = [("state", self.state()), ("service", service.as_str()), ("q", self.q.as_str()), ("cursor", cursor.as_str())];
        let query = Serializer::new(String::new()).extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty())).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", frame.path("/incidents"))
    }

    fn read<P: Permission>(&self, view: &OrgView<'_, P>) -> Result<Listed> {
        let service = self.service.map(|id| view.get(id)).transpose()?.map(|service| service.name);
        let rows = |incidents: Vec<Incident>| incidents.iter().map(|incident| Row::read(view, incident)).collect::<Result<Vec<_>>>();
        let (first, which) = (self.after.is_none(), if self.is_plain() { Which::Closed } else { self.which });
        let Part { items, next, is_cut } = self.page(view, which, SORTED)?;
        let (open, more_open) = if self.is_plain() && first {
            let page = incident::list(view, Which::Open, |scan| scan.limit(OPEN))?;
            (page.items, page.next.is_some())
        } else {
            (Vec::new(), false)
        };
        Ok(Listed { service, open: rows(open)?, more_open, rows: rows(items)?, next, is_cut })
    }

    /// A page of those that pass, the latest first; of a title, up to `sorted` are sorted. It goes on where the last one ended, though there
    /// may be more or fewer by now.
    fn page<P: Permission>(&self, view: &OrgView<'_, P>, which: Which, sorted: usize) -> Result<Part> {
        if self.q.is_empty() || self.service.is_some() {
            let after = self.after.as_ref().and_then(|after| match after {
                Start::Walked(place) => Some(place.clone()),
                Start::Sorted(_) => None,
            });
            return self.walk(view, which, which, after);
        }
        // Those walked through must come in the order of those sorted, by when they began: also where only resolved ones pass.
        let order = if which == Which::Open { Which::Open } else { Which::All };
        let last = match &self.after {
            Some(Start::Walked(place)) => return self.walk(view, order, which, Some(place.clone())),
            Some(Start::Sorted(id)) => Some(*id),
            None => None,
        };
        let first = Incident::BY_START.of(()).newest();
        if let Some(latest) = naming::latest(view, &Incident::NAMES, first, &self.q.to_lowercase(), sorted)? {
            return self.among(view, which, latest, last);
        }
        let last: Option<Incident> = last.map(|id| view.get(id)).transpose()?;
        self.walk(view, order, which, last.map(|last| Cursor::at(last.started_at.millis(), last.id)))
    }

    fn passes(&self, which: Which, incident: &Incident) -> bool {
        let is_in_state = match which {
            Which::All => true,
            Which::Open => incident.is_open(),
            Which::Closed => !incident.is_open(),
        };
        let touches = self.service.is_none_or(|service| incident.touches(service));
        is_in_state && touches && incident.title.to_lowercase().contains(&self.q.to_lowercase())
    }

    /// Those of these that pass; the last made come first.
    fn among(&self, view: &impl Reads, which: Which, Latest { ids, is_cut }: Latest<Incident>, last: Option<Id<Incident>>) -> Result<Part> {
        let begin = last.map_or(0, |last| ids.partition_point(|id| *id >= last));
        let mut items = Vec::new();
        for (at, id) in ids.iter().enumerate().skip(begin) {
            if items.len() == PAGE || at - begin == LOOKED_AT {
                // There is another one, so that something comes after the one before it.
                return Ok(Part { items, next: at.checked_sub(1).map(|last| Start::Sorted(ids[last])), is_cut });
            }
            let incident: Option<Incident> = view.find(*id)?;
            items.extend(incident.filter(|incident| incident.deleted_at.is_none() && self.passes(which, incident)));
        }
        Ok(Part { items, next: None, is_cut })
    }

    /// Those that pass among all in that order, or among all that touch a service. What is read at once is never more than what there is
    /// room for, so that its end is the page's end.
    fn walk(&self, view: &impl Reads, order: Which, which: Which, mut after: Option<Cursor>) -> Result<Part> {
        let mut items = Vec::new();
        let mut looked_at = 0;
        loop {
            let room = PAGE - items.len();
            let part = match (self.service, order) {
                (Some(service), Which::Open) => touching(view, service, room, after)?,
                (Some(service), _) => incident::list_of(view, service, |scan| scan.limit(room).after(after))?,
                (None, _) => incident::list(view, order, |scan| scan.limit(room).after(after))?,
            };
            items.extend(part.items.into_iter().filter(|incident| self.passes(which, incident)));
            after = part.next;
            looked_at += room;
            if after.is_none() || items.len() == PAGE || looked_at >= LOOKED_AT {
                return Ok(Part { items, next: after.map(Start::Walked), is_cut: false });
            }
        }
    }
}

/// The unresolved incidents that touch a service, those that say the worst of it first.
fn touching(view: &impl Reads, service: Id<Service>, limit: usize, after: Option<Cursor>) -> Result<Page<Incident>> {
    let links = view.scan(IncidentLink::OPEN.of(service).newest().limit(limit).after(after))?;
    let items = links.items.iter().filter_map(|link| view.find(link.incident_id).transpose()).collect::<Result<_>>()?;
    Ok(Page { items, next: links.next })
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
        assert_eq!(walk(&org, "q=incident").iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
        assert_eq!(titles(&org, "q=incident")[..2], ["Incident 119", "Incident 118"], "the latest come first");
        assert_eq!(titles(&org, "q=incident&state=open").len(), 5);
        assert_eq!(titles(&org, "q=cident+11").len(), 10, "within a word, among the latest: 110 to 119");
        assert_eq!(titles(&org, &format!("q=incident+1&service={api}&state=resolved")).len(), 15, "10, 12 to 18, 100 to 118");
        assert!(titles(&org, "q=nothing").is_empty());
    }

    /// Every title, page by page, where in turn no more than so many are sorted.
    fn crossing(org: &TestOrg, query: &str, sorted: [usize; 2]) -> Vec<String> {
        let frame = Frame::sample("x", Tab::Incidents);
        let (mut titles, mut query) = (Vec::new(), query.to_owned());
        for sorted in sorted.into_iter().cycle() {
            let filter = asking(&query).unwrap();
            let asked = filter.clone();
            let part = org.read(move |view| asked.page(view, asked.which, sorted));
            titles.extend(part.items.into_iter().map(|incident| incident.title));
            let Some(next) = part.next else { break };
            query = filter.link(&frame, Some(&next)).split_once('?').unwrap().1.to_owned();
        }
        titles
    }

    #[test]
    fn a_list_goes_on_when_there_are_more_or_fewer_than_are_sorted_by_then() {
        let mut org = TestOrg::new();
        let mut ids = Vec::new();
        for number in 0..240 {
            org.advance(Duration::from_secs(1));
            ids.push(org.open(&format!("Incident {number}"), []));
        }
        // Those that began last are over first.
        for id in ids.iter().rev().step_by(2) {
            org.advance(Duration::from_secs(1));
            org.resolve(*id);
        }
        for (query, rest) in [("q=incident", None), ("q=incident&state=open", Some(0)), ("q=incident&state=resolved", Some(1))] {
            let numbers = (0..240).rev().filter(|number| rest.is_none_or(|rest| number % 2 == rest));
            let expected: Vec<_> = numbers.map(|number| format!("Incident {number}")).collect();
            for sorted in [[1_000, 10], [10, 1_000], [1_000, 1_000], [10, 10]] {
                assert_eq!(crossing(&org, query, sorted), expected, "{query} {sorted:?}");
            }
        }
    }

    #[test]
    fn who_types_the_middle_of_a_word_hears_that_not_all_were_looked_at() {
        let mut org = TestOrg::new();
        let look = |org: &TestOrg, query: &str| {
            let filter = asking(query).unwrap();
            let Listed { rows, is_cut, .. } = org.read(move |view| filter.read(view));
            (rows.len(), is_cut)
        };
        for number in 0..naming::WITHIN {
            org.open(&format!("Incident {number}"), []);
        }
        assert_eq!((look(&org, "q=ncident+7"), look(&org, "q=zzz")), ((1, false), (0, false)));
        org.open("The latest", []);
        org.open("The very latest", []);
        assert_eq!((look(&org, "q=ncident+7"), look(&org, "q=ncident+0"), look(&org, "")), ((1, true), (0, true), (0, false)));
    }

    #[test]
    fn what_is_no_id_and_no_place_is_not_found() {
        for query in ["service=x", "cursor=x", "cursor=%00", "cursor=inc_1"] {
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
