//! Pages for people: what visitors see, and the forms of those who sign in.

pub mod account;
pub mod docs;
pub mod markdown;
pub mod public;
pub mod shell;
