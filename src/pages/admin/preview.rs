//! Markdown as it will look.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::desk::Desk;
use crate::domain::text::MESSAGE_MAX;
use crate::pages::answer::html;
use crate::pages::fields::Fields;
use crate::pages::markdown::{self, SafeHtml};

/// The place of the preview in a form, `parts/preview.html`.
#[derive(Template)]
#[template(path = "parts/preview.html")]
struct Preview {
    preview: Option<SafeHtml>,
}

/// `POST …/preview`: the text of a form that is not sent yet.
///
/// The button sends its whole form, whichever that is: what else is in it does not matter here.
#[handler]
pub(crate) async fn preview(_desk: Desk, fields: Fields) -> poem::Result<Response> {
    let text = if fields.has("message") { fields.get("message") } else { fields.get("description") };
    Ok(html(StatusCode::OK, &Preview { preview: Some(rendered(text)) })?)
}

/// A text as it will look; what is beyond the longest that can be saved is left out.
pub(crate) fn rendered(text: &str) -> SafeHtml {
    let end = text.char_indices().nth(MESSAGE_MAX).map_or(text.len(), |(at, _)| at);
    markdown::render(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: Option<SafeHtml>) -> String {
        Preview { preview: text }.render().unwrap()
    }

    #[test]
    fn the_place_is_hidden_until_there_is_something_in_it() {
        assert!(shown(None).contains(" hidden"));
        let empty = shown(Some(rendered(" ")));
        assert!(!empty.contains(" hidden") && empty.contains("Nothing to show yet."), "{empty}");
        let full = shown(Some(rendered("**soon** <script>alert(1)</script>")));
        assert!(full.contains("<strong>soon</strong>") && !full.contains("<script"), "{full}");
    }

    #[test]
    fn no_more_is_rendered_than_can_be_saved() {
        let long = rendered(&"ä".repeat(MESSAGE_MAX + 5));
        assert_eq!(long.as_str().chars().filter(|c| *c == 'ä').count(), MESSAGE_MAX);
    }
}
