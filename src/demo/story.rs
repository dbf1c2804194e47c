//! An incident as it is told: part by part, by somebody, through the operations that everyone uses.

use super::cast::{Cast, Who};
use crate::access::Respond;
use crate::app::App;
use crate::domain::incident::{self, Details, Incident, NewUpdate, OpenIncident};
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::error::{Error, Result};
use crate::store::OrgTx;

/// A service by its name, and what the incident makes of it; `None` only mentions it.
pub(super) type Effect = (&'static str, Option<ServiceStatus>);

/// An incident from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    pub(super) title: &'static str,
    /// What it touches at first.
    pub(super) affected: &'static [Effect],
    /// What is told of it; the first part opens it.
    pub(super) told: &'static [Told],
}

/// One part of a story.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// So many minutes after the beginning; the script has a pace of its own.
    pub(super) minute: u32,
    by: Who,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Say {
        status: IncidentStatus,
        message: &'static str,
        affected: &'static [Effect],
    },
    /// A better text for what was said last.
    Correct(&'static str),
}

/// Something is said.
pub(super) const fn say(minute: u32, by: Who, status: IncidentStatus, message: &'static str) -> Told {
    saying(minute, by, status, message, &[])
}

/// Something is said that changes what the incident makes of services.
pub(super) const fn saying(minute: u32, by: Who, status: IncidentStatus, message: &'static str, affected: &'static [Effect]) -> Told {
    Told { minute, by, what: What::Say { status, message, affected } }
}

/// The text that was said last is corrected.
pub(super) const fn correct(minute: u32, by: Who, message: &'static str) -> Told {
    Told { minute, by, what: What::Correct(message) }
}

impl Cast {
    /// Tells one part: opens the incident if there is none yet, else goes on with it as it was left.
    ///
    /// # Errors
    /// What the operation says: above all `Stale` when somebody else had a hand in the incident, and `Invalid` when a service is gone.
    pub(super) async fn tell(&self, app: &App, story: &Story, told: &Told, before: Option<Incident>) -> Result<Incident> {
        let actor = self.actor(told.by);
        match (before, told.what) {
            (None, What::Say { status, message, .. }) => {
                let affected = self.affected(story.affected)?;
                let input =
                    OpenIncident { title: story.title.into(), message: message.into(), status: Some(status), impact: None, affected };
                app.change(actor, self.org(), move |tx: &mut OrgTx<'_, Respond>| incident::open(tx, input)).await
            }
            (Some(before), What::Say { status, message, affected }) => {
                let input = NewUpdate { status: Some(status), message: message.into(), affected: self.affected(affected)? };
                let op = move |tx: &mut OrgTx<'_, Respond>| incident::post_update(tx, before.id, input, Some(before.version));
                app.change(actor, self.org(), op).await
            }
            (Some(before), What::Correct(message)) => {
                let last = before.updates.last().ok_or(Error::NotFound)?.id;
                let text = Details { message: message.into() };
                let op = move |tx: &mut OrgTx<'_, Respond>| incident::correct(tx, before.id, last, text, Some(before.version));
                app.change(actor, self.org(), op).await
            }
            (None, What::Correct(_)) => Err(Error::internal("a story begins with a correction")),
        }
    }
}
