//! From the log to the rooms: the one task that announces what is durable, in the order in which it became so.

use tokio::sync::mpsc::UnboundedReceiver;

use super::frame::Frame;
use super::hub::{Closed, Hub, Room};
use super::protocol::EventId;
use crate::id::Id;
use crate::store::{Committed, LogEntry, LogKind, Signal};

/// Announces what the store commits until the store closes.
///
/// The pages in memory have heard of a commit by then, on the writer's thread: whoever asks for a page because of an event gets one that shows it.
pub async fn follow(mut news: UnboundedReceiver<Committed>, hub: Hub, epoch: String) {
    while let Some(committed) = news.recv().await {
        // Before the entries: a commit holds the changes of many callers, and a closed session must not hear of those that came after its end.
        for signal in &committed.signals {
            match signal {
                Signal::SessionEnded(session) => hub.close_session(*session, Closed::SessionEnded),
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
            let org = Id::from_uuid(org);
            to(Room::Org(org));
            for service in entry.services() {
                to(Room::Service(org, Id::from_uuid(*service)));
            }
        }
        LogKind::Page(page) => to(Room::Page(Id::from_uuid(page))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;

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
    async fn a_session_that_ended_hears_nothing_of_the_same_commit() {
        let hub = Hub::new();
        let session = Id::from_u128(5);
        let (mut connection, receiver) = hub.connect(Some(session));
        connection.join(Room::Org(Id::from_u128(1)));
        let (send, news) = mpsc::unbounded_channel();
        send.send(Committed { entries: vec![entry(1, &[])], signals: vec![Signal::SessionEnded(session)] }).unwrap();
        drop(send);
        follow(news, hub, "e".into()).await;
        assert_eq!(receiver.recv().await.map(|frame| frame.seq()), Err(Closed::SessionEnded));
    }
}
