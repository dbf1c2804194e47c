//! Who may do what: roles, the permission an operation names in its signature, and the actor every event names.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Error, Result};
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

    /// Its name, as people read it.
    pub fn label(self) -> &'static str {
        self.words().0
    }

    /// What somebody is who has it: its name with the article, within a sentence.
    pub fn holder(self) -> &'static str {
        self.words().1
    }

    /// What somebody may do who has it: what follows "may" in a sentence.
    pub fn may(self) -> &'static str {
        self.words().2
    }

    /// All that people read of roles, on pages and in mails.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Role::Viewer => ("Viewer", "a viewer", "see everything and change nothing"),
            Role::Responder => ("Responder", "a responder", "report incidents, post updates and set the status of services"),
            Role::Editor => ("Editor", "an editor", "do what responders do, and keep services, groups and the public page"),
            Role::Admin => ("Admin", "an admin", "do what editors do, and look after people and settings"),
        }
    }

    /// The role of this word.
    ///
    /// # Errors
    /// `Invalid`, under `field`, for any other word.
    pub fn parse(field: &str, word: &str) -> Result<Self> {
        let known = Role::ALL.into_iter().find(|role| role.as_str() == word);
        known.ok_or_else(|| Error::invalid(field, "must be viewer, responder, editor or admin"))
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

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn what_is_read_of_a_role_fits_its_word_and_a_sentence() {
        for role in Role::ALL {
            assert_eq!(role.label().to_lowercase(), role.as_str());
            assert!(role.holder().ends_with(role.as_str()), "{role:?}");
            // Templates begin sentences with it, and lower the rest.
            assert_eq!(role.may().to_lowercase(), role.may());
            assert!(!role.may().ends_with('.'), "{role:?}");
        }
    }

    #[test]
    fn the_readme_says_the_same() {
        let readme = include_str!("../README.md");
        for role in Role::ALL {
            let row = format!("| {} | {} |", role.label(), role.may());
            assert!(readme.contains(&row), "{row}");
        }
    }
}
