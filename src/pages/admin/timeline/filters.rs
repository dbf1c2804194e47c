//! Which entries: the filters as they stand in the address.

use form_urlencoded::Serializer;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use poem::Request;

use super::words;
use crate::clock::Timestamp;
use crate::domain::service::Service;
use crate::domain::timeline::Filter;
use crate::error::{Check, Error, FieldError, Result};
use crate::event::EventType;
use crate::id::Id;
use crate::pages::admin::desk::query;
use crate::pages::form::{Choice, Field, Form};

/// The nouns of the event types, and the choice of all that happened to them.
const NOUNS: [(&str, &str); 7] = [
    ("incident", "All about incidents"),
    ("service", "All about services"),
    ("group", "All about groups"),
    ("member", "All about people"),
    ("invitation", "All about revoked and expired invitations"),
    ("page", "All about the public page"),
    ("organization", "All about the organization"),
];

/// The filters as they were written; what is empty lets all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filters {
    pub(super) kind: String,
    pub(super) actor: String,
    pub(super) subject: String,
    pub(super) service: String,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) before: String,
}

/// What they ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    /// The timeline of this service rather than of all.
    pub(super) service: Option<Id<Service>>,
    /// Entries with lower numbers than this.
    pub(super) before: Option<u64>,
}

impl Filters {
    pub(super) fn of(request: &Request) -> Self {
        let written = |name| query(request, name);
        Self {
            kind: written("type"),
            actor: written("actor"),
            subject: written("subject"),
            service: written("service"),
            since: written("since"),
            until: written("until"),
            before: written("before"),
        }
    }

    /// # Errors
    /// `Invalid` naming each that can't be understood: an empty list would hide a slip.
    pub(super) fn parse(&self) -> Result<Asked> {
        let mut check = Check::new();
        let known_kind = |text: &str| kinds().any(|kind| kind.value == text).then(|| text.to_owned());
        let kind = check.take(given("type", &self.kind, "must be one of the list", known_kind))?.flatten();
        let actor = check.take(given("actor", &self.actor, "must be a person's id, or system", plain))?.flatten();
        let subject = check.take(given("subject", &self.subject, "must be an id", plain))?.flatten();
        let service = check.take(given("service", &self.service, "must be a service's id", |text| text.parse().ok()))?.flatten();
        let since = check.take(given("since", &self.since, "must be a date such as 2026-03-01", day))?.flatten();
        // The last day belongs to it.
        let end = |text: &str| day(text).and_then(|date| date.tomorrow().ok());
        let until = check.take(given("until", &self.until, "must be a date such as 2026-03-31", end))?.flatten();
        let before = check.take(given("before", &self.before, "must be an entry's number", |text| text.parse().ok()))?.flatten();
        check.done()?;
        let filter = Filter { kind, actor, subject, since: since.and_then(midnight), until: until.and_then(midnight) };
        Ok(Asked { filter, service, before })
    }

    /// The query of an address with these filters, from the newest entry on; empty without any.
    pub(super) fn query(&self) -> String {
        self.query_before(None)
    }

    /// The same, of the page with the entries before this number.
    pub(super) fn query_before(&self, before: Option<u64>) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in self.pairs().into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("type", &self.kind),
            ("actor", &self.actor),
            ("subject", &self.subject),
            ("service", &self.service),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// Whether anything is left out.
    pub(super) fn is_any(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }

    /// Whether this is a page behind the first.
    pub(super) fn is_later(&self) -> bool {
        !self.before.is_empty()
    }

    /// The form that people fill in, with what is wrong with it.
    pub(super) fn form(&self, errors: &[FieldError]) -> Form {
        let choices = std::iter::once(Choice::new("", "Everything")).chain(kinds()).collect();
        let fields = vec![
            Field::select("type", "What", choices).holding(&self.kind).optional(),
            Field::line("since", "From", "date", "off").holding(&self.since).optional(),
            Field::line("until", "To", "date", "off").holding(&self.until).optional(),
        ];
        Form::new(fields, errors)
    }
}

fn kinds() -> impl Iterator<Item = Choice> {
    NOUNS.into_iter().flat_map(|(noun, all)| {
        let own = EventType::ALL.iter().filter(move |kind| kind.as_str().split('.').next() == Some(noun));
        std::iter::once(Choice::new(noun, all)).chain(own.map(|kind| Choice::new(kind.as_str(), words::label(*kind))))
    })
}

fn given<T>(field: &str, text: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| Error::invalid(field, expected))
}

/// What an id, or a kind of actor, is made of.
fn plain(text: &str) -> Option<String> {
    let is_plain = text.len() <= 50 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_plain.then(|| text.to_owned())
}

fn day(text: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", text).ok()
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|at| Timestamp::from_millis(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(query: &str) -> Filters {
        Filters::of(&Request::builder().uri_str(format!("/o/acme/timeline?{query}")).finish())
    }

    fn wrong(query: &str) -> Vec<String> {
        match filters(query).parse() {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn days_are_whole_ones_in_utc() {
        let asked = filters("since=2026-02-28&until=2026-02-28").parse().unwrap();
        assert_eq!(asked.filter.since, Some("2026-02-28T00:00:00Z".parse().unwrap()));
        assert_eq!(asked.filter.until, Some("2026-03-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_empty_lets_all_pass_and_what_is_wrong_is_named() {
        let asked = filters("type=&since=&before=&unknown=x").parse().unwrap();
        assert_eq!((asked.filter.kind, asked.filter.since, asked.before), (None, None, None));
        assert_eq!(wrong("type=incid&since=yesterday&until=2026-02-30&before=x"), ["type", "since", "until", "before"]);
        assert_eq!(wrong("actor=%22%3E&subject=a/b&service=svc_1"), ["actor", "subject", "service"]);
    }

    #[test]
    fn an_address_keeps_the_filters() {
        let all = filters("type=incident.opened&actor=usr_1&since=2026-02-28&before=7");
        assert_eq!(all.query(), "?type=incident.opened&actor=usr_1&since=2026-02-28");
        assert_eq!(all.query_before(Some(7)), "?type=incident.opened&actor=usr_1&since=2026-02-28&before=7");
        assert_eq!(filters(&all.query_before(Some(7))[1..]), all);
        assert_eq!(filters("").query(), "");
        assert!(all.is_any() && all.is_later() && !filters("before=7").is_any() && !filters("type=incident").is_later());
        assert!(!filters("subject=%22%3E%26").query().contains(['"', '>', ' ']), "whatever was written");
    }

    #[test]
    fn every_kind_can_be_chosen_and_every_choice_is_understood() {
        let choices: Vec<_> = kinds().collect();
        assert_eq!(choices.len(), EventType::ALL.len() + NOUNS.len());
        for choice in choices {
            assert!(filters(&format!("type={}", choice.value)).parse().is_ok(), "{}", choice.value);
        }
    }

    #[test]
    fn the_form_says_what_is_wrong_at_the_field() {
        let errors = [FieldError { field: "since".into(), message: "must be a date".into() }];
        let form = filters("since=x&type=group").form(&errors);
        assert_eq!(form.field("since").unwrap().error.as_deref(), Some("From must be a date"));
        assert_eq!(form.field("type").unwrap().value, "group");
    }
}
