//! Every page about people and settings, in each state that it can be in: axe finds nothing, and nothing is wider than the window.

use std::net::TcpListener;
use std::time::Duration;

use allclear::config::{Config, Registration};
use serde_json::json;

use super::accessibility::{LONG, RIGHT_TO_LEFT, look};
use super::driver::{Browser, Kind};
use super::send_picture;
use crate::harness::{Answer, Client, Options, PASSWORD, Server};

/// A page, and what is done on it to see it in another state.
type State = (String, String);

fn as_it_is(path: impl Into<String>) -> State {
    (path.into(), String::new())
}

fn after(path: impl Into<String>, act: impl Into<String>) -> State {
    (path.into(), act.into())
}

/// The form of this id is sent, after its fields were changed; the server is to judge it, not the browser.
fn sent(path: impl Into<String>, form: &str, change: &str) -> State {
    let act = format!(
        "(() => {{ const form = document.getElementById('{form}'), {{ elements }} = form; {change}; form.noValidate = true; form.requestSubmit(); return true }})()"
    );
    after(path, act)
}

/// What makes a form an old one: it was filled in against another version, before anything happened that is told since.
const OLD: &str = "elements.version.value = '99', elements.seen.value = elements.seen.value.replace(/:.*/, ':0')";

fn opened(path: impl Into<String>, details: &str) -> State {
    after(path, format!("document.getElementById('{details}').open = true, true"))
}

fn link(invited: &Answer) -> String {
    format!("/invite/{}", invited.text_at("/token"))
}

/// The path of a link to a new password.
async fn reset_link(server: &Server, email: &str) -> String {
    let url = server.app().reset_link(email).await.expect("a link");
    url.strip_prefix(&server.base()).expect("a link of ours").to_owned()
}

/// The operator, at their own organization.
async fn operator(server: &Server) -> Client {
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("it is written"));
    let mut operator = server.anonymous();
    operator.email = "operator@example.com".into();
    operator.post("/api/users/auth/login", json!({ "email": operator.email, "password": PASSWORD })).await.expect(200);
    let own = operator.get("/api/users/organizations").await.expect(200);
    operator.org_id = own.text_at("/data/0/id");
    operator.slug = own.text_at("/data/0/slug");
    operator
}

/// Makes an organization for somebody else; answers with the path of its page for the operator.
async fn found(operator: &Client, name: &str, email: &str) -> String {
    let made = operator.post_form("/instance/organizations", &[("name", name), ("email", email)]).await.expect(303);
    made.header("location").split_once("/invitation").expect("the link's page").0.to_owned()
}

/// The people of the plot, and what there is between them.
struct Plot {
    /// The last admin of an organization with everyone in it.
    ada: Client,
    vera: Client,
    rima: Client,
    /// Alone in her own organization, and at home in Ada's.
    gwen: Client,
    /// Alone in her own, and invited to Ada's.
    eve: Client,
    /// Nowhere at home any more.
    leah: Client,
    operator: Client,
    waiting: Answer,
    expired: Answer,
    for_eve: Answer,
    for_a_newcomer: Answer,
    /// The operator's pages of organizations that nobody has come to.
    new: String,
    gone: String,
}

impl Plot {
    async fn set_up(server: &Server) -> Self {
        let operator = operator(server).await;
        let ada = server.sign_up("ada").await;
        let expired = ada.invite("late@example.com", "admin").await;
        let gone = found(&operator, &LONG[..80], "gone@example.com").await;
        server.advance(Duration::from_secs(25 * 60 * 60));

        let long = |letter: &str| format!("{}@{}.example.com", letter.repeat(60), letter.repeat(60));
        let vera = ada.sign_up_by(&ada.invite(&long("v"), "viewer").await, &LONG[..80]).await;
        let rima = ada.sign_up_by(&ada.invite("rima@example.com", "editor").await, RIGHT_TO_LEFT).await;
        let leah = ada.sign_up_by(&ada.invite("leah@example.com", "responder").await, "Leah").await;
        ada.delete(ada.own(&format!("/members/{}", leah.user_id))).await.expect(204);
        let (gwen, eve) = (server.sign_up("gwen").await, server.sign_up("eve").await);
        gwen.accept(&ada.invite(&gwen.email, "responder").await).await;
        Self {
            waiting: ada.invite(&long("w"), "responder").await,
            for_eve: ada.invite(&eve.email, "admin").await,
            for_a_newcomer: ada.invite("newcomer@example.com", "editor").await,
            new: found(&operator, "Skerry", "skipper@example.com").await,
            ada,
            vera,
            rima,
            gwen,
            eve,
            leah,
            operator,
            expired,
            gone,
        }
    }

    /// What nobody has to sign in for.
    async fn outside(&self, server: &Server) -> Vec<State> {
        let reset = reset_link(server, &self.ada.email).await;
        let newcomer = link(&self.for_a_newcomer);
        vec![
            as_it_is("/login?told=password-reset"),
            as_it_is("/forgot"),
            as_it_is(&reset),
            sent(&reset, "reset", ""),
            as_it_is("/reset/x"),
            as_it_is(&newcomer),
            sent(&newcomer, "signup", "elements.full_name.value = 'x'.repeat(300)"),
            as_it_is(link(&self.for_eve)),
            as_it_is("/invite/x"),
        ]
    }

    /// The team, as its admin works with it.
    fn team(&self) -> Vec<State> {
        let team = format!("/o/{}/team", self.ada.slug);
        let (waiting, vera) = (format!("{team}/invitations/{}", self.waiting.id()), format!("{team}/members/{}", self.vera.user_id));
        let conflict = |email: &str| sent(format!("{team}/invite"), "invite", &format!("elements.email.value = '{email}'"));
        vec![
            as_it_is(&team),
            as_it_is(format!("{team}?told=member-removed")),
            as_it_is(format!("{team}/invite")),
            sent(format!("{team}/invite"), "invite", "elements.email.value = 'sam'"),
            conflict(&self.eve.email),
            conflict(&self.vera.email),
            as_it_is(format!("{waiting}?told=invited-no-mail&of={}", self.waiting.id())),
            as_it_is(format!("{team}/invitations/{}", self.expired.id())),
            as_it_is(&vera),
            opened(&vera, "remove"),
            sent(&vera, "role-form", &format!("{OLD}, elements.role.value = 'editor'")),
            as_it_is(format!("{team}/members/{}", self.rima.user_id)),
            sent(format!("{team}/members/{}", self.ada.user_id), "role-form", "elements.role.value = 'viewer'"),
            as_it_is(format!("{team}/leave")),
            as_it_is(format!("/o/{}/timeline", self.ada.slug)),
            as_it_is(link(&self.for_eve)),
            as_it_is("/organizations"),
            as_it_is("/account"),
        ]
    }

    /// The settings, of the page and of the organization.
    fn settings(&self) -> Vec<State> {
        let o = format!("/o/{}", self.ada.slug);
        let (page, own, delete) = (format!("{o}/page"), format!("{o}/settings"), format!("{o}/settings/delete"));
        let preview = "document.getElementById('description').value = '**x**', document.querySelector('#texts [hx-post$=\"/preview\"]').click(), true";
        vec![
            as_it_is(&page),
            after(&page, preview),
            sent(&page, "texts", "elements.slug.value = 'Not one', elements.time_zone.value = 'Mars/Olympus'"),
            sent(&page, "texts", OLD),
            sent(&page, "logo-new", ""),
            as_it_is(&own),
            sent(&own, "edit", "elements.name.value = '', elements.slug.value = 'admin'"),
            sent(&own, "edit", OLD),
            as_it_is(&delete),
            sent(&delete, "delete", "elements.name.value = 'Another'"),
        ]
    }

    /// What each of the others sees.
    fn others(&self) -> Vec<(&Client, Vec<State>)> {
        let o = format!("/o/{}", self.ada.slug);
        let alone = format!("/o/{}", self.eve.slug);
        vec![
            (
                &self.vera,
                vec![
                    as_it_is(format!("{o}?told=joined")),
                    as_it_is(format!("{o}/team")),
                    as_it_is(format!("{o}/team/members/{}", self.ada.user_id)),
                    as_it_is(format!("{o}/team/members/{}", self.vera.user_id)),
                    as_it_is(format!("{o}/team/leave")),
                    as_it_is(format!("{o}/settings")),
                    as_it_is("/organizations"),
                    as_it_is("/account"),
                ],
            ),
            (&self.rima, vec![as_it_is(&o), as_it_is(format!("{o}/page")), as_it_is(format!("{o}/find?q=a"))]),
            (&self.gwen, vec![as_it_is("/organizations"), as_it_is("/account"), opened(&o, "menu-person")]),
            (&self.leah, vec![as_it_is("/organizations?told=out"), as_it_is("/account"), as_it_is(&o)]),
            (&self.eve, vec![as_it_is(format!("{alone}/team")), as_it_is(format!("{alone}/team/leave")), as_it_is(link(&self.for_eve))]),
        ]
    }

    /// What the operator sees.
    fn instance(&self) -> Vec<State> {
        let new = "/instance/organizations";
        let (ada, eve) = (format!("{new}/{}", self.ada.org_id), format!("{new}/{}", self.eve.org_id));
        vec![
            as_it_is("/instance"),
            as_it_is(new),
            sent(new, "new-organization", ""),
            as_it_is(&self.new),
            as_it_is(format!("{}/invitation?told=organization-made", self.new)),
            sent(format!("{}/invitation", self.new), "resend", "elements.email.value = 'skipper'"),
            as_it_is(format!("{}/invitation", self.gone)),
            as_it_is(&ada),
            as_it_is(format!("{eve}?told=organization-suspended")),
            as_it_is(format!("{ada}/delete")),
            sent(format!("{ada}/delete"), "delete", "elements.name.value = 'Another'"),
            as_it_is("/organizations"),
            as_it_is("/account"),
        ]
    }
}

/// Looks at pages, as this person or as nobody; what is wrong is added up.
struct Inspection<'a> {
    browser: &'a Browser,
    wrong: Vec<String>,
}

impl Inspection<'_> {
    async fn of(&mut self, server: &Server, who: Option<&Client>, states: &[State]) {
        match who {
            Some(who) => self.browser.be(server, who).await,
            None => self.browser.window.delete_all_cookies().await.expect("cookies can be forgotten"),
        }
        for (path, act) in states {
            self.wrong.extend(look(self.browser, server, path, act).await);
        }
    }
}

async fn nothing_is_wrong(kind: Kind) {
    let server = Server::start().await;
    let plot = Plot::set_up(&server).await;
    let browser = Browser::of(kind).await;
    let mut inspection = Inspection { browser: &browser, wrong: Vec::new() };

    inspection.of(&server, None, &plot.outside(&server).await).await;
    inspection.of(&server, Some(&plot.ada), &[plot.team(), plot.settings()].concat()).await;
    let page = format!("/o/{}/page", plot.ada.slug);
    send_picture(&plot.ada, &format!("{page}/logo")).await.expect(303);
    let with_logo = [
        as_it_is(format!("{page}?told=logo-saved")),
        sent(&page, "logo-new", ""),
        opened(&page, "logo-remove"),
        as_it_is(format!("/p/{}", plot.ada.slug)),
    ];
    inspection.of(&server, Some(&plot.ada), &with_logo).await;
    for (who, states) in plot.others() {
        inspection.of(&server, Some(who), &states).await;
    }

    plot.operator.post_form(format!("/instance/organizations/{}/suspend", plot.eve.org_id), &[]).await.expect(303);
    inspection.of(&server, Some(&plot.operator), &plot.instance()).await;
    let suspended = [as_it_is("/organizations"), as_it_is("/account"), as_it_is(format!("/o/{}", plot.eve.slug))];
    inspection.of(&server, Some(&plot.eve), &suspended).await;
    assert!(inspection.wrong.is_empty(), "{}", inspection.wrong.join("\n"));
}

/// An instance on a file that makes no accounts any more, and sends mail, which nobody takes.
async fn shut(dir: &std::path::Path) -> Server {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let config = Config {
        registration: Registration::Closed,
        smtp_url: Some(format!("smtp://{nobody}").into()),
        mail_from: Some("Allclear <status@example.com>".into()),
        ..Config::default()
    };
    Server::start_with(Options { dir: Some(dir.to_path_buf()), config, ..Options::default() }).await
}

async fn nothing_is_wrong_where_mail_is_sent(kind: Kind) {
    let dir = tempfile::tempdir().expect("a folder");
    let open = Server::start_in(dir.path()).await;
    let operator = operator(&open).await;
    // Later than this, who has no account can't be invited.
    let invited = operator.invite("newcomer@example.com", "viewer").await;
    open.stop().await;
    let server = shut(dir.path()).await;
    let operator = operator.at(&server.base());
    let browser = Browser::of(kind).await;
    let mut inspection = Inspection { browser: &browser, wrong: Vec::new() };

    let outside = [
        as_it_is("/forgot"),
        as_it_is("/forgot?told=reset-requested"),
        sent("/forgot", "forgot", "elements.email.value = 'ada'"),
        as_it_is(link(&invited)),
    ];
    inspection.of(&server, None, &outside).await;
    let invitation = format!("/o/{}/team/invitations/{}", operator.slug, invited.id());
    inspection.of(&server, Some(&operator), &[as_it_is(format!("{invitation}?told=invited-mail-failed")), as_it_is("/instance")]).await;
    assert!(inspection.wrong.is_empty(), "{}", inspection.wrong.join("\n"));
}

const WIDE: Kind = Kind { javascript: true, dark: false, width: 1600 };
const PHONE: Kind = Kind { javascript: true, dark: true, width: 390 };

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_in_the_light_on_a_wide_screen() {
    nothing_is_wrong(WIDE).await;
    nothing_is_wrong_where_mail_is_sent(WIDE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_in_the_dark_on_a_phone() {
    nothing_is_wrong(PHONE).await;
    nothing_is_wrong_where_mail_is_sent(PHONE).await;
}
