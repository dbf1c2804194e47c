//! A person with an HTTP client.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::PATIENCE;

/// Everyone's password.
pub(crate) const PASSWORD: &str = "tangerine-otter-plinth";

/// Someone who speaks to a server, with a cookie if they are signed in. A clone is the same person in the same session.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    /// By hand rather than reqwest's jar, which would rightly not send a `Secure` cookie over the test's plain HTTP.
    cookie: Arc<Mutex<Option<String>>>,
    heard: Arc<AtomicUsize>,
    /// The organization that this person is here for; empty for nobody's.
    pub(crate) org_id: String,
    /// Its page's slug.
    pub(crate) slug: String,
    /// The person's address.
    pub(crate) email: String,
    /// The person's id.
    pub(crate) user_id: String,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, `null` where it is no JSON.
    pub(crate) json: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// The same, if the status is the one expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A header's text; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `id` in the body.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("{} no id in {}", self.status, self.text)).to_owned()
    }

    /// A text in the body, by its JSON pointer.
    #[track_caller]
    pub(crate) fn text_at(&self, pointer: &str) -> String {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {}", self.text)).to_owned()
    }

    /// The kind of the problem: what follows `urn:allclear:problem:`.
    #[track_caller]
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(self.json["status"], self.status, "{}", self.text);
        assert_eq!(self.json["request_id"], self.header("x-request-id"), "{}", self.text);
        let kind = self.json["type"].as_str().and_then(|kind| kind.strip_prefix("urn:allclear:problem:"));
        kind.unwrap_or_else(|| panic!("no type of ours: {}", self.text))
    }

    /// The fields that a 422 names, in alphabetical order.
    #[track_caller]
    pub(crate) fn wrong_fields(&self) -> Vec<&str> {
        assert_eq!(self.status, 422, "{}", self.text);
        self.problem();
        let errors = self.json["errors"].as_array().unwrap_or_else(|| panic!("no errors in {}", self.text));
        assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|message| !message.is_empty())), "{}", self.text);
        let mut fields: Vec<_> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
        fields.sort_unstable();
        fields
    }
}

impl Client {
    pub(super) fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build().expect("a client");
        Self {
            http,
            base,
            cookie: Arc::default(),
            heard: Arc::default(),
            org_id: String::new(),
            slug: String::new(),
            email: String::new(),
            user_id: String::new(),
        }
    }

    /// Signs someone new up at the same server; see [`Server::sign_up`](super::Server::sign_up).
    pub(crate) async fn sign_up(&self, name: &str) -> Client {
        let full_name = capitalised(name);
        let input = json!({
            "email": format!("{name}@example.com"), "password": PASSWORD,
            "full_name": full_name, "organization_name": format!("{full_name}'s Org"),
        });
        self.sign_up_with(input).await
    }

    /// Signs someone new up by the link of an invitation, into the organization that invites.
    pub(crate) async fn sign_up_by(&self, invited: &Answer, name: &str) -> Client {
        let input = json!({
            "email": invited.json["email"], "password": PASSWORD,
            "full_name": capitalised(name), "invite_token": invited.json["token"],
        });
        self.sign_up_with(input).await
    }

    async fn sign_up_with(&self, input: Value) -> Client {
        let mut client = Self::new(self.base.clone());
        let answer = client.post("/api/users/auth/signup", input).await.expect(201);
        client.org_id = answer.text_at("/organization/id");
        client.slug = answer.text_at("/organization/slug");
        client.email = answer.text_at("/user/email");
        client.user_id = answer.text_at("/user/id");
        client.new_events().await;
        client
    }

    /// The same person in another session.
    pub(crate) async fn sign_in(&self) -> Client {
        let other = Client { cookie: Arc::default(), heard: Arc::default(), ..self.clone() };
        other.post("/api/users/auth/login", json!({ "email": self.email, "password": PASSWORD })).await.expect(200);
        other.new_events().await;
        other
    }

    /// Signs another person up, who has an organization of their own too; this person invites them to theirs, and they accept.
    ///
    /// It is no news for who invites, unless other news wait for them.
    pub(crate) async fn make_member(&self, role: &str) -> Client {
        static MEMBERS: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{role}-{}", MEMBERS.fetch_add(1, Ordering::Relaxed));
        let person = self.sign_up(&name).await;
        let member = person.accept(&self.invite(&person.email, role).await).await;
        let (heard, all) = (self.heard.load(Ordering::Relaxed), member.heard.load(Ordering::Relaxed));
        if heard + 2 == all {
            self.heard.store(all, Ordering::Relaxed);
        }
        member
    }

    /// The place of what concerns this organization's people, such as `/members`.
    pub(crate) fn own(&self, path: &str) -> String {
        format!("/api/users/organizations/{}{path}", self.org_id)
    }

    /// Invites someone to this organization; the answer has the link.
    pub(crate) async fn invite(&self, email: &str, role: &str) -> Answer {
        self.post(self.own("/invitations"), json!({ "email": email, "role": role })).await.expect(201)
    }

    /// Joins by the link of an invitation, and is here for the organization that invites from now on.
    pub(crate) async fn accept(&self, invited: &Answer) -> Client {
        let joined = self.post(accepting(invited), json!({})).await.expect(200);
        let member = Client { org_id: joined.text_at("/id"), slug: joined.text_at("/slug"), heard: Arc::default(), ..self.clone() };
        member.new_events().await;
        member
    }

    /// The same person at a server that has moved.
    pub(crate) fn at(&self, base: &str) -> Client {
        Client { base: base.to_owned(), ..self.clone() }
    }

    /// The cookie as it is sent, `name=value`; empty without a session.
    pub(crate) fn cookie(&self) -> String {
        self.cookie.lock().expect("no panic").clone().unwrap_or_default()
    }

    /// The same person, as they would be with this cookie.
    pub(crate) fn with_cookie(&self, cookie: &str) -> Client {
        Client { cookie: Arc::new(Mutex::new(Some(cookie.to_owned()))), ..self.clone() }
    }

    /// GET.
    pub(crate) async fn get(&self, path: impl AsRef<str>) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// POST with JSON.
    pub(crate) async fn post(&self, path: impl AsRef<str>, json: impl Borrow<Value>) -> Answer {
        let json: &Value = json.borrow();
        self.send("POST", path, &[("content-type", "application/json")], json.to_string()).await
    }

    /// POST with JSON and an `Idempotency-Key`.
    pub(crate) async fn post_once(&self, path: impl AsRef<str>, key: &str, json: impl Borrow<Value>) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let json: &Value = json.borrow();
        self.send("POST", path, &headers, json.to_string()).await
    }

    /// POST as a browser's form does.
    pub(crate) async fn post_form(&self, path: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        let body = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect::<Vec<_>>().join("&");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
        self.send("POST", path, &headers, body).await
    }

    /// PUT with JSON.
    pub(crate) async fn put(&self, path: impl AsRef<str>, json: impl Borrow<Value>) -> Answer {
        let json: &Value = json.borrow();
        self.send("PUT", path, &[("content-type", "application/json")], json.to_string()).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: impl AsRef<str>) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    /// Any request; the cookie is added, and the one in the answer kept.
    ///
    /// # Panics
    /// When there is no answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: impl AsRef<str>,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let path = path.as_ref();
        self.try_send(method, path, headers, body).await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// As [`send`](Self::send), where the server may be gone.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookie = self.cookie();
        if !cookie.is_empty() {
            request = request.header(COOKIE, cookie);
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let pair = line.to_str().expect("ASCII").split(';').next().unwrap_or_default().to_owned();
            *self.cookie.lock().expect("no panic") = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        let text = response.text().await?;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.ends_with("json") || kind.starts_with("application/json");
        let json = if is_json && !text.is_empty() {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
        } else {
            Value::Null
        };
        Ok(Answer { status, headers, json, text })
    }

    /// GET whose answer may never end: the body is the caller's to read.
    pub(crate) async fn open(&self, path: impl AsRef<str>) -> reqwest::Response {
        // Only the head is waited for within the client's patience; a stream lives as long as the test lets it.
        let request = self.http.get(format!("{}{}", self.base, path.as_ref())).timeout(PATIENCE * 10).header(COOKIE, self.cookie());
        request.send().await.expect("an answer")
    }

    /// Makes a public service.
    pub(crate) async fn service(&self, name: &str) -> String {
        self.service_with(json!({ "name": name })).await
    }

    /// Makes a private service.
    pub(crate) async fn private_service(&self, name: &str) -> String {
        self.service_with(json!({ "name": name, "visibility": "private" })).await
    }

    /// Makes a service of this organization.
    pub(crate) async fn service_with(&self, mut input: Value) -> String {
        input["organization_id"] = self.org_id.clone().into();
        self.post("/api/services", input).await.expect(201).id()
    }

    /// Makes a group.
    pub(crate) async fn group(&self, name: &str) -> String {
        self.post("/api/service-groups", json!({ "name": name, "organization_id": self.org_id })).await.expect(201).id()
    }

    /// Opens an incident that says so much of each service.
    pub(crate) async fn incident(&self, affected: &[(&str, &str)], title: &str) -> String {
        let affected: Vec<_> = affected.iter().map(|(service, status)| json!({ "service_id": service, "status": status })).collect();
        let input = json!({ "title": title, "message": "We are looking into it.", "affected": affected, "organization_id": self.org_id });
        self.post("/api/incidents", input).await.expect(201).id()
    }

    /// The organization's timeline, oldest first.
    pub(crate) async fn timeline(&self) -> Vec<Value> {
        self.all(&format!("/api/timeline/organization/{}?limit=200", self.org_id)).await.into_iter().rev().collect()
    }

    /// Every entry of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let answer = self.get(format!("{path}{next}")).await.expect(200);
            all.extend(answer.json["data"].as_array().unwrap_or_else(|| panic!("no data in {}", answer.text)).iter().cloned());
            match answer.json["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={}", percent(cursor)),
                None => return all,
            }
        }
    }

    /// The types of the organization's events, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.timeline().await.iter().map(|entry| entry["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The types of the events since the last call, or since this person came.
    pub(crate) async fn new_events(&self) -> Vec<String> {
        self.news().await.iter().map(|entry| entry["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The entries since the last call, or since this person came.
    pub(crate) async fn news(&self) -> Vec<Value> {
        let all = self.timeline().await;
        let heard = self.heard.swap(all.len(), Ordering::Relaxed);
        all.into_iter().skip(heard).collect()
    }
}

/// Where an invitation is accepted.
pub(crate) fn accepting(invited: &Answer) -> String {
    format!("/api/users/invitations/{}/accept", invited.text_at("/token"))
}

/// A name as people write theirs.
fn capitalised(name: &str) -> String {
    name.chars().take(1).flat_map(char::to_uppercase).chain(name.chars().skip(1)).collect()
}

/// A text as part of a query or a form (RFC 3986, unreserved characters stay).
pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}
