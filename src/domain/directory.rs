//! The directory: the public pages of an instance, with the state that each shows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::public::Public;
use super::slug::Slug;
use super::status::{self, Rollup};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::store::{Cursor, OrgView, Page, SystemView};

/// For how long a part of the list is shown as it was read.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// The most parts that are kept; the oldest goes. Cursors come from strangers, who can make up as many as they like.
const KEPT_MAX: usize = 64;

/// A public page as the directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// In its address.
    pub slug: String,
    /// The name that the page itself shows.
    pub name: String,
    /// The line above the page.
    pub rollup: Rollup,
}

/// How many words are looked at for each page that is wanted. Most show one: the others are older words of some page, or lead to one that is
/// shut. Strangers ask, so that the looking has an end; a part may then be short, or empty, and there is more behind it all the same.
const LOOKED_AT: usize = 4;

/// So many public pages in the order of their addresses, from there on.
///
/// Only the services' statuses are looked at: the pages themselves are not rendered for a list.
///
/// # Errors
/// What the store says.
pub fn list(view: &SystemView<'_>, limit: usize, mut after: Option<Cursor>) -> Result<Page<Listed>> {
    let mut items = Vec::with_capacity(limit);
    for _ in 0..LOOKED_AT {
        let slugs = view.scan(Slug::BY_ORDER.of(()).limit(limit - items.len()).after(after))?;
        for slug in slugs.items {
            items.extend(listed(&view.enter(slug.org_id), slug)?);
        }
        after = slugs.next;
        if after.is_none() || items.len() == limit {
            break;
        }
    }
    Ok(Page { items, next: after })
}

/// What is shown of a word: nothing of an older one, nor of a page that visitors do not find now.
fn listed(view: &OrgView<'_, Public>, slug: Slug) -> Result<Option<Listed>> {
    let page = match view.page(slug.page_id) {
        Ok(page) if page.slug == slug.slug => page,
        Ok(_) | Err(Error::NotFound) => return Ok(None),
        Err(other) => return Err(other),
    };
    let statuses: Vec<_> = view.services()?.into_iter().map(|service| service.status).collect();
    Ok(Some(Listed { slug: page.slug, name: page.name, rollup: status::rollup(&statuses) }))
}

/// Parts of the list as they were read a moment ago.
///
/// Strangers ask for the list, and each part costs the services and unresolved incidents of as many organizations as it has lines. So it may
/// be some seconds late, which the pages themselves never are. Taking each line from its page's rendition would never be late either, but only
/// those pages have one that somebody looks at: for the others the cost would stay.
#[derive(Default)]
pub struct Recent(Mutex<VecDeque<Kept>>);

struct Kept {
    after: Option<Cursor>,
    read_at: Timestamp,
    part: Arc<Page<Listed>>,
}

impl Kept {
    fn is_good(&self, now: Timestamp) -> bool {
        // A clock that was set back would otherwise keep it for longer.
        self.read_at <= now && now < self.read_at.plus(KEPT_FOR)
    }
}

impl Recent {
    /// The part from there on, if it was read a moment ago.
    pub fn part(&self, after: Option<&Cursor>, now: Timestamp) -> Option<Arc<Page<Listed>>> {
        let kept = self.lock();
        kept.iter().find(|kept| kept.after.as_ref() == after && kept.is_good(now)).map(|kept| kept.part.clone())
    }

    /// Keeps a part that has just been read.
    pub fn keep(&self, after: Option<Cursor>, read_at: Timestamp, part: Page<Listed>) -> Arc<Page<Listed>> {
        let part = Arc::new(part);
        let mut kept = self.lock();
        kept.retain(|other| other.after != after && other.is_good(read_at));
        while kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { after, read_at, part: part.clone() });
        part
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Actor, Administer, Edit};
    use crate::app::{App, Settings};
    use crate::clock::Clock;
    use crate::domain::account::{self, Door, SignUp};
    use crate::domain::organization::{self, OrgId};
    use crate::domain::page;
    use crate::domain::service::{self, NewService, Visibility};
    use crate::domain::slug;
    use crate::domain::status::ServiceStatus::{self, MajorOutage, Operational};
    use crate::domain::text::Email;
    use crate::event::Change;
    use crate::id::{Id, IdSource};
    use crate::store::{OrgTx, WideTx};

    async fn found(app: &App, number: u128, name: &str) -> OrgId {
        let org = Id::from_u128(number);
        let email = Email::parse("email", &format!("ada{number}@example.com")).unwrap();
        let input = SignUp { email, full_name: "Ada".into(), organization_name: name.into() };
        app.system_change(Actor::System("test"), move |tx| account::sign_up(tx, org, input, "-".into(), &Door::Open).map(|_| org))
            .await
            .unwrap()
    }

    async fn service(app: &App, org: OrgId, visibility: Visibility, own_status: ServiceStatus) {
        let input = NewService { name: "API".into(), description: String::new(), visibility, own_status, group_id: None };
        app.change(Actor::System("test"), org, move |tx: &mut OrgTx<'_, Edit>| service::create(tx, input)).await.unwrap();
    }

    #[tokio::test]
    async fn pages_are_listed_by_address_a_page_at_a_time_with_what_visitors_may_know() {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let (app, _news) = App::in_memory(clock, IdSource::seeded(1), Settings::default()).unwrap();
        let (zoo, _, mill) = (found(&app, 1, "Zoo").await, found(&app, 2, "Empty").await, found(&app, 3, "Mill").await);
        service(&app, zoo, Visibility::Public, Operational).await;
        service(&app, zoo, Visibility::Private, MajorOutage).await;
        service(&app, mill, Visibility::Public, MajorOutage).await;

        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = app.system_read(move |view| list(view, 2, cursor)).await.unwrap();
            assert!(page.items.len() <= 2);
            found.extend(page.items.into_iter().map(|listed| (listed.slug, listed.name, listed.rollup.description)));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }

        let row = |slug: &str, name: &str, state| (slug.to_owned(), name.to_owned(), state);
        let expected =
            [row("empty", "Empty", "No data"), row("mill", "Mill", "Major System Outage"), row("zoo", "Zoo", "All Systems Operational")];
        assert_eq!(found, expected);
    }

    /// The slugs that are listed, read so many at a time.
    async fn slugs(app: &App, limit: usize) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = app.system_read(move |view| list(view, limit, cursor)).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.into_iter().map(|listed| listed.slug));
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn what_is_suspended_or_deleted_is_not_listed_and_nothing_twice() {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let (app, _news) = App::in_memory(clock, IdSource::seeded(1), Settings::default()).unwrap();
        let mut orgs = Vec::new();
        for (number, name) in (1..).zip(["Bakery", "Garage", "Mill", "Tower", "Zoo"]) {
            orgs.push(found(&app, number, name).await);
        }
        assert_eq!(slugs(&app, 2).await, ["bakery", "garage", "mill", "tower", "zoo"]);

        let system = Actor::System("test");
        app.change_wide(system.clone(), orgs[0], |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, true)).await.unwrap();
        app.change_wide(system.clone(), orgs[2], |tx: &mut WideTx<'_, Administer>| organization::delete(tx, "Mill")).await.unwrap();
        app.change_wide(system.clone(), orgs[4], |tx: &mut WideTx<'_, Edit>| {
            let (org, page) = (tx.org(), page::own(&tx.inside())?);
            slug::take(tx.system(), "aviary", org, page.id)?;
            tx.inside().put(&page::Page { slug: "aviary".into(), ..page })?;
            Ok(Change::nothing(()))
        })
        .await
        .unwrap();
        for limit in [1, 2, 50] {
            assert_eq!(slugs(&app, limit).await, ["aviary", "garage", "tower"], "{limit} at a time");
        }

        app.change_wide(system, orgs[0], |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, false)).await.unwrap();
        assert_eq!(slugs(&app, 2).await, ["aviary", "bakery", "garage", "tower"]);
    }

    fn place(number: u128) -> Cursor {
        Cursor { sort: Vec::new(), id: uuid::Uuid::from_u128(number) }
    }

    fn part(slug: &str) -> Page<Listed> {
        let rollup = status::rollup(&[Operational]);
        Page { items: vec![Listed { slug: slug.into(), name: slug.into(), rollup }], next: None }
    }

    #[test]
    fn a_part_is_kept_for_a_moment_and_each_for_its_own_place() {
        let recent = Recent::default();
        let at = Timestamp::from_millis(1_000_000);
        let slug = |after: Option<&Cursor>, now: Timestamp| recent.part(after, now).map(|part| part.items[0].slug.clone());
        assert_eq!(slug(None, at), None);
        recent.keep(None, at, part("first"));
        recent.keep(Some(place(1)), at, part("next"));

        let last = at.plus(KEPT_FOR).minus(Duration::from_millis(1));
        for now in [at, last] {
            assert_eq!(slug(None, now).as_deref(), Some("first"));
            assert_eq!(slug(Some(&place(1)), now).as_deref(), Some("next"));
            assert_eq!(slug(Some(&place(2)), now), None);
        }
        assert_eq!(slug(None, at.plus(KEPT_FOR)), None);
        assert_eq!(slug(None, at.minus(Duration::from_millis(1))), None, "the clock was set back");

        recent.keep(None, last, part("again"));
        assert_eq!(slug(None, last).as_deref(), Some("again"));
    }

    #[test]
    fn however_many_places_are_made_up_little_is_kept() {
        let recent = Recent::default();
        let at = Timestamp::from_millis(1_000_000);
        let count = KEPT_MAX as u128 + 1;
        for number in 0..count {
            recent.keep(Some(place(number)), at, part("x"));
        }
        assert_eq!(recent.lock().len(), KEPT_MAX);
        assert!(recent.part(Some(&place(0)), at).is_none(), "the oldest goes");
        assert!((1..count).all(|number| recent.part(Some(&place(number)), at).is_some()));

        recent.keep(None, at.plus(KEPT_FOR), part("x"));
        assert_eq!(recent.lock().len(), 1, "what is shown no more is not kept either");
    }
}
