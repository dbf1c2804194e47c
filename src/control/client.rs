//! The command line's end of the socket: plain blocking calls, for a program that does nothing else meanwhile.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{LINE_MAX, PATIENCE, Reply, Request, path_in};

/// For the server's answer: it may have others to hear first.
const ANSWER: Duration = Duration::from_secs(4 * PATIENCE.as_secs());

/// Asks the server that runs on this data directory; `None` when none does.
///
/// # Errors
/// The socket belongs to somebody else, or the server does not answer.
pub fn ask(data_dir: &Path, request: &Request) -> io::Result<Option<Reply>> {
    let mut stream = match UnixStream::connect(path_in(data_dir)) {
        Ok(stream) => stream,
        // Refused: a socket that a killed server left. Invalid: a path too long for one, so that no server can have made it.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;

    let mut answer = Vec::new();
    BufReader::new(stream.take(LINE_MAX)).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server ended the conversation without an answer"));
    }
    Ok(Some(serde_json::from_slice(&answer)?))
}
