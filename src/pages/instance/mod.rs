//! The operator's pages, `/instance/…`: which organizations there are, and how the instance is set up.
//!
//! | file | what |
//! |---|---|
//! | `overview.rs` | the organizations, and the instance itself |
//! | `making.rs` | an organization for somebody else |
//! | `organization.rs` | one organization: suspend, resume |
//! | `deleting.rs` | deleting one, by its name |
//! | `first_admin.rs` | the link for the first admin |
//! | `words.rs` | sizes, counts and standings in words |
//!
//! The operator hosts the instance and reads nothing in it: what these pages are made of ([`Tenant`](crate::domain::tenant::Tenant)) has no service,
//! incident, event or person. To work in an organization the operator is invited like anyone else.

mod deleting;
mod first_admin;
mod making;
mod organization;
mod overview;
mod words;

use poem::{FromRequest, Request, RequestBody, Response};

use crate::app::Caller;
use crate::domain::organization::OrgId;
use crate::error::{Error, Result};
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{caller, see_other};
use crate::web::Web;
pub(crate) use deleting::{delete, delete_form};
pub(crate) use first_admin::{invitation, resend};
pub(crate) use making::{create, new_form};
pub(crate) use organization::{one, resume, suspend};
pub(crate) use overview::show;

/// The operator at the pages of the instance.
///
/// 401 for who is not signed in; 404 for everyone else who is: to them these pages do not exist.
pub(crate) struct Operator {
    web: Web,
    me: Caller,
    told: Option<Told>,
}

impl<'a> FromRequest<'a> for Operator {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let web = request.data::<Web>().ok_or_else(|| Error::internal("the router lacks its state"))?.clone();
        let me = caller(&web, request.headers()).await?.ok_or(Error::Unauthenticated)?;
        if !web.app.is_operator(&me).await? {
            return Err(Error::NotFound.into());
        }
        Ok(Self { web, me, told: Told::of(request, "/instance") })
    }
}

impl Operator {
    /// Go and GET this page below `/instance`, which then tells what was done.
    fn done(&self, path: &str, done: Done) -> Result<Response> {
        see_other(&self.web, &format!("/instance{path}?told={}", done.as_str()))
    }
}

/// The organization in the path.
fn path_org(request: &Request) -> Result<OrgId> {
    request.raw_path_param("org").and_then(|id| id.parse().ok()).ok_or(Error::NotFound)
}
