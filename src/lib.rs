//! Allclear.
pub mod access;
pub mod app;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod event;
pub mod http;
pub mod id;
pub mod pages;
pub mod store;
pub mod throttle;
pub mod token;
