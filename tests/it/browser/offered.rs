//! What a page offers works: for each role every link of the organization's pages is opened and every form sent, as a browser without script would.
//! None of them leads to a refusal, and nobody is led to what is not theirs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use super::{say, send_picture, trouble};
use crate::harness::{Answer, Client, Server};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const ROLES: [&str; 4] = ["viewer", "responder", "editor", "admin"];

/// The pages that need a role: who has it is led to them, and nobody else is.
const NEEDING: [(&str, &[&str]); 3] = [
    ("responder", &["/incidents/new", "/incidents/*/edit", "/incidents/*/updates/*"]),
    ("editor", &["/services/new", "/groups/new", "/page"]),
    ("admin", &["/team/invite", "/team/invitations/*", "/settings", "/settings/delete"]),
];

/// What ends something comes after what needs it, and one's own leaving last.
const ENDINGS: [&str; 5] = ["/logo/remove", "/revoke", "/delete", "/members/*/remove", "/leave"];

/// How many links of one shape are followed.
const FOLLOWED: usize = 4;

/// The tags of a page, without their brackets, each with the text behind it.
fn tags(html: &str) -> impl Iterator<Item = (&str, &str)> {
    html.split('<').skip(1).map(|tag| tag.split_once('>').unwrap_or((tag, "")))
}

/// The value of a tag's attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| plain(value))
}

/// What a text in HTML says.
fn plain(html: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&"), ("&amp;", "&")];
    named.iter().fold(html.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

/// A form as it would be sent: with what stands in it, something typed where nothing does, and its button pressed.
#[derive(Default)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
    takes_a_file: bool,
    /// Its buttons that send a value; none is needed where there is one that sends none.
    buttons: Vec<(String, String)>,
    has_plain_button: bool,
    /// Whether the last field is a list whose choices follow, and whether any was there.
    list: Option<bool>,
}

impl Form {
    fn read(&mut self, kind: &str, tag: &str, text: &str) {
        let value = attribute(tag, "value").unwrap_or_default();
        let typed = |value: String, otherwise: &str| if value.is_empty() { otherwise.to_owned() } else { value };
        match (kind, attribute(tag, "name")) {
            ("input", Some(name)) => match attribute(tag, "type").unwrap_or_default().as_str() {
                "radio" | "checkbox" if !tag.contains(" checked") => {}
                "file" => self.takes_a_file = true,
                "text" => self.fields.push((name, typed(value, "Sample"))),
                "email" => self.fields.push((name, typed(value, "sample@example.com"))),
                _ => self.fields.push((name, value)),
            },
            ("textarea", Some(name)) => self.fields.push((name, typed(plain(text.trim_start_matches('\n')), "Sample"))),
            ("select", Some(name)) => {
                self.fields.push((name, String::new()));
                self.list = Some(false);
            }
            ("/select", _) => self.list = None,
            ("option", _) => {
                if let (Some(any), Some(field)) = (&mut self.list, self.fields.last_mut())
                    && (!*any || tag.contains(" selected"))
                {
                    field.1 = value;
                    *any = true;
                }
            }
            ("button", Some(name)) => self.buttons.push((name, value)),
            ("button", None) => self.has_plain_button = true,
            _ => {}
        }
    }

    async fn send(self, person: &Client) -> Answer {
        if self.takes_a_file {
            return send_picture(person, &self.action).await;
        }
        let pressed = self.buttons.into_iter().next().filter(|_| !self.has_plain_button);
        let fields: Vec<_> = self.fields.into_iter().chain(pressed).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        person.post_form(&self.action, &fields).await
    }
}

/// The forms of a page that change something.
fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut open: Option<Form> = None;
    for (tag, text) in tags(html) {
        match tag.split_whitespace().next().unwrap_or_default() {
            "form" if attribute(tag, "method").as_deref() == Some("post") => {
                open = Some(Form { action: attribute(tag, "action").unwrap_or_default(), ..Form::default() });
            }
            "/form" => forms.extend(open.take()),
            kind => {
                if let Some(form) = &mut open {
                    form.read(kind, tag, text);
                }
            }
        }
    }
    forms
}

/// Where the links of a page lead, on this server.
fn links(html: &str) -> Vec<String> {
    let hrefs = tags(html).filter(|(tag, _)| tag.starts_with("a ")).filter_map(|(tag, _)| attribute(tag, "href"));
    hrefs.map(|href| href.split('#').next().unwrap_or_default().to_owned()).filter(|href| href.starts_with('/')).collect()
}

/// A path with ids and what is asked for left out: what has one shape is made by one handler.
fn shape(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_id = |part: &str| part.split_once('_').is_some_and(|(_, id)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let parts: Vec<_> = path.split('/').map(|part| if is_id(part) { "*" } else { part }).collect();
    let asked: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{}?{}", parts.join("/"), asked.join("&"))
}

/// What a person finds by following every link, from one page on.
#[derive(Default)]
struct Found {
    /// The shapes of the organization's own pages, without what is asked of them.
    pages: BTreeSet<String>,
    /// The shapes of the forms, with one page that shows such a form and where that one posts to.
    forms: BTreeMap<String, (String, String)>,
    wrong: Vec<String>,
}

async fn walk(person: &Client) -> Found {
    let home = format!("/o/{}", person.slug);
    let mut found = Found::default();
    let (mut known, mut followed) = (BTreeSet::from([home.clone()]), BTreeMap::<String, usize>::new());
    let mut open = VecDeque::from([(home.clone(), "the start".to_owned())]);
    while let Some((path, from)) = open.pop_front() {
        let shown = person.send("GET", &path, &[BROWSER], "").await;
        if !matches!(shown.status, 200 | 303 | 308) {
            found.wrong.push(format!("{from} leads to {path}: {}", shown.status));
        }
        let Some(rest) = path.strip_prefix(&home).filter(|_| shown.header("content-type").starts_with("text/html")) else { continue };
        found.pages.insert(shape(rest).split('?').next().unwrap_or_default().to_owned());
        for form in forms(&shown.text).into_iter().filter(|form| form.action.starts_with(&home)) {
            let name = shape(&form.action[home.len()..]).trim_end_matches('?').to_owned();
            found.forms.entry(name).or_insert_with(|| (path.clone(), form.action));
        }
        for link in links(&shown.text) {
            let count = followed.entry(shape(&link)).or_default();
            if *count < FOLLOWED && known.insert(link.clone()) {
                *count += 1;
                open.push_back((link, path.clone()));
            }
        }
    }
    found
}

/// An organization in which every page has something to offer.
async fn full(server: &Server) -> Client {
    let ada = server.sign_up("ada").await;
    let (api, _) = trouble(&ada).await;
    ada.private_service("Payroll").await;
    let over = ada.incident(&[(&api, "degraded_performance")], "It was slow").await;
    say(&ada, &over, json!({ "status": "resolved", "message": "All clear." })).await;
    ada.invite("sam@example.com", "editor").await;
    // So that neither who walks nor who founded it is the last admin.
    ada.make_member("admin").await;
    send_picture(&ada, &format!("/o/{}/page/logo", ada.slug)).await.expect(303);
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_is_led_to_what_it_may_do_and_to_nothing_else() {
    let mut wrong = Vec::new();
    for (rank, role) in ROLES.iter().enumerate() {
        let server = Server::start().await;
        let person = full(&server).await.make_member(role).await;
        let found = walk(&person).await;
        wrong.extend(found.wrong.iter().map(|line| format!("{role}: {line}")));
        for (needed, pages) in NEEDING {
            let may = ROLES.iter().position(|known| *known == needed).is_some_and(|needed| rank >= needed);
            for page in pages {
                if found.pages.contains(*page) != may {
                    wrong.push(format!("{role}: is{} led to {page}", if may { " not" } else { "" }));
                }
            }
        }
        if rank == 0 {
            assert_eq!(found.forms.keys().collect::<Vec<_>>(), ["/team/leave"], "all that a viewer may do");
        }

        let ending = |name: &str| ENDINGS.iter().position(|ending| name.ends_with(ending)).map_or(0, |at| at + 1);
        let mut in_order: Vec<_> = found.forms.into_iter().collect();
        in_order.sort_by_key(|(name, _)| ending(name));
        for (name, (page, action)) in in_order {
            // As it is by now: another form may have changed what this one is about.
            let shown = person.send("GET", &page, &[BROWSER], "").await;
            let Some(form) = forms(&shown.text).into_iter().find(|form| form.action == action) else {
                wrong.push(format!("{role}: {page} has no form {action} any more ({})", shown.status));
                continue;
            };
            let answer = form.send(&person).await;
            // Nobody deletes an organization without typing its name.
            let expected = if name == "/settings/delete" { 422 } else { 303 };
            if answer.status != expected {
                wrong.push(format!("{role}: {name} of {page}: {}", answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
