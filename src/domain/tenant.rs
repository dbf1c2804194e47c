//! Organizations as the operator of the instance sees them: that they are there, and nothing of what is in them.

use super::invitation::Invitation;
use super::member;
use super::organization::{OrgId, Organization};
use super::slug::Slug;
use crate::access::Administer;
use crate::error::Result;
use crate::id::Id;
use crate::store::{Cursor, Page, Reads, Scan, SystemView};

/// An organization in the operator's list.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The organization itself.
    pub organization: Organization,
    /// How many people belong to it, as far as [`member::COUNTED`].
    pub members: usize,
    /// While nobody belongs to it: the invitation that waits for its first admin.
    pub pending_admin: Option<Id<Invitation>>,
}

/// The organizations in the order of their addresses.
///
/// There is no list of them but that of the words in addresses, of which each organization has at least one: those that it does not show any more
/// are passed over.
///
/// # Errors
/// What the store says.
pub fn list(view: &SystemView<'_>, limit: usize, mut after: Option<Cursor>) -> Result<Page<Tenant>> {
    let mut items = Vec::new();
    loop {
        let words = view.scan(Slug::BY_ORDER.of(()).limit(limit - items.len()).after(after))?;
        for word in words.items {
            let shown = view.enter::<Administer>(word.org_id).find(word.org_id)?.filter(|found| found.slug == word.slug);
            if let Some(organization) = shown {
                items.push(tenant(view, organization)?);
            }
        }
        after = words.next;
        if after.is_none() || items.len() >= limit {
            return Ok(Page { items, next: after });
        }
    }
}

/// One organization.
///
/// # Errors
/// `NotFound` for one that is not there, or is deleted.
pub fn get(view: &SystemView<'_>, org: OrgId) -> Result<Tenant> {
    let found = view.enter::<Administer>(org).find(org)?.filter(|organization| organization.deleted_at.is_none());
    tenant(view, found.ok_or(crate::error::Error::NotFound)?)
}

fn tenant(view: &SystemView<'_>, organization: Organization) -> Result<Tenant> {
    let inside = view.enter::<Administer>(organization.id);
    let members = member::count(&inside)?;
    let pending_admin = match members {
        0 => inside.scan(Scan::<Invitation>::all().newest().limit(1))?.items.first().map(|invitation| invitation.id),
        _ => None,
    };
    Ok(Tenant { organization, members, pending_admin })
}
