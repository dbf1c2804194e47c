//! The server's end of the socket.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::{LINE_MAX, PATIENCE, Reply, Request, carry_out, path_in};
use crate::app::App;
use crate::http::Shutdown;

/// The socket, removed when dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket of this data directory. The directory must be this server's alone, as it is where the store's file
    /// in it is locked: then a socket that is there already is nobody's any more.
    ///
    /// # Errors
    /// What the system says: above all, that the path is longer than a socket's may be.
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        let path = path_in(data_dir);
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no socket has this name")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = Self { listener: UnixListener::bind(&path)?, path };
        // Whoever is quicker than this line is still asked who they are.
        std::fs::set_permissions(&socket.path, Permissions::from_mode(0o600))?;
        Ok(socket)
    }

    /// Answers until the server stops. One caller at a time: each has a few seconds, and only this user's own programs get so far.
    pub async fn serve(self, app: App, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.stopping() => {}
            () = self.answer_all(&app) => {}
        }
    }

    async fn answer_all(&self, app: &App) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = converse(stream, app).await {
                        tracing::debug!(%error, "a caller on the control socket got no answer");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket can't be served now");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}

async fn converse(mut stream: UnixStream, app: &App) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    if caller != rustix::process::geteuid().as_raw() && caller != 0 {
        tracing::warn!(caller, "another user tried the control socket");
        return Ok(());
    }
    let (read, mut write) = stream.split();
    let (mut lines, mut line) = (BufReader::new(read.take(LINE_MAX)), Vec::new());
    let heard = timeout(PATIENCE, lines.read_until(b'\n', &mut line)).await;
    let reply = match heard {
        Err(_) => Reply::error(format!("no line came within {PATIENCE:?}")),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(_)) => answer(&line, app).await,
    };
    let mut words = serde_json::to_vec(&reply)?;
    words.push(b'\n');
    timeout(PATIENCE, write.write_all(&words)).await?
}

pub(super) async fn answer(line: &[u8], app: &App) -> Reply {
    if !line.ends_with(b"\n") {
        return Reply::error(format!("a command is one line of at most {LINE_MAX} bytes"));
    }
    match serde_json::from_slice::<Request>(line) {
        Ok(request) => carry_out(app, &request).await,
        Err(error) => Reply::error(format!("this server does not know the command: {error}")),
    }
}
