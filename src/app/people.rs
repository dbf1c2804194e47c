//! Who belongs to an organization: inviting, accepting, roles, removal, with the links and mails around the operations.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::{App, Caller, record};
use crate::access::{Administer, Read, Role};
use crate::config::Registration;
use crate::domain::invitation::{self, Invitation, Offer, Ticket};
use crate::domain::member;
use crate::domain::organization::{self, OrgId, Organization, Own};
use crate::domain::text::Email;
use crate::domain::user::{self, User};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::mail::{Delivery, InvitationMail};
use crate::store::{OrgTx, OrgView, Reads, SystemView, WideTx};
use crate::token::Purpose;

/// An invitation with its present link, which nobody is told twice by the API.
#[derive(Debug, Clone)]
pub struct Invited {
    /// Into which organization.
    pub org: OrgId,
    /// The invitation.
    pub invitation: Invitation,
    /// What the link carries.
    pub token: String,
    /// The link.
    pub url: String,
    /// What became of the mail.
    pub delivery: Delivery,
}

impl App {
    /// Invites somebody to an organization, by mail where this instance sends mail.
    ///
    /// # Errors
    /// As [`invitation::invite`]; `Forbidden` for who is no admin; `TooMany`.
    pub async fn invite(&self, caller: &Caller, org: OrgId, email: String, role: Role) -> Result<Invited> {
        self.may_administer(caller, org).await?;
        self.0.throttle.invite(&caller.user.id.to_string())?;
        let registration = self.0.settings.registration;
        let (invitation, organization) = self
            .change_wide(caller.actor(), org, move |tx: &mut WideTx<'_, Administer>| {
                let known = invitee(&tx.system().view(), &email, registration)?;
                let mut inside = tx.inside();
                let organization = inside.get(org)?;
                Ok(invitation::invite(&mut inside, &email, role, known)?.map(|invitation| (invitation, organization)))
            })
            .await?;
        self.send(&organization, invitation).await
    }

    /// Makes a new link for an invitation, and sends it; the old one works no more.
    ///
    /// # Errors
    /// As [`invitation::resend`]; `Forbidden` for who is no admin; `TooMany`.
    pub async fn resend_invitation(&self, caller: &Caller, org: OrgId, id: Id<Invitation>) -> Result<Invited> {
        self.may_administer(caller, org).await?;
        self.0.throttle.invite(&caller.user.id.to_string())?;
        let resent = self.change(caller.actor(), org, move |tx: &mut OrgTx<'_, Administer>| {
            let organization = tx.get(org)?;
            Ok(invitation::resend(tx, id)?.map(|invitation| (invitation, organization)))
        });
        let (invitation, organization) = resent.await?;
        self.send(&organization, invitation).await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// As [`invitation::revoke`]; `Forbidden` for who is no admin.
    pub async fn revoke_invitation(&self, caller: &Caller, org: OrgId, id: Id<Invitation>) -> Result<()> {
        self.change(caller.actor(), org, move |tx: &mut OrgTx<'_, Administer>| invitation::revoke(tx, id)).await
    }

    /// An invitation and its present link, for an admin who wants to hand it over. Of one that has expired the link works no more.
    ///
    /// The link is sealed anew each time it is shown: it is stored nowhere.
    ///
    /// # Errors
    /// `NotFound` for one that was accepted or revoked; `Forbidden` for who is no admin.
    pub async fn invitation_link(&self, caller: &Caller, org: OrgId, id: Id<Invitation>) -> Result<(Invitation, String)> {
        let invitation = self.read(caller.actor(), org, move |view: &OrgView<'_, Administer>| view.get(id)).await?;
        let (_, url) = self.link(org, &invitation)?;
        Ok((invitation, url))
    }

    /// What an invitation's link offers.
    ///
    /// # Errors
    /// `NotFound` for any token that opens nothing; `TooMany`.
    pub async fn offer(&self, token: &str, from: IpAddr) -> Result<Offer> {
        self.0.throttle.link(from)?;
        let ticket = self.ticket(token).ok_or(Error::NotFound)?;
        self.system_read(move |view| invitation::offer(view, &ticket)).await
    }

    /// Makes a signed-in person a member, by an invitation's link.
    ///
    /// # Errors
    /// As [`invitation::accept`].
    pub async fn accept(&self, caller: &Caller, token: &str) -> Result<Own> {
        let ticket = self.ticket(token).ok_or(Error::NotFound)?;
        let (actor, id, session) = (caller.actor(), caller.user.id, caller.session);
        self.system_change_with(actor.clone(), ticket.org, move |tx| {
            let user = tx.find(id)?.ok_or(Error::Unauthenticated)?;
            // Whoever was signed out everywhere a moment ago must not get in by a request that was on its way.
            tx.find(session)?.ok_or(Error::Unauthenticated)?;
            let earlier = tx.writes_so_far();
            let change = invitation::accept(tx, &ticket, &user)?;
            let mut inside = tx.enter::<Administer>(ticket.org);
            record(&mut inside, &earlier, &actor.describe(), &change.events)?;
            organization::own(&inside, id)
        })
        .await
    }

    /// Makes an organization for somebody who has an account, and makes them its admin, where anyone may sign up and have one.
    ///
    /// # Errors
    /// `Forbidden` where registration is not open; `Invalid`, under `name`; `TooMany`.
    pub async fn found_organization(&self, caller: &Caller, name: &str) -> Result<Organization> {
        if self.0.settings.registration != Registration::Open {
            return Err(Error::Forbidden("whoever runs this instance makes its organizations; ask them for one".into()));
        }
        let name = organization::parse_name("name", name)?;
        self.0.throttle.invite(&caller.user.id.to_string())?;
        let org: OrgId = self.0.ids.next(self.0.clock.now());
        let (actor, id, session) = (caller.actor(), caller.user.id, caller.session);
        self.system_change_with(actor.clone(), org, move |tx| {
            let user = tx.find(id)?.ok_or(Error::Unauthenticated)?;
            tx.find(session)?.ok_or(Error::Unauthenticated)?;
            let earlier = tx.writes_so_far();
            let founded = organization::found(tx, org, Some(&user), &name)?;
            record(&mut tx.enter::<Administer>(org), &earlier, &actor.describe(), &founded.events)?;
            Ok(founded.value)
        })
        .await
    }

    /// Takes a person out of the organization; oneself, too, which needs no role.
    ///
    /// # Errors
    /// As [`member::remove`]; `Forbidden` for who is no admin and means somebody else.
    pub async fn remove_member(&self, caller: &Caller, org: OrgId, user: Id<User>) -> Result<()> {
        if user == caller.user.id {
            self.change_wide(caller.actor(), org, move |tx: &mut WideTx<'_, Read>| member::leave(tx, user)).await
        } else {
            self.change_wide(caller.actor(), org, move |tx: &mut WideTx<'_, Administer>| member::remove(tx, user)).await
        }
    }

    /// Deletes an organization, as its admin; `typed` is its name.
    ///
    /// # Errors
    /// As [`organization::delete`]; `Forbidden` for who is no admin.
    pub async fn delete_organization(&self, caller: &Caller, org: OrgId, typed: &str) -> Result<()> {
        let typed = typed.to_owned();
        self.change_wide(caller.actor(), org, move |tx: &mut WideTx<'_, Administer>| organization::delete(tx, &typed)).await
    }

    /// Refuses who may not before their attempts are counted, so that a refusal is the same however often they try.
    async fn may_administer(&self, caller: &Caller, org: OrgId) -> Result<()> {
        self.read(caller.actor(), org, |_: &OrgView<'_, Administer>| Ok(())).await
    }

    /// What a token of an invitation's link carries, if it is one of ours and in its time.
    pub(super) fn ticket(&self, token: &str) -> Option<Ticket> {
        let subject = self.0.keys.open(Purpose::Invitation, token, self.0.clock.now())?;
        serde_json::from_str(&subject).ok()
    }

    pub(super) fn link(&self, org: OrgId, invitation: &Invitation) -> Result<(String, String)> {
        let ticket = serde_json::to_string(&invitation.ticket(org)).map_err(Error::internal)?;
        let token = self.0.keys.seal_until(Purpose::Invitation, &ticket, self.0.clock.now(), invitation.expires_at)?;
        let url = self.0.settings.base_url.join(&format!("/invite/{token}"));
        Ok((token, url))
    }

    /// Makes the link, and mails it. Who invited waits for the mail server, at most some seconds, and so hears whether it took the mail.
    pub(super) async fn send(&self, organization: &Organization, invitation: Invitation) -> Result<Invited> {
        let (token, url) = self.link(organization.id, &invitation)?;
        let mail = InvitationMail {
            to: &invitation.email,
            organization: &organization.name,
            invited_by: &invitation.invited_by.name,
            role: invitation.role,
            url: &url,
            expires_at: invitation.expires_at,
        };
        let delivery = if !self.sends_mail() || self.0.throttle.allows_invite_mail(invitation.email.as_str()) {
            self.0.settings.mail.invitation(&mail).await
        } else {
            tracing::warn!(invitation = %invitation.id, "an invitation is not mailed: this address was sent too many of late");
            Delivery::Failed
        };
        Ok(Invited { org: organization.id, invitation, token, url, delivery })
    }
}

/// Who has this address, if anyone does and if it takes no account to accept.
///
/// # Errors
/// `Invalid`, under `email`, for what is no address, and for one without an account where none are made: its link would open nothing.
pub(super) fn invitee(view: &SystemView<'_>, email: &str, registration: Registration) -> Result<Option<Id<User>>> {
    match user::by_email(view, &Email::parse("email", email)?)? {
        None if registration == Registration::Closed => {
            Err(Error::invalid("email", "has no account here, and this instance makes no new ones"))
        }
        known => Ok(known.map(|user| user.id)),
    }
}
