//! Reading a request's body: whole, within its limits, before anyone else sees the request.
//!
//! Handlers get bytes that are there already, so none of poem's unlimited readers can be misused, and a slow sender holds nothing but its
//! own connection.

use std::sync::Arc;

use bytes::Bytes;
use http::{header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{limits::Limits, refuse::Refusal};

/// A body, and its share of the memory that all bodies may take. Keep it until the request is answered.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// A body of no bytes.
    pub(super) fn nothing() -> Self {
        Self { bytes: Bytes::new(), _share: None }
    }
}

/// Reads a request's body.
///
/// `budget` has a permit per byte. It is taken as bytes arrive: reserving what `Content-Length` announces would let a few hundred clients
/// that send nothing block everyone's writes.
///
/// # Errors
/// Encoded, too large, too slow, cut off, or no memory left. What is refused was drained as far as the limits allow.
pub(super) async fn receive(head: &Parts, mut body: Incoming, limits: &Limits, budget: &Arc<Semaphore>) -> Result<Received, Refusal> {
    let limit = limits.body_of(head.uri.path());
    let refusal = if is_encoded(head) {
        // Inflating is how a small request becomes a large one.
        Refusal::Encoded
    } else if body.is_end_stream() {
        return Ok(Received::nothing());
    } else if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > limit {
        Refusal::TooLarge { limit }
    } else {
        match timeout(limits.body_time, collect(&mut body, limit, budget)).await {
            Ok(Ok(received)) => return Ok(received),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::TooSlow,
        }
    };
    // Who waits for "100 Continue" has sent nothing yet and won't: reading would invite it.
    if refusal.leaves_a_sender() && !(expects_continue(head) && matches!(refusal, Refusal::TooLarge { .. } | Refusal::Encoded)) {
        discard(body, limits).await;
    }
    Err(refusal)
}

/// How much of each body is not counted: more than the API's usual requests have, so that a few who hold large bodies open can't keep everyone else
/// from signing in and posting updates. What it adds up to is bounded by the number of connections.
const FREE: usize = 16 * 1_024;

async fn collect(body: &mut Incoming, limit: usize, budget: &Arc<Semaphore>) -> Result<Received, Refusal> {
    let mut share: Option<OwnedSemaphorePermit> = None;
    // Most bodies come in one piece, which is passed on as it is.
    let mut first = Bytes::new();
    let mut joined: Vec<u8> = Vec::new();

    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
        if piece.is_empty() {
            continue;
        }
        if first.len() + joined.len() + piece.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        let beyond = (first.len() + joined.len() + piece.len()).saturating_sub(FREE).min(piece.len());
        if beyond > 0 {
            let taken =
                u32::try_from(beyond).ok().and_then(|bytes| budget.clone().try_acquire_many_owned(bytes).ok()).ok_or(Refusal::Busy)?;
            match &mut share {
                Some(share) => share.merge(taken),
                None => share = Some(taken),
            }
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
    let bytes = if joined.is_empty() { first } else { Bytes::from(joined) };
    Ok(Received { bytes, _share: share })
}

/// Reads and drops what is still coming, within bounds.
async fn discard(mut body: Incoming, limits: &Limits) {
    let reading = async {
        let mut left = limits.drain_bytes;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { break };
            left = rest;
        }
    };
    // Either way the answer follows; hyper closes a connection whose request was not read to its end.
    let _ = timeout(limits.drain_time, reading).await;
}

fn is_encoded(head: &Parts) -> bool {
    head.headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

fn expects_continue(head: &Parts) -> bool {
    head.headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
