//! The accept loop.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    client::TrustedProxies,
    connection,
    conversation::Protocols,
    headers::SecurityHeaders,
    limits::Limits,
    registry::Registry,
    request_id::RequestIds,
    service::{Service, Shared},
    shutdown::Shutdown,
};

/// Answers from memory, before the router.
pub trait FastPath: Send + Sync + 'static {
    /// The whole answer to a request, or `None` to let the router have it.
    ///
    /// It is sent as it is (a HEAD loses its body), so its headers must be complete: build them once with [`SecurityHeaders::apply`], and
    /// clone them here.
    fn answer(&self, head: &http::request::Parts) -> Option<http::Response<Bytes>>;
}

/// Every request goes to the router.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFastPath;

impl FastPath for NoFastPath {
    fn answer(&self, _head: &http::request::Parts) -> Option<http::Response<Bytes>> {
        None
    }
}

/// An HTTP/1.1 and HTTP/2 server (without TLS) that feeds a poem endpoint.
pub struct Server {
    /// What clients may cost.
    pub limits: Limits,
    /// Whose forwarded addresses and request ids are believed.
    pub trusted_proxies: TrustedProxies,
    /// What is answered before the router.
    pub fast_path: Arc<dyn FastPath>,
    /// What every answer of the router gets.
    pub headers: SecurityHeaders,
    /// When to stop, and whom to wait for.
    pub shutdown: Shutdown,
    /// How requests are named.
    pub request_ids: RequestIds,
}

impl Server {
    /// A server with these limits and nothing else: no trusted proxy, no fast path, plain HTTP.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            trusted_proxies: TrustedProxies::default(),
            fast_path: Arc::new(NoFastPath),
            headers: SecurityHeaders::new(false),
            shutdown: Shutdown::new(),
            request_ids: RequestIds::new("r"),
        }
    }

    /// Serves until the shutdown begins, then lets requests, streams and tracked tasks finish within the grace.
    ///
    /// # Errors
    /// The listener's address can't be read. Failed accepts are retried for as long as the server runs.
    pub async fn serve<E>(self, listener: TcpListener, endpoint: E) -> io::Result<()>
    where
        E: poem::Endpoint<Output = poem::Response> + 'static,
    {
        let local = listener.local_addr()?;
        let limits = Arc::new(self.limits);
        let protocols = Arc::new(Protocols::new(&limits));
        let registry = Registry::new(&limits);
        let shutdown = self.shutdown;
        let shared = Arc::new(Shared {
            endpoint,
            fast_path: self.fast_path,
            trusted_proxies: self.trusted_proxies,
            headers: self.headers,
            request_ids: self.request_ids,
            body_budget: Arc::new(Semaphore::new(limits.body_budget.min(Semaphore::MAX_PERMITS))),
            limits: limits.clone(),
            registry: registry.clone(),
        });

        let mut backoff = Backoff::default();
        let mut stopping = Box::pin(shutdown.stopping());
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopping => break,
                accepted = listener.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_the_peers(&error) => continue,
                Err(error) => {
                    // Out of descriptors or memory: trying again at once would only spin.
                    let evicted = registry.make_room();
                    let pause = backoff.pause();
                    tracing::warn!(%error, evicted, pause_ms = pause.as_millis(), "cannot accept connections");
                    tokio::select! {
                        () = &mut stopping => break,
                        () = tokio::time::sleep(pause) => continue,
                    }
                }
            };
            backoff = Backoff::default();

            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let exempt = is_exempt(peer.ip(), &limits, &shared.trusted_proxies);
            let Some(slot) = registry.admit(peer.ip(), exempt) else {
                tracing::debug!(%peer, "too many connections");
                continue;
            };
            prepare(&socket);
            let service = Service::new(shared.clone(), &slot, peer, local);
            shutdown.spawn_tracked(connection::drive(socket, slot, service, protocols.clone(), limits.clone()));
        }

        // Closed first, so that new clients are refused by the kernel at once and try another node.
        drop(listener);
        registry.drain_all();
        if !shutdown.drained(limits.drain_grace).await {
            tracing::warn!(left = shutdown.held(), "stopping although not everyone has finished");
            registry.cut_all();
        }
        Ok(())
    }
}

fn is_exempt(peer: IpAddr, limits: &Limits, trusted: &TrustedProxies) -> bool {
    (limits.loopback_exempt && peer.is_loopback()) || trusted.contains(peer)
}

fn prepare(socket: &TcpStream) {
    // Small frames (live events) must not wait for acknowledgements. A socket that refuses is dead, which the first read shows.
    let _ = socket.set_nodelay(true);
}

/// The client has gone between its SYN and our accept: nothing is wrong here.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

/// How long to wait after accept has failed: 10 ms, doubling to 1 s.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    fn pause(&mut self) -> Duration {
        let pause = Duration::from_millis(10 << self.0.min(7)).min(Duration::from_secs(1));
        self.0 += 1;
        pause
    }
}

/// Opens a listening socket with a long queue: thousands come back at once after a restart.
///
/// # Errors
/// The address is in use, not ours, or not allowed.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Raises the soft limit of open files to the hard one. Returns what holds now; feed it to [`Limits::fitted_to`].
///
/// # Errors
/// The kernel refuses.
pub fn raise_fd_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_accepts_do_not_spin() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..10).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert!(!is_the_peers(&io::Error::from_raw_os_error(24)), "EMFILE is ours");
        assert!(is_the_peers(&io::Error::from(io::ErrorKind::ConnectionAborted)));
    }

    #[test]
    fn trusted_proxies_and_loopback_have_no_share() {
        let trusted = TrustedProxies::parse(&["10.0.0.1"]).unwrap();
        let limits = Limits::default();
        assert!(is_exempt("127.0.0.1".parse().unwrap(), &limits, &trusted));
        assert!(is_exempt("10.0.0.1".parse().unwrap(), &limits, &trusted));
        assert!(!is_exempt("10.0.0.2".parse().unwrap(), &limits, &trusted));
        assert!(!is_exempt("127.0.0.1".parse().unwrap(), &Limits { loopback_exempt: false, ..limits }, &trusted));
    }

    #[test]
    fn the_descriptor_limit_is_the_hard_one() {
        let now = raise_fd_limit().unwrap();
        assert_eq!(Some(now), getrlimit(Resource::Nofile).maximum.or(Some(u64::MAX)));
    }
}
