//! The JSON API: a face of the operations in `domain`, and its own description.
//!
//! | file | what |
//! |---|---|
//! | `problem.rs` | the one mapper from what went wrong to RFC 9457 problem+json |
//! | `answer.rs` | what handlers return: the status, the headers and the document of each kind of answer |
//! | `input.rs` | request bodies: every wrong or unknown field named |
//! | `query.rs`, `header.rs` | parameters, likewise |
//! | `etag.rs`, `repeat.rs`, `paging.rs` | conditional requests, `Idempotency-Key`, cursors |
//! | `caller.rs` | who asks, and which of their organizations an id belongs to |
//! | `dto/` | what goes over the wire |
//! | `users.rs`, `sessions.rs` | one's account; where one is signed in, and getting back in |
//! | `organizations.rs`, `members.rs`, `invitations.rs` | the tenants, their people, and who may come |
//! | `services.rs`, `groups.rs`, `incidents.rs`, `timeline.rs` | what has a status, what went wrong, what happened |
//! | `allow.rs`, `docs.rs` | the methods of each path; the page that shows the document |
//!
//! A handler is a few lines: parse, call one operation, answer. Rules live in `domain`, permission in the operations' signatures.

mod allow;
pub mod answer;
pub mod caller;
pub mod docs;
pub mod dto;
pub mod etag;
mod groups;
mod header;
mod incidents;
pub mod input;
mod invitations;
mod members;
mod organizations;
pub mod paging;
pub mod problem;
pub mod query;
pub mod repeat;
mod services;
mod sessions;
mod timeline;
mod users;

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{Response, Route, get};
use poem_openapi::{LicenseObject, OpenApiService, Tags};

/// The resources; a path's operations all stand in one of them.
type Resources = (
    users::Users,
    sessions::Sessions,
    organizations::Organizations,
    members::Members,
    invitations::Invitations,
    services::Services,
    groups::Groups,
    incidents::Incidents,
    timeline::Timeline,
);

/// The chapters of the document.
#[derive(Tags)]
enum Tag {
    /// Signing up, in and out, and one's own account.
    Accounts,
    /// The tenants.
    Organizations,
    /// Who belongs to an organization, and who is invited.
    People,
    /// The things that have a status, and the groups they are shown in.
    Services,
    /// What went wrong, and what is being said about it.
    Incidents,
    /// Everything that happened, append-only.
    Timeline,
}

/// Everything below `/api`. Errors leave it as errors; around the whole router, [`problem::into_response`] answers them.
pub fn routes() -> Route {
    Route::new()
        .nest("/", service())
        .at("/openapi.json", get(make_sync(|_| Response::builder().content_type("application/json").body(DOCUMENT.as_str()))))
        .at("/docs", get(make_sync(docs::docs)))
}

/// The API's description, OpenAPI 3.0 as JSON.
pub fn openapi_document() -> String {
    DOCUMENT.clone()
}

/// It never changes while the program runs, so it is written once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| service().spec());

fn service() -> OpenApiService<Resources, ()> {
    let resources = (
        users::Users,
        sessions::Sessions,
        organizations::Organizations,
        members::Members,
        invitations::Invitations,
        services::Services,
        groups::Groups,
        incidents::Incidents,
        timeline::Timeline,
    );
    OpenApiService::new(resources, "Allclear", env!("CARGO_PKG_VERSION"))
        .description(
            "Service status and incidents. Sign in for a session cookie. Times are RFC 3339 in UTC, ids are opaque, lists come in pages \
             (`data`, `next_cursor`), errors are RFC 9457 problem documents. An id that is unknown, malformed or another organization's is 404.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
        .server("/api")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                found.push((format!("{method} {path}"), operation));
            }
        }
        found
    }

    #[test]
    fn the_document_is_openapi_3_0_with_its_server() {
        let document: Value = serde_json::from_str(&openapi_document()).unwrap();
        assert_eq!(document["openapi"], "3.0.0");
        assert_eq!(document["servers"][0]["url"], "/api");
        assert_eq!(document["components"]["securitySchemes"]["session"]["in"], "cookie");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_summary_and_a_typed_problem() {
        let document: Value = serde_json::from_str(&openapi_document()).unwrap();
        let operations = operations(&document);
        let names: HashSet<_> = operations.iter().map(|(at, operation)| operation["operationId"].as_str().expect(at)).collect();
        assert_eq!(names.len(), operations.len());
        for (at, operation) in operations {
            assert!(operation["summary"].is_string(), "{at}");
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{at}");
        }
    }

    #[test]
    fn only_the_ways_in_are_open_to_strangers() {
        let document: Value = serde_json::from_str(&openapi_document()).unwrap();
        let mut open: Vec<_> =
            operations(&document).into_iter().filter(|(_, operation)| operation["security"].is_null()).map(|(at, _)| at).collect();
        open.sort();
        assert_eq!(
            open,
            [
                "get /users/invitations/{token}",
                "post /users/auth/login",
                "post /users/auth/password/forgot",
                "post /users/auth/password/reset",
                "post /users/auth/signup",
            ]
        );
    }

    #[test]
    fn the_paths_are_those_of_the_contract() {
        let document: Value = serde_json::from_str(&openapi_document()).unwrap();
        let mut paths: Vec<_> = operations(&document).into_iter().map(|(at, _)| at).collect();
        paths.sort();
        assert_eq!(
            paths,
            [
                "delete /incidents/{id}",
                "delete /service-groups/{id}",
                "delete /services/{id}",
                "delete /services/{service_id}/incidents/{id}",
                "delete /users/auth/sessions/{id}",
                "delete /users/organizations/{id}",
                "delete /users/organizations/{id}/invitations/{inv_id}",
                "delete /users/organizations/{id}/members/{user_id}",
                "get /incidents",
                "get /incidents/{id}",
                "get /service-groups",
                "get /service-groups/{id}",
                "get /services",
                "get /services/{id}",
                "get /services/{service_id}/incidents",
                "get /services/{service_id}/incidents/{id}",
                "get /timeline/organization/{org_id}",
                "get /timeline/service/{service_id}",
                "get /users/auth/profile",
                "get /users/auth/sessions",
                "get /users/invitations/{token}",
                "get /users/organizations",
                "get /users/organizations/{id}",
                "get /users/organizations/{id}/invitations",
                "get /users/organizations/{id}/members",
                "get /users/organizations/{id}/members/{user_id}",
                "post /incidents",
                "post /incidents/{id}/updates",
                "post /service-groups",
                "post /services",
                "post /services/{service_id}/incidents",
                "post /users/auth/login",
                "post /users/auth/logout",
                "post /users/auth/password",
                "post /users/auth/password/forgot",
                "post /users/auth/password/reset",
                "post /users/auth/signup",
                "post /users/invitations/{token}/accept",
                "post /users/organizations/{id}/invitations",
                "post /users/organizations/{id}/invitations/{inv_id}/resend",
                "put /incidents/{id}",
                "put /incidents/{id}/updates/{update_id}",
                "put /service-groups/{id}",
                "put /services/{id}",
                "put /services/{service_id}/incidents/{id}",
                "put /users/auth/profile",
                "put /users/organizations/{id}",
                "put /users/organizations/{id}/members/{user_id}",
            ]
        );
    }
}
