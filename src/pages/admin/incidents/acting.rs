//! Deleting an incident, and bringing it back.
//!
//! Neither asks twice nor for a version: the notice that follows offers to undo it.

use poem::{Request, Response, handler};

use crate::access::Respond;
use crate::domain::incident::{self, Incident};
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::told::Done;
use crate::store::OrgTx;

/// `POST …/incidents/:incident/delete`.
#[handler]
pub(crate) async fn delete(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    desk.change(move |tx: &mut OrgTx<'_, Respond>| incident::delete(tx, id, None)).await?;
    Ok(desk.done("/incidents", Done::IncidentDeleted, id)?)
}

/// `POST …/incidents/:incident/restore`.
#[handler]
pub(crate) async fn restore(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    desk.change(move |tx: &mut OrgTx<'_, Respond>| incident::restore(tx, id)).await?;
    Ok(desk.done(&format!("/incidents/{id}"), Done::IncidentRestored, id)?)
}
