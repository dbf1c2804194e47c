//! One's own account: the name, the password, where one is signed in, and where one belongs.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use super::agent;
use super::templates::{Belonging, new_password};
use crate::app::Caller;
use crate::domain::session::Session;
use crate::error::{Error, FieldError, Result};
use crate::id::Id;
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{Refused, caller, html, see_other};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::web::Web;

/// The most sessions that are listed: programs sign in, too, and each time anew.
const SESSIONS_SHOWN: usize = 50;
/// Why some things can't be done in a demonstration.
const SHARED: &str = "Everyone who looks around in this demonstration is the same person, so this would reach all of them. \
                      Signing out on the account page ends your own session alone.";

#[derive(Template)]
#[template(path = "account/account.html")]
struct AccountPage {
    shell: Shell,
    told: Option<Told>,
    email: String,
    /// Who the person is.
    name: Form,
    password: Form,
    sessions: Vec<Row>,
    more_sessions: usize,
    organizations: Vec<Belonging>,
    /// Whether the person runs this instance.
    is_operator: bool,
    /// Whether all visitors are this person: then they leave each other, and the password, alone.
    is_demo: bool,
}

/// A session as it is listed.
struct Row {
    id: String,
    /// With what it began, in words.
    agent: String,
    /// The same as it was sent.
    raw: String,
    address: String,
    since: When,
    seen: When,
    /// Whether the page was asked for through it.
    is_this: bool,
}

impl AccountPage {
    async fn of(web: &Web, me: &Caller, told: Option<Told>) -> Result<Self> {
        let profile = web.app.profile(me).await?;
        let mut sessions = web.app.sessions_of(me).await?;
        let is_demo = web.demo.is_some();
        if is_demo {
            sessions.retain(|session| session.id == me.session);
        }
        // This one first, whenever it was last seen; the others stay in their order.
        sessions.sort_by_key(|session| session.id != me.session);
        Ok(Self {
            shell: web.pages.shell().clone(),
            told,
            email: profile.user.email.as_str().to_owned(),
            name: name_form(&profile.user.full_name, &[]),
            password: password_form(&[]),
            more_sessions: sessions.len().saturating_sub(SESSIONS_SHOWN),
            sessions: sessions.into_iter().take(SESSIONS_SHOWN).map(|session| Row::of(session, me)).collect(),
            organizations: profile.organizations.into_iter().map(Belonging::from).collect(),
            is_operator: web.app.is_operator(me).await?,
            is_demo,
        })
    }

    /// Whether there are sessions beside this one.
    fn has_others(&self) -> bool {
        self.sessions.iter().any(|session| !session.is_this)
    }
}

impl Row {
    fn of(session: Session, me: &Caller) -> Self {
        Self {
            id: session.id.to_string(),
            agent: agent::in_words(&session.user_agent),
            raw: session.user_agent,
            address: session.address,
            since: session.created_at.into(),
            seen: session.seen_at.into(),
            is_this: session.id == me.session,
        }
    }
}

fn name_form(full_name: &str, errors: &[FieldError]) -> Form {
    Form::new(
        vec![
            Field::line("full_name", "Your name", "text", "name")
                .holding(full_name)
                .hinting("Shown to your colleagues, never to visitors."),
        ],
        errors,
    )
}

fn password_form(errors: &[FieldError]) -> Form {
    let fields = vec![
        Field::line("current_password", "Present password", "password", "current-password"),
        new_password("new_password", "New password"),
    ];
    Form::new(fields, errors)
}

/// `GET /account`.
#[handler]
pub(crate) async fn show(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let me = signed_in(web.0, request).await?;
    let page = AccountPage::of(web.0, &me, Told::of(request, "/account")).await?;
    Ok(html(StatusCode::OK, &page)?)
}

/// `POST /account/name`.
#[handler]
pub(crate) async fn rename(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let me = signed_in(web.0, request).await?;
    let full_name = fields.get("full_name");
    let renamed = match fields.only(&["full_name"]) {
        Ok(()) => web.app.rename(&me, full_name.to_owned()).await.map(drop),
        Err(error) => Err(error),
    };
    match renamed {
        Ok(()) => Ok(done(web.0, Done::NameSaved)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let page = AccountPage { name: name_form(full_name, &refused.errors), ..AccountPage::of(web.0, &me, None).await? };
            Ok(refused.answer(&page)?)
        }
    }
}

/// `POST /account/password`.
#[handler]
pub(crate) async fn change_password(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let me = signed_in_alone(web.0, request).await?;
    let (current, new) = (fields.get("current_password").to_owned(), fields.get("new_password").to_owned());
    let changed = match fields.only(&["current_password", "new_password"]) {
        Ok(()) => web.app.change_password(&me, current, new).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(done(web.0, Done::PasswordChanged)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let page = AccountPage { password: password_form(&refused.errors), ..AccountPage::of(web.0, &me, None).await? };
            Ok(refused.answer(&page)?)
        }
    }
}

/// `POST /account/sessions/:session/end`.
#[handler]
pub(crate) async fn end_session(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let me = signed_in_alone(web.0, request).await?;
    let id: Id<Session> = request.raw_path_param("session").and_then(|id| id.parse().ok()).ok_or(Error::NotFound)?;
    web.app.end_session(&me, id).await?;
    Ok(done(web.0, Done::SessionEnded)?)
}

/// `POST /account/sessions/end-others`.
#[handler]
pub(crate) async fn end_other_sessions(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let me = signed_in_alone(web.0, request).await?;
    web.app.end_other_sessions(&me).await?;
    Ok(done(web.0, Done::SessionsEnded)?)
}

async fn signed_in(web: &Web, request: &Request) -> Result<Caller> {
    caller(web, request.headers()).await?.ok_or(Error::Unauthenticated)
}

/// The same for what a person may do to their own account, and a visitor to a demonstration may not: that account is everyone's.
async fn signed_in_alone(web: &Web, request: &Request) -> Result<Caller> {
    let me = signed_in(web, request).await?;
    if web.demo.is_some() { Err(Error::Forbidden(SHARED.into())) } else { Ok(me) }
}

fn done(web: &Web, done: Done) -> Result<Response> {
    see_other(web, &format!("/account?told={}", done.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::clock::Timestamp;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn belonging(each: &str, is_suspended: bool) -> Belonging {
        Belonging { id: each.into(), name: each.into(), slug: "acme".into(), role: Role::Admin, is_suspended }
    }

    fn page(each: &str, sessions: usize) -> AccountPage {
        let when = || When::from(Timestamp::from_millis(0));
        let row = |number: usize| Row {
            id: format!("ses_{number}"),
            agent: each.into(),
            raw: each.into(),
            address: each.into(),
            since: when(),
            seen: when(),
            is_this: number == 0,
        };
        AccountPage {
            shell: Shell { base_url: "https://example.org/status".into() },
            told: None,
            email: each.into(),
            name: name_form(each, &[]),
            password: password_form(&[]),
            sessions: (0..sessions).map(row).collect(),
            more_sessions: 0,
            organizations: vec![belonging(each, false)],
            is_operator: false,
            is_demo: false,
        }
    }

    #[test]
    fn this_session_is_marked_and_the_others_can_be_ended() {
        let html = page("Ada", 3).render().unwrap();
        assert_eq!(html.matches("This one").count(), 1);
        assert!(html.contains("action=\"/status/account/sessions/ses_2/end\"") && !html.contains("sessions/ses_0/end"), "{html}");
        assert!(html.contains("action=\"/status/account/sessions/end-others\""), "{html}");
        assert!(html.contains("href=\"/status/o/acme\"") && html.contains("href=\"/status/p/acme\""), "{html}");

        let alone = page("Ada", 1).render().unwrap();
        assert!(!alone.contains("end-others"), "{alone}");
        let many = AccountPage { more_sessions: 7, ..page("Ada", SESSIONS_SHOWN) }.render().unwrap();
        assert!(many.contains("7 more"), "{many}");
    }

    #[test]
    fn an_organization_can_be_left_from_here_unless_it_is_closed() {
        let html = page("Acme", 1).render().unwrap();
        assert!(html.contains("href=\"/status/o/acme/team/leave\"") && !html.contains("/status/instance"), "{html}");
        let closed = AccountPage { organizations: vec![belonging("Acme", true)], ..page("Acme", 1) }.render().unwrap();
        assert!(closed.contains("Suspended") && !closed.contains("/status/o/acme") && !closed.contains("/status/p/acme"), "{closed}");
        let none = AccountPage { organizations: Vec::new(), is_operator: true, ..page("Ada", 1) }.render().unwrap();
        assert!(none.contains("You belong to no organization.") && none.contains("href=\"/status/instance\""), "{none}");
    }

    #[test]
    fn a_demonstration_offers_nothing_that_would_reach_other_visitors() {
        let html = AccountPage { is_demo: true, ..page("Ada", 1) }.render().unwrap();
        for other in ["type=\"password\"", "/account/password", "/account/sessions/", "/team/leave"] {
            assert!(!html.contains(other), "{other}: {html}");
        }
        assert!(html.contains("id=\"password\"") && html.contains("action=\"/status/logout\""), "{html}");
        assert_eq!(html.matches("This one").count(), 1);
    }

    #[test]
    fn what_is_wrong_stands_at_its_field_and_no_password_is_shown_again() {
        let errors = [FieldError { field: "current_password".into(), message: "is not your password".into() }];
        let html = AccountPage { password: password_form(&errors), ..page("Ada", 1) }.render().unwrap();
        assert!(html.contains("id=\"current_password-error\"") && html.contains("Present password is not your password"), "{html}");
        assert_eq!(html.matches("id=\"problems\"").count(), 1);
        assert!(html.contains("autocomplete=\"new-password\" value=\"\""), "{html}");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        let errors = [FieldError { field: EVIL.into(), message: EVIL.into() }];
        for each in [EVIL.to_owned(), EVIL.repeat(200), "שירות".to_owned(), String::new()] {
            let html = AccountPage { name: name_form(&each, &errors), ..page(&each, 3) }.render().unwrap();
            assert!(!html.contains("<script>") && !html.contains(" style="), "{html}");
        }
    }
}
