//! Services.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::types::MaybeUndefined;

use super::Tag;
use super::answer::{Answer, Changed, Created, Done, Found, Listed, Reading, Removing, Writing};
use super::caller::{self, Me};
use super::dto::{self, ServiceStatus, Visibility};
use super::etag::{IfMatch, IfNoneMatch, Versioned};
use super::input::{Input, input};
use super::paging::{Ask, Limit, walk};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Edit, Read, Respond};
use crate::domain::group::Group;
use crate::domain::organization::OrgId;
use crate::domain::service::{self, Service, ServicePatch, ServiceState};
use crate::domain::status;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::id::Id;
use crate::store::{OrgTx, OrgView, Reads};

input! {
    /// A new service; it is shown last.
    struct NewService {
        /// 1 to 200 characters.
        name: String,
        /// Markdown, at most 2,000 characters.
        description: Option<String>,
        /// `public` unless said otherwise.
        visibility: Option<Visibility>,
        /// The status set by hand; `operational` unless said otherwise.
        status: Option<ServiceStatus>,
        /// A group of the same organization.
        #[oai(nullable)]
        group_id: MaybeUndefined<String>,
        /// May be left out by who belongs to one organization.
        organization_id: Option<String>,
    }
}

input! {
    /// What may change of a service; what is left out stays.
    struct ServiceChanges {
        /// 1 to 200 characters.
        name: Option<String>,
        /// Markdown, at most 2,000 characters.
        description: Option<String>,
        /// Who may know of it.
        visibility: Option<Visibility>,
        /// The status set by hand. A responder may change this alone.
        own_status: Option<ServiceStatus>,
        /// Another group of the same organization; null = none.
        #[oai(nullable)]
        group_id: MaybeUndefined<String>,
        /// Services are shown in this order, lowest first.
        position: Option<i64>,
    }
    refuses { status => "is derived; set own_status", }
}

impl NewService {
    fn parse(self) -> Result<service::NewService> {
        Ok(service::NewService {
            name: self.name,
            description: self.description.unwrap_or_default(),
            visibility: self.visibility.map_or(service::Visibility::Public, Into::into),
            own_status: self.status.map_or(status::ServiceStatus::Operational, Into::into),
            group_id: group(self.group_id)?.flatten(),
        })
    }
}

impl ServiceChanges {
    fn parse(self) -> Result<ServicePatch> {
        Ok(ServicePatch {
            name: self.name,
            description: self.description,
            visibility: self.visibility.map(Into::into),
            own_status: self.own_status.map(Into::into),
            group_id: group(self.group_id)?,
            position: self.position,
        })
    }
}

/// What is no id can't be a group's: the same answer as for an unknown one.
fn group(id: MaybeUndefined<String>) -> Result<Option<Option<Id<Group>>>> {
    match id {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(text) => {
            text.parse().map(|id| Some(Some(id))).map_err(|_| Error::invalid("group_id", "must be the id of a group of this organization"))
        }
    }
}

/// Services.
pub(super) struct Services;

#[OpenApi(tag = "Tag::Services")]
impl Services {
    /// The services in the order shown, of one organization or of all of the caller's.
    #[oai(path = "/services", method = "get", operation_id = "list_services")]
    async fn list_services(
        &self,
        me: Me,
        /// All of the caller's organizations when left out.
        organization_id: Query<String>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Service>, Reading> {
        let ask = Ask::new(organization_id.text().map(caller::id).transpose()?, limit, &cursor)?;
        let page = walk(&me.app, &me.caller, ask, |view, slice| {
            let org = view.org();
            Ok(service::list(view, |scan| slice.of(scan))?.map(|state| dto::Service::of(org, &state)))
        });
        Ok(Listed(page.await?))
    }

    /// Creates a service. Needs the role editor.
    #[oai(path = "/services", method = "post", operation_id = "create_service")]
    async fn create_service(
        &self,
        me: Me,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<NewService>,
    ) -> Answer<Created<dto::Service>, Writing> {
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        if let Some(thing) = me.again::<Edit, _>(&once).await? {
            return Ok(Created { thing, replayed: true });
        }
        let org = me.home(input.organization_id.as_deref()).await?;
        let new = input.parse()?;
        let made = me.app.change_once(me.actor(), org, once, move |tx: &mut OrgTx<'_, Edit>| Ok(shown(org, service::create(tx, new)?)));
        let (thing, replayed) = made.await?;
        Ok(Created { thing, replayed })
    }

    /// A service.
    #[oai(path = "/services/:id", method = "get", operation_id = "get_service")]
    async fn get_service(
        &self,
        me: Me,
        /// The service's id.
        id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<dto::Service>, Reading> {
        let id: Id<Service> = caller::id(&id)?;
        let org = me.org_of(id).await?;
        let state = me.app.read(me.actor(), org, move |view: &OrgView<'_, Read>| service::get(view, id)).await?;
        Ok(Found { thing: dto::Service::versioned(org, &state), known })
    }

    /// Changes a service. Needs the role editor; a responder may set own_status alone.
    #[oai(path = "/services/:id", method = "put", operation_id = "update_service")]
    async fn update_service(
        &self,
        me: Me,
        /// The service's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<ServiceChanges>,
    ) -> Answer<Changed<dto::Service>, Writing> {
        let id: Id<Service> = caller::id(&id)?;
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let patch = input.parse()?;
        let (thing, replayed) = match patch.own_status.filter(|_| patch.is_status_alone()) {
            Some(status) => {
                let set = me.change(id, once, move |tx: &mut OrgTx<'_, Respond>| {
                    let expected = if_match.expected(tx, id)?;
                    Ok(shown(tx.org(), service::set_own_status(tx, id, status, expected)?))
                });
                set.await?
            }
            None => {
                let updated = me.change(id, once, move |tx: &mut OrgTx<'_, Edit>| {
                    let expected = if_match.expected(tx, id)?;
                    Ok(shown(tx.org(), service::update(tx, id, patch, expected)?))
                });
                updated.await?
            }
        };
        Ok(Changed { thing, replayed })
    }

    /// Deletes a service; its timeline and its incidents stay. Needs the role editor.
    #[oai(path = "/services/:id", method = "delete", operation_id = "delete_service")]
    async fn delete_service(
        &self,
        me: Me,
        /// The service's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Removing> {
        let id: Id<Service> = caller::id(&id)?;
        let once = repeat.once(&me.caller, b"")?;
        let deleted = me.change(id, once, move |tx: &mut OrgTx<'_, Edit>| {
            let expected = if_match.expected(tx, id)?;
            service::delete(tx, id, expected)
        });
        let ((), replayed) = deleted.await?;
        Ok(Done { replayed })
    }
}

/// The answer to a change, made inside its transaction, where the status is derived.
fn shown(org: OrgId, change: Change<ServiceState>) -> Change<Versioned<dto::Service>> {
    change.map(|state| dto::Service::versioned(org, &state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_taken_away_or_left_alone() {
        assert_eq!(group(MaybeUndefined::Undefined), Ok(None));
        assert_eq!(group(MaybeUndefined::Null), Ok(Some(None)));
        let id: Id<Group> = Id::from_u128(7);
        assert_eq!(group(MaybeUndefined::Value(id.to_string())), Ok(Some(Some(id))));
        assert!(matches!(group(MaybeUndefined::Value("svc_7".into())), Err(Error::Invalid(_))));
    }
}
