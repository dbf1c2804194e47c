//! The front door: one's own organizations, the page or the list of pages that the operator put there, or the way in.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use poem::web::Data;
use poem::{Request, Response, handler};

use super::templates::{Belonging, HomePage, organization_form};
use super::{demo, listing};
use crate::app::Caller;
use crate::config::{FrontPage, Registration};
use crate::domain::account::Profile;
use crate::domain::instance;
use crate::error::{Error, Result};
use crate::pages::admin::told::Told;
use crate::pages::answer::{Refused, caller, html, see_other};
use crate::pages::fields::Fields;
use crate::pages::public;
use crate::pages::shell::Shell;
use crate::web::Web;

/// What a newcomer sees while there is no operator.
#[derive(Template)]
#[template(path = "account/unclaimed.html")]
struct UnclaimedPage<'a> {
    shell: &'a Shell,
    /// Whether one can sign up all the same.
    open: bool,
}

/// `GET /`.
#[handler]
pub(crate) async fn front_door(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let web = web.0;
    if let Some(caller) = caller(web, request.headers()).await? {
        return Ok(own(web, &caller).await?);
    }
    if let Some(demo) = &web.demo {
        return Ok(demo::front(web, demo)?);
    }
    if let Some(slug) = web.home_page.as_deref() {
        match web.pages.fresh(slug).await {
            Ok(rendition) => {
                let mut response = public::sent(rendition.answer(request.headers()));
                // Who is signed in sees something else at this address: a shared cache must not mix them up.
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
                response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
                return Ok(response);
            }
            // The page may not have been made yet.
            Err(Error::NotFound) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if web.app.system_read(instance::operator).await?.is_none() {
        let open = matches!(web.app.registration(), Registration::Open);
        return Ok(html(StatusCode::OK, &UnclaimedPage { shell: web.pages.shell(), open })?);
    }
    match web.front_page {
        FrontPage::SignIn => Ok(see_other(web, "/login")?),
        FrontPage::Pages => Ok(listing::front(web, request).await?),
    }
}

/// `GET /organizations`: the choice, also for who belongs to one alone.
#[handler]
pub(crate) async fn organizations(web: Data<&Web>, request: &Request) -> poem::Result<Response> {
    let caller = caller(web.0, request.headers()).await?.ok_or(Error::Unauthenticated)?;
    let profile = web.app.profile(&caller).await?;
    Ok(choice(web.0, &caller, profile, Told::of(request, "/organizations"), None).await?)
}

/// `POST /organizations`: somebody makes an organization of their own, where anyone may.
#[handler]
pub(crate) async fn found_organization(web: Data<&Web>, request: &Request, fields: Fields) -> poem::Result<Response> {
    let caller = caller(web.0, request.headers()).await?.ok_or(Error::Unauthenticated)?;
    let name = fields.get("name");
    let founded = match fields.only(&["name"]) {
        Ok(()) => web.app.found_organization(&caller, name).await,
        Err(error) => Err(error),
    };
    match founded {
        Ok(organization) => Ok(see_other(web.0, &format!("/o/{}", organization.slug))?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let profile = web.app.profile(&caller).await?;
            Ok(choice(web.0, &caller, profile, None, Some((name, &refused))).await?)
        }
    }
}

/// The one organization that a person belongs to, or the choice among several. One that is suspended refuses everyone, so that nobody is led
/// there.
async fn own(web: &Web, caller: &Caller) -> Result<Response> {
    let profile = web.app.profile(caller).await?;
    match profile.organizations.as_slice() {
        [only] if only.organization.suspended_at.is_none() => see_other(web, &format!("/o/{}", only.organization.slug)),
        _ => choice(web, caller, profile, None, None).await,
    }
}

/// `typed` is the name of an organization that was not made, and why.
async fn choice(web: &Web, caller: &Caller, profile: Profile, told: Option<Told>, typed: Option<(&str, &Refused)>) -> Result<Response> {
    let is_operator = web.app.is_operator(caller).await?;
    let listed: Vec<_> = profile.organizations.into_iter().map(Belonging::from).collect();
    let page = HomePage {
        shell: web.pages.shell(),
        full_name: &profile.user.full_name,
        email: profile.user.email.as_str(),
        organizations: &listed,
        is_operator,
        told,
        form: match typed {
            Some((name, refused)) => Some(organization_form(name, &refused.errors)),
            None if listed.is_empty() && matches!(web.app.registration(), Registration::Open) => Some(organization_form("", &[])),
            None => None,
        },
    };
    match typed {
        Some((_, refused)) => refused.answer(&page),
        None => html(StatusCode::OK, &page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unclaimed_instance_says_where_its_link_is() {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let page = |open| UnclaimedPage { shell: &shell, open }.render().unwrap();
        assert!(
            page(false).contains("not set up yet") && page(false).contains("href=\"/status/login\"") && !page(false).contains("/signup")
        );
        assert!(page(true).contains("href=\"/status/signup\""));
    }
}
