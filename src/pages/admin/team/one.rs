//! One of the people: who they are here, their role, and their removal.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::leaving;
use super::roles;
use crate::access::{Administer, Permission, Read, Role};
use crate::domain::member::{self as members, Person};
use crate::domain::user::User;
use crate::error::{FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{Seen, expected};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::OrgView;

#[derive(Template)]
#[template(path = "admin/team_member.html")]
struct MemberPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    id: String,
    name: &'a str,
    email: &'a str,
    role: Role,
    since: When,
    is_self: bool,
    form: Form,
    roles: [Role; 4],
    seen: Seen,
    meanwhile: Option<&'a Meanwhile>,
}

/// A form of this page that was refused.
#[derive(Clone, Copy)]
enum Typed<'a> {
    /// None was: the page was asked for.
    Nothing,
    /// The one that gives another role, with what was chosen in it.
    Role(&'a Fields, &'a Refused),
    /// The one that removes the person.
    Removal(&'a Refused),
}

/// What the page shows, as it was read in one snapshot.
struct Shown {
    person: Person,
    meanwhile: Option<Meanwhile>,
}

impl Shown {
    fn read<P: Permission>(view: &OrgView<'_, P>, id: Id<User>, missed: Option<&str>) -> Result<Self> {
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &id.to_string(), seen)).transpose()?;
        Ok(Self { person: members::person(view, id)?, meanwhile })
    }
}

fn form(role: &str, is_self: bool, errors: &[FieldError]) -> Form {
    let hint = if is_self {
        "This is your own role. Once you are no admin, somebody else has to make you one again."
    } else {
        "It counts at once, also where the person is signed in now."
    };
    Form::new(vec![roles::field(role).hinting(hint)], errors)
}

impl<'a> MemberPage<'a> {
    fn new(frame: &'a Frame, shown: &'a Shown, typed: Typed<'_>) -> Self {
        let Shown { person, meanwhile } = shown;
        let id = person.user.id.to_string();
        let is_self = id == frame.person_id;
        let now = || Seen::now(person.version, frame);
        let (form, seen) = match typed {
            Typed::Nothing => (form(person.role.as_str(), is_self, &[]), now()),
            Typed::Role(fields, refused) => {
                (form(fields.get("role"), is_self, &refused.errors), Seen::again(fields, refused, person.version, frame))
            }
            Typed::Removal(refused) => (form(person.role.as_str(), is_self, &refused.errors), now()),
        };
        Self {
            shell: &frame.shell,
            frame,
            id,
            name: &person.user.full_name,
            email: person.user.email.as_str(),
            role: person.role,
            since: person.joined_at.into(),
            is_self,
            form,
            roles: Role::ALL,
            seen,
            meanwhile: meanwhile.as_ref(),
        }
    }
}

async fn page<P: Permission>(desk: &Desk, id: Id<User>, typed: Typed<'_>) -> Result<Response> {
    let missed = match typed {
        Typed::Role(fields, refused) => Seen::missed(desk, fields, refused),
        Typed::Nothing | Typed::Removal(_) => None,
    };
    let query = move |view: &OrgView<'_, P>| Shown::read(view, id, missed.as_deref());
    let (frame, shown) = desk.look(Tab::Team, query).await?;
    let page = MemberPage::new(&frame, &shown, typed);
    match typed {
        Typed::Nothing => html(StatusCode::OK, &page),
        Typed::Role(_, refused) | Typed::Removal(refused) => refused.answer(&page),
    }
}

/// `GET /o/:org/team/members/:user`.
#[handler]
pub(crate) async fn member(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(page::<Read>(&desk, path_id(request, "user")?, Typed::Nothing).await?)
}

/// `POST /o/:org/team/members/:user`: another role.
#[handler]
pub(crate) async fn set_role(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<User>(request, "user")?;
    let known = fields.only(&["role", "version", "seen"]);
    let set = match known.and_then(|()| Ok((Role::parse("role", fields.get("role"))?, expected(&fields)?))) {
        Ok((role, expected)) => desk.change(move |tx| members::set_role(tx, id, role, expected)).await,
        Err(error) => Err(error),
    };
    match set {
        Ok(_) => Ok(desk.done(&format!("/team/members/{id}"), Done::RoleChanged, id)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(page::<Administer>(&desk, id, Typed::Role(&fields, &refused)).await?)
        }
    }
}

/// `POST /o/:org/team/members/:user/remove`. Whoever removes themselves has left.
#[handler]
pub(crate) async fn remove(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<User>(request, "user")?;
    match desk.web.app.remove_member(&desk.caller, desk.org, id).await {
        Ok(()) if id == desk.caller.user.id => Ok(leaving::out(&desk)?),
        Ok(()) => Ok(desk.done("/team", Done::MemberRemoved, id)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(page::<Read>(&desk, id, Typed::Removal(&refused)).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::testing::TestOrg;

    fn shown(name: &str) -> Shown {
        let founder = TestOrg::new().read(|view| members::list(view, 1, None)).items.remove(0);
        let user = User { full_name: name.into(), ..founder.user };
        Shown { person: Person { user, role: Role::Responder, joined_at: Timestamp::from_millis(0), version: 3 }, meanwhile: None }
    }

    fn rendered(role: Role, shown: &Shown, is_self: bool) -> String {
        let sample = Frame::sample("Acme", Tab::Team);
        let person_id = if is_self { shown.person.user.id.to_string() } else { sample.person_id.clone() };
        let frame = Frame { role, person_id, ..sample };
        MemberPage::new(&frame, shown, Typed::Nothing).render().unwrap()
    }

    #[test]
    fn an_admin_can_change_a_role_and_remove_the_person() {
        let html = rendered(Role::Admin, &shown("Bob"), false);
        for part in ["Bob", "ada@example.com", "name=\"version\" value=\"3\"", "value=\"responder\" checked", "no undo", "/remove\""] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("/team/leave"), "{html}");
    }

    #[test]
    fn nobody_else_is_offered_that() {
        for role in [Role::Viewer, Role::Responder, Role::Editor] {
            let html = rendered(role, &shown("Bob"), false);
            assert!(html.contains("Report incidents, post updates"), "{html}");
            assert!(!html.contains("action=\"/status/o/acme/team") && !html.contains("name=\"role\""), "{html}");
        }
    }

    #[test]
    fn oneself_leaves_and_is_not_removed() {
        for role in [Role::Viewer, Role::Admin] {
            let html = rendered(role, &shown("Ada"), true);
            assert!(html.contains("/team/leave\"") && html.contains(">You<") && !html.contains("/remove\""), "{html}");
        }
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in ["\"><script>alert(1)</script>'", &"long ".repeat(400), "مرحبا", ""] {
            let html = rendered(Role::Admin, &shown(name), false);
            assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        }
    }
}
