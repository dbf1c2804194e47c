//! Incidents: what is stored, and reading it. The operations are in [`operations`].

mod operations;
#[cfg(test)]
mod restore_tests;
mod standing;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::member::link;
use super::service::Service;
use super::status::{Impact, IncidentStatus, ServiceStatus};
use crate::access::ActorRef;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, Names, OrgDocument, Page, Reads, Scan};
pub use operations::{Details, IncidentPatch, NewUpdate, OpenIncident, correct, delete, open, post_update, restore, update};
pub(crate) use standing::mend;

/// Something went wrong, and what is being said about it. A deleted one stays as a tombstone that nothing finds, so that it can come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: Id<Incident>,
    /// Counts changes of this document.
    pub version: u64,
    /// 5 to 200 characters.
    pub title: String,
    /// How far it has come: the status of the newest update.
    pub status: IncidentStatus,
    /// Said by the responder; `None` = derived from the affected statuses.
    pub impact_override: Option<Impact>,
    /// What it touches; each service once.
    pub affected: Vec<Affected>,
    /// The services that visitors have seen it touch. Once it is over, no other is shown to them: what was private then stays private.
    #[serde(default)]
    pub told: Vec<Id<Service>>,
    /// Oldest first; never empty.
    pub updates: Vec<Update>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over; `None` while it is not.
    pub resolved_at: Option<Timestamp>,
    /// When it was reported.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
    /// Set on a tombstone.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// A service that an incident touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Which.
    pub service_id: Id<Service>,
    /// What the incident makes of it until resolved; `None` = only mentioned.
    pub status: Option<ServiceStatus>,
}

/// One thing said about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Its id.
    pub id: Id<Update>,
    /// The incident's status from then on.
    pub status: IncidentStatus,
    /// Markdown; empty where only the status changed.
    pub message: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// By whom; never shown to visitors.
    pub author: ActorRef,
    /// Whether visitors could see the incident when it was said. What was private stays private.
    pub public: bool,
    /// When the text was last corrected.
    pub edited_at: Option<Timestamp>,
}

impl Kind for Update {
    const PREFIX: &'static str = "upd";
}
impl Kind for Incident {
    const PREFIX: &'static str = "inc";
}
impl Incident {
    /// `open` ones by when they began, `closed` ones by when they were over.
    pub const BY_STATE: Index<Incident, String, Timestamp> = Index {
        number: 1,
        group: &["state"],
        sort: &["at"],
        key: |i| i.deleted_at.is_none().then(|| (i.state().into(), i.resolved_at.unwrap_or(i.started_at))),
    };
    /// All, by when they began.
    pub const BY_START: Index<Incident, (), Timestamp> =
        Index { number: 2, group: &[], sort: &["started_at"], key: |i| i.deleted_at.is_none().then_some(((), i.started_at)) };

    /// All, by their titles.
    pub const NAMES: Names<Incident> = Names { number: 3, name: |i| i.deleted_at.is_none().then_some(i.title.as_str()) };

    /// Whether it still says something of the services that it touches.
    pub fn is_open(&self) -> bool {
        self.deleted_at.is_none() && !self.status.is_resolved()
    }

    /// `open` or `closed`.
    pub fn state(&self) -> &'static str {
        if self.status.is_resolved() { "closed" } else { "open" }
    }

    /// How much it hurts: what the responder said, else derived from the affected statuses.
    pub fn impact(&self) -> Impact {
        self.impact_override.unwrap_or_else(|| Impact::derive(self.affected.iter().filter_map(|affected| affected.status)))
    }

    /// Whether it touches this service.
    pub fn touches(&self, service: Id<Service>) -> bool {
        self.affected.iter().any(|affected| affected.service_id == service)
    }

    /// The services it touches.
    pub fn services(&self) -> impl Iterator<Item = Id<Service>> {
        self.affected.iter().map(|affected| affected.service_id)
    }
}
impl Document for Incident {
    const NAME: &'static str = "incidents";
    const NUMBER: u16 = 15;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_STATE, &Self::BY_START, &Self::NAMES];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Incident {}

/// That an incident touches a service: many services a row, so links of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentLink {
    /// Made of both ids.
    pub id: Id<IncidentLink>,
    /// The service.
    pub service_id: Id<Service>,
    /// The incident.
    pub incident_id: Id<Incident>,
    /// When the incident began.
    pub started_at: Timestamp,
    /// Whether the incident is not over.
    #[serde(default)]
    pub open: bool,
    /// What the incident says of the service; `None` = it only mentions it.
    #[serde(default)]
    pub status: Option<ServiceStatus>,
}

impl Kind for IncidentLink {
    const PREFIX: &'static str = "inl";
}
impl IncidentLink {
    /// A service's incidents, by when they began.
    pub const BY_SERVICE: Index<IncidentLink, Id<Service>, Timestamp> =
        Index { number: 1, group: &["service_id"], sort: &["started_at"], key: |l| Some((l.service_id, l.started_at)) };

    /// A service's unresolved incidents, by how bad what they say of it is and then by when they began: the last is why it is shown as it is.
    pub const OPEN: Index<IncidentLink, Id<Service>, (i64, Timestamp)> = Index {
        number: 2,
        group: &["service_id"],
        sort: &["severity", "started_at"],
        key: |l| l.open.then(|| (l.service_id, (l.status.map_or(-1, |status| i64::from(status.severity())), l.started_at))),
    };

    /// The link of an incident with a service that it touches.
    pub fn of(affected: &Affected, incident: &Incident) -> Self {
        Self {
            id: link(incident.id.uuid(), affected.service_id.uuid()),
            service_id: affected.service_id,
            incident_id: incident.id,
            started_at: incident.started_at,
            open: incident.is_open(),
            status: affected.status,
        }
    }
}
impl Document for IncidentLink {
    const NAME: &'static str = "incident_links";
    const NUMBER: u16 = 16;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_SERVICE, &Self::OPEN];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for IncidentLink {}

/// An incident that is not deleted.
///
/// # Errors
/// `NotFound`.
pub fn live(view: &impl Reads, id: Id<Incident>) -> Result<Incident> {
    view.get(id).and_then(|incident| if incident.deleted_at.is_none() { Ok(incident) } else { Err(Error::NotFound) })
}

/// Which incidents to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that are not over.
    Open,
    /// Those that are.
    Closed,
}

/// Incidents, the latest begun first; of the closed ones alone, the latest ended.
///
/// # Errors
/// What the store says.
pub fn list(view: &impl Reads, which: Which, page: impl FnOnce(Scan<Incident>) -> Scan<Incident>) -> Result<Page<Incident>> {
    let scan = match which {
        Which::All => Incident::BY_START.of(()),
        Which::Open => Incident::BY_STATE.of("open".into()),
        Which::Closed => Incident::BY_STATE.of("closed".into()),
    };
    view.scan(page(scan.newest()))
}

/// The incidents that touch a service, the latest begun first. The service may be deleted: its incidents stay.
///
/// # Errors
/// `NotFound` when the organization never had the service.
pub fn list_of(
    view: &impl Reads,
    service: Id<Service>,
    page: impl FnOnce(Scan<IncidentLink>) -> Scan<IncidentLink>,
) -> Result<Page<Incident>> {
    view.get(service)?;
    let links = view.scan(page(IncidentLink::BY_SERVICE.of(service).newest()))?;
    let items = links.items.iter().filter_map(|link| view.find(link.incident_id).transpose()).collect::<Result<_>>()?;
    Ok(Page { items, next: links.next })
}

/// The unresolved incidents that touch a service, at most so many: those that say the worst first, among equals the latest begun.
///
/// # Errors
/// What the store says.
pub fn causes(view: &impl Reads, service: Id<Service>, limit: usize) -> Result<Vec<IncidentLink>> {
    Ok(view.scan(IncidentLink::OPEN.of(service).newest().limit(limit))?.items)
}

/// An incident with the names of what it touches, deleted services by their last name.
#[derive(Debug, Clone)]
pub struct IncidentView {
    /// As stored.
    pub incident: Incident,
    /// Parallel to the incident's `affected`.
    pub names: Vec<String>,
}

/// Adds the names.
///
/// # Errors
/// What the store says.
pub fn named(view: &impl Reads, incident: Incident) -> Result<IncidentView> {
    let names =
        incident.services().map(|id| Ok(view.find(id)?.map(|service: Service| service.name).unwrap_or_default())).collect::<Result<_>>()?;
    Ok(IncidentView { incident, names })
}
