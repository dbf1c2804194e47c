//! Removes what is over, once a minute: sessions at their age, answers that nobody may ask for again, invitations that nobody took up.
//!
//! None of it is of use to anyone by then: whoever looks at a session, an answer or a link looks at its time as well. So it may be late.

use std::time::Duration;

use super::clockwork::{Every, Turn, ticks};
use crate::app::App;
use crate::domain::lease::Tenure;

/// How often it looks.
const EACH: Duration = Duration::from_secs(60);
/// How many looks at the clock it waits before it tries again what could not be removed: the lease may have ended under it, and be its own again
/// by the next look.
const PAUSE: usize = 5;

/// Works for ever, whenever it is this node's turn.
pub(super) async fn work(app: &App, turn: &Turn) {
    let (mut ticks, mut round) = (ticks(), Every::new(EACH));
    loop {
        ticks.tick().await;
        turn.comes().await;
        // A store that is away says so itself, once.
        if app.away_since().is_none() && round.is_due(app.clock().now()) && !remove(app, turn.tenure()).await {
            for _ in 0..PAUSE {
                ticks.tick().await;
            }
            round.again();
        }
    }
}

/// Each kind for itself: one that can't be removed now does not hold up the others. Whether all could.
async fn remove(app: &App, tenure: Tenure) -> bool {
    let mut all = true;
    for (what, removed) in [
        ("sessions", app.end_over_sessions(tenure).await),
        ("answers", app.forget_answers(tenure).await),
        ("invitations", app.expire_invitations(tenure).await),
    ] {
        if let Err(error) = removed {
            tracing::warn!(what, %error, "what is over can't be removed now; it is tried again");
            all = false;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::access::{Actor, Administer, Edit, Read, Role};
    use crate::domain::answered::{Answered, Once};
    use crate::domain::invitation::{self, Invitation};
    use crate::domain::organization::{self, OrgId};
    use crate::domain::session::{self, Origin, Session};
    use crate::error::Error;
    use crate::event::Change;
    use crate::id::Id;
    use crate::store::{Committed, LogKind, OrgTx, Reads, Scan, Signal, WideTx};
    use crate::tasks::testing::{app, delete, found};

    const DAY: Duration = Duration::from_secs(24 * 3_600);
    const MOMENT: Duration = Duration::from_millis(1);

    async fn invite(app: &App, org: OrgId, email: &'static str) -> Invitation {
        let invite = move |tx: &mut OrgTx<'_, Administer>| invitation::invite(tx, email, Role::Viewer, None);
        app.change(Actor::System("test"), org, invite).await.unwrap()
    }

    /// Does something that may be asked for again by this key.
    async fn answer(app: &App, org: OrgId, key: &str) {
        let once = Once::new("usr_1", "POST", "/api/services", key, b"{}").unwrap();
        let nothing = |_: &mut OrgTx<'_, Edit>| Ok(Change::nothing(7));
        app.change_once(Actor::System("test"), org, Some(once), nothing).await.unwrap();
    }

    async fn sign_in(app: &App) -> Id<Session> {
        let lifetime = app.sessions();
        let begin = app.system_change(Actor::System("test"), move |tx| session::begin(tx, Id::from_u128(1), lifetime, &Origin::default()));
        begin.await.unwrap().id
    }

    /// How many answers an organization keeps, and whom it has invited.
    async fn kept(app: &App, org: OrgId) -> (usize, Vec<String>) {
        let seen = app.system_read(move |view| {
            let inside = view.enter::<Read>(org);
            Ok((inside.count(Scan::<Answered>::all())?, inside.scan(Scan::<Invitation>::all())?.items))
        });
        let (answers, invitations) = seen.await.unwrap();
        (answers, invitations.into_iter().map(|invitation| invitation.email.as_str().to_owned()).collect())
    }

    /// Whether sessions are there.
    async fn are_there<const N: usize>(app: &App, sessions: [Id<Session>; N]) -> [bool; N] {
        let found = app.system_read(move |view| {
            let mut found = [false; N];
            for (found, session) in found.iter_mut().zip(sessions) {
                *found = view.find(session)?.is_some();
            }
            Ok(found)
        });
        found.await.unwrap()
    }

    /// The organizations' events since the last call, and what open connections were told.
    fn hear(news: &mut UnboundedReceiver<Committed>) -> (Vec<Value>, Vec<Signal>) {
        let (mut events, mut signals) = (Vec::new(), Vec::new());
        while let Ok(committed) = news.try_recv() {
            let of_organizations = committed.entries.iter().filter(|entry| matches!(entry.log(), LogKind::Org(_)));
            events.extend(of_organizations.map(|entry| serde_json::from_slice::<Value>(entry.json()).unwrap()));
            signals.extend(committed.signals);
        }
        (events, signals)
    }

    #[tokio::test]
    async fn what_could_not_be_removed_is_known_to_be_left() {
        let (app, _news) = app();
        let session = sign_in(&app).await;
        app.clock().advance(365 * DAY);
        // The clock has moved on past the end of the lease, as it does when a machine was suspended.
        assert!(!remove(&app, Tenure::Leased("clockwork", Id::from_u128(7))).await);
        assert_eq!(are_there(&app, [session]).await, [true]);
        assert!(remove(&app, Tenure::Alone).await);
        assert_eq!(are_there(&app, [session]).await, [false]);
    }

    #[tokio::test]
    async fn what_is_over_goes_whatever_its_organization_is_and_the_rest_stays() {
        let (app, mut news) = app();
        let (mill, zoo, den) = (found(&app, 1, "Mill").await, found(&app, 2, "Zoo").await, found(&app, 3, "Den").await);
        let mut expected = Vec::new();
        for org in [mill, zoo, den] {
            answer(&app, org, "one").await;
            let Invitation { id, expires_at, .. } = invite(&app, org, "sam@example.com").await;
            expected.push(json!({
                "type": "invitation.expired",
                "at": app.clock().now().plus(31 * DAY),
                "subject": { "kind": "invitation", "id": id, "name": "sam@example.com" },
                "data": { "before": { "email": "sam@example.com", "role": "viewer", "expires_at": expires_at }, "after": {} },
                "actor": { "kind": "system", "id": null, "name": "expiry" },
            }));
        }
        let suspend = |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, true);
        app.change_wide(Actor::System("test"), zoo, suspend).await.unwrap();
        delete(&app, den, "Den").await;
        app.clock().advance(29 * DAY);
        answer(&app, mill, "two").await;
        invite(&app, mill, "bo@example.com").await;
        app.clock().advance(2 * DAY - MOMENT);
        answer(&app, mill, "three").await;
        hear(&mut news);

        remove(&app, Tenure::Alone).await;
        assert_eq!(kept(&app, mill).await, (1, vec!["sam@example.com".to_owned(), "bo@example.com".to_owned()]), "not before its time");
        assert_eq!(hear(&mut news), (Vec::new(), Vec::new()));
        app.clock().advance(MOMENT);
        for _ in 0..2 {
            remove(&app, Tenure::Alone).await;
            assert_eq!(kept(&app, mill).await, (1, vec!["bo@example.com".to_owned()]));
            assert_eq!(kept(&app, zoo).await, (0, Vec::new()));
        }
        assert_eq!(hear(&mut news), (expected, Vec::new()), "each is told once");
    }

    #[tokio::test]
    async fn an_answer_goes_within_an_hour_and_takes_all_with_it_that_may_go() {
        let (app, _news) = app();
        let mill = found(&app, 1, "Mill").await;
        answer(&app, mill, "one").await;
        app.clock().advance(DAY / 48);
        answer(&app, mill, "two").await;
        app.clock().advance(DAY + DAY / 48 - MOMENT);
        remove(&app, Tenure::Alone).await;
        assert_eq!(kept(&app, mill).await.0, 2, "a visit for each would cost more than they take");
        app.clock().advance(MOMENT);
        remove(&app, Tenure::Alone).await;
        assert_eq!(kept(&app, mill).await.0, 0);
    }

    #[tokio::test]
    async fn of_more_than_one_step_takes_all_goes() {
        const MANY: usize = 150;
        let (app, mut news) = app();
        let mill = found(&app, 1, "Mill").await;
        let invite = |tx: &mut OrgTx<'_, Administer>| {
            for number in 0..MANY {
                drop(invitation::invite(tx, &format!("guest-{number}@example.com"), Role::Viewer, None)?);
            }
            Ok(Change::nothing(()))
        };
        app.change(Actor::System("test"), mill, invite).await.unwrap();
        app.clock().advance(31 * DAY);
        hear(&mut news);

        remove(&app, Tenure::Alone).await;

        assert_eq!(kept(&app, mill).await, (0, Vec::new()));
        let (events, _) = hear(&mut news);
        assert!(events.len() == MANY && events.iter().all(|event| event["type"] == "invitation.expired"), "{}", events.len());
    }

    #[tokio::test]
    async fn a_session_ends_at_its_age_and_what_was_opened_through_it_with_it() {
        let (app, mut news) = app();
        let old = sign_in(&app).await;
        app.clock().advance(MOMENT);
        let young = sign_in(&app).await;
        app.clock().advance(app.sessions().absolute - 2 * MOMENT);
        remove(&app, Tenure::Alone).await;
        assert_eq!((are_there(&app, [old, young]).await, hear(&mut news).1), ([true, true], Vec::new()));

        app.clock().advance(MOMENT);
        remove(&app, Tenure::Alone).await;
        assert_eq!((are_there(&app, [old, young]).await, hear(&mut news).1), ([false, true], vec![Signal::SessionEnded(old)]));
        // However many there are.
        for _ in 0..250 {
            sign_in_as_somebody_else(&app).await;
        }
        app.clock().advance(app.sessions().absolute);
        remove(&app, Tenure::Alone).await;
        assert_eq!((are_there(&app, [old, young]).await, hear(&mut news).1.len()), ([false, false], 251));
    }

    /// Each in a session of a person of their own, since nobody has so many.
    async fn sign_in_as_somebody_else(app: &App) {
        let lifetime = app.sessions();
        let begin = app.system_change(Actor::System("test"), move |tx| {
            let user = tx.new_id();
            session::begin(tx, user, lifetime, &Origin::default())
        });
        begin.await.unwrap();
    }

    #[tokio::test]
    async fn whose_turn_it_is_not_removes_nothing() {
        let (app, mut news) = app();
        let mill = found(&app, 1, "Mill").await;
        let session = sign_in(&app).await;
        answer(&app, mill, "one").await;
        invite(&app, mill, "sam@example.com").await;
        app.clock().advance(100 * DAY);
        hear(&mut news);

        let tenure = Tenure::Leased("clockwork", Id::from_u128(1));
        for refused in [app.end_over_sessions(tenure).await, app.forget_answers(tenure).await, app.expire_invitations(tenure).await] {
            assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        }

        assert_eq!(are_there(&app, [session]).await, [true]);
        assert_eq!(kept(&app, mill).await, (1, vec!["sam@example.com".to_owned()]));
        assert_eq!(hear(&mut news), (Vec::new(), Vec::new()));
    }
}
