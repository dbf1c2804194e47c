//! What a visitor's phone has to load, compressed as every server on the way can: the numbers that must hold in the middle of an outage.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use poem::{Endpoint as _, Request};

use super::samples::{grouped, incident, logo, past, service, shown, view};
use crate::domain::page::{DESCRIPTION_MAX, PageView};
use crate::domain::public::PublicService;
use crate::domain::status::ServiceStatus;
use crate::http::assets::{self, Assets};

/// Thirty services in three groups, three incidents that go on, ten that are over; a logo, and as much about itself as a page may say.
fn bad_day() -> PageView {
    let mut view = view();
    view.page.logo = Some(logo());
    let line =
        |number: u32| format!("{number}. What *region {number}* is for, and [whom to call](https://example.org/team/{number}) about it.\n");
    let mut said: String = (1..=40).map(line).collect();
    said.truncate(DESCRIPTION_MAX);
    view.page.description = said;
    for (place, name) in ["Platform", "Europe (Frankfurt)", "Asia (Singapore)"].into_iter().enumerate() {
        let described = |number: u128| PublicService {
            description: format!("What **customers** of region {number} call at `api-{number}.example.org`, day and night."),
            ..service(number, &format!("{name} service {number}"), ServiceStatus::ALL[number as usize % ServiceStatus::ALL.len()])
        };
        let first = 10 * place as u128 + 1;
        view.sections.push(grouped(name, (first..first + 10).map(described).collect()));
    }
    view.active = (1..=3).map(|number| incident(number, &format!("Trouble number {number} with something that matters"), 6)).collect();
    for (place, day) in view.days.iter_mut().enumerate().filter(|(place, _)| place % 3 == 1) {
        let number = 10 + 2 * place as u128;
        day.incidents = vec![past(number, "Delayed deliveries", 4), past(number + 1, "Errors at signing in", 5)];
    }
    view
}

fn gzipped(content: &[u8]) -> usize {
    let mut compressor = GzEncoder::new(Vec::new(), Compression::new(6));
    compressor.write_all(content).unwrap();
    compressor.finish().unwrap().len()
}

/// The sum of what these weigh as they are sent.
async fn weight(names: &[&str]) -> usize {
    let mut sum = 0;
    for name in names {
        let request = Request::builder().uri_str(assets::url(name)).header("accept-encoding", "gzip").finish();
        let response = Assets.get_response(request).await;
        assert_eq!(response.header("content-encoding"), Some("gzip"), "{name}");
        sum += response.into_body().into_bytes().await.unwrap().len();
    }
    sum
}

#[test]
fn the_page_itself_is_light() {
    let html = shown(&bad_day()).html;
    let weight = gzipped(html.as_bytes());
    assert!(weight <= 20 << 10, "{weight}");
    assert_eq!(html.matches("class=\"service\"").count(), 30);
    assert!(html.contains("class=\"logo\"") && html.contains("https://example.org/team/15"));
}

#[tokio::test]
async fn its_styles_and_scripts_are_light() {
    let html = shown(&view()).html;
    let linked = |start: &str| html.matches(start).count();

    let styles = ["base.css", "page.css"];
    let weight_of_styles = weight(&styles).await;
    assert!(weight_of_styles <= 6 << 10, "{weight_of_styles}");
    assert_eq!(linked("<link rel=\"stylesheet\""), styles.len(), "one is not counted");

    let scripts = ["theme.js", "vendor/htmx.min.js", "vendor/hx-sse.min.js", "page.js"];
    let weight_of_scripts = weight(&scripts).await;
    assert!(weight_of_scripts <= 20 << 10, "{weight_of_scripts}");
    assert_eq!(linked("<script src="), scripts.len(), "one is not counted");
}
