//! The timeline: the organization's log, read newest first.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::service::Service;
use crate::access::Permission;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::{Listed, LogKind, LogRange, OrgView, Reads};

/// How many entries that do not pass one page looks at, at most; beyond it the page ends early, with a cursor.
const LOOKED_AT: usize = 1_000;
const CHUNK: usize = 200;
/// How far the clock may have been set back for times to be found in the log nevertheless.
const SLACK: Duration = Duration::from_secs(60);

/// Which entries; what is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A type such as `incident.opened`, or the noun alone, `incident`.
    pub kind: Option<String>,
    /// The actor's id, or `system`.
    pub actor: Option<String>,
    /// The subject's id.
    pub subject: Option<String>,
    /// Not before then.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether this entry, and so every older one, is from before what is asked for; with a minute for clocks that were set.
    fn is_before(&self, entry: &Value) -> bool {
        let at = entry["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        self.since.zip(at).is_some_and(|(since, at)| at.plus(SLACK) < since)
    }

    /// The lists that name every entry that passes, as far as there are such.
    fn lists(&self, service: Option<Id<Service>>) -> Vec<Uuid> {
        let own = [("kind", &self.kind), ("actor", &self.actor), ("subject", &self.subject)];
        let own = own.into_iter().filter_map(|(what, word)| Some(list(what, word.as_ref()?)));
        service.map(Id::uuid).into_iter().chain(own).collect()
    }

    fn passes(&self, entry: &Value) -> bool {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let at = || text("/at").parse::<Timestamp>().ok();
        let is_kind = |wanted: &String| {
            text("/type") == wanted || text("/type").strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        self.kind.as_ref().is_none_or(is_kind)
            && self.actor.as_ref().is_none_or(|actor| text("/actor/id") == actor || text("/actor/kind") == actor)
            && self.subject.as_ref().is_none_or(|subject| text("/subject/id") == subject)
            && self.since.is_none_or(|since| at().is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| at().is_some_and(|at| at < until))
    }
}

/// What of an event decides in which lists it stands.
#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    actor: ListedActor,
    subject: ListedSubject,
}

#[derive(Deserialize)]
struct ListedActor {
    kind: String,
    id: Option<String>,
}

#[derive(Deserialize)]
struct ListedSubject {
    id: String,
}

/// The lists of an organization's log that name this event: those of its type and its noun, of its actor, and of its subject. Lists have ids
/// beside those of services, which stand for a service's own timeline.
///
/// What is no event of an organization stands in none.
pub(crate) fn lists(event: &[u8]) -> Vec<Uuid> {
    let Ok(Listing { kind, actor, subject }) = serde_json::from_slice(event) else { return Vec::new() };
    let noun = kind.split('.').next().unwrap_or(kind);
    let mut lists = vec![list("kind", kind), list("kind", noun), list("actor", &actor.kind), list("subject", &subject.id)];
    lists.extend(actor.id.map(|id| list("actor", &id)));
    lists
}

/// The id of a list. A digest, so that it is as long as a service's id, and stands where those stand.
fn list(what: &str, word: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(format!("{what} {word}")).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(id)
}

/// A numbered event as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number in the organization's log.
    pub seq: u64,
    /// The event.
    pub event: Value,
}

/// Some entries, newest first, and before which number to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries {
    /// Newest first.
    pub items: Vec<Entry>,
    /// `None` at the end.
    pub next_before: Option<u64>,
}

/// Reads the timeline of the organization, or of one of its services, deleted ones included.
///
/// # Errors
/// `NotFound` when the organization never had the service.
pub fn read<P: Permission>(
    view: &OrgView<'_, P>,
    service: Option<Id<Service>>,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<Entries> {
    if let Some(service) = service {
        view.get(service)?;
    }
    let lists = filter.lists(service);
    let mut before = before.unwrap_or(u64::MAX);
    if let Some(until) = filter.until {
        before = before.min(first_since(view, until.plus(SLACK))?);
    }
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        // One more than asked for says whether there is a next page.
        let size = limit.saturating_add(1).min(CHUNK);
        let (chunk, next) = part(view, &lists, before, size)?;
        let is_short = chunk.len() < size;
        for (seq, json) in chunk {
            let event: Value = serde_json::from_slice(&json).map_err(Error::internal)?;
            if filter.is_before(&event) {
                return Ok(Entries { items, next_before: None });
            }
            if filter.passes(&event) {
                items.push(Entry { seq, event });
                if items.len() > limit {
                    items.pop();
                    let next_before = items.last().map(|last| last.seq);
                    return Ok(Entries { items, next_before });
                }
            } else {
                looked_at += 1;
            }
        }
        let Some(next) = next else { return Ok(Entries { items, next_before: None }) };
        before = next;
        // A short part that is not the last: several lists that have little in common were walked for long already.
        if looked_at >= LOOKED_AT || is_short {
            return Ok(Entries { items, next_before: Some(before) });
        }
    }
}

/// Some entries that stand in each of the lists, and below which number to go on.
fn part<P: Permission>(view: &OrgView<'_, P>, lists: &[Uuid], before: u64, limit: usize) -> Result<Listed> {
    if !lists.is_empty() {
        return view.common_log(lists, before, limit);
    }
    let entries = view.log(None, LogRange { after: 0, before, newest: true, limit })?;
    let next = entries.last().map(|(seq, _)| *seq).filter(|_| entries.len() == limit);
    Ok((entries, next))
}

/// The number of the first entry that is not from before then: numbers and times grow together, so that it is found in a few looks.
fn first_since<P: Permission>(view: &OrgView<'_, P>, then: Timestamp) -> Result<u64> {
    let (mut low, mut high) = (1, view.head(LogKind::Org(view.org().uuid()))?.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = view.log(None, LogRange { after: middle - 1, before: middle + 1, newest: false, limit: 1 })?.pop();
        let event = entry.map(|(_, json)| serde_json::from_slice::<Value>(&json).map_err(Error::internal)).transpose()?;
        let at = event.and_then(|event| event["at"].as_str()?.parse::<Timestamp>().ok());
        if at.is_some_and(|at| at >= then) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::ServiceStatus::{MajorOutage, Operational};
    use crate::domain::testing::TestOrg;

    /// Every number that passes, page by page, and how many pages that took.
    fn walk(org: &TestOrg, service: Option<Id<Service>>, filter: &Filter, limit: usize) -> (Vec<u64>, usize) {
        let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let asked = filter.clone();
            let page = org.read(move |view| read(view, service, &asked, before, limit));
            assert!(page.items.len() <= limit, "{filter:?}");
            seen.extend(page.items.iter().map(|entry| entry.seq));
            pages += 1;
            before = page.next_before;
            if before.is_none() {
                return (seen, pages);
            }
        }
    }

    #[test]
    fn the_lists_find_what_looking_at_everything_finds() {
        let mut org = TestOrg::new().with_service("API", Operational).with_service("Web", Operational);
        let (api, web) = (org.named("API"), org.named("Web"));
        let mut incidents = Vec::new();
        for number in 0..20 {
            org.advance(Duration::from_secs(3_600));
            let service = if number % 3 == 0 { "API" } else { "Web" };
            let id = org.open(&format!("Incident {number}"), [(service, MajorOutage)]);
            incidents.push(id);
            if number % 2 == 0 {
                org.resolve(id);
            }
        }
        let now = org.now();
        let all = org.read(|view| read(view, None, &Filter::default(), None, 1_000)).items;
        let kinds = [None, Some("incident"), Some("incident.resolved"), Some("service"), Some("group"), Some("incid")];
        let subjects = [None, Some(incidents[4].to_string()), Some(api.to_string()), Some("inc_0".to_owned())];
        for kind in kinds {
            for subject in &subjects {
                for actor in [None, Some("system"), Some("usr_0")] {
                    for hours in [None, Some(5), Some(400)] {
                        let hours = hours.map(|hours| now.minus(Duration::from_secs(hours * 3_600)));
                        for (since, until) in [(hours, None), (None, hours)] {
                            let filter =
                                Filter { kind: kind.map(Into::into), actor: actor.map(Into::into), subject: subject.clone(), since, until };
                            let wanted: Vec<u64> = all.iter().filter(|entry| filter.passes(&entry.event)).map(|entry| entry.seq).collect();
                            for limit in [2, 100] {
                                assert_eq!(walk(&org, None, &filter, limit).0, wanted, "{filter:?} {limit}");
                            }
                        }
                    }
                }
            }
        }
        let resolved = Filter { kind: Some("incident.resolved".into()), ..Filter::default() };
        assert_eq!(walk(&org, Some(api), &resolved, 2).0.len() + walk(&org, Some(web), &resolved, 2).0.len(), 10);
    }

    #[test]
    fn what_is_rare_is_found_without_walking_through_what_is_not() {
        let mut org = TestOrg::new();
        let rare = org.open("The rare one", []);
        let common = org.open("The common one", []);
        for number in 0..250 {
            org.say(common, crate::domain::status::IncidentStatus::Monitoring, &format!("Still looking, {number}."));
        }
        let (seen, pages) = walk(&org, None, &Filter { subject: Some(rare.to_string()), ..Filter::default() }, 50);
        assert_eq!((seen.len(), pages), (1, 1));
        // Two lists that have nothing in common: one of them ends at once.
        let never = Filter { subject: Some(rare.to_string()), kind: Some("incident.updated".into()), ..Filter::default() };
        assert_eq!(walk(&org, None, &never, 50), (Vec::new(), 1));
    }

    #[test]
    fn what_is_no_event_stands_in_no_list() {
        for text in ["{}", "again", "[]", "1", r#"{"type":"service.updated","subject":{"id":"svc_1"}}"#] {
            assert!(lists(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
