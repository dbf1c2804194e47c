//! The caller's organizations.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::Tag;
use super::answer::{Answer, Changed, Done, Found, Listed, Reading, Withdrawing, Writing};
use super::caller::{self, Me};
use super::dto::OwnOrganization;
use super::etag::{IfMatch, IfNoneMatch};
use super::input::{Input, input};
use super::paging::{Ask, Limit, walk};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Administer, Read};
use crate::domain::organization::{self, OrgId};
use crate::store::{OrgView, Page, WideTx};

input! {
    /// What may change of an organization.
    struct OrganizationPatch {
        /// 1 to 100 characters.
        name: Option<String>,
        /// In the addresses of its pages: 3 to 60 of a–z, 0–9 and -. The word before goes on leading here.
        slug: Option<String>,
    }
}

/// Organizations.
pub(super) struct Organizations;

#[OpenApi(tag = "Tag::Organizations")]
impl Organizations {
    /// The organizations that the caller belongs to, the earliest joined first.
    #[oai(path = "/users/organizations", method = "get", operation_id = "list_organizations")]
    async fn list_organizations(
        &self,
        me: Me,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<OwnOrganization>, Reading> {
        // A suspended one is still theirs, though they can't enter it.
        let ask = Ask::new(None, limit, &cursor)?.and_suspended();
        let user = me.caller.user.id;
        // A list of one entry in each organization.
        let page = walk(&me.app, &me.caller, ask, move |view, _| {
            let own = organization::own(view, user)?;
            Ok(Page { items: vec![OwnOrganization::from(&own)], next: None })
        });
        Ok(Listed(page.await?))
    }

    /// One of the caller's organizations.
    #[oai(path = "/users/organizations/:id", method = "get", operation_id = "get_organization")]
    async fn get_organization(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<OwnOrganization>, Reading> {
        let org: OrgId = caller::id(&id)?;
        let user = me.caller.user.id;
        let own = me.app.read(me.actor(), org, move |view: &OrgView<'_, Read>| organization::own(view, user)).await?;
        Ok(Found { thing: OwnOrganization::versioned(&own), known })
    }

    /// Gives an organization another name or address. Needs the role admin.
    #[oai(path = "/users/organizations/:id", method = "put", operation_id = "update_organization")]
    async fn update_organization(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<OrganizationPatch>,
    ) -> Answer<Changed<OwnOrganization>, Writing> {
        let org: OrgId = caller::id(&id)?;
        let (patch, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let user = me.caller.user.id;
        let patch = organization::OrganizationPatch { name: patch.name, slug: patch.slug };
        let updated = me.app.change_wide_once(me.actor(), org, once, move |tx: &mut WideTx<'_, Administer>| {
            let expected = if_match.expected(&tx.inside(), org)?;
            let change = organization::update(tx, patch, expected)?;
            let own = OwnOrganization::versioned(&organization::own(&tx.inside(), user)?);
            Ok(change.map(|_| own))
        });
        let (thing, replayed) = updated.await?;
        Ok(Changed { thing, replayed })
    }

    /// Deletes an organization with its services, incidents, pages and people's access, for good. Needs the role admin.
    #[oai(path = "/users/organizations/:id", method = "delete", operation_id = "delete_organization")]
    async fn delete_organization(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// Its name, which is required: nobody deletes another one by a slip.
        name: Query<String>,
    ) -> Answer<Done, Withdrawing> {
        let org: OrgId = caller::id(&id)?;
        me.app.delete_organization(&me.caller, org, name.text().unwrap_or_default()).await?;
        Ok(Done { replayed: false })
    }
}
