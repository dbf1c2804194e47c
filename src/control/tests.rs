//! The conversation, from both ends.

use super::server::answer;
use super::*;
use crate::app::Settings;
use crate::clock::Clock;
use crate::http::Shutdown;
use crate::id::IdSource;

const ADA: &str = "ada@example.com";

async fn instance() -> App {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let (app, _) = App::in_memory(clock, IdSource::seeded(7), Settings::default()).unwrap();
    assert!(app.bootstrap(ADA, "tangerine-otter-plinth".into()).await.unwrap());
    app
}

fn reset(email: &str) -> Request {
    Request::ResetPassword { email: email.to_owned() }
}

fn link(reply: Reply) -> String {
    let Reply::Link { url, expires_at } = reply else { panic!("{reply:?}") };
    assert_eq!(expires_at, "2026-03-01T13:00:00Z".parse().unwrap());
    url
}

fn refusal(reply: Reply) -> String {
    let Reply::Error { error } = reply else { panic!("{reply:?}") };
    error
}

#[tokio::test]
async fn one_line_is_asked_and_one_answered() {
    let app = instance().await;
    let url = link(answer(b"{\"command\":\"reset-password\",\"email\":\"Ada@Example.com\"}\n", &app).await);
    assert!(url.starts_with(&app.base_url().join("/reset/")), "{url}");

    let refused: [(&[u8], &str); 7] = [
        (b"{\"command\":\"reset-password\",\"email\":\"eve@example.com\"}\n", "eve@example.com"),
        (b"{\"command\":\"reset-password\",\"email\":\"eve\"}\n", "ada@example.com"),
        (b"{\"command\":\"reset-password\",\"email\":\"ada@example.com\",\"force\":true}\n", "does not know"),
        (b"{\"command\":\"delete-everything\"}\n", "does not know"),
        (b"reset-password\n", "does not know"),
        (b"{\"command\":\"reset-password\",\"email\":\"ada@example.com\"}", "one line"),
        (b"", "one line"),
    ];
    for (line, says) in refused {
        let said = refusal(answer(line, &app).await);
        assert!(said.contains(says), "{}: {said}", String::from_utf8_lossy(line));
    }
}

#[tokio::test]
async fn the_socket_answers_while_the_server_runs_and_is_gone_afterwards() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = path_in(folder.path());
    // What a killed server leaves.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(ask(folder.path(), &reset(ADA)).unwrap().is_none(), "nobody is there");

    let (app, shutdown) = (instance().await, Shutdown::new());
    let socket = Socket::bind(folder.path()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let serving = tokio::spawn(socket.serve(app, shutdown.clone()));
    for _ in 0..2 {
        let data_dir = folder.path().to_owned();
        let reply = tokio::task::spawn_blocking(move || ask(&data_dir, &reset(ADA))).await.unwrap().unwrap();
        assert!(link(reply.expect("it runs")).contains("/reset/"));
    }

    shutdown.begin();
    serving.await.unwrap();
    assert!(!path.exists());
    assert!(ask(folder.path(), &reset(ADA)).unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path_in(folder.path()), "notes").unwrap();
    assert!(Socket::bind(folder.path()).is_err());
    assert_eq!(std::fs::read_to_string(path_in(folder.path())).unwrap(), "notes");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_an_error_there_and_nobody_here() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    assert!(Socket::bind(&deep).is_err());
    assert!(ask(&deep, &reset(ADA)).unwrap().is_none());
}
