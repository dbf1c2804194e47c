//! Making renditions: once for everyone who waits, one at a time per page, announced to those who stay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::cache::Pages;
use super::live;
use super::render::{Rendered, render};
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

/// What became of a rendering.
enum Outcome {
    New(Rendition),
    Same,
}

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
        if slug.is_empty() || slug.len() > SLUG_MAX || !slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
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
        let outcome = tokio::task::spawn_blocking(move || pages.compose(view, compared.as_deref())).await.map_err(Error::internal)??;

        // No waiting from here on: what is put there is announced, even if nobody waits for this future any more.
        match (outcome, earlier) {
            (Outcome::Same, Some(earlier)) => {
                held.confirm(up_to);
                Ok(earlier)
            }
            (Outcome::Same, None) => Err(Error::internal("a page without an earlier rendition can't be the same")),
            (Outcome::New(rendition), earlier) => {
                let rendition = Arc::new(rendition);
                if self.0.shelf.put(held.entry(), rendition.clone(), up_to) {
                    self.announce(held.page, earlier.as_deref(), &rendition);
                }
                Ok(rendition)
            }
        }
    }

    /// Renders, unless a visitor would see no difference.
    fn compose(&self, mut view: PageView, earlier: Option<&Rendition>) -> Result<Outcome> {
        view.at = position(&view);
        let rendered: Rendered = render(&view, &self.0.shell).map_err(Error::internal)?;
        if earlier.is_some_and(|earlier| earlier.says_the_same(&rendered)) {
            return Ok(Outcome::Same);
        }
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let stamp = Stamp { number, good_until: page::good_until(view.made_at), at: view.at };
        Rendition::make(rendered, stamp, &self.0.security).map(Outcome::New).map_err(Error::internal)
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
