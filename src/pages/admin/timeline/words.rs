//! Events as people read them: a plain sentence, and what changed, field by field.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::access::Role;
use crate::clock::Timestamp;
use crate::domain::status::{Impact, IncidentStatus, ServiceStatus};
use crate::event::EventType;
use crate::pages::when::When;

/// The most characters of a value: texts and lists can be long, and are in the export in full.
const VALUE_MAX: usize = 600;
/// The most things of a list that are named.
const LISTED_MAX: usize = 20;

/// What happened, in the order in which it is read: `Ada` `resolved the incident` `Checkout fails` `, after …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Who did it, by the name at that time.
    pub(crate) who: String,
    /// Our own words.
    pub(crate) did: String,
    /// To what, by the name at that time; empty where somebody did it to themselves, and saying so once is enough.
    pub(crate) subject: String,
    /// Our own words again; may be empty.
    pub(crate) rest: String,
}

/// A changed field; a side that is empty was or is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) field: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// What an event says. A type that this version does not know is told by its own name, since a log outlives versions.
pub(crate) fn sentence(event: &Value) -> Sentence {
    let kind = text(event, "/type");
    let name = text(event, "/actor/name");
    let who = if text(event, "/actor/kind") == "system" { format!("Allclear ({name})") } else { name.to_owned() };
    let subject = text(event, "/subject/name").to_owned();
    match EventType::ALL.iter().find(|known| known.as_str() == kind) {
        Some(known) if is_own(*known, event) => {
            let (did, rest) = own(*known, &Fields::of(event));
            Sentence { who, did: did.to_owned(), subject: String::new(), rest }
        }
        Some(known) => {
            let (did, rest) = told(*known, &Fields::of(event));
            Sentence { who, did: did.to_owned(), subject, rest }
        }
        None => Sentence { who, did: format!("· {kind} ·"), subject, rest: String::new() },
    }
}

/// Whether somebody came or went by themselves.
fn is_own(kind: EventType, event: &Value) -> bool {
    let actor = text(event, "/actor/id");
    matches!(kind, EventType::MemberJoined | EventType::MemberRemoved) && !actor.is_empty() && actor == text(event, "/subject/id")
}

fn own(kind: EventType, data: &Fields<'_>) -> (&'static str, String) {
    match kind {
        EventType::MemberJoined => ("joined the organization", as_role(data)),
        _ => ("left the organization", String::new()),
    }
}

/// The role that somebody is given, as the end of a sentence.
fn as_role(data: &Fields<'_>) -> String {
    match data.after("role") {
        "" => String::new(),
        role => format!(" as {}", said(role)),
    }
}

/// What happened, as a choice among kinds of events.
pub(super) fn label(kind: EventType) -> &'static str {
    match kind {
        EventType::OrganizationCreated => "Organization founded",
        EventType::OrganizationUpdated => "Organization changed",
        EventType::OrganizationSuspended => "Organization suspended",
        EventType::OrganizationResumed => "Suspension lifted",
        EventType::OrganizationDeleted => "Organization deleted",
        EventType::PageUpdated => "Public page changed",
        EventType::MemberInvited => "Person invited",
        EventType::MemberJoined => "Person joined",
        EventType::MemberRoleChanged => "Person's role changed",
        EventType::MemberRemoved => "Person left or was removed",
        EventType::InvitationRevoked => "Invitation revoked",
        EventType::InvitationExpired => "Expired invitation removed",
        EventType::ServiceCreated => "Service created",
        EventType::ServiceUpdated => "Service changed",
        EventType::ServiceStatusChanged => "Service's status changed",
        EventType::ServiceDeleted => "Service deleted",
        EventType::ServiceRestored => "Service brought back",
        EventType::GroupCreated => "Group created",
        EventType::GroupUpdated => "Group changed",
        EventType::GroupDeleted => "Group deleted",
        EventType::GroupRestored => "Group brought back",
        EventType::IncidentOpened => "Incident reported",
        EventType::IncidentUpdated => "Incident updated",
        EventType::IncidentResolved => "Incident resolved",
        EventType::IncidentReopened => "Incident reopened",
        EventType::IncidentDeleted => "Incident deleted",
        EventType::IncidentRestored => "Incident brought back",
    }
}

/// The words before and after the subject's name. What people wrote is not among them: names may run the other way, and are set apart by the page.
fn told(kind: EventType, data: &Fields<'_>) -> (&'static str, String) {
    let plain = |did| (did, String::new());
    match kind {
        EventType::OrganizationCreated => plain("founded the organization"),
        EventType::OrganizationUpdated if data.are(&["name"]) => plain("renamed the organization to"),
        EventType::OrganizationUpdated if data.are(&["slug"]) => ("moved the organization", " to another address".to_owned()),
        EventType::OrganizationUpdated => plain("changed the organization"),
        EventType::OrganizationSuspended => plain("suspended the organization"),
        EventType::OrganizationResumed => plain("lifted the suspension of the organization"),
        EventType::OrganizationDeleted => plain("deleted the organization"),
        EventType::PageUpdated => page_updated(data),
        EventType::MemberInvited if data.has("again") => plain("made a new invitation link for"),
        EventType::MemberInvited => ("invited", as_role(data)),
        EventType::MemberJoined => ("added", as_role(data)),
        EventType::MemberRoleChanged => {
            ("changed the role of", format!(" from {} to {}", said(data.before("role")), said(data.after("role"))))
        }
        EventType::MemberRemoved => ("removed", " from the organization".to_owned()),
        EventType::InvitationRevoked => plain("revoked the invitation of"),
        EventType::InvitationExpired => plain("removed the expired invitation of"),
        EventType::ServiceCreated if data.after("visibility") == "private" => plain("created the private service"),
        EventType::ServiceCreated => plain("created the service"),
        EventType::ServiceUpdated => service_updated(data),
        EventType::ServiceStatusChanged if data.has("status") => {
            ("changed the status of", format!(" from {} to {}", said(data.before("status")), said(data.after("status"))))
        }
        EventType::ServiceStatusChanged => {
            ("set the status of", format!(" by hand to {}; what is shown stays", said(data.after("own_status"))))
        }
        EventType::ServiceDeleted => plain("deleted the service"),
        EventType::ServiceRestored => plain("brought back the service"),
        EventType::GroupCreated => plain("created the group"),
        EventType::GroupUpdated if data.are(&["name"]) => plain("renamed a group to"),
        EventType::GroupUpdated if data.are(&["position"]) => plain("moved the group"),
        EventType::GroupUpdated => plain("changed the group"),
        EventType::GroupDeleted => plain("deleted the group"),
        EventType::GroupRestored => plain("brought back the group"),
        EventType::IncidentOpened => match data.after("impact") {
            "" | "none" => plain("reported the incident"),
            impact => ("reported the incident", format!(" with {} impact", said(impact).to_lowercase())),
        },
        EventType::IncidentUpdated => incident_updated(data),
        EventType::IncidentResolved => plain("resolved the incident"),
        EventType::IncidentReopened => plain("reopened the incident"),
        EventType::IncidentDeleted => plain("deleted the incident"),
        EventType::IncidentRestored => plain("brought back the incident"),
    }
}

fn service_updated(data: &Fields<'_>) -> (&'static str, String) {
    let (did, rest) = if data.are(&["name"]) {
        ("renamed a service to", "")
    } else if data.are(&["position"]) {
        ("moved the service", "")
    } else if data.are(&["description"]) {
        ("rewrote the description of the service", "")
    } else if data.are(&["visibility"]) && data.after("visibility") == "private" {
        ("hid the service", " from visitors")
    } else if data.are(&["visibility"]) {
        ("showed the service", " to visitors")
    } else if data.are(&["group_id"]) && data.after("group_id").is_empty() {
        ("took the service", " out of its group")
    } else if data.are(&["group_id"]) {
        ("put the service", " into another group")
    } else {
        ("changed the service", "")
    };
    (did, rest.to_owned())
}

fn page_updated(data: &Fields<'_>) -> (&'static str, String) {
    let is_shown = data.after.get("logo").and_then(Value::as_bool);
    let (did, rest) = if data.are(&["name"]) {
        ("renamed the public page to", "")
    } else if data.are(&["slug"]) {
        ("moved the public page", " to another address")
    } else if data.are(&["description"]) {
        ("rewrote the description of the public page", "")
    } else if data.are(&["time_zone"]) {
        ("changed the time zone of the public page", "")
    } else if data.are(&["logo"]) && is_shown == Some(true) {
        ("put a logo on the public page", "")
    } else if data.are(&["logo"]) {
        ("took the logo off the public page", "")
    } else {
        ("changed the public page", "")
    };
    (did, rest.to_owned())
}

fn incident_updated(data: &Fields<'_>) -> (&'static str, String) {
    let plain = |did| (did, String::new());
    let is_said = data.after.get("message").is_some();
    let stage = said(data.after("status"));
    if is_said && data.before.get("message").is_some() {
        plain("corrected a text of the incident")
    } else if is_said && data.after("message").is_empty() && data.has("status") {
        ("moved the incident", format!(" to {stage}"))
    } else if is_said && data.has("status") {
        ("posted an update to the incident", format!(", now {}", stage.to_lowercase()))
    } else if is_said {
        plain("posted an update to the incident")
    } else if data.are(&["title"]) {
        plain("renamed an incident to")
    } else if data.are(&["impact"]) {
        ("changed the impact of the incident", format!(" from {} to {}", said(data.before("impact")), said(data.after("impact"))))
    } else if data.has("affected") {
        plain("changed what is affected by the incident")
    } else {
        plain("changed the incident")
    }
}

/// The fields of an event.
struct Fields<'a> {
    before: Side<'a>,
    after: Side<'a>,
}

/// The fields as they were, or as they are.
#[derive(Clone, Copy)]
struct Side<'a>(Option<&'a Map<String, Value>>);

impl<'a> Side<'a> {
    fn get(self, field: &str) -> Option<&'a Value> {
        self.0.and_then(|fields| fields.get(field))
    }

    fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.into_iter().flat_map(|fields| fields.keys().map(String::as_str))
    }
}

impl<'a> Fields<'a> {
    fn of(event: &'a Value) -> Self {
        let side = |pointer| Side(event.pointer(pointer).and_then(Value::as_object));
        Self { before: side("/data/before"), after: side("/data/after") }
    }

    fn names(&self) -> BTreeSet<&'a str> {
        self.before.names().chain(self.after.names()).collect()
    }

    /// Whether these and no others changed.
    fn are(&self, fields: &[&str]) -> bool {
        self.names() == fields.iter().copied().collect::<BTreeSet<&str>>()
    }

    fn has(&self, field: &str) -> bool {
        self.before.get(field).is_some() || self.after.get(field).is_some()
    }

    fn before(&self, field: &str) -> &'a str {
        self.before.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn after(&self, field: &str) -> &'a str {
        self.after.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What changed, field by field; `names` has what ids in it are called.
pub(crate) fn changes(event: &Value, names: &HashMap<String, String>) -> Vec<Changed> {
    let fields = Fields::of(event);
    let shown = fields.names().into_iter().filter(|field| *field != "update_id");
    let value = |side: Side<'_>, field: &str| match side.get(field) {
        Some(value) => shorten(&in_words(field, value, names), VALUE_MAX),
        None => String::new(),
    };
    shown
        .map(|field| Changed { field: field_label(field), before: value(fields.before, field), after: value(fields.after, field) })
        .collect()
}

/// The ids in an event's fields that people know by a name.
pub(super) fn ids(event: &Value) -> Vec<&str> {
    let fields = Fields::of(event);
    let mut found = Vec::new();
    for side in [fields.before, fields.after] {
        found.extend(side.get("group_id").and_then(Value::as_str));
        let services = side.get("services").and_then(Value::as_array).into_iter().flatten();
        found.extend(services.filter_map(Value::as_str).take(LISTED_MAX));
    }
    found
}

fn field_label(field: &str) -> String {
    let known = match field {
        "name" => "Name",
        "description" => "Description",
        "visibility" => "Visibility",
        "group_id" => "Group",
        "position" => "Position",
        "status" => "Status",
        "own_status" => "Status set by hand",
        "title" => "Title",
        "impact" => "Impact",
        "message" => "Text",
        "affected" => "Affected services",
        "services" => "Services",
        "resolved_at" => "Resolved at",
        "slug" => "Address",
        "admin" => "First admin",
        "email" => "Email address",
        "role" => "Role",
        "expires_at" => "Link works until",
        "again" => "Sent again",
        "by" => "By way of",
        "invited_by" => "Invited by",
        "left" => "Left by themselves",
        "logo" => "Logo",
        "time_zone" => "Time zone",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}

fn in_words(field: &str, value: &Value, names: &HashMap<String, String>) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => match field {
            "status" | "own_status" | "impact" | "role" => said(text).to_owned(),
            "visibility" if text == "public" => "Everyone who sees the page".to_owned(),
            "visibility" if text == "private" => "Members alone".to_owned(),
            "group_id" | "services" => names.get(text).unwrap_or(text).clone(),
            "resolved_at" | "expires_at" => text.parse::<Timestamp>().map_or_else(|_| text.clone(), |at| When::from(at).text),
            _ => text.clone(),
        },
        Value::Array(things) if things.is_empty() => "none".to_owned(),
        Value::Array(things) => {
            let mut listed: Vec<String> = things.iter().take(LISTED_MAX).map(|thing| in_words(field, thing, names)).collect();
            if things.len() > LISTED_MAX {
                listed.push(format!("and {} more", things.len() - LISTED_MAX));
            }
            listed.join(", ")
        }
        Value::Object(thing) => {
            let part = |name: &str| thing.get(name).and_then(Value::as_str);
            match (part("name"), part("status")) {
                (Some(name), Some(status)) => format!("{name}: {}", said(status)),
                (Some(name), None) => name.to_owned(),
                (None, _) => value.to_string(),
            }
        }
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(_) => value.to_string(),
    }
}

/// A word of the API as people read it.
fn said(word: &str) -> &str {
    let service = ServiceStatus::parse(word).map(ServiceStatus::label);
    let incident = || IncidentStatus::parse(word).map(IncidentStatus::label);
    let impact = || Impact::parse(word).map(Impact::label);
    let role = || Role::ALL.into_iter().find(|role| role.as_str() == word).map(Role::label);
    service.or_else(incident).or_else(impact).or_else(role).unwrap_or(word)
}

/// So many characters of a text at most.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, before: Value, after: Value) -> Value {
        json!({
            "type": kind, "at": "2026-03-01T12:00:00.000Z", "data": { "before": before, "after": after },
            "actor": { "kind": "user", "id": "usr_1", "name": "Ada" }, "subject": { "kind": "service", "id": "svc_1", "name": "API" },
        })
    }

    /// The sentence as it is read.
    fn read(event: &Value) -> String {
        let Sentence { who, did, subject, rest, .. } = sentence(event);
        format!("{who} {did} {subject}{rest}")
    }

    #[test]
    fn what_happened_is_a_plain_sentence() {
        for (kind, before, after, expected) in [
            ("service.created", json!({}), json!({ "visibility": "public" }), "Ada created the service API"),
            ("service.created", json!({}), json!({ "visibility": "private" }), "Ada created the private service API"),
            ("service.updated", json!({ "name": "A" }), json!({ "name": "API" }), "Ada renamed a service to API"),
            ("service.updated", json!({ "position": 1 }), json!({ "position": 2 }), "Ada moved the service API"),
            ("service.updated", json!({ "group_id": "grp_1" }), json!({ "group_id": null }), "Ada took the service API out of its group"),
            (
                "service.updated",
                json!({ "visibility": "public" }),
                json!({ "visibility": "private" }),
                "Ada hid the service API from visitors",
            ),
            (
                "service.updated",
                json!({ "name": "A", "position": 1 }),
                json!({ "name": "API", "position": 2 }),
                "Ada changed the service API",
            ),
            (
                "service.status_changed",
                json!({ "own_status": "operational", "status": "operational" }),
                json!({ "own_status": "major_outage", "status": "major_outage" }),
                "Ada changed the status of API from Operational to Major outage",
            ),
            (
                "service.status_changed",
                json!({ "own_status": "operational" }),
                json!({ "own_status": "partial_outage" }),
                "Ada set the status of API by hand to Partial outage; what is shown stays",
            ),
            ("incident.opened", json!({}), json!({ "impact": "critical" }), "Ada reported the incident API with critical impact"),
            ("incident.opened", json!({}), json!({ "impact": "none" }), "Ada reported the incident API"),
            (
                "incident.updated",
                json!({ "status": "investigating" }),
                json!({ "status": "identified", "message": "Found it.", "update_id": "upd_1" }),
                "Ada posted an update to the incident API, now identified",
            ),
            (
                "incident.updated",
                json!({}),
                json!({ "message": "Still.", "update_id": "upd_1" }),
                "Ada posted an update to the incident API",
            ),
            (
                "incident.updated",
                json!({ "status": "identified" }),
                json!({ "status": "monitoring", "message": "", "update_id": "upd_1" }),
                "Ada moved the incident API to Monitoring",
            ),
            (
                "incident.updated",
                json!({ "message": "Teh" }),
                json!({ "message": "The", "update_id": "upd_1" }),
                "Ada corrected a text of the incident API",
            ),
            ("incident.updated", json!({ "title": "A" }), json!({ "title": "API" }), "Ada renamed an incident to API"),
            (
                "incident.updated",
                json!({ "impact": "minor" }),
                json!({ "impact": "major" }),
                "Ada changed the impact of the incident API from Minor to Major",
            ),
            (
                "incident.updated",
                json!({ "affected": [] }),
                json!({ "affected": [{}] }),
                "Ada changed what is affected by the incident API",
            ),
            ("monitor.failed", json!({}), json!({}), "Ada · monitor.failed · API"),
            ("organization.updated", json!({ "slug": "a" }), json!({ "slug": "b" }), "Ada moved the organization API to another address"),
            ("organization.suspended", json!({}), json!({}), "Ada suspended the organization API"),
            ("page.updated", json!({ "name": "A" }), json!({ "name": "API" }), "Ada renamed the public page to API"),
            ("page.updated", json!({ "logo": false }), json!({ "logo": true }), "Ada put a logo on the public page API"),
            ("page.updated", json!({ "logo": true }), json!({ "logo": false }), "Ada took the logo off the public page API"),
            (
                "page.updated",
                json!({ "logo": true, "name": "A" }),
                json!({ "logo": false, "name": "API" }),
                "Ada changed the public page API",
            ),
            ("member.invited", json!({}), json!({ "email": "API", "role": "responder" }), "Ada invited API as Responder"),
            ("member.invited", json!({}), json!({ "role": "viewer", "again": true }), "Ada made a new invitation link for API"),
            (
                "member.role_changed",
                json!({ "role": "viewer" }),
                json!({ "role": "admin" }),
                "Ada changed the role of API from Viewer to Admin",
            ),
            ("member.removed", json!({ "role": "viewer" }), json!({}), "Ada removed API from the organization"),
            ("invitation.revoked", json!({ "role": "viewer" }), json!({}), "Ada revoked the invitation of API"),
            ("invitation.expired", json!({ "role": "viewer" }), json!({}), "Ada removed the expired invitation of API"),
        ] {
            assert_eq!(read(&event(kind, before, after)), expected);
        }
    }

    #[test]
    fn every_kind_has_words_whatever_its_fields() {
        for kind in EventType::ALL {
            let said = sentence(&event(kind.as_str(), json!({}), json!({})));
            assert!(!said.did.contains(kind.as_str()) && !said.did.is_empty(), "{said:?}");
            assert!(!label(*kind).is_empty());
        }
        let nothing = sentence(&json!({}));
        assert_eq!((nothing.who.as_str(), nothing.subject.as_str()), ("", ""));
    }

    #[test]
    fn who_comes_or_goes_by_themselves_is_named_once() {
        let own = |kind, before, after| {
            let mut event = event(kind, before, after);
            event["subject"] = json!({ "kind": "member", "id": "usr_1", "name": "Ada" });
            let said = sentence(&event);
            (said.subject, format!("{} {}{}", said.who, said.did, said.rest))
        };
        for (kind, before, after, expected) in [
            ("member.joined", json!({}), json!({ "role": "responder" }), "Ada joined the organization as Responder"),
            ("member.removed", json!({ "role": "viewer" }), json!({ "left": true }), "Ada left the organization"),
        ] {
            assert_eq!(own(kind, before, after), (String::new(), expected.to_owned()));
        }
        let (before, after) = (json!({ "role": "admin" }), json!({ "role": "viewer" }));
        assert_eq!(own("member.role_changed", before, after).0, "Ada");
    }

    #[test]
    fn people_are_told_of_in_words() {
        let event = event(
            "member.joined",
            json!({}),
            json!({
                "role": "editor", "left": true, "expires_at": "2026-03-02T12:00:00.000Z", "by": "invitation",
                "invited_by": { "id": "usr_2", "name": "Bob" },
            }),
        );
        let told: Vec<_> = changes(&event, &HashMap::new()).into_iter().map(|c| format!("{}: {}", c.field, c.after)).collect();
        assert_eq!(
            told,
            [
                "By way of: invitation",
                "Link works until: 2 Mar 2026, 12:00 UTC",
                "Invited by: Bob",
                "Left by themselves: yes",
                "Role: Editor",
            ]
        );
    }

    #[test]
    fn what_nobody_did_was_done_by_the_system() {
        let mut event = event("service.deleted", json!({}), json!({}));
        event["actor"] = json!({ "kind": "system", "id": null, "name": "demo" });
        assert_eq!(read(&event), "Allclear (demo) deleted the service API");
    }

    #[test]
    fn changes_are_told_in_words_and_by_names() {
        let event = event(
            "incident.updated",
            json!({ "status": "investigating", "group_id": "grp_1", "position": 1 }),
            json!({
                "status": "identified", "group_id": null, "position": 2, "update_id": "upd_1",
                "affected": [{ "service_id": "svc_1", "name": "API", "status": "major_outage" }, { "service_id": "svc_2", "name": "Web", "status": null }],
                "services": ["svc_1", "svc_9"],
            }),
        );
        assert_eq!(ids(&event), ["grp_1", "svc_1", "svc_9"]);
        let names = HashMap::from([("grp_1".to_owned(), "Europe".to_owned()), ("svc_1".to_owned(), "API".to_owned())]);
        let told: Vec<_> = changes(&event, &names).into_iter().map(|c| format!("{}: {} > {}", c.field, c.before, c.after)).collect();
        assert_eq!(
            told,
            [
                "Affected services:  > API: Major outage, Web",
                "Group: Europe > none",
                "Position: 1 > 2",
                "Services:  > API, svc_9",
                "Status: Investigating > Identified",
            ]
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöü äöü", 4), "äöü…");
        let long = event("service.updated", json!({}), json!({ "services": vec!["svc_1"; 25], "description": "ä".repeat(5_000) }));
        let told = changes(&long, &HashMap::new());
        assert_eq!(told[0].after.chars().count(), VALUE_MAX + 1);
        assert!(told[1].after.ends_with("svc_1, and 5 more"), "{}", told[1].after);
        assert_eq!(ids(&long).len(), LISTED_MAX);
    }
}
