//! Who asks, from where, and for which of their organizations.

use std::net::IpAddr;

use http::header;
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{Actor, Permission, Read};
use crate::app::{App, Caller};
use crate::domain::account;
use crate::domain::answered::Once;
use crate::domain::organization::OrgId;
use crate::domain::session::Origin;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::http::ClientAddr;
use crate::id::{Id, Kind};
use crate::store::{OrgDocument, OrgTx, Reads};
use crate::web::Web;

/// A signed-in person, for any handler; 401 for everyone else.
#[derive(Debug, Clone)]
pub struct Signed(pub Caller);

impl<'a> FromRequest<'a> for Signed {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(signed_in(request).await?))
    }
}

async fn signed_in(request: &Request) -> Result<Caller> {
    let web = state(request)?;
    let token = web.cookie.read(request.headers()).ok_or(Error::Unauthenticated)?;
    web.app.authenticate(token).await
}

fn state(request: &Request) -> Result<&Web> {
    request.data::<Web>().ok_or_else(|| Error::internal("the router lacks its state"))
}

/// A signed-in person, for the operations of the API: the same as [`Signed`], and the document says that the operation needs it.
#[derive(Clone)]
pub struct Me {
    /// The application, to ask it something.
    pub app: App,
    /// Who.
    pub caller: Caller,
}

impl Me {
    /// As the one who asks.
    pub fn actor(&self) -> Actor {
        self.caller.actor()
    }

    /// Which of the caller's organizations has this. An id alone says nothing about a stranger's organization, not even that it exists.
    ///
    /// # Errors
    /// `NotFound` when none has it.
    pub async fn org_of<D: OrgDocument>(&self, id: Id<D>) -> Result<OrgId> {
        let user = self.caller.user.id;
        self.app
            .system_read(move |view| {
                for membership in account::memberships(view, user)? {
                    if view.enter::<Read>(membership.org_id).find(id)?.is_some() {
                        return Ok(membership.org_id);
                    }
                }
                Err(Error::NotFound)
            })
            .await
    }

    /// Changes something in the organization that has it, once.
    ///
    /// # Errors
    /// `NotFound` when none of the caller's has it; else as [`App::change_once`].
    pub async fn change<P, D, T>(
        &self,
        id: Id<D>,
        once: Option<Once>,
        op: impl FnOnce(&mut OrgTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<(T, bool)>
    where
        P: Permission,
        D: OrgDocument,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        match self.org_of(id).await {
            Ok(org) => self.app.change_once(self.actor(), org, once, op).await,
            // What a repeated request speaks of may be gone by now, deleted by the first one; the first answer is kept where it was.
            Err(Error::NotFound) if once.is_some() => self.earlier::<P, T>(once).await,
            Err(other) => Err(other),
        }
    }

    /// What this request was answered before, in whichever of the caller's organizations: asked for first by what makes something new, since a key is the
    /// caller's and not an organization's.
    ///
    /// # Errors
    /// `Invalid`, under `Idempotency-Key`, when the key was used with another body.
    pub async fn again<P: Permission, T: Serialize + DeserializeOwned + Send + 'static>(&self, once: &Option<Once>) -> Result<Option<T>> {
        if once.is_none() {
            return Ok(None);
        }
        match self.earlier::<P, T>(once.clone()).await {
            Ok((answer, _)) => Ok(Some(answer)),
            Err(Error::NotFound) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The answer that was kept for a request in any of the caller's organizations.
    async fn earlier<P: Permission, T: Serialize + DeserializeOwned + Send + 'static>(&self, once: Option<Once>) -> Result<(T, bool)> {
        for org in self.app.organizations_of(&self.caller).await? {
            match self.app.change_once(self.actor(), org, once.clone(), |_: &mut OrgTx<'_, P>| Err(Error::NotFound)).await {
                Err(Error::NotFound | Error::Forbidden(_)) => {}
                answer => return answer,
            }
        }
        Err(Error::NotFound)
    }

    /// The organization that a new thing goes into: the one named, or the caller's only one.
    ///
    /// # Errors
    /// `NotFound` for one that is not the caller's; `Invalid`, under `organization_id`, when it must be named.
    pub async fn home(&self, organization_id: Option<&str>) -> Result<OrgId> {
        let mine = self.app.organizations_of(&self.caller).await?;
        match organization_id {
            Some(named) => {
                let named = id(named)?;
                if mine.contains(&named) { Ok(named) } else { Err(Error::NotFound) }
            }
            None => match mine.as_slice() {
                [only] => Ok(*only),
                _ => Err(Error::invalid("organization_id", "is required: you do not belong to exactly one organization")),
            },
        }
    }
}

impl<'a> ApiExtractor<'a> for Me {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            "session",
            MetaSecurityScheme {
                ty: "apiKey",
                description: Some(
                    "Set by signing up or in. Where the server is reached by https, the cookie is called __Host-allclear_session.",
                ),
                name: Some("allclear_session"),
                key_in: Some("cookie"),
                scheme: None,
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["session"]
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let app = state(request)?.app.clone();
        Ok(Self { app, caller: signed_in(request).await? })
    }
}

/// Someone at the door: nobody knows yet who, but from where.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The address as far as it can be believed.
    pub address: IpAddr,
    /// For the list of sessions.
    pub origin: Origin,
}

impl<'a> FromRequest<'a> for Visitor {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let ClientAddr(address) = *request.data::<ClientAddr>().ok_or_else(|| Error::internal("the request lacks its address"))?;
        let user_agent = request.headers().get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Ok(Self { address, origin: Origin { address: address.to_string(), user_agent: user_agent.unwrap_or_default() } })
    }
}

/// An id in a path or a query. What is no id can't be anyone's.
///
/// # Errors
/// `NotFound`.
pub fn id<K: Kind>(text: &str) -> Result<Id<K>> {
    text.parse().map_err(|_| Error::NotFound)
}
