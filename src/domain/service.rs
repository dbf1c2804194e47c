//! Services: the things that have a status.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::group::{self, Group};
use super::order::{self, Direction};
use super::organization::fresh;
use super::status::{self, ServiceStatus};
use super::text;
use crate::access::{Edit, Respond};
use crate::clock::Timestamp;
use crate::error::{Check, Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, Names, OrgDocument, OrgTx, Page, Reads, Scan};

/// Who may know of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone who sees the page.
    Public,
    /// Members alone.
    Private,
}

impl Visibility {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Private => "private",
        }
    }
}

/// Stands for the group in the index of those that are in none.
pub const NO_GROUP: Id<Group> = Id::from_u128(0);

/// A thing with a status. A deleted one stays as a tombstone, for the name in what speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: Id<Service>,
    /// Counts changes of this document.
    pub version: u64,
    /// 1 to 200 characters.
    pub name: String,
    /// Markdown, at most 2,000 characters.
    pub description: String,
    /// The group it is shown in.
    pub group_id: Option<Id<Group>>,
    /// Shown in this order, lowest first.
    pub position: i64,
    /// Who may know of it.
    pub visibility: Visibility,
    /// The status set by hand.
    pub own_status: ServiceStatus,
    /// The worst that unresolved incidents say of it. Kept by what changes incidents, so that nobody has to read them to know a status.
    #[serde(default)]
    pub raised: Option<ServiceStatus>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Set on a tombstone.
    pub deleted_at: Option<Timestamp>,
}

impl Kind for Service {
    const PREFIX: &'static str = "svc";
}
impl Service {
    /// Those not deleted, in the order shown.
    pub const BY_POSITION: Index<Service, (), i64> =
        Index { number: 1, group: &[], sort: &["position"], key: |s| s.deleted_at.is_none().then_some(((), s.position)) };

    /// Those of a group that visitors see.
    pub const BY_GROUP: Index<Service, Id<Group>, i64> = Index {
        number: 2,
        group: &["group_id"],
        sort: &["position"],
        key: |s| s.group_id.filter(|_| s.deleted_at.is_none() && s.is_public()).map(|group| (group, s.position)),
    };

    /// Those not deleted of a group, or of [`NO_GROUP`], in the order shown.
    pub const IN_GROUP: Index<Service, Id<Group>, i64> = Index {
        number: 3,
        group: &["group_id"],
        sort: &["position"],
        key: |s| s.deleted_at.is_none().then_some((s.group_id.unwrap_or(NO_GROUP), s.position)),
    };

    /// Those not deleted that everyone sees with this status, in the order shown.
    pub const BY_STATUS: Index<Service, String, i64> = Index {
        number: 4,
        group: &["status"],
        sort: &["position"],
        key: |s| s.deleted_at.is_none().then(|| (s.status().as_str().into(), s.position)),
    };

    /// Those not deleted, by their names.
    pub const NAMES: Names<Service> = Names { number: 5, name: |s| s.deleted_at.is_none().then_some(s.name.as_str()) };

    /// The status that everyone sees: the worst of what is set by hand and what unresolved incidents say.
    pub fn status(&self) -> ServiceStatus {
        status::effective(self.own_status, self.raised)
    }

    /// Whether visitors may see it (or, once deleted, its name).
    pub fn is_public(&self) -> bool {
        self.visibility == Visibility::Public
    }
}
impl Document for Service {
    const NAME: &'static str = "services";
    const NUMBER: u16 = 14;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] =
        &[&Self::BY_POSITION, &Self::BY_GROUP, &Self::IN_GROUP, &Self::BY_STATUS, &Self::NAMES];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Service {}

/// A service with the status everyone sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// As stored.
    pub service: Service,
    /// Derived: the worst of what is set by hand and what unresolved incidents say.
    pub status: ServiceStatus,
}

/// A new service.
#[derive(Debug, Clone)]
pub struct NewService {
    /// 1 to 200 characters.
    pub name: String,
    /// Markdown, at most 2,000 characters.
    pub description: String,
    /// `Public` unless said otherwise.
    pub visibility: Visibility,
    /// The status set by hand.
    pub own_status: ServiceStatus,
    /// An existing group.
    pub group_id: Option<Id<Group>>,
}

/// What may change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServicePatch {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Markdown, at most 2,000 characters.
    pub description: Option<String>,
    /// Who may know of it.
    pub visibility: Option<Visibility>,
    /// The status set by hand.
    pub own_status: Option<ServiceStatus>,
    /// Another group, or none.
    pub group_id: Option<Option<Id<Group>>>,
    /// Where it is shown.
    pub position: Option<i64>,
}

impl ServicePatch {
    /// Whether it touches nothing but the status, which a responder may set.
    pub fn is_status_alone(&self) -> bool {
        self.name.is_none() && self.description.is_none() && self.visibility.is_none() && self.group_id.is_none() && self.position.is_none()
    }
}

/// Checks a position: it is a place in an order, so that a bound keeps sums from running over.
///
/// # Errors
/// `Invalid`.
pub fn parse_position(position: i64) -> Result<i64> {
    if (-1_000_000..=1_000_000).contains(&position) {
        Ok(position)
    } else {
        Err(Error::invalid("position", "must be between -1000000 and 1000000"))
    }
}

fn parse_description(text: &str) -> Result<String> {
    text::paragraphs("description", text, 0, 2_000)
}

fn existing_group(tx: &impl Reads, id: Id<Group>) -> Result<Id<Group>> {
    match group::live(tx, id) {
        Ok(group) => Ok(group.id),
        Err(Error::NotFound) => Err(Error::invalid("group_id", "must be the id of a group of this organization")),
        Err(other) => Err(other),
    }
}

/// Creates a service, shown last.
///
/// # Errors
/// `Invalid` for a bad name or description or an unknown group.
pub fn create(tx: &mut OrgTx<'_, Edit>, input: NewService) -> Result<Change<ServiceState>> {
    let mut check = Check::new();
    let name = check.take(text::line("name", &input.name, 1, 200))?;
    let description = check.take(parse_description(&input.description))?;
    let group_id = check.take(input.group_id.map(|id| existing_group(tx, id)).transpose())?.flatten();
    check.done()?;
    let last = tx.scan(Service::BY_POSITION.of(()).newest().limit(1))?.items.pop();
    let service = Service {
        id: tx.new_id(),
        version: 1,
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        group_id,
        position: last.map_or(0, |last| last.position + 1),
        visibility: input.visibility,
        own_status: input.own_status,
        raised: None,
        created_at: tx.now(),
        updated_at: tx.now(),
        deleted_at: None,
    };
    tx.put(&service)?;
    let created = ServiceState { status: service.own_status, service };
    let event = appeared(EventType::ServiceCreated, &created);
    Ok(Change::of(created, event))
}

/// A service that was not there before, with all that it is.
fn appeared(kind: EventType, ServiceState { service, status }: &ServiceState) -> Event {
    Event::service(kind, service)
        .with("name", &service.name)
        .with("description", &service.description)
        .with("status", status)
        .with("visibility", service.visibility)
        .with("group_id", service.group_id)
        .with("position", service.position)
}

/// Changes a service: what it is and, if the patch says so, its status; two events when both change.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` for a bad name, description or position or an unknown group.
pub fn update(tx: &mut OrgTx<'_, Edit>, id: Id<Service>, patch: ServicePatch, expected: Option<u64>) -> Result<Change<ServiceState>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    let mut check = Check::new();
    let name = check.take(patch.name.map(|name| text::line("name", &name, 1, 200)).transpose())?.flatten();
    let description = check.take(patch.description.map(|text| parse_description(&text)).transpose())?.flatten();
    let group_id = match patch.group_id {
        Some(Some(group)) => check.take(existing_group(tx, group))?.map(Some),
        other => other,
    };
    let position = check.take(patch.position.map(parse_position).transpose())?.flatten();
    check.done()?;

    let mut after = before.clone();
    after.name = name.unwrap_or(after.name);
    after.description = description.unwrap_or(after.description);
    after.group_id = group_id.unwrap_or(after.group_id);
    after.position = position.unwrap_or(after.position);
    after.visibility = patch.visibility.unwrap_or(after.visibility);
    let event = Event::service(EventType::ServiceUpdated, &after)
        .change("name", &before.name, &after.name)
        .change("description", &before.description, &after.description)
        .change("visibility", before.visibility, after.visibility)
        .change("group_id", before.group_id, after.group_id)
        .change("position", before.position, after.position);
    let mut events = Vec::new();
    if !event.is_empty() {
        after.version += 1;
        after.updated_at = tx.now();
        tx.put(&after)?;
        events.push(event);
    }
    let status = set_own_status(&mut tx.lower(), id, patch.own_status.unwrap_or(before.own_status), None)?;
    events.extend(status.events);
    Ok(Change::all(status.value, events))
}

/// Sets the status by hand.
///
/// # Errors
/// `NotFound`; `Stale`.
pub fn set_own_status(
    tx: &mut OrgTx<'_, Respond>,
    id: Id<Service>,
    own_status: ServiceStatus,
    expected: Option<u64>,
) -> Result<Change<ServiceState>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    if before.own_status == own_status {
        return Ok(Change::nothing(state(before)));
    }
    let shown_before = before.status();
    let after = Service { own_status, version: before.version + 1, updated_at: tx.now(), ..before.clone() };
    tx.put(&after)?;
    let shown = state(after);
    let event = Event::service(EventType::ServiceStatusChanged, &shown.service).change("own_status", before.own_status, own_status).change(
        "status",
        shown_before,
        shown.status,
    );
    Ok(Change::of(shown, event))
}

/// Deletes a service. Its timeline and its incidents stay.
///
/// # Errors
/// `NotFound`; `Stale`.
pub fn delete(tx: &mut OrgTx<'_, Edit>, id: Id<Service>, expected: Option<u64>) -> Result<Change<()>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    tx.put(&Service { deleted_at: Some(tx.now()), version: before.version + 1, updated_at: tx.now(), ..before.clone() })?;
    let event = Event::service(EventType::ServiceDeleted, &before)
        .without("name", &before.name)
        .without("description", &before.description)
        .without("own_status", before.own_status)
        .without("visibility", before.visibility)
        .without("group_id", before.group_id)
        .without("position", before.position);
    Ok(Change::of((), event))
}

/// Brings a deleted service back as it was; in no group, if its group is gone by now.
///
/// # Errors
/// `NotFound`; `Conflict` when it is not deleted.
pub fn restore(tx: &mut OrgTx<'_, Edit>, id: Id<Service>) -> Result<Change<ServiceState>> {
    let tombstone = tx.get(id)?;
    if tombstone.deleted_at.is_none() {
        return Err(Error::Conflict("this service is not deleted".into()));
    }
    let group_id = match tombstone.group_id.map(|group| group::live(tx, group)).transpose() {
        Ok(group) => group.map(|group| group.id),
        Err(Error::NotFound) => None,
        Err(other) => return Err(other),
    };
    let service = Service { group_id, deleted_at: None, version: tombstone.version + 1, updated_at: tx.now(), ..tombstone };
    tx.put(&service)?;
    let restored = state(service);
    let event = appeared(EventType::ServiceRestored, &restored);
    Ok(Change::of(restored, event))
}

/// Moves a service past its neighbour in the same group, or among those in none; at the end nothing happens. An event for each service whose
/// position changes.
///
/// # Errors
/// `NotFound`.
pub fn shift(tx: &mut OrgTx<'_, Edit>, id: Id<Service>, direction: Direction) -> Result<Change<ServiceState>> {
    let service = live(tx, id)?;
    let row = || Service::IN_GROUP.of(service.group_id.unwrap_or(NO_GROUP));
    let place = |service: &Service| (service.id, service.position);
    let mut events = Vec::new();
    for (moved, position) in order::step(tx, row, place, place(&service), direction)? {
        let before = tx.get(moved)?;
        let after = Service { position, version: before.version + 1, updated_at: tx.now(), ..before.clone() };
        tx.put(&after)?;
        events.push(Event::service(EventType::ServiceUpdated, &after).change("position", before.position, after.position));
    }
    Ok(Change::all(get(tx, id)?, events))
}

/// A service that is not deleted.
///
/// # Errors
/// `NotFound`.
pub fn live(view: &impl Reads, id: Id<Service>) -> Result<Service> {
    view.get(id).and_then(|service| if service.deleted_at.is_none() { Ok(service) } else { Err(Error::NotFound) })
}

/// A service that is not deleted, with its status.
///
/// # Errors
/// `NotFound`.
pub fn get(view: &impl Reads, id: Id<Service>) -> Result<ServiceState> {
    live(view, id).map(state)
}

/// The services in the order shown, with their statuses.
///
/// # Errors
/// What the store says.
pub fn list(view: &impl Reads, page: impl FnOnce(Scan<Service>) -> Scan<Service>) -> Result<Page<ServiceState>> {
    Ok(view.scan(page(Service::BY_POSITION.of(())))?.map(state))
}

fn state(service: Service) -> ServiceState {
    ServiceState { status: service.status(), service }
}
