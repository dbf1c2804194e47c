//! Organizations: the tenants.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::member::{self, Member, Membership};
use super::page::{self, Page};
use super::purge;
use super::slug;
use super::text;
use super::user::User;
use crate::access::{Administer, Role};
use crate::clock::Timestamp;
use crate::error::{Check, Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{Document, OrgDocument, Reads, Scan, Signal, SystemTx, WideTx};

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
    /// Since when the operator keeps it shut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// Since when it is deleted; what it had is being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl Organization {
    /// Whether it can be entered: neither suspended nor deleted.
    pub fn is_open(&self) -> bool {
        self.suspended_at.is_none() && self.deleted_at.is_none()
    }
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

/// Founds an organization with its public page; `founder`, where there is one, is its admin. The slug comes from the name, with a number where it
/// is taken.
///
/// Called inside the transaction that made the founder, which is why the event is not recorded here but returned.
///
/// # Errors
/// `Invalid` for a bad name, under `organization_name`.
pub fn found(tx: &mut SystemTx<'_>, org: OrgId, founder: Option<&User>, name: &str) -> Result<Change<Organization>> {
    let name = parse_name("organization_name", name)?;
    let now = tx.now();
    let page = tx.new_id::<Page>();
    let slug = slug::claim(tx, &text::slug(&name), org, page)?;
    let organization =
        Organization { id: org, version: 1, name, slug: slug.clone(), created_at: now, suspended_at: None, deleted_at: None };
    let mut inside = tx.enter::<Administer>(org);
    inside.put(&organization)?;
    inside.put(&Page::new(page, slug, now))?;
    let mut event = Event::organization(EventType::OrganizationCreated, &organization)
        .with("name", &organization.name)
        .with("slug", &organization.slug);
    if let Some(founder) = founder {
        member::join(tx, org, founder.id, Role::Admin)?;
        event = event.with("admin", json!({ "id": founder.id, "name": founder.full_name }));
    }
    Ok(Change::of(organization, event))
}

/// What may change of an organization; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct OrganizationPatch {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// In the addresses of its pages for members. The old word goes on leading here.
    pub slug: Option<String>,
}

/// Gives the organization another name or address.
///
/// # Errors
/// `Invalid` for a bad name or address; `Conflict` for an address that is taken; `Stale` when `expected` is not the present version.
pub fn update(tx: &mut WideTx<'_, Administer>, patch: OrganizationPatch, expected: Option<u64>) -> Result<Change<Organization>> {
    let org = tx.org();
    let before = tx.inside().get(org)?;
    fresh(before.version, expected)?;
    let mut check = Check::new();
    let name = check.take(patch.name.map(|name| parse_name("name", &name)).transpose())?.flatten();
    // One that it has already is right in any case: words made of names may be shorter than what people may choose.
    let chosen = patch.slug.filter(|slug| slug.trim() != before.slug);
    let slug = check.take(chosen.map(|slug| slug::parse("slug", &slug)).transpose())?.flatten();
    check.done()?;
    let after = Organization {
        name: name.unwrap_or_else(|| before.name.clone()),
        slug: slug.unwrap_or_else(|| before.slug.clone()),
        version: before.version + 1,
        ..before.clone()
    };
    let event = Event::organization(EventType::OrganizationUpdated, &after).change("name", &before.name, &after.name).change(
        "slug",
        &before.slug,
        &after.slug,
    );
    if event.is_empty() {
        return Ok(Change::nothing(before));
    }
    if after.slug != before.slug {
        let page = page::own(&tx.inside())?.id;
        slug::take(tx.system(), &after.slug, org, page)?;
    }
    tx.inside().put(&after)?;
    Ok(Change::of(after, event))
}

/// Shuts the organization to everyone, or opens it again. Nothing in it is lost.
///
/// # Errors
/// `NotFound` for one that is deleted.
pub fn suspend(tx: &mut WideTx<'_, Administer>, suspended: bool) -> Result<Change<Organization>> {
    let before = standing(&tx.inside())?;
    if before.suspended_at.is_some() == suspended {
        return Ok(Change::nothing(before));
    }
    let now = tx.now();
    let after = Organization { suspended_at: suspended.then_some(now), version: before.version + 1, ..before };
    tx.inside().put(&after)?;
    if suspended {
        let pages = pages(tx)?;
        tx.system().signal(Signal::OrganizationShut(after.id, pages));
    }
    let kind = if suspended { EventType::OrganizationSuspended } else { EventType::OrganizationResumed };
    let event = Event::organization(kind, &after);
    Ok(Change::of(after, event))
}

/// Deletes the organization: nobody can enter it from now on, its addresses are free, and what it had is removed in the background.
///
/// `typed` is its name as the person typed it, who is to know which one they delete.
///
/// # Errors
/// `Invalid`, under `name`, for another name; `NotFound` for one that is deleted already.
pub fn delete(tx: &mut WideTx<'_, Administer>, typed: &str) -> Result<Change<()>> {
    let org = tx.org();
    let before = standing(&tx.inside())?;
    if typed.trim() != before.name {
        return Err(Error::invalid("name", format!("must be the organization's name, {}", before.name)));
    }
    let members = tx.inside().scan(Scan::<Member>::all())?.items;
    let pages = pages(tx)?;
    let deleted_at = Some(tx.now());
    let after = Organization { deleted_at, version: before.version + 1, ..before };
    tx.inside().put(&after)?;
    let system = tx.system();
    for member in members {
        system.delete(Membership::new(member.user_id(), org, member.joined_at).id);
    }
    slug::free(system, org)?;
    system.signal(Signal::OrganizationShut(org, pages.clone()));
    purge::schedule(system, org, pages)?;
    Ok(Change::of((), Event::organization(EventType::OrganizationDeleted, &after)))
}

fn pages(tx: &mut WideTx<'_, Administer>) -> Result<Vec<Id<Page>>> {
    Ok(tx.inside().scan(Scan::<Page>::all())?.items.into_iter().map(|page| page.id).collect())
}

fn standing(view: &impl Reads) -> Result<Organization> {
    view.find(view.org())?.filter(|organization| organization.deleted_at.is_none()).ok_or(Error::NotFound)
}

/// The role of a user in an organization that can be entered.
///
/// # Errors
/// `NotFound` for who is no member, and for an organization that is deleted; `Forbidden` for a member of one that is suspended.
pub fn role_of(view: &impl Reads, user: Id<User>) -> Result<Role> {
    let member = view.find(member::id_of(user))?.ok_or(Error::NotFound)?;
    if standing(view)?.suspended_at.is_some() {
        return Err(Error::Forbidden(SUSPENDED.into()));
    }
    Ok(member.role)
}

/// What members of a suspended organization are told.
const SUSPENDED: &str = "this organization is suspended by the operator of this instance; ask them why";

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

/// The organization and the role in it of this user, also while it is suspended.
///
/// # Errors
/// `NotFound` when the user is no member, or the organization is deleted.
pub fn own(view: &impl Reads, user: Id<User>) -> Result<Own> {
    let role = view.find(member::id_of(user))?.ok_or(Error::NotFound)?.role;
    Ok(Own { organization: standing(view)?, role })
}
