//! Times and texts as this page tells them: by the clock of its own zone, and in previews without marks.

use jiff::tz::TimeZone;
use pulldown_cmark::{Event, Options, Parser, TagEnd};

use crate::clock::Timestamp;
use crate::pages::when::When;

/// A moment by the page's clock, which it names: "1 Mar 2026, 13:00 CET".
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> When {
    let text = at.jiff().to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M %Z").to_string();
    When { iso: at.to_string(), text }
}

/// What Markdown says, in one line of at most so many characters: for previews, which show text alone.
pub(super) fn line(markdown: &str, most: usize) -> String {
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) | Event::Html(part) | Event::InlineHtml(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image) => {}
            Event::End(_) => text.push(' '),
            _ => {}
        }
    }
    let words = text.split_whitespace();
    let mut line = String::new();
    let mut length = 0;
    for word in words {
        length += word.chars().count() + 1;
        // The last character is the ellipsis's.
        if length > most {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}
