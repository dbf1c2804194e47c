//! Sessions: the cookie, its limits, the forms that begin and end them, and the one-time setup link.

use std::time::Duration;

use allclear::config::{Config, Registration};
use allclear::domain::session::Session;
use serde_json::json;

use crate::harness::{Answer, Client, Options, PASSWORD, Process, Server, eventually};
use crate::live::client::{Ended, Events, Socket};

const DAY: Duration = Duration::from_secs(86_400);

fn set_cookie(answer: &Answer) -> &str {
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1, "{}", answer.text);
    answer.header("set-cookie")
}

async fn is_in(client: &Client) -> bool {
    match client.get("/api/users/auth/profile").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_cookie_is_out_of_reach() {
    for (base_url, name, secure) in
        [("http://status.example.com", "allclear_session", false), ("https://status.example.com", "__Host-allclear_session", true)]
    {
        let server = Server::start_with(Options::at(base_url)).await;
        let ada = server.sign_up("ada").await;
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        let form = [("email", "ada@example.com"), ("password", PASSWORD)];
        let answers = [
            ada.post("/api/users/auth/login", login).await.expect(200),
            ada.post_form("/login", &form).await.expect(303),
            ada.post("/api/users/auth/logout", json!({})).await.expect(204),
        ];
        for answer in answers {
            let mut parts = set_cookie(&answer).split("; ");
            assert!(parts.next().unwrap().starts_with(&format!("{name}=")), "{}", set_cookie(&answer));
            let attributes: Vec<_> = parts.filter(|part| !part.starts_with("Max-Age=")).collect();
            let expected: &[&str] =
                if secure { &["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] } else { &["HttpOnly", "SameSite=Lax", "Path=/"] };
            assert_eq!(attributes, expected);
        }
        assert!(!ada.get("/api/services").await.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn a_sign_in_never_takes_a_session_over() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (planted, login) = (ada.cookie(), json!({ "email": "ada@example.com", "password": PASSWORD }));
    let victim = server.anonymous().with_cookie(&planted);
    victim.post("/api/users/auth/login", login).await.expect(200);
    assert_ne!(victim.cookie(), planted);
}

#[tokio::test]
async fn signing_out_ends_that_session_at_once_and_no_other() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in().await;
    let stolen = ada.with_cookie(&ada.cookie());
    assert!(is_in(&stolen).await);

    ada.post("/api/users/auth/logout", json!({})).await.expect(204);

    assert!(!is_in(&stolen).await, "the cookie that was copied before is nothing now");
    assert!(is_in(&other).await);
    other.post_form("/logout", &[]).await.expect(303);
    assert!(!is_in(&other).await);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (other, eve) = (ada.sign_in().await, server.sign_up("eve").await);
    let change = json!({ "current_password": PASSWORD, "new_password": "plinth-otter-tangerine" });

    let changed = ada.post("/api/users/auth/password", change).await;

    assert!((200..300).contains(&changed.status), "{}", changed.text);
    assert!(is_in(&ada).await && is_in(&eve).await);
    assert!(!is_in(&other).await);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_in_any_case() {
    let server = Server::start().await;
    let (idle, busy) = (server.sign_up("ada").await, server.sign_up("eve").await);
    server.advance(14 * DAY - Duration::from_secs(1));
    assert!(is_in(&busy).await);
    server.advance(Duration::from_secs(1));
    assert!(!is_in(&idle).await, "idle for fourteen days");
    for _ in 0..6 {
        assert!(is_in(&busy).await);
        server.advance(12 * DAY);
    }
    assert!(is_in(&busy).await, "86 days of use");
    server.advance(4 * DAY - Duration::from_secs(1));
    assert!(is_in(&busy).await);
    server.advance(Duration::from_secs(1));
    assert!(!is_in(&busy).await, "ninety days are the end");
}

#[tokio::test]
async fn at_its_age_a_session_is_gone_and_what_was_opened_through_it_is_closed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (base, org) = (server.base(), format!("org:{}", ada.org_id));
    let mut socket = Socket::open(&base, &ada.cookie()).await;
    socket.join(&org, None).await;
    let mut stream = Events::open(&base, &format!("room={org}"), &ada.cookie()).await;
    server.advance(89 * DAY);
    let later = ada.sign_in().await;
    let mut elsewhere = Socket::open(&base, &later.cookie()).await;
    elsewhere.join(&org, None).await;

    server.advance(DAY);

    // Nobody asks for anything meanwhile: the clock alone does it.
    let stored = async || server.app().system_read(|view| Ok(view.scan(Session::BY_END.of(()))?.items.len())).await.expect("a look");
    eventually(async || stored().await == 1).await;
    assert_eq!((socket.ended().await, stream.ended().await), (1_008, Ended::Cleanly));
    elsewhere.is_silent().await;
    assert!(is_in(&later).await && !is_in(&ada).await);
}

#[tokio::test]
async fn only_our_own_tokens_for_sessions_are_sessions() {
    let (server, other) = (Server::start().await, Server::start().await);
    let (ada, stranger) = (server.sign_up("ada").await, other.sign_up("ada").await);
    let setup = server.app().setup_token().await.unwrap().unwrap();
    let (name, token) = ada.cookie().split_once('=').map(|(name, token)| (name.to_owned(), token.to_owned())).unwrap();
    let flip = |at: usize| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let refused = [
        stranger.cookie().split_once('=').unwrap().1.to_owned(),
        setup,
        flip("v4.local.".len() + 3),
        flip(token.len() / 2),
        flip(token.len() - 3),
        token.replace("v4.local.", "v4.public."),
        token[..token.len() - 10].to_owned(),
        "nonsense".to_owned(),
    ];
    for forged in refused {
        let forger = ada.with_cookie(&format!("{name}={forged}"));
        assert_eq!(forger.get("/api/users/auth/profile").await.expect(401).problem(), "unauthenticated", "{forged}");
    }
    assert!(is_in(&ada).await);
    let twice = ada.with_cookie(&format!("{name}=planted; {name}={token}"));
    assert!(!is_in(&twice).await, "two cookies of one name are none");
}

#[tokio::test]
async fn unknown_people_and_wrong_passwords_look_alike() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let long = "x".repeat(1_000);
    let tries = [
        ("ada@example.com", "wrong-otter-plinth"),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("ada@example.com", ""),
        ("ada@example.com", long.as_str()),
    ];
    let mut answers = Vec::new();
    for (email, password) in tries {
        let mut answer = ada.post("/api/users/auth/login", json!({ "email": email, "password": password })).await.expect(401);
        assert!(!answer.headers.contains_key("set-cookie"));
        answer.json["request_id"] = json!(null);
        answers.push(answer.json);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert!(is_in(&ada).await, "a failed attempt ends nothing");
}

#[tokio::test]
async fn guessing_is_slowed_and_nobody_can_be_locked_out() {
    let options = Options::default();
    let config = Config { trusted_proxies: vec!["127.0.0.0/8".into()], ..options.config };
    let server = Server::start_with(Options { config, ..options }).await;
    server.sign_up("ada").await;
    let login = async |from: &str, password: &str| {
        let body = json!({ "email": "ada@example.com", "password": password }).to_string();
        server
            .anonymous()
            .send("POST", "/api/users/auth/login", &[("content-type", "application/json"), ("x-forwarded-for", from)], body)
            .await
    };
    let mut refused = login("192.0.2.1", "guess-number-0").await;
    for number in 1..20 {
        refused = login("192.0.2.1", &format!("guess-number-{number}")).await;
    }
    assert_eq!(refused.clone().expect(429).problem(), "too-many-requests");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    login("192.0.2.1", PASSWORD).await.expect(429);
    login("198.51.100.7", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn who_may_sign_up_is_the_operators_choice() {
    let form = [("email", "ada@example.com"), ("password", PASSWORD), ("full_name", "Ada"), ("organization_name", "Engines")];
    let input = json!({ "email": "ada@example.com", "password": PASSWORD, "full_name": "Ada", "organization_name": "Engines" });
    for (registration, expected) in [(Registration::Open, 201), (Registration::Invite, 403), (Registration::Closed, 403)] {
        let options = Options::default();
        let server = Server::start_with(Options { config: Config { registration, ..options.config }, ..options }).await;
        let nobody = server.anonymous();
        assert_eq!(nobody.post("/api/users/auth/signup", &input).await.status, expected, "{registration:?}");
        if registration != Registration::Open {
            assert_eq!(nobody.post_form("/signup", &form).await.status, 403, "{registration:?}");
            assert!(nobody.cookie().is_empty());
        }
        assert!(server.app().setup_token().await.unwrap().is_some(), "signing up makes nobody the operator");
    }
}

#[tokio::test]
async fn forms_do_what_the_api_does() {
    let server = Server::start().await;
    let ada = server.anonymous();
    let page = ada.send("GET", "/signup", &[("accept", "text/html")], "").await.expect(200);
    assert!(page.text.contains("name=\"organization_name\""), "{}", page.text);

    let bad = [("email", "ada@example.com"), ("password", "short"), ("full_name", "Ada <b>"), ("organization_name", "Engines")];
    let refused = ada.post_form("/signup", &bad).await.expect(422);
    assert!(
        refused.text.contains("id=\"password-error\"") && refused.text.contains("Ada &#60;b&#62;") && !refused.text.contains("short\""),
        "{}",
        refused.text
    );

    let good = [("email", "ada@example.com"), ("password", PASSWORD), ("full_name", "Ada"), ("organization_name", "Engines")];
    let made = ada.post_form("/signup", &good).await.expect(303);
    assert!(made.header("location").starts_with('/'), "{}", made.header("location"));
    assert!(is_in(&ada).await);
    let way = ada.send("GET", made.header("location"), &[("accept", "text/html")], "").await.expect(303);
    let home = ada.send("GET", way.header("location"), &[("accept", "text/html")], "").await.expect(200);
    assert!(home.text.contains("/p/engines"), "{}", home.text);

    ada.post_form("/logout", &[]).await.expect(303);
    assert!(!is_in(&ada).await);
    let wrong = ada.post_form("/login", &[("email", "ada@example.com"), ("password", "wrong")]).await;
    assert!(matches!(wrong.status, 401 | 422) && wrong.text.contains("id=\"problems\""), "{} {}", wrong.status, wrong.text);
    for (next, safe) in [("/o/engines", true), ("//evil.example", false), ("https://evil.example", false), ("/\\evil.example", false)] {
        let entered = ada.post_form("/login", &[("email", "ada@example.com"), ("password", PASSWORD), ("next", next)]).await.expect(303);
        assert_eq!(entered.header("location") == next, safe, "{next}: {}", entered.header("location"));
        assert!(!entered.header("location").contains("evil"), "{}", entered.header("location"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_link_works_once() {
    let options = Options::default();
    let config = Config { registration: Registration::Closed, ..options.config };
    let server = Server::start_with(Options { config, ..options }).await;
    let token = server.app().setup_token().await.unwrap().unwrap();
    let link = format!("/setup/{token}");
    server.anonymous().get(&link).await.expect(200);

    let enter = async |name: &str| {
        let email = format!("{name}@example.com");
        let person = server.anonymous();
        let fields = [
            ("token", token.as_str()),
            ("email", email.as_str()),
            ("password", PASSWORD),
            ("full_name", name),
            ("organization_name", name),
        ];
        (person.post_form("/setup", &fields).await, person)
    };
    let (one, two) = tokio::join!(enter("ada"), enter("eve"));

    let winners = [&one, &two].into_iter().filter(|(answer, _)| answer.status == 303).count();
    assert_eq!(winners, 1, "{} {}", one.0.status, two.0.status);
    let (loser, winner) = if one.0.status == 303 { (two, one) } else { (one, two) };
    assert!(is_in(&winner.1).await && loser.1.cookie().is_empty() && matches!(loser.0.status, 404 | 409 | 422), "{}", loser.0.status);
    server.anonymous().get(&link).await.expect(404);
    assert!(server.app().setup_token().await.unwrap().is_none());
}

#[tokio::test]
async fn a_setup_link_is_good_for_half_an_hour() {
    let server = Server::start().await;
    let link = format!("/setup/{}", server.app().setup_token().await.unwrap().unwrap());
    server.advance(Duration::from_secs(30 * 60 - 1));
    server.anonymous().get(&link).await.expect(200);
    server.advance(Duration::from_secs(1));
    server.anonymous().get(&link).await.expect(404);
}

#[tokio::test]
async fn the_program_prints_a_link_until_there_is_an_operator_and_keeps_secrets_out_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let debug = [("ALLCLEAR_LOG", "debug")];
    let mut process = Process::spawn(dir.path(), &[], &debug).await;
    let first = process.setup_path().await;
    assert_eq!(process.terminate().await, Some(0));

    let mut process = Process::spawn(dir.path(), &[], &debug).await;
    let link = process.setup_path().await;
    let token = link.strip_prefix("/setup/").unwrap();
    assert_ne!(link, first, "a new one at each start");
    let ada = process.anonymous();
    ada.get(&link).await.expect(200);
    // What people type stands in one line of the log, whatever they type.
    let name = "Ada\u{1b}[2K\u{2028}level=ERROR forged";
    let fields =
        [("token", token), ("email", "ada@example.com"), ("password", PASSWORD), ("full_name", "Ada"), ("organization_name", name)];
    ada.post_form("/setup", &fields).await.expect(422);
    let fields =
        [("token", token), ("email", "ada@example.com"), ("password", PASSWORD), ("full_name", "Ada"), ("organization_name", "Engines")];
    ada.post_form("/setup", &fields).await.expect(303);
    ada.send("GET", "/p/x%0Aforged-line", &[("user-agent", "x\u{9}forged-line")], "").await.expect(404);
    let login = json!({ "email": "ada@example.com\nforged-line", "password": PASSWORD });
    process.anonymous().post("/api/users/auth/login", login).await.expect(401);
    eventually(async || process.log().contains("sign-in refused")).await;

    let log = process.log();
    for secret in [PASSWORD, token, ada.cookie().split_once('=').unwrap().1] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(log.lines().all(|line| !line.starts_with("forged")), "{log}");
    assert!(!log.contains('\u{1b}'), "no escape sequence reaches a terminal: {log}");

    assert_eq!(process.terminate().await, Some(0));
    let process = Process::spawn(dir.path(), &[], &debug).await;
    assert_eq!(process.anonymous().get(&link).await.status, 404);
    let again = process.anonymous();
    again.post("/api/users/auth/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.expect(200);
    assert!(is_in(&ada.at(process.base())).await, "sessions outlive a restart");
}
