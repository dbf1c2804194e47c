//! Accounts: making one, and what a signed-in person is told about themselves.

use super::instance;
use super::invitation::{self, Offer, Ticket};
use super::member::Membership;
use super::organization::{self, OrgId, Own};
use super::session;
use super::text::Email;
use super::user::{self, User};
use crate::access::Read;
use crate::error::{Check, Error, Result};
use crate::event::Change;
use crate::id::Id;
use crate::store::{SystemTx, SystemView};

/// What sign-up asks, parsed.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Not taken yet.
    pub email: Email,
    /// The person's name.
    pub full_name: String,
    /// The organization's name; empty for who comes by an invitation.
    pub organization_name: String,
}

impl SignUp {
    /// Parses what someone typed, all of it, so that they hear of everything at once. `offer` is what the invitation says that they come by: the
    /// address is given then, and no organization is founded.
    ///
    /// # Errors
    /// `Invalid` naming each field.
    pub fn parse(email: &str, password: &str, full_name: &str, organization_name: &str, offer: Option<&Offer>) -> Result<Self> {
        let mut check = Check::new();
        let email = check.take(Email::parse("email", email).and_then(|email| match offer {
            Some(offer) if offer.email != email => {
                Err(Error::invalid("email", format!("must be {}: the invitation is for that address", offer.email.as_str())))
            }
            _ => Ok(email),
        }))?;
        let full_name = check.take(user::parse_full_name(full_name))?;
        let organization_name = check.take(match offer {
            None => organization::parse_name("organization_name", organization_name),
            Some(_) if organization_name.is_empty() => Ok(String::new()),
            Some(_) => {
                Err(Error::invalid("organization_name", "must be left out: the invitation leads into an organization that is there"))
            }
        })?;
        let organization = offer.map(|offer| offer.organization.as_str()).or(organization_name.as_deref());
        let known = [email.as_ref().map(Email::as_str), full_name.as_deref(), organization];
        check.take(super::password::check("password", password, &known.into_iter().flatten().collect::<Vec<_>>()))?;
        check.done()?;
        match (email, full_name, organization_name) {
            (Some(email), Some(full_name), Some(organization_name)) => Ok(Self { email, full_name, organization_name }),
            _ => Err(Error::internal("a field was neither right nor wrong")),
        }
    }
}

/// By what right someone signs up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Registration is open.
    Open,
    /// The setup link or the bootstrap: makes the operator.
    Setup,
    /// An invitation's link: makes a member of an organization that is there, and founds none.
    Invitation(Ticket),
}

/// Makes a user, and an organization whose admin they are; or, by an invitation, a member of the organization that invites. Answers with the user
/// and with what happened to `org`, which is that organization.
///
/// # Errors
/// `Conflict` when the address has an account, or when there is an operator already and the door is `Setup`; as [`invitation::accept`].
pub fn sign_up(tx: &mut SystemTx<'_>, org: OrgId, input: SignUp, password_hash: String, door: &Door) -> Result<(User, Change<()>)> {
    if user::by_email(&tx.view(), &input.email)?.is_some() {
        return Err(Error::Conflict("this email address has an account already; sign in instead".into()));
    }
    let now = tx.now();
    let user = User {
        id: tx.new_id(),
        version: 1,
        email: input.email,
        full_name: input.full_name,
        password_hash,
        created_at: now,
        updated_at: now,
    };
    tx.put(&user)?;
    let change = match door {
        Door::Invitation(ticket) => invitation::accept(tx, ticket, &user)?,
        Door::Open => organization::found(tx, org, Some(&user), &input.organization_name)?.map(|_| ()),
        Door::Setup => {
            instance::claim(tx, user.id)?;
            organization::found(tx, org, Some(&user), &input.organization_name)?.map(|_| ())
        }
    };
    Ok((user, change))
}

/// A person and where they belong.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The person.
    pub user: User,
    /// Their organizations, the earliest joined first.
    pub organizations: Vec<Own>,
}

/// Looks a person up with their organizations.
///
/// # Errors
/// `Unauthenticated` when the account is gone.
pub fn profile(view: &SystemView<'_>, id: Id<User>) -> Result<Profile> {
    let user = view.find(id)?.ok_or(Error::Unauthenticated)?;
    let mut organizations = Vec::new();
    for membership in memberships(view, id)? {
        match organization::own(&view.enter::<Read>(membership.org_id), id) {
            Ok(own) => organizations.push(own),
            Err(Error::NotFound) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(Profile { user, organizations })
}

/// Where a person belongs, the earliest joined first.
///
/// # Errors
/// What the store says.
pub fn memberships(view: &SystemView<'_>, user: Id<User>) -> Result<Vec<Membership>> {
    Ok(view.scan(Membership::BY_USER.of(user))?.items)
}

/// Sets another password and ends the person's other sessions.
///
/// # Errors
/// `Unauthenticated` when the account or the session is gone; `Conflict` when the password was changed meanwhile.
pub fn set_password(
    tx: &mut SystemTx<'_>,
    id: Id<User>,
    old_hash: &str,
    new_hash: String,
    keep: Option<Id<session::Session>>,
) -> Result<()> {
    let user = tx.find(id)?.ok_or(Error::Unauthenticated)?;
    // The old password was verified outside, since that takes long; it must still be the one, and the session must not have been ended meanwhile.
    if keep.map(|session| tx.find(session)).transpose()?.is_some_and(|session| session.is_none()) {
        return Err(Error::Unauthenticated);
    }
    if user.password_hash != old_hash {
        return Err(Error::Conflict("the password was changed meanwhile".into()));
    }
    let (version, updated_at) = (user.version + 1, tx.now());
    tx.put(&User { password_hash: new_hash, version, updated_at, ..user })?;
    session::end_others(tx, id, keep)
}
