//! Two people on one incident see each other, and nobody else sees them.

use serde_json::{Value, json};

use super::client::{Socket, attend};
use super::{org_room, page_room};
use crate::harness::{Client, Server};

const NOBODYS: &str = "inc_00000000000000000000000000000000";

/// A member's connection that is in the organization's room.
async fn arrive(server: &Server, who: &Client) -> Socket {
    let mut socket = Socket::open(&server.base(), &who.cookie()).await;
    socket.join(&org_room(who), None).await;
    socket
}

/// Who is there, by a list of them.
#[track_caller]
fn people(told: &Value) -> Vec<&str> {
    assert_eq!(told["type"], "presence", "{told}");
    told["people"].as_array().expect("people").iter().map(|person| person["id"].as_str().expect("an id")).collect()
}

/// The code of a refusal.
#[track_caller]
fn refused(told: &Value) -> &str {
    assert_eq!(told["type"], "error", "{told}");
    told["code"].as_str().expect("a code")
}

#[tokio::test]
async fn two_people_on_one_incident_see_each_other() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let incident = ada.incident(&[], "Checkout fails").await;
    let room = org_room(&ada);
    let (mut adas, mut bobs) = (arrive(&server, &ada).await, arrive(&server, &bob).await);

    let alone = adas.ask(attend(&room, Some(&incident))).await;
    let expected = json!({
        "type": "presence", "room": room, "subject": incident,
        "people": [{ "id": ada.user_id, "name": "Ada" }], "more": 0,
    });
    assert_eq!(alone, expected);
    let both = [ada.user_id.as_str(), bob.user_id.as_str()];
    assert_eq!(people(&bobs.ask(attend(&room, Some(&incident))).await), both);
    assert_eq!(people(&adas.next().await), both);

    // A second tab is the same person, and so is what is left of the two.
    let mut tab = arrive(&server, &bob).await;
    assert_eq!(people(&tab.ask(attend(&room, Some(&incident))).await), both);
    tab.say(attend(&room, None)).await;
    tab.is_silent().await;
    adas.is_silent().await;
    assert_eq!(people(&adas.ask(attend(&room, Some(&incident))).await), both, "asked again, told again");

    bobs.say(attend(&room, None)).await;
    assert_eq!(people(&adas.next().await), [ada.user_id.as_str()]);
    bobs.is_silent().await;
}

#[tokio::test]
async fn whoever_goes_is_gone_whichever_way() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("responder").await;
    let (incident, other) = (ada.incident(&[], "Checkout fails").await, ada.incident(&[], "Search is slow").await);
    let room = org_room(&ada);
    let mut adas = arrive(&server, &ada).await;
    adas.ask(attend(&room, Some(&incident))).await;

    for way in ["looks away", "looks elsewhere", "leaves the room", "hangs up", "logs out"] {
        let session = bob.sign_in().await;
        let mut bobs = arrive(&server, &session).await;
        bobs.ask(attend(&room, Some(&incident))).await;
        assert_eq!(people(&adas.next().await), [ada.user_id.as_str(), bob.user_id.as_str()], "before he {way}");
        match way {
            "looks away" => bobs.say(attend(&room, None)).await,
            "looks elsewhere" => assert_eq!(people(&bobs.ask(attend(&room, Some(&other))).await), [bob.user_id.as_str()]),
            "leaves the room" => assert_eq!(bobs.ask(json!({ "action": "leave", "room": room })).await["type"], "left"),
            "hangs up" => drop(bobs),
            _ => {
                session.post("/api/users/auth/logout", json!({})).await.expect(204);
                assert_eq!(bobs.ended().await, 1_008);
            }
        }
        assert_eq!(people(&adas.next().await), [ada.user_id.as_str()], "after he {way}");
    }
}

#[tokio::test]
async fn only_members_in_the_room_look_and_are_seen() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (stranger, bob) = (server.sign_up("eve").await, ada.make_member("viewer").await);
    let api = ada.service("API").await;
    let incident = ada.incident(&[(api.as_str(), "major_outage")], "Checkout fails").await;
    let (room, page, service) = (org_room(&ada), page_room(&ada), format!("service:{api}"));
    let mut adas = arrive(&server, &ada).await;
    adas.ask(attend(&room, Some(&incident))).await;

    // Whoever has not joined an organization's room is told so, whatever the room is.
    let mut visitor = Socket::open(&server.base(), "").await;
    visitor.join(&page, None).await;
    let mut outside = Socket::open(&server.base(), &ada.cookie()).await;
    outside.join(&service, None).await;
    let mut eves = arrive(&server, &stranger).await;
    for socket in [&mut visitor, &mut outside, &mut eves] {
        for asked in [room.as_str(), &page, &service, "nonsense"] {
            for subject in [Some(incident.as_str()), None] {
                let answer = socket.ask(attend(asked, subject)).await;
                assert_eq!(refused(&answer), "not_joined", "{asked}");
                assert_eq!(answer["room"], asked);
            }
        }
    }

    // What is another organization's is told like what is not there.
    let theirs = org_room(&stranger);
    let mut refusals = Vec::new();
    for subject in [incident.as_str(), NOBODYS, &api, "nonsense", ""] {
        refusals.push(eves.ask(attend(&theirs, Some(subject))).await);
    }
    assert_eq!(refused(&refusals[0]), "unknown_subject");
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");

    // What could not be done has changed nothing, and a member who only is in the room hears nothing of who looks.
    assert_eq!(refused(&adas.ask(attend(&room, Some(NOBODYS))).await), "unknown_subject");
    let mut beside = arrive(&server, &bob).await;
    let mut bobs = arrive(&server, &bob).await;
    bobs.ask(attend(&room, Some(&incident))).await;
    assert_eq!(people(&adas.next().await), [ada.user_id.as_str(), bob.user_id.as_str()]);
    ada.put(format!("/api/incidents/{incident}"), json!({ "message": "Found it." })).await.expect(200);
    for socket in [&mut visitor, &mut outside, &mut beside] {
        // An event that comes after the list is the first that they hear.
        socket.event().await;
    }
}
