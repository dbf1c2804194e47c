//! What is done to a service: its status, its place, deleting and bringing it back.

use poem::{Request, Response, handler};

use super::all::{back, back_to};
use super::inputs;
use super::one::{self, Typed};
use super::sheet::Thing;
use crate::access::{Edit, Respond};
use crate::domain::service::{self, Service};
use crate::error::Error;
use crate::event::Change;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::seen;
use crate::pages::admin::told::Done;
use crate::pages::answer::Refused;
use crate::pages::fields::Fields;
use crate::store::{OrgTx, Reads};

/// `POST /o/:org/services/:service/status`. From a line of the list it leads back there: the field `list` has the list's query.
#[handler]
pub(crate) async fn set_status(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Service>(request, "service")?;
    let known = fields.only(&["own_status", "version", "seen", "list"]);
    let set = match known.and_then(|()| Ok((inputs::own_status(&fields)?, seen::expected(&fields)?))) {
        Ok((own_status, expected)) => desk.change(move |tx| service::set_own_status(tx, id, own_status, expected)).await,
        Err(error) => Err(error),
    };
    match set {
        Ok(_) if fields.has("list") => Ok(back(&desk, &fields, Some(Done::StatusSet), "set", id)?),
        Ok(_) => Ok(desk.done(&format!("/services/{id}"), Done::StatusSet, id)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(one::page::<Respond>(&desk, id, Typed::Status(&fields, &refused)).await?)
        }
    }
}

/// `POST /o/:org/services/:service/shift`.
#[handler]
pub(crate) async fn shift(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Service>(request, "service")?;
    fields.only(&["direction", "list"])?;
    let direction = inputs::direction(&fields)?;
    let moved = desk.change(move |tx| service::shift(tx, id, direction).map(whether)).await?;
    Ok(back_to(&desk, &fields, moved, Thing::Service(id)).await?)
}

/// Whether a change changed anything; a step at the end of a row does not.
pub(crate) fn whether<T>(change: Change<T>) -> Change<bool> {
    let is_one = !change.events.is_empty();
    change.map(|_| is_one)
}

/// `POST /o/:org/services/:service/delete`. Whatever version it has by now, and also if it is deleted already: it can be undone.
#[handler]
pub(crate) async fn delete(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Service>(request, "service")?;
    desk.change(move |tx: &mut OrgTx<'_, Edit>| match tx.get(id)?.deleted_at {
        Some(_) => Ok(Change::nothing(())),
        None => service::delete(tx, id, None),
    })
    .await?;
    Ok(desk.done("/services", Done::ServiceDeleted, id)?)
}

/// `POST /o/:org/services/:service/restore`.
#[handler]
pub(crate) async fn restore(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Service>(request, "service")?;
    // Pressed twice, or by two people: it is back either way.
    desk.change(move |tx: &mut OrgTx<'_, Edit>| match service::live(tx, id) {
        Ok(_) => Ok(Change::nothing(())),
        Err(Error::NotFound) => Ok(service::restore(tx, id)?.map(|_| ())),
        Err(other) => Err(other),
    })
    .await?;
    Ok(desk.done(&format!("/services/{id}"), Done::ServiceRestored, id)?)
}
