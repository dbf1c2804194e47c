//! Accounts over the API: signing up, in and out, the profile, the password, the organizations.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Server};

fn new_account(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "full_name": "Grace Hopper", "organization_name": "Compilers & Co" })
}

#[tokio::test]
async fn signing_up_makes_a_person_an_organization_and_one_event() {
    let server = Server::start().await;
    let grace = server.anonymous();

    let answer = grace.post("/api/users/auth/signup", new_account("Grace@Example.com")).await.expect(201);

    let (user, organization) = (&answer.json["user"], &answer.json["organization"]);
    assert!(user["id"].as_str().is_some_and(|id| id.starts_with("usr_")));
    assert_eq!(
        *user,
        json!({ "id": user["id"], "email": "grace@example.com", "full_name": "Grace Hopper", "created_at": "2026-03-01T12:00:00.000Z" })
    );
    assert_eq!(
        *organization,
        json!({ "id": organization["id"], "name": "Compilers & Co", "slug": "compilers-co", "created_at": "2026-03-01T12:00:00.000Z" })
    );
    assert_eq!(answer.json["role"], "admin");
    assert!(!answer.text.contains("password") && !answer.text.contains("argon2"), "{}", answer.text);
    assert!(!grace.cookie().is_empty(), "the cookie is set");

    let path = format!("/api/timeline/organization/{}", organization["id"].as_str().unwrap());
    let timeline = grace.get(path).await.expect(200);
    let entry = &timeline.json["data"][0];
    assert_eq!(timeline.json["data"].as_array().unwrap().len(), 1);
    assert_eq!(entry["type"], "organization.created");
    assert_eq!(entry["actor"], json!({ "kind": "user", "id": user["id"], "name": "Grace Hopper" }));
    assert_eq!(entry["subject"], json!({ "kind": "organization", "id": organization["id"], "name": "Compilers & Co" }));
    let admin = json!({ "id": user["id"], "name": "Grace Hopper" });
    assert_eq!(entry["data"], json!({ "before": {}, "after": { "name": "Compilers & Co", "slug": "compilers-co", "admin": admin } }));
}

#[tokio::test]
async fn a_sign_up_hears_of_everything_that_is_wrong_at_once() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let input = json!({ "email": "grace", "password": "short", "full_name": "", "organization_name": "\n" });

    let answer = nobody.post("/api/users/auth/signup", input).await;

    assert_eq!(answer.wrong_fields(), ["email", "full_name", "organization_name", "password"]);
    assert!(nobody.cookie().is_empty());
    for bad in ["password1234", "grace-hopper-1", &"x1Y".repeat(43)] {
        let mut input = new_account("grace@example.com");
        input["password"] = bad.into();
        assert_eq!(nobody.post("/api/users/auth/signup", input).await.wrong_fields(), ["password"], "{bad}");
    }
}

#[tokio::test]
async fn an_address_has_one_account_and_a_name_may_be_taken_twice() {
    let server = Server::start().await;
    server.anonymous().post("/api/users/auth/signup", new_account("grace@example.com")).await.expect(201);

    let again = server.anonymous().post("/api/users/auth/signup", new_account("GRACE@example.com")).await.expect(409);
    assert_eq!(again.problem(), "conflict");

    let other = server.anonymous().post("/api/users/auth/signup", new_account("other@example.com")).await.expect(201);
    assert_eq!(other.json["organization"]["slug"], "compilers-co-2");
}

#[tokio::test]
async fn signing_in_and_out_over_and_over() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let first = ada.cookie();

    let answer = ada.post("/api/users/auth/login", json!({ "email": "ADA@example.com", "password": PASSWORD })).await.expect(200);
    assert_eq!(answer.json, ada.get("/api/users/auth/profile").await.expect(200).json, "the answer is the profile");
    assert_ne!(ada.cookie(), first, "a sign-in always begins a new session");

    ada.post("/api/users/auth/logout", json!({})).await.expect(204);
    assert!(ada.cookie().is_empty(), "the cookie is cleared");
    assert_eq!(ada.get("/api/users/auth/profile").await.expect(401).problem(), "unauthenticated");
}

#[tokio::test]
async fn the_profile_names_organizations_and_roles() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let guest = ada.make_member("viewer").await;

    let profile = ada.get("/api/users/auth/profile/").await.expect(200).json;
    let organization = json!({ "id": ada.org_id, "name": "Ada's Org", "slug": "adas-org", "created_at": "2026-03-01T12:00:00.000Z", "role": "admin", "suspended": false });
    let user = json!({ "id": ada.user_id, "email": "ada@example.com", "full_name": "Ada", "created_at": "2026-03-01T12:00:00.000Z" });
    assert_eq!(profile, json!({ "user": user, "organizations": [organization] }));

    let theirs = guest.get("/api/users/auth/profile").await.expect(200).json;
    let mut roles: Vec<_> = theirs["organizations"].as_array().unwrap().iter().map(|own| own["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "viewer"], "of their own, and of the one they joined");

    let renamed = ada.put("/api/users/auth/profile", json!({ "full_name": "Ada King" })).await.expect(200);
    assert_eq!(renamed.json["user"]["full_name"], "Ada King");
    assert_eq!(ada.put("/api/users/auth/profile", json!({ "full_name": "a\nb" })).await.wrong_fields(), ["full_name"]);
    assert_eq!(ada.new_events().await, [""; 0], "a person's name is nobody's timeline");
    ada.service("API").await;
    assert_eq!(ada.news().await[0]["actor"]["name"], "Ada King");
}

#[tokio::test]
async fn another_password_needs_the_present_one() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });

    let wrong = ada.post("/api/users/auth/password", change("not my password", "plinth-otter-tangerine")).await;
    assert_eq!(wrong.wrong_fields(), ["current_password"]);
    let weak = ada.post("/api/users/auth/password", change(PASSWORD, "password1234")).await;
    assert_eq!(weak.wrong_fields(), ["new_password"]);

    let changed = ada.post("/api/users/auth/password", change(PASSWORD, "plinth-otter-tangerine")).await;
    assert!((200..300).contains(&changed.status), "{}", changed.text);
    ada.get("/api/users/auth/profile").await.expect(200);
    let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
    server.anonymous().post("/api/users/auth/login", login(PASSWORD)).await.expect(401);
    server.anonymous().post("/api/users/auth/login", login("plinth-otter-tangerine")).await.expect(200);
}

#[tokio::test]
async fn organizations_are_the_callers_own() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let guest = ada.make_member("viewer").await;

    let own = ada.get("/api/users/organizations").await.expect(200).json;
    assert_eq!(own["data"].as_array().unwrap().len(), 1);
    assert_eq!((&own["data"][0]["id"], &own["data"][0]["role"]), (&json!(ada.org_id), &json!("admin")));
    assert_eq!(guest.get("/api/users/organizations").await.expect(200).json["data"].as_array().unwrap().len(), 2);

    let path = format!("/api/users/organizations/{}", ada.org_id);
    let one = ada.get(&path).await.expect(200).json;
    assert_eq!((&one["name"], &one["slug"], &one["role"]), (&json!("Ada's Org"), &json!("adas-org"), &json!("admin")));
    assert_eq!(guest.get(&path).await.expect(200).json["role"], "viewer");
    assert_eq!(eve.get(&path).await.expect(404).problem(), "not-found");
    server.anonymous().get(&path).await.expect(401);
}

#[tokio::test]
async fn an_organization_gets_another_name_or_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = format!("/api/users/organizations/{}", ada.org_id);
    let tag = ada.get(&path).await.header("etag").to_owned();

    let renamed = ada.put(&path, json!({ "name": "Engines Ltd" })).await.expect(200).json;
    assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("Engines Ltd"), &json!("adas-org")));
    let news = ada.news().await;
    assert_eq!(news[0]["type"], "organization.updated");
    assert_eq!(news[0]["data"], json!({ "before": { "name": "Ada's Org" }, "after": { "name": "Engines Ltd" } }));
    assert_eq!(news.len(), 1);

    let moved = ada.put(&path, json!({ "slug": "engines" })).await.expect(200).json;
    assert_eq!((&moved["name"], &moved["slug"]), (&json!("Engines Ltd"), &json!("engines")));
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("organization.updated")));
    assert_eq!(news[0]["data"], json!({ "before": { "slug": "adas-org" }, "after": { "slug": "engines" } }));
    server.sign_up("eve").await;
    assert_eq!(ada.put(&path, json!({ "slug": "eves-org" })).await.expect(409).problem(), "conflict");

    let headers = [("if-match", tag.as_str()), ("content-type", "application/json")];
    assert_eq!(ada.send("PUT", &path, &headers, r#"{"name":"Late"}"#).await.expect(412).problem(), "stale");
    assert_eq!(ada.put(&path, json!({ "name": "" })).await.wrong_fields(), ["name"]);
    for bad in ["", "no", "Upper", "a b", "-dash", "api"] {
        assert_eq!(ada.put(&path, json!({ "slug": bad })).await.wrong_fields(), ["slug"], "{bad:?}");
    }
    ada.put(&path, json!({ "name": "Engines Ltd", "slug": "engines" })).await.expect(200);
    assert_eq!(ada.new_events().await, [""; 0]);
}
