//! The front door of an instance: what `/` shows to whom.

use std::time::Duration;

use allclear::access::{Actor, Role};
use allclear::config::{Config, FrontPage, Registration};
use allclear::domain::account::{self, Door, SignUp};
use allclear::domain::member;
use allclear::domain::text::Email;
use allclear::id::Id;

use crate::harness::{Client, Options, PASSWORD, Server};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// An instance with an operator, whose front page is this.
async fn instance(front_page: FrontPage) -> Server {
    let config = Config { registration: Registration::Open, front_page, ..Config::default() };
    let server = Server::start_with(Options { config, ..Options::default() }).await;
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("an operator"));
    server
}

/// An organization of nobody in particular.
async fn found(server: &Server, number: u128, name: &str) {
    let email = Email::parse("email", &format!("person-{number}@example.com")).expect("an address");
    let input = SignUp { email, full_name: "Person".into(), organization_name: name.into() };
    let op = move |tx: &mut allclear::store::SystemTx<'_>| {
        account::sign_up(tx, Id::from_u128(number), input, "-".into(), &Door::Open).map(|_| ())
    };
    server.app().system_change(Actor::System("test"), op).await.expect("an organization");
}

/// The slugs of the public pages that a page links to, in its order.
fn linked(html: &str) -> Vec<String> {
    html.split("href=\"/p/").skip(1).filter_map(|rest| rest.split_once('"')).map(|(slug, _)| slug.to_owned()).collect()
}

async fn get(client: &Client, path: &str) -> String {
    client.send("GET", path, &[BROWSER], "").await.expect(200).text
}

#[tokio::test]
async fn the_way_in_unless_the_operator_wants_the_list() {
    let server = instance(FrontPage::SignIn).await;
    assert_eq!(server.anonymous().send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), "/login");
}

#[tokio::test]
async fn the_list_has_every_public_page_some_at_a_time() {
    let server = instance(FrontPage::Pages).await;
    for number in 0..60_u128 {
        found(&server, 1_000 + number, &format!("Team {number:02}")).await;
    }
    let nobody = server.anonymous();

    let first = get(&nobody, "/").await;
    let next = first.split_once("href=\"/?cursor=").unwrap_or_else(|| panic!("no next ones in {first}")).1;
    let second = get(&nobody, &format!("/?cursor={}", next.split_once('"').expect("an attribute").0)).await;

    assert_eq!(linked(&first).len(), 50);
    let mut all = linked(&first);
    all.extend(linked(&second));
    assert!(all.is_sorted() && all.len() == 61, "{all:?}");
    assert!(all.contains(&"operations".to_owned()) && all.contains(&"team-59".to_owned()));
    assert!(!second.contains("?cursor=") && !first.contains("person-"), "names of pages, and nobody's");
    nobody.send("GET", "/?cursor=nonsense", &[BROWSER], "").await.expect(404);
}

#[tokio::test]
async fn the_list_is_read_again_after_a_moment_and_not_before() {
    let server = instance(FrontPage::Pages).await;
    let (ada, nobody) = (server.sign_up("ada").await, server.anonymous());
    assert!(!get(&nobody, "/").await.contains("Major System Outage"));

    let api = ada.service("API").await;
    ada.incident(&[(&api, "major_outage")], "The API is down").await;
    server.advance(Duration::from_millis(4_999));
    let before = get(&nobody, "/").await;
    assert!(linked(&before).contains(&ada.slug) && !before.contains("Major System Outage"), "{before}");
    let public = get(&nobody, &format!("/p/{}", ada.slug)).await;
    assert!(public.contains("Major System Outage"), "the page itself is never late: {public}");

    server.advance(Duration::from_millis(1));
    let after = get(&nobody, "/").await;
    assert!(after.contains("Major System Outage"), "{after}");
}

#[tokio::test]
async fn many_who_come_at_once_all_get_the_list() {
    let server = instance(FrontPage::Pages).await;
    let nobody = server.anonymous();
    let asked = futures_util::future::join_all((0..20).map(|_| get(&nobody, "/"))).await;
    assert!(asked.iter().all(|page| linked(page) == ["operations"]), "{asked:?}");
}

#[tokio::test]
async fn who_is_signed_in_goes_to_their_organization_or_chooses_one() {
    let server = instance(FrontPage::Pages).await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    assert_eq!(ada.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), format!("/o/{}", ada.slug));

    let (org, user) = (eve.org_id.parse().expect("an organization's id"), ada.user_id.parse().expect("a user's id"));
    server.app().system_change(Actor::System("test"), move |tx| member::join(tx, org, user, Role::Viewer)).await.expect("she joins");
    let choice = get(&ada, "/").await;
    for slug in [&ada.slug, &eve.slug] {
        assert!(choice.contains(&format!("href=\"/o/{slug}\"")), "{choice}");
    }
    assert!(choice.contains("Sign out"), "{choice}");
}
