//! Groups: services shown together.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::order::{self, Direction};
use super::organization::fresh;
use super::service::{self, Service};
use super::text;
use crate::access::Edit;
use crate::clock::Timestamp;
use crate::error::{Check, Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, OrgDocument, OrgTx, Page, Reads, Scan};

/// Services shown together under one name. A deleted one stays as a tombstone, so that it can come back.
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
    /// Set on a tombstone.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
    /// On a tombstone: the services that it held, in the order shown.
    #[serde(default)]
    pub released: Vec<Id<Service>>,
}

impl Kind for Group {
    const PREFIX: &'static str = "grp";
}
impl Group {
    /// Those not deleted, in the order shown.
    pub const BY_POSITION: Index<Group, (), i64> =
        Index { number: 1, group: &[], sort: &["position"], key: |g| g.deleted_at.is_none().then_some(((), g.position)) };
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
    let group = Group {
        id: tx.new_id(),
        version: 1,
        name: name.unwrap_or_default(),
        position,
        created_at: tx.now(),
        updated_at: tx.now(),
        deleted_at: None,
        released: Vec::new(),
    };
    tx.put(&group)?;
    let event = Event::group(EventType::GroupCreated, &group).with("name", &group.name).with("position", group.position);
    Ok(Change::of(group, event))
}

/// Changes a group.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` for a bad name or position.
pub fn update(tx: &mut OrgTx<'_, Edit>, id: Id<Group>, patch: GroupPatch, expected: Option<u64>) -> Result<Change<Group>> {
    let before = live(tx, id)?;
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
    let group = live(tx, id)?;
    fresh(group.version, expected)?;
    let members = tx.scan(Service::IN_GROUP.of(id))?.items;
    let mut released = Vec::new();
    for mut service in members {
        service.group_id = None;
        service.version += 1;
        service.updated_at = tx.now();
        tx.put(&service)?;
        released.push(service.id);
    }
    let (version, deleted_at) = (group.version + 1, Some(tx.now()));
    tx.put(&Group { version, deleted_at, updated_at: tx.now(), released: released.clone(), ..group.clone() })?;
    let event = Event::group(EventType::GroupDeleted, &group)
        .without("name", &group.name)
        .without("position", group.position)
        .without("services", &released);
    Ok(Change::of((), Event { services: released, ..event }))
}

/// Brings a deleted group back, with those of its services that are still there and in no other group by now.
///
/// # Errors
/// `NotFound`; `Conflict` when it is not deleted.
pub fn restore(tx: &mut OrgTx<'_, Edit>, id: Id<Group>) -> Result<Change<Group>> {
    let tombstone = tx.get(id)?;
    if tombstone.deleted_at.is_none() {
        return Err(Error::Conflict("this group is not deleted".into()));
    }
    let mut taken = Vec::new();
    for released in &tombstone.released {
        let Some(service) = tx.find(*released)? else { continue };
        if service.deleted_at.is_none() && service.group_id.is_none() {
            tx.put(&Service { group_id: Some(id), version: service.version + 1, updated_at: tx.now(), ..service })?;
            taken.push(*released);
        }
    }
    let (version, updated_at) = (tombstone.version + 1, tx.now());
    let group = Group { version, updated_at, deleted_at: None, released: Vec::new(), ..tombstone };
    tx.put(&group)?;
    let event =
        Event::group(EventType::GroupRestored, &group).with("name", &group.name).with("position", group.position).with("services", &taken);
    Ok(Change::of(group, Event { services: taken, ..event }))
}

/// Moves a group past its neighbour; at the end nothing happens. An event for each group whose position changes.
///
/// # Errors
/// `NotFound`.
pub fn shift(tx: &mut OrgTx<'_, Edit>, id: Id<Group>, direction: Direction) -> Result<Change<Group>> {
    let group = live(tx, id)?;
    let place = |group: &Group| (group.id, group.position);
    let mut events = Vec::new();
    for (moved, position) in order::step(tx, || Group::BY_POSITION.of(()), place, place(&group), direction)? {
        let before = tx.get(moved)?;
        let after = Group { position, version: before.version + 1, updated_at: tx.now(), ..before.clone() };
        tx.put(&after)?;
        events.push(Event::group(EventType::GroupUpdated, &after).change("position", before.position, after.position));
    }
    Ok(Change::all(live(tx, id)?, events))
}

/// A group that is not deleted.
///
/// # Errors
/// `NotFound`.
pub fn live(view: &impl Reads, id: Id<Group>) -> Result<Group> {
    view.get(id).and_then(|group| if group.deleted_at.is_none() { Ok(group) } else { Err(Error::NotFound) })
}

/// The groups in the order shown.
///
/// # Errors
/// What the store says.
pub fn list(view: &impl Reads, page: impl FnOnce(Scan<Group>) -> Scan<Group>) -> Result<Page<Group>> {
    view.scan(page(Group::BY_POSITION.of(())))
}
