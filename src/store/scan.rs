//! Reading many: in order, bounded, by cursor.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::document::{AnyIndex, Document, Index, IntoParts, Part, Parts};
use crate::id::Id;

/// What to read: one group of one index, or the whole collection by id.
pub struct Scan<D: 'static> {
    pub(crate) index: Option<(&'static dyn AnyIndex<D>, Parts)>,
    pub(crate) newest: bool,
    pub(crate) limit: usize,
    pub(crate) after: Option<Cursor>,
    document: PhantomData<fn() -> D>,
}

impl<D: Document> Scan<D> {
    /// Every document of the collection, in the order of ids, that is, of their making.
    pub fn all() -> Self {
        Self { index: None, newest: false, limit: usize::MAX, after: None, document: PhantomData }
    }

    /// Last ones first.
    pub fn newest(mut self) -> Self {
        self.newest = true;
        self
    }

    /// At most this many.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Only what comes after this place.
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }
}

impl<D: Document, G: IntoParts, S: IntoParts> Index<D, G, S> {
    /// The documents of one group, in the order of the sort key.
    pub fn of(&'static self, group: G) -> Scan<D> {
        Scan { index: Some((self, group.into_parts())), ..Scan::all() }
    }
}

/// Some documents, and where to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// In the order asked for.
    pub items: Vec<T>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Turns each item into something else; the place stays.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// A place in a scan: opaque to clients, stable while rows come and go around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sort: Parts,
    #[serde(rename = "i")]
    pub(crate) id: Uuid,
}

impl Cursor {
    /// The place of this document in an index that is sorted by a number, such as a position or a time.
    pub(crate) fn at<K>(number: i64, id: Id<K>) -> Self {
        Self { sort: vec![Part::Int(number)], id: id.uuid() }
    }

    /// Whether the text that it ends with begins so: for places among names.
    pub(crate) fn begins(&self, text: &str) -> bool {
        matches!(self.sort.last(), Some(Part::Text(name)) if name.starts_with(text))
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a next_cursor from an earlier answer")]
pub struct BadCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        serde_json::from_slice(&json).map_err(|_| BadCursor)
    }
}
