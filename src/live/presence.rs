//! Who looks at which incident at this moment, so that two people on one see each other.
//!
//! Fleeting on purpose: known to this process alone, in no log, without numbers, and nothing to resume. Whoever comes is told the whole
//! list, and everyone there is told it again when it changes: differences would need numbers, and a way to ask for those that were missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::frame::Frame;
use super::hub::{Mailbox, lock};
use super::protocol::{NAMED_MAX, Person};
use crate::domain::incident::Incident;
use crate::domain::organization::OrgId;
use crate::id::Id;

/// What people look at: an incident of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) org: OrgId,
    pub(super) incident: Id<Incident>,
}

/// Everyone who looks at something. No larger than the connections that are open and the rooms they are in: one subject for each of the two.
///
/// A std `Mutex`, never held across an `.await`: for a look-up, one short list to encode, and a push into the queue of each who looks at the
/// same thing. For the pushes too, or an older list could reach somebody after a newer one. Queues are locked under it, and it is taken under
/// no other lock. One lock for everyone: members open and close pages by hand, and the crowds are on public pages, which have no presence.
#[derive(Default)]
pub(super) struct Presence(Mutex<HashMap<Subject, Vec<Seat>>>);

/// A person, who came before those in the seats that follow.
struct Seat {
    person: Person,
    /// The connections they look through; never empty.
    tabs: Vec<Arc<Mailbox>>,
}

impl Presence {
    /// A person looks through this connection. Tells everyone there if nobody knew, else the connection alone.
    pub(super) fn arrive(&self, subject: Subject, person: &Person, tab: &Arc<Mailbox>) {
        let mut looking = lock(&self.0);
        let seats = looking.entry(subject).or_default();
        match seats.iter_mut().find(|seat| seat.person.id == person.id) {
            Some(seat) => {
                if seat.tabs.iter().all(|open| open.number != tab.number) {
                    seat.tabs.push(tab.clone());
                }
                tab.push(&list(subject, seats));
            }
            None => {
                seats.push(Seat { person: person.clone(), tabs: vec![tab.clone()] });
                tell(subject, seats);
            }
        }
    }

    /// The connection with this number does not look any more. Tells those who stay if a person went with it.
    pub(super) fn depart(&self, subject: Subject, number: u64) {
        let mut looking = lock(&self.0);
        let Some(seats) = looking.get_mut(&subject) else { return };
        let people = seats.len();
        seats.retain_mut(|seat| {
            seat.tabs.retain(|tab| tab.number != number);
            !seat.tabs.is_empty()
        });
        if seats.is_empty() {
            looking.remove(&subject);
        } else if seats.len() < people {
            tell(subject, seats);
        }
    }

    /// Whether nobody looks at anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }
}

/// Tells everyone who is there.
fn tell(subject: Subject, seats: &[Seat]) {
    let frame = list(subject, seats);
    for tab in seats.iter().flat_map(|seat| &seat.tabs) {
        tab.push(&frame);
    }
}

/// Who is there, encoded once for all of them.
fn list(subject: Subject, seats: &[Seat]) -> Arc<Frame> {
    let named = seats.iter().take(NAMED_MAX).map(|seat| seat.person.clone()).collect();
    Arc::new(Frame::presence(subject, named, seats.len().saturating_sub(NAMED_MAX)))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::live::hub::QUEUE;
    use crate::live::protocol::ServerMessage;
    use crate::live::{Closed, Connection, Hub, Receiver, Room};

    const ORG: OrgId = Id::from_u128(1);

    fn incident(number: u128) -> Subject {
        Subject { org: ORG, incident: Id::from_u128(number) }
    }

    fn person(number: u128) -> Person {
        Person { id: Id::from_u128(number), name: format!("Person {number}") }
    }

    /// Someone who looks at this.
    fn visit(hub: &Hub, subject: Subject, number: u128) -> (Connection, Receiver) {
        let (mut connection, receiver) = hub.connect(None);
        connection.attend(subject, &person(number));
        (connection, receiver)
    }

    /// The lists that wait: of which incident, the people's numbers, and how many more there are.
    fn heard(receiver: &Receiver) -> Vec<(u128, Vec<u128>, usize)> {
        let room = format!("org:{ORG}");
        let list = |frame: Arc<Frame>| match serde_json::from_str::<ServerMessage>(&frame.ws(&room)).unwrap() {
            ServerMessage::Presence { room: told, subject, people, more } => {
                assert_eq!(told, room);
                assert!(people.iter().all(|one| *one == person(one.id.uuid().as_u128())), "{people:?}");
                (subject.uuid().as_u128(), people.iter().map(|one| one.id.uuid().as_u128()).collect(), more)
            }
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| receiver.try_recv()).map(list).collect()
    }

    #[test]
    fn people_see_each_other_come_and_go() {
        let hub = Hub::new();
        let (ada, told_ada) = visit(&hub, incident(7), 1);
        assert_eq!(heard(&told_ada), [(7, vec![1], 0)]);
        let (bob, told_bob) = visit(&hub, incident(7), 2);
        let (_eve, told_eve) = visit(&hub, incident(8), 3);
        assert_eq!(heard(&told_ada), [(7, vec![1, 2], 0)]);
        assert_eq!(heard(&told_bob), [(7, vec![1, 2], 0)]);
        drop(ada);
        assert_eq!(heard(&told_bob), [(7, vec![2], 0)]);
        assert!(heard(&told_ada).is_empty(), "she is not there any more");
        drop(bob);
        assert_eq!(heard(&told_eve), [(8, vec![3], 0)], "hers alone");
    }

    #[test]
    fn a_person_with_two_tabs_is_one() {
        let hub = Hub::new();
        let (_ada, told_ada) = visit(&hub, incident(7), 1);
        let (first, told_first) = visit(&hub, incident(7), 2);
        heard(&told_ada);
        heard(&told_first);
        let (mut second, told_second) = visit(&hub, incident(7), 2);
        assert_eq!(heard(&told_second), [(7, vec![1, 2], 0)]);
        second.attend(incident(7), &person(2));
        assert_eq!(heard(&told_second), [(7, vec![1, 2], 0)], "asked again, told again");
        drop(first);
        assert!(heard(&told_first).is_empty(), "nothing has changed");
        assert!(heard(&told_ada).is_empty(), "nor for anybody else");
        drop(second);
        assert_eq!(heard(&told_ada), [(7, vec![1], 0)]);
    }

    #[test]
    fn a_connection_looks_at_one_thing_in_an_organization() {
        let hub = Hub::new();
        let elsewhere = Subject { org: Id::from_u128(2), incident: Id::from_u128(9) };
        let (_bob, told_bob) = visit(&hub, incident(7), 2);
        let (mut ada, _told_ada) = visit(&hub, incident(7), 1);
        ada.attend(elsewhere, &person(1));
        assert_eq!(heard(&told_bob), [(7, vec![2, 1], 0)]);
        ada.attend(incident(8), &person(1));
        assert_eq!(heard(&told_bob), [(7, vec![2], 0)]);
        assert!(ada.attends(incident(8)) && ada.attends(elsewhere) && !ada.attends(incident(7)));
        ada.attend(incident(7), &person(1));
        assert_eq!(heard(&told_bob), [(7, vec![2, 1], 0)]);
        ada.leave(Room::Org(ORG));
        assert_eq!(heard(&told_bob), [(7, vec![2], 0)], "who leaves the room looks at nothing in it");
        assert!(ada.attends(elsewhere));
    }

    #[test]
    fn of_many_the_first_are_named() {
        let hub = Hub::new();
        let everyone = NAMED_MAX as u128 + 3;
        let mut crowd: Vec<_> = (1..=everyone).map(|number| visit(&hub, incident(7), number)).collect();
        let first: Vec<_> = (1..=NAMED_MAX as u128).collect();
        assert_eq!(heard(&crowd[0].1).last(), Some(&(7, first, 3)));
        drop(crowd.remove(4));
        let without_the_fifth: Vec<_> = (1..=NAMED_MAX as u128 + 1).filter(|number| *number != 5).collect();
        assert_eq!(heard(&crowd[0].1), [(7, without_the_fifth, 2)]);
    }

    #[test]
    fn only_the_newest_list_waits() {
        let hub = Hub::new();
        let (_ada, told_ada) = visit(&hub, incident(7), 1);
        for _ in 0..QUEUE {
            let (_bob, _) = visit(&hub, incident(7), 2);
        }
        assert_eq!(told_ada.closed().now_or_never(), None, "coming and going fills no queue");
        assert_eq!(heard(&told_ada), [(7, vec![1], 0)]);
    }

    #[test]
    fn a_full_queue_closes_as_with_events() {
        let hub = Hub::new();
        let (mut ada, told_ada) = visit(&hub, incident(7), 1);
        heard(&told_ada);
        let room = Room::Org(ORG);
        ada.join(room);
        for seq in 0..QUEUE as u64 {
            hub.publish(room, || Frame::fragments(Id::from_u128(1), seq, bytes::Bytes::new()));
        }
        assert_eq!(told_ada.closed().now_or_never(), None);
        let _bob = visit(&hub, incident(7), 2);
        assert_eq!(told_ada.closed().now_or_never(), Some(Closed::Overflow));
    }
}
