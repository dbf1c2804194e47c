//! The public pages in memory: answered before the router, marked when the store tells of a commit, rendered anew by the renderer.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Method;
use tokio::sync::{Notify, Semaphore};

use super::rendition::Rendition;
use super::shelf::{Bounds, Shelf};
use crate::app::App;
use crate::config::BaseUrl;
use crate::domain::page::Page;
use crate::http::{FastPath, SecurityHeaders};
use crate::id::Id;
use crate::live::Hub;
use crate::pages::shell::Shell;
use crate::store::Committed;

/// Enough for every page of a large instance, and a bound for one with too many.
const BOUNDS: Bounds = Bounds { pages: 2_000, bytes: 64 << 20 };

/// The public pages. A clone is another handle.
///
/// A page is rendered once per change, however many ask for it: a request costs a look-up. Who asks after a change and before its rendering
/// waits for that one rendering, and so sees what the commit has acknowledged to its author; of another process's commit, as soon as this
/// one has heard of it.
#[derive(Clone)]
pub struct Pages(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) app: App,
    pub(super) hub: Hub,
    pub(super) shell: Shell,
    pub(super) security: SecurityHeaders,
    /// The base URL's own path, which some proxies leave in.
    prefix: String,
    pub(super) shelf: Arc<Shelf>,
    /// Numbers renderings.
    pub(super) numbers: AtomicU64,
    /// One permit a core but one: rendering and compressing must not take them all from those who only read.
    pub(super) cores: Semaphore,
    /// Pages to be rendered anew, each at most once. A std `Mutex`, held for a push or a pop. Filled by whatever thread the store tells of
    /// commits on, and by the renderer; emptied by the renderer.
    due: Mutex<VecDeque<Id<Page>>>,
    /// Wakes the renderer when `due` has grown.
    pub(super) wake: Notify,
}

impl Pages {
    /// No pages yet. `security` are the headers that every answer gets.
    pub fn new(app: &App, hub: &Hub, base_url: &BaseUrl, security: SecurityHeaders) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1));
        Self(Arc::new(Inner {
            app: app.clone(),
            hub: hub.clone(),
            shell: Shell { base_url: base_url.to_string() },
            security,
            prefix: base_url.path().to_owned(),
            shelf: Arc::new(Shelf::new(BOUNDS)),
            numbers: AtomicU64::new(0),
            cores: Semaphore::new(cores),
            due: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// Where this instance is reached.
    pub fn shell(&self) -> &Shell {
        &self.0.shell
    }

    /// Marks pages for the store, which calls it before the author of a change is answered, and when it hears of another process's. Does
    /// not keep the pages alive: they hold the store.
    pub fn marker(&self) -> impl Fn(&Committed) + Send + Sync + 'static {
        let pages = Arc::downgrade(&self.0);
        move |committed| {
            if let Some(pages) = pages.upgrade() {
                Self(pages).committed(committed);
            }
        }
    }

    /// Hears of a commit that can be read by now: from here on no page that it concerns is served as it was. On any thread, and on several
    /// at once: marking counts, and the order of the counting is nobody's concern.
    pub fn committed(&self, committed: &Committed) {
        let mut due = Vec::new();
        for entry in &committed.entries {
            // The organization's own log counts too. Whether visitors notice is for the page's log to say, but that a page is as it was is cheaper
            // to find by rendering than to prove.
            self.0.shelf.mark(entry.log(), &mut due);
        }
        self.enqueue(due);
    }

    pub(super) fn enqueue(&self, pages: Vec<Id<Page>>) {
        if !pages.is_empty() {
            self.0.due.lock().unwrap_or_else(PoisonError::into_inner).extend(pages);
            self.0.wake.notify_one();
        }
    }

    pub(super) fn next_due(&self) -> Option<Id<Page>> {
        self.0.due.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl FastPath for Pages {
    fn answer(&self, head: &http::request::Parts) -> Option<http::Response<Bytes>> {
        let path = head.uri.path();
        let slug = path.strip_prefix(self.0.prefix.as_str()).unwrap_or(path).strip_prefix("/p/")?;
        if head.method != Method::GET && head.method != Method::HEAD {
            return None;
        }
        let answer = |rendition: &Rendition| rendition.answer(&head.headers);
        let fresh = self.0.shelf.with_fresh(slug, answer);
        // Asked outside of the shelf's lock: the store may hold one of its own while it marks pages here.
        fresh.or_else(|| if self.is_away() { self.0.shelf.with_unrefuted(slug, answer) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rendition::tests::rendition;
    use super::*;
    use crate::app::Settings;
    use crate::clock::{Clock, Timestamp};
    use crate::domain::organization::OrgId;
    use crate::id::IdSource;
    use crate::store::LogEntry;

    fn pages_at(base_url: &str) -> Pages {
        let (app, _) = App::in_memory(Clock::manual(Timestamp::from_millis(0)), IdSource::seeded(1), Settings::default()).unwrap();
        let pages = Pages::new(&app, &Hub::new(), &base_url.parse().unwrap(), SecurityHeaders::new(true));
        let held = pages.0.shelf.admit(Id::from_u128(7), OrgId::from_u128(1));
        pages.0.shelf.put(held.entry(), Arc::new(rendition(1, "Everything works.")), held.changes());
        pages
    }

    fn pages() -> Pages {
        pages_at("https://example.org")
    }

    fn ask(pages: &Pages, method: Method, uri: &str) -> Option<http::Response<Bytes>> {
        let (head, ()) = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        pages.answer(&head)
    }

    fn commit(entry: LogEntry) -> Committed {
        Committed { entries: vec![entry], signals: Vec::new() }
    }

    #[test]
    fn a_page_in_memory_is_answered_at_once() {
        let pages = pages();
        for uri in ["/p/acme", "/p/acme?utm_source=mail", "https://example.org/p/acme"] {
            let answer = ask(&pages, Method::GET, uri).unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.headers().contains_key("content-security-policy") && answer.headers().contains_key("etag"));
        }
        let (get, head) = (ask(&pages, Method::GET, "/p/acme").unwrap(), ask(&pages, Method::HEAD, "/p/acme").unwrap());
        assert_eq!(get.headers(), head.headers());
        assert_eq!(get.body().len(), head.body().len(), "the server takes the body away and says how long it would be");
    }

    #[test]
    fn a_proxy_may_leave_the_path_in_that_it_mounts_us_under() {
        let pages = pages_at("https://example.org/status");
        for uri in ["/status/p/acme", "/p/acme"] {
            assert!(ask(&pages, Method::GET, uri).is_some(), "{uri}");
        }
        assert!(ask(&pages, Method::GET, "/other/p/acme").is_none());
    }

    #[test]
    fn everything_else_goes_to_the_router() {
        let pages = pages();
        for uri in ["/", "/p", "/p/", "/p/acme/", "/p/acme/live", "/p/ACME", "/p/nobody", "/x/p/acme", "/p/%61cme"] {
            assert!(ask(&pages, Method::GET, uri).is_none(), "{uri}");
        }
        for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
            assert!(ask(&pages, method, "/p/acme").is_none());
        }
    }

    #[test]
    fn after_a_commit_the_router_has_it_and_the_renderer_is_told_once() {
        let pages = pages();
        for seq in 1..=100 {
            pages.committed(&commit(LogEntry::org(OrgId::from_u128(1).uuid(), seq, Vec::new(), Vec::new())));
        }
        assert!(ask(&pages, Method::GET, "/p/acme").is_none());
        assert_eq!(pages.next_due(), Some(Id::from_u128(7)));
        assert_eq!(pages.next_due(), None);
    }

    #[test]
    fn another_organizations_commit_costs_nothing() {
        let pages = pages();
        pages.committed(&commit(LogEntry::org(OrgId::from_u128(2).uuid(), 1, Vec::new(), Vec::new())));
        assert!(ask(&pages, Method::GET, "/p/acme").is_some());
        assert_eq!(pages.next_due(), None);
    }
}
