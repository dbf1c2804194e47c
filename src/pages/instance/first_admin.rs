//! The link for an organization's first admin, for the operator to pass on, or to make anew for another address. Once somebody has come, it
//! is the organization that invites.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::{Operator, path_org};
use crate::domain::invitation::Invitation;
use crate::domain::organization::OrgId;
use crate::domain::tenant::Tenant;
use crate::error::{FieldError, Result};
use crate::mail::Delivery;
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::pages::when::When;

/// What was made when a link went out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made {
    /// The organization with its first link.
    Organization,
    /// Another link.
    Link,
}

impl Made {
    /// What the page says of it: whether the link is on its way by mail is half of the news.
    pub(super) fn done(self, delivery: Delivery) -> Done {
        match (self, delivery) {
            (Self::Organization, Delivery::Sent) => Done::OrganizationMadeMailed,
            (Self::Organization, Delivery::Failed) => Done::OrganizationMadeMailFailed,
            (Self::Organization, Delivery::Off) => Done::OrganizationMade,
            (Self::Link, Delivery::Sent) => Done::InvitedByMail,
            (Self::Link, Delivery::Failed) => Done::InvitedMailFailed,
            (Self::Link, Delivery::Off) => Done::InvitedNoMail,
        }
    }
}

#[derive(Template)]
#[template(path = "instance/invitation.html")]
struct InvitationPage<'a> {
    shell: &'a Shell,
    told: Option<Told>,
    /// The one that makes another link.
    form: Form,
    id: String,
    name: String,
    /// For whom the present link is.
    email: String,
    /// None once it works no more.
    url: Option<String>,
    expires: When,
    /// Whether this instance sends mail.
    mails: bool,
}

impl<'a> InvitationPage<'a> {
    fn new(shell: &'a Shell, tenant: Tenant, waiting: &Invitation, url: Option<String>, mails: bool) -> Self {
        Self {
            shell,
            told: None,
            form: form(waiting.email.as_str(), &[]),
            id: tenant.organization.id.to_string(),
            name: tenant.organization.name,
            email: waiting.email.as_str().to_owned(),
            url,
            expires: waiting.expires_at.into(),
            mails,
        }
    }
}

fn form(email: &str, errors: &[FieldError]) -> Form {
    let hint = "If it was mistyped, put it right here. The link works for this address alone.";
    Form::new(vec![Field::line("email", "Email address", "email", "off").holding(email).hinting(hint)], errors)
}

/// The page; with what was typed, where that was refused.
async fn page(operator: &Operator, org: OrgId, refused: Option<(&Fields, &Refused)>) -> Result<Response> {
    let Operator { web, me, told } = operator;
    let (waiting, url) = web.app.tenant_invitation(me, org).await?;
    let tenant = web.app.tenant(me, org).await?;
    let url = (!waiting.is_expired(web.app.clock().now())).then_some(url);
    let page = InvitationPage::new(web.pages.shell(), tenant, &waiting, url, web.app.sends_mail());
    match refused {
        None => html(StatusCode::OK, &InvitationPage { told: told.clone(), ..page }),
        Some((fields, refused)) => {
            // A form of ours sends the address; what was refused without one is not about it.
            let email = if fields.has("email") { fields.get("email") } else { waiting.email.as_str() };
            refused.answer(&InvitationPage { form: form(email, &refused.errors), ..page })
        }
    }
}

/// `GET /instance/organizations/:org/invitation`.
#[handler]
pub(crate) async fn invitation(operator: Operator, request: &Request) -> poem::Result<Response> {
    Ok(page(&operator, path_org(request)?, None).await?)
}

/// `POST /instance/organizations/:org/invitation/resend`: a new link, perhaps to another address; the old one works no more.
#[handler]
pub(crate) async fn resend(operator: Operator, request: &Request, fields: Fields) -> poem::Result<Response> {
    let org = path_org(request)?;
    let made = match fields.only(&["email"]) {
        Ok(()) => {
            // An address that was wiped out is a wrong one, and not the one before.
            let email = fields.has("email").then(|| fields.get("email").to_owned());
            operator.web.app.resend_tenant_invitation(&operator.me, org, email).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(operator.done(&format!("/organizations/{org}/invitation"), Made::Link.done(made.delivery))?),
        Err(error) => Ok(page(&operator, org, Some((&fields, &Refused::by(error)?))).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const EVIL: &str = "\"><script>alert(1)</script>'";
    const LINK: &str = "https://example.org/status/invite/v4.local.abc";

    fn page(each: &str, url: Option<&str>, mails: bool) -> String {
        with(form(each, &[]), each, url, mails)
    }

    fn with(form: Form, each: &str, url: Option<&str>, mails: bool) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let page = InvitationPage {
            shell: &shell,
            told: None,
            form,
            id: "org_1".into(),
            name: each.into(),
            email: each.into(),
            url: url.map(str::to_owned),
            expires: Timestamp::from_millis(0).into(),
            mails,
        };
        page.render().unwrap()
    }

    #[test]
    fn the_link_is_there_to_copy_until_it_expires() {
        let html = page("Skerry", Some(LINK), false);
        assert!(html.contains(&format!("value=\"{LINK}\"")) && html.contains(" readonly"), "{html}");
        assert!(html.contains("sends no mail") && !page("Skerry", Some(LINK), true).contains("sends no mail"), "{html}");
        let html = page("Skerry", None, true);
        assert!(!html.contains("id=\"link\"") && html.contains("has expired"), "{html}");
        assert!(html.contains("action=\"/status/instance/organizations/org_1/invitation/resend\""), "{html}");
    }

    #[test]
    fn the_address_is_there_to_be_put_right() {
        let html = page("skipper@example.com", Some(LINK), true);
        assert!(html.contains("name=\"email\" type=\"email\"") && html.contains("value=\"skipper@example.com\""), "{html}");
        assert!(!html.contains("aria-invalid") && !html.contains("id=\"problems\""), "{html}");
        let wrong = [FieldError { field: "email".into(), message: "must be an email address".into() }];
        let html = with(form("skipper", &wrong), "skiper@example.com", Some(LINK), true);
        assert!(html.contains("id=\"email-error\"") && html.contains("value=\"skipper\"") && html.contains("href=\"#email\""), "{html}");
        assert!(html.contains("no mail reaches <bdi>skiper@example.com</bdi>"), "the link is for whom it was: {html}");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(500), "منظمة".to_owned(), String::new()] {
            let html = page(&each, Some(&each), false);
            assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        }
    }
}
