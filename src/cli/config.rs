//! `config`: the file to begin with, and what it comes to.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::config::{EXAMPLE, Flags};

use super::{Exit, complain, say, with_config};

/// What `config` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a commented file with every setting and its default
    Init {
        /// Where to write; an existing file is left alone
        #[arg(default_value = "config.toml")]
        path: PathBuf,
    },
    /// Say what is wrong with the configuration, everything at once
    Check,
    /// Show the settings in force, each with its source
    Print,
}

pub(super) fn run(args: Args, flags: Flags, env: impl IntoIterator<Item = (OsString, OsString)>) -> Exit {
    match args.action {
        Action::Init { path } => init(&path),
        Action::Check => with_config(flags, env, |_| say("The configuration can be used.")),
        Action::Print => with_config(flags, env, |loaded| say(&loaded.print())),
    }
}

fn init(path: &Path) -> Exit {
    // `create_new` decides and creates at once: no other program's file can slip in between. It may come to hold names of
    // hosts and people, so it is for its owner alone.
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| file.write_all(EXAMPLE.as_bytes()));
    let path = path.display();
    match written {
        Ok(()) => say(&format!("Wrote {path}. Start with: allclear --config {path}")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            complain(&format!("{path} exists already and was left as it is; name another file, or move it away"));
            Exit::Failed
        }
        Err(error) => {
            complain(&format!("can't write {path}: {error}"));
            Exit::Failed
        }
    }
}
