//! Who belongs to an organization, and who is invited.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Author, Role, User};
use crate::api::etag::Versioned;
use crate::app::Invited;
use crate::clock::Timestamp;
use crate::domain::{invitation, member};

/// One of an organization's people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Member {
    /// The user's.
    pub id: String,
    /// Who.
    pub user: User,
    /// What they may do.
    pub role: Role,
    /// Since when they belong to it.
    pub joined_at: Timestamp,
}

impl From<&member::Person> for Member {
    fn from(person: &member::Person) -> Self {
        let user = User::from(&person.user);
        Self { id: user.id.clone(), user, role: person.role.into(), joined_at: person.joined_at }
    }
}

impl Member {
    /// With its version beside it.
    pub fn versioned(person: &member::Person) -> Versioned<Self> {
        Versioned { version: person.version, body: person.into() }
    }
}

/// An invitation that was neither accepted nor revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Invitation {
    /// Opaque.
    pub id: String,
    /// For whom.
    pub email: String,
    /// As what they will join.
    pub role: Role,
    /// Until when its link works.
    pub expires_at: Timestamp,
    /// Whether its link works no more.
    pub expired: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub invited_by: Author,
}

impl Invitation {
    /// The invitation as it stands at this time.
    pub fn of(invitation: &invitation::Invitation, now: Timestamp) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().into(),
            role: invitation.role.into(),
            expires_at: invitation.expires_at,
            expired: invitation.is_expired(now),
            created_at: invitation.created_at,
            invited_by: (&invitation.invited_by).into(),
        }
    }
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "MailDelivery", remote = "crate::mail::Delivery")]
pub enum Mail {
    /// A mail server took it.
    Sent,
    /// No mail server took it: pass the link on yourself.
    Failed,
    /// This instance sends no mail: pass the link on yourself.
    Off,
}

/// An invitation with its link, as told once to who made the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct IssuedInvitation {
    /// Opaque.
    pub id: String,
    /// For whom.
    pub email: String,
    /// As what they will join.
    pub role: Role,
    /// Until when its link works.
    pub expires_at: Timestamp,
    /// Whether its link works no more.
    pub expired: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub invited_by: Author,
    /// The link. Whoever holds it sees what it offers.
    pub url: String,
    /// What the link ends with.
    pub token: String,
    /// Whether the link was sent by mail.
    pub mail: Mail,
}

impl From<Invited> for IssuedInvitation {
    fn from(invited: Invited) -> Self {
        let Invited { invitation, token, url, delivery, .. } = invited;
        let Invitation { id, email, role, expires_at, expired, created_at, invited_by } = Invitation::of(&invitation, invitation.sent_at);
        Self { id, email, role, expires_at, expired, created_at, invited_by, url, token, mail: delivery.into() }
    }
}

/// An organization, as told to who is invited to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct OfferedOrganization {
    /// Its name.
    pub name: String,
    /// In the addresses of its pages.
    pub slug: String,
}

/// What the link of an invitation offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Offer {
    /// To which organization.
    pub organization: OfferedOrganization,
    /// For whom: who accepts it has this address.
    pub email: String,
    /// As what.
    pub role: Role,
    /// The name of who invites.
    pub invited_by: String,
    /// Until when the link works.
    pub expires_at: Timestamp,
    /// Whether the address has an account: sign in with it and accept, else sign up with the token.
    pub has_account: bool,
}

impl From<invitation::Offer> for Offer {
    fn from(offer: invitation::Offer) -> Self {
        let invitation::Offer { organization, slug, email, role, invited_by, expires_at, has_account } = offer;
        Self {
            organization: OfferedOrganization { name: organization, slug },
            email: email.as_str().into(),
            role: role.into(),
            invited_by,
            expires_at,
            has_account,
        }
    }
}
