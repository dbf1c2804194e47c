//! The directory: the public pages of an instance, with the state that each shows.

use super::public::Public;
use super::slug::Slug;
use super::status::{self, Rollup};
use crate::error::{Error, Result};
use crate::store::{Cursor, OrgView, Page, SystemView};

/// A public page as the directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// In its address.
    pub slug: String,
    /// The organization's name, which the page itself shows.
    pub name: String,
    /// The line above the page.
    pub rollup: Rollup,
}

/// So many public pages in the order of their addresses, from there on.
///
/// Only the services' statuses are looked at: the pages themselves are not rendered for a list.
///
/// # Errors
/// What the store says.
pub fn list(view: &SystemView<'_>, limit: usize, after: Option<Cursor>) -> Result<Page<Listed>> {
    let slugs = view.scan(Slug::BY_ORDER.of(()).limit(limit).after(after))?;
    let mut items = Vec::with_capacity(slugs.items.len());
    for slug in slugs.items {
        match listed(&view.enter(slug.org_id), slug) {
            Ok(listed) => items.push(listed),
            // The name is still taken, but nothing is behind it any more.
            Err(Error::NotFound) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(Page { items, next: slugs.next })
}

fn listed(page: &OrgView<'_, Public>, slug: Slug) -> Result<Listed> {
    let statuses: Vec<_> = page.services()?.into_iter().map(|service| service.status).collect();
    Ok(Listed { slug: slug.slug, name: page.name()?, rollup: status::rollup(&statuses) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Actor, Edit};
    use crate::app::{App, Settings};
    use crate::clock::{Clock, Timestamp};
    use crate::domain::account::{self, Door, SignUp};
    use crate::domain::organization::OrgId;
    use crate::domain::service::{self, NewService, Visibility};
    use crate::domain::status::ServiceStatus::{self, MajorOutage, Operational};
    use crate::domain::text::Email;
    use crate::id::{Id, IdSource};
    use crate::store::OrgTx;

    async fn found(app: &App, number: u128, name: &str) -> OrgId {
        let org = Id::from_u128(number);
        let email = Email::parse("email", &format!("ada{number}@example.com")).unwrap();
        let input = SignUp { email, full_name: "Ada".into(), organization_name: name.into() };
        app.system_change(Actor::System("test"), move |tx| account::sign_up(tx, org, input, "-".into(), Door::Open).map(|_| org))
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
}
