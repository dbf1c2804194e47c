//! Who may do what: roles, the permission an operation names in its signature, and the actor every event names.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::session::Session;
use crate::domain::user::User;
use crate::id::Id;

/// What a member of an organization may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything of the organization.
    Viewer,
    /// Incidents, maintenance and the status of services.
    Responder,
    /// Services, groups and pages.
    Editor,
    /// People, settings and tokens.
    Admin,
}

impl Role {
    /// All roles, least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Responder, Role::Editor, Role::Admin];

    /// The word used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Responder => "responder",
            Role::Editor => "editor",
            Role::Admin => "admin",
        }
    }
}

/// What an operation needs, as a type. See [`OrgTx`](crate::store::OrgTx).
pub trait Permission: Send + 'static {
    /// The least role that has it.
    const NEEDS: Role;
}

/// `P: Covers<Q>`: who may do `P` may do `Q`.
pub trait Covers<Q: Permission>: Permission {}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident needs $role:ident covers [$($less:ident),*];)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl Permission for $name {
            const NEEDS: Role = Role::$role;
        }
        $(impl Covers<$less> for $name {})*
    )*};
}

permissions! {
    /// To see what the organization has.
    Read needs Viewer covers [Read];
    /// To open and update incidents and set the status of services.
    Respond needs Responder covers [Read, Respond];
    /// To create, change and delete services, groups and pages.
    Edit needs Editor covers [Read, Respond, Edit];
    /// To manage people and settings.
    Administer needs Admin covers [Read, Respond, Edit, Administer];
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person. The name is the one shown in the timeline at that time.
    User {
        /// Whose role is read inside the transaction.
        id: Id<User>,
        /// The session asked through; `None` for calls made on the person's behalf inside the process.
        session: Option<Id<Session>>,
        /// Full name.
        name: String,
    },
    /// A background task or the command line, by name; it may do everything.
    System(&'static str),
}

impl Actor {
    /// As events and the timeline carry it.
    pub fn describe(&self) -> ActorRef {
        match self {
            Actor::User { id, name, .. } => ActorRef { kind: "user".into(), id: Some(id.to_string()), name: name.clone() },
            Actor::System(task) => ActorRef { kind: "system".into(), id: None, name: (*task).into() },
        }
    }
}

/// An actor as an event carries it: a copy, since the timeline outlives the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRef {
    /// `user` or `system`.
    pub kind: String,
    /// The user's id; none for the system.
    pub id: Option<String>,
    /// The name at that time.
    pub name: String,
}

impl ActorRef {
    /// As JSON.
    pub fn json(&self) -> Value {
        serde_json::json!({ "kind": self.kind, "id": self.id, "name": self.name })
    }
}
