//! People and the organizations they belong to.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::Role;
use crate::api::etag::Versioned;
use crate::clock::Timestamp;
use crate::domain::{account, organization, session, user};
use crate::id::Id;

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct User {
    /// Opaque.
    pub id: String,
    /// In lower case.
    pub email: String,
    /// As others see it.
    pub full_name: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl From<&user::User> for User {
    fn from(user: &user::User) -> Self {
        Self { id: user.id.to_string(), email: user.email.as_str().into(), full_name: user.full_name.clone(), created_at: user.created_at }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Organization {
    /// Opaque.
    pub id: String,
    /// Its name.
    pub name: String,
    /// In the addresses of its pages.
    pub slug: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<&organization::Organization> for Organization {
    fn from(organization: &organization::Organization) -> Self {
        let organization::Organization { id, name, slug, created_at, .. } = organization;
        Self { id: id.to_string(), name: name.clone(), slug: slug.clone(), created_at: *created_at }
    }
}

/// One of the caller's organizations, and what they may do in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct OwnOrganization {
    /// Opaque.
    pub id: String,
    /// Its name.
    pub name: String,
    /// In the addresses of its pages.
    pub slug: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The caller's.
    pub role: Role,
    /// Whether the operator keeps it shut: everything in it is refused then.
    pub suspended: bool,
}

impl From<&organization::Own> for OwnOrganization {
    fn from(own: &organization::Own) -> Self {
        let Organization { id, name, slug, created_at } = Organization::from(&own.organization);
        let suspended = own.organization.suspended_at.is_some();
        Self { id, name, slug, created_at, role: own.role.into(), suspended }
    }
}

impl OwnOrganization {
    /// With its version beside it.
    pub fn versioned(own: &organization::Own) -> Versioned<Self> {
        Versioned { version: own.organization.version, body: own.into() }
    }
}

/// The caller and where they belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Profile {
    /// The caller.
    pub user: User,
    /// Their organizations, the earliest joined first.
    pub organizations: Vec<OwnOrganization>,
}

impl From<&account::Profile> for Profile {
    fn from(profile: &account::Profile) -> Self {
        Self { user: (&profile.user).into(), organizations: profile.organizations.iter().map(OwnOrganization::from).collect() }
    }
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct SignedUp {
    /// The person.
    pub user: User,
    /// Their organization.
    pub organization: Organization,
    /// What they may do in it.
    pub role: Role,
}

/// Where somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Session {
    /// Opaque; nobody can sign in with it.
    pub id: String,
    /// Whether it is the one asked through.
    pub current: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// From where it began.
    pub address: String,
    /// What the browser or program called itself when it began.
    pub user_agent: String,
}

impl Session {
    /// The session, as seen from the one asked through.
    pub fn of(session: &session::Session, current: Id<session::Session>) -> Self {
        let session::Session { id, created_at, seen_at, expires_at, address, user_agent, .. } = session;
        Self {
            id: id.to_string(),
            current: *id == current,
            created_at: *created_at,
            seen_at: *seen_at,
            expires_at: *expires_at,
            address: address.clone(),
            user_agent: user_agent.clone(),
        }
    }
}
