//! What a page says of itself, and how its days are cut.

use std::time::Duration;

use image::{DynamicImage, ImageFormat, RgbaImage};
use jiff::civil::date;
use serde_json::json;

use super::*;
use crate::access::Actor;
use crate::domain::logo;
use crate::domain::service::Visibility;
use crate::domain::status::ServiceStatus::{MajorOutage, Operational};
use crate::domain::testing::TestOrg;

fn update(org: &TestOrg, patch: PagePatch, expected: Option<u64>) -> Result<Page> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(org.app.change_wide(Actor::System("test"), org.org, move |tx| super::update(tx, patch, expected)))
}

fn patch(name: &str, description: &str, time_zone: &str) -> PagePatch {
    let [name, description, time_zone] = [name, description, time_zone].map(|text| Some(text.to_owned()));
    PagePatch { name, description, time_zone, slug: None }
}

fn in_zone(org: &TestOrg, name: &str) {
    update(org, PagePatch { time_zone: Some(name.into()), ..PagePatch::default() }, None).unwrap();
}

fn stored(org: &TestOrg) -> Page {
    org.read(|view| view.get(own(view)?.id))
}

fn picture(shade: u8) -> Logo {
    let mut png = std::io::Cursor::new(Vec::new());
    let image = RgbaImage::from_pixel(40, 20, image::Rgba([shade, 0, 0, 255]));
    DynamicImage::ImageRgba8(image).write_to(&mut png, ImageFormat::Png).unwrap();
    logo::decode(png.get_ref()).unwrap()
}

#[test]
fn a_page_says_what_it_was_told_to_and_the_timeline_what_changed() {
    let mut org = TestOrg::new();
    let before = stored(&org);
    assert_eq!((before.name.as_deref(), before.description.as_str(), before.time_zone.as_str()), (None, "", "UTC"));
    assert_eq!((org.page().page.name, org.page().page.logo), ("Acme".into(), None));

    org.advance(Duration::from_secs(60));
    let after = update(&org, patch(" Acme Cloud ", "What **we** run.\r\n", "europe/berlin"), Some(before.version)).unwrap();
    assert_eq!((after.name.as_deref(), after.description.as_str()), (Some("Acme Cloud"), "What **we** run."));
    assert_eq!((after.time_zone.as_str(), after.version, after.updated_at), ("Europe/Berlin", 2, org.now()));
    let (members, _) = org.new_logs();
    assert_eq!(members.len(), 1);
    assert_eq!((&members[0]["type"], &members[0]["subject"]["name"]), (&json!("page.updated"), &json!("Acme Cloud")));
    assert_eq!(members[0]["subject"]["kind"], "page");
    let data = json!({
        "before": { "name": null, "description": "", "time_zone": "UTC" },
        "after": { "name": "Acme Cloud", "description": "What **we** run.", "time_zone": "Europe/Berlin" },
    });
    assert_eq!(members[0]["data"], data);

    assert_eq!(update(&org, patch("Acme Cloud", "What **we** run.", "Europe/Berlin"), None).unwrap(), after);
    assert_eq!(update(&org, PagePatch::default(), None).unwrap(), after);
    assert!(org.new_events().is_empty(), "what stays as it is is no news");

    let cleared = update(&org, patch("  ", "", "UTC"), None).unwrap();
    assert_eq!(cleared.name, None, "nothing typed is the organization's name");
    assert_eq!(org.page().page.name, "Acme");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_nothing_is_changed() {
    let mut org = TestOrg::new();
    let mut wrong = patch(&"x".repeat(101), &"x".repeat(2_001), "Berlin");
    wrong.slug = Some("No Word".into());
    let Err(Error::Invalid(errors)) = update(&org, wrong, None) else { panic!("it is taken") };
    assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["name", "slug", "description", "time_zone"]);
    assert_eq!(update(&org, patch("Late", "", "UTC"), Some(99)), Err(Error::Stale { current: 1 }));
    assert!(org.new_events().is_empty());
    assert_eq!(stored(&org).version, 1);
}

#[test]
fn a_page_may_keep_a_word_that_nobody_could_choose() {
    let org = TestOrg::new();
    org.change(|tx: &mut OrgTx<'_, Edit>| {
        let page = own(tx)?;
        tx.put(&Page { slug: "x".into(), ..page })?;
        Ok(Change::nothing(()))
    })
    .unwrap();
    let same = PagePatch { slug: Some("x".into()), name: Some("Ten".into()), ..PagePatch::default() };
    assert_eq!(update(&org, same, None).unwrap().slug, "x");
}

#[test]
fn a_page_that_was_stored_before_it_could_say_anything_is_read_as_it_was() {
    let stored = json!({ "id": Id::<Page>::from_u128(7), "version": 3, "slug": "acme", "created_at": "2026-03-01T12:00:00Z" });
    let page: Page = serde_json::from_value(stored).unwrap();
    let new = Page::new(Id::from_u128(7), "acme".into(), page.created_at);
    assert_eq!(page, Page { version: 3, updated_at: Timestamp::from_millis(0), ..new });
    assert_eq!(page.zone(), TimeZone::UTC);
}

#[test]
fn a_logo_is_shown_replaced_and_taken_away() {
    let mut org = TestOrg::new();
    let file = |org: &TestOrg| {
        let id = LogoFile::id_of(stored(org).id);
        org.read(move |view| view.find(id)).map(|file| file.png)
    };
    for (shade, had) in [(1, false), (2, true)] {
        let logo = picture(shade);
        let reference = logo.reference().clone();
        let page = org.change(move |tx| set_logo(tx, logo)).unwrap();
        assert_eq!(page.logo.as_ref(), Some(&reference));
        assert_eq!(org.page().page.logo, Some(reference));
        let (members, heard) = org.new_logs();
        assert_eq!(members[0]["data"], json!({ "before": { "logo": had }, "after": { "logo": true } }));
        assert_eq!((members.len(), heard.len()), (1, 0));
    }
    assert!(file(&org).is_some());
    assert_eq!(org.change(|tx| set_logo(tx, picture(2))).unwrap().version, 1, "it is shown already, and nobody's words are late for it");
    assert!(org.new_events().is_empty());

    assert_eq!(org.change(remove_logo).unwrap().logo, None);
    assert_eq!(file(&org), None);
    assert_eq!(org.new_logs().0[0]["data"], json!({ "before": { "logo": true }, "after": { "logo": false } }));
    assert_eq!(org.change(remove_logo).unwrap().version, 1);
    assert!(org.new_events().is_empty());
}

#[test]
fn what_happened_is_told_on_the_day_that_it_was_in_the_pages_zone() {
    let mut org = TestOrg::new().with_service("API", Operational);
    let incident = org.open("Checkout fails", [("API", MajorOutage)]);
    org.advance(Duration::from_secs(14 * 3_600));
    org.resolve(incident);
    let shown = |org: &TestOrg| {
        let page = org.page();
        let day = page.days.iter().find(|day| !day.incidents.is_empty()).unwrap();
        (page.today, page.days.len(), day.date)
    };
    // It is two in the morning in UTC.
    assert_eq!(shown(&org), (date(2026, 3, 2), 14, date(2026, 3, 2)));
    in_zone(&org, "America/New_York");
    assert_eq!(shown(&org), (date(2026, 3, 1), 14, date(2026, 3, 1)));
    org.advance(Duration::from_secs(11 * 3_600));
    in_zone(&org, "Pacific/Auckland");
    assert_eq!(shown(&org), (date(2026, 3, 3), 14, date(2026, 3, 2)));
}

#[test]
fn the_oldest_day_is_told_of_from_its_beginning_in_the_pages_zone() {
    let mut org = TestOrg::new().with_service("API", Operational);
    in_zone(&org, "Asia/Tokyo");
    // 23:00 on the first of March in Tokyo, and an hour later, on the second.
    org.advance(Duration::from_secs(2 * 3_600));
    for _ in 0..2 {
        let incident = org.open("Checkout fails", [("API", MajorOutage)]);
        org.resolve(incident);
        org.advance(Duration::from_secs(3_600));
    }
    org.advance(Duration::from_secs(13 * 86_400));
    let page = org.page();
    assert_eq!((page.today, page.days[13].date), (date(2026, 3, 15), date(2026, 3, 2)));
    assert_eq!(page.days.iter().map(|day| day.incidents.len()).sum::<usize>(), 1);
    assert_eq!(page.days[13].incidents.len(), 1);
}

#[test]
fn a_page_stands_as_of_its_last_news_or_the_beginning_of_its_day_and_not_of_the_look_at_it() {
    let hours = |number: u64| Duration::from_secs(number * 3_600);
    let mut org = TestOrg::new();
    let founded = org.now();
    org.advance(hours(1));
    assert_eq!(org.page().as_of, founded);
    org.service("Secret lab", Visibility::Private, Operational);
    assert_eq!(org.page().as_of, founded, "what visitors don't notice is no news");
    org.service("API", Visibility::Public, Operational);
    let news = org.now();
    org.advance(hours(1));
    assert_eq!(org.page().as_of, news);

    // Two in the morning.
    org.advance(hours(12));
    assert_eq!(org.page().as_of, "2026-03-02T00:00:00Z".parse().unwrap());
    in_zone(&org, "Asia/Tokyo");
    assert_eq!(org.page().as_of, org.now(), "a page in another zone is news");
    org.advance(hours(14));
    assert_eq!(org.page().as_of, "2026-03-02T15:00:00Z".parse().unwrap(), "the third of March begins in Tokyo");
}

#[test]
fn a_page_that_has_told_nothing_yet_stands_as_of_its_making() {
    let org = TestOrg::new();
    org.advance(Duration::from_secs(60));
    let second = org
        .change(|tx: &mut OrgTx<'_, Edit>| {
            let page = Page::new(tx.new_id(), "second".into(), tx.now());
            tx.put(&page)?;
            Ok(Change::nothing(page))
        })
        .unwrap();
    org.advance(Duration::from_secs(60));

    let (id, runtime) = (second.id, tokio::runtime::Builder::new_current_thread().build().unwrap());
    let shown = runtime.block_on(org.app.read_public(org.org, move |public| view(public, id, "e"))).unwrap();
    assert_eq!((shown.seq, shown.as_of), (0, second.created_at));
}

#[test]
fn a_day_ends_at_the_zones_midnight_also_where_it_has_23_or_25_hours() {
    for (name, now, end) in [
        ("UTC", "2026-03-01T12:00:00Z", "2026-03-02T00:00:00Z"),
        ("UTC", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"),
        ("Asia/Tokyo", "2026-03-01T12:00:00Z", "2026-03-01T15:00:00Z"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("Europe/Berlin", "2026-10-25T22:59:59.999Z", "2026-10-25T23:00:00Z"),
        // In Cairo clocks are set at midnight: this day begins at one o'clock …
        ("Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"),
        ("Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
        // … and of this one the last hour comes twice.
        ("Africa/Cairo", "2026-10-29T20:30:00Z", "2026-10-29T22:00:00Z"),
        ("Africa/Cairo", "2026-10-29T21:30:00Z", "2026-10-29T22:00:00Z"),
    ] {
        let end: Timestamp = end.parse().unwrap();
        assert_eq!(good_until(now.parse().unwrap(), &zone::named(name)), end, "{name} at {now}");
    }
}
