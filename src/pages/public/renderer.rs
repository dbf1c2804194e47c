//! Making renditions: once for everyone who waits, one at a time per page, announced to those who stay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::cache::Pages;
use super::live;
use super::render::render;
use super::rendition::{Rendition, Stamp};
use super::shelf::Held;
use crate::domain::page::{self, Page, PageView};
use crate::domain::public::Public;
use crate::domain::slug as slugs;
use crate::error::{Error, Result};
use crate::http::Shutdown;
use crate::id::Id;
use crate::live::Room;
use crate::live::protocol::EventId;
use crate::store::LogKind;

/// How often the renderer looks whether another day has begun, something has failed, or the store is away. Looking rather than one long
/// sleep until midnight: clocks are set, machines are suspended, and tests move time by hand.
const LOOK: Duration = Duration::from_secs(1);

/// Longer than any slug that was ever claimed.
const SLUG_MAX: usize = 100;

impl Pages {
    /// The page as it stands now: from memory, or rendered, once for all who wait. By an older word of its address it is found as well; the
    /// rendition knows the present one.
    ///
    /// # Errors
    /// `NotFound` for a slug that leads nowhere, or to an organization that is shut; what the store says.
    pub async fn fresh(&self, slug: &str) -> Result<Arc<Rendition>> {
        let held = self.hold(slug).await?;
        self.rendition(&held).await
    }

    /// Keeps a renderer busy until the shutdown: pages are rendered anew when they have changed, and when another day begins; and while the
    /// store is away they come to say so.
    pub async fn run(self, shutdown: Shutdown) {
        let mut stopping = std::pin::pin!(shutdown.stopping());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewals = JoinSet::new();
        loop {
            while let Some(page) = self.next_due() {
                if let Some(held) = self.0.shelf.hold_page(page) {
                    renewals.spawn(self.clone().renew(held));
                }
            }
            tokio::select! {
                () = &mut stopping => break,
                () = self.0.wake.notified() => {}
                _ = look.tick() => self.enqueue(self.look()),
                Some(_) = renewals.join_next() => {}
            }
        }
        renewals.shutdown().await;
    }

    /// The PNG of a page's logo; any word of the page's address will do.
    ///
    /// Read from the store each time: browsers keep it for a year, so that each asks once, and in memory it would take the place of pages.
    ///
    /// # Errors
    /// `NotFound` for a logo that is not, or no longer, the page's, and for a page that is not there; what the store says.
    pub async fn logo(&self, slug: &str, hash: &str) -> Result<Bytes> {
        let (slug, hash) = (plausible(slug)?.to_owned(), hash.to_owned());
        let png = self.0.app.system_read(move |view| {
            let found = slugs::find(view, &slug)?.ok_or(Error::NotFound)?;
            view.enter::<Public>(found.org_id).logo(found.page_id, &hash)
        });
        png.await.map(Bytes::from)
    }

    /// Takes hold of a page, looking its slug up if it is not in memory under this word.
    pub(super) async fn hold(&self, slug: &str) -> Result<Held> {
        if let Some(held) = self.0.shelf.hold(slug) {
            // The page may have moved since it was rendered, and who has the word now only the store knows.
            match self.rendition(&held).await {
                Ok(rendition) if rendition.stamp.slug == slug => return Ok(held),
                Ok(_) | Err(Error::NotFound) => {}
                Err(other) => return Err(other),
            }
        }
        let wanted = plausible(slug)?.to_owned();
        let found = self.0.app.system_read(move |view| slugs::find(view, &wanted)).await?.ok_or(Error::NotFound)?;
        Ok(self.0.shelf.admit(found.page_id, found.org_id))
    }

    /// A true rendition of a page: the one that is here, or a new one. While the store is away, the last one, unless a commit is known that
    /// it lacks.
    pub(super) async fn rendition(&self, held: &Held) -> Result<Arc<Rendition>> {
        if let Some(rendition) = self.at_hand(held) {
            return Ok(rendition);
        }
        let alone = held.making.lock().await;
        // The store may have gone away while it was asked.
        self.make(held, &alone).await.or_else(|error| self.at_hand(held).ok_or(error))
    }

    /// A true rendition for someone who has seen the page at this position. If that is beyond what is shown here, they come from a process
    /// that heard of a change earlier: the page is made anew before they are sent anything, for what is here is older than what they see.
    ///
    /// Anyone can claim to have seen more. So the store is asked whether there is more, once: a claim costs a look, and no rendering; and
    /// while the store is away it takes no page from the others.
    ///
    /// # Errors
    /// As [`fresh`](Self::fresh); `Unavailable` as well for who has seen more while the store is away: another process may serve them.
    pub(super) async fn rendition_for(&self, held: &Held, position: &str) -> Result<Arc<Rendition>> {
        let rendition = self.rendition(held).await?;
        if !rendition.is_older_than(position) {
            return Ok(rendition);
        }
        let log = LogKind::Page(held.page.uuid());
        let seq = self.0.app.read_public(held.org, move |view| view.head(log)).await?;
        if rendition.is_older_than(&EventId { epoch: self.0.app.epoch(), seq }.to_string()) && held.mark() {
            self.enqueue(vec![held.page]);
        }
        self.rendition(held).await
    }

    /// The rendition that is here, if it may be served.
    fn at_hand(&self, held: &Held) -> Option<Arc<Rendition>> {
        held.fresh().or_else(|| if self.is_away() { held.unrefuted() } else { None })
    }

    /// Makes a page anew; or has it say that it can't be, once that has been so for long.
    pub(super) async fn renew(self, held: Held) {
        let alone = held.making.lock().await;
        // Changes that were heard of until now are in the snapshot of the rendering that begins; later ones need another.
        held.begun();
        let done = match self.stale_since() {
            Some(since) => self.give_notice(&held, since, &alone).await,
            None => self.make(&held, &alone).await.map(drop),
        };
        match done {
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => tracing::warn!(page = %held.page, %error, "a page could not be rendered; it is tried again"),
        }
    }

    async fn make(&self, held: &Held, _alone: &MutexGuard<'_, ()>) -> Result<Arc<Rendition>> {
        // Whoever was here before may have done it.
        if let Some(rendition) = self.at_hand(held) {
            return Ok(rendition);
        }
        let _core = self.0.cores.acquire().await.map_err(Error::internal)?;
        let up_to = held.changes();
        let (id, epoch) = (held.page, self.0.app.epoch().to_owned());
        let view = match self.0.app.read_public(held.org, move |view| page::view(view, id, &epoch)).await {
            Err(Error::NotFound) => {
                self.0.shelf.remove(held.entry());
                return Err(Error::NotFound);
            }
            other => other?,
        };

        let earlier = held.shown();
        let (pages, compared) = (self.clone(), earlier.clone());
        let renewed = tokio::task::spawn_blocking(move || pages.compose(view, compared.as_deref())).await.map_err(Error::internal)??;

        // No waiting from here on: what is put there is announced, even if nobody waits for this future any more.
        match (renewed, earlier) {
            (None, Some(earlier)) => {
                held.confirm(up_to);
                Ok(earlier)
            }
            (None, None) => Err(Error::internal("a page without an earlier rendition can't be the same")),
            (Some(rendition), earlier) => {
                if self.0.shelf.put(held.entry(), rendition.clone(), up_to) {
                    self.announce(held.page, earlier.as_deref(), &rendition);
                }
                Ok(rendition)
            }
        }
    }

    /// Renders; `None` if a visitor would see no difference.
    fn compose(&self, mut view: PageView, earlier: Option<&Rendition>) -> Result<Option<Arc<Rendition>>> {
        view.at = position(&view);
        let rendered = render(&view, &self.0.shell).map_err(Error::internal)?;
        if earlier.is_some_and(|earlier| earlier.says_the_same(&rendered)) {
            return Ok(None);
        }
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let good_until = page::good_until(view.made_at, &view.page.zone);
        let stamp = Stamp { number, slug: view.page.slug, at: view.at, good_until, zone: view.page.zone, is_stale: false };
        let rendition = Rendition::make(rendered, stamp, &self.0.security).map_err(Error::internal)?;
        Ok(Some(Arc::new(rendition)))
    }

    /// Sends those who follow the page what is new to them: one frame, encoded once, and not at all if nobody does.
    pub(super) fn announce(&self, page: Id<Page>, earlier: Option<&Rendition>, rendition: &Rendition) {
        let news: Vec<_> = match earlier {
            Some(earlier) => rendition.changed_since(earlier).collect(),
            None => rendition.fragments.iter().collect(),
        };
        // That the page has moved alone is nothing to those who are on it.
        if !news.is_empty() {
            self.0.hub.publish(Room::Fragments(page), || live::frame(page, &rendition.stamp, news));
        }
    }
}

/// A word that may be in an address. What can't be is not looked up.
fn plausible(slug: &str) -> Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=SLUG_MAX).contains(&slug.len()) && slug.bytes().all(is_plain) { Ok(slug) } else { Err(Error::NotFound) }
}

/// Where the page's stream stands with a view: the position in the page's log and, since a page changes with the date as well, the day; and
/// which logo it shows, of which the log says nothing.
fn position(view: &PageView) -> String {
    let logo = view.page.logo.as_ref().and_then(|logo| logo.hash.get(..8)).map(|hash| format!(".{hash}")).unwrap_or_default();
    format!("{}.{}{logo}", view.at, view.today)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::future::join_all;
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::access::Actor;
    use crate::app::{App, Settings, SignUpInput};
    use crate::clock::{Clock, Timestamp};
    use crate::config::Registration;
    use crate::domain::organization::{self, OrgId, OrganizationPatch};
    use crate::domain::page::PagePatch;
    use crate::domain::session::Origin;
    use crate::http::SecurityHeaders;
    use crate::id::IdSource;
    use crate::live::{Hub, Receiver};
    use crate::store::{Committed, LogEntry};

    /// An organization, its page at `/p/acme`, and the news that a follower would hear.
    pub(in super::super) struct Acme {
        pub(in super::super) app: App,
        hub: Hub,
        pub(in super::super) pages: Pages,
        org: OrgId,
        news: UnboundedReceiver<Committed>,
    }

    impl Acme {
        pub(in super::super) async fn found() -> Self {
            let settings = Settings { registration: Registration::Open, ..Settings::default() };
            let clock = Clock::manual(Timestamp::from_millis(1_772_366_400_000));
            let (app, news) = App::in_memory(clock, IdSource::seeded(1), settings).unwrap();
            let input = SignUpInput {
                email: "ada@example.com".into(),
                password: "tangerine-otter-plinth".into(),
                full_name: "Ada".into(),
                organization_name: "Acme".into(),
                setup_token: None,
                invite_token: None,
            };
            let signed_in = app.sign_up(input, IpAddr::V4(Ipv4Addr::LOCALHOST), Origin::default()).await.unwrap();
            let org = signed_in.profile.organizations[0].organization.id;
            let hub = Hub::new();
            let pages = Pages::new(&app, &hub, &"https://example.org".parse().unwrap(), SecurityHeaders::new(true));
            let mut acme = Self { app, hub, pages, org, news };
            acme.follow();
            acme
        }

        pub(in super::super) async fn rename(&mut self, name: &str) {
            self.rename_elsewhere(name).await;
            self.follow();
        }

        /// As another process would: this one has not heard of it yet.
        async fn rename_elsewhere(&self, name: &str) {
            let patch = OrganizationPatch { name: Some(name.to_owned()), ..OrganizationPatch::default() };
            self.app.change_wide(Actor::System("test"), self.org, move |tx| organization::update(tx, patch, None)).await.unwrap();
        }

        async fn patch(&mut self, patch: PagePatch) {
            self.app.change_wide(Actor::System("test"), self.org, move |tx| page::update(tx, patch, None)).await.unwrap();
            self.follow();
        }

        async fn move_to(&mut self, slug: &str) {
            self.patch(PagePatch { slug: Some(slug.to_owned()), ..PagePatch::default() }).await;
        }

        async fn suspend(&mut self, suspended: bool) {
            self.app.change_wide(Actor::System("test"), self.org, move |tx| organization::suspend(tx, suspended)).await.unwrap();
            self.follow();
        }

        fn follow(&mut self) {
            while let Ok(committed) = self.news.try_recv() {
                self.pages.committed(&committed);
            }
        }

        /// Something that visitors don't notice.
        fn stir(&self) {
            let entry = LogEntry::org(self.org.uuid(), 99, Vec::new(), Vec::new());
            self.pages.committed(&Committed { entries: vec![entry], signals: Vec::new() });
        }

        pub(in super::super) async fn fresh(&self) -> Arc<Rendition> {
            self.pages.fresh("acme").await.unwrap()
        }

        /// What another process renders.
        async fn elsewhere(&self) -> Arc<Rendition> {
            let other = Pages::new(&self.app, &Hub::new(), &"https://example.org".parse().unwrap(), SecurityHeaders::new(true));
            other.fresh("acme").await.unwrap()
        }

        pub(in super::super) async fn listen(&self) -> (crate::live::Connection, Receiver, Held) {
            let held = self.pages.hold("acme").await.unwrap();
            let (mut connection, receiver) = self.hub.connect(None);
            connection.join(Room::Fragments(held.page));
            (connection, receiver, held)
        }
    }

    pub(in super::super) fn html(rendition: &Rendition) -> String {
        String::from_utf8(rendition.answer(&http::HeaderMap::new()).into_body().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn all_who_wait_get_the_one_rendering() {
        let acme = Acme::found().await;
        let all = join_all((0..50).map(|_| acme.fresh())).await;
        assert!(all.iter().all(|rendition| Arc::ptr_eq(rendition, &all[0])));
        assert_eq!(all[0].stamp.number, 1);
    }

    #[tokio::test]
    async fn many_changes_cost_one_rendering() {
        let mut acme = Acme::found().await;
        let before = acme.fresh().await;
        for number in 0..10 {
            acme.rename(&format!("Zenith {number}")).await;
        }
        let after = acme.fresh().await;
        assert_eq!((before.stamp.number, after.stamp.number), (1, 2));
        assert!(html(&after).contains("Zenith 9") && !html(&before).contains("Zenith"));
    }

    #[tokio::test]
    async fn what_visitors_do_not_notice_changes_nothing() {
        let acme = Acme::found().await;
        let before = acme.fresh().await;
        let (_connection, heard, _held) = acme.listen().await;
        acme.app.clock().advance(Duration::from_secs(60));
        acme.stir();
        assert!(Arc::ptr_eq(&acme.fresh().await, &before));
        assert!(heard.try_recv().is_none());
    }

    #[tokio::test]
    async fn every_process_renders_the_same_bytes() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        acme.app.clock().advance(Duration::from_secs(60));
        acme.rename("Zenith").await;
        let here = acme.fresh().await;
        acme.app.clock().advance(Duration::from_secs(3_600));
        let there = acme.elsewhere().await;

        for encoding in ["identity", "gzip", "br"] {
            let asking = http::HeaderMap::from_iter([(http::header::ACCEPT_ENCODING, http::HeaderValue::from_static(encoding))]);
            let (here, there) = (here.answer(&asking), there.answer(&asking));
            assert_eq!(here.headers(), there.headers(), "{encoding}");
            assert_eq!(here.body(), there.body(), "{encoding}");
        }
    }

    #[tokio::test]
    async fn what_changed_is_announced_once() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        let (_connection, heard, _held) = acme.listen().await;
        acme.rename("Zenith").await;
        let (one, other) = (acme.fresh().await, acme.fresh().await);
        assert!(Arc::ptr_eq(&one, &other));

        let frame = heard.try_recv().unwrap();
        let text = String::from_utf8(frame.sse().to_vec()).unwrap();
        assert_eq!(frame.seq(), one.stamp.number);
        assert!(text.contains("hx-target=\"#banner\"") && !text.contains("hx-target=\"#history\""), "{text}");
        assert!(heard.try_recv().is_none());
    }

    #[tokio::test]
    async fn the_renderer_tells_those_who_stay_and_stops_when_told_to() {
        let mut acme = Acme::found().await;
        let (_connection, heard, _held) = acme.listen().await;
        let before = acme.fresh().await;
        while heard.try_recv().is_some() {}
        let shutdown = Shutdown::new();
        let renderer = tokio::spawn(acme.pages.clone().run(shutdown.clone()));

        acme.rename("Zenith").await;
        assert_eq!(heard.recv().await.unwrap().seq(), before.stamp.number + 1);
        acme.app.clock().advance(Duration::from_secs(86_400));
        assert_eq!(heard.recv().await.unwrap().seq(), before.stamp.number + 2, "another day");

        shutdown.begin();
        renderer.await.unwrap();
    }

    #[tokio::test]
    async fn a_page_that_moved_is_found_by_both_words_and_says_which_is_the_present_one() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        let (_connection, heard, held) = acme.listen().await;
        acme.move_to("zenith").await;
        assert!(acme.pages.0.shelf.with_fresh("acme", |_| ()).is_none(), "the old address is not served from memory");

        for word in ["acme", "zenith", "acme"] {
            let rendition = acme.pages.fresh(word).await.unwrap();
            assert_eq!((rendition.stamp.slug.as_str(), rendition.stamp.number), ("zenith", 2), "{word}");
            assert!(html(&rendition).contains("https://example.org/p/zenith"));
            assert_eq!(acme.pages.hold(word).await.unwrap().page, held.page, "{word}");
        }
        assert!(acme.pages.0.shelf.with_fresh("zenith", |_| ()).is_some());

        while heard.try_recv().is_some() {}
        acme.rename("Zenith").await;
        acme.fresh().await;
        assert!(heard.try_recv().is_some(), "whoever came by the old address goes on to hear of it");
    }

    #[tokio::test]
    async fn a_page_is_gone_while_its_organization_is_suspended() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        acme.suspend(true).await;
        assert!(acme.pages.0.shelf.with_fresh("acme", |_| ()).is_none());
        for _ in 0..2 {
            assert_eq!(acme.pages.fresh("acme").await.err(), Some(Error::NotFound));
        }
        acme.suspend(false).await;
        let shown = acme.fresh().await;
        assert!(html(&shown).contains("Acme"));
    }

    #[tokio::test]
    async fn another_day_begins_at_midnight_in_the_pages_zone() {
        let mut acme = Acme::found().await;
        let tokyo = PagePatch { time_zone: Some("Asia/Tokyo".into()), ..PagePatch::default() };
        acme.patch(tokyo).await;
        let before = acme.fresh().await;
        assert_eq!(before.stamp.good_until, "2026-03-01T15:00:00Z".parse().unwrap());
        assert!(before.stamp.at.ends_with(".2026-03-01"), "{}", before.stamp.at);

        acme.app.clock().advance(Duration::from_secs(3 * 3_600));
        assert_eq!(acme.pages.0.shelf.overdue(acme.app.clock().now()), [acme.pages.hold("acme").await.unwrap().page]);
        assert!(acme.fresh().await.stamp.at.ends_with(".2026-03-02"));
    }

    #[tokio::test]
    async fn who_has_seen_more_elsewhere_is_not_sent_what_is_older_here() {
        let acme = Acme::found().await;
        let older = acme.fresh().await;
        let held = acme.pages.hold("acme").await.unwrap();
        acme.rename_elsewhere("Zenith").await;
        let seen = acme.elsewhere().await.stamp.at.clone();
        assert!(Arc::ptr_eq(&acme.fresh().await, &older), "nobody has told");
        assert!(Arc::ptr_eq(&acme.pages.rendition_for(&held, &older.stamp.at).await.unwrap(), &older));

        let shown = acme.pages.rendition_for(&held, &seen).await.unwrap();
        assert!(shown.is_seen_at(&seen) && html(&shown).contains("Zenith"));
        assert!(Arc::ptr_eq(&acme.fresh().await, &shown), "the others see it, too");
        assert_eq!(acme.pages.next_due(), Some(held.page));
    }

    #[tokio::test]
    async fn who_only_claims_to_have_seen_more_costs_nobody_the_page() {
        let acme = Acme::found().await;
        let shown = acme.fresh().await;
        let held = acme.pages.hold("acme").await.unwrap();
        let claimed = format!("{}:999.2026-03-01", acme.app.epoch());
        assert!(Arc::ptr_eq(&acme.pages.rendition_for(&held, &claimed).await.unwrap(), &shown));
        assert_eq!(acme.pages.next_due(), None);

        acme.app.pretend_away(Some(acme.app.clock().now()));
        acme.app.close();
        assert!(matches!(acme.pages.rendition_for(&held, &claimed).await, Err(Error::Unavailable(_))));
        assert!(Arc::ptr_eq(&acme.fresh().await, &shown));
    }

    #[tokio::test]
    async fn a_slug_that_leads_nowhere_is_not_found() {
        let acme = Acme::found().await;
        for slug in ["nobody", "", "ACME", "acme/", "../acme", "\0", &"a".repeat(1_000)] {
            assert_eq!(acme.pages.fresh(slug).await.err(), Some(Error::NotFound), "{slug:?}");
        }
    }
}
