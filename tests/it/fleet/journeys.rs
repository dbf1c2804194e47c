//! What people notice of several nodes, which is nothing; and what the operator does.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::nodes::{Fleet, assert_same};
use crate::harness::{Client, eventually};
use crate::live::client::{Ended, Events, Link, Socket, join, seq};

fn org_room(who: &Client) -> String {
    format!("org:{}", who.org_id)
}

fn page_room(who: &Client) -> String {
    format!("page:{}", who.slug)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_through_one_node_is_on_the_page_of_each() {
    let fleet = Fleet::of(3).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;
    // In every node's memory, so that it takes news to bring it up to date.
    assert_same(&fleet.pages(&ada.slug, "No services are listed yet.").await);

    for (node, name) in ["Checkout", "Search", "Uploads"].into_iter().enumerate() {
        fleet.at(node, &ada).service(name).await;
        assert_same(&fleet.pages(&ada.slug, name).await);
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_access_changes_on_one_node_is_shown_out_on_the_other() {
    let fleet = Fleet::of(2).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let (there, room) = (fleet.at(1, &bob), org_room(&ada));
    let member = ada.own(&format!("/members/{}", bob.user_id));

    let mut last = String::new();
    for way in ["another role", "removed"] {
        let mut socket = Socket::open(fleet.base(1), &bob.cookie()).await;
        last = socket.join(&room, None).await;
        let mut stream = Events::open(fleet.base(1), &format!("room={room}"), &bob.cookie()).await;

        let begun = Instant::now();
        match way {
            "removed" => ada.delete(&member).await.expect(204),
            _ => ada.put(&member, json!({ "role": "responder" })).await.expect(200),
        };
        // Whoever is out does not hear what comes after.
        ada.service(&format!("After {way}")).await;
        // The first that both hear is the end.
        assert_eq!((socket.hear().await, stream.hear().await), (Err(1_008), Err(Ended::Cleanly)), "{way}");
        println!("{way}: shown out of the other node after {:?}", begun.elapsed());
    }
    there.get(ada.own("/members")).await.expect(404);
    let mut back = Socket::open(fleet.base(1), &bob.cookie()).await;
    assert_eq!(back.ask(join(&room, Some(&last))).await["code"], "unknown_room");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_on_one_node_is_out_on_the_other() {
    let fleet = Fleet::of(2).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;
    let elsewhere = ada.sign_in().await;
    let (cookie, room) = (ada.cookie(), org_room(&ada));
    let mut socket = Socket::open(fleet.base(1), &cookie).await;
    socket.join(&room, None).await;
    let mut stream = Events::open(fleet.base(1), &format!("room={room}"), &cookie).await;
    let mut other = Socket::open(fleet.base(1), &elsewhere.cookie()).await;
    other.join(&room, None).await;

    let begun = Instant::now();
    ada.post("/api/users/auth/logout", json!({})).await.expect(204);
    fleet.at(1, &ada.with_cookie(&cookie)).get("/api/users/auth/profile").await.expect(401);
    assert_eq!((socket.hear().await, stream.hear().await), (Err(1_008), Err(Ended::Cleanly)));
    println!("signed out of the other node after {:?}", begun.elapsed());

    elsewhere.service("API").await;
    assert_eq!(other.event().await.2["type"], "service.created", "the other session goes on");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_a_node_goes_on_at_another_one() {
    let mut fleet = Fleet::of(2).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;
    let mut listeners = Vec::new();
    for (room, cookie) in [(org_room(&ada), ada.cookie()), (page_room(&ada), String::new())] {
        let mut socket = Socket::open(fleet.base(0), &cookie).await;
        let at = socket.join(&room, None).await;
        let stream = Events::open(fleet.base(0), &format!("room={room}"), &cookie).await;
        assert_eq!(stream.at, at, "{room}");
        listeners.push((room.clone(), cookie.clone(), at.clone(), Link::Socket(Box::new(socket))));
        listeners.push((room, cookie, at, Link::Stream(Box::new(stream))));
    }
    ada.service("Heard").await;
    for (room, _, last, link) in &mut listeners {
        let id = link.hear(room).await.expect("it goes on");
        assert_eq!(seq(&id), seq(last) + 1, "{room}");
        *last = id;
    }

    fleet.kill(0).await;
    let ada = fleet.at(1, &ada);
    for number in 1..=3 {
        ada.service(&format!("Missed {number}")).await;
    }
    for (room, cookie, last, link) in &mut listeners {
        assert_eq!(link.hear(room).await, None, "{room}: the node is gone");
        *link = match link {
            Link::Socket(_) => {
                let mut socket = Socket::open(fleet.base(1), cookie).await;
                assert_eq!(socket.join(room, Some(last.as_str())).await, *last);
                Link::Socket(Box::new(socket))
            }
            Link::Stream(_) => {
                let headers = [("cookie", cookie.as_str()), ("last-event-id", last.as_str())];
                let stream = Events::try_open(fleet.base(1), &format!("room={room}"), &headers).await;
                let stream = stream.unwrap_or_else(|refused| panic!("{refused:?}"));
                assert_eq!(stream.at, *last);
                Link::Stream(Box::new(stream))
            }
        };
    }
    ada.service("Live again").await;
    for (room, _, last, link) in &mut listeners {
        for step in 1..=4 {
            assert_eq!(seq(&link.hear(room).await.expect("it goes on")), seq(last) + step, "{room}");
        }
    }
    fleet.start(0).await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_visitors_notice_nothing_and_nothing_is_lost() {
    let mut fleet = Fleet::of(2).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;
    ada.service("Checkout").await;
    let pages = fleet.pages(&ada.slug, "Checkout").await;
    let mut visitor = Events::open(fleet.base(0), &format!("room={}", page_room(&ada)), "").await;
    let mut member = Socket::open(fleet.base(1), &ada.cookie()).await;
    let at = member.join(&org_room(&ada), None).await;

    for node in 0..2 {
        fleet.line(node).close();
    }
    for node in 0..2 {
        let refused = fleet.at(node, &ada).post_once("/api/services", "search", json!({ "name": "Search" })).await.expect(503);
        assert_eq!(refused.problem(), "unavailable");
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", refused.headers);
    }
    assert_eq!(fleet.pages(&ada.slug, "Checkout").await, pages, "from memory");
    for node in 0..2 {
        let healthy = fleet.anonymous(node).get("/healthz").await.expect(200);
        assert!(healthy.text.contains("from memory"), "a load balancer must not take the pages away: {}", healthy.text);
    }
    member.is_silent().await;

    for node in 0..2 {
        fleet.line(node).mend();
    }
    eventually(async || ada.post_once("/api/services", "search", json!({ "name": "Search" })).await.status == 201).await;
    let (_, id, event) = member.event().await;
    assert_eq!((seq(&id), &event["subject"]["name"]), (seq(&at) + 1, &json!("Search")));
    assert_eq!(visitor.next().await.json()["subject"]["name"], "Search");
    assert_same(&fleet.pages(&ada.slug, "Search").await);

    // A line that swallows everything is not known to be dead for a while; a load balancer does not wait that long.
    fleet.line(0).hush();
    let answered = tokio::time::timeout(Duration::from_secs(5), fleet.anonymous(0).get("/healthz")).await;
    assert!(answered.expect("it answers at once").expect(200).text.contains("from memory"));
    fleet.line(0).mend();
    for node in 0..2 {
        assert!(fleet.runs(node), "{}", fleet.log(node));
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_keys_does_not_start() {
    let fleet = Fleet::of(1).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;

    let (code, said) = fleet.stranger().await;

    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("key"), "it does not say what is wrong: {said}");
    // Sessions that were sealed with the right ones are as good as before.
    ada.get("/api/users/auth/profile").await.expect(200);
    fleet.stop().await;
}
