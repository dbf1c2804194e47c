//! Log lines: one event, one line, whatever people call their services.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Installs the process's logger; everything goes to standard error.
pub(super) fn start(config: &Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut filter = EnvFilter::builder().parse(&config.log)?;
    // At their finer levels these write down what is sent to the database: documents, password hashes among them. Whatever is asked for.
    for secretive in ["tokio_postgres", "tokio_postgres::query", "tokio_postgres::simple_query", "tokio_postgres::prepare"] {
        filter = filter.add_directive(format!("{secretive}=info").parse()?);
    }
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| OneLine(io::stderr()));
    match config.log_format {
        LogFormat::Text => logger.try_init(),
        LogFormat::Json => logger.json().flatten_event(true).try_init(),
    }
}

/// Keeps each event on its line: escapes every control character in it but the newline that ends it.
///
/// Fields shown with `%` reach the output as they are, so a service named `x\nERROR …` would write a line of its own (ASVS 16.4.1).
/// Escaping where each field is recorded was the other road: one forgotten place would undo it. The formatter hands over a
/// whole event at a time, which makes this the one place that all of them pass.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (body, end) = text.strip_suffix('\n').map_or((&*text, ""), |body| (body, "\n"));
        // In one call, so that lines of several threads don't mix.
        self.0.write_all(format!("{}{end}", escaped(body)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escaped(body: &str) -> String {
    let mut line = String::with_capacity(body.len());
    for c in body.chars() {
        // U+2028 and U+2029 end a line for some viewers, JavaScript's among them.
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let memory = Memory::default();
        let writer = memory.clone();
        let logger = tracing_subscriber::fmt().with_ansi(false).with_writer(move || OneLine(writer.clone())).finish();

        tracing::subscriber::with_default(logger, || {
            let span = tracing::info_span!("request", name = %"in a span\nERROR forged");
            let _entered = span.enter();
            tracing::info!(name = %"in a field\r\nERROR forged", "in a message\u{2028}ERROR \u{1b}[31mforged");
        });

        let written = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches('\n').count(), 1, "{written}");
        assert!(written.ends_with('\n') && !written.trim_end().contains(char::is_control), "{written}");
        assert!(written.contains("in a span\\nERROR") && written.contains("in a field\\r\\nERROR"), "{written}");
        assert!(written.contains("message\\u{2028}ERROR"), "{written}");
    }
}
