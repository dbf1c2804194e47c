//! The tables of what the tests must notice (`tests/protections/`) fit the sources: each text that a mutation takes away is there exactly
//! once, and the tests that must fail without it exist.
//!
//! Whether they do fail takes a build for each mutation: `scripts/test-protections` shows it; `docs/security.md` tells more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The mutations about one point of `docs/security.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    point: u32,
    about: String,
    mutation: Vec<Mutation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    name: String,
    file: String,
    old: String,
    new: String,
    /// What else must go, where one net lies under another.
    #[serde(default)]
    also: Vec<Edit>,
    /// `<binary> <test>`, each of which must fail.
    fails: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    old: String,
    new: String,
}

impl Mutation {
    /// File, old text and new text of each edit.
    fn edits(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let first = (self.file.as_str(), self.old.as_str(), self.new.as_str());
        [first].into_iter().chain(self.also.iter().map(|edit| (edit.file.as_str(), edit.old.as_str(), edit.new.as_str())))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// By the names of their files.
fn tables() -> BTreeMap<String, Table> {
    let folder = root().join("tests/protections");
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let table: Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, table)
    };
    files(&folder).into_iter().map(read).collect()
}

#[test]
fn what_a_mutation_takes_away_is_there_exactly_once() {
    let mut wrong = Vec::new();
    for (table, mutation) in tables().iter().flat_map(|(name, table)| table.mutation.iter().map(move |mutation| (name, mutation))) {
        for (file, old, new) in mutation.edits() {
            let count = fs::read_to_string(root().join(file)).map_or(0, |text| text.matches(old).count());
            if count != 1 || old == new {
                wrong.push(format!("{table}, {}: {file} has this {count} times: {old}", mutation.name));
            }
        }
    }
    assert!(wrong.is_empty(), "mend the table, or what it takes away is not tried any more:\n{}", wrong.join("\n"));
}

#[test]
fn every_point_has_mutations_and_each_has_a_name_and_tests() {
    let (mut points, mut names) = (BTreeMap::new(), BTreeSet::new());
    for (file, table) in tables() {
        assert!(!table.about.is_empty(), "{file}");
        *points.entry(table.point).or_insert(0) += table.mutation.len();
        for mutation in table.mutation {
            assert!(!mutation.fails.is_empty(), "{file}: {}", mutation.name);
            assert!(names.insert(mutation.name.clone()), "{file}: {} is there twice", mutation.name);
        }
    }
    assert_eq!(points.keys().copied().collect::<Vec<_>>(), (1..=14).collect::<Vec<_>>());
    assert!(points.values().all(|count| *count >= 2), "{points:?}");
}

#[test]
fn the_tests_that_must_notice_exist() {
    let mut known = BTreeSet::new();
    for (binary, place) in [("lib", "src"), ("it", "tests/it"), ("server_limits", "tests/server_limits"), ("cli", "tests/cli.rs")] {
        let place = root().join(place);
        let sources = if place.is_dir() { files(&place) } else { vec![place.clone()] };
        for source in sources.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
            let module = module(source.strip_prefix(&place).unwrap());
            let tests = tests(&fs::read_to_string(&source).unwrap());
            known.extend(tests.into_iter().map(|test| format!("{binary} {}", [module.as_str(), &test].join("::").trim_start_matches(':'))));
        }
    }
    let wanted: BTreeSet<String> = tables().into_values().flat_map(|table| table.mutation).flat_map(|mutation| mutation.fails).collect();
    let missing: Vec<_> = wanted.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// `live/doors.rs` as `live::doors`; the root of a binary as nothing.
fn module(path: &Path) -> String {
    let mut parts: Vec<_> = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "main", "lib"].contains(&last.as_str())) {
        parts.pop();
    }
    parts.join("::")
}

/// The tests of a file, those of its inner module `tests` by that name.
fn tests(source: &str) -> Vec<String> {
    let (mut found, mut within, mut is_test) = (Vec::new(), "", false);
    for line in source.lines().map(str::trim) {
        if line.ends_with("mod tests {") {
            within = "tests::";
        }
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            let name = rest.split_once('(').map_or(rest, |(name, _)| name);
            found.push(format!("{within}{name}"));
            is_test = false;
        }
    }
    found
}
