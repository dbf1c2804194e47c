//! A real Chromium: what people do with their eyes and hands, and back from everything that can come between.

mod accessibility;
mod driver;
mod keyboard;
mod newcomer;
mod plain;
mod proxy;
mod public;
mod script;
mod together;

use serde_json::{Value, json};

use crate::harness::Client;

/// An organization with a service in a group and an incident that has been going on for a while.
async fn trouble(ada: &Client) -> (String, String) {
    let group = ada.post("/api/service-groups", json!({ "name": "Core" })).await.expect(201).id();
    let api = ada.post("/api/services", json!({ "name": "API", "group_id": group })).await.expect(201).id();
    let input = json!({ "title": "Checkout fails", "message": "Looking.", "service_status": "major_outage" });
    let incident = ada.post(format!("/api/services/{api}/incidents"), input).await.expect(201).id();
    for number in 1..=6 {
        say(ada, &incident, json!({ "message": format!("Still looking, {number}.") })).await;
    }
    (api, incident)
}

async fn say(ada: &Client, incident: &str, update: Value) {
    ada.post(format!("/api/incidents/{incident}/updates"), update).await.expect(201);
}
