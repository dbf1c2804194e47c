//! What every answer says, whose word is believed, and what other sites may not do (SECURITY.md, after OWASP ASVS 5.0).

use allclear::config::Config;
use serde_json::json;

use crate::harness::{Answer, Options, PASSWORD, Server, eventually};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[tokio::test]
async fn every_kind_of_answer_carries_the_headers() {
    for https in [false, true] {
        let server = Server::start_with(Options::at(if https { "https://status.example.com" } else { "http://status.example.com" })).await;
        let ada = server.sign_up("ada").await;
        let page = format!("/p/{}", ada.slug);
        let html = ada.get(&page).await.text;
        let asset = html.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".js")).expect("a script").to_owned();
        let service = ada.service("API").await;
        let tag = ada.get(format!("/api/services/{service}")).await.header("etag").to_owned();
        let mut answers: Vec<(String, Answer)> = Vec::new();
        for path in [
            page.as_str(),
            &asset,
            "/login",
            "/signup",
            "/healthz",
            "/api/services",
            "/api/docs",
            "/api/openapi.json",
            "/nothing",
            "/api/nothing",
            "/assets/nothing",
        ] {
            answers.push((path.to_owned(), ada.get(path).await));
            answers.push((format!("HEAD {path}"), ada.send("HEAD", path, &[], "").await));
            answers.push((format!("html {path}"), ada.send("GET", path, &[("accept", "text/html")], "").await));
        }
        answers.push((
            "304".into(),
            ada.send("GET", format!("/api/services/{service}"), &[("if-none-match", tag.as_str())], "").await.expect(304),
        ));
        answers.push(("204".into(), ada.delete(format!("/api/services/{service}")).await.expect(204)));
        answers.push(("405".into(), ada.send("PATCH", "/api/services", &[], "").await.expect(405)));
        answers.push(("413".into(), ada.send("POST", "/api/services", &[], "x".repeat(2 << 20)).await.expect(413)));
        answers.push(("422".into(), ada.post("/api/services", json!({})).await.expect(422)));
        answers.push(("403".into(), ada.send("POST", "/api/services", &[("sec-fetch-site", "cross-site")], "{}").await.expect(403)));
        answers.push(("303".into(), ada.post_form("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.expect(303)));
        for (what, answer) in answers {
            assert_eq!(answer.header("content-security-policy"), POLICY, "{what}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
            assert_eq!(answer.header("referrer-policy"), "strict-origin", "{what}");
            assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
            assert_eq!(answer.header("strict-transport-security").is_empty(), !https, "{what}");
            assert!(!answer.header("cache-control").is_empty(), "{what}");
            assert!(!answer.headers.contains_key("server") && !answer.headers.contains_key("x-powered-by"), "{what}");
        }
    }
}

#[tokio::test]
async fn private_answers_are_kept_by_nobody_and_public_ones_set_no_cookie() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let own = format!("/api/timeline/organization/{}", ada.org_id);
    for path in ["/", "/login", "/api/services", "/api/users/auth/profile", &own] {
        assert_eq!(ada.get(path).await.header("cache-control"), "no-store", "{path}");
    }
    let page = ada.get(format!("/p/{}", ada.slug)).await.expect(200);
    assert!(!page.headers.contains_key("set-cookie"));
    assert!(page.header("cache-control").contains("no-cache"), "{}", page.header("cache-control"));
    assert!(page.header("vary").to_lowercase().contains("accept-encoding"), "{}", page.header("vary"));
}

#[tokio::test]
async fn another_site_cannot_act_for_a_visitor() {
    let server = Server::start_with(Options::at("http://status.example.com")).await;
    let ada = server.sign_up("ada").await;
    let service = ada.service("API").await;
    ada.new_events().await;
    let attempt = async |method: &str, path: &str, headers: &[(&str, &str)]| -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        ada.send(method, path, &all, r#"{"name":"Forged"}"#).await
    };
    let foreign: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://status.example.com")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("authorization", "Basic YTpi")],
    ];
    let one = format!("/api/services/{service}");
    for headers in foreign {
        for (method, path) in [
            ("POST", "/api/services"),
            ("PUT", one.as_str()),
            ("DELETE", one.as_str()),
            ("POST", "/logout"),
            ("POST", "/api/users/auth/logout"),
        ] {
            assert_eq!(attempt(method, path, headers).await.expect(403).problem(), "cross-site", "{method} {path} {headers:?}");
        }
        attempt("GET", &one, headers).await.expect(200);
    }
    assert_eq!(ada.new_events().await, [""; 0]);

    let own: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://status.example.com")],
        &[("origin", "http://status.example.com")],
        &[("sec-fetch-site", "cross-site"), ("authorization", "Bearer a-token")],
    ];
    for headers in own {
        attempt("POST", "/api/services", headers).await.expect(201);
    }
    assert_eq!(ada.new_events().await, ["service.created"; 4]);
}

#[tokio::test]
async fn a_front_end_elsewhere_is_let_in_by_name_alone() {
    let options = Options::default();
    let config = Config { cors_origins: vec!["https://app.example.org".into()], ..options.config };
    let server = Server::start_with(Options { config, ..options }).await;
    let ada = server.sign_up("ada").await;
    let from = async |origin: &str, path: &str| {
        ada.send(
            "POST",
            path,
            &[("origin", origin), ("sec-fetch-site", "cross-site"), ("content-type", "application/json")],
            r#"{"name":"API"}"#,
        )
        .await
    };
    let allowed = from("https://app.example.org", "/api/services").await.expect(201);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.org");
    let refused = from("https://evil.example", "/api/services").await.expect(403);
    assert_eq!(refused.header("access-control-allow-origin"), "");
    from("https://app.example.org", "/logout").await.expect(403);
    let wrong = ada.send("GET", "/api/services?limit=x", &[("origin", "https://app.example.org")], "").await.expect(422);
    assert_eq!(wrong.header("access-control-allow-origin"), "https://app.example.org", "a front end can read refusals, too");
}

#[tokio::test]
async fn a_forwarded_address_is_believed_of_a_trusted_proxy_alone() {
    for (proxies, refused_in_the_end) in [(vec![], true), (vec!["127.0.0.1".to_owned()], false)] {
        let options = Options::default();
        let config = Config { trusted_proxies: proxies, ..options.config };
        let server = Server::start_with(Options { config, ..options }).await;
        let mut last = 0;
        for number in 0..40 {
            let body = json!({ "email": "nobody@example.com", "password": PASSWORD }).to_string();
            let address = format!("198.51.100.{number}");
            let headers = [("content-type", "application/json"), ("x-forwarded-for", address.as_str()), ("x-real-ip", address.as_str())];
            last = server.anonymous().send("POST", "/api/users/auth/login", &headers, body).await.status;
        }
        assert_eq!(last, if refused_in_the_end { 429 } else { 401 });
    }
}

#[tokio::test]
async fn links_come_from_the_configuration_and_never_from_host() {
    let server = Server::start_with(Options::at("https://status.example.com/up")).await;
    let ada = server.sign_up("ada").await;
    let page = format!("/p/{}", ada.slug);
    let lies = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http")];
    for path in [page.as_str(), "/login", "/", "/nothing", "/api/docs"] {
        let mut headers = lies.to_vec();
        headers.push(("accept", "text/html"));
        let answer = ada.send("GET", path, &headers, "").await;
        assert!(!answer.text.contains("evil.example"), "{path}: {}", answer.text);
        assert!(
            answer.headers.values().all(|value| !value.as_bytes().windows(12).any(|part| part == b"evil.example")),
            "{path}: {:?}",
            answer.headers
        );
    }
    assert!(ada.get(&page).await.text.contains(&format!("https://status.example.com/up{page}")));
    ada.get(format!("/up{page}")).await.expect(200);
}

#[tokio::test]
async fn nobody_makes_themselves_more_than_they_are() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for field in ["id", "role", "admin", "is_operator", "password_hash", "setup_token", "organization_id"] {
        let mut input = json!({ "email": "eve@example.com", "password": PASSWORD, "full_name": "Eve", "organization_name": "Eve" });
        input[field] = ada.org_id.clone().into();
        assert_eq!(server.anonymous().post("/api/users/auth/signup", input).await.wrong_fields(), [field]);
    }
    for field in ["email", "role", "id", "password"] {
        assert_eq!(ada.put("/api/users/auth/profile", json!({ "full_name": "Ada", field: "x" })).await.wrong_fields(), [field]);
    }
}

#[tokio::test]
async fn what_people_write_is_harmless_on_the_page() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let evil = "**bold**\n\n<script>alert(1)</script><img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) <svg/onload=alert(1)>";
    let name = "<b onmouseover=alert(1)>\"'`";
    let group = ada.group(name).await;
    let api = ada.service_with(json!({ "name": name, "description": evil, "group_id": group })).await;
    let input = json!({ "title": name, "message": evil, "affected": [{ "service_id": api, "status": "major_outage" }] });
    ada.post("/api/incidents", input).await.expect(201);

    let path = format!("/p/{}", ada.slug);
    eventually(async || ada.get(&path).await.text.contains("<strong>bold</strong>")).await;
    let html = ada.get(&path).await.text;
    for bad in ["<script>", "<img", "<svg/", "javascript:", "<b "] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
}

#[tokio::test]
async fn twenty_people_behind_one_address_sign_up_and_a_flood_is_stopped() {
    let server = Server::start().await;
    for number in 0..20 {
        server.sign_up(&format!("person-{number}")).await;
    }
    let mut last = server.anonymous().get("/healthz").await;
    for number in 0..40 {
        let input =
            json!({ "email": format!("flood-{number}@example.com"), "password": "short", "full_name": "F", "organization_name": "F" });
        last = server.anonymous().post("/api/users/auth/signup", input).await;
    }
    assert_eq!(last.expect(429).problem(), "too-many-requests");
}
