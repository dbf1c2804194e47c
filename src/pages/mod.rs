//! Pages for people: what visitors see, and the forms of those who sign in.
//!
//! | file | what |
//! |---|---|
//! | `public/` | the public page: rendered once per change, kept in memory, followed by a stream |
//! | `admin/` | an organization's own pages: overview, incidents, services, timeline, team, settings, find |
//! | `account/` | setting up, signing up, in and out, taking an invitation, forgotten passwords; one's name, password, sessions and organizations; the front page |
//! | `instance/` | the operator's side: which organizations there are, suspending and deleting them, and how the instance is set up |
//! | `answer.rs`, `fields.rs`, `form.rs` | what pages answer, what forms send, how forms are shown |
//! | `when.rs`, `styleguide.rs` | moments and states as templates show them; every part in every state, in debug builds |
//! | `error.rs` | what a browser gets where a program gets problem+json |
//! | `machines.rs` | `/healthz`, `/robots.txt` |
//! | `docs.rs` | the page that shows the API's document |
//! | `shell.rs`, `markdown.rs` | where we are reached; what people write, made harmless |
//!
//! Templates mirror this in `templates/`; their structs stand next to the handlers.

pub mod account;
mod admin;
mod answer;
pub mod docs;
mod error;
mod fields;
pub mod form;
mod instance;
mod machines;
pub mod markdown;
pub mod public;
pub mod shell;
#[cfg(debug_assertions)]
mod styleguide;
mod when;

use poem::{Route, get, post};

pub(crate) use answer::see_other;
pub(crate) use error::way_in;
pub use error::{error_page, wants_html};

/// Every page. Errors leave it as errors: around the whole router they become [`error_page`]s for browsers.
pub fn routes() -> Route {
    let route = admin::routes(Route::new());
    #[cfg(debug_assertions)]
    let route = route.at("/styleguide", get(styleguide::show));
    route
        .at("/", get(account::front_door))
        .at("/p/:slug", get(public::page).head(public::page))
        .at("/p/:slug/live", get(public::live::stream))
        .at("/p/:slug/logo/:file", get(public::logo))
        .at("/setup", post(account::set_up))
        .at("/setup/:token", get(account::setup_form).post(account::set_up))
        .at("/signup", get(account::signup_form).post(account::sign_up))
        .at("/invite/:token", get(account::invitation).post(account::accept))
        .at("/forgot", get(account::forgot_form).post(account::forgot))
        .at("/reset/:token", get(account::reset_form).post(account::reset))
        .at("/login", get(account::login_form).post(account::log_in))
        .at("/logout", post(account::log_out))
        .at("/demo", post(account::enter_demo))
        .at("/organizations", get(account::organizations).post(account::found_organization))
        .at("/account", get(account::show))
        .at("/account/name", post(account::rename))
        .at("/account/password", post(account::change_password))
        .at("/account/sessions/:session/end", post(account::end_session))
        .at("/account/sessions/end-others", post(account::end_other_sessions))
        .at("/instance", get(instance::show))
        .at("/instance/organizations", get(instance::new_form).post(instance::create))
        .at("/instance/organizations/:org", get(instance::one))
        .at("/instance/organizations/:org/suspend", post(instance::suspend))
        .at("/instance/organizations/:org/resume", post(instance::resume))
        .at("/instance/organizations/:org/delete", get(instance::delete_form).post(instance::delete))
        .at("/instance/organizations/:org/invitation", get(instance::invitation))
        .at("/instance/organizations/:org/invitation/resend", post(instance::resend))
        .at("/healthz", get(machines::healthz))
        .at("/robots.txt", get(machines::robots))
        .at("/assets/*", crate::http::assets::Assets)
}
