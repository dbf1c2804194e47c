//! What may be done with an incident.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::standing::{Effects, Shown, link_again, unlink};
use super::{Affected, Incident, Update, live};
use crate::access::Respond;
use crate::domain::organization::fresh;
use crate::domain::service::Service;
use crate::domain::status::{Impact, IncidentStatus};
use crate::domain::text;
use crate::error::{Check, Error, FieldError, Result};
use crate::event::{Change, Event, EventType};
use crate::id::Id;
use crate::store::{OrgTx, Reads};

/// The most services one incident may touch.
const AFFECTED_MAX: usize = 500;
/// The most updates one incident may have, and the most bytes of text in them: it is one document, read and written whole.
pub(super) const UPDATES_MAX: usize = 1_000;
pub(super) const TEXT_MAX: usize = 256 * 1_024;
/// The most unresolved incidents an organization may have: a page shows all of them.
pub(super) const OPEN_MAX: usize = 500;

/// A new incident.
#[derive(Debug, Clone, Default)]
pub struct OpenIncident {
    /// 5 to 200 characters.
    pub title: String,
    /// Markdown: the first update.
    pub message: String,
    /// `Investigating` unless said otherwise.
    pub status: Option<IncidentStatus>,
    /// Derived unless said otherwise.
    pub impact: Option<Impact>,
    /// What it touches.
    pub affected: Vec<Affected>,
}

/// What may change of an incident; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct IncidentPatch {
    /// 5 to 200 characters.
    pub title: Option<String>,
    /// `Some(None)` derives it again.
    pub impact: Option<Option<Impact>>,
    /// A status that differs, or a message, appends an update.
    pub status: Option<IncidentStatus>,
    /// Markdown.
    pub message: Option<String>,
    /// In place of what it touched so far.
    pub affected: Option<Vec<Affected>>,
}

/// Another thing to say.
#[derive(Debug, Clone, Default)]
pub struct NewUpdate {
    /// The present one unless said otherwise.
    pub status: Option<IncidentStatus>,
    /// Markdown.
    pub message: String,
    /// New statuses of services, laid over what the incident says so far.
    pub affected: Vec<Affected>,
}

/// A corrected text.
#[derive(Debug, Clone)]
pub struct Details {
    /// Markdown.
    pub message: String,
}

/// Opens an incident and says so to everyone who may know.
///
/// # Errors
/// `Invalid` names the field: a title or message of the wrong length, an unknown or doubled service, a status that an incident can't cause.
pub fn open(tx: &mut OrgTx<'_, Respond>, input: OpenIncident) -> Result<Change<Incident>> {
    let mut check = Check::new();
    let title = check.take(parse_title(&input.title))?;
    let message = check.take(parse_message(&input.message))?;
    let affected = check.take(parse_affected(tx, input.affected, &[]))?;
    check.done()?;
    room_for_another(tx)?;
    let status = input.status.unwrap_or(IncidentStatus::Investigating);
    let mut incident = Incident {
        id: tx.new_id(),
        version: 1,
        title: title.unwrap_or_default(),
        status,
        impact_override: input.impact,
        affected: affected.unwrap_or_default(),
        told: Vec::new(),
        updates: Vec::new(),
        started_at: tx.now(),
        resolved_at: status.is_resolved().then_some(tx.now()),
        created_at: tx.now(),
        updated_at: tx.now(),
        deleted_at: None,
    };
    let update = say(tx, &mut incident, status, message.unwrap_or_default())?;
    let effects = save(tx, None, &mut incident)?;
    let event = Event::incident(EventType::IncidentOpened, &incident, incident.services().collect())
        .with("title", &incident.title)
        .with("status", incident.status)
        .with("impact", incident.impact())
        .with("message", &update.message)
        .with("update_id", update.id)
        .with("affected", describe(tx, &incident.affected)?);
    Ok(Change::of(incident, effects.note(event)))
}

/// Changes an incident: its title and impact, and what is said of it; two events when both change.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` as [`open`]; `Conflict` when it is full, or opened again beside too many others.
pub fn update(tx: &mut OrgTx<'_, Respond>, id: Id<Incident>, patch: IncidentPatch, expected: Option<u64>) -> Result<Change<Incident>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    let mut check = Check::new();
    let title = check.take(patch.title.map(|title| parse_title(&title)).transpose())?.flatten();
    let message = check.take(patch.message.map(|message| parse_message(&message)).transpose())?.flatten();
    let affected = check.take(patch.affected.map(|affected| parse_affected(tx, affected, &before.affected)).transpose())?.flatten();
    check.done()?;

    let mut after = before.clone();
    after.title = title.unwrap_or(after.title);
    after.impact_override = patch.impact.unwrap_or(after.impact_override);
    let mut details = Event::incident(EventType::IncidentUpdated, &after, touched(&before, &after))
        .change("title", &before.title, &after.title)
        .change("impact", before.impact(), after.impact());
    after.affected = affected.unwrap_or(after.affected);

    let status = patch.status.unwrap_or(before.status);
    if message.is_some() || status != before.status {
        return finish(tx, &before, after, status, message.unwrap_or_default(), Some(details));
    }
    if after.affected != before.affected {
        details.services = touched(&before, &after);
        details = details.change("affected", describe(tx, &before.affected)?, describe(tx, &after.affected)?).change(
            "impact",
            before.impact(),
            after.impact(),
        );
    }
    if details.is_empty() {
        return Ok(Change::nothing(before));
    }
    bump(tx, &mut after);
    let effects = save(tx, Some(&before), &mut after)?;
    Ok(Change::of(after, effects.note(details)))
}

/// Says something more about an incident, with new statuses of services if the responder says so.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` as [`open`]; `Conflict` as [`update`].
pub fn post_update(tx: &mut OrgTx<'_, Respond>, id: Id<Incident>, input: NewUpdate, expected: Option<u64>) -> Result<Change<Incident>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    let mut check = Check::new();
    let message = check.take(parse_message(&input.message))?;
    let named = check.take(parse_affected(tx, input.affected, &before.affected))?;
    check.done()?;
    let mut after = before.clone();
    for new in named.unwrap_or_default() {
        match after.affected.iter_mut().find(|old| old.service_id == new.service_id) {
            Some(old) => old.status = new.status.or(old.status),
            None => after.affected.push(new),
        }
    }
    let status = input.status.unwrap_or(before.status);
    finish(tx, &before, after, status, message.unwrap_or_default(), None)
}

/// Corrects the text of an update. The earlier text stays in the timeline; nobody is notified.
///
/// # Errors
/// `NotFound`; `Stale`; `Invalid` for a text of the wrong length; `Conflict` when the incident has no room for a longer one.
pub fn correct(
    tx: &mut OrgTx<'_, Respond>,
    id: Id<Incident>,
    update: Id<Update>,
    text: Details,
    expected: Option<u64>,
) -> Result<Change<Incident>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    let message = parse_message(&text.message)?;
    let mut after = before.clone();
    let now = tx.now();
    let corrected = after.updates.iter_mut().find(|known| known.id == update).ok_or(Error::NotFound)?;
    let earlier = std::mem::replace(&mut corrected.message, message.clone());
    if earlier == message {
        return Ok(Change::nothing(before));
    }
    corrected.edited_at = Some(now);
    room_for_text(&after, "")?;
    bump(tx, &mut after);
    tx.put(&after)?;
    let event = Event::incident(EventType::IncidentUpdated, &after, after.services().collect())
        .change("message", &earlier, &message)
        .with("update_id", update);
    Ok(Change::of(after, event))
}

/// Deletes an incident; what happened stays in the timeline, and [`restore`] brings it back.
///
/// # Errors
/// `NotFound`; `Stale`.
pub fn delete(tx: &mut OrgTx<'_, Respond>, id: Id<Incident>, expected: Option<u64>) -> Result<Change<()>> {
    let before = live(tx, id)?;
    fresh(before.version, expected)?;
    let shown = Shown::of(tx, before.id, &before.affected)?;
    unlink(tx, &before);
    let tombstone = Incident { deleted_at: Some(tx.now()), version: before.version + 1, updated_at: tx.now(), ..before.clone() };
    tx.put(&tombstone)?;
    let effects = shown.since(tx, &tombstone)?;
    let event = Event::incident(EventType::IncidentDeleted, &before, before.services().collect())
        .without("title", &before.title)
        .without("status", before.status)
        .without("impact", before.impact())
        .without("affected", describe(tx, &before.affected)?);
    Ok(Change::of((), effects.note(event)))
}

/// Brings a deleted incident back as it was, also in what of it visitors may see: what was private stays private.
///
/// # Errors
/// `NotFound`; `Conflict` when it is not deleted, or is unresolved and there are too many of those.
pub fn restore(tx: &mut OrgTx<'_, Respond>, id: Id<Incident>) -> Result<Change<Incident>> {
    let tombstone = tx.get(id)?;
    if tombstone.deleted_at.is_none() {
        return Err(Error::Conflict("this incident is not deleted".into()));
    }
    if !tombstone.status.is_resolved() {
        room_for_another(tx)?;
    }
    let shown = Shown::of(tx, tombstone.id, &tombstone.affected)?;
    let mut incident = Incident { deleted_at: None, ..tombstone };
    bump(tx, &mut incident);
    // Not `save`: it notes the services that visitors see now, which is for who says something new.
    link_again(tx, None, &incident)?;
    tx.put(&incident)?;
    let effects = shown.since(tx, &incident)?;
    let event = Event::incident(EventType::IncidentRestored, &incident, incident.services().collect())
        .with("title", &incident.title)
        .with("status", incident.status)
        .with("impact", incident.impact())
        .with("affected", describe(tx, &incident.affected)?);
    Ok(Change::of(incident, effects.note(event)))
}

/// Appends the update and says what that means: opened again, resolved, or only more known.
fn finish(
    tx: &mut OrgTx<'_, Respond>,
    before: &Incident,
    mut after: Incident,
    status: IncidentStatus,
    message: String,
    details: Option<Event>,
) -> Result<Change<Incident>> {
    let kind = match (before.status.is_resolved(), status.is_resolved()) {
        (false, true) => EventType::IncidentResolved,
        (true, false) => EventType::IncidentReopened,
        _ => EventType::IncidentUpdated,
    };
    match kind {
        // Nothing but that it is over: however full an incident is, it can be resolved. Once, for opening it again takes room.
        EventType::IncidentResolved if message.is_empty() => {}
        EventType::IncidentReopened => {
            room_for_another(tx)?;
            room_for(&after, &message)?;
        }
        _ => room_for(&after, &message)?,
    }
    after.status = status;
    after.resolved_at = match kind {
        EventType::IncidentResolved => Some(tx.now()),
        EventType::IncidentReopened => None,
        _ => before.resolved_at,
    };
    let update = say(tx, &mut after, status, message)?;
    bump(tx, &mut after);
    let effects = save(tx, Some(before), &mut after)?;
    let details = details.filter(|details| !details.is_empty());
    let impact_told = details.as_ref().is_some_and(|details| details.after.contains_key("impact"));
    let mut event = Event::incident(kind, &after, touched(before, &after))
        .change("status", before.status, after.status)
        .change("affected", describe(tx, &before.affected)?, describe(tx, &after.affected)?)
        .change("resolved_at", before.resolved_at, after.resolved_at)
        .with("message", &update.message)
        .with("update_id", update.id);
    if !impact_told {
        event = event.change("impact", before.impact(), after.impact());
    }
    let events = details.into_iter().chain([effects.note(event)]).collect();
    Ok(Change::all(after, events))
}

/// Room for one more incident that is not over.
fn room_for_another(tx: &impl Reads) -> Result<()> {
    if tx.count(Incident::BY_STATE.of("open".into()).limit(OPEN_MAX))? == OPEN_MAX {
        return Err(Error::Conflict(format!("there are {OPEN_MAX} unresolved incidents; resolve some of them first")));
    }
    Ok(())
}

/// Room for one more update.
fn room_for(incident: &Incident, message: &str) -> Result<()> {
    if incident.updates.len() >= UPDATES_MAX { Err(full()) } else { room_for_text(incident, message) }
}

/// Room for so much more text.
fn room_for_text(incident: &Incident, more: &str) -> Result<()> {
    let text: usize = incident.updates.iter().map(|update| update.message.len()).sum();
    if text + more.len() > TEXT_MAX { Err(full()) } else { Ok(()) }
}

fn full() -> Error {
    Error::Conflict(format!(
        "an incident has at most {UPDATES_MAX} updates with {TEXT_MAX} bytes of text; resolve it without a message and open a new one"
    ))
}

fn say(tx: &OrgTx<'_, Respond>, incident: &mut Incident, status: IncidentStatus, message: String) -> Result<Update> {
    let seen = |id| Ok(tx.find(id)?.is_some_and(|service: Service| service.is_public()));
    let public = incident.affected.is_empty() || incident.services().map(seen).collect::<Result<Vec<bool>>>()?.contains(&true);
    let update = Update { id: tx.new_id(), status, message, created_at: tx.now(), author: tx.actor().clone(), public, edited_at: None };
    incident.updates.push(update.clone());
    Ok(update)
}

fn bump(tx: &OrgTx<'_, Respond>, incident: &mut Incident) {
    incident.version += 1;
    incident.updated_at = tx.now();
}

/// Writes the incident and its links; answers what that did to the services.
fn save(tx: &mut OrgTx<'_, Respond>, before: Option<&Incident>, after: &mut Incident) -> Result<Effects> {
    let both: Vec<Affected> = before.iter().flat_map(|before| before.affected.clone()).chain(after.affected.clone()).collect();
    let shown = Shown::of(tx, after.id, &both)?;
    link_again(tx, before, after)?;
    for service in shown.services() {
        if service.is_public() && after.touches(service.id) && !after.told.contains(&service.id) {
            after.told.push(service.id);
        }
    }
    tx.put(&*after)?;
    shown.since(tx, after)
}

fn touched(before: &Incident, after: &Incident) -> Vec<Id<Service>> {
    before.services().chain(after.services().filter(|service| !before.touches(*service))).collect()
}

fn describe(tx: &impl Reads, affected: &[Affected]) -> Result<Vec<Value>> {
    affected
        .iter()
        .map(|affected| {
            let name = tx.find(affected.service_id)?.map(|service: Service| service.name);
            Ok(json!({ "service_id": affected.service_id, "name": name, "status": affected.status }))
        })
        .collect()
}

fn parse_title(title: &str) -> Result<String> {
    text::line("title", title, 5, 200)
}

fn parse_message(message: &str) -> Result<String> {
    text::paragraphs("message", message, 1, text::MESSAGE_MAX)
}

/// Services must exist; one that the incident touched already may be deleted by now.
fn parse_affected(tx: &impl Reads, affected: Vec<Affected>, known: &[Affected]) -> Result<Vec<Affected>> {
    if affected.len() > AFFECTED_MAX {
        return Err(Error::invalid("affected", format!("must name at most {AFFECTED_MAX} services")));
    }
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    for (at, entry) in affected.iter().enumerate() {
        let exists = known.iter().any(|known| known.service_id == entry.service_id)
            || tx.find(entry.service_id)?.is_some_and(|service: Service| service.deleted_at.is_none());
        if !exists {
            wrong.push(FieldError {
                field: format!("affected[{at}].service_id"),
                message: "must be the id of a service of this organization".into(),
            });
        } else if !seen.insert(entry.service_id) {
            wrong.push(FieldError { field: format!("affected[{at}].service_id"), message: "must name each service once".into() });
        }
        if entry.status.is_some_and(|status| !status.from_incident()) {
            let allowed = "must be operational, degraded_performance, partial_outage or major_outage";
            wrong.push(FieldError { field: format!("affected[{at}].status"), message: allowed.into() });
        }
    }
    if wrong.is_empty() { Ok(affected) } else { Err(Error::Invalid(wrong)) }
}
