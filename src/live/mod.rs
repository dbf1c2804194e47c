//! Live updates: everyone who watches hears of a change once it is durable, in order, and exactly once across a lost connection.
//!
//! | file | what |
//! |---|---|
//! | `hub.rs` | [`Hub`]: rooms of bounded queues of shared frames; who is closed when a session ends or a role changes |
//! | `presence.rs` | who looks at which incident at this moment |
//! | `frame.rs` | [`Frame`](frame::Frame), and the one encoder of event streams |
//! | `follower.rs` | [`follow`]: from the log to the rooms, and to those who may not be there any more |
//! | `protocol.rs` | room names, event ids, the messages of both sides |
//! | `access.rs` | who may join which room |
//! | `resume.rs` | what a client missed, from the log |
//! | `sse.rs` | `/live/sse`, and the stream that other endpoints may answer with |
//! | `websocket.rs`, `peer.rs` | `/live/ws`: the handshake, then the conversation |
//!
//! The way in is: connect to the hub, ask for access, join, read the log, drop from the queue what the log has told. Joining comes before
//! reading, so that nothing falls between the two; access is asked for after connecting, so that a session that ends meanwhile is either seen
//! in the store or heard of by the connection.
//!
//! The protocol is written down for others in `docs/asyncapi.json`; a test holds the two together.

mod access;
mod follower;
pub mod frame;
pub mod hub;
mod peer;
mod presence;
pub mod protocol;
mod resume;
pub mod sse;
mod websocket;

use poem::{Route, get};

pub use follower::follow;
pub use hub::{Closed, Connection, Hub, Identity, Receiver, Room};

/// `/ws` and `/sse`.
pub fn routes() -> Route {
    Route::new().at("/ws", get(websocket::open)).at("/sse", get(sse::open))
}
