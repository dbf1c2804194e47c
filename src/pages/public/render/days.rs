//! The last days: each with what ended on it, and quiet ones in one line, however many they are.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::incident::{Incident, impact_label};
use super::told::moment;
use crate::domain::page::Day;
use crate::domain::public::PublicIncident;
use crate::pages::when::When;

/// How many incidents of a day are told in full. A day with more than these is one that nobody reads from end to end.
const FULL: usize = 10;

/// One day, or quiet ones in a row.
pub(super) struct Stretch {
    /// The day, or the last of them.
    pub(super) iso: String,
    pub(super) text: String,
    /// The first of several.
    pub(super) start: Option<Start>,
    pub(super) incidents: Vec<Incident>,
    pub(super) more: Vec<Headline>,
}

/// Where quiet days begin.
pub(super) struct Start {
    pub(super) iso: String,
    pub(super) text: String,
}

/// An incident of which there is no room for more than its title.
pub(super) struct Headline {
    pub(super) title: String,
    pub(super) impact_label: Option<&'static str>,
    pub(super) at: When,
}

/// The days in the order given, newest first; "No incidents reported." is said once of quiet days that follow each other.
pub(super) fn stretches(days: &[Day], zone: &TimeZone) -> Vec<Stretch> {
    let stretches = days.chunk_by(|newer, older| newer.incidents.is_empty() && older.incidents.is_empty());
    stretches.filter_map(|days| Stretch::of(days, zone)).collect()
}

impl Stretch {
    fn of(days: &[Day], zone: &TimeZone) -> Option<Self> {
        let (newest, oldest) = (days.first()?, days.last()?);
        let full = newest.incidents.len().min(FULL);
        Some(Self {
            iso: newest.date.to_string(),
            text: newest.date.strftime("%-d %B %Y").to_string(),
            start: (days.len() > 1).then(|| Start::before(oldest.date, newest.date)),
            incidents: newest.incidents[..full].iter().map(|incident| Incident::past(incident, zone)).collect(),
            more: newest.incidents[full..].iter().map(|incident| Headline::of(incident, zone)).collect(),
        })
    }
}

impl Start {
    /// Says no more than what differs from the end: "16 – 28 February 2026".
    fn before(first: Date, last: Date) -> Self {
        let format = if first.year() != last.year() {
            "%-d %B %Y"
        } else if first.month() != last.month() {
            "%-d %B"
        } else {
            "%-d"
        };
        Self { iso: first.to_string(), text: first.strftime(format).to_string() }
    }
}

impl Headline {
    fn of(incident: &PublicIncident, zone: &TimeZone) -> Self {
        Self {
            title: incident.title.clone(),
            impact_label: impact_label(incident.impact),
            at: moment(incident.resolved_at.unwrap_or(incident.started_at), zone),
        }
    }
}
