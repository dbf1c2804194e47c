//! The team: who belongs to the organization, who is invited, what each may do.
//!
//! | file | what |
//! |---|---|
//! | `people.rs` | everyone who is here, and for admins who was invited |
//! | `inviting.rs` | the form that invites somebody |
//! | `invited.rs` | an invitation: its link to pass on, a new one, taking it back |
//! | `one.rs` | one of the people: their role, and their removal |
//! | `leaving.rs` | one's own leaving |
//! | `roles.rs` | the field that chooses a role |
//!
//! Everyone sees who is here and as what. Invitations are for admins alone: their links are keys.

mod invited;
mod inviting;
mod leaving;
mod one;
mod people;
mod roles;

pub(crate) use invited::{invitation, resend, revoke};
pub(crate) use inviting::{invite, invite_form};
pub(crate) use leaving::{leave, leave_form};
pub(crate) use one::{member, remove, set_role};
pub(crate) use people::show;
