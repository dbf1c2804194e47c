//! Invitations over the API: the link and how it ends, who may take it, and that one person does.

use std::time::Duration;

use allclear::config::{Config, Registration};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Client, Options, PASSWORD, Server, accepting};

const DAY: Duration = Duration::from_secs(86_400);

/// Where a link tells what it offers.
fn offering(invited: &Answer) -> String {
    format!("/api/users/invitations/{}", invited.text_at("/token"))
}

/// What somebody new signs up with.
fn newcomer(invited: &Answer) -> Value {
    json!({ "email": invited.json["email"], "password": PASSWORD, "full_name": "Grace Hopper", "invite_token": invited.json["token"] })
}

/// That a link opens nothing: not to look at, not for a person, not for a new one.
async fn is_dead(server: &Server, invited: &Answer, person: &Client) {
    let nobody = server.anonymous();
    assert_eq!(nobody.get(offering(invited)).await.expect(404).problem(), "not-found");
    assert_eq!(person.post(accepting(invited), json!({})).await.expect(404).problem(), "not-found");
    assert_eq!(nobody.post("/api/users/auth/signup", newcomer(invited)).await.wrong_fields(), ["invite_token"]);
    assert!(nobody.cookie().is_empty());
}

/// The members' names, the highest role first.
async fn names(client: &Client) -> Vec<String> {
    let members = client.all(&client.own("/members?limit=50")).await;
    members.iter().map(|member| member["user"]["full_name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_link_is_told_once_and_built_from_the_base_url() {
    let server = Server::start_with(Options::at("https://status.example.com/sub")).await;
    let ada = server.sign_up("ada").await;

    // Whatever a request says of the host, the link is where the operator says that browsers reach us.
    let headers = [("content-type", "application/json"), ("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let made = ada.send("POST", ada.own("/invitations"), &headers, r#"{"email":"Grace@Example.com"}"#).await.expect(201);

    let token = made.text_at("/token");
    let told = json!({
        "id": made.id(), "email": "grace@example.com", "role": "viewer", "expired": false,
        "created_at": "2026-03-01T12:00:00.000Z", "expires_at": "2026-03-02T12:00:00.000Z",
        "invited_by": { "kind": "user", "id": ada.user_id, "name": "Ada" },
    });
    let mut expected = told.clone();
    expected["url"] = format!("https://status.example.com/sub/invite/{token}").into();
    expected["token"] = token.as_str().into();
    expected["mail"] = "off".into();
    assert_eq!(made.json, expected);
    assert!(made.id().starts_with("inv_") && token.starts_with("v4.local."), "{}", made.text);
    assert_eq!((made.header("cache-control"), made.header("etag")), ("no-store", ""));

    let listed = ada.get(ada.own("/invitations")).await.expect(200);
    assert_eq!(listed.json, json!({ "data": [told], "next_cursor": null }));

    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.invited")));
    assert_eq!(news[0]["actor"], json!({ "kind": "user", "id": ada.user_id, "name": "Ada" }));
    assert_eq!(news[0]["subject"], json!({ "kind": "invitation", "id": made.id(), "name": "grace@example.com" }));
    let after = json!({ "email": "grace@example.com", "role": "viewer", "expires_at": "2026-03-02T12:00:00.000Z" });
    assert_eq!(news[0]["data"], json!({ "before": {}, "after": after }));
}

#[tokio::test]
async fn a_new_person_signs_up_with_the_token_and_founds_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let invited = ada.invite("grace@example.com", "responder").await;
    let grace = server.anonymous();

    let offer = grace.get(offering(&invited)).await.expect(200);
    let expected = json!({
        "organization": { "name": "Ada's Org", "slug": "adas-org" }, "email": "grace@example.com", "role": "responder",
        "invited_by": "Ada", "expires_at": "2026-03-02T12:00:00.000Z", "has_account": false,
    });
    assert_eq!(offer.json, expected);
    assert_eq!(offer.header("cache-control"), "no-store");

    let mut founding = newcomer(&invited);
    founding["organization_name"] = "Compilers & Co".into();
    founding["email"] = "other@example.com".into();
    founding["password"] = "short".into();
    let refused = grace.post("/api/users/auth/signup", founding).await;
    assert_eq!(refused.wrong_fields(), ["email", "organization_name", "password"], "all at once");
    let mut claiming = newcomer(&invited);
    claiming["setup_token"] = server.app().setup_token().await.unwrap().unwrap().into();
    assert_eq!(grace.post("/api/users/auth/signup", claiming).await.wrong_fields(), ["invite_token"]);
    let mut sneaky = newcomer(&invited);
    sneaky["role"] = "admin".into();
    assert_eq!(grace.post("/api/users/auth/signup", sneaky).await.wrong_fields(), ["role"]);
    assert!(grace.cookie().is_empty());
    assert_eq!(ada.new_events().await, ["member.invited"]);

    let joined = grace.post("/api/users/auth/signup", newcomer(&invited)).await.expect(201);

    let id = joined.text_at("/user/id");
    let user = json!({ "id": id, "email": "grace@example.com", "full_name": "Grace Hopper", "created_at": "2026-03-01T12:00:00.000Z" });
    let organization = json!({ "id": ada.org_id, "name": "Ada's Org", "slug": "adas-org", "created_at": "2026-03-01T12:00:00.000Z" });
    assert_eq!(joined.json, json!({ "user": user, "organization": organization, "role": "responder" }));
    let own = grace.get("/api/users/organizations").await.expect(200).json;
    assert_eq!(own["data"].as_array().map(Vec::len), Some(1), "{own}");

    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.joined")));
    assert_eq!(news[0]["actor"], json!({ "kind": "user", "id": id, "name": "Grace Hopper" }));
    assert_eq!(news[0]["subject"], json!({ "kind": "member", "id": id, "name": "Grace Hopper" }));
    let by = json!({ "id": ada.user_id, "name": "Ada" });
    assert_eq!(news[0]["data"], json!({ "before": {}, "after": { "role": "responder", "by": "invitation", "invited_by": by } }));

    assert_eq!(ada.get(ada.own("/invitations")).await.expect(200).json["data"], json!([]));
    is_dead(&server, &invited, &grace).await;
    assert_eq!(ada.new_events().await, [""; 0]);
}

#[tokio::test]
async fn a_signed_in_person_joins_at_once() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    let invited = ada.invite("GRACE@example.com", "editor").await;
    assert_eq!(server.anonymous().get(offering(&invited)).await.expect(200).json["has_account"], true);
    let unsigned = server.anonymous().post(accepting(&invited), json!({})).await.expect(401);
    assert_eq!(unsigned.problem(), "unauthenticated");

    let joined = grace.post(accepting(&invited), json!({})).await.expect(200);

    let expected = json!({ "id": ada.org_id, "name": "Ada's Org", "slug": "adas-org", "created_at": "2026-03-01T12:00:00.000Z", "role": "editor", "suspended": false });
    assert_eq!(joined.json, expected);
    grace.post("/api/services", json!({ "name": "API", "organization_id": ada.org_id })).await.expect(201);
    assert_eq!(names(&ada).await, ["Ada", "Grace"]);
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined", "service.created"]);
    is_dead(&server, &invited, &grace).await;
}

#[tokio::test]
async fn a_link_is_for_one_address() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let invited = ada.invite("grace@example.com", "admin").await;

    let refused = eve.post(accepting(&invited), json!({})).await.expect(403);
    assert_eq!(refused.problem(), "forbidden");
    assert!(refused.json["detail"].as_str().unwrap().contains("grace@example.com"), "it says for whom it is: {}", refused.text);
    eve.get(ada.own("")).await.expect(404);
    let mut other = newcomer(&invited);
    other["email"] = "mallory@example.com".into();
    assert_eq!(server.anonymous().post("/api/users/auth/signup", other).await.wrong_fields(), ["email"]);
    assert_eq!(ada.new_events().await, ["member.invited"]);

    server.anonymous().sign_up_by(&invited, "grace").await;
    assert_eq!(names(&ada).await, ["Ada", "Grace"]);
}

#[tokio::test]
async fn a_link_that_was_revoked_or_replaced_opens_nothing() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    let first = ada.invite("grace@example.com", "responder").await;
    let one = ada.own(&format!("/invitations/{}", first.id()));
    ada.new_events().await;
    server.advance(Duration::from_secs(3_600));

    let second = ada.post(format!("{one}/resend"), json!({})).await.expect(200);

    assert_eq!((second.id(), second.text_at("/expires_at")), (first.id(), "2026-03-02T13:00:00.000Z".to_owned()));
    assert_eq!((&second.json["created_at"], &second.json["mail"]), (&first.json["created_at"], &json!("off")));
    assert_ne!(second.text_at("/token"), first.text_at("/token"));
    is_dead(&server, &first, &grace).await;
    server.anonymous().get(offering(&second)).await.expect(200);
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.invited")));
    let after = json!({ "email": "grace@example.com", "role": "responder", "expires_at": "2026-03-02T13:00:00.000Z", "again": true });
    assert_eq!(news[0]["data"], json!({ "before": {}, "after": after }));

    ada.delete(&one).await.expect(204);

    is_dead(&server, &second, &grace).await;
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("invitation.revoked")));
    assert_eq!(news[0]["subject"], json!({ "kind": "invitation", "id": first.id(), "name": "grace@example.com" }));
    assert_eq!(news[0]["data"], json!({ "before": { "email": "grace@example.com", "role": "responder" }, "after": {} }));
    assert_eq!(ada.get(ada.own("/invitations")).await.expect(200).json["data"], json!([]));
    assert_eq!(ada.delete(&one).await.expect(404).problem(), "not-found");
    assert_eq!(ada.post(format!("{one}/resend"), json!({})).await.expect(404).problem(), "not-found");
    assert_eq!(ada.new_events().await, [""; 0]);
}

#[tokio::test]
async fn a_link_is_good_for_a_day_and_can_be_made_anew() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    let invited = ada.invite("grace@example.com", "viewer").await;
    server.advance(DAY - Duration::from_secs(1));
    grace.get(offering(&invited)).await.expect(200);
    server.advance(Duration::from_secs(1));

    is_dead(&server, &invited, &grace).await;
    let listed = ada.get(ada.own("/invitations")).await.expect(200).json;
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["expired"]), (&json!(invited.id()), &json!(true)));

    let again = ada.post(ada.own(&format!("/invitations/{}/resend", invited.id())), json!({})).await.expect(200);
    assert_eq!(again.json["expired"], false);
    server.advance(DAY);
    is_dead(&server, &again, &grace).await;

    // Who invites anew does not have to revoke what is over.
    let new = ada.invite("grace@example.com", "editor").await;
    let waiting = ada.get(ada.own("/invitations")).await.expect(200).json;
    assert_eq!((waiting["data"].as_array().map(Vec::len), &waiting["data"][0]["id"]), (Some(1), &json!(new.id())));
    grace.accept(&new).await;
    assert_eq!(ada.new_events().await, ["member.invited", "member.invited", "member.invited", "member.joined"]);
}

#[tokio::test]
async fn only_our_own_links_are_links() {
    let (server, other) = (Server::start().await, Server::start().await);
    let (ada, stranger) = (server.sign_up("ada").await, other.sign_up("ada").await);
    let grace = server.sign_up("grace").await;
    let (invited, theirs) = (ada.invite("grace@example.com", "admin").await, stranger.invite("grace@example.com", "admin").await);
    let token = invited.text_at("/token");
    let flip = |at: usize| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let reset = server.app().reset_link("grace@example.com").await.unwrap();
    let refused = [
        theirs.text_at("/token"),
        server.app().setup_token().await.unwrap().unwrap(),
        grace.cookie().split_once('=').unwrap().1.to_owned(),
        reset.rsplit('/').next().unwrap().to_owned(),
        flip("v4.local.".len() + 3),
        flip(token.len() / 2),
        flip(token.len() - 3),
        token.replace("v4.local.", "v4.public."),
        token[..token.len() - 10].to_owned(),
        "nonsense".to_owned(),
        "%00".to_owned(),
    ];
    for forged in refused {
        let (looked, taken) = (format!("/api/users/invitations/{forged}"), format!("/api/users/invitations/{forged}/accept"));
        assert_eq!(grace.get(looked).await.expect(404).problem(), "not-found", "{forged}");
        assert_eq!(grace.post(taken, json!({})).await.expect(404).problem(), "not-found", "{forged}");
    }
    assert_eq!(ada.new_events().await, ["member.invited"]);
    grace.accept(&invited).await;
}

#[tokio::test]
async fn nobody_is_invited_twice_or_though_they_belong() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (viewer, path) = (ada.make_member("viewer").await, ada.own("/invitations"));

    let own = ada.post(&path, json!({ "email": "ADA@example.com" })).await.expect(409);
    assert!(own.problem() == "conflict" && own.json["detail"].as_str().unwrap().contains("a member already"), "{}", own.text);
    ada.post(&path, json!({ "email": viewer.email, "role": "admin" })).await.expect(409);
    let first = ada.post_once(&path, "key", json!({ "email": "grace@example.com" })).await.expect(201);
    let second = ada.post(&path, json!({ "email": "Grace@example.com", "role": "admin" })).await.expect(409);
    assert!(second.json["detail"].as_str().unwrap().contains("already an invitation"), "{}", second.text);
    // A secret is never kept to be repeated.
    let repeated = ada.post_once(&path, "key", json!({ "email": "grace@example.com" })).await.expect(409);
    assert!(!repeated.headers.contains_key("idempotency-replayed") && !repeated.text.contains(&first.text_at("/token")));
    assert_eq!(ada.new_events().await, ["member.invited"]);

    for (wrong, field) in [
        (json!({}), "email"),
        (json!({ "email": "grace" }), "email"),
        (json!({ "email": "a@b.example\r\nBcc: c@d.example" }), "email"),
        (json!({ "email": "kim@example.com", "role": "owner" }), "role"),
        (json!({ "email": "kim@example.com", "role": null }), "role"),
        (json!({ "email": "kim@example.com", "organization_id": ada.org_id }), "organization_id"),
    ] {
        assert_eq!(ada.post(&path, &wrong).await.wrong_fields(), [field], "{wrong}");
    }
    let role = ada.post(&path, json!({ "email": "kim@example.com", "role": "Admin" })).await;
    assert_eq!(role.json["errors"][0]["message"], "must be one of viewer, responder, editor, admin", "{}", role.text);
    assert_eq!(viewer.post(&path, json!({ "email": "kim@example.com" })).await.expect(403).problem(), "forbidden");
    assert_eq!(viewer.get(&path).await.expect(403).problem(), "forbidden");
    assert_eq!(ada.new_events().await, [""; 0]);
}

#[tokio::test]
async fn a_list_of_invitations_comes_in_pages_the_latest_first() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for name in ["a", "b", "c", "d", "e"] {
        ada.invite(&format!("{name}@example.com"), "viewer").await;
    }
    for limit in [1, 2, 5] {
        let all = ada.all(&ada.own(&format!("/invitations?limit={limit}"))).await;
        let emails: Vec<_> = all.iter().map(|one| one["email"].as_str().unwrap().trim_end_matches("@example.com")).collect();
        assert_eq!(emails, ["e", "d", "c", "b", "a"], "{limit}");
        assert!(all.iter().all(|one| one.get("url").is_none() && one.get("token").is_none()), "{all:?}");
    }
    assert_eq!(ada.get(ada.own("/invitations?cursor=nonsense")).await.wrong_fields(), ["cursor"]);
    let cursor = ada.get(ada.own("/invitations?limit=1")).await.text_at("/next_cursor");
    let eve = server.sign_up("eve").await;
    assert_eq!(eve.get(eve.own(&format!("/invitations?cursor={cursor}"))).await.wrong_fields(), ["cursor"], "of another organization");
}

#[tokio::test]
async fn who_invites_without_end_is_slowed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    let mut answer = ada.post(ada.own("/invitations"), json!({ "email": "0@example.com" })).await.expect(201);
    for number in 1..100 {
        answer = ada.post(ada.own("/invitations"), json!({ "email": format!("{number}@example.com") })).await;
        if answer.status != 201 {
            break;
        }
        // Who may not is told so, however often.
        viewer.post(ada.own("/invitations"), json!({ "email": format!("{number}@example.com") })).await.expect(403);
    }
    assert_eq!(answer.clone().expect(429).problem(), "too-many-requests");
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    server.advance(Duration::from_secs(seconds));
    ada.invite("later@example.com", "viewer").await;
}

#[tokio::test]
async fn registration_by_invitation_lets_in_who_is_invited() {
    for (registration, made) in [(Registration::Invite, 201), (Registration::Closed, 422)] {
        let options = Options::default();
        let config = Config { registration, ..options.config };
        let server = Server::start_with(Options { config, ..options }).await;
        let ada = server.anonymous();
        let setup = server.app().setup_token().await.unwrap().unwrap();
        let founder = json!({
            "email": "ada@example.com", "password": PASSWORD, "full_name": "Ada", "organization_name": "Ada's Org", "setup_token": setup,
        });
        let founded = ada.post("/api/users/auth/signup", founder).await.expect(201);
        let path = format!("/api/users/organizations/{}/invitations", founded.text_at("/organization/id"));
        let invited = ada.post(&path, json!({ "email": "grace@example.com" })).await.expect(made);

        let uninvited = json!({ "email": "eve@example.com", "password": PASSWORD, "full_name": "Eve", "organization_name": "Eve's Org" });
        assert_eq!(server.anonymous().post("/api/users/auth/signup", uninvited).await.expect(403).problem(), "forbidden");
        if registration == Registration::Closed {
            // Its link would open nothing.
            assert_eq!(invited.wrong_fields(), ["email"]);
        } else {
            server.anonymous().post("/api/users/auth/signup", newcomer(&invited)).await.expect(201);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_newcomers_with_one_link_exactly_one_is_let_in() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let invited = ada.invite("grace@example.com", "responder").await;

    let mut people = JoinSet::new();
    for number in 0..8 {
        let (person, mut input) = (server.anonymous(), newcomer(&invited));
        input["full_name"] = format!("Grace {number}").into();
        people.spawn(async move { (person.post("/api/users/auth/signup", input).await.status, person.cookie()) });
    }
    let answers = people.join_all().await;

    let won = answers.iter().filter(|(status, cookie)| *status == 201 && !cookie.is_empty()).count();
    let lost = answers.iter().filter(|(status, cookie)| matches!(status, 409 | 422) && cookie.is_empty()).count();
    assert_eq!((won, lost), (1, 7), "{answers:?}");
    assert_eq!(names(&ada).await.len(), 2);
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_accepts_many_times_at_once_joins_once() {
    let server = Server::start().await;
    let (ada, grace) = (server.sign_up("ada").await, server.sign_up("grace").await);
    let invited = ada.invite("grace@example.com", "responder").await;

    let mut requests = JoinSet::new();
    for _ in 0..16 {
        let (grace, path) = (grace.clone(), accepting(&invited));
        requests.spawn(async move { grace.post(path, json!({})).await.status });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();

    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| matches!(status, 404 | 409)), "{statuses:?}");
    assert_eq!(names(&ada).await, ["Ada", "Grace"]);
    assert_eq!(ada.new_events().await, ["member.invited", "member.joined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_while_it_is_accepted_is_one_or_the_other() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for round in 0..8 {
        let grace = server.sign_up(&format!("grace-{round}")).await;
        let invited = ada.invite(&grace.email, "viewer").await;
        ada.new_events().await;

        let (path, one) = (accepting(&invited), ada.own(&format!("/invitations/{}", invited.id())));
        let (accepted, revoked) = tokio::join!(grace.post(path, json!({})), ada.delete(one));

        let event = match (accepted.status, revoked.status) {
            (200, 404) => "member.joined",
            (404, 204) => "invitation.revoked",
            both => panic!("{both:?}"),
        };
        assert_eq!(ada.new_events().await, [event]);
    }
}
