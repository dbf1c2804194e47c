//! Identifiers and secrets: the one place that draws randomness.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng, TryRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Timestamp;

/// What an [`Id`] names: gives the prefix that its printed form starts with.
pub trait Kind: 'static {
    /// For example `svc`, printed as `svc_…`.
    const PREFIX: &'static str;
}

/// The identifier of a `K`: a UUIDv7 (RFC 9562), printed as `<prefix>_<32 hexadecimal digits>`.
///
/// Clients treat it as opaque. Ids made by one process sort by the time of their making.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// The id with these 128 bits; for links between documents and for tests.
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits), PhantomData)
    }

    /// The id with these bits.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id that follows from a digest: the same thing has the same one (a UUIDv8, RFC 9562, of its first bytes).
    pub fn of_digest(digest: impl AsRef<[u8]>) -> Self {
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(digest.as_ref()) {
            *byte = *of_digest;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid(), PhantomData)
    }

    /// The bare bits.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.simple())
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id that starts with `{0}_`")]
pub struct BadId(pub &'static str);

impl<K: Kind> FromStr for Id<K> {
    type Err = BadId;

    /// Reads only the printed form: no upper case, no hyphens, so that one thing has one spelling.
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = BadId(K::PREFIX);
        let hex = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or(bad)?;
        let plain = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !plain {
            return Err(bad);
        }
        u128::from_str_radix(hex, 16).map(Self::from_u128).map_err(|_| bad)
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes ids. Clones share one sequence.
///
/// A std `Mutex`: held for a few instructions by any thread that makes an id; nobody waits for anything while holding it.
#[derive(Clone)]
pub struct IdSource(Arc<Mutex<Sequence>>);

struct Sequence {
    random: StdRng,
    last: (i64, u16),
}

impl IdSource {
    /// Seeded by the operating system.
    pub fn system() -> Self {
        Self::with(StdRng::from_seed(secret()))
    }

    /// The same ids again for the same seed and times; for tests.
    pub fn seeded(seed: u64) -> Self {
        Self::with(StdRng::seed_from_u64(seed))
    }

    fn with(random: StdRng) -> Self {
        Self(Arc::new(Mutex::new(Sequence { random, last: (i64::MIN, 0) })))
    }

    /// A new id made at `now`, greater than every one made before it even when the clock steps back.
    pub fn next<K>(&self, now: Timestamp) -> Id<K> {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut millis, mut counter) = (now.millis().max(0), 0);
        if millis <= sequence.last.0 {
            // Method 1 of RFC 9562, 6.2: a 12-bit counter within the millisecond, then borrow the next one.
            (millis, counter) = match sequence.last {
                (last, 0x0fff) => (last + 1, 0),
                (last, count) => (last, count + 1),
            };
        }
        sequence.last = (millis, counter);
        let random: u64 = sequence.random.random();
        let high = (millis.cast_unsigned() << 16) | 0x7000 | u64::from(counter);
        let low = (random & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        Id::from_u128((u128::from(high) << 64) | u128::from(low))
    }
}

/// Bytes that nobody can guess, from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done without.
pub fn secret<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = SysRng.try_fill_bytes(&mut bytes) {
        panic!("the operating system gives no randomness: {error}");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;
    impl Kind for Thing {
        const PREFIX: &'static str = "thg";
    }

    #[test]
    fn ids_print_read_and_grow() {
        let ids = IdSource::seeded(1);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let mut last = ids.next::<Thing>(now);
        assert_eq!(last.uuid().get_version_num(), 7);
        for step in 0..10_000 {
            let next = ids.next::<Thing>(Timestamp::from_millis(1_700_000_000_000 - step));
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.to_string().parse::<Id<Thing>>().unwrap(), last);
        assert_eq!(IdSource::seeded(1).next::<Thing>(now), IdSource::seeded(1).next::<Thing>(now));
    }

    #[test]
    fn only_the_printed_form_is_read() {
        let id = Id::<Thing>::from_u128(0xab);
        for bad in [
            "",
            "thg_",
            "svc_000000000000000000000000000000ab",
            "thg_000000000000000000000000000000AB",
            "thg_+00000000000000000000000000000ab",
        ] {
            assert!(bad.parse::<Id<Thing>>().is_err(), "{bad}");
        }
        assert_eq!("thg_000000000000000000000000000000ab".parse(), Ok(id));
    }
}
