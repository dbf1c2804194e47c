//! `serve`: logging and the runtime, around the server itself.

use std::time::Duration;

use crate::config::Loaded;

use super::{Exit, complain, logging};

/// How long leftover blocking work may hold up the exit once the server has drained.
const LEFTOVERS: Duration = Duration::from_secs(1);

pub(super) fn run(loaded: Loaded) -> Exit {
    let config = loaded.config;
    if let Err(error) = logging::start(&config) {
        complain(&format!("can't start logging: {error}"));
        return Exit::Failed;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("allclear").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("can't start the worker threads: {error}"));
            return Exit::TryAgain;
        }
    };
    let served = runtime.block_on(crate::serve::run(config));
    // Dropping the runtime would wait for ever on a blocking task that hangs in the file system.
    runtime.shutdown_timeout(LEFTOVERS);
    match served {
        Ok(()) => Exit::Fine,
        Err(error) => {
            complain(&error.to_string());
            Exit::of_code(error.exit_code())
        }
    }
}
