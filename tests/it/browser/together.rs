//! Two people at one incident: they see each other, hear of each other, and lose nothing of what they typed.

use super::driver::{Browser, Kind};
use super::newcomer::update;
use super::trouble;
use crate::harness::{Client, Server, eventually};
use crate::live::client::{Socket, attend};

async fn opened(kind: Kind, server: &Server, who: &Client, path: &str) -> Browser {
    let browser = Browser::of(kind).await;
    browser.be(server, who).await;
    browser.goto(&format!("{}{path}", server.base())).await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_on_one_incident() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let grace = ada.make_member("admin").await;
    let (_, incident) = trouble(&ada).await;
    let path = format!("/o/{}/incidents/{incident}", ada.slug);

    let browser = opened(Kind::default(), &server, &ada, &path).await;
    let (mine, url) = (browser.here().await, format!("{}{path}", server.base()));
    // The same window twice is one person; another cookie is another person.
    browser.value("(window.mark = 'the same document', true)").await;
    browser.wait_for("document.querySelector('[data-people]').hidden").await;

    // Grace comes in by a line of her own.
    let graces = grace.get("/api/users/auth/profile").await.expect(200).json["user"]["full_name"].as_str().unwrap().to_owned();
    let room = format!("org:{}", ada.org_id);
    let mut line = Socket::open(&server.base(), &grace.cookie()).await;
    line.join(&room, None).await;
    line.say(attend(&room, Some(&incident))).await;
    browser.wait_for(&format!("document.querySelector('[data-people]').innerText.includes({graces:?})")).await;

    // Ada types; Grace is quicker. Ada sees it come in, and her words stay.
    browser.type_into("message", "I think it is the disk.").await;
    grace
        .post(format!("/api/incidents/{incident}/updates"), serde_json::json!({ "status": "identified", "message": "It is the network." }))
        .await
        .expect(201);
    browser.wait_for("document.querySelector('.updates').innerText.includes('It is the network.')").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "I think it is the disk.");
    assert_eq!(browser.value("window.mark").await, "the same document");

    // What she sends was written before she could know: she is told what changed, and nothing typed is lost.
    browser.click("#update button.primary").await;
    browser.wait_for("document.querySelector('[data-kind=stale]') !== null").await;
    browser.wait_for(&format!("document.querySelector('[data-kind=stale]').innerText.includes({graces:?})")).await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "I think it is the disk.");
    assert!(!ada.get(format!("/api/incidents/{incident}")).await.expect(200).text.contains("I think it is the disk."));
    browser.click("#update button.primary").await;
    eventually(async || ada.get(format!("/api/incidents/{incident}")).await.text.contains("I think it is the disk.")).await;
    browser.wait_for("document.querySelector('.updates').innerText.includes('I think it is the disk.')").await;

    drop(line);
    browser.wait_for("document.querySelector('[data-people]').hidden").await;

    // A second window of hers follows what the first does.
    let other = browser.another().await;
    browser.goto(&url).await;
    browser.wait_for("document.querySelector('.updates') !== null").await;
    browser.turn_to(&mine).await;
    update(&browser, "resolved", "All clear.").await;
    browser.turn_to(&other).await;
    browser.wait_for("document.querySelector('.updates').innerText.includes('All clear.')").await;
}
