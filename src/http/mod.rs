//! The way in: from a socket to the router and back.
//!
//! | File | What it holds |
//! |---|---|
//! | `server` | [`Server`]: the accept loop; [`bind`], [`raise_fd_limit`] |
//! | `connection` | one connection's deadlines, from accept to close |
//! | `conversation` | which protocol it speaks |
//! | `registry` | who is connected: the caps, and whom to evict |
//! | `service` | one request: fast path, body, endpoint, headers of the answer |
//! | `body` | reading a request's body within its limits |
//! | `limits` | [`Limits`]: every figure, in one place |
//! | `shutdown` | [`Shutdown`]: who must end, and who is waited for |
//! | `refuse` | problem+json for what never reaches a handler |
//! | `request_id`, `client`, `headers` | what every request carries in and every answer carries out |
//! | `csrf`, `cors`, `cookie` | what browsers need and what they must not be used for |
//! | `encoding`, `assets` | negotiation, conditional requests, embedded files with hashed names |
//!
//! Why not `poem::Server`: it has no deadline for a request's head, spins on `EMFILE`, and cuts streams when it stops. poem keeps what it
//! is good at, routing and extracting.

pub mod assets;
mod body;
pub mod client;
mod connection;
mod conversation;
pub mod cookie;
pub mod cors;
pub mod csrf;
pub mod encoding;
pub mod headers;
pub mod limits;
pub mod refuse;
mod registry;
pub mod request_id;
pub mod server;
mod service;
pub mod shutdown;

pub use client::{ClientAddr, TrustedProxies};
pub use cookie::SessionCookie;
pub use cors::Cors;
pub use csrf::{CrossSite, Csrf};
pub use encoding::Encoding;
pub use headers::SecurityHeaders;
pub use limits::Limits;
pub use request_id::{RequestId, RequestIds};
pub use server::{FastPath, NoFastPath, Server, bind, raise_fd_limit};
pub use shutdown::Shutdown;
