//! Allclear.
pub mod access;
pub mod app;
pub mod clock;
pub mod domain;
pub mod error;
pub mod event;
pub mod id;
pub mod store;
pub mod throttle;
pub mod token;
