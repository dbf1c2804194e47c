//! The domain: one noun a file, with its stored type, its rules and its operations.
//!
//! Synchronous, and without I/O but through the transaction it is handed.

pub mod account;
pub mod answered;
pub mod directory;
pub mod group;
pub mod incident;
pub mod instance;
pub mod member;
pub mod order;
pub mod organization;
pub mod page;
pub mod password;
pub mod public;
pub mod public_event;
#[cfg(test)]
mod public_tests;
pub mod service;
pub mod session;
pub mod slug;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod timeline;
pub mod user;

use crate::store::Document;

/// A collection as [`COLLECTIONS`] lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Its number in stored keys.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// The prefix of its ids.
    pub prefix: &'static str,
}

const fn collection<D: Document>() -> Collection {
    Collection { number: D::NUMBER, name: D::NAME, prefix: D::PREFIX }
}

/// Everything that is stored, on one screen. Numbers are never reused.
pub const COLLECTIONS: &[Collection] = &[
    // Of no organization.
    collection::<user::User>(),
    collection::<session::Session>(),
    collection::<member::Membership>(),
    collection::<slug::Slug>(),
    collection::<instance::Instance>(),
    // Of an organization.
    collection::<organization::Organization>(),
    collection::<member::Member>(),
    collection::<page::Page>(),
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
