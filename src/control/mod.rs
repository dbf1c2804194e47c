//! What the command line asks of a running server: a unix socket in the data directory.
//!
//! A file is the server's alone while it runs, so a command that needs the store asks the server: one JSON line there, one back.
//!
//! ```text
//! {"command":"reset-password","email":"ada@example.com"}
//! {"url":"https://status.example.com/reset/v4.local.…","expires_at":"2026-03-01T13:00:00.000Z"}
//! ```
//!
//! What can't be done is answered with `{"error":"…"}`. The socket is for the server's own user alone, by its mode and by who the system
//! says is calling; HTTP on loopback was the other road, but every program on the machine may knock there.

mod client;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;

pub use client::ask;
pub use server::Socket;

/// The most bytes of a line, either way.
const LINE_MAX: u64 = 64 * 1024;

/// How long the other side may take for its line.
const PATIENCE: Duration = Duration::from_secs(5);

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// A link that sets a new password.
    ResetPassword {
        /// The account's address.
        email: String,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// A link, and until when it works.
    Link {
        /// A secret.
        url: String,
        /// Not later than the link's own end.
        expires_at: Timestamp,
    },
    /// It could not be done.
    Error {
        /// Why, as a sentence without its full stop.
        error: String,
    },
}

impl Reply {
    fn error(why: impl Into<String>) -> Self {
        Self::Error { error: why.into() }
    }
}

/// Does what is asked; also for the command line itself, when no server runs.
pub async fn carry_out(app: &App, request: &Request) -> Reply {
    match request {
        Request::ResetPassword { email } => {
            // Taken first, so that what is said is never later than what the link carries.
            let expires_at = app.clock().now().plus(Duration::from_secs(60 * 60));
            match app.reset_link(email).await {
                Ok(url) => {
                    tracing::info!(%email, "made a link for a new password, as the command line asked");
                    Reply::Link { url, expires_at }
                }
                Err(Error::NotFound) => Reply::error(format!("nobody here has the address {email}; check its spelling")),
                Err(Error::Invalid(_)) => Reply::error(format!("{email:?} is not an email address; write such as ada@example.com")),
                Err(error) => Reply::error(format!("the link could not be made: {error}")),
            }
        }
    }
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
