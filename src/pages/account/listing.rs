//! The public pages of the instance, listed for who is not signed in, if the operator wants that.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use poem::{Request, Response};

use crate::domain::directory::{self, Listed};
use crate::error::{Error, Result};
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::store::{Cursor, Page};
use crate::web::Web;

/// How many are shown at once.
const SHOWN: usize = 50;

/// Some of the public pages.
#[derive(Template)]
#[template(path = "account/pages.html")]
struct PagesPage<'a> {
    shell: &'a Shell,
    rows: Vec<Row>,
    /// Whether these are the first.
    start: bool,
    /// Where the others begin.
    next: Option<String>,
}

struct Row {
    slug: String,
    name: String,
    status: Status,
}

/// What `public/status.html` shows.
struct Status {
    state: &'static str,
    word: &'static str,
}

impl From<&Listed> for Row {
    fn from(listed: &Listed) -> Self {
        let status = Status { state: listed.rollup.state.as_str(), word: listed.rollup.description };
        Self { slug: listed.slug.clone(), name: listed.name.clone(), status }
    }
}

/// `GET /` where `front_page` is `pages`.
pub(super) async fn front(web: &Web, request: &Request) -> Result<Response> {
    let query: Vec<(String, String)> = request.params().unwrap_or_default();
    let cursor = query.iter().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.parse::<Cursor>());
    let cursor = cursor.transpose().map_err(|_| Error::NotFound)?;
    let start = cursor.is_none();
    let listed = part(web, cursor).await?;
    let next = listed.next.as_ref().map(Cursor::to_string);
    let rows = listed.items.iter().map(Row::from).collect();
    html(StatusCode::OK, &PagesPage { shell: web.pages.shell(), rows, start, next })
}

/// The part from there on, as it is or was a moment ago. Who finds none waits for their turn to read it, and then looks again: most often
/// somebody else has read it meanwhile.
async fn part(web: &Web, after: Option<Cursor>) -> Result<Arc<Page<Listed>>> {
    let known = || web.directory.part(after.as_ref(), web.app.clock().now());
    if let Some(part) = known() {
        return Ok(part);
    }
    let turn = web.directory_turn.clone().lock_owned().await;
    if let Some(part) = known() {
        return Ok(part);
    }
    let recent = web.directory.clone();
    web.app
        .system_read(move |view| {
            let part = directory::list(view, SHOWN, after.clone())?;
            let part = recent.keep(after, view.now(), part);
            // Held until here, also when the one who asked has gone: else each who comes and goes would leave a reading behind.
            drop(turn);
            Ok(part)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::{ServiceStatus, rollup};

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(names: &[&str], start: bool, next: Option<&str>) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let statuses = [ServiceStatus::Operational, ServiceStatus::MajorOutage];
        let row = |name: &&str| Row::from(&Listed { slug: (*name).into(), name: (*name).into(), rollup: rollup(&statuses) });
        PagesPage { shell: &shell, rows: names.iter().map(row).collect(), start, next: next.map(str::to_owned) }.render().unwrap()
    }

    #[test]
    fn each_page_has_its_link_its_shape_and_its_word() {
        let html = page(&["acme", "zoo"], true, None);
        assert!(html.contains("href=\"/status/p/acme\"") && html.contains("href=\"/status/p/zoo\""));
        assert_eq!(html.matches("href=\"#i-partial_outage\"").count(), 2);
        assert!(html.contains("Partial System Outage"));
        assert!(!html.contains("class=\"pager\""));
    }

    #[test]
    fn the_first_and_the_next_ones_are_a_link_away() {
        let first = page(&["acme"], true, Some("abc"));
        assert!(first.contains("href=\"/status/?cursor=abc\"") && !first.contains("First ones"));
        let last = page(&["zoo"], false, None);
        assert!(last.contains("First ones") && !last.contains("?cursor="));
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        assert!(page(&[], true, None).contains("Sign in to make the first one."));
        assert!(page(&[], false, None).contains("There are no more status pages."));
    }

    #[test]
    fn names_stay_in_their_place() {
        let long = EVIL.repeat(500);
        let html = page(&[EVIL, &long, "اسم", ""], true, Some(EVIL));
        assert!(!html.contains("<script>") && !html.contains("=\"\">"), "{html}");
    }
}
