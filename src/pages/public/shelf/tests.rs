//! What is on the shelf, what is true there, and for how long.

use uuid::Uuid;

use super::super::rendition::tests::{rendition_at, stale};
use super::*;

const ORG: OrgId = OrgId::from_u128(1);

fn shelf(pages: usize, bytes: usize) -> Arc<Shelf> {
    Arc::new(Shelf::new(Bounds { pages, bytes }))
}

fn id(number: u128) -> Id<Page> {
    Id::from_u128(number)
}

/// Puts a page there that knows of all its changes.
fn place(shelf: &Arc<Shelf>, slug: &str, number: u128) {
    let held = shelf.admit(id(number), ORG);
    let up_to = held.changes();
    assert!(shelf.put(held.entry(), Arc::new(rendition_at(slug, 1, slug)), up_to));
}

fn number(shelf: &Shelf, slug: &str) -> Option<u64> {
    shelf.with_fresh(slug, |rendition| rendition.stamp.number)
}

fn mark(shelf: &Shelf, log: LogKind) -> Vec<Id<Page>> {
    let mut due = Vec::new();
    shelf.mark(log, &mut due);
    due
}

#[test]
fn a_marked_page_is_not_served_until_a_rendition_knows_of_the_change() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "acme", 7);
    assert_eq!(number(&shelf, "acme"), Some(1));

    for log in [LogKind::Page(id(7).uuid()), LogKind::Org(ORG.uuid())] {
        let held = shelf.hold("acme").unwrap();
        held.begun();
        assert_eq!(mark(&shelf, log), [id(7)]);
        assert_eq!(number(&shelf, "acme"), None);
        shelf.put(held.entry(), Arc::new(rendition_at("acme", 2, "new")), held.changes());
        assert_eq!(number(&shelf, "acme"), Some(2));
    }
    assert!(mark(&shelf, LogKind::Org(Uuid::from_u128(99))).is_empty());
    assert_eq!(number(&shelf, "acme"), Some(2), "another organization's news change nothing");
}

#[test]
fn the_renderer_is_told_once_until_it_begins() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "acme", 7);
    let news = LogKind::Page(id(7).uuid());
    assert_eq!(mark(&shelf, news), [id(7)]);
    assert!(mark(&shelf, news).is_empty() && mark(&shelf, news).is_empty());
    shelf.hold("acme").unwrap().begun();
    assert_eq!(mark(&shelf, news), [id(7)], "a change while it is being rendered needs another turn");
}

#[test]
fn the_newest_wins() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "acme", 7);
    let held = shelf.hold("acme").unwrap();
    let before = held.changes();
    mark(&shelf, LogKind::Page(id(7).uuid()));
    let after = held.changes();

    assert!(shelf.put(held.entry(), Arc::new(rendition_at("acme", 3, "newer")), after));
    assert!(!shelf.put(held.entry(), Arc::new(rendition_at("acme", 2, "older")), before));
    assert_eq!(number(&shelf, "acme"), Some(3));
}

#[test]
fn a_rendition_from_before_a_change_is_not_served_after_it() {
    let shelf = shelf(10, 1 << 20);
    let held = shelf.admit(id(7), ORG);
    let up_to = held.changes();
    mark(&shelf, LogKind::Page(id(7).uuid()));
    assert!(shelf.put(held.entry(), Arc::new(rendition_at("acme", 1, "old")), up_to));
    assert_eq!(number(&shelf, "acme"), None);
    held.confirm(held.changes());
    assert_eq!(number(&shelf, "acme"), Some(1), "it turned out to say the same");
}

#[test]
fn the_least_recently_used_goes() {
    let shelf = shelf(2, 1 << 20);
    place(&shelf, "a", 1);
    place(&shelf, "b", 2);
    assert!(number(&shelf, "a").is_some());
    place(&shelf, "c", 3);
    assert_eq!(["a", "b", "c"].map(|slug| number(&shelf, slug).is_some()), [true, false, true]);
    assert!(shelf.hold_page(id(2)).is_none(), "nothing is left of it");
}

#[test]
fn the_bytes_are_bounded_and_counted() {
    let one = rendition_at("a", 1, "a").weight();
    let shelf = shelf(10, one * 2 + one / 2);
    for (slug, number) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        place(&shelf, slug, number);
        place(&shelf, slug, number);
    }
    assert_eq!(["a", "b", "c", "d"].map(|slug| number(&shelf, slug).is_some()), [false, false, true, true]);
    for slug in ["c", "d"] {
        shelf.remove(shelf.hold(slug).unwrap().entry());
    }
    let books = shelf.read();
    assert_eq!((books.count, books.bytes, books.by_slug.len(), books.by_org.len()), (0, 0, 0, 0));
}

#[test]
fn a_page_that_moves_is_found_by_its_new_word_alone() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "acme", 7);
    place(&shelf, "zenith", 7);
    assert_eq!(["acme", "zenith"].map(|slug| number(&shelf, slug).is_some()), [false, true]);
    assert!(shelf.hold("acme").is_none());
    assert_eq!(shelf.read().count, 1);
}

#[test]
fn a_word_that_another_page_has_taken_stays_with_it() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "acme", 7);
    place(&shelf, "acme", 8);
    shelf.remove(shelf.hold_page(id(7)).unwrap().entry());
    assert_eq!(shelf.hold("acme").map(|held| held.page), Some(id(8)));
    assert!(number(&shelf, "acme").is_some());
}

#[test]
fn a_page_that_is_followed_stays_though_its_bytes_go() {
    let shelf = shelf(1, 1 << 20);
    place(&shelf, "a", 1);
    let stream = shelf.hold("a").unwrap();
    place(&shelf, "b", 2);
    assert_eq!(number(&shelf, "a"), None);
    assert!(shelf.hold_page(id(1)).is_some());
    stream.begun();
    assert_eq!(mark(&shelf, LogKind::Page(id(1).uuid())), [id(1)]);
    drop(stream);
    assert!(shelf.hold_page(id(1)).is_none(), "the last one turns off the light");
}

#[test]
fn another_day_makes_every_page_due_and_what_failed_is_due_again() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "a", 1);
    assert!(shelf.overdue(Timestamp::from_millis(0)).is_empty());
    assert_eq!(shelf.overdue(Timestamp::from_millis(1)), [id(1)]);
    assert_eq!(number(&shelf, "a"), None);
    assert!(shelf.overdue(Timestamp::from_millis(1)).is_empty(), "it is queued already");
    shelf.hold("a").unwrap().begun();
    assert_eq!(shelf.overdue(Timestamp::from_millis(1)), [id(1)], "its rendering came to nothing");
}

#[test]
fn another_day_refutes_nothing_and_a_commit_does() {
    let shelf = shelf(10, 1 << 20);
    let last = |slug: &str| shelf.with_unrefuted(slug, |rendition| rendition.stamp.number);
    place(&shelf, "a", 1);
    assert_eq!((number(&shelf, "a"), last("a")), (Some(1), Some(1)));
    shelf.overdue(Timestamp::from_millis(1));
    assert_eq!((number(&shelf, "a"), last("a")), (None, Some(1)));
    assert!(shelf.hold("a").unwrap().unrefuted().is_some());

    mark(&shelf, LogKind::Page(id(1).uuid()));
    assert_eq!((number(&shelf, "a"), last("a")), (None, None));
    let held = shelf.hold("a").unwrap();
    assert!(held.unrefuted().is_none());
    held.confirm(held.changes());
    assert_eq!((number(&shelf, "a"), last("a")), (Some(1), Some(1)));
}

#[test]
fn a_copy_takes_its_originals_place_and_nothing_else() {
    let one = rendition_at("a", 1, "a");
    let copy = Arc::new(stale(&one, 9));
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "a", 1);
    place(&shelf, "a", 2);
    let (elder, younger) = (shelf.hold_page(id(1)).unwrap(), shelf.hold_page(id(2)).unwrap());
    mark(&shelf, LogKind::Page(id(1).uuid()));

    let original = elder.shown().unwrap();
    assert!(shelf.replace(elder.entry(), &original, copy.clone()));
    assert!(!shelf.replace(elder.entry(), &original, copy.clone()), "it is not there any more");
    assert_eq!(elder.shown().map(|shown| shown.stamp.number), Some(9));
    assert!(elder.fresh().is_none() && elder.unrefuted().is_none(), "it knows no more than before");
    assert_eq!(shelf.hold("a").map(|held| held.page), Some(id(2)), "the word is the other's");
    let books = shelf.read();
    assert_eq!((books.count, books.bytes), (2, copy.weight() + younger.shown().unwrap().weight()));
}

#[test]
fn copies_keep_within_the_bounds() {
    let one = rendition_at("a", 1, "a").weight();
    let shelf = shelf(10, one * 2 + 10);
    place(&shelf, "a", 1);
    place(&shelf, "b", 2);
    let held = shelf.hold("b").unwrap();
    let original = held.shown().unwrap();
    assert!(shelf.replace(held.entry(), &original, Arc::new(stale(&original, 9))));
    assert_eq!((number(&shelf, "a"), number(&shelf, "b")), (None, Some(9)));
}

#[test]
fn each_page_has_to_say_once_that_it_can_not_be_updated_and_is_due_when_it_can() {
    let shelf = shelf(10, 1 << 20);
    place(&shelf, "a", 1);
    assert_eq!(shelf.unaware(), [id(1)]);
    assert!(shelf.unaware().is_empty(), "it is queued already");
    let held = shelf.hold("a").unwrap();
    held.begun();
    let original = held.shown().unwrap();
    assert!(shelf.replace(held.entry(), &original, Arc::new(stale(&original, 9))));
    assert!(shelf.unaware().is_empty(), "it says so");

    assert_eq!(shelf.overdue(Timestamp::from_millis(0)), [id(1)]);
    assert_eq!(number(&shelf, "a"), None);
    assert!(held.unrefuted().is_some());
}
