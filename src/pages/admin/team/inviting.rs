//! The form that invites somebody.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::invited;
use super::roles;
use crate::access::{Administer, Role};
use crate::domain::invitation::Invitation;
use crate::domain::text::Email;
use crate::error::{Check, FieldError, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::store::{OrgView, Reads};

#[derive(Template)]
#[template(path = "admin/team_invite.html")]
struct InvitePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    form: Form,
    roles: [Role; 4],
    /// The id of the invitation that the address has already.
    earlier: Option<String>,
}

impl<'a> InvitePage<'a> {
    fn new(frame: &'a Frame, form: Form, earlier: Option<String>) -> Self {
        Self { shell: &frame.shell, frame, form, roles: Role::ALL, earlier }
    }
}

fn form(email: &str, role: &str, errors: &[FieldError]) -> Form {
    let hint = "The link that you get works for this address alone, once, for 24 hours.";
    Form::new(vec![Field::line("email", "Email address", "email", "off").holding(email).hinting(hint), roles::field(role)], errors)
}

/// The role that a form gives; that its address is one is looked at as well, so that all that is wrong is told at once.
fn role(fields: &Fields) -> Result<Role> {
    fields.only(&["email", "role"])?;
    let mut check = Check::new();
    check.take(Email::parse("email", fields.get("email")))?;
    let role = check.take(Role::parse("role", fields.get("role")))?;
    check.done()?;
    Ok(role.unwrap_or(Role::Viewer))
}

/// The invitation that this address has and that still waits.
fn earlier(view: &OrgView<'_, Administer>, email: &str) -> Result<Option<String>> {
    let Ok(email) = Email::parse("email", email) else { return Ok(None) };
    let found = view.scan(Invitation::BY_EMAIL.of(email.as_str().to_owned()).limit(1))?.items.pop();
    Ok(found.filter(|invitation| !invitation.is_expired(view.now())).map(|invitation| invitation.id.to_string()))
}

/// `GET /o/:org/team/invite`.
#[handler]
pub(crate) async fn invite_form(desk: Desk) -> poem::Result<Response> {
    let (frame, ()) = desk.look(Tab::Team, |_: &OrgView<'_, Administer>| Ok(())).await?;
    Ok(html(StatusCode::OK, &InvitePage::new(&frame, form("", Role::Viewer.as_str(), &[]), None))?)
}

/// `POST /o/:org/team/invite`. Leads to the invitation, with the link to pass on.
#[handler]
pub(crate) async fn invite(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let made = match role(&fields) {
        Ok(role) => desk.web.app.invite(&desk.caller, desk.org, fields.get("email").to_owned(), role).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let id = made.invitation.id;
            Ok(desk.done(&format!("/team/invitations/{id}"), invited::told(made.delivery), id)?)
        }
        Err(error) => {
            let refused = Refused::by(error)?;
            let typed = (refused.status == StatusCode::CONFLICT).then(|| fields.get("email").to_owned());
            let look = move |view: &OrgView<'_, Administer>| typed.map_or(Ok(None), |email| earlier(view, &email));
            let (frame, earlier) = desk.look(Tab::Team, look).await?;
            let form = form(fields.get("email"), fields.get("role"), &refused.errors);
            Ok(refused.answer(&InvitePage::new(&frame, form, earlier))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(email: &str, role: &str, errors: &[FieldError], earlier: Option<String>) -> String {
        let frame = Frame::sample(email, Tab::Team);
        InvitePage::new(&frame, form(email, role, errors), earlier).render().unwrap()
    }

    #[test]
    fn each_role_says_what_it_may_and_the_least_is_chosen() {
        let html = rendered("", Role::Viewer.as_str(), &[], None);
        assert_eq!(html.matches("type=\"radio\"").count(), Role::ALL.len(), "{html}");
        assert!(html.contains("value=\"viewer\" checked") && html.contains("See everything and change nothing."), "{html}");
    }

    #[test]
    fn an_earlier_invitation_is_a_click_away() {
        let problem = FieldError { field: String::new(), message: "Sam is invited already.".into() };
        let html = rendered("sam@example.com", "editor", &[problem], Some("inv_1".into()));
        assert!(html.contains("id=\"problems\"") && html.contains("href=\"/status/o/acme/team/invitations/inv_1\""), "{html}");
        assert!(html.contains("value=\"editor\" checked") && html.contains("value=\"sam@example.com\""), "{html}");
    }

    #[test]
    fn what_was_typed_stays_and_stays_text() {
        let wrong = [FieldError { field: "role".into(), message: "must be one".into() }];
        for each in ["\"><script>alert(1)</script>'", &"long".repeat(400), "مرحبا", ""] {
            let html = rendered(each, each, &wrong, None);
            assert!(!html.contains("<script>alert") && html.contains("Role must be one"), "{html}");
        }
    }
}
