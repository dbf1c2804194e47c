//! The words of the API: the same as the domain's, with a schema.

use poem_openapi::Enum;
use poem_openapi::registry::Registry;
use poem_openapi::types::{ParseFromJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::input::{Field, must};
use crate::error::Check;

/// The status of a service. `unknown` means that there is no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", remote = "crate::domain::status::ServiceStatus")]
pub enum ServiceStatus {
    /// Works.
    Operational,
    /// Works, but slowly or with errors.
    DegradedPerformance,
    /// Does not work for some.
    PartialOutage,
    /// Does not work.
    MajorOutage,
    /// Being worked on, as announced.
    UnderMaintenance,
    /// Nothing is known.
    Unknown,
}

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", remote = "crate::domain::status::IncidentStatus")]
pub enum IncidentStatus {
    /// The cause is not known yet.
    Investigating,
    /// The cause is known.
    Identified,
    /// A fix is in place and is being watched.
    Monitoring,
    /// Over.
    Resolved,
    /// Over, and what was learned is published.
    Postmortem,
}

/// How much an incident hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", remote = "crate::domain::status::Impact")]
pub enum Impact {
    /// Not at all.
    None,
    /// Something is slower than it should be.
    Minor,
    /// Something does not work for some.
    Major,
    /// Something does not work.
    Critical,
}

/// Who may know of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", remote = "crate::domain::service::Visibility")]
pub enum Visibility {
    /// Everyone who sees the page.
    Public,
    /// Members alone.
    Private,
}

/// What a member may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", remote = "crate::access::Role")]
pub enum Role {
    /// Reads everything of the organization.
    Viewer,
    /// Incidents, maintenance and the status of services.
    Responder,
    /// Services, groups and pages.
    Editor,
    /// People, settings and tokens.
    Admin,
}

macro_rules! word_fields {
    ($($word:ty),*) => {
        $(impl Field for $word {
            fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
                let word = <$word as ParseFromJSON>::parse_from_json(Some(value)).ok();
                word.or_else(|| must(check, path, format!("must be one of {}", words_of::<$word>())))
            }
        })*
    };
}
word_fields!(ServiceStatus, IncidentStatus, Impact, Visibility, Role);

/// The words as the schema lists them, so that a message never lags behind.
fn words_of<T: Type>() -> String {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let schema = registry.schemas.remove(&*T::name());
    let words = schema.map(|schema| schema.enum_items).unwrap_or_default();
    words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain;

    #[test]
    fn the_words_are_the_domains() {
        let domains = |words: Vec<&str>| words.join(", ");
        assert_eq!(words_of::<ServiceStatus>(), domains(domain::status::ServiceStatus::ALL.iter().map(|word| word.as_str()).collect()));
        assert_eq!(words_of::<IncidentStatus>(), domains(domain::status::IncidentStatus::ALL.iter().map(|word| word.as_str()).collect()));
        assert_eq!(words_of::<Impact>(), domains(domain::status::Impact::ALL.iter().map(|word| word.as_str()).collect()));
        assert_eq!(words_of::<Role>(), domains(crate::access::Role::ALL.iter().map(|word| word.as_str()).collect()));
        assert_eq!(words_of::<Visibility>(), "public, private");
    }

    #[test]
    fn they_are_written_as_they_are_described() {
        assert_eq!(serde_json::to_value(ServiceStatus::DegradedPerformance).unwrap(), "degraded_performance");
        assert_eq!(serde_json::to_value(Impact::None).unwrap(), "none");
        assert_eq!(serde_json::to_value(Role::from(crate::access::Role::Admin)).unwrap(), "admin");
    }
}
