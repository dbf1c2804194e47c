//! The list of an organization's services.

use std::fmt;

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::sheet::{self, Heading, Line, Place, Sheet};
use crate::access::Read;
use crate::domain::group::{self, Group};
use crate::domain::incident::Incident;
use crate::domain::service::{self, Service};
use crate::domain::status::ServiceStatus;
use crate::error::Result;
use crate::id::Id;
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::admin::why::Causes;
use crate::pages::answer::{html, see_other};
use crate::pages::fields::Fields;
use crate::pages::shell::Shell;
use crate::pages::when::State;
use crate::store::{OrgView, Reads};

/// The most characters that are looked for.
const Q_MAX: usize = 200;
/// How many incidents a line names as the cause of its state.
const CAUSES_SHOWN: usize = 2;

/// What of the list is asked for, as its address says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    q: String,
    state: Option<ServiceStatus>,
    group: Option<Id<Group>>,
    cursor: Option<Place>,
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
                "cursor" => asked.cursor = Place::parse(&value),
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
        if let Some(cursor) = self.cursor {
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

    fn wants(&self, service: &Service, open: &[Incident]) -> bool {
        self.group.is_none_or(|group| service.group_id == Some(group))
            && self.state.is_none_or(|state| service::effective_among(open, service) == state)
            && (self.q.is_empty() || service.name.to_lowercase().contains(&self.q.to_lowercase()))
    }

    /// Whether a group is shown where none of its services is.
    fn shows_empty(&self, group: &Group) -> bool {
        self.state.is_none()
            && self.group.is_none_or(|wanted| group.id == wanted)
            && (self.q.is_empty() || group.name.to_lowercase().contains(&self.q.to_lowercase()))
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
    next: Option<Place>,
    found: usize,
    total: usize,
    groups: usize,
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
    fn of(line: Line, open: &[Incident], pressed: &str) -> Self {
        let Line { service, is_first, is_last } = line;
        let shown = service::effective_among(open, &service);
        let id = service.id.to_string();
        Self {
            pressed: button(pressed, &id),
            id,
            version: service.version,
            is_private: !service.is_public(),
            status: shown.into(),
            own: service.own_status.as_str(),
            differs: (shown != service.own_status).then(|| service.own_status.label()),
            causes: Causes::worsening(open, &service, shown, CAUSES_SHOWN),
            name: service.name,
            is_first,
            is_last,
        }
    }
}

impl Shown {
    fn read(view: &impl Reads, asked: &Asked, pressed: &str) -> Result<Self> {
        let open = service::open_incidents(view)?;
        let groups = group::list(view, |scan| scan)?.items;
        let services = view.scan(Service::BY_POSITION.of(()))?.items;
        let only = asked.group.and_then(|wanted| groups.iter().find(|group| group.id == wanted)).map(|group| group.name.clone());
        let (total, group_count) = (services.len(), groups.len());
        let is_wanted = |service: &Service| asked.wants(service, &open);
        let Sheet { sections, next, found } = sheet::cut(groups, services, is_wanted, |group| asked.shows_empty(group), asked.cursor);
        let sections = sections.into_iter().map(|section| SectionRow {
            group: section.heading.map(|heading| GroupRow::of(heading, pressed)),
            services: section.lines.into_iter().map(|line| ServiceRow::of(line, &open, pressed)).collect(),
        });
        Ok(Self { sections: sections.collect(), next, found, total, groups: group_count, only })
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
            first: asked.cursor.map(|_| at(None)),
            next: shown.next.map(|next| at(Some(next))),
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
    let (path, button) = (Asked::of(fields.get("list")).path(), format!("{button}-{id}"));
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
            causes: Causes { first: vec![Cause { id: "inc_1".into(), title: name.into(), status: None }], more: 2 },
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
            found: rows as usize,
            total: rows as usize,
            groups: 1,
            only: Some(name.into()),
        }
    }

    fn rendered(frame: &Frame, asked: &Asked, shown: Shown) -> String {
        ServicesPage::new(frame, asked, shown).render().unwrap()
    }

    #[test]
    fn an_empty_list_says_what_to_do_next() {
        let empty = || Shown { sections: Vec::new(), next: None, found: 0, total: 0, groups: 0, only: None };
        let html = rendered(&Frame::sample("Acme", Tab::Services), &Asked::default(), empty());
        assert!(html.contains("No services yet") && html.contains("/status/o/acme/services/new"), "{html}");
        assert!(html.contains("curl --cookie cookies.txt https://example.org/status/api/services"), "{html}");
        assert!(html.contains("organization_id"), "who belongs to several must say which");

        let viewer = Frame { role: Role::Viewer, ..Frame::sample("Acme", Tab::Services) };
        let html = rendered(&viewer, &Asked::default(), empty());
        assert!(html.contains("No services yet") && !html.contains("/services/new"), "{html}");

        let nothing_found = Shown { total: 7, ..empty() };
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
        assert_eq!(Asked::of("state=fine&group=x&cursor=%00&q=").path(), "/services");
    }
}
