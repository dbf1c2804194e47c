//! A real Chromium: what people do with their eyes and hands, and back from everything that can come between.

mod accessibility;
mod driver;
mod keyboard;
mod logo;
mod newcomer;
mod offered;
mod people;
mod people_pages;
mod plain;
mod proxy;
mod public;
mod script;
mod together;

use serde_json::{Value, json};

use crate::admin_settings::png;
use crate::harness::{Answer, Client};

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

/// Sends a picture as the form does that has one field for it.
async fn send_picture(person: &Client, path: &str) -> Answer {
    let head = b"--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"logo.png\"\r\n\r\n".as_slice();
    let body = [head, &png(240, 80), b"\r\n--x--\r\n"].concat();
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
    person.send("POST", path, &headers, body).await
}
