//! The public page, its stream, and the forms: as visitors and people without JavaScript meet them.

use std::time::Duration;

use allclear::config::{Config, Registration};
use serde_json::json;

use crate::harness::{Answer, Options, PASSWORD, PATIENCE, Server, eventually};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const FRAGMENTS: [&str; 8] = ["top", "stale", "banner", "incidents", "services", "history", "zone", "asof"];

/// A page's stream, as htmx reads it.
pub(crate) struct Stream {
    response: reqwest::Response,
    unread: Vec<u8>,
}

/// One message of it.
pub(crate) struct Message {
    id: String,
    pub(crate) data: String,
}

impl Message {
    /// The elements that it replaces.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.data.split("hx-target=\"#").skip(1).filter_map(|rest| rest.split_once('"')).map(|(target, _)| target).collect()
    }
}

impl Stream {
    pub(crate) async fn open(server: &Server, path: &str, last_event_id: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request = http.get(format!("{}{path}", server.base()));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "{path}");
        Self { response, unread: Vec::new() }
    }

    /// The next message with data; `None` when the stream has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("UTF-8");
                let field = |name: &str| block.lines().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>().join("\n");
                if block.contains("data: ") {
                    assert_eq!(field("event: "), "", "htmx swaps unnamed messages only");
                    return Some(Message { id: field("id: "), data: field("data: ") });
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes").expect("nothing is cut");
            self.unread.extend_from_slice(&chunk?);
        }
    }

    pub(crate) async fn must(&mut self) -> Message {
        self.next().await.expect("the stream goes on")
    }
}

/// Where the page tells the browser to listen.
pub(crate) fn stream_of(page: &str) -> String {
    let rest = page.split_once("hx-sse:connect=\"").unwrap_or_else(|| panic!("no stream in {page}")).1;
    rest.split_once('"').expect("an attribute").0.to_owned()
}

pub(crate) async fn page(server: &Server, slug: &str) -> Answer {
    server.anonymous().send("GET", format!("/p/{slug}"), &[BROWSER], "").await.expect(200)
}

#[tokio::test]
async fn from_sign_up_to_a_page() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let empty = page(&server, &ada.slug).await;
    assert!(empty.text.contains("Ada&#39;s Org") && empty.text.contains("No services are listed yet."), "{}", empty.text);

    let api = ada.service("Checkout API").await;
    ada.incident(&[(&api, "major_outage")], "Payments fail").await;

    let shown = page(&server, &ada.slug).await.text;
    for words in ["Checkout API", "Payments fail", "We are looking into it.", "Major outage", "No incidents reported."] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("Ada<") && !shown.contains(&ada.email), "an author is shown");
}

#[tokio::test]
async fn an_author_who_reloads_sees_what_was_acknowledged() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for number in 0..20 {
        let name = format!("Service {number}");
        ada.service(&name).await;
        assert!(page(&server, &ada.slug).await.text.contains(&name), "{name} is missing");
    }
}

#[tokio::test]
async fn a_page_is_kept_in_each_encoding_and_checked_by_its_tag() {
    let server = Server::start().await;
    let slug = server.sign_up("ada").await.slug;
    let (path, nobody) = (format!("/p/{slug}"), server.anonymous());
    let routed = page(&server, &slug).await;
    assert!(!routed.header("x-request-id").is_empty());
    eventually(async || nobody.get(&path).await.header("x-request-id").is_empty()).await;

    let mut tags = Vec::new();
    for (accept, encoding) in [("identity", ""), ("gzip", "gzip"), ("gzip, deflate, br", "br")] {
        let get = nobody.send("GET", &path, &[("accept-encoding", accept)], "").await.expect(200);
        assert!(get.header("x-request-id").is_empty(), "it is answered before the router");
        assert_eq!(get.header("content-encoding"), encoding);
        assert_eq!(get.header("vary"), "accept-encoding");
        assert_eq!(get.header("cache-control"), "no-cache, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400");
        assert!(get.header("content-security-policy").starts_with("default-src 'none'"));
        assert!(!get.headers.contains_key("set-cookie"));

        let head = nobody.send("HEAD", &path, &[("accept-encoding", accept)], "").await.expect(200);
        assert_eq!((head.text.as_str(), head.header("etag")), ("", get.header("etag")));
        assert_eq!(head.header("content-length"), get.header("content-length"));

        let known = [("accept-encoding", accept), ("if-none-match", get.header("etag"))];
        let again = nobody.send("GET", &path, &known, "").await.expect(304);
        assert_eq!((again.text.as_str(), again.header("etag")), ("", get.header("etag")));
        tags.push(get.header("etag").to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each encoding has its own tag");
    assert!(tags.contains(&routed.header("etag").to_owned()), "the router and the memory give the same page");
}

#[tokio::test]
async fn no_cookie_is_set_or_looked_at() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = format!("/p/{}", ada.slug);
    let for_ada = ada.send("GET", &path, &[BROWSER], "").await.expect(200);
    let for_a_liar = ada.with_cookie("allclear_session=v4.local.nonsense").send("GET", &path, &[BROWSER], "").await.expect(200);
    assert_eq!(for_ada.text, page(&server, &ada.slug).await.text);
    assert_eq!(for_a_liar.text, for_ada.text);
    for answer in [&for_ada, &for_a_liar] {
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let stream = Stream::open(&server, &stream_of(&for_ada.text), None).await;
    assert!(!stream.response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_change_reaches_an_open_page_as_the_fragments_that_changed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let path = stream_of(&page(&server, &ada.slug).await.text);
    let mut stream = Stream::open(&server, &path, None).await;
    let headers = stream.response.headers().clone();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");

    ada.incident(&[(&api, "major_outage")], "Payments fail").await;

    // Were the stream not up to date at first, everything would have come before this.
    let message = stream.must().await;
    assert_eq!(message.targets(), ["banner", "incidents", "services"]);
    assert!(message.data.contains("Payments fail") && message.data.contains("data-state=\"major_outage\""), "{}", message.data);
    assert!(message.id.starts_with(server.app().epoch()), "{}", message.id);

    let shown = page(&server, &ada.slug).await.text;
    assert!(stream_of(&shown).ends_with(&message.id), "the page that is loaded now stands where the stream does");
}

#[tokio::test]
async fn a_stream_that_is_behind_begins_with_everything() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let stale = stream_of(&page(&server, &ada.slug).await.text);
    ada.service("API").await;
    let current = stream_of(&page(&server, &ada.slug).await.text);
    let at = current.split_once("after=").expect("a position").1.to_owned();

    let old = stale.split_once("after=").expect("a position").1.to_owned();
    let elsewhere = format!("/p/{}/live?after=another:1", ada.slug);
    let nowhere = format!("/p/{}/live", ada.slug);
    for (path, last) in [(&stale, None), (&elsewhere, None), (&nowhere, None), (&current, Some(old.as_str()))] {
        let message = Stream::open(&server, path, last).await.must().await;
        assert_eq!(message.targets(), FRAGMENTS, "{path} {last:?}");
        assert_eq!(message.id, at, "{path} {last:?}");
    }

    // What was seen last counts more than the address, which htmx repeats for ever.
    let mut resumed = Stream::open(&server, &stale, Some(&at)).await;
    ada.service("Website").await;
    assert_eq!(resumed.must().await.targets(), ["services"]);
}

#[tokio::test]
async fn what_is_private_leaves_no_trace() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.service("API").await;
    let before = page(&server, &ada.slug).await;
    let mut stream = Stream::open(&server, &stream_of(&before.text), None).await;

    server.advance(Duration::from_secs(60));
    let secret = ada.private_service("Secret lab").await;
    ada.incident(&[(&secret, "major_outage")], "Hidden trouble").await;
    let after = page(&server, &ada.slug).await;
    assert_eq!(after.header("etag"), before.header("etag"), "the tag tells that something happened");
    assert_eq!(after.text, before.text);

    ada.service("Website").await;
    let message = stream.must().await;
    assert_eq!(message.targets(), ["services", "asof"], "the first that is heard is the public change");
    for word in ["Secret lab", "Hidden trouble", secret.as_str()] {
        assert!(!message.data.contains(word) && !page(&server, &ada.slug).await.text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_service_made_private_leaves_open_pages_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("Orbital relay").await;
    let shown = page(&server, &ada.slug).await.text;
    assert!(shown.contains("Orbital relay"));
    let mut stream = Stream::open(&server, &stream_of(&shown), None).await;

    ada.put(format!("/api/services/{api}"), json!({ "visibility": "private" })).await.expect(200);

    assert!(!page(&server, &ada.slug).await.text.contains("Orbital relay"));
    let message = stream.must().await;
    assert!(message.targets().contains(&"services") && !message.data.contains("Orbital relay"), "{}", message.data);
}

#[tokio::test]
async fn at_midnight_another_day_is_today() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let evening = page(&server, &ada.slug).await.text;
    assert!(evening.contains("1 March 2026") && !evening.contains("2 March 2026"));
    let mut stream = Stream::open(&server, &stream_of(&evening), None).await;

    server.advance(Duration::from_secs(12 * 3_600));

    let message = stream.must().await;
    assert_eq!(message.targets(), ["history", "asof"]);
    assert!(message.data.contains("2 March 2026"));
    assert!(page(&server, &ada.slug).await.text.contains("2 March 2026"));
    let slept = Stream::open(&server, &stream_of(&evening), None).await.must().await;
    assert_eq!(slept.targets(), FRAGMENTS, "a page that slept through midnight is behind, though nothing happened");
}

#[tokio::test]
async fn streams_end_cleanly_when_the_server_stops() {
    let server = Server::start().await;
    let slug = server.sign_up("ada").await.slug;
    let path = stream_of(&page(&server, &slug).await.text);
    let mut stream = Stream::open(&server, &path, None).await;
    let ended = tokio::spawn(async move { stream.next().await.is_none() });
    server.stop().await;
    assert!(ended.await.expect("nothing is cut"));
}

#[tokio::test]
async fn a_page_with_thirty_services_is_light() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let group = ada.group("Europe").await;
    let mut services = Vec::new();
    for number in 0..30 {
        let input = json!({ "name": format!("Service {number}"), "description": format!("What **region {number}** is served from."), "group_id": (number % 2 == 0).then_some(&group) });
        services.push(ada.service_with(input).await);
    }
    ada.incident(&[(&services[0], "partial_outage"), (&services[7], "major_outage")], "Two regions are away").await;

    let nobody = server.anonymous();
    let weigh = async |path: &str| -> usize {
        let answer = nobody.send("GET", path, &[("accept-encoding", "gzip")], "").await.expect(200);
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        answer.header("content-length").parse().expect("a length")
    };
    let html = page(&server, &ada.slug).await.text;
    let linked = |attribute: &str, kind: &str| -> Vec<String> {
        let values = html.split(attribute).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value.to_owned());
        values.filter(|value| value.ends_with(kind)).collect()
    };
    assert!(weigh(&format!("/p/{}", ada.slug)).await <= 20 << 10);
    for (attribute, kind, most) in [("href=\"", ".css", 6 << 10), ("src=\"", ".js", 20 << 10)] {
        let files = linked(attribute, kind);
        let mut sum = 0;
        for file in &files {
            sum += weigh(file).await;
        }
        assert!(!files.is_empty() && sum <= most, "{files:?} weigh {sum}");
    }
}

#[tokio::test]
async fn pages_that_are_not_there() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let nobody = server.anonymous();
    for path in ["/p/nobody", "/p/Adas-Org", "/p/..%2f..%2fetc", "/p/%00", "/p/nobody/live"] {
        let seen = nobody.send("GET", path, &[BROWSER], "").await.expect(404);
        assert!(seen.header("content-type").starts_with("text/html"), "{path}");
        assert!(seen.text.contains("<h1>Not found</h1>") && seen.text.contains("rel=\"stylesheet\""), "{path}: {}", seen.text);
        assert_eq!(seen.header("cache-control"), "no-store", "{path}");
        assert_eq!(nobody.get(path).await.expect(404).problem(), "not-found", "{path}");
    }
}

#[tokio::test]
async fn supervisors_and_crawlers_are_answered() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    assert_eq!(nobody.get("/healthz").await.expect(200).text, "ok");
    assert!(nobody.get("/robots.txt").await.expect(200).text.contains("Disallow: /api/"));
}

#[tokio::test]
async fn the_setup_link_makes_the_operator_by_a_plain_form() {
    let config = Config { registration: Registration::Closed, ..Config::default() };
    let server = Server::start_with(Options { config, ..Options::default() }).await;
    let ada = server.anonymous();
    assert!(ada.send("GET", "/", &[BROWSER], "").await.expect(200).text.contains("not set up yet"));
    ada.send("GET", "/signup", &[BROWSER], "").await.expect(403);
    let token = server.app().setup_token().await.unwrap().expect("there is no operator");

    let form = ada.send("GET", format!("/setup/{token}"), &[BROWSER], "").await.expect(200);
    assert!(form.text.contains("action=\"/setup\"") && form.text.contains(&format!("value=\"{token}\"")), "{}", form.text);
    assert_eq!((form.header("cache-control"), form.header("referrer-policy")), ("no-store", "strict-origin"));

    let fields = |password| {
        [
            ("token", token.as_str()),
            ("full_name", "Ada Lovelace"),
            ("email", "ada@example.com"),
            ("password", password),
            ("organization_name", "Engines & Co"),
        ]
    };
    let refused = ada.post_form("/setup", &fields("short-one")).await.expect(422);
    for kept in
        ["value=\"Ada Lovelace\"", "value=\"ada@example.com\"", "value=\"Engines &#38; Co\"", "aria-invalid=\"true\"", "must be 12 to 128"]
    {
        assert!(refused.text.contains(kept), "{kept}: {}", refused.text);
    }
    assert!(!refused.text.contains("short-one"), "a password is shown again");

    let done = ada.post_form("/setup", &fields(PASSWORD)).await.expect(303);
    assert_eq!(done.header("location"), "/");
    assert!(done.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    assert_eq!(ada.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), "/o/engines-co");
    assert!(ada.send("GET", "/o/engines-co", &[BROWSER], "").await.expect(200).text.contains("/p/engines-co"));

    let late = server.anonymous();
    late.send("GET", format!("/setup/{token}"), &[BROWSER], "").await.expect(404);
    assert!(late.post_form("/setup", &fields(PASSWORD)).await.expect(422).text.contains("This link has been used"));
    assert_eq!(late.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), "/login");
}

#[tokio::test]
async fn signing_up_by_a_plain_form() {
    let server = Server::start().await;
    let ada = server.anonymous();
    let form = ada.send("GET", "/signup", &[BROWSER], "").await.expect(200);
    assert!(form.text.contains("action=\"/signup\"") && !form.text.contains("aria-invalid"));

    let fields = [("full_name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("organization_name", "Engines")];
    let [name, email, password, organization] = fields;
    let sneaky = ada.post_form("/signup", &[name, email, password, organization, ("is_operator", "true")]).await.expect(422);
    assert!(sneaky.text.contains("is_operator") && sneaky.text.contains("value=\"Engines\""), "{}", sneaky.text);
    let as_json = ada.send("POST", "/signup", &[BROWSER, ("content-type", "application/json")], "{}").await.expect(415);
    assert!(as_json.header("content-type").starts_with("text/html"));

    assert_eq!(ada.post_form("/signup", &fields).await.expect(303).header("location"), "/");
    assert!(page(&server, "engines").await.text.contains("Engines"));

    let again = server.anonymous().post_form("/signup", &fields).await.expect(409);
    assert!(again.text.contains("has an account already") && again.text.contains("value=\"ada@example.com\""), "{}", again.text);
    assert!(!again.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn signing_in_and_out_by_plain_forms() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let browser = server.anonymous();
    let form = browser.send("GET", "/login?next=/o/adas-org", &[BROWSER], "").await.expect(200);
    assert!(form.text.contains("name=\"next\" value=\"/o/adas-org\""), "{}", form.text);
    assert!(!browser.send("GET", "/login?next=//example.org", &[BROWSER], "").await.expect(200).text.contains("example.org"));

    let wrong = browser.post_form("/login", &[("email", ada.email.as_str()), ("password", "not the password")]).await.expect(401);
    let unknown = browser.post_form("/login", &[("email", "bob@example.com"), ("password", PASSWORD)]).await.expect(401);
    assert_eq!(wrong.text.replace(&ada.email, "?"), unknown.text.replace("bob@example.com", "?"), "they tell who has an account");
    assert!(wrong.text.contains("is wrong") && wrong.text.contains(&ada.email), "{}", wrong.text);

    let right = |next| [("email", ada.email.as_str()), ("password", PASSWORD), ("next", next)];
    for (next, location) in [("/o/adas-org", "/o/adas-org"), ("https://example.org", "/"), ("//example.org", "/"), ("", "/")] {
        assert_eq!(browser.post_form("/login", &right(next)).await.expect(303).header("location"), location, "{next}");
    }
    assert_eq!(browser.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), "/o/adas-org");
    assert!(browser.send("GET", "/o/adas-org", &[BROWSER], "").await.expect(200).text.contains("Sign out"));
    assert_eq!(browser.send("GET", "/login", &[BROWSER], "").await.expect(303).header("location"), "/");

    let cookie = browser.cookie();
    let out = browser.post_form("/logout", &[]).await.expect(303);
    assert_eq!((out.header("location"), browser.cookie().as_str()), ("/login", ""));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let ghost = browser.with_cookie(&cookie).send("GET", "/o/adas-org", &[BROWSER], "").await;
    assert_eq!(ghost.expect(303).header("location"), "/login?next=%2Fo%2Fadas-org", "the old cookie still opens the door");
}

#[tokio::test]
async fn who_guesses_too_often_is_told_when_to_come_back() {
    let server = Server::start().await;
    let thief = server.anonymous();
    let fields = [("email", "ada@example.com"), ("password", "not the password")];
    let mut answer = thief.post_form("/login", &fields).await;
    for _ in 0..20 {
        answer = thief.post_form("/login", &fields).await;
    }
    let answer = answer.expect(429);
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!(seconds > 0 && answer.text.contains("Too many attempts. Try again in"), "{}", answer.text);
}

#[tokio::test]
async fn the_operator_names_the_page_at_the_front_door() {
    let config = Config { registration: Registration::Open, home_page: Some("adas-org".into()), ..Config::default() };
    let server = Server::start_with(Options { config, ..Options::default() }).await;
    let nobody = server.anonymous();
    assert!(nobody.send("GET", "/", &[BROWSER], "").await.expect(200).text.contains("not set up yet"), "there is no such page yet");

    let ada = server.sign_up("ada").await;
    let front = nobody.send("GET", "/", &[BROWSER], "").await.expect(200);
    assert_eq!(front.text, page(&server, "adas-org").await.text);
    assert_eq!((front.header("cache-control"), front.header("vary")), ("private, no-cache", "accept-encoding, cookie"));
    let known = [BROWSER, ("if-none-match", front.header("etag"))];
    nobody.send("GET", "/", &known, "").await.expect(304);
    assert_eq!(ada.send("GET", "/", &[BROWSER], "").await.expect(303).header("location"), "/o/adas-org");
}
