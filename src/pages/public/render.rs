//! The public page as HTML: whole for a visitor who comes, in fragments for those who stay.
//!
//! A fragment is one live region of `templates/public/page.html`, rendered by the same block as in the page. Ids within it are stable, for
//! htmx's morph finds by them what it must keep: the focus, and which details are open.

use askama::Template;

use crate::clock::Timestamp;
use crate::domain::page::{Day, PageView, Section};
use crate::domain::public::{PublicGroup, PublicIncident, PublicService, PublicUpdate};
use crate::domain::status::{Impact, ServiceStatus};
use crate::pages::markdown::{self, SafeHtml};
use crate::pages::shell::Shell;

/// How many updates of an active incident are shown before the rest folds away.
const LATEST: usize = 3;

/// One rendering of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole document.
    pub html: String,
    /// Every live region of it, in the page's order.
    pub fragments: Vec<Fragment>,
}

/// One live region: an element that replaces the one with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The element's DOM id.
    pub target: &'static str,
    /// The element itself.
    pub html: String,
}

/// Renders the page and its fragments.
///
/// # Errors
/// Only when formatting itself fails, which a `String` never does.
pub fn render(view: &PageView, shell: &Shell) -> Result<Rendered, askama::Error> {
    let page = &Page::new(view, shell);
    let fragment = |target, html: String| Fragment { target, html: html.trim().to_owned() };
    Ok(Rendered {
        html: Whole { page }.render()?,
        fragments: vec![
            fragment("banner", Banner { page }.render()?),
            fragment("incidents", Incidents { page }.render()?),
            fragment("services", Services { page }.render()?),
            fragment("history", History { page }.render()?),
            fragment("asof", AsOf { page }.render()?),
        ],
    })
}

/// The data of one unnamed SSE frame that morphs these fragments into an open page.
///
/// Partials alone: what is outside of one would be swapped into the element that listens. Each is morphed as a whole element
/// (`outerMorph`), so that attributes such as `data-state` and `hidden` follow, too.
pub fn frame<'a>(fragments: impl IntoIterator<Item = &'a Fragment>) -> String {
    let mut data = String::new();
    for Fragment { target, html } in fragments {
        data.push_str("<hx-partial hx-target=\"#");
        data.push_str(target);
        data.push_str("\" hx-swap=\"outerMorph\">");
        data.push_str(html);
        data.push_str("</hx-partial>");
    }
    data
}

#[derive(Template)]
#[template(path = "public/page.html")]
struct Whole<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "banner")]
struct Banner<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "incidents")]
struct Incidents<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "services")]
struct Services<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "history")]
struct History<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "asof")]
struct AsOf<'a> {
    page: &'a Page,
}

/// Everything the template says, in words: no rule is left to it.
struct Page {
    name: String,
    title: String,
    summary: String,
    canonical: String,
    live: String,
    icon: String,
    base_css: String,
    page_css: String,
    htmx_js: String,
    sse_js: String,
    page_js: String,
    state: &'static str,
    description: &'static str,
    active: Vec<Incident>,
    groups: Vec<Group>,
    days: Vec<QuietOrNot>,
    as_of: When,
}

struct Group {
    heading: Option<Heading>,
    services: Vec<Service>,
}

struct Heading {
    id: String,
    name: String,
    status: Status,
}

struct Service {
    id: String,
    name: String,
    description: SafeHtml,
    status: Status,
}

struct Status {
    state: &'static str,
    word: &'static str,
}

struct QuietOrNot {
    iso: String,
    text: String,
    incidents: Vec<Incident>,
}

struct Incident {
    id: String,
    title: String,
    status: &'static str,
    impact: &'static str,
    impact_label: Option<&'static str>,
    started: When,
    resolved: Option<When>,
    affected: Vec<Affected>,
    latest: Vec<Update>,
    earlier: Vec<Update>,
}

struct Affected {
    name: String,
    status: Option<Status>,
}

struct Update {
    status: &'static str,
    at: When,
    message: SafeHtml,
}

/// A moment for `<time>`: UTC in words, which a script turns to the visitor's zone.
struct When {
    iso: String,
    text: String,
}

impl Page {
    fn new(view: &PageView, shell: &Shell) -> Self {
        let name = view.page.name.clone();
        let path = format!("/p/{}", view.page.slug);
        let state = view.rollup.state.as_str();
        let description = view.rollup.description;
        Self {
            title: format!("{description} · {name}"),
            summary: match view.active.as_slice() {
                [] => format!("{name}: {description}."),
                [only] => format!("{name}: {description}. {}", only.title),
                [first, rest @ ..] => format!("{name}: {description}. {} (and {} more)", first.title, rest.len()),
            },
            canonical: shell.absolute(&path),
            live: format!("{}{path}/live?after={}", shell.path(), view.at),
            icon: shell.asset(&format!("favicon-{state}.svg")),
            base_css: shell.asset("base.css"),
            page_css: shell.asset("page.css"),
            htmx_js: shell.asset("vendor/htmx.min.js"),
            sse_js: shell.asset("vendor/hx-sse.min.js"),
            page_js: shell.asset("page.js"),
            active: view.active.iter().map(Incident::from).collect(),
            groups: view.sections.iter().filter(|section| !section.services.is_empty()).map(Group::from).collect(),
            days: view.days.iter().map(QuietOrNot::from).collect(),
            as_of: When::from(view.made_at),
            name,
            state,
            description,
        }
    }
}

impl From<&Section> for Group {
    fn from(section: &Section) -> Self {
        let heading =
            |group: &PublicGroup| Heading { id: group.id.to_string(), name: group.name.clone(), status: worst(&section.services).into() };
        Self { heading: section.group.as_ref().map(heading), services: section.services.iter().map(Service::from).collect() }
    }
}

/// What a folded group must not hide.
fn worst(services: &[PublicService]) -> ServiceStatus {
    services.iter().map(|service| service.status).fold(ServiceStatus::Unknown, ServiceStatus::worst)
}

impl From<&PublicService> for Service {
    fn from(service: &PublicService) -> Self {
        Self {
            id: service.id.to_string(),
            name: service.name.clone(),
            description: markdown::render(&service.description),
            status: service.status.into(),
        }
    }
}

impl From<ServiceStatus> for Status {
    fn from(status: ServiceStatus) -> Self {
        Self { state: status.as_str(), word: status.label() }
    }
}

impl From<&Day> for QuietOrNot {
    fn from(day: &Day) -> Self {
        Self {
            iso: day.date.to_string(),
            text: day.date.strftime("%-d %B %Y").to_string(),
            incidents: day.incidents.iter().map(Incident::from).collect(),
        }
    }
}

impl From<&PublicIncident> for Incident {
    fn from(incident: &PublicIncident) -> Self {
        let mut latest: Vec<Update> = incident.updates.iter().map(Update::from).collect();
        let earlier = latest.split_off(LATEST.min(latest.len()));
        Self {
            id: incident.id.to_string(),
            title: incident.title.clone(),
            status: incident.status.label(),
            impact: incident.impact.as_str(),
            // "Impact: None" would read as a claim; an incident that names no effect says nothing of it.
            impact_label: (!matches!(incident.impact, Impact::None)).then(|| incident.impact.label()),
            started: incident.started_at.into(),
            resolved: incident.resolved_at.map(When::from),
            affected: incident
                .affected
                .iter()
                .map(|affected| Affected { name: affected.name.clone(), status: affected.status.map(Status::from) })
                .collect(),
            latest,
            earlier,
        }
    }
}

impl From<&PublicUpdate> for Update {
    fn from(update: &PublicUpdate) -> Self {
        Self { status: update.status.label(), at: update.created_at.into(), message: markdown::render(&update.message) }
    }
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        Self { iso: at.to_string(), text: at.jiff().strftime("%-d %b %Y, %H:%M UTC").to_string() }
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
