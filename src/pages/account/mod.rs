//! Accounts as pages: set-up, sign-up, sign-in and the way out.

pub mod templates;
