//! What a one-time link shows that does not work, whatever the cause: whoever tries links learns nothing from the answer.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response};

use crate::error::{Error, Result};
use crate::pages::answer::{caller, html};
use crate::pages::shell::Shell;
use crate::pages::wants_html;
use crate::web::Web;

/// Which link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeadLink {
    /// `/invite/:token`.
    Invitation,
    /// `/reset/:token`.
    Reset,
}

#[derive(Template)]
#[template(path = "account/dead_link.html")]
struct DeadLinkPage<'a> {
    shell: &'a Shell,
    title: &'static str,
    /// What may have happened.
    why: &'static str,
    /// What to do now.
    advice: &'static str,
    /// Where to do it.
    way: Way,
    /// What else there is to do.
    other: Option<Way>,
}

/// A path, and what to call it.
type Way = (&'static str, &'static str);

const SIGN_IN: Way = ("/login", "Sign in");
const ORGANIZATIONS: Way = ("/organizations", "Your organizations");

impl<'a> DeadLinkPage<'a> {
    fn new(shell: &'a Shell, link: DeadLink, is_signed_in: bool) -> Self {
        match link {
            DeadLink::Invitation => Self {
                shell,
                title: "This invitation does not work",
                why: "It may have been used already, withdrawn, replaced by a newer one, or expired; \
                      or a part of the link was lost on its way.",
                advice: if is_signed_in {
                    "Ask the person who invited you for a new one. If you have joined already, the organization is among yours."
                } else {
                    "Ask the person who invited you for a new one. \
                     If you have joined already, sign in, and you find the organization there."
                },
                way: if is_signed_in { ORGANIZATIONS } else { ("/", "Start page") },
                other: (!is_signed_in).then_some(SIGN_IN),
            },
            DeadLink::Reset => Self {
                shell,
                title: "This link does not work",
                why: "A link to a new password works once, and not for long; or a part of it was lost on its way.",
                advice: "Your password is what it was before you opened this. Ask for a new link.",
                way: ("/forgot", "Ask for a new link"),
                // Who is in may still not know their password: the way to a new one stays the first.
                other: Some(if is_signed_in { ORGANIZATIONS } else { SIGN_IN }),
            },
        }
    }
}

/// 404: for people with what to do next, for programs as everything that does not exist.
pub(super) async fn dead_link(web: &Web, request: &Request, link: DeadLink) -> Result<Response> {
    if !wants_html(request) {
        return Err(Error::NotFound);
    }
    let is_signed_in = caller(web, request.headers()).await?.is_some();
    html(StatusCode::NOT_FOUND, &DeadLinkPage::new(web.pages.shell(), link, is_signed_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_to_do_and_leads_there() {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let page = |link| DeadLinkPage::new(&shell, link, false).render().unwrap();
        let invitation = page(DeadLink::Invitation);
        assert!(invitation.contains("Ask the person who invited you for a new one."), "{invitation}");
        assert!(invitation.contains("href=\"/status/\"") && !invitation.contains("/status/forgot"), "{invitation}");
        let reset = page(DeadLink::Reset);
        assert!(reset.contains("href=\"/status/forgot\"") && reset.contains("Ask for a new link</a>"), "{reset}");
        assert!([invitation, reset].iter().all(|page| page.contains("href=\"/status/login\"")));
    }

    #[test]
    fn nobody_is_told_to_sign_in_twice() {
        let shell = Shell { base_url: "https://example.org/status".into() };
        for link in [DeadLink::Invitation, DeadLink::Reset] {
            let page = DeadLinkPage::new(&shell, link, true).render().unwrap();
            assert!(page.contains("href=\"/status/organizations\"") && page.contains("Your organizations</a>"), "{page}");
            assert!(!page.contains("/status/login") && !page.to_lowercase().contains("sign in"), "{page}");
            assert_eq!(page.matches("button primary").count(), 1, "{page}");
        }
    }
}
