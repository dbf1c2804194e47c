//! The page as rendered: empty, long and hostile.

use jiff::tz::TimeZone;

use super::samples::{NOON, grouped, incident, logo, past, service, shown, view};
use super::words::{extent, mark, worst};
use super::*;
use crate::clock::Timestamp;
use crate::domain::page::Section;
use crate::domain::public::{PublicAffected, PublicIncident, PublicService, PublicUpdate};
use crate::domain::service::Service;
use crate::domain::status::{Impact, Rollup, ServiceStatus};
use crate::id::Id;
use crate::pages::when::duration;

const TARGETS: [&str; 8] = ["top", "stale", "banner", "incidents", "services", "history", "zone", "asof"];

fn fragment<'a>(rendered: &'a Rendered, target: &str) -> &'a str {
    &rendered.fragments.iter().find(|fragment| fragment.target == target).unwrap().html
}

/// All values of `id="…"`.
fn ids(html: &str) -> Vec<&str> {
    html.split(" id=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id).collect()
}

#[test]
fn an_empty_page_says_so() {
    let mut view = view();
    view.rollup = Rollup { description: "No data", state: ServiceStatus::Unknown };
    let rendered = shown(&view);

    assert!(rendered.html.contains("<title>No data · Acme</title>"));
    assert!(fragment(&rendered, "banner").contains("data-state=\"unknown\""));
    assert!(fragment(&rendered, "incidents").contains("aria-labelledby=\"incidents-title\" hidden>"));
    assert!(fragment(&rendered, "services").contains("No services are listed yet."));
    assert_eq!(fragment(&rendered, "history").matches("No incidents reported.").count(), 1, "a quiet fortnight is one line");
    let fortnight = "<time datetime=\"2026-02-16\">16 February</time> – <time datetime=\"2026-03-01\">1 March 2026</time>";
    assert!(fragment(&rendered, "history").contains(fortnight), "{}", fragment(&rendered, "history"));
    assert_eq!(
        fragment(&rendered, "asof"),
        "<p id=\"asof\">As of <time datetime=\"2026-03-01T12:00:00.000Z\">1 Mar 2026, 12:00 UTC</time></p>"
    );
}

#[test]
fn links_carry_the_sub_path_and_the_position_in_the_log() {
    let html = shown(&view()).html;
    assert!(html.contains("<link rel=\"canonical\" href=\"https://example.org/status/p/acme\">"));
    assert!(html.contains("hx-sse:connect=\"/status/p/acme/live?after=k3v9:42\""));
    for link in html.split("src=\"").skip(1) {
        assert!(link.starts_with("/status/"), "{}", &link[..30]);
    }
}

#[test]
fn a_fragment_is_what_the_page_shows_and_nothing_around_it() {
    let mut view = view();
    view.sections = vec![grouped("Core", vec![service(1, "API", ServiceStatus::Operational)])];
    view.active = vec![incident(5, "Checkout fails", 5)];
    let rendered = shown(&view);

    assert_eq!(rendered.fragments.iter().map(|fragment| fragment.target).collect::<Vec<_>>(), TARGETS);
    for Fragment { target, html } in &rendered.fragments {
        assert!(rendered.html.contains(html.as_str()), "{target} differs from the page");
        // White space around it would be morphed in as text, once more with each frame.
        assert!(html.starts_with('<') && html.ends_with('>'), "{target}");
        assert_eq!(ids(html)[0], *target);
    }
    let frame = frame(&rendered.fragments[2..4]);
    assert!(frame.starts_with("<hx-partial hx-target=\"#banner\" hx-swap=\"outerMorph\"><section id=\"banner\""));
    assert_eq!(frame.matches("</section></hx-partial>").count(), 2);
    assert_eq!(super::frame([]), "");
}

#[test]
fn that_it_can_not_be_updated_is_said_where_nothing_is_said_otherwise() {
    let rendered = shown(&view());
    let empty = "<div id=\"stale\" aria-live=\"polite\"></div>";
    assert_eq!(fragment(&rendered, "stale"), empty);
    assert_eq!(rendered.html.matches(empty).count(), 1);

    let Fragment { target, html } = stale(Timestamp::from_millis(NOON), &TimeZone::get("America/New_York").unwrap()).unwrap();
    assert_eq!(target, "stale");
    let since = "<time datetime=\"2026-03-01T12:00:00.000Z\">1 Mar 2026, 07:00 EST</time>";
    let notice = format!("This page can't be updated at the moment. What it shows was true on {since}.");
    assert_eq!(html, format!("<div id=\"stale\" aria-live=\"polite\"><p class=\"stale\" role=\"note\">{notice}</p></div>"));
    assert_eq!(rendered.html.matches("role=\"status\"").count(), 1, "the banner alone is a status");
}

#[test]
fn a_state_is_told_by_shape_and_word_too() {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let all = [Operational, DegradedPerformance, PartialOutage, MajorOutage, UnderMaintenance, Unknown];
    let mut view = view();
    view.sections =
        vec![Section { group: None, services: all.iter().zip(1..).map(|(status, number)| service(number, "x", *status)).collect() }];
    let rendered = shown(&view);

    for status in all {
        let (state, word) = (status.as_str(), status.label());
        assert!(rendered.html.contains(&format!("<symbol id=\"i-{state}\"")), "{state} has no shape");
        assert!(fragment(&rendered, "services").contains(&format!("<use href=\"#i-{state}\"/></svg>{word}</span>")), "{state}");
    }
}

#[test]
fn a_folded_group_tells_the_worst_of_its_services() {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let of = |states: &[ServiceStatus]| worst(&states.iter().map(|status| service(1, "x", *status)).collect::<Vec<_>>());
    assert_eq!(of(&[]), Unknown);
    assert_eq!(of(&[Unknown, Operational]), Operational);
    assert_eq!(of(&[UnderMaintenance, Operational]), UnderMaintenance);
    assert_eq!(of(&[UnderMaintenance, DegradedPerformance]), DegradedPerformance);
    assert_eq!(of(&[PartialOutage, DegradedPerformance]), PartialOutage);
    assert_eq!(of(&[PartialOutage, MajorOutage, Unknown]), MajorOutage);
}

#[test]
fn a_long_incident_folds_its_earlier_updates_away() {
    let mut view = view();
    view.active = vec![incident(5, "Checkout fails", 8)];
    view.days[2].incidents = vec![past(6, "Slow search", 8)];
    let rendered = shown(&view);

    let active = fragment(&rendered, "incidents");
    let (open, folded) = active.split_once("<summary>Earlier updates (5)</summary>").unwrap();
    assert!(
        open.contains("Update <strong>8</strong>")
            && open.contains("Update <strong>6</strong>")
            && !open.contains("Update <strong>5</strong>")
    );
    assert!(folded.contains("Update <strong>5</strong>") && folded.contains("Update <strong>1</strong>"));
    assert!(open.contains("Impact: ") && open.contains("<bdi>API</bdi> <span class=\"status\" data-state=\"partial_outage\">"));

    let past = fragment(&rendered, "history");
    assert_eq!(past.matches("Update <strong>").count(), 8);
    assert!(past.contains(">Slow search</h4>") && past.contains("lasted 2 hours 5 minutes"), "{past}");
    assert!(!active.contains("lasted"), "it goes on");
}

#[test]
fn quiet_days_that_follow_each_other_share_a_line() {
    let mut view = view();
    view.days[2].incidents = vec![past(6, "Slow search", 1)];
    let rendered = shown(&view);
    let history = fragment(&rendered, "history");

    assert_eq!(history.matches("class=\"day\"").count(), 3);
    assert_eq!(history.matches("No incidents reported.").count(), 2);
    assert!(history.contains("<time datetime=\"2026-02-28\">28 February</time> – <time datetime=\"2026-03-01\">1 March 2026</time>"));
    assert!(history.contains("<h3><time datetime=\"2026-02-27\">27 February 2026</time></h3>"));
    assert!(history.contains("<time datetime=\"2026-02-16\">16</time> – <time datetime=\"2026-02-26\">26 February 2026</time>"));
    assert!(history.contains("Last 14 days"));
}

#[test]
fn a_day_of_trouble_stays_readable_and_light() {
    let mut view = view();
    view.days[0].incidents = (1..=200).map(|number| past(number, &format!("Trouble {number}."), 50)).collect();
    let rendered = shown(&view);
    let history = fragment(&rendered, "history");

    let (full, folded) = history.split_once("<summary>190 more on this day</summary>").unwrap();
    assert!(full.contains("Trouble 10.") && !full.contains("Trouble 11."));
    assert!(folded.contains("Trouble 11.") && folded.contains("Trouble 200.") && !folded.contains("Update <strong>"));
    assert!(history.len() < 300_000, "{}", history.len());
}

#[test]
fn an_incident_that_touches_and_says_very_much_is_cut() {
    let mut much = incident(5, "Everything fails", 60);
    let touched = |number: u128| PublicAffected { service_id: Id::<Service>::from_u128(number), name: format!("S{number}."), status: None };
    much.affected = (1..=40).map(touched).collect();
    let mut view = view();
    view.active = vec![much.clone()];
    let rendered = shown(&view);
    let active = fragment(&rendered, "incidents");
    let (open, folded) = active.split_once("<summary>28 more affected services</summary>").unwrap();
    assert!(open.contains("S12.") && !open.contains("S13.") && folded.contains("S40."));
    assert_eq!(active.matches("Update <strong>").count(), 50);
    assert!(active.contains("The oldest updates are not shown here (10)."));

    much.updates = (0..4).map(|back| PublicUpdate { message: "x".repeat(20_000), ..much.updates[back].clone() }).collect();
    view.active = vec![much];
    assert!(fragment(&shown(&view), "incidents").contains("The oldest updates are not shown here (2)."));
}

#[test]
fn an_incident_without_an_effect_claims_none() {
    let mut view = view();
    view.active = vec![PublicIncident { impact: Impact::None, affected: Vec::new(), ..incident(5, "We are watching", 1) }];
    let rendered = shown(&view);
    let active = fragment(&rendered, "incidents");
    assert!(!active.contains("Impact:") && !active.contains("<svg") && !active.contains("Affected services"), "{active}");
}

#[test]
fn the_banner_says_how_much_of_it_is_concerned() {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let of = |states: &[ServiceStatus]| {
        let services: Vec<_> = states.iter().map(|status| service(1, "x", *status)).collect();
        extent(services.iter())
    };
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[Operational, Operational]), None);
    assert_eq!(of(&[MajorOutage]).unwrap(), "1 of 1 service affected");
    assert_eq!(of(&[Operational, UnderMaintenance]).unwrap(), "1 of 2 services under maintenance");
    let mixed = [Operational, DegradedPerformance, PartialOutage, UnderMaintenance, Unknown];
    assert_eq!(of(&mixed).unwrap(), "2 of 5 services affected · 1 under maintenance · 1 without data");
}

#[test]
fn a_name_gives_one_letter_as_people_count_them() {
    for (name, letter) in [("Acme", "A"), ("“Zürich” Cloud", "Z"), ("🚀 Rocket", "R"), ("👩‍💻", "👩‍💻"), ("e\u{301}cole", "e\u{301}"), ("", "")]
    {
        assert_eq!(mark(name), letter, "{name}");
    }
}

#[test]
fn a_length_of_time_is_said_in_two_units() {
    let minutes = |number: i64| duration(Timestamp::from_millis(NOON), Timestamp::from_millis(NOON + number * 60_000));
    let rows = [
        (-5, "less than a minute"),
        (0, "less than a minute"),
        (1, "1 minute"),
        (60, "1 hour"),
        (125, "2 hours 5 minutes"),
        (1_441, "1 day"),
        (3 * 1_440 + 61, "3 days 1 hour"),
    ];
    for (number, words) in rows {
        assert_eq!(minutes(number), words, "{number}");
    }
}

#[test]
fn two_hundred_services_have_ids_of_their_own() {
    let mut view = view();
    let many = |from: u128| (from..from + 100).map(|number| service(number, "Service", ServiceStatus::Operational)).collect();
    view.sections = vec![Section { group: None, services: many(1) }, grouped("Core", many(101))];
    view.active = vec![incident(5, "Checkout fails", 5)];
    // The same incident may stand in the list of active ones and in a day's.
    view.days[0].incidents = vec![incident(5, "Checkout fails", 5)];
    let html = shown(&view).html;

    let mut all = ids(&html);
    assert!(all.len() > 200);
    all.sort_unstable();
    let before = all.len();
    all.dedup();
    assert_eq!(all.len(), before, "an id stands twice");
}

#[test]
fn nothing_hostile_gets_out_of_its_place() {
    let evil = "\"><script>alert(1)</script><hx-partial hx-target=\"#banner\" x='";
    let mut view = view();
    view.page.name = evil.into();
    view.page.description = evil.into();
    view.page.logo = Some(logo());
    view.sections = vec![grouped(evil, vec![PublicService { description: evil.into(), ..service(1, evil, ServiceStatus::Operational) }])];
    let mut hostile = incident(5, evil, 1);
    hostile.updates[0].message = evil.into();
    hostile.affected[0].name = evil.into();
    view.active = vec![hostile.clone()];
    view.days[0].incidents = vec![hostile];
    let rendered = shown(&view);

    assert_eq!(rendered.html.matches("<script").count(), 4, "our four and no other");
    assert!(!rendered.html.contains("<hx-partial"));
    assert_eq!(frame(&rendered.fragments).matches("<hx-partial").count(), TARGETS.len());
}

#[test]
fn the_page_obeys_its_own_content_security_policy() {
    let mut view = view();
    view.page.logo = Some(logo());
    view.page.description = "What **Acme** runs.".into();
    view.sections = vec![grouped("Core", vec![service(1, "API", ServiceStatus::Operational)])];
    view.active = vec![incident(5, "Checkout fails", 5)];
    let html = shown(&view).html;
    let handler =
        |rest: &str| rest.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()));
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("hx-on"));
    assert!(!html.split(" on").skip(1).any(handler), "an inline handler");
    assert_eq!(html.matches("<script src=").count(), html.matches("<script").count());
}

#[test]
fn what_a_page_says_of_itself_stands_below_its_name_and_in_previews() {
    let mut view = view();
    let bare = shown(&view);
    assert!(!fragment(&bare, "top").contains("about"), "{}", fragment(&bare, "top"));
    assert_eq!(bare.html.matches("content=\"Acme: All Systems Operational.\"").count(), 2);

    view.page.description = "Everything that *Acme* runs for `you`.\n\n- APIs\n- [Web](https://example.org) & <b>more</b>".into();
    let rendered = shown(&view);
    let top = fragment(&rendered, "top");
    assert!(top.contains("<p>Everything that <em>Acme</em> runs for <code>you</code>.</p>") && top.contains("&lt;b&gt;"), "{top}");
    let preview =
        "content=\"Acme: All Systems Operational. Everything that Acme runs for you. APIs Web &#38; &#60;b&#62;more&#60;/b&#62;\"";
    assert_eq!(rendered.html.matches(preview).count(), 2, "{}", rendered.html);

    view.active = vec![incident(5, "Checkout fails", 1)];
    view.page.description = "word ".repeat(400);
    let html = shown(&view).html;
    let preview = html.split("og:description\" content=\"").nth(1).and_then(|rest| rest.split_once('"')).unwrap().0;
    assert!(preview.starts_with("Acme: All Systems Operational. Checkout fails. word word") && preview.ends_with(" word…"), "{preview}");
    assert!(preview.chars().count() < 260, "{preview}");
}

#[test]
fn a_logo_stands_where_the_letter_did_at_its_own_size() {
    let mut view = view();
    let bare = shown(&view);
    assert!(fragment(&bare, "top").contains("class=\"mark\"") && !bare.html.contains("<img") && !bare.html.contains("og:image"));

    view.page.logo = Some(logo());
    view.page.name = "Acme & \"Sons\"".into();
    let rendered = shown(&view);
    let image = "<img class=\"logo\" src=\"/status/p/acme/logo/1a2b3c4d5e6f1a2b3c4d5e6f.png\" width=\"320\" height=\"160\" \
                 alt=\"Acme &#38; &#34;Sons&#34;\">";
    let top = fragment(&rendered, "top");
    assert!(top.contains(image) && !top.contains("class=\"mark\""), "{top}");
    let preview = "<meta property=\"og:image\" content=\"https://example.org/status/p/acme/logo/1a2b3c4d5e6f1a2b3c4d5e6f.png\">";
    assert!(rendered.html.contains(preview), "{}", rendered.html);
}

#[test]
fn without_script_times_are_told_by_the_pages_clock_which_is_named() {
    let mut view = view();
    view.page.zone = TimeZone::get("America/New_York").unwrap();
    view.active = vec![incident(5, "Checkout fails", 1)];
    view.days[0].incidents = vec![past(6, "Slow search", 1)];
    let rendered = shown(&view);

    let as_of = "<p id=\"asof\">As of <time datetime=\"2026-03-01T12:00:00.000Z\">1 Mar 2026, 07:00 EST</time></p>";
    assert_eq!(fragment(&rendered, "asof"), as_of);
    let zone = "<p id=\"zone\" data-zone=\"America/New_York\">Times and days are in the time zone America/New_York.</p>";
    assert_eq!(fragment(&rendered, "zone"), zone);
    assert!(rendered.html.contains("<option value=\"page\">America/New_York</option>"));
    assert!(fragment(&rendered, "incidents").contains("1 Mar 2026, 06:00 EST"));
    assert!(fragment(&rendered, "history").contains("1 Mar 2026, 06:05 EST"));
    assert!(!rendered.html.contains("UTC"), "{}", rendered.html);
}
