//! The people of an organization: who they are, what they may do, and how they go.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::Tag;
use super::answer::{Answer, Changed, Done, Found, Listed, Parting, Reading, Writing};
use super::caller::{self, Me};
use super::dto;
use super::etag::{IfMatch, IfNoneMatch};
use super::input::{Input, input};
use super::paging::{self, Ask, Limit};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Administer, Permission, Read};
use crate::domain::member;
use crate::domain::organization::{OrgId, fresh};
use crate::domain::user::User;
use crate::error::Result;
use crate::id::Id;
use crate::store::{OrgTx, OrgView, Reads, WideTx};

input! {
    /// Another role.
    struct MemberChanges {
        /// What they may do from now on.
        role: dto::Role,
    }
}

/// Members.
pub(super) struct Members;

#[OpenApi(tag = "Tag::People")]
impl Members {
    /// The people of an organization, the highest role first, then the longest there.
    #[oai(path = "/users/organizations/:id/members", method = "get", operation_id = "list_members")]
    async fn list_members(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Member>, Reading> {
        let org: OrgId = caller::id(&id)?;
        let ask = Ask::new(Some(org), limit, &cursor)?;
        let page = paging::read(&me.app, &me.caller, org, ask, |view: &OrgView<'_, Read>, slice| {
            let (limit, after) = slice.bounds();
            Ok(member::list(view, limit, after)?.map(|person| dto::Member::from(&person)))
        });
        Ok(Listed(page.await?))
    }

    /// One of the people of an organization.
    #[oai(path = "/users/organizations/:id/members/:user_id", method = "get", operation_id = "get_member")]
    async fn get_member(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The member's id: the user's.
        user_id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<dto::Member>, Reading> {
        let org: OrgId = caller::id(&id)?;
        let user: Id<User> = caller::id(&user_id)?;
        let person = me.app.read(me.actor(), org, move |view: &OrgView<'_, Read>| member::person(view, user)).await?;
        Ok(Found { thing: dto::Member::versioned(&person), known })
    }

    /// Gives a member another role, from their next request on. Needs the role admin; the last admin stays one.
    #[oai(path = "/users/organizations/:id/members/:user_id", method = "put", operation_id = "update_member")]
    async fn update_member(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The member's id: the user's.
        user_id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<MemberChanges>,
    ) -> Answer<Changed<dto::Member>, Writing> {
        let org: OrgId = caller::id(&id)?;
        let user: Id<User> = caller::id(&user_id)?;
        let (MemberChanges { role }, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let changed = me.app.change_once(me.actor(), org, once, move |tx: &mut OrgTx<'_, Administer>| {
            let expected = if_match.expected(tx, member::id_of(user))?;
            Ok(member::set_role(tx, user, role.into(), expected)?.map(|person| dto::Member::versioned(&person)))
        });
        let (thing, replayed) = changed.await?;
        Ok(Changed { thing, replayed })
    }

    /// Takes a member out of an organization, at once. Needs the role admin, but for oneself; the last admin stays.
    ///
    /// Who has left is a stranger, also to the answer that was kept for them.
    #[oai(path = "/users/organizations/:id/members/:user_id", method = "delete", operation_id = "remove_member")]
    async fn remove_member(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The member's id: the user's.
        user_id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Parting> {
        let org: OrgId = caller::id(&id)?;
        let user: Id<User> = caller::id(&user_id)?;
        let once = repeat.once(&me.caller, b"")?;
        // Not by `App::remove_member`: the tag is held against the membership, and the answer kept, within the transaction that removes.
        let ((), replayed) = if user == me.caller.user.id {
            let left = me.app.change_wide_once(me.actor(), org, once, move |tx: &mut WideTx<'_, Read>| {
                as_seen(tx, user, &if_match)?;
                member::leave(tx, user)
            });
            left.await?
        } else {
            let removed = me.app.change_wide_once(me.actor(), org, once, move |tx: &mut WideTx<'_, Administer>| {
                as_seen(tx, user, &if_match)?;
                member::remove(tx, user)
            });
            removed.await?
        };
        Ok(Done { replayed })
    }
}

/// Refuses who has seen another version of the membership.
fn as_seen<P: Permission>(tx: &mut WideTx<'_, P>, user: Id<User>, if_match: &IfMatch) -> Result<()> {
    let inside = tx.inside();
    let member = inside.get(member::id_of(user))?;
    fresh(member.version, if_match.expected(&inside, member.id)?)
}
