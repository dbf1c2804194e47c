//! The styleguide, in debug builds only: every part of the pages in each of its states, made of the same classes and the same partials.
//!
//! Whoever changes a colour or a part looks here first, on a phone and on a desktop, in light and in dark.

use askama::Template;
use http::StatusCode;
use poem::web::Data;
use poem::{Response, handler};

use super::admin::frame::{Choice as Switch, Frame, Open, Tab};
use super::answer::html;
use super::form::{Choice, Field, Form};
use super::shell::Shell;
use super::when::{State, When};
use crate::access::Role;
use crate::error::FieldError;
use crate::web::Web;

/// The tokens that are colours.
const COLOURS: [&str; 17] = [
    "paper",
    "sheet",
    "canvas",
    "raised",
    "hover",
    "line",
    "edge",
    "ink",
    "soft",
    "accent",
    "link",
    "operational",
    "degraded",
    "partial",
    "major",
    "maintenance",
    "unknown",
];

/// What a name may be at worst.
const LONG: &str = "Payments and settlement for all of the regions beyond the equator, with a-name-that-has-no-place-to-break-at-all-\
                    and-goes-on-for-as-long-as-the-rules-allow-it-to-which-is-two-hundred-characters-or-so";

/// What is written from right to left.
const RTL: &str = "واجهة برمجة التطبيقات (API) معطّلة";

#[derive(Template)]
#[template(path = "styleguide.html")]
struct Guide<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    colours: &'a [&'static str],
    states: Vec<State>,
    forms: Vec<Form>,
    when: When,
    long: &'static str,
    rtl: &'static str,
}

impl<'a> Guide<'a> {
    fn new(shell: &'a Shell, frame: &'a Frame) -> Self {
        let state = |state, word| State { state, word };
        Self {
            shell,
            frame,
            colours: &COLOURS,
            states: vec![
                state("operational", "Operational"),
                state("degraded_performance", "Degraded performance"),
                state("partial_outage", "Partial outage"),
                state("major_outage", "Major outage"),
                state("under_maintenance", "Under maintenance"),
                state("unknown", "No data"),
            ],
            forms: vec![form("empty", "", &[]), form("filled", "Checkout", &[]), form("wrong", LONG, &["name", "status", "visibility"])],
            when: When { iso: "2026-03-14T09:26:00Z".into(), text: "14 Mar 2026, 09:26 UTC".into() },
            long: LONG,
            rtl: RTL,
        }
    }
}

/// A form with each kind of field; `prefix` tells its ids from those of the others.
fn form(prefix: &str, each: &str, wrong: &[&str]) -> Form {
    let statuses = vec![Choice::new("operational", "Operational"), Choice::new("major_outage", "Major outage")];
    let visibilities = vec![Choice::new("public", "Public"), Choice::new("private", "Private")];
    let chosen = if each.is_empty() { "" } else { "public" };
    let id = |name: &str| format!("{prefix}-{name}");
    let fields = vec![
        Field::line("name", "Name", "text", "off").holding(each).known_as(id("name")),
        Field::area("description", "Description", 3)
            .holding(each)
            .hinting("Visitors read it below the name. Markdown.")
            .optional()
            .known_as(id("description")),
        Field::select("status", "Status", statuses).holding("operational").known_as(id("status")),
        Field::radio("visibility", "Visibility", visibilities).holding(chosen).known_as(id("visibility")),
    ];
    let errors: Vec<FieldError> =
        wrong.iter().map(|field| FieldError { field: (*field).to_owned(), message: "must be something else".to_owned() }).collect();
    Form::new(fields, &errors)
}

/// A frame with all that it can hold.
fn frame(shell: &Shell) -> Frame {
    let open = |number: u8, title: &str| Open { id: format!("inc_{number:032}"), title: title.to_owned(), status: "Investigating" };
    Frame {
        shell: shell.clone(),
        org: String::new(),
        name: "Meridian Cloud".into(),
        slug: "styleguide".into(),
        page: "styleguide".into(),
        person: "Ada Lovelace".into(),
        person_id: String::new(),
        role: Role::Admin,
        tab: Tab::Services,
        at: String::new(),
        open: vec![open(1, "Checkout fails for some cards"), open(2, LONG), open(3, RTL)],
        more_open: true,
        organizations: vec![
            Switch { name: "Meridian Cloud".into(), slug: "styleguide".into(), is_this: true },
            Switch { name: LONG.into(), slug: "other".into(), is_this: false },
        ],
        is_operator: true,
        told: None,
    }
}

/// `GET /styleguide`.
#[handler]
pub(crate) async fn show(web: Data<&Web>) -> poem::Result<Response> {
    let shell = web.pages.shell();
    Ok(html(StatusCode::OK, &Guide::new(shell, &frame(shell)))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn page() -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        Guide::new(&shell, &frame(&shell)).render().unwrap()
    }

    #[test]
    fn it_shows_every_state_and_needs_nothing_inline() {
        let html = page();
        for state in ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance", "unknown"] {
            assert!(html.contains(&format!("data-state=\"{state}\"")), "{state}");
        }
        assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("<script>"));
    }

    #[test]
    fn no_id_comes_twice() {
        let html = page();
        let mut seen = BTreeSet::new();
        for id in html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(seen.insert(id), "{id} comes twice");
        }
    }

    /// The icons that this markup draws, or that it defines.
    fn icons<'a>(markup: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        markup.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()).filter(|name| !name.contains('{'))
    }

    #[test]
    fn every_icon_that_a_template_names_is_drawn() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let read = |name: &str| fs::read_to_string(templates.join(name)).unwrap();
        let drawn = read("public/shapes.html") + &read("parts/sprite.html");
        let drawn: BTreeSet<&str> = icons(&drawn, "<symbol id=\"i-").collect();
        let mut unread = vec![templates];
        while let Some(path) = unread.pop() {
            if path.is_dir() {
                unread.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                for icon in icons(&fs::read_to_string(&path).unwrap(), "href=\"#i-") {
                    assert!(drawn.contains(icon), "{} names the icon {icon}", path.display());
                }
            }
        }
    }
}
