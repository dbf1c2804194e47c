//! What a viewer costs, and how fast one event reaches all of them. Server and load generator share the machine.
//!
//! `cargo bench --bench fanout`; `-- --idle 2000 --viewers 5000 --events 30` sets the sizes. The server is the real binary in a process of its own; its
//! memory is what the kernel says of it (`VmRSS`), so that a connection's buffers count wherever they are.
//!
//! With `-- --postgres URL` two nodes on that database, which must be empty: what is changed at the first reaches those who listen at the
//! second. `scripts/measure-cluster` starts a PostgreSQL and runs it so.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio_tungstenite::tungstenite::Message;

struct Server {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_allclear"))
            .args(["--listen", "127.0.0.1:0", "--registration", "open", "--data-dir"])
            .arg(folder.path())
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it has an output")).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit("http://").next().unwrap_or_default().trim_end_matches('/').to_owned();
        Self { child, address, _folder: folder }
    }

    /// Resident memory in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel says");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

/// The text that follows a flag.
fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
fn now() -> Instant {
    Instant::now()
}

async fn open_stream(address: &str, slug: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("it accepts");
    let request = format!("GET /live/sse?room=page:{slug} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let (mut head, mut buffer) = (Vec::new(), [0; 1_024]);
    // The first bytes after the head say that the stream has joined its room.
    while !contains(&head, b"\r\n\r\n") || !contains(&head, b"retry:") {
        let read = socket.read(&mut buffer).await.expect("it answers");
        assert!(read > 0 && (head.is_empty() || head.starts_with(b"HTTP/1.1 200")), "{}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&buffer[..read]);
    }
    socket
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn idle_streams(server: &Server, slug: &str, count: usize) {
    // Warm up, so that what is allocated once is not counted.
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(open_stream(&server.address, slug).await);
    }
    let before = server.memory();
    for _ in 0..count {
        streams.push(open_stream(&server.address, slug).await);
    }
    println!("{count} idle SSE streams: {:.1} KiB each", per(server.memory() - before, count));
}

async fn idle_sockets(server: &Server, slug: &str, count: usize) {
    let connect = || async {
        let socket = TcpStream::connect(&server.address).await.expect("it accepts");
        let (mut socket, _) =
            tokio_tungstenite::client_async(format!("ws://{}/live/ws", server.address), socket).await.expect("it upgrades");
        socket.send(Message::text(json!({ "action": "join", "room": format!("page:{slug}") }).to_string())).await.expect("it reads");
        let joined = socket.next().await.expect("it answers").expect("a message");
        assert!(joined.to_string().contains("joined"), "{joined}");
        socket
    };
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(connect().await);
    }
    let before = server.memory();
    for _ in 0..count {
        sockets.push(connect().await);
    }
    println!("{count} idle WebSockets in a room: {:.1} KiB each", per(server.memory() - before, count));
}

#[expect(clippy::cast_precision_loss, reason = "some megabytes")]
fn per(kib: u64, count: usize) -> f64 {
    kib as f64 / count as f64
}

/// Changes are made at one server, and listened to at the same or at another one.
async fn fan_out(writer: &Server, server: &Server, client: &reqwest::Client, slug: &str, viewers: usize, events: usize) {
    let base = format!("http://{}", writer.address);
    let (ready, seen) = (Arc::new(Barrier::new(viewers + 1)), Arc::new(AtomicU64::new(0)));
    let start = now();
    let mut tasks = Vec::new();
    for _ in 0..viewers {
        let socket = open_stream(&server.address, slug).await;
        let (ready, seen) = (ready.clone(), seen.clone());
        tasks.push(tokio::spawn(async move {
            let (mut socket, mut buffer, mut arrivals) = (socket, vec![0; 4_096], Vec::with_capacity(events));
            ready.wait().await;
            while arrivals.len() < events {
                let read = socket.read(&mut buffer).await.expect("the stream goes on");
                assert!(read > 0, "the stream was cut");
                let at = start.elapsed();
                // Each event is one small write: its `id:` line comes in one piece.
                if contains(&buffer[..read], b"id: ") {
                    arrivals.push(at);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }
            arrivals
        }));
    }
    ready.wait().await;
    let mut sent = Vec::new();
    for number in 0..events {
        let body = json!({ "name": format!("Service {number}"), "description": "" });
        sent.push(start.elapsed());
        let answer = client.post(format!("{base}/api/services")).json(&body).send().await.expect("it answers");
        assert_eq!(answer.status(), 201);
        // The next one only when everyone has this one: each is measured alone.
        let target = (viewers * (number + 1)) as u64;
        while seen.load(Ordering::Relaxed) < target {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut delays = Vec::new();
    for task in tasks {
        let arrivals = task.await.expect("no viewer panics");
        delays.extend(arrivals.iter().zip(&sent).map(|(arrival, sent)| arrival.saturating_sub(*sent)));
    }
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() * share / 1_000).min(delays.len() - 1)].as_secs_f64() * 1_000.0;
    println!(
        "{viewers} viewers, {events} events, from the request to a viewer's read: p50 {:.0} ms, p99 {:.0} ms, p99.9 {:.0} ms, worst {:.0} ms",
        at(500),
        at(990),
        at(999),
        at(1_000)
    );
    println!("server memory with all of them: {} MiB", server.memory() / 1_024);
}

/// Somebody who is signed in, and the slug of their page.
async fn sign_up(server: &Server) -> (reqwest::Client, String) {
    let client = reqwest::Client::builder().cookie_store(true).build().expect("a client");
    let body =
        json!({ "email": "bench@example.com", "password": "tangerine-otter-plinth", "full_name": "Bench", "organization_name": "Bench" });
    let answer = client.post(format!("http://{}/api/users/auth/signup", server.address)).json(&body).send().await.expect("it answers");
    let profile: Value = answer.json().await.expect("JSON");
    let slug = profile["organization"]["slug"].as_str().expect("a slug").to_owned();
    (client, slug)
}

async fn across_nodes(url: &str) {
    let shared = tempfile::tempdir().expect("a folder is made");
    let keys = shared.path().join("keys").display().to_string();
    let flags = ["--store", url, "--key-file", keys.as_str()];
    let (writer, reader) = (Server::start(&flags), Server::start(&flags));
    let (client, slug) = sign_up(&writer).await;
    println!("changes at one node, viewers at another:");
    fan_out(&writer, &reader, &client, &slug, argument("--viewers", 2_000), argument("--events", 200)).await;
}

fn main() {
    allclear::http::raise_fd_limit().expect("the limit of open files can be raised");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    if let Some(url) = text("--postgres") {
        runtime.block_on(across_nodes(&url));
        return;
    }
    runtime.block_on(async {
        for part in ["streams", "sockets", "fan-out"] {
            let server = Server::start(&[]);
            let (client, slug) = sign_up(&server).await;
            match part {
                "streams" => idle_streams(&server, &slug, argument("--idle", 2_000)).await,
                "sockets" => idle_sockets(&server, &slug, argument("--idle", 2_000)).await,
                _ => fan_out(&server, &server, &client, &slug, argument("--viewers", 5_000), argument("--events", 30)).await,
            }
        }
    });
}
