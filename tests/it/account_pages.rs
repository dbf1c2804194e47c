//! One's own account by plain forms: the name, the password, the sessions.

use crate::harness::{Answer, Client, PASSWORD, Server};
use crate::live::client::Socket;

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const ANOTHER: &str = "plinth-otter-tangerine";

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

/// Where to POST to end the sessions that the page lists, this one excepted.
fn ends(html: &str) -> Vec<String> {
    let paths = html.split("action=\"").skip(1).map(|rest| rest.split_once('"').expect("an attribute").0);
    paths.filter(|path| path.starts_with("/account/sessions/ses_")).map(str::to_owned).collect()
}

/// A WebSocket in the organization's room.
async fn listening(server: &Server, client: &Client) -> Socket {
    let mut socket = Socket::open(&server.base(), &client.cookie()).await;
    socket.join(&format!("org:{}", client.org_id), None).await;
    socket
}

#[tokio::test]
async fn the_page_shows_who_one_is_and_where_one_belongs() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let member = ada.make_member("responder").await;
    let html = page(&member, "/account").await.expect(200).text;
    for part in [member.email.as_str(), "href=\"/o/adas-org\"", "href=\"/p/adas-org\"", "responder", "admin", "127.0.0.1", "This one"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains(&ada.email) && ends(&html).is_empty(), "{html}");
    let way = page(&server.anonymous(), "/account").await.expect(303);
    assert_eq!(way.header("location"), "/login?next=%2Faccount");
}

#[tokio::test]
async fn a_name_can_be_changed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let saved = ada.post_form("/account/name", &[("full_name", "Ada <b>L\"")]).await.expect(303);
    let html = page(&ada, saved.header("location")).await.expect(200).text;
    assert!(html.contains("Your name is saved.") && html.contains("value=\"Ada &#60;b&#62;L&#34;\""), "{html}");
    assert_eq!(ada.get("/api/users/auth/profile").await.expect(200).json["user"]["full_name"], "Ada <b>L\"");

    for name in ["", " ", "x".repeat(101).as_str()] {
        let refused = ada.post_form("/account/name", &[("full_name", name)]).await.expect(422).text;
        assert!(refused.contains("id=\"full_name-error\"") && refused.contains(&format!("value=\"{name}\"")), "{refused}");
    }
    let sneaky = ada.post_form("/account/name", &[("full_name", "Eve"), ("email", "eve@example.com")]).await.expect(422).text;
    assert!(sneaky.contains("email is not a field of this form"), "{sneaky}");
    assert_eq!(ada.get("/api/users/auth/profile").await.expect(200).json["user"]["full_name"], "Ada <b>L\"");
}

#[tokio::test]
async fn a_wrong_password_is_told_at_its_field() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in().await;
    for (current, new, field) in
        [("not the password", ANOTHER, "current_password"), ("", ANOTHER, "current_password"), (PASSWORD, "short-one", "new_password")]
    {
        let refused = ada.post_form("/account/password", &[("current_password", current), ("new_password", new)]).await.expect(422).text;
        assert!(refused.contains(&format!("id=\"{field}-error\"")), "{current} {new}: {refused}");
        for secret in ["not the password", ANOTHER, PASSWORD, "short-one"] {
            assert!(!refused.contains(&format!("value=\"{secret}\"")), "a password is shown again: {refused}");
        }
    }
    assert!(is_in(&ada).await && is_in(&other).await, "what failed ends nothing");
}

#[tokio::test]
async fn another_password_signs_out_everywhere_else() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in().await;
    let mut socket = listening(&server, &other).await;

    let changed = ada.post_form("/account/password", &[("current_password", PASSWORD), ("new_password", ANOTHER)]).await.expect(303);

    assert_eq!(socket.ended().await, 1_008);
    assert!(is_in(&ada).await && !is_in(&other).await);
    assert!(page(&ada, changed.header("location")).await.expect(200).text.contains("Your password is changed."));
    let login = |password| [("email", "ada@example.com"), ("password", password)];
    server.anonymous().post_form("/login", &login(PASSWORD)).await.expect(401);
    server.anonymous().post_form("/login", &login(ANOTHER)).await.expect(303);
}

#[tokio::test]
async fn a_session_that_is_ended_is_out_at_once_with_what_it_opened() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (lost, kept) = (ada.sign_in().await, ada.sign_in().await);
    let (mut own, mut of_lost) = (listening(&server, &ada).await, listening(&server, &lost).await);

    // Nobody is offered to end the session that they look through: what one of the two is offered, and the other is not, is the other.
    let html = page(&kept, "/account").await.expect(200).text;
    let seen_by_lost = page(&lost, "/account").await.expect(200).text;
    let path = ends(&html).into_iter().find(|path| !ends(&seen_by_lost).contains(path)).expect("the lost one");
    let ended = ada.post_form(&path, &[]).await.expect(303);

    assert_eq!(of_lost.ended().await, 1_008);
    assert!(!is_in(&lost).await && is_in(&kept).await && is_in(&ada).await);
    own.is_silent().await;
    let after = page(&ada, ended.header("location")).await.expect(200).text;
    assert!(after.contains("That session is signed out.") && ends(&after).len() == 1, "{after}");
    ada.post_form(&path, &[]).await.expect(404);
}

#[tokio::test]
async fn all_others_can_be_ended_at_once() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let others = [ada.sign_in().await, ada.sign_in().await];
    assert_eq!(ends(&page(&ada, "/account").await.expect(200).text).len(), 2);

    let ended = ada.post_form("/account/sessions/end-others", &[]).await.expect(303);

    for other in &others {
        assert!(!is_in(other).await);
    }
    assert!(is_in(&ada).await && is_in(&eve).await);
    let html = page(&ada, ended.header("location")).await.expect(200).text;
    assert!(html.contains("You are signed out everywhere else.") && !html.contains("end-others"), "{html}");
}

#[tokio::test]
async fn nobody_ends_a_strangers_session() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let other = ada.sign_in().await;
    let path = ends(&page(&ada, "/account").await.expect(200).text).pop().expect("the other one");
    for nobodys in [path.as_str(), "/account/sessions/ses_00000000000000000000000000000001/end", "/account/sessions/x/end"] {
        eve.post_form(nobodys, &[]).await.expect(404);
    }
    server.anonymous().post_form(&path, &[]).await.expect(401);
    assert!(is_in(&other).await);
}

#[tokio::test]
async fn sessions_are_known_by_what_they_call_themselves() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let login = serde_json::json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    for agent in ["Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36", "\"><script>alert(1)</script>"] {
        let headers = [("content-type", "application/json"), ("user-agent", agent)];
        server.anonymous().send("POST", "/api/users/auth/login", &headers, login.clone()).await.expect(200);
    }
    let html = page(&ada, "/account").await.expect(200).text;
    assert!(html.contains("Chrome on Linux") && html.contains("Unknown program") && !html.contains("<script>"), "{html}");
}
