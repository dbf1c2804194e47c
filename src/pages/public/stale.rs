//! What becomes of pages while the store can't be reached.
//!
//! Those in memory go on being served: nothing is known to have changed. But nobody would hear if it had, and so after a minute each says
//! that it can't be updated, and since when; who has it open is told. Once the store is back, each is made anew, and says so no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::cache::Pages;
use super::render;
use super::rendition::Rendition;
use super::shelf::Held;
use crate::clock::Timestamp;
use crate::domain::page::Page;
use crate::error::{Error, Result};
use crate::id::Id;

/// How long the store may be away before pages say so: a database that is restarted is nobody's business.
const UNSAID: Duration = Duration::from_secs(60);

impl Pages {
    /// Whether the store can't be reached.
    pub(super) fn is_away(&self) -> bool {
        self.0.app.away_since().is_some()
    }

    /// Since when the store can't be reached, if that is too long ago to go unsaid.
    pub(super) fn stale_since(&self) -> Option<Timestamp> {
        self.0.app.away_since().filter(|since| since.plus(UNSAID) <= self.0.app.clock().now())
    }

    /// The pages that the renderer has to see to now.
    pub(super) fn look(&self) -> Vec<Id<Page>> {
        if self.stale_since().is_some() {
            self.0.shelf.unaware()
        } else if self.is_away() {
            // Nothing can be made, whatever is due; and the last day's page is better than none.
            Vec::new()
        } else {
            self.0.shelf.overdue(self.0.app.clock().now())
        }
    }

    /// Puts a copy of the page there that says since when it can't be updated, and tells those who stay. It is the last rendition that was
    /// made, also where a commit is known that it lacks: then it is still served to nobody, but those who have it open are told as well.
    pub(super) async fn give_notice(&self, held: &Held, since: Timestamp, _alone: &MutexGuard<'_, ()>) -> Result<()> {
        let Some(original) = held.shown().filter(|shown| !shown.stamp.is_stale) else { return Ok(()) };
        let _core = self.0.cores.acquire().await.map_err(Error::internal)?;
        let (pages, copied) = (self.clone(), original.clone());
        let copy = tokio::task::spawn_blocking(move || pages.copy(&copied, since)).await.map_err(Error::internal)??;
        // No waiting from here on, as with a rendering.
        if self.0.shelf.replace(held.entry(), &original, copy.clone()) {
            self.announce(held.page, Some(&original), &copy);
        }
        Ok(())
    }

    fn copy(&self, original: &Rendition, since: Timestamp) -> Result<Arc<Rendition>> {
        let notice = render::stale(since, &original.stamp.zone).map_err(Error::internal)?;
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        original.stale(notice, number, &self.0.security).map(Arc::new).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::super::renderer::tests::{Acme, html};
    use super::*;
    use crate::http::FastPath;

    const HOUR: Duration = Duration::from_secs(3_600);

    impl Acme {
        /// The store is away from now on, as far as anyone is told; it can be read all the same.
        fn leave(&self) {
            self.app.pretend_away(Some(self.app.clock().now()));
        }

        /// The store is away from now on, and can't be read.
        fn lose(&self) {
            self.leave();
            self.app.close();
        }

        /// What the renderer does each second, so much later.
        async fn look_after(&self, time: Duration) {
            self.app.clock().advance(time);
            self.pages.enqueue(self.pages.look());
            while let Some(page) = self.pages.next_due() {
                if let Some(held) = self.pages.0.shelf.hold_page(page) {
                    self.pages.clone().renew(held).await;
                }
            }
        }

        /// What is answered before the router.
        fn remembered(&self) -> Option<String> {
            let (head, ()) = http::Request::builder().uri("/p/acme").body(()).unwrap().into_parts();
            let answer = self.pages.answer(&head)?;
            Some(String::from_utf8(answer.into_body().to_vec()).unwrap())
        }

        /// What a stream opens with.
        async fn opened(&self, position: &str) -> Result<Arc<Rendition>> {
            let held = self.pages.hold("acme").await?;
            self.pages.rendition_for(&held, position).await
        }
    }

    fn says_so(page: &str) -> bool {
        page.contains("This page can't be updated at the moment.")
    }

    #[tokio::test]
    async fn after_a_minute_a_page_says_that_it_can_not_be_updated_and_not_before() {
        let acme = Acme::found().await;
        let before = acme.fresh().await;
        let (_connection, heard, _held) = acme.listen().await;
        acme.lose();
        acme.look_after(UNSAID - Duration::from_secs(1)).await;
        assert!(Arc::ptr_eq(&acme.fresh().await, &before) && heard.try_recv().is_none());
        assert_eq!(acme.remembered().unwrap(), html(&before));

        acme.look_after(Duration::from_secs(1)).await;
        let stale = acme.fresh().await;
        let notice = "What it shows was true on <time datetime=\"2026-03-01T12:00:00.000Z\">1 Mar 2026, 12:00 UTC</time>.";
        assert!(says_so(&html(&stale)) && html(&stale).contains(notice), "{}", html(&stale));
        assert!(html(&stale).contains(&format!("/p/acme/live?after={}\"", stale.stamp.at)));
        assert_eq!(acme.remembered().unwrap(), html(&stale));
        assert_eq!(stale.stamp.number, before.stamp.number + 1);
        let frame = heard.try_recv().unwrap();
        let told = String::from_utf8(frame.sse().to_vec()).unwrap();
        assert_eq!((frame.seq(), told.matches("<hx-partial").count()), (stale.stamp.number, 1));
        assert!(told.contains("hx-target=\"#stale\"") && says_so(&told), "{told}");

        acme.look_after(HOUR).await;
        assert!(Arc::ptr_eq(&acme.fresh().await, &stale) && heard.try_recv().is_none(), "it is said once");
        assert!(Arc::ptr_eq(&acme.opened(&stale.stamp.at).await.unwrap(), &stale), "streams open");
    }

    #[tokio::test]
    async fn once_the_store_is_back_pages_are_as_they_were() {
        let acme = Acme::found().await;
        let before = acme.fresh().await;
        let (_connection, heard, _held) = acme.listen().await;
        acme.leave();
        acme.look_after(UNSAID).await;
        let stale = acme.fresh().await;
        assert!(says_so(&html(&stale)) && heard.try_recv().is_some());

        acme.app.pretend_away(None);
        acme.look_after(Duration::from_secs(1)).await;
        let after = acme.fresh().await;
        assert_eq!(html(&after), html(&before));
        assert_eq!(acme.remembered().unwrap(), html(&before));
        assert_eq!((after.stamp.number, after.stamp.at.as_str()), (stale.stamp.number + 1, before.stamp.at.as_str()));
        let told = String::from_utf8(heard.try_recv().unwrap().sse().to_vec()).unwrap();
        assert_eq!(told.matches("<hx-partial").count(), 1);
        assert!(told.contains("hx-target=\"#stale\"") && told.contains("<div id=\"stale\" aria-live=\"polite\"></div>"), "{told}");
        assert!(heard.try_recv().is_none());
        assert!(!after.is_seen_at(&stale.stamp.at), "who sees the notice and missed that is behind");
    }

    #[tokio::test]
    async fn a_page_that_a_commit_has_changed_is_not_served_as_it_was() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        let (_connection, heard, _held) = acme.listen().await;
        acme.rename("Zenith").await;
        acme.lose();
        for time in [Duration::ZERO, UNSAID] {
            acme.look_after(time).await;
            assert_eq!(acme.remembered(), None);
            assert!(matches!(acme.pages.fresh("acme").await, Err(Error::Unavailable(_))));
            assert!(matches!(acme.opened("").await, Err(Error::Unavailable(_))));
        }
        let told = String::from_utf8(heard.try_recv().unwrap().sse().to_vec()).unwrap();
        assert!(says_so(&told) && heard.try_recv().is_none(), "those who have it open are told: {told}");
    }

    #[tokio::test]
    async fn at_midnight_yesterdays_page_is_better_than_none() {
        let acme = Acme::found().await;
        let before = acme.fresh().await;
        acme.lose();
        acme.look_after(UNSAID).await;
        let stale = acme.remembered().unwrap();
        acme.look_after(12 * HOUR).await;
        assert_eq!(acme.remembered().unwrap(), stale);
        assert!(says_so(&stale) && acme.opened(&before.stamp.at).await.is_ok());
    }

    #[tokio::test]
    async fn a_page_that_was_due_for_the_new_day_when_the_store_went_is_served_too() {
        let acme = Acme::found().await;
        let before = acme.fresh().await;
        acme.app.clock().advance(12 * HOUR);
        acme.pages.enqueue(acme.pages.look());
        assert_eq!(acme.remembered(), None, "today is another day");

        acme.lose();
        assert_eq!(acme.remembered().unwrap(), html(&before));
        assert!(Arc::ptr_eq(&acme.fresh().await, &before));
        assert!(Arc::ptr_eq(&acme.opened(&before.stamp.at).await.unwrap(), &before));
        acme.look_after(UNSAID).await;
        assert!(says_so(&acme.remembered().unwrap()));
    }

    #[tokio::test]
    async fn what_happened_while_the_store_was_away_is_shown_when_it_is_back() {
        let mut acme = Acme::found().await;
        acme.fresh().await;
        acme.leave();
        acme.look_after(12 * HOUR).await;
        assert!(says_so(&acme.remembered().unwrap()));

        acme.rename("Zenith").await;
        acme.app.pretend_away(None);
        acme.look_after(Duration::from_secs(1)).await;
        let shown = acme.remembered().unwrap();
        assert!(shown.contains("Zenith") && shown.contains("2 March 2026") && !says_so(&shown), "{shown}");
    }
}
