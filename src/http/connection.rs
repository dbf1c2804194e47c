//! One connection, from accept to close.
//!
//! hyper's `header_read_timeout` counts from the end of the last answer, so it cuts idle keep-alive connections too; and hyper-util's
//! protocol detection has no deadline at all. So the deadlines are kept here, by one timer per connection that is set anew only when it
//! has to fire earlier: the usual request costs no timer operation.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use http::Version;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};

use super::{
    conversation::{Ahead, Conversation, Protocols},
    limits::Limits,
    registry::Slot,
    service::Service,
};

/// Serves a connection until it ends, is too slow, is evicted or the server has stopped.
pub(super) async fn drive<E>(socket: TcpStream, slot: Slot, service: Service<E>, protocols: Arc<Protocols>, limits: Arc<Limits>)
where
    E: poem::Endpoint<Output = poem::Response> + 'static,
{
    let gauge = slot.gauge.clone();
    let mut deadlines = Deadlines::new(&limits);
    let mut clock = pin!(sleep_until(deadlines.accepted + limits.first_head));
    let mut connection = Conversation::new(Metered { socket, slot, ahead: Ahead::default() }, service, protocols);
    let mut draining = false;

    poll_fn(|cx| {
        gauge.driver.register(cx.waker());
        match gauge.order.load(Acquire) {
            CUT => return Poll::Ready(()),
            DRAIN if !draining => {
                draining = true;
                connection.graceful_shutdown();
            }
            _ => {}
        }
        if let Poll::Ready(ended) = connection.poll(cx) {
            // If the socket lives on, it is a WebSocket now: in use, though no request is in flight.
            gauge.upgraded.store(true, Release);
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            return Poll::Ready(());
        }
        let Some(due) = deadlines.next(&gauge) else { return Poll::Pending };
        if due < clock.deadline() || clock.is_elapsed() {
            clock.as_mut().reset(due);
        }
        while clock.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            clock.as_mut().reset(due);
        }
        Poll::Pending
    })
    .await;
    // The gauge lives as long as a WebSocket does, and a waker keeps its task's memory: two KiB for each of them.
    gauge.driver.take();
}

const RUN: u8 = 0;
const DRAIN: u8 = 1;
const CUT: u8 = 2;

/// What goes on in one connection.
///
/// Written by the socket's wrapper, the service and the answers' bodies, read by the driver after each poll. Orders come from outside
/// (eviction, shutdown) and wake the driver; a shared cancellation token would put one lock into the way of every request.
#[derive(Default)]
pub(super) struct Gauge {
    /// Requests that have reached the service.
    begun: AtomicU64,
    /// Those whose answer is not written yet.
    in_flight: AtomicUsize,
    /// Bytes have come while nothing was in flight: a head has begun.
    reading: AtomicBool,
    /// Grows with every successful write.
    written: AtomicU64,
    /// The last write found the socket full.
    blocked: AtomicBool,
    h2: AtomicBool,
    upgraded: AtomicBool,
    order: AtomicU8,
    driver: AtomicWaker,
}

impl Gauge {
    /// A request begins; it ends when the returned guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Busy {
        if version == Version::HTTP_2 {
            self.h2.store(true, Relaxed);
        }
        self.in_flight.fetch_add(1, AcqRel);
        self.reading.store(false, Relaxed);
        let first = self.begun.fetch_add(1, AcqRel) == 0;
        Busy { gauge: self.clone(), first }
    }

    /// Has served a request and has none now.
    pub(super) fn is_idle(&self) -> bool {
        self.begun.load(Acquire) > 0 && self.in_flight.load(Acquire) == 0 && !self.upgraded.load(Acquire) && self.order.load(Acquire) == RUN
    }

    /// Lets it finish its requests and take no new ones.
    pub(super) fn drain(&self) {
        self.give(DRAIN);
    }

    /// Closes it now.
    pub(super) fn cut(&self) {
        self.give(CUT);
    }

    #[cfg(test)]
    pub(super) fn is_cut(&self) -> bool {
        self.order.load(Acquire) == CUT
    }

    fn give(&self, order: u8) {
        self.order.fetch_max(order, AcqRel);
        self.driver.wake();
    }
}

/// A request in flight.
pub(super) struct Busy {
    gauge: Arc<Gauge>,
    /// The connection's first.
    pub(super) first: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        // An HTTP/1 answer ends inside the driver's own poll. An HTTP/2 stream ends in its own task, so the driver must be told.
        if self.gauge.in_flight.fetch_sub(1, AcqRel) == 1 && self.gauge.h2.load(Relaxed) {
            self.gauge.driver.wake();
        }
    }
}

/// What the connection waits for, and since when.
struct Deadlines<'a> {
    limits: &'a Limits,
    accepted: Instant,
    /// `begun` when last looked at: a request may come and go within one poll.
    seen: u64,
    idle: Option<Instant>,
    reading: Option<Instant>,
    blocked: Option<(u64, Instant)>,
}

impl<'a> Deadlines<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, accepted: Instant::now(), seen: 0, idle: None, reading: None, blocked: None }
    }

    /// When it has waited long enough; `None` while a request is served and its answer flows.
    fn next(&mut self, gauge: &Gauge) -> Option<Instant> {
        let begun = gauge.begun.load(Acquire);
        let busy = gauge.in_flight.load(Acquire) > 0;
        if busy || begun != self.seen {
            self.seen = begun;
            self.idle = None;
            self.reading = None;
        }
        let for_a_head = if begun == 0 {
            Some(self.accepted + self.limits.first_head)
        } else if busy {
            None
        } else if gauge.reading.load(Relaxed) && !gauge.h2.load(Relaxed) {
            // HTTP/2 frames that belong to no request (pings, windows) are no head; there the idle limit covers both.
            Some(*self.reading.get_or_insert_with(Instant::now) + self.limits.header_read)
        } else {
            Some(*self.idle.get_or_insert_with(Instant::now) + self.limits.keep_alive_idle)
        };

        let for_the_reader = if gauge.blocked.load(Relaxed) {
            let written = gauge.written.load(Relaxed);
            let since = match self.blocked {
                Some((before, since)) if before == written => since,
                _ => Instant::now(),
            };
            self.blocked = Some((written, since));
            Some(since + self.limits.write_stall)
        } else {
            self.blocked = None;
            None
        };

        [for_a_head, for_the_reader].into_iter().flatten().min()
    }
}

/// The socket, with a look at what passes through it. It carries the connection's place in the registry.
pub(super) struct Metered {
    socket: TcpStream,
    slot: Slot,
    /// What was read to tell the protocol.
    pub(super) ahead: Ahead,
}

impl Metered {
    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let gauge = &self.slot.gauge;
        match &written {
            Poll::Pending => gauge.blocked.store(true, Relaxed),
            Poll::Ready(_) => {
                gauge.blocked.store(false, Relaxed);
                // One task owns the socket: no read-modify-write needed.
                gauge.written.store(gauge.written.load(Relaxed).wrapping_add(1), Relaxed);
            }
        }
        written
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let given_back = this.ahead.give_back(buf);
        let before = buf.filled().len();
        let polled = match Pin::new(&mut this.socket).poll_read(cx, buf) {
            // What was given back is an answer by itself.
            Poll::Pending if given_back => Poll::Ready(Ok(())),
            polled => polled,
        };
        let gauge = &this.slot.gauge;
        if buf.filled().len() > before && gauge.in_flight.load(Relaxed) == 0 {
            gauge.reading.store(true, Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.note(written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gauge() -> Arc<Gauge> {
        Arc::new(Gauge::default())
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_deadline() {
        let limits = Limits::default();
        let (gauge, mut deadlines) = (gauge(), Deadlines::new(&limits));
        let start = deadlines.accepted;
        assert_eq!(deadlines.next(&gauge), Some(start + limits.first_head));

        let busy = gauge.begin(Version::HTTP_11);
        assert!(busy.first);
        assert_eq!(deadlines.next(&gauge), None, "a request may take its time");

        tokio::time::advance(Duration::from_secs(100)).await;
        drop(busy);
        let idle_since = Instant::now();
        assert_eq!(deadlines.next(&gauge), Some(idle_since + limits.keep_alive_idle));

        tokio::time::advance(Duration::from_secs(1)).await;
        gauge.reading.store(true, Relaxed);
        let head_since = Instant::now();
        assert_eq!(deadlines.next(&gauge), Some(head_since + limits.header_read));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(deadlines.next(&gauge), Some(head_since + limits.header_read), "more bytes do not postpone it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_within_one_poll_renews_the_idle_time() {
        let limits = Limits::default();
        let (gauge, mut deadlines) = (gauge(), Deadlines::new(&limits));
        drop(gauge.begin(Version::HTTP_11));
        let first = deadlines.next(&gauge);
        tokio::time::advance(Duration::from_secs(30)).await;
        drop(gauge.begin(Version::HTTP_11));
        assert_eq!(deadlines.next(&gauge), first.map(|at| at + Duration::from_secs(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_must_take_something_now_and_then() {
        let limits = Limits::default();
        let (gauge, mut deadlines) = (gauge(), Deadlines::new(&limits));
        let _busy = gauge.begin(Version::HTTP_11);
        gauge.blocked.store(true, Relaxed);
        let stalled = Instant::now() + limits.write_stall;
        assert_eq!(deadlines.next(&gauge), Some(stalled));

        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(deadlines.next(&gauge), Some(stalled));
        gauge.written.store(1, Relaxed);
        assert_eq!(deadlines.next(&gauge), Some(stalled + Duration::from_secs(10)), "progress renews it");
    }

    #[test]
    fn an_upgraded_or_busy_connection_is_not_idle() {
        let gauge = gauge();
        assert!(!gauge.is_idle(), "silent");
        let busy = gauge.begin(Version::HTTP_11);
        assert!(!gauge.is_idle(), "busy");
        drop(busy);
        assert!(gauge.is_idle());
        gauge.upgraded.store(true, Release);
        assert!(!gauge.is_idle(), "upgraded");
    }
}
