//! Journeys through the whole server, over real sockets: one binary, a module per journey.
//!
//! `harness` has the server, its clients and the real program as a child process. Nothing sleeps: tests wait for conditions.
//!
//! They run on the embedded store, and with `ENGINE_FOR_TESTS=postgres` on PostgreSQL; `fleet` needs PostgreSQL in any case. Where that
//! is they are told by `POSTGRES_FOR_TESTS`, which `scripts/with-postgres` sets.

mod account_pages;
mod account_people;
mod admin_incidents;
mod admin_services;
mod admin_settings;
mod admin_team;
mod admin_timeline;
mod asyncapi;
mod browser;
mod client;
mod crash;
mod demo;
mod errors;
mod fleet;
mod front;
mod harness;
mod idempotency;
mod incidents;
mod instance;
mod invitations;
mod live;
mod mail;
mod matrix;
mod page;
mod page_settings;
mod people;
mod privacy;
mod resume;
mod security;
mod security_people;
mod services;
mod sessions;
mod timeline;
mod users;
