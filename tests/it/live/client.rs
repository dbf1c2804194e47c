//! Listeners over real sockets: a WebSocket and an event stream.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::PATIENCE;

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

/// The number in an event's id.
#[track_caller]
pub(crate) fn seq(id: &str) -> u64 {
    id.split_once(':').and_then(|(_, seq)| seq.parse().ok()).unwrap_or_else(|| panic!("no id: {id:?}"))
}

/// A WebSocket to `/live/ws`.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// With this cookie; anonymous with an empty one.
    pub(crate) async fn open(base: &str, cookie: &str) -> Self {
        Self::connect(base, &[("cookie", cookie)], None).await.unwrap_or_else(|status| panic!("{status}"))
    }

    /// The same, with so little room in the client's kernel that the server soon notices when nobody reads.
    pub(crate) async fn narrow(base: &str, cookie: &str) -> Self {
        Self::connect(base, &[("cookie", cookie)], Some(4_096)).await.unwrap_or_else(|status| panic!("{status}"))
    }

    /// With these headers, of which empty ones are left out.
    ///
    /// # Errors
    /// The status of a refusal.
    pub(crate) async fn try_open(base: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        Self::connect(base, headers, None).await
    }

    /// With this cookie, at a server that may be gone, or its store away: `None` then.
    pub(crate) async fn knock(base: &str, cookie: &str) -> Option<Self> {
        let answered = Self::reach(base, &[("cookie", cookie)], None).await.ok()?;
        answered.map_err(|status| assert_eq!(status, 503)).ok()
    }

    async fn connect(base: &str, headers: &[(&str, &str)], buffer: Option<u32>) -> Result<Self, u16> {
        Self::reach(base, headers, buffer).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`try_open`](Self::try_open), where the server may be gone: why there is no answer at all.
    async fn reach(base: &str, headers: &[(&str, &str)], buffer: Option<u32>) -> Result<Result<Self, u16>, String> {
        let host = base.strip_prefix("http://").expect("plain HTTP");
        let address: SocketAddr = host.parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).expect("a small buffer");
        }
        let stream = within(socket.connect(address)).await.map_err(|error| error.to_string())?;
        let mut request = format!("ws://{host}/live/ws").into_client_request().expect("a request");
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request.headers_mut().insert(HeaderName::try_from(*name).expect("a name"), HeaderValue::from_str(value).expect("a value"));
        }
        match within(client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Ok(Self(socket))),
            Err(tungstenite::Error::Http(response)) => Ok(Err(response.status().as_u16())),
            Err(other) => Err(other.to_string()),
        }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends any message.
    pub(crate) async fn send(&mut self, message: Message) {
        within(self.0.send(message)).await.expect("it is sent");
    }

    /// What comes next.
    ///
    /// # Errors
    /// The code it was closed with; 0 when it was cut.
    pub(crate) async fn hear(&mut self) -> Result<Value, u16> {
        let mut code = 0;
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => code = frame.map_or(1_005, |frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(code),
            }
        }
    }

    /// What comes next on a socket that is expected to live.
    pub(crate) async fn next(&mut self) -> Value {
        self.hear().await.unwrap_or_else(|code| panic!("closed with {code}"))
    }

    /// Says something and hears what comes next.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.next().await
    }

    /// Joins a room; answers the position it begins at.
    pub(crate) async fn join(&mut self, room: &str, after: Option<&str>) -> String {
        let answer = self.ask(join(room, after)).await;
        assert_eq!((&answer["type"], &answer["room"]), (&json!("joined"), &json!(room)), "{answer}");
        answer["at"].as_str().expect("a position").to_owned()
    }

    /// As [`join`](Self::join), where the server may go meanwhile, or its store be away: `None` then.
    pub(crate) async fn try_join(&mut self, room: &str, after: Option<&str>) -> Option<String> {
        within(self.0.send(Message::text(join(room, after).to_string()))).await.ok()?;
        let answer = self.hear().await.ok()?;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "unavailable", "{answer}");
            return None;
        }
        assert_eq!((&answer["type"], &answer["room"]), (&json!("joined"), &json!(room)), "{answer}");
        Some(answer["at"].as_str().expect("a position").to_owned())
    }

    /// The next event: its room, its id, itself.
    pub(crate) async fn event(&mut self) -> (String, String, Value) {
        let told = self.next().await;
        assert_eq!(told["type"], "event", "{told}");
        let text = |name: &str| told[name].as_str().expect("a text").to_owned();
        (text("room"), text("id"), told["event"].clone())
    }

    /// Nothing was told that was not expected: what comes next is the answer to a ping.
    pub(crate) async fn is_silent(&mut self) {
        assert_eq!(self.ask(json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    }

    /// Reads on until it is closed; answers the code.
    pub(crate) async fn ended(&mut self) -> u16 {
        loop {
            if let Err(code) = self.hear().await {
                return code;
            }
        }
    }
}

/// The message that joins a room.
pub(crate) fn join(room: &str, after: Option<&str>) -> Value {
    let mut message = json!({ "action": "join", "room": room });
    if let Some(after) = after {
        message["after"] = after.into();
    }
    message
}

/// The message that looks at an incident, or with `None` at nothing any more.
pub(crate) fn attend(room: &str, incident: Option<&str>) -> Value {
    json!({ "action": "attend", "room": room, "subject": incident })
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Between two messages, and said so.
    Cleanly,
    /// Cut off.
    Broken,
}

/// A message of a stream, comments among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: String,
    pub(crate) comment: String,
    pub(crate) retry: String,
}

impl Told {
    fn parse(block: &str) -> Self {
        let mut told = Self::default();
        for line in block.lines() {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            let field = match name {
                "id" => &mut told.id,
                "event" => &mut told.name,
                "data" => &mut told.data,
                "" => &mut told.comment,
                "retry" => &mut told.retry,
                _ => panic!("no field of ours: {line:?}"),
            };
            field.push_str(value);
        }
        told
    }

    /// The data as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An event stream, from `/live/sse` unless another path is named.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: Vec<u8>,
    /// The position it said it begins at; empty where a page's stream begins with the page.
    pub(crate) at: String,
}

impl Events {
    /// With this cookie; anonymous with an empty one.
    pub(crate) async fn open(base: &str, query: &str, cookie: &str) -> Self {
        Self::try_open(base, query, &[("cookie", cookie)]).await.unwrap_or_else(|(status, problem)| panic!("{status}: {problem}"))
    }

    /// With these headers, of which empty ones are left out.
    ///
    /// # Errors
    /// The status and the problem of a refusal.
    pub(crate) async fn try_open(base: &str, query: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, Value)> {
        let answered = Self::reach(base, &format!("/live/sse?{query}"), headers).await.unwrap_or_else(|error| panic!("{error}"));
        if let Ok(events) = &answered {
            assert!(!events.at.is_empty(), "it begins nowhere");
        }
        answered
    }

    /// The stream of this path with these headers, from a server that may be gone, or its store away: `None` then.
    pub(crate) async fn knock(base: &str, path: &str, headers: &[(&str, &str)]) -> Option<Self> {
        let answered = Self::reach(base, path, headers).await.ok()?;
        answered.map_err(|(status, problem)| assert_eq!(status, 503, "{problem}")).ok()
    }

    /// As [`try_open`](Self::try_open), of any path, where the server may be gone: why there is no answer at all.
    async fn reach(base: &str, path: &str, headers: &[(&str, &str)]) -> Result<Result<Self, (u16, Value)>, String> {
        // A client each, and so a connection each.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request = client.get(format!("{base}{path}"));
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let response = within(request.send()).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        if status != 200 {
            let problem = within(response.json()).await.map_err(|error| error.to_string())?;
            return Ok(Err((status, problem)));
        }
        for (name, value) in [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")] {
            assert_eq!(response.headers()[name], value);
        }
        let mut events = Self { response, unread: Vec::new(), at: String::new() };
        let opening = events.block().await.map_err(|ended| format!("no opening: {ended:?}"))?;
        assert!(opening.retry.parse::<u32>().is_ok() && opening.data.is_empty(), "when to come back, and no event: {opening:?}");
        events.at = opening.id;
        Ok(Ok(events))
    }

    /// The next message that is no comment.
    ///
    /// # Errors
    /// How the stream ended.
    pub(crate) async fn hear(&mut self) -> Result<Told, Ended> {
        loop {
            let told = self.block().await?;
            if !told.data.is_empty() {
                return Ok(told);
            }
        }
    }

    /// The next message of a stream that is expected to live.
    pub(crate) async fn next(&mut self) -> Told {
        self.hear().await.unwrap_or_else(|ended| panic!("ended: {ended:?}"))
    }

    /// Reads on until the end.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.hear().await {
                return ended;
            }
        }
    }

    async fn block(&mut self) -> Result<Told, Ended> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..at + 2).collect();
                return Ok(Told::parse(std::str::from_utf8(&block).expect("UTF-8")));
            }
            match within(self.response.chunk()).await {
                Ok(Some(bytes)) => self.unread.extend(bytes),
                Ok(None) if self.unread.is_empty() => return Err(Ended::Cleanly),
                Ok(None) | Err(_) => return Err(Ended::Broken),
            }
        }
    }
}

/// A way to hear of one room.
pub(crate) enum Link {
    /// Joined by a socket that has joined nothing else.
    Socket(Box<Socket>),
    /// A stream of this room alone.
    Stream(Box<Events>),
}

impl Link {
    /// The id of the next event of the room; `None` at the end. Nothing else is told, such as a reset.
    pub(crate) async fn hear(&mut self, room: &str) -> Option<String> {
        match self {
            Link::Socket(socket) => {
                let told = socket.hear().await.ok()?;
                assert_eq!((told["type"].as_str(), told["room"].as_str()), (Some("event"), Some(room)), "{told}");
                Some(told["id"].as_str().expect("an id").to_owned())
            }
            Link::Stream(stream) => {
                let told = stream.hear().await.ok()?;
                assert_eq!(told.name, "", "{told:?}");
                Some(told.id)
            }
        }
    }
}
