//! What nobody may do to a demonstration: all visitors are one person, so that a change of who may enter would shut everyone else out.

use http::Method;

/// Why it is refused.
pub const SHARED: &str = "Everyone who looks around in this demonstration is the same person, so this would reach all of them. \
                          Start an instance of your own to try it.";

/// What tells of one visitor to the others: they are one person, with many sessions.
const HIDDEN: &str = "/api/users/auth/sessions";

/// What is changed below these paths stays as it is; `*` is one part of a path.
const KEPT: [&str; 8] = [
    "/o/*/team/members",
    "/o/*/team/leave",
    "/o/*/settings",
    "/instance",
    "/api/users/auth/sessions",
    "/api/users/auth/password",
    "/api/users/organizations/*/members",
    "/api/users/organizations/*",
];

/// Whether a request would change who may enter, or where.
pub fn refuses(method: &Method, path: &str) -> bool {
    let is_change = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    // As the router reads a path, for which several slashes are one.
    let given = parts(path);
    below(&given, HIDDEN) || is_change && KEPT.iter().any(|kept| below(&given, kept))
}

fn below(given: &[&str], kept: &str) -> bool {
    let kept = parts(kept);
    // An organization itself is kept; of what is below it, only what stands in the list.
    let is_whole = kept.last() != Some(&"*") || given.len() == kept.len();
    is_whole && given.len() >= kept.len() && kept.iter().zip(given).all(|(kept, given)| *kept == "*" || kept == given)
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_shut_others_out_is_refused_and_the_rest_is_there_to_be_tried() {
        for path in [
            "/o/skerry/team/members/usr_1",
            "/o/skerry/team/members/usr_1/remove",
            "/o/skerry/team/leave",
            "/o/skerry/settings",
            "/o/skerry/settings/delete/",
            "/instance/organizations",
            "/instance/organizations/org_1/suspend",
            "/api/users/auth/sessions/ses_1",
            "/api/users/auth/password/reset",
            "/api/users/organizations/org_1",
            "/api/users/organizations/org_1/members/usr_1",
        ] {
            assert!(refuses(&Method::POST, path), "{path}");
            assert!(refuses(&Method::POST, &path.replace('/', "//")), "{path}");
            assert_eq!(refuses(&Method::GET, path), path.contains("sessions"), "{path}");
        }
        assert!(refuses(&Method::GET, "/api/users/auth//sessions/"));
        for path in [
            "/o/skerry/services",
            "/o/skerry/team/invite",
            "/o/skerry/page",
            "/o/skerry/settingsx",
            "/api/services/svc_1",
            "/api/users/organizations/org_1/invitations",
            "/api/users/organizations",
        ] {
            assert!(!refuses(&Method::POST, path), "{path}");
        }
    }
}
