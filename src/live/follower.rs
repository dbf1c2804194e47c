//! From the log to the rooms: the one task that announces what is durable, in the order in which it became so.

use std::borrow::Cow;

use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::frame::Frame;
use super::hub::{Closed, Hub, Room};
use super::protocol::EventId;
use crate::domain::organization::OrgId;
use crate::domain::user::User;
use crate::event::EventType;
use crate::id::Id;
use crate::store::{Committed, LogEntry, LogKind, Signal};

/// Announces what the store commits until the store closes.
///
/// The pages in memory have heard of a commit by then, from the store: whoever asks for a page because of an event gets one that shows it.
pub async fn follow(mut news: UnboundedReceiver<Committed>, hub: Hub, epoch: String) {
    while let Some(committed) = news.recv().await {
        // Before the entries: a commit holds the changes of many callers, and a closed session must not hear of those that came after its end.
        for signal in &committed.signals {
            match signal {
                Signal::SessionEnded(session) => hub.close_session(*session, Closed::SessionEnded),
                Signal::OrganizationShut(org, pages) => hub.close_organization(*org, pages, Closed::AccessLost),
                Signal::Missed => hub.close_everyone_known(Closed::AccessLost),
            }
        }
        for entry in &committed.entries {
            announce(&hub, &epoch, entry);
            // A commit may hold more entries than a queue: those who keep up get their turn to empty theirs.
            tokio::task::yield_now().await;
        }
    }
}

fn announce(hub: &Hub, epoch: &str, entry: &LogEntry) {
    let to = |room| hub.publish(room, || Frame::event(room, EventId { epoch, seq: entry.seq() }, entry.json().clone()));
    match entry.log() {
        LogKind::Org(org) => {
            let org: OrgId = Id::from_uuid(org);
            // First: who is out must not hear that they are, nor what comes after. Whoever only has another role comes back and resumes.
            if let Some(head) = Head::of(entry.json()) {
                // Ids alone: names are what people make them.
                tracing::info!(organization = %org, seq = entry.seq(), kind = %head.kind, by = head.actor.id, of = head.subject.id, "who may what");
                if let Some(user) = head.whose_access_changed() {
                    hub.close_user(user, Closed::AccessLost);
                }
            }
            to(Room::Org(org));
            for service in entry.services() {
                to(Room::Service(org, Id::from_uuid(*service)));
            }
        }
        LogKind::Page(page) => to(Room::Page(Id::from_uuid(page))),
    }
}

/// An event about people, or about the organization itself, as the log tells of it. Whoever follows the log, wherever the change was made, does the
/// same about it.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    subject: Named,
    actor: Named,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

impl<'a> Head<'a> {
    fn of(json: &'a [u8]) -> Option<Self> {
        let head: Self = serde_json::from_slice(json).ok()?;
        ["member.", "invitation.", "organization."].iter().any(|about| head.kind.starts_with(about)).then_some(head)
    }

    /// Whose role it changes or takes away.
    fn whose_access_changed(&self) -> Option<Id<User>> {
        let is_change = [EventType::MemberRoleChanged, EventType::MemberRemoved].iter().any(|kind| kind.as_str() == self.kind);
        is_change.then(|| self.subject.id.as_deref()?.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::live::hub::Identity;

    fn entry(seq: u64, services: &[u128]) -> LogEntry {
        LogEntry::org(Uuid::from_u128(1), seq, b"{}".to_vec(), services.iter().map(|id| Uuid::from_u128(*id)).collect())
    }

    #[tokio::test]
    async fn entries_reach_their_rooms_in_order() {
        let hub = Hub::new();
        let org = Id::from_u128(1);
        let (mut connection, receiver) = hub.connect(None);
        connection.join(Room::Org(org));
        connection.join(Room::Service(org, Id::from_u128(8)));
        let (send, news) = mpsc::unbounded_channel();
        send.send(Committed { entries: vec![entry(1, &[8]), entry(2, &[9])], signals: Vec::new() }).unwrap();
        send.send(Committed { entries: vec![entry(3, &[])], signals: Vec::new() }).unwrap();
        drop(send);
        follow(news, hub, "e".into()).await;
        let heard: Vec<_> = std::iter::from_fn(|| receiver.try_recv()).map(|frame| (frame.room(), frame.seq())).collect();
        assert_eq!(heard, [(Room::Org(org), 1), (Room::Service(org, Id::from_u128(8)), 1), (Room::Org(org), 2), (Room::Org(org), 3)]);
    }

    #[tokio::test]
    async fn whose_role_changed_is_closed_before_the_others_hear_of_it() {
        let hub = Hub::new();
        let org: OrgId = Id::from_u128(1);
        let (removed, colleague): (Id<User>, Id<User>) = (Id::from_u128(6), Id::from_u128(7));
        let listen = |user: Id<User>| {
            let (mut connection, receiver) = hub.connect(Some(Identity { session: Id::from_uuid(user.uuid()), user }));
            connection.join(Room::Org(org));
            (connection, receiver)
        };
        let ((_a, theirs), (_b, others)) = (listen(removed), listen(colleague));
        let event = |kind: &str, of: String| {
            format!(r#"{{"type":"{kind}","subject":{{"kind":"member","id":"{of}","name":"Bo"}},"actor":{{"id":null}}}}"#)
        };
        let told = |seq, kind: &str, of: String| LogEntry::org(Uuid::from_u128(1), seq, event(kind, of).into_bytes(), Vec::new());
        let entries = vec![
            told(1, "member.joined", removed.to_string()),
            told(2, "member.removed", removed.to_string()),
            told(3, "service.created", colleague.to_string()),
        ];
        let (send, news) = mpsc::unbounded_channel();
        send.send(Committed { entries, signals: Vec::new() }).unwrap();
        drop(send);
        follow(news, hub.clone(), "e".into()).await;
        assert_eq!(theirs.recv().await.map(|frame| frame.seq()), Err(Closed::AccessLost));
        assert_eq!(std::iter::from_fn(|| others.try_recv()).map(|frame| frame.seq()).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_session_that_ended_hears_nothing_of_the_same_commit() {
        let hub = Hub::new();
        let session = Id::from_u128(5);
        let (mut connection, receiver) = hub.connect(Some(Identity { session, user: Id::from_u128(6) }));
        connection.join(Room::Org(Id::from_u128(1)));
        let (send, news) = mpsc::unbounded_channel();
        send.send(Committed { entries: vec![entry(1, &[])], signals: vec![Signal::SessionEnded(session)] }).unwrap();
        drop(send);
        follow(news, hub, "e".into()).await;
        assert_eq!(receiver.recv().await.map(|frame| frame.seq()), Err(Closed::SessionEnded));
    }
}
