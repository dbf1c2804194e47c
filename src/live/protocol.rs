//! The words of both sides: room names, event ids, messages. `docs/asyncapi.json` says the same to others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::incident::Incident;
use crate::domain::organization::OrgId;
use crate::domain::service::Service;
use crate::domain::user::User;
use crate::id::Id;

/// The most rooms that one connection may be in.
pub const ROOMS_MAX: usize = 100;

/// How many of those who look at an incident are named.
pub const NAMED_MAX: usize = 20;

/// How much is said of a message that can't be read: serde quotes what it does not know, and that may be long.
const EXPLAINED: usize = 200;

/// A room as clients name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoomName {
    /// `org:{id}`.
    Org(OrgId),
    /// `service:{id}`.
    Service(Id<Service>),
    /// `page:{slug}`.
    Page(String),
}

/// A text that names no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be org:{{id}}, service:{{id}} or page:{{slug}}")]
pub struct BadRoom;

impl FromStr for RoomName {
    type Err = BadRoom;

    fn from_str(text: &str) -> Result<Self, BadRoom> {
        let (kind, name) = text.split_once(':').ok_or(BadRoom)?;
        let is_slug = |name: &str| (1..=100).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match kind {
            "org" => name.parse().map(RoomName::Org).map_err(|_| BadRoom),
            "service" => name.parse().map(RoomName::Service).map_err(|_| BadRoom),
            "page" if is_slug(name) => Ok(RoomName::Page(name.to_owned())),
            _ => Err(BadRoom),
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoomName::Org(id) => write!(f, "org:{id}"),
            RoomName::Service(id) => write!(f, "service:{id}"),
            RoomName::Page(slug) => write!(f, "page:{slug}"),
        }
    }
}

/// A position in a log: its life's name and the number of the last event before it, `<epoch>:<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId<'a> {
    /// The log's life; another one after a restore.
    pub epoch: &'a str,
    /// The event's number; 0 stands before the first.
    pub seq: u64,
}

impl<'a> EventId<'a> {
    /// Reads only the printed form: one position has one spelling.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (epoch, seq) = text.split_once(':')?;
        let plain = (1..=64).contains(&epoch.len())
            && epoch.bytes().all(|b| b.is_ascii_alphanumeric())
            && seq.bytes().all(|b| b.is_ascii_digit())
            && (seq == "0" || !seq.starts_with('0'));
        plain.then(|| seq.parse::<u64>().ok()).flatten().map(|seq| Self { epoch, seq })
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// What a WebSocket client says. Unknown fields are refused: a misspelt `after` must not silently lose events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// Hear a room; again, from another position, if it is joined already.
    Join {
        /// Which.
        room: String,
        /// The id of the last event seen; from now on, without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Hear a room no more.
    Leave {
        /// Which.
        room: String,
    },
    /// Look at an incident of an organization whose room is joined, instead of any other one there.
    Attend {
        /// The organization's room.
        room: String,
        /// The incident's id; `None` to look at none any more.
        // Read by hand: serde would take a forgotten field for `null`.
        #[serde(deserialize_with = "Option::deserialize")]
        subject: Option<String>,
    },
    /// Is anybody there?
    // With braces: serde would ignore unknown fields of a unit variant.
    Ping {},
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        // serde would also take an array, with the action as its first element.
        if !text.trim_start().starts_with('{') {
            return Err("a message is a JSON object".to_owned());
        }
        serde_json::from_str(text).map_err(|error| error.to_string().chars().take(EXPLAINED).collect())
    }
}

/// What a WebSocket client is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerMessage {
    /// The room is joined; what follows in it comes after this position.
    Joined {
        /// Which.
        room: String,
        /// `after` as it was asked for, or the present head.
        at: String,
    },
    /// The room is left.
    Left {
        /// Which.
        room: String,
    },
    /// The answer to `ping`.
    Pong {},
    /// Something happened.
    Event {
        /// Where.
        room: String,
        /// Its position in that room's log.
        id: String,
        /// What.
        event: Value,
    },
    /// Who looks at an incident, told to them: first when they come, then whenever it changes.
    Presence {
        /// The organization's room.
        room: String,
        /// The incident.
        subject: Id<Incident>,
        /// Who came first is first; at most [`NAMED_MAX`].
        people: Vec<Person>,
        /// How many more there are.
        more: usize,
    },
    /// The past can't be given: load the state anew; events follow from this position on.
    Reset {
        /// Where.
        room: String,
        /// The present head.
        at: String,
    },
    /// Something could not be done. The connection stays open.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// The room it is about, as the client wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
    },
}

/// Someone who looks at an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their id: a person with several connections is one.
    pub id: Id<User>,
    /// Their full name when they connected.
    pub name: String,
}

/// What a stream tells beside events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StreamMessage {
    /// As on a WebSocket, for all rooms of the stream.
    Reset {
        /// The present head.
        at: String,
    },
}

/// Why something could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not a message of this protocol.
    BadMessage,
    /// There is no such room, or none that the caller may see: the two are told alike.
    UnknownRoom,
    /// There is no such incident in the room's organization, or none that the caller may see.
    UnknownSubject,
    /// The connection is in as many rooms as it may be.
    TooManyRooms,
    /// The room to leave, or the organization's room to look at something in, is not joined.
    NotJoined,
    /// Not now; try again soon.
    Unavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [ErrorCode; 6] = [
        ErrorCode::BadMessage,
        ErrorCode::UnknownRoom,
        ErrorCode::UnknownSubject,
        ErrorCode::TooManyRooms,
        ErrorCode::NotJoined,
        ErrorCode::Unavailable,
    ];
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_room_has_one_name() {
        for name in ["org:org_000000000000000000000000000000ab", "service:svc_000000000000000000000000000000ab", "page:acme-2"] {
            assert_eq!(name.parse::<RoomName>().unwrap().to_string(), name);
        }
        for bad in [
            "",
            "org",
            "org:",
            "org:svc_000000000000000000000000000000ab",
            "Org:x",
            "page:",
            "page:Acme",
            "page:a/b",
            "page:a\nb",
            "team:x",
        ] {
            assert_eq!(bad.parse::<RoomName>(), Err(BadRoom), "{bad:?}");
        }
        assert!(format!("page:{}", "a".repeat(101)).parse::<RoomName>().is_err());
    }

    #[test]
    fn a_position_has_one_spelling() {
        let id = EventId { epoch: "00ff", seq: 7 };
        assert_eq!(id.to_string(), "00ff:7");
        assert_eq!(EventId::parse("00ff:7"), Some(id));
        assert_eq!(EventId::parse("00ff:0"), Some(EventId { epoch: "00ff", seq: 0 }));
        let too_large = format!("e:{}0", u64::MAX);
        for bad in ["", ":", "e", "e:", ":1", "e:01", "e:+1", "e:-1", "e: 1", "e:1:2", "e:1\n", "é:1", &too_large] {
            assert_eq!(EventId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_messages_of_the_protocol_are_read() {
        let read = |value: Value| ClientMessage::parse(&value.to_string()).ok();
        assert_eq!(read(json!({ "action": "ping" })), Some(ClientMessage::Ping {}));
        assert_eq!(read(json!({ "action": "join", "room": "page:a" })), Some(ClientMessage::Join { room: "page:a".into(), after: None }));
        let attend = |subject: Option<&str>| ClientMessage::Attend { room: "org:a".into(), subject: subject.map(str::to_owned) };
        assert_eq!(read(json!({ "action": "attend", "room": "org:a", "subject": "inc_a" })), Some(attend(Some("inc_a"))));
        assert_eq!(read(json!({ "action": "attend", "room": "org:a", "subject": null })), Some(attend(None)));
        for bad in [
            json!({}),
            json!({ "action": "attend", "room": "org:a" }),
            json!(["ping"]),
            json!("ping"),
            json!({ "action": "shout" }),
            json!({ "action": "join" }),
            json!({ "action": "join", "room": 1 }),
            json!({ "action": "join", "room": "page:a", "afer": "e:1" }),
            json!({ "action": "ping", "room": "page:a" }),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
        assert!(ClientMessage::parse("{").is_err());
        assert!(ClientMessage::parse(&json!({ "action": "x".repeat(5_000) }).to_string()).unwrap_err().len() <= EXPLAINED);
    }

    #[test]
    fn what_is_told_reads_as_documented() {
        let told = |message: ServerMessage| serde_json::to_value(message).unwrap();
        assert_eq!(told(ServerMessage::Pong {}), json!({ "type": "pong" }));
        let people = vec![Person { id: Id::from_u128(0xab), name: "Ada".into() }];
        let presence = ServerMessage::Presence { room: "org:a".into(), subject: Id::from_u128(0xcd), people, more: 0 };
        let expected = json!({
            "type": "presence", "room": "org:a", "subject": "inc_000000000000000000000000000000cd",
            "people": [{ "id": "usr_000000000000000000000000000000ab", "name": "Ada" }], "more": 0,
        });
        assert_eq!(told(presence), expected);
        let error = ServerMessage::Error { code: ErrorCode::NotJoined, message: "no".into(), room: None };
        assert_eq!(told(error), json!({ "type": "error", "code": "not_joined", "message": "no" }));
    }
}
