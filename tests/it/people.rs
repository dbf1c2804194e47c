//! People over the API: members and their roles, leaving, sessions, forgotten passwords, and an organization's end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Client, PASSWORD, Server};
use crate::live::client::{Ended, Events, Socket};

const ANOTHER: &str = "plinth-otter-tangerine";

/// Where one of the people of this organization is.
fn place(admin: &Client, member: &Client) -> String {
    admin.own(&format!("/members/{}", member.user_id))
}

/// Each member's id and role, in the order told.
async fn roles(client: &Client, limit: usize) -> Vec<(String, String)> {
    let members = client.all(&client.own(&format!("/members?limit={limit}"))).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    members.iter().map(|member| (text(&member["id"]), text(&member["role"]))).collect()
}

async fn is_in(client: &Client) -> bool {
    match client.get("/api/users/auth/profile").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn members_are_told_to_each_other_the_highest_role_first() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (viewer, late) = (ada.make_member("viewer").await, ada.make_member("admin").await);
    server.advance(Duration::from_secs(60));
    let (responder, editor) = (ada.make_member("responder").await, ada.make_member("editor").await);
    let newer = ada.make_member("viewer").await;
    let eve = server.sign_up("eve").await;

    let expected =
        [(&ada, "admin"), (&late, "admin"), (&editor, "editor"), (&responder, "responder"), (&viewer, "viewer"), (&newer, "viewer")]
            .map(|(who, role)| (who.user_id.clone(), role.to_owned()));
    for limit in [1, 4, 200] {
        assert_eq!(roles(&viewer, limit).await, expected, "{limit}");
    }

    let one = viewer.get(place(&ada, &editor)).await.expect(200);
    // As they know themselves.
    let user = editor.get("/api/users/auth/profile").await.expect(200).json["user"].clone();
    assert_eq!(one.json, json!({ "id": editor.user_id, "user": user, "role": "editor", "joined_at": "2026-03-01T12:01:00.000Z" }));
    let known = [("if-none-match", one.header("etag"))];
    assert_eq!(viewer.send("GET", place(&ada, &editor), &known, "").await.status, 304);

    for nobody in [place(&ada, &eve), ada.own("/members/usr_00000000000000000000000000000001"), ada.own("/members/x")] {
        assert_eq!(ada.get(&nobody).await.expect(404).problem(), "not-found", "{nobody}");
        ada.put(&nobody, json!({ "role": "viewer" })).await.expect(404);
        ada.delete(&nobody).await.expect(404);
    }
    assert_eq!(eve.get(ada.own("/members")).await.expect(404).problem(), "not-found");
    assert_eq!(ada.new_events().await, [""; 0]);
}

#[tokio::test]
async fn a_role_counts_from_the_very_next_request() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let at = place(&ada, &bob);
    let report = json!({ "title": "It fails", "message": "Looking.", "affected": [], "organization_id": ada.org_id });
    bob.post("/api/incidents", &report).await.expect(403);
    let tag = ada.get(&at).await.header("etag").to_owned();

    let changed = ada.put(&at, json!({ "role": "responder" })).await.expect(200);

    assert_eq!((changed.text_at("/id"), changed.text_at("/role")), (bob.user_id.clone(), "responder".to_owned()));
    assert_ne!(changed.header("etag"), tag);
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.role_changed")));
    assert_eq!(news[0]["actor"]["id"], ada.user_id);
    assert_eq!((&news[0]["subject"]["kind"], &news[0]["subject"]["id"]), (&json!("member"), &json!(bob.user_id)));
    assert_eq!(news[0]["data"], json!({ "before": { "role": "viewer" }, "after": { "role": "responder" } }));
    bob.post("/api/incidents", &report).await.expect(201);
    assert_eq!(ada.new_events().await, ["incident.opened"]);

    let stale = [("if-match", tag.as_str()), ("content-type", "application/json")];
    assert_eq!(ada.send("PUT", &at, &stale, r#"{"role":"admin"}"#).await.expect(412).problem(), "stale");
    assert_eq!(ada.send("DELETE", &at, &stale[..1], "").await.expect(412).problem(), "stale");
    ada.put(&at, json!({ "role": "responder" })).await.expect(200);
    for (wrong, field) in [
        (json!({}), "role"),
        (json!({ "role": "owner" }), "role"),
        (json!({ "role": 3 }), "role"),
        (json!({ "role": "admin", "email": "eve@example.com" }), "email"),
    ] {
        assert_eq!(ada.put(&at, &wrong).await.wrong_fields(), [field], "{wrong}");
    }
    let owner = ada.put(&at, json!({ "role": "owner" })).await;
    assert_eq!(owner.json["errors"][0]["message"], "must be one of viewer, responder, editor, admin", "{}", owner.text);
    assert_eq!(ada.new_events().await, [""; 0]);

    // Nobody gives themselves a role.
    assert_eq!(bob.put(&at, json!({ "role": "admin" })).await.expect(403).problem(), "forbidden");
    ada.put(&at, json!({ "role": "viewer" })).await.expect(200);
    bob.post("/api/incidents", &report).await.expect(403);
    assert_eq!(ada.new_events().await, ["member.role_changed"]);
}

#[tokio::test]
async fn a_role_that_was_changed_is_answered_alike_when_asked_again() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let at = place(&ada, &bob);
    let once = [("idempotency-key", "k"), ("content-type", "application/json")];

    let first = ada.send("PUT", &at, &once, r#"{"role":"editor"}"#).await.expect(200);
    ada.put(&at, json!({ "role": "responder" })).await.expect(200);
    let again = ada.send("PUT", &at, &once, r#"{"role":"editor"}"#).await.expect(200);
    assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, "true"));

    ada.send("DELETE", &at, &once[..1], "").await.expect(204);
    assert_eq!(ada.send("DELETE", &at, &once[..1], "").await.expect(204).header("idempotency-replayed"), "true");
    ada.delete(&at).await.expect(404);
    assert_eq!(ada.new_events().await, ["member.role_changed", "member.role_changed", "member.removed"]);
}

#[tokio::test]
async fn who_is_removed_is_out_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    let service = ada.service("API").await;
    let (at, room) = (place(&ada, &bob), format!("org:{}", ada.org_id));
    let mut socket = Socket::open(&server.base(), &bob.cookie()).await;
    socket.join(&room, None).await;
    let mut stream = Events::open(&server.base(), &format!("room={room}"), &bob.cookie()).await;
    let mut adas = Socket::open(&server.base(), &ada.cookie()).await;
    adas.join(&room, None).await;
    ada.new_events().await;

    ada.delete(&at).await.expect(204);

    assert_eq!(socket.ended().await, 1_008);
    assert_eq!(stream.ended().await, Ended::Cleanly);
    let (_, _, event) = adas.event().await;
    assert_eq!(event["type"], "member.removed", "who stays hears of it");
    let timeline = format!("/api/timeline/organization/{}", ada.org_id);
    for path in [ada.own(""), ada.own("/members"), format!("/api/services/{service}"), timeline] {
        assert_eq!(bob.get(&path).await.expect(404).problem(), "not-found", "{path}");
    }
    bob.post("/api/services", json!({ "name": "Web", "organization_id": ada.org_id })).await.expect(404);
    assert_eq!(bob.get("/api/users/organizations").await.expect(200).json["data"].as_array().map(Vec::len), Some(1), "their own is left");
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.removed")));
    assert_eq!((&news[0]["actor"]["id"], &news[0]["subject"]["id"]), (&json!(ada.user_id), &json!(bob.user_id)));
    assert_eq!(news[0]["data"], json!({ "before": { "role": "editor" }, "after": {} }));

    ada.delete(&at).await.expect(404);
    let back = bob.accept(&ada.invite(&bob.email, "viewer").await).await;
    back.get(ada.own("")).await.expect(200);
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined"]);
}

#[tokio::test]
async fn another_role_closes_what_is_open_and_whoever_comes_back_gets_what_they_may() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let room = format!("org:{}", ada.org_id);
    let mut socket = Socket::open(&server.base(), &bob.cookie()).await;
    let seen = socket.join(&room, None).await;

    ada.put(place(&ada, &bob), json!({ "role": "responder" })).await.expect(200);

    assert_eq!(socket.ended().await, 1_008);
    let mut socket = Socket::open(&server.base(), &bob.cookie()).await;
    socket.join(&room, Some(&seen)).await;
    let (_, _, missed) = socket.event().await;
    assert_eq!((&missed["type"], &missed["data"]["after"]["role"]), (&json!("member.role_changed"), &json!("responder")));
}

#[tokio::test]
async fn anyone_may_leave_but_the_last_admin() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (bob, grace) = (ada.make_member("viewer").await, ada.make_member("viewer").await);

    assert_eq!(bob.delete(place(&ada, &grace)).await.expect(403).problem(), "forbidden", "one's own alone");
    bob.delete(place(&ada, &bob)).await.expect(204);
    bob.get(ada.own("")).await.expect(404);
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"], &news[0]["actor"]["id"]), (1, &json!("member.removed"), &json!(bob.user_id)));
    assert_eq!(news[0]["data"], json!({ "before": { "role": "viewer" }, "after": { "left": true } }));

    let own = place(&ada, &ada);
    for refused in [ada.delete(&own).await, ada.put(&own, json!({ "role": "editor" })).await] {
        let refused = refused.expect(409);
        assert!(refused.problem() == "conflict" && refused.json["detail"].as_str().unwrap().contains("last admin"), "{}", refused.text);
    }
    assert_eq!(ada.new_events().await, [""; 0]);

    ada.put(place(&ada, &grace), json!({ "role": "admin" })).await.expect(200);
    ada.delete(&own).await.expect(204);
    assert_eq!(roles(&grace, 50).await, [(grace.user_id.clone(), "admin".to_owned())]);
    assert_eq!(grace.events().await[5..], ["member.removed", "member.role_changed", "member.removed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_they_hurry_one_admin_stays() {
    let server = Server::start().await;
    for round in 0..6 {
        let ada = server.sign_up(&format!("ada-{round}")).await;
        let grace = ada.make_member("admin").await;
        let witness = ada.make_member("viewer").await;
        let mut requests = JoinSet::new();
        for (who, whom) in [(&ada, &grace), (&grace, &ada), (&ada, &ada), (&grace, &grace)] {
            let (who, at) = (who.clone(), place(&ada, whom));
            if round % 2 == 0 {
                requests.spawn(async move { who.put(at, json!({ "role": "viewer" })).await.status });
            } else {
                requests.spawn(async move { who.delete(at).await.status });
            }
        }
        let statuses = requests.join_all().await;

        assert!(statuses.iter().all(|status| matches!(status, 200 | 204 | 403 | 404 | 409)), "{statuses:?}");
        let admins = roles(&witness, 50).await.iter().filter(|(_, role)| role == "admin").count();
        assert_eq!(admins, 1, "{statuses:?}");
        assert_eq!(witness.new_events().await, [if round % 2 == 0 { "member.role_changed" } else { "member.removed" }]);
    }
}

#[tokio::test]
async fn sessions_are_listed_without_their_secret_and_ended_one_by_one() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    server.advance(Duration::from_secs(60));
    let other = ada.sign_in().await;
    let mut socket = Socket::open(&server.base(), &other.cookie()).await;
    socket.join(&format!("org:{}", ada.org_id), None).await;

    let list = ada.get("/api/users/auth/sessions").await.expect(200);
    let sessions = list.json["data"].as_array().expect("a list").clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(false), &json!(true)), "the latest begun first");
    let first = json!({
        "id": sessions[1]["id"], "current": true, "address": "127.0.0.1", "user_agent": "",
        "created_at": "2026-03-01T12:00:00.000Z", "seen_at": "2026-03-01T12:00:00.000Z", "expires_at": "2026-05-30T12:00:00.000Z",
    });
    assert_eq!(sessions[1], first);
    for session in [&ada, &other] {
        assert!(!list.text.contains(session.cookie().split_once('=').unwrap().1), "{}", list.text);
    }
    assert_eq!(ada.all("/api/users/auth/sessions?limit=1").await, sessions);

    let of = |session: &Value| format!("/api/users/auth/sessions/{}", session["id"].as_str().expect("an id"));
    assert_eq!(eve.delete(of(&sessions[0])).await.expect(404).problem(), "not-found");
    ada.delete("/api/users/auth/sessions/x").await.expect(404);
    assert!(is_in(&other).await);
    ada.delete(of(&sessions[0])).await.expect(204);
    assert!(!is_in(&other).await && is_in(&ada).await);
    assert_eq!(socket.ended().await, 1_008);
    ada.delete(of(&sessions[0])).await.expect(404);
    ada.delete(of(&sessions[1])).await.expect(204);
    assert!(!is_in(&ada).await, "one's own, too");
}

#[tokio::test]
async fn a_forgotten_password_is_answered_alike_for_everyone() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let nobody = server.anonymous();
    let forgot = async |email: &str| nobody.post("/api/users/auth/password/forgot", json!({ "email": email })).await;

    let (known, unknown) = (forgot("ada@example.com").await.expect(204), forgot("nobody@example.com").await.expect(204));
    assert_eq!((known.text, known.headers.len()), (unknown.text, unknown.headers.len()));
    assert_eq!(nobody.post("/api/users/auth/password/forgot", json!({})).await.wrong_fields(), ["email"]);
    let mut answer = forgot("ada@example.com").await;
    for _ in 0..30 {
        answer = forgot("ada@example.com").await;
    }
    assert_eq!(answer.expect(429).problem(), "too-many-requests");
}

#[tokio::test]
async fn a_link_sets_another_password_once_and_ends_every_session() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in().await;
    let nobody = server.anonymous();
    let link = server.app().reset_link("ada@example.com").await.unwrap();
    let (start, token) = link.rsplit_once('/').unwrap();
    assert_eq!(start, format!("{}/reset", server.base()));
    let reset =
        async |token: &str, new: &str| nobody.post("/api/users/auth/password/reset", json!({ "token": token, "new_password": new })).await;
    let login = async |password: &str| {
        server.anonymous().post("/api/users/auth/login", json!({ "email": "ada@example.com", "password": password })).await.status
    };

    for weak in ["short", "password1234"] {
        assert_eq!(reset(token, weak).await.wrong_fields(), ["new_password"], "{weak}");
    }
    let invited = ada.invite("grace@example.com", "viewer").await.text_at("/token");
    for forged in ["nonsense", &token.replace("v4.local.", "v4.public."), &invited] {
        assert_eq!(reset(forged, ANOTHER).await.wrong_fields(), ["token"]);
    }
    assert!(is_in(&ada).await && is_in(&other).await, "what failed ends nothing");

    reset(token, ANOTHER).await.expect(204);

    assert!(!is_in(&ada).await && !is_in(&other).await && nobody.cookie().is_empty());
    assert_eq!((login(PASSWORD).await, login(ANOTHER).await), (401, 200));
    assert_eq!(reset(token, "tangerine-plinth-otter").await.wrong_fields(), ["token"], "it works once");

    let late = server.app().reset_link("ada@example.com").await.unwrap();
    server.advance(Duration::from_secs(3_601));
    assert_eq!(reset(late.rsplit('/').next().unwrap(), PASSWORD).await.wrong_fields(), ["token"]);
    assert_eq!(login(ANOTHER).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_with_one_link_exactly_one_sets_the_password() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let link = server.app().reset_link("ada@example.com").await.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let passwords: Vec<_> = (0..6).map(|number| format!("{ANOTHER}-{number}")).collect();

    let mut requests = JoinSet::new();
    for new in &passwords {
        let (nobody, input) = (server.anonymous(), json!({ "token": token, "new_password": new }));
        requests.spawn(async move { nobody.post("/api/users/auth/password/reset", input).await.status });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 422, 422, 422, 422, 422]);

    let mut good = 0;
    for password in &passwords {
        let login = json!({ "email": "ada@example.com", "password": password });
        good += usize::from(server.anonymous().post("/api/users/auth/login", login).await.status == 200);
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn an_organization_is_deleted_by_its_name_and_is_gone_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let editor = ada.make_member("editor").await;
    let (service, invited) = (ada.service("API").await, ada.invite("grace@example.com", "viewer").await);
    let (own, right) = (ada.own(""), ada.own("?name=Ada%27s%20Org"));
    let mut socket = Socket::open(&server.base(), &editor.cookie()).await;
    socket.join(&format!("org:{}", ada.org_id), None).await;

    for wrong in [own.clone(), ada.own("?name="), ada.own("?name=ada"), ada.own("?name=adas-org")] {
        assert_eq!(ada.delete(&wrong).await.wrong_fields(), ["name"], "{wrong}");
    }
    assert_eq!(editor.delete(&right).await.expect(403).problem(), "forbidden");
    assert_eq!(server.sign_up("eve").await.delete(&right).await.expect(404).problem(), "not-found");
    ada.get(&own).await.expect(200);

    ada.delete(&right).await.expect(204);

    assert_eq!(socket.ended().await, 1_008);
    let timeline = format!("/api/timeline/organization/{}", ada.org_id);
    for who in [&ada, &editor] {
        for path in [&own, &ada.own("/members"), &format!("/api/services/{service}"), &timeline] {
            assert_eq!(who.get(path).await.expect(404).problem(), "not-found", "{path}");
        }
    }
    assert_eq!(ada.get("/api/users/auth/profile").await.expect(200).json["organizations"], json!([]));
    assert_eq!(ada.get("/api/users/organizations").await.expect(200).json["data"], json!([]));
    assert_eq!(ada.get("/api/services").await.expect(200).json["data"], json!([]));
    let token = invited.text_at("/token");
    server.anonymous().get(format!("/api/users/invitations/{token}")).await.expect(404);
    server.anonymous().get("/p/adas-org").await.expect(404);
    ada.delete(&right).await.expect(404);

    // Nobody is taken for it: its address leads nowhere for a year.
    let founded = json!({ "email": "ada2@example.com", "password": PASSWORD, "full_name": "Ada", "organization_name": "Ada's Org" });
    let founded = server.anonymous().post("/api/users/auth/signup", founded).await.expect(201);
    assert_eq!(founded.text_at("/organization/slug"), "adas-org-2");
}

#[tokio::test]
async fn a_suspended_organization_is_left_out_of_lists_and_refused_by_itself() {
    let server = Server::start().await;
    let mut founder = json!({ "email": "ola@example.com", "password": PASSWORD, "full_name": "Ola", "organization_name": "Operations" });
    founder["setup_token"] = server.app().setup_token().await.unwrap().unwrap().into();
    let ola = server.anonymous();
    ola.post("/api/users/auth/signup", founder).await.expect(201);
    let operator = server.app().authenticate(ola.cookie().split_once('=').unwrap().1).await.unwrap();
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let service = ada.service("API").await;
    let ada_at_bobs = ada.accept(&bob.invite(&ada.email, "viewer").await).await;
    bob.service("Web").await;
    let services = async |query: &str| ada.get(format!("/api/services{query}")).await;
    assert_eq!(services("").await.expect(200).json["data"].as_array().map(Vec::len), Some(2));

    server.app().suspend(&operator, ada.org_id.parse().unwrap()).await.unwrap();

    let left = services("").await.expect(200).json;
    assert_eq!((left["data"].as_array().map(Vec::len), &left["data"][0]["name"]), (Some(1), &json!("Web")));
    let named = format!("?organization_id={}", ada.org_id);
    for refused in [
        services(&named).await,
        ada.get(format!("/api/service-groups{named}")).await,
        ada.get(format!("/api/incidents{named}")).await,
        ada.get(format!("/api/services/{service}")).await,
        ada.get(ada.own("")).await,
        ada.get(ada.own("/members")).await,
        ada.get(ada.own("/invitations")).await,
        ada.post(ada.own("/invitations"), json!({ "email": "grace@example.com" })).await,
        ada.delete(place(&ada, &ada)).await,
        ada.get(format!("/api/timeline/service/{service}")).await,
    ] {
        let refused = refused.expect(403);
        assert!(refused.problem() == "forbidden" && refused.json["detail"].as_str().unwrap().contains("suspended"), "{}", refused.text);
    }
    let own = ada.get("/api/users/organizations").await.expect(200).json;
    assert_eq!(own["data"].as_array().map(Vec::len), Some(2), "it is still theirs: {own}");
    ada_at_bobs.get(bob.own("/members")).await.expect(200);

    server.app().resume(&operator, ada.org_id.parse().unwrap()).await.unwrap();
    assert_eq!(services("").await.expect(200).json["data"].as_array().map(Vec::len), Some(2));
}
