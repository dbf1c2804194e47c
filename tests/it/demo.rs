//! The demonstration, as someone meets it who has just started it.

use std::time::Duration;

use allclear::demo::Pace;
use serde_json::Value;

use crate::harness::{Client, Process, Server, eventually};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// Nothing happens while a test looks.
const STILL: Pace = Pace { first: Duration::from_secs(86_400), step: Duration::from_secs(86_400) };
/// Everything happens while a test waits for it.
const QUICK: Pace = Pace { first: Duration::from_millis(50), step: Duration::from_millis(50) };

/// Clicks the button and is the admin.
async fn enter(server: &Server) -> Client {
    let mut visitor = server.anonymous();
    let front = visitor.send("GET", "/", &[BROWSER], "").await.expect(200);
    assert!(front.text.contains("This is a demonstration.") && front.text.contains("action=\"/demo\""), "{}", front.text);
    let rest = front.text.split_once("href=\"/p/").unwrap_or_else(|| panic!("no public page in {}", front.text)).1;
    visitor.slug = rest.split_once('"').expect("an attribute").0.to_owned();

    let entered = visitor.post_form("/demo", &[]).await.expect(303);
    assert_eq!(entered.header("location"), format!("/o/{}", visitor.slug));
    let profile = visitor.get("/api/users/auth/profile").await.expect(200);
    assert_eq!(profile.json["organizations"][0]["role"], "admin", "{}", profile.text);
    visitor.org_id = profile.json["organizations"][0]["id"].as_str().expect("an id").to_owned();
    visitor
}

async fn page(visitor: &Client) -> String {
    visitor.send("GET", format!("/p/{}", visitor.slug), &[BROWSER], "").await.expect(200).text
}

fn names(log: &[Value], kind: &str) -> Vec<String> {
    let of_kind = log.iter().filter(|event| event["type"] == kind);
    of_kind.map(|event| event["subject"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn one_click_leads_to_a_month_of_believable_past() {
    let server = Server::start_demo(STILL).await;
    let visitor = enter(&server).await;

    let log = visitor.timeline().await;
    let numbers: Vec<u64> = log.iter().map(|event| event["seq"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>(), "numbered without gaps");
    let times: Vec<&str> = log.iter().map(|event| event["at"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let begun = names(&log, "incident.opened");
    assert!(begun.len() >= 9, "{begun:?}");
    let open = begun.last().expect("an incident");
    assert!(!names(&log, "incident.resolved").contains(open));

    let shown = page(&visitor).await;
    assert!(shown.contains(open.as_str()), "{open} is not on the page");
    assert!(!shown.to_lowercase().contains("ledger"), "what is private is on the page");
    let listed = visitor.all(&format!("/api/services?organization_id={}&limit=200", visitor.org_id)).await;
    assert_eq!(listed.iter().filter(|service| service["visibility"] == "private").count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn the_door_is_for_clicks_alone_and_the_only_one() {
    let server = Server::start_demo(STILL).await;
    let visitor = enter(&server).await;

    let again = visitor.post_form("/demo", &[]).await.expect(303);
    assert!(!again.headers.contains_key("set-cookie"), "who is in needs no other session");
    assert_eq!(visitor.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), format!("/o/{}", visitor.slug));

    let nobody = server.anonymous();
    let from_elsewhere = [("sec-fetch-site", "cross-site"), ("content-type", "application/x-www-form-urlencoded")];
    nobody.send("POST", "/demo", &from_elsewhere, "").await.expect(403);
    nobody.send("GET", "/signup", &[BROWSER], "").await.expect(403);
    let guess = [("email", "robin@skerry.example"), ("password", "demonstration")];
    nobody.post_form("/login", &guess).await.expect(401);

    let ordinary = Server::start().await;
    ordinary.anonymous().post_form("/demo", &[]).await.expect(404);
    ordinary.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn visitors_are_one_person_and_can_not_sign_each_other_out() {
    let server = Server::start_demo(STILL).await;
    let (one, other) = (enter(&server).await, enter(&server).await);
    assert_ne!(one.cookie(), other.cookie(), "each has a session of their own");
    let account = async |visitor: &Client| visitor.send("GET", "/account", &[BROWSER], "").await.expect(200).text;
    let session = |html: &str| -> String {
        let (_, rest) = html.split_once("id=\"ses_").unwrap_or_else(|| panic!("no session in {html}"));
        assert!(!rest.contains("id=\"ses_"), "others are listed: {html}");
        format!("ses_{}", rest.split_once('"').expect("an attribute").0)
    };
    let (mine, theirs) = (account(&one).await, account(&other).await);
    assert_ne!(session(&mine), session(&theirs));
    assert!(!mine.contains("/account/sessions/") && !mine.contains("/account/password"), "{mine}");

    let password = [("current_password", "demonstration"), ("new_password", "tangerine-otter-plinth")];
    let nothing: &[(&str, &str)] = &[];
    for (path, fields) in [
        (format!("/account/sessions/{}/end", session(&theirs)), nothing),
        ("/account/sessions/end-others".to_owned(), nothing),
        ("/account/password".to_owned(), &password[..]),
    ] {
        let refused = one.post_form(&path, fields).await.expect(403);
        assert!(refused.text.contains("Everyone who looks around in this demonstration is the same person"), "{path}: {}", refused.text);
        server.anonymous().post_form(&path, fields).await.expect(401);
    }
    other.get("/api/users/auth/profile").await.expect(200);

    let left = one.with_cookie(&one.cookie());
    one.post_form("/logout", &[]).await.expect(303);
    left.get("/api/users/auth/profile").await.expect(401);
    other.get("/api/users/auth/profile").await.expect(200);

    assert_eq!(left.send("GET", "/login", &[BROWSER], "").await.expect(303).header("location"), "/");
    left.post_form("/demo", &[]).await.expect(303);
    left.get("/api/users/auth/profile").await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn it_moves_on_by_itself_and_keeps_little() {
    let server = Server::start_demo(QUICK).await;
    let visitor = enter(&server).await;

    eventually(async || page(&visitor).await.contains("Some requests at the edge fail")).await;
    eventually(async || !names(&visitor.timeline().await, "incident.deleted").is_empty()).await;

    let log = visitor.timeline().await;
    assert!(names(&log, "incident.resolved").contains(&"Search results are some minutes behind".to_owned()), "what was open has ended");
    server.stop().await;
}

#[tokio::test]
async fn the_data_directory_is_not_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let program = Process::spawn(dir.path(), &["--demo"], &[]).await;
    program.anonymous().send("GET", "/", &[BROWSER], "").await.expect(200);
    assert_eq!(program.terminate().await, Some(0));
    assert!(!data.exists(), "a data directory was made");

    std::fs::create_dir(&data).expect("a directory");
    std::fs::write(data.join("allclear.redb"), "no database").expect("a file");
    let program = Process::spawn(dir.path(), &["--demo"], &[]).await;
    program.anonymous().send("GET", "/", &[BROWSER], "").await.expect(200);
    assert_eq!(program.terminate().await, Some(0));
    assert_eq!(std::fs::read_to_string(data.join("allclear.redb")).expect("a file"), "no database");
    assert_eq!(std::fs::read_dir(&data).expect("a directory").count(), 1);
}
