//! Groups: services shown together.

use serde::{Deserialize, Serialize};

use super::organization::fresh;
use super::service::{self, Service};
use super::text;
use crate::access::Edit;
use crate::clock::Timestamp;
use crate::error::{Check, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, OrgDocument, OrgTx, Page, Reads, Scan};

/// Services shown together under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: Id<Group>,
    /// Counts changes of this document.
    pub version: u64,
    /// 1 to 200 characters.
    pub name: String,
    /// Groups are shown in this order, lowest first.
    pub position: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Kind for Group {
    const PREFIX: &'static str = "grp";
}
impl Group {
    /// In the order shown.
    pub const BY_POSITION: Index<Group, (), i64> = Index { number: 1, group: &[], sort: &["position"], key: |g| Some(((), g.position)) };
}
impl Document for Group {
    const NAME: &'static str = "groups";
    const NUMBER: u16 = 13;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_POSITION];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Group {}

/// A new group.
#[derive(Debug, Clone, Default)]
pub struct NewGroup {
    /// 1 to 200 characters.
    pub name: String,
    /// Last, unless said otherwise.
    pub position: Option<i64>,
}

/// What may change; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct GroupPatch {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Where it is shown.
    pub position: Option<i64>,
}

/// Creates a group.
///
/// # Errors
/// `Invalid` for a bad name or position.
pub fn create(tx: &mut OrgTx<'_, Edit>, input: NewGroup) -> Result<Change<Group>> {
    let mut check = Check::new();
    let name = check.take(text::line("name", &input.name, 1, 200))?;
    let position = check.take(input.position.map(service::parse_position).transpose())?.flatten();
    check.done()?;
    let position = match position {
        Some(position) => position,
        None => tx.scan(Group::BY_POSITION.of(()).newest().limit(1))?.items.first().map_or(0, |last| last.position + 1),
    };
    let group = Group { id: tx.new_id(), version: 1, name: name.unwrap_or_default(), position, created_at: tx.now(), updated_at: tx.now() };
    tx.put(&group)?;
    let event = Event::group(EventType::GroupCreated, &group).with("name", &group.name).with("position", group.position);
    Ok(Change::of(group, event))
}

/// Changes a group.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` for a bad name or position.
pub fn update(tx: &mut OrgTx<'_, Edit>, id: Id<Group>, patch: GroupPatch, expected: Option<u64>) -> Result<Change<Group>> {
    let before = tx.get(id)?;
    fresh(before.version, expected)?;
    let mut check = Check::new();
    let name = check.take(patch.name.map(|name| text::line("name", &name, 1, 200)).transpose())?.flatten();
    let position = check.take(patch.position.map(service::parse_position).transpose())?.flatten();
    check.done()?;
    let mut after = before.clone();
    after.name = name.unwrap_or(after.name);
    after.position = position.unwrap_or(after.position);
    let event = Event::group(EventType::GroupUpdated, &after).change("name", &before.name, &after.name).change(
        "position",
        before.position,
        after.position,
    );
    if event.is_empty() {
        return Ok(Change::nothing(before));
    }
    after.version += 1;
    after.updated_at = tx.now();
    tx.put(&after)?;
    Ok(Change::of(after, event))
}

/// Deletes a group. Its services stay, in no group.
///
/// # Errors
/// `NotFound`; `Stale`.
pub fn delete(tx: &mut OrgTx<'_, Edit>, id: Id<Group>, expected: Option<u64>) -> Result<Change<()>> {
    let group = tx.get(id)?;
    fresh(group.version, expected)?;
    let members = tx.scan(Service::BY_POSITION.of(()))?.items.into_iter().filter(|service| service.group_id == Some(id));
    let mut released = Vec::new();
    for mut service in members {
        service.group_id = None;
        service.version += 1;
        service.updated_at = tx.now();
        tx.put(&service)?;
        released.push(service.id);
    }
    tx.delete(id);
    let event = Event::group(EventType::GroupDeleted, &group)
        .without("name", &group.name)
        .without("position", group.position)
        .without("services", &released);
    Ok(Change::of((), Event { services: released, ..event }))
}

/// The groups in the order shown.
///
/// # Errors
/// What the store says.
pub fn list(view: &impl Reads, page: impl FnOnce(Scan<Group>) -> Scan<Group>) -> Result<Page<Group>> {
    view.scan(page(Group::BY_POSITION.of(())))
}
