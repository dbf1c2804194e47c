//! Answers that pages have in common, and who asks for them.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Request, Response};

use crate::api::problem::sentence;
use crate::app::{Caller, SignedIn};
use crate::domain::session::Origin;
use crate::error::{Error, FieldError, Result};
use crate::http::ClientAddr;
use crate::web::Web;

/// Where a request comes from.
pub(crate) fn visit(request: &Request) -> (IpAddr, Origin) {
    let address = request.data::<ClientAddr>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.0);
    let user_agent = request.header(header::USER_AGENT).unwrap_or_default().to_owned();
    (address, Origin { address: address.to_string(), user_agent })
}

/// Who is signed in, if anyone.
pub(crate) async fn caller(web: &Web, headers: &HeaderMap) -> Result<Option<Caller>> {
    let Some(token) = web.cookie.read(headers) else { return Ok(None) };
    match web.app.authenticate(token).await {
        Ok(caller) => Ok(Some(caller)),
        Err(Error::Unauthenticated) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A page.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Result<Response> {
    let html = page.render().map_err(Error::internal)?;
    Ok(Response::builder().status(status).content_type("text/html; charset=utf-8").body(html))
}

/// Go and GET that path of ours.
pub(crate) fn see_other(web: &Web, path: &str) -> Result<Response> {
    let location = HeaderValue::try_from(format!("{}{path}", web.base_url.path())).map_err(Error::internal)?;
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish())
}

/// Go on, signed in.
pub(crate) fn welcome(web: &Web, signed_in: &SignedIn, path: &str) -> Result<Response> {
    let cookie =
        web.cookie.set(&signed_in.token, signed_in.lifetime).ok_or_else(|| Error::internal("a session's token fits in no cookie"))?;
    let mut response = see_other(web, path)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// What a form says when its request was refused.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) retry_after: Option<u64>,
}

impl Refused {
    /// How to say it within the form.
    ///
    /// # Errors
    /// What is no matter of the form: it gets a page of its own.
    pub(crate) fn by(error: Error) -> Result<Self> {
        let says = |message: String| vec![FieldError { field: String::new(), message }];
        let wait_of = |wait: std::time::Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Ok(match error {
            Error::Invalid(errors) => Self { status: StatusCode::UNPROCESSABLE_ENTITY, errors, retry_after: None },
            Error::Conflict(why) => Self { status: StatusCode::CONFLICT, errors: says(sentence(&why)), retry_after: None },
            Error::Stale { .. } => {
                let why = "Somebody changed this since you opened it. What you typed is still here: look at what changed, then save again.";
                Self { status: StatusCode::PRECONDITION_FAILED, errors: says(why.to_owned()), retry_after: None }
            }
            Error::TooMany(wait) => {
                let wait = wait_of(wait).max(1);
                let why = format!("Too many attempts. Try again in {}.", in_words(wait));
                Self { status: StatusCode::TOO_MANY_REQUESTS, errors: says(why), retry_after: Some(wait) }
            }
            Error::Unavailable(wait) => {
                let wait = wait_of(wait).max(1);
                let why = format!("This can't be saved at the moment. Try again in {}.", in_words(wait));
                Self { status: StatusCode::SERVICE_UNAVAILABLE, errors: says(why), retry_after: Some(wait) }
            }
            other => return Err(other),
        })
    }

    /// The same for the form that one signs in by: one sentence for an unknown address and a wrong password. Anywhere else it means that the session
    /// was ended meanwhile.
    ///
    /// # Errors
    /// As [`by`](Self::by).
    pub(crate) fn by_credentials(error: Error) -> Result<Self> {
        match error {
            Error::Unauthenticated => {
                let message = "The email address or the password is wrong.".to_owned();
                let errors = vec![FieldError { field: String::new(), message }];
                Ok(Self { status: StatusCode::UNAUTHORIZED, errors, retry_after: None })
            }
            other => Self::by(other),
        }
    }

    /// The form again, saying so.
    pub(crate) fn answer(&self, form: &impl Template) -> Result<Response> {
        let mut response = html(self.status, form)?;
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Ok(response)
    }
}

fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "a second".into(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_says_what_and_when() {
        let refused = Refused::by(Error::TooMany(Duration::from_millis(19_200))).unwrap();
        assert_eq!((refused.status.as_u16(), refused.retry_after), (429, Some(20)));
        assert_eq!(refused.errors[0].message, "Too many attempts. Try again in 20 seconds.");
        let refused = Refused::by(Error::TooMany(Duration::from_secs(200))).unwrap();
        assert_eq!(refused.errors[0].message, "Too many attempts. Try again in 4 minutes.");
        let refused = Refused::by(Error::Conflict("this is taken; choose another".into())).unwrap();
        assert_eq!((refused.status.as_u16(), refused.errors[0].message.as_str()), (409, "This is taken; choose another."));
    }

    #[test]
    fn what_is_no_matter_of_the_form_is_passed_on() {
        for error in [Error::NotFound, Error::Unauthenticated, Error::Forbidden("no".into()), Error::Internal("broken".into())] {
            assert_eq!(Refused::by(error.clone()).err(), Some(error));
        }
    }
}
