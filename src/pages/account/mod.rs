//! Pages for those who sign in. Forms work without JavaScript: POST, then 303; what was refused comes back with what was typed.
//!
//! Nothing here is kept by anyone or named in a referrer: every answer of the router is `no-store`, and a referrer names the origin alone.

mod agent;
mod dead_link;
mod demo;
mod forgotten;
mod home;
mod invited;
mod listing;
mod login;
mod one_time;
mod profile;
mod setup;
mod signup;
pub mod templates;

pub(crate) use demo::enter_demo;
pub(crate) use forgotten::{forgot, forgot_form};
pub(crate) use home::{found_organization, front_door, organizations};
pub(crate) use invited::{accept, invitation};
pub(crate) use login::{log_in, log_out, login_form};
pub(crate) use one_time::{reset, reset_form};
pub(crate) use profile::{change_password, end_other_sessions, end_session, rename, show};
pub(crate) use setup::{set_up, setup_form};
pub(crate) use signup::{sign_up, signup_form};
