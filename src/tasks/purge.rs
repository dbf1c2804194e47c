//! Erases what deleted organizations left: when its turn comes what an earlier run or another node did not come to, and then whenever one
//! is deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::clockwork::Turn;
use crate::app::{App, Erased};
use crate::clock::monotonic;
use crate::store::{Committed, Signal};

/// For how long it waits before it tries again what the store refused.
const RETRY: Duration = Duration::from_secs(10);

/// The task.
pub(super) struct Purger {
    app: App,
    /// Woken by the store when an organization is deleted, on whatever node. A permit is kept, so that nothing is missed between looking
    /// and waiting.
    wake: Arc<Notify>,
}

impl Purger {
    /// The task for this application; [`waker`](Self::waker) and [`work`](Self::work) belong together.
    pub(super) fn new(app: App) -> Self {
        Self { app, wake: Arc::default() }
    }

    /// What the store calls for each commit.
    pub(super) fn waker(&self) -> impl Fn(&Committed) + Send + Sync + 'static + use<> {
        let wake = self.wake.clone();
        move |committed| {
            // Also when one is only suspended: a look for nothing costs less than another signal.
            if committed.signals.iter().any(|signal| matches!(signal, Signal::OrganizationShut(..))) {
                wake.notify_one();
            }
        }
    }

    /// Looks again, though nobody has heard of a deletion.
    pub(super) fn look(&self) {
        self.wake.notify_one();
    }

    /// Works for ever, whenever it is this node's turn.
    pub(super) async fn work(&self, turn: &Turn) {
        loop {
            turn.comes().await;
            let began = monotonic();
            match self.app.erase_some(turn.tenure()).await {
                Ok(Erased::Nothing) => self.wake.notified().await,
                // As long again as it took: others have the store to themselves for at least half of the time.
                Ok(Erased::Part) => tokio::time::sleep(began.elapsed()).await,
                Ok(Erased::All(organization)) => tracing::info!(%organization, "everything of a deleted organization is erased"),
                Err(error) => {
                    tracing::warn!(%error, "a deleted organization can't be erased now; it is tried again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Actor, Edit, Read};
    use crate::domain::lease::Tenure;
    use crate::domain::organization::OrgId;
    use crate::domain::page::Page;
    use crate::domain::service::{self, NewService, Service, Visibility};
    use crate::domain::status::ServiceStatus;
    use crate::http::Shutdown;
    use crate::id::Id;
    use crate::store::{LogKind, OrgTx, Reads, Scan};
    use crate::tasks::clockwork::Clockwork;
    use crate::tasks::testing::{self, PATIENCE, app, delete, is_due, until_nothing_is_due};

    const SERVICES: u32 = 20;

    /// An organization with services, and so with rows, index entries, events and a public log; and the id of its page.
    async fn found(app: &App, number: u128, name: &str) -> (OrgId, Id<Page>) {
        let org = testing::found(app, number, name).await;
        for number in 0..SERVICES {
            let input = NewService {
                name: format!("Service {number}"),
                description: String::new(),
                visibility: Visibility::Public,
                own_status: ServiceStatus::Operational,
                group_id: None,
            };
            app.change(Actor::System("test"), org, move |tx: &mut OrgTx<'_, Edit>| service::create(tx, input)).await.unwrap();
        }
        let page = app.system_read(move |view| Ok(view.enter::<Read>(org).scan(Scan::<Page>::all())?.items[0].id)).await.unwrap();
        (org, page)
    }

    /// How many services, events and public events of it are stored.
    async fn stored(app: &App, org: OrgId, page: Id<Page>) -> (usize, u64, u64) {
        app.system_read(move |view| {
            let inside = view.enter::<Read>(org);
            let services = inside.scan(Scan::<Service>::all())?.items.len();
            Ok((services, inside.head(LogKind::Org(org.uuid()))?, inside.head(LogKind::Page(page.uuid()))?))
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_deleted_organization_and_all_of_the_others() {
        let (app, _news) = app();
        let ((mill, mill_page), (zoo, zoo_page)) = (found(&app, 1, "Mill").await, found(&app, 2, "Zoo").await);
        let before = stored(&app, zoo, zoo_page).await;
        assert_eq!(before.0, 20);
        assert_eq!(app.erase_some(Tenure::Alone).await.unwrap(), Erased::Nothing);

        delete(&app, mill, "Mill").await;
        assert!(stored(&app, mill, mill_page).await.0 > 0, "the deletion itself is quick");
        let mut steps = Vec::new();
        while steps.last() != Some(&Erased::Nothing) {
            steps.push(app.erase_some(Tenure::Alone).await.unwrap());
        }

        assert_eq!(steps[steps.len() - 2..], [Erased::All(mill), Erased::Nothing]);
        assert_eq!(stored(&app, mill, mill_page).await, (0, 0, 0));
        assert_eq!(app.system_read(move |view| view.enter::<Read>(mill).find(mill)).await.unwrap(), None);
        assert_eq!(stored(&app, zoo, zoo_page).await, before);
        assert!(!is_due(&app).await);
    }

    #[tokio::test]
    async fn it_begins_with_what_an_earlier_run_left_and_wakes_for_the_next() {
        let (app, _news) = app();
        let ((mill, mill_page), (zoo, zoo_page)) = (found(&app, 1, "Mill").await, found(&app, 2, "Zoo").await);
        delete(&app, mill, "Mill").await;
        let (clockwork, shutdown) = (Clockwork::new(app.clone(), false), Shutdown::new());
        app.on_commit(clockwork.waker());
        let task = tokio::spawn(clockwork.run(shutdown.clone()));
        until_nothing_is_due(&app).await;
        assert_eq!(stored(&app, mill, mill_page).await, (0, 0, 0));

        delete(&app, zoo, "Zoo").await;
        until_nothing_is_due(&app).await;
        assert_eq!(stored(&app, zoo, zoo_page).await, (0, 0, 0));

        shutdown.begin();
        assert!(tokio::time::timeout(PATIENCE, task).await.is_ok_and(|ended| ended.is_ok()), "it goes on after the stop");
    }

    #[tokio::test]
    async fn a_stop_ends_it_while_the_store_is_away() {
        let (app, _news) = app();
        app.close();
        let (clockwork, shutdown) = (Clockwork::new(app.clone(), false), Shutdown::new());
        let task = tokio::spawn(clockwork.run(shutdown.clone()));
        shutdown.begin();
        assert!(tokio::time::timeout(PATIENCE, task).await.is_ok_and(|ended| ended.is_ok()));
    }
}
