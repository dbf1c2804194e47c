//! Services and groups over the API, with the exact events of each operation.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

/// An entry's type and what changed.
fn told(entry: &Value) -> (&str, Value, Value) {
    (entry["type"].as_str().unwrap(), entry["data"]["before"].clone(), entry["data"]["after"].clone())
}

async fn names(client: &Client, path: &str) -> Vec<String> {
    client.all(path).await.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_service_from_making_to_deleting() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;

    let made = ada.post("/api/services/", json!({ "name": "  API ", "description": "What *apps* talk to" })).await.expect(201);
    let id = made.id();
    assert!(id.starts_with("svc_"));
    let expected = json!({
        "id": id, "organization_id": ada.org_id, "group_id": null, "name": "API", "description": "What *apps* talk to",
        "status": "operational", "own_status": "operational", "visibility": "public", "position": 0,
        "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z",
    });
    assert_eq!(made.json, expected);
    assert_eq!(ada.get(format!("/api/services/{id}/")).await.expect(200).json, expected);
    let news = ada.news().await;
    let after = json!({
        "name": "API", "description": "What *apps* talk to", "status": "operational", "visibility": "public", "group_id": null, "position": 0,
    });
    assert_eq!(told(&news[0]), ("service.created", json!({}), after));
    assert_eq!(news[0]["subject"], json!({ "kind": "service", "id": id, "name": "API" }));
    assert_eq!(news[0]["actor"], json!({ "kind": "user", "id": ada.user_id, "name": "Ada" }));
    assert_eq!(news.len(), 1);

    server.advance(std::time::Duration::from_secs(60));
    let path = format!("/api/services/{id}");
    let changed = ada.put(&path, json!({ "name": "Public API", "own_status": "partial_outage" })).await.expect(200);
    assert_eq!((&changed.json["status"], &changed.json["own_status"]), (&json!("partial_outage"), &json!("partial_outage")));
    assert_eq!(changed.json["updated_at"], "2026-03-01T12:01:00.000Z");
    let news = ada.news().await;
    assert_eq!(told(&news[0]), ("service.updated", json!({ "name": "API" }), json!({ "name": "Public API" })));
    let before = json!({ "own_status": "operational", "status": "operational" });
    assert_eq!(told(&news[1]), ("service.status_changed", before, json!({ "own_status": "partial_outage", "status": "partial_outage" })));
    assert_eq!(news[1]["subject"]["name"], "Public API");
    assert_eq!(news.len(), 2, "a request that changes two things of different kinds writes two events");

    ada.put(&path, json!({ "name": "Public API", "own_status": "partial_outage" })).await.expect(200);
    ada.put(&path, json!({})).await.expect(200);
    assert_eq!(ada.new_events().await, [""; 0], "nothing changed");

    ada.delete(&path).await.expect(204);
    let news = ada.news().await;
    let before = json!({
        "name": "Public API", "description": "What *apps* talk to", "own_status": "partial_outage", "visibility": "public", "group_id": null, "position": 0,
    });
    assert_eq!(told(&news[0]), ("service.deleted", before, json!({})));
    for answer in [ada.get(&path).await, ada.put(&path, json!({})).await, ada.delete(&path).await] {
        assert_eq!(answer.expect(404).problem(), "not-found");
    }
    assert_eq!(ada.new_events().await, [""; 0]);
    assert_eq!(names(&ada, "/api/services?limit=10").await, [""; 0]);
}

#[tokio::test]
async fn what_a_service_may_not_be() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let theirs = eve.group("Theirs").await;
    let id = ada.service("API").await;
    ada.new_events().await;

    for (input, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "name": "a\u{0}b" }), "name"),
        (json!({ "description": "no name" }), "name"),
        (json!({ "name": 5 }), "name"),
        (json!({ "name": "A", "description": "x".repeat(2_001) }), "description"),
        (json!({ "name": "A", "visibility": "secret" }), "visibility"),
        (json!({ "name": "A", "status": "fine" }), "status"),
        (json!({ "name": "A", "group_id": theirs }), "group_id"),
        (json!({ "name": "A", "group_id": "grp_1" }), "group_id"),
        (json!({ "name": "A", "colour": "red" }), "colour"),
        (json!({ "name": "A", "created_at": "2020-01-01T00:00:00Z" }), "created_at"),
    ] {
        let answer = ada.post("/api/services", &input).await;
        assert_eq!(answer.wrong_fields(), [field], "{input}");
    }
    for (input, field) in [
        (json!({ "status": "major_outage" }), "status"),
        (json!({ "own_status": "broken" }), "own_status"),
        (json!({ "position": 1_000_001 }), "position"),
        (json!({ "id": "svc_1" }), "id"),
        (json!({ "organization_id": eve.org_id }), "organization_id"),
    ] {
        let answer = ada.put(format!("/api/services/{id}"), &input).await;
        assert_eq!(answer.wrong_fields(), [field], "{input}");
    }
    assert_eq!(ada.new_events().await, [""; 0]);
    let elsewhere = ada.post("/api/services", json!({ "name": "A", "organization_id": eve.org_id })).await;
    assert_eq!(elsewhere.expect(404).problem(), "not-found");
    assert_eq!(eve.new_events().await, ["group.created"]);
}

#[tokio::test]
async fn lists_come_in_pages_and_of_the_organization_asked_for() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let guest = ada.make_member("viewer").await;
    for name in ["A", "B", "C", "D", "E"] {
        ada.service(name).await;
    }
    let organizations = guest.all("/api/users/organizations?limit=10").await;
    let own = organizations.iter().find(|own| own["role"] == "admin").and_then(|own| own["id"].as_str()).unwrap();
    guest.post("/api/services", json!({ "name": "Own", "organization_id": own })).await.expect(201);

    assert_eq!(names(&ada, "/api/services?limit=2").await, ["A", "B", "C", "D", "E"]);
    let first = ada.get("/api/services?limit=2").await.expect(200).json;
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ada.get("/api/services?limit=5").await.expect(200).json["next_cursor"], Value::Null);
    assert_eq!(ada.get(format!("/api/services?cursor={cursor}&limit=1")).await.expect(200).json["data"][0]["name"], "C");

    let mut all = names(&guest, "/api/services?limit=2").await;
    all.sort_unstable();
    assert_eq!(all, ["A", "B", "C", "D", "E", "Own"], "of all of the caller's organizations");
    assert_eq!(names(&guest, &format!("/api/services?organization_id={own}")).await, ["Own"]);
    assert_eq!(guest.get("/api/services?organization_id=org_00000000000000000000000000000001").await.expect(404).problem(), "not-found");
    let unsaid = guest.post("/api/services", json!({ "name": "Whose?" })).await;
    assert_eq!(unsaid.wrong_fields(), ["organization_id"], "who has two must say which");

    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("limit=many", "limit"), ("cursor=nonsense", "cursor")] {
        let answer = ada.get(format!("/api/services?{query}")).await;
        assert_eq!(answer.wrong_fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn groups_are_kept_in_order_and_release_their_services() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;

    let made = ada.post("/api/service-groups", json!({ "name": "Core" })).await.expect(201);
    let core = made.id();
    assert!(core.starts_with("grp_"));
    assert_eq!((&made.json["name"], &made.json["position"]), (&json!("Core"), &json!(0)));
    let edge = ada.group("Edge").await;
    let news = ada.news().await;
    assert_eq!(told(&news[0]), ("group.created", json!({}), json!({ "name": "Core", "position": 0 })));
    assert_eq!(told(&news[1]), ("group.created", json!({}), json!({ "name": "Edge", "position": 1 })));

    ada.put(format!("/api/service-groups/{edge}"), json!({ "position": -1 })).await.expect(200);
    assert_eq!(names(&ada, "/api/service-groups?limit=1").await, ["Edge", "Core"]);
    assert_eq!(told(&ada.news().await[0]), ("group.updated", json!({ "position": 1 }), json!({ "position": -1 })));
    ada.put(format!("/api/service-groups/{edge}"), json!({ "position": -1 })).await.expect(200);
    assert_eq!(ada.new_events().await, [""; 0]);
    assert_eq!(ada.put(format!("/api/service-groups/{edge}"), json!({ "name": "" })).await.wrong_fields(), ["name"]);
    assert_eq!(ada.post("/api/service-groups", json!({ "name": "A", "position": 1.5 })).await.wrong_fields(), ["position"]);

    let api = ada.service_with(json!({ "name": "API", "group_id": core })).await;
    let web = ada.service("Web").await;
    ada.new_events().await;
    ada.put(format!("/api/services/{web}"), json!({ "group_id": core })).await.expect(200);
    assert_eq!(told(&ada.news().await[0]), ("service.updated", json!({ "group_id": null }), json!({ "group_id": core })));
    ada.put(format!("/api/services/{web}"), json!({ "group_id": null })).await.expect(200);
    assert_eq!(told(&ada.news().await[0]), ("service.updated", json!({ "group_id": core }), json!({ "group_id": null })));

    ada.delete(format!("/api/service-groups/{core}")).await.expect(204);
    assert_eq!(told(&ada.news().await[0]), ("group.deleted", json!({ "name": "Core", "position": 0, "services": [api] }), json!({})));
    assert_eq!(ada.get(format!("/api/services/{api}")).await.expect(200).json["group_id"], Value::Null);
    for answer in [ada.put(format!("/api/service-groups/{core}"), json!({})).await, ada.delete(format!("/api/service-groups/{core}")).await]
    {
        assert_eq!(answer.expect(404).problem(), "not-found");
    }
}

#[tokio::test]
async fn an_etag_saves_a_download_and_guards_a_change() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.service("API").await;
    let path = format!("/api/services/{id}");
    let conditional = async |method: &str, header: &str, tag: &str, body: &str| -> Answer {
        ada.send(method, &path, &[(header, tag), ("content-type", "application/json")], body.to_owned()).await
    };

    let first = ada.get(&path).await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("\"1-") && tag.ends_with('"') && tag.len() > 4, "{tag}");
    let same = conditional("GET", "if-none-match", &tag, "").await.expect(304);
    assert_eq!((same.text.as_str(), same.header("etag")), ("", tag.as_str()));
    conditional("GET", "if-none-match", &format!("\"x\", W/{tag}"), "").await.expect(304);
    conditional("GET", "if-none-match", "\"1-other\"", "").await.expect(200);

    let changed = conditional("PUT", "if-match", &tag, r#"{"name":"API 2"}"#).await.expect(200);
    assert!(changed.header("etag").starts_with("\"2-"), "{}", changed.header("etag"));
    let stale = conditional("PUT", "if-match", &tag, r#"{"name":"API 3"}"#).await.expect(412);
    assert_eq!(stale.problem(), "stale");
    assert_eq!(conditional("DELETE", "if-match", &tag, "").await.expect(412).problem(), "stale");
    conditional("GET", "if-none-match", &tag, "").await.expect(200);

    // What an incident makes of a service is no new version of it: a change of its name still goes through, yet a reader is told.
    let tag = ada.get(&path).await.header("etag").to_owned();
    ada.incident(&[(&id, "major_outage")], "Nothing works").await;
    let shown = conditional("GET", "if-none-match", &tag, "").await.expect(200);
    assert_eq!(shown.json["status"], "major_outage");
    assert!(shown.header("etag").starts_with("\"2-"));
    conditional("PUT", "if-match", &tag, r#"{"name":"API 3"}"#).await.expect(200);
    conditional("DELETE", "if-match", "\"3-0000000000000000\"", "").await.expect(204);
}
