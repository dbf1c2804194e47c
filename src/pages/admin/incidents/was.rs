//! What a form about an incident was made from.
//!
//! A form sends all of its fields, also those that nobody touched. Sent too late, and then again against the newer version, it would take
//! back unawares what somebody else changed meanwhile. So it carries, in the hidden field `was`, what its fields held when it was made:
//! what is still as it was then follows the incident, what differs was chosen by whoever sends it. Reading the earlier version from the log
//! was the other road; it says what changed, not what a form showed.

use std::collections::{HashMap, HashSet};

use form_urlencoded::Serializer;
use http::StatusCode;

use super::picker;
use super::typed::{Sent, Typed};
use crate::domain::incident::{Affected, Incident};
use crate::domain::service::Service;
use crate::domain::status::Impact;
use crate::id::Id;

/// The longest that is read: a title and as many services as an incident may touch, with room to spare.
const WAS_MAX: usize = 48 * 1_024;

/// The fields of a form as the incident would fill them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Was {
    title: String,
    status: String,
    impact: String,
    affected: Vec<Affected>,
}

impl Was {
    fn of(incident: &Incident) -> Self {
        Self {
            title: incident.title.clone(),
            status: incident.status.as_str().into(),
            impact: incident.impact_override.map_or("", Impact::as_str).into(),
            affected: incident.affected.clone(),
        }
    }

    /// As [`text`](Self::text) wrote it; nothing for what it did not write.
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > WAS_MAX {
            return None;
        }
        let mut was = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "title" => was.title = value.into_owned(),
                "status" => was.status = value.into_owned(),
                "impact" => was.impact = value.into_owned(),
                name => was.affected.push(picker::parse(name.strip_prefix(picker::PREFIX)?, &value).ok()??),
            }
        }
        Some(was)
    }

    /// As a form sends it: its own fields, encoded as its own fields are.
    fn text(&self) -> String {
        let mut fields = Serializer::new(String::new());
        fields.append_pair("status", &self.status).append_pair("title", &self.title).append_pair("impact", &self.impact);
        for affected in &self.affected {
            fields.append_pair(&format!("{}{}", picker::PREFIX, affected.service_id), picker::word(affected));
        }
        fields.finish()
    }

    /// What was sent too late, as it is shown to who is told so.
    fn mend(&self, sent: Typed, present: &Self) -> Typed {
        let text = |sent: String, was: &str, now: &str| if sent == was { now.to_owned() } else { sent };
        Typed {
            title: text(sent.title, &self.title, &present.title),
            status: text(sent.status, &self.status, &present.status),
            impact: text(sent.impact, &self.impact, &present.impact),
            affected: sent.affected.map(|chosen| mend_affected(&self.affected, &chosen, &present.affected)),
            ..sent
        }
    }
}

/// Each service for itself. One that a form did not show was "not affected" in it, before as after.
fn mend_affected(was: &[Affected], chosen: &[Affected], present: &[Affected]) -> Vec<Affected> {
    let by_service = |list: &[Affected]| list.iter().map(|one| (one.service_id, one.clone())).collect::<HashMap<Id<Service>, Affected>>();
    let (before, sent, now) = (by_service(was), by_service(chosen), by_service(present));
    let mut seen = HashSet::new();
    let all = present.iter().chain(chosen).map(|one| one.service_id).filter(|id| seen.insert(*id));
    all.filter_map(|id| if sent.get(&id) == before.get(&id) { now.get(&id) } else { sent.get(&id) }).cloned().collect()
}

/// Where the form comes from that a page shows.
pub(super) enum Origin {
    /// It is a new one.
    Present,
    /// It was sent, and comes back as it was.
    Kept(Option<Was>),
    /// It was sent too late; its author is told so.
    Late(Option<Was>),
}

impl Origin {
    pub(super) fn of(sent: Sent<'_>) -> Self {
        let Some((fields, refused)) = sent else { return Self::Present };
        let was = Was::read(fields.get("was"));
        if refused.status == StatusCode::PRECONDITION_FAILED { Self::Late(was) } else { Self::Kept(was) }
    }

    /// What the form holds, and its field `was`.
    pub(super) fn settle(self, typed: Typed, incident: &Incident) -> (Typed, String) {
        let present = Was::of(incident);
        match self {
            Self::Late(Some(was)) => (was.mend(typed, &present), present.text()),
            // Of a form that does not say what it was made from, all counts as chosen.
            Self::Present | Self::Late(None) => (typed, present.text()),
            // Nobody was told of anything yet: it stays what it was made from.
            Self::Kept(was) => (typed, was.as_ref().map(Was::text).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::ServiceStatus::{self, DegradedPerformance, MajorOutage, PartialOutage};

    fn pick(number: u128, status: impl Into<Option<ServiceStatus>>) -> Affected {
        Affected { service_id: Id::from_u128(number), status: status.into() }
    }

    fn was(status: &str, title: &str, impact: &str, affected: &[Affected]) -> Was {
        Was { title: title.into(), status: status.into(), impact: impact.into(), affected: affected.to_vec() }
    }

    fn typed(status: &str, title: &str, impact: &str, affected: Option<&[Affected]>) -> Typed {
        Typed {
            title: title.into(),
            message: "Mine.".into(),
            status: status.into(),
            impact: impact.into(),
            affected: affected.map(<[Affected]>::to_vec),
            ..Typed::default()
        }
    }

    #[test]
    fn what_nobody_touched_follows_the_incident_and_what_was_chosen_stays() {
        let made = was("investigating", "It fails", "", &[pick(1, DegradedPerformance), pick(2, None)]);
        let now = was("identified", "DNS fails", "major", &[pick(1, PartialOutage), pick(2, None), pick(3, MajorOutage)]);
        let untouched = typed("investigating", "It fails", "", Some(&made.affected));
        assert_eq!(made.mend(untouched, &now), typed("identified", "DNS fails", "major", Some(&now.affected)));

        let (own, other) = ([pick(4, None), pick(1, MajorOutage)], [pick(1, MajorOutage), pick(3, MajorOutage), pick(4, None)]);
        let chosen = typed("resolved", "It is slow", "none", Some(&own));
        assert_eq!(made.mend(chosen, &now), typed("resolved", "It is slow", "none", Some(&other)), "two is not affected any more");

        let no_picker = typed("", "", "", None);
        assert_eq!(made.mend(no_picker, &now), typed("", "", "major", None));
    }

    #[test]
    fn what_somebody_else_took_away_does_not_come_back() {
        let made = was("investigating", "It fails", "minor", &[pick(1, MajorOutage), pick(2, MajorOutage)]);
        let now = was("investigating", "It fails", "", &[]);
        let sent = typed("investigating", "It fails", "minor", Some(&[pick(1, MajorOutage), pick(2, PartialOutage)]));
        assert_eq!(made.mend(sent, &now), typed("investigating", "It fails", "", Some(&[pick(2, PartialOutage)])));
    }

    #[test]
    fn it_reads_what_it_wrote() {
        let whole = was("monitoring", "50 % of \"all\" + <b>&amp; ünïcode</b>", "minor", &[pick(7, MajorOutage), pick(1, None)]);
        assert_eq!(Was::read(&whole.text()), Some(whole));
        let largest = was("investigating", &"𝄞".repeat(200), "critical", &vec![pick(u128::MAX, DegradedPerformance); 500]);
        assert!(largest.text().len() <= WAS_MAX, "{}", largest.text().len());
        assert_eq!(Was::read(&largest.text()), Some(largest));
    }

    #[test]
    fn what_it_did_not_write_is_nothing() {
        let long = "status=investigating&title=".to_owned() + &"x".repeat(WAS_MAX);
        for text in ["", "x", "told=all", "affected-svc_1=mentioned", "affected-=", "status=identified&affected-x=mentioned", &long] {
            assert_eq!(Was::read(text), None, "{}", &text[..text.len().min(50)]);
        }
        let id = Id::<Service>::from_u128(1);
        for word in ["", "under_maintenance", "%FF"] {
            assert_eq!(Was::read(&format!("affected-{id}={word}")), None, "{word}");
        }
    }
}
