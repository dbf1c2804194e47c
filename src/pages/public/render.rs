//! The public page as HTML: whole for a visitor who comes, in fragments for those who stay.
//!
//! A fragment is one live region of `templates/public/page.html`, rendered by the same block as in the page. Ids within it are stable, for
//! htmx's morph finds by them what it must keep: the focus, and which details are open.

mod days;
mod incident;
mod told;
mod words;

use askama::Template;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::domain::page::PageView;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use words::Page;

/// One rendering of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole document.
    pub html: String,
    /// Every live region of it.
    pub fragments: Vec<Fragment>,
}

/// One live region: an element that replaces the one with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The element's DOM id.
    pub target: &'static str,
    /// The element itself.
    pub html: String,
}

/// Renders the page and its fragments.
///
/// # Errors
/// Only when formatting itself fails, which a `String` never does.
pub fn render(view: &PageView, shell: &Shell) -> Result<Rendered, askama::Error> {
    let page = &Page::new(view, shell);
    Ok(Rendered {
        html: Whole { page, away: None }.render()?,
        fragments: vec![
            fragment("top", Top { page }.render()?),
            fragment("stale", Stale { away: None }.render()?),
            fragment("banner", Banner { page }.render()?),
            fragment("incidents", Incidents { page }.render()?),
            fragment("services", Services { page }.render()?),
            fragment("history", History { page }.render()?),
            fragment("zone", Zone { page }.render()?),
            fragment("asof", AsOf { page }.render()?),
        ],
    })
}

/// The region that is empty in a page as [`render`] makes it, saying that the page can't be updated since then.
///
/// # Errors
/// As [`render`].
pub fn stale(since: Timestamp, zone: &TimeZone) -> Result<Fragment, askama::Error> {
    Ok(fragment("stale", Stale { away: Some(told::moment(since, zone)) }.render()?))
}

fn fragment(target: &'static str, html: String) -> Fragment {
    Fragment { target, html: html.trim().to_owned() }
}

/// The data of one unnamed SSE frame that morphs these fragments into an open page.
///
/// Partials alone: what is outside of one would be swapped into the element that listens. Each is morphed as a whole element
/// (`outerMorph`), so that attributes such as `data-state` and `hidden` follow, too.
pub fn frame<'a>(fragments: impl IntoIterator<Item = &'a Fragment>) -> String {
    let mut data = String::new();
    for Fragment { target, html } in fragments {
        data.push_str("<hx-partial hx-target=\"#");
        data.push_str(target);
        data.push_str("\" hx-swap=\"outerMorph\">");
        data.push_str(html);
        data.push_str("</hx-partial>");
    }
    data
}

#[derive(Template)]
#[template(path = "public/page.html")]
struct Whole<'a> {
    page: &'a Page,
    /// Since when the page can't be updated.
    away: Option<When>,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "top")]
struct Top<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "stale")]
struct Stale {
    away: Option<When>,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "banner")]
struct Banner<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "incidents")]
struct Incidents<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "services")]
struct Services<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "history")]
struct History<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "zone")]
struct Zone<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "public/page.html", block = "asof")]
struct AsOf<'a> {
    page: &'a Page,
}

#[cfg(test)]
mod budget;
#[cfg(test)]
mod samples;
#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
