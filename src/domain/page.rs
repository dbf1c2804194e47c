//! Pages: what visitors see, as one value that every face is made from.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::public::{Public, PublicGroup, PublicIncident, PublicService};
use super::status::{self, Rollup};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::store::{Document, LogKind, OrgDocument, OrgView};

/// A public page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its id, and its public log's.
    pub id: Id<Page>,
    /// Counts changes of this document.
    pub version: u64,
    /// In its address, `/p/{slug}`.
    pub slug: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Kind for Page {
    const PREFIX: &'static str = "pag";
}
impl Document for Page {
    const NAME: &'static str = "pages";
    const NUMBER: u16 = 12;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Page {}

/// How many days of incidents a page shows, today included.
pub const DAYS: i64 = 14;

/// A page as it stands at one moment: the one thing that every face of it is made from.
#[derive(Debug, Clone)]
pub struct PageView {
    /// Which.
    pub page: PublicPage,
    /// The line above everything.
    pub rollup: Rollup,
    /// Services in no group first, then the groups in their order; no empty ones.
    pub sections: Vec<Section>,
    /// Unresolved incidents, the latest begun first.
    pub active: Vec<PublicIncident>,
    /// The last days, newest first, with the incidents that ended then; fewer where there is too much to tell.
    pub days: Vec<Day>,
    /// The position in the page's log that this view shows: `<epoch>:<seq>`.
    pub at: String,
    /// That position's number.
    pub seq: u64,
    /// The time it was made for.
    pub made_at: Timestamp,
}

/// A page's name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPage {
    /// In its address.
    pub slug: String,
    /// The organization's name.
    pub name: String,
}

/// Services shown together.
#[derive(Debug, Clone)]
pub struct Section {
    /// `None` for those in no group.
    pub group: Option<PublicGroup>,
    /// In the order shown.
    pub services: Vec<PublicService>,
}

/// One day of history.
#[derive(Debug, Clone)]
pub struct Day {
    /// In UTC.
    pub date: Date,
    /// The latest ended first.
    pub incidents: Vec<PublicIncident>,
}

/// Looks at a page as visitors may see it now.
///
/// # Errors
/// `NotFound` when the organization has no such page.
pub fn view(view: &OrgView<'_, Public>, page: Id<Page>, epoch: &str) -> Result<PageView> {
    let page = view.page(page)?;
    let now = view.made_at();
    let services = view.services()?;
    let statuses: Vec<_> = services.iter().map(|service| service.status).collect();
    let mut sections = vec![Section { group: None, services: Vec::new() }];
    sections.extend(view.groups()?.into_iter().map(|group| Section { group: Some(group), services: Vec::new() }));
    for service in services {
        let place = sections.iter().position(|section| section.group.as_ref().map(|group| group.id) == service.group_id).unwrap_or(0);
        sections[place].services.push(service);
    }
    sections.retain(|section| !section.services.is_empty());

    let today = now.jiff().to_zoned(TimeZone::UTC).date();
    let oldest = today.saturating_sub(jiff::Span::new().days(DAYS - 1));
    let since = oldest
        .to_zoned(TimeZone::UTC)
        .map_or(now.minus(Duration::from_secs(14 * 86_400)), |start| Timestamp::from_millis(start.timestamp().as_millisecond()));
    let mut days: Vec<Day> =
        (0..DAYS).map(|back| Day { date: today.saturating_sub(jiff::Span::new().days(back)), incidents: Vec::new() }).collect();
    let (closed, left_out) = view.closed_since(since)?;
    if let Some(at) = left_out {
        // A day that is not told of wholly must not read as a quiet one. Today is shown in any case.
        let cut = at.jiff().to_zoned(TimeZone::UTC).date();
        days.retain(|day| day.date > cut || day.date == today);
    }
    for incident in closed {
        // By its end: what was said last belongs where visitors look first, also after weeks.
        let date = incident.resolved_at.unwrap_or(incident.started_at).jiff().to_zoned(TimeZone::UTC).date();
        if let Some(day) = days.iter_mut().find(|day| day.date == date) {
            day.incidents.push(incident);
        }
    }
    let seq = view.head(LogKind::Page(page.id.uuid()))?;
    Ok(PageView {
        page: PublicPage { slug: page.slug, name: view.name()? },
        rollup: status::rollup(&statuses),
        sections,
        active: view.active()?,
        days,
        at: format!("{epoch}:{seq}"),
        seq,
        made_at: now,
    })
}

/// When a page made now has to be made anew, since another day is "today": the next midnight, in UTC.
pub fn good_until(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000;
    Timestamp::from_millis((now.millis().div_euclid(DAY) + 1) * DAY)
}
