//! What clients may do to the server, over real sockets: the slow, the silent, the greedy, the many, and those who never read.
//!
//! Limits are small here, so that a test waits for the server's own act (an end of stream, an answer) and never for a clock of its own;
//! what would wait for ever if the protection were gone runs into [`PATIENCE`].

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

// ---- slow and silent ----

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await);
    assert_eq!(status(&get(server.addr, "/").await), 200);
}

#[tokio::test]
async fn half_a_preface_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut half = connect(server.addr).await;
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    assert!(closed(&mut half).await);
}

#[tokio::test]
async fn a_whole_preface_without_a_request_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // The server's own settings come first; then the end.
    rest(&mut socket).await;
}

/// Writes a byte of an endless header now and then, until the server has had enough.
async fn drip(mut socket: TcpStream, beginning: &[u8]) {
    socket.set_nodelay(true).unwrap();
    socket.write_all(beginning).await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    within(async {
        loop {
            pace.tick().await;
            if socket.write_all(b"x").await.is_err() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_first_head_byte_by_byte_is_cut() {
    let server = start(Limits { first_head: SOON, ..generous() });
    drip(connect(server.addr).await, b"GET / HTTP/1.1\r\nhost: test\r\nx-slow: ").await;
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_later_head_byte_by_byte_is_cut() {
    let server = start(Limits { header_read: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    drip(socket, b"GET / HTTP/1.1\r\nhost: test\r\nx-slow: ").await;
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_not_by_the_limit_for_heads() {
    let server = start(Limits { keep_alive_idle: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    assert!(closed(&mut socket).await);

    // With both head limits far shorter than the idle one, a second request on the same connection still works.
    let server = start(Limits { first_head: LATER, header_read: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await, "the time for a head is over now");
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
}

#[tokio::test]
async fn a_slow_body_is_refused() {
    let server = start(Limits { body_time: SOON, ..generous() });
    let answer = talk(server.addr, b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(status(&answer), 408);
    assert_eq!(problem(&answer)["type"], "urn:allclear:problem:request-timeout");
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_and_blocks_nobody() {
    let server = start(Limits { write_stall: SOON, ..generous() });
    let mut deaf = connect(server.addr).await;
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        assert_eq!(status(&get(server.addr, "/").await), 200);
    }
    within(server.meeting.dropped.notified()).await;
}

// ---- greedy ----

const MIB: usize = 1024 * 1024;

/// Posts so many bytes in one go, then reads the answer: what a simple client does.
async fn post(addr: SocketAddr, path: &str, framing: &str, body: Vec<u8>) -> String {
    let mut socket = connect(addr).await;
    socket.write_all(format!("POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
    within(socket.write_all(&body)).await.unwrap();
    rest(&mut socket).await
}

fn chunked(bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..bytes / 65_536 {
        body.extend_from_slice(b"10000\r\n");
        body.extend_from_slice(&[b'x'; 65_536]);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[tokio::test]
async fn a_body_over_the_limit_gets_a_readable_413() {
    let server = start(generous());
    for (framing, body) in
        [(format!("content-length: {}", 6 * MIB), vec![b'x'; 6 * MIB]), ("transfer-encoding: chunked".to_owned(), chunked(6 * MIB))]
    {
        let answer = post(server.addr, "/length", &framing, body).await;
        assert_eq!(status(&answer), 413, "{framing}");
        let problem = problem(&answer);
        assert_eq!(problem["type"], "urn:allclear:problem:payload-too-large");
        assert_eq!(problem["status"], 413);
        assert!(answer.contains(&format!("x-request-id: {}", problem["request_id"].as_str().unwrap())));
    }
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_within_the_limit_arrives_whole() {
    let server = start(generous());
    assert!(post(server.addr, "/length", &format!("content-length: {MIB}"), vec![b'x'; MIB]).await.ends_with("\r\n\r\n1048576"));
    assert!(post(server.addr, "/length", "transfer-encoding: chunked", chunked(MIB)).await.ends_with("\r\n\r\n1048576"));
    assert_eq!(status(&post(server.addr, "/length", &format!("content-length: {}", MIB + 1), vec![b'x'; MIB + 1]).await), 413);
    assert!(post(server.addr, "/pages/p/logo", &format!("content-length: {}", 2 * MIB), vec![b'x'; 2 * MIB]).await.ends_with("2097152"));
}

#[tokio::test]
async fn who_asks_before_sending_is_told() {
    let server = start(generous());
    let mut polite = BufReader::new(connect(server.addr).await);
    polite
        .write_all(b"POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut line = String::new();
    within(polite.read_line(&mut line)).await.unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    polite.write_all(b"abc").await.unwrap();
    let mut answer = String::new();
    within(polite.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");

    let answer =
        talk(server.addr, b"POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n").await;
    assert_eq!(status(&answer), 413, "without being invited to send it");
}

#[tokio::test]
async fn a_compressed_request_is_refused() {
    let server = start(generous());
    let answer = post(server.addr, "/length", "content-encoding: gzip\r\ncontent-length: 3", b"abc".to_vec()).await;
    assert_eq!(status(&answer), 415);
    assert!(post(server.addr, "/length", "content-encoding: identity\r\ncontent-length: 3", b"abc".to_vec()).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn bodies_share_a_budget() {
    let server = start(Limits { body_budget: 1000, ..generous() });
    let mut holder = connect(server.addr).await;
    holder.write_all(b"POST /wait HTTP/1.1\r\nhost: test\r\ncontent-length: 900\r\n\r\n").await.unwrap();
    holder.write_all(&[b'x'; 900]).await.unwrap();
    within(server.meeting.entered.notified()).await;

    let refused = post(server.addr, "/length", "content-length: 200", vec![b'x'; 200]).await;
    assert_eq!(status(&refused), 503);
    assert!(refused.contains("retry-after: "));
    assert_eq!(status(&get(server.addr, "/").await), 200, "what needs no body goes on");

    server.meeting.go_on.notify_one();
    let mut answer = [0; 15];
    within(holder.read_exact(&mut answer)).await.unwrap();
    // The share is given back before the answer is written.
    assert!(post(server.addr, "/length", "content-length: 200", vec![b'x'; 200]).await.ends_with("\r\n\r\n200"));
}

#[tokio::test]
async fn heads_and_addresses_are_bounded() {
    let server = start(generous());
    assert_eq!(status(&get(server.addr, &format!("/{}", "a".repeat(8_192))).await), 414);
    assert_eq!(status(&get(server.addr, &format!("/{}", "a".repeat(8_000))).await), 404);

    let long = format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "a".repeat(40_000));
    assert_eq!(status(&talk(server.addr, long.as_bytes()).await), 431);
    let many = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_eq!(status(&talk(server.addr, many.as_bytes()).await), 431);
}

// ---- many ----

#[tokio::test]
async fn a_full_house_evicts_the_oldest_who_said_nothing() {
    let server = start(Limits { max_connections: 2, ..generous() });
    let mut oldest = connect(server.addr).await;
    let mut second = connect(server.addr).await;
    let mut third = connect(server.addr).await;

    assert_eq!(status(&ask(&mut third, "/").await), 200);
    assert!(closed(&mut oldest).await);
    assert_eq!(status(&ask(&mut second, "/").await), 200, "one newcomer costs one place");
}

#[tokio::test]
async fn an_address_has_its_share() {
    let server = start(Limits { per_address: 2, loopback_exempt: false, ..generous() });
    let mut first = connect(server.addr).await;
    let mut second = connect(server.addr).await;
    assert_eq!(status(&ask(&mut first, "/").await), 200);
    assert_eq!(status(&ask(&mut second, "/").await), 200);

    let mut third = connect(server.addr).await;
    assert!(closed(&mut third).await);
    assert_eq!(status(&ask(&mut first, "/").await), 200);
}

#[tokio::test]
async fn a_websocket_keeps_its_place() {
    let server = start(Limits { max_connections: 1, ..generous() });
    let (mut socket, _) = websocket(server.addr).await;
    socket.send(Message::text("before")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("before"));

    let mut second = connect(server.addr).await;
    assert!(closed(&mut second).await, "there is no place, and the upgraded connection is not idle");
    socket.send(Message::text("after")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("after"));
}

const CROWD: usize = 10_000;
const CROWD_ADDRESS: &str = "ALLCLEAR_TEST_CROWD_ADDRESS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_sockets_leave_room_for_others() {
    let fds = raise_fd_limit().unwrap();
    assert!(fds > CROWD as u64 + 500, "this needs a hard limit of more than 10,500 open files (ulimit -Hn); it is {fds}");
    let server = start(Limits { max_connections: CROWD + 100, ..generous() });

    // The clients' ends live in another process, this same test program, since a process has no 20,000 descriptors everywhere.
    let mut crowd = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_crowd", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CROWD_ADDRESS, server.addr.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(crowd.stdout.take().unwrap()).lines();
    within(async { while !said.next_line().await.unwrap().expect("the crowd gave up").contains("everyone is here") {} }).await;

    let mut regular = connect(server.addr).await;
    for _ in 0..100 {
        assert_eq!(status(&ask(&mut regular, "/").await), 200);
    }
    assert_eq!(status(&get(server.addr, "/").await), 200, "a newcomer too");

    drop(crowd.stdin.take());
    assert!(within(crowd.wait()).await.unwrap().success());
}

/// The other process of the test above: opens the sockets, says so, and waits until it is told to go.
#[tokio::test]
#[ignore = "started by ten_thousand_idle_sockets_leave_room_for_others"]
async fn the_crowd() {
    let Ok(addr) = std::env::var(CROWD_ADDRESS) else { return };
    let addr: SocketAddr = addr.parse().unwrap();
    raise_fd_limit().unwrap();
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD / 250 {
        let some = futures_util::future::join_all((0..250).map(|_| connect(addr))).await;
        crowd.extend(some);
    }
    println!("\neveryone is here");
    // Blocking is fine: the sockets have nothing to do, and that is the point.
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
    assert_eq!(crowd.len(), CROWD);
}

// ---- what goes wrong inside ----

#[tokio::test]
async fn a_panic_is_a_500_and_nothing_else() {
    let server = start(generous());
    let mut socket = connect(server.addr).await;
    let answer = ask(&mut socket, "/panic").await;
    assert_eq!(status(&answer), 500);
    assert_eq!(problem(&answer)["type"], "urn:allclear:problem:internal");
    assert!(!answer.contains("on purpose"), "the message is for the log");
    assert_eq!(status(&ask(&mut socket, "/").await), 200, "the same connection goes on");
}

#[tokio::test]
async fn smuggling_does_not_work() {
    let server = start(generous());
    for request in [
        &b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde"[..],
        b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: +3\r\n\r\nabc",
        b"POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /length HTTP/1.0\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: test\r\nx: a\0b\r\n\r\n",
    ] {
        let answer = talk(server.addr, request).await;
        assert!(answer.contains(" 400 "), "{}: {answer}", String::from_utf8_lossy(request));
    }
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);

    // Both framings: chunked counts, and the connection ends, so that what follows is never taken for a request (RFC 9112, 6.3).
    let both = b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";
    let answer = talk(server.addr, both).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.ends_with("\r\n\r\n0"), "{answer}");
}

// ---- protocols ----

#[tokio::test]
async fn http2_works_without_tls() {
    let server = start(generous());
    let mut socket = connect(server.addr).await;
    let authority = b"status.test";
    // GET /host as indexed fields of HPACK's static table, and two literals.
    let mut fields = vec![0x82, 0x86, 0x04, 5];
    fields.extend_from_slice(b"/host");
    fields.extend_from_slice(&[0x41, authority.len() as u8]);
    fields.extend_from_slice(authority);

    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    hello.extend_from_slice(&[0, 0, fields.len() as u8, 0x01, 0x05, 0, 0, 0, 1]);
    hello.extend_from_slice(&fields);
    socket.write_all(&hello).await.unwrap();

    let (mut first_field, mut body) = (None, Vec::new());
    within(async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            match (head[3], head[8]) {
                (0x01, 1) => first_field = payload.first().copied(),
                (0x00, 1) => body.extend(payload),
                _ => {}
            }
            if matches!(head[3], 0 | 1) && head[4] & 0x01 != 0 {
                break;
            }
        }
    })
    .await;
    assert_eq!(first_field, Some(0x88), ":status 200");
    assert_eq!(body, authority, "handlers find the host where HTTP/1 has it");
}

async fn websocket(addr: SocketAddr) -> (WebSocketStream<TcpStream>, http::HeaderMap) {
    let (socket, answer) = within(tokio_tungstenite::client_async(format!("ws://{addr}/echo"), connect(addr).await)).await.unwrap();
    (socket, answer.headers().clone())
}

#[tokio::test]
async fn an_upgraded_connection_echoes() {
    // It outlives all limits that are about requests.
    let server = start(Limits { first_head: LATER, header_read: SOON, keep_alive_idle: SOON, ..generous() });
    let (mut socket, headers) = websocket(server.addr).await;
    assert!(headers.contains_key("x-request-id"));
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await, "all of them are over now");
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let server = start(generous());
    for path in ["/", "/missing", "/panic"] {
        let answer = get(server.addr, path).await;
        for name in ["x-request-id", "content-security-policy", "x-content-type-options", "referrer-policy"] {
            assert!(answer.contains(&format!("\r\n{name}: ")), "{path} lacks {name}: {answer}");
        }
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{path}");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_speaks_for_others() {
    let spoofed = b"GET /client HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx-forwarded-for: 198.51.100.1\r\n\r\n";
    let named = b"GET /name HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx-request-id: theirs\r\n\r\n";

    let direct = start(generous());
    assert!(talk(direct.addr, spoofed).await.ends_with("\r\n\r\n127.0.0.1"));
    assert!(!talk(direct.addr, named).await.ends_with("theirs"));

    let mut behind_proxy = Server::new(generous());
    behind_proxy.trusted_proxies = TrustedProxies::parse(&["127.0.0.1"]).unwrap();
    let behind_proxy = start_with(behind_proxy);
    assert!(talk(behind_proxy.addr, spoofed).await.ends_with("\r\n\r\n198.51.100.1"));
    assert!(talk(behind_proxy.addr, named).await.ends_with("\r\n\r\ntheirs"));
}

struct Cached;

impl FastPath for Cached {
    fn answer(&self, head: &Parts) -> Option<HttpResponse<Bytes>> {
        (head.uri.path() == "/cached").then(|| {
            let mut response = HttpResponse::new(Bytes::from_static(b"from memory"));
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        })
    }
}

#[tokio::test]
async fn a_cached_page_never_reaches_the_router() {
    let mut server = Server::new(generous());
    server.fast_path = Arc::new(Cached);
    let server = start_with(server);

    let mut socket = connect(server.addr).await;
    let answer = ask(&mut socket, "/cached").await;
    assert!(answer.ends_with("\r\n\r\nfrom memory"));
    assert!(answer.contains("content-length: 11"));
    let answer = talk(server.addr, b"HEAD /cached HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 11") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
    assert!(ask(&mut socket, "/").await.ends_with("hello"), "the rest does");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let server = start(generous());
    let answer = talk(server.addr, b"HEAD / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

// ---- stopping ----

#[tokio::test]
async fn stopping_lets_requests_finish_and_refuses_new_clients() {
    let server = start(generous());
    let mut idle = connect(server.addr).await;
    assert_eq!(status(&ask(&mut idle, "/").await), 200);
    let addr = server.addr;
    let running = tokio::spawn(async move { get(addr, "/wait").await });
    within(server.meeting.entered.notified()).await;

    server.shutdown.begin();
    assert!(closed(&mut idle).await);
    // The kernel may have queued a client just before the socket closed; the first refusal is what we wait for.
    within(async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert!(!running.is_finished());

    server.meeting.go_on.notify_one();
    let answer = within(running).await.unwrap();
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("waited"));
    server.stopped().await;
}

#[tokio::test]
async fn stopping_ends_streams_and_websockets_properly() {
    let server = start(generous());
    let addr = server.addr;
    let stream = tokio::spawn(async move { get(addr, "/stream").await });
    within(server.meeting.entered.notified()).await;
    let (mut socket, _) = websocket(addr).await;
    socket.send(Message::text("up")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("up"));

    server.shutdown.begin();
    let streamed = within(stream).await.unwrap();
    assert!(streamed.contains("begun;") && streamed.contains("ended") && streamed.ends_with("0\r\n\r\n"), "{streamed}");
    assert!(matches!(within(socket.next()).await, Some(Ok(Message::Close(_)))));
    drop(socket);
    server.stopped().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = start(Limits { drain_grace: SOON, ..generous() });
    let mut stuck = connect(server.addr).await;
    stuck.write_all(b"GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    within(server.meeting.entered.notified()).await;

    server.shutdown.begin();
    server.stopped().await;
    assert!(closed(&mut stuck).await);
}
