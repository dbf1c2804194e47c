//! The link of an invitation: who invites whom to what, and the way in for each of those who may hold it.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, handler};

use super::dead_link::{DeadLink, dead_link};
use super::signup::input;
use super::templates::new_password;
use crate::access::Role;
use crate::api::problem::sentence;
use crate::app::SignUpInput;
use crate::config::Registration;
use crate::domain::invitation::Offer;
use crate::error::{Error, FieldError, Result};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, caller, html, see_other, visit, welcome};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::web::Web;

/// Who holds the link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holder {
    /// The invited person, signed in.
    Invited,
    /// Somebody else, signed in.
    Other {
        /// Whom they are signed in as.
        signed_in_as: String,
    },
    /// Nobody yet; the invited person has an account.
    SignedOut {
        /// Where to sign in and come back from.
        way_in: String,
    },
    /// Nobody yet; the invited person has no account.
    Newcomer,
    /// The same, where no accounts are made.
    ShutOut,
}

#[derive(Template)]
#[template(path = "account/invitation.html")]
struct InvitationPage<'a> {
    shell: &'a Shell,
    token: &'a str,
    organization: &'a str,
    invited_by: &'a str,
    /// Whom it is for.
    email: &'a str,
    role: Role,
    until: When,
    holder: Holder,
    /// What a newcomer fills in, and what was wrong, whoever it was.
    form: Form,
}

impl Holder {
    /// Who asks, and what this instance lets them do.
    async fn of(web: &Web, request: &Request, offer: &Offer, token: &str) -> Result<Self> {
        Ok(match caller(web, request.headers()).await? {
            Some(me) if me.user.email == offer.email => Self::Invited,
            Some(me) => Self::Other { signed_in_as: me.user.email.as_str().to_owned() },
            None if offer.has_account => Self::SignedOut { way_in: way_in(token, offer.email.as_str()) },
            None if matches!(web.app.registration(), Registration::Closed) => Self::ShutOut,
            None => Self::Newcomer,
        })
    }
}

impl<'a> InvitationPage<'a> {
    fn new(web: &'a Web, offer: &'a Offer, token: &'a str, holder: Holder, form: Form) -> Self {
        Self {
            shell: web.pages.shell(),
            token,
            organization: &offer.organization,
            invited_by: &offer.invited_by,
            email: offer.email.as_str(),
            role: offer.role,
            until: offer.expires_at.into(),
            holder,
            form,
        }
    }
}

/// The address field is not among them: it is fixed, and the template shows it.
fn form(full_name: &str, errors: &[FieldError]) -> Form {
    let name = Field::line("full_name", "Your name", "text", "name").holding(full_name);
    Form::new(vec![name.hinting("Shown to your colleagues, never to visitors."), new_password("password", "Password")], errors)
}

/// Signing in, with the address that it is for, and then back here.
fn way_in(token: &str, email: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &path(token)).append_pair("email", email).finish();
    format!("/login?{query}")
}

fn path(token: &str) -> String {
    format!("/invite/{token}")
}

/// The organization that somebody has just joined.
fn inside(slug: &str) -> String {
    format!("/o/{slug}?told={}", Done::Joined.as_str())
}

/// What the link offers; `None` for one that does not work, for whatever reason.
async fn offer(web: &Web, request: &Request, token: &str) -> Result<Option<Offer>> {
    let (from, _) = visit(request);
    match web.app.offer(token, from).await {
        Ok(offer) => Ok(Some(offer)),
        Err(Error::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Within the page, also what is forbidden: the page says to whom it is not, and what they can do. A session that was ended meanwhile is no
/// matter of it.
fn refused(error: Error) -> Result<Refused> {
    match error {
        Error::Forbidden(why) => {
            let errors = vec![FieldError { field: String::new(), message: sentence(&why) }];
            Ok(Refused { status: StatusCode::FORBIDDEN, errors, retry_after: None })
        }
        Error::Unauthenticated => Err(error),
        other => Refused::by(other),
    }
}

/// `GET /invite/:token`.
#[handler]
pub(crate) async fn invitation(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let web = web.0;
    let token = request.raw_path_param("token").unwrap_or_default();
    let Some(offer) = offer(web, request, token).await? else { return Ok(dead_link(web, request, DeadLink::Invitation).await?) };
    let holder = Holder::of(web, request, &offer, token).await?;
    Ok(html(StatusCode::OK, &InvitationPage::new(web, &offer, token, holder, form("", &[])))?)
}

/// `POST /invite/:token`: who is signed in joins.
#[handler]
pub(crate) async fn accept(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let web = web.0;
    let token = request.raw_path_param("token").unwrap_or_default();
    let Some(offer) = offer(web, request, token).await? else { return Ok(dead_link(web, request, DeadLink::Invitation).await?) };
    // Who signed out in another window finds the way in on the link's own page.
    let Some(me) = caller(web, request.headers()).await? else { return Ok(see_other(web, &path(token))?) };
    let joined = match fields.only(&[]) {
        Ok(()) => web.app.accept(&me, token).await,
        Err(error) => Err(error),
    };
    match joined {
        Ok(own) => Ok(see_other(web, &inside(&own.organization.slug))?),
        // Somebody was faster, or it was withdrawn just now.
        Err(Error::NotFound) => Ok(dead_link(web, request, DeadLink::Invitation).await?),
        Err(error) => {
            let refused = refused(error)?;
            let holder = Holder::of(web, request, &offer, token).await?;
            Ok(refused.answer(&InvitationPage::new(web, &offer, token, holder, form("", &refused.errors)))?)
        }
    }
}

/// `POST /signup` with an invitation: a newcomer makes an account, founds nothing, and is in.
pub(super) async fn join(web: &Web, request: &Request, fields: &Fields) -> Result<Response> {
    let token = fields.get("invite_token");
    let (from, origin) = visit(request);
    let signed_up = match fields.only(&["email", "full_name", "password", "invite_token"]) {
        Ok(()) => web.app.sign_up(SignUpInput { invite_token: Some(token.to_owned()), ..input(fields) }, from, origin).await,
        Err(error) => Err(error),
    };
    let error = match signed_up {
        Ok(signed_in) => {
            let joined = signed_in.profile.organizations.first().map(|own| inside(&own.organization.slug));
            return welcome(web, &signed_in, joined.as_deref().unwrap_or("/"));
        }
        Err(error) => error,
    };
    // A link that does not work makes everything else beside the point.
    let Some(offer) = offer(web, request, token).await? else { return dead_link(web, request, DeadLink::Invitation).await };
    let refused = refused(error)?;
    let holder = Holder::of(web, request, &offer, token).await?;
    refused.answer(&InvitationPage::new(web, &offer, token, holder, form(fields.get("full_name"), &refused.errors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn shell() -> Shell {
        Shell { base_url: "https://example.org/status".into() }
    }

    fn page<'a>(shell: &'a Shell, each: &'a str, holder: Holder, errors: &[FieldError]) -> InvitationPage<'a> {
        InvitationPage {
            shell,
            token: each,
            organization: each,
            invited_by: each,
            email: each,
            role: Role::Responder,
            until: Timestamp::from_millis(0).into(),
            holder,
            form: form(each, errors),
        }
    }

    fn holders(each: &str) -> [Holder; 5] {
        [
            Holder::Invited,
            Holder::Other { signed_in_as: each.into() },
            Holder::SignedOut { way_in: way_in(each, each) },
            Holder::Newcomer,
            Holder::ShutOut,
        ]
    }

    #[test]
    fn everyone_reads_who_invites_to_what_as_what_and_until_when() {
        let shell = shell();
        for holder in holders("Acme") {
            let html = page(&shell, "Acme", holder.clone(), &[]).render().unwrap();
            assert!(html.contains("<bdi>Acme</bdi> invites you") && html.contains("as a responder. You may report incidents"), "{html}");
            assert!(html.contains("1 Jan 1970, 00:00 UTC"), "{html}");
            let sign_in = "href=\"/status/login?next=%2Finvite%2FAcme&#38;email=Acme\"";
            let ways = ["action=\"/status/invite/Acme\"", "action=\"/status/logout\"", sign_in];
            let found: Vec<_> = ways.into_iter().chain(["action=\"/status/signup\""]).filter(|way| html.contains(way)).collect();
            assert_eq!(found.len(), usize::from(holder != Holder::ShutOut), "one way on for {holder:?}: {found:?}");
        }
    }

    #[test]
    fn who_is_invited_needs_one_click() {
        let html = page(&shell(), "Acme", Holder::Invited, &[]).render().unwrap();
        assert_eq!(html.matches("<button").count(), 1);
        assert!(html.contains("<button class=\"primary\">Join Acme</button>") && !html.contains("<input"), "{html}");
    }

    #[test]
    fn who_is_somebody_else_can_come_back_as_the_invited() {
        let html = page(&shell(), "x", Holder::Other { signed_in_as: "eve@example.org".into() }, &[]).render().unwrap();
        assert!(html.contains("<bdi>eve@example.org</bdi>") && html.contains("name=\"next\" value=\"/invite/x\""), "{html}");
        assert!(!html.contains("Join x</button>"), "{html}");
    }

    #[test]
    fn a_newcomer_keeps_what_was_typed_and_can_not_change_the_address() {
        let errors = [FieldError { field: "password".into(), message: "must be 12 to 128 characters long".into() }];
        let html = page(&shell(), "ada@example.org", Holder::Newcomer, &errors).render().unwrap();
        assert!(html.contains("name=\"invite_token\" value=\"ada@example.org\"") && !html.contains("organization_name"), "{html}");
        assert!(html.contains("value=\"ada@example.org\" readonly"), "{html}");
        assert!(html.contains("autocomplete=\"name\" value=\"ada@example.org\""), "{html}");
        assert!(html.contains("id=\"password-error\"") && html.contains("autocomplete=\"new-password\" value=\"\""), "{html}");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        let (shell, long) = (shell(), EVIL.repeat(500));
        for each in [EVIL, long.as_str(), "دعوة", ""] {
            let errors = [FieldError { field: each.into(), message: each.into() }];
            for holder in holders(each) {
                let html = page(&shell, each, holder, &errors).render().unwrap();
                // An empty token leaves an empty attribute of its own.
                let broke_out = !each.is_empty() && html.contains("=\"\">");
                assert!(!html.contains("<script>") && !broke_out && !html.contains(" style="), "{html}");
            }
        }
    }
}
