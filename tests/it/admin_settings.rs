//! The settings of the public page and of the organization, as a browser without JavaScript sends them, with the exact events of each.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use serde_json::json;

use crate::harness::{Answer, Client, Server, eventually};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const NONE: [&str; 0] = [];

/// A page of the person's organization.
async fn page(client: &Client, rest: &str) -> Answer {
    client.send("GET", format!("/o/{}{rest}", client.slug), &[BROWSER], "").await
}

/// A form of the person's organization.
async fn send(client: &Client, rest: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_form(format!("/o/{}{rest}", client.slug), fields).await
}

/// Where an answer leads, below the organization's pages, and the page that is there.
async fn follow(client: &Client, answer: Answer) -> (String, String) {
    let location = answer.expect(303).header("location").to_owned();
    let rest = location.strip_prefix(&format!("/o/{}", client.slug)).unwrap_or_else(|| panic!("it leads to {location}")).to_owned();
    let shown = page(client, &rest).await.expect(200).text;
    (rest, shown)
}

/// A hidden field, as the form that has it would send it.
fn hidden(html: &str, name: &str) -> String {
    let rest = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {html}")).1;
    rest.split_once('"').expect("an attribute").0.to_owned()
}

/// The form of the public page, filled in; held against what this page has shown.
fn filled<'a>(texts: [&'a str; 4], version: &'a str, seen: &'a str) -> [(&'a str, &'a str); 6] {
    let [name, slug, description, time_zone] = texts;
    [("name", name), ("slug", slug), ("description", description), ("time_zone", time_zone), ("version", version), ("seen", seen)]
}

/// A file as a browser's form sends it.
async fn upload(client: &Client, field: &str, file: &[u8]) -> Answer {
    let head = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"logo.png\"\r\nContent-Type: image/png");
    let body = [&b"--x\r\n"[..], head.as_bytes(), b"\r\n\r\n", file, b"\r\n--x--\r\n"].concat();
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
    client.send("POST", format!("/o/{}/page/logo", client.slug), &headers, body).await
}

/// A picture as somebody may send it.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Png).expect("it is written");
    bytes.into_inner()
}

#[tokio::test]
async fn the_public_page_gets_its_texts_and_another_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let form = page(&ada, "/page").await.expect(200).text;
    assert!(form.contains("/p/</span>") && form.contains("value=\"adas-org\"") && form.contains("value=\"UTC\" required"), "{form}");

    let (version, seen) = (hidden(&form, "version"), hidden(&form, "seen"));
    let texts = ["Acme status", "acme-status", "Ask **us**.", "Europe/Berlin"];
    let (rest, shown) = follow(&ada, send(&ada, "/page", &filled(texts, &version, &seen)).await).await;
    assert!(rest.starts_with("/page?told=page-saved&of=pag_"), "{rest}");
    assert!(shown.contains("The public page is saved.") && shown.contains("value=\"acme-status\""), "{shown}");
    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    let after = json!({ "name": "Acme status", "slug": "acme-status", "description": "Ask **us**.", "time_zone": "Europe/Berlin" });
    assert_eq!((&news[0]["type"], &news[0]["subject"]["kind"]), (&json!("page.updated"), &json!("page")));
    assert_eq!(news[0]["data"]["after"], after);

    let visitor = server.anonymous();
    eventually(async || {
        let public = visitor.get("/p/acme-status").await;
        public.status == 200 && public.text.contains("Acme status") && public.text.contains("<strong>us</strong>")
    })
    .await;
    assert_eq!(visitor.get("/p/adas-org").await.expect(308).header("location"), "/p/acme-status");

    // Saved as it is, nothing happens; without a name of its own it has the organization's again.
    let (version, seen) = (hidden(&shown, "version"), hidden(&shown, "seen"));
    send(&ada, "/page", &filled(texts, &version, &seen)).await.expect(303);
    assert_eq!(ada.new_events().await, NONE);
    send(&ada, "/page", &filled(["", "acme-status", "", "UTC"], &version, &seen)).await.expect(303);
    assert_eq!(ada.new_events().await, ["page.updated"]);
    eventually(async || visitor.get("/p/acme-status").await.text.contains("Ada&#39;s Org")).await;
}

#[tokio::test]
async fn a_refused_page_keeps_what_was_typed_and_names_what_is_wrong() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let long = "x".repeat(2_001);
    for (at, value, status, told) in [
        (1, "Not An Address", 422, "Address must be 3 to 60"),
        (1, "admin", 422, "Address is reserved"),
        (1, eve.slug.as_str(), 409, "Address is taken. Choose another one."),
        (2, long.as_str(), 422, "id=\"description-error\""),
        (3, "Mars/Olympus", 422, "id=\"time_zone-error\""),
    ] {
        let mut texts = ["Kept <b>name</b>", "kept-address", "Kept <b>text</b>", "Asia/Tokyo"];
        texts[at] = value;
        let refused = send(&ada, "/page", &filled(texts, "", "")).await.expect(status).text;
        assert!(refused.contains(told) && refused.contains("id=\"problems\""), "{told}: {refused}");
        assert!(refused.contains("Kept &#60;b&#62;name&#60;/b&#62;"), "{refused}");
        assert!(at == 1 || refused.contains("value=\"kept-address\""), "{refused}");
        assert!(at == 2 || refused.contains("Kept &#60;b&#62;text&#60;/b&#62;"), "{refused}");
        assert!(at == 3 || refused.contains("value=\"Asia/Tokyo\" required"), "{refused}");
    }
    let odd = send(&ada, "/page", &[("name", "x"), ("logo", "x")]).await.expect(422).text;
    assert!(odd.contains("logo is not a field of this form"), "{odd}");
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn a_stale_page_is_answered_with_what_changed_and_loses_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    let opened = page(&ada, "/page").await.expect(200).text;
    let (old, seen) = (hidden(&opened, "version"), hidden(&opened, "seen"));
    ada.new_events().await;

    send(&bob, "/page", &filled(["", "adas-org", "", "Asia/Tokyo"], &old, &seen)).await.expect(303);
    let mine = ["", "adas-org", "What *Ada* typed", "UTC"];
    let stale = send(&ada, "/page", &filled(mine, &old, &seen)).await.expect(412).text;
    assert!(stale.contains("What *Ada* typed") && stale.contains("Somebody changed this since you opened it"), "{stale}");
    assert!(stale.contains("changed the time zone from UTC to Asia/Tokyo"), "{stale}");
    assert_eq!(ada.new_events().await, ["page.updated"], "Bob's alone");

    let (new, seen) = (hidden(&stale, "version"), hidden(&stale, "seen"));
    assert_ne!(new, old);
    send(&ada, "/page", &filled(mine, &new, &seen)).await.expect(303);
    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["data"]["after"], json!({ "description": "What *Ada* typed", "time_zone": "UTC" }));
}

#[tokio::test]
async fn a_logo_is_uploaded_shown_and_removed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let empty = page(&ada, "/page").await.expect(200).text;
    assert!(empty.contains("no logo yet") && empty.contains("enctype=\"multipart/form-data\""), "{empty}");

    let (rest, shown) = follow(&ada, upload(&ada, "logo", &png(8, 4)).await).await;
    assert!(rest.starts_with("/page?told=logo-saved&of=pag_") && rest.ends_with("#logo"), "{rest}");
    let (_, after) = shown.split_once("<img src=\"").unwrap_or_else(|| panic!("no picture in {shown}"));
    let path = after.split_once('"').expect("an attribute").0.to_owned();
    assert!(path.starts_with("/p/adas-org/logo/") && after.contains("width=\"8\" height=\"4\""), "{shown}");
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"], &news[0]["data"]["after"]), (1, &json!("page.updated"), &json!({ "logo": true })));
    let visitor = server.anonymous();
    eventually(async || {
        let logo = visitor.get(&path).await;
        logo.status == 200 && logo.header("content-type") == "image/png"
    })
    .await;

    let (rest, shown) = follow(&ada, send(&ada, "/page/logo/remove", &[]).await).await;
    assert!(rest.starts_with("/page?told=logo-removed&of=pag_") && shown.contains("no logo yet"), "{rest}: {shown}");
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"], &news[0]["data"]["after"]), (1, &json!("page.updated"), &json!({ "logo": false })));
    eventually(async || visitor.get(&path).await.status == 404).await;
    send(&ada, "/page/logo/remove", &[]).await.expect(303);
    assert_eq!(ada.new_events().await, NONE, "pressed twice");
}

#[tokio::test]
async fn what_is_no_logo_is_refused_in_the_form() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let too_large = vec![b'a'; 3 << 20];
    let almost = vec![b'a'; 2 << 20];
    for (field, file, status, told) in [
        ("logo", &b""[..], 422, "Logo must be chosen: a PNG, JPEG or WebP image"),
        ("logo", &b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"[..], 422, "Logo must be a PNG, JPEG or WebP image"),
        ("logo", &almost[..], 422, "Logo must be a PNG, JPEG or WebP image"),
        ("logo", &too_large[..], 413, "Logo must be 2 MiB at most; save it smaller"),
        ("picture", &b"x"[..], 422, "picture is not a field of this form"),
    ] {
        let refused = upload(&ada, field, file).await.expect(status).text;
        assert!(refused.contains(told) && refused.contains("id=\"problems\""), "{told}: {refused}");
        assert!(refused.contains("enctype=\"multipart/form-data\""), "{refused}");
    }
    send(&ada, "/page/logo", &[("logo", "x")]).await.expect(415);
    let viewer = ada.make_member("viewer").await;
    upload(&viewer, "logo", &png(8, 4)).await.expect(403);
    upload(&viewer, "logo", &too_large).await.expect(403);
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn the_organization_moves_to_another_address_and_the_old_one_leads_there() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let bob = ada.make_member("editor").await;
    page(&bob, "/settings").await.expect(403);
    let theirs = page(&bob, "/page").await.expect(200).text;
    assert!(!theirs.contains("href=\"/o/adas-org/settings\""), "{theirs}");
    ada.new_events().await;

    let form = page(&ada, "/settings").await.expect(200).text;
    assert!(form.contains(&format!("<code>{}</code>", ada.org_id)) && form.contains("href=\"/o/adas-org/page\""), "{form}");
    let (version, seen) = (hidden(&form, "version"), hidden(&form, "seen"));
    let filled = |name, slug| [("name", name), ("slug", slug), ("version", version.as_str()), ("seen", seen.as_str())];
    let taken = send(&ada, "/settings", &filled("Acme <b>", &eve.slug)).await.expect(409).text;
    assert!(taken.contains("Address is taken. Choose another one.") && taken.contains("Acme &#60;b&#62;"), "{taken}");
    send(&bob, "/settings", &filled("Acme", "acme")).await.expect(403);
    assert_eq!(ada.new_events().await, NONE);

    let saved = send(&ada, "/settings", &filled("Acme", "acme")).await.expect(303);
    assert_eq!(saved.header("location"), format!("/o/acme/settings?told=organization-saved&of={}", ada.org_id));
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("organization.updated")));
    assert_eq!(news[0]["data"]["after"], json!({ "name": "Acme", "slug": "acme" }));

    let mut moved = ada.clone();
    moved.slug = "acme".into();
    let shown = page(&moved, "/settings").await.expect(200).text;
    assert!(shown.contains("value=\"acme\"") && shown.contains("value=\"Acme\""), "{shown}");
    let old = page(&ada, "/settings").await.expect(308);
    assert_eq!(old.header("location"), "/o/acme/settings");
    // A form that was open before the move is not lost.
    let made = send(&ada, "/groups", &[("name", "Core")]).await.expect(303);
    assert!(made.header("location").starts_with("/o/acme/groups/"), "{}", made.header("location"));

    let stale = send(&moved, "/settings", &filled("Mine", "acme")).await.expect(412).text;
    assert!(stale.contains("value=\"Mine\"") && stale.contains("the address from adas-org to acme"), "{stale}");
}

#[tokio::test]
async fn an_organization_is_deleted_by_its_name_and_by_its_admin() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    ada.service("API").await;
    page(&bob, "/settings/delete").await.expect(403);
    send(&bob, "/settings/delete", &[("name", "Ada's Org")]).await.expect(403);

    let form = page(&ada, "/settings/delete").await.expect(200).text;
    for words in ["1 service", "2 people", "There is no undo", "/timeline.csv", "/p/adas-org"] {
        assert!(form.contains(words), "{words}: {form}");
    }
    ada.new_events().await;
    for typed in ["", "ada's org", "Eve's Org"] {
        let refused = send(&ada, "/settings/delete", &[("name", typed)]).await.expect(422).text;
        assert!(refused.contains("id=\"name-error\"") && refused.contains("id=\"problems\""), "{refused}");
    }
    assert_eq!(ada.new_events().await, NONE);
    page(&ada, "").await.expect(200);

    let gone = send(&ada, "/settings/delete", &[("name", "Ada's Org")]).await.expect(303);
    assert_eq!(gone.header("location"), "/organizations?told=organization-deleted");
    page(&ada, "").await.expect(404);
    page(&bob, "").await.expect(404);
    send(&ada, "/settings/delete", &[("name", "Ada's Org")]).await.expect(404);
    ada.get(format!("/api/users/organizations/{}", ada.org_id)).await.expect(404);
    let visitor = server.anonymous();
    eventually(async || visitor.get("/p/adas-org").await.status == 404).await;
    ada.send("GET", "/organizations", &[BROWSER], "").await.expect(200);
}
