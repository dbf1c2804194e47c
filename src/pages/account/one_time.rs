//! A forgotten password: the one-time link to a new one.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use super::dead_link::{DeadLink, dead_link};
use super::templates::new_password;
use crate::domain::text::Email;
use crate::error::{Error, FieldError, Result};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html, see_other, visit};
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::web::Web;

#[derive(Template)]
#[template(path = "account/reset.html")]
struct ResetPage<'a> {
    shell: &'a Shell,
    token: &'a str,
    /// Whose password it is.
    email: &'a str,
    form: Form,
}

fn form(errors: &[FieldError]) -> Form {
    Form::new(vec![new_password("new_password", "New password")], errors)
}

/// Whose password the link is for; `None` for a link that does not work.
async fn owner(web: &Web, token: &str) -> Result<Option<Email>> {
    match web.app.check_reset(token).await {
        Ok(email) => Ok(Some(email)),
        Err(Error::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}

/// `GET /reset/:token`. Looking uses nothing up: programs that check mails for their readers open links, too.
#[handler]
pub(crate) async fn reset_form(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let token = request.raw_path_param("token").unwrap_or_default();
    let Some(email) = owner(web.0, token).await? else { return Ok(dead_link(web.0, request, DeadLink::Reset).await?) };
    Ok(html(StatusCode::OK, &ResetPage { shell: web.pages.shell(), token, email: email.as_str(), form: form(&[]) })?)
}

/// `POST /reset/:token`. Whoever has the link has the mailbox; they sign in with what they chose, as a proof that they know it.
#[handler]
pub(crate) async fn reset(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let token = request.raw_path_param("token").unwrap_or_default();
    let Some(email) = owner(web.0, token).await? else { return Ok(dead_link(web.0, request, DeadLink::Reset).await?) };
    let (from, _) = visit(request);
    let changed = match fields.only(&["new_password"]) {
        Ok(()) => web.app.reset_password(token, fields.get("new_password").to_owned(), from).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(see_other(web.0, &format!("/login?told={}", Done::PasswordReset.as_str()))?),
        // Used in another window meanwhile.
        Err(Error::NotFound) => Ok(dead_link(web.0, request, DeadLink::Reset).await?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let page = ResetPage { shell: web.pages.shell(), token, email: email.as_str(), form: form(&refused.errors) };
            Ok(refused.answer(&page)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(each: &str, errors: &[FieldError]) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        ResetPage { shell: &shell, token: each, email: each, form: form(errors) }.render().unwrap()
    }

    #[test]
    fn it_says_whose_password_it_is_and_asks_for_one() {
        let html = page("ada@example.org", &[]);
        assert!(html.contains("<bdi>ada@example.org</bdi>") && html.contains("action=\"/status/reset/ada@example.org\""), "{html}");
        assert!(html.contains("autocomplete=\"new-password\" value=\"\"") && !html.contains("id=\"problems\""), "{html}");
        assert!(html.contains("autocomplete=\"username\" value=\"ada@example.org\""), "{html}");
    }

    #[test]
    fn what_is_wrong_stands_at_its_field() {
        let errors = [FieldError { field: "new_password".into(), message: "must be 12 to 128 characters long".into() }];
        let html = page("ada@example.org", &errors);
        assert!(html.contains("id=\"new_password-error\">New password must be 12 to 128 characters long<"), "{html}");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(500), "كلمة".to_owned(), String::new()] {
            let html = page(&each, &[FieldError { field: each.clone(), message: each.clone() }]);
            assert!(!html.contains("<script>") && !html.contains("=\"\">"), "{html}");
        }
    }
}
