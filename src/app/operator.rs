//! The operator's side: which organizations there are, and whether they may be. What is in them is not the operator's to see.

#[cfg(test)]
mod tests;

use super::people::invitee;
use super::{App, Caller, Invited, record};
use crate::access::{Administer, Role};
use crate::domain::instance;
use crate::domain::invitation::{self, Invitation};
use crate::domain::organization::{self, OrgId, Organization};
use crate::domain::tenant::{self, Tenant};
use crate::domain::text::Email;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::id::Id;
use crate::store::{Cursor, OrgTx, Page, Reads, StoreSize, SystemTx};

impl App {
    /// Whether this is the operator of the instance.
    ///
    /// # Errors
    /// What the store says.
    pub async fn is_operator(&self, caller: &Caller) -> Result<bool> {
        let id = caller.user.id;
        self.system_read(move |view| Ok(instance::operator(view)? == Some(id))).await
    }

    /// The organizations of the instance, in the order of their addresses.
    ///
    /// # Errors
    /// `NotFound` for everyone but the operator.
    pub async fn tenants(&self, caller: &Caller, limit: usize, after: Option<Cursor>) -> Result<Page<Tenant>> {
        let id = caller.user.id;
        self.system_read(move |view| {
            instance::operated_by(view, id)?;
            tenant::list(view, limit, after)
        })
        .await
    }

    /// One organization of the instance.
    ///
    /// # Errors
    /// `NotFound` for everyone but the operator, and for one that is not there.
    pub async fn tenant(&self, caller: &Caller, org: OrgId) -> Result<Tenant> {
        let id = caller.user.id;
        self.system_read(move |view| {
            instance::operated_by(view, id)?;
            tenant::get(view, org)
        })
        .await
    }

    /// How much room the store takes.
    ///
    /// # Errors
    /// `Internal` when the system does not say.
    pub async fn storage(&self) -> Result<StoreSize> {
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || store.size()).await.map_err(Error::internal)?
    }

    /// Makes an organization for somebody else, and invites its first admin. The operator does not belong to it.
    ///
    /// # Errors
    /// `NotFound` for everyone but the operator; `Invalid`, under `name` and `email`; `TooMany`.
    pub async fn create_organization(&self, caller: &Caller, name: &str, admin_email: &str) -> Result<Invited> {
        self.may_operate(caller).await?;
        let (name, email) = (name.to_owned(), admin_email.to_owned());
        let mut check = crate::error::Check::new();
        check.take(organization::parse_name("name", &name))?;
        check.take(Email::parse("email", &email))?;
        check.done()?;
        self.0.throttle.invite(&caller.user.id.to_string())?;
        let org: OrgId = self.0.ids.next(self.0.clock.now());
        let registration = self.0.settings.registration;
        let made = self.operate(caller, org, move |tx| {
            let founded = organization::found(tx, org, None, &name)?;
            let known = invitee(&tx.view(), &email, registration)?;
            let invited = invitation::invite(&mut tx.enter(org), &email, Role::Admin, known)?;
            let events = founded.events.into_iter().chain(invited.events).collect();
            Ok(Change::all((founded.value, invited.value), events))
        });
        let (organization, invitation) = made.await?;
        self.send(&organization, invitation).await
    }

    /// The invitation of the first admin, and its link; while nobody belongs to the organization.
    ///
    /// # Errors
    /// `NotFound` for everyone but the operator, and when there is none.
    pub async fn tenant_invitation(&self, caller: &Caller, org: OrgId) -> Result<(Invitation, String)> {
        let id = caller.user.id;
        let invitation = self
            .system_read(move |view| {
                instance::operated_by(view, id)?;
                let waiting = tenant::get(view, org)?.pending_admin.ok_or(Error::NotFound)?;
                view.enter::<Administer>(org).get(waiting)
            })
            .await?;
        let (_, url) = self.link(org, &invitation)?;
        Ok((invitation, url))
    }

    /// Makes a new link for the first admin, and sends it; the old one works no more. It is for another address, if one is given: the first
    /// may have been mistyped, and there is nobody in the organization yet who could put that right.
    ///
    /// # Errors
    /// As [`tenant_invitation`](Self::tenant_invitation); `Invalid`, under `email`; `TooMany`.
    pub async fn resend_tenant_invitation(&self, caller: &Caller, org: OrgId, email: Option<String>) -> Result<Invited> {
        self.may_operate(caller).await?;
        let email = email.map(|email| Email::parse("email", &email)).transpose()?;
        self.0.throttle.invite(&caller.user.id.to_string())?;
        let registration = self.0.settings.registration;
        let resent = self.operate(caller, org, move |tx| {
            let waiting: Id<Invitation> = tenant::get(&tx.view(), org)?.pending_admin.ok_or(Error::NotFound)?;
            let mut inside: OrgTx<'_, Administer> = tx.enter(org);
            let (organization, before) = (inside.get(org)?, inside.get(waiting)?);
            let again = match email.filter(|email| *email != before.email) {
                None => invitation::resend(&mut inside, waiting)?,
                Some(email) => {
                    let revoked = invitation::revoke(&mut inside, waiting)?;
                    let known = invitee(&tx.view(), email.as_str(), registration)?;
                    let invited = invitation::invite(&mut tx.enter(org), email.as_str(), before.role, known)?;
                    Change::all(invited.value, revoked.events.into_iter().chain(invited.events).collect())
                }
            };
            Ok(again.map(|invitation| (organization, invitation)))
        });
        let (organization, invitation) = resent.await?;
        self.send(&organization, invitation).await
    }

    /// Shuts an organization: its people, its page and its rooms.
    ///
    /// # Errors
    /// `NotFound` for everyone but the operator, and for one that is not there.
    pub async fn suspend(&self, caller: &Caller, org: OrgId) -> Result<Organization> {
        self.operate(caller, org, move |tx| organization::suspend(&mut tx.wide(org), true)).await
    }

    /// Opens an organization again.
    ///
    /// # Errors
    /// As [`suspend`](Self::suspend).
    pub async fn resume(&self, caller: &Caller, org: OrgId) -> Result<Organization> {
        self.operate(caller, org, move |tx| organization::suspend(&mut tx.wide(org), false)).await
    }

    /// Deletes an organization, as the operator; `typed` is its name.
    ///
    /// # Errors
    /// As [`suspend`](Self::suspend); `Invalid`, under `name`, for another name.
    pub async fn erase(&self, caller: &Caller, org: OrgId, typed: &str) -> Result<()> {
        let typed = typed.to_owned();
        self.operate(caller, org, move |tx| organization::delete(&mut tx.wide(org), &typed)).await
    }

    /// Refuses everyone else before their attempts are counted, so that a refusal is the same however often they try.
    async fn may_operate(&self, caller: &Caller) -> Result<()> {
        let id = caller.user.id;
        self.system_read(move |view| instance::operated_by(view, id)).await
    }

    /// A change of an organization by the operator, who has no role in it: that they are the operator is what is checked, in the transaction.
    async fn operate<T: Send + 'static>(
        &self,
        caller: &Caller,
        org: OrgId,
        op: impl FnOnce(&mut SystemTx<'_>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<T> {
        let (actor, id, session) = (caller.actor(), caller.user.id, caller.session);
        self.system_change_with(actor.clone(), org, move |tx| {
            tx.find(session)?.ok_or(Error::Unauthenticated)?;
            instance::operated_by(&tx.view(), id)?;
            let earlier = tx.writes_so_far();
            let change = op(tx)?;
            record(&mut tx.enter::<Administer>(org), &earlier, &actor.describe(), &change.events)?;
            Ok(change.value)
        })
        .await
    }
}
