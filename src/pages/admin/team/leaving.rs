//! One's own leaving: asked for once more on a page of its own, since there is no undo.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use crate::access::{Read, Role};
use crate::domain::member;
use crate::error::Result;
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html, see_other};
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::store::OrgView;

#[derive(Template)]
#[template(path = "admin/team_leave.html")]
struct LeavePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    others: Others,
    /// Without a field: what was refused is told at the top.
    form: Form,
}

/// Who stays behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Others {
    /// Whether there is anybody.
    any: bool,
    /// Whether there is an admin among them, where the person is one.
    admin: bool,
}

impl Others {
    /// The first two people of the list say it: admins come first.
    fn of(view: &OrgView<'_, Read>) -> Result<Self> {
        let first = member::list(view, 2, None)?.items;
        Ok(Self { any: first.len() > 1, admin: first.iter().filter(|person| person.role == Role::Admin).count() > 1 })
    }
}

impl LeavePage<'_> {
    fn is_last_admin(&self) -> bool {
        self.frame.administers() && !self.others.admin
    }
}

/// Where somebody goes who is no member any more.
pub(super) fn out(desk: &Desk) -> Result<Response> {
    see_other(&desk.web, &format!("/organizations?told={}", Done::Left.as_str()))
}

async fn page(desk: &Desk, refused: Option<&Refused>) -> Result<Response> {
    let (frame, others) = desk.look(Tab::Team, Others::of).await?;
    let form = Form::new(Vec::new(), refused.map(|refused| refused.errors.as_slice()).unwrap_or_default());
    let page = LeavePage { shell: &frame.shell, frame: &frame, others, form };
    match refused {
        None => html(StatusCode::OK, &page),
        Some(refused) => refused.answer(&page),
    }
}

/// `GET /o/:org/team/leave`.
#[handler]
pub(crate) async fn leave_form(desk: Desk) -> poem::Result<Response> {
    Ok(page(&desk, None).await?)
}

/// `POST /o/:org/team/leave`.
#[handler]
pub(crate) async fn leave(desk: Desk) -> poem::Result<Response> {
    match desk.web.app.remove_member(&desk.caller, desk.org, desk.caller.user.id).await {
        Ok(()) => Ok(out(&desk)?),
        Err(error) => Ok(page(&desk, Some(&Refused::by(error)?)).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestOrg;

    fn rendered(name: &str, role: Role, others: Others) -> String {
        let frame = Frame { role, ..Frame::sample(name, Tab::Team) };
        LeavePage { shell: &frame.shell, frame: &frame, others, form: Form::default() }.render().unwrap()
    }

    #[test]
    fn who_may_go_is_told_what_happens() {
        for (role, admin) in [(Role::Viewer, false), (Role::Editor, false), (Role::Admin, true)] {
            let html = rendered("Acme", role, Others { any: true, admin });
            assert!(html.contains("action=\"/status/o/acme/team/leave\"") && html.contains("no undo"), "{html}");
        }
    }

    #[test]
    fn the_last_admin_is_told_why_not_and_what_instead() {
        let html = rendered("Acme", Role::Admin, Others { any: true, admin: false });
        assert!(!html.contains("action=\"/status/o/acme/team/leave\"") && html.contains("last admin"), "{html}");
        assert!(html.contains("href=\"/status/o/acme/team\""), "{html}");
        let alone = rendered("Acme", Role::Admin, Others { any: false, admin: false });
        assert!(alone.contains("/team/invite\"") && alone.contains("/settings/delete\""), "{alone}");
    }

    #[test]
    fn a_founder_stands_alone() {
        assert_eq!(TestOrg::new().read(Others::of), Others { any: false, admin: false });
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in ["\"><script>alert(1)</script>'", &"long ".repeat(400), "مرحبا", ""] {
            for admin in [true, false] {
                let html = rendered(name, Role::Admin, Others { any: true, admin });
                assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
            }
        }
    }
}
