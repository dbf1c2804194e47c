//! The program: hands the process's arguments and environment to [`allclear::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    allclear::cli::run(std::env::args_os(), std::env::vars_os())
}
