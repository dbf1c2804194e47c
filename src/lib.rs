//! Allclear: service status and incidents for many organizations, in one binary.
//!
//! # The way of one change
//!
//! Everything that changes an organization travels one road, whoever asks:
//!
//! ```text
//! request → typed input → operation (rules, in one place) → one transaction { rows + event + public projection }
//!         → commit → the log, in order → hub (rooms) · page cache
//! ```
//!
//! [`app::App::change`] opens the transaction, reads the actor's role inside it and runs an operation of [`domain`]; the operation answers with an
//! [`event::Change`], its value and what happened; the events are numbered and written in the same transaction, with what visitors may hear of
//! them ([`domain::public_event`]). After the commit the store has the pages in memory marked, answers the author, and one follower
//! ([`live::follow`]) takes the log in order and feeds the [`live::Hub`]. Nothing is announced before it is durable.
//!
//! # What lives where
//!
//! | module | what |
//! |---|---|
//! | [`cli`], [`config`], [`serve`] | the command line, the settings, from settings to a running server |
//! | [`control`] | what the command line asks of a running server |
//! | [`app`] | the only road to the store; signing up, in and out, forgotten passwords, who belongs where, the operator's side |
//! | [`access`], [`error`], [`event`], [`id`], [`clock`], [`token`], [`throttle`] | who may, what goes wrong, what happened, names, time, sealed tokens, how often |
//! | [`domain`] | one noun a file: stored type, rules, operations; `public` is the filter between members and visitors |
//! | [`demo`] | the demonstration: an invented organization with a past, in memory, that moves on by itself |
//! | [`store`] | typed collections over a narrow port, and the engines behind it |
//! | [`live`] | rooms, WebSocket and SSE, resume; who else looks at an incident |
//! | [`mail`] | invitations, links for forgotten passwords, word of a changed one; the relay that takes them |
//! | [`tasks`] | what happens by the clock, on one node where there are several: removing what is over, and what deleted organizations left |
//! | [`http`] | the accept loop and its limits, headers, cookies, assets |
//! | [`api`] | the JSON API and its OpenAPI document; problem+json |
//! | [`pages`] | what people see: the public page with its cache and stream, an organization's admin pages, the account and the front door, the operator's side |
//! | [`web`] | what handlers share, and the one router |
//!
//! Dependencies point one way: `api, pages, live, tasks, control, cli → app, domain → store, event, access, id, clock`, and `store → config` for where it is; `app` hands letters to `mail`,
//! which knows nothing of who sends them.

pub mod access;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod domain;
pub mod error;
pub mod event;
pub mod http;
pub mod id;
pub mod live;
pub mod mail;
pub mod pages;
pub mod serve;
pub mod store;
pub mod tasks;
pub mod throttle;
pub mod token;
pub mod web;
