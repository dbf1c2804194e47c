//! An incident in words: what it touches, what was said of it, how long it lasted.

use jiff::tz::TimeZone;

use super::told::moment;
use crate::domain::public::{PublicAffected, PublicIncident, PublicUpdate};
use crate::domain::status::{Impact, ServiceStatus};
use crate::pages::markdown::{self, SafeHtml};
use crate::pages::when::{State, When, duration};

/// How many updates of an active incident are shown before the rest folds away.
const LATEST: usize = 3;
/// How many affected services are shown before the rest folds away.
const AFFECTED: usize = 12;
/// The most updates of one incident that a page carries, and the most text: everyone loads it, on a phone, in an outage.
const UPDATES_MAX: usize = 50;
const TEXT_MAX: usize = 32 << 10;

/// An incident, as the template reads it.
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) status: &'static str,
    pub(super) impact: &'static str,
    /// "Impact: None" would read as a claim; an incident that names no effect says nothing of it.
    pub(super) impact_label: Option<&'static str>,
    /// The state whose shape and colour tell the impact.
    pub(super) shape: Option<&'static str>,
    pub(super) started: When,
    pub(super) over: Option<Over>,
    pub(super) affected: Vec<Affected>,
    pub(super) others: Vec<Affected>,
    pub(super) latest: Vec<Update>,
    pub(super) earlier: Vec<Update>,
    /// How many of the oldest updates the page does not carry.
    pub(super) left_out: usize,
}

/// Its end.
pub(super) struct Over {
    pub(super) at: When,
    pub(super) lasted: String,
}

/// A service that it touches; without a state if it is only mentioned.
pub(super) struct Affected {
    pub(super) name: String,
    pub(super) status: Option<State>,
}

/// What was said.
pub(super) struct Update {
    /// Where updates come and go: the morph then adds the new one and leaves the others, and the text that someone has marked, alone.
    pub(super) id: Option<String>,
    pub(super) status: &'static str,
    pub(super) at: When,
    pub(super) message: SafeHtml,
}

impl Incident {
    /// One that goes on: the newest updates open, the rest folded.
    pub(super) fn active(incident: &PublicIncident, zone: &TimeZone) -> Self {
        Self::showing(incident, zone, LATEST, |update| Some(update.id.to_string()))
    }

    /// One that is over and folded as a whole.
    pub(super) fn past(incident: &PublicIncident, zone: &TimeZone) -> Self {
        Self::showing(incident, zone, UPDATES_MAX, |_| None)
    }

    fn showing(incident: &PublicIncident, zone: &TimeZone, open: usize, id: impl Fn(&PublicUpdate) -> Option<String>) -> Self {
        let carried = carried(&incident.updates);
        let mut latest: Vec<Update> = incident.updates.iter().take(carried).map(|update| Update::new(update, zone, id(update))).collect();
        let earlier = latest.split_off(open.min(latest.len()));
        let mut affected: Vec<Affected> = incident.affected.iter().map(Affected::from).collect();
        let others = affected.split_off(AFFECTED.min(affected.len()));
        Self {
            id: incident.id.to_string(),
            title: incident.title.clone(),
            status: incident.status.label(),
            impact: incident.impact.as_str(),
            impact_label: impact_label(incident.impact),
            shape: shape(incident.impact),
            started: moment(incident.started_at, zone),
            over: incident.resolved_at.map(|at| Over { at: moment(at, zone), lasted: duration(incident.started_at, at) }),
            affected,
            others,
            latest,
            earlier,
            left_out: incident.updates.len() - carried,
        }
    }
}

/// How many of the newest updates a page carries: always the first.
fn carried(updates: &[PublicUpdate]) -> usize {
    let mut text = 0;
    let fits = |update: &&PublicUpdate| {
        let fits = text < TEXT_MAX;
        text += update.message.len();
        fits
    };
    updates.iter().take(UPDATES_MAX).take_while(fits).count()
}

/// The word for the impact, if there is one.
pub(super) fn impact_label(impact: Impact) -> Option<&'static str> {
    (!matches!(impact, Impact::None)).then(|| impact.label())
}

fn shape(impact: Impact) -> Option<&'static str> {
    let state = match impact {
        Impact::None => return None,
        Impact::Minor => ServiceStatus::DegradedPerformance,
        Impact::Major => ServiceStatus::PartialOutage,
        Impact::Critical => ServiceStatus::MajorOutage,
    };
    Some(state.as_str())
}

impl From<&PublicAffected> for Affected {
    fn from(affected: &PublicAffected) -> Self {
        Self { name: affected.name.clone(), status: affected.status.map(State::from) }
    }
}

impl Update {
    fn new(update: &PublicUpdate, zone: &TimeZone, id: Option<String>) -> Self {
        Self { id, status: update.status.label(), at: moment(update.created_at, zone), message: markdown::render(&update.message) }
    }
}
