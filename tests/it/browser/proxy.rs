//! What may stand between a browser and the server: a cache with an old page, a gateway that refuses streams.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::harness::Server;

/// A proxy in front of a server; gone when dropped.
pub(super) struct Proxy {
    base: String,
    ways: Arc<Ways>,
    task: AbortHandle,
}

/// What it does with which path. Set by the test, read for each request, held for a moment by both.
#[derive(Default)]
struct Ways {
    stale: Mutex<Option<(String, String)>>,
    refused_path: Mutex<Option<String>>,
    stale_served: AtomicUsize,
    refused: AtomicUsize,
}

impl Proxy {
    pub(super) async fn before(server: &Server) -> Self {
        let upstream = server.base().strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let ways = Arc::new(Ways::default());
        let task = tokio::spawn({
            let ways = ways.clone();
            async move {
                while let Ok((browser, _)) = listener.accept().await {
                    let (upstream, ways) = (upstream.clone(), ways.clone());
                    tokio::spawn(async move {
                        // Either side may go at any time; what the browser makes of it is what the tests look at.
                        let _ = pass(browser, &upstream, &ways).await;
                    });
                }
            }
        });
        Self { base, ways, task: task.abort_handle() }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Answers this path with this page, whatever the server has now.
    pub(super) fn serve_stale(&self, path: &str, html: &str) {
        *self.ways.stale.lock().expect("no panic") = Some((path.to_owned(), html.to_owned()));
    }

    /// Answers what begins with this path with 503, or lets it through again.
    pub(super) fn refuse(&self, path: &str, refuse: bool) {
        *self.ways.refused_path.lock().expect("no panic") = refuse.then(|| path.to_owned());
    }

    pub(super) fn stale_served(&self) -> usize {
        self.ways.stale_served.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> usize {
        self.ways.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection, so that each is looked at.
async fn pass(mut browser: TcpStream, upstream: &str, ways: &Ways) -> io::Result<()> {
    let head = head(&mut browser).await?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();

    let stale = ways.stale.lock().expect("no panic").clone().filter(|(stale, _)| stale == path);
    if let Some((_, html)) = stale {
        ways.stale_served.fetch_add(1, Ordering::SeqCst);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            html.len()
        );
        browser.write_all(head.as_bytes()).await?;
        browser.write_all(html.as_bytes()).await?;
        return browser.shutdown().await;
    }
    let is_refused = ways.refused_path.lock().expect("no panic").as_deref().is_some_and(|refused| path.starts_with(refused));
    if is_refused {
        ways.refused.fetch_add(1, Ordering::SeqCst);
        browser.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
        return browser.shutdown().await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    let lines = head.lines().filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"));
    let head = lines.chain(["connection: close", "", ""]).collect::<Vec<_>>().join("\r\n");
    server.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut browser, &mut server).await.map(|_| ())
}

/// A request's head; browsers send no body with a GET.
async fn head(browser: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(browser.read_u8().await?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}
