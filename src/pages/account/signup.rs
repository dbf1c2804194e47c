//! Signing up: where registration is open, and by an invitation.

use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use super::invited;
use super::templates::{AccountValues, SignupPage};
use crate::app::SignUpInput;
use crate::config::Registration;
use crate::error::{Error, Result};
use crate::pages::answer::{Refused, html, visit, welcome};
use crate::pages::fields::Fields;
use crate::web::Web;

/// The fields that people fill in.
pub(super) const FIELDS: [&str; 4] = ["email", "password", "full_name", "organization_name"];

/// `GET /signup`.
#[handler]
pub(crate) async fn signup_form(web: Data<&Web>) -> poem::Result<Response> {
    open(web.app.registration())?;
    Ok(html(StatusCode::OK, &SignupPage::new(web.pages.shell(), &AccountValues::default(), &[]))?)
}

/// `POST /signup`. An invitation opens what is closed to others; whether it does here, the application says.
#[handler]
pub(crate) async fn sign_up(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    if fields.has("invite_token") {
        return Ok(invited::join(web.0, request, &fields).await?);
    }
    open(web.app.registration())?;
    let (from, origin) = visit(request);
    let signed_up = match fields.only(&FIELDS) {
        Ok(()) => web.app.sign_up(input(&fields), from, origin).await,
        Err(error) => Err(error),
    };
    match signed_up {
        Ok(signed_in) => Ok(welcome(web.0, &signed_in, "/")?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(refused.answer(&SignupPage::new(web.pages.shell(), &typed(&fields), &refused.errors))?)
        }
    }
}

/// What was typed, as the application wants it; whoever comes by a link adds its token.
pub(super) fn input(fields: &Fields) -> SignUpInput {
    SignUpInput {
        email: fields.get("email").into(),
        password: fields.get("password").into(),
        full_name: fields.get("full_name").into(),
        organization_name: fields.get("organization_name").into(),
        setup_token: None,
        invite_token: None,
    }
}

/// What was typed, to be shown again.
pub(super) fn typed(fields: &Fields) -> AccountValues {
    AccountValues {
        email: fields.get("email").into(),
        full_name: fields.get("full_name").into(),
        organization_name: fields.get("organization_name").into(),
    }
}

fn open(registration: Registration) -> Result<()> {
    match registration {
        Registration::Open => Ok(()),
        Registration::Invite => Err(Error::Forbidden("accounts are by invitation here; ask whoever runs this instance".into())),
        Registration::Closed => Err(Error::Forbidden("registration is closed".into())),
    }
}
