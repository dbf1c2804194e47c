//! Who belongs to which organization, in which role.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::invitation;
use super::organization::{OrgId, fresh};
use super::user::User;
use crate::access::{Administer, Permission, Read, Role};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Cursor, Document, Index, OrgDocument, OrgTx, OrgView, Page, Reads, SystemDocument, SystemTx, WideTx};

/// How many people are counted at most: nobody is told more than "so many and more".
pub const COUNTED: usize = 1_000;

/// A member, as the organization knows them: the role is read from here inside every transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user's id, as a member's.
    pub id: Id<Member>,
    /// Counts changes of this document.
    #[serde(default = "first")]
    pub version: u64,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

fn first() -> u64 {
    1
}

impl Kind for Member {
    const PREFIX: &'static str = "mem";
}
impl Document for Member {
    const NAME: &'static str = "members";
    const NUMBER: u16 = 11;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_RANK];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Member {}

impl Member {
    /// All, the highest role first, then the longest there. The first two say whether there is more than one admin.
    pub const BY_RANK: Index<Member, (), (i64, Timestamp)> = Index {
        number: 1,
        group: &[],
        sort: &["rank", "joined_at"],
        key: |m| Some(((), (Role::Admin as i64 - m.role as i64, m.joined_at))),
    };

    /// A member from now on.
    pub fn new(user: Id<User>, role: Role, joined_at: Timestamp) -> Self {
        Self { id: id_of(user), version: 1, role, joined_at }
    }

    /// Whose membership it is.
    pub fn user_id(&self) -> Id<User> {
        Id::from_uuid(self.id.uuid())
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
        Self { id: membership_id(user_id, org_id), user_id, org_id, joined_at }
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

/// The id of a link between two things: the same two give the same id.
pub fn link<K>(a: Uuid, b: Uuid) -> Id<K> {
    Id::of_digest(Sha256::new().chain_update(a).chain_update(b).finalize())
}

fn membership_id(user: Id<User>, org: OrgId) -> Id<Membership> {
    link(user.uuid(), org.uuid())
}

/// Makes a user a member, on both sides.
///
/// # Errors
/// `Conflict` when they are one already.
pub fn join(tx: &mut SystemTx<'_>, org: OrgId, user: Id<User>, role: Role) -> Result<()> {
    let now = tx.now();
    if tx.enter::<Administer>(org).find(id_of(user))?.is_some() {
        return Err(Error::Conflict("you belong to this organization already".into()));
    }
    tx.put(&Membership::new(user, org, now))?;
    tx.enter::<Administer>(org).put(&Member::new(user, role, now))
}

/// A member with the account behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: User,
    /// What they may do here.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
    /// The membership's, for changes that expect one.
    pub version: u64,
}

impl Person {
    fn new(member: &Member, user: User) -> Self {
        Self { user, role: member.role, joined_at: member.joined_at, version: member.version }
    }
}

/// The organization's people, the highest role first, then the longest there.
///
/// # Errors
/// What the store says.
pub fn list<P: Permission>(view: &OrgView<'_, P>, limit: usize, after: Option<Cursor>) -> Result<Page<Person>> {
    let members = view.scan(Member::BY_RANK.of(()).limit(limit).after(after))?;
    let mut items = Vec::with_capacity(members.items.len());
    for member in members.items {
        if let Some(user) = view.user(member.user_id())? {
            items.push(Person::new(&member, user));
        }
    }
    Ok(Page { items, next: members.next })
}

/// One of the organization's people.
///
/// # Errors
/// `NotFound` for who is no member.
pub fn person<P: Permission>(view: &OrgView<'_, P>, user: Id<User>) -> Result<Person> {
    // The membership first: of others not even their existence is told.
    let member = view.get(id_of(user))?;
    Ok(Person::new(&member, view.user(user)?.ok_or(Error::NotFound)?))
}

/// How many people there are; at most [`COUNTED`] are counted.
///
/// # Errors
/// What the store says.
pub fn count(view: &impl Reads) -> Result<usize> {
    view.count(Member::BY_RANK.of(()).limit(COUNTED))
}

/// Gives a member another role.
///
/// # Errors
/// `NotFound` for who is no member; `Conflict` when the last admin would be none any more; `Stale` when `expected` is not the present version.
pub fn set_role(tx: &mut OrgTx<'_, Administer>, user: Id<User>, role: Role, expected: Option<u64>) -> Result<Change<Person>> {
    let before = tx.get(id_of(user))?;
    let account = tx.user(user)?.ok_or(Error::NotFound)?;
    fresh(before.version, expected)?;
    if before.role == role {
        return Ok(Change::nothing(Person::new(&before, account)));
    }
    let mut revoked = Vec::new();
    if before.role == Role::Admin {
        keep_an_admin(tx)?;
        revoked = invitation::revoke_those_of(tx, user)?;
    }
    let after = Member { role, version: before.version + 1, ..before };
    tx.put(&after)?;
    let event = Event::member(EventType::MemberRoleChanged, &account).change("role", before.role, role);
    Ok(Change::all(Person::new(&after, account), [event].into_iter().chain(revoked).collect()))
}

/// Takes a person out of the organization.
///
/// # Errors
/// `NotFound` for who is no member; `Conflict` for the last admin.
pub fn remove(tx: &mut WideTx<'_, Administer>, user: Id<User>) -> Result<Change<()>> {
    let (event, revoked) = part(tx, user)?;
    Ok(Change::all((), [event].into_iter().chain(revoked).collect()))
}

/// Lets a person go who wants to leave; `user` is who asks.
///
/// # Errors
/// As [`remove`].
pub fn leave(tx: &mut WideTx<'_, Read>, user: Id<User>) -> Result<Change<()>> {
    let (event, revoked) = part(tx, user)?;
    Ok(Change::all((), [event.with("left", true)].into_iter().chain(revoked).collect()))
}

/// What happens to the person, and to the invitations that they made.
fn part<P: Permission>(tx: &mut WideTx<'_, P>, user: Id<User>) -> Result<(Event, Vec<Event>)> {
    let org = tx.org();
    let mut inside = tx.inside();
    let member = inside.get(id_of(user))?;
    let account = inside.user(user)?.ok_or(Error::NotFound)?;
    if member.role == Role::Admin {
        keep_an_admin(&inside)?;
    }
    inside.delete(member.id);
    let revoked = invitation::revoke_those_of(&mut inside, user)?;
    tx.system().delete(membership_id(user, org));
    Ok((Event::member(EventType::MemberRemoved, &account).without("role", member.role), revoked))
}

/// That there is an admin beside the one who is about to be none.
fn keep_an_admin(view: &impl Reads) -> Result<()> {
    let first = view.scan(Member::BY_RANK.of(()).limit(2))?.items;
    if first.iter().filter(|member| member.role == Role::Admin).count() > 1 {
        Ok(())
    } else {
        Err(Error::Conflict("this is the organization's last admin; make somebody else an admin first".into()))
    }
}
