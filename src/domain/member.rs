//! Who belongs to which organization, in which role.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::organization::OrgId;
use super::user::User;
use crate::access::{Administer, Role};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, OrgDocument, SystemDocument, SystemTx};

/// A member, as the organization knows them: the role is read from here inside every transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user's id, as a member's.
    pub id: Id<Member>,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

impl Kind for Member {
    const PREFIX: &'static str = "mem";
}
impl Document for Member {
    const NAME: &'static str = "members";
    const NUMBER: u16 = 11;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Member {}

impl Member {
    /// A member from now on.
    pub fn new(user: Id<User>, role: Role, joined_at: Timestamp) -> Self {
        Self { id: id_of(user), role, joined_at }
    }
}

/// Under which id an organization keeps this user's membership: their own, so that a role is one look-up.
pub fn id_of(user: Id<User>) -> Id<Member> {
    Id::from_uuid(user.uuid())
}

/// The same fact from the user's side: which organizations they belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Made of both ids, so that it exists at most once.
    pub id: Id<Membership>,
    /// Who.
    pub user_id: Id<User>,
    /// Where.
    pub org_id: OrgId,
    /// Since when.
    pub joined_at: Timestamp,
}

impl Kind for Membership {
    const PREFIX: &'static str = "mbs";
}
impl Membership {
    /// A user's organizations, the earliest joined first.
    pub const BY_USER: Index<Membership, Id<User>, Timestamp> =
        Index { number: 1, group: &["user_id"], sort: &["joined_at"], key: |m| Some((m.user_id, m.joined_at)) };

    /// A membership from now on.
    pub fn new(user_id: Id<User>, org_id: OrgId, joined_at: Timestamp) -> Self {
        Self { id: Id::from_uuid(link(user_id.uuid(), org_id.uuid())), user_id, org_id, joined_at }
    }
}
impl Document for Membership {
    const NAME: &'static str = "memberships";
    const NUMBER: u16 = 3;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_USER];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Membership {}

/// The id of a link between two things: the same two give the same id (a UUIDv8 of a SHA-256).
pub fn link(a: Uuid, b: Uuid) -> Uuid {
    let digest = Sha256::new().chain_update(a).chain_update(b).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Makes a user a member, or changes their role, on both sides.
///
/// # Errors
/// What the store says.
pub fn join(tx: &mut SystemTx<'_>, org: OrgId, user: Id<User>, role: Role) -> Result<()> {
    let now = tx.now();
    tx.put(&Membership::new(user, org, now))?;
    tx.enter::<Administer>(org).put(&Member::new(user, role, now))
}
