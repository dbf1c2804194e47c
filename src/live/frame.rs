//! What goes over the wire: shared frames, and the one encoder of event streams.
//!
//! The stream is that of the HTML standard, 9.2. Nothing that is put into a field can end it: a carriage return or line feed is left out of
//! ids and names, and begins another `data` line in data.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::hub::Room;
use super::presence::Subject;
use super::protocol::{EventId, Person, RoomName, ServerMessage, StreamMessage};
use crate::domain::page::Page;
use crate::id::{Id, secret};

/// How often a stream that has nothing to say shows that it lives: well below the 60 s after which common proxies give up.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);

/// The comment that does it.
pub const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// One entry of a log, as everyone in one room gets it; or what everyone who looks at one thing there is told, which is in no log.
///
/// Each transport's bytes are made by the first connection that writes them, and shared by all others. A `OnceLock` each: it is written once,
/// by whoever comes first, and those who come at the same moment wait for that one encoding instead of making their own.
#[derive(Debug)]
pub struct Frame {
    room: Room,
    subject: Option<Subject>,
    seq: u64,
    id: String,
    json: Bytes,
    sse: OnceLock<Bytes>,
    /// With the name that the room was joined under.
    ws: OnceLock<(Box<str>, Utf8Bytes)>,
}

impl Frame {
    /// An event. `json` is the event as clients get it.
    pub fn event(room: Room, id: EventId<'_>, json: Bytes) -> Self {
        Self { room, subject: None, seq: id.seq, id: id.to_string(), json, sse: OnceLock::new(), ws: OnceLock::new() }
    }

    /// Pieces of a page, encoded as a stream's message already. They go to streams alone.
    pub fn fragments(page: Id<Page>, seq: u64, sse: Bytes) -> Self {
        Self {
            room: Room::Fragments(page),
            subject: None,
            seq,
            id: String::new(),
            json: Bytes::new(),
            sse: OnceLock::from(sse),
            ws: OnceLock::new(),
        }
    }

    /// Who looks at something. It goes to WebSockets alone, and an organization's room has one name, so it is encoded here.
    pub(super) fn presence(subject: Subject, people: Vec<Person>, more: usize) -> Self {
        let room = RoomName::Org(subject.org).to_string();
        let message = ServerMessage::Presence { room: room.clone(), subject: subject.incident, people, more };
        let text = Utf8Bytes::from(serde_json::to_string(&message).unwrap_or_default());
        Self {
            room: Room::Org(subject.org),
            subject: Some(subject),
            seq: 0,
            id: String::new(),
            json: Bytes::new(),
            sse: OnceLock::new(),
            ws: OnceLock::from((room.into_boxed_str(), text)),
        }
    }

    /// Where it was announced.
    pub fn room(&self) -> Room {
        self.room
    }

    /// What is looked at, if this tells who does.
    pub(super) fn subject(&self) -> Option<Subject> {
        self.subject
    }

    /// Its number in the log.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// For an event stream.
    pub fn sse(&self) -> Bytes {
        self.sse.get_or_init(|| event(&self.id, &self.json)).clone()
    }

    /// For a WebSocket that joined the room under this name.
    pub fn ws(&self, name: &str) -> Utf8Bytes {
        let (known, shared) = self.ws.get_or_init(|| (name.into(), ws_event(name, &self.id, &self.json)));
        // A page that is known under two names costs those of the second one an encoding each.
        if **known == *name { shared.clone() } else { ws_event(name, &self.id, &self.json) }
    }
}

/// An event as a WebSocket gets it.
pub fn ws_event(room: &str, id: &str, json: &[u8]) -> Utf8Bytes {
    // Put together by hand: the event is JSON already, and reading it only to write it again would double the work.
    let json = String::from_utf8_lossy(json);
    format!(r#"{{"type":"event","room":{},"id":{},"event":{json}}}"#, Value::from(room), Value::from(id)).into()
}

/// An event as a stream gets it.
pub fn event(id: &str, json: &[u8]) -> Bytes {
    message(Some(id), None, &String::from_utf8_lossy(json))
}

/// Tells that the past can't be given, and from where on there will be events. With an id and data: a browser drops a message without data.
pub fn reset(at: &str) -> Bytes {
    let data = serde_json::to_string(&StreamMessage::Reset { at: at.to_owned() }).unwrap_or_default();
    message(Some(at), Some("reset"), &data)
}

/// How a stream begins: how long to wait before coming back, and from which position on it tells.
///
/// Sent at once, so that the headers reach the client and not only our side of a proxy. The position is an id without data: it is no event to the
/// client, but the place from which it resumes if the line is cut before the first one. Without, it keeps the place it has.
pub fn opening(at: Option<&str>) -> Bytes {
    let mut text = String::new();
    field(&mut text, "retry", &retry().to_string());
    if let Some(at) = at {
        field(&mut text, "id", at);
    }
    text.push('\n');
    text.into()
}

/// A message of a stream.
pub fn message(id: Option<&str>, name: Option<&str>, data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + 64);
    if let Some(name) = name {
        field(&mut text, "event", name);
    }
    if let Some(id) = id {
        field(&mut text, "id", id);
    }
    for line in data.split("\r\n").flat_map(|part| part.split(['\r', '\n'])) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

fn field(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(": ");
    // NUL too: a browser ignores an id that contains one.
    text.extend(value.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')));
    text.push('\n');
}

/// Milliseconds until a client tries again, different for each: after a restart thousands come back, and not all in one moment.
fn retry() -> u16 {
    2_000 + u16::from_le_bytes(secret()) % 3_001
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_has_its_fields_on_lines_of_their_own() {
        assert_eq!(text(&message(Some("e:1"), None, "{}")), "id: e:1\ndata: {}\n\n");
        assert_eq!(text(&message(Some("e:1"), Some("reset"), "a\nb")), "event: reset\nid: e:1\ndata: a\ndata: b\n\n");
        assert_eq!(text(&reset("e:9")), "event: reset\nid: e:9\ndata: {\"type\":\"reset\",\"at\":\"e:9\"}\n\n");
        assert_eq!(text(&KEEP_ALIVE), ": keep-alive\n\n");
    }

    #[test]
    fn no_line_end_ends_a_field() {
        for end in ["\r", "\n", "\r\n", "\n\r"] {
            let hostile = format!("a{end}id: 99{end}{end}event: evil");
            let told = message(Some(&hostile), Some(&hostile), &hostile);
            let lines: Vec<_> = text(&told).split(['\r', '\n']).filter(|line| !line.is_empty()).collect();
            assert_eq!(lines[..2], ["event: aid: 99event: evil", "id: aid: 99event: evil"], "{end:?}");
            assert!(lines[2..].iter().all(|line| line.starts_with("data: ")), "{end:?}: {lines:?}");
            assert_eq!(text(&told).matches("\n\n").count(), 1, "one message: {told:?}");
        }
        assert_eq!(text(&message(None, None, "a\r\nb\rc")), "data: a\ndata: b\ndata: c\n\n");
        assert_eq!(text(&message(Some("a\0b"), None, "")), "id: ab\ndata: \n\n");
    }

    #[test]
    fn a_stream_opens_with_a_wait_and_a_position() {
        for _ in 0..50 {
            let opening = opening(Some("e:1"));
            let rest = text(&opening).strip_prefix("retry: ").unwrap();
            let (wait, rest) = rest.split_once('\n').unwrap();
            assert!((2_000..=5_000).contains(&wait.parse::<u16>().unwrap()), "{wait}");
            assert_eq!(rest, "id: e:1\n\n");
        }
    }

    #[test]
    fn a_frame_is_encoded_once_a_transport() {
        let room = Room::Page(Id::from_u128(1));
        let frame = Frame::event(room, EventId { epoch: "e", seq: 4 }, Bytes::from_static(br#"{"type":"group.created"}"#));
        assert_eq!(text(&frame.sse()), "id: e:4\ndata: {\"type\":\"group.created\"}\n\n");
        assert_eq!(frame.sse().as_ptr(), frame.sse().as_ptr());
        assert_eq!(frame.ws("page:acme").as_ptr(), frame.ws("page:acme").as_ptr());
        for name in ["page:acme", "page:acme-2"] {
            let expected =
                ServerMessage::Event { room: name.into(), id: "e:4".into(), event: serde_json::json!({ "type": "group.created" }) };
            assert_eq!(serde_json::from_str::<ServerMessage>(&frame.ws(name)).unwrap(), expected);
        }
    }
}
