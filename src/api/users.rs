//! Signing up, in and out; the caller's own account.
//!
//! These answers ignore `Idempotency-Key`: some carry the session, and a secret is never stored.

use poem::web::Data;
use poem_openapi::OpenApi;

use super::Tag;
use super::answer::{Answer, Done, Entered, Left, Own, Reading, Shown, SigningIn, SigningOut, SigningUp, Welcomed};
use super::caller::{Me, Visitor};
use super::dto;
use super::input::{Input, input};
use crate::app::{SignUpInput, SignedIn};
use crate::error::{Error, Result};
use crate::http::SessionCookie;
use crate::web::Web;

input! {
    /// A new account, and the organization that it founds or joins.
    struct SignUp {
        /// Not used by another account.
        email: String,
        /// 12 to 128 characters, not easily guessed.
        password: String,
        /// 1 to 100 characters.
        full_name: String,
        /// 1 to 100 characters. Required, but for who comes by an invitation: then it must be left out.
        organization_name: Option<String>,
        /// From the setup link that the server prints while it has no operator.
        setup_token: Option<String>,
        /// From the link of an invitation: joins the organization that invites, and founds none.
        invite_token: Option<String>,
    }
}

input! {
    /// Who one is.
    struct Credentials {
        /// The account's address.
        email: String,
        /// Its password.
        password: String,
    }
}

input! {
    /// What may change of one's own account.
    struct ProfilePatch {
        /// 1 to 100 characters.
        full_name: Option<String>,
    }
}

input! {
    /// Another password.
    struct NewPassword {
        /// The present one.
        current_password: String,
        /// 12 to 128 characters, not easily guessed.
        new_password: String,
    }
}

/// Accounts.
pub(super) struct Users;

#[OpenApi(tag = "Tag::Accounts")]
impl Users {
    /// Makes an account and an organization, or joins the one that invites, and signs in.
    #[oai(path = "/users/auth/signup", method = "post", operation_id = "sign_up")]
    async fn sign_up(&self, web: Data<&Web>, visitor: Visitor, body: Input<SignUp>) -> Answer<Welcomed<dto::SignedUp>, SigningUp> {
        let SignUp { email, password, full_name, organization_name, setup_token, invite_token } = body.into_value();
        let organization_name = organization_name.unwrap_or_default();
        let input = SignUpInput { email, password, full_name, organization_name, setup_token, invite_token };
        let signed_in = web.app.sign_up(input, visitor.address, visitor.origin).await?;
        let first =
            signed_in.profile.organizations.first().ok_or_else(|| {
                Error::Conflict("your account is made, but you do not belong to the organization any more; sign in".into())
            })?;
        let body =
            dto::SignedUp { user: (&signed_in.profile.user).into(), organization: (&first.organization).into(), role: first.role.into() };
        Ok(Welcomed(entered(web.cookie, &signed_in, body)?))
    }

    /// Signs in. The answer for an unknown address is that for a wrong password.
    #[oai(path = "/users/auth/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, web: Data<&Web>, visitor: Visitor, body: Input<Credentials>) -> Answer<Entered<dto::Profile>, SigningIn> {
        let Credentials { email, password } = body.into_value();
        let signed_in = web.app.sign_in(&email, password, visitor.address, visitor.origin).await?;
        let body = dto::Profile::from(&signed_in.profile);
        Ok(entered(web.cookie, &signed_in, body)?)
    }

    /// Ends the session and everything that was opened through it.
    #[oai(path = "/users/auth/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, web: Data<&Web>, me: Me) -> Answer<Left, SigningOut> {
        me.app.sign_out(me.caller).await?;
        Ok(Left { cookie: web.cookie.clear() })
    }

    /// The caller, their organizations and roles.
    #[oai(path = "/users/auth/profile", method = "get", operation_id = "get_profile")]
    async fn get_profile(&self, me: Me) -> Answer<Shown<dto::Profile>, Reading> {
        Ok(Shown(profile(&me).await?))
    }

    /// Changes the caller's name.
    #[oai(path = "/users/auth/profile", method = "put", operation_id = "update_profile")]
    async fn update_profile(&self, me: Me, body: Input<ProfilePatch>) -> Answer<Shown<dto::Profile>, Own> {
        if let Some(full_name) = body.into_value().full_name {
            me.app.rename(&me.caller, full_name).await?;
        }
        Ok(Shown(profile(&me).await?))
    }

    /// Sets another password, and ends the caller's other sessions.
    #[oai(path = "/users/auth/password", method = "post", operation_id = "change_password")]
    async fn change_password(&self, me: Me, body: Input<NewPassword>) -> Answer<Done, Own> {
        let NewPassword { current_password, new_password } = body.into_value();
        me.app.change_password(&me.caller, current_password, new_password).await?;
        Ok(Done { replayed: false })
    }
}

async fn profile(me: &Me) -> Result<dto::Profile> {
    Ok(dto::Profile::from(&me.app.profile(&me.caller).await?))
}

fn entered<T>(cookie: SessionCookie, signed_in: &SignedIn, body: T) -> Result<Entered<T>> {
    let cookie =
        cookie.set(&signed_in.token, signed_in.lifetime).ok_or_else(|| Error::internal("a session's token does not fit into a cookie"))?;
    Ok(Entered { body, cookie })
}
