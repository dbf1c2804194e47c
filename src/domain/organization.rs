//! Organizations: the tenants.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::member::{self, Member, Membership};
use super::page::Page;
use super::slug;
use super::text;
use super::user::User;
use crate::access::{Administer, Role};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{Document, OrgDocument, OrgTx, Reads, SystemTx};

/// A tenant: whose services, incidents and pages these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Counts changes of this document.
    pub version: u64,
    /// 1 to 100 characters.
    pub name: String,
    /// In addresses; unique in the instance.
    pub slug: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An organization's id: the first part of every key of what it owns.
pub type OrgId = Id<Organization>;

impl Kind for Organization {
    const PREFIX: &'static str = "org";
}
impl Document for Organization {
    const NAME: &'static str = "organizations";
    const NUMBER: u16 = 10;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Organization {}

/// Checks an organization's name.
///
/// # Errors
/// `Invalid` naming the field.
pub fn parse_name(field: &str, name: &str) -> Result<String> {
    text::line(field, name, 1, 100)
}

/// Founds an organization with its public page; `founder` is its admin. The slug comes from the name, with a number where it is taken.
///
/// Called inside the transaction that made the founder, which is why the event is not recorded here but returned.
///
/// # Errors
/// `Invalid` for a bad name, under `organization_name`.
pub fn found(tx: &mut SystemTx<'_>, org: OrgId, founder: &User, name: &str) -> Result<Change<Organization>> {
    let name = parse_name("organization_name", name)?;
    let now = tx.now();
    let page = tx.new_id::<Page>();
    let slug = slug::claim(tx, &text::slug(&name), org, page)?;
    tx.put(&Membership::new(founder.id, org, now))?;
    let organization = Organization { id: org, version: 1, name, slug: slug.clone(), created_at: now };
    let mut inside = tx.enter::<Administer>(org);
    inside.put(&organization)?;
    inside.put(&Page { id: page, version: 1, slug, created_at: now })?;
    inside.put(&Member::new(founder.id, Role::Admin, now))?;
    let event = Event::organization(EventType::OrganizationCreated, &organization)
        .with("name", &organization.name)
        .with("slug", &organization.slug)
        .with("admin", json!({ "id": founder.id, "name": founder.full_name }));
    Ok(Change::of(organization, event))
}

/// Gives the organization another name. The slug stays: addresses that people have keep working.
///
/// # Errors
/// `Invalid` for a bad name; `Stale` when `expected` is not the present version.
pub fn rename(tx: &mut OrgTx<'_, Administer>, name: Option<&str>, expected: Option<u64>) -> Result<Change<Organization>> {
    let before = tx.get(tx.org())?;
    fresh(before.version, expected)?;
    let Some(name) = name else { return Ok(Change::nothing(before)) };
    let name = parse_name("name", name)?;
    if name == before.name {
        return Ok(Change::nothing(before));
    }
    let after = Organization { name, version: before.version + 1, ..before.clone() };
    tx.put(&after)?;
    let event = Event::organization(EventType::OrganizationUpdated, &after).change("name", &before.name, &after.name);
    Ok(Change::of(after, event))
}

/// Refuses a change that was made looking at another version.
///
/// # Errors
/// `Stale` with the present version.
pub fn fresh(current: u64, expected: Option<u64>) -> Result<()> {
    match expected {
        Some(expected) if expected != current => Err(Error::Stale { current }),
        _ => Ok(()),
    }
}

/// The organization with the caller's role in it.
#[derive(Debug, Clone)]
pub struct Own {
    /// The organization.
    pub organization: Organization,
    /// The caller's role.
    pub role: Role,
}

/// The organization and the role in it of this user.
///
/// # Errors
/// `NotFound` when the user is no member.
pub fn own(view: &impl Reads, user: Id<User>) -> Result<Own> {
    let role = view.find(member::id_of(user))?.ok_or(Error::NotFound)?.role;
    Ok(Own { organization: view.get(view.org())?, role })
}
