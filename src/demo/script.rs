//! The task that keeps the demonstration moving: incidents open, are worked on and end, one after the other, for ever.

use std::collections::VecDeque;
use std::iter;
use std::time::Duration;

use super::cast::Cast;
use super::past::PRESENT;
use super::scenes::SCENES;
use crate::access::{Actor, Respond};
use crate::app::App;
use crate::domain::incident::{self, Incident};
use crate::error::Error;
use crate::http::Shutdown;
use crate::store::OrgTx;

/// How many of the script's incidents stay; the oldest is deleted when there is another. What is left is the log, a few megabytes a day, which
/// forgets nothing anywhere.
const KEPT: usize = 3;

/// How fast the script is played.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Until the first thing happens.
    pub first: Duration,
    /// Between one thing and the next.
    pub step: Duration,
}

impl Default for Pace {
    /// Soon enough for somebody who has just come, and slow enough to read.
    fn default() -> Self {
        Self { first: Duration::from_secs(20), step: Duration::from_secs(50) }
    }
}

/// What happens in the demonstration from now on.
pub struct Script {
    cast: Cast,
    /// The incident that the past left open.
    present: Incident,
}

impl Script {
    pub(super) fn new(cast: Cast, present: Incident) -> Self {
        Self { cast, present }
    }

    /// Plays until the server stops.
    pub async fn play(self, app: App, pace: Pace, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.stopping() => {}
            () = self.act(&app, pace) => {}
        }
    }

    /// What a visitor has a hand in is theirs: the script goes on with an incident only as it left it itself, and deletes no other.
    async fn act(self, app: &App, pace: Pace) {
        let Self { cast, present } = self;
        let mut pause = pace.first;
        let mut incident = Some(present);
        let mut kept = VecDeque::new();
        for story in iter::once(&PRESENT).chain(SCENES.iter().cycle()) {
            // The past has told the beginning of the first story.
            for told in story.told.iter().skip(usize::from(incident.is_some())) {
                tokio::time::sleep(pause).await;
                pause = pace.step;
                match cast.tell(app, story, told, incident.clone()).await {
                    Ok(now) => incident = Some(now),
                    Err(error) => {
                        leave(&error);
                        break;
                    }
                }
            }
            kept.extend(incident.take());
            while kept.len() > KEPT {
                if let Some(oldest) = kept.pop_front() {
                    forget(app, &cast, oldest).await;
                }
            }
        }
    }
}

async fn forget(app: &App, cast: &Cast, oldest: Incident) {
    let op = move |tx: &mut OrgTx<'_, Respond>| incident::delete(tx, oldest.id, Some(oldest.version));
    if let Err(error) = app.change(Actor::System("demonstration"), cast.org(), op).await {
        leave(&error);
    }
}

/// A visitor was faster, or has deleted what it takes: nothing that an operator should hear of.
fn leave(error: &Error) {
    tracing::debug!(%error, "the script of the demonstration leaves an incident as it is");
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::{log, opened};
    use super::*;
    use crate::access::Edit;
    use crate::domain::incident::NewUpdate;
    use crate::domain::service;

    const PACE: Pace = Pace { first: Duration::from_secs(1), step: Duration::from_secs(1) };

    fn count(log: &[Value], kind: &str, subject: Option<&Incident>) -> usize {
        let about = |event: &&Value| subject.is_none_or(|incident| event["subject"]["id"] == incident.id.to_string());
        log.iter().filter(about).filter(|event| event["type"] == kind).count()
    }

    /// Plays on the paused clock of tokio until the log says so.
    async fn until(app: &App, org: crate::domain::organization::OrgId, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..10_000 {
            let log = log(app, org).await;
            if holds(&log) {
                return log;
            }
            tokio::time::sleep(PACE.step).await;
        }
        panic!("it never came to that");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_what_the_past_began_plays_on_and_keeps_little() {
        let opened = opened("2026-03-01T09:30:00Z").await;
        let (app, org, present) = (opened.app, opened.script.cast.org(), opened.script.present.clone());
        let before = log(&app, org).await;
        let shutdown = Shutdown::new();
        let playing = tokio::spawn(opened.script.play(app.clone(), PACE, shutdown.clone()));

        let log = until(&app, org, |log| count(log, "incident.deleted", None) > SCENES.len()).await;

        assert_eq!(count(&log, "incident.resolved", Some(&present)), 1);
        assert_eq!(count(&log, "incident.deleted", Some(&present)), 1);
        let new = &log[before.len()..];
        let ended = count(new, "incident.resolved", None) - count(new, "incident.deleted", None);
        assert!((KEPT..=KEPT + 1).contains(&ended), "{ended} are kept");
        shutdown.begin();
        playing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_visitor_takes_in_hand_is_left_to_them() {
        let opened = opened("2026-03-01T09:30:00Z").await;
        let (app, org, present) = (opened.app, opened.script.cast.org(), opened.script.present.clone());
        let input = NewUpdate { status: None, message: "Mine now.".into(), affected: Vec::new() };
        let id = present.id;
        let op = move |tx: &mut OrgTx<'_, Respond>| incident::post_update(tx, id, input, None);
        app.change(Actor::System("visitor"), org, op).await.unwrap();
        // And a service that the first scene is about is gone.
        let (gone, _) = SCENES[0].affected[0];
        let gone = opened.script.cast.affected(&[(gone, None)]).unwrap()[0].service_id;
        let op = move |tx: &mut OrgTx<'_, Edit>| service::delete(tx, gone, None);
        app.change(Actor::System("visitor"), org, op).await.unwrap();
        let before = log(&app, org).await.len();
        let shutdown = Shutdown::new();
        let playing = tokio::spawn(opened.script.play(app.clone(), PACE, shutdown.clone()));

        let log = until(&app, org, |log| count(log, "incident.deleted", None) >= SCENES.len()).await;

        assert!(log[before..].iter().all(|event| event["subject"]["id"] != present.id.to_string()));
        assert!(log[before..].iter().all(|event| event["subject"]["name"] != SCENES[0].title));
        shutdown.begin();
        playing.await.unwrap();
    }
}
