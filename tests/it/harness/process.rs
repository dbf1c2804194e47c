//! The real program, as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{Client, PATIENCE, engine};

/// A running program; killed when dropped.
pub(crate) struct Process {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    base: String,
    dir: PathBuf,
}

impl Process {
    /// Starts the program in `dir` on a free port, on the engine that the journeys run on, with no environment but `envs`. What it keeps is
    /// in `dir/data`, or in a database of this directory's own; started there again, it finds that. Its log goes to `dir/log`.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub(crate) async fn spawn(dir: &Path, args: &[&str], envs: &[(&str, &str)]) -> Self {
        let flags = engine::flags(dir).await;
        let args: Vec<&str> = flags.iter().map(String::as_str).chain(args.iter().copied()).collect();
        Self::run(dir, &args, envs).await
    }

    /// As [`spawn`](Self::spawn), with these flags alone, whatever the engine.
    pub(crate) async fn run(dir: &Path, args: &[&str], envs: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("a log");
        let mut child =
            program(dir, args).envs(envs.iter().copied()).stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let base = match word_with(&mut out, "http://127.0.0.1:").await {
            Some(base) => base,
            None => panic!("it never said where it listens: {}", std::fs::read_to_string(dir.join("log")).unwrap_or_default()),
        };
        Self { child, out, base, dir: dir.to_path_buf() }
    }

    /// Runs a program that ends by itself, or does not start: its exit code, and what it said.
    ///
    /// # Panics
    /// When it goes on.
    pub(crate) async fn ended(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
        let ended = tokio::time::timeout(PATIENCE, program(dir, args).output()).await;
        let output = ended.expect("it ends").expect("the program starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Whether it is the same program still.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The path of the setup link that it printed.
    pub(crate) async fn setup_path(&mut self) -> String {
        let link = word_with(&mut self.out, "/setup/").await.expect("a setup link");
        link.strip_prefix(&self.base).expect("a link to this server").to_owned()
    }

    /// Someone without a session.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.base.clone())
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).expect("a log")
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it dies");
    }

    /// SIGTERM; the exit code, `None` if it ended by a signal.
    ///
    /// # Panics
    /// When it does not end.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
        kill_process(id, Signal::TERM).expect("it is ours");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").expect("it can be waited for").code()
    }
}

/// The program, to be started in `dir` on a free port with an empty environment.
fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allclear"));
    command.args(["--listen", "127.0.0.1:0"]).args(args).current_dir(dir).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The word that contains `part`, in the next line that has one.
async fn word_with(out: &mut Lines<BufReader<ChildStdout>>, part: &str) -> Option<String> {
    let reading = async {
        while let Ok(Some(line)) = out.next_line().await {
            if let Some(word) = line.split_whitespace().find(|word| word.contains(part)) {
                return Some(word.to_owned());
            }
        }
        None
    };
    tokio::time::timeout(PATIENCE, reading).await.ok().flatten()
}
