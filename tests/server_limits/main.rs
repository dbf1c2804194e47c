//! What clients may do to the server, over real sockets: the slow, the silent, the greedy, the many, and those who never read.
//!
//! Limits are small here, so that a test waits for the server's own act (an end of stream, an answer) and never for a clock of its own;
//! what would wait for ever if the protection were gone runs into [`PATIENCE`].

mod crowd;
mod greedy;
mod inside;
mod protocols;
mod slow;
mod stopping;

use std::{
    io,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use allclear::http::{ClientAddr, FastPath, Limits, RequestId, Server, Shutdown, TrustedProxies, bind, raise_fd_limit};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::{HeaderValue, Response as HttpResponse, StatusCode, header, request::Parts};
use poem::{Body, Endpoint, Request, Response};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    sync::Notify,
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the small limits are set to.
const SOON: Duration = Duration::from_millis(200);

/// The same where something must still happen before: enough for a busy machine.
const LATER: Duration = Duration::from_secs(2);

/// Limits that no test runs into unless it lowers them.
fn generous() -> Limits {
    Limits {
        first_head: PATIENCE * 2,
        header_read: PATIENCE * 2,
        keep_alive_idle: PATIENCE * 2,
        write_stall: PATIENCE * 2,
        body_time: PATIENCE * 2,
        drain_time: PATIENCE,
        drain_grace: PATIENCE,
        ..Limits::default()
    }
}

/// Where a test and the endpoint meet.
#[derive(Default)]
struct Meeting {
    /// Requests for `/wait` that have arrived.
    entered: Notify,
    /// Lets one of them go on.
    go_on: Notify,
    /// An endless answer was dropped.
    dropped: Notify,
    calls: AtomicUsize,
}

/// A site with one of each kind of answer.
struct Site {
    meeting: Arc<Meeting>,
    shutdown: Shutdown,
}

impl Endpoint for Site {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        self.meeting.calls.fetch_add(1, Ordering::SeqCst);
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/" => Ok("hello".into()),
            "/length" | "/pages/p/logo" => {
                let body = request.take_body().into_bytes().await?;
                Ok(body.len().to_string().into())
            }
            "/client" => Ok(request.data::<ClientAddr>().unwrap().0.to_string().into()),
            "/host" => Ok(request.header("host").unwrap_or("none").to_owned().into()),
            "/name" => Ok(request.data::<RequestId>().unwrap().to_string().into()),
            "/panic" => panic!("on purpose"),
            "/wait" => {
                self.meeting.entered.notify_one();
                self.meeting.go_on.notified().await;
                Ok("waited".into())
            }
            "/endless" => {
                let guard = Dropped(self.meeting.clone());
                let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
                Ok(Response::builder().body(Body::from_bytes_stream(stream::repeat_with(move || {
                    let _held = &guard;
                    Ok::<_, io::Error>(chunk.clone())
                }))))
            }
            "/stream" => {
                let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"begun;"))]);
                let stopping = self.shutdown.stopping();
                let last = stream::once(async move {
                    stopping.await;
                    Ok(Bytes::from_static(b"ended"))
                });
                self.meeting.entered.notify_one();
                Ok(Response::builder().body(Body::from_bytes_stream(first.chain(last))))
            }
            "/echo" => self.echo(&request),
            _ => Ok(StatusCode::NOT_FOUND.into()),
        }
    }
}

impl Site {
    fn echo(&self, request: &Request) -> poem::Result<Response> {
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = request.take_upgrade()?;
        let stopping = self.shutdown.stopping();
        self.shutdown.spawn_tracked(async move {
            let Ok(stream) = upgrade.await else { return };
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    () = &mut stopping => {
                        let _ = socket.close(None).await;
                        return;
                    }
                    message = socket.next() => {
                        let Some(Ok(Message::Text(text))) = message else { return };
                        if socket.send(Message::Text(text)).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Ok(Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept)
            .finish())
    }
}

struct Dropped(Arc<Meeting>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

/// A server that runs until the test ends.
struct Running {
    addr: SocketAddr,
    meeting: Arc<Meeting>,
    shutdown: Shutdown,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn stopped(self) {
        within(self.task).await.unwrap().unwrap();
    }
}

fn start(limits: Limits) -> Running {
    start_with(Server::new(limits))
}

fn start_with(server: Server) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = server.shutdown.clone();
    let meeting = Arc::new(Meeting::default());
    let site = Site { meeting: meeting.clone(), shutdown: shutdown.clone() };
    let task = tokio::spawn(server.serve(listener, site));
    Running { addr, meeting, shutdown, task }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened")
}

async fn connect(addr: SocketAddr) -> TcpStream {
    within(TcpStream::connect(addr)).await.unwrap()
}

/// Sends something and reads until the server closes. A reset after the answer counts as the end.
async fn talk(addr: SocketAddr, request: &[u8]) -> String {
    let mut socket = connect(addr).await;
    socket.write_all(request).await.unwrap();
    rest(&mut socket).await
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = within(socket.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(addr: SocketAddr, path: &str) -> String {
    talk(addr, format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes()).await
}

/// Asks on an open connection and reads the answer, which must have a length.
async fn ask(socket: &mut TcpStream, path: &str) -> String {
    within(async {
        socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length: usize =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |value| value.parse().unwrap());
                if body.len() >= length {
                    return text;
                }
            }
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "closed after {text:?}");
        }
    })
    .await
}

/// Whether the server has closed this connection (in whichever way).
async fn closed(socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(within(socket.read(&mut byte)).await, Ok(0) | Err(_))
}

fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

fn problem(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    serde_json::from_str(body).unwrap()
}

async fn websocket(addr: SocketAddr) -> (WebSocketStream<TcpStream>, http::HeaderMap) {
    let (socket, answer) = within(tokio_tungstenite::client_async(format!("ws://{addr}/echo"), connect(addr).await)).await.unwrap();
    (socket, answer.headers().clone())
}
