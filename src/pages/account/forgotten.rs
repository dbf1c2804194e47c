//! A forgotten password: asking for a link to a new one.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use crate::error::FieldError;
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{Refused, html, see_other, visit};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::web::Web;

#[derive(Template)]
#[template(path = "account/forgot.html")]
struct ForgotPage<'a> {
    shell: &'a Shell,
    /// That a mail is on its way, once it was asked for.
    told: Option<&'static str>,
    /// Without mail there is nothing to ask for here.
    sends_mail: bool,
    form: Form,
}

fn form(email: &str, errors: &[FieldError]) -> Form {
    Form::new(vec![Field::line("email", "Email address", "email", "username").holding(email)], errors)
}

/// `GET /forgot`.
#[handler]
pub(crate) async fn forgot_form(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    // Nobody has a password for a demonstration.
    if web.demo.is_some() {
        return Ok(see_other(web.0, "/")?);
    }
    let sends_mail = web.app.sends_mail();
    let told = Told::of(request, "/forgot").filter(|_| sends_mail).map(|told| told.text);
    let page = ForgotPage { shell: web.pages.shell(), told, sends_mail, form: form("", &[]) };
    Ok(html(StatusCode::OK, &page)?)
}

/// `POST /forgot`: the same answer whether there is such an account or not.
#[handler]
pub(crate) async fn forgot(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let (from, _) = visit(request);
    let (email, sends_mail) = (fields.get("email"), web.app.sends_mail());
    let asked = match fields.only(&["email"]) {
        Ok(()) => web.app.forgot_password(email, from).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) if sends_mail => Ok(see_other(web.0, &format!("/forgot?told={}", Done::ResetRequested.as_str()))?),
        // Nothing is on its way: the page says what to do.
        Ok(()) => Ok(see_other(web.0, "/forgot")?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let page = ForgotPage { shell: web.pages.shell(), told: None, sends_mail, form: form(email, &refused.errors) };
            Ok(refused.answer(&page)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(sends_mail: bool, told: Option<&'static str>, form: Form) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        ForgotPage { shell: &shell, told, sends_mail, form }.render().unwrap()
    }

    #[test]
    fn the_address_is_asked_for_where_mail_is_sent() {
        let html = page(true, None, form("", &[]));
        assert!(html.contains("method=\"post\" action=\"/status/forgot\"") && html.contains("name=\"email\""), "{html}");
        assert!(html.contains("Forgot your password?") && html.contains("href=\"/status/login\""), "{html}");
    }

    #[test]
    fn once_asked_for_the_mail_is_what_the_page_is_about() {
        let html = page(true, Some("A mail is on its way."), form("", &[]));
        assert!(html.contains("Look into your mail") && html.contains("A mail is on its way."), "{html}");
        assert!(!html.contains("<form") && html.contains("href=\"/status/forgot\">Try another address</a>"), "{html}");
    }

    #[test]
    fn an_instance_without_mail_says_so_and_what_to_do() {
        let html = page(false, None, form("", &[]));
        assert!(html.contains("sends no mail") && html.contains("<code>allclear user reset-password ADDRESS</code>"), "{html}");
        assert!(!html.contains("<form"), "{html}");
    }

    #[test]
    fn what_was_typed_stays_and_stays_in_its_place() {
        for typed in [EVIL.to_owned(), EVIL.repeat(500), "بريد".to_owned(), String::new()] {
            let errors = [FieldError { field: "email".into(), message: typed.clone() }];
            for sends_mail in [true, false] {
                let html = page(sends_mail, None, form(&typed, &errors));
                assert!(html.contains("id=\"problems\"") && !html.contains("<script>") && !html.contains("=\"\">"), "{html}");
            }
        }
    }
}
