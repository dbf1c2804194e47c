//! Invitations: who may join an organization, in which role, until when.
//!
//! The link carries a sealed token ([`Ticket`]) and is stored nowhere: what is stored is the one-time id that the token must name. A new link
//! gets another one, which makes the old link a dead one; accepting or revoking deletes the invitation and with it what any link could open.
//! One whose link has ended stays for a while, so that an admin sees it and can send it again; then it is removed by the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::member;
use super::organization::{OrgId, Organization};
use super::text::Email;
use super::user::{self, User};
use crate::access::{ActorRef, Administer, Permission, Role};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Cursor, Document, Index, OrgDocument, OrgTx, OrgView, Page, Reads, Scan, SystemTx, SystemView};

/// How long a link is good for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long an invitation is kept after its link has ended.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most invitations that wait in one organization.
pub const WAITING_MAX: usize = 1_000;

/// An invitation that was neither accepted nor revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    pub id: Id<Invitation>,
    /// Counts changes of this document.
    pub version: u64,
    /// For whom.
    pub email: Email,
    /// As what they will join.
    pub role: Role,
    /// Who made it.
    pub invited_by: ActorRef,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its present link was made.
    pub sent_at: Timestamp,
    /// Until when that link works.
    pub expires_at: Timestamp,
    /// What a link must name to be the present one.
    pub(crate) once: Id<Invitation>,
}

impl Kind for Invitation {
    const PREFIX: &'static str = "inv";
}
impl Invitation {
    /// By address.
    pub const BY_EMAIL: Index<Invitation, String, ()> =
        Index { number: 1, group: &["email"], sort: &[], key: |i| Some((i.email.as_str().into(), ())) };
    /// All, those whose link ends first before the others.
    pub const BY_END: Index<Invitation, (), Timestamp> =
        Index { number: 2, group: &[], sort: &["expires_at"], key: |i| Some(((), i.expires_at)) };

    /// Whether its link works no more.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// What its link carries, sealed.
    pub fn ticket(&self, org: OrgId) -> Ticket {
        Ticket { org, invitation: self.id, once: self.once, email: self.email.clone(), role: self.role }
    }
}
impl Document for Invitation {
    const NAME: &'static str = "invitations";
    const NUMBER: u16 = 19;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_EMAIL, &Self::BY_END];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Invitation {}

/// What a link carries: where it leads, and the one-time id. Address and role are those of the invitation, which is the one that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Into which organization.
    pub org: OrgId,
    /// By which invitation.
    pub invitation: Id<Invitation>,
    /// Which of its links.
    pub once: Id<Invitation>,
    /// For whom.
    pub email: Email,
    /// As what.
    pub role: Role,
}

/// What a link offers to whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The organization's name.
    pub organization: String,
    /// In its addresses.
    pub slug: String,
    /// For whom.
    pub email: Email,
    /// As what.
    pub role: Role,
    /// Who invites.
    pub invited_by: String,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether the address has an account already. Signing up with it would tell as much.
    pub has_account: bool,
}

/// Invites somebody.
///
/// # Errors
/// `Invalid` for what is no address; `Conflict` for a member, for an address that is invited already, and when too many wait.
pub fn invite(tx: &mut OrgTx<'_, Administer>, email: &str, role: Role, known: Option<Id<User>>) -> Result<Change<Invitation>> {
    let email = Email::parse("email", email)?;
    if known.map(|user| tx.find(member::id_of(user))).transpose()?.flatten().is_some() {
        return Err(Error::Conflict(format!("this organization has {} as a member already", email.as_str())));
    }
    let now = tx.now();
    match tx.scan(Invitation::BY_EMAIL.of(email.as_str().to_owned()).limit(1))?.items.pop() {
        Some(earlier) if !earlier.is_expired(now) => {
            return Err(Error::Conflict(format!("there is already an invitation for {}; send it again or revoke it", email.as_str())));
        }
        // Its link works no more, so that nothing is lost with it.
        Some(expired) => tx.delete(expired.id),
        None => {
            if tx.count(Scan::<Invitation>::all().limit(WAITING_MAX))? >= WAITING_MAX {
                return Err(Error::Conflict("too many invitations wait for an answer; revoke some first".into()));
            }
        }
    }
    let id = tx.new_id();
    let invitation = Invitation {
        id,
        version: 1,
        email,
        role,
        invited_by: tx.actor().clone(),
        created_at: now,
        sent_at: now,
        expires_at: now.plus(LIFETIME),
        once: tx.new_id(),
    };
    tx.put(&invitation)?;
    let event = invited(&invitation);
    Ok(Change::of(invitation, event))
}

/// Makes a new link; the old one works no more. Who makes it is who invites from then on.
///
/// # Errors
/// `NotFound` for an invitation that was accepted or revoked.
pub fn resend(tx: &mut OrgTx<'_, Administer>, id: Id<Invitation>) -> Result<Change<Invitation>> {
    let before = tx.get(id)?;
    let now = tx.now();
    let after = Invitation {
        version: before.version + 1,
        sent_at: now,
        expires_at: now.plus(LIFETIME),
        once: tx.new_id(),
        invited_by: tx.actor().clone(),
        ..before
    };
    tx.put(&after)?;
    let event = invited(&after).with("again", true);
    Ok(Change::of(after, event))
}

fn invited(invitation: &Invitation) -> Event {
    Event::invitation(EventType::MemberInvited, invitation)
        .with("email", &invitation.email)
        .with("role", invitation.role)
        .with("expires_at", invitation.expires_at)
}

/// Takes an invitation back; its link works no more.
///
/// # Errors
/// `NotFound` for one that was accepted or revoked.
pub fn revoke(tx: &mut OrgTx<'_, Administer>, id: Id<Invitation>) -> Result<Change<()>> {
    let invitation = tx.get(id)?;
    tx.delete(id);
    Ok(Change::of((), revoked(&invitation)))
}

/// Takes back what somebody invited who may not any more: a link in their pocket must not be a way back in.
///
/// # Errors
/// What the store says.
pub(super) fn revoke_those_of<P: Permission>(tx: &mut OrgTx<'_, P>, user: Id<User>) -> Result<Vec<Event>> {
    let inviter = Some(user.to_string());
    let mut theirs = tx.scan(Scan::<Invitation>::all())?.items;
    theirs.retain(|invitation| invitation.invited_by.id == inviter);
    for invitation in &theirs {
        tx.delete(invitation.id);
    }
    Ok(theirs.iter().map(revoked).collect())
}

fn revoked(invitation: &Invitation) -> Event {
    Event::invitation(EventType::InvitationRevoked, invitation).without("email", &invitation.email).without("role", invitation.role)
}

/// Until when a link must have ended for its invitation not to be kept any more.
pub fn kept_since(now: Timestamp) -> Timestamp {
    now.minus(KEPT)
}

/// Removes invitations whose links ended then or before, so many at most, and answers whether there may be more. All that is lost with one
/// is the address, which the event repeats.
///
/// # Errors
/// What the store says.
pub fn expire(tx: &mut OrgTx<'_, Administer>, until: Timestamp, most: usize) -> Result<Change<bool>> {
    let mut over = tx.scan(Invitation::BY_END.of(()).limit(most))?.items;
    over.retain(|invitation| invitation.is_expired(until));
    for invitation in &over {
        tx.delete(invitation.id);
    }
    Ok(Change::all(over.len() == most, over.iter().map(expired).collect()))
}

fn expired(invitation: &Invitation) -> Event {
    Event::invitation(EventType::InvitationExpired, invitation)
        .without("email", &invitation.email)
        .without("role", invitation.role)
        .without("expires_at", invitation.expires_at)
}

/// The invitations that wait, the latest made first; expired ones are among them until they are revoked, or have been kept for a while.
///
/// # Errors
/// What the store says.
pub fn list(view: &OrgView<'_, Administer>, limit: usize, after: Option<Cursor>) -> Result<Page<Invitation>> {
    view.scan(Scan::all().newest().limit(limit).after(after))
}

/// The invitation that a link opens, and its organization.
///
/// # Errors
/// `NotFound` for every link that is not the present one of an invitation that waits, whatever the cause: whoever guesses learns nothing.
pub fn admit(view: &SystemView<'_>, ticket: &Ticket) -> Result<(Organization, Invitation)> {
    let org = view.enter::<Administer>(ticket.org);
    let organization = org.find(ticket.org)?.filter(Organization::is_open).ok_or(Error::NotFound)?;
    let invitation = org.find(ticket.invitation)?.ok_or(Error::NotFound)?;
    let is_good = invitation.once == ticket.once
        && invitation.email == ticket.email
        && invitation.role == ticket.role
        && !invitation.is_expired(view.now());
    if is_good { Ok((organization, invitation)) } else { Err(Error::NotFound) }
}

/// What a link offers.
///
/// # Errors
/// As [`admit`].
pub fn offer(view: &SystemView<'_>, ticket: &Ticket) -> Result<Offer> {
    let (organization, invitation) = admit(view, ticket)?;
    Ok(Offer {
        organization: organization.name,
        slug: organization.slug,
        has_account: user::by_email(view, &invitation.email)?.is_some(),
        email: invitation.email,
        role: invitation.role,
        invited_by: invitation.invited_by.name,
        expires_at: invitation.expires_at,
    })
}

/// Makes the person a member, once: of two who come by one link, the second finds no invitation any more.
///
/// Called inside a transaction that belongs to no organization, which is why the event is returned and not recorded.
///
/// # Errors
/// As [`admit`]; `Forbidden` when the link is for another address; `Conflict` for who belongs to the organization already.
pub fn accept(tx: &mut SystemTx<'_>, ticket: &Ticket, user: &User) -> Result<Change<()>> {
    let (_, invitation) = admit(&tx.view(), ticket)?;
    if invitation.email != user.email {
        return Err(Error::Forbidden(format!(
            "this invitation is for {}; sign in with that address to accept it",
            invitation.email.as_str()
        )));
    }
    member::join(tx, ticket.org, user.id, invitation.role)?;
    tx.enter::<Administer>(ticket.org).delete(invitation.id);
    let event = Event::member(EventType::MemberJoined, user)
        .with("role", invitation.role)
        .with("by", "invitation")
        .with("invited_by", serde_json::json!({ "id": invitation.invited_by.id, "name": invitation.invited_by.name }));
    Ok(Change::of((), event))
}
