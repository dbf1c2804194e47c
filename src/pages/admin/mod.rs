//! An organization's own pages, `/o/:org/…`: where its people work.
//!
//! | file | what |
//! |---|---|
//! | `desk.rs` | [`Desk`](desk::Desk): who stands here, and the one way to the application |
//! | `frame.rs`, `told.rs` | what surrounds every page, the switch to other organizations in it; what was just done |
//! | `overview.rs`, `why.rs`, `count.rs` | what is broken, and why; what happened last; how many there are |
//! | `services/`, `groups.rs` | services and groups: create, edit, order, status, delete with undo |
//! | `incidents/` | report, post an update, correct, resolve, reopen, delete with undo |
//! | `team/` | people and their roles, invitations, leaving |
//! | `settings/` | the public page's and the organization's own settings, the logo, deleting the organization |
//! | `seen.rs`, `stale.rs` | what a form was filled in against; what somebody else changed meanwhile |
//! | `timeline/` | everything that happened, filtered, and as a file |
//! | `find.rs` | services, incidents, people, pages and actions by a few letters |
//! | `preview.rs` | Markdown as it will look |
//!
//! Every form is a POST that ends in a 303. With JavaScript htmx sends it and replaces `#app` by the same element of the page that it is led to:
//! there is one rendering of each page and, but for the preview of a text, no second set of fragments to keep like it. The page listens to its organization's room, and asks for
//! itself again when something happened there.

#[cfg(test)]
mod bound_tests;
mod count;
mod desk;
mod find;
pub(crate) mod frame;
mod groups;
mod incidents;
mod overview;
mod preview;
mod seen;
mod services;
mod settings;
mod stale;
mod team;
mod timeline;
pub(crate) mod told;
mod why;

use poem::{Route, get, post};

/// Adds these pages to the others.
pub(super) fn routes(route: Route) -> Route {
    route
        .at("/o/:org", get(overview::show))
        .at("/o/:org/services", get(services::list).post(services::create))
        .at("/o/:org/services/new", get(services::new_form))
        .at("/o/:org/services/:service", get(services::show).post(services::save))
        .at("/o/:org/services/:service/status", post(services::set_status))
        .at("/o/:org/services/:service/shift", post(services::shift))
        .at("/o/:org/services/:service/delete", post(services::delete))
        .at("/o/:org/services/:service/restore", post(services::restore))
        .at("/o/:org/groups", post(groups::create))
        .at("/o/:org/groups/new", get(groups::new_form))
        .at("/o/:org/groups/:group", get(groups::show).post(groups::save))
        .at("/o/:org/groups/:group/shift", post(groups::shift))
        .at("/o/:org/groups/:group/delete", post(groups::delete))
        .at("/o/:org/groups/:group/restore", post(groups::restore))
        .at("/o/:org/incidents", get(incidents::list).post(incidents::report))
        .at("/o/:org/incidents/new", get(incidents::report_form))
        .at("/o/:org/incidents/:incident", get(incidents::show).post(incidents::post_update))
        .at("/o/:org/incidents/:incident/edit", get(incidents::edit_form).post(incidents::save))
        .at("/o/:org/incidents/:incident/updates/:update", get(incidents::correct_form).post(incidents::correct))
        .at("/o/:org/incidents/:incident/delete", post(incidents::delete))
        .at("/o/:org/incidents/:incident/restore", post(incidents::restore))
        .at("/o/:org/team", get(team::show))
        .at("/o/:org/team/invite", get(team::invite_form).post(team::invite))
        .at("/o/:org/team/invitations/:invitation", get(team::invitation))
        .at("/o/:org/team/invitations/:invitation/resend", post(team::resend))
        .at("/o/:org/team/invitations/:invitation/revoke", post(team::revoke))
        .at("/o/:org/team/members/:user", get(team::member).post(team::set_role))
        .at("/o/:org/team/members/:user/remove", post(team::remove))
        .at("/o/:org/team/leave", get(team::leave_form).post(team::leave))
        .at("/o/:org/page", get(settings::page).post(settings::save_page))
        .at("/o/:org/page/logo", post(settings::upload_logo))
        .at("/o/:org/page/logo/remove", post(settings::remove_logo))
        .at("/o/:org/settings", get(settings::organization).post(settings::save_organization))
        .at("/o/:org/settings/delete", get(settings::delete_form).post(settings::delete))
        .at("/o/:org/timeline", get(timeline::show))
        .at("/o/:org/timeline.jsonl", get(timeline::json_lines))
        .at("/o/:org/timeline.csv", get(timeline::csv))
        .at("/o/:org/find", get(find::find))
        .at("/o/:org/preview", post(preview::preview))
}
