//! A page as it stands at one moment.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Page;
use crate::clock::Timestamp;
use crate::domain::public::{Public, PublicGroup, PublicIncident, PublicPage, PublicService};
use crate::domain::status::{self, Rollup};
use crate::error::Result;
use crate::id::Id;
use crate::store::{LogKind, OrgView};

/// How many days of incidents a page shows, today included.
pub const DAYS: i64 = 14;

/// A page as it stands at one moment: the one thing that every face of it is made from.
///
/// Whoever looks at the same state on the same day sees the same, save for `made_at`. What visitors are shown is made from the rest alone,
/// so that a page has the same bytes, and the same tag, in whatever process it was rendered.
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
    /// The day it is, in the page's zone.
    pub today: Date,
    /// The last days, newest first, with the incidents that ended then; fewer where there is too much to tell.
    pub days: Vec<Day>,
    /// The position in the page's log that this view shows: `<epoch>:<seq>`.
    pub at: String,
    /// That position's number.
    pub seq: u64,
    /// Since when it has stood as it does: the last time that its log told something, or the beginning of `today`, if that was later.
    pub as_of: Timestamp,
    /// The time it was made for. It says how long the view is good, and is not for showing: it differs by who looks.
    pub made_at: Timestamp,
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
    /// In the page's zone.
    pub date: Date,
    /// The latest ended first.
    pub incidents: Vec<PublicIncident>,
}

/// Looks at a page as visitors may see it now.
///
/// # Errors
/// `NotFound` when the organization has no such page, or is shut.
pub fn view(view: &OrgView<'_, Public>, id: Id<Page>, epoch: &str) -> Result<PageView> {
    let page = view.page(id)?;
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

    let today = date(now, &page.zone);
    let oldest = today.saturating_sub(jiff::Span::new().days(DAYS - 1));
    // Before the calendar's first day there is no midnight, and nothing that could be left out.
    let since = midnight(oldest, &page.zone).unwrap_or(Timestamp::from_millis(i64::MIN));
    let mut days: Vec<Day> =
        (0..DAYS).map(|back| Day { date: today.saturating_sub(jiff::Span::new().days(back)), incidents: Vec::new() }).collect();
    let (closed, left_out) = view.closed_since(since)?;
    if let Some(at) = left_out {
        // A day that is not told of wholly must not read as a quiet one. Today is shown in any case.
        let cut = date(at, &page.zone);
        days.retain(|day| day.date > cut || day.date == today);
    }
    for incident in closed {
        // By its end: what was said last belongs where visitors look first, also after weeks.
        let ended = date(incident.resolved_at.unwrap_or(incident.started_at), &page.zone);
        if let Some(day) = days.iter_mut().find(|day| day.date == ended) {
            day.incidents.push(incident);
        }
    }
    let seq = view.head(LogKind::Page(id.uuid()))?;
    let last_told = view.last_told(id)?;
    let as_of = midnight(today, &page.zone).map_or(last_told, |begun| begun.max(last_told));
    Ok(PageView {
        page,
        rollup: status::rollup(&statuses),
        sections,
        active: view.active()?,
        today,
        days,
        at: format!("{epoch}:{seq}"),
        seq,
        as_of,
        made_at: now,
    })
}

/// When a page made now has to be made anew, since another day is "today": the next midnight of its zone.
pub fn good_until(now: Timestamp, zone: &TimeZone) -> Timestamp {
    let tomorrow = date(now, zone).tomorrow().ok().and_then(|date| midnight(date, zone));
    // On the last day of the calendar any time will do.
    tomorrow.unwrap_or(now.plus(Duration::from_secs(86_400)))
}

fn date(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at.jiff()).date()
}

/// When a day begins: where clocks are set at midnight it has none, or two, and its beginning is the first moment that is of it.
fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp::from_millis(start.as_millisecond()))
}
