//! Mails, to a relay that speaks SMTP on loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allclear::access::Role;
use allclear::clock::Timestamp;
use allclear::config::Config;
use allclear::domain::text::Email;
use allclear::mail::{Delivery, InvitationMail, Mailer, ResetMail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::harness::{Answer, Client, Options, PASSWORD, Server, eventually};

const FROM: &str = "Allclear at Acme <status@example.com>";
const INVITE: &str = "https://status.example.com/sub/invite/v4.local.AbC-_x";
const RESET: &str = "https://status.example.com/sub/reset/v4.local.SeCrEt";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How a relay behaves.
#[derive(Default)]
struct Manner {
    /// Takes mails only after `AUTH PLAIN` with these.
    login: Option<(&'static str, &'static str)>,
    /// So many mails it refuses for now, before it takes one.
    busy: AtomicUsize,
    /// Refuses for good what it has read, and quotes the links in it.
    quotes: bool,
    /// Never says a word.
    silent: bool,
}

/// A mail as it came.
#[derive(Debug, Clone, Default)]
struct Mail {
    from: String,
    to: Vec<String>,
    /// Header and body, line ends as `\n`.
    data: String,
}

impl Mail {
    /// The header's fields with their folding undone.
    fn fields(&self) -> Vec<(String, String)> {
        let (header, _) = self.data.split_once("\n\n").expect("a header and a body");
        let unfolded = header.replace("\n ", " ").replace("\n\t", " ");
        let field = |line: &str| match line.split_once(": ") {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => panic!("no field: {line:?}"),
        };
        unfolded.lines().map(field).collect()
    }

    /// The one field of this name.
    fn field(&self, name: &str) -> String {
        let mut found: Vec<String> =
            self.fields().into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        assert_eq!(found.len(), 1, "{name} in {}", self.data);
        found.remove(0)
    }

    /// The text and the HTML part.
    fn parts(&self) -> [String; 2] {
        let kind = self.field("Content-Type");
        assert!(kind.starts_with("multipart/alternative"), "{kind}");
        let boundary = kind.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary");
        let parts: Vec<&str> = self.data.split(&format!("--{boundary}")).skip(1).collect();
        assert_eq!(parts.len(), 3, "text, HTML and the end: {}", self.data);
        assert!(parts[0].contains("text/plain; charset=utf-8") && parts[1].contains("text/html; charset=utf-8"), "{}", self.data);
        [0_usize, 1].map(|at| {
            let (header, body) = parts[at].trim_start().split_once("\n\n").expect("a part's header and body");
            if header.contains("quoted-printable") { unquoted(body) } else { body.to_owned() }
        })
    }
}

/// The token of the link that a mail invites by.
fn token(mail: &Mail) -> String {
    let link = link(mail);
    link.strip_prefix("https://status.example.com/sub/invite/").unwrap_or_else(|| panic!("{link} leads elsewhere")).to_owned()
}

/// The link in a mail, which stands on a line of its own.
fn link(mail: &Mail) -> String {
    let [text, _] = mail.parts();
    text.lines().find(|line| line.starts_with("https://")).unwrap_or_else(|| panic!("no link: {text}")).to_owned()
}

/// Undoes quoted-printable (RFC 2045, 6.7).
fn unquoted(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'=' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).expect("a digit");
                u8::try_from(digit() * 16 + digit()).expect("a byte")
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[derive(Default)]
struct Seen {
    commands: Vec<String>,
    mails: Vec<Mail>,
}

/// A relay; it ends with the test.
struct Relay {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _serving: JoinSet<()>,
}

impl Relay {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (manner, seen) = (Arc::new(manner), Arc::<Mutex<Seen>>::default());
        let mut serving = JoinSet::new();
        let seen_there = seen.clone();
        serving.spawn(async move {
            let mut conversations = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, seen) = (manner.clone(), seen_there.clone());
                // A client that goes away in the middle is no concern of the relay's.
                conversations.spawn(async move { converse(stream, &manner, &seen).await.is_ok() });
            }
        });
        Self { address, seen, _serving: serving }
    }

    fn url(&self, login: &str, rest: &str) -> SecretString {
        SecretString::from(format!("smtp://{login}{}{rest}", self.address))
    }

    fn mailer(&self) -> Mailer {
        Mailer::new(&self.url("", ""), FROM).expect("a relay and a sender")
    }

    fn mails(&self) -> Vec<Mail> {
        self.seen.lock().expect("no panic").mails.clone()
    }

    fn commands(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").commands.clone()
    }
}

/// One client of the relay: RFC 5321, as far as a mail needs it.
async fn converse(mut stream: TcpStream, manner: &Manner, seen: &Mutex<Seen>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    if manner.silent {
        while lines.next_line().await?.is_some() {}
        return Ok(());
    }
    let (mut mail, mut signed_in) = (Mail::default(), manner.login.is_none());
    write.write_all(b"220 relay.test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        seen.lock().expect("no panic").commands.push(line.clone());
        let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if manner.login.is_some() => "250-relay.test\r\n250-8BITMIME\r\n250 AUTH PLAIN".to_owned(),
            "EHLO" => "250-relay.test\r\n250 8BITMIME".to_owned(),
            "AUTH" => {
                let (user, password) = manner.login.expect("it was offered");
                let given = rest.strip_prefix("PLAIN ").and_then(|text| STANDARD.decode(text).ok());
                signed_in = given == Some(format!("\0{user}\0{password}").into_bytes());
                let verdict = if signed_in { "235 welcome" } else { "535 wrong" };
                verdict.to_owned()
            }
            "MAIL" if !signed_in => "530 sign in first".to_owned(),
            "MAIL" if manner.busy.load(Ordering::Relaxed) > 0 => {
                manner.busy.fetch_sub(1, Ordering::Relaxed);
                "451 later".to_owned()
            }
            "MAIL" => {
                mail = Mail { from: rest.to_owned(), ..Mail::default() };
                "250 yes".to_owned()
            }
            "RCPT" => {
                mail.to.push(rest.to_owned());
                "250 yes".to_owned()
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.data.push('\n');
                }
                seen.lock().expect("no panic").mails.push(mail.clone());
                if manner.quotes { format!("550 refused for {RESET}") } else { "250 taken".to_owned() }
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "500 what?".to_owned(),
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn grace() -> Email {
    Email::parse("email", "grace@example.org").expect("an address")
}

async fn invite(mailer: &Mailer, organization: &str, invited_by: &str) -> Delivery {
    let expires_at: Timestamp = "2026-03-02T12:00:00Z".parse().expect("a time");
    mailer.invitation(&InvitationMail { to: &grace(), organization, invited_by, role: Role::Responder, url: INVITE, expires_at }).await
}

async fn reset(mailer: &Mailer) -> Delivery {
    mailer.reset(&ResetMail { to: &grace(), full_name: "Grace Höpper", url: RESET, minutes: 60 }).await
}

#[tokio::test]
async fn an_invitation_arrives_as_text_and_as_html() {
    let relay = Relay::start(Manner::default()).await;
    assert_eq!(invite(&relay.mailer(), "Söhne & Co", "Ada Lovelace").await, Delivery::Sent);

    let mails = relay.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert!(mail.from.starts_with("FROM:<status@example.com>"), "{}", mail.from);
    assert_eq!(mail.to, ["TO:<grace@example.org>"]);
    assert_eq!(mail.field("From"), "\"Allclear at Acme\" <status@example.com>");
    assert_eq!(mail.field("To"), "grace@example.org");
    assert_eq!(mail.field("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.field("MIME-Version"), "1.0");
    assert!(mail.field("Subject").starts_with("Ada Lovelace invites you to =?utf-8?b?"), "{}", mail.field("Subject"));
    assert!(mail.field("Message-ID").ends_with("@example.com>"), "{}", mail.field("Message-ID"));
    assert!(!mail.field("Date").is_empty());

    let [text, html] = mail.parts();
    for word in ["Ada Lovelace", "responder", "2 Mar 2026, 12:00 UTC", INVITE] {
        assert!(text.contains(word) && html.contains(word), "{word}: {text}{html}");
    }
    assert!(text.contains("Söhne & Co") && html.contains("Söhne &#38; Co"), "{text}{html}");

    assert_eq!(invite(&relay.mailer(), "Söhne & Co", "Ada Lovelace").await, Delivery::Sent);
    let ids: Vec<String> = relay.mails().iter().map(|mail| mail.field("Message-ID")).collect();
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn no_name_reaches_a_header_a_body_or_a_command() {
    let relay = Relay::start(Manner::default()).await;
    let evil = "Acme\r\nBcc: eve\r\n\r\nHello\r\n.\r\nQUIT\r\n";
    assert_eq!(invite(&relay.mailer(), evil, evil).await, Delivery::Sent);
    assert_eq!(relay.mailer().password_changed(&grace(), evil, "https://status.example.com/").await, Delivery::Sent);

    let mails = relay.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert_eq!(mail.to, ["TO:<grace@example.org>"]);
        let mut names: Vec<String> = mail.fields().into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        assert_eq!(names, ["auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "subject", "to"]);
    }
    assert_eq!(mails[0].field("Subject"), "Acme Bcc: eve Hello . QUIT invites you to Acme Bcc: eve Hello . QUIT");
    let said = relay.commands();
    assert!(said.iter().all(|line| !line.contains("eve") && ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"].contains(&&line[..4])), "{said:?}");
    assert_eq!(said.iter().filter(|line| line.starts_with("MAIL ")).count(), 2, "{said:?}");
}

#[tokio::test]
async fn a_relay_that_wants_a_password_gets_it() {
    let relay = Relay::start(Manner { login: Some(("ada@example.com", "s3cret/x")), ..Manner::default() }).await;
    for (login, delivery) in
        [("", Delivery::Failed), ("ada%40example.com:wrong@", Delivery::Failed), ("ada%40example.com:s3cret%2Fx@", Delivery::Sent)]
    {
        let mailer = Mailer::new(&relay.url(login, "/status.example.com"), FROM).expect("a relay and a sender");
        assert_eq!(invite(&mailer, "Acme", "Ada").await, delivery, "{login}");
    }
    assert_eq!(relay.mails().len(), 1);
    assert!(relay.commands().iter().any(|line| line == "EHLO status.example.com"), "{:?}", relay.commands());
}

#[tokio::test]
async fn where_encryption_is_required_nothing_goes_out_without() {
    let relay = Relay::start(Manner { login: Some(("ada", "s3cret")), ..Manner::default() }).await;
    let mailer = Mailer::new(&relay.url("ada:s3cret@", "?tls=required"), FROM).expect("a relay and a sender");
    assert_eq!(invite(&mailer, "Acme", "Ada").await, Delivery::Failed);
    let said = relay.commands();
    assert!(!said.is_empty() && said.iter().all(|line| line.starts_with("EHLO ") || line == "QUIT"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_relay_is_given_up() {
    let relay = Relay::start(Manner { silent: true, ..Manner::default() }).await;
    // On a clock that jumps whenever everybody waits: a wait without an end of its own would meet this one.
    let given_up = tokio::time::timeout(Duration::from_secs(3_600), invite(&relay.mailer(), "Acme", "Ada")).await;
    assert_eq!(given_up.ok(), Some(Delivery::Failed));
}

#[tokio::test]
async fn a_link_for_a_new_password_is_tried_again() {
    let relay = Relay::start(Manner { busy: AtomicUsize::new(1), ..Manner::default() }).await;
    assert_eq!(reset(&relay.mailer()).await, Delivery::Failed, "not yet");
    eventually(async || relay.mails().len() == 1).await;
    let [text, html] = relay.mails()[0].parts();
    assert!(text.contains("Grace Höpper") && text.contains(RESET) && text.contains("60 minutes"), "{text}");
    assert!(html.contains("Grace Höpper") && html.contains(&format!("href=\"{RESET}\"")), "{html}");
}

#[tokio::test]
async fn a_mail_that_is_refused_has_failed() {
    let relay = Relay::start(Manner { quotes: true, ..Manner::default() }).await;
    assert_eq!(reset(&relay.mailer()).await, Delivery::Failed);

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mailer = Mailer::new(&SecretString::from(format!("smtp://{nobody}")), FROM).expect("a relay and a sender");
    assert!(mailer.is_on());
    assert_eq!(invite(&mailer, "Acme", "Ada").await, Delivery::Failed);

    assert!(!Mailer::off().is_on());
    assert_eq!(reset(&Mailer::off()).await, Delivery::Off);
    assert_eq!(invite(&Mailer::off(), "Acme", "Ada").await, Delivery::Off);
}

/// A server reached at an address of its own, which mails by this relay.
async fn server_with(smtp_url: SecretString) -> Server {
    let options = Options::at("https://status.example.com/sub");
    let config = Config { smtp_url: Some(smtp_url), mail_from: Some(FROM.to_owned()), ..options.config };
    Server::start_with(Options { config, ..options }).await
}

#[tokio::test]
async fn a_colleague_is_invited_by_mail_and_by_a_link_in_any_case() {
    let relay = Relay::start(Manner::default()).await;
    let server = server_with(relay.url("", "")).await;
    let ada = server.sign_up("ada").await;
    let path = format!("/api/users/organizations/{}/invitations", ada.org_id);
    let invited = ada.post(&path, json!({ "email": "grace@example.org", "role": "editor" })).await.expect(201);
    let url = invited.json["url"].as_str().expect("a link").to_owned();
    assert!(url.starts_with("https://status.example.com/sub/invite/"), "{url}");
    assert_eq!(invited.json["mail"], "sent");
    let mails = relay.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].field("Subject"), "Ada invites you to Ada's Org");
    assert!(mails[0].parts().iter().all(|part| part.contains(&url) && part.contains("editor")), "{}", mails[0].data);
    let again = ada.post(format!("{path}/{}/resend", invited.id()), json!({})).await.expect(200);
    assert_eq!((&again.json["mail"], relay.mails().len()), (&json!("sent"), 2));
    server.stop().await;

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = server_with(SecretString::from(format!("smtp://{nobody}"))).await;
    let ada = server.sign_up("ada").await;
    let path = format!("/api/users/organizations/{}/invitations", ada.org_id);
    let invited = ada.post(&path, json!({ "email": "grace@example.org" })).await.expect(201);
    assert!(invited.json["url"].as_str().is_some_and(|url| url.contains("/invite/")), "{}", invited.text);
    assert_eq!(invited.json["mail"], "failed");
    server.stop().await;
}

/// Where an answer leads, and the page that is there.
async fn follow(person: &Client, answer: Answer) -> (String, String) {
    let location = answer.expect(303).header("location").to_owned();
    let shown = person.send("GET", &location, &[("accept", "text/html")], "").await.expect(200).text;
    (location, shown)
}

/// What the links of these mails answer.
async fn offers(server: &Server, mails: &[Mail]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for mail in mails {
        statuses.push(server.anonymous().get(format!("/api/users/invitations/{}", token(mail))).await.status);
    }
    statuses
}

#[tokio::test]
async fn the_teams_page_invites_by_mail_and_again_by_another_link() {
    let relay = Relay::start(Manner::default()).await;
    let server = server_with(relay.url("", "")).await;
    let ada = server.sign_up("ada").await;
    let team = format!("/o/{}/team", ada.slug);
    let fields = [("email", "grace@example.org"), ("role", "editor")];

    let (location, shown) = follow(&ada, ada.post_form(format!("{team}/invite"), &fields).await).await;
    assert!(location.contains("told=invited-by-mail"), "{location}");
    assert!(shown.contains("The invitation is on its way by mail.") && shown.contains("Send again"), "{shown}");
    assert_eq!(offers(&server, &relay.mails()).await, [200]);

    let (path, _) = location.split_once('?').expect("what was done");
    let (location, shown) = follow(&ada, ada.post_form(format!("{path}/resend"), &[]).await).await;
    assert!(location.contains("told=invited-by-mail") && shown.contains("The invitation is on its way by mail."), "{location}: {shown}");
    let mails = relay.mails();
    assert!(mails.iter().all(|mail| mail.to == ["TO:<grace@example.org>"]), "{mails:?}");
    assert_eq!(offers(&server, &mails).await, [404, 200], "the first link is dead, the second opens");
    server.stop().await;

    let relay = Relay::start(Manner { quotes: true, ..Manner::default() }).await;
    let server = server_with(relay.url("", "")).await;
    let ada = server.sign_up("ada").await;
    let (location, shown) = follow(&ada, ada.post_form(format!("{team}/invite"), &fields).await).await;
    assert!(location.contains("told=invited-mail-failed") && shown.contains("the mail could not be sent"), "{location}: {shown}");
    assert!(shown.contains("value=\"https://status.example.com/sub/invite/"), "the link is there to be passed on: {shown}");
    server.stop().await;
}

#[tokio::test]
async fn the_first_admin_of_an_organization_is_mailed_and_so_is_who_was_meant() {
    let relay = Relay::start(Manner::default()).await;
    let server = server_with(relay.url("", "")).await;
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("an operator"));
    let operator = server.anonymous();
    operator.post("/api/users/auth/login", json!({ "email": "operator@example.com", "password": PASSWORD })).await.expect(200);

    let fields = [("name", "Skerry Light"), ("email", "gace@example.org")];
    let (location, shown) = follow(&operator, operator.post_form("/instance/organizations", &fields).await).await;
    assert!(location.ends_with("/invitation?told=organization-made-mailed"), "{location}");
    assert!(shown.contains("The organization is made, and the link is on its way by mail."), "{shown}");
    let mails = relay.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["TO:<gace@example.org>"]);
    assert_eq!(mails[0].field("Subject"), "Operator invites you to Skerry Light");
    assert!(mails[0].parts().iter().all(|part| part.contains("admin")), "{}", mails[0].data);

    let (path, _) = location.split_once('?').expect("what was done");
    let right = operator.post_form(format!("{path}/resend"), &[("email", "grace@example.org")]).await;
    let (location, shown) = follow(&operator, right).await;
    assert!(location.ends_with("/invitation?told=invited-by-mail") && shown.contains("on its way by mail"), "{location}: {shown}");
    let mails = relay.mails();
    assert_eq!(mails[1].to, ["TO:<grace@example.org>"]);
    assert_eq!(offers(&server, &mails).await, [404, 200], "whoever has the first address has nothing");
    server.stop().await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_a_mail() {
    let relay = Relay::start(Manner::default()).await;
    let server = server_with(relay.url("", "")).await;
    let ada = server.sign_up("ada").await;
    let app = server.app();
    app.forgot_password("nobody@example.com", HERE).await.expect("the same for all");
    app.forgot_password(&ada.email, HERE).await.expect("the same for all");
    eventually(async || !relay.mails().is_empty()).await;

    let link = link(&relay.mails()[0]);
    let token = link.strip_prefix("https://status.example.com/sub/reset/").expect("a link to this instance");
    app.reset_password(token, "walnut-cathedral-mosaic".into(), HERE).await.expect("a good link");

    eventually(async || relay.mails().len() == 2).await;
    let mails = relay.mails();
    assert_eq!(mails[1].field("Subject"), "Your password was changed");
    assert!(mails.iter().all(|mail| mail.to == ["TO:<ada@example.com>"]), "{mails:?}");
    let [text, _] = mails[1].parts();
    assert!(text.contains("https://status.example.com/sub/forgot") && !text.contains("/reset/"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn nobodys_mailbox_is_filled_with_links() {
    let relay = Relay::start(Manner::default()).await;
    let server = server_with(relay.url("", "")).await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let mails_to = |person: &Client| relay.mails().iter().filter(|mail| mail.to == [format!("TO:<{}>", person.email)]).count();
    for _ in 0..8 {
        server.app().forgot_password(&ada.email, HERE).await.expect("the same for all");
    }
    eventually(async || mails_to(&ada) >= 3).await;
    // Somebody else still gets one; being the last, it comes when there is nothing left on its way to the first.
    server.app().forgot_password(&eve.email, HERE).await.expect("the same for all");
    eventually(async || mails_to(&eve) == 1).await;
    assert_eq!(mails_to(&ada), 3);
    server.stop().await;
}
