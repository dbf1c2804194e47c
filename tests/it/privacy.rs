//! What was private stays private: on the page, in its room, and in every replay later.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, eventually};

/// What visitors can learn now: the page, and its room from the first event on.
struct Seen {
    html: String,
    events: Vec<Value>,
    ids: Vec<String>,
}

impl Seen {
    /// Neither the page nor any event has one of these texts in it.
    #[track_caller]
    fn hides(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(!self.html.contains(secret), "the page tells `{secret}`: {}", self.html);
            for event in &self.events {
                assert!(!event.to_string().contains(secret), "the room tells `{secret}`: {event}");
            }
        }
    }

    #[track_caller]
    fn shows(&self, words: &[&str]) {
        for word in words {
            assert!(self.html.contains(word), "the page hides `{word}`: {}", self.html);
        }
    }

    fn types(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }
}

/// Looks as a visitor. A public service made for it marks the end of what there was: once the page and the room have it, they have all before it.
async fn look(server: &Server, admin: &Client) -> Seen {
    static LOOKS: AtomicUsize = AtomicUsize::new(1);
    let mark = format!("Mark {}", LOOKS.fetch_add(1, Ordering::Relaxed));
    let service = admin.service(&mark).await;
    let visitor = server.anonymous();

    let path = format!("/p/{}", admin.slug);
    eventually(async || visitor.get(&path).await.expect(200).text.contains(&mark)).await;
    let html = visitor.get(&path).await.text;

    let mut stream = visitor.open(format!("/live/sse?room=page:{}&after={}:0", admin.slug, server.app().epoch())).await;
    assert_eq!(stream.status().as_u16(), 200);
    let (mut text, mut events, mut ids) = (String::new(), Vec::new(), Vec::new());
    let reading = async {
        loop {
            let chunk = stream.chunk().await.expect("a stream").expect("it goes on");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
            while let Some((frame, rest)) = text.split_once("\n\n").map(|(frame, rest)| (frame.to_owned(), rest.to_owned())) {
                text = rest;
                assert!(!frame.contains("event: reset"), "{frame}");
                let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_start().to_owned());
                if let Some(data) = line("data:") {
                    let event: Value = serde_json::from_str(&data).expect("an event");
                    let is_mark = event["subject"]["name"] == mark.as_str();
                    ids.push(line("id:").expect("an id"));
                    events.push(event);
                    if is_mark {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the mark comes");
    admin.delete(format!("/api/services/{service}")).await.expect(204);
    events.retain(|event| !event["subject"]["name"].as_str().is_some_and(|name| name.starts_with("Mark ")));
    Seen { html, events, ids }
}

async fn make(client: &Client, service: &str, visibility: &str) {
    client.put(format!("/api/services/{service}"), json!({ "visibility": visibility })).await.expect(200);
}

async fn say(client: &Client, incident: &str, message: &str) {
    client.post(format!("/api/incidents/{incident}/updates"), json!({ "message": message })).await.expect(201);
}

#[tokio::test]
async fn a_service_made_public_shows_nothing_of_its_private_past() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let inside = ada.private_service("Codename Falcon").await;
    let over = ada.incident(&[(&inside, "major_outage")], "Falcon has crashed").await;
    ada.put(format!("/api/incidents/{over}"), json!({ "status": "resolved", "message": "Falcon flies." })).await.expect(200);
    let open = ada.incident(&[(&inside, "partial_outage")], "Payments are slow").await;
    say(&ada, &open, "The vault door is stuck.").await;
    ada.put(format!("/api/services/{inside}"), json!({ "own_status": "degraded_performance", "description": "Codename for the vault" }))
        .await
        .expect(200);

    let private = look(&server, &ada).await;
    private.hides(&["Falcon", "vault", "Payments", "Ada\"", "usr_", "actor", "author"]);
    assert_eq!(private.types(), ["organization.created"]);

    ada.put(format!("/api/services/{inside}"), json!({ "name": "Payments API", "description": "", "visibility": "public" }))
        .await
        .expect(200);
    say(&ada, &open, "A disk is full.").await;

    let public = look(&server, &ada).await;
    public.shows(&["Payments API", "Payments are slow", "A disk is full."]);
    public.hides(&["Falcon", "vault", "We are looking into it.", "actor", "author", "usr_"]);
    assert_eq!(public.types(), ["organization.created", "service.created", "incident.opened"]);
}

#[tokio::test]
async fn numbers_and_silence_tell_nothing_of_private_changes() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let inside = ada.private_service("Inside").await;
    for number in 0..7 {
        ada.put(format!("/api/services/{inside}"), json!({ "name": format!("Inside {number}") })).await.expect(200);
    }
    let seen = look(&server, &ada).await;
    let epoch = server.app().epoch();
    assert_eq!(seen.ids, [format!("{epoch}:1"), format!("{epoch}:2")], "the page's numbers count what visitors may know");
}

#[tokio::test]
async fn a_mixed_incident_shows_its_public_half() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let inside = ada.private_service("Vault").await;

    let incident = ada.incident(&[(&api, "degraded_performance"), (&inside, "major_outage")], "Slow answers").await;
    let seen = look(&server, &ada).await;
    seen.shows(&["Slow answers", "API"]);
    seen.hides(&["Vault", &inside, "data-state=\"major_outage\"", "\"status\":\"major_outage\"", "critical"]);
    let opened = seen.events.iter().find(|event| event["type"] == "incident.opened").unwrap();
    assert_eq!(opened["data"]["after"]["impact"], "minor", "derived from what visitors may know alone");
    assert_eq!(opened["data"]["after"]["affected"], json!([{ "service_id": api, "name": "API", "status": "degraded_performance" }]));

    // Something that only members can see changes: visitors hear nothing.
    let before = seen.events.len();
    let worse = json!({ "affected": [{ "service_id": api, "status": "degraded_performance" }, { "service_id": inside, "status": "partial_outage" }] });
    ada.put(format!("/api/incidents/{incident}"), worse).await.expect(200);
    assert_eq!(look(&server, &ada).await.events.len(), before);

    // Without its public half it is gone, and what is said meanwhile is never shown.
    ada.put(format!("/api/incidents/{incident}"), json!({ "affected": [{ "service_id": inside, "status": "partial_outage" }] }))
        .await
        .expect(200);
    say(&ada, &incident, "The vault is open.").await;
    let seen = look(&server, &ada).await;
    seen.hides(&["vault is open", "Slow answers", "Vault"]);
    assert!(seen.types().contains(&"incident.deleted"), "a client that was away learns that it is gone: {:?}", seen.types());
    make(&ada, &inside, "public").await;
    look(&server, &ada).await.hides(&["vault is open"]);
}

#[tokio::test]
async fn a_service_made_private_leaves_open_pages_and_replays_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service_with(json!({ "name": "Falcon", "description": "A *secret* plan" })).await;
    let incident = ada.incident(&[(&api, "major_outage")], "Falcon has crashed").await;
    look(&server, &ada).await.shows(&["Falcon has crashed"]);

    make(&ada, &api, "private").await;
    let seen = look(&server, &ada).await;
    seen.hides(&["Falcon", "secret", "crashed", "We are looking into it."]);
    assert!(seen.types().contains(&"service.deleted") && seen.types().contains(&"incident.deleted"), "{:?}", seen.types());

    say(&ada, &incident, "Said in private.").await;
    make(&ada, &api, "public").await;
    let seen = look(&server, &ada).await;
    seen.shows(&["Falcon has crashed"]);
    seen.hides(&["Said in private."]);
}

#[tokio::test]
async fn a_private_service_keeps_its_name_to_itself_when_it_is_deleted() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, inside) = (ada.service("API").await, ada.private_service("Falcon").await);
    let incident = ada.incident(&[(&api, "major_outage"), (&inside, "major_outage")], "All is lost").await;
    ada.delete(format!("/api/services/{inside}")).await.expect(204);
    say(&ada, &incident, "More.").await;
    look(&server, &ada).await.hides(&["Falcon", &inside]);

    // A public one is still named where it was affected, by its last name.
    ada.delete(format!("/api/services/{api}")).await.expect(204);
    let seen = look(&server, &ada).await;
    seen.shows(&["All is lost", "API"]);
    seen.hides(&["Falcon", &inside]);

    // One that was public once and private when it was deleted.
    let (web, once) = (ada.service("Web").await, ada.service("Osprey").await);
    ada.incident(&[(&web, "partial_outage"), (&once, "partial_outage")], "Half is lost").await;
    make(&ada, &once, "private").await;
    ada.delete(format!("/api/services/{once}")).await.expect(204);
    look(&server, &ada).await.hides(&["Osprey", "Falcon"]);
}

#[tokio::test]
async fn a_group_is_seen_while_it_holds_something_public() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let group = ada.group("Project Falcon").await;
    let inside = ada.service_with(json!({ "name": "Inside", "group_id": group, "visibility": "private" })).await;
    look(&server, &ada).await.hides(&["Falcon", &group]);

    let api = ada.service_with(json!({ "name": "API", "group_id": group })).await;
    look(&server, &ada).await.shows(&["Project Falcon"]);

    make(&ada, &api, "private").await;
    look(&server, &ada).await.hides(&["Project Falcon", "Inside", &inside]);
    ada.put(format!("/api/service-groups/{group}"), json!({ "name": "Project Osprey" })).await.expect(200);
    look(&server, &ada).await.hides(&["Falcon", "Osprey"]);
}

#[tokio::test]
async fn a_page_is_no_door_to_another_organization() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    ada.service("Engine room").await;
    look(&server, &ada).await.shows(&["Engine room"]);
    look(&server, &eve).await.hides(&["Engine room", "Ada"]);
    let inside = ada.private_service("Inside").await;
    for room in [format!("org:{}", ada.org_id), format!("service:{inside}")] {
        assert_eq!(eve.open(format!("/live/sse?room={room}")).await.status().as_u16(), 404, "{room}");
        assert_eq!(server.anonymous().open(format!("/live/sse?room={room}")).await.status().as_u16(), 401, "{room}");
    }
}
