//! Groups: services shown together.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::Tag;
use super::answer::{Answer, Changed, Created, Done, Found, Listed, Reading, Removing, Writing};
use super::caller::{self, Me};
use super::dto;
use super::etag::{IfMatch, IfNoneMatch};
use super::input::{Input, input};
use super::paging::{Ask, Limit, walk};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Edit, Read};
use crate::domain::group::{self, Group, GroupPatch};
use crate::id::Id;
use crate::store::{OrgTx, OrgView, Reads};

input! {
    /// A new group.
    struct NewServiceGroup {
        /// 1 to 200 characters.
        name: String,
        /// Last, unless said otherwise.
        position: Option<i64>,
        /// May be left out by who belongs to one organization.
        organization_id: Option<String>,
    }
}

input! {
    /// What may change of a group; what is left out stays.
    struct ServiceGroupChanges {
        /// 1 to 200 characters.
        name: Option<String>,
        /// Groups are shown in this order, lowest first.
        position: Option<i64>,
    }
}

/// Groups.
pub(super) struct Groups;

#[OpenApi(tag = "Tag::Services")]
impl Groups {
    /// The groups in the order shown, of one organization or of all of the caller's.
    #[oai(path = "/service-groups", method = "get", operation_id = "list_service_groups")]
    async fn list_service_groups(
        &self,
        me: Me,
        /// All of the caller's organizations when left out.
        organization_id: Query<String>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Group>, Reading> {
        let ask = Ask::new(organization_id.text().map(caller::id).transpose()?, limit, &cursor)?;
        let page = walk(&me.app, &me.caller, ask, |view, slice| {
            let org = view.org();
            Ok(group::list(view, |scan| slice.of(scan))?.map(|group| dto::Group::of(org, &group)))
        });
        Ok(Listed(page.await?))
    }

    /// Creates a group. Needs the role editor.
    #[oai(path = "/service-groups", method = "post", operation_id = "create_service_group")]
    async fn create_service_group(
        &self,
        me: Me,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<NewServiceGroup>,
    ) -> Answer<Created<dto::Group>, Writing> {
        let (NewServiceGroup { name, position, organization_id }, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        if let Some(thing) = me.again::<Edit, _>(&once).await? {
            return Ok(Created { thing, replayed: true });
        }
        let org = me.home(organization_id.as_deref()).await?;
        let made = me.app.change_once(me.actor(), org, once, move |tx: &mut OrgTx<'_, Edit>| {
            Ok(group::create(tx, group::NewGroup { name, position })?.map(|group| dto::Group::versioned(org, &group)))
        });
        let (thing, replayed) = made.await?;
        Ok(Created { thing, replayed })
    }

    /// A group.
    #[oai(path = "/service-groups/:id", method = "get", operation_id = "get_service_group")]
    async fn get_service_group(
        &self,
        me: Me,
        /// The group's id.
        id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<dto::Group>, Reading> {
        let id: Id<Group> = caller::id(&id)?;
        let org = me.org_of(id).await?;
        let group = me.app.read(me.actor(), org, move |view: &OrgView<'_, Read>| group::live(view, id)).await?;
        Ok(Found { thing: dto::Group::versioned(org, &group), known })
    }

    /// Changes a group. Needs the role editor.
    #[oai(path = "/service-groups/:id", method = "put", operation_id = "update_service_group")]
    async fn update_service_group(
        &self,
        me: Me,
        /// The group's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<ServiceGroupChanges>,
    ) -> Answer<Changed<dto::Group>, Writing> {
        let id: Id<Group> = caller::id(&id)?;
        let (ServiceGroupChanges { name, position }, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let updated = me.change(id, once, move |tx: &mut OrgTx<'_, Edit>| {
            let (org, expected) = (tx.org(), if_match.expected(tx, id)?);
            Ok(group::update(tx, id, GroupPatch { name, position }, expected)?.map(|group| dto::Group::versioned(org, &group)))
        });
        let (thing, replayed) = updated.await?;
        Ok(Changed { thing, replayed })
    }

    /// Deletes a group; its services stay, in no group. Needs the role editor.
    #[oai(path = "/service-groups/:id", method = "delete", operation_id = "delete_service_group")]
    async fn delete_service_group(
        &self,
        me: Me,
        /// The group's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Removing> {
        let id: Id<Group> = caller::id(&id)?;
        let once = repeat.once(&me.caller, b"")?;
        let deleted = me.change(id, once, move |tx: &mut OrgTx<'_, Edit>| {
            let expected = if_match.expected(tx, id)?;
            group::delete(tx, id, expected)
        });
        let ((), replayed) = deleted.await?;
        Ok(Done { replayed })
    }
}
