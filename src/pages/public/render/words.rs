//! Everything that the template says, in words: no rule is left to it.

use unicode_segmentation::UnicodeSegmentation as _;

use super::days::{self, Stretch};
use super::incident::Incident;
use super::told;
use crate::domain::page::{PageView, Section};
use crate::domain::public::{PublicGroup, PublicPage, PublicService};
use crate::domain::status::ServiceStatus;
use crate::pages::markdown::{self, SafeHtml};
use crate::pages::shell::Shell;
use crate::pages::when::{State, When};

/// The most characters of a page's description in a preview: more is cut off by those who show it.
const PREVIEW_MAX: usize = 200;

/// A page, as the template reads it.
pub(super) struct Page {
    pub(super) name: String,
    pub(super) logo: Option<Logo>,
    /// Stands for a logo.
    pub(super) mark: String,
    /// What the page says of itself.
    pub(super) about: SafeHtml,
    /// The name of the zone in which its times are told and its days are cut.
    pub(super) zone: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) canonical: String,
    pub(super) live: String,
    pub(super) icon: String,
    pub(super) base_css: String,
    pub(super) page_css: String,
    pub(super) theme_js: String,
    pub(super) htmx_js: String,
    pub(super) sse_js: String,
    pub(super) page_js: String,
    pub(super) state: &'static str,
    pub(super) description: &'static str,
    /// How much of it is concerned; nothing where the description says it all.
    pub(super) extent: Option<String>,
    pub(super) active: Vec<Incident>,
    pub(super) groups: Vec<Group>,
    /// How many days `days` are about.
    pub(super) span: usize,
    pub(super) days: Vec<Stretch>,
    pub(super) as_of: When,
}

/// A picture beside the name.
pub(super) struct Logo {
    pub(super) path: String,
    /// For other sites, which show it with a link to the page.
    pub(super) url: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Services shown together.
pub(super) struct Group {
    pub(super) heading: Option<Heading>,
    pub(super) services: Vec<Service>,
}

/// What is seen of a group that is folded.
pub(super) struct Heading {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: State,
    pub(super) extent: Option<String>,
}

/// One row.
pub(super) struct Service {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: SafeHtml,
    pub(super) status: State,
}

impl Page {
    pub(super) fn new(view: &PageView, shell: &Shell) -> Self {
        let name = view.page.name.clone();
        let zone = &view.page.zone;
        let path = format!("/p/{}", view.page.slug);
        let state = view.rollup.state.as_str();
        let description = view.rollup.description;
        Self {
            logo: Logo::of(&view.page, shell),
            mark: mark(&name).to_owned(),
            about: markdown::render(&view.page.description),
            zone: view.page.zone_name().to_owned(),
            title: format!("{description} · {name}"),
            summary: summary(view),
            canonical: shell.absolute(&path),
            live: format!("{}{path}/live?after={}", shell.path(), view.at),
            icon: shell.asset(&format!("favicon-{state}.svg")),
            base_css: shell.asset("base.css"),
            page_css: shell.asset("page.css"),
            theme_js: shell.asset("theme.js"),
            htmx_js: shell.asset("vendor/htmx.min.js"),
            sse_js: shell.asset("vendor/hx-sse.min.js"),
            page_js: shell.asset("page.js"),
            extent: extent(view.sections.iter().flat_map(|section| &section.services)),
            active: view.active.iter().map(|incident| Incident::active(incident, zone)).collect(),
            groups: view.sections.iter().filter(|section| !section.services.is_empty()).map(Group::from).collect(),
            span: view.days.len(),
            days: days::stretches(&view.days, zone),
            as_of: told::moment(view.as_of, zone),
            name,
            state,
            description,
        }
    }
}

/// What a preview says below the title: how things are, what goes wrong, and then what this is about.
fn summary(view: &PageView) -> String {
    let (name, description) = (&view.page.name, view.rollup.description);
    let state = match view.active.as_slice() {
        [] => format!("{name}: {description}."),
        [only] => format!("{name}: {description}. {}", only.title),
        [first, rest @ ..] => format!("{name}: {description}. {} (and {} more)", first.title, rest.len()),
    };
    let about = told::line(&view.page.description, PREVIEW_MAX);
    match (about.as_str(), state.ends_with(['.', '!', '?'])) {
        ("", _) => state,
        (about, true) => format!("{state} {about}"),
        (about, false) => format!("{state}. {about}"),
    }
}

impl Logo {
    fn of(page: &PublicPage, shell: &Shell) -> Option<Self> {
        let logo = page.logo.as_ref()?;
        let path = format!("/p/{}/logo/{}.png", page.slug, logo.hash);
        Some(Self { url: shell.absolute(&path), path: format!("{}{path}", shell.path()), width: logo.width, height: logo.height })
    }
}

/// A name's first letter or digit, as people count letters; of one that has none, what it begins with.
pub(super) fn mark(name: &str) -> &str {
    let mut letters = name.graphemes(true);
    let first = letters.clone().next().unwrap_or_default();
    letters.find(|letter| letter.contains(char::is_alphanumeric)).unwrap_or(first)
}

impl From<&Section> for Group {
    fn from(section: &Section) -> Self {
        let heading = |group: &PublicGroup| Heading {
            id: group.id.to_string(),
            name: group.name.clone(),
            status: worst(&section.services).into(),
            extent: hit(&section.services),
        };
        Self { heading: section.group.as_ref().map(heading), services: section.services.iter().map(Service::from).collect() }
    }
}

/// What a folded group must not hide.
pub(super) fn worst(services: &[PublicService]) -> ServiceStatus {
    services.iter().map(|service| service.status).fold(ServiceStatus::Unknown, ServiceStatus::worst)
}

/// Of how many in a group the state is that the group shows, where not all is well.
fn hit(services: &[PublicService]) -> Option<String> {
    let affected = services.iter().filter(|service| is_affected(service.status)).count();
    (affected > 0).then(|| format!("{affected} of {} affected", services.len()))
}

/// "2 of 14 services affected · 1 under maintenance"
pub(super) fn extent<'a>(services: impl Iterator<Item = &'a PublicService> + Clone) -> Option<String> {
    let all = services.clone().count();
    let count = |holds: fn(ServiceStatus) -> bool| services.clone().filter(|service| holds(service.status)).count();
    let counts = [
        (count(is_affected), "affected"),
        (count(|status| status == ServiceStatus::UnderMaintenance), "under maintenance"),
        // "All systems operational" is said of those that something is known of.
        (count(|status| status == ServiceStatus::Unknown), "without data"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .enumerate()
        .map(|(place, (number, what))| match (place, all) {
            (0, 1) => format!("{number} of 1 service {what}"),
            (0, _) => format!("{number} of {all} services {what}"),
            _ => format!("{number} {what}"),
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Whether it works less well than it should.
fn is_affected(status: ServiceStatus) -> bool {
    matches!(status, ServiceStatus::DegradedPerformance | ServiceStatus::PartialOutage | ServiceStatus::MajorOutage)
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
