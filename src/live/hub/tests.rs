//! Joining, announcing, closing, and what is left of who has gone.

use futures_util::FutureExt;

use super::*;

const PAGE: Id<Page> = Id::from_u128(1);
const ROOM: Room = Room::Fragments(PAGE);
const OTHER: Room = Room::Page(PAGE);
const SESSION: Id<Session> = Id::from_u128(2);
const USER: Id<User> = Id::from_u128(7);

fn who(session: Id<Session>) -> Option<Identity> {
    Some(Identity { session, user: USER })
}

fn frame(seq: u64) -> Frame {
    Frame::fragments(PAGE, seq, bytes::Bytes::new())
}

fn numbers(receiver: &Receiver) -> Vec<u64> {
    std::iter::from_fn(|| receiver.try_recv()).map(|frame| frame.seq()).collect()
}

#[test]
fn a_room_reaches_those_in_it_in_order() {
    let hub = Hub::new();
    let (mut ada, heard_by_ada) = hub.connect(None);
    let (mut bob, heard_by_bob) = hub.connect(None);
    ada.join(ROOM);
    bob.join(OTHER);
    ada.join(ROOM);
    for seq in 1..=3 {
        hub.publish(ROOM, || frame(seq));
    }
    assert_eq!(numbers(&heard_by_ada), [1, 2, 3]);
    assert_eq!(numbers(&heard_by_bob), [0; 0]);

    ada.leave(ROOM);
    hub.publish(ROOM, || panic!("made for nobody"));
    assert_eq!(numbers(&heard_by_ada), [0; 0]);
}

#[test]
fn everyone_shares_one_frame() {
    let hub = Hub::new();
    let (mut ada, heard_by_ada) = hub.connect(None);
    let (mut bob, heard_by_bob) = hub.connect(None);
    ada.join(ROOM);
    bob.join(ROOM);
    hub.publish(ROOM, || frame(1));
    assert!(Arc::ptr_eq(&heard_by_ada.try_recv().unwrap(), &heard_by_bob.try_recv().unwrap()));
}

#[test]
fn who_does_not_keep_up_is_closed_and_the_others_hear_all() {
    let hub = Hub::new();
    let (mut slow, unread) = hub.connect(None);
    let (mut fast, heard) = hub.connect(None);
    slow.join(ROOM);
    fast.join(ROOM);
    for seq in 0..=QUEUE as u64 {
        assert_eq!(unread.closed().now_or_never(), None, "{seq}");
        hub.publish(ROOM, || frame(seq));
        assert_eq!(numbers(&heard), [seq]);
    }
    assert_eq!(unread.closed().now_or_never(), Some(Closed::Overflow));
    assert!(unread.try_recv().is_none(), "what waited is not kept");
    assert_eq!(unread.recv().now_or_never().map(|frame| frame.map(|_| ())), Some(Err(Closed::Overflow)));
}

#[test]
fn a_burst_leaves_no_memory_behind() {
    let hub = Hub::new();
    let (mut connection, receiver) = hub.connect(None);
    connection.join(ROOM);
    for seq in 0..QUEUE as u64 {
        hub.publish(ROOM, || frame(seq));
    }
    assert_eq!(numbers(&receiver).len(), QUEUE);
    assert!(lock(&receiver.0.queue).frames.capacity() <= KEPT);
}

#[test]
fn a_session_takes_its_connections_with_it_and_no_others() {
    let hub = Hub::new();
    let (_first, one) = hub.connect(who(SESSION));
    let (_second, two) = hub.connect(who(SESSION));
    let (_else, other) = hub.connect(who(Id::from_u128(3)));
    let (_anonymous, nobody) = hub.connect(None);
    hub.close_session(SESSION, Closed::SessionEnded);
    assert_eq!(one.closed().now_or_never(), Some(Closed::SessionEnded));
    assert_eq!(two.closed().now_or_never(), Some(Closed::SessionEnded));
    assert_eq!(other.closed().now_or_never(), None);
    assert_eq!(nobody.closed().now_or_never(), None);
}

#[test]
fn whose_role_changes_is_closed_in_every_session_and_nobody_else_is() {
    let hub = Hub::new();
    let (_first, one) = hub.connect(who(SESSION));
    let (_second, two) = hub.connect(who(Id::from_u128(3)));
    let (_else, other) = hub.connect(Some(Identity { session: Id::from_u128(4), user: Id::from_u128(8) }));
    let (_anonymous, nobody) = hub.connect(None);
    hub.close_user(USER, Closed::AccessLost);
    assert_eq!(one.closed().now_or_never(), Some(Closed::AccessLost));
    assert_eq!(two.closed().now_or_never(), Some(Closed::AccessLost));
    assert_eq!(other.closed().now_or_never(), None);
    assert_eq!(nobody.closed().now_or_never(), None);
}

#[test]
fn an_organization_that_is_shut_closes_its_rooms_and_no_others() {
    let hub = Hub::new();
    let (org, elsewhere) = (Id::from_u128(10), Id::from_u128(11));
    let rooms = [Room::Org(org), Room::Service(org, Id::from_u128(12)), OTHER, ROOM, Room::Org(elsewhere), Room::Page(Id::from_u128(13))];
    let inside: Vec<_> = rooms
        .into_iter()
        .map(|room| {
            let (mut connection, receiver) = hub.connect(None);
            connection.join(room);
            (connection, receiver)
        })
        .collect();
    hub.close_organization(org, &[PAGE], Closed::AccessLost);
    let closed: Vec<_> = inside.iter().map(|(_, receiver)| receiver.closed().now_or_never().is_some()).collect();
    assert_eq!(closed, [true, true, true, true, false, false]);
}

#[test]
fn nothing_is_left_of_who_has_gone() {
    let hub = Hub::new();
    let (mut connection, _receiver) = hub.connect(who(SESSION));
    connection.join(ROOM);
    connection.join(OTHER);
    let subject = Subject { org: Id::from_u128(4), incident: Id::from_u128(5) };
    connection.attend(subject, &Person { id: Id::from_u128(6), name: "Ada".into() });
    assert_eq!(hub.listeners(ROOM), 1);
    assert!(!hub.0.presence.is_empty());
    drop(connection);
    assert_eq!(hub.listeners(ROOM), 0);
    assert!(lock(&hub.0.rooms).is_empty());
    assert!(lock(&hub.0.sessions).is_empty());
    assert!(hub.0.presence.is_empty());
}

#[tokio::test]
async fn a_frame_and_a_close_wake_the_one_who_waits() {
    let hub = Hub::new();
    let (mut connection, receiver) = hub.connect(None);
    connection.join(ROOM);
    let waiting = tokio::spawn(async move {
        let first = receiver.recv().await.map(|frame| frame.seq());
        (first, receiver.recv().await.map(|frame| frame.seq()))
    });
    tokio::task::yield_now().await;
    hub.publish(ROOM, || frame(7));
    tokio::task::yield_now().await;
    connection.close(Closed::AccessLost);
    assert_eq!(waiting.await.unwrap(), (Ok(7), Err(Closed::AccessLost)));
}

#[test]
fn a_crowd_that_comes_and_goes_loses_no_one() {
    let hub = Hub::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let (mut connection, receiver) = hub.connect(None);
                    connection.join(ROOM);
                    hub.publish(ROOM, || frame(1));
                    // A thread that had to wait may have been told so much by the others that it was closed: reached all the same.
                    let is_reached = receiver.try_recv().is_some() || receiver.closed().now_or_never().is_some();
                    assert!(is_reached, "in the room, and not reached");
                }
            });
        }
    });
    assert!(lock(&hub.0.rooms).is_empty());
}
