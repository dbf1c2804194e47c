//! The command line: one file per subcommand, and the exit codes that they share.
//!
//! Arguments and environment are handed in by `main`, and results leave as an exit code, so that nothing here ends the process.

mod completions;
mod config;
mod exit;
mod flags;
mod healthcheck;
mod logging;
mod openapi;
mod output;
mod serve;
mod store;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::App;
use crate::config::{Config, Flags, Loaded};

pub use exit::Exit;
use flags::SettingFlags;
use output::{complain, say};

/// Tells people whether a service works: status pages, incidents and live updates from one binary.
///
/// Without a subcommand it serves. Without any configuration it listens on 127.0.0.1:8080, keeps its data in ./data and prints
/// the link that sets up the first account.
#[derive(Debug, Parser)]
#[command(name = "allclear", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    settings: SettingFlags,

    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Settings may also come from the environment (ALLCLEAR_LISTEN for --listen, or ALLCLEAR_LISTEN_FILE to name a file that holds \
the value) and from a TOML file (--config or ALLCLEAR_CONFIG).
Exit codes: 0 fine, 1 failed, 2 usage, 75 try again, 78 configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a subcommand, too)
    Serve,
    /// Ask the server at the configured address whether it is well; exit code 0 or 1
    Healthcheck,
    /// Write, check or show the configuration
    Config(config::Args),
    /// Help somebody with their account, whether the server runs or not
    User(user::Args),
    /// Move to another store, or put new keys in force
    Store(store::Args),
    /// Print the description of the JSON API (OpenAPI 3.0)
    Openapi,
    /// Print the completion script for a shell
    Completions(completions::Args),
}

/// Does what `args` (the program's name first) ask for.
pub fn run(args: impl IntoIterator<Item = OsString>, env: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return answer_of_clap(&error).into(),
    };
    let flags = Flags::from(cli.settings);
    let exit = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => with_config(flags, env, serve::run),
        Command::Healthcheck => with_config(flags, env, |loaded| healthcheck::run(&loaded.config)),
        Command::Config(args) => config::run(args, flags, env),
        Command::User(args) => with_config(flags, env, |loaded| user::run(args, &loaded.config)),
        Command::Store(args) => with_config(flags, env, |loaded| store::run(args, &loaded.config)),
        Command::Openapi => openapi::run(),
        Command::Completions(args) => completions::run(args),
    };
    exit.into()
}

/// Help and version are answers, not errors; clap tells them apart by its exit code.
fn answer_of_clap(error: &clap::Error) -> Exit {
    // Nobody is left to tell when even this can't be written.
    let _ = error.print();
    if error.exit_code() == 0 { Exit::Fine } else { Exit::Usage }
}

/// Loads the configuration for a subcommand, or says everything that is wrong with it.
fn with_config(flags: Flags, env: impl IntoIterator<Item = (OsString, OsString)>, then: impl FnOnce(Loaded) -> Exit) -> Exit {
    match Config::load(flags, env) {
        Ok(loaded) => then(loaded),
        Err(problems) => {
            complain(&format!("this configuration can't be used:\n{problems}"));
            if problems.is_usage() { Exit::Usage } else { Exit::Configuration }
        }
    }
}

/// Opens the application on the configured store as a server would, does something with it and closes it again; or says why it can't be opened.
fn with_app(config: &Config, act: impl AsyncFnOnce(&App) -> Exit) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("can't start: {error}"));
            return Exit::TryAgain;
        }
    };
    let app = match crate::serve::open_app(config) {
        Ok(app) => app,
        Err(error) => {
            complain(&error.to_string());
            return Exit::of_code(error.exit_code());
        }
    };
    let exit = runtime.block_on(act(&app));
    app.close();
    exit
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::Key;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag_but_the_bootstrap_and_the_mail_relay() {
        let command = Cli::command();
        let flags: Vec<String> = command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect();
        for key in Key::ALL {
            let flagless = matches!(key, Key::BootstrapEmail | Key::BootstrapPassword | Key::SmtpUrl);
            assert_eq!(flags.contains(&key.flag()), !flagless, "{}", key.flag());
        }
    }

    #[test]
    fn flags_reach_their_settings_before_and_after_the_subcommand() {
        for args in [
            ["allclear", "--listen=[::1]:9", "serve", "--cors-origin=a", "--cors-origin=b"],
            ["allclear", "serve", "--listen=[::1]:9", "--cors-origin=a", "--cors-origins=b"],
        ] {
            let flags = Flags::from(Cli::try_parse_from(args).unwrap().settings);
            let expected = [(Key::Listen, "[::1]:9".to_owned()), (Key::CorsOrigins, "a,b".to_owned())];
            assert_eq!(flags.values, expected);
        }
    }
}
