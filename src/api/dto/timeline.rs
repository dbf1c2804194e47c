//! The timeline: events with their numbers.

use std::collections::BTreeMap;

use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Nullable;
use crate::clock::Timestamp;
use crate::domain::timeline::Entry;
use crate::error::{Error, Result};

/// One thing that happened: the live event with its id and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct TimelineEntry {
    /// `epoch:seq`, as the live rooms name it.
    pub id: String,
    /// Its number in the organization's log: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// What happened, such as `incident.opened`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: TimelineActor,
    /// To what.
    pub subject: TimelineSubject,
    /// What changed.
    pub data: TimelineData,
}

/// Who did it: a copy, since the timeline outlives people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct TimelineActor {
    /// `user` or `system`.
    pub kind: String,
    /// Of the user; null for the system.
    pub id: Nullable<String>,
    /// At that time.
    pub name: String,
}

/// What it happened to: a copy, since the timeline outlives things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct TimelineSubject {
    /// `organization`, `page`, `member`, `invitation`, `service`, `group` or `incident`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// At that time.
    pub name: Nullable<String>,
}

/// The changed fields, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct TimelineData {
    /// As they were.
    pub before: BTreeMap<String, Value>,
    /// As they are.
    pub after: BTreeMap<String, Value>,
}

impl TimelineEntry {
    /// An entry of the log of this life (`epoch`) of the store.
    ///
    /// # Errors
    /// `Internal` for a stored event that is none.
    pub fn of(epoch: &str, entry: Entry) -> Result<Self> {
        let Entry { seq, event } = entry;
        let Value::Object(mut event) = event else { return Err(Error::internal(format!("entry {seq} of a log is no object"))) };
        event.insert("id".into(), format!("{epoch}:{seq}").into());
        event.insert("seq".into(), seq.into());
        serde_json::from_value(Value::Object(event)).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_the_event_with_its_number() {
        let event = json!({
            "type": "service.updated",
            "at": "2026-03-01T12:00:00.000Z",
            "subject": { "kind": "service", "id": "svc_1", "name": "API" },
            "data": { "before": { "name": "A" }, "after": { "name": "API" } },
            "actor": { "kind": "system", "id": null, "name": "demo" },
        });
        let entry = TimelineEntry::of("k3", Entry { seq: 7, event: event.clone() }).unwrap();
        let mut expected = event;
        expected["id"] = json!("k3:7");
        expected["seq"] = json!(7);
        assert_eq!(serde_json::to_value(entry).unwrap(), expected);
    }
}
