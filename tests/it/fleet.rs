//! Several equal nodes on one PostgreSQL, as behind a load balancer: real programs, each with a line to the database that can be cut.
//!
//! `journeys` are what people notice of it, one at a time; `moving` is the way there; `storm` breaks everything in turn while people write and listen.

mod encryption;
mod journeys;
mod moving;
mod nodes;
mod storm;
mod viewers;
mod writers;
