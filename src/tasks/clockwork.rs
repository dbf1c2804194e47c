//! Runs what happens by the clock: here, or where several nodes share a store on one of them.
//!
//! One lease for all of it: it is little work, and one node's log tells of it. Who holds the lease renews it well before its end; the
//! others look now and then, and take it when it is free. What the tasks write is guarded by the lease itself ([`crate::domain::lease`]):
//! what is known here, `Turn`, only keeps those from trying whose turn it is not.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::expiry;
use super::purge::Purger;
use crate::access::Actor;
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::lease::{self, Tenure};
use crate::error::Result;
use crate::http::Shutdown;
use crate::store::Committed;

/// The lease's name.
const LEASE: &str = "clockwork";
/// How long it lasts: so long nothing happens by the clock after a node's death.
const LENGTH: Duration = Duration::from_secs(30);
/// How often its holder renews it, and the others look. Two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(10);
/// How long a stop waits for the lease to be given back. A store that is away does not hold it up; the lease ends by itself, then.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often the clock is looked at. Looking rather than one long sleep: clocks are set, machines are suspended, and tests move time by
/// hand.
const LOOK: Duration = Duration::from_secs(1);

/// The task.
pub struct Clockwork {
    app: App,
    turn: Turn,
    purger: Purger,
}

impl Clockwork {
    /// The task for this application, on a store that other processes write to as well or not. [`waker`](Self::waker) and
    /// [`run`](Self::run) belong together.
    pub fn new(app: App, shared: bool) -> Self {
        let tenure = if shared { Tenure::Leased(LEASE, app.new_id()) } else { Tenure::Alone };
        let turn = Turn { tenure, is_ours: watch::Sender::new(!shared) };
        Self { purger: Purger::new(app.clone()), turn, app }
    }

    /// What the store calls for each commit.
    pub fn waker(&self) -> impl Fn(&Committed) + Send + Sync + 'static + use<> {
        self.purger.waker()
    }

    /// Works until the server stops, and then lets another node go on. What is under way at that moment is finished by the store, and what
    /// remains by whoever is next.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.stopping() => {}
            () = self.work() => {}
        }
        self.release().await;
    }

    async fn work(&self) {
        // Beside each other: a long purge must not keep the lease from being renewed, nor sessions from ending.
        tokio::join!(self.hold(), self.purger.work(&self.turn), expiry::work(&self.app, &self.turn));
    }

    /// Keeps the lease, or waits for it.
    async fn hold(&self) {
        if let Tenure::Alone = self.turn.tenure {
            return;
        }
        let (mut ticks, mut renewal) = (ticks(), Every::new(RENEWAL));
        loop {
            ticks.tick().await;
            if renewal.is_due(self.app.clock().now()) {
                self.look().await;
            }
        }
    }

    /// Takes the lease if it is free or ours.
    async fn look(&self) {
        match self.take().await {
            Ok(is_ours) => {
                let has_changed = self.turn.is_ours.send_replace(is_ours) != is_ours;
                if has_changed && is_ours {
                    tracing::info!("what happens by the clock happens on this node now");
                    // Whoever had it may have left something.
                    self.purger.look();
                } else if has_changed {
                    tracing::warn!("another node has taken over what happens by the clock; this one was away for too long");
                }
            }
            // What is its right to write it hears with each write.
            Err(error) => tracing::warn!(%error, "the lease can't be taken or renewed now; it is tried again"),
        }
    }

    async fn take(&self) -> Result<bool> {
        let Tenure::Leased(name, node) = self.turn.tenure else { return Ok(true) };
        // A look first: those who wait leave the store's writer alone.
        if !self.app.system_read(move |view| lease::is_free(view, name, node)).await? {
            return Ok(false);
        }
        self.app.system_change(Actor::System(LEASE), move |tx| lease::take(tx, name, node, LENGTH)).await
    }

    async fn release(&self) {
        let Tenure::Leased(name, node) = self.turn.tenure else { return };
        let released = self.app.system_change(Actor::System(LEASE), move |tx| lease::release(tx, name, node));
        match timeout(FAREWELL, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be given back; it ends by itself"),
            Err(_) => tracing::warn!("the lease could not be given back in time; it ends by itself"),
        }
    }
}

/// Whether it is this node's turn, as far as it knows.
pub(super) struct Turn {
    tenure: Tenure,
    is_ours: watch::Sender<bool>,
}

impl Turn {
    /// By what right whatever is done is done.
    pub(super) fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Waits until it is, at most for ever.
    pub(super) async fn comes(&self) {
        // The sender is our own, and outlives the waiting.
        let _ = self.is_ours.subscribe().wait_for(|is_ours| *is_ours).await;
    }
}

/// Something that is done once in so long, by a clock that may be set.
pub(super) struct Every {
    period: Duration,
    last: Option<Timestamp>,
}

impl Every {
    /// Due from the first look on.
    pub(super) fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// Whether it is due; asked again it is not, for so long. A clock that was set back must not put it off until it has caught up.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.last.is_none_or(|last| now < last || now >= last.plus(self.period));
        if is_due {
            self.last = Some(now);
        }
        is_due
    }

    /// It came to nothing: it is due at the next look.
    pub(super) fn again(&mut self) {
        self.last = None;
    }
}

/// When the clock is looked at.
pub(super) fn ticks() -> Interval {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch::Receiver;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::domain::lease::Lease;
    use crate::domain::session::{self, Origin};
    use crate::error::Error;
    use crate::id::Id;
    use crate::store::Scan;
    use crate::tasks::testing::{PATIENCE, app, delete, found, is_due, until_nothing_is_due};

    const MOMENT: Duration = Duration::from_millis(1);

    /// One of several nodes, as it would be.
    fn node(app: &App) -> Clockwork {
        Clockwork::new(app.clone(), true)
    }

    fn is_ours(clockwork: &Clockwork) -> bool {
        *clockwork.turn.is_ours.borrow()
    }

    /// A node that runs, and whether its turn has come.
    fn start(app: &App) -> (JoinHandle<()>, Shutdown, Receiver<bool>) {
        let (clockwork, shutdown) = (node(app), Shutdown::new());
        let turn = clockwork.turn.is_ours.subscribe();
        (tokio::spawn(clockwork.run(shutdown.clone())), shutdown, turn)
    }

    async fn comes(turn: &mut Receiver<bool>) {
        let coming = turn.wait_for(|is_ours| *is_ours);
        assert!(tokio::time::timeout(PATIENCE, coming).await.is_ok_and(|came| came.is_ok()), "its turn does not come");
    }

    /// Who has a lease.
    async fn holders(app: &App) -> Vec<Lease> {
        app.system_read(|view| Ok(view.scan(Scan::all())?.items)).await.unwrap()
    }

    /// Signs somebody in, whose session is over when the clock has moved on by its age.
    async fn sign_in(app: &App) {
        let lifetime = app.sessions();
        let begin = app.system_change(Actor::System("test"), move |tx| session::begin(tx, Id::from_u128(1), lifetime, &Origin::default()));
        begin.await.unwrap();
    }

    async fn until_no_session_is_over(app: &App) {
        let waiting = async {
            while !app.system_read(|view| session::over(view, 1)).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it does not end");
    }

    #[test]
    fn what_is_due_once_in_a_while_is_due_when_the_clock_was_set_back_too() {
        let mut every = Every::new(Duration::from_secs(10));
        let mut due = |second: i64| every.is_due(Timestamp::from_millis(second * 1_000));
        assert_eq!([due(100), due(100), due(109), due(110), due(119)], [true, false, false, true, false]);
        assert_eq!([due(50), due(59), due(60)], [true, false, true]);
        every.again();
        assert!(every.is_due(Timestamp::from_millis(61_000)), "it came to nothing");
    }

    #[tokio::test]
    async fn one_node_of_several_has_the_turn_until_it_is_away_for_too_long() {
        let (app, _news) = app();
        let (one, two) = (node(&app), node(&app));
        for _ in 0..5 {
            one.look().await;
            two.look().await;
            assert!(is_ours(&one) && !is_ours(&two));
            app.clock().advance(RENEWAL);
        }
        one.look().await;
        app.clock().advance(LENGTH - MOMENT);
        two.look().await;
        assert!(!is_ours(&two), "it may still come back");
        app.clock().advance(MOMENT);
        two.look().await;
        assert!(is_ours(&two));

        // Back from wherever it was, it believes that nothing has happened, and does no harm.
        sign_in(&app).await;
        app.clock().advance(app.sessions().absolute);
        two.look().await;
        assert!(is_ours(&one));
        assert!(matches!(app.end_over_sessions(one.turn.tenure()).await, Err(Error::Conflict(_))));
        app.end_over_sessions(two.turn.tenure()).await.unwrap();
        one.look().await;
        assert!(!is_ours(&one) && is_ours(&two));
    }

    #[tokio::test]
    async fn another_node_goes_on_when_one_dies_and_does_not_wait_when_one_stops() {
        let (app, _news) = app();
        let mill = found(&app, 1, "Mill").await;
        let (first, _, mut turn) = start(&app);
        comes(&mut turn).await;
        let (second, stop, mut next) = start(&app);
        // Nothing of what the first one does is undone by its death: it just ends.
        first.abort();
        assert!(first.await.is_err_and(|ended| ended.is_cancelled()));
        delete(&app, mill, "Mill").await;
        sign_in(&app).await;
        app.clock().advance(LENGTH - MOMENT);
        assert!(is_due(&app).await && !*next.borrow(), "the lease lasts");

        app.clock().advance(app.sessions().absolute);
        comes(&mut next).await;
        until_nothing_is_due(&app).await;
        until_no_session_is_over(&app).await;

        stop.begin();
        assert!(tokio::time::timeout(PATIENCE, second).await.is_ok_and(|ended| ended.is_ok()), "it goes on after the stop");
        assert!(holders(&app).await.is_empty());
        let (third, stop, mut last) = start(&app);
        comes(&mut last).await;
        stop.begin();
        third.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_in_vain_gives_nothing_back() {
        let (app, _news) = app();
        let one = node(&app);
        one.look().await;
        let before = holders(&app).await;
        let (waiting, stop, turn) = start(&app);
        stop.begin();
        waiting.await.unwrap();
        assert!(!*turn.borrow());
        assert_eq!((before.len(), holders(&app).await), (1, before));
    }

    #[tokio::test]
    async fn alone_one_has_the_turn_at_once_and_writes_no_lease() {
        let (app, _news) = app();
        sign_in(&app).await;
        app.clock().advance(app.sessions().absolute);
        let (clockwork, stop) = (Clockwork::new(app.clone(), false), Shutdown::new());
        assert!(is_ours(&clockwork));
        let task = tokio::spawn(clockwork.run(stop.clone()));
        until_no_session_is_over(&app).await;
        assert!(holders(&app).await.is_empty());
        stop.begin();
        task.await.unwrap();
    }
}
