//! People.

use serde::{Deserialize, Serialize};

use super::text::{self, Email};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, SystemDocument, SystemTx, SystemView};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: Id<User>,
    /// Counts changes of this document.
    pub version: u64,
    /// Unique in the instance, in lower case.
    pub email: Email,
    /// 1 to 100 characters.
    pub full_name: String,
    /// A PHC string (argon2id).
    pub password_hash: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Kind for User {
    const PREFIX: &'static str = "usr";
}
impl User {
    /// By address.
    pub const BY_EMAIL: Index<User, String, ()> =
        Index { number: 1, group: &["email"], sort: &[], key: |u| Some((u.email.as_str().into(), ())) };
}
impl Document for User {
    const NAME: &'static str = "users";
    const NUMBER: u16 = 1;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_EMAIL];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for User {}

/// Checks a person's name.
///
/// # Errors
/// `Invalid`, under `full_name`.
pub fn parse_full_name(name: &str) -> Result<String> {
    text::line("full_name", name, 1, 100)
}

/// The account with this address.
///
/// # Errors
/// What the store says.
pub fn by_email(view: &SystemView<'_>, email: &Email) -> Result<Option<User>> {
    Ok(view.scan(User::BY_EMAIL.of(email.as_str().to_owned()).limit(1))?.items.pop())
}

/// Gives a person another name.
///
/// # Errors
/// `Invalid` for a bad name; `NotFound` when the account is gone.
pub fn rename(tx: &mut SystemTx<'_>, id: Id<User>, full_name: &str) -> Result<User> {
    let full_name = parse_full_name(full_name)?;
    let before = tx.find(id)?.ok_or(Error::NotFound)?;
    if before.full_name == full_name {
        return Ok(before);
    }
    let after = User { full_name, version: before.version + 1, updated_at: tx.now(), ..before };
    tx.put(&after)?;
    Ok(after)
}
