//! Which protocol a connection speaks, and speaking it.
//!
//! hyper-util's `auto` does the same, but hands hyper the 24 bytes that it looked at as a read of their own; hyper then wants room for a whole read
//! behind them, and its buffer doubles: eight KiB more for each viewer. Here what was looked at is given back with what follows it.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, ReadBuf};

use super::{connection::Metered, limits::Limits, service::Service};

/// How an HTTP/2 client with prior knowledge begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What hyper is told, once per server.
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        // The buffer may grow past its limit by what a read has room for; the head itself may not.
        http1.header_read_timeout(None::<Duration>).max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes.max(8_192));
        if limits.head_fields != 100 {
            http1.max_headers(limits.head_fields);
        }
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.h2_streams)
            .max_pending_accept_reset_streams(20_usize)
            .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(256 * 1024_u32)
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        Self { http1, http2 }
    }
}

/// The first bytes of a connection, looked at and given back.
#[derive(Default)]
pub(super) struct Ahead {
    bytes: [u8; PREFACE.len()],
    read: usize,
    given: usize,
}

impl Ahead {
    /// Puts what is left of it into a read that begins. Says whether there was anything.
    pub(super) fn give_back(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let length = (self.read - self.given).min(buf.remaining());
        buf.put_slice(&self.bytes[self.given..self.given + length]);
        self.given += length;
        length > 0
    }

    /// Whether this is HTTP/2; `None` while it may still become either.
    fn is_http2(&self) -> Option<bool> {
        let seen = &self.bytes[..self.read];
        if !PREFACE.starts_with(seen) {
            return Some(false);
        }
        (self.read == PREFACE.len()).then_some(true)
    }
}

type Io = TokioIo<Metered>;
type Failure = Box<dyn Error + Send + Sync>;

/// A connection of which it is not clear yet what it speaks.
type Unspoken<E> = (Metered, Service<E>, Arc<Protocols>);

/// A connection's protocol: looked for, then spoken.
pub(super) enum Conversation<E>
where
    E: poem::Endpoint<Output = poem::Response> + 'static,
{
    Unknown(Option<Box<Unspoken<E>>>),
    Http1(Pin<Box<http1::UpgradeableConnection<Io, Service<E>>>>),
    Http2(Pin<Box<http2::Connection<Io, Service<E>, TokioExecutor>>>),
}

impl<E> Conversation<E>
where
    E: poem::Endpoint<Output = poem::Response> + 'static,
{
    pub(super) fn new(socket: Metered, service: Service<E>, protocols: Arc<Protocols>) -> Self {
        Self::Unknown(Some(Box::new((socket, service, protocols))))
    }

    /// Finishes what is under way and takes nothing new. Who has said nothing yet has nothing to finish.
    pub(super) fn graceful_shutdown(&mut self) {
        match self {
            Self::Unknown(waiting) => *waiting = None,
            Self::Http1(connection) => connection.as_mut().graceful_shutdown(),
            Self::Http2(connection) => connection.as_mut().graceful_shutdown(),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            match self {
                Self::Http1(connection) => return connection.as_mut().poll(cx).map_err(Failure::from),
                Self::Http2(connection) => return connection.as_mut().poll(cx).map_err(Failure::from),
                Self::Unknown(waiting) => {
                    let Some(known) = waiting.as_mut() else { return Poll::Ready(Ok(())) };
                    let is_http2 = ready!(look(&mut known.0, cx))?;
                    let Some((socket, service, protocols)) = waiting.take().map(|known| *known) else { return Poll::Ready(Ok(())) };
                    let io = TokioIo::new(socket);
                    *self = if is_http2 {
                        Self::Http2(Box::pin(protocols.http2.serve_connection(io, service)))
                    } else {
                        Self::Http1(Box::pin(protocols.http1.serve_connection(io, service).with_upgrades()))
                    };
                }
            }
        }
    }
}

/// Reads until it is clear what is spoken.
fn look(socket: &mut Metered, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
    loop {
        if let Some(is_http2) = socket.ahead.is_http2() {
            return Poll::Ready(Ok(is_http2));
        }
        // Nothing is given back before this is over: what was read so far stays out of the socket's own read.
        let mut ahead = std::mem::take(&mut socket.ahead);
        let mut buf = ReadBuf::new(&mut ahead.bytes[ahead.read..]);
        let polled = Pin::new(&mut *socket).poll_read(cx, &mut buf);
        let read = buf.filled().len();
        ahead.read += read;
        socket.ahead = ahead;
        ready!(polled)?;
        if read == 0 {
            // Closed, perhaps in the middle: HTTP/1 knows what to make of that.
            return Poll::Ready(Ok(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8]) -> Ahead {
        let mut ahead = Ahead { read: bytes.len(), ..Ahead::default() };
        ahead.bytes[..bytes.len()].copy_from_slice(bytes);
        ahead
    }

    #[test]
    fn the_preface_alone_is_http2() {
        for known in [&b"GET / HTTP/1.1\r\n"[..], b"PO", b"PUT", b"PRI * HTTP/1.1\r\n"] {
            assert_eq!(seen(known).is_http2(), Some(false), "{known:?}");
        }
        for unclear in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            assert_eq!(seen(unclear).is_http2(), None, "{unclear:?}");
        }
        assert_eq!(seen(PREFACE).is_http2(), Some(true));
    }

    #[test]
    fn what_was_looked_at_is_given_back_once() {
        let mut ahead = seen(b"GET /p");
        let (mut small, mut large) = ([0; 4], [0; 8]);
        let (mut first, mut second) = (ReadBuf::new(&mut small), ReadBuf::new(&mut large));
        assert!(ahead.give_back(&mut first) && ahead.give_back(&mut second));
        assert_eq!((first.filled(), second.filled()), (&b"GET "[..], &b"/p"[..]));
        assert!(!ahead.give_back(&mut second));
    }
}
