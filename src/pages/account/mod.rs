//! Pages for those who sign in. Forms work without JavaScript: POST, then 303; what was refused comes back with what was typed.
//!
//! Nothing here is kept by anyone or named in a referrer: every answer of the router is `no-store`, and a referrer names the origin alone.

mod agent;
mod demo;
mod home;
mod listing;
mod login;
mod profile;
mod setup;
mod signup;
pub mod templates;

pub(crate) use demo::enter_demo;
pub(crate) use home::{front_door, organizations};
pub(crate) use login::{log_in, log_out, login_form};
pub(crate) use profile::{change_password, end_other_sessions, end_session, rename, show};
pub(crate) use setup::{set_up, setup_form};
pub(crate) use signup::{sign_up, signup_form};
