//! What mails say.
//!
//! Names are other people's words and reach strangers: they are cut to one line, so that no header, no direction of writing and no link of
//! theirs gets into a mail of ours. The links are the ones given, and no others.

use askama::Template;

use crate::access::Role;
use crate::clock::Timestamp;
use crate::domain::text::{Email, steers_writing};

/// The most characters of a name: as long as names may be.
const NAME_MAX: usize = 100;

/// A mail that is written but not addressed.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Who invites whom to what.
#[derive(Debug, Clone)]
pub struct InvitationMail<'a> {
    /// The invited.
    pub to: &'a Email,
    /// The organization's name.
    pub organization: &'a str,
    /// The name of whoever invites.
    pub invited_by: &'a str,
    /// What the invited will be.
    pub role: Role,
    /// Where to accept: a secret.
    pub url: &'a str,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Who may set a new password, and where.
#[derive(Debug, Clone)]
pub struct ResetMail<'a> {
    /// The account's address.
    pub to: &'a Email,
    /// Its owner.
    pub full_name: &'a str,
    /// Where to set the password: a secret.
    pub url: &'a str,
    /// For how long the link works.
    pub minutes: u32,
}

/// What the two parts of an invitation show.
struct Invitation<'a> {
    subject: &'a str,
    organization: &'a str,
    invited_by: &'a str,
    role: Role,
    until: String,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt")]
struct InvitationText<'a> {
    mail: &'a Invitation<'a>,
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct InvitationHtml<'a> {
    mail: &'a Invitation<'a>,
}

impl InvitationMail<'_> {
    pub(super) fn letter(&self) -> Result<Letter, String> {
        let (organization, invited_by) = (name(self.organization), name(self.invited_by));
        let subject = format!("{invited_by} invites you to {organization}");
        let mail = Invitation {
            subject: &subject,
            organization: &organization,
            invited_by: &invited_by,
            role: self.role,
            until: self.expires_at.jiff().strftime("%-d %b %Y, %H:%M UTC").to_string(),
            url: self.url,
        };
        let (text, html) = parts(&InvitationText { mail: &mail }, &InvitationHtml { mail: &mail })?;
        Ok(Letter { subject, text, html })
    }
}

/// What the two parts of a link for a new password show.
struct Reset<'a> {
    subject: &'a str,
    full_name: &'a str,
    to: &'a str,
    minutes: u32,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reset.txt")]
struct ResetText<'a> {
    mail: &'a Reset<'a>,
}

#[derive(Template)]
#[template(path = "mail/reset.html")]
struct ResetHtml<'a> {
    mail: &'a Reset<'a>,
}

impl ResetMail<'_> {
    pub(super) fn letter(&self) -> Result<Letter, String> {
        let subject = "Set a new password".to_owned();
        let full_name = name(self.full_name);
        let mail = Reset { subject: &subject, full_name: &full_name, to: self.to.as_str(), minutes: self.minutes, url: self.url };
        let (text, html) = parts(&ResetText { mail: &mail }, &ResetHtml { mail: &mail })?;
        Ok(Letter { subject, text, html })
    }
}

/// What the two parts of the word that a password was changed show.
struct Changed<'a> {
    subject: &'a str,
    full_name: &'a str,
    to: &'a str,
    forgot: String,
}

#[derive(Template)]
#[template(path = "mail/password_changed.txt")]
struct ChangedText<'a> {
    mail: &'a Changed<'a>,
}

#[derive(Template)]
#[template(path = "mail/password_changed.html")]
struct ChangedHtml<'a> {
    mail: &'a Changed<'a>,
}

pub(super) fn password_changed(to: &Email, full_name: &str, base_url: &str) -> Result<Letter, String> {
    let subject = "Your password was changed".to_owned();
    let full_name = name(full_name);
    let forgot = format!("{}/forgot", base_url.trim_end_matches('/'));
    let mail = Changed { subject: &subject, full_name: &full_name, to: to.as_str(), forgot };
    let (text, html) = parts(&ChangedText { mail: &mail }, &ChangedHtml { mail: &mail })?;
    Ok(Letter { subject, text, html })
}

fn parts(text: &impl Template, html: &impl Template) -> Result<(String, String), String> {
    let rendered = |part: askama::Result<String>| part.map_err(|error| error.to_string());
    // Each ends its last line, whatever the engine makes of the file's end.
    Ok((format!("{}\n", rendered(text.render())?.trim_end()), format!("{}\n", rendered(html.render())?.trim_end())))
}

/// Somebody's name as a mail carries it.
fn name(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control() || steers_writing(c))
        .filter(|word| !word.is_empty())
        .map(|word| if reads_as_link(word) { "…" } else { word })
        .collect();
    let name = words.join(" ");
    match name.char_indices().nth(NAME_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// Whether a mail program may make a link of the word, under a sender that people trust: an address of any kind, or what looks like a host's name.
/// A list of the top-level domains would spare `Node.js`; it grows by the month, and a name with a hole is better than a link of a stranger's.
fn reads_as_link(word: &str) -> bool {
    let joins_host = |(at, dot): (usize, &str)| {
        let (before, after) = (&word[..at], &word[at + dot.len()..]);
        before.ends_with(char::is_alphanumeric) && after.chars().take(2).filter(|c| c.is_alphabetic()).count() == 2
    };
    word.contains(['/', '@']) || word.match_indices('.').any(joins_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://status.example.com/sub/invite/v4.local.AbC_-x";

    fn email() -> Email {
        Email::parse("email", "grace@example.com").unwrap()
    }

    fn invitation(organization: &str, role: Role) -> Letter {
        let to = email();
        let expires_at = "2026-03-02T12:00:00Z".parse().unwrap();
        InvitationMail { to: &to, organization, invited_by: "Ada Lovelace", role, url: URL, expires_at }.letter().unwrap()
    }

    #[test]
    fn an_invitation_says_who_to_what_as_what_where_and_until_when() {
        let letter = invitation("Acme & Söhne", Role::Responder);
        assert_eq!(letter.subject, "Ada Lovelace invites you to Acme & Söhne");
        for word in ["Ada Lovelace", "Acme & Söhne", "responder", URL, "2 Mar 2026, 12:00 UTC", "once"] {
            assert!(letter.text.contains(word), "{word} is missing from: {}", letter.text);
        }
        for word in ["Ada Lovelace", "Acme &#38; Söhne", "responder", "2 Mar 2026, 12:00 UTC", &format!("href=\"{URL}\"")] {
            assert!(letter.html.contains(word), "{word} is missing from: {}", letter.html);
        }
        for role in Role::ALL {
            let letter = invitation("Acme", role);
            for part in [letter.text, letter.html] {
                assert!(part.contains(role.holder()) && part.contains(role.may()), "{part}");
            }
        }
    }

    #[test]
    fn a_hostile_name_stays_one_harmless_line() {
        let evil = "Acme\r\nBcc: x@evil.example\u{202e} <script>alert(1) https://evil.example WWW.evil.example";
        let letter = invitation(evil, Role::Viewer);
        assert_eq!(letter.subject, "Ada Lovelace invites you to Acme Bcc: … <script>alert(1) … …");
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        for part in [&letter.text, &letter.html] {
            assert_eq!(part.matches("://").count(), part.matches("https://status.example.com/").count(), "{part}");
        }
    }

    #[test]
    fn no_name_becomes_a_link() {
        assert_eq!(name("Account locked – go to secure-acme.com/verify"), "Account locked – go to …");
        for link in ["acme.com", "(acme.com)", "1und1.de!", "ACME.CO.UK", "пример.рф", "ada@acme", "acme/verify", "ftp://acme", "www.acme"]
        {
            assert_eq!(name(&format!("Acme {link} Ltd")), "Acme … Ltd", "{link}");
        }
        for fine in ["Acme Inc. & Co.", "St. Gallen", "Version 2.0", "v1.2b", "R. & D.", "… and more", ".com", "J.R."] {
            assert_eq!(name(fine), fine);
        }
    }

    #[test]
    fn a_long_name_ends() {
        assert_eq!(name(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(name(&"é".repeat(101)), format!("{}…", "é".repeat(100)));
        assert_eq!(name(" \n "), "");
    }

    #[test]
    fn a_new_password_has_its_link_and_its_hour() {
        let (to, url) = (email(), "https://status.example.com/reset/v4.local.x");
        let letter = ResetMail { to: &to, full_name: "Grace", url, minutes: 60 }.letter().unwrap();
        for part in [&letter.text, &letter.html] {
            for word in ["Grace", "grace@example.com", url, "60 minutes"] {
                assert!(part.contains(word), "{word} is missing from: {part}");
            }
        }
    }

    #[test]
    fn word_of_a_changed_password_leads_to_another_one() {
        for base in ["https://status.example.com/sub", "https://status.example.com/sub/"] {
            let letter = password_changed(&email(), "Grace", base).unwrap();
            for part in [&letter.text, &letter.html] {
                assert!(part.contains("https://status.example.com/sub/forgot") && part.contains("grace@example.com"), "{part}");
            }
        }
    }
}
