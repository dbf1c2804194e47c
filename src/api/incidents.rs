//! Incidents: across services, and those of one service.

mod input;

use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use self::input::{Correction, IncidentChanges, NewIncident, NewIncidentOfService, NewIncidentUpdate, State};
use super::Tag;
use super::answer::{Answer, Changed, Created, Done, Found, Listed, Reading, Removing, Writing};
use super::caller::{self, Me};
use super::dto;
use super::etag::{IfMatch, IfNoneMatch, Versioned};
use super::input::Input;
use super::paging::{Ask, Limit, Slice, walk};
use super::query::Query;
use super::repeat::Repeat;
use crate::access::{Read, Respond};
use crate::domain::incident::{self, Details, Incident, Update};
use crate::domain::organization::OrgId;
use crate::domain::service::{self, Service};
use crate::error::{Error, Result};
use crate::event::Change;
use crate::id::Id;
use crate::store::{OrgTx, OrgView, Page, Reads};

/// Incidents.
pub(super) struct Incidents;

#[OpenApi(tag = "Tag::Incidents")]
impl Incidents {
    /// The incidents, the latest begun first, of one organization or of all of the caller's.
    #[oai(path = "/incidents", method = "get", operation_id = "list_incidents")]
    async fn list_incidents(
        &self,
        me: Me,
        /// All of the caller's organizations when left out.
        organization_id: Query<String>,
        /// Those that are not over, or those that are; both when left out.
        state: Query<State>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Incident>, Reading> {
        let ask = Ask::new(organization_id.text().map(caller::id).transpose()?, limit, &cursor)?;
        let which = State::which(state.0);
        let page = walk(&me.app, &me.caller, ask, move |view, slice| shown_all(view, incident::list(view, which, |scan| slice.of(scan))?));
        Ok(Listed(page.await?))
    }

    /// Opens an incident. Needs the role responder.
    #[oai(path = "/incidents", method = "post", operation_id = "open_incident")]
    async fn open_incident(
        &self,
        me: Me,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<NewIncident>,
    ) -> Answer<Created<dto::Incident>, Writing> {
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        if let Some(thing) = me.again::<Respond, _>(&once).await? {
            return Ok(Created { thing, replayed: true });
        }
        let org = home(&me, &input).await?;
        let new = input.parse()?;
        let opened = me.app.change_once(me.actor(), org, once, move |tx: &mut OrgTx<'_, Respond>| {
            let change = incident::open(tx, new)?;
            shown(tx, change)
        });
        let (thing, replayed) = opened.await?;
        Ok(Created { thing, replayed })
    }

    /// An incident.
    #[oai(path = "/incidents/:id", method = "get", operation_id = "get_incident")]
    async fn get_incident(
        &self,
        me: Me,
        /// The incident's id.
        id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<dto::Incident>, Reading> {
        let incident = Place::parse(&id, None)?;
        Ok(Found { thing: incident.get(&me).await?, known })
    }

    /// Changes an incident; a message or another status appends an update. Needs the role responder.
    #[oai(path = "/incidents/:id", method = "put", operation_id = "update_incident")]
    async fn update_incident(
        &self,
        me: Me,
        /// The incident's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<IncidentChanges>,
    ) -> Answer<Changed<dto::Incident>, Writing> {
        let incident = Place::parse(&id, None)?;
        Ok(incident.update(&me, if_match, &repeat, body).await?)
    }

    /// Deletes an incident; what happened stays in the timeline. Needs the role responder.
    #[oai(path = "/incidents/:id", method = "delete", operation_id = "delete_incident")]
    async fn delete_incident(
        &self,
        me: Me,
        /// The incident's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Removing> {
        let incident = Place::parse(&id, None)?;
        Ok(incident.delete(&me, if_match, &repeat).await?)
    }

    /// Says something more about an incident. Needs the role responder.
    #[oai(path = "/incidents/:id/updates", method = "post", operation_id = "post_incident_update")]
    async fn post_incident_update(
        &self,
        me: Me,
        /// The incident's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<NewIncidentUpdate>,
    ) -> Answer<Created<dto::Incident>, Writing> {
        let id: Id<Incident> = caller::id(&id)?;
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let update = input.parse()?;
        let posted = me.change(id, once, move |tx: &mut OrgTx<'_, Respond>| {
            let expected = if_match.expected(tx, id)?;
            let change = incident::post_update(tx, id, update, expected)?;
            shown(tx, change)
        });
        let (thing, replayed) = posted.await?;
        Ok(Created { thing, replayed })
    }

    /// Corrects the text of an update, which announces nothing; the earlier text stays in the timeline. Needs the role responder.
    #[oai(path = "/incidents/:id/updates/:update_id", method = "put", operation_id = "correct_incident_update")]
    async fn correct_incident_update(
        &self,
        me: Me,
        /// The incident's id.
        id: Path<String>,
        /// The update's id.
        update_id: Path<String>,
        /// Only if the incident still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<Correction>,
    ) -> Answer<Changed<dto::Incident>, Writing> {
        let (id, update): (Id<Incident>, Id<Update>) = (caller::id(&id)?, caller::id(&update_id)?);
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let corrected = me.change(id, once, move |tx: &mut OrgTx<'_, Respond>| {
            let expected = if_match.expected(tx, id)?;
            let change = incident::correct(tx, id, update, Details { message: input.message }, expected)?;
            shown(tx, change)
        });
        let (thing, replayed) = corrected.await?;
        Ok(Changed { thing, replayed })
    }

    /// The incidents that touch a service, the latest begun first; also after it was deleted.
    #[oai(path = "/services/:service_id/incidents", method = "get", operation_id = "list_service_incidents")]
    async fn list_service_incidents(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<dto::Incident>, Reading> {
        let service: Id<Service> = caller::id(&service_id)?;
        let ask = Ask::new(Some(me.org_of(service).await?), limit, &cursor)?;
        let list = move |view: &OrgView<'_, Read>, slice: Slice| shown_all(view, incident::list_of(view, service, |scan| slice.of(scan))?);
        Ok(Listed(walk(&me.app, &me.caller, ask, list).await?))
    }

    /// Opens an incident that touches a service. Needs the role responder.
    #[oai(path = "/services/:service_id/incidents", method = "post", operation_id = "open_service_incident")]
    async fn open_service_incident(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<NewIncidentOfService>,
    ) -> Answer<Created<dto::Incident>, Writing> {
        let service: Id<Service> = caller::id(&service_id)?;
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let new = input.touching(service)?;
        let opened = me.change(service, once, move |tx: &mut OrgTx<'_, Respond>| {
            // The path names it, so that a deleted one is not found rather than a wrong field.
            service::live(tx, service)?;
            let change = incident::open(tx, new)?;
            shown(tx, change)
        });
        let (thing, replayed) = opened.await?;
        Ok(Created { thing, replayed })
    }

    /// An incident that touches a service.
    #[oai(path = "/services/:service_id/incidents/:id", method = "get", operation_id = "get_service_incident")]
    async fn get_service_incident(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// The incident's id.
        id: Path<String>,
        /// The tag of what the reader has.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Answer<Found<dto::Incident>, Reading> {
        let incident = Place::parse(&id, Some(&service_id))?;
        Ok(Found { thing: incident.get(&me).await?, known })
    }

    /// Changes an incident that touches a service. Needs the role responder.
    #[oai(path = "/services/:service_id/incidents/:id", method = "put", operation_id = "update_service_incident")]
    async fn update_service_incident(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// The incident's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
        body: Input<IncidentChanges>,
    ) -> Answer<Changed<dto::Incident>, Writing> {
        let incident = Place::parse(&id, Some(&service_id))?;
        Ok(incident.update(&me, if_match, &repeat, body).await?)
    }

    /// Deletes an incident that touches a service. Needs the role responder.
    #[oai(path = "/services/:service_id/incidents/:id", method = "delete", operation_id = "delete_service_incident")]
    async fn delete_service_incident(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// The incident's id.
        id: Path<String>,
        /// Only if it still has the version of this tag.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The same key gets the same answer for 24 hours.
        #[oai(name = "Idempotency-Key")]
        repeat: Repeat,
    ) -> Answer<Done, Removing> {
        let incident = Place::parse(&id, Some(&service_id))?;
        Ok(incident.delete(&me, if_match, &repeat).await?)
    }
}

/// An incident as a path names it: by itself, or among those of a service.
#[derive(Debug, Clone, Copy)]
struct Place {
    incident: Id<Incident>,
    service: Option<Id<Service>>,
}

impl Place {
    fn parse(id: &str, service: Option<&str>) -> Result<Self> {
        Ok(Self { incident: caller::id(id)?, service: service.map(caller::id).transpose()? })
    }

    /// The incident, if it touches the service that the path names.
    fn find(self, view: &impl Reads) -> Result<Incident> {
        let incident = incident::live(view, self.incident)?;
        if self.service.is_none_or(|service| incident.touches(service)) { Ok(incident) } else { Err(Error::NotFound) }
    }

    async fn get(self, me: &Me) -> Result<Versioned<dto::Incident>> {
        let org = me.org_of(self.incident).await?;
        let named = me.app.read(me.actor(), org, move |view: &OrgView<'_, Read>| incident::named(view, self.find(view)?)).await?;
        Ok(dto::Incident::versioned(org, &named))
    }

    async fn update(self, me: &Me, if_match: IfMatch, repeat: &Repeat, body: Input<IncidentChanges>) -> Result<Changed<dto::Incident>> {
        let (input, bytes) = body.into_parts();
        let once = repeat.once(&me.caller, &bytes)?;
        let patch = input.parse()?;
        let updated = me.change(self.incident, once, move |tx: &mut OrgTx<'_, Respond>| {
            self.find(tx)?;
            let expected = if_match.expected(tx, self.incident)?;
            let change = incident::update(tx, self.incident, patch, expected)?;
            shown(tx, change)
        });
        let (thing, replayed) = updated.await?;
        Ok(Changed { thing, replayed })
    }

    async fn delete(self, me: &Me, if_match: IfMatch, repeat: &Repeat) -> Result<Done> {
        let once = repeat.once(&me.caller, b"")?;
        let deleted = me.change(self.incident, once, move |tx: &mut OrgTx<'_, Respond>| {
            self.find(tx)?;
            let expected = if_match.expected(tx, self.incident)?;
            incident::delete(tx, self.incident, expected)
        });
        let ((), replayed) = deleted.await?;
        Ok(Done { replayed })
    }
}

/// The organization that a new incident goes into: the one named, the caller's only one, or that of the first affected service.
async fn home(me: &Me, input: &NewIncident) -> Result<OrgId> {
    match (me.home(input.organization_id()).await, input.first_service()) {
        (Err(Error::Invalid(_)), Some(service)) => match me.org_of(service?).await {
            Err(Error::NotFound) => Err(input::unknown_service(0)),
            found => found,
        },
        (home, _) => home,
    }
}

/// The answer to a change, with the names of what it touches as they are in its transaction.
fn shown(view: &impl Reads, change: Change<Incident>) -> Result<Change<Versioned<dto::Incident>>> {
    let Change { value, events } = change;
    let named = incident::named(view, value)?;
    Ok(Change { value: dto::Incident::versioned(view.org(), &named), events })
}

fn shown_all(view: &OrgView<'_, Read>, page: Page<Incident>) -> Result<Page<dto::Incident>> {
    let items = page
        .items
        .into_iter()
        .map(|incident| Ok(dto::Incident::of(view.org(), &incident::named(view, incident)?)))
        .collect::<Result<_>>()?;
    Ok(Page { items, next: page.next })
}
