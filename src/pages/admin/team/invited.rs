//! An invitation: its link to pass on, a new link, taking it back.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use crate::access::{Administer, Role};
use crate::domain::invitation::Invitation;
use crate::error::Result;
use crate::id::Id;
use crate::mail::Delivery;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::{OrgView, Reads};

#[derive(Template)]
#[template(path = "admin/team_invitation.html")]
struct InvitationPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    id: String,
    email: &'a str,
    role: Role,
    invited_by: &'a str,
    /// When the present link was made.
    sent: When,
    expires: When,
    /// The link; none once it works no more.
    url: Option<&'a str>,
    /// Whether this instance sends mail.
    mails: bool,
    /// Without a field: what was refused is told at the top.
    form: Form,
}

impl<'a> InvitationPage<'a> {
    fn new(frame: &'a Frame, of: &'a Invitation, url: Option<&'a str>, mails: bool, refused: Option<&Refused>) -> Self {
        Self {
            shell: &frame.shell,
            frame,
            id: of.id.to_string(),
            email: of.email.as_str(),
            role: of.role,
            invited_by: &of.invited_by.name,
            sent: of.sent_at.into(),
            expires: of.expires_at.into(),
            url,
            mails,
            form: Form::new(Vec::new(), refused.map(|refused| refused.errors.as_slice()).unwrap_or_default()),
        }
    }
}

/// What is said of a link that was just made.
pub(super) fn told(delivery: Delivery) -> Done {
    match delivery {
        Delivery::Sent => Done::InvitedByMail,
        Delivery::Failed => Done::InvitedMailFailed,
        Delivery::Off => Done::InvitedNoMail,
    }
}

async fn page(desk: &Desk, id: Id<Invitation>, refused: Option<&Refused>) -> Result<Response> {
    let query = move |view: &OrgView<'_, Administer>| -> Result<(Invitation, bool)> {
        let found = view.get(id)?;
        let is_expired = found.is_expired(view.now());
        Ok((found, is_expired))
    };
    let (frame, (found, is_expired)) = desk.look(Tab::Team, query).await?;
    // Sealed anew each time it is looked at; a link is stored nowhere.
    let url = if is_expired { None } else { Some(desk.web.app.invitation_link(&desk.caller, desk.org, id).await?.1) };
    let page = InvitationPage::new(&frame, &found, url.as_deref(), desk.web.app.sends_mail(), refused);
    match refused {
        None => html(StatusCode::OK, &page),
        Some(refused) => refused.answer(&page),
    }
}

/// `GET /o/:org/team/invitations/:invitation`.
#[handler]
pub(crate) async fn invitation(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(page(&desk, path_id(request, "invitation")?, None).await?)
}

/// `POST /o/:org/team/invitations/:invitation/resend`. The old link works no more.
#[handler]
pub(crate) async fn resend(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Invitation>(request, "invitation")?;
    match desk.web.app.resend_invitation(&desk.caller, desk.org, id).await {
        Ok(sent) => Ok(desk.done(&format!("/team/invitations/{id}"), told(sent.delivery), id)?),
        Err(error) => Ok(page(&desk, id, Some(&Refused::by(error)?)).await?),
    }
}

/// `POST /o/:org/team/invitations/:invitation/revoke`.
#[handler]
pub(crate) async fn revoke(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Invitation>(request, "invitation")?;
    match desk.web.app.revoke_invitation(&desk.caller, desk.org, id).await {
        Ok(()) => Ok(desk.done("/team", Done::InvitationRevoked, id)?),
        Err(error) => Ok(page(&desk, id, Some(&Refused::by(error)?)).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ActorRef;
    use crate::clock::Timestamp;
    use crate::domain::text::Email;

    fn sample(email: &str, invited_by: &str) -> Invitation {
        let at = Timestamp::from_millis(0);
        Invitation {
            id: Id::from_u128(1),
            version: 1,
            email: Email::parse("email", email).unwrap(),
            role: Role::Responder,
            invited_by: ActorRef { kind: "user".into(), id: None, name: invited_by.into() },
            created_at: at,
            sent_at: at,
            expires_at: at,
            once: Id::from_u128(2),
        }
    }

    fn rendered(of: &Invitation, url: Option<&str>, mails: bool) -> String {
        let frame = Frame::sample("Acme", Tab::Team);
        InvitationPage::new(&frame, of, url, mails, None).render().unwrap()
    }

    #[test]
    fn a_link_that_works_can_be_copied_with_and_without_script() {
        let html = rendered(&sample("sam@example.com", "Ada"), Some("https://example.org/invite/v4.local.x"), false);
        assert!(html.contains("readonly") && html.contains("value=\"https://example.org/invite/v4.local.x\""), "{html}");
        assert!(html.contains("data-copy=\"link\" data-scripted hidden") && html.contains("sends no mail"), "{html}");
        for words in ["sam@example.com", "Responder", "Report incidents, post updates", "Ada", "/resend\"", "/revoke\""] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let html = rendered(&sample("sam@example.com", "Ada"), Some("x"), true);
        assert!(html.contains("If no mail reaches <bdi>sam@example.com</bdi>") && !html.contains("sends no mail"), "{html}");
    }

    #[test]
    fn one_that_has_expired_shows_no_link_and_what_to_do() {
        let html = rendered(&sample("sam@example.com", "Ada"), None, true);
        assert!(html.contains("has expired") && !html.contains("id=\"link\"") && html.contains("/resend\""), "{html}");
    }

    #[test]
    fn hostile_and_long_texts_stay_text() {
        let email = format!("{}'&amp@{}.example.com", "a".repeat(50), "b".repeat(150));
        for each in ["\"><script>alert(1)</script>'", &"long ".repeat(400), "مرحبا", ""] {
            let html = rendered(&sample(&email, each), Some(each), true);
            assert!(!html.contains("<script>alert") && !html.contains("&amp@") && !html.contains(" style="), "{html}");
        }
    }
}
