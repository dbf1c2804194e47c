//! The hub: rooms of bounded queues of shared frames.
//!
//! A frame is made once a room and lies in every listener's queue as a pointer. Whoever does not keep up is disconnected and resumes from the
//! log; nobody waits for anybody.

#[cfg(test)]
mod tests;

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
use crate::domain::user::User;
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
    /// A std `Mutex` of its own, held for one look-up, or for one walk through it when somebody's role changes, which is rare: logging out must not
    /// wait behind a crowd that joins a page.
    sessions: Mutex<HashMap<Id<Session>, Open>>,
    /// Who looks at what; its lock is explained there.
    presence: Presence,
    /// Numbers connections.
    next: AtomicU64,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Through which session.
    pub session: Id<Session>,
    /// Whose session that is.
    pub user: Id<User>,
}

/// The open connections of a session.
struct Open {
    user: Id<User>,
    mailboxes: Vec<Arc<Mailbox>>,
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

    /// A new connection, in no room yet. Who is known is closed when the session ends, and when what they may see changes.
    pub fn connect(&self, who: Option<Identity>) -> (Connection, Receiver) {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox { number, queue: Mutex::default() });
        if let Some(Identity { session, user }) = who {
            let mut sessions = lock(&self.0.sessions);
            sessions.entry(session).or_insert_with(|| Open { user, mailboxes: Vec::new() }).mailboxes.push(mailbox.clone());
        }
        let session = who.map(|who| who.session);
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
        let open = lock(&self.0.sessions).get(&session).map(|open| open.mailboxes.clone()).unwrap_or_default();
        for mailbox in open {
            mailbox.close(why);
        }
    }

    /// Closes every connection of a person, in whatever rooms: they may come back and join what they still may.
    ///
    /// Those in other organizations' rooms are closed for nothing. To tell them apart, each would have to know the rooms that it is about to join,
    /// between the look at the store and the joining; so nobody can slip through there.
    pub fn close_user(&self, user: Id<User>, why: Closed) {
        let theirs: Vec<_> = {
            let sessions = lock(&self.0.sessions);
            sessions.values().filter(|open| open.user == user).flat_map(|open| open.mailboxes.clone()).collect()
        };
        for mailbox in theirs {
            mailbox.close(why);
        }
    }

    /// Closes every connection of whoever is signed in: they may come back and are looked at anew.
    pub fn close_everyone_known(&self, why: Closed) {
        let known: Vec<_> = lock(&self.0.sessions).values().flat_map(|open| open.mailboxes.clone()).collect();
        for mailbox in known {
            mailbox.close(why);
        }
    }

    /// Closes everyone in the rooms of an organization and of its pages.
    pub fn close_organization(&self, org: OrgId, pages: &[Id<Page>], why: Closed) {
        let rooms: Vec<_> = {
            let rooms = lock(&self.0.rooms);
            let is_its = |room: &Room| match room {
                Room::Org(of) | Room::Service(of, _) => *of == org,
                Room::Page(page) | Room::Fragments(page) => pages.contains(page),
            };
            rooms.iter().filter(|(room, _)| is_its(room)).map(|(_, listeners)| listeners.clone()).collect()
        };
        for listeners in rooms {
            let mailboxes: Vec<_> = lock(&listeners.0).mailboxes.values().cloned().collect();
            for mailbox in mailboxes {
                mailbox.close(why);
            }
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
            open.mailboxes.retain(|mailbox| mailbox.number != number);
            if open.mailboxes.is_empty() {
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
