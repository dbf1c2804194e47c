//! Incidents and what is said about them.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::{Impact, IncidentStatus, Nullable, ServiceStatus};
use crate::access::ActorRef;
use crate::api::etag::Versioned;
use crate::clock::Timestamp;
use crate::domain::incident::{self, IncidentView};
use crate::domain::organization::OrgId;

/// Something went wrong, and what is being said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Incident {
    /// Opaque.
    pub id: String,
    /// Whose it is.
    pub organization_id: String,
    /// 5 to 200 characters.
    pub title: String,
    /// How far it has come: the status of the newest update.
    pub status: IncidentStatus,
    /// As the responder said, else derived from the affected statuses.
    pub impact: Impact,
    /// What it touches.
    pub affected: Vec<Affected>,
    /// Oldest first; never empty.
    pub updates: Vec<Update>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over; null while it is not.
    pub resolved_at: Nullable<Timestamp>,
    /// When it was reported.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

/// A service that an incident touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(rename = "AffectedService")]
pub struct Affected {
    /// Which.
    pub service_id: String,
    /// Its name; the last one, if it was deleted.
    pub name: String,
    /// What the incident makes of it until resolved; null = only mentioned.
    pub status: Nullable<ServiceStatus>,
}

/// One thing said about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(rename = "IncidentUpdate")]
pub struct Update {
    /// Opaque.
    pub id: String,
    /// The incident's status from then on.
    pub status: IncidentStatus,
    /// Markdown; empty where only the status changed.
    pub message: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// When the text was last corrected; null if never.
    pub edited_at: Nullable<Timestamp>,
    /// By whom; never shown to visitors.
    pub author: Author,
}

/// Who said or did it: a copy of the name, which outlives the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Author {
    /// `user` or `system`.
    pub kind: String,
    /// Of the user; null for the system.
    pub id: Nullable<String>,
    /// At that time.
    pub name: String,
}

impl From<&ActorRef> for Author {
    fn from(actor: &ActorRef) -> Self {
        Self { kind: actor.kind.clone(), id: actor.id.clone().into(), name: actor.name.clone() }
    }
}

impl From<&incident::Update> for Update {
    fn from(update: &incident::Update) -> Self {
        Self {
            id: update.id.to_string(),
            status: update.status.into(),
            message: update.message.clone(),
            created_at: update.created_at,
            edited_at: update.edited_at.into(),
            author: (&update.author).into(),
        }
    }
}

impl Incident {
    /// The incident of an organization.
    pub fn of(org: OrgId, view: &IncidentView) -> Self {
        let incident = &view.incident;
        let affected = incident.affected.iter().zip(&view.names).map(|(affected, name)| Affected {
            service_id: affected.service_id.to_string(),
            name: name.clone(),
            status: affected.status.map(ServiceStatus::from).into(),
        });
        Self {
            id: incident.id.to_string(),
            organization_id: org.to_string(),
            title: incident.title.clone(),
            status: incident.status.into(),
            impact: incident.impact().into(),
            affected: affected.collect(),
            updates: incident.updates.iter().map(Update::from).collect(),
            started_at: incident.started_at,
            resolved_at: incident.resolved_at.into(),
            created_at: incident.created_at,
            updated_at: incident.updated_at,
        }
    }

    /// With its version beside it.
    pub fn versioned(org: OrgId, view: &IncidentView) -> Versioned<Self> {
        Versioned { version: view.incident.version, body: Self::of(org, view) }
    }
}
