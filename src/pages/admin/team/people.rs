//! Everyone who belongs to the organization, and for admins who was invited and has not answered.

use askama::Template;
use form_urlencoded::Serializer;
use http::StatusCode;
use poem::{Request, Response, handler};

use crate::access::{Administer, Read, Role};
use crate::clock::Timestamp;
use crate::domain::invitation::{self, Invitation};
use crate::domain::member::{self, Person};
use crate::error::Result;
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::{Cursor, OrgView, Reads};

/// How many people one page has.
const PEOPLE_SHOWN: usize = 50;
/// How many invitations it has.
const INVITATIONS_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "admin/team.html")]
struct TeamPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    people: Vec<PersonRow>,
    invitations: Vec<InvitationRow>,
    own: Role,
    roles: [Role; 4],
    /// Whether there is nobody but the person who looks, and nobody is invited.
    is_alone: bool,
    links: Links,
}

/// Where the two lists begin and go on, where there is more of them than is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Links {
    first: Option<String>,
    next: Option<String>,
    latest_invitations: Option<String>,
    more_invitations: Option<String>,
}

struct PersonRow {
    id: String,
    name: String,
    email: String,
    role: Role,
    since: When,
    is_self: bool,
}

struct InvitationRow {
    id: String,
    email: String,
    role: Role,
    invited_by: String,
    expires: When,
    is_expired: bool,
}

impl PersonRow {
    fn of(person: Person, frame: &Frame) -> Self {
        let id = person.user.id.to_string();
        Self {
            is_self: id == frame.person_id,
            id,
            email: person.user.email.as_str().to_owned(),
            name: person.user.full_name,
            role: person.role,
            since: person.joined_at.into(),
        }
    }
}

impl InvitationRow {
    fn of(invitation: Invitation, now: Timestamp) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role,
            expires: invitation.expires_at.into(),
            is_expired: invitation.is_expired(now),
            invited_by: invitation.invited_by.name,
        }
    }
}

/// Which part of either list is asked for. What can't be read asks for the beginning: an address may have been cut short.
#[derive(Debug, Clone, Default)]
struct Asked {
    people: Option<Cursor>,
    invitations: Option<Cursor>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self { people: query(request, "cursor").parse().ok(), invitations: query(request, "invited").parse().ok() }
    }

    /// The address of such a part.
    fn link(people: Option<&Cursor>, invitations: Option<&Cursor>, frame: &Frame) -> String {
        let mut query = Serializer::new(String::new());
        for (name, cursor) in [("cursor", people), ("invited", invitations)] {
            if let Some(cursor) = cursor {
                query.append_pair(name, &cursor.to_string());
            }
        }
        match query.finish() {
            query if query.is_empty() => frame.path("/team"),
            query => frame.path(&format!("/team?{query}")),
        }
    }
}

/// The invitations that wait, with the place of the next ones.
async fn waiting(desk: &Desk, after: Option<Cursor>) -> Result<(Vec<InvitationRow>, Option<Cursor>)> {
    let query = move |view: &OrgView<'_, Administer>| -> Result<(Vec<InvitationRow>, Option<Cursor>)> {
        let found = invitation::list(view, INVITATIONS_SHOWN, after)?;
        let now = view.now();
        Ok((found.items.into_iter().map(|invitation| InvitationRow::of(invitation, now)).collect(), found.next))
    };
    desk.web.app.read(desk.caller.actor(), desk.org, query).await
}

/// `GET /o/:org/team`.
#[handler]
pub(crate) async fn show(desk: Desk, request: &Request) -> poem::Result<Response> {
    let asked = Asked::of(request);
    let after = asked.people.clone();
    let (frame, found) = desk.look(Tab::Team, move |view: &OrgView<'_, Read>| member::list(view, PEOPLE_SHOWN, after)).await?;
    // In a read of its own, which an admin alone may make. It is as new as the frame or newer: at worst the page is asked for once more.
    let (invitations, next_invitations) =
        if frame.administers() { waiting(&desk, asked.invitations.clone()).await? } else { (Vec::new(), None) };
    let is_first = asked.people.is_none() && asked.invitations.is_none();
    let (people, invited) = (asked.people.as_ref(), asked.invitations.as_ref());
    let links = Links {
        first: people.map(|_| Asked::link(None, invited, &frame)),
        next: found.next.as_ref().map(|next| Asked::link(Some(next), invited, &frame)),
        latest_invitations: invited.filter(|_| frame.administers()).map(|_| Asked::link(people, None, &frame)),
        more_invitations: next_invitations.as_ref().map(|next| Asked::link(people, Some(next), &frame)),
    };
    let page = TeamPage {
        shell: &frame.shell,
        is_alone: is_first && found.items.len() == 1 && found.next.is_none() && invitations.is_empty(),
        people: found.items.into_iter().map(|person| PersonRow::of(person, &frame)).collect(),
        invitations,
        own: frame.role,
        roles: Role::ALL,
        links,
        frame: &frame,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn person(number: u32, each: &str, role: Role) -> PersonRow {
        PersonRow {
            id: format!("usr_{number:032x}"),
            name: each.into(),
            email: each.into(),
            role,
            since: Timestamp::from_millis(0).into(),
            is_self: number == 1,
        }
    }

    fn invited(each: &str, is_expired: bool) -> InvitationRow {
        InvitationRow {
            id: format!("inv_{:032x}", u32::from(is_expired)),
            email: each.into(),
            role: Role::Responder,
            invited_by: each.into(),
            expires: Timestamp::from_millis(0).into(),
            is_expired,
        }
    }

    fn rendered(role: Role, people: Vec<PersonRow>, invitations: Vec<InvitationRow>) -> String {
        let frame = Frame { role, ..Frame::sample("Acme", Tab::Team) };
        let page = TeamPage {
            shell: &frame.shell,
            frame: &frame,
            is_alone: people.len() == 1 && invitations.is_empty(),
            people,
            invitations,
            own: role,
            roles: Role::ALL,
            links: Links::default(),
        };
        page.render().unwrap()
    }

    #[test]
    fn an_admin_sees_people_and_invitations_and_what_to_do() {
        let people = vec![person(1, "Ada", Role::Admin), person(2, "Bob", Role::Responder)];
        let html = rendered(Role::Admin, people, vec![invited("sam@example.com", false), invited("kim@example.com", true)]);
        for words in ["Bob", "Responder", "Report incidents, post updates", "sam@example.com", "has expired", ">You<"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        for place in ["/team/invite\"", "/team/members/usr_00000000000000000000000000000002\"", "/resend\"", "/revoke\"", "/team/leave\""] {
            assert!(html.contains(place), "{place}: {html}");
        }
        assert!(!html.contains("curl "), "{html}");
    }

    #[test]
    fn who_is_alone_is_told_how_to_change_that() {
        let html = rendered(Role::Admin, vec![person(1, "Ada", Role::Admin)], Vec::new());
        let curl = "https://example.org/status/api/users/organizations/org_";
        assert!(html.contains("Nobody else is here yet") && html.contains(curl), "{html}");
    }

    #[test]
    fn nobody_is_offered_what_they_may_not_do() {
        for role in [Role::Viewer, Role::Responder, Role::Editor] {
            let html = rendered(role, vec![person(1, "Ada", role), person(2, "Bob", Role::Admin)], Vec::new());
            assert!(!html.contains("/team/invite") && !html.contains("/o/acme/team/invitations"), "{html}");
            assert!(html.contains("/team/leave\""), "{html}");
        }
    }

    #[test]
    fn a_page_past_the_end_says_so() {
        assert!(rendered(Role::Viewer, Vec::new(), Vec::new()).contains("past the end of the list"));
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for each in [EVIL.to_owned(), EVIL.repeat(200), "مرحبا".to_owned(), String::new()] {
            let people = vec![person(1, &each, Role::Admin), person(2, &each, Role::Viewer)];
            let html = rendered(Role::Admin, people, vec![invited(&each, false), invited(&each, true)]);
            assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        }
    }
}
