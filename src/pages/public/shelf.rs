//! Where rendered pages stand: found by the word in their address, marked by page or organization, and few enough to fit.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwapOption;

use super::rendition::Rendition;
use crate::clock::Timestamp;
use crate::domain::organization::OrgId;
use crate::domain::page::Page;
use crate::id::Id;
use crate::store::LogKind;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The most renditions.
    pub(super) pages: usize,
    /// The most bytes of them.
    pub(super) bytes: usize,
}

/// One page: its latest rendition, and whether that one is still true.
///
/// Everything in it is atomic, so that a page can be served and marked under the shelf's read lock.
pub(super) struct Entry {
    pub(super) page: Id<Page>,
    pub(super) org: OrgId,
    /// Held while the page is rendered, and until what changed has been published: one rendering at a time, announced in order.
    pub(super) making: tokio::sync::Mutex<()>,
    shown: ArcSwapOption<Rendition>,
    /// Counts what may have changed the page, beginning at 1: commits, and days that begin. Raised by whoever tells of them, on any thread.
    changes: AtomicU64,
    /// What `changes` was after the last commit.
    ///
    /// Raised a moment after it. Who looks in between takes the commit for a day's beginning; its author has not been answered yet.
    committed: AtomicU64,
    /// How many of the changes `shown` knows of.
    ///
    /// A rendering reads `changes` before it opens its snapshot, and who tells of a commit raises it when that can be read: what is counted
    /// is in the snapshot, whichever thread counted it and whichever process made the commit. Log numbers would not do, for another day
    /// changes a page without a new one.
    shown_to: AtomicU64,
    /// When it was last asked for, by the shelf's hand.
    used: AtomicU64,
    /// Who relies on the page being marked: those who render it, and the streams that follow it. It stays on the shelf for them.
    holds: AtomicUsize,
    /// Whether the renderer has been told of the changes since it last began.
    queued: AtomicBool,
}

impl Entry {
    fn new(page: Id<Page>, org: OrgId) -> Self {
        Self {
            page,
            org,
            making: tokio::sync::Mutex::new(()),
            shown: ArcSwapOption::empty(),
            changes: AtomicU64::new(1),
            committed: AtomicU64::new(1),
            shown_to: AtomicU64::new(0),
            used: AtomicU64::new(0),
            holds: AtomicUsize::new(0),
            queued: AtomicBool::new(false),
        }
    }

    fn is_true(&self) -> bool {
        self.shown_to.load(Ordering::SeqCst) == self.changes.load(Ordering::SeqCst)
    }

    /// Whether no commit is known that the rendition does not know of. Another day may have begun since.
    fn is_unrefuted(&self) -> bool {
        self.shown_to.load(Ordering::SeqCst) >= self.committed.load(Ordering::SeqCst)
    }

    /// The latest rendition, true or not.
    pub(super) fn shown(&self) -> Option<Arc<Rendition>> {
        self.shown.load_full()
    }

    /// The latest rendition if it is still true.
    pub(super) fn fresh(&self) -> Option<Arc<Rendition>> {
        if self.is_true() { self.shown() } else { None }
    }

    /// The latest rendition if no commit is known to have changed the page: for as long as the store is away, and no other can be made.
    ///
    /// Not one that a commit has changed: it may show what was made private.
    pub(super) fn unrefuted(&self) -> Option<Arc<Rendition>> {
        if self.is_unrefuted() { self.shown() } else { None }
    }

    /// How many changes there have been. Read it before the snapshot that a rendering is made from.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Tells of a commit: from now on the rendition is not true any more. Answers whether the renderer has to be told.
    pub(super) fn mark(&self) -> bool {
        let changes = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.committed.fetch_max(changes, Ordering::SeqCst);
        self.queue()
    }

    fn queue(&self) -> bool {
        !self.queued.swap(true, Ordering::SeqCst)
    }

    /// The renderer begins: a change from here on needs another turn.
    pub(super) fn begun(&self) {
        self.queued.store(false, Ordering::SeqCst);
    }

    /// The rendition that is here knows of so many changes.
    pub(super) fn confirm(&self, up_to: u64) {
        self.shown_to.fetch_max(up_to, Ordering::SeqCst);
    }
}

/// The pages in memory.
///
/// One `RwLock` around plain maps: read for each request that is answered from memory (a look-up and a few header clones) and for each commit,
/// written when a rendition comes or goes. An `ArcSwap` of the maps would spare readers the lock's one contended word, but every page that
/// comes would copy the maps, and marking would race with that copying.
pub(super) struct Shelf {
    books: RwLock<Books>,
    bounds: Bounds,
    /// Moves with each rendition that comes: what was not asked for since then is behind.
    hand: AtomicU64,
}

#[derive(Default)]
struct Books {
    /// Those that have a rendition, by the word in its address: a page that moves is found by its new word from the rendering on that says so.
    by_slug: HashMap<Box<str>, Arc<Entry>>,
    by_page: HashMap<Id<Page>, Arc<Entry>>,
    by_org: HashMap<OrgId, Vec<Arc<Entry>>>,
    /// Renditions.
    count: usize,
    /// Their weight.
    bytes: usize,
}

impl Shelf {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { books: RwLock::default(), bounds, hand: AtomicU64::new(1) }
    }

    /// Hands out the page's rendition if it is true.
    pub(super) fn with_fresh<T>(&self, slug: &str, then: impl FnOnce(&Rendition) -> T) -> Option<T> {
        self.with(slug, Entry::is_true, then)
    }

    /// Hands out the page's rendition if no commit is known to have changed the page; see [`Entry::unrefuted`].
    pub(super) fn with_unrefuted<T>(&self, slug: &str, then: impl FnOnce(&Rendition) -> T) -> Option<T> {
        self.with(slug, Entry::is_unrefuted, then)
    }

    fn with<T>(&self, slug: &str, may_be_served: fn(&Entry) -> bool, then: impl FnOnce(&Rendition) -> T) -> Option<T> {
        let books = self.read();
        let entry = books.by_slug.get(slug)?;
        if !may_be_served(entry) {
            return None;
        }
        let shown = entry.shown.load();
        let rendition = shown.as_ref()?;
        self.touch(entry);
        Some(then(rendition))
    }

    /// Takes hold of a page that is here, by the word in its rendition's address. If the rendition is not true any more, that may not be either.
    pub(super) fn hold(self: &Arc<Self>, slug: &str) -> Option<Held> {
        let books = self.read();
        books.by_slug.get(slug).map(|entry| Held::new(self, entry))
    }

    /// Takes hold of a page that is here, by its id.
    pub(super) fn hold_page(self: &Arc<Self>, page: Id<Page>) -> Option<Held> {
        let books = self.read();
        books.by_page.get(&page).map(|entry| Held::new(self, entry))
    }

    /// Takes hold of a page, which from now on is marked when it changes.
    pub(super) fn admit(self: &Arc<Self>, page: Id<Page>, org: OrgId) -> Held {
        let mut books = self.write();
        let entry = match books.by_page.get(&page) {
            Some(entry) => entry.clone(),
            None => {
                let entry = Arc::new(Entry::new(page, org));
                books.by_page.insert(page, entry.clone());
                books.by_org.entry(org).or_default().push(entry.clone());
                entry
            }
        };
        Held::new(self, &entry)
    }

    /// Marks the pages that this log's news may concern, and hands out those that the renderer has to be told of.
    pub(super) fn mark(&self, log: LogKind, due: &mut Vec<Id<Page>>) {
        let books = self.read();
        let concerned = match log {
            LogKind::Org(org) => books.by_org.get(&OrgId::from_uuid(org)).map(Vec::as_slice).unwrap_or_default(),
            LogKind::Page(page) => books.by_page.get(&Id::from_uuid(page)).map(std::slice::from_ref).unwrap_or_default(),
        };
        due.extend(concerned.iter().filter(|entry| entry.mark()).map(|entry| entry.page));
    }

    /// Marks the pages for which another day has begun, and those that say that they can't be updated: for while they can. Hands out those,
    /// and those that could not be rendered when they should have been.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<Id<Page>> {
        let books = self.read();
        let mut due = Vec::new();
        for entry in books.by_page.values() {
            let shown = entry.shown.load();
            let has_had_its_day = |rendition: &Arc<Rendition>| rendition.stamp.is_stale || rendition.stamp.good_until <= now;
            if entry.is_true() && shown.as_ref().is_some_and(has_had_its_day) {
                // No commit: as long as no other can be made, this one may be served.
                entry.changes.fetch_add(1, Ordering::SeqCst);
            }
            if !entry.is_true() && (shown.is_some() || entry.holds.load(Ordering::SeqCst) > 0) && entry.queue() {
                due.push(entry.page);
            }
        }
        due
    }

    /// Hands out the pages that do not say yet that they can't be updated: for while they can't.
    pub(super) fn unaware(&self) -> Vec<Id<Page>> {
        let books = self.read();
        let mut due = Vec::new();
        for entry in books.by_page.values() {
            if entry.shown.load().as_ref().is_some_and(|rendition| !rendition.stamp.is_stale) && entry.queue() {
                due.push(entry.page);
            }
        }
        due
    }

    /// Puts a rendition that knows of so many changes in the place of one that knows of fewer. Answers whether it did.
    pub(super) fn put(&self, entry: &Arc<Entry>, rendition: Arc<Rendition>, up_to: u64) -> bool {
        let mut books = self.write();
        // What was taken away is marked no more.
        if up_to < entry.shown_to.load(Ordering::SeqCst) || !books.has(entry) {
            return false;
        }
        books.drop_rendition(entry);
        books.bytes += rendition.weight();
        books.count += 1;
        books.by_slug.insert(rendition.stamp.slug.as_str().into(), entry.clone());
        entry.shown.store(Some(rendition));
        entry.confirm(up_to);
        self.touch(entry);
        self.hand.fetch_add(1, Ordering::SeqCst);
        books.fit(self.bounds, entry);
        true
    }

    /// Puts a copy in the place of its original, if that is still there. Answers whether it did.
    ///
    /// It knows of as many changes as the original, and is no more asked for. The word in its address stays whose it is: it may lead to
    /// another page by now.
    pub(super) fn replace(&self, entry: &Arc<Entry>, original: &Arc<Rendition>, copy: Arc<Rendition>) -> bool {
        let mut books = self.write();
        if !entry.shown.load().as_ref().is_some_and(|shown| Arc::ptr_eq(shown, original)) {
            return false;
        }
        books.bytes = books.bytes - original.weight() + copy.weight();
        entry.shown.store(Some(copy));
        books.fit(self.bounds, entry);
        true
    }

    /// Takes a page away that is no more.
    pub(super) fn remove(&self, entry: &Arc<Entry>) {
        let mut books = self.write();
        books.drop_rendition(entry);
        books.remove(entry);
    }

    fn touch(&self, entry: &Entry) {
        let hand = self.hand.load(Ordering::Relaxed);
        // Written once between two movements of the hand, and not for each request: the cores need not fight over it.
        if entry.used.load(Ordering::Relaxed) != hand {
            entry.used.store(hand, Ordering::Relaxed);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Books> {
        self.books.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Books> {
        self.books.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Lets go of the renditions that were not asked for the longest, until the rest fits. `newest` stays.
    ///
    /// Looks at all of them for each that goes: two thousand, once per page that comes, against the milliseconds that its rendering took.
    fn fit(&mut self, bounds: Bounds, newest: &Arc<Entry>) {
        while self.count > bounds.pages || self.bytes > bounds.bytes {
            let others = self.by_page.values().filter(|entry| !Arc::ptr_eq(entry, newest) && entry.shown.load().is_some());
            let Some(oldest) = others.min_by_key(|entry| entry.used.load(Ordering::Relaxed)).cloned() else { return };
            self.drop_rendition(&oldest);
            if oldest.holds.load(Ordering::SeqCst) == 0 {
                self.remove(&oldest);
            }
        }
    }

    fn drop_rendition(&mut self, entry: &Arc<Entry>) {
        let Some(rendition) = entry.shown.swap(None) else { return };
        self.bytes -= rendition.weight();
        self.count -= 1;
        let slug = rendition.stamp.slug.as_str();
        // Another page may have taken the word since.
        if self.by_slug.get(slug).is_some_and(|here| Arc::ptr_eq(here, entry)) {
            self.by_slug.remove(slug);
        }
    }

    fn has(&self, entry: &Arc<Entry>) -> bool {
        self.by_page.get(&entry.page).is_some_and(|here| Arc::ptr_eq(here, entry))
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        if !self.has(entry) {
            return;
        }
        self.by_page.remove(&entry.page);
        if let Some(pages) = self.by_org.get_mut(&entry.org) {
            pages.retain(|other| !Arc::ptr_eq(other, entry));
            if pages.is_empty() {
                self.by_org.remove(&entry.org);
            }
        }
    }
}

/// A page that stays on the shelf for as long as this lives.
pub(super) struct Held {
    shelf: Arc<Shelf>,
    entry: Arc<Entry>,
}

impl Held {
    /// Called under the shelf's lock, which whoever takes an entry away holds for writing.
    fn new(shelf: &Arc<Shelf>, entry: &Arc<Entry>) -> Self {
        entry.holds.fetch_add(1, Ordering::SeqCst);
        Self { shelf: shelf.clone(), entry: entry.clone() }
    }

    /// The entry, to be put somewhere.
    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Deref for Held {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let last = self.entry.holds.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.entry.shown.load().is_none() {
            let mut books = self.shelf.write();
            if self.entry.holds.load(Ordering::SeqCst) == 0 && self.entry.shown.load().is_none() {
                books.remove(&self.entry);
            }
        }
    }
}
