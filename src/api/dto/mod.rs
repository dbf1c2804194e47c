//! What goes over the wire. Fields may be added, never removed: clients rely on these shapes.
//!
//! Each type says what it is to three readers: serde writes it (and keeps it for `Idempotency-Key`), poem-openapi describes it, people read the
//! description. The version of a document is not in here but beside it, in [`Versioned`](super::etag::Versioned).

mod incident;
mod people;
mod service;
mod team;
mod timeline;
mod values;
mod words;

pub use incident::{Affected, Author, Incident, Update};
pub use people::{Organization, OwnOrganization, Profile, Session, SignedUp, User};
pub use service::{Group, Service};
pub use team::{Invitation, IssuedInvitation, Mail, Member, Offer, OfferedOrganization};
pub use timeline::{TimelineActor, TimelineData, TimelineEntry, TimelineSubject};
pub use values::Nullable;
pub use words::{Impact, IncidentStatus, Role, ServiceStatus, Visibility};
