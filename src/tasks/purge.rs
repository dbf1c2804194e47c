//! Erases what deleted organizations left: at the start what an earlier run did not come to, and then whenever one is deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::{App, Erased};
use crate::clock::monotonic;
use crate::http::Shutdown;
use crate::store::{Committed, Signal};

/// For how long it waits before it tries again what the store refused.
const RETRY: Duration = Duration::from_secs(10);

/// The task.
pub struct Purger {
    app: App,
    /// Woken by the store when an organization is deleted. A permit is kept, so that nothing is missed between looking and waiting.
    wake: Arc<Notify>,
}

impl Purger {
    /// The task for this application; [`waker`](Self::waker) and [`run`](Self::run) belong together.
    pub fn new(app: App) -> Self {
        Self { app, wake: Arc::default() }
    }

    /// What the store calls for each commit.
    pub fn waker(&self) -> impl Fn(&Committed) + Send + Sync + 'static + use<> {
        let wake = self.wake.clone();
        move |committed| {
            // Also when one is only suspended: a look for nothing costs less than another signal.
            if committed.signals.iter().any(|signal| matches!(signal, Signal::OrganizationShut(..))) {
                wake.notify_one();
            }
        }
    }

    /// Works until the server stops. What is under way then is finished by the store, and what remains by the next run.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.stopping() => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        loop {
            let began = monotonic();
            match self.app.erase_some().await {
                Ok(Erased::Nothing) => self.wake.notified().await,
                // As long again as it took: others have the writer for at least half of the time.
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
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::access::{Actor, Administer, Edit, Read};
    use crate::app::Settings;
    use crate::clock::{Clock, Timestamp};
    use crate::domain::account::{self, Door, SignUp};
    use crate::domain::organization::{self, OrgId};
    use crate::domain::page::Page;
    use crate::domain::purge;
    use crate::domain::service::{self, NewService, Service, Visibility};
    use crate::domain::status::ServiceStatus;
    use crate::domain::text::Email;
    use crate::id::{Id, IdSource};
    use crate::store::{LogKind, OrgTx, Reads, Scan, WideTx};

    const SERVICES: u32 = 20;
    const PATIENCE: Duration = Duration::from_secs(30);

    fn app() -> (App, UnboundedReceiver<Committed>) {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        App::in_memory(clock, IdSource::seeded(1), Settings::default()).unwrap()
    }

    /// An organization with services, and so with rows, index entries, events and a public log; and the id of its page.
    async fn found(app: &App, number: u128, name: &str) -> (OrgId, Id<Page>) {
        let org = Id::from_u128(number);
        let email = Email::parse("email", &format!("ada{number}@example.com")).unwrap();
        let input = SignUp { email, full_name: "Ada".into(), organization_name: name.into() };
        app.system_change(Actor::System("test"), move |tx| account::sign_up(tx, org, input, "-".into(), &Door::Open).map(|_| ()))
            .await
            .unwrap();
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

    async fn delete(app: &App, org: OrgId, name: &'static str) {
        app.change_wide(Actor::System("test"), org, move |tx: &mut WideTx<'_, Administer>| organization::delete(tx, name)).await.unwrap();
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

    async fn is_due(app: &App) -> bool {
        app.system_read(purge::next).await.unwrap().is_some()
    }

    async fn until_nothing_is_due(app: &App) {
        let waiting = async {
            while is_due(app).await {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it was not erased");
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_deleted_organization_and_all_of_the_others() {
        let (app, _news) = app();
        let ((mill, mill_page), (zoo, zoo_page)) = (found(&app, 1, "Mill").await, found(&app, 2, "Zoo").await);
        let before = stored(&app, zoo, zoo_page).await;
        assert_eq!(before.0, 20);
        assert_eq!(app.erase_some().await.unwrap(), Erased::Nothing);

        delete(&app, mill, "Mill").await;
        assert!(stored(&app, mill, mill_page).await.0 > 0, "the deletion itself is quick");
        let mut steps = Vec::new();
        while steps.last() != Some(&Erased::Nothing) {
            steps.push(app.erase_some().await.unwrap());
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
        let (purger, shutdown) = (Purger::new(app.clone()), Shutdown::new());
        app.on_commit(purger.waker());
        let task = tokio::spawn(purger.run(shutdown.clone()));
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
        let (purger, shutdown) = (Purger::new(app.clone()), Shutdown::new());
        let task = tokio::spawn(purger.run(shutdown.clone()));
        shutdown.begin();
        assert!(tokio::time::timeout(PATIENCE, task).await.is_ok_and(|ended| ended.is_ok()));
    }
}
