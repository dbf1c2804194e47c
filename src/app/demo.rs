//! The demonstration's door: whoever clicks is signed in as its admin, without a password.

use std::net::IpAddr;

use super::{App, SignedIn};
use crate::domain::account::{Door, SignUp};
use crate::domain::session::Origin;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::id::{Id, secret};

/// Whom a click signs in. Only [`App::found_demo`] makes one, and only on a store that nobody has claimed: no other instance has such a door.
#[derive(Debug, Clone)]
pub struct DemoAdmin(User);

impl DemoAdmin {
    /// The person.
    pub fn user(&self) -> &User {
        &self.0
    }
}

impl App {
    /// Makes the demonstration's admin, who is the instance's operator, and their organization.
    ///
    /// # Errors
    /// `Conflict` when the instance has an operator.
    pub async fn found_demo(&self, input: SignUp) -> Result<DemoAdmin> {
        self.found(input, unguessable(), Door::Setup).await.map(DemoAdmin)
    }

    /// Signs a visitor in as the demonstration's admin.
    ///
    /// # Errors
    /// `TooMany`, as often as signing up: each click makes a session, and nobody should fill the memory with them.
    pub async fn sign_in_demo(&self, admin: &DemoAdmin, from: IpAddr, origin: Origin) -> Result<SignedIn> {
        self.0.throttle.sign_up(from)?;
        let id: Id<User> = admin.0.id;
        // Read anew: a visitor may have given the admin another name meanwhile.
        let user = self.system_read(move |view| view.find(id)?.ok_or(Error::Unauthenticated)).await?;
        // All visitors are the same person and see each other's sessions; strangers' addresses and browsers are none of their business.
        let origin = if from.is_loopback() { origin } else { Origin::default() };
        self.begin_session(user, origin).await
    }
}

/// A password that nobody knows.
pub(crate) fn unguessable() -> String {
    secret::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
}
