//! Sessions: who is signed in, from where, until when. The cookie carries the id alone, so that ending one takes effect at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::user::User;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{AnyIndex, Document, Index, Signal, SystemDocument, SystemTx, SystemView};

/// A signed-in browser or program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id: all that the cookie tells.
    pub id: Id<Session>,
    /// Whose.
    pub user_id: Id<User>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub seen_at: Timestamp,
    /// Its end, however much it is used.
    pub expires_at: Timestamp,
    /// From where it began.
    pub address: String,
    /// With what it began, at most 200 characters.
    pub user_agent: String,
}

impl Kind for Session {
    const PREFIX: &'static str = "ses";
}
impl Session {
    /// A user's sessions, oldest first.
    pub const BY_USER: Index<Session, Id<User>, Timestamp> =
        Index { number: 1, group: &["user_id"], sort: &["created_at"], key: |s| Some((s.user_id, s.created_at)) };
    /// All, the soonest to end first.
    pub const BY_END: Index<Session, (), Timestamp> =
        Index { number: 2, group: &[], sort: &["expires_at"], key: |s| Some(((), s.expires_at)) };
}
impl Document for Session {
    const NAME: &'static str = "sessions";
    const NUMBER: u16 = 2;
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[&Self::BY_USER, &Self::BY_END];
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Session {}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime {
    /// Unused for this long, a session ends.
    pub idle: Duration,
    /// It ends after this long in any case.
    pub absolute: Duration,
}

/// How exactly `seen_at` is kept: a write for each request would make reading cost a sync.
const SEEN_EVERY: Duration = Duration::from_secs(3_600);
/// The most sessions of one person. A program that signs in for each thing it does must not fill the store, nor a list that is shown whole.
const MOST: usize = 200;

/// From where someone signs in.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The client's address.
    pub address: String,
    /// What it calls itself.
    pub user_agent: String,
}

/// Begins a session; a sign-in always gets a new one. Of somebody with too many the oldest end: to refuse the new one would lock them out.
///
/// # Errors
/// What the store says.
pub fn begin(tx: &mut SystemTx<'_>, user: Id<User>, lifetime: Lifetime, origin: &Origin) -> Result<Session> {
    let now = tx.now();
    if let Some(last) = tx.scan(Session::BY_USER.of(user).newest().limit(MOST - 1))?.next {
        for oldest in tx.scan(Session::BY_USER.of(user).newest().after(Some(last)))?.items {
            end(tx, oldest.id);
        }
    }
    let user_agent = origin.user_agent.chars().filter(|c| !c.is_control()).take(200).collect();
    let expires_at = now.plus(lifetime.absolute);
    let session =
        Session { id: tx.new_id(), user_id: user, created_at: now, seen_at: now, expires_at, address: origin.address.clone(), user_agent };
    tx.put(&session)?;
    Ok(session)
}

/// A user's sessions that still hold, the last used first.
///
/// # Errors
/// What the store says.
pub fn live_of(view: &SystemView<'_>, user: Id<User>, lifetime: Lifetime) -> Result<Vec<Session>> {
    let mut sessions = view.scan(Session::BY_USER.of(user).newest().limit(MOST))?.items;
    sessions.retain(|session| is_live(session, lifetime, view.now()));
    // `seen_at` is kept to the hour, so that many are equal.
    sessions.sort_by_key(|session| std::cmp::Reverse((session.seen_at, session.created_at, session.id)));
    Ok(sessions)
}

/// Whether the session still holds.
pub fn is_live(session: &Session, lifetime: Lifetime, now: Timestamp) -> bool {
    now < session.expires_at && now < session.seen_at.plus(lifetime.idle)
}

/// Whether it is time to note that the session is used.
pub fn wants_touch(session: &Session, now: Timestamp) -> bool {
    now >= session.seen_at.plus(SEEN_EVERY)
}

/// Notes that the session is used.
///
/// # Errors
/// What the store says.
pub fn touch(tx: &mut SystemTx<'_>, id: Id<Session>) -> Result<()> {
    if let Some(session) = tx.find(id)? {
        let seen_at = tx.now();
        tx.put(&Session { seen_at, ..session })?;
    }
    Ok(())
}

/// Sessions that have reached their age, so many at most.
///
/// Those that were idle for too long are not looked for: to find them, an index would be written with each use. They stand until their age
/// and let nobody in meanwhile, and an open connection knows itself until when its session lasts unused.
///
/// # Errors
/// What the store says.
pub fn over(view: &SystemView<'_>, most: usize) -> Result<Vec<Session>> {
    let mut first = view.scan(Session::BY_END.of(()).limit(most))?.items;
    first.retain(|session| session.expires_at <= view.now());
    Ok(first)
}

/// Ends those, with what was opened through them, and answers whether there may be more.
///
/// # Errors
/// What the store says.
pub fn end_over(tx: &mut SystemTx<'_>, most: usize) -> Result<bool> {
    let over = over(&tx.view(), most)?;
    for session in &over {
        end(tx, session.id);
    }
    Ok(over.len() == most)
}

/// Ends a session and what was opened through it.
pub fn end(tx: &mut SystemTx<'_>, id: Id<Session>) {
    tx.delete(id);
    tx.signal(Signal::SessionEnded(id));
}

/// Ends one of a user's sessions, asked for through the session `by`. That one must still be there: a thief who has just been shown out
/// must not end the owner's.
///
/// # Errors
/// `Unauthenticated` when the one that asks is over; `NotFound` for one that is over or somebody else's.
pub fn end_own(tx: &mut SystemTx<'_>, user: Id<User>, by: Id<Session>, id: Id<Session>) -> Result<()> {
    tx.find(by)?.ok_or(Error::Unauthenticated)?;
    tx.find(id)?.filter(|session| session.user_id == user).ok_or(Error::NotFound)?;
    end(tx, id);
    Ok(())
}

/// Ends all of a user's sessions but one.
///
/// # Errors
/// What the store says.
pub fn end_others(tx: &mut SystemTx<'_>, user: Id<User>, but: Option<Id<Session>>) -> Result<()> {
    for session in tx.scan(Session::BY_USER.of(user))?.items {
        if Some(session.id) != but {
            end(tx, session.id);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::app::{App, Settings};
    use crate::clock::Clock;
    use crate::id::IdSource;

    const LIFETIME: Lifetime = Lifetime { idle: Duration::from_secs(14 * 86_400), absolute: Duration::from_secs(90 * 86_400) };

    /// Somebody signs in, a second after whoever did last.
    async fn enter(app: &App, user: Id<User>) -> Id<Session> {
        app.clock().advance(Duration::from_secs(1));
        let begun = app.system_change(Actor::System("test"), move |tx| begin(tx, user, LIFETIME, &Origin::default()));
        begun.await.unwrap().id
    }

    async fn live(app: &App, user: Id<User>) -> Vec<Id<Session>> {
        let sessions = app.system_read(move |view| live_of(view, user, LIFETIME)).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    }

    #[tokio::test]
    async fn of_too_many_the_oldest_end_and_nobody_elses() {
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let (app, mut news) = App::in_memory(clock, IdSource::seeded(5), Settings::default()).unwrap();
        let (ada, eve) = (Id::from_u128(1), Id::from_u128(2));
        let eves = enter(&app, eve).await;
        let mut adas = Vec::new();
        for _ in 0..MOST {
            adas.push(enter(&app, ada).await);
        }
        let mut hear = || {
            let mut signals = Vec::new();
            while let Ok(committed) = news.try_recv() {
                signals.extend(committed.signals);
            }
            signals
        };
        assert_eq!((live(&app, ada).await.len(), hear()), (MOST, Vec::new()));

        for number in 0..2 {
            let oldest = adas[number];
            adas.push(enter(&app, ada).await);
            // What was opened through it is closed, too.
            assert_eq!(hear(), [Signal::SessionEnded(oldest)]);
        }
        let latest_first: Vec<_> = adas[2..].iter().rev().copied().collect();
        assert_eq!(live(&app, ada).await, latest_first);
        assert_eq!(live(&app, eve).await, [eves]);
    }
}
