//! Who and what the demonstration is about: an invented organization, its people, its groups and services.

use std::collections::HashMap;
use std::time::Duration;

use super::story::Effect;
use super::{Demo, MINUTE};
use crate::access::{Actor, Edit, Role};
use crate::app::{App, unguessable};
use crate::domain::account::{self, SignUp};
use crate::domain::group::{self, NewGroup};
use crate::domain::incident::Affected;
use crate::domain::member;
use crate::domain::organization::OrgId;
use crate::domain::password;
use crate::domain::service::{self, NewService, Service, Visibility};
use crate::domain::status::ServiceStatus;
use crate::domain::text::Email;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::OrgTx;

const ORGANIZATION: &str = "Skerry Cloud";

/// Who acts in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// The admin, whom a visitor is signed in as.
    Robin,
    /// A responder.
    Mara,
    /// An editor.
    Tomas,
    /// A viewer, who only watches.
    Yuki,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Who::Robin => "Robin Ashdown",
            Who::Mara => "Mara Lindqvist",
            Who::Tomas => "Tomás Iriarte",
            Who::Yuki => "Yuki Hanada",
        }
    }

    fn email(self) -> Result<Email> {
        let name = match self {
            Who::Robin => "robin",
            Who::Mara => "mara",
            Who::Tomas => "tomas",
            Who::Yuki => "yuki",
        };
        Email::parse("email", &format!("{name}@skerry.example"))
    }
}

/// The members beside the admin.
const MEMBERS: [(Who, Role); 3] = [(Who::Mara, Role::Responder), (Who::Tomas, Role::Editor), (Who::Yuki, Role::Viewer)];

/// A group's name, and the names and descriptions of its services.
type Shelf = (&'static str, &'static [(&'static str, &'static str)]);

const GROUPS: &[Shelf] = &[
    (
        "Website and console",
        &[
            ("Website", "Product pages, pricing and the blog."),
            ("Console", "Where everything is managed in a browser. The API behind it is part of each product."),
            ("Sign-in", "Passwords, passkeys and single sign-on for **all** products."),
        ],
    ),
    (
        "Compute",
        &[
            ("Containers", "Runs your images in three zones: `north`, `east` and `west`."),
            ("Functions", "Short-lived code, started on demand."),
            ("Builds", "Builds images from your repositories. Running workloads do not depend on it."),
        ],
    ),
    (
        "Data",
        &[
            ("Managed Databases", "Relational databases with automatic failover and point-in-time recovery."),
            ("Object storage", "Files of any size. Kept three times, in different zones."),
            ("Search", "Full-text indexes over your data, usually up to date within seconds."),
        ],
    ),
    (
        "Network and delivery",
        &[
            ("Edge network", "Takes requests close to your users and caches what may be cached."),
            ("DNS", "Answers for your zones. Changes reach all servers within a minute."),
            ("Email delivery", "Transactional mail: receipts, codes, reminders."),
        ],
    ),
];

/// Known to members alone.
const PRIVATE: (&str, &str) =
    ("Billing ledger", "Adds up what customers used. *Internal*: customers see its results on their invoices only.");

/// The organization with all its people and services, as it was made.
#[derive(Debug)]
pub(super) struct Cast {
    org: OrgId,
    people: HashMap<Who, Actor>,
    services: HashMap<&'static str, Id<Service>>,
}

impl Cast {
    /// Makes the organization and everything in it.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn gather(app: &App) -> Result<(Demo, Self)> {
        let input = SignUp { email: Who::Robin.email()?, full_name: Who::Robin.name().into(), organization_name: ORGANIZATION.into() };
        let admin = app.found_demo(input).await?;
        let id = admin.user().id;
        let profile = app.system_read(move |view| account::profile(view, id)).await?;
        let organization = profile.organizations.into_iter().next().ok_or(Error::NotFound)?.organization;

        let mut cast = Self { org: organization.id, people: HashMap::new(), services: HashMap::new() };
        cast.people.insert(Who::Robin, Actor::User { id, session: None, name: Who::Robin.name().into() });
        // One hash for all, of a password that nobody knows: hashing is slow on purpose.
        let hash = tokio::task::spawn_blocking(|| password::hash(&unguessable())).await.map_err(Error::internal)??;
        for (who, role) in MEMBERS {
            let actor = cast.join(app, who, role, hash.clone()).await?;
            cast.people.insert(who, actor);
        }
        cast.build(app).await?;
        Ok((Demo { admin, organization: organization.name, slug: organization.slug }, cast))
    }

    async fn join(&self, app: &App, who: Who, role: Role, password_hash: String) -> Result<Actor> {
        let (org, email, full_name) = (self.org, who.email()?, who.name().to_owned());
        let user = app
            .system_change(Actor::System("demonstration"), move |tx| {
                let now = tx.now();
                let user = User { id: tx.new_id(), version: 1, email, full_name, password_hash, created_at: now, updated_at: now };
                tx.put(&user)?;
                member::join(tx, org, user.id, role)?;
                Ok(user)
            })
            .await?;
        Ok(Actor::User { id: user.id, session: None, name: user.full_name })
    }

    /// The groups and services, by the editor, with some minutes for each.
    async fn build(&mut self, app: &App) -> Result<()> {
        for (name, services) in GROUPS {
            wait(app, 4 * MINUTE);
            let input = NewGroup { name: (*name).into(), position: None };
            let op = move |tx: &mut OrgTx<'_, Edit>| group::create(tx, input);
            let group = app.change(self.actor(Who::Tomas), self.org, op).await?;
            for (name, description) in *services {
                self.add(app, name, description, Visibility::Public, Some(group.id)).await?;
            }
        }
        self.add(app, PRIVATE.0, PRIVATE.1, Visibility::Private, None).await
    }

    async fn add(
        &mut self,
        app: &App,
        name: &'static str,
        description: &str,
        visibility: Visibility,
        group_id: Option<Id<group::Group>>,
    ) -> Result<()> {
        wait(app, 2 * MINUTE);
        let own_status = ServiceStatus::Operational;
        let input = NewService { name: name.into(), description: description.into(), visibility, own_status, group_id };
        let op = move |tx: &mut OrgTx<'_, Edit>| service::create(tx, input);
        let made = app.change(self.actor(Who::Tomas), self.org, op).await?;
        self.services.insert(name, made.service.id);
        Ok(())
    }

    /// The organization.
    pub(super) fn org(&self) -> OrgId {
        self.org
    }

    /// The person, as the one who asks.
    pub(super) fn actor(&self, who: Who) -> Actor {
        // Everyone has joined before anyone acts.
        self.people.get(&who).cloned().unwrap_or(Actor::System("demonstration"))
    }

    /// What an incident makes of these services.
    ///
    /// # Errors
    /// `Internal` for a name that no service was made with.
    pub(super) fn affected(&self, effects: &[Effect]) -> Result<Vec<Affected>> {
        let known = |name: &str| self.services.get(name).copied().ok_or_else(|| Error::internal(format!("there is no service {name}")));
        effects.iter().map(|(name, status)| Ok(Affected { service_id: known(name)?, status: *status })).collect()
    }
}

fn wait(app: &App, time: Duration) {
    app.clock().catch_up_to(app.clock().now().plus(time));
}
