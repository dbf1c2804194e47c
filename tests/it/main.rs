//! Journeys through the whole server, over real sockets: one binary, a module per journey.
//!
//! `harness` has the server, its clients and the real program as a child process. Nothing sleeps: tests wait for conditions.

mod account_pages;
mod admin_incidents;
mod admin_services;
mod admin_timeline;
mod asyncapi;
mod browser;
mod client;
mod crash;
mod demo;
mod errors;
mod front;
mod harness;
mod idempotency;
mod incidents;
mod live;
mod matrix;
mod page;
mod privacy;
mod resume;
mod security;
mod services;
mod sessions;
mod timeline;
mod users;
