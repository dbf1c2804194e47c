//! `Idempotency-Key`: whatever the network does, one request makes one thing.

use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::harness::{Client, PATIENCE, Process, Server};

#[tokio::test]
async fn a_repeated_request_is_given_the_first_answer() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let input = json!({ "name": "API" });

    let first = ada.post_once("/api/services", "key 1", &input).await.expect(201);
    ada.put(format!("/api/services/{}", first.id()), json!({ "name": "Renamed" })).await.expect(200);
    let again = ada.post_once("/api/services", "key 1", &input).await.expect(201);

    assert_eq!(again.json, first.json, "as it was, not as it is");
    assert!(again.headers.contains_key("idempotency-replayed") && !first.headers.contains_key("idempotency-replayed"));
    assert_eq!(ada.new_events().await, ["service.created", "service.updated"]);

    let another = ada.post_once("/api/services", "key 1", json!({ "name": "Other" })).await;
    assert_eq!(another.wrong_fields(), ["Idempotency-Key"]);
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(ada.post_once("/api/services", bad, &input).await.wrong_fields(), ["Idempotency-Key"], "{bad:?}");
    }
    assert_eq!(ada.new_events().await, [""; 0]);
}

#[tokio::test]
async fn a_key_belongs_to_a_caller_and_a_path() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let editor = ada.make_member("editor").await;
    let input = json!({ "name": "API", "organization_id": ada.org_id });

    let one = ada.post_once("/api/services", "k", &input).await.expect(201);
    let two = editor.post_once("/api/services", "k", &input).await.expect(201);
    let group = ada.post_once("/api/service-groups", "k", &input).await.expect(201);

    assert_ne!(one.id(), two.id());
    assert!(group.id().starts_with("grp_"));
    assert_eq!(ada.new_events().await, ["service.created", "service.created", "group.created"]);

    // Also across the caller's organizations: another one named is another body.
    let own = editor.all("/api/users/organizations").await.into_iter().map(|org| org["id"].clone()).find(|id| *id != ada.org_id);
    let other = json!({ "name": "API", "organization_id": own.expect("an organization of their own") });
    assert_eq!(editor.post_once("/api/services", "k", &other).await.wrong_fields(), ["Idempotency-Key"]);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_a_refusal_is_never_kept() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let input = json!({ "name": "API" });
    assert_eq!(ada.post_once("/api/services", "k", json!({ "name": "" })).await.wrong_fields(), ["name"]);

    let first = ada.post_once("/api/services", "k", &input).await.expect(201);
    server.advance(Duration::from_secs(24 * 3_600 - 1));
    assert_eq!(ada.post_once("/api/services", "k", &input).await.expect(201).id(), first.id());
    server.advance(Duration::from_secs(1));
    assert_ne!(ada.post_once("/api/services", "k", &input).await.expect(201).id(), first.id());
    assert_eq!(ada.new_events().await, ["service.created", "service.created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_at_once_make_one_thing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let incident =
        json!({ "title": "Nothing works", "message": "Looking.", "affected": [{ "service_id": api, "status": "major_outage" }] });
    ada.new_events().await;

    for (path, input, event) in
        [("/api/services", json!({ "name": "Web" }), "service.created"), ("/api/incidents", incident, "incident.opened")]
    {
        let mut requests = JoinSet::new();
        for _ in 0..16 {
            let (ada, input) = (ada.clone(), input.clone());
            requests.spawn(async move { ada.post_once(path, "at once", input).await });
        }
        let answers = requests.join_all().await;
        let first = &answers[0].json;
        assert!(answers.iter().all(|answer| answer.status == 201 && answer.json == *first), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| !answer.headers.contains_key("idempotency-replayed")).count(), 1);
        assert_eq!(ada.new_events().await, [event]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_at_once_make_one_thing_though_the_server_is_killed_between_them() {
    let dir = tempfile::tempdir().unwrap();
    let open = ["--registration", "open"];
    let mut process = Process::spawn(dir.path(), &open, &[]).await;
    let mut ada = process.anonymous().sign_up("ada").await;

    // Killed after so many of the sixteen have been answered: before the commit, around it, and after it.
    for (round, killed_after) in [0, 0, 0, 1, 1, 2, 5, 15].into_iter().enumerate() {
        let (moved, base) = watch::channel(process.base().to_owned());
        let (answered, mut answers) = mpsc::unbounded_channel();
        let mut requests = JoinSet::new();
        for _ in 0..16 {
            requests.spawn(until_answered(ada.clone(), format!("round {round}"), base.clone(), answered.clone()));
        }
        for _ in 0..killed_after {
            answers.recv().await.expect("an answer");
        }
        process.kill().await;
        process = Process::spawn(dir.path(), &open, &[]).await;
        moved.send(process.base().to_owned()).expect("they wait");
        ada = ada.at(process.base());

        let ids = tokio::time::timeout(PATIENCE, requests.join_all()).await.expect("all are answered");
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(ada.new_events().await, ["service.created"]);
    }
}

/// Asks again wherever the server is, until it answers; gives the id of what was made.
async fn until_answered(ada: Client, key: String, mut base: watch::Receiver<String>, answered: mpsc::UnboundedSender<()>) -> String {
    loop {
        let at = base.borrow_and_update().clone();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        match ada.at(&at).try_send("POST", "/api/services", &headers, r#"{"name":"API"}"#).await {
            Ok(answer) => {
                // The test stops listening once it has killed the server.
                let _ = answered.send(());
                return answer.expect(201).id();
            }
            Err(_) => base.changed().await.expect("it comes back"),
        }
    }
}
