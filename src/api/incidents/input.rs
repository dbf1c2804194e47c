//! What is asked of incidents, and how it is read.

use poem_openapi::registry::MetaSchema;
use poem_openapi::types::MaybeUndefined;

use crate::api::dto::{Impact, IncidentStatus, ServiceStatus};
use crate::api::input::input;
use crate::api::query::Parameter;
use crate::domain::incident::{Affected, IncidentPatch, NewUpdate, OpenIncident, Which};
use crate::domain::service::Service;
use crate::domain::status;
use crate::error::{Check, Error, FieldError, Result};
use crate::id::Id;

input! {
    /// A service that an incident touches.
    pub(super) struct AffectedInput {
        /// Of the same organization.
        service_id: String,
        /// What the incident makes of it until resolved; left out or null = only mentioned.
        #[oai(nullable)]
        status: MaybeUndefined<ServiceStatus>,
    }
}

input! {
    /// A new incident.
    pub(super) struct NewIncident {
        /// 5 to 200 characters.
        title: String,
        /// Markdown: the first update.
        message: String,
        /// `investigating` unless said otherwise.
        status: Option<IncidentStatus>,
        /// Derived from the affected statuses unless said otherwise.
        #[oai(nullable)]
        impact: MaybeUndefined<Impact>,
        /// What it touches; each service once.
        affected: Option<Vec<AffectedInput>>,
        /// May be left out by who belongs to one organization, and where a service is named.
        organization_id: Option<String>,
    }
}

input! {
    /// A new incident of the service that the path names.
    pub(super) struct NewIncidentOfService {
        /// 5 to 200 characters.
        title: String,
        /// Markdown: the first update.
        message: String,
        /// `investigating` unless said otherwise.
        status: Option<IncidentStatus>,
        /// Derived from the affected statuses unless said otherwise.
        #[oai(nullable)]
        impact: MaybeUndefined<Impact>,
        /// What the incident makes of the service; left out or null = it is only mentioned.
        #[oai(nullable)]
        service_status: MaybeUndefined<ServiceStatus>,
        /// What else it touches.
        affected: Option<Vec<AffectedInput>>,
    }
}

input! {
    /// What may change of an incident; what is left out stays.
    pub(super) struct IncidentChanges {
        /// 5 to 200 characters.
        title: Option<String>,
        /// Another one appends an update.
        status: Option<IncidentStatus>,
        /// Markdown; appends an update.
        message: Option<String>,
        /// Null derives it from the affected statuses.
        #[oai(nullable)]
        impact: MaybeUndefined<Impact>,
        /// In place of what it touched so far.
        affected: Option<Vec<AffectedInput>>,
    }
}

input! {
    /// Another thing to say about an incident.
    pub(super) struct NewIncidentUpdate {
        /// The present one unless said otherwise.
        status: Option<IncidentStatus>,
        /// Markdown.
        message: String,
        /// New statuses of services, laid over what the incident says so far.
        affected: Option<Vec<AffectedInput>>,
    }
}

input! {
    /// A corrected text.
    pub(super) struct Correction {
        /// Markdown.
        pub(super) message: String,
    }
}

impl NewIncident {
    pub(super) fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// The first service that it touches.
    pub(super) fn first_service(&self) -> Option<Result<Id<Service>>> {
        self.affected
            .as_ref()
            .and_then(|affected| affected.first())
            .map(|first| first.service_id.parse::<Id<Service>>().map_err(|_| unknown_service(0)))
    }

    pub(super) fn parse(self) -> Result<OpenIncident> {
        Ok(OpenIncident {
            title: self.title,
            message: self.message,
            status: self.status.map(Into::into),
            impact: self.impact.take().map(Into::into),
            affected: affected(self.affected.unwrap_or_default())?,
        })
    }
}

impl NewIncidentOfService {
    /// With the service of the path among those affected: last, so that the client's own list keeps its numbers in what is said about it.
    pub(super) fn touching(self, service: Id<Service>) -> Result<OpenIncident> {
        let mut touched = affected(self.affected.unwrap_or_default())?;
        let status: Option<status::ServiceStatus> = self.service_status.take().map(Into::into);
        if status.is_some_and(|status| !status.from_incident()) {
            return Err(Error::invalid("service_status", "must be operational, degraded_performance, partial_outage or major_outage"));
        }
        if !touched.iter().any(|affected| affected.service_id == service) {
            touched.push(Affected { service_id: service, status });
        } else if status.is_some() {
            return Err(Error::invalid("service_status", "must be left out where affected names the service"));
        }
        Ok(OpenIncident {
            title: self.title,
            message: self.message,
            status: self.status.map(Into::into),
            impact: self.impact.take().map(Into::into),
            affected: touched,
        })
    }
}

impl IncidentChanges {
    pub(super) fn parse(self) -> Result<IncidentPatch> {
        let impact: Option<Option<Impact>> = self.impact.into();
        Ok(IncidentPatch {
            title: self.title,
            impact: impact.map(|impact| impact.map(Into::into)),
            status: self.status.map(Into::into),
            message: self.message,
            affected: self.affected.map(affected).transpose()?,
        })
    }
}

impl NewIncidentUpdate {
    pub(super) fn parse(self) -> Result<NewUpdate> {
        Ok(NewUpdate { status: self.status.map(Into::into), message: self.message, affected: affected(self.affected.unwrap_or_default())? })
    }
}

/// What is no id can't be a service's: the same answer as for an unknown one, for each.
fn affected(entries: Vec<AffectedInput>) -> Result<Vec<Affected>> {
    let mut check = Check::new();
    let mut read = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        if let Some(service_id) = check.take(entry.service_id.parse::<Id<Service>>().map_err(|_| unknown_service(at)))? {
            read.push(Affected { service_id, status: entry.status.take().map(Into::into) });
        }
    }
    check.done()?;
    Ok(read)
}

/// The entry with this number in the list names no service of the organization.
pub(super) fn unknown_service(at: usize) -> Error {
    Error::Invalid(vec![FieldError {
        field: format!("affected[{at}].service_id"),
        message: "must be the id of a service of this organization".into(),
    }])
}

/// Whether an incident is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is not.
    Open,
    /// It is.
    Closed,
}

impl State {
    /// Which incidents to list.
    pub(super) fn which(state: Option<Self>) -> Which {
        match state {
            None => Which::All,
            Some(State::Open) => Which::Open,
            Some(State::Closed) => Which::Closed,
        }
    }
}

impl Parameter for State {
    const EXPECTED: &'static str = "must be open or closed";

    fn schema() -> MetaSchema {
        MetaSchema { enum_items: vec!["open".into(), "closed".into()], ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "open" => Some(State::Open),
            "closed" => Some(State::Closed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::input::Field;

    fn read<T: Field>(body: Value) -> T {
        let mut check = Check::new();
        let value = T::parse(body, "", &mut check);
        check.done().unwrap();
        value.unwrap()
    }

    const SERVICE: Id<Service> = Id::from_u128(7);

    fn of_service(more: Value) -> Result<OpenIncident> {
        let mut body = json!({ "title": "Checkout fails", "message": "We look into it." });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read::<NewIncidentOfService>(body).touching(SERVICE)
    }

    fn field(error: Result<OpenIncident>) -> String {
        match error {
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.field).collect::<Vec<_>>().join(" "),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_service_of_the_path_is_touched_once() {
        let mentioned = of_service(json!({})).unwrap();
        assert_eq!(mentioned.affected, [Affected { service_id: SERVICE, status: None }]);
        let down = of_service(json!({ "service_status": "major_outage" })).unwrap();
        assert_eq!(down.affected, [Affected { service_id: SERVICE, status: Some(status::ServiceStatus::MajorOutage) }]);
        let named = of_service(json!({ "affected": [{ "service_id": SERVICE, "status": "partial_outage" }] })).unwrap();
        assert_eq!(named.affected, [Affected { service_id: SERVICE, status: Some(status::ServiceStatus::PartialOutage) }]);
        let twice = json!({ "service_status": "major_outage", "affected": [{ "service_id": SERVICE }] });
        assert_eq!(field(of_service(twice)), "service_status");
        assert_eq!(field(of_service(json!({ "service_status": "unknown" }))), "service_status");
    }

    #[test]
    fn each_unknown_service_is_named() {
        let affected = json!([{ "service_id": "nonsense" }, { "service_id": SERVICE }, { "service_id": "grp_1" }]);
        assert_eq!(field(of_service(json!({ "affected": affected }))), "affected[0].service_id affected[2].service_id");
    }

    #[test]
    fn an_impact_is_said_derived_again_or_left_alone() {
        let patch = |body| read::<IncidentChanges>(body).parse().unwrap().impact;
        assert_eq!(patch(json!({})), None);
        assert_eq!(patch(json!({ "impact": null })), Some(None));
        assert_eq!(patch(json!({ "impact": "critical" })), Some(Some(status::Impact::Critical)));
    }
}
