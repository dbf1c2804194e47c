//! The TOML file: keys and values with the lines they stand on.
//!
//! Walks the parsed document instead of deserializing into a struct: serde stops at the first unknown field, and an operator
//! should not have to run the program once per typing error.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::key::Kind;
use super::sources::Given;
use super::{Key, Origin, Problems, similar};

/// Reads the file that `source` (a flag or a variable) names; it must exist.
pub(super) fn read(source: &str, path: &Path, problems: &mut Problems) -> Vec<(Key, Given)> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path, problems),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let path = path.display();
            problems.add_at(source, format!("{path} doesn't exist; `allclear config init {path}` writes one"));
            Vec::new()
        }
        Err(error) => {
            problems.add_at(source, format!("can't read {}: {error}", path.display()));
            Vec::new()
        }
    }
}

/// What the text says, `path` being only a name for its complaints.
pub(super) fn parse(text: &str, path: &Path, problems: &mut Problems) -> Vec<(Key, Given)> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What was recovered around a syntax error is a guess; nothing more is said about this file until it reads.
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            problems.add_at(format!("{} line {line}", path.display()), error.message().replace('\n', ", "));
        }
        return Vec::new();
    }

    let mut entries: Vec<_> = document.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut given = Vec::new();
    for (name, value) in entries {
        let line = line_of(text, name.span().start);
        let name: &str = name.get_ref();
        let Some(key) = Key::from_name(name).filter(|key| key.kind() != Kind::Secret) else {
            problems.add_at(format!("{name} (in {} line {line})", path.display()), unknown(name, value.get_ref()));
            continue;
        };
        let origin = Origin::File { path: path.to_owned(), line };
        match text_of(key.kind(), value) {
            Some(text) => given.push((key, Given { text, origin })),
            None => problems.add(key, origin, wanted(key.kind())),
        }
    }
    given
}

/// The value as the other sources would have written it; `None` when TOML's type is not the setting's.
fn text_of(kind: Kind, value: &Spanned<DeValue<'_>>) -> Option<String> {
    match (kind, value.get_ref()) {
        (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
        (Kind::Number, DeValue::Integer(number)) => Some(decimal(number)),
        (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Kind::List, DeValue::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

/// TOML also writes integers as `0x…`, `0o…` and `0b…`.
fn decimal(number: &DeInteger<'_>) -> String {
    i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| number.to_string(), |value| value.to_string())
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Secret => "must be a string in quotes",
        Kind::Number => "must be a whole number without quotes",
        Kind::Switch => "must be true or false, without quotes",
        Kind::List => "must be an array of strings, such as [\"…\", \"…\"]",
    }
}

fn unknown(name: &str, value: &DeValue<'_>) -> String {
    if name == Key::BootstrapPassword.name() {
        return "a password doesn't belong in this file; name a file of its own in ALLCLEAR_BOOTSTRAP_PASSWORD_FILE".to_owned();
    }
    if value.is_table() {
        return "unknown section; all settings stand at the top level".to_owned();
    }
    let known = Key::ALL.into_iter().filter(|key| key.kind() != Kind::Secret).map(|key| key.name().to_owned());
    match similar::nearest(&name.to_lowercase().replace('-', "_"), known) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => "unknown key; `allclear config print` lists the known ones".to_owned(),
    }
}

/// The line, from 1, that a byte stands on.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
