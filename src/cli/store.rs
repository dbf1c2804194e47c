//! `store`: moving to another engine, and putting new keys in force.

use std::io::{IsTerminal as _, Write as _};

use clap::Subcommand;

use crate::access::Actor;
use crate::config::{Config, PostgresUrl, StorePlace};
use crate::store::OpenError;
use crate::store::copy::{Copied, CopyError, copy};

use super::{Exit, complain, say, with_app};

/// What `store` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy everything from a file into an empty database; an interrupted copy goes on where it stopped
    ///
    /// The server on that file must be stopped. The file stays as it is, but that one of an older version is brought to this one's schema first, which
    /// the older version can't read: keep a copy of it. In the end both sides are counted and summed, and only if they agree can
    /// the database be used. The file with the keys is not part of it: give it to every node with --key-file.
    Copy {
        /// Where the data is now, such as redb:./data/allclear.redb
        // Texts, not parsed values: clap repeats what it can't parse, and a password may stand in it.
        #[arg(long, value_name = "redb:PATH")]
        from: String,
        /// Where it is to go [default: the configured store, so that no password stands on the command line]
        #[arg(long, value_name = "postgres://…")]
        to: Option<String>,
    },
    /// Make this node's keys those of all nodes, when the old file is lost; everyone has to sign in again
    ///
    /// Stop all nodes first: one that runs goes on with the old keys until it is restarted.
    AdoptKeys,
}

pub(super) fn run(args: Args, config: &Config) -> Exit {
    match args.action {
        Action::Copy { from, to } => run_copy(&from, to.as_deref(), config),
        Action::AdoptKeys => adopt_keys(config),
    }
}

fn run_copy(from: &str, to: Option<&str>, config: &Config) -> Exit {
    let from = match from.parse::<StorePlace>() {
        Ok(StorePlace::Redb(path)) => path,
        Ok(StorePlace::Postgres(_)) => {
            return usage("--from names a database; a copy is made of a file, such as redb:./data/allclear.redb");
        }
        Err(error) => return usage(&format!("--from {error}")),
    };
    let to = match to.map(str::parse::<PostgresUrl>) {
        Some(Ok(url)) => url,
        Some(Err(error)) => return usage(&format!("--to {error}")),
        None => match config.store_place() {
            StorePlace::Postgres(url) => url,
            StorePlace::Redb(_) => {
                return usage("--to is missing, and the configured store is a file; name such as postgres://host/database");
            }
        },
    };
    // A line that writes over itself is for eyes; a log gets the end alone.
    let watched = std::io::stderr().is_terminal();
    let copied = copy(&from, &to, |done, total| {
        if watched {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r{done} of {total}").and_then(|()| err.flush());
        }
    });
    if watched {
        let _ = writeln!(std::io::stderr());
    }
    match copied {
        Ok(copied) => say(&told(&copied, &to)),
        Err(error) => {
            complain(&error.to_string());
            match error {
                CopyError::Open(OpenError::InUse(_) | OpenError::Away { .. }) | CopyError::Stopped(_) => Exit::TryAgain,
                CopyError::Open(OpenError::Newer { .. } | OpenError::Refused { .. }) => Exit::Configuration,
                _ => Exit::Failed,
            }
        }
    }
}

fn told(copied: &Copied, to: &PostgresUrl) -> String {
    let mut words = String::new();
    for (kind, count) in &copied.counts {
        words += &format!("{count:>12}  {kind}\n");
    }
    let taken_up = if copied.resumed { "The copy that was begun earlier went on, and " } else { "" };
    let both = if taken_up.is_empty() { "Both" } else { "both" };
    words
        + &format!(
            "{taken_up}{both} sides are the same: counted and summed (SHA-256 {}).\nStart the nodes on {to} (its URL in a file that ALLCLEAR_STORE_FILE \
             names) with the key file of the old data directory.\n",
            copied.checksum
        )
}

fn adopt_keys(config: &Config) -> Exit {
    if config.demo {
        complain("a demonstration keeps no keys; leave it out to reach the store that is configured");
        return Exit::Failed;
    }
    with_app(config, async |app| match app.adopt_keys(Actor::System("keys")).await {
        Ok(()) => say(&format!(
            "The keys in {} are those of all nodes now. Restart every node with this file; everyone has to sign in again.\n",
            config.key_path().display()
        )),
        Err(error) => {
            complain(&format!("the keys can't be put in force: {error}"));
            Exit::Failed
        }
    })
}

fn usage(words: &str) -> Exit {
    complain(words);
    Exit::Usage
}
