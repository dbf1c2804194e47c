//! Texts that people type, parsed at the door.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most characters of a Markdown message.
pub const MESSAGE_MAX: usize = 20_000;

/// Embeddings, overrides and isolates (Unicode Standard Annex 9): they reach beyond the text that they stand in, and turn what others wrote.
pub(crate) fn steers_writing(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of text: trimmed, without control characters and those that steer the direction of writing, `min` to `max` characters long.
///
/// # Errors
/// `Invalid` naming the field.
pub fn line(field: &str, text: &str, min: usize, max: usize) -> Result<String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must be one line without control characters"));
    }
    if text.chars().any(steers_writing) {
        return Err(Error::invalid(field, "must not have hidden characters that turn the direction of writing"));
    }
    if !(min..=max).contains(&text.chars().count()) {
        return Err(Error::invalid(field, format!("must be {min} to {max} characters long")));
    }
    Ok(text.to_owned())
}

/// Text of several lines: line ends become `\n`, other control characters but tabs are refused (NUL above all, which no engine stores), outer blanks go.
///
/// # Errors
/// `Invalid` naming the field.
pub fn paragraphs(field: &str, text: &str, min: usize, max: usize) -> Result<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Error::invalid(field, "must not contain control characters"));
    }
    if !(min..=max).contains(&text.chars().count()) {
        let limit =
            if min == 0 { format!("must be at most {max} characters long") } else { format!("must be {min} to {max} characters long") };
        return Err(Error::invalid(field, limit));
    }
    Ok(text.to_owned())
}

/// An email address, as far as a program can tell: one `@`, a dot in the domain, no blanks; kept in lower case, so that one person has one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Email(String);

impl Email {
    /// Parses what someone typed.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        let fine = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c))
            && text.split_once('@').is_some_and(|(local, domain)| {
                (1..=64).contains(&local.len())
                    && !domain.contains('@')
                    && domain.split('.').count() > 1
                    && domain.split('.').all(|label| !label.is_empty())
            });
        if fine { Ok(Self(text)) } else { Err(Error::invalid(field, "must be an email address such as ada@example.com")) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A slug made of a name: lower-case ASCII letters, digits and single hyphens, 1 to 48 characters; `page` where nothing is left of the name.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' => slug.push('a'),
            'è' | 'é' | 'ê' | 'ë' => slug.push('e'),
            'ì' | 'í' | 'î' | 'ï' => slug.push('i'),
            'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' => slug.push('o'),
            'ü' | 'ù' | 'ú' | 'û' => slug.push('u'),
            'ç' => slug.push('c'),
            'ñ' => slug.push('n'),
            'ß' => slug.push_str("ss"),
            '\'' | '’' => {}
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(48);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "page".into() } else { slug.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        for (name, expected) in
            [("Acme Inc.", "acme-inc"), ("  Ünï--çødé's ", "uni-codes"), ("日本", "page"), ("a/../b", "a-b"), ("-x-", "x")]
        {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert_eq!(slug(&"long ".repeat(40)).len(), 47 + usize::from(slug(&"long ".repeat(40)).len() == 48));
    }

    #[test]
    fn emails_are_folded_and_checked() {
        assert_eq!(Email::parse("email", " Ada@Example.COM ").unwrap().as_str(), "ada@example.com");
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "a b@example.com",
            "ada@@example.com",
            "ada@exa\r\nmple.com",
            "ada@example..com",
            "<ada@example.com>",
        ] {
            assert!(Email::parse("email", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("name", "  API ", 1, 200).unwrap(), "API");
        for bad in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(201)] {
            assert!(line("name", bad, 1, 200).is_err(), "{bad:?}");
        }
        assert_eq!(line("name", &"é".repeat(200), 1, 200).unwrap().chars().count(), 200);
        for steering in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            assert!(line("name", &format!("a{steering}b"), 1, 200).is_err(), "{steering:?}");
        }
        // What is written from right to left needs none of them, and the marks beside it reach nowhere.
        for fine in ["حالة الخدمة", "שירות API", "a\u{200f}b\u{200e}c"] {
            assert_eq!(line("name", fine, 1, 200).unwrap(), fine);
        }
        assert_eq!(paragraphs("message", "a\r\nb\u{9}c ", 1, 10).unwrap(), "a\nb\tc");
        assert!(paragraphs("message", "a\u{0}", 1, 10).is_err());
    }
}
