//! Saying more about an incident: another update, resolved, open again; and what its services are by now.

use poem::{Request, Response, handler};

use super::picker;
use super::showing::{Asked, page};
use super::typed::{Action, Typed, again};
use crate::access::Respond;
use crate::domain::incident::{self, Affected, Incident, IncidentPatch};
use crate::domain::organization::fresh;
use crate::domain::status::IncidentStatus;
use crate::error::{Check, Error, Result};
use crate::event::Change;
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::seen::expected;
use crate::pages::admin::told::Done;
use crate::pages::fields::Fields;
use crate::store::OrgTx;

/// `POST …/incidents/:incident`.
#[handler]
pub(crate) async fn post_update(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    let typed = Typed::of(&fields);
    let refused = match typed.action {
        Action::Save => match post(&desk, id, &fields, typed).await {
            Ok(done) => return Ok(desk.done(&format!("/incidents/{id}"), done, id)?),
            Err(error) => picker::refused(error)?,
        },
        Action::Find | Action::Preview => again(),
    };
    let page = page::<Respond>(&desk, id, Asked::default(), Some((&fields, &refused))).await?;
    Ok(refused.answer(&page)?)
}

/// What was posted.
struct Posted {
    status: Option<IncidentStatus>,
    message: String,
    affected: Option<Vec<Affected>>,
}

async fn post(desk: &Desk, id: Id<Incident>, fields: &Fields, typed: Typed) -> Result<Done> {
    fields.only(&[&["status", "message", "version", "seen", "was", "action"][..], &picker::FIELDS[..]].concat())?;
    let mut check = Check::new();
    let status = check.take(typed.parse_status())?.flatten();
    let expected = check.take(expected(fields))?.flatten();
    check.take(picker::check(fields))?;
    check.done()?;
    let posted = Posted { status, message: typed.message, affected: typed.affected };
    desk.change(move |tx: &mut OrgTx<'_, Respond>| apply(tx, id, posted, expected)).await
}

/// All of it as one change, so that a visitor never sees the word without the services that it speaks of.
fn apply(tx: &mut OrgTx<'_, Respond>, id: Id<Incident>, posted: Posted, expected: Option<u64>) -> Result<Change<Done>> {
    let before = incident::live(tx, id)?;
    // First of all: who looks at an older state is told so before their text is judged by the new one.
    fresh(before.version, expected)?;
    let status = posted.status.unwrap_or(before.status);
    let message = Some(posted.message).filter(|message| !message.trim().is_empty());
    let affected = posted.affected.map(|chosen| picker::ordered(&before.affected, chosen));
    let is_same = status == before.status && affected.as_ref().is_none_or(|affected| *affected == before.affected);
    if message.is_none() && is_same {
        return Err(Error::invalid("message", "must say something, unless the status or a service changes"));
    }
    let patch = IncidentPatch { status: Some(status), message, affected, ..IncidentPatch::default() };
    let change = incident::update(tx, id, patch, expected)?;
    Ok(change.map(|after| done(&before, &after)))
}

fn done(before: &Incident, after: &Incident) -> Done {
    match (before.status.is_resolved(), after.status.is_resolved()) {
        (false, true) => Done::IncidentResolved,
        (true, false) => Done::IncidentReopened,
        _ if after.updates.len() == before.updates.len() => Done::IncidentSaved,
        _ if after.updates.last().is_some_and(|update| update.public) => Done::UpdatePosted,
        _ => Done::UpdatePostedPrivately,
    }
}
