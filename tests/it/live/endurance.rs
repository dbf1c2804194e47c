//! Lost connections, slow readers, restarts: nothing is lost silently.

use allclear::domain::service::ServicePatch;
use serde_json::json;

use super::client::{Ended, Events, Socket, join, seq, within};
use super::{change_service, org_room, page_room, positions};
use crate::harness::Server;

#[tokio::test]
async fn who_comes_back_hears_what_was_missed_once_and_in_order() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let (base, cookie, org) = (server.base(), ada.cookie(), org_room(&ada));
    let start = Socket::open(&base, &cookie).await.join(&org, None).await;
    // More than one chunk of the log.
    change_service(server.app(), &ada.org_id, &api, positions(1..=250)).await;
    let expected: Vec<_> = (1..=250).map(|step| seq(&start) + step).collect();

    let mut socket = Socket::open(&base, &cookie).await;
    assert_eq!(socket.join(&org, Some(&start)).await, start);
    let mut heard = Vec::new();
    for _ in &expected {
        heard.push(seq(&socket.event().await.1));
    }
    assert_eq!(heard, expected);
    socket.is_silent().await;

    // A browser's own position goes before the one in the address.
    let half = format!("{}:{}", server.app().epoch(), expected[124]);
    let query = format!("room={org}&after={start}");
    let mut stream = Events::try_open(&base, &query, &[("cookie", cookie.as_str()), ("last-event-id", half.as_str())])
        .await
        .unwrap_or_else(|refused| panic!("{refused:?}"));
    for number in &expected[125..] {
        assert_eq!(seq(&stream.next().await.id), *number);
    }
}

#[tokio::test]
async fn a_past_that_cannot_be_given_is_a_reset() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, last) = (ada.service("API").await, ada.service("Last").await);
    let (base, page) = (server.base(), page_room(&ada));
    let mut socket = Socket::open(&base, "").await;
    let start = socket.join(&page, None).await;
    assert_eq!(socket.ask(json!({ "action": "leave", "room": page })).await["type"], "left");
    let mut end = Socket::open(&base, &ada.cookie()).await;
    end.join(&format!("service:{last}"), None).await;
    change_service(server.app(), &ada.org_id, &api, positions(1..=1_000)).await;
    change_service(server.app(), &ada.org_id, &last, positions(5_000..=5_000)).await;
    // Once the last one is announced, nothing of the flood is still to come.
    end.event().await;

    let epoch = server.app().epoch();
    let head = format!("{epoch}:{}", seq(&start) + 1_001);
    let future = format!("{epoch}:{}", seq(&head) + 1);
    for after in [start.as_str(), future.as_str(), "anotherlife:1"] {
        assert_eq!(socket.join(&page, Some(after)).await, head);
        assert_eq!(socket.next().await, json!({ "type": "reset", "room": page, "at": head }), "{after}");
        socket.is_silent().await;

        let mut stream = Events::open(&base, &format!("room={page}&after={after}"), "").await;
        let told = stream.next().await;
        assert_eq!(
            (told.name.as_str(), told.id.as_str(), told.json()),
            ("reset", head.as_str(), json!({ "type": "reset", "at": head })),
            "{after}"
        );
    }
    let unreadable = Events::try_open(&base, &format!("room={page}"), &[("last-event-id", "not ours")]).await;
    assert_eq!(unreadable.unwrap_or_else(|refused| panic!("{refused:?}")).next().await.name, "reset");

    // One less is not too many, and after a reset events go on.
    let just = format!("{epoch}:{}", seq(&start) + 1);
    assert_eq!(socket.join(&page, Some(&just)).await, just);
    for step in 2..=1_001 {
        assert_eq!(seq(&socket.event().await.1), seq(&start) + step);
    }
    change_service(server.app(), &ada.org_id, &api, positions(2_000..=2_000)).await;
    assert_eq!(seq(&socket.event().await.1), seq(&head) + 1);
}

#[tokio::test]
async fn a_service_room_counts_its_own_past_only() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (quiet, busy) = (ada.service("Quiet").await, ada.service("Busy").await);
    let room = format!("service:{quiet}");
    let mut socket = Socket::open(&server.base(), &ada.cookie()).await;
    let start = socket.join(&room, None).await;
    change_service(server.app(), &ada.org_id, &busy, positions(2..=1_201)).await;
    change_service(server.app(), &ada.org_id, &quiet, positions(7..=7)).await;
    let (_, id, _) = socket.event().await;
    assert_eq!(seq(&id), seq(&start) + 1_201);

    assert_eq!(socket.join(&room, Some(&start)).await, start, "not too far: most of it is another's");
    assert_eq!(socket.event().await.1, id);
    socket.is_silent().await;

    let answer = Socket::open(&server.base(), &ada.cookie()).await.ask(join(&format!("service:{busy}"), Some(&start))).await;
    assert_eq!(answer["at"], id, "that is too far, and begins at the head");
}

#[tokio::test]
async fn who_does_not_keep_up_is_let_go_and_resumes_while_the_others_hear_all() {
    const EVENTS: usize = 900;
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    // Private, so that the long texts are told to members alone.
    let vault = ada.private_service("Vault").await;
    let (base, cookie, org) = (server.base(), ada.cookie(), org_room(&ada));
    let mut slow = Socket::narrow(&base, &cookie).await;
    let start = slow.join(&org, None).await;
    let mut fast = Socket::open(&base, &cookie).await;
    fast.join(&org, None).await;
    let fast = tokio::spawn(async move {
        let mut heard = Vec::new();
        while heard.len() < EVENTS {
            heard.push(fast.event().await.1);
        }
        heard
    });

    // Together far more than the kernel takes for a client that does not read.
    let long =
        |number: usize| ServicePatch { description: Some(format!("{number:03}{}", "🚨".repeat(1_900))), ..ServicePatch::default() };
    change_service(server.app(), &ada.org_id, &vault, (0..EVENTS).map(long)).await;
    let all = within(fast).await.expect("the fast one is not held up");

    let mut heard = Vec::new();
    while let Ok(told) = slow.hear().await {
        heard.push(told["id"].as_str().expect("an id").to_owned());
    }
    assert!(heard.len() < EVENTS, "it was never let go");
    assert_eq!(heard[..], all[..heard.len()]);

    let mut back = Socket::open(&base, &cookie).await;
    back.join(&org, Some(heard.last().unwrap_or(&start))).await;
    while heard.len() < EVENTS {
        heard.push(back.event().await.1);
    }
    assert_eq!(heard, all);
    back.is_silent().await;
}

#[tokio::test]
async fn a_stop_ends_everything_in_good_order() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (base, cookie) = (server.base(), ada.cookie());
    let mut socket = Socket::open(&base, &cookie).await;
    socket.join(&org_room(&ada), None).await;
    let mut stream = Events::open(&base, &format!("room={}", org_room(&ada)), &cookie).await;
    let mut page = Events::open(&base, &format!("room={}", page_room(&ada)), "").await;

    let (code, stream, page, ()) = tokio::join!(socket.ended(), stream.ended(), page.ended(), server.stop());

    assert_eq!((code, stream, page), (1_012, Ended::Cleanly, Ended::Cleanly));
}
