//! Deleting an incident, and bringing it back.
//!
//! Neither asks twice nor for a version: the notice that follows offers to undo it. Pressed twice, or by two people, each answers as it did
//! the first time and changes nothing more.

use poem::{Request, Response, handler};

use crate::access::Respond;
use crate::domain::incident::{self, Incident};
use crate::error::Error;
use crate::event::Change;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::told::Done;
use crate::store::{OrgTx, Reads};

/// `POST …/incidents/:incident/delete`.
#[handler]
pub(crate) async fn delete(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    desk.change(move |tx: &mut OrgTx<'_, Respond>| match tx.get(id)?.deleted_at {
        Some(_) => Ok(Change::nothing(())),
        None => incident::delete(tx, id, None),
    })
    .await?;
    Ok(desk.done("/incidents", Done::IncidentDeleted, id)?)
}

/// `POST …/incidents/:incident/restore`.
#[handler]
pub(crate) async fn restore(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    desk.change(move |tx: &mut OrgTx<'_, Respond>| match incident::live(tx, id) {
        Ok(there) => Ok(Change::nothing(there)),
        Err(Error::NotFound) => incident::restore(tx, id),
        Err(other) => Err(other),
    })
    .await?;
    Ok(desk.done(&format!("/incidents/{id}"), Done::IncidentRestored, id)?)
}
