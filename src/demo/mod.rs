//! The demonstration: an invented organization with a past month, in memory, that moves on by itself.
//!
//! | file | what |
//! |---|---|
//! | `cast.rs` | the organization, its people, groups and services |
//! | `story.rs` | an incident as it is told, part by part, through the operations that everyone uses |
//! | `past.rs`, `scenes.rs` | the incidents of the past month; those that the script plays |
//! | `guard.rs` | what nobody may do, since everyone is the same person |
//! | `script.rs` | the task that plays them for ever |
//!
//! Nothing is written past the operations: the timeline, the public log and the live rooms hear of everything as they would of real changes. So that
//! the past has its own times, it is told on a clock that is a month behind and catches up.

mod cast;
pub mod guard;
mod past;
mod scenes;
mod script;
mod story;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

pub use script::{Pace, Script};

use crate::app::{App, DemoAdmin, Settings};
use crate::clock::{Clock, Timestamp};
use crate::config::Registration;
use crate::domain::session::Lifetime;
use crate::error::{Error, Result};
use crate::id::IdSource;
use crate::store::Committed;
use cast::Cast;
use past::{PAST, PRESENT};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// How many days before today the organization was founded.
const FOUNDED: u32 = 31;
/// When the incident that is not over began.
const BEGAN: Duration = Duration::from_secs(38 * 60);

/// What a server of the demonstration needs to know about it.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Whom a click signs in.
    pub admin: DemoAdmin,
    /// The organization's name.
    pub organization: String,
    /// In the addresses of its pages.
    pub slug: String,
}

/// A demonstration that can be served.
pub struct Opened {
    /// The application, on a store of its own.
    pub app: App,
    /// What its store has committed and commits.
    pub news: UnboundedReceiver<Committed>,
    /// What handlers need.
    pub demo: Demo,
    /// How it goes on.
    pub script: Script,
}

/// Makes the demonstration: a new store in memory with keys of its own, and the past month in it.
///
/// # Errors
/// What the store says.
pub async fn open(sessions: Lifetime) -> Result<Opened> {
    let clock = Clock::behind(DAY * (FOUNDED + 1));
    let opened = open_on(clock.clone(), Clock::system().now(), sessions).await?;
    // From here on it is the machine's clock, however long the telling took.
    clock.catch_up_to(Clock::system().now().plus(DAY));
    Ok(opened)
}

/// Tells the month before `now` on this clock, which stands before it.
async fn open_on(clock: Clock, now: Timestamp, sessions: Lifetime) -> Result<Opened> {
    // Strangers have no business in here but through the one door that is open to all.
    let settings = Settings { registration: Registration::Closed, sessions, ..Settings::default() };
    let (app, news) = App::in_memory(clock.clone(), IdSource::system(), settings)?;
    let today = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(86_400_000));

    clock.catch_up_to(today.minus(DAY * FOUNDED).plus(MINUTE * 480));
    let (demo, cast) = Cast::gather(&app).await?;
    for past in PAST {
        let began = today.minus(DAY * past.days_ago).plus(MINUTE * (past.hour * 60 + past.minute));
        let mut incident = None;
        for told in past.story.told {
            clock.catch_up_to(began.plus(MINUTE * told.minute));
            incident = Some(cast.tell(&app, &past.story, told, incident).await?);
        }
    }
    clock.catch_up_to(now.minus(BEGAN));
    let first = PRESENT.told.first().ok_or_else(|| Error::internal("the present has no beginning"))?;
    let present = cast.tell(&app, &PRESENT, first, None).await?;
    clock.catch_up_to(now);
    Ok(Opened { app, news, demo, script: Script::new(cast, present) })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::access::{Actor, Read};
    use crate::domain::organization::OrgId;
    use crate::domain::page::{self, PageView};
    use crate::domain::slug;
    use crate::domain::timeline::{self, Filter};
    use crate::store::OrgView;

    /// A demonstration on a clock that stands.
    pub(super) async fn opened(now: &str) -> Opened {
        let now: Timestamp = now.parse().unwrap();
        let sessions = Lifetime { idle: DAY, absolute: DAY };
        open_on(Clock::manual(now.minus(DAY * (FOUNDED + 1))), now, sessions).await.unwrap()
    }

    async fn org(opened: &Opened) -> slug::Slug {
        let slug = opened.demo.slug.clone();
        opened.app.system_read(move |view| slug::find(view, &slug)).await.unwrap().unwrap()
    }

    /// The organization's timeline, oldest first.
    pub(super) async fn log(app: &App, org: OrgId) -> Vec<Value> {
        let query = |view: &OrgView<'_, Read>| timeline::read(view, None, &Filter::default(), None, 10_000);
        let entries = app.read(Actor::System("test"), org, query).await.unwrap();
        entries.items.into_iter().rev().map(|entry| entry.event).collect()
    }

    async fn shown(opened: &Opened) -> PageView {
        let slug = org(opened).await;
        opened.app.read_public(slug.org_id, move |view| page::view(view, slug.page_id, "e")).await.unwrap()
    }

    #[tokio::test]
    async fn the_past_is_told_in_its_order_and_ends_now() {
        for now in ["2026-03-01T00:00:00Z", "2026-03-01T00:20:00Z", "2026-03-01T23:59:59Z"] {
            let opened = opened(now).await;
            assert_eq!(opened.app.clock().now().to_string(), now.replace('Z', ".000Z"));
            let log = log(&opened.app, org(&opened).await.org_id).await;
            let times: Vec<Timestamp> = log.iter().map(|event| event["at"].as_str().unwrap().parse().unwrap()).collect();
            assert!(times.is_sorted(), "{times:?}");
            assert!(times[0] < opened.app.clock().now().minus(DAY * 28), "{}", times[0]);
            assert!(log.iter().all(|event| event["actor"]["kind"] == "user"), "people did it");
            for kind in ["incident.reopened", "incident.resolved", "incident.updated", "service.created", "group.created"] {
                assert!(log.iter().any(|event| event["type"] == kind), "no {kind}");
            }
        }
    }

    #[tokio::test]
    async fn the_page_has_everything_to_look_at() {
        let opened = opened("2026-03-01T09:30:00Z").await;
        let page = shown(&opened).await;

        let named = page.sections.iter().filter(|section| section.group.is_some()).count();
        let services: usize = page.sections.iter().map(|section| section.services.len()).sum();
        assert_eq!((named, services), (4, 12));
        assert_eq!(page.active.len(), 1);
        assert_eq!(page.active[0].title, PRESENT.title);
        let quiet = page.days.iter().filter(|day| day.incidents.is_empty()).count();
        assert!((4..=10).contains(&quiet), "{quiet} quiet days of {}", page.days.len());
        assert!(!format!("{page:?}").contains("ledger"), "what is private shows");
        assert_eq!(page.page.name, opened.demo.organization);
    }

    #[tokio::test]
    async fn the_door_leads_to_the_admin_and_to_nobody_else() {
        let opened = opened("2026-03-01T09:30:00Z").await;
        let signed_in = opened.app.sign_in_demo(&opened.demo.admin, [192, 0, 2, 1].into(), Default::default()).await.unwrap();
        assert_eq!(signed_in.profile.user.id, opened.demo.admin.user().id);
        assert_eq!(signed_in.profile.organizations[0].role, crate::access::Role::Admin);
        assert!(opened.app.setup_token().await.unwrap().is_none(), "there is an operator already");
        let again = crate::domain::account::SignUp {
            email: crate::domain::text::Email::parse("email", "eve@example.com").unwrap(),
            full_name: "Eve".into(),
            organization_name: "Eve".into(),
        };
        assert!(matches!(opened.app.found_demo(again).await, Err(Error::Conflict(_))), "a claimed instance has no such door");
    }
}
