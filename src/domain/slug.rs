//! Slugs: the names in addresses, unique in the instance.

use serde::{Deserialize, Serialize};

use super::organization::OrgId;
use super::page::Page;
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, SystemDocument, SystemTx, SystemView};

/// A claimed slug and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slug {
    /// Its id.
    pub id: Id<Slug>,
    /// The word.
    pub slug: String,
    /// Whose it is.
    pub org_id: OrgId,
    /// The page at `/p/{slug}`.
    pub page_id: Id<Page>,
}

impl Kind for Slug {
    const PREFIX: &'static str = "slg";
}
impl Slug {
    /// By the word.
    pub const BY_SLUG: Index<Slug, String, ()> = Index { number: 1, group: &["slug"], sort: &[], key: |s| Some((s.slug.clone(), ())) };
    /// All, in the order of the words.
    pub const BY_ORDER: Index<Slug, (), String> = Index { number: 2, group: &[], sort: &["slug"], key: |s| Some(((), s.slug.clone())) };
}
impl Document for Slug {
    const NAME: &'static str = "slugs";
    const NUMBER: u16 = 4;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_SLUG, &Self::BY_ORDER];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Slug {}

/// Claims a slug near to the one wanted: itself, or with `-2`, `-3` … where it is taken.
///
/// # Errors
/// What the store says.
pub fn claim(tx: &mut SystemTx<'_>, wanted: &str, org_id: OrgId, page_id: Id<Page>) -> Result<String> {
    let mut slug = wanted.to_owned();
    let mut number = 1_u64;
    // Doubling first, so that the thousandth "test" costs twenty look-ups and not a thousand; the numbers need not be dense.
    while find(&tx.view(), &slug)?.is_some() {
        number = if number < 8 { number + 1 } else { number * 2 + u64::from(tx.new_id::<Slug>().uuid().as_bytes()[15]) };
        slug = format!("{wanted}-{number}");
    }
    tx.put(&Slug { id: tx.new_id(), slug: slug.clone(), org_id, page_id })?;
    Ok(slug)
}

/// What a slug leads to.
///
/// # Errors
/// What the store says.
pub fn find(view: &SystemView<'_>, slug: &str) -> Result<Option<Slug>> {
    Ok(view.scan(Slug::BY_SLUG.of(slug.to_owned()).limit(1))?.items.pop())
}
