//! Organizations for tests of what happens by the clock.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::access::{Actor, Administer};
use crate::app::{App, Settings};
use crate::clock::{Clock, Timestamp};
use crate::domain::account::{self, Door, SignUp};
use crate::domain::organization::{self, OrgId};
use crate::domain::purge;
use crate::domain::text::Email;
use crate::id::{Id, IdSource};
use crate::store::{Committed, WideTx};

/// How long anything may take before a test gives up on it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// An application in memory, with a clock that stands until it is moved.
pub(super) fn app() -> (App, UnboundedReceiver<Committed>) {
    let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
    App::in_memory(clock, IdSource::seeded(1), Settings::default()).unwrap()
}

/// An organization of its own founder.
pub(super) async fn found(app: &App, number: u128, name: &str) -> OrgId {
    let org = Id::from_u128(number);
    let email = Email::parse("email", &format!("ada{number}@example.com")).unwrap();
    let input = SignUp { email, full_name: "Ada".into(), organization_name: name.into() };
    let founded = app.system_change(Actor::System("test"), move |tx| account::sign_up(tx, org, input, "-".into(), &Door::Open).map(|_| ()));
    founded.await.unwrap();
    org
}

pub(super) async fn delete(app: &App, org: OrgId, name: &'static str) {
    app.change_wide(Actor::System("test"), org, move |tx: &mut WideTx<'_, Administer>| organization::delete(tx, name)).await.unwrap();
}

/// Whether something of a deleted organization may be left.
pub(super) async fn is_due(app: &App) -> bool {
    app.system_read(purge::next).await.unwrap().is_some()
}

pub(super) async fn until_nothing_is_due(app: &App) {
    let waiting = async {
        while is_due(app).await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it was not erased");
}
