//! What others wrote is served as they published it, and nothing else lies in `assets/vendor`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vendored {
    file: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    version: String,
    file: String,
    sha256: String,
    licence: String,
    licence_file: String,
    notice_file: Option<String>,
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

fn vendored() -> Vec<Entry> {
    let text = fs::read_to_string(assets().join("vendor.toml")).unwrap();
    toml::from_str::<Vendored>(&text).unwrap().file
}

#[test]
fn vendored_files_are_unchanged() {
    for entry in vendored() {
        let bytes = fs::read(assets().join(&entry.file)).unwrap();
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, entry.sha256, "{} {}: {} differs from what was published", entry.name, entry.version, entry.file);
    }
}

#[test]
fn every_vendored_file_is_listed_and_licensed() {
    let mut listed = BTreeSet::new();
    for entry in vendored() {
        assert!(["0BSD", "Apache-2.0", "ISC", "MIT"].contains(&entry.licence.as_str()), "{}: {}", entry.name, entry.licence);
        listed.extend([entry.file, entry.licence_file]);
        listed.extend(entry.notice_file);
    }
    let there: BTreeSet<String> = fs::read_dir(assets().join("vendor"))
        .unwrap()
        .map(|file| format!("vendor/{}", file.unwrap().file_name().to_string_lossy()))
        .collect();
    assert_eq!(there, listed);
}
