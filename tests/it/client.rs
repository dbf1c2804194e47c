//! A client that a generator from npm makes of the OpenAPI document: validated, type-checked, and driven against a running server.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::harness::Server;

/// What a run of the client needs; `package-lock.json` pins every package by its hash.
const FILES: [&str; 6] = [".npmrc", "drive.ts", "package-lock.json", "package.json", "tsconfig.json", "validate.js"];

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_client_speaks_to_the_server() {
    let dir = copy();
    std::fs::write(dir.join("openapi.json"), allclear::api::openapi_document()).unwrap();

    run(&dir, "npm", &["ci", "--prefer-offline"]).await;
    run(&dir, "npm", &["run", "--silent", "validate"]).await;
    run(&dir, "npm", &["run", "--silent", "generate"]).await;
    run(&dir, "npm", &["run", "--silent", "check"]).await;

    let server = Server::start().await;
    run(&dir, "node", &["out/drive.js", &server.base()]).await;
    server.stop().await;
}

/// A copy to work in: the source tree stays as it is.
fn copy() -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client");
    std::fs::create_dir_all(&to).unwrap();
    for file in FILES {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to
}

async fn run(dir: &Path, program: &str, args: &[&str]) {
    let command = Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = command.unwrap_or_else(|error| {
        panic!("`{program}` can't be run ({error}): these tests need Node.js 20 with npm; on Debian, apt-get install nodejs npm")
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}:\n{out}{err}", args.join(" "));
}
