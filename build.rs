//! Prepares the embedded assets: copies `assets/` into `OUT_DIR` under names that carry a hash of the content, beside compressed twins
//! where those pay, and writes the list that the crate looks names up in.

use std::{
    env, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// From how many bytes on a file is embedded compressed alone.
const LARGE: usize = 128 * 1024;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build.rs");

    let source = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("assets");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = out.join("assets");
    if target.exists() {
        // A file that was renamed or removed must not stay embedded.
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir_all(&target)?;

    let mut manifest: Vec<(String, String)> = Vec::new();
    for name in names(&source)? {
        let content = fs::read(source.join(&name))?;
        let hashed = hashed_name(&name, &content);
        let mut twins = 0;
        for (extension, compressed) in [("br", brotli(&content)?), ("gz", gzip(&content)?)] {
            // Images and fonts are compressed already; less than a twentieth is not worth another file.
            if compressed.len() < content.len() - content.len() / 20 {
                write(&target.join(format!("{hashed}.{extension}")), &compressed)?;
                twins += 1;
            }
        }
        // Every browser takes one of the twins: whoever does not is given the large ones unpacked, rather than everybody a larger program.
        if twins < 2 || content.len() < LARGE {
            write(&target.join(&hashed), &content)?;
        }
        manifest.push((name, format!("/assets/{hashed}")));
    }
    manifest.sort();
    fs::write(out.join("assets_manifest.rs"), format!("&{manifest:?}"))
}

/// The files of `assets/` by their relative paths, with `/` whatever the platform.
fn names(source: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(source)
                .map_err(io::Error::other)?
                .to_str()
                .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", path.display())))?
                .replace('\\', "/");
            if is_served(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Papers about the assets are none.
fn is_served(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_paper = file == "vendor.toml" || ["LICENSE", "NOTICE"].iter().any(|word| file.contains(word)) || file.ends_with(".md");
    // The twins' own endings would be ambiguous.
    let is_twin = file.ends_with(".br") || file.ends_with(".gz");
    file.contains('.') && !file.starts_with('.') && !is_paper && !is_twin
}

/// `page.css` → `page.1a2b3c4d.css`.
fn hashed_name(name: &str, content: &[u8]) -> String {
    let hash: String = Sha256::digest(content).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.{hash}.{extension}"),
        None => format!("{name}.{hash}"),
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    // Quality 9: 11 saves some per cent more and takes ten times as long, on every build.
    let mut compressor = brotli::CompressorWriter::new(Vec::new(), 4096, 9, 22);
    compressor.write_all(content)?;
    Ok(compressor.into_inner())
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = GzEncoder::new(Vec::new(), Compression::best());
    compressor.write_all(content)?;
    compressor.finish()
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
