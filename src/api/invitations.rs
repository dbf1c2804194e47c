//! Invitations: made, sent again and revoked by admins, taken by whom they are for.
//!
//! The answers that carry a link ignore `Idempotency-Key`: whoever holds the link holds the invitation, and a secret is never stored.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::Tag;
use super::answer::{Answer, Done, Inviting, Issued, Joining, Listed, Looking, Reading, Resending, Shown, Withdrawing};
use super::caller::{self, Me, Visitor};
use super::dto;
use super::input::{Input, input};
use super::paging::{self, Ask, Limit};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Administer, Role};
use crate::domain::invitation::{self, Invitation};
use crate::domain::organization::OrgId;
use crate::id::Id;
use crate::store::{OrgTx, OrgView, Reads};
use crate::web::Web;

input! {
    /// Somebody who should join.
    struct NewInvitation {
        /// Their address.
        email: String,
        /// What they will be; a viewer unless said otherwise.
        role: Option<dto::Role>,
    }
}

/// Invitations.
pub(super) struct Invitations;

#[OpenApi(tag = "Tag::People")]
impl Invitations {
    /// The invitations that were neither accepted nor revoked, the latest first, expired ones among them for 30 days. Needs the role admin.
    #[oai(path = "/users/organizations/:id/invitations", method = "get", operation_id = "list_invitations")]
    async fn list_invitations(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Invitation>, Reading> {
        let org: OrgId = caller::id(&id)?;
        let ask = Ask::new(Some(org), limit, &cursor)?;
        let page = paging::read(&me.app, &me.caller, org, ask, |view: &OrgView<'_, Administer>, slice| {
            let ((limit, after), now) = (slice.bounds(), view.now());
            Ok(invitation::list(view, limit, after)?.map(|invitation| dto::Invitation::of(&invitation, now)))
        });
        Ok(Listed(page.await?))
    }

    /// Invites somebody: makes a link that works once and for a day, and mails it where the instance sends mail. Needs the role admin.
    #[oai(path = "/users/organizations/:id/invitations", method = "post", operation_id = "invite")]
    async fn invite(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        body: Input<NewInvitation>,
    ) -> Answer<Issued<dto::IssuedInvitation>, Inviting> {
        let org: OrgId = caller::id(&id)?;
        let NewInvitation { email, role } = body.into_value();
        let role = role.map_or(Role::Viewer, Role::from);
        Ok(Issued(me.app.invite(&me.caller, org, email, role).await?.into()))
    }

    /// Takes an invitation back: its link works no more. Needs the role admin.
    #[oai(path = "/users/organizations/:id/invitations/:inv_id", method = "delete", operation_id = "revoke_invitation")]
    async fn revoke_invitation(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The invitation's id.
        inv_id: Path<String>,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Withdrawing> {
        let org: OrgId = caller::id(&id)?;
        let invitation: Id<Invitation> = caller::id(&inv_id)?;
        let once = repeat.once(&me.caller, b"")?;
        // Not by `App::revoke_invitation`: the answer to the key is kept within the transaction that revokes.
        let revoked = me.app.change_once(me.actor(), org, once, move |tx: &mut OrgTx<'_, Administer>| invitation::revoke(tx, invitation));
        let ((), replayed) = revoked.await?;
        Ok(Done { replayed })
    }

    /// Makes another link, for another day, and mails it where the instance sends mail; the one before is dead. Needs the role admin.
    #[oai(path = "/users/organizations/:id/invitations/:inv_id/resend", method = "post", operation_id = "resend_invitation")]
    async fn resend_invitation(
        &self,
        me: Me,
        /// The organization's id.
        id: Path<String>,
        /// The invitation's id.
        inv_id: Path<String>,
    ) -> Answer<Shown<dto::IssuedInvitation>, Resending> {
        let org: OrgId = caller::id(&id)?;
        let invitation: Id<Invitation> = caller::id(&inv_id)?;
        Ok(Shown(me.app.resend_invitation(&me.caller, org, invitation).await?.into()))
    }

    /// What the link of an invitation offers, for whoever holds it.
    #[oai(path = "/users/invitations/:token", method = "get", operation_id = "get_offer")]
    async fn get_offer(
        &self,
        web: Data<&Web>,
        visitor: Visitor,
        /// What the link ends with.
        token: Path<String>,
    ) -> Answer<Shown<dto::Offer>, Looking> {
        Ok(Shown(web.app.offer(&token, visitor.address).await?.into()))
    }

    /// Joins the organization that invites. Who has no account yet signs up with the token instead.
    #[oai(path = "/users/invitations/:token/accept", method = "post", operation_id = "accept_invitation")]
    async fn accept_invitation(
        &self,
        me: Me,
        /// What the link ends with.
        token: Path<String>,
    ) -> Answer<Shown<dto::OwnOrganization>, Joining> {
        let own = me.app.accept(&me.caller, &token).await?;
        Ok(Shown((&own).into()))
    }
}
