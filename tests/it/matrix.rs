//! Who may do what: every route × every role × ids of an organization, own and a stranger's.
//!
//! The tables are held against the OpenAPI document and the list of page routes, so that a new route can't be forgotten here.

mod pages;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use allclear::access::Role;
use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Server};

/// What an operation asks of its caller.
#[derive(Clone, Copy, PartialEq)]
enum Least {
    /// Nothing.
    Anyone,
    /// To be somebody.
    SignedIn,
    /// To be a member with this role of the organization that the ids are of.
    Member(Role),
}

use Least::{Anyone, Member, SignedIn};
use Role::{Admin, Editor, Responder, Viewer};

/// An operation as somebody calls it; one operation may be called in several ways.
struct Rule(&'static str, &'static str, Least, fn(&Place) -> Value);

fn nothing(_: &Place) -> Value {
    Value::Null
}

/// What a route names; made anew for each call, since a call may delete it. What it does not name is empty where making it takes long.
struct Place {
    org: String,
    service: String,
    group: String,
    incident: String,
    update: String,
    /// One of the organization's people, beside the callers.
    member: String,
    invitation: String,
    /// Another one of the caller's.
    session: String,
    /// Of a link that invites the caller to an organization that nobody here belongs to.
    token: String,
    /// Of a link that sets somebody else's password.
    reset: String,
    /// The caller's address.
    email: String,
}

/// A word that is used once.
fn unique(word: &str) -> String {
    static USED: AtomicUsize = AtomicUsize::new(1);
    format!("{word}-{}", USED.fetch_add(1, Ordering::Relaxed))
}

fn new_address() -> String {
    format!("{}@example.com", unique("new"))
}

const RULES: &[Rule] = &[
    Rule(
        "POST",
        "/users/auth/signup",
        Anyone,
        |_| json!({ "email": new_address(), "password": PASSWORD, "full_name": "New", "organization_name": "New" }),
    ),
    Rule("POST", "/users/auth/login", Anyone, |place| json!({ "email": place.email, "password": PASSWORD })),
    Rule("POST", "/users/auth/logout", SignedIn, |_| json!({})),
    Rule("GET", "/users/auth/profile", SignedIn, nothing),
    Rule("PUT", "/users/auth/profile", SignedIn, |_| json!({ "full_name": "Renamed" })),
    Rule("POST", "/users/auth/password", SignedIn, |_| json!({ "current_password": PASSWORD, "new_password": PASSWORD })),
    Rule("POST", "/users/auth/password/forgot", Anyone, |place| json!({ "email": place.email })),
    Rule("POST", "/users/auth/password/reset", Anyone, |place| json!({ "token": place.reset, "new_password": "plinth-otter-tangerine" })),
    Rule("GET", "/users/auth/sessions", SignedIn, nothing),
    Rule("DELETE", "/users/auth/sessions/{session}", SignedIn, nothing),
    Rule("GET", "/users/invitations/{token}", Anyone, nothing),
    Rule("POST", "/users/invitations/{token}/accept", SignedIn, nothing),
    Rule("GET", "/users/organizations", SignedIn, nothing),
    Rule("GET", "/users/organizations/{org}", Member(Viewer), nothing),
    Rule("PUT", "/users/organizations/{org}", Member(Admin), |_| json!({ "name": "Renamed" })),
    Rule("GET", "/users/organizations/{org}/members", Member(Viewer), nothing),
    Rule("GET", "/users/organizations/{org}/members/{member}", Member(Viewer), nothing),
    Rule("PUT", "/users/organizations/{org}/members/{member}", Member(Admin), |_| json!({ "role": "responder" })),
    Rule("DELETE", "/users/organizations/{org}/members/{member}", Member(Admin), nothing),
    Rule("GET", "/users/organizations/{org}/invitations", Member(Admin), nothing),
    Rule("POST", "/users/organizations/{org}/invitations", Member(Admin), |_| json!({ "email": new_address() })),
    Rule("DELETE", "/users/organizations/{org}/invitations/{invitation}", Member(Admin), nothing),
    Rule("POST", "/users/organizations/{org}/invitations/{invitation}/resend", Member(Admin), nothing),
    Rule("GET", "/services", SignedIn, nothing),
    Rule("GET", "/services?organization_id={org}", Member(Viewer), nothing),
    Rule("POST", "/services", Member(Editor), |place| json!({ "name": "New", "organization_id": place.org })),
    Rule("GET", "/services/{service}", Member(Viewer), nothing),
    Rule("PUT", "/services/{service}", Member(Editor), |_| json!({ "name": "Renamed" })),
    Rule("PUT", "/services/{service}", Member(Editor), |place| json!({ "own_status": "major_outage", "group_id": place.group })),
    Rule("PUT", "/services/{service}", Member(Responder), |_| json!({ "own_status": "major_outage" })),
    Rule("DELETE", "/services/{service}", Member(Editor), nothing),
    Rule("GET", "/service-groups", SignedIn, nothing),
    Rule("GET", "/service-groups?organization_id={org}", Member(Viewer), nothing),
    Rule("POST", "/service-groups", Member(Editor), |place| json!({ "name": "New", "organization_id": place.org })),
    Rule("GET", "/service-groups/{group}", Member(Viewer), nothing),
    Rule("PUT", "/service-groups/{group}", Member(Editor), |_| json!({ "name": "Renamed" })),
    Rule("DELETE", "/service-groups/{group}", Member(Editor), nothing),
    Rule("GET", "/services/{service}/incidents", Member(Viewer), nothing),
    Rule("POST", "/services/{service}/incidents", Member(Responder), |_| json!({ "title": "It fails", "message": "Looking." })),
    Rule("GET", "/services/{service}/incidents/{incident}", Member(Viewer), nothing),
    Rule("PUT", "/services/{service}/incidents/{incident}", Member(Responder), |_| json!({ "status": "resolved" })),
    Rule("DELETE", "/services/{service}/incidents/{incident}", Member(Responder), nothing),
    Rule("GET", "/incidents", SignedIn, nothing),
    Rule("GET", "/incidents?organization_id={org}", Member(Viewer), nothing),
    Rule(
        "POST",
        "/incidents",
        Member(Responder),
        |place| json!({ "title": "It fails", "message": "Looking.", "affected": [{ "service_id": place.service }], "organization_id": place.org }),
    ),
    Rule("GET", "/incidents/{incident}", Member(Viewer), nothing),
    Rule("PUT", "/incidents/{incident}", Member(Responder), |_| json!({ "title": "It fails badly" })),
    Rule("DELETE", "/incidents/{incident}", Member(Responder), nothing),
    Rule("POST", "/incidents/{incident}/updates", Member(Responder), |_| json!({ "message": "More." })),
    Rule("PUT", "/incidents/{incident}/updates/{update}", Member(Responder), |_| json!({ "message": "Corrected." })),
    Rule("GET", "/timeline/service/{service}", Member(Viewer), nothing),
    Rule("GET", "/timeline/organization/{org}", Member(Viewer), nothing),
    // The last, called by the admin at the very end: by then it is called so.
    Rule("DELETE", "/users/organizations/{org}?name=Renamed", Member(Admin), nothing),
];

impl Place {
    /// What this route needs, of the admin's organization and of the caller's own.
    async fn of(server: &Server, admin: &Client, caller: &Client, route: &str) -> Self {
        // So that nobody here is found to do all this too often.
        server.advance(Duration::from_secs(300));
        let owner = if caller.email.is_empty() { admin } else { caller };
        let mut place = Self::usual(admin, owner).await;
        if route.contains("{member}") {
            place.member = admin.make_member("viewer").await.user_id;
        }
        if route.contains("{invitation}") {
            place.invitation = admin.invite(&new_address(), "viewer").await.id();
        }
        if route.contains("{session}") {
            owner.sign_in().await;
            let sessions = owner.get("/api/users/auth/sessions").await.expect(200);
            let other = sessions.json["data"].as_array().and_then(|all| all.iter().find(|session| session["current"] == false));
            place.session = other.and_then(|session| session["id"].as_str()).expect("another session").to_owned();
        }
        if route.contains("{token}") {
            let host = server.sign_up(&unique("host")).await;
            place.token = host.invite(&place.email, "viewer").await.text_at("/token");
        }
        if route.ends_with("/password/reset") {
            let forgetful = server.sign_up(&unique("forgetful")).await;
            let link = server.app().reset_link(&forgetful.email).await.expect("a link");
            place.reset = link.rsplit('/').next().unwrap_or_default().to_owned();
        }
        place
    }

    async fn usual(admin: &Client, owner: &Client) -> Self {
        let service = admin.service("API").await;
        let incident = admin.incident(&[(&service, "major_outage")], "Nothing works").await;
        let shown = admin.get(format!("/api/incidents/{incident}")).await.expect(200);
        let update = shown.json["updates"][0]["id"].as_str().expect("an update").to_owned();
        Self {
            org: admin.org_id.clone(),
            group: admin.group("Core").await,
            service,
            incident,
            update,
            member: String::new(),
            invitation: String::new(),
            session: String::new(),
            token: String::new(),
            reset: String::new(),
            email: owner.email.clone(),
        }
    }

    /// Well-formed ids of nothing.
    fn nobodys() -> Self {
        let unknown = |prefix: &str| format!("{prefix}_00000000000000000000000000000001");
        Self {
            org: unknown("org"),
            service: unknown("svc"),
            group: unknown("grp"),
            incident: unknown("inc"),
            update: unknown("upd"),
            member: unknown("usr"),
            invitation: unknown("inv"),
            session: unknown("ses"),
            token: "v4.local.AAAA".into(),
            reset: String::new(),
            email: String::new(),
        }
    }

    /// What is no id.
    fn malformed() -> Self {
        Self {
            org: "x".into(),
            service: "svc_".into(),
            group: "%00".into(),
            incident: "..%2f".into(),
            update: "é".into(),
            member: "usr_".into(),
            invitation: "inv".into(),
            session: "%20".into(),
            token: "x".into(),
            reset: String::new(),
            email: String::new(),
        }
    }

    fn fill(&self, path: &str) -> String {
        let parts = [
            ("{org}", &self.org),
            ("{service}", &self.service),
            ("{group}", &self.group),
            ("{incident}", &self.incident),
            ("{update}", &self.update),
            ("{member}", &self.member),
            ("{invitation}", &self.invitation),
            ("{session}", &self.session),
            ("{token}", &self.token),
        ];
        parts.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}

impl Rule {
    async fn call(&self, caller: &Client, path: &str, place: &Place) -> u16 {
        // Signing out would end the session that the next rules are called in; any other cookie that comes back is not kept either.
        let session = if self.1.ends_with("/logout") && !caller.cookie().is_empty() { caller.sign_in().await } else { caller.clone() };
        let body = (self.3)(place);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        session
            .with_cookie(&session.cookie())
            .send(self.0, format!("/api{path}"), &[("content-type", "application/json")], body)
            .await
            .status
    }

    fn expected(&self, role: Option<Role>, is_signed_in: bool) -> Option<u16> {
        match self.2 {
            Anyone => None,
            SignedIn | Member(_) if !is_signed_in => Some(401),
            SignedIn => None,
            Member(least) => match role {
                None => Some(404),
                Some(role) if role < least => Some(403),
                Some(_) => None,
            },
        }
    }
}

/// `/services/{service}?organization_id={org}` as `/services/{}`, whatever the parameters are called.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let segment = |segment: &str| if segment.starts_with(['{', ':', '*']) { "{}".to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn the_table_has_every_operation_of_the_document_and_no_other() {
    let document: Value = serde_json::from_str(&allclear::api::openapi_document()).unwrap();
    let methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = shape(path.strip_prefix("/api").unwrap_or(path));
        for method in methods.iter().filter(|method| item.get(**method).is_some()) {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let ruled: BTreeSet<_> = RULES.iter().map(|rule| (rule.0.to_owned(), shape(rule.1))).collect();
    assert_eq!(documented.difference(&ruled).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "documented, but not in the table");
    assert_eq!(ruled.difference(&documented).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "in the table, but not documented");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_for_its_role_and_no_more() {
    let server = Server::start().await;
    let admin = server.sign_up("ada").await;
    let (viewer, responder, editor) =
        (admin.make_member("viewer").await, admin.make_member("responder").await, admin.make_member("editor").await);
    let people = [
        (server.anonymous(), "anonymous", None),
        (server.sign_up("eve").await, "a stranger", None),
        (viewer, "a viewer", Some(Viewer)),
        (responder, "a responder", Some(Responder)),
        (editor, "an editor", Some(Editor)),
        (admin.clone(), "an admin", Some(Admin)),
    ];
    let mut wrong = Vec::new();
    for rule in RULES {
        for (caller, who, role) in &people {
            let place = Place::of(&server, &admin, caller, rule.1).await;
            let status = rule.call(caller, &place.fill(rule.1), &place).await;
            let is_right = match rule.expected(*role, !caller.cookie().is_empty()) {
                Some(refusal) => status == refusal,
                None => (200..300).contains(&status),
            };
            if !is_right {
                wrong.push(format!("{} {} by {who}: {status}", rule.0, rule.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_ids_and_nobodys_are_all_the_same() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let (nobodys, malformed) = (Place::nobodys(), Place::malformed());
    for rule in RULES.iter().filter(|rule| rule.1.contains('{')) {
        let (own, theirs) = (Place::of(&server, &ada, &ada, rule.1).await, Place::of(&server, &eve, &eve, rule.1).await);
        let before = eve.events().await;
        let mut paths = vec![("nobody's", nobodys.fill(rule.1)), ("malformed", malformed.fill(rule.1))];
        // Whoever holds a link may look at it, whosever it is; the journeys tell whom it lets in.
        if !rule.1.contains("{token}") {
            paths.push(("a stranger's", theirs.fill(rule.1)));
            paths.extend(mixed(&own, &theirs, rule.1).map(|path| ("half a stranger's", path)));
        }
        for (whose, path) in paths {
            assert_eq!(rule.call(&ada, &path, &own).await, 404, "{} {} with ids that are {whose}", rule.0, rule.1);
        }
        assert_eq!(eve.events().await, before, "{} {}", rule.0, rule.1);
    }
}

/// Half a path of one's own does not open the other half: the first id is one's own, the others are a stranger's.
fn mixed(own: &Place, theirs: &Place, route: &str) -> Option<String> {
    let (first, rest) = route.split_at(route.find('}')? + 1);
    rest.contains('{').then(|| own.fill(first) + &theirs.fill(rest))
}
