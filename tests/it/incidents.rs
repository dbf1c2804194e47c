//! Incidents over the API: by service and across services, with the exact events of each operation.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Server};

async fn status_of(client: &Client, service: &str) -> String {
    client.get(format!("/api/services/{service}")).await.expect(200).json["status"].as_str().unwrap().to_owned()
}

fn effect(service: &str, name: &str, before: &str, after: &str) -> (Value, Value) {
    let entry = |status: &str| json!([{ "id": service, "name": name, "status": status }]);
    (entry(before), entry(after))
}

#[tokio::test]
async fn an_incident_of_one_service_from_report_to_deletion() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    ada.new_events().await;
    let base = format!("/api/services/{api}/incidents");

    let input = json!({ "title": "Checkout fails", "message": "Looking.", "service_status": "major_outage" });
    let opened = ada.post(format!("{base}/"), input).await.expect(201).json;
    let (id, update) = (opened["id"].as_str().unwrap(), opened["updates"][0]["id"].as_str().unwrap());
    let author = json!({ "kind": "user", "id": ada.user_id, "name": "Ada" });
    let affected = json!([{ "service_id": api, "name": "API", "status": "major_outage" }]);
    let now = "2026-03-01T12:00:00.000Z";
    let expected = json!({
        "id": id, "organization_id": ada.org_id, "title": "Checkout fails", "status": "investigating", "impact": "critical", "affected": affected,
        "updates": [{ "id": update, "status": "investigating", "message": "Looking.", "created_at": now, "author": author }],
        "started_at": now, "resolved_at": null, "created_at": now, "updated_at": now,
    });
    for (field, value) in expected.as_object().unwrap() {
        if field != "updates" {
            assert_eq!(opened[field], *value, "{field}");
        }
    }
    for (field, value) in expected["updates"][0].as_object().unwrap() {
        assert_eq!(opened["updates"][0][field], *value, "{field}");
    }
    assert_eq!(status_of(&ada, &api).await, "major_outage");
    let news = ada.news().await;
    let (was, is) = effect(&api, "API", "operational", "major_outage");
    assert_eq!(news[0]["type"], "incident.opened");
    assert_eq!(news[0]["subject"], json!({ "kind": "incident", "id": id, "name": "Checkout fails" }));
    assert_eq!(news[0]["data"]["before"], json!({ "services": was }));
    let after = json!({
        "title": "Checkout fails", "status": "investigating", "impact": "critical", "message": "Looking.", "update_id": update,
        "affected": affected, "services": is,
    });
    assert_eq!(news[0]["data"]["after"], after);
    assert_eq!(news.len(), 1, "what it does to the service stands in its own event");

    server.advance(Duration::from_secs(300));
    let path = format!("{base}/{id}");
    let identified =
        ada.put(&path, json!({ "status": "identified", "message": "A deployment.", "title": "Checkout is down" })).await.expect(200);
    assert_eq!(identified.json["updates"].as_array().unwrap().len(), 2);
    let news = ada.news().await;
    assert_eq!(news[0]["type"], "incident.updated");
    assert_eq!(news[0]["data"], json!({ "before": { "title": "Checkout fails" }, "after": { "title": "Checkout is down" } }));
    assert_eq!(news[1]["type"], "incident.updated");
    assert_eq!(news[1]["data"]["before"], json!({ "status": "investigating" }));
    assert_eq!(
        (&news[1]["data"]["after"]["status"], &news[1]["data"]["after"]["message"]),
        (&json!("identified"), &json!("A deployment."))
    );
    assert_eq!(news.len(), 2);

    let resolved = ada.put(&path, json!({ "status": "resolved" })).await.expect(200).json;
    assert_eq!((&resolved["status"], &resolved["resolved_at"]), (&json!("resolved"), &json!("2026-03-01T12:05:00.000Z")));
    assert_eq!(status_of(&ada, &api).await, "operational", "resolving releases the services");
    let news = ada.news().await;
    let (was, is) = effect(&api, "API", "major_outage", "operational");
    assert_eq!(news[0]["type"], "incident.resolved");
    assert_eq!(news[0]["data"]["before"], json!({ "status": "identified", "resolved_at": null, "services": was }));
    assert_eq!((&news[0]["data"]["after"]["status"], &news[0]["data"]["after"]["services"]), (&json!("resolved"), &is));

    ada.put(&path, json!({ "status": "monitoring", "message": "Not quite." })).await.expect(200);
    assert_eq!(ada.new_events().await, ["incident.reopened"]);
    assert_eq!(status_of(&ada, &api).await, "major_outage");
    ada.put(&path, json!({ "status": "monitoring" })).await.expect(200);
    assert_eq!(ada.new_events().await, [""; 0], "it says so already");

    ada.delete(&path).await.expect(204);
    assert_eq!(status_of(&ada, &api).await, "operational");
    let news = ada.news().await;
    assert_eq!((&news[0]["type"], &news[0]["data"]["after"]["services"][0]["status"]), (&json!("incident.deleted"), &json!("operational")));
    for answer in
        [ada.get(&path).await, ada.put(&path, json!({})).await, ada.delete(&path).await, ada.get(format!("/api/incidents/{id}")).await]
    {
        assert_eq!(answer.expect(404).problem(), "not-found");
    }
}

#[tokio::test]
async fn an_incident_across_services() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, web, mail) = (ada.service("API").await, ada.service("Web").await, ada.service("Mail").await);
    ada.new_events().await;

    let affected = json!([{ "service_id": api, "status": "degraded_performance" }, { "service_id": web }]);
    let opened =
        ada.post("/api/incidents", json!({ "title": "Slow disks", "message": "Looking.", "affected": affected })).await.expect(201);
    let id = opened.id();
    assert_eq!((&opened.json["impact"], &opened.json["affected"][1]["status"]), (&json!("minor"), &Value::Null));
    assert_eq!((status_of(&ada, &api).await.as_str(), status_of(&ada, &web).await.as_str()), ("degraded_performance", "operational"));
    for service in [&api, &web] {
        let listed = ada.all(&format!("/api/services/{service}/incidents?limit=10")).await;
        assert_eq!(listed.iter().map(|incident| incident["id"].as_str().unwrap()).collect::<Vec<_>>(), [id.as_str()]);
        ada.get(format!("/api/services/{service}/incidents/{id}")).await.expect(200);
    }
    assert_eq!(ada.all(&format!("/api/services/{mail}/incidents?limit=10")).await.len(), 0);
    ada.get(format!("/api/services/{mail}/incidents/{id}")).await.expect(404);

    let update =
        json!({ "status": "identified", "message": "A full disk.", "affected": [{ "service_id": mail, "status": "major_outage" }] });
    let updated = ada.post(format!("/api/incidents/{id}/updates"), update).await.expect(201);
    let incident = ada.get(format!("/api/incidents/{id}")).await.expect(200).json;
    assert_eq!((&incident["impact"], incident["affected"].as_array().unwrap().len()), (&json!("critical"), 3), "{}", updated.text);
    assert_eq!(ada.new_events().await, ["incident.opened", "incident.updated"]);
    assert_eq!(ada.all(&format!("/api/services/{mail}/incidents?limit=10")).await.len(), 1);

    let only_web = json!({ "affected": [{ "service_id": web, "status": "partial_outage" }] });
    ada.put(format!("/api/incidents/{id}"), only_web).await.expect(200);
    assert_eq!((status_of(&ada, &mail).await.as_str(), status_of(&ada, &web).await.as_str()), ("operational", "partial_outage"));
    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    assert_eq!((&news[0]["data"]["before"]["impact"], &news[0]["data"]["after"]["impact"]), (&json!("critical"), &json!("major")));
    ada.put(format!("/api/incidents/{id}"), json!({ "impact": "none" })).await.expect(200);
    assert_eq!(ada.news().await[0]["data"], json!({ "before": { "impact": "major" }, "after": { "impact": "none" } }));

    ada.delete(format!("/api/services/{web}")).await.expect(204);
    let incident = ada.get(format!("/api/incidents/{id}")).await.expect(200).json;
    assert_eq!(
        incident["affected"],
        json!([{ "service_id": web, "name": "Web", "status": "partial_outage" }]),
        "deleted, by its last name"
    );
}

#[tokio::test]
async fn a_typing_error_is_corrected_and_the_earlier_text_kept() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.incident(&[], "Something fails").await;
    let update = ada.get(format!("/api/incidents/{id}")).await.expect(200).json["updates"][0]["id"].as_str().unwrap().to_owned();
    ada.new_events().await;
    let path = format!("/api/incidents/{id}/updates/{update}");

    ada.put(&path, json!({ "message": "We are looking into it!" })).await.expect(200);
    let incident = ada.get(format!("/api/incidents/{id}")).await.expect(200).json;
    assert_eq!(incident["updates"].as_array().unwrap().len(), 1);
    assert_eq!(incident["updates"][0]["message"], "We are looking into it!");
    let news = ada.news().await;
    assert_eq!(news[0]["type"], "incident.updated");
    let after = json!({ "message": "We are looking into it!", "update_id": update });
    assert_eq!(news[0]["data"], json!({ "before": { "message": "We are looking into it." }, "after": after }));

    ada.put(&path, json!({ "message": "We are looking into it!" })).await.expect(200);
    assert_eq!(ada.new_events().await, [""; 0]);
    assert_eq!(ada.put(&path, json!({ "message": "" })).await.wrong_fields(), ["message"]);
    let unknown = format!("/api/incidents/{id}/updates/upd_00000000000000000000000000000001");
    assert_eq!(ada.put(unknown, json!({ "message": "x" })).await.expect(404).problem(), "not-found");
}

#[tokio::test]
async fn what_an_incident_may_not_be() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let (api, theirs) = (ada.service("API").await, eve.service("Theirs").await);
    let gone = ada.service("Gone").await;
    ada.delete(format!("/api/services/{gone}")).await.expect(204);
    ada.new_events().await;

    let with = |field: &str, value: Value| {
        let mut input = json!({ "title": "Checkout fails", "message": "Looking.", "affected": [] });
        input[field] = value;
        input
    };
    let touching = |service: &str, status: &str| json!([{ "service_id": service, "status": status }]);
    for (input, field) in [
        (with("title", "Four".into()), "title"),
        (with("title", "x".repeat(201).into()), "title"),
        (with("message", " ".into()), "message"),
        (with("message", "x".repeat(20_001).into()), "message"),
        (with("status", "fixed".into()), "status"),
        (with("impact", "huge".into()), "impact"),
        (with("author", "Eve".into()), "author"),
        (with("affected", touching(&theirs, "major_outage")), "affected[0].service_id"),
        (with("affected", touching(&gone, "major_outage")), "affected[0].service_id"),
        (with("affected", touching("svc_1", "major_outage")), "affected[0].service_id"),
        (with("affected", touching(&api, "under_maintenance")), "affected[0].status"),
        (with("affected", touching(&api, "unknown")), "affected[0].status"),
        (with("affected", json!([{ "service_id": api }, { "service_id": api }])), "affected[1].service_id"),
    ] {
        let answer = ada.post("/api/incidents", &input).await;
        assert_eq!(answer.wrong_fields(), [field], "{input}");
    }
    let both = ada.post("/api/incidents", json!({ "title": "", "message": "", "affected": [] })).await;
    assert_eq!(both.wrong_fields(), ["message", "title"]);
    assert_eq!(ada.new_events().await, [""; 0]);
    assert_eq!(eve.new_events().await, ["service.created"]);
}

#[tokio::test]
async fn incidents_are_listed_latest_first_and_by_cursor() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    for number in 1..=5 {
        ada.incident(&[(&api, "major_outage")], &format!("Incident {number}")).await;
        server.advance(Duration::from_secs(1));
    }
    for path in ["/api/incidents?limit=2".to_owned(), format!("/api/services/{api}/incidents?limit=2")] {
        let titles: Vec<_> = ada.all(&path).await.iter().map(|incident| incident["title"].as_str().unwrap().to_owned()).collect();
        assert_eq!(titles, ["Incident 5", "Incident 4", "Incident 3", "Incident 2", "Incident 1"], "{path}");
    }
}

#[tokio::test]
async fn an_incident_has_an_etag_too() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = format!("/api/incidents/{}", ada.incident(&[], "Something fails").await);
    let tag = ada.get(&path).await.header("etag").to_owned();
    assert!(tag.starts_with("\"1-"), "{tag}");
    ada.send("GET", &path, &[("if-none-match", tag.as_str())], "").await.expect(304);

    let headers = [("if-match", tag.as_str()), ("content-type", "application/json")];
    let input = r#"{"status":"identified","message":"Found."}"#;
    ada.send("POST", format!("{path}/updates"), &headers, input).await.expect(201);
    for (method, path) in [("POST", format!("{path}/updates")), ("PUT", path.clone()), ("DELETE", path.clone())] {
        assert_eq!(ada.send(method, &path, &headers, input).await.expect(412).problem(), "stale", "{method} {path}");
    }
    assert_eq!(ada.new_events().await, ["incident.opened", "incident.updated"]);
}
