//! `App`: the only road to the store. Every change, whoever asks, goes through [`App::change`].

mod auth;
mod demo;
mod expiry;
mod operator;
mod people;
mod purge;
mod reset;
#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::access::{Actor, ActorRef, Permission, Read};
use crate::clock::{Clock, Timestamp};
use crate::config::{BaseUrl, Config, Registration};
use crate::domain::answered::Once;
use crate::domain::organization::OrgId;
use crate::domain::public::Public;
use crate::domain::session::Lifetime;
use crate::domain::{keyring, organization, public_event};
use crate::error::{Error, Result};
use crate::event::{Change, Event};
use crate::id::{Id, IdSource};
use crate::mail::Mailer;
use crate::store::{
    Answer, Base, Committed, Context, Locks, LogEntry, LogKind, OrgTx, OrgView, Outcome, Reads, Run, Store, SystemTx, SystemView, WideTx,
    WriteSet, unavailable,
};
use crate::throttle::Throttle;
use crate::token::Keys;
pub use auth::{Caller, SignUpInput, SignedIn};
pub use demo::DemoAdmin;
pub(crate) use demo::unguessable;
pub use people::Invited;
pub use purge::Erased;

/// What the operator decides about the application itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may sign up.
    pub registration: Registration,
    /// How long sessions last.
    pub sessions: Lifetime,
    /// How browsers reach us: the links in invitations and mails are built from it, never from a request.
    pub base_url: BaseUrl,
    /// By which mails go out, if they do.
    pub mail: Mailer,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            registration: Registration::Invite,
            sessions: Lifetime { idle: 14 * day, absolute: 90 * day },
            base_url: Config::default().base_url,
            mail: Mailer::off(),
        }
    }
}

/// The application: the store with the rules on top. A clone is another handle.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    ids: IdSource,
    keys: Keys,
    settings: Settings,
    throttle: Throttle,
    /// One permit a core: argon2 takes 19 MiB and a core for tens of milliseconds, and must not take them all.
    hashing: Semaphore,
    /// Verified against where there is no account, so that an unknown address takes as long as a known one.
    decoy: tokio::sync::OnceCell<String>,
    /// What a test pretends of the store. A std `Mutex`, held for a copy.
    #[cfg(test)]
    pretended: std::sync::Mutex<Option<Timestamp>>,
}

impl App {
    /// An application on this store.
    pub fn new(store: Store, clock: Clock, ids: IdSource, keys: Keys, settings: Settings) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let throttle = Throttle::new(&clock);
        Self(Arc::new(Inner {
            store,
            clock,
            ids,
            keys,
            settings,
            throttle,
            hashing: Semaphore::new(cores),
            decoy: tokio::sync::OnceCell::new(),
            #[cfg(test)]
            pretended: std::sync::Mutex::default(),
        }))
    }

    /// An application in memory, with its news; for tests and the demonstration.
    ///
    /// # Errors
    /// `Internal` if the store can't be made.
    pub fn in_memory(clock: Clock, ids: IdSource, settings: Settings) -> Result<(Self, mpsc::UnboundedReceiver<Committed>)> {
        let (store, news) = Store::memory().map_err(Error::internal)?;
        Ok((Self::new(store, clock, ids, Keys::ephemeral(), settings), news))
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// How long sessions last.
    pub fn sessions(&self) -> Lifetime {
        self.0.settings.sessions
    }

    /// How browsers reach us.
    pub fn base_url(&self) -> &BaseUrl {
        &self.0.settings.base_url
    }

    /// Whether this instance sends mail.
    pub fn sends_mail(&self) -> bool {
        self.0.settings.mail.is_on()
    }

    /// Whether other processes work on the same data.
    pub fn is_shared(&self) -> bool {
        self.0.store.is_shared()
    }

    /// That this process seals with the same keys as all others on the same data. Where there are no others its keys count, whatever they were.
    ///
    /// # Errors
    /// `Conflict`, naming those that differ; what the store says.
    pub async fn agree_on_keys(&self) -> Result<()> {
        let (prints, replace) = (self.0.keys.prints(), !self.is_shared());
        self.system_change(Actor::System("keys"), move |tx| keyring::agree(tx, &prints, replace)).await
    }

    /// Makes this process's keys those of all others, which must be restarted with them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn adopt_keys(&self, actor: Actor) -> Result<()> {
        let prints = self.0.keys.prints();
        self.system_change(actor, move |tx| keyring::agree(tx, &prints, true)).await
    }

    /// The log's epoch, the first half of every event's id.
    pub fn epoch(&self) -> &str {
        self.0.store.epoch()
    }

    /// A new id.
    pub(crate) fn new_id<K>(&self) -> Id<K> {
        self.0.ids.next(self.0.clock.now())
    }

    /// As [`Store::on_commit`].
    pub fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        self.0.store.on_commit(hook);
    }

    /// As [`Store::away_since`].
    pub fn away_since(&self) -> Option<Timestamp> {
        #[cfg(test)]
        let pretended = *self.0.pretended.lock().unwrap();
        #[cfg(not(test))]
        let pretended = None;
        pretended.or_else(|| self.0.store.away_since())
    }

    /// Says that the store is away since then, or is not. It is there all the same: who wants reads to fail closes it.
    #[cfg(test)]
    pub(crate) fn pretend_away(&self, since: Option<Timestamp>) {
        *self.0.pretended.lock().unwrap() = since;
    }

    /// Finishes what is queued and closes the store.
    pub fn close(&self) {
        self.0.store.close();
    }

    /// Changes an organization: opens the transaction, reads the actor's role inside it, and only then runs the operation.
    ///
    /// # Errors
    /// `NotFound` for who is no member, `Forbidden` for a member without the role, else what the operation says.
    pub async fn change<P, T>(
        &self,
        actor: Actor,
        org: OrgId,
        op: impl FnOnce(&mut OrgTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<T>
    where
        P: Permission,
        T: Send + 'static,
    {
        let app = self.clone();
        self.command(Locks::Org(org), move |base, writes| {
            let described = actor.describe();
            let mut tx = app.open(base, writes, &actor, &described, org)?;
            let change = op(&mut tx)?;
            record(&mut tx, &WriteSet::default(), &described, &change.events)?;
            Ok(change.value)
        })
        .await
    }

    /// As [`change`](Self::change), for a request that may be repeated: the second time it is given the first answer. The flag says whether it was.
    ///
    /// # Errors
    /// As `change`; `Invalid` under `Idempotency-Key` when the key was used with another body.
    pub async fn change_once<P, T>(
        &self,
        actor: Actor,
        org: OrgId,
        once: Option<Once>,
        op: impl FnOnce(&mut OrgTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<(T, bool)>
    where
        P: Permission,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let app = self.clone();
        self.command(Locks::Org(org), move |base, writes| {
            let described = actor.describe();
            let mut tx = app.open(base, writes, &actor, &described, org)?;
            if let Some(answer) = once.as_ref().map(|once| once.earlier(&tx)).transpose()?.flatten() {
                return Ok((serde_json::from_str(&answer).map_err(Error::internal)?, true));
            }
            let change = op(&mut tx)?;
            record(&mut tx, &WriteSet::default(), &described, &change.events)?;
            if let Some(once) = once {
                once.keep(&mut tx, serde_json::to_string(&change.value).map_err(Error::internal)?)?;
            }
            Ok((change.value, false))
        })
        .await
    }

    /// As [`change`](Self::change), for what touches things that belong to no organization, too: who belongs where, which addresses lead where.
    ///
    /// # Errors
    /// As `change`.
    pub async fn change_wide<P, T>(
        &self,
        actor: Actor,
        org: OrgId,
        op: impl FnOnce(&mut WideTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<T>
    where
        P: Permission,
        T: Send + 'static,
    {
        let app = self.clone();
        self.command(Locks::Both(org), move |base, writes| {
            let described = actor.describe();
            let mut tx = app.open_wide(base, writes, &actor, &described, org)?;
            let change = op(&mut tx)?;
            record(&mut tx.inside(), &WriteSet::default(), &described, &change.events)?;
            Ok(change.value)
        })
        .await
    }

    /// As [`change_wide`](Self::change_wide), for a request that may be repeated, as [`change_once`](Self::change_once).
    ///
    /// # Errors
    /// As `change_once`.
    pub async fn change_wide_once<P, T>(
        &self,
        actor: Actor,
        org: OrgId,
        once: Option<Once>,
        op: impl FnOnce(&mut WideTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<(T, bool)>
    where
        P: Permission,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let app = self.clone();
        self.command(Locks::Both(org), move |base, writes| {
            let described = actor.describe();
            let mut tx = app.open_wide(base, writes, &actor, &described, org)?;
            if let Some(answer) = once.as_ref().map(|once| once.earlier(&tx.inside())).transpose()?.flatten() {
                return Ok((serde_json::from_str(&answer).map_err(Error::internal)?, true));
            }
            let change = op(&mut tx)?;
            record(&mut tx.inside(), &WriteSet::default(), &described, &change.events)?;
            if let Some(once) = once {
                once.keep(&mut tx.inside(), serde_json::to_string(&change.value).map_err(Error::internal)?)?;
            }
            Ok((change.value, false))
        })
        .await
    }

    /// Changes what belongs to no organization.
    ///
    /// # Errors
    /// What the operation says.
    pub async fn system_change<T: Send + 'static>(
        &self,
        actor: Actor,
        op: impl FnOnce(&mut SystemTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.system_change_locking(Locks::System, actor, op).await
    }

    /// As [`system_change`](Self::system_change), with one organization beside: everything in it is as it was found until the change is durable.
    ///
    /// # Errors
    /// What the operation says.
    async fn system_change_with<T: Send + 'static>(
        &self,
        actor: Actor,
        org: OrgId,
        op: impl FnOnce(&mut SystemTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.system_change_locking(Locks::Both(org), actor, op).await
    }

    async fn system_change_locking<T: Send + 'static>(
        &self,
        locks: Locks,
        actor: Actor,
        op: impl FnOnce(&mut SystemTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.clone();
        self.command(locks, move |base, writes| {
            let described = actor.describe();
            let context = Context { now: app.0.clock.now(), actor: &described, ids: &app.0.ids };
            op(&mut SystemTx::new(base, writes, context))
        })
        .await
    }

    /// Reads an organization as it stands, for a member who may see what `P` says.
    ///
    /// # Errors
    /// `NotFound` for who is no member, `Forbidden` for a member without the role, else what the query says.
    pub async fn read<P, T>(&self, actor: Actor, org: OrgId, query: impl FnOnce(&OrgView<'_, P>) -> Result<T> + Send + 'static) -> Result<T>
    where
        P: Permission,
        T: Send + 'static,
    {
        let now = self.0.clock.now();
        self.snapshot(move |base| {
            let writes = WriteSet::default();
            allow::<P>(&OrgView::new(base, &writes, org, now), &actor)?;
            query(&OrgView::new(base, &writes, org, now))
        })
        .await
    }

    /// Reads of an organization what visitors may see.
    ///
    /// # Errors
    /// What the query says.
    pub async fn read_public<T: Send + 'static>(
        &self,
        org: OrgId,
        query: impl FnOnce(&OrgView<'_, Public>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let now = self.0.clock.now();
        self.snapshot(move |base| query(&OrgView::new(base, &WriteSet::default(), org, now))).await
    }

    /// Reads what belongs to no organization.
    ///
    /// # Errors
    /// What the query says.
    pub async fn system_read<T: Send + 'static>(&self, query: impl FnOnce(&SystemView<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        let now = self.0.clock.now();
        self.snapshot(move |base| query(&SystemView::new(base, &WriteSet::default(), now))).await
    }

    /// Runs a query on a blocking thread: it reads the disk, and a dropped request must not stop it half-way.
    async fn snapshot<T: Send + 'static>(&self, query: impl FnOnce(Base<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || store.read(query))
            .await
            .map_err(|panic| Error::internal(format!("a query panicked: {panic}")))?
    }

    /// Queues a command and waits until it is durable. The command goes on when the waiting is dropped.
    async fn command<T: Send + 'static>(
        &self,
        locks: Locks,
        command: impl FnOnce(Base<'_>, &mut WriteSet) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, waiting) = oneshot::channel();
        let run: Run = Box::new(move |base, writes| {
            let result = command(base, writes);
            let outcome = if result.is_ok() && !writes.is_empty() { Outcome::Commit } else { Outcome::Discard };
            let answer: Answer = Box::new(move |durable| {
                // Whoever asked may be gone; what is done is done.
                let _ = done.send(durable.and(result));
            });
            (outcome, answer)
        });
        self.0.store.submit(locks, run)?;
        waiting.await.unwrap_or_else(|_| Err(unavailable()))
    }

    fn open<'a, P: Permission>(
        &'a self,
        base: Base<'a>,
        writes: &'a mut WriteSet,
        actor: &Actor,
        described: &'a ActorRef,
        org: OrgId,
    ) -> Result<OrgTx<'a, P>> {
        let context = Context { now: self.0.clock.now(), actor: described, ids: &self.0.ids };
        let tx = OrgTx::new(base, writes, org, context);
        allow::<P>(&tx.view(), actor)?;
        Ok(tx)
    }

    fn open_wide<'a, P: Permission>(
        &'a self,
        base: Base<'a>,
        writes: &'a mut WriteSet,
        actor: &Actor,
        described: &'a ActorRef,
        org: OrgId,
    ) -> Result<WideTx<'a, P>> {
        let context = Context { now: self.0.clock.now(), actor: described, ids: &self.0.ids };
        let system = SystemTx::new(base, writes, context);
        allow::<P>(&system.view().enter(org), actor)?;
        Ok(WideTx::new(system, org))
    }
}

/// Whether the actor may do what `P` says, by the role that stands in the store now.
fn allow<P: Permission>(view: &OrgView<'_, Read>, actor: &Actor) -> Result<()> {
    match actor {
        Actor::System(_) => Ok(()),
        Actor::User { id, session, .. } => {
            // Whoever was signed out while their request waited does nothing any more.
            if let Some(session) = session {
                view.session(*session)?.ok_or(Error::Unauthenticated)?;
            }
            let role = organization::role_of(view, *id)?;
            if role >= P::NEEDS {
                Ok(())
            } else {
                Err(Error::Forbidden(format!("this needs the role {}; yours is {}", P::NEEDS.as_str(), role.as_str())))
            }
        }
    }
}

/// Numbers the events of a change and writes them to the organization's log, and what visitors may hear of them to the pages' logs.
///
/// `earlier` are the writes of the same transaction that came before the change.
///
/// # Errors
/// What the store says.
pub(crate) fn record<P>(tx: &mut OrgTx<'_, P>, earlier: &WriteSet, actor: &ActorRef, events: &[Event]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let log = LogKind::Org(tx.org().uuid());
    let mut seq = tx.head(log)?;
    for event in events {
        seq += 1;
        let json = serde_json::to_vec(&event.to_json(now, actor)).map_err(Error::internal)?;
        let services = event.services.iter().map(|service| service.uuid()).collect();
        tx.append(LogEntry::org(tx.org().uuid(), seq, json, services));
    }
    let (public, pages) = {
        let (before, after) = (tx.before::<Public>(earlier), tx.view::<Public>());
        (public_event::project(&before, &after, events, now)?, public_event::pages(&after)?)
    };
    for page in pages {
        let log = LogKind::Page(page.id.uuid());
        let mut seq = tx.head(log)?;
        for event in &public {
            seq += 1;
            tx.append(LogEntry::public(page.id, seq, event));
        }
    }
    Ok(())
}
