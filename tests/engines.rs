//! Which engine keeps the data is the store's business: nothing else in the program knows that there is more than one, except for the
//! settings and the commands that name it.

use std::fs;
use std::path::{Path, PathBuf};

/// The parts of `src/` that may tell the engines apart.
const KNOWING: [&str; 3] = ["store", "config", "cli"];

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether a path below `src/` belongs to a part that may know, as a folder or as a file of that name.
fn may_know(path: &Path) -> bool {
    path.iter().next().is_some_and(|first| KNOWING.iter().any(|part| Path::new(first).file_stem().is_some_and(|stem| stem == *part)))
}

#[test]
fn the_engines_are_told_apart_in_the_store_and_where_it_is_chosen_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for file in files(&src) {
        let place = file.strip_prefix(&src).unwrap();
        if may_know(place) {
            continue;
        }
        looked_at += 1;
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| line.to_lowercase().contains("postgres"));
        wrong.extend(lines.map(|(at, line)| format!("src/{}:{}: {}", place.display(), at + 1, line.trim())));
    }
    assert!(looked_at > 100, "only {looked_at} files were looked at");
    assert!(wrong.is_empty(), "this belongs behind the store's port, or among the settings:\n{}", wrong.join("\n"));
}
