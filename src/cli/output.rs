//! Writing to the terminal without panicking when nobody reads: `println!` does in `allclear openapi | head`.

use std::io::{self, Write as _};

use super::Exit;

/// Writes `text` to standard output; a final newline is added when it has none.
pub(super) fn say(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
        Ok(()) => Exit::Fine,
        // The reader has had enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            complain(&format!("can't write to standard output: {error}"));
            Exit::Failed
        }
    }
}

/// Writes `allclear: text` to standard error, further lines indented.
pub(super) fn complain(text: &str) {
    // There is no third place to complain at when this fails.
    let _ = writeln!(io::stderr(), "allclear: {}", text.trim_end().replace('\n', "\n  "));
}
