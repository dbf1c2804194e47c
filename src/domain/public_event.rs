//! The projection of a change that visitors may see.
//!
//! Not the event with things taken out, but the difference between what visitors saw before and what they see after: what they can't see can't
//! be in it, and a change that they don't notice is not in the page's log at all, so that not even its numbers tell.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::page::Page;
use super::public::{Public, PublicIncident, PublicPage, PublicService};
use super::service::Service;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::event::{Event, EventType, Target};
use crate::id::Id;
use crate::store::OrgView;

/// What a page's log holds and a page room carries: no actor, nothing private.
///
/// Only [`project`] makes one, and a page's log takes nothing else: see [`LogEntry::public`](crate::store::LogEntry::public).
#[derive(Debug, Clone, PartialEq)]
pub struct PublicEvent {
    kind: EventType,
    at: Timestamp,
    subject: Value,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl PublicEvent {
    /// As visitors get it.
    pub fn to_json(&self) -> Value {
        json!({ "type": self.kind.as_str(), "at": self.at, "subject": self.subject, "data": { "before": self.before, "after": self.after } })
    }
}

/// When an entry of a page's log was written.
///
/// # Errors
/// `Internal` for what is no such entry.
pub(super) fn time_of(entry: &[u8]) -> Result<Timestamp> {
    #[derive(Deserialize)]
    struct Entry {
        at: Timestamp,
    }
    serde_json::from_slice(entry).map(|entry: Entry| entry.at).map_err(Error::internal)
}

/// What visitors see of one thing.
struct Facts {
    name: String,
    fields: Map<String, Value>,
}

/// What visitors may hear of these events, the organization having looked `before` and looking `after`.
///
/// # Errors
/// What the store says.
pub fn project(before: &OrgView<'_, Public>, after: &OrgView<'_, Public>, events: &[Event], at: Timestamp) -> Result<Vec<PublicEvent>> {
    let mut public = Vec::new();
    let mut done: Vec<Target> = Vec::new();
    for event in events {
        if done.contains(&event.target) {
            continue;
        }
        done.push(event.target);
        let same: Vec<&Event> = events.iter().filter(|other| other.target == event.target).collect();
        let kinds: Vec<_> = same.iter().map(|event| (event.kind, keys(event))).collect();
        let told = difference(before, after, event.target, &kinds, at)?;
        match event.target {
            Target::Service(service) => {
                public.extend(told);
                public.extend(knock_on(before, after, service, at)?);
            }
            // An incident that visitors don't see, since all that was said of it was private, may still change a service that they see.
            Target::Incident(_) if told.is_empty() => {
                let services: Vec<_> = same.iter().flat_map(|event| event.services.iter().copied()).collect();
                public.extend(of_services(before, after, &services, EventType::ServiceStatusChanged, at)?);
            }
            // That its services are in no group when a group goes is plain; which of them come back with it must be told.
            Target::Group(_) if event.kind == EventType::GroupRestored => {
                public.extend(told);
                public.extend(of_services(before, after, &event.services, EventType::ServiceUpdated, at)?);
            }
            _ => public.extend(told),
        }
    }
    Ok(public)
}

/// The pages whose logs get it: all of the organization's.
///
/// # Errors
/// What the store says.
pub fn pages(view: &OrgView<'_, Public>) -> Result<Vec<Page>> {
    view.pages()
}

fn keys(event: &Event) -> Vec<String> {
    event.before.keys().chain(event.after.keys()).cloned().collect()
}

/// What visitors notice of these services, each told once.
fn of_services(
    before: &OrgView<'_, Public>,
    after: &OrgView<'_, Public>,
    services: &[Id<Service>],
    kind: EventType,
    at: Timestamp,
) -> Result<Vec<PublicEvent>> {
    let (mut public, mut done) = (Vec::new(), HashSet::new());
    for service in services.iter().filter(|service| done.insert(**service)) {
        public.extend(difference(before, after, Target::Service(*service), &[(kind, Vec::new())], at)?);
    }
    Ok(public)
}

/// What a service takes with it that nobody asked to change: the group that it is the first or the last public one of, and, where it appears or
/// disappears, the incidents that touch nothing else that is public.
fn knock_on(before: &OrgView<'_, Public>, after: &OrgView<'_, Public>, service: Id<Service>, at: Timestamp) -> Result<Vec<PublicEvent>> {
    let mut public = Vec::new();
    let (old, new) = (before.service(service)?, after.service(service)?);
    let group = |service: &Option<PublicService>| service.as_ref().and_then(|service| service.group_id);
    if group(&old) != group(&new) {
        for group in [group(&new), group(&old)].into_iter().flatten() {
            public.extend(difference(before, after, Target::Group(group), &[(EventType::GroupUpdated, Vec::new())], at)?);
        }
    }
    if before.may_name(service)? != after.may_name(service)? {
        for incident in after.touching(service)? {
            public.extend(difference(before, after, Target::Incident(incident), &[(EventType::IncidentUpdated, Vec::new())], at)?);
        }
    }
    Ok(public)
}

/// What visitors notice of one thing. `kinds` are the organization's events about it, each with the fields it speaks of; the last one also takes the rest.
fn difference(
    before: &OrgView<'_, Public>,
    after: &OrgView<'_, Public>,
    target: Target,
    kinds: &[(EventType, Vec<String>)],
    at: Timestamp,
) -> Result<Vec<PublicEvent>> {
    let (old, new) = (facts(before, target)?, facts(after, target)?);
    let make = |kind, name: &str, before, after| PublicEvent { kind, at, subject: target.subject(Some(name)), before, after };
    let effects = |map_before: &mut Map<String, Value>, map_after: &mut Map<String, Value>| -> Result<()> {
        if let Target::Incident(_) = target {
            let (was, is) = effects(before, after, old.as_ref(), new.as_ref())?;
            if was != is {
                map_before.insert("services".into(), was.into());
                map_after.insert("services".into(), is.into());
            }
        }
        Ok(())
    };
    match (&old, &new) {
        (None, None) => Ok(Vec::new()),
        (None, Some(new)) => {
            let (mut was, mut is) = (Map::new(), new.fields.clone());
            effects(&mut was, &mut is)?;
            Ok(appeared(target).map(|kind| make(kind, &new.name, was, is)).into_iter().collect())
        }
        (Some(old), None) => {
            let (mut was, mut is) = (Map::new(), Map::new());
            effects(&mut was, &mut is)?;
            Ok(disappeared(target).map(|kind| make(kind, &old.name, was, is)).into_iter().collect())
        }
        (Some(old), Some(new)) => {
            let (mut was, mut is) = changed(&old.fields, &new.fields);
            let mut public = Vec::new();
            for (number, (kind, fields)) in kinds.iter().enumerate() {
                let last = number + 1 == kinds.len();
                let speaks_of = |field: &str| last || fields.iter().any(|known| known == field);
                let (mut own_was, rest) = part(was, speaks_of);
                was = rest;
                let (mut own_is, rest) = part(is, speaks_of);
                is = rest;
                if last {
                    effects(&mut own_was, &mut own_is)?;
                }
                if !own_was.is_empty() || !own_is.is_empty() {
                    public.push(make(*kind, &new.name, own_was, own_is));
                }
            }
            Ok(public)
        }
    }
}

/// `None` for what never comes into visitors' sight: people are not seen, and a page comes with its organization.
fn appeared(target: Target) -> Option<EventType> {
    match target {
        Target::Organization(_) => Some(EventType::OrganizationCreated),
        Target::Service(_) => Some(EventType::ServiceCreated),
        Target::Group(_) => Some(EventType::GroupCreated),
        Target::Incident(_) => Some(EventType::IncidentOpened),
        Target::Page(_) | Target::Member(_) | Target::Invitation(_) => None,
    }
}

/// One word for "deleted" and "made private": visitors must not be able to tell. `None` for what does not go while anyone can look.
fn disappeared(target: Target) -> Option<EventType> {
    match target {
        Target::Service(_) => Some(EventType::ServiceDeleted),
        Target::Group(_) => Some(EventType::GroupDeleted),
        Target::Incident(_) => Some(EventType::IncidentDeleted),
        Target::Organization(_) | Target::Page(_) | Target::Member(_) | Target::Invitation(_) => None,
    }
}

fn facts(view: &OrgView<'_, Public>, target: Target) -> Result<Option<Facts>> {
    Ok(match target {
        Target::Organization(_) => view.organization_name()?.map(|name| Facts { fields: fields(&json!({ "name": name }), &[]), name }),
        Target::Page(id) => view.described(id)?.map(|page| Facts { fields: said(&page), name: page.name }),
        Target::Member(_) | Target::Invitation(_) => None,
        Target::Service(id) => match view.service(id)? {
            None => None,
            Some(service) => {
                let mut fields = fields(&service, &["id", "group_id"]);
                let group = service.group_id.map(|id| view.group(id)).transpose()?.flatten();
                fields.insert("group_id".into(), json!(service.group_id));
                fields.insert("group".into(), json!(group.map(|group| group.name)));
                Some(Facts { name: service.name, fields })
            }
        },
        Target::Group(id) => view.group(id)?.map(|group| Facts { fields: fields(&group, &["id"]), name: group.name }),
        Target::Incident(id) => view.incident(id)?.map(|incident| Facts { fields: fields(&incident, &["id"]), name: incident.title }),
    })
}

/// What is told of a page: not its address, by one of which whoever listens has come, and not its logo, which is a picture.
fn said(page: &PublicPage) -> Map<String, Value> {
    let facts = json!({ "name": page.name, "description": page.description, "time_zone": page.zone_name() });
    fields(&facts, &[])
}

fn fields(value: &impl Serialize, without: &[&str]) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(mut map)) => {
            map.retain(|field, _| !without.contains(&field.as_str()));
            map
        }
        _ => Map::new(),
    }
}

/// The changed fields only. Of updates, the new and the corrected ones as they are now: an earlier text is for members alone.
fn changed(old: &Map<String, Value>, new: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    for (field, new) in new {
        let old = old.get(field).cloned().unwrap_or(Value::Null);
        if old == *new {
            continue;
        }
        if let ("updates", Some(old), Some(new)) = (field.as_str(), old.as_array(), new.as_array()) {
            let known: HashMap<&str, &Value> = old.iter().filter_map(|update| Some((update["id"].as_str()?, update))).collect();
            let is_news = |update: &&Value| update["id"].as_str().and_then(|id| known.get(id)) != Some(update);
            is.insert(field.clone(), new.iter().filter(is_news).cloned().collect());
        } else {
            was.insert(field.clone(), old);
            is.insert(field.clone(), new.clone());
        }
    }
    (was, is)
}

fn part(map: Map<String, Value>, takes: impl Fn(&str) -> bool) -> (Map<String, Value>, Map<String, Value>) {
    map.into_iter().partition(|(field, _)| takes(field))
}

/// The services whose status visitors now see differently, as far as they see that the incident touches them.
fn effects(
    before: &OrgView<'_, Public>,
    after: &OrgView<'_, Public>,
    old: Option<&Facts>,
    new: Option<&Facts>,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut touched: HashSet<Id<Service>> = HashSet::new();
    let mut order = Vec::new();
    for affected in [old, new].into_iter().flatten().filter_map(|facts| facts.fields.get("affected")?.as_array()).flatten() {
        if let Some(id) = affected["service_id"].as_str().and_then(|id| id.parse().ok())
            && touched.insert(id)
        {
            order.push(id);
        }
    }
    let (mut was, mut is) = (Vec::new(), Vec::new());
    for id in order {
        if let (Some(old), Some(new)) = (before.service(id)?, after.service(id)?)
            && old.status != new.status
        {
            was.push(json!({ "id": id, "name": old.name, "status": old.status }));
            is.push(json!({ "id": id, "name": new.name, "status": new.status }));
        }
    }
    Ok((was, is))
}

/// An entry of a page's log as it may be shown now; `None` if what it speaks of may not.
///
/// That a thing disappeared is told also afterwards, since a client that was away still shows it; but its name only if visitors may read it now.
///
/// # Errors
/// What the store says.
pub fn revisit(view: &OrgView<'_, Public>, mut event: Value) -> Result<Option<Value>> {
    let kind = event["type"].as_str().unwrap_or_default().to_owned();
    let gone = [EventType::ServiceDeleted, EventType::GroupDeleted, EventType::IncidentDeleted].iter().any(|word| word.as_str() == kind);
    let id = event["subject"]["id"].as_str().unwrap_or_default().to_owned();
    let (visible, nameable) = match event["subject"]["kind"].as_str() {
        Some("organization") => both(view.organization_name()?.is_some()),
        Some("page") => {
            let page = id.parse().ok().map(|id| view.described(id)).transpose()?.flatten();
            if let Some(page) = &page {
                as_it_is_now(&mut event, page);
            }
            both(page.is_some())
        }
        Some("service") => match id.parse() {
            Ok(id) => (view.service(id)?.is_some(), view.may_name(id)?),
            Err(_) => (false, false),
        },
        Some("group") => both(id.parse().ok().map(|id| view.group(id)).transpose()?.flatten().is_some()),
        Some("incident") => {
            let incident = id.parse().ok().map(|id| view.incident(id)).transpose()?.flatten();
            if let Some(incident) = &incident {
                as_it_reads_now(&mut event, incident);
            }
            both(incident.is_some())
        }
        _ => (false, false),
    };
    if !visible && !gone {
        return Ok(None);
    }
    if !nameable {
        event["subject"]["name"] = Value::Null;
    }
    for side in ["before", "after"] {
        // The name of a group that a service was in, if visitors see that group no more.
        if event["data"][side].get("group").is_some() {
            let group = event["data"][side]["group_id"].as_str().and_then(|id| id.parse().ok());
            if group.map(|id| view.group(id)).transpose()?.flatten().is_none() {
                event["data"][side]["group"] = Value::Null;
            }
        }
        for (list, key) in [("affected", "service_id"), ("services", "id")] {
            let Some(entries) = event["data"][side].get_mut(list).and_then(Value::as_array_mut) else { continue };
            let mut kept = Vec::new();
            for entry in entries.drain(..) {
                let seen = entry[key].as_str().and_then(|id| id.parse().ok()).map(|id| view.may_name(id)).transpose()?;
                if seen == Some(true) {
                    kept.push(entry);
                }
            }
            *entries = kept;
        }
    }
    Ok(Some(event))
}

/// Puts the present title and texts into an event about an incident: what was corrected is not told again as it was.
fn as_it_reads_now(event: &mut Value, incident: &PublicIncident) {
    event["subject"]["name"] = json!(incident.title);
    for side in ["before", "after"] {
        let Some(fields) = event["data"][side].as_object_mut() else { continue };
        if let Some(title) = fields.get_mut("title") {
            *title = json!(incident.title);
        }
        if let Some(updates) = fields.get_mut("updates").and_then(Value::as_array_mut) {
            updates.retain_mut(|told| match incident.updates.iter().find(|update| json!(update.id) == told["id"]) {
                Some(update) => {
                    told["message"] = json!(update.message);
                    true
                }
                None => false,
            });
        }
    }
}

/// Puts what a page says now into an event about it: an earlier name or text is as little told again as an earlier title.
fn as_it_is_now(event: &mut Value, page: &PublicPage) {
    event["subject"]["name"] = json!(page.name);
    event["data"]["before"] = json!({});
    let now = said(page);
    if let Some(fields) = event["data"]["after"].as_object_mut() {
        for (field, value) in fields.iter_mut() {
            *value = now.get(field).cloned().unwrap_or_default();
        }
    }
}

fn both(seen: bool) -> (bool, bool) {
    (seen, seen)
}
