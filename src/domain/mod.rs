//! The domain: one noun a file, with its stored type, its rules and its operations.
//!
//! Synchronous, and without I/O but through the transaction it is handed.
//!
//! | file | what |
//! |---|---|
//! | `user.rs`, `password.rs`, `session.rs`, `account.rs` | people, how they prove who they are, where they are signed in, and what begins an account |
//! | `organization.rs`, `slug.rs`, `page.rs`, `logo.rs` | organizations, the words in their addresses, their public pages and pictures |
//! | `member.rs`, `invitation.rs` | who belongs to an organization in which role, and who may come to |
//! | `instance.rs`, `tenant.rs`, `directory.rs`, `purge.rs` | who runs the instance, what they see of organizations, what strangers see of all of them, what deleted ones left |
//! | `keyring.rs` | whether all nodes have the same keys |
//! | `lease.rs` | which of several nodes does what is to happen once |
//! | `service.rs`, `group.rs`, `order.rs` | the things that have a status, and how they are arranged |
//! | `incident.rs`, `status.rs` | what went wrong, and what follows from it for services |
//! | `timeline.rs`, `naming.rs` | reading what happened; finding things by their names |
//! | `public.rs`, `public_event.rs` | the filter between members and visitors |
//! | `answered.rs`, `text.rs` | answers that may be asked for again; what people type, parsed |

pub mod account;
pub mod answered;
pub mod directory;
pub mod group;
pub mod incident;
pub mod instance;
pub mod invitation;
pub mod keyring;
pub mod lease;
pub mod logo;
pub mod member;
pub mod naming;
pub mod order;
pub mod organization;
pub mod page;
pub mod password;
pub mod public;
pub mod public_event;
#[cfg(test)]
mod public_tests;
pub mod purge;
pub mod service;
pub mod session;
pub mod slug;
pub mod status;
pub mod tenant;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod timeline;
pub mod user;

use crate::error::Result;
use crate::store::{Document, Row, Shape, refile, shapes};

/// A collection as [`COLLECTIONS`] lists it.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    /// Its number in stored keys.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// The prefix of its ids.
    pub prefix: &'static str,
    /// Its stored documents as they would be written now.
    pub(crate) refile: fn(&[u8]) -> Result<Row>,
    /// Its indexes, for engines with tables.
    pub(crate) shapes: fn() -> Vec<Shape>,
}

pub(crate) const fn collection<D: Document>() -> Collection {
    Collection { number: D::NUMBER, name: D::NAME, prefix: D::PREFIX, refile: refile::<D>, shapes: shapes::<D> }
}

/// Everything that is stored, on one screen. Numbers are never reused.
pub const COLLECTIONS: &[Collection] = &[
    // Of no organization.
    collection::<user::User>(),
    collection::<session::Session>(),
    collection::<member::Membership>(),
    collection::<slug::Slug>(),
    collection::<instance::Instance>(),
    collection::<lease::Lease>(),
    collection::<purge::Purge>(),
    collection::<keyring::KeyPrint>(),
    // Of an organization.
    collection::<organization::Organization>(),
    collection::<member::Member>(),
    collection::<invitation::Invitation>(),
    collection::<page::Page>(),
    collection::<logo::LogoFile>(),
    collection::<group::Group>(),
    collection::<service::Service>(),
    collection::<incident::Incident>(),
    collection::<incident::IncidentLink>(),
    collection::<answered::Answered>(),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::COLLECTIONS;

    #[test]
    fn no_two_collections_share_a_number_a_name_or_a_prefix() {
        let distinct = |key: fn(&super::Collection) -> String| COLLECTIONS.iter().map(key).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|c| c.number.to_string()), COLLECTIONS.len());
        assert_eq!(distinct(|c| c.name.into()), COLLECTIONS.len());
        assert_eq!(distinct(|c| c.prefix.into()), COLLECTIONS.len());
    }
}
