//! Where the caller is signed in, and getting back in without the password.
//!
//! No answer tells a secret: a session is told by its id, which is of no use without the seal of the cookie, and a link is only mailed.

use std::cmp::Reverse;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::Tag;
use super::answer::{Answer, Done, Ending, Forgetting, Listed, Reading, Resetting};
use super::caller::{self, Me, Visitor};
use super::dto;
use super::input::{Input, input};
use super::paging::{Limit, cut};
use super::query::Query;
use crate::domain::session::Session;
use crate::error::Error;
use crate::id::Id;
use crate::web::Web;

input! {
    /// Who has forgotten their password.
    struct Forgotten {
        /// The account's address.
        email: String,
    }
}

input! {
    /// A password by a link.
    struct PasswordReset {
        /// What the link ends with.
        token: String,
        /// 12 to 128 characters, not easily guessed.
        new_password: String,
    }
}

/// Sessions, and the way back to one.
pub(super) struct Sessions;

#[OpenApi(tag = "Tag::Accounts")]
impl Sessions {
    /// The caller's sessions, the latest begun first.
    #[oai(path = "/users/auth/sessions", method = "get", operation_id = "list_sessions")]
    async fn list_sessions(
        &self,
        me: Me,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Session>, Reading> {
        let sessions = me.app.sessions_of(&me.caller).await?;
        // By what never changes, so that no session moves from page to page while it is used.
        let page = cut(sessions, limit, &cursor, |session| Reverse((session.created_at, session.id)))?;
        Ok(Listed(page.map(|session| dto::Session::of(&session, me.caller.session))))
    }

    /// Ends one of the caller's sessions and everything that was opened through it.
    #[oai(path = "/users/auth/sessions/:id", method = "delete", operation_id = "end_session")]
    async fn end_session(
        &self,
        me: Me,
        /// The session's id.
        id: Path<String>,
    ) -> Answer<Done, Ending> {
        let session: Id<Session> = caller::id(&id)?;
        me.app.end_session(&me.caller, session).await?;
        Ok(Done { replayed: false })
    }

    /// Mails a link that sets another password, where the instance sends mail. The answer does not tell whether there is such an account.
    #[oai(path = "/users/auth/password/forgot", method = "post", operation_id = "forgot_password")]
    async fn forgot_password(&self, web: Data<&Web>, visitor: Visitor, body: Input<Forgotten>) -> Answer<Done, Forgetting> {
        web.app.forgot_password(&body.into_value().email, visitor.address).await?;
        Ok(Done { replayed: false })
    }

    /// Sets another password by a link, which works once, and ends all of the account's sessions. Sign in with the new one.
    #[oai(path = "/users/auth/password/reset", method = "post", operation_id = "reset_password")]
    async fn reset_password(&self, web: Data<&Web>, visitor: Visitor, body: Input<PasswordReset>) -> Answer<Done, Resetting> {
        let PasswordReset { token, new_password } = body.into_value();
        let reset = web.app.reset_password(&token, new_password, visitor.address).await;
        reset.map_err(|error| match error {
            // A field of this request and no address: what is at this address is there.
            Error::NotFound => Error::invalid("token", "has been used or has expired; ask for a new link"),
            other => other,
        })?;
        Ok(Done { replayed: false })
    }
}
