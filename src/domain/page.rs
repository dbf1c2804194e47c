//! Pages: their names, addresses, texts and logos; and what visitors see, as one value that every face is made from.
//!
//! | file | what |
//! |---|---|
//! | `page/view.rs` | [`PageView`]: a page as it stands at one moment |
//! | `page/zone.rs` | the time zones in which days are cut |

#[cfg(test)]
mod tests;
mod view;
mod zone;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::logo::{Logo, LogoFile};
use super::{organization, slug, text};
use crate::access::Edit;
use crate::clock::Timestamp;
use crate::error::{Check, Error, Result};
use crate::event::{Change, Event, EventType};
use crate::id::{Id, Kind};
use crate::store::{Document, OrgDocument, OrgTx, Reads, Scan, WideTx};
pub use view::{DAYS, Day, PageView, Section, good_until, view};

/// The most characters of a page's description.
pub const DESCRIPTION_MAX: usize = 2_000;

/// A public page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its id, and its public log's.
    pub id: Id<Page>,
    /// Counts changes of what is written on it. A logo is none: whoever types a description is not late because somebody hung a picture.
    pub version: u64,
    /// In its address, `/p/{slug}`. Older words lead to it as well.
    pub slug: String,
    /// A name of its own; without one it shows the organization's.
    #[serde(default)]
    pub name: Option<String>,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// The IANA name of the zone in which its days are cut and its times are told.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What it shows beside its name.
    #[serde(default)]
    pub logo: Option<LogoRef>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; the epoch for one that was stored before this was noted.
    #[serde(default = "unknown")]
    pub updated_at: Timestamp,
}

/// Which logo a page shows; the image itself is in a document of its own, so that looking at a page does not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoRef {
    /// Of the image's bytes, in hexadecimal digits: in its address, which so never shows another one.
    pub hash: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

fn utc() -> String {
    zone::UTC.to_owned()
}

fn unknown() -> Timestamp {
    Timestamp::from_millis(0)
}

impl Kind for Page {
    const PREFIX: &'static str = "pag";
}
impl Document for Page {
    const NAME: &'static str = "pages";
    const NUMBER: u16 = 12;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for Page {}

impl Page {
    /// A page that says nothing of itself yet.
    pub fn new(id: Id<Page>, slug: String, created_at: Timestamp) -> Self {
        let (name, description, time_zone, logo) = (None, String::new(), utc(), None);
        Self { id, version: 1, slug, name, description, time_zone, logo, created_at, updated_at: created_at }
    }

    /// The zone in which its days are cut.
    pub fn zone(&self) -> TimeZone {
        zone::named(&self.time_zone)
    }

    /// The next version of it, changed now.
    fn next(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// An event about it, by the name that it shows.
    fn updated(&self, view: &impl Reads) -> Result<Event> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => view.get(view.org())?.name,
        };
        Ok(Event::page(EventType::PageUpdated, self.id, &name))
    }
}

/// The organization's page: it has one.
///
/// # Errors
/// `NotFound` when the organization is gone.
pub fn own(view: &impl Reads) -> Result<Page> {
    view.scan(Scan::<Page>::all().limit(1))?.items.pop().ok_or(Error::NotFound)
}

/// What may change of a page; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PagePatch {
    /// At most 100 characters; empty = the organization's name.
    pub name: Option<String>,
    /// In its address. The old word goes on leading here.
    pub slug: Option<String>,
    /// Markdown, at most 2,000 characters.
    pub description: Option<String>,
    /// An IANA name.
    pub time_zone: Option<String>,
}

/// Changes what a page says of itself, and where it is.
///
/// # Errors
/// `Invalid` naming each field; `Conflict` for an address that is taken; `Stale` when `expected` is not the present version.
pub fn update(tx: &mut WideTx<'_, Edit>, patch: PagePatch, expected: Option<u64>) -> Result<Change<Page>> {
    let before = own(&tx.inside())?;
    organization::fresh(before.version, expected)?;
    let mut check = Check::new();
    let name = check.take(patch.name.map(|name| parse_name(&name)).transpose())?.flatten();
    // A word that it has may be one that nobody could choose: those that are made of a name are not held to the same rules.
    let word = patch.slug.filter(|word| word.trim() != before.slug);
    let word = check.take(word.map(|word| slug::parse("slug", &word)).transpose())?.flatten();
    let description = patch.description.map(|text| text::paragraphs("description", &text, 0, DESCRIPTION_MAX));
    let description = check.take(description.transpose())?.flatten();
    let time_zone = check.take(patch.time_zone.map(|name| zone::parse("time_zone", &name)).transpose())?.flatten();
    check.done()?;

    let mut after = before.next(tx.now());
    after.name = name.unwrap_or(after.name);
    after.slug = word.unwrap_or(after.slug);
    after.description = description.unwrap_or(after.description);
    after.time_zone = time_zone.unwrap_or(after.time_zone);
    let event = after
        .updated(&tx.inside())?
        .change("name", &before.name, &after.name)
        .change("slug", &before.slug, &after.slug)
        .change("description", &before.description, &after.description)
        .change("time_zone", &before.time_zone, &after.time_zone);
    if event.is_empty() {
        return Ok(Change::nothing(before));
    }
    if after.slug != before.slug {
        let org = tx.org();
        slug::take(tx.system(), &after.slug, org, after.id)?;
    }
    tx.inside().put(&after)?;
    Ok(Change::of(after, event))
}

/// Nothing typed is no name of its own.
fn parse_name(name: &str) -> Result<Option<String>> {
    if name.trim().is_empty() { Ok(None) } else { organization::parse_name("name", name).map(Some) }
}

/// Shows this logo from now on.
///
/// # Errors
/// What the store says.
pub fn set_logo(tx: &mut OrgTx<'_, Edit>, logo: Logo) -> Result<Change<Page>> {
    let before = own(tx)?;
    if before.logo.as_ref() == Some(logo.reference()) {
        return Ok(Change::nothing(before));
    }
    let after = Page { logo: Some(logo.reference().clone()), updated_at: tx.now(), ..before.clone() };
    tx.put(&LogoFile::of(after.id, logo))?;
    tx.put(&after)?;
    // One that takes another's place changes no word of it, and is news all the same.
    let event = after.updated(tx)?.without("logo", before.logo.is_some()).with("logo", true);
    Ok(Change::of(after, event))
}

/// Shows no logo any more.
///
/// # Errors
/// What the store says.
pub fn remove_logo(tx: &mut OrgTx<'_, Edit>) -> Result<Change<Page>> {
    let before = own(tx)?;
    if before.logo.is_none() {
        return Ok(Change::nothing(before));
    }
    let after = Page { logo: None, updated_at: tx.now(), ..before.clone() };
    tx.delete(LogoFile::id_of(after.id));
    tx.put(&after)?;
    let event = after.updated(tx)?.change("logo", true, false);
    Ok(Change::of(after, event))
}
