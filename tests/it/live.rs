//! Live rooms over real sockets: what is announced where, and to whom.

pub(crate) mod client;
mod doors;
mod endurance;
mod presence;

use allclear::access::{Actor, Edit};
use allclear::app::App;
use allclear::domain::service::{self, ServicePatch};
use allclear::store::OrgTx;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Server};
use client::{Events, Socket, seq};

/// Changes a service in each of these ways, past the API: many changes, quickly.
pub(crate) async fn change_service(app: &App, org: &str, service: &str, patches: impl IntoIterator<Item = ServicePatch>) {
    let (org, service) = (org.parse().expect("an organization's id"), service.parse().expect("a service's id"));
    let changes = patches
        .into_iter()
        .map(|patch| app.change(Actor::System("test"), org, move |tx: &mut OrgTx<'_, Edit>| service::update(tx, service, patch, None)));
    try_join_all(changes).await.expect("the changes are made");
}

/// Changes that differ from each other and from what is made by hand: a position each.
pub(crate) fn positions(range: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = ServicePatch> {
    range.map(|position| ServicePatch { position: Some(position), ..ServicePatch::default() })
}

async fn set_status(client: &Client, service: &str, status: &str) {
    client.put(format!("/api/services/{service}"), json!({ "own_status": status })).await.expect(200);
}

fn org_room(client: &Client) -> String {
    format!("org:{}", client.org_id)
}

fn page_room(client: &Client) -> String {
    format!("page:{}", client.slug)
}

#[tokio::test]
async fn a_client_joins_leaves_and_is_answered() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let mut socket = Socket::open(&server.base(), &ada.cookie()).await;
    let page = page_room(&ada);

    socket.is_silent().await;
    let at = socket.join(&page, None).await;
    assert!(at.starts_with(&format!("{}:", server.app().epoch())), "{at}");
    assert_eq!(socket.ask(json!({ "action": "leave", "room": page })).await, json!({ "type": "left", "room": page }));

    set_status(&ada, &api, "major_outage").await;
    socket.is_silent().await;
    let left = socket.ask(json!({ "action": "leave", "room": page })).await;
    assert_eq!((&left["type"], &left["code"], &left["room"]), (&json!("error"), &json!("not_joined"), &json!(page)));
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_in_bulk_ends_the_conversation() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server.base(), "").await;
    let bad = |answer: Value| assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("bad_message")), "{answer}");

    for text in ["", "{", "[]", r#"{"action":"shout"}"#, r#"{"action":"join"}"#, r#"{"action":"ping","extra":1}"#] {
        socket.send(Message::text(text)).await;
        bad(socket.next().await);
    }
    socket.send(Message::binary(vec![0_u8, 1, 2])).await;
    bad(socket.next().await);
    let answer = socket.ask(json!({ "action": "join", "room": "page:adas-org", "after": "yesterday" })).await;
    assert_eq!(answer["room"], "page:adas-org");
    bad(answer);

    for _ in 0..17 {
        socket.send(Message::text("noise")).await;
    }
    assert_eq!(socket.ended().await, 1_008);

    let mut shouting = Socket::open(&server.base(), "").await;
    shouting.send(Message::text("x".repeat(64 * 1024 + 1))).await;
    assert_eq!(shouting.ended().await, 1_009);
}

#[tokio::test]
async fn a_connection_may_be_in_a_hundred_rooms() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut socket = Socket::open(&server.base(), &ada.cookie()).await;
    socket.join(&org_room(&ada), None).await;
    for number in 1..100 {
        let service = ada.service(&format!("Service {number}")).await;
        // Each making is heard in the organization's room first.
        socket.event().await;
        socket.join(&format!("service:{service}"), None).await;
    }
    let one_more = page_room(&ada);
    let answer = socket.ask(client::join(&one_more, None)).await;
    assert_eq!(answer["code"], "too_many_rooms", "{answer}");
    socket.join(&org_room(&ada), None).await;
    socket.ask(json!({ "action": "leave", "room": org_room(&ada) })).await;
    socket.join(&one_more, None).await;
}

#[tokio::test]
async fn an_event_reaches_its_rooms_under_its_number_there() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, web) = (ada.service("API").await, ada.service("Web").await);
    ada.private_service("Vault").await;
    let mut socket = Socket::open(&server.base(), &ada.cookie()).await;
    let (org, page) = (org_room(&ada), page_room(&ada));
    let (api_room, web_room) = (format!("service:{api}"), format!("service:{web}"));
    for room in [&org, &page, &api_room, &web_room] {
        socket.join(room, None).await;
    }

    set_status(&ada, &api, "major_outage").await;

    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(socket.event().await);
    }
    socket.is_silent().await;
    told.sort_by_key(|(room, ..)| [&org, &api_room, &page].iter().position(|known| *known == room));
    let numbers: Vec<_> = told.iter().map(|(room, id, _)| (room.as_str(), seq(id))).collect();
    // Visitors have not heard of the vault, so the page is one behind.
    assert_eq!(numbers, [(org.as_str(), 5), (api_room.as_str(), 5), (page.as_str(), 4)]);
    let data = |own: bool| {
        let (mut before, mut after) = (json!({ "status": "operational" }), json!({ "status": "major_outage" }));
        if own {
            before["own_status"] = "operational".into();
            after["own_status"] = "major_outage".into();
        }
        json!({ "before": before, "after": after })
    };
    let subject = json!({ "kind": "service", "id": api, "name": "API" });
    let mut for_members =
        json!({ "type": "service.status_changed", "at": "2026-03-01T12:00:00.000Z", "subject": subject, "data": data(true) });
    for_members["actor"] = json!({ "kind": "user", "id": ada.user_id, "name": "Ada" });
    let for_visitors =
        json!({ "type": "service.status_changed", "at": "2026-03-01T12:00:00.000Z", "subject": subject, "data": data(false) });
    assert_eq!(told.into_iter().map(|(_, _, event)| event).collect::<Vec<_>>(), [for_members.clone(), for_members, for_visitors]);
}

#[tokio::test]
async fn a_stream_tells_an_event_of_two_of_its_rooms_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, web, other) = (ada.service("API").await, ada.service("Web").await, ada.service("Other").await);
    let both = format!("room=service:{api}&room=service:{web}");
    let mut services = Events::open(&server.base(), &both, &ada.cookie()).await;
    let mut all = Events::open(&server.base(), &format!("room={}&{both}", org_room(&ada)), &ada.cookie()).await;
    let start = services.at.clone();

    ada.incident(&[(api.as_str(), "major_outage"), (web.as_str(), "partial_outage")], "Both are down").await;
    set_status(&ada, &other, "degraded_performance").await;
    set_status(&ada, &web, "degraded_performance").await;

    let first = seq(&start) + 1;
    for expected in [first, first + 2] {
        assert_eq!(seq(&services.next().await.id), expected);
    }
    for expected in [first, first + 1, first + 2] {
        let told = all.next().await;
        assert_eq!((seq(&told.id), told.name.as_str()), (expected, ""));
    }

    // The same from the log.
    let mut again = Events::open(&server.base(), &format!("{both}&after={start}"), &ada.cookie()).await;
    for expected in [first, first + 2] {
        assert_eq!(seq(&again.next().await.id), expected);
    }
}

#[tokio::test]
async fn a_page_room_hears_what_visitors_may_know_and_nothing_else() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let vault = ada.private_service("Vault").await;
    let mut visitor = Socket::open(&server.base(), "").await;
    let start = visitor.join(&page_room(&ada), None).await;
    let vault_path = format!("/api/services/{vault}");

    set_status(&ada, &vault, "major_outage").await;
    ada.put(&vault_path, json!({ "name": "Crypt" })).await.expect(200);
    let incident = ada.incident(&[(vault.as_str(), "major_outage")], "The crypt is open").await;
    ada.put(format!("/api/incidents/{incident}"), json!({ "status": "resolved", "message": "Closed it." })).await.expect(200);
    visitor.is_silent().await;

    set_status(&ada, &api, "partial_outage").await;
    let (_, id, event) = visitor.event().await;
    assert_eq!(seq(&id), seq(&start) + 1, "not even the numbers tell of the rest");
    assert!(event.get("actor").is_none(), "{event}");

    // Made public it appears, without its past; made private again it is gone at once, and so is its name from what is told again.
    ada.put(&vault_path, json!({ "visibility": "public" })).await.expect(200);
    let (_, _, appeared) = visitor.event().await;
    assert_eq!((&appeared["type"], &appeared["subject"]["name"]), (&json!("service.created"), &json!("Crypt")));
    visitor.is_silent().await;
    ada.put(&vault_path, json!({ "visibility": "private" })).await.expect(200);
    let (_, last, vanished) = visitor.event().await;
    assert_eq!((&vanished["type"], &vanished["subject"]["id"]), (&json!("service.deleted"), &json!(vault)));

    let from_the_start = format!("room={}&after={}:0", page_room(&ada), server.app().epoch());
    let mut again = Events::open(&server.base(), &from_the_start, "").await;
    loop {
        let told = again.next().await;
        for secret in ["Vault", "Crypt", "crypt", "Closed it", "Ada\"", "actor"] {
            assert!(!told.data.contains(secret), "{secret}: {told:?}");
        }
        if told.id == last {
            break;
        }
    }
}
