//! The instance itself: whether it has an operator yet.

use serde::{Deserialize, Serialize};

use super::user::User;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{Document, SystemDocument, SystemTx, SystemView};

/// What there is once per instance; made when the operator is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Always the same.
    pub id: Id<Instance>,
    /// Who may look after the instance.
    pub operator: Id<User>,
    /// Since when.
    pub claimed_at: Timestamp,
}

const THE_ONE: Id<Instance> = Id::from_u128(1);

impl Kind for Instance {
    const PREFIX: &'static str = "ins";
}
impl Document for Instance {
    const NAME: &'static str = "instance";
    const NUMBER: u16 = 5;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Instance {}

/// The operator, if the instance was claimed.
///
/// # Errors
/// What the store says.
pub fn operator(view: &SystemView<'_>) -> Result<Option<Id<User>>> {
    Ok(view.find(THE_ONE)?.map(|instance| instance.operator))
}

/// That this user is the operator.
///
/// # Errors
/// `NotFound` for everyone else: to them the operator's side does not exist.
pub fn operated_by(view: &SystemView<'_>, user: Id<User>) -> Result<()> {
    if operator(view)? == Some(user) { Ok(()) } else { Err(Error::NotFound) }
}

/// Makes a user the operator. Of two who hold the same setup link, one wins.
///
/// # Errors
/// `Conflict` when there is an operator already.
pub fn claim(tx: &mut SystemTx<'_>, user: Id<User>) -> Result<()> {
    if operator(&tx.view())?.is_some() {
        return Err(Error::Conflict("this instance has an operator already; sign in instead".into()));
    }
    let claimed_at = tx.now();
    tx.put(&Instance { id: THE_ONE, operator: user, claimed_at })
}
