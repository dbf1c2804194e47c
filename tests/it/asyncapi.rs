//! The written protocol and the spoken one are the same.

use std::collections::{BTreeMap, BTreeSet};

use allclear::access::{Actor, Administer, Edit, Respond};
use allclear::clock::Timestamp;
use allclear::domain::organization::OrganizationPatch;
use allclear::domain::page::{self, PagePatch};
use allclear::domain::{group, incident, invitation, organization, service};
use allclear::event::EventType;
use allclear::live::protocol::{ClientMessage, ErrorCode, EventId, RoomName, ServerMessage, StreamMessage};
use allclear::store::{OrgTx, WideTx};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::harness::Server;
use crate::live::client::{Events, Socket, attend, join};

/// The document and what it says of each message.
struct Document {
    json: Value,
    validators: BTreeMap<String, Validator>,
}

impl Document {
    fn read() -> Self {
        let json: Value = serde_json::from_str(include_str!("../../docs/asyncapi.json")).expect("JSON");
        let validators = json["components"]["messages"].as_object().expect("messages").iter().map(|(name, message)| {
            // AsyncAPI's schemas are JSON Schema draft-07 unless they say otherwise.
            let schema = json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "allOf": [message["payload"]],
                "components": json["components"],
            });
            (name.clone(), jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}")))
        });
        Self { validators: validators.collect(), json }
    }

    /// The messages of an operation, by name.
    fn messages(&self, operation: &str) -> BTreeSet<&str> {
        let listed = self.json["operations"][operation]["messages"].as_array().expect("messages");
        listed.iter().map(|message| message["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a reference")).collect()
    }

    fn examples(&self, message: &str) -> Vec<&Value> {
        let examples = self.json["components"]["messages"][message]["examples"].as_array().expect("examples");
        examples.iter().map(|example| &example["payload"]).collect()
    }

    fn words(&self, schema: &str) -> Vec<&str> {
        let words = self.json["components"]["schemas"][schema]["enum"].as_array().expect("an enumeration");
        words.iter().filter_map(Value::as_str).collect()
    }

    #[track_caller]
    fn check(&self, message: &str, payload: &Value) {
        let errors: Vec<_> =
            self.validators[message].iter_errors(payload).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{message}: {errors:?} in {payload}");
    }
}

/// Under which name a message is documented. A new one that is not does not compile.
fn documented_as(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::Joined { .. } => "joined",
        ServerMessage::Left { .. } => "left",
        ServerMessage::Pong {} => "pong",
        ServerMessage::Event { room, .. } => match room.parse().expect("a room") {
            RoomName::Page(_) => "pageEvent",
            RoomName::Org(_) | RoomName::Service(_) => "event",
        },
        ServerMessage::Presence { .. } => "presence",
        ServerMessage::Reset { .. } => "reset",
        ServerMessage::Error { .. } => "error",
    }
}

fn walk<'a>(value: &'a Value, see: &mut impl FnMut(&'a str)) {
    match value {
        Value::Object(map) => {
            if let Some(path) = map.get("$ref").and_then(Value::as_str) {
                see(path);
            }
            map.values().for_each(|value| walk(value, see));
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

#[test]
fn the_document_hangs_together() {
    let document = Document::read();
    assert_eq!(document.json["asyncapi"], "3.0.0");
    let mut paths = Vec::new();
    walk(&document.json, &mut |path| paths.push(path));
    for path in &paths {
        let pointer = path.strip_prefix('#').expect("a reference into the document");
        assert!(document.json.pointer(pointer).is_some(), "{path} leads nowhere");
    }
    let used: BTreeSet<_> = ["hear", "tell", "stream"].iter().flat_map(|operation| document.messages(operation)).collect();
    assert_eq!(used, document.validators.keys().map(String::as_str).collect::<BTreeSet<_>>());
    for schema in document.json["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(paths.iter().any(|path| path.ends_with(&format!("/schemas/{schema}"))), "{schema} is not used");
    }
}

#[test]
fn its_words_are_the_codes() {
    let document = Document::read();
    assert_eq!(document.words("EventType"), EventType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    assert_eq!(json!(document.words("ErrorCode")), json!(ErrorCode::ALL));
}

#[test]
fn its_examples_are_messages() {
    let document = Document::read();
    for message in document.validators.keys() {
        assert!(!document.examples(message).is_empty(), "{message}");
        for example in document.examples(message) {
            document.check(message, example);
        }
    }
    for message in document.messages("hear") {
        for example in document.examples(message) {
            let read = ClientMessage::parse(&example.to_string()).unwrap_or_else(|error| panic!("{message}: {error}"));
            assert_eq!(json!(read), *example);
        }
    }
    for message in document.messages("tell") {
        for example in document.examples(message) {
            let read: ServerMessage = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{message}: {error}"));
            assert_eq!((documented_as(&read), json!(read)), (message, example.clone()));
        }
    }
    for example in document.examples("streamReset") {
        let read: StreamMessage = serde_json::from_value(example.clone()).expect("a message of a stream");
        assert_eq!(json!(read), *example);
    }
}

#[test]
fn its_schemas_refuse_what_is_not_said() {
    let document = Document::read();
    let refuses = |message: &str, change: &dyn Fn(&mut Value)| {
        let mut example = document.examples(message)[0].clone();
        change(&mut example);
        assert!(!document.validators[message].is_valid(&example), "{message}: {example}");
    };
    refuses("pageEvent", &|example| example["event"]["actor"] = json!({ "kind": "user", "id": null, "name": "Ada" }));
    refuses("event", &|example| example["event"]["type"] = "service.exploded".into());
    refuses("event", &|example| example["id"] = "7".into());
    refuses("event", &|example| example["room"] = "page:acme".into());
    refuses("join", &|example| example["afer"] = "e:1".into());
    refuses("attend", &|example| drop(example.as_object_mut().and_then(|fields| fields.remove("subject"))));
    refuses("presence", &|example| example["room"] = "page:acme".into());
    refuses("presence", &|example| example["people"] = json!([]));
    refuses("presence", &|example| example["people"][0]["email"] = "ada@example.com".into());
    refuses("presence", &|example| example["id"] = "e:1".into());
    refuses("error", &|example| example["code"] = "oops".into());
}

/// Makes one of everything that can happen to an organization, its founding aside.
async fn eventful_day(server: &Server, ada: &crate::harness::Client) {
    let org = ada.org_id.parse().expect("an id");
    let rename =
        move |tx: &mut WideTx<'_, Administer>| organization::update(tx, OrganizationPatch { name: Some("Acme".into()), slug: None }, None);
    server.app().change_wide(Actor::System("test"), org, rename).await.expect("another name");
    let describe = move |tx: &mut WideTx<'_, Edit>| {
        page::update(tx, PagePatch { description: Some("All of **it**".into()), ..PagePatch::default() }, None)
    };
    server.app().change_wide(Actor::System("test"), org, describe).await.expect("another page");
    let cy = ada.invite("cy@example.com", "viewer").await.id();
    ada.delete(ada.own(&format!("/invitations/{cy}"))).await.expect(204);
    let forgotten = ada.invite("di@example.com", "viewer").await.text_at("/expires_at").parse().expect("a time");
    let expire = move |tx: &mut OrgTx<'_, Administer>| invitation::expire(tx, forgotten, 10);
    server.app().change(Actor::System("test"), org, expire).await.expect("an invitation less");
    let member = ada.own(&format!("/members/{}", ada.make_member("viewer").await.user_id));
    ada.put(&member, json!({ "role": "editor" })).await.expect(200);
    ada.delete(&member).await.expect(204);
    let core = ada.group("Core").await;
    let group = format!("/api/service-groups/{core}");
    ada.put(&group, json!({ "name": "Heart" })).await.expect(200);
    let (api, web) = (ada.service("API").await, ada.service("Web").await);
    ada.put(format!("/api/services/{api}"), json!({ "own_status": "degraded_performance", "description": "**All** of it" }))
        .await
        .expect(200);
    let lost = ada.incident(&[(api.as_str(), "major_outage"), (web.as_str(), "partial_outage")], "All is lost").await;
    let incident = format!("/api/incidents/{lost}");
    for change in
        [json!({ "message": "Found it." }), json!({ "status": "resolved" }), json!({ "status": "investigating", "message": "Not quite." })]
    {
        ada.put(&incident, change).await.expect(200);
    }
    ada.delete(&incident).await.expect(204);
    ada.delete(format!("/api/services/{api}")).await.expect(204);
    ada.delete(&group).await.expect(204);

    let (lost, api, core) = (lost.parse().expect("an id"), api.parse().expect("an id"), core.parse().expect("an id"));
    let restore = move |tx: &mut OrgTx<'_, Respond>| incident::restore(tx, lost);
    server.app().change(Actor::System("test"), org, restore).await.expect("the incident again");
    let restore = move |tx: &mut OrgTx<'_, Edit>| service::restore(tx, api);
    server.app().change(Actor::System("test"), org, restore).await.expect("the service again");
    let restore = move |tx: &mut OrgTx<'_, Edit>| group::restore(tx, core);
    server.app().change(Actor::System("test"), org, restore).await.expect("the group again");
}

/// Whether the code reads an event as the document describes it.
fn is_known(event: &Value) -> bool {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    EventType::ALL.iter().any(|kind| kind.as_str() == text("/type")) && text("/at").parse::<Timestamp>().is_ok()
}

#[tokio::test]
async fn what_a_server_says_is_in_the_document() {
    let document = Document::read();
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let beginning = format!("{}:0", server.app().epoch());
    let (org, page) = (format!("org:{}", ada.org_id), format!("page:{}", ada.slug));
    let incident = ada.incident(&[], "Somebody looks").await;
    // Whoever is there is shut out by it, and hears of it only by coming back.
    for suspended in [true, false] {
        let shut = move |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, suspended);
        server.app().change_wide(Actor::System("test"), ada.org_id.parse().expect("an id"), shut).await.expect("shut, and open again");
    }
    let mut socket = Socket::open(&server.base(), &ada.cookie()).await;
    for message in [
        join(&org, Some(&beginning)),
        join(&page, Some(&beginning)),
        join(&page, Some("anotherlife:1")),
        join("page:nowhere", None),
        attend(&org, Some(&incident)),
        attend(&org, None),
        attend(&org, Some(&incident)),
        attend(&org, Some("inc_nowhere")),
        json!({ "action": "leave", "room": "page:nowhere" }),
        json!({ "action": "shout" }),
    ] {
        socket.say(message).await;
    }
    eventful_day(&server, &ada).await;
    // What is announced is told before the answer to what is asked after it.
    let last = ada.timeline().await.last().expect("events")["id"].clone();
    let mut told = Vec::new();
    while told.last().is_none_or(|told: &Value| told["id"] != last) {
        told.push(socket.next().await);
    }
    for message in [json!({ "action": "leave", "room": page }), json!({ "action": "ping" })] {
        socket.say(message).await;
    }
    while told.last().is_none_or(|told| told["type"] != "pong") {
        told.push(socket.next().await);
    }

    let mut seen: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for payload in &told {
        let message = documented_as(&serde_json::from_value(payload.clone()).unwrap_or_else(|error| panic!("{error}: {payload}")));
        document.check(message, payload);
        seen.entry(message).or_default().push(payload);
    }
    assert_eq!(seen.keys().copied().collect::<BTreeSet<_>>(), document.messages("tell"));
    let kinds: BTreeSet<_> = seen["event"].iter().filter_map(|told| told["event"]["type"].as_str()).collect();
    // Of its end nobody hears: there is no organization to hear it in.
    let audible = EventType::ALL.iter().filter(|kind| **kind != EventType::OrganizationDeleted);
    assert_eq!(kinds, audible.map(|kind| kind.as_str()).collect::<BTreeSet<_>>());

    for (room, message, cookie) in [(&org, "streamEvent", ada.cookie()), (&page, "streamPageEvent", String::new())] {
        let mut stream = Events::open(&server.base(), &format!("room={room}&after={beginning}"), &cookie).await;
        for _ in 0..5 {
            let event = stream.next().await;
            assert!(EventId::parse(&event.id).is_some() && is_known(&event.json()), "{event:?}");
            document.check(message, &event.json());
        }
        let mut lost = Events::open(&server.base(), &format!("room={room}&after=anotherlife:1"), &cookie).await;
        let reset = lost.next().await;
        document.check("streamReset", &reset.json());
        assert_eq!((reset.name.as_str(), &reset.json()["at"]), ("reset", &json!(reset.id)));
    }
}
