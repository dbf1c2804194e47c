//! Pages to look at in tests.

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::{Rendered, render};
use crate::clock::Timestamp;
use crate::domain::group::Group;
use crate::domain::incident::{Incident, Update};
use crate::domain::page::{Day, LogoRef, PageView, Section};
use crate::domain::public::{PublicAffected, PublicGroup, PublicIncident, PublicPage, PublicService, PublicUpdate};
use crate::domain::service::Service;
use crate::domain::status::{Impact, IncidentStatus, Rollup, ServiceStatus};
use crate::id::Id;
use crate::pages::shell::Shell;

/// When every sample is looked at.
pub(super) const NOON: i64 = 1_772_366_400_000; // 2026-03-01T12:00:00Z

/// A page that says nothing of itself, by the name of Acme.
fn page() -> PublicPage {
    PublicPage { slug: "acme".into(), name: "Acme".into(), description: String::new(), zone: TimeZone::UTC, logo: None }
}

/// A logo that is twice as wide as it is high.
pub(super) fn logo() -> LogoRef {
    LogoRef { hash: "1a2b3c4d5e6f1a2b3c4d5e6f".into(), width: 320, height: 160 }
}

/// A quiet fortnight, and no services.
pub(super) fn view() -> PageView {
    PageView {
        page: page(),
        rollup: Rollup { description: "All Systems Operational", state: ServiceStatus::Operational },
        sections: Vec::new(),
        active: Vec::new(),
        today: date(2026, 3, 1),
        days: (0..14)
            .map(|back| Day { date: date(2026, 3, 1).saturating_sub(jiff::Span::new().days(back)), incidents: Vec::new() })
            .collect(),
        at: "k3v9:42".into(),
        seq: 42,
        as_of: Timestamp::from_millis(NOON),
        // A while later: it is not to be seen anywhere.
        made_at: Timestamp::from_millis(NOON + 1_234_567),
    }
}

/// One in no group, without a description.
pub(super) fn service(number: u128, name: &str, status: ServiceStatus) -> PublicService {
    PublicService {
        id: Id::<Service>::from_u128(number),
        name: name.into(),
        description: String::new(),
        status,
        group_id: None,
        position: i64::try_from(number).unwrap(),
    }
}

/// One that goes on, with that many updates, a minute apart.
pub(super) fn incident(number: u128, title: &str, updates: usize) -> PublicIncident {
    PublicIncident {
        id: Id::<Incident>::from_u128(number),
        title: title.into(),
        status: IncidentStatus::Identified,
        impact: Impact::Major,
        affected: vec![PublicAffected {
            service_id: Id::<Service>::from_u128(1),
            name: "API".into(),
            status: Some(ServiceStatus::PartialOutage),
        }],
        updates: (0..updates)
            .map(|back| PublicUpdate {
                id: Id::<Update>::from_u128(number * 1_000 + back as u128),
                status: IncidentStatus::Identified,
                message: format!("Update **{}**", updates - back),
                created_at: Timestamp::from_millis(NOON - 60_000 * back as i64),
            })
            .collect(),
        started_at: Timestamp::from_millis(NOON - 3_600_000),
        resolved_at: None,
    }
}

/// A group of that name.
pub(super) fn grouped(name: &str, services: Vec<PublicService>) -> Section {
    Section { group: Some(PublicGroup { id: Id::<Group>::from_u128(9), name: name.into(), position: 0 }), services }
}

/// Rendered for an instance that is reached under a path.
pub(super) fn shown(view: &PageView) -> Rendered {
    render(view, &Shell { base_url: "https://example.org/status".into() }).unwrap()
}

/// One that is over: it ended 55 minutes before noon, after 2 hours 5 minutes.
pub(super) fn past(number: u128, title: &str, updates: usize) -> PublicIncident {
    PublicIncident {
        status: IncidentStatus::Resolved,
        started_at: Timestamp::from_millis(NOON - 180 * 60_000),
        resolved_at: Some(Timestamp::from_millis(NOON - 55 * 60_000)),
        ..incident(number, title, updates)
    }
}
