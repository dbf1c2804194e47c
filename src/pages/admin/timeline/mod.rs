//! The timeline: everything that happened, filtered by what stands in the address, and as a file.

mod export;
mod filters;
pub(super) mod lines;
mod table;
pub(super) mod words;

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::desk::Desk;
use super::frame::{Frame, Tab};
use crate::access::Read;
use crate::domain::timeline;
use crate::error::{Error, Result};
use crate::pages::answer::html;
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::store::OrgView;
use filters::{Asked, Filters};
use lines::Line;

pub(crate) use export::{csv, json_lines};

/// How many entries one page has.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "admin/timeline.html")]
struct TimelinePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    form: Form,
    /// What was chosen by a link, which the form sends along.
    kept: Vec<(&'static str, String)>,
    chips: Vec<Chip>,
    /// The query of the export's addresses.
    query: String,
    is_filtered: bool,
    /// Whether the filters could not be understood.
    is_refused: bool,
    lines: &'a [Line],
    /// Where the newest ones are, on a later page.
    first: Option<String>,
    /// Where the older ones are, if there are any.
    next: Option<String>,
}

/// A filter that was set by a link, and the link that takes it away.
struct Chip {
    says: &'static str,
    of: String,
    without: String,
}

/// What one page reads.
#[derive(Default)]
struct Look {
    lines: Vec<Line>,
    next_before: Option<u64>,
    /// What the service is called whose timeline it is.
    service: Option<String>,
}

/// `GET /o/:org/timeline`.
#[handler]
pub(crate) async fn show(desk: Desk, request: &Request) -> poem::Result<Response> {
    let filters = Filters::of(request);
    let (asked, errors) = match filters.parse() {
        Ok(asked) => (Some(asked), Vec::new()),
        Err(Error::Invalid(errors)) => (None, errors),
        Err(other) => return Err(other.into()),
    };
    let query = move |view: &OrgView<'_, Read>| asked.map(|asked| look(view, &asked)).transpose();
    let (frame, look) = desk.look(Tab::Timeline, query).await?;
    let is_refused = look.is_none();
    let Look { lines, next_before, service } = look.unwrap_or_default();
    let at = |query: String| frame.path(&format!("/timeline{query}"));
    let page = TimelinePage {
        shell: &frame.shell,
        form: filters.form(&errors),
        kept: kept(&filters),
        chips: chips(&filters, &lines, service),
        query: filters.query(),
        is_filtered: filters.is_any(),
        is_refused,
        first: filters.is_later().then(|| at(filters.query())),
        next: next_before.map(|before| at(filters.query_before(Some(before)))),
        lines: &lines,
        frame: &frame,
    };
    let status = if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(html(status, &page)?)
}

fn look(view: &OrgView<'_, Read>, asked: &Asked) -> Result<Look> {
    let entries = timeline::read(view, asked.service, &asked.filter, asked.before, SHOWN)?;
    let lines = entries.items.iter().map(|entry| Line::of(view, entry)).collect::<Result<_>>()?;
    let service = asked.service.map(|id| lines::name_of(view, &id.to_string())).transpose()?.flatten();
    Ok(Look { lines, next_before: entries.next_before, service })
}

fn kept(filters: &Filters) -> Vec<(&'static str, String)> {
    let all = [("actor", &filters.actor), ("subject", &filters.subject), ("service", &filters.service)];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
}

fn chips(filters: &Filters, lines: &[Line], service: Option<String>) -> Vec<Chip> {
    let named = |id: &str, name: Option<String>| name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_owned());
    let mut chips = Vec::new();
    if !filters.actor.is_empty() {
        let name = lines.iter().find(|line| line.actor == filters.actor).map(|line| line.sentence.who.clone());
        let without = Filters { actor: String::new(), ..filters.clone() }.query();
        // All that tasks of our own did; each has its own name.
        let of = if filters.actor == "system" { "Allclear".to_owned() } else { named(&filters.actor, name) };
        chips.push(Chip { says: "By", of, without });
    }
    if !filters.subject.is_empty() {
        let name = lines.iter().find(|line| line.subject == filters.subject).map(|line| line.sentence.subject.clone());
        let without = Filters { subject: String::new(), ..filters.clone() }.query();
        chips.push(Chip { says: "About", of: named(&filters.subject, name), without });
    }
    if !filters.service.is_empty() {
        let without = Filters { service: String::new(), ..filters.clone() }.query();
        chips.push(Chip { says: "Touching", of: named(&filters.service, service), without });
    }
    chips
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn rendered(each: &str, lines: &[Line], filters: &Filters) -> String {
        let frame = Frame::sample(each, Tab::Timeline);
        let page = TimelinePage {
            shell: &frame.shell,
            form: filters.form(&[]),
            kept: kept(filters),
            chips: chips(filters, lines, Some(each.into())),
            query: filters.query(),
            is_filtered: filters.is_any(),
            is_refused: false,
            lines,
            first: None,
            next: (!lines.is_empty()).then(|| frame.path(&format!("/timeline{}", filters.query_before(Some(1))))),
            frame: &frame,
        };
        page.render().unwrap()
    }

    fn filters(query: &str) -> Filters {
        Filters::of(&Request::builder().uri_str(format!("/o/acme/timeline?{query}")).finish())
    }

    #[test]
    fn an_entry_says_who_did_what_with_links() {
        let html = rendered("Ada", &[Line::sample(7, "Ada")], &Filters::default());
        assert!(html.contains("id=\"entry-7\"") && html.contains("resolved the incident"), "{html}");
        assert!(html.contains("href=\"/status/o/acme/incidents/inc_00000000000000000000000000000001\""), "{html}");
        assert!(html.contains("href=\"/status/o/acme/timeline?actor=usr_00000000000000000000000000000001\""), "{html}");
        assert!(html.contains("href=\"/status/o/acme/timeline?before=1\"") && html.contains("/status/o/acme/timeline.csv\""), "{html}");
    }

    #[test]
    fn filters_stay_and_can_be_taken_away() {
        let filters = filters("type=incident&actor=usr_00000000000000000000000000000001&service=svc_1");
        let html = rendered("Ada", &[Line::sample(7, "Ada")], &filters);
        assert!(html.contains("<input type=\"hidden\" name=\"service\" value=\"svc_1\">"), "{html}");
        assert!(html.contains("<option value=\"incident\" selected>"), "{html}");
        assert!(html.contains("href=\"/status/o/acme/timeline?type=incident&#38;service=svc_1\""), "{html}");
    }

    #[test]
    fn a_timeline_without_a_match_says_what_to_do() {
        let html = rendered("Ada", &[], &filters("type=group"));
        assert!(html.contains("Nothing matches") && html.contains("href=\"/status/o/acme/timeline\""), "{html}");
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        let hostile = filters("type=%22%3E%3Cscript%3E&actor=%22%3E%3Cscript%3E&subject=%3Cscript%3E&service=%3Cscript%3E&since=%22%3E");
        for each in [EVIL.to_owned(), EVIL.repeat(200), "שירות".to_owned(), String::new()] {
            let html = rendered(&each, &[Line::sample(1, &each), Line::sample(2, &each)], &hostile);
            assert!(!html.contains("<script>") && !html.contains(" style="), "{html}");
        }
    }
}
