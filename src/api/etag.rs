//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, 8.8 and 13.1).
//!
//! A tag is `"<version>-<hash>"`. A GET compares all of it, since what is shown can change without the document (a service's status is derived);
//! `If-Match` compares the version, since that is what a writer has based their change on.

use poem::Request;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::header::header_parameter;
use crate::domain::group::Group;
use crate::domain::incident::Incident;
use crate::domain::member::Member;
use crate::domain::organization::Organization;
use crate::domain::service::Service;
use crate::error::Result;
use crate::id::Id;
use crate::store::{OrgDocument, Reads};

/// What is answered, and the version of the document that it shows. Kept as it is for `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// Counts the changes of the document.
    pub version: u64,
    /// What the client gets.
    pub body: T,
}

/// The tag of a representation, quotes included.
pub fn tag(version: u64, body: &[u8]) -> String {
    let hash: String = Sha256::digest(body)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{version}-{hash}\"")
}

/// The version in one of our tags; `None` for what is none of them.
fn version_of(tag: &str) -> Option<u64> {
    let (version, hash) = tag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    let ours = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && version.bytes().all(|byte| byte.is_ascii_digit());
    if ours { version.parse().ok() } else { None }
}

/// The tags of a header, which may come as a list or several times.
fn tags(request: &Request, name: &str) -> Vec<String> {
    let lines = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

/// A document with a version.
pub trait Counted: OrgDocument {
    /// Counts its changes, from 1.
    fn version(&self) -> u64;
}

macro_rules! counted {
    ($($document:ty),*) => {
        $(impl Counted for $document {
            fn version(&self) -> u64 {
                self.version
            }
        })*
    };
}
counted!(Organization, Member, Service, Group, Incident);

/// Which versions a writer has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// The header was not sent, or is `*`: whatever there is.
    Any,
    /// One of these. What is no tag of ours, or a weak one, matches nothing.
    OneOf(Vec<u64>),
}

header_parameter!(IfMatch);

impl IfMatch {
    fn of(request: &Request) -> Result<Self> {
        if !request.headers().contains_key("if-match") {
            return Ok(Self::Any);
        }
        let tags = tags(request, "if-match");
        if tags.iter().any(|tag| tag == "*") {
            return Ok(Self::Any);
        }
        Ok(Self::OneOf(tags.iter().filter_map(|tag| version_of(tag)).collect()))
    }

    /// The version that an operation should insist on. Read in the transaction, since several may be right.
    ///
    /// # Errors
    /// What the store says.
    pub fn expected<D: Counted>(&self, view: &impl Reads, id: Id<D>) -> Result<Option<u64>> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(versions) => Ok(view.find(id)?.map(|document| pick(document.version(), versions))),
        }
    }
}

/// Versions count from 1, so that 0 is always stale.
fn pick(current: u64, versions: &[u64]) -> u64 {
    if versions.contains(&current) { current } else { 0 }
}

/// What a reader has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

header_parameter!(IfNoneMatch);

impl IfNoneMatch {
    fn of(request: &Request) -> Result<Self> {
        Ok(Self(tags(request, "if-none-match")))
    }

    /// Whether the reader has the representation with this tag. Weak tags compare as well here (RFC 9110, 8.8.3.2).
    pub fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &'static str, value: &str) -> Request {
        Request::builder().header(name, value).finish()
    }

    #[test]
    fn a_tag_tells_version_and_content() {
        let tag = tag(7, b"{}");
        assert_eq!(tag, "\"7-44136fa355b3678a\"");
        assert_eq!(version_of(&tag), Some(7));
        assert_ne!(tag, super::tag(7, b"{ }"));
    }

    #[test]
    fn if_match_compares_the_version_alone() {
        let of = |value: &str| IfMatch::of(&sent("if-match", value)).unwrap();
        assert_eq!(IfMatch::of(&Request::default()).unwrap(), IfMatch::Any);
        assert_eq!(of("*"), IfMatch::Any);
        assert_eq!(of("\"7-0000000000000000\""), IfMatch::OneOf(vec![7]));
        assert_eq!(of("\"7-0000000000000000\", \"9-00000000000000ff\""), IfMatch::OneOf(vec![7, 9]));
        for malformed in ["7", "\"7\"", "W/\"7-0000000000000000\"", "\"+7-0000000000000000\"", "\"7-xyz\"", "\"\"", "nonsense"] {
            assert_eq!(of(malformed), IfMatch::OneOf(Vec::new()), "{malformed}");
        }
    }

    #[test]
    fn any_of_several_versions_will_do() {
        assert_eq!(pick(5, &[3, 5]), 5);
        assert_eq!(pick(4, &[3, 5]), 0);
        assert_eq!(pick(1, &[]), 0);
    }

    #[test]
    fn if_none_match_compares_all_of_it() {
        let of = |value: &str| IfNoneMatch::of(&sent("if-none-match", value)).unwrap();
        let tag = tag(7, b"{}");
        assert!(of(&tag).has(&tag) && of("*").has(&tag) && of(&format!("\"x\", W/{tag}")).has(&tag));
        assert!(!of("\"7-0000000000000000\"").has(&tag));
        assert!(!IfNoneMatch::of(&Request::default()).unwrap().has(&tag));
    }
}
