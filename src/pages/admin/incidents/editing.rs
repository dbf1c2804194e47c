//! Editing what an incident is: its title, its impact, the services it touches. What is said of it is `posting.rs`.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::picker::{self, Picker};
use super::typed::{self, Action, Sent, Typed, again};
use super::was::Origin;
use super::words;
use crate::access::Respond;
use crate::domain::incident::{self, Incident, IncidentPatch};
use crate::domain::status::Impact;
use crate::error::{Check, FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{Seen, expected};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::answer::html;
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::store::{OrgTx, OrgView};

/// The form.
#[derive(Template)]
#[template(path = "admin/incident_edit.html")]
pub(super) struct EditPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) action: String,
    pub(super) id: String,
    pub(super) seen: Seen,
    /// What the form was made from.
    pub(super) was: String,
    /// As it stands; the form may hold another one.
    pub(super) title: String,
    pub(super) form: Form,
    pub(super) picker: Picker,
    pub(super) meanwhile: Option<Meanwhile>,
}

/// `GET …/incidents/:incident/edit`.
#[handler]
pub(crate) async fn edit_form(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    Ok(html(StatusCode::OK, &page(&desk, id, None).await?)?)
}

/// `POST …/incidents/:incident/edit`.
#[handler]
pub(crate) async fn save(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    let typed = Typed::of(&fields);
    let refused = match typed.action {
        Action::Save => match update(&desk, id, &fields, typed).await {
            Ok(_) => return Ok(desk.done(&format!("/incidents/{id}"), Done::IncidentSaved, id)?),
            Err(error) => picker::refused(error)?,
        },
        Action::Find | Action::Preview => again(),
    };
    let page = page(&desk, id, Some((&fields, &refused))).await?;
    Ok(refused.answer(&page)?)
}

async fn update(desk: &Desk, id: Id<Incident>, fields: &Fields, typed: Typed) -> Result<Incident> {
    fields.only(&[&["title", "impact", "version", "seen", "was", "action"][..], &picker::FIELDS[..]].concat())?;
    let mut check = Check::new();
    let impact = check.take(typed.parse_impact())?;
    let expected = check.take(expected(fields))?.flatten();
    check.take(picker::check(fields))?;
    check.done()?;
    let Typed { title, affected: chosen, .. } = typed;
    let operation = move |tx: &mut OrgTx<'_, Respond>| {
        let known = incident::live(tx, id)?.affected;
        let affected = chosen.map(|chosen| picker::ordered(&known, chosen));
        let patch = IncidentPatch { title: Some(title), impact, affected, ..IncidentPatch::default() };
        incident::update(tx, id, patch, expected)
    };
    desk.change(operation).await
}

async fn page(desk: &Desk, id: Id<Incident>, sent: Sent<'_>) -> Result<EditPage> {
    let typed = sent.map(|(fields, _)| Typed::of(fields));
    let missed = typed::missed(desk, sent);
    let origin = Origin::of(sent);
    let look = move |view: &OrgView<'_, Respond>| -> Result<_> {
        let incident = incident::live(view, id)?;
        let (typed, was) = origin.settle(typed.unwrap_or_else(|| present(&incident)), &incident);
        let chosen = typed.affected.as_deref().unwrap_or(&incident.affected);
        let picker = Picker::read(view, &incident.affected, chosen, &typed.find)?;
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &id.to_string(), &seen)).transpose()?;
        Ok((incident, typed, was, picker, meanwhile))
    };
    let (frame, (incident, typed, was, picker, meanwhile)) = desk.look(Tab::Incidents, look).await?;
    Ok(EditPage {
        shell: frame.shell.clone(),
        action: format!("{}/{id}/edit", frame.path("/incidents")),
        id: id.to_string(),
        seen: typed::against(sent, incident.version, &frame),
        was,
        title: incident.title,
        form: form(&typed, typed::errors(sent)),
        frame,
        picker,
        meanwhile,
    })
}

fn present(incident: &Incident) -> Typed {
    let impact = incident.impact_override.map_or("", Impact::as_str);
    Typed { title: incident.title.clone(), impact: impact.into(), ..Typed::default() }
}

pub(super) fn form(typed: &Typed, errors: &[FieldError]) -> Form {
    let hint = "Follows from the affected services unless you say otherwise.";
    Form::new(vec![words::title_field(&typed.title), words::impact_field(&typed.impact).hinting(hint)], errors)
}
