//! Who stands before an organization's pages, and the one way from there to the application.

use http::{HeaderValue, Method, StatusCode, header};
use poem::{FromRequest, Request, RequestBody, Response};

use super::frame::{Choice, Frame, Person, Tab};
use super::told::{Done, Told};
use crate::access::{Permission, Read};
use crate::app::Caller;
use crate::domain::incident::{self, Which};
use crate::domain::member::Membership;
use crate::domain::organization::{self, OrgId, Organization};
use crate::domain::{instance, page, slug};
use crate::error::{Error, Result};
use crate::event::Change;
use crate::pages::answer::{caller, see_other};
use crate::store::{LogKind, OrgTx, OrgView, Reads, WideTx};
use crate::web::Web;

/// How many unresolved incidents the header offers; more are a click further.
const OPEN_SHOWN: usize = 8;
/// How many of the person's organizations the switcher offers; all of them are a click further.
const SWITCHER_SHOWN: usize = 12;

/// A signed-in person at the pages of one organization, `/o/:org/…`.
///
/// 401 for who is not signed in, 404 for a slug that leads nowhere or to a stranger's organization.
pub(crate) struct Desk {
    /// What handlers share.
    pub(crate) web: Web,
    /// Who.
    pub(crate) caller: Caller,
    /// Whose pages.
    pub(crate) org: OrgId,
    /// In their address.
    pub(crate) slug: String,
    told: Option<Told>,
}

impl<'a> FromRequest<'a> for Desk {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let web = request.data::<Web>().ok_or_else(|| Error::internal("the router lacks its state"))?.clone();
        let caller = caller(&web, request.headers()).await?.ok_or(Error::Unauthenticated)?;
        let wanted = request.raw_path_param("org").unwrap_or_default().to_owned();
        let found = web.app.system_read(move |view| slug::find(view, &wanted)).await?.ok_or(Error::NotFound)?;
        let user = caller.user.id;
        // Before anything else is looked at: to a stranger the organization does not exist.
        let own = web.app.read(caller.actor(), found.org_id, move |view: &OrgView<'_, Read>| organization::own(view, user)).await?;
        let slug = own.organization.slug;
        if found.slug != slug && request.method() == Method::GET {
            return Err(moved(&web, request, &found.slug, &slug)?);
        }
        let told = Told::of(request, &format!("/o/{slug}"));
        Ok(Self { web, caller, org: found.org_id, slug, told })
    }
}

impl Desk {
    /// Reads what a page shows, and the frame around it as it stands at the same moment: the page's position in the log is true for both.
    ///
    /// # Errors
    /// `Forbidden` for a member without the role; what the query says.
    pub(crate) async fn look<P, T>(&self, tab: Tab, query: impl FnOnce(&OrgView<'_, P>) -> Result<T> + Send + 'static) -> Result<(Frame, T)>
    where
        P: Permission,
        T: Send + 'static,
    {
        let user = self.caller.user.id;
        let epoch = self.web.app.epoch().to_owned();
        let person = self.person().await?;
        let (own, page, open, at, shown) = self
            .web
            .app
            .read(self.caller.actor(), self.org, move |view: &OrgView<'_, P>| {
                let own = organization::own(view, user)?;
                let open = incident::list(view, Which::Open, |scan| scan.limit(OPEN_SHOWN))?;
                let at = format!("{epoch}:{}", view.head(LogKind::Org(view.org().uuid()))?);
                Ok((own, page::own(view)?.slug, open, at, query(view)?))
            })
            .await?;
        let frame = Frame::new(self.web.pages.shell(), &self.caller, own, page, open, at, tab, person, self.told.clone());
        Ok((frame, shown))
    }

    /// What the header says of the person: where else they may go.
    async fn person(&self) -> Result<Person> {
        let (user, here) = (self.caller.user.id, self.org);
        self.web
            .app
            .system_read(move |view| {
                let first = view.scan(Membership::BY_USER.of(user).limit(SWITCHER_SHOWN))?.items;
                let mut organizations = Vec::new();
                for org in switchable(first.into_iter().map(|membership| membership.org_id).collect(), here) {
                    let found = view.enter::<Read>(org).find(org)?;
                    organizations.extend(found.filter(Organization::is_open).map(|organization| Choice {
                        is_this: organization.id == here,
                        name: organization.name,
                        slug: organization.slug,
                    }));
                }
                Ok(Person { organizations, is_operator: instance::operator(view)? == Some(user) })
            })
            .await
    }

    /// As [`change`](Self::change), for what touches things that belong to no organization, too.
    ///
    /// # Errors
    /// As [`App::change_wide`](crate::app::App::change_wide).
    pub(crate) async fn change_wide<P, T>(
        &self,
        operation: impl FnOnce(&mut WideTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<T>
    where
        P: Permission,
        T: Send + 'static,
    {
        self.web.app.change_wide(self.caller.actor(), self.org, operation).await
    }

    /// Changes the organization.
    ///
    /// # Errors
    /// As [`App::change`](crate::app::App::change).
    pub(crate) async fn change<P, T>(&self, operation: impl FnOnce(&mut OrgTx<'_, P>) -> Result<Change<T>> + Send + 'static) -> Result<T>
    where
        P: Permission,
        T: Send + 'static,
    {
        self.web.app.change(self.caller.actor(), self.org, operation).await
    }

    /// Go and GET this page of the organization (`/incidents`), which then tells what was done, and offers to undo it to what `of` names.
    ///
    /// # Errors
    /// `Internal` for a path that fits in no header.
    pub(crate) fn done(&self, path: &str, done: Done, of: impl std::fmt::Display) -> Result<Response> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let (page, anchor) = path.split_once('#').map_or((path, String::new()), |(page, anchor)| (page, format!("#{anchor}")));
        see_other(&self.web, &format!("/o/{}{page}{mark}told={}&of={of}{anchor}", self.slug, done.as_str()))
    }
}

/// What the switcher leads to, of a person's first organizations: the one that they are in is always among them.
fn switchable(mut first: Vec<OrgId>, here: OrgId) -> Vec<OrgId> {
    if !first.contains(&here) {
        first.truncate(SWITCHER_SHOWN - 1);
        first.push(here);
    }
    first
}

/// Leads from an older address of the organization to its present one. Only to its people: to others there is neither.
fn moved(web: &Web, request: &Request, old: &str, present: &str) -> Result<poem::Error> {
    let whole = request.uri().path_and_query().map_or("", |whole| whole.as_str());
    let rest = whole.strip_prefix("/o/").and_then(|rest| rest.strip_prefix(old)).unwrap_or_default();
    let location = HeaderValue::try_from(format!("{}/o/{present}{rest}", web.base_url.path())).map_err(Error::internal)?;
    let response = Response::builder().status(StatusCode::PERMANENT_REDIRECT).header(header::LOCATION, location).finish();
    Ok(poem::Error::from_response(response))
}

/// What an id in a path is.
///
/// # Errors
/// `NotFound` for what is no id.
pub(crate) fn path_id<K: crate::id::Kind>(request: &Request, name: &str) -> Result<crate::id::Id<K>> {
    request.raw_path_param(name).and_then(|id| id.parse().ok()).ok_or(Error::NotFound)
}

/// A parameter of the query; empty when it was not sent.
pub(crate) fn query(request: &Request, name: &str) -> String {
    let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

/// Marks an answer as a file to keep under this name, which is ours and plain.
pub(crate) fn attachment(name: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn the_switcher_always_offers_where_one_is() {
        let many: Vec<OrgId> = (1..=SWITCHER_SHOWN as u128).map(Id::from_u128).collect();
        let (third, late) = (many[2], Id::from_u128(99));
        assert_eq!(switchable(many.clone(), third), many);
        assert_eq!(switchable(many.clone(), late), [&many[..SWITCHER_SHOWN - 1], &[late]].concat());
        assert_eq!(switchable(vec![third], late), [third, late]);
    }
}
