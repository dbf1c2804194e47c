//! What happened: the event of the organization's log, and the change that carries it out of an operation.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::access::ActorRef;
use crate::clock::Timestamp;
use crate::domain::group::Group;
use crate::domain::incident::Incident;
use crate::domain::invitation::Invitation;
use crate::domain::organization::{OrgId, Organization};
use crate::domain::page::Page;
use crate::domain::service::Service;
use crate::domain::user::User;
use crate::id::Id;

macro_rules! event_types {
    ($($variant:ident = $word:literal;)*) => {
        /// The kinds of events, named `<noun>.<what happened>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType { $(#[doc = $word] $variant,)* }

        impl EventType {
            /// Every kind.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant),*];

            /// The word in the log and the API.
            pub fn as_str(self) -> &'static str {
                match self { $(EventType::$variant => $word,)* }
            }
        }
    };
}

event_types! {
    OrganizationCreated = "organization.created";
    OrganizationUpdated = "organization.updated";
    OrganizationSuspended = "organization.suspended";
    OrganizationResumed = "organization.resumed";
    OrganizationDeleted = "organization.deleted";
    PageUpdated = "page.updated";
    MemberInvited = "member.invited";
    MemberJoined = "member.joined";
    MemberRoleChanged = "member.role_changed";
    MemberRemoved = "member.removed";
    InvitationRevoked = "invitation.revoked";
    InvitationExpired = "invitation.expired";
    ServiceCreated = "service.created";
    ServiceUpdated = "service.updated";
    ServiceStatusChanged = "service.status_changed";
    ServiceDeleted = "service.deleted";
    ServiceRestored = "service.restored";
    GroupCreated = "group.created";
    GroupUpdated = "group.updated";
    GroupDeleted = "group.deleted";
    GroupRestored = "group.restored";
    IncidentOpened = "incident.opened";
    IncidentUpdated = "incident.updated";
    IncidentResolved = "incident.resolved";
    IncidentReopened = "incident.reopened";
    IncidentDeleted = "incident.deleted";
    IncidentRestored = "incident.restored";
}

/// The kind of subject that is one of an organization's people; its id is the user's.
pub const MEMBER: &str = "member";

/// What an event speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The organization itself.
    Organization(OrgId),
    /// One of its public pages.
    Page(Id<Page>),
    /// One of its people.
    Member(Id<User>),
    /// One of its invitations.
    Invitation(Id<Invitation>),
    /// One of its services.
    Service(Id<Service>),
    /// One of its groups.
    Group(Id<Group>),
    /// One of its incidents.
    Incident(Id<Incident>),
}

impl Target {
    /// `{kind, id, name}` as events carry it: a copy of the name, since the log outlives the thing.
    pub fn subject(self, name: Option<&str>) -> Value {
        let (kind, id) = match self {
            Target::Organization(id) => ("organization", id.to_string()),
            Target::Page(id) => ("page", id.to_string()),
            Target::Member(id) => (MEMBER, id.to_string()),
            Target::Invitation(id) => ("invitation", id.to_string()),
            Target::Service(id) => ("service", id.to_string()),
            Target::Group(id) => ("group", id.to_string()),
            Target::Incident(id) => ("incident", id.to_string()),
        };
        json!({ "kind": kind, "id": id, "name": name })
    }
}

/// One thing that happened to an organization: what, to which subject, and the changed fields before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventType,
    /// To what.
    pub target: Target,
    /// The subject's name at that time.
    pub name: String,
    /// Changed fields as they were.
    pub before: Map<String, Value>,
    /// Changed fields as they are.
    pub after: Map<String, Value>,
    /// The services whose timelines show it.
    pub services: Vec<Id<Service>>,
}

impl Event {
    /// An event about the organization.
    pub fn organization(kind: EventType, organization: &Organization) -> Self {
        Self::new(kind, Target::Organization(organization.id), &organization.name)
    }

    /// An event about a public page, by the name that it shows.
    pub fn page(kind: EventType, page: Id<Page>, name: &str) -> Self {
        Self::new(kind, Target::Page(page), name)
    }

    /// An event about one of the organization's people.
    pub fn member(kind: EventType, user: &User) -> Self {
        Self::new(kind, Target::Member(user.id), &user.full_name)
    }

    /// An event about an invitation, by the address that it went to.
    pub fn invitation(kind: EventType, invitation: &Invitation) -> Self {
        Self::new(kind, Target::Invitation(invitation.id), invitation.email.as_str())
    }

    /// An event about a service, shown in its timeline.
    pub fn service(kind: EventType, service: &Service) -> Self {
        Self { services: vec![service.id], ..Self::new(kind, Target::Service(service.id), &service.name) }
    }

    /// An event about a group.
    pub fn group(kind: EventType, group: &Group) -> Self {
        Self::new(kind, Target::Group(group.id), &group.name)
    }

    /// An event about an incident, shown in the timelines of these services.
    pub fn incident(kind: EventType, incident: &Incident, services: Vec<Id<Service>>) -> Self {
        Self { services, ..Self::new(kind, Target::Incident(incident.id), &incident.title) }
    }

    fn new(kind: EventType, target: Target, name: &str) -> Self {
        Self { kind, target, name: name.into(), before: Map::new(), after: Map::new(), services: Vec::new() }
    }

    /// Notes a field of something new.
    pub fn with(mut self, field: &str, value: impl Serialize) -> Self {
        self.after.insert(field.into(), plain(value));
        self
    }

    /// Notes a field of something that is gone.
    pub fn without(mut self, field: &str, value: impl Serialize) -> Self {
        self.before.insert(field.into(), plain(value));
        self
    }

    /// Notes a field if it changed.
    pub fn change(mut self, field: &str, before: impl Serialize, after: impl Serialize) -> Self {
        let (before, after) = (plain(before), plain(after));
        if before != after {
            self.before.insert(field.into(), before);
            self.after.insert(field.into(), after);
        }
        self
    }

    /// Whether no field changed.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// As members get it, live and in the timeline.
    pub fn to_json(&self, at: Timestamp, actor: &ActorRef) -> Value {
        json!({
            "type": self.kind.as_str(),
            "at": at,
            "subject": self.target.subject(Some(&self.name)),
            "data": { "before": self.before, "after": self.after },
            "actor": actor,
        })
    }
}

fn plain(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// What an operation did: its answer, and everything there is to say about it.
///
/// The only thing that a change may return, so that nothing is written without saying what happened.
#[must_use]
#[derive(Debug, Clone)]
pub struct Change<T> {
    /// The operation's answer.
    pub value: T,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

impl<T> Change<T> {
    /// One thing happened.
    pub fn of(value: T, event: Event) -> Self {
        Self { value, events: vec![event] }
    }

    /// Several things happened.
    pub fn all(value: T, events: Vec<Event>) -> Self {
        Self { value, events }
    }

    /// Deliberately nothing to say: nothing that anyone can see has changed.
    pub fn nothing(value: T) -> Self {
        Self { value, events: Vec::new() }
    }

    /// Another answer, the same events.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Change<U> {
        Change { value: f(self.value), events: self.events }
    }
}
