//! Signing up, where registration is open.

use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

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
    Ok(html(StatusCode::OK, &SignupPage::new(web.pages.shell(), None, &AccountValues::default(), &[]))?)
}

/// `POST /signup`.
#[handler]
pub(crate) async fn sign_up(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    open(web.app.registration())?;
    let (from, origin) = visit(request);
    let signed_up = match fields.only(&FIELDS) {
        Ok(()) => web.app.sign_up(input(&fields, None), from, origin).await,
        Err(error) => Err(error),
    };
    match signed_up {
        Ok(signed_in) => Ok(welcome(web.0, &signed_in, "/")?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(refused.answer(&SignupPage::new(web.pages.shell(), None, &typed(&fields), &refused.errors))?)
        }
    }
}

/// What was typed, as the application wants it.
pub(super) fn input(fields: &Fields, setup_token: Option<String>) -> SignUpInput {
    SignUpInput {
        email: fields.get("email").into(),
        password: fields.get("password").into(),
        full_name: fields.get("full_name").into(),
        organization_name: fields.get("organization_name").into(),
        setup_token,
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
