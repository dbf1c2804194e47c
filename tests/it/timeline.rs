//! The timeline over the API: order, numbers, cursors, filters.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Server};

async fn types(client: &Client, path: &str) -> Vec<String> {
    client.all(path).await.iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everything_is_numbered_without_gaps_and_newest_first() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let incident = ada.incident(&[(&api, "major_outage")], "Nothing works").await;
    ada.put(format!("/api/incidents/{incident}"), json!({ "status": "resolved", "message": "Done." })).await.expect(200);
    ada.delete(format!("/api/services/{api}")).await.expect(204);

    let path = format!("/api/timeline/organization/{}/?limit=2", ada.org_id);
    let entries = ada.all(&path).await;

    let epoch = server.app().epoch();
    let expected: Vec<_> = (1..=5).rev().map(|seq| (json!(format!("{epoch}:{seq}")), json!(seq))).collect();
    assert_eq!(entries.iter().map(|entry| (entry["id"].clone(), entry["seq"].clone())).collect::<Vec<_>>(), expected);
    let order = ["service.deleted", "incident.resolved", "incident.opened", "service.created", "organization.created"];
    assert_eq!(types(&ada, &path).await, order);
    let mut fields: Vec<_> = entries[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["actor", "at", "data", "id", "seq", "subject", "type"]);
    assert_eq!(types(&ada, &format!("/api/timeline/service/{api}?limit=2")).await, order[..4], "a deleted service keeps its timeline");
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_in(dir.path()).await;
    let ada = server.sign_up("ada").await;
    ada.service("API").await;
    let (before, epoch) = (ada.timeline().await, server.app().epoch().to_owned());
    server.stop().await;

    let server = Server::start_in(dir.path()).await;
    let ada = ada.at(&server.base());
    assert_eq!(ada.timeline().await, before);
    ada.service("Web").await;
    assert_eq!(ada.timeline().await[2]["id"], format!("{epoch}:3"));
    server.stop().await;
}

#[tokio::test]
async fn a_filter_lets_only_what_it_names_pass() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let responder = ada.make_member("responder").await;
    let (api, _) = (ada.service("API").await, ada.service("Web").await);
    server.advance(Duration::from_secs(3_600));
    let incident = responder.incident(&[(&api, "major_outage")], "Nothing works").await;
    server.advance(Duration::from_secs(3_600));
    ada.put(format!("/api/incidents/{incident}"), json!({ "title": "All is lost" })).await.expect(200);

    let path = format!("/api/timeline/organization/{}", ada.org_id);
    let updated = "incident.updated";
    let (opened, made, founded) = ("incident.opened", "service.created", "organization.created");
    let (joined, invited) = ("member.joined", "member.invited");
    for (query, expected) in [
        ("type=incident".to_owned(), vec![updated, opened]),
        ("type=incident.opened".to_owned(), vec![opened]),
        ("type=member".to_owned(), vec![joined, invited]),
        (format!("actor={}", responder.user_id), vec![opened, joined]),
        (format!("subject={api}"), vec![made]),
        ("since=2026-03-01T13:00:00Z".to_owned(), vec![updated, opened]),
        ("until=2026-03-01T13:00:00Z".to_owned(), vec![made, made, joined, invited, founded]),
        ("since=2026-03-01T13:00:00Z&until=2026-03-01T14:00:00Z".to_owned(), vec![opened]),
        (format!("type=service&actor={}", ada.user_id), vec![made, made]),
    ] {
        assert_eq!(types(&ada, &format!("{path}?limit=1&{query}")).await, expected, "{query}");
    }
    assert_eq!(types(&ada, &format!("/api/timeline/service/{api}?limit=1&type=incident")).await, [updated, opened]);
    for (query, field) in
        [("type=incid", "type"), ("since=yesterday", "since"), ("until=1", "until"), ("limit=0", "limit"), ("cursor=x", "cursor")]
    {
        assert_eq!(ada.get(format!("{path}?{query}")).await.wrong_fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn a_timeline_is_its_own_organizations() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let api = ada.service("API").await;
    for path in [format!("/api/timeline/organization/{}", ada.org_id), format!("/api/timeline/service/{api}")] {
        assert_eq!(eve.get(&path).await.expect(404).problem(), "not-found");
        assert_eq!(server.anonymous().get(&path).await.expect(401).problem(), "unauthenticated");
    }
    for path in
        ["/api/timeline/organization/org_1", "/api/timeline/service/svc_00000000000000000000000000000001", "/api/timeline/service/x"]
    {
        assert_eq!(ada.get(path).await.expect(404).problem(), "not-found");
    }
    assert_eq!(eve.events().await, ["organization.created"]);
    let nobodys: Vec<Value> = Vec::new();
    assert_eq!(eve.news().await, nobodys);
}
