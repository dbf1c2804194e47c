//! `/live/sse`: rooms of one organization, or one page, as an event stream; and the stream that other endpoints may answer with.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream;
use http::header;
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::access::Visitor;
use super::frame::{self, KEEP_ALIVE, KEEP_ALIVE_EVERY};
use super::hub::{Connection, Receiver};
use super::protocol::{EventId, ROOMS_MAX, RoomName};
use super::resume::{Begin, Replay, Source};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::http::Shutdown;
use crate::web::Web;

/// Answers with the events of the rooms asked for.
#[handler]
pub(crate) async fn open(request: &Request, web: Data<&Web>) -> poem::Result<Response> {
    Ok(listen(request, web.0).await?)
}

async fn listen(request: &Request, web: &Web) -> Result<Response> {
    let asked = Asked::of(request)?;
    let visitor = Visitor::of(request, web).await?;
    let (mut connection, receiver) = web.hub.connect(visitor.identity());
    let admission = visitor.admit(&web.app, &asked.rooms).await?;
    let source = Source::of(&visitor, &admission.doors)?;
    for door in &admission.doors {
        connection.join(door.room);
    }
    let begin = source.begin(&web.app, asked.after.as_deref()).await?;

    let at = EventId { epoch: web.app.epoch(), seq: begin.position() }.to_string();
    let mut stream = EventStream::new(&web.shutdown, connection, receiver, frame::opening(Some(&at)), begin.position());
    stream.epoch = web.app.epoch().into();
    stream.until = admission.until.map(|until| (web.app.clock().clone(), until));
    match begin {
        Begin::At(_) => {}
        Begin::After(seq) => stream.replay = Some(Box::new(source.replay(&web.app, seq))),
        Begin::Reset(_) => stream.second = Some(frame::reset(&at)),
    }
    Ok(stream.into_response())
}

/// What a request asks for.
struct Asked {
    rooms: Vec<RoomName>,
    /// As the client wrote it. One that can't be read comes from a header that a proxy or an older version made, and means a reset.
    after: Option<String>,
}

impl Asked {
    fn of(request: &Request) -> Result<Self> {
        let pairs: Vec<(String, String)> = request.params().map_err(|_| Error::invalid("room", "can't be read"))?;
        let mut rooms = Vec::new();
        let mut after = None;
        for (name, value) in pairs {
            match name.as_str() {
                "room" => {
                    let room = value.parse::<RoomName>().map_err(|bad| Error::invalid("room", bad.to_string()))?;
                    if !rooms.contains(&room) {
                        rooms.push(room);
                    }
                }
                "after" if EventId::parse(&value).is_none() => return Err(Error::invalid("after", "must be the id of an event")),
                "after" => after = Some(value),
                _ => {}
            }
        }
        let pages = rooms.iter().filter(|room| matches!(room, RoomName::Page(_))).count();
        if rooms.is_empty() || rooms.len() > ROOMS_MAX || (pages > 0 && rooms.len() > 1) {
            return Err(Error::invalid("room", format!("must name 1 to {ROOMS_MAX} rooms of one organization, or one page")));
        }
        // The browser's own position, when it comes back, is later than the one in the page's address.
        let last = request.headers().get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        Ok(Self { rooms, after: last.filter(|id| !id.is_empty()).or(after) })
    }
}

/// A stream of frames, for as long as the client, its session and the server are there.
///
/// It begins with what it is given, goes on with what the connection's rooms announce after `position`, and ends cleanly when the connection
/// is closed or the server stops: the client comes back with the last id it saw.
pub struct EventStream {
    /// Leaves its rooms when the stream is dropped.
    _connection: Connection,
    receiver: Receiver,
    opening: Option<Bytes>,
    second: Option<Bytes>,
    replay: Option<Box<Replay>>,
    epoch: Box<str>,
    /// Up to which number everything is told.
    position: u64,
    keep_alive: Interval,
    /// What is sent when there is nothing to say.
    alive: Bytes,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When the session ends by itself, which nobody announces.
    until: Option<(Clock, Timestamp)>,
}

impl EventStream {
    /// A stream of what `connection` hears, frames up to `position` left out. `opening` is sent at once.
    pub fn new(shutdown: &Shutdown, connection: Connection, receiver: Receiver, opening: Bytes, position: u64) -> Self {
        let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_EVERY, KEEP_ALIVE_EVERY);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            _connection: connection,
            receiver,
            opening: Some(opening),
            second: None,
            replay: None,
            epoch: Box::default(),
            position,
            keep_alive,
            alive: KEEP_ALIVE,
            stopping: Box::pin(shutdown.stopping()),
            until: None,
        }
    }

    /// Sends this behind the opening, before anything that is announced.
    pub fn then(mut self, message: Bytes) -> Self {
        self.second = Some(message);
        self
    }

    /// Shows that the line is alive by this instead of a comment.
    pub fn alive_by(mut self, message: Bytes) -> Self {
        self.alive = message;
        self
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let messages = stream::unfold(self, |mut this| async move {
            let bytes = this.next().await?;
            Some((Ok::<Bytes, io::Error>(bytes), this))
        });
        Response::builder()
            .content_type("text/event-stream")
            .header(header::CACHE_CONTROL, "no-store")
            // nginx would gather an answer before passing it on.
            .header("x-accel-buffering", "no")
            .body(Body::from_bytes_stream(messages))
    }

    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.opening.take().or_else(|| self.second.take()) {
            return Some(bytes);
        }
        loop {
            if let Some(replay) = &mut self.replay {
                let event = tokio::select! {
                    biased;
                    () = &mut self.stopping => return None,
                    _ = self.receiver.closed() => return None,
                    event = replay.next() => event,
                };
                match event {
                    Ok(Some((seq, json))) => {
                        self.position = seq;
                        let id = EventId { epoch: &self.epoch, seq }.to_string();
                        return Some(frame::event(&id, &json));
                    }
                    Ok(None) => {
                        self.position = replay.position();
                        self.replay = None;
                    }
                    // The answer has begun; its end is all that is left to say. The client comes back and is told then.
                    Err(error) => {
                        tracing::debug!(%error, "a replay ended early");
                        return None;
                    }
                }
                continue;
            }
            tokio::select! {
                biased;
                () = &mut self.stopping => return None,
                frame = self.receiver.recv() => match frame {
                    Ok(frame) if frame.seq() > self.position => {
                        self.position = frame.seq();
                        return Some(frame.sse());
                    }
                    // Told by the replay, or by another room of this stream.
                    Ok(_) => {}
                    Err(_) => return None,
                },
                _ = self.keep_alive.tick() => {
                    let is_over = self.until.as_ref().is_some_and(|(clock, until)| clock.now() >= *until);
                    return if is_over { None } else { Some(self.alive.clone()) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::live::frame::Frame;
    use crate::live::hub::Identity;
    use crate::live::{Closed, Hub, Room};

    const ROOM: Room = Room::Fragments(Id::from_u128(1));

    struct Listening {
        hub: Hub,
        shutdown: Shutdown,
        stream: EventStream,
    }

    /// A stream that has sent its opening and knows everything up to 5.
    async fn listening() -> Listening {
        let (hub, shutdown) = (Hub::new(), Shutdown::new());
        let (mut connection, receiver) = hub.connect(Some(Identity { session: Id::from_u128(9), user: Id::from_u128(10) }));
        connection.join(ROOM);
        let mut stream = EventStream::new(&shutdown, connection, receiver, Bytes::from_static(b"opening"), 5);
        assert_eq!(stream.next().await.as_deref(), Some(&b"opening"[..]));
        Listening { hub, shutdown, stream }
    }

    fn announce(hub: &Hub, seq: u64) {
        hub.publish(ROOM, || Frame::fragments(Id::from_u128(1), seq, seq.to_string().into()));
    }

    #[tokio::test]
    async fn each_number_is_told_once() {
        let Listening { hub, mut stream, .. } = listening().await;
        for seq in [4, 5, 6, 6, 7] {
            announce(&hub, seq);
        }
        assert_eq!(stream.next().await.as_deref(), Some(&b"6"[..]));
        assert_eq!(stream.next().await.as_deref(), Some(&b"7"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments() {
        let mut stream = listening().await.stream;
        for _ in 0..3 {
            assert_eq!(stream.next().await, Some(KEEP_ALIVE));
        }
    }

    #[tokio::test]
    async fn it_ends_with_the_session_and_with_the_server() {
        let mut of_session = listening().await;
        announce(&of_session.hub, 6);
        of_session.hub.close_session(Id::from_u128(9), Closed::SessionEnded);
        assert_eq!(of_session.stream.next().await, None, "nothing more, not even what waits");

        let mut of_server = listening().await;
        of_server.shutdown.begin();
        assert_eq!(of_server.stream.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_session_has_expired() {
        let mut stream = listening().await.stream;
        let clock = Clock::manual(Timestamp::from_millis(0));
        stream.until = Some((clock.clone(), Timestamp::from_millis(60_000)));
        assert_eq!(stream.next().await, Some(KEEP_ALIVE));
        clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(stream.next().await, None);
    }
}
