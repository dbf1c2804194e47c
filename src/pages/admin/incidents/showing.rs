//! One incident: how it stands, the form that says more, and all that was said.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::picker::Picker;
use super::typed::{self, Action, Sent, Typed};
use super::was::Origin;
use super::words::{self, ImpactShown, Stage};
use crate::access::{Permission, Read};
use crate::domain::incident::{self, Affected, Incident, Update};
use crate::domain::service::Service;
use crate::error::{FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::Seen;
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::answer::html;
use crate::pages::form::Form;
use crate::pages::markdown::{self, SafeHtml};
use crate::pages::shell::Shell;
use crate::pages::when::{State, When, duration};
use crate::store::{OrgView, Reads};

/// How many updates are shown before one asks for the rest.
const UPDATES: usize = 50;
/// How many affected services are shown before the rest folds away.
const AFFECTED: usize = 12;

/// The page of one incident.
#[derive(Template)]
#[template(path = "admin/incident.html")]
pub(super) struct IncidentPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) action: String,
    pub(super) incident: Shown,
    pub(super) seen: Seen,
    /// What the form was made from.
    pub(super) was: String,
    pub(super) form: Form,
    pub(super) picker: Picker,
    /// Whether the affected services are unfolded: somebody is at them.
    pub(super) picker_open: bool,
    pub(super) preview: Option<SafeHtml>,
    pub(super) meanwhile: Option<Meanwhile>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) title: String,
    pub(super) stage: Stage,
    pub(super) impact: ImpactShown,
    /// Whether the responder said so.
    pub(super) impact_said: bool,
    pub(super) is_resolved: bool,
    pub(super) started: When,
    pub(super) over: Option<When>,
    /// How long it lasted, or has lasted so far.
    pub(super) span: String,
    pub(super) reported: When,
    pub(super) reported_by: String,
    /// Whether visitors have never seen it.
    pub(super) is_private: bool,
    pub(super) affected: Vec<Touched>,
    pub(super) others: Vec<Touched>,
    /// Newest first.
    pub(super) updates: Vec<Said>,
    /// How many older ones there are.
    pub(super) left_out: usize,
}

/// A service that it touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_deleted: bool,
    /// None if it is only mentioned.
    pub(super) state: Option<State>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) stage: Stage,
    pub(super) at: When,
    pub(super) author: String,
    pub(super) text: SafeHtml,
    pub(super) corrected: Option<When>,
    /// Whether visitors can't read it.
    pub(super) is_private: bool,
}

/// `GET …/incidents/:incident`.
///
/// `?status=` chooses in the form, for "Resolve" as the first of two clicks; `?updates=all` shows the oldest ones, too.
#[handler]
pub(crate) async fn show(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Incident>(request, "incident")?;
    let asked = Asked { status: query(request, "status"), all: query(request, "updates") == "all" };
    Ok(html(StatusCode::OK, &page::<Read>(&desk, id, asked, None).await?)?)
}

/// What the address asks for.
#[derive(Default)]
pub(super) struct Asked {
    status: String,
    all: bool,
}

/// The page, with the form as it was sent if it was.
pub(super) async fn page<P: Permission>(desk: &Desk, id: Id<Incident>, asked: Asked, sent: Sent<'_>) -> Result<IncidentPage> {
    let typed = match sent {
        Some((fields, _)) => Typed::of(fields),
        None => Typed { status: asked.status, ..Typed::default() },
    };
    let missed = typed::missed(desk, sent);
    let origin = Origin::of(sent);
    let updates = if asked.all { usize::MAX } else { UPDATES };
    let look = move |view: &OrgView<'_, P>| -> Result<_> {
        let incident = incident::live(view, id)?;
        let shown = Shown::read(view, &incident, updates)?;
        let (typed, was) = origin.settle(typed, &incident);
        let chosen = typed.affected.as_deref().unwrap_or(&incident.affected);
        let picker = Picker::read(view, &incident.affected, chosen, &typed.find)?;
        // What two people chose may differ now: that must not hide.
        let picker_open = typed.action == Action::Find || missed.is_some() || differs(chosen, &incident.affected);
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &shown.id, &seen)).transpose()?;
        Ok((shown, typed, was, picker, picker_open, meanwhile))
    };
    let (frame, (incident, typed, was, picker, picker_open, meanwhile)) = desk.look(Tab::Incidents, look).await?;
    Ok(IncidentPage {
        shell: frame.shell.clone(),
        action: format!("{}/{id}", frame.path("/incidents")),
        seen: typed::against(sent, incident.version, &frame),
        was,
        form: form(&incident, &typed, typed::errors(sent)),
        preview: typed.preview(),
        frame,
        incident,
        picker,
        picker_open,
        meanwhile,
    })
}

fn differs(chosen: &[Affected], present: &[Affected]) -> bool {
    chosen.len() != present.len() || !present.iter().all(|affected| chosen.contains(affected))
}

/// The form that says more: about what goes on, or about what is over.
pub(super) fn form(incident: &Shown, typed: &Typed, errors: &[FieldError]) -> Form {
    let (choices, hint) = if incident.is_resolved {
        (words::OVER, "What was learned, or what came back. May stay empty if only the status changes.")
    } else {
        (words::GOING_ON, "What is new, what people can do, when they will hear more. May stay empty if only the status changes.")
    };
    let is_choice = choices.iter().any(|(status, _)| status.as_str() == typed.status);
    let status = if is_choice { typed.status.as_str() } else { incident.stage.stage };
    let fields = vec![words::status_field(status, choices), words::message_field(&typed.message).optional().hinting(hint)];
    Form::new(fields, errors)
}

impl Shown {
    /// With this many of the updates.
    pub(super) fn read(view: &impl Reads, incident: &Incident, updates: usize) -> Result<Self> {
        let mut affected = incident.affected.iter().map(|affected| Touched::read(view, affected)).collect::<Result<Vec<_>>>()?;
        let others = affected.split_off(AFFECTED.min(affected.len()));
        let said: Vec<_> = incident.updates.iter().rev().take(updates).map(Said::of).collect();
        Ok(Self {
            id: incident.id.to_string(),
            version: incident.version,
            title: incident.title.clone(),
            stage: incident.status.into(),
            impact: incident.impact().into(),
            impact_said: incident.impact_override.is_some(),
            is_resolved: incident.status.is_resolved(),
            started: incident.started_at.into(),
            over: incident.resolved_at.map(When::from),
            span: duration(incident.started_at, incident.resolved_at.unwrap_or(view.now())),
            reported: incident.created_at.into(),
            reported_by: incident.updates.first().map(|first| first.author.name.clone()).unwrap_or_default(),
            is_private: !incident.updates.iter().any(|update| update.public),
            affected,
            others,
            left_out: incident.updates.len() - said.len(),
            updates: said,
        })
    }
}

impl Touched {
    fn read(view: &impl Reads, affected: &Affected) -> Result<Self> {
        let service: Option<Service> = view.find(affected.service_id)?;
        Ok(Self {
            id: affected.service_id.to_string(),
            is_deleted: service.as_ref().is_none_or(|service| service.deleted_at.is_some()),
            name: service.map(|service| service.name).unwrap_or_default(),
            state: affected.status.map(State::from),
        })
    }
}

impl Said {
    fn of(update: &Update) -> Self {
        Self {
            id: update.id.to_string(),
            stage: update.status.into(),
            at: update.created_at.into(),
            author: update.author.name.clone(),
            text: markdown::render(&update.message),
            corrected: update.edited_at.map(When::from),
            is_private: !update.public,
        }
    }
}
