//! Services and their groups.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::{Nullable, ServiceStatus, Visibility};
use crate::api::etag::Versioned;
use crate::clock::Timestamp;
use crate::domain::group;
use crate::domain::organization::OrgId;
use crate::domain::service::ServiceState;

/// A thing with a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Service {
    /// Opaque.
    pub id: String,
    /// Whose it is.
    pub organization_id: String,
    /// The group it is shown in.
    pub group_id: Nullable<String>,
    /// 1 to 200 characters.
    pub name: String,
    /// Markdown.
    pub description: String,
    /// As everyone sees it: the worst of what is set by hand and what unresolved incidents say.
    pub status: ServiceStatus,
    /// As set by hand.
    pub own_status: ServiceStatus,
    /// Who may know of it.
    pub visibility: Visibility,
    /// Services are shown in this order, lowest first.
    pub position: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Service {
    /// The service of an organization.
    pub fn of(org: OrgId, state: &ServiceState) -> Self {
        let service = &state.service;
        Self {
            id: service.id.to_string(),
            organization_id: org.to_string(),
            group_id: service.group_id.map(|id| id.to_string()).into(),
            name: service.name.clone(),
            description: service.description.clone(),
            status: state.status.into(),
            own_status: service.own_status.into(),
            visibility: service.visibility.into(),
            position: service.position,
            created_at: service.created_at,
            updated_at: service.updated_at,
        }
    }

    /// With its version beside it.
    pub fn versioned(org: OrgId, state: &ServiceState) -> Versioned<Self> {
        Versioned { version: state.service.version, body: Self::of(org, state) }
    }
}

/// Services shown together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(rename = "ServiceGroup")]
pub struct Group {
    /// Opaque.
    pub id: String,
    /// Whose it is.
    pub organization_id: String,
    /// 1 to 200 characters.
    pub name: String,
    /// Groups are shown in this order, lowest first.
    pub position: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Group {
    /// The group of an organization.
    pub fn of(org: OrgId, group: &group::Group) -> Self {
        Self {
            id: group.id.to_string(),
            organization_id: org.to_string(),
            name: group.name.clone(),
            position: group.position,
            created_at: group.created_at,
            updated_at: group.updated_at,
        }
    }

    /// With its version beside it.
    pub fn versioned(org: OrgId, group: &group::Group) -> Versioned<Self> {
        Versioned { version: group.version, body: Self::of(org, group) }
    }
}
