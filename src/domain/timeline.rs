//! The timeline: the organization's log, read newest first.

use std::time::Duration;

use serde_json::Value;

use super::service::Service;
use crate::access::Permission;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::{LogRange, OrgView, Reads};

/// How many entries one page looks at for a filter that few of them pass; beyond it the page ends early, with a cursor.
const LOOKED_AT: usize = 5_000;
const CHUNK: usize = 200;

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
        self.since.zip(at).is_some_and(|(since, at)| at.plus(Duration::from_secs(60)) < since)
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
    let mut before = before.unwrap_or(u64::MAX);
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        let chunk = view.log(service.map(Id::uuid), LogRange { after: 0, before, newest: true, limit: CHUNK })?;
        let read = chunk.len();
        for (seq, json) in chunk {
            let event: Value = serde_json::from_slice(&json).map_err(Error::internal)?;
            before = seq;
            if filter.is_before(&event) {
                return Ok(Entries { items, next_before: None });
            }
            if filter.passes(&event) {
                items.push(Entry { seq, event });
                if items.len() > limit {
                    // One more than asked for was found: there is a next page, and it starts with this one.
                    items.pop();
                    let next_before = items.last().map(|last| last.seq);
                    return Ok(Entries { items, next_before });
                }
            }
        }
        looked_at += read;
        if read < CHUNK {
            return Ok(Entries { items, next_before: None });
        }
        if looked_at >= LOOKED_AT {
            return Ok(Entries { items, next_before: Some(before) });
        }
    }
}
