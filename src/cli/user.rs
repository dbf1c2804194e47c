//! `user`: what an operator does for people who can't help themselves.

use std::io;

use clap::Subcommand;

use crate::config::Config;
use crate::control::{self, Reply, Request};
use crate::serve;

use super::{Exit, complain, say, with_app};

/// What `user` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a link that sets a new password; it works once, for an hour
    ResetPassword {
        /// The account's address
        email: String,
    },
}

pub(super) fn run(args: Args, config: &Config) -> Exit {
    let Action::ResetPassword { email } = args.action;
    if config.demo {
        complain("a demonstration keeps no accounts; leave it out to reach the ones in the data directory");
        return Exit::Failed;
    }
    let request = Request::ResetPassword { email };
    match control::ask(&config.data_dir, &request) {
        Ok(Some(reply)) => show(&reply, ""),
        Ok(None) => without_server(config, &request),
        Err(error) => unheard(config, &error),
    }
}

/// Opens the store as a server would, since none has it, or since it is one that many may have.
fn without_server(config: &Config, request: &Request) -> Exit {
    let place = config.store_place();
    let file = place.redb_path();
    // Opening would make an empty one, which holds nobody. Where there is no file, it is the database that knows whether it is empty.
    if let Some(file) = file.filter(|file| !file.is_file()) {
        complain(&match config.store {
            None => format!("there is no database in {}; name its directory with --data-dir", config.data_dir.display()),
            Some(_) => format!("there is no database at {}; name it with --store", file.display()),
        });
        return Exit::Failed;
    }
    let note = match file {
        Some(_) => "No server runs on this data now; the link works once one does.\n",
        None => "No server runs with this data directory now; the link works at every node on the same database.\n",
    };
    with_app(config, async |app| {
        // A link that is sealed with keys of this directory's own would open nothing.
        if let Err(error) = app.agree_on_keys().await {
            let error = serve::strange_keys(config, &error);
            complain(&error.to_string());
            return Exit::of_code(error.exit_code());
        }
        show(&control::carry_out(app, request).await, note)
    })
}

fn show(reply: &Reply, note: &str) -> Exit {
    match reply {
        Reply::Link { url, expires_at } => {
            let until = expires_at.jiff().strftime("%-d %b %Y, %H:%M UTC");
            say(&format!("This link sets a new password. It works once, until {until}:\n  {url}\n{note}"))
        }
        Reply::Error { error } => {
            complain(error);
            Exit::Failed
        }
    }
}

fn unheard(config: &Config, error: &io::Error) -> Exit {
    let socket = config.data_dir.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            complain(&format!("the server in {socket} hears its own user only: {error}; run this as that user"));
            Exit::Failed
        }
        // A socket's time-out surfaces as "resource temporarily unavailable", which misleads.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            complain(&format!("the server in {socket} doesn't answer; try again"));
            Exit::TryAgain
        }
        _ => {
            complain(&format!("the server in {socket} can't be asked: {error}; try again"));
            Exit::TryAgain
        }
    }
}
