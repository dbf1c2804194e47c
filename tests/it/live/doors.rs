//! Who gets in, and who is shown out.

use serde_json::json;

use super::client::{Ended, Events, Socket, join};
use super::{change_service, org_room, page_room, positions};
use crate::harness::Server;

const NOBODYS: &str = "00000000000000000000000000000000";

#[tokio::test]
async fn a_room_one_may_not_see_is_refused_like_one_that_is_not_there() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let stranger = server.sign_up("eve").await;
    let viewer = ada.make_member("viewer").await;
    let api = ada.service("API").await;
    let (org, service) = (org_room(&ada), format!("service:{api}"));
    let (no_org, no_service) = (format!("org:org_{NOBODYS}"), format!("service:svc_{NOBODYS}"));

    let mut refusals = Vec::new();
    for cookie in [stranger.cookie(), String::new()] {
        let mut socket = Socket::open(&server.base(), &cookie).await;
        for room in [org.as_str(), &service, &no_org, &no_service, "org:mine", "page:nowhere", "nonsense"] {
            let mut answer = socket.ask(join(room, None)).await;
            assert_eq!(answer["room"], room);
            answer["room"] = json!("any");
            refusals.push(answer);
        }
        // What was refused is not heard of, and the connection goes on.
        change_service(server.app(), &ada.org_id, &api, positions(1..=1)).await;
        change_service(server.app(), &ada.org_id, &api, positions(2..=2)).await;
        socket.is_silent().await;
        socket.join(&page_room(&ada), None).await;
    }
    assert_eq!(refusals[0]["code"], "unknown_room");
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");

    let mut member = Socket::open(&server.base(), &viewer.cookie()).await;
    member.join(&org, None).await;
    member.join(&service, None).await;
}

#[tokio::test]
async fn a_stream_is_refused_by_status() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let stranger = server.sign_up("eve").await;
    let api = ada.service("API").await;
    let (org, page, service) = (org_room(&ada), page_room(&ada), format!("service:{api}"));
    let theirs = org_room(&stranger);
    let hundred_and_one = (0..=100).map(|number| format!("room=service:svc_{number:032x}")).collect::<Vec<_>>().join("&");

    for (who, query, status, kind) in [
        (None, format!("room={org}"), 401, "unauthenticated"),
        (None, format!("room={service}"), 401, "unauthenticated"),
        (None, "room=page:nowhere".into(), 404, "not-found"),
        (Some(&stranger), format!("room={org}"), 404, "not-found"),
        (Some(&stranger), format!("room={service}"), 404, "not-found"),
        (Some(&stranger), format!("room={theirs}&room={service}"), 404, "not-found"),
        (Some(&ada), format!("room=org:org_{NOBODYS}"), 404, "not-found"),
        (Some(&ada), String::new(), 422, "invalid"),
        (Some(&ada), "room=".into(), 422, "invalid"),
        (Some(&ada), "room=everything".into(), 422, "invalid"),
        (Some(&ada), format!("room={page}&room={org}"), 422, "invalid"),
        (Some(&ada), format!("room={org}&after=yesterday"), 422, "invalid"),
        (Some(&ada), hundred_and_one, 422, "invalid"),
    ] {
        let cookie = who.map(|who| who.cookie()).unwrap_or_default();
        let Err((refused, problem)) = Events::try_open(&server.base(), &query, &[("cookie", cookie.as_str())]).await else {
            panic!("{query} was let in")
        };
        assert_eq!((refused, &problem["type"]), (status, &json!(format!("urn:allclear:problem:{kind}"))), "{query}");
    }

    // One who belongs to two organizations still gets one at a time.
    let both = ada.make_member("viewer").await;
    let own = both.get("/api/users/auth/profile").await.expect(200);
    let organizations: Vec<_> =
        own.json["organizations"].as_array().unwrap().iter().map(|own| format!("room=org:{}", own["id"].as_str().unwrap())).collect();
    assert_eq!(organizations.len(), 2);
    let Err((status, _)) = Events::try_open(&server.base(), &organizations.join("&"), &[("cookie", both.cookie().as_str())]).await else {
        panic!("let in")
    };
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_websocket_from_another_site_is_refused() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (base, cookie) = (server.base(), ada.cookie());
    for (origin, site, status) in [
        ("https://evil.example", "", Err(403)),
        ("null", "", Err(403)),
        (base.as_str(), "cross-site", Err(403)),
        (base.as_str(), "", Ok(())),
        (base.as_str(), "same-origin", Ok(())),
        ("", "", Ok(())),
    ] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin), ("sec-fetch-site", site)];
        assert_eq!(Socket::try_open(&base, &headers).await.map(|_| ()), status, "{origin} {site}");
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_told_what_is() {
    let server = Server::start().await;
    assert_eq!(Socket::try_open(&server.base(), &[("sec-websocket-version", "8")]).await.err(), Some(426));
    let plain = server.anonymous().get("/live/ws").await;
    assert_eq!((plain.status, plain.problem(), plain.header("upgrade")), (426, "upgrade-required", "websocket"));
}

#[tokio::test]
async fn logging_out_closes_what_was_opened_through_the_session() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let elsewhere = ada.sign_in().await;
    let (base, cookie, org) = (server.base(), ada.cookie(), org_room(&ada));
    let mut socket = Socket::open(&base, &cookie).await;
    socket.join(&org, None).await;
    let mut stream = Events::open(&base, &format!("room={org}"), &cookie).await;
    let mut other = Events::open(&base, &format!("room={org}"), &elsewhere.cookie()).await;
    let mut visitor = Events::open(&base, &format!("room={}", page_room(&ada)), "").await;

    ada.post("/api/users/auth/logout", json!({})).await.expect(204);

    assert_eq!(socket.ended().await, 1_008);
    assert_eq!(stream.ended().await, Ended::Cleanly);
    let refused = Events::try_open(&base, &format!("room={org}"), &[("cookie", cookie.as_str())]).await;
    assert_eq!(refused.err().map(|(status, _)| status), Some(401));
    let mut back = Socket::open(&base, &cookie).await;
    assert_eq!(back.ask(join(&org, None)).await["code"], "unknown_room");

    change_service(server.app(), &ada.org_id, &api, positions(1..=1)).await;
    assert_eq!(other.next().await.json()["type"], "service.updated");
    assert_eq!(visitor.next().await.json()["type"], "service.updated");
}
