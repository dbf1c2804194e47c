//! What the forms about incidents send.

use http::StatusCode;

use super::picker;
use crate::domain::incident::Affected;
use crate::domain::status::{Impact, IncidentStatus};
use crate::error::{Error, FieldError, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::Frame;
use crate::pages::admin::preview;
use crate::pages::admin::seen::Seen;
use crate::pages::answer::Refused;
use crate::pages::fields::Fields;
use crate::pages::markdown::SafeHtml;

/// What the button that was pressed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Action {
    /// To do it.
    #[default]
    Save,
    /// To show the form again, with the services that are looked for.
    Find,
    /// To show the form again, with the text as it will look.
    Preview,
}

impl Action {
    fn of(fields: &Fields) -> Self {
        match fields.get("action") {
            "find" => Self::Find,
            "preview" => Self::Preview,
            _ => Self::Save,
        }
    }
}

/// What is in a form, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) title: String,
    pub(super) message: String,
    /// A status' word.
    pub(super) status: String,
    /// An impact's word; empty = as the services say.
    pub(super) impact: String,
    /// The services that are chosen; `None` where the form did not ask.
    pub(super) affected: Option<Vec<Affected>>,
    /// The services that are looked for.
    pub(super) find: String,
    pub(super) action: Action,
}

impl Typed {
    pub(super) fn of(fields: &Fields) -> Self {
        let text = |name| fields.get(name).to_owned();
        Self {
            title: text("title"),
            message: text("message"),
            status: text("status"),
            impact: text("impact"),
            affected: picker::picks(fields),
            find: text("find"),
            action: Action::of(fields),
        }
    }

    /// The status that is chosen, if one is.
    pub(super) fn parse_status(&self) -> Result<Option<IncidentStatus>> {
        chosen("status", &self.status, IncidentStatus::parse)
    }

    /// The impact that is chosen, if one is.
    pub(super) fn parse_impact(&self) -> Result<Option<Impact>> {
        chosen("impact", &self.impact, Impact::parse)
    }

    /// The text as it will look, if that was asked for.
    pub(super) fn preview(&self) -> Option<SafeHtml> {
        (self.action == Action::Preview).then(|| preview::rendered(&self.message))
    }
}

fn chosen<T>(field: &str, word: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
    if word.is_empty() {
        return Ok(None);
    }
    parse(word).map(Some).ok_or_else(|| Error::invalid(field, "must be one of the list"))
}

/// The form again because it was asked for: nothing is wrong with it.
pub(super) fn again() -> Refused {
    Refused { status: StatusCode::OK, errors: Vec::new(), retry_after: None }
}

/// A form that was sent, and why it is shown again.
pub(super) type Sent<'a> = Option<(&'a Fields, &'a Refused)>;

/// What a form was filled in against: as it was sent, or as the page shows it.
pub(super) fn against(sent: Sent<'_>, version: u64, frame: &Frame) -> Seen {
    match sent {
        Some((fields, refused)) => Seen::again(fields, refused, version, frame),
        None => Seen::now(version, frame),
    }
}

/// Up to where who is told that something changed had read the log; `None` where that is not why.
pub(super) fn missed(desk: &Desk, sent: Sent<'_>) -> Option<String> {
    sent.and_then(|(fields, refused)| Seen::missed(desk, fields, refused))
}

/// What is wrong with it.
pub(super) fn errors(sent: Sent<'_>) -> &[FieldError] {
    match sent {
        Some((_, refused)) => &refused.errors,
        None => &[],
    }
}
