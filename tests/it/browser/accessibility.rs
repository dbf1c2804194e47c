//! axe finds nothing (WCAG 2.2 AA) on any page, in any state, light and dark, on a phone and on a desktop; and nothing is wider than the window.

use serde_json::json;

use super::driver::{Browser, Kind};
use super::{say, trouble};
use crate::harness::{Client, Server, eventually};

/// What people may write, and pages must bear.
pub(super) const LONG: &str =
    "LlanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochLlanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";
pub(super) const RIGHT_TO_LEFT: &str = "خدمة الدفع بالبطاقات";

/// What pages speak of.
struct Ids {
    api: String,
    group: String,
    open: String,
    over: String,
    update: String,
}

/// An organization full of life: names that are long, that run from right to left; incidents of every kind.
async fn full(server: &Server) -> (Client, Ids) {
    let ada = server.sign_up("ada").await;
    let (api, open) = trouble(&ada).await;
    let group = ada.group(LONG).await;
    for (name, status) in
        [(LONG, "degraded_performance"), (RIGHT_TO_LEFT, "partial_outage"), ("Unknown", "unknown"), ("Works", "under_maintenance")]
    {
        ada.service_with(
            json!({ "name": name, "group_id": group, "status": status, "description": "See **the** [docs](https://example.org)." }),
        )
        .await;
    }
    ada.private_service("Payroll").await;
    ada.incident(&[], LONG).await;
    let over = ada.incident(&[(&api, "partial_outage")], RIGHT_TO_LEFT).await;
    say(&ada, &over, json!({ "status": "resolved", "message": "- one\n- two\n\n> quoted `code`" })).await;
    let update = ada.get(format!("/api/incidents/{over}")).await.expect(200).json["updates"][0]["id"].as_str().expect("an id").to_owned();
    (ada, Ids { api, group, open, over, update })
}

/// Every page, with what has to be done to see it in another state.
fn pages(ada: &Client, eve: &Client, ids: &Ids) -> Vec<(String, &'static str)> {
    let Ids { api, group, open, over, update } = ids;
    let (o, n) = (format!("/o/{}", ada.slug), format!("/o/{}", eve.slug));
    let refuse =
        "document.querySelector('main form .primary').form.noValidate = true, document.querySelector('main form .primary').click(), true";
    let plain = [
        "",
        "/services",
        "/services/new",
        "/groups/new",
        "/incidents",
        "/incidents?state=resolved",
        "/incidents/new",
        "/timeline",
        "/find?q=a",
    ];
    let mut list: Vec<(String, &'static str)> = plain.iter().map(|path| (format!("{o}{path}"), "")).collect();
    list.extend([
        (format!("{o}/groups/{group}"), ""),
        (format!("{o}/incidents/{over}/updates/{update}"), ""),
        (format!("{o}/timeline?since=yesterday"), ""),
        (format!("{o}/timeline"), "document.querySelectorAll('#main details').forEach((details) => { details.open = true }), true"),
        (format!("{o}/incidents/{open}"), "document.getElementById('message').value = '**soon**', document.querySelector('button[value=preview]').click(), true"),
        (format!("{o}/incidents/{open}"), "document.querySelector('input[name=version]').value = '1', document.getElementById('message').value = 'Late.', document.querySelector('#update .primary').click(), true"),
        (format!("{o}/incidents?told=incident-deleted&of={open}"), ""),
        (format!("/p/{}", ada.slug), ""),
        (format!("/p/{}", ada.slug), "document.querySelectorAll('details').forEach((details) => { details.open = true }), true"),
        (format!("/p/{}", eve.slug), ""),
        (format!("{o}/services/{api}"), ""),
        (format!("{o}/incidents/{open}"), ""),
        (format!("{o}/incidents/{over}"), ""),
        (format!("{o}/incidents/{open}/edit"), ""),
        (format!("{o}/services/new"), refuse),
        (format!("{o}/groups/new"), refuse),
        (format!("{o}/incidents/new"), refuse),
        (o.clone(), "document.querySelectorAll('details').forEach((details) => { details.open = true }), true"),
        (o.clone(), "document.getElementById('find-open').click(), true"),
        (o.clone(), "document.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true })), true"),
        (n.clone(), ""),
        (format!("{n}/services"), ""),
        (format!("{n}/incidents"), ""),
        (format!("{n}/timeline"), ""),
        ("/account".into(), ""),
        ("/organizations".into(), ""),
        ("/nothing/here".into(), ""),
        ("/styleguide".into(), ""),
    ]);
    list
}

/// What is wrong with a page, once this was done on it.
pub(super) async fn look(browser: &Browser, server: &Server, path: &str, act: &str) -> Vec<String> {
    browser.goto(&format!("{}{path}", server.base())).await;
    if !act.is_empty() {
        browser.value(act).await;
        browser.wait_for("document.querySelector('#problems, [data-kind=stale], #preview:not([hidden]), #palette-results a, #keys[open], details[open]') !== null").await;
    }
    // Colours that are on their way from one to another are neither.
    browser.wait_for("document.getAnimations().every((animation) => animation.playState !== 'running' || animation.effect.getTiming().iterations === Infinity)").await;
    let mut wrong: Vec<_> = browser.axe().await.into_iter().map(|found| format!("{path} {act}: {found}")).collect();
    let over = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
    if over != 0 {
        wrong.push(format!("{path} {act}: {over} px wider than the window"));
    }
    wrong
}

async fn nothing_is_wrong(kind: Kind) {
    let server = Server::start().await;
    let (ada, ids) = full(&server).await;
    let eve = server.sign_up("eve").await;
    eventually(async || ada.get(format!("/p/{}", ada.slug)).await.text.contains(RIGHT_TO_LEFT)).await;
    let browser = Browser::of(kind).await;
    let mut wrong = Vec::new();
    for path in ["/", "/login", "/signup"] {
        wrong.extend(look(&browser, &server, path, "").await);
    }
    let refused = "document.querySelector('main form').noValidate = true, document.querySelector('main form button').click(), true";
    wrong.extend(look(&browser, &server, "/login", refused).await);
    for who in [&ada, &eve] {
        browser.be(&server, who).await;
        let mine = format!("/o/{}", who.slug);
        let listed = pages(&ada, &eve, &ids);
        for (path, act) in listed
            .iter()
            .filter(|(path, _)| if who.slug == ada.slug { !path.starts_with(&format!("/o/{}", eve.slug)) } else { path.starts_with(&mine) })
        {
            wrong.extend(look(&browser, &server, path, act).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_in_the_light_on_a_wide_screen() {
    nothing_is_wrong(Kind { width: 1600, ..Kind::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_in_the_dark_on_a_phone() {
    nothing_is_wrong(Kind { dark: true, width: 390, ..Kind::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_find_what_is_wrong() {
    let server = Server::start().await;
    let browser = Browser::open(true).await;
    browser.goto(&format!("{}/login", server.base())).await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser
        .value(
            "(document.querySelector('label[for=email]').remove(), document.querySelector('h1').style.color = '#ccc',
            document.querySelector('main').insertAdjacentHTML('beforeend', '<p><button id=a>a</button><button id=b>b</button></p>'),
            ['a', 'b'].forEach((id) => Object.assign(document.getElementById(id).style, { minHeight: 0, height: '12px', width: '12px', padding: 0, border: 0 })), true)",
        )
        .await;
    let found = browser.axe().await;
    assert!(found.iter().any(|line| line.starts_with("label at #email")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("color-contrast at")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("target-size at")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_services_and_five_hundred_incidents_fit() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut services = Vec::new();
    for number in 0..200 {
        services.push(ada.service(&format!("Service {number:03}")).await);
    }
    for number in 0..500 {
        let id = ada.incident(&[(&services[number % 200], "degraded_performance")], &format!("Incident number {number}")).await;
        if number >= 3 {
            say(&ada, &id, json!({ "status": "resolved", "message": "Over." })).await;
        }
    }
    eventually(async || ada.get(format!("/p/{}", ada.slug)).await.text.contains("Incident number 499")).await;
    let browser = Browser::of(Kind { width: 390, ..Kind::default() }).await;
    browser.be(&server, &ada).await;
    for path in [
        format!("/p/{}", ada.slug),
        format!("/o/{}", ada.slug),
        format!("/o/{}/services", ada.slug),
        format!("/o/{}/incidents", ada.slug),
        format!("/o/{}/incidents/new", ada.slug),
        format!("/o/{}/timeline", ada.slug),
    ] {
        browser.goto(&format!("{}{path}", server.base())).await;
        assert_eq!(browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await, 0, "{path}");
        if path.starts_with("/o/") {
            // No page loads all rows: fifty of anything, and a way to more.
            let rows = browser
                .value("Math.max(...[...document.querySelectorAll('#main :is(ul, ol, tbody)')].map((list) => list.children.length), 0)")
                .await;
            assert!(rows.as_u64().is_some_and(|rows| (1..=60).contains(&rows)), "{path} has {rows} rows");
            if ["/services", "/incidents", "/timeline"].iter().any(|list| path.ends_with(list)) {
                assert_eq!(
                    browser.value("document.querySelector('.pager a[rel=next]') !== null").await,
                    true,
                    "{path} ends after {rows} rows"
                );
            }
        }
    }
}
