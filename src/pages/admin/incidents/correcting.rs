//! Correcting the text of an update. What it said before stays in the timeline.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::typed::{self, Action, Sent, Typed, again};
use super::words::{self, Stage};
use crate::access::Respond;
use crate::domain::incident::{self, Details, Incident, Update};
use crate::error::{Error, FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{Seen, expected};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::markdown::SafeHtml;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::{OrgTx, OrgView};

/// The form.
#[derive(Template)]
#[template(path = "admin/incident_correct.html")]
pub(super) struct CorrectPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) action: String,
    /// The incident's.
    pub(super) id: String,
    pub(super) seen: Seen,
    pub(super) title: String,
    pub(super) stage: Stage,
    pub(super) at: When,
    pub(super) form: Form,
    pub(super) preview: Option<SafeHtml>,
    pub(super) meanwhile: Option<Meanwhile>,
}

/// `GET …/incidents/:incident/updates/:update`.
#[handler]
pub(crate) async fn correct_form(desk: Desk, request: &Request) -> poem::Result<Response> {
    let place = Place::of(request)?;
    Ok(html(StatusCode::OK, &page(&desk, place, None).await?)?)
}

/// `POST …/incidents/:incident/updates/:update`.
#[handler]
pub(crate) async fn correct(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let place = Place::of(request)?;
    let typed = Typed::of(&fields);
    let refused = match typed.action {
        Action::Save => match write(&desk, place, &fields, typed).await {
            Ok(_) => {
                let Place { incident, update } = place;
                return Ok(desk.done(&format!("/incidents/{incident}#{update}"), Done::TextCorrected, update)?);
            }
            Err(error) => Refused::by(error)?,
        },
        Action::Find | Action::Preview => again(),
    };
    let page = page(&desk, place, Some((&fields, &refused))).await?;
    Ok(refused.answer(&page)?)
}

/// Which update of which incident.
#[derive(Clone, Copy)]
struct Place {
    incident: Id<Incident>,
    update: Id<Update>,
}

impl Place {
    fn of(request: &Request) -> Result<Self> {
        Ok(Self { incident: path_id(request, "incident")?, update: path_id(request, "update")? })
    }
}

async fn write(desk: &Desk, Place { incident, update }: Place, fields: &Fields, typed: Typed) -> Result<Incident> {
    fields.only(&["message", "version", "seen", "action"])?;
    let expected = expected(fields)?;
    let text = Details { message: typed.message };
    desk.change(move |tx: &mut OrgTx<'_, Respond>| incident::correct(tx, incident, update, text, expected)).await
}

async fn page(desk: &Desk, place: Place, sent: Sent<'_>) -> Result<CorrectPage> {
    let typed = sent.map(|(fields, _)| Typed::of(fields));
    let missed = typed::missed(desk, sent);
    let look = move |view: &OrgView<'_, Respond>| -> Result<_> {
        let incident = incident::live(view, place.incident)?;
        let update = incident.updates.iter().find(|update| update.id == place.update).cloned().ok_or(Error::NotFound)?;
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &place.incident.to_string(), &seen)).transpose()?;
        Ok((incident, update, meanwhile))
    };
    let (frame, (incident, update, meanwhile)) = desk.look(Tab::Incidents, look).await?;
    let message = typed.as_ref().map_or(update.message.as_str(), |typed| typed.message.as_str());
    Ok(CorrectPage {
        shell: frame.shell.clone(),
        action: format!("{}/{}/updates/{}", frame.path("/incidents"), place.incident, place.update),
        id: incident.id.to_string(),
        seen: typed::against(sent, incident.version, &frame),
        title: incident.title,
        stage: update.status.into(),
        at: update.created_at.into(),
        form: form(message, typed::errors(sent)),
        preview: typed.as_ref().and_then(Typed::preview),
        frame,
        meanwhile,
    })
}

pub(super) fn form(message: &str, errors: &[FieldError]) -> Form {
    Form::new(vec![words::message_field(message).hinting("The earlier text stays in the timeline. Nobody is notified.")], errors)
}
