//! Coming in by an invitation, out of it again, and back after a forgotten password: by plain forms, without script.

use std::time::Duration;

use allclear::config::{Config, Registration};
use serde_json::json;

use crate::harness::{Answer, Client, Options, PASSWORD, Process, Server, eventually};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const ANOTHER: &str = "plinth-otter-tangerine";
const HOUR: Duration = Duration::from_secs(3_600);

async fn page(client: &Client, path: &str) -> Answer {
    client.send("GET", path, &[BROWSER], "").await
}

async fn is_in(client: &Client) -> bool {
    match client.get("/api/users/auth/profile").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

/// An invitation as the API tells it.
async fn invite(admin: &Client, email: &str, role: &str) -> (String, String) {
    let path = format!("/api/users/organizations/{}/invitations", admin.org_id);
    let made = admin.post(path, json!({ "email": email, "role": role })).await.expect(201);
    (made.id(), made.json["token"].as_str().expect("a token").to_owned())
}

/// The path of a link that shows `email` an invitation of this admin's organization.
async fn link(admin: &Client, email: &str, role: &str) -> String {
    format!("/invite/{}", invite(admin, email, role).await.1)
}

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap_or_default()
}

/// The operator of an instance with this registration, at their own organization.
async fn operator(server: &Server) -> Client {
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("an operator"));
    let mut operator = server.anonymous();
    operator.post("/api/users/auth/login", json!({ "email": "operator@example.com", "password": PASSWORD })).await.expect(200);
    let own = operator.get("/api/users/organizations").await.expect(200).json;
    operator.org_id = own["data"][0]["id"].as_str().expect("an organization").to_owned();
    operator
}

/// What a newcomer sends.
fn newcomer<'a>(link: &'a str, password: &'a str) -> [(&'a str, &'a str); 4] {
    [("invite_token", token(link)), ("email", "grace@example.com"), ("full_name", "Grace <b>H\""), ("password", password)]
}

#[tokio::test]
async fn a_newcomer_makes_an_account_and_is_in() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (grace, link) = (server.anonymous(), link(&ada, "grace@example.com", "responder").await);

    let shown = page(&grace, &link).await.expect(200);
    assert_eq!((shown.header("referrer-policy"), shown.header("cache-control")), ("strict-origin", "no-store"));
    for part in ["<bdi>Ada</bdi> invites you", "<bdi>Ada&#39;s Org</bdi> as a responder", "2 Mar 2026, 12:00 UTC", "action=\"/signup\""] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    assert!(shown.text.contains("value=\"grace@example.com\" readonly"), "{}", shown.text);

    let refused = grace.post_form("/signup", &newcomer(&link, "short-one")).await.expect(422).text;
    assert!(refused.contains("id=\"password-error\"") && refused.contains("value=\"Grace &#60;b&#62;H&#34;\""), "{refused}");
    assert!(refused.contains(&format!("name=\"invite_token\" value=\"{}\"", token(&link))) && !refused.contains("short-one"), "{refused}");
    assert!(grace.cookie().is_empty());

    let joined = grace.post_form("/signup", &newcomer(&link, PASSWORD)).await.expect(303);

    assert_eq!(joined.header("location"), "/o/adas-org?told=joined");
    let inside = page(&grace, joined.header("location")).await.expect(200).text;
    assert!(inside.contains("You are in."), "{inside}");
    let own = grace.get("/api/users/auth/profile").await.expect(200).json["organizations"].clone();
    assert_eq!((own.as_array().map(Vec::len), &own[0]["id"], &own[0]["role"]), (Some(1), &json!(ada.org_id), &json!("responder")));
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined"]);
    page(&server.anonymous(), &link).await.expect(404);
}

#[tokio::test]
async fn a_newcomer_is_who_was_invited_and_founds_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (eve, link) = (server.anonymous(), link(&ada, "grace@example.com", "admin").await);

    let mut other = newcomer(&link, PASSWORD);
    other[1].1 = "eve@example.com";
    eve.post_form("/signup", &other).await.expect(422);
    let mut founding = newcomer(&link, PASSWORD).to_vec();
    founding.push(("organization_name", "Evil Org"));
    let refused = eve.post_form("/signup", &founding).await.expect(422).text;
    assert!(refused.contains("organization_name is not a field of this form"), "{refused}");
    eve.post_form("/signup", &newcomer("/invite/", PASSWORD)).await.expect(404);

    assert!(eve.cookie().is_empty());
    assert_eq!(ada.new_events().await, ["member.invited"]);
}

#[tokio::test]
async fn who_has_an_account_signs_in_comes_back_and_joins_with_a_click() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    server.sign_up("grace").await;
    let (grace, link) = (server.anonymous(), link(&ada, "Grace@Example.com", "editor").await);

    let shown = page(&grace, &link).await.expect(200).text;
    let way_in = format!("/login?next=%2Finvite%2F{}&email=grace%40example.com", token(&link));
    assert!(shown.contains(&format!("href=\"{}\"", way_in.replace('&', "&#38;"))) && !shown.contains("action=\"/signup\""), "{shown}");
    let form = page(&grace, &way_in).await.expect(200).text;
    assert!(form.contains(&format!("name=\"next\" value=\"{link}\"")) && form.contains("value=\"grace@example.com\""), "{form}");
    let credentials = [("email", "grace@example.com"), ("password", PASSWORD), ("next", link.as_str())];
    let back = grace.post_form("/login", &credentials).await.expect(303);
    assert_eq!(back.header("location"), link);
    assert!(page(&grace, &link).await.expect(200).text.contains("Join Ada&#39;s Org</button>"));

    let sneaky = grace.post_form(&link, &[("role", "admin")]).await.expect(422).text;
    assert!(sneaky.contains("role is not a field of this form"), "{sneaky}");
    let joined = grace.post_form(&link, &[]).await.expect(303);

    assert_eq!(joined.header("location"), "/o/adas-org?told=joined");
    page(&grace, "/o/adas-org/services/new").await.expect(200);
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined"]);
    grace.post_form(&link, &[]).await.expect(404);
}

#[tokio::test]
async fn somebody_else_is_told_whose_it_is_and_can_come_back_as_them() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let link = link(&ada, "grace@example.com", "admin").await;

    for answer in [page(&eve, &link).await.expect(200), eve.post_form(&link, &[]).await.expect(403)] {
        let html = answer.text;
        assert!(html.contains("<bdi>eve@example.com</bdi>") && html.contains("<bdi>grace@example.com</bdi>"), "{html}");
        assert!(!html.contains(&format!("action=\"{link}\"")) && html.contains(&format!("name=\"next\" value=\"{link}\"")), "{html}");
    }
    assert_eq!(ada.new_events().await, ["member.invited"]);

    let out = eve.post_form("/logout", &[("next", link.as_str())]).await.expect(303);
    assert_eq!(out.header("location"), link);
    assert!(eve.cookie().is_empty() && page(&eve, &link).await.expect(200).text.contains("action=\"/signup\""));
    // Whoever was signed out in another window is shown the way in.
    assert_eq!(eve.post_form(&link, &[]).await.expect(303).header("location"), link);
}

#[tokio::test]
async fn signing_out_leads_nowhere_else() {
    let server = Server::start().await;
    for next in ["//example.org", "https://example.org/", "/\\example.org", ""] {
        let out = server.anonymous().post_form("/logout", &[("next", next)]).await.expect(303);
        assert_eq!(out.header("location"), "/login", "{next}");
    }
}

#[tokio::test]
async fn links_that_do_not_work_look_alike() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let nobody = server.anonymous();
    let expired = link(&ada, "late@example.com", "viewer").await;
    server.advance(24 * HOUR + Duration::from_secs(1));
    let used = link(&ada, "grace@example.com", "viewer").await;
    server.anonymous().post_form("/signup", &newcomer(&used, PASSWORD)).await.expect(303);
    let (id, revoked) = invite(&ada, "linus@example.com", "viewer").await;
    ada.delete(format!("/api/users/organizations/{}/invitations/{id}", ada.org_id)).await.expect(204);
    let good = link(&ada, "alan@example.com", "viewer").await;
    page(&nobody, &good).await.expect(200);

    let (revoked, cut) = (format!("/invite/{revoked}"), good[..good.len() - 2].to_owned());
    let dead = [expired, used, revoked, cut, "/invite/x".into(), "/invite/%0A%22".into()];
    let first = page(&nobody, &dead[0]).await.expect(404).text;
    assert!(first.contains("Ask the person who invited you for a new one.") && first.contains("href=\"/login\""), "{first}");
    // Who is signed in is not told to sign in.
    let inside = page(&ada, &dead[0]).await.expect(404).text;
    assert!(inside.contains("href=\"/organizations\"") && !inside.contains("href=\"/login\""), "{inside}");
    for link in &dead {
        assert_eq!(page(&nobody, link).await.expect(404).text, first, "{link}");
        assert_eq!(page(&ada, link).await.expect(404).text, inside, "{link}");
        assert_eq!(ada.post_form(link, &[]).await.expect(404).text, inside, "{link}");
        assert_eq!(nobody.get(link).await.expect(404).problem(), "not-found");
        assert_eq!(nobody.post_form("/signup", &newcomer(link, PASSWORD)).await.expect(404).text, first, "{link}");
    }
    assert!(nobody.cookie().is_empty());
}

#[tokio::test]
async fn an_invitation_makes_accounts_unless_the_instance_makes_none() {
    for (registration, expected) in [(Registration::Invite, 303), (Registration::Closed, 403)] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Options::default().clock;
        let starts = async |registration| {
            let config = Config { registration, ..Config::default() };
            let dir = Some(dir.path().to_path_buf());
            Server::start_with(Options { config, dir, clock: clock.clone(), ..Options::default() }).await
        };
        // Invited while accounts were made; where none are, nobody is who has none.
        let server = starts(Registration::Invite).await;
        let link = link(&operator(&server).await, "grace@example.com", "viewer").await;
        server.stop().await;
        let server = starts(registration).await;
        let grace = server.anonymous();
        let is_closed = registration == Registration::Closed;

        let shown = page(&grace, &link).await.expect(200).text;
        assert_eq!(shown.contains("makes no new accounts"), is_closed, "{shown}");
        assert_eq!(shown.contains("action=\"/signup\""), !is_closed, "{shown}");
        grace.post_form("/signup", &newcomer(&link, PASSWORD)).await.expect(expected);
        assert_eq!(grace.cookie().is_empty(), is_closed);
    }
}

#[tokio::test]
async fn asking_for_a_new_password_is_answered_the_same_for_everyone() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let nobody = server.anonymous();
    assert!(page(&nobody, "/login").await.expect(200).text.contains("href=\"/forgot\""));
    let form = page(&nobody, "/forgot").await.expect(200).text;
    assert!(form.contains("sends no mail") && form.contains("allclear user reset-password ADDRESS"), "{form}");

    let answers = [
        nobody.post_form("/forgot", &[("email", "ada@example.com")]).await.expect(303),
        nobody.post_form("/forgot", &[("email", "nobody@example.com")]).await.expect(303),
    ];
    // Without mail nothing is on its way, and the page that one comes to does not say so.
    assert_eq!(answers.map(|answer| answer.header("location").to_owned()), ["/forgot", "/forgot"]);
    let wrong = nobody.post_form("/forgot", &[("email", "<ada>")]).await.expect(422).text;
    assert!(wrong.contains("must be an email address"), "{wrong}");
    nobody.post_form("/forgot", &[("email", "ada@example.com"), ("next", "/")]).await.expect(422);
}

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let nobody = server.anonymous();
    let url = server.app().reset_link("ada@example.com").await.expect("a link");
    let link = format!("/reset/{}", token(&url));

    let shown = page(&nobody, &link).await.expect(200);
    assert!(shown.text.contains("<bdi>ada@example.com</bdi>"), "{}", shown.text);
    assert_eq!((shown.header("referrer-policy"), shown.header("cache-control")), ("strict-origin", "no-store"));
    let refused = nobody.post_form(&link, &[("new_password", "short-one")]).await.expect(422).text;
    assert!(refused.contains("id=\"new_password-error\"") && !refused.contains("short-one"), "{refused}");
    assert!(is_in(&ada).await, "looking and failing end nothing");

    let changed = nobody.post_form(&link, &[("new_password", ANOTHER)]).await.expect(303);

    assert_eq!(changed.header("location"), "/login?told=password-reset");
    assert!(page(&nobody, changed.header("location")).await.expect(200).text.contains("Your password is changed. Sign in"));
    assert!(!is_in(&ada).await && nobody.cookie().is_empty());
    let login = |password| [("email", "ada@example.com"), ("password", password)];
    nobody.post_form("/login", &login(PASSWORD)).await.expect(401);
    nobody.post_form("/login", &login(ANOTHER)).await.expect(303);

    let dead = page(&server.anonymous(), &link).await.expect(404).text;
    assert!(dead.contains("href=\"/forgot\""), "{dead}");
    for (link, password) in [(link.as_str(), PASSWORD), ("/reset/x", ""), ("/reset/%0A", PASSWORD)] {
        let answer = server.anonymous().post_form(link, &[("new_password", password)]).await.expect(404).text;
        assert_eq!(answer, dead, "{link}");
    }
    assert!(is_in(&nobody).await, "who signed in since stays in");
}

#[tokio::test]
async fn a_link_to_a_new_password_does_not_last() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let url = server.app().reset_link("ada@example.com").await.expect("a link");
    server.advance(HOUR + Duration::from_secs(1));
    page(&server.anonymous(), &format!("/reset/{}", token(&url))).await.expect(404);
}

#[tokio::test]
async fn who_belongs_nowhere_is_told_what_to_do() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (grace, link) = (server.anonymous(), link(&ada, "grace@example.com", "viewer").await);
    grace.post_form("/signup", &newcomer(&link, PASSWORD)).await.expect(303);
    let account = page(&grace, "/account").await.expect(200).text;
    assert!(account.contains("href=\"/o/adas-org/team/leave\"") && !account.contains("href=\"/instance\""), "{account}");

    let id = grace.get("/api/users/auth/profile").await.expect(200).json["user"]["id"].as_str().expect("an id").to_owned();
    ada.delete(format!("/api/users/organizations/{}/members/{id}", ada.org_id)).await.expect(204);

    for path in ["/", "/organizations?told=left"] {
        let html = page(&grace, path).await.expect(200).text;
        assert!(html.contains("You belong to no organization.") && html.contains("invite <bdi>grace@example.com</bdi>"), "{html}");
        assert_eq!(html.contains("You have left the organization."), path != "/", "{html}");
    }
}

#[tokio::test]
async fn who_belongs_nowhere_makes_an_organization_where_anyone_may() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    assert!(page(&server.anonymous(), "/login").await.expect(200).text.contains("href=\"/signup\""));
    assert!(!page(&ada, "/organizations").await.expect(200).text.contains("id=\"new-organization\""), "she has one");
    let (grace, link) = (server.anonymous(), link(&ada, "grace@example.com", "viewer").await);
    grace.post_form("/signup", &newcomer(&link, PASSWORD)).await.expect(303);
    grace.post_form("/o/adas-org/team/leave", &[]).await.expect(303);

    assert!(page(&grace, "/").await.expect(200).text.contains("action=\"/organizations\""));
    let refused = grace.post_form("/organizations", &[("name", " ")]).await.expect(422).text;
    assert!(refused.contains("id=\"name-error\"") && refused.contains("id=\"new-organization\""), "{refused}");
    grace.post_form("/organizations", &[("name", "Nano"), ("slug", "adas-org")]).await.expect(422);
    let made = grace.post_form("/organizations", &[("name", "Nano <b>")]).await.expect(303);

    assert_eq!(made.header("location"), "/o/nano-b");
    page(&grace, "/o/nano-b/settings").await.expect(200);
    let own = grace.get("/api/users/auth/profile").await.expect(200).json["organizations"].clone();
    assert_eq!((own.as_array().map(Vec::len), &own[0]["slug"], &own[0]["role"]), (Some(1), &json!("nano-b"), &json!("admin")));
}

#[tokio::test]
async fn where_not_anyone_may_nobody_makes_an_organization_by_themselves() {
    for registration in [Registration::Invite, Registration::Closed] {
        let config = Config { registration, ..Config::default() };
        let server = Server::start_with(Options { config, ..Options::default() }).await;
        let operator = operator(&server).await;
        assert!(!page(&server.anonymous(), "/login").await.expect(200).text.contains("/signup"), "{registration:?}");
        operator.post_form("/organizations", &[("name", "Another")]).await.expect(403);
        let own = operator.get("/api/users/organizations").await.expect(200).json;
        assert_eq!(own["data"].as_array().map(Vec::len), Some(1), "{registration:?}");
    }
}

#[tokio::test]
async fn a_suspended_organization_is_marked_and_no_place_to_be_led_to() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let ada = server.sign_up("ada").await;
    for path in ["/account", "/organizations"] {
        assert!(page(&operator, path).await.expect(200).text.contains("href=\"/instance\""), "{path}");
        assert!(!page(&ada, path).await.expect(200).text.contains("href=\"/instance\""), "{path}");
    }
    let cookie = operator.cookie();
    let me = server.app().authenticate(cookie.split_once('=').expect("a cookie").1).await.expect("a session");
    let org = ada.org_id.parse().expect("an id");

    server.app().suspend(&me, org).await.expect("it is suspended");

    for path in ["/", "/organizations", "/account"] {
        let html = page(&ada, path).await.expect(200).text;
        assert!(html.contains("Ada&#39;s Org") && html.contains("Suspended"), "{path}: {html}");
        assert!(!html.contains("href=\"/o/adas-org") && !html.contains("href=\"/p/adas-org\""), "{path}: {html}");
    }
    server.app().resume(&me, org).await.expect("it is back");
    assert_eq!(page(&ada, "/").await.expect(303).header("location"), "/o/adas-org");
}

#[tokio::test]
async fn one_time_links_are_not_logged() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::spawn(dir.path(), &["--log", "allclear=trace"], &[]).await;
    let nobody = process.anonymous();
    for path in ["/invite/s3cr3t", "/reset/s3cr3t", "/setup/s3cr3t"] {
        page(&nobody, path).await.expect(404);
        nobody.get(path).await.expect(404);
        nobody.post_form(path, &[("new_password", PASSWORD)]).await;
        nobody.send("DELETE", path, &[], "").await;
        nobody.send("POST", path, &[("sec-fetch-site", "cross-site")], "").await.expect(403);
    }
    eventually(async || process.log().matches("refused a cross-site request").count() == 3).await;
    assert!(!process.log().contains("s3cr3t"), "{}", process.log());
    assert_eq!(process.terminate().await, Some(0));
}
