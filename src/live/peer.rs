//! The conversation with one WebSocket client.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use super::access::Visitor;
use super::frame::{self, Frame};
use super::hub::{Closed, Connection, Receiver, Room};
use super::presence::Subject;
use super::protocol::{ClientMessage, ErrorCode, EventId, ROOMS_MAX, RoomName, ServerMessage};
use super::resume::{Begin, Source};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::organization::OrgId;
use crate::error::Error;

/// How often a client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Who says nothing for this long, not even to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(75);

/// How long a write may wait for a client that takes nothing.
const STALL: Duration = Duration::from_secs(30);

/// How long a client may take to answer a Close. It is told why it was closed in any case; this only lets the socket end in good order.
const FAREWELL: Duration = Duration::from_secs(2);

/// How many messages in a row may be unreadable: a client under development makes mistakes, another makes noise.
const GARBAGE_MAX: u32 = 16;

/// So many refusals over its life end a conversation: twice as many as there can be rooms that were lost meanwhile.
const REFUSED_MAX: u32 = 2 * ROOMS_MAX as u32;

/// How long a room's name may be to be repeated in an error.
const ECHOED: usize = 200;

/// Why a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client is gone, or might as well be.
    Gone,
    /// The server stops.
    Stopping,
    /// The hub closed the connection.
    Closed(Closed),
    /// The session has reached its age.
    Expired,
    /// The log could not be read to its end.
    BrokeOff,
    /// Too many unreadable messages.
    Garbage,
    /// A message beyond the limit.
    TooLarge,
    /// Text that is not UTF-8.
    NotText,
}

impl End {
    /// What the client is told. None for who can't hear it.
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Gone => return None,
            End::Stopping => (CloseCode::Restart, "the server is restarting"),
            End::Closed(Closed::Overflow) => (CloseCode::Again, "too slow; come back and resume"),
            End::Closed(Closed::SessionEnded) => (CloseCode::Policy, "the session has ended"),
            End::Closed(Closed::AccessLost) => (CloseCode::Policy, "access has changed; come back"),
            End::Expired => (CloseCode::Policy, "the session has expired"),
            End::BrokeOff => (CloseCode::Again, "the past broke off; come back and resume"),
            End::Garbage => (CloseCode::Policy, "too many unreadable messages"),
            End::TooLarge => (CloseCode::Size, "the message is too large"),
            End::NotText => (CloseCode::Invalid, "the message is not UTF-8"),
        };
        Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
    }
}

/// A client and what it has joined.
pub(super) struct Peer<S> {
    app: App,
    visitor: Visitor,
    connection: Connection,
    socket: WebSocketStream<S>,
    rooms: HashMap<Room, Joined>,
    heard: Instant,
    garbage: u32,
    refused: u32,
    /// When the session ends by itself, once a room was joined that needs one.
    until: Option<Timestamp>,
}

/// A joined room.
struct Joined {
    /// As the client named it.
    name: Box<str>,
    /// Up to which number everything is told.
    position: u64,
}

/// Whose turn it is.
enum Turn {
    Tell(Result<Arc<Frame>, Closed>),
    Hear(Option<Result<Message, tungstenite::Error>>),
    Check,
}

/// Talks with a client until one of the two has had enough.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut peer: Peer<S>, receiver: Receiver, stopping: impl Future<Output = ()>) {
    // Outside of the conversation, so that a client that takes nothing does not hold up a stop or a logout.
    let end = tokio::select! {
        biased;
        () = stopping => End::Stopping,
        why = receiver.closed() => End::Closed(why),
        end = peer.run(&receiver) => end,
    };
    tracing::debug!(?end, "a WebSocket ends");
    // Boxed, as is all that happens once: what an idle connection costs is the size of the largest state of its task.
    Box::pin(peer.close(end)).await;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) fn new(app: App, visitor: Visitor, connection: Connection, socket: WebSocketStream<S>) -> Self {
        Self { app, visitor, connection, socket, rooms: HashMap::new(), heard: Instant::now(), garbage: 0, refused: 0, until: None }
    }

    async fn run(&mut self, receiver: &Receiver) -> End {
        let mut check = pin!(sleep(PING_EVERY));
        loop {
            // What has come is heard first: a pong that waits while we write must count before the silence is measured.
            let turn = tokio::select! {
                biased;
                message = self.socket.next() => Turn::Hear(message),
                frame = receiver.recv() => Turn::Tell(frame),
                () = check.as_mut() => Turn::Check,
            };
            let done = match turn {
                Turn::Tell(Ok(frame)) => self.tell(frame, receiver).await,
                Turn::Tell(Err(why)) => Err(End::Closed(why)),
                Turn::Hear(message) => self.hear(message).await,
                Turn::Check => self.check().await.map(|next| check.as_mut().reset(next)),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Writes a frame, and what else waits, in one go.
    async fn tell(&mut self, first: Arc<Frame>, receiver: &Receiver) -> Result<(), End> {
        let mut next = Some(first);
        while let Some(frame) = next {
            if let Some(joined) = self.rooms.get_mut(&frame.room()) {
                let is_news = match frame.subject() {
                    // It may have waited while the client looked away.
                    Some(subject) => self.connection.attends(subject),
                    None => frame.seq() > joined.position,
                };
                if is_news {
                    joined.position = joined.position.max(frame.seq());
                    let message = Message::Text(frame.ws(&joined.name));
                    self.feed(message).await?;
                }
            }
            next = receiver.try_recv();
        }
        self.flush().await
    }

    async fn hear(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            // The futures behind joining are large and rare: apart from the task, they cost an idle connection nothing.
            Some(Ok(Message::Text(text))) => Box::pin(self.act(&text)).await,
            Some(Ok(Message::Binary(_))) => self.not_understood("messages are text").await,
            // tungstenite answers pings and a Close by itself.
            Some(Ok(_)) => Ok(()),
            Some(Err(tungstenite::Error::Capacity(_))) => Err(End::TooLarge),
            Some(Err(tungstenite::Error::Utf8(_))) => Err(End::NotText),
            Some(Err(_)) | None => Err(End::Gone),
        }
    }

    /// Looks whether the client and its session are still there. Answers when to look again.
    async fn check(&mut self) -> Result<Instant, End> {
        let silent_at = self.heard + SILENCE;
        let now = Instant::now();
        if now >= silent_at {
            return Err(End::Gone);
        }
        if self.until.is_some_and(|until| self.app.clock().now() >= until) {
            return Err(End::Expired);
        }
        self.send(Message::Ping(Bytes::new())).await?;
        Ok(silent_at.min(now + PING_EVERY))
    }

    async fn act(&mut self, text: &str) -> Result<(), End> {
        let message = match ClientMessage::parse(text) {
            Ok(message) => message,
            Err(why) => return self.not_understood(&why).await,
        };
        self.garbage = 0;
        match message {
            ClientMessage::Ping {} => self.say(&ServerMessage::Pong {}).await,
            ClientMessage::Leave { room } => self.leave(room).await,
            ClientMessage::Join { room, after } => self.join(room, after).await,
            ClientMessage::Attend { room, subject } => self.attend(room, subject).await,
        }
    }

    async fn leave(&mut self, room: String) -> Result<(), End> {
        let joined = self.rooms.iter().find(|(_, joined)| *joined.name == *room).map(|(room, _)| *room);
        let Some(found) = joined else { return self.refuse(ErrorCode::NotJoined, "this room is not joined", room).await };
        self.rooms.remove(&found);
        self.connection.leave(found);
        self.say(&ServerMessage::Left { room }).await
    }

    async fn join(&mut self, room: String, after: Option<String>) -> Result<(), End> {
        if after.as_deref().is_some_and(|after| EventId::parse(after).is_none()) {
            return self.refuse(ErrorCode::BadMessage, "`after` must be the id of an event", room).await;
        }
        let is_new = !self.rooms.values().any(|joined| *joined.name == *room);
        if is_new && self.rooms.len() >= ROOMS_MAX {
            return self.refuse(ErrorCode::TooManyRooms, &format!("a connection may be in {ROOMS_MAX} rooms"), room).await;
        }
        match self.enter(&room, after.as_deref()).await {
            Ok(entered) => self.begin(room, entered).await,
            Err(error) => self.fail(error, ErrorCode::UnknownRoom, "there is no such room, or none that you may see", room).await,
        }
    }

    /// Lets the client look at an incident, or at none. The answer to the former is who looks at it, which comes through the queue.
    async fn attend(&mut self, room: String, subject: Option<String>) -> Result<(), End> {
        let joined = self.rooms.iter().find_map(|(known, joined)| match known {
            Room::Org(org) if *joined.name == *room => Some(*org),
            _ => None,
        });
        let Some(org) = joined else { return self.refuse(ErrorCode::NotJoined, "join the organization's room first", room).await };
        let Some(subject) = subject else {
            self.connection.depart(org);
            return Ok(());
        };
        match self.look(org, &subject).await {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error, ErrorCode::UnknownSubject, "there is no such incident, or none that you may see", room).await,
        }
    }

    async fn look(&mut self, org: OrgId, subject: &str) -> Result<(), Error> {
        let incident = subject.parse().map_err(|_| Error::NotFound)?;
        let person = self.visitor.look(&self.app, org, incident).await?;
        self.connection.attend(Subject { org, incident }, &person);
        Ok(())
    }

    /// Joins in the hub and looks where to begin. What is announced from here on waits in the queue.
    async fn enter(&mut self, room: &str, after: Option<&str>) -> Result<Entered, Error> {
        let name: RoomName = room.parse().map_err(|_| Error::NotFound)?;
        let admission = self.visitor.admit(&self.app, &[name]).await?;
        let source = Source::of(&self.visitor, &admission.doors)?;
        let room = admission.doors.first().ok_or(Error::NotFound)?.room;
        self.connection.join(room);
        match source.begin(&self.app, after).await {
            Ok(begin) => {
                self.until = self.until.or(admission.until);
                Ok(Entered { room, source, begin })
            }
            Err(error) => {
                if !self.rooms.contains_key(&room) {
                    self.connection.leave(room);
                }
                Err(error)
            }
        }
    }

    /// Says that the room is joined, tells what was missed, and from there on what is announced.
    async fn begin(&mut self, name: String, Entered { room, source, begin }: Entered) -> Result<(), End> {
        let at = self.id(begin.position());
        self.say(&ServerMessage::Joined { room: name.clone(), at: at.clone() }).await?;
        let mut position = begin.position();
        match begin {
            Begin::At(_) => {}
            Begin::Reset(_) => self.say(&ServerMessage::Reset { room: name.clone(), at }).await?,
            Begin::After(seq) => {
                let mut replay = source.replay(&self.app, seq);
                // A past that breaks off must not look like a whole one: the client comes back with the last id it got.
                while let Some((seq, json)) = replay.next().await.map_err(|error| {
                    tracing::debug!(%error, "a replay ended early");
                    End::BrokeOff
                })? {
                    let event = frame::ws_event(&name, &self.id(seq), &json);
                    self.feed(Message::Text(event)).await?;
                }
                self.flush().await?;
                position = replay.position();
            }
        }
        self.rooms.insert(room, Joined { name: name.into(), position });
        Ok(())
    }

    fn id(&self, seq: u64) -> String {
        EventId { epoch: self.app.epoch(), seq }.to_string()
    }

    async fn not_understood(&mut self, why: &str) -> Result<(), End> {
        self.garbage += 1;
        if self.garbage > GARBAGE_MAX {
            return Err(End::Garbage);
        }
        self.say(&ServerMessage::Error { code: ErrorCode::BadMessage, message: why.to_owned(), room: None }).await
    }

    /// Says why something could not be done: `unknown` for what is not there and for what they may not see alike.
    async fn fail(&mut self, error: Error, unknown: ErrorCode, message: &str, room: String) -> Result<(), End> {
        if matches!(error, Error::NotFound | Error::Unauthenticated) {
            return self.refuse(unknown, message, room).await;
        }
        tracing::warn!(%error, "a live room can't be entered or looked around in");
        self.refuse(ErrorCode::Unavailable, "not possible at the moment; try again soon", room).await
    }

    async fn refuse(&mut self, code: ErrorCode, message: &str, room: String) -> Result<(), End> {
        self.refused += 1;
        // Each refusal is a look into the store and perhaps a line in the log: who only guesses is sent away.
        if self.refused > REFUSED_MAX {
            return Err(End::Garbage);
        }
        let room = Some(room).filter(|room| room.len() <= ECHOED);
        self.say(&ServerMessage::Error { code, message: message.to_owned(), room }).await
    }

    async fn say(&mut self, message: &ServerMessage) -> Result<(), End> {
        let text = serde_json::to_string(message).unwrap_or_default();
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        in_time(self.socket.send(message)).await
    }

    async fn feed(&mut self, message: Message) -> Result<(), End> {
        in_time(self.socket.feed(message)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        in_time(self.socket.flush()).await
    }

    /// Leaves every room, says why, and lets the client answer.
    async fn close(self, end: End) {
        let Self { connection, mut socket, .. } = self;
        drop(connection);
        let Some(frame) = end.frame() else { return };
        let farewell = async {
            if socket.close(Some(frame)).await.is_err() {
                return;
            }
            while let Some(Ok(_)) = socket.next().await {}
            if matches!(end, End::TooLarge | End::NotText) {
                // The rest of what we would not read. A socket closed over unread bytes is reset, which may cost the client our reason.
                let rest = socket.get_mut();
                let _ = rest.shutdown().await;
                let mut scrap = [0; 1_024];
                while rest.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
            }
        };
        // Who does not answer is left alone; the socket closes with it.
        let _ = timeout(FAREWELL, farewell).await;
    }
}

/// A room that the hub has let the client into.
struct Entered {
    room: Room,
    source: Source,
    begin: Begin,
}

/// A client that takes nothing for so long, or whose socket is broken, is gone.
async fn in_time(writing: impl Future<Output = Result<(), tungstenite::Error>>) -> Result<(), End> {
    match timeout(STALL, writing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::app::Settings;
    use crate::clock::Clock;
    use crate::id::IdSource;
    use crate::live::Hub;

    /// A conversation with an anonymous client, whose end of the line is handed out.
    async fn conversation(clock: Clock) -> (Peer<DuplexStream>, Receiver, DuplexStream) {
        let (near, far) = duplex(64 * 1024);
        let (app, _news) = App::in_memory(clock, IdSource::seeded(1), Settings::default()).unwrap();
        let (connection, receiver) = Hub::new().connect(None);
        let socket = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
        (Peer::new(app, Visitor::anonymous(), connection, socket), receiver, far)
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_asked_twice_and_dropped() {
        let (peer, receiver, mut far) = conversation(Clock::system()).await;
        let serving = tokio::spawn(serve(peer, receiver, pending()));
        let mut told = Vec::new();
        far.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, [0x89, 0, 0x89, 0], "two empty pings and no farewell");
        serving.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_stays() {
        let (peer, receiver, far) = conversation(Clock::system()).await;
        let serving = tokio::spawn(serve(peer, receiver, pending()));
        let mut client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        for _ in 0..20 {
            // Reading the next one sends the answer to this one.
            assert!(matches!(client.next().await, Some(Ok(Message::Ping(_)))));
        }
        drop(client);
        serving.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_session_is_shown_out() {
        let clock = Clock::manual(Timestamp::from_millis(0));
        let (mut peer, receiver, far) = conversation(clock.clone()).await;
        peer.until = Some(Timestamp::from_millis(1_000));
        let serving = tokio::spawn(serve(peer, receiver, pending()));
        clock.advance(Duration::from_secs(1));
        let mut client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no farewell") };
        assert_eq!(frame.code, CloseCode::Policy);
        assert!(client.next().await.is_none());
        serving.await.unwrap();
    }
}
