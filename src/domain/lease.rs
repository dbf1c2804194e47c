//! Leases: which of several equal nodes does what is to happen once.
//!
//! Nodes share nothing but the store. One of them takes a lease there and renews it while it lives; after its death the lease ends, and
//! another takes it. A node may be suspended and wake up long after its lease has ended, and nodes' clocks may differ a little, so that one
//! is taken early: then two believe that it is theirs. That is harmless. What a node believes counts for nothing where something is
//! written: each transaction of such work looks first whether the lease is its own ([`held`]), and the store knows of one holder at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{Document, SystemDocument, SystemTx, SystemView};

/// One life of one process. Started again it is another node: what it held before is not its own.
#[derive(Debug, Clone, Copy)]
pub enum Node {}

impl Kind for Node {
    const PREFIX: &'static str = "nod";
}

/// That something is one node's to do, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Made of the name: there is one of each.
    pub id: Id<Lease>,
    /// Of what it is about.
    pub name: String,
    /// Whose it is.
    pub holder: Id<Node>,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

impl Kind for Lease {
    const PREFIX: &'static str = "lea";
}
impl Document for Lease {
    const NAME: &'static str = "leases";
    const NUMBER: u16 = 6;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Lease {}

fn id_of(name: &str) -> Id<Lease> {
    Id::of_digest(Sha256::digest(name))
}

/// Whether a node may take the lease: nobody has it, it has ended, or it is the node's own. For a look before anything is written.
///
/// # Errors
/// What the store says.
pub fn is_free(view: &SystemView<'_>, name: &str, holder: Id<Node>) -> Result<bool> {
    let now = view.now();
    Ok(view.find(id_of(name))?.is_none_or(|lease| lease.holder == holder || lease.until <= now))
}

/// Takes the lease from now on for so long, or renews it. Answers whether it is the node's.
///
/// # Errors
/// What the store says.
pub fn take(tx: &mut SystemTx<'_>, name: &str, holder: Id<Node>, length: Duration) -> Result<bool> {
    if !is_free(&tx.view(), name, holder)? {
        return Ok(false);
    }
    let until = tx.now().plus(length);
    tx.put(&Lease { id: id_of(name), name: name.to_owned(), holder, until })?;
    Ok(true)
}

/// That the lease is the node's still. Belongs into every transaction that is made under it, before all else; what belongs to no
/// organization is locked in a [`SystemTx`], so that the lease changes hands either before the look or after the commit.
///
/// # Errors
/// `Conflict` when it has ended, or is another's. Nothing of the transaction is written then.
pub fn held(tx: &SystemTx<'_>, name: &str, holder: Id<Node>) -> Result<()> {
    let is_held = tx.find(id_of(name))?.is_some_and(|lease| lease.holder == holder && tx.now() < lease.until);
    if is_held { Ok(()) } else { Err(Error::Conflict("this is another node's to do by now".into())) }
}

/// Gives the lease back, if it is the node's: another need not wait for its end.
///
/// # Errors
/// What the store says.
pub fn release(tx: &mut SystemTx<'_>, name: &str, holder: Id<Node>) -> Result<()> {
    if tx.find(id_of(name))?.is_some_and(|lease| lease.holder == holder) {
        tx.delete(id_of(name));
    }
    Ok(())
}

/// By what right something that is to happen once happens here.
#[derive(Debug, Clone, Copy)]
pub enum Tenure {
    /// No other process writes to this store. There is no lease, then: an idle instance leaves its disk alone.
    Alone,
    /// By the lease of this name, in the name of this node.
    Leased(&'static str, Id<Node>),
}

impl Tenure {
    /// That it holds still, as [`held`] says.
    ///
    /// # Errors
    /// As `held`.
    pub fn check(self, tx: &SystemTx<'_>) -> Result<()> {
        match self {
            Tenure::Alone => Ok(()),
            Tenure::Leased(name, holder) => held(tx, name, holder),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::access::Actor;
    use crate::app::{App, Settings};
    use crate::clock::Clock;
    use crate::id::IdSource;
    use crate::store::Scan;

    const NAME: &str = "bells";
    const LENGTH: Duration = Duration::from_secs(30);
    const MOMENT: Duration = Duration::from_millis(1);
    const ONE: Id<Node> = Id::from_u128(1);
    const TWO: Id<Node> = Id::from_u128(2);

    fn app() -> App {
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        App::in_memory(clock, IdSource::seeded(5), Settings::default()).unwrap().0
    }

    async fn takes(app: &App, node: Id<Node>) -> bool {
        let seen = app.system_read(move |view| is_free(view, NAME, node)).await.unwrap();
        let taken = app.system_change(Actor::System("test"), move |tx| take(tx, NAME, node, LENGTH)).await.unwrap();
        assert_eq!(seen, taken, "a look says what the taking comes to");
        taken
    }

    async fn releases(app: &App, node: Id<Node>) {
        app.system_change(Actor::System("test"), move |tx| release(tx, NAME, node)).await.unwrap();
    }

    /// Does something under the lease, and leaves a lease of this name behind.
    async fn works(app: &App, node: Id<Node>, what: &'static str) -> Result<()> {
        let tenure = Tenure::Leased(NAME, node);
        let work = app.system_change(Actor::System("test"), move |tx| {
            take(tx, what, node, LENGTH)?;
            tenure.check(tx)
        });
        work.await
    }

    /// The names that there are leases of, and who has them.
    async fn all(app: &App) -> BTreeMap<String, Id<Node>> {
        let all = app.system_read(|view| Ok(view.scan(Scan::<Lease>::all())?.items)).await.unwrap();
        all.into_iter().map(|lease| (lease.name, lease.holder)).collect()
    }

    #[tokio::test]
    async fn a_lease_has_one_holder_until_it_ends() {
        let app = app();
        assert!(takes(&app, ONE).await && !takes(&app, TWO).await);
        for _ in 0..3 {
            app.clock().advance(LENGTH - MOMENT);
            assert!(takes(&app, ONE).await && !takes(&app, TWO).await, "it is renewed in time");
        }
        app.clock().advance(LENGTH - MOMENT);
        assert!(!takes(&app, TWO).await);
        app.clock().advance(MOMENT);
        assert!(takes(&app, TWO).await && !takes(&app, ONE).await);
        assert_eq!(all(&app).await, BTreeMap::from([(NAME.to_owned(), TWO)]));
    }

    #[tokio::test]
    async fn one_that_is_given_back_is_free_at_once_and_nobody_gives_back_anothers() {
        let app = app();
        assert!(takes(&app, ONE).await);
        releases(&app, TWO).await;
        assert!(!takes(&app, TWO).await);
        releases(&app, ONE).await;
        assert!(all(&app).await.is_empty());
        assert!(takes(&app, TWO).await);
    }

    #[tokio::test]
    async fn whoever_slept_past_the_end_writes_nothing() {
        let app = app();
        let is_refused = async |node, what| matches!(works(&app, node, what).await, Err(Error::Conflict(_)));
        assert!(is_refused(ONE, "before anybody had it").await);
        assert!(takes(&app, ONE).await);
        works(&app, ONE, "in time").await.unwrap();
        app.clock().advance(LENGTH);
        assert!(is_refused(ONE, "though nobody else has taken it").await);
        assert!(takes(&app, TWO).await);
        assert!(is_refused(ONE, "though it once had it").await);
        works(&app, TWO, "by the next").await.unwrap();

        let left = all(&app).await;
        assert_eq!(left.keys().map(String::as_str).collect::<Vec<_>>(), [NAME, "by the next", "in time"]);
    }
}
