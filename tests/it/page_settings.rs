//! What an editor says of the page, as visitors meet it: its name, text, address, zone and logo; and an organization that is shut.

use std::io::Cursor;
use std::time::Duration;

use allclear::access::{Actor, Administer, Edit};
use allclear::domain::logo::{self, Logo};
use allclear::domain::organization::{self, OrgId};
use allclear::domain::page::{self, Page, PagePatch};
use allclear::error::{Error, Result};
use allclear::store::{OrgTx, WideTx};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;

use crate::harness::{Client, Options, Server, eventually};
use crate::page::{Stream, page, stream_of};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

fn org(client: &Client) -> OrgId {
    client.org_id.parse().expect("an organization's id")
}

async fn patch(server: &Server, whose: &Client, patch: PagePatch) -> Result<Page> {
    let op = move |tx: &mut WideTx<'_, Edit>| page::update(tx, patch, None);
    server.app().change_wide(Actor::System("test"), org(whose), op).await
}

async fn move_to(server: &Server, whose: &Client, slug: &str) -> Result<Page> {
    patch(server, whose, PagePatch { slug: Some(slug.into()), ..PagePatch::default() }).await
}

async fn show(server: &Server, whose: &Client, logo: Option<Logo>) -> Page {
    let op = move |tx: &mut OrgTx<'_, Edit>| match logo {
        Some(logo) => page::set_logo(tx, logo),
        None => page::remove_logo(tx),
    };
    server.app().change(Actor::System("test"), org(whose), op).await.expect("a logo")
}

async fn suspend(server: &Server, whose: &Client, suspended: bool) {
    let op = move |tx: &mut WideTx<'_, Administer>| organization::suspend(tx, suspended);
    server.app().change_wide(Actor::System("test"), org(whose), op).await.expect("it is there");
}

fn picture(shade: u8) -> Logo {
    let mut png = Cursor::new(Vec::new());
    RgbImage::from_pixel(64, 32, Rgb([shade, 80, 160])).write_to(&mut png, ImageFormat::Png).expect("a picture");
    logo::decode(png.get_ref()).expect("a logo")
}

/// Where the page says that its logo is.
fn logo_of(page: &str) -> &str {
    let rest = page.split_once("<img class=\"logo\" src=\"").unwrap_or_else(|| panic!("no logo in {page}")).1;
    rest.split_once('"').expect("an attribute").0
}

/// The page comes from memory from now on, until something happens to it.
async fn is_in_memory(server: &Server, slug: &str) {
    let (nobody, path) = (server.anonymous(), format!("/p/{slug}"));
    eventually(async || nobody.get(&path).await.expect(200).header("x-request-id").is_empty()).await;
}

#[tokio::test]
async fn what_an_editor_says_is_on_the_page_at_once_and_on_those_that_are_open() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    ada.incident(&[(&api, "major_outage")], "Payments fail").await;
    let before = page(&server, &ada.slug).await.text;
    assert!(before.contains("1 Mar 2026, 12:00 UTC") && before.contains("Times and days are in the time zone UTC."), "{before}");
    let mut stream = Stream::open(&server, &stream_of(&before), None).await;

    let [name, description, time_zone] =
        ["Acme Cloud", "What **Acme** runs. <script>alert(1)</script>", "europe/berlin"].map(|text| Some(text.to_owned()));
    patch(&server, &ada, PagePatch { name, description, time_zone, slug: None }).await.expect("it is taken");

    let after = page(&server, &ada.slug).await.text;
    for words in [
        "<bdi>Acme Cloud</bdi>",
        "<title>Major System Outage · Acme Cloud</title>",
        "<p>What <strong>Acme</strong> runs. &lt;script&gt;alert(1)&lt;/script&gt;</p>",
        "Payments fail. What Acme runs. &#60;script&#62;alert(1)&#60;/script&#62;\">",
        "1 Mar 2026, 13:00 CET",
        "Times and days are in the time zone Europe/Berlin.",
    ] {
        assert!(after.contains(words), "{words}: {after}");
    }
    assert!(!after.contains("Ada&#39;s Org") && !after.contains("UTC"), "{after}");
    let message = stream.must().await;
    assert_eq!(message.targets(), ["top", "banner", "incidents", "zone", "asof"]);
    assert!(message.data.contains("Acme Cloud") && message.data.contains("13:00 CET"), "{}", message.data);
    assert_eq!(ada.new_events().await, ["service.created", "incident.opened", "page.updated"]);
}

#[tokio::test]
async fn a_page_that_moves_is_led_to_and_keeps_those_who_are_on_it() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let old = page(&server, "adas-org").await.text;
    let mut stream = Stream::open(&server, &stream_of(&old), None).await;
    is_in_memory(&server, "adas-org").await;
    move_to(&server, &ada, "acme-status").await.expect("it is free");

    let nobody = server.anonymous();
    let is_led = async |from: &str, to: &str| {
        for method in ["GET", "HEAD"] {
            let led = nobody.send(method, format!("/p/{from}"), &[BROWSER], "").await.expect(308);
            assert_eq!((led.header("location"), led.header("cache-control")), (format!("/p/{to}").as_str(), "no-store"));
        }
    };
    is_led("adas-org", "acme-status").await;
    let new = page(&server, "acme-status").await.text;
    assert!(new.contains(&format!("href=\"{}/p/acme-status\"", server.base())), "{new}");
    is_in_memory(&server, "acme-status").await;
    is_led("adas-org", "acme-status").await;

    // Who came by the old address hears what happens, and so does who comes back to it.
    ada.service("API").await;
    let message = stream.must().await;
    assert!(message.targets().contains(&"services") && message.data.contains("API"), "{}", message.data);
    assert!(Stream::open(&server, &stream_of(&old), None).await.must().await.data.contains("API"));

    let taken = move_to(&server, &bob, "adas-org").await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "an older word is still Ada's");
    move_to(&server, &ada, "adas-org").await.expect("it is hers");
    is_led("acme-status", "adas-org").await;
    assert!(page(&server, "adas-org").await.text.contains("API"));
}

#[tokio::test]
async fn under_a_path_people_are_led_to_that_path() {
    let server = Server::start_with(Options::at("https://example.org/status")).await;
    let ada = server.sign_up("ada").await;
    move_to(&server, &ada, "acme-status").await.expect("it is free");
    for path in ["/p/adas-org", "/status/p/adas-org"] {
        let led = server.anonymous().send("GET", path, &[BROWSER], "").await.expect(308);
        assert_eq!(led.header("location"), "/status/p/acme-status", "{path}");
    }
    show(&server, &ada, Some(picture(1))).await;
    let shown = page(&server, "acme-status").await.text;
    let path = logo_of(&shown);
    assert!(path.starts_with("/status/p/acme-status/logo/"), "{path}");
    assert_eq!(server.anonymous().open(path).await.status(), 200);
}

#[tokio::test]
async fn a_logo_is_served_under_its_own_name_for_as_long_as_it_is_shown() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let nobody = server.anonymous();
    let bare = page(&server, &ada.slug).await.text;
    assert!(bare.contains("class=\"mark\"") && !bare.contains("<img"));
    let mut stream = Stream::open(&server, &stream_of(&bare), None).await;

    show(&server, &ada, Some(picture(1))).await;
    let first = page(&server, &ada.slug).await.text;
    assert!(first.contains("width=\"64\" height=\"32\" alt=\"Ada&#39;s Org\"") && !first.contains("class=\"mark\""), "{first}");
    assert_eq!(stream.must().await.targets(), ["top"]);
    let answer = nobody.open(logo_of(&first)).await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    for (name, value) in
        [("content-type", "image/png"), ("cache-control", "public, max-age=31536000, immutable"), ("x-content-type-options", "nosniff")]
    {
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("set-cookie") && headers.contains_key("content-security-policy"));
    assert!(answer.bytes().await.expect("a picture").starts_with(b"\x89PNG\r\n"));

    // The page's log knows of no logo; who comes back from before is shown it all the same.
    let again = Stream::open(&server, &stream_of(&bare), None).await.must().await;
    assert!(again.data.contains(logo_of(&first)), "{}", again.data);

    show(&server, &ada, Some(picture(2))).await;
    let second = page(&server, &ada.slug).await.text;
    assert_ne!(logo_of(&first), logo_of(&second));
    assert_eq!(nobody.open(logo_of(&second)).await.status(), 200);
    let file = logo_of(&second).rsplit('/').next().expect("a file");
    let others = [
        logo_of(&first).to_owned(),
        logo_of(&second).replace(".png", ""),
        logo_of(&second).replace(".png", ".svg"),
        format!("/p/{}/logo/.png", ada.slug),
        format!("/p/nobody/logo/{file}"),
        format!("/p/Adas-Org/logo/{file}"),
    ];
    for path in others {
        assert_eq!(nobody.get(&path).await.expect(404).header("cache-control"), "no-store", "{path}");
    }

    // Pages that were loaded before it moved show it by their address.
    move_to(&server, &ada, "acme-status").await.expect("it is free");
    assert_eq!(nobody.open(logo_of(&second)).await.status(), 200);
    show(&server, &ada, None).await;
    nobody.get(logo_of(&second)).await.expect(404);
    assert!(page(&server, "acme-status").await.text.contains("class=\"mark\""));
    assert_eq!(ada.new_events().await, ["page.updated"; 4]);
}

#[tokio::test]
async fn of_a_suspended_organization_nothing_is_left_until_it_is_resumed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    show(&server, &ada, Some(picture(1))).await;
    let shown = page(&server, &ada.slug).await.text;
    is_in_memory(&server, &ada.slug).await;
    let mut stream = Stream::open(&server, &stream_of(&shown), None).await;
    suspend(&server, &ada, true).await;
    assert!(stream.next().await.is_none(), "a page that is open hears no more");

    let nobody = server.anonymous();
    let room = format!("/live/sse?room=page:{}", ada.slug);
    let all = [format!("/p/{}", ada.slug), stream_of(&shown), logo_of(&shown).to_owned(), room];
    for path in &all {
        assert_eq!(nobody.get(path).await.expect(404).header("cache-control"), "no-store", "{path}");
    }
    let seen = nobody.send("GET", &all[0], &[BROWSER], "").await.expect(404);
    assert!(!seen.text.contains("Ada"), "{}", seen.text);

    suspend(&server, &ada, false).await;
    for path in &all {
        assert_eq!(nobody.open(path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_deleted_organizations_address_leads_to_whoever_takes_it() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    page(&server, "adas-org").await;
    is_in_memory(&server, "adas-org").await;
    let op = |tx: &mut WideTx<'_, Administer>| organization::delete(tx, "Ada's Org");
    server.app().change_wide(Actor::System("test"), org(&ada), op).await.expect("it is deleted");
    server.anonymous().get("/p/adas-org").await.expect(404);

    // People have links to it, and pages open that ask for it: for a year nobody else is taken for who was there.
    move_to(&server, &bob, "adas-org").await.expect_err("it is kept");
    server.advance(Duration::from_secs(365 * 86_400));
    move_to(&server, &bob, "adas-org").await.expect("it is free");
    assert!(page(&server, "adas-org").await.text.contains("Bob&#39;s Org"));
    assert_eq!(server.anonymous().get("/p/bobs-org").await.expect(308).header("location"), "/p/adas-org");
}

#[tokio::test]
async fn the_day_ends_at_midnight_in_the_pages_zone() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    patch(&server, &ada, PagePatch { time_zone: Some("Asia/Tokyo".into()), ..PagePatch::default() }).await.expect("it is taken");
    let evening = page(&server, &ada.slug).await.text;
    assert!(evening.contains("1 Mar 2026, 21:00 JST") && evening.contains(" – <time datetime=\"2026-03-01\">"), "{evening}");
    let mut stream = Stream::open(&server, &stream_of(&evening), None).await;

    server.advance(Duration::from_secs(3 * 3_600));

    let message = stream.must().await;
    assert_eq!(message.targets(), ["history", "asof"]);
    assert!(message.data.contains("<time datetime=\"2026-03-02\">2 March 2026</time>"), "{}", message.data);
    assert!(page(&server, &ada.slug).await.text.contains("2 Mar 2026, 00:00 JST"));
}

#[tokio::test]
async fn followers_of_a_pages_room_hear_its_name_its_text_and_its_zone() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut room = server.anonymous().open(format!("/live/sse?room=page:{}", ada.slug)).await;
    show(&server, &ada, Some(picture(1))).await;
    let description = Some("What we run.".to_owned());
    patch(&server, &ada, PagePatch { description, slug: Some("acme-status".into()), ..PagePatch::default() }).await.expect("it is taken");

    let mut heard = String::new();
    while !heard.contains("page.updated") || !heard.ends_with("\n\n") {
        heard.push_str(&String::from_utf8_lossy(&room.chunk().await.expect("nothing is cut").expect("it goes on")));
    }
    let data = json!({ "before": { "description": "" }, "after": { "description": "What we run." } });
    assert!(heard.contains(&format!("\"data\":{data}")), "{heard}");
    assert!(!heard.contains("acme-status") && !heard.contains("logo") && !heard.contains("actor"), "{heard}");
}
