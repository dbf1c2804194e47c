//! Finding things by a part of their name.
//!
//! Words are found by how they begin, among however many things ([`Names`]). What is within a word is looked for, too, but among the first few
//! things alone: that is all of them where there are few, and where there are many nobody waits for a walk through everything.

use std::collections::{BTreeSet, HashSet};

use crate::access::Permission;
use crate::error::Result;
use crate::id::Id;
use crate::store::{AnyIndex, Cursor, Names, OrgDocument, OrgView, Page, Reads, Scan, divides, sought};

/// How many things are looked at for what is within a word.
pub const WITHIN: usize = 40;
/// How many places of the index are looked at for the best of them; more are not counted.
const PLACES: usize = 300;
/// How many things one page looks at where few of them are wanted; beyond it the page ends early, with a cursor.
const LOOKED_AT: usize = 150;

/// How well a name fits; the better, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It begins so.
    Beginning,
    /// One of its words does.
    BeginningOfAWord,
    /// It has that within.
    Within,
}

impl Fit {
    /// How a name fits what is looked for, which is in lower case; everything fits nothing.
    pub fn of(name: &str, wanted: &str) -> Option<Self> {
        let name = name.to_lowercase();
        if name.starts_with(wanted) {
            return Some(Self::Beginning);
        }
        let begins_a_word = |at: usize| {
            let (before, letter) = (name[..at].chars().next_back(), name[at..].chars().next());
            before.zip(letter).is_some_and(|(before, letter)| divides(before, letter))
        };
        // Each place is looked at: `api` is in `rapid`, too, which comes first in "rapid API".
        let places = name.match_indices(wanted).map(|(at, _)| begins_a_word(at));
        places.map(|begins| if begins { Self::BeginningOfAWord } else { Self::Within }).min()
    }
}

/// The things of a name.
#[derive(Debug)]
pub struct Named<D> {
    /// The best first.
    pub found: Vec<D>,
    /// How many there are beside those, as far as they were counted.
    pub more: usize,
    /// Whether there may be others yet.
    pub is_cut: bool,
}

/// Things whose name has this in it, at most so many. `first` are those among which it may be within a word, too; `wanted` is in lower case.
///
/// # Errors
/// What the store says.
pub fn find<D: OrgDocument, P: Permission>(
    view: &OrgView<'_, P>,
    names: &Names<D>,
    first: Scan<D>,
    wanted: &str,
    most: usize,
) -> Result<Named<D>> {
    let places = places(view, names, wanted, PLACES)?;
    let mut is_cut = places.len() == PLACES;
    let mut seen = HashSet::new();
    let mut ids = places.into_iter().map(|place| place.id).filter(|id| seen.insert(*id));
    let mut found = Vec::new();
    for id in ids.by_ref() {
        let thing: Option<D> = view.find(Id::from_uuid(id))?;
        found.extend(thing.filter(|thing| fits(names, thing, wanted)));
        if found.len() == most {
            break;
        }
    }
    let mut more = ids.count();
    if found.len() < most {
        let first = view.scan(first.limit(WITHIN))?;
        is_cut |= first.next.is_some();
        for thing in first.items {
            if !seen.contains(&thing.id().uuid()) && fits(names, &thing, wanted) {
                if found.len() < most { found.push(thing) } else { more += 1 }
            }
        }
    }
    Ok(Named { found, more, is_cut })
}

/// A page of the things whose name has this in it and that are wanted otherwise: those whose name begins so first, each of them once. A page
/// may hold fewer than so many, or none, and yet not be the last; the last one may hold a few more, which have it within a word.
///
/// # Errors
/// What the store says.
pub fn page<D: OrgDocument, P: Permission>(
    view: &OrgView<'_, P>,
    names: &Names<D>,
    first: Scan<D>,
    wanted: &str,
    after: Option<Cursor>,
    most: usize,
    is_wanted: impl Fn(&D) -> bool,
) -> Result<Page<D>> {
    let key = sought(wanted);
    let own = |thing: &D| key.as_deref().and_then(|key| earliest(names, thing, key));
    let mut items = Vec::new();
    if let Some(key) = &key {
        let mut places = view.names(names, key, after.as_ref(), LOOKED_AT + 1)?;
        let is_all = places.len() <= LOOKED_AT;
        places.truncate(LOOKED_AT);
        let count = places.len();
        for (number, place) in places.into_iter().enumerate() {
            // One that has several words which begin so stands at the first of them alone.
            let thing: Option<D> = view.find(Id::from_uuid(place.id))?;
            let here = thing.filter(|thing| own(thing).as_ref() == Some(&place));
            items.extend(here.filter(|thing| is_wanted(thing) && fits(names, thing, wanted)));
            let is_last = number + 1 == count;
            let has_more = !is_last || !is_all;
            if has_more && (is_last || items.len() == most) {
                return Ok(Page { items, next: Some(place) });
            }
        }
    }
    for thing in view.scan(first.limit(WITHIN))?.items {
        if own(&thing).is_none() && is_wanted(&thing) && fits(names, &thing, wanted) {
            items.push(thing);
        }
    }
    Ok(Page { items, next: None })
}

/// The things of a name by their ids alone.
pub struct Latest<D> {
    /// The last made first.
    pub ids: Vec<Id<D>>,
    /// Whether there may be others yet, which have it within a word.
    pub is_cut: bool,
}

/// The ids of the things whose name has this in it; `None` where there are too many of them to be sorted.
///
/// # Errors
/// What the store says.
pub fn latest<D: OrgDocument, P: Permission>(
    view: &OrgView<'_, P>,
    names: &Names<D>,
    first: Scan<D>,
    wanted: &str,
    most: usize,
) -> Result<Option<Latest<D>>> {
    let places = places(view, names, wanted, most)?;
    if places.len() == most {
        return Ok(None);
    }
    let mut ids: BTreeSet<Id<D>> = places.into_iter().map(|place| Id::from_uuid(place.id)).collect();
    let first = view.scan(first.limit(WITHIN))?;
    let is_cut = first.next.is_some();
    ids.extend(first.items.into_iter().filter(|thing| fits(names, thing, wanted)).map(|thing| thing.id()));
    Ok(Some(Latest { ids: ids.into_iter().rev().collect(), is_cut }))
}

fn places<D: OrgDocument, P: Permission>(view: &OrgView<'_, P>, names: &Names<D>, wanted: &str, most: usize) -> Result<Vec<Cursor>> {
    sought(wanted).map_or(Ok(Vec::new()), |key| view.names(names, &key, None, most))
}

/// The key holds the beginning of a long name alone, and no mark before the first letter of what is looked for.
fn fits<D>(names: &Names<D>, thing: &D, wanted: &str) -> bool {
    (names.name)(thing).is_some_and(|name| Fit::of(name, wanted).is_some())
}

/// The first of a thing's places that begin so.
fn earliest<D: OrgDocument>(names: &Names<D>, thing: &D, key: &str) -> Option<Cursor> {
    let id = thing.id().uuid();
    names.file(thing).into_iter().map(|filed| Cursor { sort: [filed.group, filed.sort].concat(), id }).find(|place| place.begins(key))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::service::{Service, Visibility};
    use crate::domain::status::ServiceStatus::Operational;
    use crate::domain::testing::TestOrg;
    use crate::store::Part;

    fn with(names: impl IntoIterator<Item = String>) -> TestOrg {
        let mut org = TestOrg::new();
        for name in names {
            org.service(&name, Visibility::Private, Operational);
        }
        org
    }

    fn first() -> Scan<Service> {
        Service::BY_POSITION.of(())
    }

    fn named(org: &TestOrg, wanted: &'static str, most: usize) -> (Vec<String>, usize, bool) {
        let found = org.read(move |view| find(view, &Service::NAMES, first(), wanted, most));
        (found.found.into_iter().map(|service| service.name).collect(), found.more, found.is_cut)
    }

    /// Each page's names.
    fn paged(org: &TestOrg, wanted: &'static str, most: usize) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = org.read(move |view| super::page(view, &Service::NAMES, first(), wanted, after, most, |_| true));
            pages.push(page.items.into_iter().map(|service| service.name).collect());
            after = page.next.map(|next| next.to_string().parse().unwrap());
            if after.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn the_beginning_counts_more_than_a_word_and_a_word_more_than_the_rest() {
        assert_eq!(Fit::of("Checkout API", "check"), Some(Fit::Beginning));
        assert_eq!(Fit::of("Checkout API", "api"), Some(Fit::BeginningOfAWord));
        assert_eq!(Fit::of("api-gateway", "gate"), Some(Fit::BeginningOfAWord));
        assert_eq!(Fit::of("out of checkout", "ou"), Some(Fit::Beginning));
        assert_eq!(Fit::of("rapid API", "api"), Some(Fit::BeginningOfAWord), "also where it is within a word before");
        assert_eq!(Fit::of("Checkout", "out"), Some(Fit::Within));
        assert_eq!(Fit::of("ÄPFEL", "äpf"), Some(Fit::Beginning));
        assert_eq!(Fit::of("新決済API", "決済"), Some(Fit::BeginningOfAWord));
        assert_eq!(Fit::of("新決済API", "api"), Some(Fit::BeginningOfAWord));
        assert_eq!(Fit::of("新決済API", "pi"), Some(Fit::Within));
        assert_eq!(Fit::of("Checkout", "web"), None);
        assert_eq!(Fit::of("Checkout", ""), Some(Fit::Beginning));
    }

    #[test]
    fn words_are_found_wherever_they_stand_and_what_is_within_among_the_first() {
        let many = (0..WITHIN).map(|number| format!("Service {number}"));
        let org = with(["Rapid one".to_owned()].into_iter().chain(many).chain(["Public API", "API (old)", "Vapid"].map(Into::into)));
        assert_eq!(named(&org, "api", 10), (vec!["API (old)".into(), "Public API".into(), "Rapid one".into()], 0, true));
        assert_eq!(named(&org, "service 3", 2).1, 9, "3 and 30 to 39, but for two");
        assert_eq!(named(&org, "(old", 10).0, ["API (old)"]);
        assert_eq!(named(&org, "zzz", 10), (Vec::new(), 0, true));
        assert_eq!(named(&org, "(", 10).0, [] as [&str; 0], "no letter, and not among the first");
    }

    #[test]
    fn every_thing_of_a_name_comes_once_page_by_page() {
        let org = with((0..60).map(|number| format!("Long long name {number} long")).chain(["Prolonged".into()]));
        for most in [1, 7, 50, 200] {
            let pages = paged(&org, "long", most);
            let mut all = pages.concat();
            assert_eq!(all.len(), 60, "{most}");
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 60, "{most}");
        }
        assert_eq!(paged(&org, "name 59", 50), [["Long long name 59 long"]]);
        let changed = org.named("Long long name 3 long");
        let patch = crate::domain::service::ServicePatch { name: Some("Short".into()), ..Default::default() };
        org.change(move |tx| crate::domain::service::update(tx, changed, patch, None)).unwrap();
        assert_eq!((paged(&org, "long", 100).concat().len(), paged(&org, "short", 100).concat()), (59, vec!["Short".to_owned()]));
        org.change(move |tx| crate::domain::service::delete(tx, changed, None)).unwrap();
        assert!(paged(&org, "short", 100).concat().is_empty());
    }

    #[test]
    fn a_cursor_of_the_clients_own_leads_nowhere_else() {
        let mut org = with(["Alpha".into(), "Beta".into()]);
        org.open("Alpha is down", []);
        let text = |text: &str| Part::Text(text.into());
        for sort in
            [vec![], vec![Part::Int(0)], vec![Part::Int(0), text("a")], vec![Part::Int(-7), text("zzz")], vec![Part::Int(0), Part::Int(9)]]
        {
            let after = Cursor { sort, id: Uuid::nil() };
            let shown = format!("{after:?}");
            let page = org.read(move |view| super::page(view, &Service::NAMES, first(), "alpha", Some(after), 10, |_| true));
            assert_eq!(page.items.len(), 1, "{shown}");
        }
        let behind = Cursor { sort: vec![Part::Int(0), text("zzz")], id: Uuid::max() };
        let page = org.read(move |view| super::page(view, &Service::NAMES, first(), "alpha", Some(behind), 10, |_| true));
        assert!(page.items.is_empty());
    }
}
