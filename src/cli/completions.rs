//! `completions`: scripts that teach a shell our words.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, say};

/// What `completions` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell to write for
    shell: Shell,
}

pub(super) fn run(args: Args) -> Exit {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "allclear", &mut script);
    say(&String::from_utf8_lossy(&script))
}
