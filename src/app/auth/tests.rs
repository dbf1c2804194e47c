//! A person's sessions, as they see and end them.

use std::net::Ipv4Addr;

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::app::Settings;
use crate::clock::Clock;
use crate::id::IdSource;
use crate::store::{Committed, Signal};

const PASSWORD: &str = "tangerine-otter-plinth";
const HOUR: Duration = Duration::from_secs(3_600);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn open_instance() -> (App, UnboundedReceiver<Committed>) {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    App::in_memory(clock, IdSource::seeded(5), Settings { registration: Registration::Open, ..Settings::default() }).unwrap()
}

async fn join(app: &App, name: &str) -> String {
    let input = SignUpInput {
        email: format!("{name}@example.com"),
        password: PASSWORD.into(),
        full_name: name.into(),
        organization_name: "Acme".into(),
        setup_token: None,
        invite_token: None,
    };
    app.sign_up(input, HERE, Origin::default()).await.unwrap().token
}

async fn enter(app: &App, name: &str) -> String {
    app.sign_in(&format!("{name}@example.com"), PASSWORD.into(), HERE, Origin::default()).await.unwrap().token
}

async fn held(app: &App, token: &str) -> Caller {
    app.authenticate(token).await.unwrap()
}

async fn ids(app: &App, caller: &Caller) -> Vec<Id<Session>> {
    app.sessions_of(caller).await.unwrap().into_iter().map(|session| session.id).collect()
}

/// What open connections hear beside the log, since the last call.
fn signals(news: &mut UnboundedReceiver<Committed>) -> Vec<Signal> {
    let mut signals = Vec::new();
    while let Ok(committed) = news.try_recv() {
        signals.extend(committed.signals);
    }
    signals
}

#[tokio::test]
async fn one_sees_the_own_sessions_that_hold_the_last_used_first() {
    let (app, _news) = open_instance();
    let first = join(&app, "ada").await;
    join(&app, "eve").await;
    app.clock().advance(2 * HOUR);
    let second = enter(&app, "ada").await;
    let (ada, second) = (held(&app, &first).await, held(&app, &second).await.session);
    assert_eq!(ids(&app, &ada).await, [second, ada.session], "used in the same hour, the later begun goes first");
    app.clock().advance(2 * HOUR);
    held(&app, &first).await;
    assert_eq!(ids(&app, &ada).await, [ada.session, second]);
    app.clock().advance(14 * 24 * HOUR - HOUR);
    assert_eq!(ids(&app, &ada).await, [ada.session], "the other was idle for too long");
}

#[tokio::test]
async fn one_ends_the_own_sessions_and_nobody_elses() {
    let (app, mut news) = open_instance();
    let (ada, other) = (join(&app, "ada").await, enter(&app, "ada").await);
    let eve = join(&app, "eve").await;
    let (ada, other_session, eve) = (held(&app, &ada).await, held(&app, &other).await.session, held(&app, &eve).await);
    signals(&mut news);

    app.end_session(&ada, other_session).await.unwrap();

    assert_eq!(signals(&mut news), [Signal::SessionEnded(other_session)]);
    assert!(matches!(app.authenticate(&other).await, Err(Error::Unauthenticated)));
    for session in [other_session, eve.session] {
        assert!(matches!(app.end_session(&ada, session).await, Err(Error::NotFound)));
    }
    assert!(signals(&mut news).is_empty());
    assert_eq!((ids(&app, &ada).await, ids(&app, &eve).await), (vec![ada.session], vec![eve.session]));
}

#[tokio::test]
async fn one_ends_all_the_others() {
    let (app, mut news) = open_instance();
    let mine = join(&app, "ada").await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let token = enter(&app, "ada").await;
        others.push(Signal::SessionEnded(held(&app, &token).await.session));
    }
    let ada = held(&app, &mine).await;
    signals(&mut news);
    app.end_other_sessions(&ada).await.unwrap();
    assert_eq!(signals(&mut news), others);
    assert_eq!(ids(&app, &ada).await, [ada.session]);
}

#[tokio::test]
async fn a_session_that_was_ended_ends_no_other() {
    let (app, _news) = open_instance();
    let (owner, thief) = (join(&app, "ada").await, enter(&app, "ada").await);
    let (owner, thief) = (held(&app, &owner).await, held(&app, &thief).await);
    app.end_session(&owner, thief.session).await.unwrap();
    // The thief's requests were let in before.
    assert!(matches!(app.end_session(&thief, owner.session).await, Err(Error::Unauthenticated)));
    assert!(matches!(app.end_other_sessions(&thief).await, Err(Error::Unauthenticated)));
    assert_eq!(ids(&app, &owner).await, [owner.session]);
}

#[tokio::test]
async fn another_name_is_a_good_one_or_none() {
    let (app, _news) = open_instance();
    let token = join(&app, "ada").await;
    let ada = held(&app, &token).await;
    assert_eq!(app.rename(&ada, "Ada Lovelace".into()).await.unwrap().full_name, "Ada Lovelace");
    assert!(matches!(app.rename(&ada, String::new()).await, Err(Error::Invalid(_))));
    assert_eq!(held(&app, &token).await.user.full_name, "Ada Lovelace");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_address_takes_the_work_of_a_known_one() {
    let (app, _news) = open_instance();
    join(&app, "ada").await;
    let attempt = |name: &str| {
        let (app, email) = (app.clone(), format!("{name}@example.com"));
        async move { app.sign_in(&email, "wrong-otter-plinth".into(), HERE, Origin::default()).await.err() }
    };
    // Once for the hash that stands in for the one that is not there.
    assert_eq!(attempt("nobody").await, Some(Error::Unauthenticated));

    // Nobody is answered while all cores are taken from hashing. The clock jumps when everybody waits, and not while somebody works.
    let cores = u32::try_from(app.0.hashing.available_permits()).unwrap();
    let taken = app.0.hashing.acquire_many(cores).await.unwrap();
    for name in ["ada", "nobody"] {
        assert_eq!(tokio::time::timeout(HOUR, attempt(name)).await.ok(), None, "{name} was answered without a hash");
    }
    drop(taken);
    for name in ["ada", "nobody"] {
        assert_eq!(attempt(name).await, Some(Error::Unauthenticated), "{name}");
    }
}
