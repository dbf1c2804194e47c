//! Incidents as people read them.

use pulldown_cmark::{Event, Parser, TagEnd};

use crate::domain::status::{Impact, IncidentStatus};
use crate::pages::form::{Choice, Field};

/// How much of a text a row shows.
const GIST: usize = 140;

/// How far an incident has come, `admin/incident_stage.html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) stage: &'static str,
    pub(super) word: &'static str,
}

impl From<IncidentStatus> for Stage {
    fn from(status: IncidentStatus) -> Self {
        Self { stage: status.as_str(), word: status.label() }
    }
}

/// How much it hurts, `admin/incident_impact.html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImpactShown {
    pub(super) impact: &'static str,
    pub(super) word: &'static str,
}

impl From<Impact> for ImpactShown {
    fn from(impact: Impact) -> Self {
        let word = match impact {
            Impact::None => "No impact",
            other => other.label(),
        };
        Self { impact: impact.as_str(), word }
    }
}

/// What is wrong, in a line.
pub(super) fn title_field(value: &str) -> Field {
    Field::line("title", "Title", "text", "off").holding(value).hinting("What does not work, as those who use it would say it.")
}

/// What there is to say.
pub(super) fn message_field(value: &str) -> Field {
    Field::area("message", "Message", 6).holding(value)
}

/// How much it hurts, if the responder knows better than the services.
pub(super) fn impact_field(value: &str) -> Field {
    let all = Impact::ALL.iter().map(|impact| Choice::new(impact.as_str(), impact.label()));
    let choices = [Choice::new("", "As the services say")].into_iter().chain(all).collect();
    Field::select("impact", "Impact", choices).optional().holding(value)
}

/// How far it has come: one of these.
pub(super) fn status_field(value: &str, choices: &[(IncidentStatus, &'static str)]) -> Field {
    let choices = choices.iter().map(|(status, label)| Choice::new(status.as_str(), *label)).collect();
    Field::radio("status", "Status", choices).holding(value)
}

/// The choices for an incident that goes on.
pub(super) const GOING_ON: &[(IncidentStatus, &str)] = &[
    (IncidentStatus::Investigating, "Investigating"),
    (IncidentStatus::Identified, "Identified"),
    (IncidentStatus::Monitoring, "Monitoring"),
    (IncidentStatus::Resolved, "Resolved"),
];

/// The choices for an incident that is over.
pub(super) const OVER: &[(IncidentStatus, &str)] = &[
    (IncidentStatus::Resolved, "Still resolved"),
    (IncidentStatus::Postmortem, "Postmortem"),
    (IncidentStatus::Investigating, "Open again: investigating"),
    (IncidentStatus::Identified, "Open again: identified"),
    (IncidentStatus::Monitoring, "Open again: monitoring"),
];

/// The first words of a Markdown text, without its marks.
pub(in crate::pages::admin) fn gist(markdown: &str) -> String {
    let mut text = String::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Text(words) | Event::Code(words) | Event::Html(words) | Event::InlineHtml(words) => text.push_str(&words),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_)) => text.push(' '),
            _ => {}
        }
        // Four bytes a character at most, and blanks go.
        if text.len() > GIST * 8 {
            break;
        }
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(GIST) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gist_is_short_and_plain() {
        assert_eq!(
            gist("# Why\n\nFixed **soon**, see [the `log`](https://example.org).\n- one\n- two"),
            "Why Fixed soon, see the log. one two"
        );
        assert_eq!(gist("a <b>bold</b> claim"), "a <b>bold</b> claim");
        assert_eq!(gist(""), "");
        let long = gist(&"ö ".repeat(500));
        assert!(long.ends_with('…') && long.chars().count() <= GIST + 1, "{long}");
    }
}
