//! The page that shows the API's document: Swagger UI from our own assets, under the same content security policy as every page.

use askama::Template;

use crate::pages::shell::Shell;

/// The page at `/api/docs`.
#[derive(Template)]
#[template(path = "docs.html")]
pub struct DocsPage<'a> {
    /// Where this instance is.
    pub shell: &'a Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let html = DocsPage { shell: &shell }.render().unwrap();
        assert!(html.contains("data-document=\"/status/api/openapi.json\""));
        assert!(!html.contains("http") && !html.contains("style="));
        assert_eq!(html.matches("<script src=\"/status/").count(), html.matches("<script").count());
    }
}
