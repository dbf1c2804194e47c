//! Reporting an incident.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::picker::{self, Picker};
use super::typed::{Action, Typed, again};
use super::words;
use crate::access::Respond;
use crate::domain::incident::{self, Affected, Incident, OpenIncident};
use crate::domain::service::Service;
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::error::{Check, FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::answer::html;
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::markdown::SafeHtml;
use crate::pages::shell::Shell;
use crate::store::{OrgTx, OrgView};

/// The form for a new incident.
#[derive(Template)]
#[template(path = "admin/incident_report.html")]
pub(super) struct ReportPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) action: String,
    pub(super) form: Form,
    pub(super) picker: Picker,
    pub(super) preview: Option<SafeHtml>,
}

/// `GET …/incidents/new?service=`.
#[handler]
pub(crate) async fn report_form(desk: Desk, request: &Request) -> poem::Result<Response> {
    let named: Option<Id<Service>> = query(request, "service").parse().ok();
    // Whoever comes from a service that misbehaves reports that it does; how badly is for them to say.
    let affected = named.map(|service_id| Affected { service_id, status: Some(ServiceStatus::DegradedPerformance) });
    let typed =
        Typed { status: IncidentStatus::Investigating.as_str().into(), affected: Some(affected.into_iter().collect()), ..Typed::default() };
    Ok(html(StatusCode::OK, &page(&desk, typed, &[]).await?)?)
}

/// `POST …/incidents`.
#[handler]
pub(crate) async fn report(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let typed = Typed::of(&fields);
    let refused = match typed.action {
        Action::Save => match open(&desk, &fields, &typed).await {
            Ok(incident) => {
                let is_public = incident.updates.last().is_some_and(|update| update.public);
                let done = if is_public { Done::IncidentReported } else { Done::IncidentReportedPrivately };
                return Ok(desk.done(&format!("/incidents/{}", incident.id), done, incident.id)?);
            }
            Err(error) => picker::refused(error)?,
        },
        Action::Find | Action::Preview => again(),
    };
    let page = page(&desk, typed, &refused.errors).await?;
    Ok(refused.answer(&page)?)
}

async fn open(desk: &Desk, fields: &Fields, typed: &Typed) -> Result<Incident> {
    fields.only(&[&["title", "message", "status", "impact", "action"][..], &picker::FIELDS[..]].concat())?;
    let mut check = Check::new();
    let status = check.take(typed.parse_status())?.flatten();
    let impact = check.take(typed.parse_impact())?.flatten();
    check.take(picker::check(fields))?;
    check.done()?;
    let Typed { title, message, affected, .. } = typed.clone();
    let input = OpenIncident { title, message, status, impact, affected: affected.unwrap_or_default() };
    desk.change(move |tx: &mut OrgTx<'_, Respond>| incident::open(tx, input)).await
}

async fn page(desk: &Desk, typed: Typed, errors: &[FieldError]) -> Result<ReportPage> {
    let form = form(&typed, errors);
    let preview = typed.preview();
    let look = move |view: &OrgView<'_, Respond>| Picker::read(view, &[], typed.affected.as_deref().unwrap_or_default(), &typed.find);
    let (frame, picker) = desk.look(Tab::Incidents, look).await?;
    Ok(ReportPage { shell: frame.shell.clone(), action: frame.path("/incidents"), frame, form, picker, preview })
}

pub(super) fn form(typed: &Typed, errors: &[FieldError]) -> Form {
    let fields = vec![
        words::title_field(&typed.title),
        words::message_field(&typed.message).hinting("What is known, what people can do, when they will hear more. Markdown works."),
        words::status_field(&typed.status, words::GOING_ON),
        words::impact_field(&typed.impact).hinting("How much it hurts; follows from the affected services unless you say otherwise."),
    ];
    Form::new(fields, errors)
}
