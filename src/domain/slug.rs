//! Slugs: the words in addresses, unique in the instance.
//!
//! A word leads to an organization and to its page. Which of its words an organization shows in its addresses it says itself, and so does its
//! page; by the others, older ones, people are led to that one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::organization::OrgId;
use super::page::Page;
use crate::access::Administer;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, Reads, SystemDocument, SystemTx, SystemView};

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
    /// Since when it leads nowhere any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_at: Option<Timestamp>,
}

impl Kind for Slug {
    const PREFIX: &'static str = "slg";
}
impl Slug {
    /// By the word.
    pub const BY_SLUG: Index<Slug, String, ()> = Index { number: 1, group: &["slug"], sort: &[], key: |s| Some((s.slug.clone(), ())) };
    /// All, in the order of the words.
    pub const BY_ORDER: Index<Slug, (), String> =
        Index { number: 2, group: &[], sort: &["slug"], key: |s| s.leads().then(|| ((), s.slug.clone())) };
    /// An organization's words, the longest held first.
    pub const BY_ORG: Index<Slug, OrgId, ()> =
        Index { number: 3, group: &["org_id"], sort: &[], key: |s| s.leads().then_some((s.org_id, ())) };

    fn leads(&self) -> bool {
        self.freed_at.is_none()
    }

    /// Whether nobody else may have the word, either because it leads somewhere or because it did until lately.
    fn is_kept(&self, now: Timestamp) -> bool {
        self.freed_at.is_none_or(|at| now < at.plus(KEPT_BACK))
    }
}
impl Document for Slug {
    const NAME: &'static str = "slugs";
    const NUMBER: u16 = 4;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_SLUG, &Self::BY_ORDER, &Self::BY_ORG];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Slug {}

/// For how long a word that leads nowhere any more is kept from others. People have links to it, and browsers have pages open that ask for it: a
/// stranger who took it at once would be believed to be who was there before.
const KEPT_BACK: Duration = Duration::from_secs(365 * 86_400);
/// How many words an organization keeps: enough for links that people have, not enough to sit on the words of others.
const KEPT: usize = 10;
/// What would be mistaken for something of the instance's own.
const RESERVED: [&str; 8] = ["admin", "allclear", "api", "instance", "login", "new", "settings", "signup"];

/// Checks a word that somebody chose.
///
/// # Errors
/// `Invalid` naming the field.
pub fn parse(field: &str, text: &str) -> Result<String> {
    let word = text.trim();
    let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_plain || !(3..=60).contains(&word.len()) || word.starts_with('-') || word.ends_with('-') || word.contains("--") {
        return Err(Error::invalid(field, "must be 3 to 60 lower-case letters, digits and single hyphens, such as acme-status"));
    }
    if RESERVED.contains(&word) {
        return Err(Error::invalid(field, "is reserved; choose another"));
    }
    Ok(word.to_owned())
}

/// Claims exactly this word, if the organization does not have it already. Of its words the oldest go when there are too many, but never one that
/// it shows.
///
/// # Errors
/// `Conflict` when another organization has it.
pub fn take(tx: &mut SystemTx<'_>, word: &str, org_id: OrgId, page_id: Id<Page>) -> Result<()> {
    let now = tx.now();
    let known = held(&tx.view(), word)?;
    match &known {
        Some(known) if known.org_id == org_id && known.leads() => return Ok(()),
        Some(known) if known.org_id != org_id && known.is_kept(now) => {
            return Err(Error::Conflict(format!("the address {word} is taken; choose another")));
        }
        _ => {}
    }
    let held = tx.scan(Slug::BY_ORG.of(org_id))?.items;
    let inside = tx.view().enter::<Administer>(org_id);
    let shown = [inside.get(org_id)?.slug, inside.get(page_id)?.slug];
    let too_many = (held.len() + 1).saturating_sub(KEPT);
    for old in held.iter().filter(|slug| !shown.contains(&slug.slug)).take(too_many) {
        tx.put(&Slug { freed_at: Some(now), ..old.clone() })?;
    }
    // A word has one document, whoever had it before.
    let id = known.map_or_else(|| tx.new_id(), |known| known.id);
    tx.put(&Slug { id, slug: word.to_owned(), org_id, page_id, freed_at: None })
}

/// Lets go of all words of an organization.
///
/// # Errors
/// What the store says.
pub fn free(tx: &mut SystemTx<'_>, org_id: OrgId) -> Result<()> {
    for slug in tx.scan(Slug::BY_ORG.of(org_id))?.items {
        tx.put(&Slug { freed_at: Some(tx.now()), ..slug })?;
    }
    Ok(())
}

/// Claims a slug near to the one wanted: itself, or with `-2`, `-3` … where it is taken.
///
/// # Errors
/// What the store says.
pub fn claim(tx: &mut SystemTx<'_>, wanted: &str, org_id: OrgId, page_id: Id<Page>) -> Result<String> {
    let mut slug = wanted.to_owned();
    let mut number = 1_u64;
    // Doubling first, so that the thousandth "test" costs twenty look-ups and not a thousand; the numbers need not be dense.
    let now = tx.now();
    let mut known = held(&tx.view(), &slug)?;
    while known.as_ref().is_some_and(|known| known.is_kept(now)) {
        number = if number < 8 { number + 1 } else { number * 2 + u64::from(tx.new_id::<Slug>().uuid().as_bytes()[15]) };
        slug = format!("{wanted}-{number}");
        known = held(&tx.view(), &slug)?;
    }
    let id = known.map_or_else(|| tx.new_id(), |known| known.id);
    tx.put(&Slug { id, slug: slug.clone(), org_id, page_id, freed_at: None })?;
    Ok(slug)
}

/// What a slug leads to.
///
/// # Errors
/// What the store says.
pub fn find(view: &SystemView<'_>, slug: &str) -> Result<Option<Slug>> {
    Ok(held(view, slug)?.filter(Slug::leads))
}

fn held(view: &SystemView<'_>, slug: &str) -> Result<Option<Slug>> {
    Ok(view.scan(Slug::BY_SLUG.of(slug.to_owned()).limit(1))?.items.pop())
}
