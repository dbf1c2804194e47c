//! Which services an incident touches, and how badly: a row for each that is chosen, a few more, and a field to find the others by name.
//!
//! It works for a thousand services and without script: what is chosen comes first and stays, whatever is looked for next.

use std::collections::HashSet;

use crate::access::Permission;
use crate::domain::incident::Affected;
use crate::domain::naming;
use crate::domain::service::Service;
use crate::domain::status::ServiceStatus;
use crate::error::{Error, FieldError, Result};
use crate::id::Id;
use crate::pages::answer::Refused;
use crate::pages::fields::Fields;
use crate::store::{OrgView, Reads};

/// What the names of the rows' fields begin with; a service's id follows.
pub(super) const PREFIX: &str = "affected-";
/// How many services are offered beside those that are chosen.
const OFFERED: usize = 30;
/// How many chosen ones are shown again; more are refused anyway.
const CHOSEN_MAX: usize = 500;
const MENTIONED: &str = "mentioned";
/// What may be said of a service, the worst first, as a responder looks for it.
const WORDS: [(&str, &str); 6] = [
    ("", "Not affected"),
    ("major_outage", "Major outage"),
    ("partial_outage", "Partial outage"),
    ("degraded_performance", "Degraded performance"),
    ("operational", "Operational"),
    (MENTIONED, "Only mentioned"),
];

/// The fields of a picker; others may stand in the same form.
pub(super) const FIELDS: [&str; 3] = ["picker", "find", "affected-*"];

/// What `parts/picker.html` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Picker {
    /// Those chosen, then others.
    pub(super) rows: Vec<Row>,
    /// What is looked for.
    pub(super) find: String,
    /// Whether there are others that match.
    pub(super) more: bool,
    /// Whether others may match that were not looked at: those that have it within a word alone.
    pub(super) is_cut: bool,
    /// Whether none was found of what is looked for; those chosen are shown nevertheless.
    pub(super) found_none: bool,
    /// Whether the organization has any service.
    pub(super) any: bool,
}

/// A service to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    /// `Private`, `Deleted`.
    pub(super) note: Option<&'static str>,
    word: &'static str,
}

/// What may be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) is_chosen: bool,
}

impl Picker {
    /// The rows for these choices and what is looked for; `known` is what the incident touches already, deleted services included.
    pub(super) fn read<P: Permission>(view: &OrgView<'_, P>, known: &[Affected], chosen: &[Affected], find: &str) -> Result<Self> {
        let mut picker = Self { find: find.to_owned(), ..Self::default() };
        let mut shown = HashSet::new();
        for pick in chosen.iter().take(CHOSEN_MAX) {
            let Some(service) = view.find(pick.service_id)? else { continue };
            let is_there = service.deleted_at.is_none() || known.iter().any(|known| known.service_id == service.id);
            if is_there && shown.insert(service.id) {
                picker.rows.push(Row::of(service, word(pick)));
            }
        }
        picker.any = !picker.rows.is_empty();
        picker.offer(view, &shown)?;
        Ok(picker)
    }

    /// Those that are looked for, or the first of all; never more than are shown, however many there are.
    fn offer<P: Permission>(&mut self, view: &OrgView<'_, P>, shown: &HashSet<Id<Service>>) -> Result<()> {
        let wanted = self.find.trim().to_lowercase();
        let first = Service::BY_POSITION.of(());
        let most = OFFERED + shown.len();
        let (found, more) = if wanted.is_empty() {
            let page = view.scan(first.limit(most))?;
            (page.items, page.next.is_some())
        } else {
            self.any = self.any || view.count(Service::BY_POSITION.of(()).limit(1))? > 0;
            let named = naming::find(view, &Service::NAMES, first, &wanted, most)?;
            self.is_cut = named.is_cut;
            self.found_none = named.found.is_empty();
            (named.found, named.more > 0)
        };
        self.any = self.any || !found.is_empty();
        let others: Vec<Service> = found.into_iter().filter(|service| !shown.contains(&service.id)).collect();
        self.more = more || others.len() > OFFERED;
        self.rows.extend(others.into_iter().take(OFFERED).map(|service| Row::of(service, "")));
        Ok(())
    }
}

impl Row {
    fn of(service: Service, word: &'static str) -> Self {
        let note = match (service.deleted_at, service.is_public()) {
            (Some(_), _) => Some("Deleted"),
            (None, false) => Some("Private"),
            (None, true) => None,
        };
        Self { id: service.id.to_string(), name: service.name, note, word }
    }

    pub(super) fn choices(&self) -> [Choice; 6] {
        WORDS.map(|(value, label)| Choice { value, label, is_chosen: value == self.word })
    }
}

/// The services that are chosen, as far as they can be read; `None` where the form has no picker, so that what it does not show stays.
pub(super) fn picks(fields: &Fields) -> Option<Vec<Affected>> {
    fields.has("picker").then(|| fields.starting(PREFIX).filter_map(|(id, word)| parse(id, word).ok().flatten()).collect())
}

/// Refuses what no row of a picker sends.
///
/// # Errors
/// `Invalid`.
pub(super) fn check(fields: &Fields) -> Result<()> {
    match fields.starting(PREFIX).find_map(|(id, word)| parse(id, word).err()) {
        Some(message) => Err(Error::invalid("", message)),
        None => Ok(()),
    }
}

/// What a row says of a service; nothing if that it is not affected.
pub(super) fn parse(id: &str, word: &str) -> Result<Option<Affected>, &'static str> {
    let service_id: Id<Service> = id.parse().map_err(|_| "One of the affected services is none of this organization.")?;
    let status = match word {
        "" => return Ok(None),
        MENTIONED => None,
        word => {
            let status = ServiceStatus::parse(word).filter(|status| status.from_incident());
            Some(status.ok_or("An affected service must have one of the statuses of the list.")?)
        }
    };
    Ok(Some(Affected { service_id, status }))
}

/// What a row sends that says this.
pub(super) fn word(affected: &Affected) -> &'static str {
    affected.status.map_or(MENTIONED, ServiceStatus::as_str)
}

/// The choices in the order in which the incident has them, so that only a real change looks like one.
pub(super) fn ordered(known: &[Affected], mut chosen: Vec<Affected>) -> Vec<Affected> {
    let place = |pick: &Affected| known.iter().position(|known| known.service_id == pick.service_id).unwrap_or(known.len());
    chosen.sort_by_cached_key(place);
    chosen
}

/// How a form with a picker says why it was refused.
///
/// # Errors
/// As [`Refused::by`].
pub(super) fn refused(error: Error) -> Result<Refused> {
    let refused = Refused::by(error)?;
    Ok(Refused { errors: in_words(refused.errors), ..refused })
}

/// What is wrong, for people: nobody knows the third affected service by its number.
fn in_words(errors: Vec<FieldError>) -> Vec<FieldError> {
    let gone = "A service that you chose is gone by now. Look at the affected services, then send this again.";
    let mut told = Vec::new();
    for error in errors {
        let message = match error.field.as_str() {
            "affected" => format!("The affected services {}.", error.message),
            field if field.starts_with("affected[") => gone.to_owned(),
            _ => {
                told.push(error);
                continue;
            }
        };
        let error = FieldError { field: String::new(), message };
        if !told.contains(&error) {
            told.push(error);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::Visibility;
    use crate::domain::status::ServiceStatus::{DegradedPerformance, MajorOutage, Operational};
    use crate::domain::testing::TestOrg;

    fn names(picker: &Picker) -> Vec<&str> {
        picker.rows.iter().map(|row| row.name.as_str()).collect()
    }

    fn word(row: &Row) -> &'static str {
        row.choices().into_iter().find(|choice| choice.is_chosen).unwrap().value
    }

    #[test]
    fn what_is_chosen_comes_first_and_stays_whatever_is_looked_for() {
        let mut org = TestOrg::new();
        let ids: Vec<_> = (0..40).map(|number| org.service(&format!("Service {number}"), Visibility::Public, Operational)).collect();
        let chosen = vec![Affected { service_id: ids[39], status: Some(MajorOutage) }, Affected { service_id: ids[7], status: None }];

        let picks = chosen.clone();
        let all = org.read(move |view| Picker::read(view, &[], &picks, ""));
        assert_eq!(names(&all)[..4], ["Service 39", "Service 7", "Service 0", "Service 1"]);
        assert_eq!((all.rows.len(), all.more, all.any), (2 + OFFERED, true, true));
        assert_eq!((word(&all.rows[0]), word(&all.rows[1]), word(&all.rows[2])), ("major_outage", "mentioned", ""));

        let picks = chosen.clone();
        let found = org.read(move |view| Picker::read(view, &[], &picks, " SERVICE 38 "));
        assert_eq!(names(&found), ["Service 39", "Service 7", "Service 38"]);
        assert!(!found.more && !found.is_cut && !found.found_none);
        let found = org.read(move |view| Picker::read(view, &[], &chosen, "nothing like it"));
        assert_eq!(names(&found), ["Service 39", "Service 7"]);
        assert!(found.found_none && !found.is_cut, "all forty were looked at, also within their words");
    }

    #[test]
    fn many_services_are_looked_through_and_not_shown() {
        let mut org = TestOrg::new();
        for number in 0..250 {
            org.service(&format!("Service {number}"), Visibility::Private, Operational);
        }
        let all = org.read(|view| Picker::read(view, &[], &[], ""));
        assert_eq!((all.rows.len(), all.more, all.rows[0].note), (OFFERED, true, Some("Private")));
        assert_eq!(names(&org.read(|view| Picker::read(view, &[], &[], "service 249"))), ["Service 249"]);
        let none = org.read(|view| Picker::read(view, &[], &[], "nothing like it"));
        assert!(none.rows.is_empty() && none.any && !none.more && none.found_none && none.is_cut);
        let within = org.read(|view| Picker::read(view, &[], &[], "ervice 249"));
        assert!(within.found_none && within.is_cut, "who types the middle of a word must hear that not all were looked at");
        assert!(!TestOrg::new().read(|view| Picker::read(view, &[], &[], "")).any);
    }

    #[test]
    fn rows_are_read_strictly() {
        let id = "svc_000000000000000000000000000000ab";
        let service_id = id.parse().unwrap();
        assert_eq!(parse(id, ""), Ok(None));
        assert_eq!(parse(id, "mentioned"), Ok(Some(Affected { service_id, status: None })));
        assert_eq!(parse(id, "degraded_performance"), Ok(Some(Affected { service_id, status: Some(DegradedPerformance) })));
        for (id, word) in [(id, "under_maintenance"), (id, "unknown"), (id, "x"), ("svc_1", "mentioned"), ("", "")] {
            assert!(parse(id, word).is_err(), "{id} {word}");
        }
    }

    #[test]
    fn the_order_of_the_incident_is_kept() {
        let pick = |number| Affected { service_id: Id::from_u128(number), status: None };
        assert_eq!(ordered(&[pick(3), pick(1)], vec![pick(9), pick(1), pick(5), pick(3)]), [pick(3), pick(1), pick(9), pick(5)]);
    }

    #[test]
    fn what_is_wrong_is_said_once_and_without_numbers() {
        let wrong = |field: &str| FieldError { field: field.into(), message: "must be right".into() };
        let told = in_words(vec![wrong("title"), wrong("affected[0].service_id"), wrong("affected[3].service_id"), wrong("affected")]);
        let fields: Vec<_> = told.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["title", "", ""]);
        assert_eq!(told[2].message, "The affected services must be right.");
    }
}
