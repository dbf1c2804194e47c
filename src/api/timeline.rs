//! The timeline, newest first.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use serde::{Deserialize, Serialize};

use super::Tag;
use super::answer::{Answer, Listed, Reading};
use super::caller::{self, Me};
use super::dto::TimelineEntry;
use super::paging::{self, Limit, Listing};
use super::query::Query;
use crate::access::Read;
use crate::clock::Timestamp;
use crate::domain::organization::OrgId;
use crate::domain::service::Service;
use crate::domain::timeline::{self, Filter};
use crate::error::{Error, Result};
use crate::event::EventType;
use crate::id::Id;
use crate::store::OrgView;

/// A place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    /// Go on with numbers less than this.
    #[serde(rename = "b")]
    seq: u64,
}

/// Which entries, of which page.
struct Asked {
    filter: Filter,
    limit: usize,
    before: Option<u64>,
}

/// The timeline.
pub(super) struct Timeline;

#[OpenApi(tag = "Tag::Timeline")]
impl Timeline {
    /// Everything that happened to an organization, newest first.
    #[oai(path = "/timeline/organization/:org_id", method = "get", operation_id = "organization_timeline")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the document")]
    async fn organization_timeline(
        &self,
        me: Me,
        /// The organization's id.
        org_id: Path<String>,
        /// A type such as `incident.opened`, or its first half.
        r#type: Query<String>,
        /// An actor's id, or `system`.
        actor: Query<String>,
        /// A subject's id.
        subject: Query<String>,
        /// Not before then.
        since: Query<Timestamp>,
        /// Before then.
        until: Query<Timestamp>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<TimelineEntry>, Reading> {
        let org: OrgId = caller::id(&org_id)?;
        let filter = Filter { kind: kind(r#type)?, actor: actor.0, subject: subject.0, since: since.0, until: until.0 };
        Ok(Listed(read(&me, org, None, Asked::new(filter, limit, &cursor)?).await?))
    }

    /// Everything that happened to a service, newest first; also after it was deleted.
    #[oai(path = "/timeline/service/:service_id", method = "get", operation_id = "service_timeline")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the document")]
    async fn service_timeline(
        &self,
        me: Me,
        /// The service's id.
        service_id: Path<String>,
        /// A type such as `incident.opened`, or its first half.
        r#type: Query<String>,
        /// An actor's id, or `system`.
        actor: Query<String>,
        /// A subject's id.
        subject: Query<String>,
        /// Not before then.
        since: Query<Timestamp>,
        /// Before then.
        until: Query<Timestamp>,
        /// How many at most.
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<String>,
    ) -> Answer<Listed<TimelineEntry>, Reading> {
        let service: Id<Service> = caller::id(&service_id)?;
        let org = me.org_of(service).await?;
        let filter = Filter { kind: kind(r#type)?, actor: actor.0, subject: subject.0, since: since.0, until: until.0 };
        Ok(Listed(read(&me, org, Some(service), Asked::new(filter, limit, &cursor)?).await?))
    }
}

impl Asked {
    fn new(filter: Filter, limit: Query<Limit>, cursor: &Query<String>) -> Result<Self> {
        let before = cursor.text().map(paging::open::<Before>).transpose()?.map(|before| before.seq);
        Ok(Self { filter, limit: limit.limit(), before })
    }
}

/// A type that nothing can have is a slip: an empty page would hide it.
fn kind(asked: Query<String>) -> Result<Option<String>> {
    let known = |word: &str| EventType::ALL.iter().any(|kind| kind.as_str() == word || kind.as_str().split('.').next() == Some(word));
    match asked.0 {
        Some(word) if !known(&word) => Err(Error::invalid("type", "must be an event type such as incident.opened, or its first half")),
        asked => Ok(asked),
    }
}

async fn read(me: &Me, org: OrgId, service: Option<Id<Service>>, asked: Asked) -> Result<Listing<TimelineEntry>> {
    let entries = me
        .app
        .read(me.actor(), org, move |view: &OrgView<'_, Read>| timeline::read(view, service, &asked.filter, asked.before, asked.limit));
    let entries = entries.await?;
    let epoch = me.app.epoch();
    Ok(Listing {
        data: entries.items.into_iter().map(|entry| TimelineEntry::of(epoch, entry)).collect::<Result<_>>()?,
        next_cursor: entries.next_before.map(|seq| paging::seal(&Before { seq })).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_known_one_or_its_noun() {
        for good in ["incident.opened", "incident", "service.status_changed", "organization"] {
            assert_eq!(kind(Query(Some(good.to_owned()))), Ok(Some(good.to_owned())));
        }
        for bad in ["incident.", "inc", "opened", "service.exploded"] {
            assert!(kind(Query(Some(bad.to_owned()))).is_err(), "{bad}");
        }
        assert_eq!(kind(Query(None)), Ok(None));
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let sealed = paging::seal(&Before { seq: 42 }).unwrap();
        assert_eq!(paging::open::<Before>(&sealed).unwrap().seq, 42);
    }
}
