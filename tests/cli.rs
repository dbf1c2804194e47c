//! The program as an operator's shell sees it: arguments in, text and exit code out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What a run came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program in `dir` with no environment but `env`.
fn allclear(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_allclear"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

fn desk() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn version_and_help_are_answers() {
    let dir = desk();

    let version = allclear(dir.path(), &["--version"], &[]);
    assert_eq!((version.code, version.out.trim()), (Some(0), concat!("allclear ", env!("CARGO_PKG_VERSION"))));

    let help = allclear(dir.path(), &["--help"], &[]);
    assert_eq!(help.code, Some(0));
    for word in ["serve", "healthcheck", "config", "user", "openapi", "completions", "--listen", "--data-dir", "78"] {
        assert!(help.out.contains(word), "{word} is missing from: {}", help.out);
    }
}

#[test]
fn nonsense_on_the_command_line_is_a_usage_error() {
    let dir = desk();
    for args in [&["dance"][..], &["--lisen", "x"], &["--registration", "sometimes"], &["--listen", "8080"]] {
        let ran = allclear(dir.path(), args, &[]);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(args[args.len() - 1]), "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_bad_configuration_stops_every_subcommand_that_needs_it() {
    let dir = desk();
    std::fs::write(dir.path().join("bad.toml"), "\nlisten = \"here\"\nlog_fromat = \"json\"\n").unwrap();
    for command in [&["--config", "bad.toml"][..], &["serve", "--config", "bad.toml"], &["config", "check", "--config=bad.toml"]] {
        let ran = allclear(dir.path(), command, &[("ALLCLEAR_REGISTRATION", "sometimes")]);
        assert_eq!(ran.code, Some(78), "{}", ran.err);
        for word in ["listen (in bad.toml line 2)", "log_fromat (in bad.toml line 3)", "log_format", "ALLCLEAR_REGISTRATION"] {
            assert!(ran.err.contains(word), "{word} is missing from: {}", ran.err);
        }
    }
    let left_behind = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left_behind, 1, "nothing but bad.toml");
}

#[test]
fn config_init_writes_a_file_that_works_and_never_overwrites() {
    let dir = desk();
    let path = dir.path().join("config.toml");

    let first = allclear(dir.path(), &["config", "init"], &[]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert!(first.out.contains("allclear --config config.toml"), "{}", first.out);
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, allclear::config::EXAMPLE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(allclear(dir.path(), &["config", "check", "--config", "config.toml"], &[]).code, Some(0));

    std::fs::write(&path, "log = \"warn\"").unwrap();
    let second = allclear(dir.path(), &["config", "init"], &[]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("exists already"), "{}", second.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "log = \"warn\"");

    assert_eq!(allclear(dir.path(), &["config", "init", "no/such/dir/a.toml"], &[]).code, Some(1));
    assert_eq!(allclear(dir.path(), &["config", "init", "other.toml"], &[]).code, Some(0));
}

#[test]
fn config_print_names_the_source_of_each_value() {
    let dir = desk();
    std::fs::write(dir.path().join("config.toml"), "log = \"warn\"").unwrap();
    std::fs::write(dir.path().join("secret"), "correct horse battery").unwrap();
    let env = [
        ("ALLCLEAR_CONFIG", "config.toml"),
        ("ALLCLEAR_DATA_DIR", "/srv/allclear"),
        ("ALLCLEAR_BOOTSTRAP_EMAIL", "ada@example.com"),
        ("ALLCLEAR_BOOTSTRAP_PASSWORD_FILE", "secret"),
        ("ALLCLEAR_SERVICE_HOST", "10.0.0.1"),
    ];

    let ran = allclear(dir.path(), &["config", "print", "--listen", "[::1]:9"], &env);

    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let line = |key: &str| ran.out.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("{key} in {}", ran.out));
    assert!(line("listen = ").starts_with("listen = \"[::1]:9\"") && line("listen = ").ends_with("# --listen"));
    assert!(line("data_dir").ends_with("# ALLCLEAR_DATA_DIR"));
    assert!(line("log = ").ends_with("# config.toml line 1"));
    assert!(line("registration").ends_with("# default"));
    assert!(line("bootstrap_password").ends_with("# ALLCLEAR_BOOTSTRAP_PASSWORD_FILE"));
    assert!(!ran.out.contains("correct horse"));
}

#[test]
fn the_demonstration_is_a_switch_like_any_setting() {
    let dir = desk();
    let shown = |args: &[&str], env: &[(&str, &str)]| {
        let ran = allclear(dir.path(), &[&["config", "print"][..], args].concat(), env);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out.lines().find(|line| line.starts_with("demo = ")).expect("a line").to_owned()
    };
    assert!(shown(&[], &[]).starts_with("demo = false ") && shown(&[], &[]).ends_with("# default"));
    assert!(shown(&["--demo"], &[]).starts_with("demo = true ") && shown(&["--demo"], &[]).ends_with("# --demo"));
    assert!(shown(&[], &[("ALLCLEAR_DEMO", "true")]).ends_with("# ALLCLEAR_DEMO"));
    assert!(shown(&["--demo"], &[("ALLCLEAR_DEMO", "false")]).starts_with("demo = true "), "a flag beats a variable");
    let refused = allclear(dir.path(), &["config", "check"], &[("ALLCLEAR_DEMO", "maybe")]);
    assert_eq!(refused.code, Some(78));
    assert!(refused.err.contains("ALLCLEAR_DEMO") && refused.err.contains("neither true nor false"), "{}", refused.err);
    assert_eq!(allclear(dir.path(), &["--front-page", "home"], &[]).code, Some(2));
}

#[test]
fn healthcheck_follows_the_answer() {
    let dir = desk();
    for (answer, code) in [("HTTP/1.1 200 OK\r\n\r\n", 0), ("HTTP/1.1 503 Service Unavailable\r\n\r\n", 1), ("SSH-2.0\r\n", 1), ("", 1)] {
        let (address, asked) = answers_once(answer);
        let everywhere = format!("0.0.0.0:{}", address.port());
        let ran = allclear(dir.path(), &["healthcheck"], &[("ALLCLEAR_LISTEN", everywhere.as_str())]);
        assert_eq!(ran.code, Some(code), "{answer:?}: {}{}", ran.out, ran.err);
        assert_eq!(asked.join().unwrap(), "GET /healthz HTTP/1.1\r\n");
    }

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(allclear(dir.path(), &["healthcheck", "--listen", &nobody.to_string()], &[]).code, Some(1));
}

/// A server for one connection; gives its address and, in the end, the first line that it was sent.
fn answers_once(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        // The whole head is read first: closing on unread bytes would reset the connection.
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        stream.write_all(answer.as_bytes()).unwrap();
        first
    });
    (address, asked)
}

#[test]
fn openapi_prints_the_document_without_a_configuration() {
    let dir = desk();
    let ran = allclear(dir.path(), &["openapi"], &[("ALLCLEAR_NONSENSE", "1")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0")), "{}", document["openapi"]);
    assert!(document["paths"].as_object().is_some_and(|paths| !paths.is_empty()));
}

#[test]
fn completions_know_our_words() {
    let dir = desk();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = allclear(dir.path(), &["completions", shell], &[]);
        assert_eq!(ran.code, Some(0), "{shell}: {}", ran.err);
        assert!(ran.out.contains("healthcheck") && ran.out.contains("data-dir"), "{shell}");
    }
    assert_eq!(allclear(dir.path(), &["completions", "tcsh"], &[]).code, Some(2));
}

/// A running server, killed when dropped.
struct Serving {
    child: Child,
    /// `http://127.0.0.1:<port>`.
    base: String,
}

impl Serving {
    /// Starts one in `dir` that has an operator, `ada@example.com`, and waits until it listens.
    fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// The same, told more by its environment.
    fn start_with(dir: &Path, env: &[(&str, &str)]) -> Self {
        std::fs::write(dir.join("password"), "tangerine-otter-plinth").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_allclear"))
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(dir)
            .env_clear()
            .envs([("ALLCLEAR_BOOTSTRAP_EMAIL", "ada@example.com"), ("ALLCLEAR_BOOTSTRAP_PASSWORD_FILE", "password")])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let base = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).map(str::to_owned);
        Self { child, base: base.unwrap_or_else(|| panic!("it never said where it listens: {line}")) }
    }

    /// SIGTERM; the exit code.
    fn stop(mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("it runs");
        kill_process(id, Signal::TERM).expect("it is ours");
        self.child.wait().expect("it ends").code()
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().expect("it dies");
        self.child.wait().expect("it can be waited for");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_forgotten_password_is_reset_through_the_running_server_or_without_one() {
    let dir = desk();
    let socket = dir.path().join("data/control.sock");
    let reset = |email: &str| allclear(dir.path(), &["user", "reset-password", email], &[]);

    let serving = Serving::start(dir.path());
    assert_eq!(std::fs::metadata(&socket).expect("a socket").permissions().mode() & 0o777, 0o600);
    let asked = reset("Ada@Example.com");
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert!(asked.out.contains(&format!("{}/reset/", serving.base)) && asked.out.contains("UTC"), "{}", asked.out);
    let unknown = reset("eve@example.com");
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert!(unknown.err.contains("nobody here has the address eve@example.com"), "{}", unknown.err);
    let nonsense = reset("eve");
    assert_eq!(nonsense.code, Some(1));
    assert!(nonsense.err.contains("ada@example.com"), "{}", nonsense.err);
    assert_eq!(serving.stop(), Some(0));
    assert!(!socket.exists(), "it was left behind");

    let alone = allclear(dir.path(), &["user", "reset-password", "ada@example.com", "--base-url=https://status.example.com/sub"], &[]);
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    assert!(alone.out.contains("  https://status.example.com/sub/reset/") && alone.out.contains("No server runs"), "{}", alone.out);
    assert_eq!(reset("eve@example.com").code, Some(1));
}

#[test]
fn a_killed_servers_socket_is_in_nobodys_way() {
    let dir = desk();
    let socket = dir.path().join("data/control.sock");
    let reset = || allclear(dir.path(), &["user", "reset-password", "ada@example.com"], &[]);
    Serving::start(dir.path()).kill();
    assert!(socket.exists(), "a killed server cleans nothing up");
    let alone = reset();
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    assert!(alone.out.contains("No server runs"), "{}", alone.out);

    let serving = Serving::start(dir.path());
    let asked = reset();
    assert!(asked.code == Some(0) && asked.out.contains(&serving.base), "{}{}", asked.out, asked.err);

    // Without the socket, the store is locked all the same.
    std::fs::remove_file(&socket).unwrap();
    assert_eq!(reset().code, Some(75));
}

#[test]
fn nobodys_password_is_reset_where_there_is_no_database() {
    let dir = desk();
    let ran = allclear(dir.path(), &["user", "reset-password", "ada@example.com"], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("no database in ./data") && ran.err.contains("--data-dir"), "{}", ran.err);
    let elsewhere = allclear(dir.path(), &["user", "reset-password", "ada@example.com", "--store", "redb:other/status.redb"], &[]);
    assert_eq!(elsewhere.code, Some(1));
    assert!(elsewhere.err.contains("no database at other/status.redb") && elsewhere.err.contains("--store"), "{}", elsewhere.err);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    assert_eq!(allclear(dir.path(), &["user", "reset-password", "ada@example.com", "--demo"], &[]).code, Some(1));
    assert_eq!(allclear(dir.path(), &["user"], &[]).code, Some(2));
}

#[test]
fn the_password_of_a_shared_database_is_shown_nowhere() {
    let dir = desk();
    std::fs::write(dir.path().join("store"), "postgres://ada:hunter2@db.example.com/status\n").unwrap();
    let shown = allclear(dir.path(), &["config", "print"], &[("ALLCLEAR_STORE_FILE", "store"), ("ALLCLEAR_KEY_FILE", "shared/keys")]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("postgres://ada:***@db.example.com/status") && !shown.out.contains("hunter2"), "{}", shown.out);
    assert!(shown.out.contains("key_file = \"shared/keys\""), "{}", shown.out);

    for (args, code) in [(&["config", "check"][..], 78), (&["config", "check", "--store", "postgres://ada:hunter2@/status"][..], 2)] {
        let refused = allclear(dir.path(), args, &[("ALLCLEAR_STORE", "postgres://ada:hunter2@db.example.com")]);
        assert_eq!(refused.code, Some(code), "{}", refused.err);
        assert!(refused.err.contains("?sslmode=verify-full") && !refused.err.contains("hunter2"), "{}", refused.err);
    }
}

#[test]
fn store_and_keys_are_kept_where_they_are_said_to_be() {
    let dir = desk();
    std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
    let env = [("ALLCLEAR_STORE", "redb:elsewhere/status.redb"), ("ALLCLEAR_KEY_FILE", "shared/secrets/keys")];
    assert_eq!(Serving::start_with(dir.path(), &env).stop(), Some(0));

    for made in ["elsewhere/status.redb", "shared/secrets/keys"] {
        assert!(dir.path().join(made).is_file(), "{made} is missing");
    }
    let beside: Vec<_> = std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(beside.is_empty(), "{beside:?}");
    let reset = allclear(dir.path(), &["user", "reset-password", "ada@example.com"], &env);
    assert_eq!(reset.code, Some(0), "{}", reset.err);
}

#[test]
fn a_mail_relay_is_checked_and_its_password_shown_nowhere() {
    let dir = desk();
    let from = ("ALLCLEAR_MAIL_FROM", "Allclear <status@example.com>");
    let shown = allclear(dir.path(), &["config", "print"], &[("ALLCLEAR_SMTP_URL", "smtps://ada:hunter2@mail.example.com"), from]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("smtp_url is set and not shown") && !shown.out.contains("hunter2"), "{}", shown.out);

    let refused = allclear(dir.path(), &["config", "check"], &[("ALLCLEAR_SMTP_URL", "ada:hunter2@mail.example.com"), from]);
    assert_eq!(refused.code, Some(78));
    assert!(refused.err.contains("ALLCLEAR_SMTP_URL") && refused.err.contains("smtps://user:password@"), "{}", refused.err);
    assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    assert_eq!(allclear(dir.path(), &["config", "check", "--mail-from", "status@example.com"], &[]).code, Some(2));
}
