//! Who may join which room: org and service rooms are for members, page rooms for everyone.
//!
//! There is no telling a room that does not exist from one that the caller may not see.

use poem::Request;

use super::hub::{Identity, Room};
use super::protocol::{Person, RoomName};
use crate::access::{Actor, Read, Role};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::incident::{self, Incident};
use crate::domain::organization::{self, OrgId, Organization};
use crate::domain::session::{self, Lifetime, Session};
use crate::domain::user::User;
use crate::domain::{account, slug};
use crate::error::{Error, Result};
use crate::http::RequestId;
use crate::id::Id;
use crate::store::{OrgView, Reads, SystemView};
use crate::web::Web;

/// Who is at the other end of a connection.
pub(super) struct Visitor {
    /// `None` for who has no session, or none that holds.
    pub(super) member: Option<Member>,
    request_id: Option<RequestId>,
}

/// A signed-in person: no more of them than is needed for as long as a connection lasts.
#[derive(Clone)]
pub(super) struct Member {
    user: Id<User>,
    session: Id<Session>,
    pub(super) actor: Actor,
}

/// A room that may be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) org: OrgId,
    pub(super) room: Room,
}

/// The rooms asked for.
#[derive(Debug)]
pub(super) struct Admission {
    /// In the order in which they were asked for.
    pub(super) doors: Vec<Door>,
    /// When the session ends by itself; for page rooms alone, never.
    pub(super) until: Option<Timestamp>,
}

impl Visitor {
    /// Who sent a request. A cookie that is not or no longer good makes an anonymous visitor: pages are for them too.
    pub(super) async fn of(request: &Request, web: &Web) -> Result<Self> {
        let member = match web.cookie.read(request.headers()) {
            None => None,
            Some(token) => match web.app.authenticate(token).await {
                Ok(caller) => Some(Member { user: caller.user.id, session: caller.session, actor: caller.actor() }),
                Err(Error::Unauthenticated) => None,
                Err(other) => return Err(other),
            },
        };
        Ok(Self { member, request_id: request.data::<RequestId>().cloned() })
    }

    /// Nobody in particular.
    #[cfg(test)]
    pub(super) fn anonymous() -> Self {
        Self { member: None, request_id: None }
    }

    /// Whose end of session or change of role closes the connection.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.member.as_ref().map(|member| Identity { session: member.session, user: member.user })
    }

    /// Opens the rooms, all of them or none.
    ///
    /// Looks at session and membership as they stand, both in one snapshot: call it when the hub knows of the connection already, so that what
    /// ends later than this snapshot is heard of there.
    ///
    /// # Errors
    /// `Unauthenticated` where a member would be needed and nobody is signed in, `NotFound` for a room that is not there or not theirs to see.
    pub(super) async fn admit(&self, app: &App, names: &[RoomName]) -> Result<Admission> {
        let admitted = self.ask(app, names).await;
        if let Err(refusal @ (Error::NotFound | Error::Unauthenticated)) = &admitted {
            let rooms = names.iter().map(RoomName::to_string).collect::<Vec<_>>().join(" ");
            let user = self.member.as_ref().map(|member| member.user.to_string());
            tracing::info!(request_id = self.request_id.as_ref().map(RequestId::as_str), user, %rooms, %refusal, "refused a live room");
        }
        admitted
    }

    /// As whom the visitor looks at an incident.
    ///
    /// # Errors
    /// `NotFound` for an incident that is not there or not theirs to see, `Unauthenticated` where nobody is signed in.
    pub(super) async fn look(&self, app: &App, org: OrgId, incident: Id<Incident>) -> Result<Person> {
        let member = self.member.as_ref().ok_or(Error::Unauthenticated)?;
        app.read(member.actor.clone(), org, move |view: &OrgView<'_, Read>| incident::live(view, incident).map(|_| ())).await?;
        Ok(Person { id: member.user, name: member.actor.describe().name })
    }

    async fn ask(&self, app: &App, names: &[RoomName]) -> Result<Admission> {
        let for_members = names.iter().any(|name| !matches!(name, RoomName::Page(_)));
        let who = self.member.as_ref().map(|member| (member.user, member.session));
        if for_members && who.is_none() {
            return Err(Error::Unauthenticated);
        }
        let names = names.to_vec();
        let lifetime = app.sessions();
        app.system_read(move |view| {
            let user = who.map(|(user, _)| user);
            let doors = names.iter().map(|name| open(view, user, name)).collect::<Result<_>>()?;
            let until = match who {
                Some((_, session)) if for_members => Some(still_held(view, session, lifetime)?),
                _ => None,
            };
            Ok(Admission { doors, until })
        })
        .await
    }
}

fn open(view: &SystemView<'_>, user: Option<Id<User>>, name: &RoomName) -> Result<Door> {
    match (name, user) {
        (RoomName::Page(slug), _) => {
            let found = slug::find(view, slug)?.ok_or(Error::NotFound)?;
            view.enter::<Read>(found.org_id).find(found.org_id)?.filter(Organization::is_open).ok_or(Error::NotFound)?;
            Ok(Door { org: found.org_id, room: Room::Page(found.page_id) })
        }
        (RoomName::Org(org), Some(user)) => {
            hidden(organization::role_of(&view.enter::<Read>(*org), user))?.ok_or(Error::NotFound)?;
            Ok(Door { org: *org, room: Room::Org(*org) })
        }
        (RoomName::Service(service), Some(user)) => {
            for membership in account::memberships(view, user)? {
                let org = view.enter::<Read>(membership.org_id);
                // A deleted service has a past that members read, so it has a room.
                if hidden(organization::role_of(&org, user))?.is_some() && org.find(*service)?.is_some() {
                    return Ok(Door { org: membership.org_id, room: Room::Service(membership.org_id, *service) });
                }
            }
            Err(Error::NotFound)
        }
        (RoomName::Org(_) | RoomName::Service(_), None) => Err(Error::Unauthenticated),
    }
}

/// A role, if there is one that opens rooms: of a suspended organization's rooms nothing is told that could not be told of rooms that are not there.
fn hidden(role: Result<Role>) -> Result<Option<Role>> {
    match role {
        Ok(role) => Ok(Some(role)),
        Err(Error::NotFound | Error::Forbidden(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Until when the session lasts if it is not used again, if it still does: an open connection is no use of it.
fn still_held(view: &SystemView<'_>, session: Id<Session>, lifetime: Lifetime) -> Result<Timestamp> {
    let held = view.find(session)?.filter(|session| session::is_live(session, lifetime, view.now())).ok_or(Error::Unauthenticated)?;
    Ok(held.expires_at.min(held.seen_at.plus(lifetime.idle)))
}
