//! Mails: invitations, links for forgotten passwords, and word that a password was changed.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Mailer`]: off, or on by a relay |
//! | `letter.rs` | what each mail says, as text and as HTML; `templates/mail/` |
//! | `post.rs` | from a letter to a relay that took it, or not |
//!
//! A mail is sent while somebody waits, or tried again from memory: what is lost with the process can be asked for again.

mod letter;
mod post;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{SmtpUrl, sender};
use crate::domain::text::Email;
use letter::Letter;
pub use letter::{InvitationMail, ResetMail};
use post::Post;

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The relay has taken it.
    Sent,
    /// The relay has not taken it; the log says why.
    Failed,
    /// This instance sends no mail.
    Off,
}

/// Sends mails, if the operator named a relay. A clone is another handle.
#[derive(Debug, Clone, Default)]
pub struct Mailer(Option<Arc<Post>>);

impl Mailer {
    /// Sends nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Sends by this relay, as this sender. Connects when there is something to send, not before.
    ///
    /// # Errors
    /// A sentence for the operator, without the password.
    pub fn new(smtp_url: &SecretString, from: &str) -> Result<Self, String> {
        let url: SmtpUrl = smtp_url.expose_secret().parse().map_err(|error| format!("smtp_url is not a mail relay's URL: {error}"))?;
        let from = sender(from).map_err(|says| format!("mail_from {says}"))?;
        Ok(Self(Some(Arc::new(Post::new(&url, from)?))))
    }

    /// Whether mails are sent at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Sends an invitation. Waits for the relay, 10 seconds at most.
    pub async fn invitation(&self, mail: &InvitationMail<'_>) -> Delivery {
        self.send(mail.to, || mail.letter()).await
    }

    /// Sends a link that sets a new password. Waits for the relay, 10 seconds at most. Where the relay may take it later, it is tried twice
    /// more in the background: whoever hopes for it is not told of a failure.
    pub async fn reset(&self, mail: &ResetMail<'_>) -> Delivery {
        let Some(post) = &self.0 else { return Delivery::Off };
        let message = match mail.letter().and_then(|letter| post.seal(mail.to, letter)) {
            Ok(message) => message,
            Err(error) => return unwritten(&error),
        };
        match post.hand_over(&message).await {
            Ok(()) => Delivery::Sent,
            Err(failure) => {
                if !failure.lasts {
                    tokio::spawn(post.clone().persist(message));
                }
                Delivery::Failed
            }
        }
    }

    /// Tells somebody that the password of their account was changed. Waits for the relay, 10 seconds at most.
    pub async fn password_changed(&self, to: &Email, full_name: &str, base_url: &str) -> Delivery {
        self.send(to, || letter::password_changed(to, full_name, base_url)).await
    }

    async fn send(&self, to: &Email, letter: impl FnOnce() -> Result<Letter, String>) -> Delivery {
        let Some(post) = &self.0 else { return Delivery::Off };
        match letter().and_then(|letter| post.seal(to, letter)) {
            Ok(message) => post.hand_over(&message).await.map_or(Delivery::Failed, |()| Delivery::Sent),
            Err(error) => unwritten(&error),
        }
    }
}

/// A fault of ours, or an address that can't be written in a mail's header.
fn unwritten(error: &str) -> Delivery {
    tracing::error!(error, "a mail could not be written");
    Delivery::Failed
}
