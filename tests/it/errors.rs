//! Every way to be refused: one shape for programs, a page for people.

use serde_json::json;

use crate::harness::{PASSWORD, Server, eventually};

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_by_kind() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let post = async |kind: &str, body: String| ada.send("POST", "/api/services", &[("content-type", kind)], body).await;

    for broken in ["{\"name\":", "", "{\"name\":\"A\"} x", "\u{0}"] {
        assert_eq!(post("application/json", broken.to_owned()).await.expect(400).problem(), "bad-request", "{broken:?}");
    }
    for list in ["[]", "\"text\"", "5", "null"] {
        let answer = post("application/json", list.to_owned()).await;
        assert!(matches!(answer.status, 400 | 422), "{list}: {}", answer.text);
        answer.problem();
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(post(kind, "{\"name\":\"A\"}".to_owned()).await.expect(415).problem(), "unsupported-media-type", "{kind}");
    }
    let packed = ada.send("POST", "/api/services", &[("content-type", "application/json"), ("content-encoding", "gzip")], "x").await;
    assert_eq!(packed.expect(415).problem(), "unsupported-media-type");
    post("application/json; charset=utf-8", "{\"name\":\"Fine\"}".to_owned()).await.expect(201);
    let large = format!("{{\"name\":\"A\",\"description\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(post("application/json", large).await.expect(413).problem(), "payload-too-large");
    assert_eq!(ada.new_events().await, ["service.created"]);
}

#[tokio::test]
async fn unknown_places_methods_and_ids() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;

    for path in [
        "/api",
        "/api/nothing",
        "/api/services/svc_1",
        "/api/services/nonsense",
        "/api/incidents/inc_00000000000000000000000000000001",
        "/nothing",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(answer.expect(404).problem(), "not-found", "{path}");
    }
    for (method, path) in
        [("PATCH", "/api/services"), ("DELETE", "/api/services"), ("POST", "/api/users/auth/profile"), ("PUT", "/api/incidents")]
    {
        let answer = ada.send(method, path, &[], "").await.expect(405);
        assert_eq!(answer.problem(), "method-not-allowed", "{method} {path}");
        assert!(answer.header("allow").contains("GET"), "{method} {path}: {}", answer.header("allow"));
    }
}

#[tokio::test]
async fn a_person_gets_a_page_and_a_program_a_problem() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    for path in ["/nothing", "/p/nobody", "/setup/v4.local.nothing"] {
        let page = nobody.send("GET", path, &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")], "").await.expect(404);
        assert!(page.header("content-type").starts_with("text/html"), "{path}: {}", page.header("content-type"));
        assert!(page.text.contains("<h1>") && page.text.contains(page.header("x-request-id")), "{path}: {}", page.text);
        assert_eq!(nobody.send("GET", path, &[("accept", "application/json")], "").await.expect(404).problem(), "not-found", "{path}");
    }
}

#[tokio::test]
async fn roles_and_sessions() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    let input = json!({ "name": "API", "organization_id": ada.org_id });

    assert_eq!(server.anonymous().post("/api/services", &input).await.expect(401).problem(), "unauthenticated");
    let refused = viewer.post("/api/services", &input).await.expect(403);
    assert_eq!(refused.problem(), "forbidden");
    assert!(refused.json["detail"].as_str().unwrap().contains("editor"), "it says which role it takes: {}", refused.text);
    assert_eq!(viewer.new_events().await, [""; 0]);
}

#[tokio::test]
async fn too_often_says_when_to_come_back() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let login = json!({ "email": "nobody@example.com", "password": PASSWORD });
    let mut answer = nobody.post("/api/users/auth/login", &login).await;
    for _ in 0..20 {
        answer = nobody.post("/api/users/auth/login", &login).await;
    }
    assert_eq!(answer.clone().expect(429).problem(), "too-many-requests");
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    server.advance(std::time::Duration::from_secs(seconds));
    nobody.post("/api/users/auth/login", &login).await.expect(401);
}

#[tokio::test]
async fn a_store_that_is_gone_is_said_to_be_and_pages_in_memory_stay() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.service("API").await;

    let page = format!("/p/{}", ada.slug);
    eventually(async || ada.get(&page).await.text.contains("API")).await;

    server.app().close();

    for refused in [ada.post("/api/services", json!({ "name": "Web" })).await, ada.get(format!("/api/services/{id}")).await] {
        let refused = refused.expect(503);
        assert_eq!(refused.problem(), "unavailable");
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    server.anonymous().get("/healthz").await.expect(503);
    server.anonymous().get(&page).await.expect(200);
}

#[tokio::test]
async fn every_answer_carries_a_request_id_of_our_own() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let first = ada.get("/api/services").await.header("x-request-id").to_owned();
    let second = ada.get("/healthz").await.expect(200).header("x-request-id").to_owned();
    assert!(!first.is_empty() && !second.is_empty() && first != second, "{first} {second}");
    let forged = ada.send("GET", "/api/services", &[("x-request-id", "forged")], "").await;
    assert_ne!(forged.header("x-request-id"), "forged");
}
