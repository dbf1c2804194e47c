//! An organization for somebody else: its name, and who becomes its first admin.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::Operator;
use super::first_admin::Made;
use crate::error::FieldError;
use crate::pages::admin::told::Told;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;

#[derive(Template)]
#[template(path = "instance/new.html")]
struct NewPage<'a> {
    shell: &'a Shell,
    told: Option<Told>,
    form: Form,
}

impl<'a> NewPage<'a> {
    fn new(shell: &'a Shell, form: Form) -> Self {
        Self { shell, told: None, form }
    }
}

fn form(name: &str, email: &str, errors: &[FieldError]) -> Form {
    let fields = vec![
        Field::line("name", "Name", "text", "off").holding(name).hinting("Its addresses are made from it. Its admins can change both."),
        Field::line("email", "Email address of its first admin", "email", "off")
            .holding(email)
            .hinting("They get a link that works for this address alone, once, for 24 hours."),
    ];
    Form::new(fields, errors)
}

/// `GET /instance/organizations`.
#[handler]
pub(crate) async fn new_form(operator: Operator) -> poem::Result<Response> {
    Ok(html(StatusCode::OK, &NewPage::new(operator.web.pages.shell(), form("", "", &[])))?)
}

/// `POST /instance/organizations`. Leads to the invitation, with the link to pass on.
#[handler]
pub(crate) async fn create(operator: Operator, fields: Fields) -> poem::Result<Response> {
    let made = match fields.only(&["name", "email"]) {
        Ok(()) => operator.web.app.create_organization(&operator.me, fields.get("name"), fields.get("email")).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(operator.done(&format!("/organizations/{}/invitation", made.org), Made::Organization.done(made.delivery))?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let form = form(fields.get("name"), fields.get("email"), &refused.errors);
            Ok(refused.answer(&NewPage::new(operator.web.pages.shell(), form))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(name: &str, email: &str, errors: &[FieldError]) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        NewPage::new(&shell, form(name, email, errors)).render().unwrap()
    }

    #[test]
    fn it_asks_for_a_name_and_an_address_and_complains_of_nothing() {
        let html = page("", "", &[]);
        assert!(html.contains("method=\"post\" action=\"/status/instance/organizations\""), "{html}");
        assert!(html.contains("name=\"name\"") && html.contains("name=\"email\" type=\"email\""), "{html}");
        assert!(!html.contains("aria-invalid") && !html.contains("id=\"problems\""), "{html}");
    }

    #[test]
    fn what_was_typed_stays_and_stays_text() {
        let errors = [FieldError { field: "email".into(), message: "must be an email address".into() }];
        for each in [EVIL.to_owned(), EVIL.repeat(500), "منظمة".to_owned(), String::new()] {
            let html = page(&each, &each, &errors);
            assert!(!html.contains("<script>alert") && html.contains("id=\"email-error\""), "{html}");
        }
        assert!(page("Skerry", "x", &errors).contains("value=\"Skerry\""));
    }
}
