//! Answers kept for `Idempotency-Key`: written in the transaction of the change, so that a repeated request finds either both or neither.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, OrgDocument, OrgTx, Reads};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Made of caller, method, path and key.
    pub id: Id<Answered>,
    /// Of the request's body.
    pub fingerprint: String,
    /// The answer, as JSON.
    pub answer: String,
    /// When it was given.
    pub at: Timestamp,
}

impl Kind for Answered {
    const PREFIX: &'static str = "idm";
}
impl Answered {
    /// Oldest first.
    pub const BY_AGE: Index<Answered, (), Timestamp> = Index { number: 1, group: &[], sort: &["at"], key: |a| Some(((), a.at)) };
}
impl Document for Answered {
    const NAME: &'static str = "answered";
    const NUMBER: u16 = 17;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_AGE];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Answered {}

/// A request that says it may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    id: Id<Answered>,
    fingerprint: String,
}

impl Once {
    /// A request of `caller` with this key. Keys are 1 to 255 printable ASCII characters.
    ///
    /// # Errors
    /// `Invalid`, under `Idempotency-Key`.
    pub fn new(caller: &str, method: &str, path: &str, key: &str, body: &[u8]) -> Result<Self> {
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(Error::invalid("Idempotency-Key", "must be 1 to 255 printable ASCII characters"));
        }
        let mut digest = Sha256::new();
        for part in [caller, method, path, key] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let fingerprint = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id: Id::of_digest(digest.finalize()), fingerprint })
    }

    /// What this request was answered before, if it was.
    ///
    /// # Errors
    /// `Invalid`, under `Idempotency-Key`, when the key was used with another body.
    pub fn earlier<P>(&self, tx: &OrgTx<'_, P>) -> Result<Option<String>> {
        match tx.find(self.id)?.filter(|earlier| tx.now() < earlier.at.plus(KEPT)) {
            Some(earlier) if earlier.fingerprint != self.fingerprint => {
                Err(Error::invalid("Idempotency-Key", "was used with another body; a new request needs a new key"))
            }
            earlier => Ok(earlier.map(|earlier| earlier.answer)),
        }
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// What the store says.
    pub fn keep<P>(self, tx: &mut OrgTx<'_, P>, answer: String) -> Result<()> {
        let at = tx.now();
        tx.put(&Answered { id: self.id, fingerprint: self.fingerprint, answer, at })
    }
}

/// Until when an answer must have been given not to be kept any more.
pub fn kept_since(now: Timestamp) -> Timestamp {
    now.minus(KEPT)
}

/// Forgets answers that were given then or before, so many at most, and answers whether there may be more.
///
/// # Errors
/// What the store says.
pub fn forget<P>(tx: &mut OrgTx<'_, P>, until: Timestamp, most: usize) -> Result<Change<bool>> {
    let mut stale = tx.scan(Answered::BY_AGE.of(()).limit(most))?.items;
    stale.retain(|answered| answered.at <= until);
    for answered in &stale {
        tx.delete(answered.id);
    }
    Ok(Change::nothing(stale.len() == most))
}
