//! The bytes of keys and rows.
//!
//! Numbers are big-endian, signed ones with the sign flipped, texts end with a NUL (which no stored text contains): keys sort as their parts do.

use uuid::Uuid;

use super::super::base::Scope;
use super::super::document::{Filed, Part, Row};

pub(super) type Bound = std::ops::Bound<Vec<u8>>;

pub(super) fn as_bound(bound: &Bound) -> std::ops::Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// The keys that start with `prefix` and come after `after` in the reading direction.
///
/// A cursor is the client's: whatever it says, the other bound and the prefix hold, so that it can't lead out of the range.
pub(super) fn bounds(prefix: &[u8], after: Option<Vec<u8>>, newest: bool) -> (Bound, Bound) {
    let start = Bound::Included(prefix.to_vec());
    let end = successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
    match after {
        None => (start, end),
        Some(after) if newest => (start, Bound::Excluded(after)),
        Some(after) => (Bound::Excluded(after), end),
    }
}

/// The least key greater than all that start with `prefix`.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if last < u8::MAX {
            key.push(last + 1);
            return Some(key);
        }
    }
    None
}

pub(super) fn row_key(scope: Scope, collection: u16, id: Uuid) -> [u8; 34] {
    let mut key = [0; 34];
    key[..16].copy_from_slice(scope.0.as_bytes());
    key[16..18].copy_from_slice(&collection.to_be_bytes());
    key[18..].copy_from_slice(id.as_bytes());
    key
}

pub(super) fn index_suffix(filed: &Filed) -> Vec<u8> {
    let mut suffix = vec![filed.index];
    encode(&filed.group, &mut suffix);
    encode(&filed.sort, &mut suffix);
    suffix
}

pub(super) fn index_key(scope: Scope, collection: u16, suffix: &[u8], id: Uuid) -> Vec<u8> {
    [scope.0.as_bytes(), collection.to_be_bytes().as_slice(), suffix, id.as_bytes()].concat()
}

pub(super) fn log_key(log: Uuid, seq: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(log.as_bytes());
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}

pub(super) fn touch_key(org: Uuid, service: Uuid, seq: u64) -> [u8; 40] {
    let mut key = [0; 40];
    key[..16].copy_from_slice(org.as_bytes());
    key[16..32].copy_from_slice(service.as_bytes());
    key[32..].copy_from_slice(&seq.to_be_bytes());
    key
}

pub(super) fn encode(parts: &[Part], key: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Uuid(id) => key.extend(id.as_bytes()),
            Part::Int(number) => key.extend((number.cast_unsigned() ^ (1 << 63)).to_be_bytes()),
            Part::Text(text) => {
                key.extend(text.bytes().filter(|byte| *byte != 0));
                key.push(0);
            }
        }
    }
}

pub(super) fn encode_row(row: &Row, filed: &[Vec<u8>]) -> Vec<u8> {
    let mut value = vec![u8::try_from(filed.len()).unwrap_or(u8::MAX)];
    for suffix in filed {
        value.extend(u16::try_from(suffix.len()).unwrap_or(u16::MAX).to_be_bytes());
        value.extend(suffix);
    }
    value.extend(&row.doc);
    value
}

pub(super) fn decode_row(value: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (count, mut rest) = value.split_first().map_or((0, value), |(count, rest)| (*count, rest));
    let mut filed = Vec::new();
    for _ in 0..count {
        let Some((length, after)) = rest.split_at_checked(2) else { break };
        let Some((suffix, after)) = after.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]]))) else { break };
        filed.push(suffix);
        rest = after;
    }
    (filed, rest)
}

pub(super) fn first_uuid(key: &[u8]) -> Uuid {
    key.first_chunk().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes))
}

pub(super) fn last_uuid(key: &[u8]) -> Uuid {
    key.last_chunk().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes))
}

pub(super) fn last_number(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
