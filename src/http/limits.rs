//! Every figure that bounds what a client may cost.

use std::time::Duration;

/// How much of everything a connection, an address and all of them together may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From accept to the first complete request head, whatever the protocol: covers silent sockets and half an HTTP/2 preface.
    pub first_head: Duration,
    /// From the first byte of a later request head to its last (HTTP/1).
    pub header_read: Duration,
    /// How long a connection may stay open between two requests. Longer than the 60 s of common load balancers, so that they close first.
    pub keep_alive_idle: Duration,
    /// How long an answer may wait for a client that takes nothing of it.
    pub write_stall: Duration,
    /// Connections at once, upgraded ones included. One more evicts the oldest that has sent no request yet, else the oldest idle one.
    pub max_connections: usize,
    /// Connections at once from one IPv4 address or one IPv6 /64. Trusted proxies are exempt.
    pub per_address: u32,
    /// Exempts loopback from `per_address`: behind a proxy on the same machine every visitor comes from there.
    pub loopback_exempt: bool,
    /// Concurrent HTTP/2 streams of a connection.
    pub h2_streams: u32,
    /// Bytes of a request's head. Also bounds what hyper buffers of an answer. At least 8,192.
    pub head_bytes: usize,
    /// Header fields of a request. Anything but hyper's own 100 costs an allocation per request.
    pub head_fields: usize,
    /// Bytes of a request's path and query; more is 414.
    pub uri_bytes: usize,
    /// Bytes of a request's body; more is 413.
    pub body_bytes: usize,
    /// Bytes of a body sent to a path that ends with `/logo`: a picture of 2 MiB, and what a form puts around it.
    pub logo_bytes: usize,
    /// From head to the end of the body.
    pub body_time: Duration,
    /// Bytes of all bodies held in memory at once; more is 503.
    pub body_budget: usize,
    /// How much of a refused body is read and dropped, so that its sender gets to read the answer instead of a broken pipe.
    pub drain_bytes: usize,
    /// For how long.
    pub drain_time: Duration,
    /// How long a stop waits for requests, streams and tracked tasks. Below the 10 s after which service managers kill.
    pub drain_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_head: Duration::from_secs(10),
            header_read: Duration::from_secs(5),
            keep_alive_idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            max_connections: 16_384,
            per_address: 512,
            loopback_exempt: true,
            h2_streams: 100,
            head_bytes: 32 * 1024,
            head_fields: 100,
            uri_bytes: 8 * 1024,
            body_bytes: 1024 * 1024,
            logo_bytes: (2 * 1024 + 16) * 1024,
            body_time: Duration::from_secs(30),
            body_budget: 64 * 1024 * 1024,
            drain_bytes: 8 * 1024 * 1024,
            drain_time: Duration::from_secs(2),
            drain_grace: Duration::from_secs(9),
        }
    }
}

/// File descriptors kept for everything that is not a visitor: the store, the log, outgoing calls, the socket of a connection being evicted.
const RESERVED_FDS: u64 = 256;

impl Limits {
    /// Lowers `max_connections` to what so many file descriptors allow (see [`raise_fd_limit`](super::raise_fd_limit)), at least 64.
    #[must_use]
    pub fn fitted_to(mut self, fds: u64) -> Self {
        let room = usize::try_from(fds.saturating_sub(RESERVED_FDS)).unwrap_or(usize::MAX);
        self.max_connections = self.max_connections.min(room.max(64));
        self
    }

    /// The largest body that this path takes.
    pub(super) fn body_of(&self, path: &str) -> usize {
        if is_logo(path) { self.logo_bytes } else { self.body_bytes }
    }
}

/// Whether a logo is sent there.
pub(super) fn is_logo(path: &str) -> bool {
    path.strip_suffix('/').unwrap_or(path).ends_with("/logo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_descriptor_limit_lowers_the_connection_cap() {
        assert_eq!(Limits::default().fitted_to(1_024).max_connections, 768);
        assert_eq!(Limits::default().fitted_to(10).max_connections, 64);
        assert_eq!(Limits::default().fitted_to(u64::MAX).max_connections, Limits::default().max_connections);
    }

    #[test]
    fn only_a_logo_may_be_larger() {
        let limits = Limits::default();
        assert_eq!(limits.body_of("/api/pages/pg_1/logo"), limits.logo_bytes);
        assert_eq!(limits.body_of("/api/pages/pg_1/logo/"), limits.logo_bytes);
        assert_eq!(limits.body_of("/api/logos"), limits.body_bytes);
        assert_eq!(limits.body_of("/logo/x"), limits.body_bytes);
    }
}
