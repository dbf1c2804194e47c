//! Pages: every route of the sources, for nobody, a stranger and every role; and with a stranger's ids.

use std::collections::BTreeSet;

use super::{Admin, Editor, Responder, Viewer};
use super::{Place, Role, shape};
use crate::admin_settings::png;
use crate::harness::{Client, Server};

/// A page route: who gets what. Statuses for nobody, a stranger and a member; `None` where other journeys look.
struct PageRule(&'static str, &'static str, Option<[u16; 3]>);

const PAGES: &[PageRule] = &[
    // Nobody has set this instance up; who has one organization is led to it, who has several chooses.
    PageRule("GET", "/", Some([200, 303, 200])),
    PageRule("GET", "/login", Some([200, 303, 303])),
    // Without a field they are refused; `sessions` signs up, in and out by them.
    PageRule("POST", "/login", Some([401, 401, 401])),
    PageRule("GET", "/signup", Some([200, 200, 200])),
    PageRule("POST", "/signup", Some([422, 422, 422])),
    PageRule("POST", "/logout", None),
    // What a link that does not work is answered; `account_people` has those that do.
    PageRule("GET", "/invite/{token}", Some([404, 404, 404])),
    PageRule("POST", "/invite/{token}", Some([404, 404, 404])),
    PageRule("GET", "/forgot", Some([200, 200, 200])),
    PageRule("POST", "/forgot", Some([422, 422, 422])),
    PageRule("GET", "/reset/{token}", Some([404, 404, 404])),
    PageRule("POST", "/reset/{token}", Some([404, 404, 404])),
    PageRule("GET", "/setup/{token}", Some([404, 404, 404])),
    PageRule("POST", "/setup/{token}", Some([422, 422, 422])),
    PageRule("POST", "/setup", Some([422, 422, 422])),
    PageRule("GET", "/p/{slug}", Some([200, 200, 200])),
    PageRule("GET", "/p/{slug}/live", Some([200, 200, 200])),
    PageRule("GET", "/p/{slug}/logo/{file}", Some([404, 404, 404])),
    PageRule("GET", "/live/sse?room=page:{slug}", Some([200, 200, 200])),
    PageRule("GET", "/live/sse?room=org:{org}", Some([401, 404, 200])),
    PageRule("GET", "/live/sse?room=service:{service}", Some([401, 404, 200])),
    PageRule("GET", "/live/ws", None),
    PageRule("GET", "/healthz", Some([200, 200, 200])),
    PageRule("GET", "/robots.txt", Some([200, 200, 200])),
    // Where there is no demonstration, nobody enters it.
    PageRule("POST", "/demo", Some([404, 404, 404])),
    PageRule("GET", "/organizations", Some([401, 200, 200])),
    PageRule("POST", "/organizations", Some([401, 422, 422])),
    PageRule("GET", "/account", Some([401, 200, 200])),
    PageRule("POST", "/account/name", Some([401, 422, 422])),
    PageRule("POST", "/account/password", Some([401, 422, 422])),
    PageRule("POST", "/account/sessions/{session}/end", Some([401, 404, 404])),
    PageRule("POST", "/account/sessions/end-others", Some([401, 303, 303])),
    // For the operator, who is none of these; `instance` is about them.
    PageRule("GET", "/instance", Some([401, 404, 404])),
    PageRule("GET", "/instance/organizations", Some([401, 404, 404])),
    PageRule("POST", "/instance/organizations", Some([401, 404, 404])),
    PageRule("GET", "/instance/organizations/{org}", Some([401, 404, 404])),
    PageRule("POST", "/instance/organizations/{org}/suspend", Some([401, 404, 404])),
    PageRule("POST", "/instance/organizations/{org}/resume", Some([401, 404, 404])),
    PageRule("GET", "/instance/organizations/{org}/delete", Some([401, 404, 404])),
    PageRule("POST", "/instance/organizations/{org}/delete", Some([401, 404, 404])),
    PageRule("GET", "/instance/organizations/{org}/invitation", Some([401, 404, 404])),
    PageRule("POST", "/instance/organizations/{org}/invitation/resend", Some([401, 404, 404])),
    PageRule("GET", "/styleguide", None),
    PageRule("GET", "/assets/{name}", Some([404, 404, 404])),
    PageRule("GET", "/api/docs", Some([200, 200, 200])),
    PageRule("GET", "/api/openapi.json", Some([200, 200, 200])),
];

/// The routes as the sources write them, `.at("/path", get(…).post(…))`: poem's router can't be asked for its own.
fn routed() -> BTreeSet<(String, String)> {
    let sources = [
        ("", include_str!("../../../src/pages/mod.rs")),
        ("", include_str!("../../../src/pages/admin/mod.rs")),
        ("/live", include_str!("../../../src/live/mod.rs")),
        ("/api", include_str!("../../../src/api/mod.rs")),
    ];
    let mut routes = BTreeSet::new();
    for (prefix, source) in sources {
        for route in source.split(".at(\"").skip(1) {
            let (path, rest) = route.split_once('"').expect("a path");
            let handlers = rest.lines().next().unwrap_or_default();
            let methods = [("GET", "get("), ("POST", "post("), ("PUT", "put("), ("PATCH", "patch("), ("DELETE", "delete(")];
            let mut found: Vec<_> = methods.iter().filter(|(_, call)| handlers.contains(call)).map(|(method, _)| *method).collect();
            if found.is_empty() {
                found.push("GET");
            }
            routes.extend(found.into_iter().map(|method| (method.to_owned(), shape(&format!("{prefix}{path}")))));
        }
    }
    routes
}

#[test]
fn the_table_has_every_page_route_and_no_other() {
    let own = OWN.iter().map(|page| (page.0.to_owned(), shape(page.1)));
    let ruled: BTreeSet<_> = PAGES.iter().map(|page| (page.0.to_owned(), shape(page.1))).chain(own).collect();
    assert_eq!(routed(), ruled);
}

#[tokio::test]
async fn every_page_is_for_whom_it_is_for() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    let service = ada.private_service("Inside").await;
    let people = [server.anonymous(), server.sign_up("eve").await, viewer];
    for page in PAGES {
        let Some(expected) = page.2 else { continue };
        let path = page
            .1
            .replace("{slug}", &ada.slug)
            .replace("{org}", &ada.org_id)
            .replace("{service}", &service)
            .replace("{session}", "ses_00000000000000000000000000000001")
            .replace("{token}", "x")
            .replace("{file}", "x.png")
            .replace("{name}", "x");
        for (caller, expected) in people.iter().zip(expected) {
            let status = match page.0 {
                "GET" => caller.open(&path).await.status().as_u16(),
                method => caller.send(method, &path, &[("content-type", "application/x-www-form-urlencoded")], "").await.status,
            };
            assert_eq!(status, expected, "{} {path} by {}", page.0, caller.email);
        }
    }
}

/// A page of an organization: the role it needs, and the fields with which its form is taken.
struct OwnRule(&'static str, &'static str, Role, &'static [(&'static str, &'static str)]);

const OWN: &[OwnRule] = &[
    OwnRule("GET", "/o/{slug}", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/services", Viewer, &[]),
    OwnRule(
        "POST",
        "/o/{slug}/services",
        Editor,
        &[("name", "New"), ("description", ""), ("group_id", ""), ("visibility", "public"), ("own_status", "operational")],
    ),
    OwnRule("GET", "/o/{slug}/services/new", Editor, &[]),
    OwnRule("GET", "/o/{slug}/services/{service}", Viewer, &[]),
    OwnRule(
        "POST",
        "/o/{slug}/services/{service}",
        Editor,
        &[("name", "Renamed"), ("description", ""), ("group_id", ""), ("visibility", "public")],
    ),
    OwnRule("POST", "/o/{slug}/services/{service}/status", Responder, &[("own_status", "major_outage")]),
    OwnRule("POST", "/o/{slug}/services/{service}/shift", Editor, &[("direction", "up")]),
    OwnRule("POST", "/o/{slug}/services/{service}/delete", Editor, &[]),
    OwnRule("POST", "/o/{slug}/services/{deleted_service}/restore", Editor, &[]),
    OwnRule("POST", "/o/{slug}/groups", Editor, &[("name", "New")]),
    OwnRule("GET", "/o/{slug}/groups/new", Editor, &[]),
    OwnRule("GET", "/o/{slug}/groups/{group}", Viewer, &[]),
    OwnRule("POST", "/o/{slug}/groups/{group}", Editor, &[("name", "Renamed")]),
    OwnRule("POST", "/o/{slug}/groups/{group}/shift", Editor, &[("direction", "up")]),
    OwnRule("POST", "/o/{slug}/groups/{group}/delete", Editor, &[]),
    OwnRule("POST", "/o/{slug}/groups/{deleted_group}/restore", Editor, &[]),
    OwnRule("GET", "/o/{slug}/incidents", Viewer, &[]),
    OwnRule("POST", "/o/{slug}/incidents", Responder, &[("title", "It fails"), ("message", "Looking.")]),
    OwnRule("GET", "/o/{slug}/incidents/new", Responder, &[]),
    OwnRule("GET", "/o/{slug}/incidents/{incident}", Viewer, &[]),
    OwnRule(
        "POST",
        "/o/{slug}/incidents/{incident}",
        Responder,
        &[("status", "identified"), ("message", "More."), ("version", "1"), ("seen", "e:0")],
    ),
    OwnRule("GET", "/o/{slug}/incidents/{incident}/edit", Responder, &[]),
    OwnRule("POST", "/o/{slug}/incidents/{incident}/edit", Responder, &[("title", "It fails badly"), ("version", "1"), ("seen", "e:0")]),
    OwnRule("GET", "/o/{slug}/incidents/{incident}/updates/{update}", Responder, &[]),
    OwnRule(
        "POST",
        "/o/{slug}/incidents/{incident}/updates/{update}",
        Responder,
        &[("message", "Corrected."), ("version", "1"), ("seen", "e:0")],
    ),
    OwnRule("POST", "/o/{slug}/incidents/{incident}/delete", Responder, &[]),
    OwnRule("POST", "/o/{slug}/incidents/{deleted_incident}/restore", Responder, &[]),
    OwnRule("GET", "/o/{slug}/timeline", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/timeline.jsonl", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/timeline.csv", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/find", Viewer, &[]),
    OwnRule("POST", "/o/{slug}/preview", Viewer, &[("message", "**bold**")]),
    OwnRule("GET", "/o/{slug}/team", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/team/invite", Admin, &[]),
    OwnRule("POST", "/o/{slug}/team/invite", Admin, &[("email", "guest@example.com"), ("role", "viewer")]),
    OwnRule("GET", "/o/{slug}/team/invitations/{invitation}", Admin, &[]),
    OwnRule("POST", "/o/{slug}/team/invitations/{invitation}/resend", Admin, &[]),
    OwnRule("POST", "/o/{slug}/team/invitations/{invitation}/revoke", Admin, &[]),
    OwnRule("GET", "/o/{slug}/team/members/{member}", Viewer, &[]),
    OwnRule("POST", "/o/{slug}/team/members/{member}", Admin, &[("role", "responder")]),
    OwnRule("POST", "/o/{slug}/team/members/{member}/remove", Admin, &[]),
    OwnRule("GET", "/o/{slug}/team/leave", Viewer, &[]),
    OwnRule("POST", "/o/{slug}/team/leave", Viewer, &[]),
    OwnRule("GET", "/o/{slug}/page", Editor, &[]),
    OwnRule("POST", "/o/{slug}/page", Editor, &[("name", ""), ("slug", "adas-org"), ("description", ""), ("time_zone", "UTC")]),
    // A file instead of fields.
    OwnRule("POST", "/o/{slug}/page/logo", Editor, &[]),
    OwnRule("POST", "/o/{slug}/page/logo/remove", Editor, &[]),
    OwnRule("GET", "/o/{slug}/settings", Admin, &[]),
    OwnRule("POST", "/o/{slug}/settings", Admin, &[("name", "Ada's Org"), ("slug", "adas-org")]),
    OwnRule("GET", "/o/{slug}/settings/delete", Admin, &[]),
    // The last, called by the admin at the very end.
    OwnRule("POST", "/o/{slug}/settings/delete", Admin, &[("name", "Ada's Org")]),
];

/// The form that sends a logo.
fn logo() -> Vec<u8> {
    let head = b"--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"logo.png\"\r\n\r\n".as_slice();
    [head, &png(8, 4), b"\r\n--x--\r\n"].concat()
}

impl OwnRule {
    async fn call(&self, caller: &Client, slug: &str, place: &Place) -> u16 {
        let mut path = self.1.replace("{slug}", slug);
        for (name, id) in [
            ("service", &place.service),
            ("group", &place.group),
            ("incident", &place.incident),
            ("update", &place.update),
            ("member", &place.member),
            ("invitation", &place.invitation),
        ] {
            path = path.replace(&format!("{{{name}}}"), id).replace(&format!("{{deleted_{name}}}"), id);
        }
        match self.0 {
            "GET" => caller.get(&path).await.status,
            _ if path.ends_with("/logo") => {
                caller.send("POST", &path, &[("content-type", "multipart/form-data; boundary=x")], logo()).await.status
            }
            _ => caller.post_form(&path, self.3).await.status,
        }
    }

    /// What the route speaks of as it needs it: anew for each call, since a call may delete it.
    async fn place(&self, server: &Server, admin: &Client) -> Place {
        let place = Place::of(server, admin, admin, self.1).await;
        for (name, path) in [("service", "services"), ("group", "service-groups"), ("incident", "incidents")] {
            if self.1.contains(&format!("{{deleted_{name}}}")) {
                let id =
                    [&place.service, &place.group, &place.incident][usize::from(name == "group") + 2 * usize::from(name == "incident")];
                admin.delete(format!("/api/{path}/{id}")).await.expect(204);
            }
        }
        place
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_an_organization_asks_for_its_role_and_no_more() {
    let server = Server::start().await;
    let admin = server.sign_up("ada").await;
    let eve = server.sign_up("eve").await;
    let people = [
        (server.anonymous(), "nobody", None),
        (eve.clone(), "a stranger", None),
        (admin.make_member("viewer").await, "a viewer", Some(Viewer)),
        (admin.make_member("responder").await, "a responder", Some(Responder)),
        (admin.make_member("editor").await, "an editor", Some(Editor)),
        (admin.clone(), "an admin", Some(Admin)),
    ];
    let mut wrong = Vec::new();
    for rule in OWN {
        for (caller, who, role) in &people {
            let place = rule.place(&server, &admin).await;
            // Who leaves is gone for the rules that follow.
            let leaver = match role {
                Some(role) if rule.0 == "POST" && rule.1.ends_with("/leave") => Some(admin.make_member(role.as_str()).await),
                _ => None,
            };
            let status = rule.call(leaver.as_ref().unwrap_or(caller), &admin.slug, &place).await;
            let expected: &[u16] = match role {
                None if caller.cookie().is_empty() => &[401],
                None => &[404],
                Some(role) if *role < rule.2 => &[403],
                Some(_) => &[200, 303],
            };
            if !expected.contains(&status) {
                wrong.push(format!("{} {} by {who}: {status}", rule.0, rule.1));
            }
        }
        // Her own organization's pages do not open another's things to the stranger.
        if ["service}", "group}", "incident}", "member}", "invitation}"].iter().any(|named| rule.1.contains(named)) {
            let place = rule.place(&server, &admin).await;
            let status = rule.call(&eve, &eve.slug, &place).await;
            if status != 404 {
                wrong.push(format!("{} {} with a stranger's id: {status}", rule.0, rule.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
