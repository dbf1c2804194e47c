//! A PostgreSQL of a test's own, which syncs as an operator's does, and can be stopped and started again under those who use it.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::engine::connect;
use super::eventually;

/// A running cluster; stopped and removed when dropped.
pub(crate) struct Cluster {
    server: Option<Child>,
    port: u16,
    dir: TempDir,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// In good order: what runs is rolled back, connections are told.
    Fast,
    /// As if the machine had lost its power, but for the disk; the next start recovers from the log.
    Immediate,
}

impl Cluster {
    /// Makes a new one and waits until it answers.
    ///
    /// # Panics
    /// Without PostgreSQL's programs; the message says what to install.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        if let Some((user, group)) = account() {
            chown(dir.path(), Some(user), Some(group)).expect("it can be given away");
        }
        let made = command("initdb")
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(dir.path().join("data"))
            .output();
        let made = made.expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut cluster = Self { server: None, port: free_port(), dir };
        cluster.run().await;
        cluster
    }

    /// The address of a database in it. There is `postgres` from the start.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops the server and starts it again; waits until it answers.
    pub(crate) async fn restart(&mut self, how: Stop) {
        // It waits for a process: the tasks of this thread go on elsewhere.
        tokio::task::block_in_place(|| self.stop(how));
        self.run().await;
    }

    /// Has it speak TLS from now on, as `localhost` and as nobody else. Answers where the certificate of its authority is.
    pub(crate) async fn encrypt(&mut self) -> PathBuf {
        let dir = self.dir.path().to_path_buf();
        authority(&dir, "ca");
        std::fs::write(dir.join("names"), "subjectAltName=DNS:localhost").expect("a file");
        openssl(&dir, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
        openssl(&dir, "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt");
        let mut settings = String::from("ssl = on\n");
        for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            if let Some((user, group)) = account() {
                chown(dir.join(file), Some(user), Some(group)).expect("it can be given away");
            }
            settings += &format!("{setting} = '{}'\n", dir.join(file).display());
        }
        let mut file = OpenOptions::new().append(true).open(dir.join("data/postgresql.conf")).expect("its settings");
        std::io::Write::write_all(&mut file, settings.as_bytes()).expect("they are written");
        self.restart(Stop::Fast).await;
        dir.join("ca.crt")
    }

    /// The certificate of an authority that has signed nothing.
    pub(crate) fn stranger(&self) -> PathBuf {
        authority(self.dir.path(), "stranger");
        self.dir.path().join("stranger.crt")
    }

    /// On which port of the loopback it is.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    async fn run(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let server = command("postgres")
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.server = Some(server.expect("postgres starts"));
        let url = self.url("postgres");
        eventually(async || {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().expect("it can be asked"));
            assert_eq!(ended, None, "the server has ended by itself");
            connect(&url).await.is_ok()
        })
        .await;
    }

    fn stop(&mut self, how: Stop) {
        if let Some(mut server) = self.server.take() {
            let signal = match how {
                Stop::Fast => Signal::INT,
                Stop::Immediate => Signal::QUIT,
            };
            // It may have ended by itself; what that means for the test, the test will notice.
            let _ = kill_process(Pid::from_child(&server), signal);
            let _ = server.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
    }
}

/// One of PostgreSQL's programs, as the user that may run it.
fn command(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    // That user may not be able to enter the present directory.
    command.current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    command
}

/// A key and a certificate that may sign others.
fn authority(dir: &Path, name: &str) {
    let made =
        "req -x509 -newkey rsa:2048 -nodes -keyout NAME.key -out NAME.crt -days 2 -subj /CN=NAME -addext basicConstraints=critical,CA:TRUE";
    openssl(dir, &made.replace("NAME", name));
}

fn openssl(dir: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).stdin(Stdio::null()).output().expect("openssl runs");
    assert!(made.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Where PostgreSQL's programs are: on the PATH, or where Debian keeps them, in a directory a version.
fn programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut of_debian: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    of_debian.sort();
    let mut folders = on_path.into_iter().chain(of_debian.into_iter().rev());
    folders
        .find(|folder| folder.join("initdb").is_file())
        .unwrap_or_else(|| panic!("no initdb on the PATH or in /usr/lib/postgresql; run: scripts/with-postgres cargo test"))
}

/// The user and group that PostgreSQL is run as where we are root, which it refuses.
fn account() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("users");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user postgres; root may not run PostgreSQL");
    let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().expect("a number"));
    let user = ids.next().expect("a user");
    Some((user, ids.next().expect("a group")))
}

/// A port below those that the kernel gives to outgoing connections: none of them may sit on it while the server is away for a moment. Each is
/// given out once, since it is free until the server takes it.
fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("a small number");
    loop {
        let port = first + GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no port is free");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
