//! A password that was forgotten: a one-time link, by mail or from the operator's command line.
//!
//! Nothing is stored for a link. It carries a fingerprint of the password that it replaces, and so works once, and no more after the password was
//! changed in any other way.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::App;
use crate::access::Actor;
use crate::domain::text::Email;
use crate::domain::user::{self, User};
use crate::domain::{account, password};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::mail::ResetMail;
use crate::token::Purpose;

/// For how long a link works, in minutes.
const MINUTES: u32 = 60;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    user: Id<User>,
    password: String,
}

impl App {
    /// Mails a link to whoever has this address, if anyone does. What is answered, and when, does not tell.
    ///
    /// # Errors
    /// `Invalid` for what is no address; `TooMany`.
    pub async fn forgot_password(&self, email: &str, from: IpAddr) -> Result<()> {
        self.0.throttle.forgot(from)?;
        let email = Email::parse("email", email)?;
        let wanted = email.clone();
        let user = self.system_read(move |view| user::by_email(view, &wanted)).await?;
        tracing::info!(user = user.as_ref().map(|user| user.id.to_string()), %from, "a password was forgotten");
        let app = self.clone();
        // In the background: who waits for a mail server waits longer than who does not.
        tokio::spawn(async move {
            if let Some(user) = user.filter(|_| app.0.throttle.allows_reset_mail(email.as_str())) {
                app.mail_reset(&user).await;
            }
        });
        Ok(())
    }

    async fn mail_reset(&self, user: &User) {
        match self.reset_url(user) {
            Ok(url) => {
                let mail = ResetMail { to: &user.email, full_name: &user.full_name, url: &url, minutes: MINUTES };
                self.0.settings.mail.reset(&mail).await;
            }
            Err(error) => tracing::error!(%error, "a link for a forgotten password can't be made"),
        }
    }

    /// The link that sets another password for this address: for the operator, who hands it over.
    ///
    /// # Errors
    /// `NotFound` for an address without an account; `Invalid` for what is no address.
    pub async fn reset_link(&self, email: &str) -> Result<String> {
        let email = Email::parse("email", email)?;
        let user = self.system_read(move |view| user::by_email(view, &email)).await?.ok_or(Error::NotFound)?;
        self.reset_url(&user)
    }

    /// Whose password a link sets.
    ///
    /// # Errors
    /// `NotFound` for a link that is not good, whatever the cause.
    pub async fn check_reset(&self, token: &str) -> Result<Email> {
        self.forgetful(token).await.map(|user| user.email)
    }

    /// Sets another password by a link, and ends all of the person's sessions.
    ///
    /// # Errors
    /// As [`check_reset`](Self::check_reset); `Invalid`, under `new_password`; `TooMany`.
    pub async fn reset_password(&self, token: &str, new: String, from: IpAddr) -> Result<()> {
        self.0.throttle.link(from)?;
        let user = self.forgetful(token).await?;
        password::check("new_password", &new, &[user.email.as_str(), &user.full_name])?;
        let (id, old) = (user.id, user.password_hash.clone());
        let hash = self.hash(new).await?;
        let changed = self.system_change(Actor::System("password"), move |tx| account::set_password(tx, id, &old, hash, None)).await;
        match changed {
            // Somebody was quicker, with this link or another way: this one is used up.
            Err(Error::Conflict(_) | Error::Unauthenticated) => return Err(Error::NotFound),
            changed => changed?,
        }
        tracing::info!(user = %user.id, %from, "a password was set by a link");
        self.tell_of_new_password(&user);
        Ok(())
    }

    /// Lets the owner of an account know by mail that its password is another one.
    pub(super) fn tell_of_new_password(&self, user: &User) {
        let (app, user) = (self.clone(), user.clone());
        tokio::spawn(async move {
            let home = app.0.settings.base_url.join("/");
            app.0.settings.mail.password_changed(&user.email, &user.full_name, &home).await;
        });
    }

    fn reset_url(&self, user: &User) -> Result<String> {
        let forgotten = Forgotten { user: user.id, password: fingerprint(&user.password_hash) };
        let subject = serde_json::to_string(&forgotten).map_err(Error::internal)?;
        let lifetime = Duration::from_secs(u64::from(MINUTES) * 60);
        let token = self.0.keys.seal(Purpose::Reset, &subject, self.0.clock.now(), lifetime)?;
        Ok(self.0.settings.base_url.join(&format!("/reset/{token}")))
    }

    async fn forgetful(&self, token: &str) -> Result<User> {
        let subject = self.0.keys.open(Purpose::Reset, token, self.0.clock.now()).ok_or(Error::NotFound)?;
        let forgotten: Forgotten = serde_json::from_str(&subject).map_err(|_| Error::NotFound)?;
        let user = self.system_read(move |view| view.find(forgotten.user)).await?;
        user.filter(|user| fingerprint(&user.password_hash) == forgotten.password).ok_or(Error::NotFound)
    }
}

/// Names a password hash without telling anything of it; each hash has a salt of its own.
fn fingerprint(hash: &str) -> String {
    let digest = Sha256::new().chain_update(b"allclear reset").chain_update(hash).finalize();
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
