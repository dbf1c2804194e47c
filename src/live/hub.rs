//! The hub: rooms of bounded queues of shared frames.
//!
//! A frame is made once a room and lies in every listener's queue as a pointer. Whoever does not keep up is disconnected and resumes from the
//! log; nobody waits for anybody.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::frame::Frame;
use super::presence::{Presence, Subject};
use super::protocol::Person;
use crate::domain::organization::OrgId;
use crate::domain::page::Page;
use crate::domain::service::Service;
use crate::domain::session::Session;
use crate::id::Id;

/// How many frames may wait for one connection.
///
/// Enough for a burst of changes, and what a dead connection holds back is bounded: pointers to frames that others share.
pub const QUEUE: usize = 256;

/// How large an empty queue may stay. A burst must not leave every idle connection with the memory of its worst moment.
const KEPT: usize = 16;

/// Where frames are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// Everything of an organization, for members.
    Org(OrgId),
    /// What a service's timeline shows, for members.
    Service(OrgId, Id<Service>),
    /// A page's public events.
    Page(Id<Page>),
    /// The pieces of HTML that change on a page.
    Fragments(Id<Page>),
}

/// Why a connection was closed from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It did not keep up. It may come back and resume.
    Overflow,
    /// Its session is over.
    SessionEnded,
    /// What its session may see has changed. It may come back and join what it still may.
    AccessLost,
}

/// Everyone who listens, by room and by session. A clone is another handle.
#[derive(Clone, Default)]
pub struct Hub(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The rooms that somebody is in.
    ///
    /// A std `Mutex`, not an async one: held for one look-up, never across an `.await`, and never while a room is locked. Taken by the follower
    /// for each announcement, and by connections that join or leave.
    rooms: Mutex<HashMap<Room, Arc<Listeners>>>,
    /// The open connections of each session.
    ///
    /// A std `Mutex` of its own, held for one look-up: logging out must not wait behind a crowd that joins a page.
    sessions: Mutex<HashMap<Id<Session>, Vec<Arc<Mailbox>>>>,
    /// Who looks at what; its lock is explained there.
    presence: Presence,
    /// Numbers connections.
    next: AtomicU64,
}

/// Everyone in one room.
///
/// A std `Mutex`, held for a push into bounded queues. Locked by the follower for each announcement here and by a connection that joins or
/// leaves; apart from the map of rooms, so that announcing to thousands in one room holds nobody else up.
#[derive(Default)]
struct Listeners(Mutex<Listening>);

#[derive(Default)]
struct Listening {
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    /// The last one has left: the map of rooms is letting go of this, and who comes now must look there again.
    gone: bool,
}

/// What waits for one connection.
///
/// A std `Mutex`, held for a few instructions: the follower and those who come to look at something push and wake, the connection takes.
/// Nobody waits for room in it; who fills it is closed. Not a tokio channel, because it must be closable by those who only send, and take next
/// to no memory while it is empty.
pub(super) struct Mailbox {
    pub(super) number: u64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Arc<Frame>>,
    closed: Option<Closed>,
    waker: Option<Waker>,
}

/// A poisoned lock is taken over: each is left whole at every point where a panic could come.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new connection, in no room yet. With a session, it is closed when that ends.
    pub fn connect(&self, session: Option<Id<Session>>) -> (Connection, Receiver) {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox { number, queue: Mutex::default() });
        if let Some(session) = session {
            lock(&self.0.sessions).entry(session).or_default().push(mailbox.clone());
        }
        let connection = Connection { hub: self.clone(), session, mailbox: mailbox.clone(), rooms: Vec::new(), attending: Vec::new() };
        (connection, Receiver(mailbox))
    }

    /// Announces a frame to everyone in a room. `make` is called only if there is anyone.
    pub fn publish(&self, room: Room, make: impl FnOnce() -> Frame) {
        let found = lock(&self.0.rooms).get(&room).cloned();
        let Some(listeners) = found else { return };
        let frame = Arc::new(make());
        for mailbox in lock(&listeners.0).mailboxes.values() {
            mailbox.push(&frame);
        }
    }

    /// How many connections are in a room.
    pub fn listeners(&self, room: Room) -> usize {
        let found = lock(&self.0.rooms).get(&room).cloned();
        found.map_or(0, |listeners| lock(&listeners.0).mailboxes.len())
    }

    /// Closes every connection of a session.
    pub fn close_session(&self, session: Id<Session>, why: Closed) {
        let open = lock(&self.0.sessions).get(&session).cloned().unwrap_or_default();
        for mailbox in open {
            mailbox.close(why);
        }
    }

    fn join(&self, room: Room, mailbox: &Arc<Mailbox>) {
        loop {
            let listeners = lock(&self.0.rooms).entry(room).or_default().clone();
            {
                let mut listening = lock(&listeners.0);
                if !listening.gone {
                    listening.mailboxes.insert(mailbox.number, mailbox.clone());
                    return;
                }
            }
            self.forget(room, &listeners);
        }
    }

    fn leave(&self, room: Room, number: u64) {
        let found = lock(&self.0.rooms).get(&room).cloned();
        let Some(listeners) = found else { return };
        let is_empty = {
            let mut listening = lock(&listeners.0);
            listening.mailboxes.remove(&number);
            listening.gone = listening.mailboxes.is_empty();
            listening.gone
        };
        if is_empty {
            self.forget(room, &listeners);
        }
    }

    /// Takes an empty room out of the map, unless another has taken its place.
    fn forget(&self, room: Room, gone: &Arc<Listeners>) {
        let mut rooms = lock(&self.0.rooms);
        if rooms.get(&room).is_some_and(|present| Arc::ptr_eq(present, gone)) {
            rooms.remove(&room);
        }
    }

    fn disconnect(&self, session: Id<Session>, number: u64) {
        let mut sessions = lock(&self.0.sessions);
        if let Some(open) = sessions.get_mut(&session) {
            open.retain(|mailbox| mailbox.number != number);
            if open.is_empty() {
                sessions.remove(&session);
            }
        }
    }
}

impl Mailbox {
    /// Puts a frame behind those that wait; who has no room for it is closed.
    pub(super) fn push(&self, frame: &Arc<Frame>) {
        let waker = {
            let mut queue = lock(&self.queue);
            if queue.closed.is_some() {
                return;
            }
            // Of lists of people only the newest is of use, so one who comes and goes all the time fills nobody's queue.
            let outdated = frame.subject().and_then(|subject| queue.frames.iter().position(|older| older.subject() == Some(subject)));
            if let Some(at) = outdated {
                queue.frames[at] = frame.clone();
            } else if queue.frames.len() < QUEUE {
                queue.frames.push_back(frame.clone());
            } else {
                queue.close(Closed::Overflow);
            }
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn close(&self, why: Closed) {
        let waker = {
            let mut queue = lock(&self.queue);
            queue.close(why);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Queue {
    /// What waits is dropped: it is in the log, and whoever may read it there resumes.
    fn close(&mut self, why: Closed) {
        self.closed.get_or_insert(why);
        self.frames = VecDeque::new();
    }

    fn take(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.pop_front()?;
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }
}

/// A connection's place in the hub. Dropping it leaves every room and everything that is looked at.
pub struct Connection {
    hub: Hub,
    session: Option<Id<Session>>,
    mailbox: Arc<Mailbox>,
    rooms: Vec<Room>,
    /// At most one of each organization.
    attending: Vec<Subject>,
}

impl Connection {
    /// Hears what is announced in a room from now on.
    pub fn join(&mut self, room: Room) {
        if !self.rooms.contains(&room) {
            self.hub.join(room, &self.mailbox);
            self.rooms.push(room);
        }
    }

    /// Hears it no more; what was announced before may still wait in the queue. Who leaves an organization's room looks at nothing in it.
    pub fn leave(&mut self, room: Room) {
        if let Room::Org(org) = room {
            self.depart(org);
        }
        if let Some(at) = self.rooms.iter().position(|joined| *joined == room) {
            self.rooms.swap_remove(at);
            self.hub.leave(room, self.mailbox.number);
        }
    }

    /// Looks at this, and at nothing else of the same organization. Hears who else does, from now on and whenever that changes.
    pub(super) fn attend(&mut self, subject: Subject, person: &Person) {
        if !self.attends(subject) {
            self.depart(subject.org);
            self.attending.push(subject);
        }
        self.hub.0.presence.arrive(subject, person, &self.mailbox);
    }

    /// Looks at nothing of this organization any more.
    pub(super) fn depart(&mut self, org: OrgId) {
        if let Some(at) = self.attending.iter().position(|subject| subject.org == org) {
            let subject = self.attending.swap_remove(at);
            self.hub.0.presence.depart(subject, self.mailbox.number);
        }
    }

    /// Whether it looks at this.
    pub(super) fn attends(&self, subject: Subject) -> bool {
        self.attending.contains(&subject)
    }

    /// Closes it; its receiver hears why.
    pub fn close(&self, why: Closed) {
        self.mailbox.close(why);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for subject in std::mem::take(&mut self.attending) {
            self.hub.0.presence.depart(subject, self.mailbox.number);
        }
        for room in std::mem::take(&mut self.rooms) {
            self.hub.leave(room, self.mailbox.number);
        }
        if let Some(session) = self.session {
            self.hub.disconnect(session, self.mailbox.number);
        }
    }
}

/// The other end of a connection's queue.
///
/// It belongs to one task, which may wait for [`recv`](Self::recv) and [`closed`](Self::closed) at once: there is room for one waker, and in
/// one task both have the same.
pub struct Receiver(Arc<Mailbox>);

impl Receiver {
    /// The next frame. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection was closed; what waited is gone.
    pub async fn recv(&self) -> Result<Arc<Frame>, Closed> {
        poll_fn(|cx| {
            let mut queue = lock(&self.0.queue);
            if let Some(why) = queue.closed {
                return Poll::Ready(Err(why));
            }
            if let Some(frame) = queue.take() {
                return Poll::Ready(Ok(frame));
            }
            queue.wait(cx);
            Poll::Pending
        })
        .await
    }

    /// The next frame if there is one already.
    pub fn try_recv(&self) -> Option<Arc<Frame>> {
        lock(&self.0.queue).take()
    }

    /// Resolves when the connection is closed, whatever is going on with its frames.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| {
            let mut queue = lock(&self.0.queue);
            if let Some(why) = queue.closed {
                return Poll::Ready(why);
            }
            queue.wait(cx);
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PAGE: Id<Page> = Id::from_u128(1);
    const ROOM: Room = Room::Fragments(PAGE);
    const OTHER: Room = Room::Page(PAGE);
    const SESSION: Id<Session> = Id::from_u128(2);

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
        let (_first, one) = hub.connect(Some(SESSION));
        let (_second, two) = hub.connect(Some(SESSION));
        let (_else, other) = hub.connect(Some(Id::from_u128(3)));
        let (_anonymous, nobody) = hub.connect(None);
        hub.close_session(SESSION, Closed::SessionEnded);
        assert_eq!(one.closed().now_or_never(), Some(Closed::SessionEnded));
        assert_eq!(two.closed().now_or_never(), Some(Closed::SessionEnded));
        assert_eq!(other.closed().now_or_never(), None);
        assert_eq!(nobody.closed().now_or_never(), None);
    }

    #[test]
    fn nothing_is_left_of_who_has_gone() {
        let hub = Hub::new();
        let (mut connection, _receiver) = hub.connect(Some(SESSION));
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
}
