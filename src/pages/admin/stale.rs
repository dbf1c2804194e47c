//! What somebody else changed while a form was open.

use serde_json::Value;

use super::desk::Desk;
use crate::access::Permission;
use crate::clock::Timestamp;
use crate::domain::status::{Impact, IncidentStatus, ServiceStatus};
use crate::domain::timeline::{self, Filter};
use crate::error::Result;
use crate::pages::fields::Fields;
use crate::pages::when::When;
use crate::store::OrgView;

/// The most changes that are told: the latest.
const TOLD_MAX: usize = 20;

/// What changed meanwhile, `parts/stale.html`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meanwhile {
    /// Newest first; empty when all that is known is that something changed.
    pub(crate) changes: Vec<MeanwhileChange>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeanwhileChange {
    /// Whose.
    pub(crate) who: String,
    /// The rest of the sentence: `resolved it`.
    pub(crate) what: String,
    /// When.
    pub(crate) at: When,
}

/// Where the log stood when the form was made, if it was made in this life of the store; positions of another one mean nothing here.
pub(crate) fn seen(desk: &Desk, fields: &Fields) -> String {
    let seen = fields.get("seen");
    let is_ours = seen.split_once(':').is_some_and(|(epoch, _)| epoch == desk.web.app.epoch());
    if is_ours { seen.to_owned() } else { String::new() }
}

/// What happened to this subject after `seen`, an `epoch:seq`. Of a position that can't be read nothing is told.
///
/// # Errors
/// What the store says.
pub(crate) fn meanwhile<P: Permission>(view: &OrgView<'_, P>, subject: &str, seen: &str) -> Result<Meanwhile> {
    let Some(after) = seen.split_once(':').and_then(|(_, seq)| seq.parse::<u64>().ok()) else { return Ok(Meanwhile::default()) };
    let filter = Filter { subject: Some(subject.to_owned()), ..Filter::default() };
    let latest = timeline::read(view, None, &filter, None, TOLD_MAX)?.items.into_iter();
    Ok(Meanwhile { changes: latest.take_while(|entry| entry.seq > after).map(|entry| MeanwhileChange::of(&entry.event)).collect() })
}

impl MeanwhileChange {
    fn of(event: &Value) -> Self {
        let at = text(event, "/at").parse::<Timestamp>().unwrap_or(Timestamp::from_millis(0));
        Self { who: text(event, "/actor/name").to_owned(), what: what(event), at: at.into() }
    }
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What was done, as the rest of a sentence that begins with who did it.
fn what(event: &Value) -> String {
    let is_update = event.pointer("/data/after/update_id").is_some();
    let stage = || label(text(event, "/data/after/status"));
    let also = if event.pointer("/data/after/affected").is_some() { ", changed the affected services" } else { "" };
    match text(event, "/type") {
        "incident.opened" => "reported it".into(),
        "incident.resolved" => format!("resolved it{also}"),
        "incident.reopened" => format!("opened it again: {}{also}", stage()),
        "incident.updated" if is_update && event.pointer("/data/before/message").is_some() => "corrected the text of an update".into(),
        "incident.updated" if is_update => match stage().as_str() {
            "" => format!("posted an update{also}"),
            stage => format!("posted an update: {stage}{also}"),
        },
        "service.status_changed" => format!("set the status to {}", label(text(event, "/data/after/own_status"))),
        kind if kind.ends_with(".created") => "created it".into(),
        kind if kind.ends_with(".deleted") => "deleted it".into(),
        kind if kind.ends_with(".restored") => "brought it back".into(),
        _ => changed(event),
    }
}

/// The fields that changed: short values with what they were, long ones by name.
fn changed(event: &Value) -> String {
    let Some(after) = event.pointer("/data/after").and_then(Value::as_object) else { return "changed it".into() };
    let before = |field: &str| event.pointer("/data/before").and_then(|before| before.get(field)).and_then(Value::as_str);
    let parts: Vec<String> = after
        .iter()
        // What a change does to the status of services follows from the rest.
        .filter(|(field, _)| field.as_str() != "services")
        .map(|(field, value)| match (field.as_str(), before(field), value.as_str()) {
            ("title" | "name", Some(before), Some(after)) => format!("the {field} from “{before}” to “{after}”"),
            ("impact" | "visibility", Some(before), Some(after)) => format!("the {field} from {} to {}", label(before), label(after)),
            ("slug", Some(before), Some(after)) => format!("the address from {before} to {after}"),
            ("time_zone", Some(before), Some(after)) => format!("the time zone from {before} to {after}"),
            ("affected", ..) => "the affected services".into(),
            ("group_id", ..) => "the group".into(),
            ("position", ..) => "the order".into(),
            (field, ..) => format!("the {}", field.replace('_', " ")),
        })
        .collect();
    if parts.is_empty() { "changed it".into() } else { format!("changed {}", parts.join(", ")) }
}

/// The words that people read for an API word.
fn label(word: &str) -> String {
    let known = IncidentStatus::parse(word)
        .map(IncidentStatus::label)
        .or_else(|| ServiceStatus::parse(word).map(ServiceStatus::label))
        .or_else(|| Impact::parse(word).map(Impact::label));
    known.unwrap_or(word).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::domain::incident::{self, IncidentPatch};
    use crate::domain::status::ServiceStatus::{MajorOutage, Operational};
    use crate::domain::testing::TestOrg;
    use crate::store::{LogKind, Reads};

    #[test]
    fn the_changes_of_one_incident_are_told_newest_first() {
        let mut org = TestOrg::new().with_service("API", Operational);
        let id = org.open("Checkout fails", [("API", MajorOutage)]);
        let seen = org.read(|view| Ok(format!("e:{}", view.head(LogKind::Org(view.org().uuid()))?)));
        let other = org.open("Something else", []);
        org.say(id, IncidentStatus::Identified, "It is the disk.");
        org.say(other, IncidentStatus::Identified, "Not this one.");
        org.advance(Duration::from_secs(60));
        let patch = IncidentPatch { title: Some("Checkout is back".into()), ..IncidentPatch::default() };
        org.change(move |tx| incident::update(tx, id, patch, None)).unwrap();
        org.resolve(id);

        let told = org.read(move |view| meanwhile(view, &id.to_string(), &seen)).changes;
        let what: Vec<_> = told.iter().map(|change| change.what.as_str()).collect();
        let expected = ["resolved it", "changed the title from “Checkout fails” to “Checkout is back”", "posted an update: Identified"];
        assert_eq!(what, expected);
        assert_eq!((told[0].who.as_str(), told[0].at.iso.as_str()), ("test", "2026-03-01T12:01:00.000Z"));
    }

    #[test]
    fn of_a_position_that_cannot_be_read_nothing_is_told_and_of_many_changes_the_latest() {
        let mut org = TestOrg::new();
        let id = org.open("Checkout fails", []);
        for number in 0..30 {
            org.say(id, IncidentStatus::Monitoring, &format!("Still looking, {number}."));
        }
        for seen in ["", "7", "e:", "e:-1", "e:x"] {
            assert_eq!(org.read(move |view| meanwhile(view, &id.to_string(), seen)), Meanwhile::default(), "{seen}");
        }
        for number in 0..100 {
            org.open(&format!("Another one {number}"), []);
        }
        let told = org.read(move |view| meanwhile(view, &id.to_string(), "e:0")).changes;
        assert_eq!(told.len(), TOLD_MAX, "whatever else has happened since");
        assert_eq!(org.read(move |view| meanwhile(view, &id.to_string(), "e:18446744073709551615")), Meanwhile::default());
    }

    #[test]
    fn every_kind_of_change_has_its_words() {
        let event = |kind: &str, before: Value, after: Value| json!({ "type": kind, "data": { "before": before, "after": after } });
        for (kind, before, after, expected) in [
            ("incident.updated", json!({}), json!({ "update_id": "upd_1", "message": "x" }), "posted an update"),
            (
                "incident.updated",
                json!({ "status": "investigating", "affected": [] }),
                json!({ "update_id": "upd_1", "status": "identified", "affected": [{}], "message": "x" }),
                "posted an update: Identified, changed the affected services",
            ),
            ("incident.resolved", json!({ "affected": [{}] }), json!({ "affected": [] }), "resolved it, changed the affected services"),
            (
                "incident.updated",
                json!({ "message": "x" }),
                json!({ "update_id": "upd_1", "message": "y" }),
                "corrected the text of an update",
            ),
            ("incident.reopened", json!({}), json!({ "update_id": "upd_1", "status": "investigating" }), "opened it again: Investigating"),
            (
                "incident.updated",
                json!({ "impact": "minor" }),
                json!({ "impact": "major", "affected": [], "services": [] }),
                "changed the affected services, the impact from Minor to Major",
            ),
            (
                "service.updated",
                json!({ "name": "A", "group_id": null }),
                json!({ "name": "B", "group_id": "grp_1" }),
                "changed the group, the name from “A” to “B”",
            ),
            ("service.updated", json!({ "description": "x" }), json!({ "description": "y" }), "changed the description"),
            ("service.status_changed", json!({}), json!({ "own_status": "major_outage" }), "set the status to Major outage"),
            (
                "page.updated",
                json!({ "name": null, "slug": "acme", "time_zone": "UTC", "logo": false }),
                json!({ "name": "Acme", "slug": "acme-2", "time_zone": "Asia/Tokyo", "logo": true }),
                "changed the logo, the name, the address from acme to acme-2, the time zone from UTC to Asia/Tokyo",
            ),
            ("group.updated", json!({}), json!({}), "changed it"),
            ("incident.deleted", json!({}), json!({}), "deleted it"),
            ("incident.restored", json!({}), json!({}), "brought it back"),
        ] {
            assert_eq!(what(&event(kind, before, after)), expected);
        }
    }
}
