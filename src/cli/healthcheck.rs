//! `healthcheck`: one GET over a plain socket, for containers that hold nothing but this binary.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;

use super::{Exit, complain, say};

/// For each step: connecting, asking, hearing the first line.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(config: &Config) -> Exit {
    let address = config.local_address();
    match ask(address) {
        Ok(200) => say("healthy"),
        Ok(status) => {
            complain(&format!("http://{address}/healthz answers {status}"));
            Exit::Failed
        }
        Err(error) => {
            // A socket's time-out surfaces as "resource temporarily unavailable", which misleads.
            let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            let why = if late { format!("nothing within {PATIENCE:?}") } else { error.to_string() };
            complain(&format!("http://{address}/healthz doesn't answer: {why}"));
            Exit::Failed
        }
    }
}

/// The status that the server answers with.
fn ask(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;

    // Bounded, so that something else on that port can't make us read for ever.
    let mut status_line = String::new();
    BufReader::new(stream.take(256)).read_line(&mut status_line)?;
    status_of(&status_line).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP"))
}

/// `HTTP/1.1 200 OK` (RFC 9112, 4) gives 200.
fn status_of(line: &str) -> Option<u16> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_told_from_noise() {
        assert_eq!(status_of("HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status_of("HTTP/1.0 503\r\n"), Some(503));
        assert_eq!(status_of("SSH-2.0-OpenSSH_9.2\r\n"), None);
        assert_eq!(status_of(""), None);
    }
}
