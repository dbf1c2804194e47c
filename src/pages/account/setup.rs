//! The one-time link that makes the operator.

use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use super::signup::{FIELDS, input, typed};
use super::templates::{AccountValues, SetupPage};
use crate::app::SignUpInput;
use crate::error::{Error, FieldError};
use crate::pages::answer::{Refused, html, visit, welcome};
use crate::pages::fields::Fields;
use crate::web::Web;

/// `GET /setup/:token`.
#[handler]
pub(crate) async fn setup_form(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let token = request.raw_path_param("token").unwrap_or_default();
    web.app.check_setup(token).await?;
    Ok(html(StatusCode::OK, &SetupPage::new(web.pages.shell(), token, &AccountValues::default(), &[]))?)
}

/// `POST /setup`, where the form sends the token in its body and so leaves it in no log; `POST /setup/:token` for those who have the link alone.
#[handler]
pub(crate) async fn set_up(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let (from, origin) = visit(request);
    let token = request.raw_path_param("token").unwrap_or_else(|| fields.get("token"));
    let known: Vec<&str> = FIELDS.into_iter().chain(["token"]).collect();
    let set_up = match fields.only(&known) {
        Ok(()) => web.app.sign_up(SignUpInput { setup_token: Some(token.to_owned()), ..input(&fields) }, from, origin).await,
        Err(error) => Err(error),
    };
    match set_up {
        Ok(signed_in) => Ok(welcome(web.0, &signed_in, "/")?),
        Err(error) => {
            let refused = Refused::by(about_the_link(error))?;
            Ok(refused.answer(&SetupPage::new(web.pages.shell(), token, &typed(&fields), &refused.errors))?)
        }
    }
}

/// The token is no field that anyone sees.
fn about_the_link(error: Error) -> Error {
    let Error::Invalid(errors) = error else { return error };
    let reword = |error: FieldError| match error.field.as_str() {
        "setup_token" => FieldError { field: String::new(), message: format!("This link {}.", error.message) },
        _ => error,
    };
    Error::Invalid(errors.into_iter().map(reword).collect())
}
