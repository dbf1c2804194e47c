//! How a noun is stored and found: its collection, its id, its index keys.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::{Id, Kind};

/// A noun that is stored: a JSON document under its id, found by id or by one of its indexes.
///
/// JSON, because it describes itself: fields are added with defaults, and exports, backups and other engines speak the same.
pub trait Document: Kind + Serialize + DeserializeOwned + Clone + Send + Sync + Sized {
    /// The collection's name: a table's name on engines that have tables.
    const NAME: &'static str;
    /// The collection's number in stored keys; never reused.
    const NUMBER: u16;
    /// Every index, so that a write files the document under each.
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[];
    /// The document's id.
    fn id(&self) -> Id<Self>;
}

/// A document that belongs to one organization.
pub trait OrgDocument: Document {}

/// A document that belongs to no organization: users, sessions, who is a member where.
pub trait SystemDocument: Document {}

/// One component of an index key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum Part {
    /// An id.
    Uuid(Uuid),
    /// A number, a position or a time in milliseconds.
    Int(i64),
    /// A text without NUL.
    Text(String),
}

/// A list of parts: the group or the sort key of an index entry.
pub type Parts = Vec<Part>;

/// What sort of [`Part`] stands at a place of a key: the type of its column, on engines that have tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// An id.
    Uuid,
    /// A number.
    Int,
    /// A text.
    Text,
}

impl Part {
    /// Of which sort it is.
    pub fn kind(&self) -> PartKind {
        match self {
            Part::Uuid(_) => PartKind::Uuid,
            Part::Int(_) => PartKind::Int,
            Part::Text(_) => PartKind::Text,
        }
    }
}

/// What can be (a part of) an index key.
pub trait IntoParts {
    /// Of which sorts its parts are, in the same order.
    fn kinds() -> Vec<PartKind>;
    /// As parts, in the order of their weight.
    fn into_parts(self) -> Parts;
}

impl IntoParts for () {
    fn kinds() -> Vec<PartKind> {
        Vec::new()
    }
    fn into_parts(self) -> Parts {
        Vec::new()
    }
}
impl IntoParts for i64 {
    fn kinds() -> Vec<PartKind> {
        vec![PartKind::Int]
    }
    fn into_parts(self) -> Parts {
        vec![Part::Int(self)]
    }
}
impl IntoParts for &str {
    fn kinds() -> Vec<PartKind> {
        vec![PartKind::Text]
    }
    fn into_parts(self) -> Parts {
        vec![Part::Text(self.into())]
    }
}
impl IntoParts for String {
    fn kinds() -> Vec<PartKind> {
        vec![PartKind::Text]
    }
    fn into_parts(self) -> Parts {
        vec![Part::Text(self)]
    }
}
impl<K> IntoParts for Id<K> {
    fn kinds() -> Vec<PartKind> {
        vec![PartKind::Uuid]
    }
    fn into_parts(self) -> Parts {
        vec![Part::Uuid(self.uuid())]
    }
}
impl IntoParts for crate::clock::Timestamp {
    fn kinds() -> Vec<PartKind> {
        vec![PartKind::Int]
    }
    fn into_parts(self) -> Parts {
        vec![Part::Int(self.millis())]
    }
}
impl<A: IntoParts, B: IntoParts> IntoParts for (A, B) {
    fn kinds() -> Vec<PartKind> {
        [A::kinds(), B::kinds()].concat()
    }
    fn into_parts(self) -> Parts {
        let mut parts = self.0.into_parts();
        parts.extend(self.1.into_parts());
        parts
    }
}

/// A way to find documents: all those of one group, in the order of the sort key and then of the id.
pub struct Index<D, G, S> {
    /// The index's number within its collection; never reused.
    pub number: u8,
    /// The group's column names, for engines with tables.
    pub group: &'static [&'static str],
    /// The sort key's column names.
    pub sort: &'static [&'static str],
    /// Where a document is filed; `None` = not in this index.
    pub key: fn(&D) -> Option<(G, S)>,
}

/// An [`Index`] whose key types are forgotten, or [`Names`](super::Names).
pub trait AnyIndex<D>: Sync {
    /// Where a document is filed: at one place, at none, or for its name at one for each word.
    fn file(&self, document: &D) -> Vec<Filed>;
    /// The index's number.
    fn number(&self) -> u8;
    /// What an engine with tables has to know of it.
    fn shape(&self) -> Shape;
}

/// An index, for engines that keep it in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One entry a document at most.
    Columns {
        /// The index's number.
        number: u8,
        /// What it is grouped by: names and sorts.
        group: Vec<(&'static str, PartKind)>,
        /// What it is sorted by within the group.
        sort: Vec<(&'static str, PartKind)>,
    },
    /// As many entries as a name has words.
    Names {
        /// The index's number.
        number: u8,
    },
}

/// Names and sorts of columns; that there are as many of both, a test holds for every collection.
fn columns(names: &[&'static str], kinds: Vec<PartKind>) -> Vec<(&'static str, PartKind)> {
    names.iter().copied().zip(kinds).collect()
}

impl<D, G: IntoParts, S: IntoParts> AnyIndex<D> for Index<D, G, S> {
    fn file(&self, document: &D) -> Vec<Filed> {
        let key = (self.key)(document).into_iter();
        key.map(|(group, sort)| Filed { index: self.number, group: group.into_parts(), sort: sort.into_parts() }).collect()
    }

    fn number(&self) -> u8 {
        self.number
    }

    fn shape(&self) -> Shape {
        Shape::Columns { number: self.number, group: columns(self.group, G::kinds()), sort: columns(self.sort, S::kinds()) }
    }
}

/// One index entry of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// The index's number.
    pub index: u8,
    /// What it is grouped by.
    pub group: Parts,
    /// What it is sorted by within the group.
    pub sort: Parts,
}

/// A document as engines see it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// JSON.
    pub doc: Vec<u8>,
    /// Its index entries.
    pub filed: Vec<Filed>,
}

impl Row {
    /// Encodes a document and its index entries.
    pub(crate) fn of<D: Document>(document: &D) -> Result<Self> {
        let doc = serde_json::to_vec(document).map_err(|error| Error::internal(format!("{} can't be encoded: {error}", D::NAME)))?;
        let filed = D::INDEXES.iter().flat_map(|index| index.file(document)).collect();
        Ok(Self { doc, filed })
    }
}

/// A stored document as it would be written now: with the fields that came since, filed under the indexes of today.
pub(crate) fn refile<D: Document>(doc: &[u8]) -> Result<Row> {
    Row::of(&decode::<D>(doc)?)
}

/// A collection's indexes.
pub(crate) fn shapes<D: Document>() -> Vec<Shape> {
    D::INDEXES.iter().map(|index| index.shape()).collect()
}

/// Decodes a stored document.
pub(crate) fn decode<D: Document>(bytes: &[u8]) -> Result<D> {
    serde_json::from_slice(bytes).map_err(|error| Error::internal(format!("a stored {} can't be read: {error}", D::NAME)))
}
