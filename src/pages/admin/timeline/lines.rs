//! Entries of the timeline as pages list them.

use std::collections::HashMap;

use serde_json::Value;

use super::words::{self, Changed, Sentence};
use crate::clock::Timestamp;
use crate::domain::group::{self, Group};
use crate::domain::incident::{self, Incident};
use crate::domain::member;
use crate::domain::service::{self, Service};
use crate::domain::timeline::Entry;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::pages::when::When;
use crate::store::Reads;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) seq: u64,
    pub(crate) when: When,
    pub(crate) sentence: Sentence,
    /// The page of what it speaks of, below the organization's, while there is one.
    pub(crate) place: Option<String>,
    /// What changed, field by field.
    pub(crate) changes: Vec<Changed>,
    /// What the filter `actor` takes for the same person.
    pub(crate) actor: String,
    /// What the filter `subject` takes for the same thing.
    pub(crate) subject: String,
}

impl Line {
    /// The entry in words, with links to what is still there.
    ///
    /// # Errors
    /// What the store says; `Internal` for a stored event without a time.
    pub(crate) fn of(view: &impl Reads, entry: &Entry) -> Result<Self> {
        let event = &entry.event;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let at: Timestamp = text("/at").parse().map_err(Error::internal)?;
        let mut names = HashMap::new();
        for id in words::ids(event) {
            if let Some(name) = name_of(view, id)? {
                names.insert(id.to_owned(), name);
            }
        }
        let actor = match text("/actor/id") {
            "" => text("/actor/kind"),
            id => id,
        };
        let sentence = words::sentence(event);
        // A link needs words.
        let place = if sentence.subject.is_empty() { None } else { place_of(view, text("/subject/kind"), text("/subject/id"))? };
        Ok(Self {
            seq: entry.seq,
            when: at.into(),
            sentence,
            place,
            changes: words::changes(event, &names),
            actor: actor.to_owned(),
            subject: text("/subject/id").to_owned(),
        })
    }
}

fn place_of(view: &impl Reads, kind: &str, id: &str) -> Result<Option<String>> {
    let (pages, found) = match kind {
        "service" => ("services", id.parse::<Id<Service>>().ok().map(|id| service::live(view, id).map(drop))),
        "group" => ("groups", id.parse::<Id<Group>>().ok().map(|id| group::live(view, id).map(drop))),
        "incident" => ("incidents", id.parse::<Id<Incident>>().ok().map(|id| incident::live(view, id).map(drop))),
        // Invitations and settings have pages as well, but not for everyone who reads this.
        "member" => ("team/members", id.parse::<Id<User>>().ok().map(|id| view.get(member::id_of(id)).map(drop))),
        _ => return Ok(None),
    };
    match found {
        Some(Ok(())) => Ok(Some(format!("/{pages}/{id}"))),
        Some(Err(Error::NotFound)) | None => Ok(None),
        Some(Err(other)) => Err(other),
    }
}

/// What a service or a group is called, or was when it was deleted.
pub(super) fn name_of(view: &impl Reads, id: &str) -> Result<Option<String>> {
    if let Ok(id) = id.parse::<Id<Service>>() {
        return Ok(view.find(id)?.map(|service: Service| service.name));
    }
    match id.parse::<Id<Group>>() {
        Ok(id) => Ok(view.find(id)?.map(|group: Group| group.name)),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
impl Line {
    /// A line for rendering samples of pages: everything that people wrote in it is `each`.
    pub(crate) fn sample(seq: u64, each: &str) -> Self {
        Self {
            seq,
            when: Timestamp::from_millis(0).into(),
            sentence: Sentence { who: each.into(), did: "resolved the incident".into(), subject: each.into(), rest: String::new() },
            place: Some("/incidents/inc_00000000000000000000000000000001".into()),
            changes: vec![Changed { field: "Text".into(), before: each.into(), after: String::new() }],
            actor: "usr_00000000000000000000000000000001".into(),
            subject: "inc_00000000000000000000000000000001".into(),
        }
    }
}
