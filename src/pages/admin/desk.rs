//! Who stands before an organization's pages, and the one way from there to the application.

use http::HeaderValue;
use poem::{FromRequest, Request, RequestBody, Response};

use super::frame::{Frame, Tab};
use super::told::{Done, Told};
use crate::access::Permission;
use crate::app::Caller;
use crate::domain::incident::{self, Which};
use crate::domain::organization::{self, OrgId};
use crate::domain::slug;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::pages::answer::{caller, see_other};
use crate::store::{LogKind, OrgTx, OrgView, Reads};
use crate::web::Web;

/// How many unresolved incidents the header offers; more are a click further.
const OPEN_SHOWN: usize = 8;

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
        let own = web
            .app
            .read(caller.actor(), found.org_id, move |view: &OrgView<'_, crate::access::Read>| organization::own(view, user))
            .await?;
        let slug = own.organization.slug;
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
        let many = self.web.app.organizations_of(&self.caller).await?.len() > 1;
        let (own, open, at, shown) = self
            .web
            .app
            .read(self.caller.actor(), self.org, move |view: &OrgView<'_, P>| {
                let own = organization::own(view, user)?;
                let open = incident::list(view, Which::Open, |scan| scan.limit(OPEN_SHOWN))?;
                let at = format!("{epoch}:{}", view.head(LogKind::Org(view.org().uuid()))?);
                Ok((own, open, at, query(view)?))
            })
            .await?;
        let frame = Frame::new(self.web.pages.shell(), &self.caller, own, open, at, tab, many, self.told.clone());
        Ok((frame, shown))
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
