//! The list of an organization's services.

use std::fmt;

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::sheet::{self, Heading, LINES, Line, Place, Section, Sheet, Thing};
use crate::access::{Permission, Read};
use crate::domain::group::{self, Group};
use crate::domain::naming::{self, Fit};
use crate::domain::service::Service;
use crate::domain::status::ServiceStatus;
use crate::error::Result;
use crate::id::Id;
use crate::pages::admin::count::Count;
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::admin::why::{Causes, Titles};
use crate::pages::answer::{html, see_other};
use crate::pages::fields::Fields;
use crate::pages::shell::Shell;
use crate::pages::when::State;
use crate::store::{Cursor, OrgView, Page, Reads, Scan};

/// The most characters that are looked for.
const Q_MAX: usize = 200;
/// How many incidents a line names as the cause of its state.
const CAUSES_SHOWN: usize = 2;
/// How many services are looked at where few of a group have what is asked for; beyond it the sheet ends early.
const LOOKED_AT: usize = 150;

/// Where a sheet begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// After a line of the whole list.
    Line(Place),
    /// After one of those that were found.
    Found(Cursor),
}

impl Start {
    fn parse(text: &str) -> Option<Self> {
        Place::parse(text).map(Self::Line).or_else(|| text.parse().ok().map(Self::Found))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(place) => fmt::Display::fmt(place, f),
            Self::Found(cursor) => fmt::Display::fmt(cursor, f),
        }
    }
}

/// What of the list is asked for, as its address says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    q: String,
    state: Option<ServiceStatus>,
    group: Option<Id<Group>>,
    cursor: Option<Start>,
}

impl Asked {
    /// Reads a query. What can't be read asks for nothing: an address that somebody cut short shows the list from its beginning.
    fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "q" => asked.q = value.trim().chars().take(Q_MAX).collect(),
                "state" => asked.state = ServiceStatus::parse(&value),
                "group" => asked.group = value.parse().ok(),
                "cursor" => asked.cursor = Start::parse(&value),
                _ => {}
            }
        }
        asked
    }

    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if let Some(state) = self.state {
            query.append_pair("state", state.as_str());
        }
        if let Some(group) = self.group {
            query.append_pair("group", &group.to_string());
        }
        if let Some(cursor) = &self.cursor {
            query.append_pair("cursor", &cursor.to_string());
        }
        query.finish()
    }

    /// Its address within the organization's pages.
    fn path(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/services".into(),
            query => format!("/services?{query}"),
        }
    }

    fn at_the_top(&self) -> Self {
        Self { cursor: None, ..self.clone() }
    }

    fn is_filter(&self) -> bool {
        self.at_the_top() != Self::default()
    }

    /// Whether services are looked for by what only some of a group have.
    fn is_search(&self) -> bool {
        !self.q.is_empty() || self.state.is_some()
    }

    fn wants(&self, service: &Service) -> bool {
        self.group.is_none_or(|group| service.group_id == Some(group)) && self.state.is_none_or(|state| service.status() == state)
    }

    /// After which line of the whole list this begins.
    fn line(&self) -> Option<Place> {
        match &self.cursor {
            Some(Start::Line(place)) => Some(*place),
            _ => None,
        }
    }

    /// The same list where this thing is on the sheet. In a filtered one nothing is moved.
    fn following(self, view: &impl Reads, thing: Thing) -> Result<Self> {
        if self.is_filter() {
            return Ok(self);
        }
        let cursor = sheet::follow(view, self.line(), thing)?.map(Start::Line);
        Ok(Self { cursor, ..self })
    }

    /// What this asks for, from its cursor on, and after which place to go on. A cursor of another kind of list begins at the beginning.
    fn read<P: Permission>(&self, view: &OrgView<'_, P>) -> Result<(Vec<Section>, Option<Start>)> {
        if !self.is_search() {
            let Sheet { sections, next } = sheet::read(view, self.group, self.line())?;
            return Ok((sections, next.map(Start::Line)));
        }
        let after = match &self.cursor {
            Some(Start::Found(cursor)) => Some(cursor.clone()),
            _ => None,
        };
        let wanted = self.q.to_lowercase();
        let page = match self.group {
            Some(group) => self.walk(view, || Service::IN_GROUP.of(group), &wanted, after)?,
            None if wanted.is_empty() => {
                let word = self.state.map_or("", ServiceStatus::as_str);
                self.walk(view, || Service::BY_STATUS.of(word.into()), &wanted, after)?
            }
            None => {
                let first = Service::BY_POSITION.of(());
                naming::page(view, &Service::NAMES, first, &wanted, after, LINES, |service| self.wants(service))?
            }
        };
        Ok((sheet::arrange(view, page.items)?, page.next.map(Start::Found)))
    }

    /// Those wanted of a scan. What is read at once is never more than there is room for, so that its end is the sheet's end.
    fn walk(&self, view: &impl Reads, scan: impl Fn() -> Scan<Service>, wanted: &str, mut after: Option<Cursor>) -> Result<Page<Service>> {
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let room = LINES - items.len();
            let part = view.scan(scan().after(after).limit(room))?;
            let fits = |service: &Service| self.wants(service) && Fit::of(&service.name, wanted).is_some();
            items.extend(part.items.into_iter().filter(fits));
            after = part.next;
            looked_at += room;
            if after.is_none() || items.len() == LINES || looked_at >= LOOKED_AT {
                return Ok(Page { items, next: after });
            }
        }
    }

    /// How many services this asks for, where an index knows.
    fn count(&self, view: &impl Reads) -> Result<Option<Count>> {
        match (self.q.is_empty(), self.state, self.group) {
            (true, None, None) => Count::of(view, Service::BY_POSITION.of(())).map(Some),
            (true, None, Some(group)) => Count::of(view, Service::IN_GROUP.of(group)).map(Some),
            (true, Some(state), None) => Count::of(view, Service::BY_STATUS.of(state.as_str().into())).map(Some),
            _ => Ok(None),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/services.html")]
struct ServicesPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    shown: Shown,
    states: &'static [ServiceStatus],
    q: &'a str,
    /// The state asked for; empty for any.
    state: &'static str,
    /// The id of the group asked for; empty for any.
    group: String,
    is_filtered: bool,
    /// The present address, for forms that lead back to it.
    here: String,
    /// Where the list begins, and where it goes on.
    first: Option<String>,
    next: Option<String>,
}

/// What a sheet of the list shows.
struct Shown {
    sections: Vec<SectionRow>,
    next: Option<Start>,
    /// How many services the filter finds, where that is known.
    found: Option<Count>,
    total: Count,
    /// Whether there are groups at all.
    grouped: bool,
    /// The name of the group asked for.
    only: Option<String>,
}

/// A group, or what is in none.
struct SectionRow {
    group: Option<GroupRow>,
    services: Vec<ServiceRow>,
}

struct GroupRow {
    id: String,
    name: String,
    is_continued: bool,
    is_empty: bool,
    is_first: bool,
    is_last: bool,
    /// Which of its buttons was pressed: `up`, `down` or empty. It takes the focus again, so that it can be pressed again.
    pressed: &'static str,
}

struct ServiceRow {
    id: String,
    name: String,
    version: u64,
    is_private: bool,
    status: State,
    /// The word of the status set by hand.
    own: &'static str,
    /// In words, where another one is shown.
    differs: Option<&'static str>,
    causes: Causes,
    is_first: bool,
    is_last: bool,
    pressed: &'static str,
}

impl GroupRow {
    fn of(heading: Heading, pressed: &str) -> Self {
        let Heading { group, is_continued, is_empty, is_first, is_last } = heading;
        let id = group.id.to_string();
        Self { pressed: button(pressed, &id), id, name: group.name, is_continued, is_empty, is_first, is_last }
    }
}

impl ServiceRow {
    fn read(view: &impl Reads, titles: &mut Titles, line: Line, pressed: &str) -> Result<Self> {
        let Line { service, is_first, is_last } = line;
        let shown = service.status();
        let id = service.id.to_string();
        Ok(Self {
            pressed: button(pressed, &id),
            id,
            version: service.version,
            is_private: !service.is_public(),
            status: shown.into(),
            own: service.own_status.as_str(),
            differs: (shown != service.own_status).then(|| service.own_status.label()),
            causes: Causes::worsening(view, titles, &service, CAUSES_SHOWN)?,
            name: service.name,
            is_first,
            is_last,
        })
    }
}

impl Shown {
    fn read<P: Permission>(view: &OrgView<'_, P>, asked: &Asked, pressed: &str) -> Result<Self> {
        let only: Option<Group> = asked.group.map(|id| view.find(id)).transpose()?.flatten();
        let (sections, next) = asked.read(view)?;
        let (mut rows, mut shown, mut titles) = (Vec::new(), 0, Titles::default());
        for Section { heading, lines } in sections {
            shown += lines.len();
            let services = lines.into_iter().map(|line| ServiceRow::read(view, &mut titles, line, pressed)).collect::<Result<_>>()?;
            rows.push(SectionRow { group: heading.map(|heading| GroupRow::of(heading, pressed)), services });
        }
        let is_whole = asked.cursor.is_none() && next.is_none();
        Ok(Self {
            sections: rows,
            found: if is_whole { Some(Count::exactly(shown)) } else { asked.count(view)? },
            next,
            total: Count::of(view, Service::BY_POSITION.of(()))?,
            grouped: !group::list(view, |scan| scan.limit(1))?.items.is_empty(),
            only: only.filter(|group| group.deleted_at.is_none()).map(|group| group.name),
        })
    }
}

impl<'a> ServicesPage<'a> {
    fn new(frame: &'a Frame, asked: &'a Asked, shown: Shown) -> Self {
        let at = |cursor| frame.path(&Asked { cursor, ..asked.clone() }.path());
        Self {
            shell: &frame.shell,
            frame,
            states: ServiceStatus::ALL,
            q: &asked.q,
            state: asked.state.map_or("", ServiceStatus::as_str),
            group: asked.group.map(|group| group.to_string()).unwrap_or_default(),
            is_filtered: asked.is_filter(),
            here: asked.query(),
            first: asked.cursor.as_ref().map(|_| at(None)),
            next: shown.next.clone().map(|next| at(Some(next))),
            shown,
        }
    }
}

/// Leads from a button of the list back to where it was pressed: the field `list` has the list's query. The button is named in the query,
/// too: htmx follows a redirect without its fragment.
///
/// # Errors
/// As [`Desk::done`].
pub(crate) fn back(desk: &Desk, fields: &Fields, done: Option<Done>, button: &str, id: impl fmt::Display) -> Result<Response> {
    led(desk, &Asked::of(fields.get("list")), done, button, id)
}

/// As [`back`], after a step of this thing: to the sheet on which it stands by now.
///
/// # Errors
/// As [`back`]; what the store says.
pub(crate) async fn back_to(desk: &Desk, fields: &Fields, is_moved: bool, thing: Thing) -> Result<Response> {
    let (mut asked, direction) = (Asked::of(fields.get("list")), fields.get("direction"));
    if is_moved {
        let follow = move |view: &OrgView<'_, Read>| asked.following(view, thing);
        asked = desk.web.app.read(desk.caller.actor(), desk.org, follow).await?;
    }
    led(desk, &asked, is_moved.then_some(Done::Moved), direction, thing)
}

fn led(desk: &Desk, asked: &Asked, done: Option<Done>, button: &str, id: impl fmt::Display) -> Result<Response> {
    let (path, button) = (asked.path(), format!("{button}-{id}"));
    let Some(done) = done else {
        let mark = if path.contains('?') { '&' } else { '?' };
        return see_other(&desk.web, &format!("/o/{}{path}{mark}of={button}#{button}", desk.slug));
    };
    desk.done(&format!("{path}#{button}"), done, &button)
}

/// Which button of this thing is named so; empty when none is.
fn button(named: &str, id: &str) -> &'static str {
    let button = named.strip_suffix(id).and_then(|rest| rest.strip_suffix('-'));
    ["up", "down", "set"].into_iter().find(|known| Some(*known) == button).unwrap_or_default()
}

/// `GET /o/:org/services`.
#[handler]
pub(crate) async fn list(desk: Desk, request: &Request) -> poem::Result<Response> {
    let asked = Asked::of(request.uri().query().unwrap_or_default());
    let (wanted, pressed) = (asked.clone(), query(request, "of"));
    let (frame, shown) = desk.look(Tab::Services, move |view: &OrgView<'_, Read>| Shown::read(view, &wanted, &pressed)).await?;
    Ok(html(StatusCode::OK, &ServicesPage::new(&frame, &asked, shown))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::domain::service::{ServicePatch, Visibility};
    use crate::domain::testing::TestOrg;
    use crate::pages::admin::why::Cause;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn row(number: u32, name: &str) -> ServiceRow {
        ServiceRow {
            id: format!("svc_{number:032x}"),
            name: name.into(),
            version: 3,
            is_private: true,
            status: ServiceStatus::MajorOutage.into(),
            own: "operational",
            differs: Some("Operational"),
            causes: Causes { first: vec![Cause { id: "inc_1".into(), title: name.into(), status: None }], more: Some("2".into()) },
            is_first: number == 1,
            is_last: false,
            pressed: if number == 2 { "down" } else { "" },
        }
    }

    fn shown(name: &str, rows: u32) -> Shown {
        let group = GroupRow {
            id: "grp_1".into(),
            name: name.into(),
            is_continued: true,
            is_empty: false,
            is_first: true,
            is_last: false,
            pressed: "",
        };
        let services = (1..=rows).map(|number| row(number, name)).collect();
        Shown {
            sections: vec![SectionRow { group: None, services }, SectionRow { group: Some(group), services: Vec::new() }],
            next: None,
            found: Some(Count::exactly(rows as usize)),
            total: Count::exactly(rows as usize),
            grouped: true,
            only: Some(name.into()),
        }
    }

    fn rendered(frame: &Frame, asked: &Asked, shown: Shown) -> String {
        ServicesPage::new(frame, asked, shown).render().unwrap()
    }

    #[test]
    fn an_empty_list_says_what_to_do_next() {
        let empty = || Shown {
            sections: Vec::new(),
            next: None,
            found: Some(Count::default()),
            total: Count::default(),
            grouped: false,
            only: None,
        };
        let html = rendered(&Frame::sample("Acme", Tab::Services), &Asked::default(), empty());
        assert!(html.contains("No services yet") && html.contains("/status/o/acme/services/new"), "{html}");
        assert!(html.contains("curl --cookie cookies.txt https://example.org/status/api/services"), "{html}");
        assert!(html.contains("organization_id"), "who belongs to several must say which");

        let viewer = Frame { role: Role::Viewer, ..Frame::sample("Acme", Tab::Services) };
        let html = rendered(&viewer, &Asked::default(), empty());
        assert!(html.contains("No services yet") && !html.contains("/services/new"), "{html}");

        let nothing_found = Shown { total: Count::exactly(7), ..empty() };
        let html = rendered(&Frame::sample("Acme", Tab::Services), &Asked::of("q=zzz"), nothing_found);
        assert!(html.contains("No service matches") && html.contains("value=\"zzz\""), "{html}");
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in [EVIL, &"long ".repeat(40), "مرحبا"] {
            let html = rendered(&Frame::sample(name, Tab::Services), &Asked::of("q=%22%3E%3Cscript%3Ealert(1)"), shown(name, 3));
            assert!(!html.contains("<script>alert"), "{html}");
            assert!(html.contains("and 2 more") && html.contains("Set by hand: Operational"), "{html}");
        }
    }

    #[test]
    fn each_role_sees_what_it_may_do() {
        let seen = |role| rendered(&Frame { role, ..Frame::sample("Acme", Tab::Services) }, &Asked::default(), shown("API", 2));
        let (viewer, responder, editor) = (seen(Role::Viewer), seen(Role::Responder), seen(Role::Editor));
        assert!(!viewer.contains("/status\"") && !viewer.contains("/shift\""), "{viewer}");
        assert!(responder.contains("/status\"") && !responder.contains("/shift\""), "{responder}");
        assert!(editor.contains("/status\"") && editor.contains("/shift\""), "{editor}");
    }

    #[test]
    fn places_are_not_changed_where_only_some_are_seen() {
        let html = rendered(&Frame::sample("Acme", Tab::Services), &Asked::of("q=api"), shown("API", 2));
        assert!(!html.contains("/shift\""), "{html}");
    }

    #[test]
    fn the_button_that_was_pressed_takes_the_focus() {
        for (named, expected) in [("up-svc_1", "up"), ("set-svc_1", "set"), ("up-svc_2", ""), ("svc_1", ""), ("x-svc_1", ""), ("", "")] {
            assert_eq!(button(named, "svc_1"), expected, "{named}");
        }
        let html = rendered(&Frame::sample("Acme", Tab::Services), &Asked::default(), shown("API", 3));
        assert_eq!(html.matches(" autofocus").count(), 1, "{html}");
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let id = "000000000000000000000000000000ab";
        let asked = Asked::of(&format!("q=+a%26b%3D&state=major_outage&group=grp_{id}&cursor=..3.svc_{id}&told=x"));
        assert_eq!(asked.q, "a&b=");
        assert!(asked.state.is_some() && asked.group.is_some() && asked.cursor.is_some());
        assert_eq!(asked.path().strip_prefix("/services?").map(Asked::of), Some(asked));
        let cursor = Cursor::at(-3, Id::<Service>::from_u128(7));
        let asked = Asked { state: Some(ServiceStatus::Unknown), cursor: Some(Start::Found(cursor)), ..Asked::default() };
        assert_eq!(asked.path().strip_prefix("/services?").map(Asked::of), Some(asked));
        assert_eq!(Asked::of("state=fine&group=x&cursor=%00&q=").path(), "/services");
    }

    /// The names of all that is asked for, sheet by sheet.
    fn walk(org: &TestOrg, query: &str) -> Vec<Vec<String>> {
        let (mut sheets, mut asked) = (Vec::new(), Asked::of(query));
        loop {
            let wanted = asked.clone();
            let shown = org.read(move |view| Shown::read(view, &wanted, ""));
            sheets.push(shown.sections.into_iter().flat_map(|section| section.services).map(|row| row.name).collect());
            let Some(next) = shown.next else { return sheets };
            // As the link to the next sheet says it.
            asked = Asked::of(&Asked { cursor: Some(next), ..asked }.query());
        }
    }

    #[test]
    fn what_was_moved_off_its_sheet_has_the_focus_where_it_stands_now() {
        let mut org = TestOrg::new();
        let mut named = |number| org.service(&format!("Service {number}"), Visibility::Public, ServiceStatus::Unknown);
        let ids: Vec<_> = (0..60).map(&mut named).collect();
        let id = ids[LINES - 1];
        org.change(move |tx| crate::domain::service::shift(tx, id, crate::domain::order::Direction::Down)).unwrap();
        let followed = |query: &str| {
            let asked = Asked::of(query);
            org.read(move |view| asked.following(view, Thing::Service(id)))
        };
        let asked = followed("");
        assert_eq!(asked.path().strip_prefix("/services?").map(Asked::of).as_ref(), Some(&asked));
        let shown = org.read(move |view| Shown::read(view, &asked, &format!("down-{id}")));
        let pressed: Vec<_> = shown.sections.iter().flat_map(|section| &section.services).filter(|row| row.pressed == "down").collect();
        assert_eq!(pressed.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Service 49"]);
        for filtered in ["q=api", "state=unknown"] {
            assert_eq!(followed(filtered), Asked::of(filtered));
        }
    }

    #[test]
    fn what_is_asked_for_comes_once_sheet_by_sheet() {
        let mut org = TestOrg::new();
        let group = org.group("Core");
        for number in 0..120_usize {
            let status = if number % 2 == 0 { ServiceStatus::PartialOutage } else { ServiceStatus::Operational };
            let id = org.service(&format!("Service {number:03} EU"), Visibility::Private, status);
            if number % 4 == 0 {
                org.patch(id, ServicePatch { group_id: Some(Some(group)), ..ServicePatch::default() });
            }
        }
        org.open("It fails", [("Service 001 EU", ServiceStatus::MajorOutage), ("Service 002 EU", ServiceStatus::DegradedPerformance)]);
        for (query, count) in [
            (String::new(), 120),
            ("state=partial_outage".to_owned(), 60),
            ("state=operational".to_owned(), 59),
            ("state=major_outage".to_owned(), 1),
            ("state=unknown".to_owned(), 0),
            (format!("group={group}"), 30),
            (format!("group={group}&state=partial_outage"), 30),
            ("q=EU".to_owned(), 120),
            ("q=service+00".to_owned(), 10),
            ("q=eu&state=partial_outage".to_owned(), 60),
            (format!("q=eu&group={group}"), 30),
            (format!("q=rvice+1&group={group}"), 5),
            (format!("q=rvice+1&group={group}&state=operational"), 0),
            ("q=rvice+00".to_owned(), 10),
        ] {
            let sheets = walk(&org, &query);
            assert!(sheets.iter().all(|sheet| sheet.len() <= LINES), "{query}");
            let mut all = sheets.concat();
            assert_eq!(all.len(), count, "{query}");
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count, "{query}");
        }
        let found = |query: &str| {
            let asked = Asked::of(query);
            org.read(move |view| Shown::read(view, &asked, "")).found.map(|found| found.to_string())
        };
        assert_eq!(found("").as_deref(), Some("120"));
        assert_eq!(found("state=partial_outage").as_deref(), Some("60"));
        assert_eq!(found("q=service+00").as_deref(), Some("10"));
        assert_eq!(found("q=eu"), None, "not all of them were looked at");
    }
}
