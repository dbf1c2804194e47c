//! Making renditions: once for everyone who waits, one at a time per page, announced to those who stay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::cache::Pages;
use super::live;
use super::render::render;
use super::rendition::{Rendition, Stamp};
use super::shelf::Held;
use crate::domain::page::{self, Page, PageView};
use crate::domain::slug as slugs;
use crate::error::{Error, Result};
use crate::http::Shutdown;
use crate::id::Id;
use crate::live::Room;

/// How often the renderer looks whether another day has begun or something has failed. Looking rather than one long sleep until midnight:
/// clocks are set, machines are suspended, and tests move time by hand.
const LOOK: Duration = Duration::from_secs(1);

/// Longer than any slug that was ever claimed.
const SLUG_MAX: usize = 100;

impl Pages {
    /// The page as it stands now: from memory, or rendered, once for all who wait.
    ///
    /// # Errors
    /// `NotFound` for a slug that leads nowhere; what the store says.
    pub async fn fresh(&self, slug: &str) -> Result<Arc<Rendition>> {
        let held = self.hold(slug).await?;
        self.rendition(&held).await
    }

    /// Keeps a renderer busy until the shutdown: pages are rendered anew when they have changed, and when another day begins.
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
                _ = look.tick() => self.enqueue(self.0.shelf.overdue(self.0.app.clock().now())),
                Some(_) = renewals.join_next() => {}
            }
        }
        renewals.shutdown().await;
    }

    /// Takes hold of a page, looking its slug up if it is not in memory.
    pub(super) async fn hold(&self, slug: &str) -> Result<Held> {
        if let Some(held) = self.0.shelf.hold(slug) {
            return Ok(held);
        }
        if slug.is_empty()
            || slug.len() > SLUG_MAX
            || !slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            return Err(Error::NotFound);
        }
        let wanted = slug.to_owned();
        let found = self.0.app.system_read(move |view| slugs::find(view, &wanted)).await?.ok_or(Error::NotFound)?;
        Ok(self.0.shelf.admit(&found.slug, found.page_id, found.org_id))
    }

    /// A true rendition of a page: the one that is here, or a new one.
    pub(super) async fn rendition(&self, held: &Held) -> Result<Arc<Rendition>> {
        if let Some(rendition) = held.fresh() {
            return Ok(rendition);
        }
        let alone = held.making.lock().await;
        self.make(held, &alone).await
    }

    async fn renew(self, held: Held) {
        let alone = held.making.lock().await;
        // Changes that were heard of until now are in the snapshot of the rendering that begins; later ones need another.
        held.begun();
        match self.make(&held, &alone).await {
            Ok(_) | Err(Error::NotFound) => {}
            Err(error) => tracing::warn!(page = %held.page, %error, "a page could not be rendered; it is tried again"),
        }
    }

    async fn make(&self, held: &Held, _alone: &MutexGuard<'_, ()>) -> Result<Arc<Rendition>> {
        // Whoever was here before may have done it.
        if let Some(rendition) = held.fresh() {
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
        let stamp = Stamp { number, good_until: page::good_until(view.made_at), at: view.at };
        let rendition = Rendition::make(rendered, stamp, &self.0.security).map_err(Error::internal)?;
        Ok(Some(Arc::new(rendition)))
    }

    /// Sends those who follow the page what is new to them: one frame, encoded once, and not at all if nobody does.
    fn announce(&self, page: Id<Page>, earlier: Option<&Rendition>, rendition: &Rendition) {
        self.0.hub.publish(Room::Fragments(page), || match earlier {
            Some(earlier) => live::frame(page, &rendition.stamp, rendition.changed_since(earlier)),
            None => live::frame(page, &rendition.stamp, &rendition.fragments),
        });
    }
}

/// Where the page's stream stands with a view: the position in the page's log and, since a page changes with the date as well, the day.
fn position(view: &PageView) -> String {
    format!("{}.{}", view.at, view.made_at.millis().div_euclid(86_400_000))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::future::join_all;
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::access::Actor;
    use crate::app::{App, Settings, SignUpInput};
    use crate::clock::{Clock, Timestamp};
    use crate::config::Registration;
    use crate::domain::organization::{self, OrgId};
    use crate::domain::session::Origin;
    use crate::http::SecurityHeaders;
    use crate::id::IdSource;
    use crate::live::{Hub, Receiver};
    use crate::store::{Committed, LogEntry};

    /// An organization, its page at `/p/acme`, and the news that a follower would hear.
    struct Acme {
        app: App,
        hub: Hub,
        pages: Pages,
        org: OrgId,
        news: UnboundedReceiver<Committed>,
    }

    impl Acme {
        async fn found() -> Self {
            let settings = Settings { registration: Registration::Open, ..Settings::default() };
            let clock = Clock::manual(Timestamp::from_millis(1_772_366_400_000));
            let (app, news) = App::in_memory(clock, IdSource::seeded(1), settings).unwrap();
            let input = SignUpInput {
                email: "ada@example.com".into(),
                password: "tangerine-otter-plinth".into(),
                full_name: "Ada".into(),
                organization_name: "Acme".into(),
                setup_token: None,
            };
            let signed_in = app.sign_up(input, IpAddr::V4(Ipv4Addr::LOCALHOST), Origin::default()).await.unwrap();
            let org = signed_in.profile.organizations[0].organization.id;
            let hub = Hub::new();
            let pages = Pages::new(&app, &hub, &"https://example.org".parse().unwrap(), SecurityHeaders::new(true));
            let mut acme = Self { app, hub, pages, org, news };
            acme.follow();
            acme
        }

        async fn rename(&mut self, name: &str) {
            let name = name.to_owned();
            self.app.change(Actor::System("test"), self.org, move |tx| organization::rename(tx, Some(&name), None)).await.unwrap();
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

        async fn fresh(&self) -> Arc<Rendition> {
            self.pages.fresh("acme").await.unwrap()
        }

        async fn listen(&self) -> (crate::live::Connection, Receiver, Held) {
            let held = self.pages.hold("acme").await.unwrap();
            let (mut connection, receiver) = self.hub.connect(None);
            connection.join(Room::Fragments(held.page));
            (connection, receiver, held)
        }
    }

    fn html(rendition: &Rendition) -> String {
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
    async fn a_slug_that_leads_nowhere_is_not_found() {
        let acme = Acme::found().await;
        for slug in ["nobody", "", "ACME", "acme/", "../acme", "\0", &"a".repeat(1_000)] {
            assert_eq!(acme.pages.fresh(slug).await.err(), Some(Error::NotFound), "{slug:?}");
        }
    }
}
