//! One request: the fast path, else body, endpoint and the headers of the answer.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, header, request::Parts, uri::Scheme};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use poem::{
    Addr, RequestParts,
    web::{LocalAddr, RemoteAddr},
};
use tokio::sync::Semaphore;

use super::{
    body,
    client::TrustedProxies,
    connection::{Busy, Gauge},
    headers::SecurityHeaders,
    limits::{Limits, is_logo},
    refuse::Refusal,
    registry::{Registry, Slot},
    request_id::{RequestIds, X_REQUEST_ID},
    server::FastPath,
};

/// What all connections of a server share.
pub(super) struct Shared<E> {
    pub(super) endpoint: E,
    pub(super) fast_path: Arc<dyn FastPath>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) headers: SecurityHeaders,
    pub(super) request_ids: RequestIds,
    pub(super) limits: Arc<Limits>,
    /// A permit per byte of body that may be held at once, by all requests together.
    pub(super) body_budget: Arc<Semaphore>,
    pub(super) registry: Arc<Registry>,
}

/// Answers the requests of one connection.
pub(super) struct Service<E> {
    shared: Arc<Shared<E>>,
    gauge: Arc<Gauge>,
    number: u64,
    peer: SocketAddr,
    local: SocketAddr,
}

impl<E> Service<E> {
    pub(super) fn new(shared: Arc<Shared<E>>, slot: &Slot, peer: SocketAddr, local: SocketAddr) -> Self {
        Self { shared, gauge: slot.gauge.clone(), number: slot.number(), peer, local }
    }
}

impl<E> hyper::service::Service<Request<Incoming>> for Service<E>
where
    E: poem::Endpoint<Output = poem::Response> + 'static,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let busy = self.gauge.begin(request.version());
        if busy.first {
            self.shared.registry.spoke(self.number);
        }
        let (head, body) = request.into_parts();
        // Nothing is allocated, logged or formatted before this: a cached page costs a lookup and a write.
        if let Some(answer) = self.shared.fast_path.answer(&head) {
            return Answering::Ready(Some(finish(answer.map(Payload::whole), head.method == Method::HEAD, busy)));
        }
        Answering::Working(Box::pin(work(self.shared.clone(), self.peer, self.local, head, body, busy)))
    }
}

/// An answer that is there already, or being made.
pub(super) enum Answering {
    Ready(Option<Response<Answer>>),
    Working(Pin<Box<dyn Future<Output = Response<Answer>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ready(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            Self::Working(work) => work.as_mut().poll(cx).map(Ok),
        }
    }
}

async fn work<E>(
    shared: Arc<Shared<E>>,
    peer: SocketAddr,
    local: SocketAddr,
    mut head: Parts,
    incoming: Incoming,
    busy: Busy,
) -> Response<Answer>
where
    E: poem::Endpoint<Output = poem::Response> + 'static,
{
    let is_head = head.method == Method::HEAD;
    let request_id = shared.request_ids.of(&head.headers, shared.trusted_proxies.contains(peer.ip()));

    let received = if head.uri.path_and_query().map_or(0, |path| path.as_str().len()) > shared.limits.uri_bytes {
        Err(Refusal::UriTooLong)
    } else {
        body::receive(&head, incoming, &shared.limits, &shared.body_budget).await
    };
    let received = match received {
        // Whoever chose the file in a form finds out in that form that it is too large: its handler is told, in place of the body.
        Err(refusal @ Refusal::TooLarge { .. }) if is_logo(head.uri.path()) => {
            head.extensions.insert(refusal);
            Ok(body::Received::nothing())
        }
        other => other,
    };
    let response = match received {
        Err(refusal) => {
            tracing::debug!(%request_id, ?refusal, "refused");
            refusal.response(&request_id)
        }
        Ok(body::Received { bytes, .. }) => {
            name_host(&mut head);
            head.extensions.insert(shared.trusted_proxies.client(peer.ip(), &head.headers));
            head.extensions.insert(request_id.clone());
            let scheme = if shared.headers.https() { Scheme::HTTPS } else { Scheme::HTTP };
            let parts = RequestParts::from((head, LocalAddr(Addr::socket(local)), RemoteAddr(Addr::socket(peer)), scheme));
            let request = poem::Request::from_parts(parts, poem::Body::from_bytes(bytes));
            // The state that a handler shares is locked by mutexes that poison or by the store's transactions, neither of which a panic
            // leaves half-changed.
            match AssertUnwindSafe(shared.endpoint.get_response(request)).catch_unwind().await {
                Ok(response) => response,
                Err(_) => {
                    tracing::error!(%request_id, "a handler panicked");
                    Refusal::Panicked.response(&request_id)
                }
            }
        }
    };

    let mut response = Response::<BoxBody<Bytes, io::Error>>::from(response);
    if !response.status().is_informational() {
        shared.headers.apply(response.headers_mut());
    }
    response.headers_mut().insert(&X_REQUEST_ID, request_id.header());
    finish(response.map(Payload::Streamed), is_head, busy)
}

/// HTTP/2 says the host in the request line; handlers look at `Host`.
fn name_host(head: &mut Parts) {
    if !head.headers.contains_key(header::HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
}

/// Ties the answer to its request's guard. An answer to HEAD keeps its length and loses its body (hyper does so for HTTP/1 only).
fn finish(response: Response<Payload>, is_head: bool, busy: Busy) -> Response<Answer> {
    let (mut parts, mut payload) = response.into_parts();
    if is_head {
        if let Some(length) = payload.size_hint().exact().filter(|length| *length > 0)
            && !parts.headers.contains_key(header::CONTENT_LENGTH)
        {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        payload = Payload::Empty;
    }
    Response::from_parts(parts, Answer { payload, _busy: busy })
}

/// The bytes of an answer.
enum Payload {
    Empty,
    Whole(Bytes),
    Streamed(BoxBody<Bytes, io::Error>),
}

impl Payload {
    fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Whole(bytes) }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

/// An answer's body. While it lives, its request is in flight.
pub(super) struct Answer {
    payload: Payload,
    _busy: Busy,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Payload::Streamed(body) = &mut this.payload {
            return Pin::new(body).poll_frame(cx);
        }
        match std::mem::replace(&mut this.payload, Payload::Empty) {
            Payload::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            Payload::Empty => true,
            Payload::Whole(_) => false,
            Payload::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
