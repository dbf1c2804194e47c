//! What must hold about people and what they open, beside their own journeys: each test here fails when its protection is taken away, which
//! `scripts/test-protections` shows (`docs/security.md`).

use std::time::Duration;

use serde_json::json;

use crate::admin_settings::png;
use crate::harness::{Answer, Client, PASSWORD, Process, Server, eventually};
use crate::live::client::{Ended, Events, Socket, join};
use crate::page::{Stream, page, stream_of};

const ANOTHER: &str = "plinth-otter-tangerine";
const NOBODYS: &str = "v4.local.AAAA";

/// The instance's operator, in a session.
async fn operator(server: &Server) -> Client {
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("an operator"));
    let operator = server.anonymous();
    operator.post("/api/users/auth/login", json!({ "email": "operator@example.com", "password": PASSWORD })).await.expect(200);
    operator
}

#[tokio::test]
async fn a_suspension_closes_everything_that_is_open() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let (base, org, public) = (server.base(), format!("org:{}", ada.org_id), format!("page:{}", ada.slug));
    let mut socket = Socket::open(&base, &ada.cookie()).await;
    socket.join(&org, None).await;
    let mut stream = Events::open(&base, &format!("room={org}"), &ada.cookie()).await;
    let mut visitor = Events::open(&base, &format!("room={public}"), "").await;
    let mut fragments = Stream::open(&server, &stream_of(&page(&server, &ada.slug).await.text), None).await;
    let mut elsewhere = Socket::open(&base, &eve.cookie()).await;
    elsewhere.join(&format!("org:{}", eve.org_id), None).await;

    operator.post_form(format!("/instance/organizations/{}/suspend", ada.org_id), &[]).await.expect(303);

    assert_eq!(socket.ended().await, 1_008);
    assert_eq!((stream.ended().await, visitor.ended().await), (Ended::Cleanly, Ended::Cleanly));
    assert!(fragments.next().await.is_none());
    elsewhere.is_silent().await;

    // Nobody gets in again, and the page is gone with its rooms.
    let mut back = Socket::open(&base, &ada.cookie()).await;
    for room in [&org, &public] {
        assert_eq!(back.ask(join(room, None)).await["code"], "unknown_room", "{room}");
        let refused = Events::try_open(&base, &format!("room={room}"), &[("cookie", ada.cookie().as_str())]).await;
        assert_eq!(refused.err().map(|(status, _)| status), Some(404), "{room}");
    }
    for gone in [format!("/p/{}", ada.slug), format!("/p/{}/live", ada.slug)] {
        server.anonymous().get(&gone).await.expect(404);
    }
}

#[tokio::test]
async fn a_sign_in_begins_a_session_of_its_own() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    // Somebody who plants their cookie must not be in the session of who then signs in. That the cookie is another one does not tell that:
    // one session can be sealed many times.
    let planted = ada.cookie();
    let victim = server.anonymous().with_cookie(&planted);

    victim.post("/api/users/auth/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.expect(200);

    let sessions = victim.get("/api/users/auth/sessions").await.expect(200).json["data"].clone();
    assert_eq!(sessions.as_array().map(Vec::len), Some(2), "{sessions}");
    victim.post("/api/users/auth/logout", json!({})).await.expect(204);
    ada.with_cookie(&planted).get("/api/users/auth/profile").await.expect(200);
}

#[tokio::test]
async fn a_password_has_at_most_128_characters() {
    let server = Server::start().await;
    let longest: String = "tangerine-otter-plinth-".chars().cycle().take(128).collect();
    let sign_up = async |password: &str| {
        let input = json!({ "email": "grace@example.com", "password": password, "full_name": "Grace", "organization_name": "Compilers" });
        server.anonymous().post("/api/users/auth/signup", input).await
    };
    assert_eq!(sign_up(&format!("{longest}t")).await.wrong_fields(), ["password"]);
    sign_up(&longest).await.expect(201);
    let login = json!({ "email": "grace@example.com", "password": longest });
    server.anonymous().post("/api/users/auth/login", login).await.expect(200);
}

#[tokio::test]
async fn who_proves_a_password_too_often_is_slowed_and_nobody_else() {
    let server = Server::start().await;
    let thief = server.sign_up("ada").await;
    let owner = thief.sign_in().await;
    let change = async |who: &Client, current: &str| -> Answer {
        who.post("/api/users/auth/password", json!({ "current_password": current, "new_password": ANOTHER })).await
    };
    let mut last = change(&thief, "guess-number-0").await;
    assert_eq!(last.wrong_fields(), ["current_password"]);
    for number in 1..15 {
        last = change(&thief, &format!("guess-number-{number}")).await;
    }
    assert_eq!(last.clone().expect(429).problem(), "too-many-requests");
    assert!(last.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    change(&thief, PASSWORD).await.expect(429);

    // The owner shows the thief out, however often that one has guessed.
    let changed = change(&owner, PASSWORD).await;
    assert!((200..300).contains(&changed.status), "{} {}", changed.status, changed.text);
    thief.get("/api/users/auth/profile").await.expect(401);
}

#[tokio::test]
async fn who_tries_links_without_end_is_slowed() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let look = async || nobody.get(format!("/api/users/invitations/{NOBODYS}")).await;
    let reset = async || nobody.post("/api/users/auth/password/reset", json!({ "token": NOBODYS, "new_password": ANOTHER })).await;

    let mut last = look().await.expect(404);
    for _ in 0..120 {
        last = look().await;
    }
    assert_eq!(last.expect(429).problem(), "too-many-requests");
    // One limit for all links: whoever tries the ones has tried the others.
    reset().await.expect(429);

    server.advance(Duration::from_secs(600));
    let mut last = reset().await.expect(422);
    for _ in 0..120 {
        last = reset().await;
    }
    let seconds: u64 = last.expect(429).header("retry-after").parse().expect("whole seconds");
    server.advance(Duration::from_secs(seconds));
    reset().await.expect(422);
}

#[tokio::test]
async fn a_logo_is_served_as_a_picture_of_ours_and_nothing_else() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    // A picture that is a page as well, for whoever would guess what it is.
    let both = [png(8, 4), b"<script>alert(1)</script>".to_vec()].concat();
    let head = b"--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"x.html\"\r\nContent-Type: text/html\r\n\r\n".as_slice();
    let body = [head, both.as_slice(), b"\r\n--x--\r\n".as_slice()].concat();
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
    ada.send("POST", format!("/o/{}/page/logo", ada.slug), &headers, body).await.expect(303);

    let html = page(&server, &ada.slug).await.text;
    let rest = html.split_once("class=\"logo\" src=\"").unwrap_or_else(|| panic!("no logo in {html}")).1;
    let path = rest.split_once('"').expect("an attribute").0;
    let logo = server.anonymous().get(path).await.expect(200);

    assert_eq!((logo.header("content-type"), logo.header("x-content-type-options")), ("image/png", "nosniff"));
    assert!(logo.header("content-security-policy").starts_with("default-src 'none'"), "{:?}", logo.headers);
    assert!(!logo.headers.contains_key("set-cookie"), "{:?}", logo.headers);
    assert!(logo.text.contains("PNG") && !logo.text.contains("<script>"), "{}", logo.text);
    for other in [path.replace(".png", ".html"), path.replace(".png", ""), path.replace(&ada.slug, "nobodys")] {
        server.anonymous().get(&other).await.expect(404);
    }
}

#[tokio::test]
async fn an_organization_stays_behind_its_pages_own_name() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let fields = [("name", "Skerry status"), ("slug", ada.slug.as_str()), ("description", ""), ("time_zone", "UTC")];
    ada.post_form(format!("/o/{}/page", ada.slug), &fields).await.expect(303);
    ada.put(ada.own(""), json!({ "name": "Quiet Holding" })).await.expect(200);
    ada.service("Lighthouse").await;

    let html = page(&server, &ada.slug).await.text;
    let from = format!("room=page:{}&after={}:0", ada.slug, server.app().epoch());
    let mut room = Events::open(&server.base(), &from, "").await;
    let mut told = String::new();
    while !told.contains("Lighthouse") {
        told.push_str(&room.next().await.data);
    }

    assert!(html.contains("Skerry status") && html.contains("Lighthouse"), "{html}");
    for name in ["Quiet Holding", "Ada's Org", "Ada&#39;s Org"] {
        assert!(!html.contains(name) && !told.contains(name), "{name}: {html} {told}");
    }
}

#[tokio::test]
async fn what_matters_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(dir.path(), &[], &[]).await;
    let link = process.setup_path().await;
    let token = link.strip_prefix("/setup/").expect("a setup link");
    let mut ada = process.anonymous();
    let fields =
        [("token", token), ("email", "ada@example.com"), ("password", PASSWORD), ("full_name", "Ada"), ("organization_name", "Engines")];
    ada.post_form("/setup", &fields).await.expect(303);
    ada.user_id = ada.get("/api/users/auth/profile").await.expect(200).text_at("/user/id");
    ada.org_id = ada.get("/api/users/organizations").await.expect(200).text_at("/data/0/id");
    let invited = ada.invite("grace@example.com", "viewer").await;
    let grace = ada.sign_up_by(&invited, "grace").await;

    let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
    process.anonymous().post("/api/users/auth/login", login("wrong-otter-plinth")).await.expect(401);
    process.anonymous().post("/api/users/auth/login", login(PASSWORD)).await.expect(200);
    ada.send("POST", "/logout", &[("sec-fetch-site", "cross-site")], "").await.expect(403);
    let nobodys = "room=org:org_00000000000000000000000000000001";
    let refused = Events::try_open(process.base(), nobodys, &[("cookie", grace.cookie().as_str())]).await;
    assert_eq!(refused.err().map(|(status, _)| status), Some(404));
    grace.post("/api/services", json!({ "name": "Mine", "organization_id": ada.org_id })).await.expect(403);
    ada.put(ada.own(&format!("/members/{}", grace.user_id)), json!({ "role": "responder" })).await.expect(200);
    let export = ada.open("/o/engines/timeline.csv").await;
    assert_eq!(export.status().as_u16(), 200);
    assert!(export.text().await.expect("nothing is cut").contains("member.role_changed"));

    let lines: [&[&str]; 7] = [
        &["sign-in refused", "127.0.0.1"],
        &["signed in", &ada.user_id, "127.0.0.1"],
        &["refused a cross-site request", "POST"],
        &["refused a live room", &grace.user_id],
        &["refused", "this needs the role editor; yours is viewer"],
        &["who may what", "member.role_changed", &ada.user_id, &grace.user_id],
        &["timeline exported", &ada.user_id, &ada.org_id],
    ];
    for words in lines {
        eventually(async || process.log().lines().any(|line| words.iter().all(|word| line.contains(*word)))).await;
    }
    let (log, link, cookies) = (process.log(), invited.text_at("/token"), [ada.cookie(), grace.cookie()]);
    let held = cookies.iter().map(|cookie| cookie.split_once('=').expect("a cookie").1);
    for secret in held.chain([PASSWORD, "wrong-otter-plinth", token, link.as_str()]) {
        assert!(!log.contains(secret), "{log}");
    }
    assert_eq!(process.terminate().await, Some(0));
}
