//! Incidents in the admin, by plain forms: as people without JavaScript do it, and as htmx sends them.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, Client, Server};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const EVIL: &str = "\"><script>alert(1)</script>'";

/// A page of the person's organization.
async fn look(person: &Client, path: &str) -> Answer {
    person.send("GET", format!("/o/{}{path}", person.slug), &[BROWSER], "").await
}

async fn post(person: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    person.post_form(format!("/o/{}{path}", person.slug), fields).await
}

/// What visitors see.
async fn public(person: &Client) -> String {
    person.send("GET", format!("/p/{}", person.slug), &[BROWSER], "").await.expect(200).text
}

/// The value of the hidden field of that name.
#[track_caller]
fn hidden(page: &Answer, name: &str) -> String {
    let mark = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page.text.split_once(&mark).unwrap_or_else(|| panic!("no {name} in {}", page.text));
    rest.split_once('"').expect("an attribute").0.replace("&#38;", "&")
}

/// What is chosen for a service.
#[track_caller]
fn picked(page: &Answer, service: &str) -> String {
    let (_, rest) =
        page.text.split_once(&format!("<select id=\"affected-{service}\"")).unwrap_or_else(|| panic!("{service}: {}", page.text));
    let options = rest.split_once("</select>").expect("an end").0;
    let chosen = options.split("<option value=\"").find(|option| option.contains(" selected")).expect("one is chosen");
    chosen.split_once('"').expect("an attribute").0.to_owned()
}

fn affected(service: &str) -> String {
    format!("affected-{service}")
}

/// Where the answer leads, without the organization and what it tells.
#[track_caller]
fn led(answer: Answer, person: &Client) -> String {
    let answer = answer.expect(303);
    let path = answer.header("location").strip_prefix(&format!("/o/{}", person.slug)).expect("a page of the organization").to_owned();
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Reports an incident by the form; answers the path of its page.
async fn report(person: &Client, title: &str, services: &[(&str, &str)]) -> String {
    let names: Vec<_> = services.iter().map(|(service, status)| (affected(service), *status)).collect();
    let mut fields =
        vec![("title", title), ("message", "We are looking into it."), ("status", "investigating"), ("impact", ""), ("picker", "1")];
    fields.extend(names.iter().map(|(name, status)| (name.as_str(), *status)));
    led(post(person, "/incidents", &fields).await, person)
}

fn id_of(path: &str) -> &str {
    path.strip_prefix("/incidents/").expect("an incident's page")
}

#[tokio::test]
async fn from_the_report_to_the_end_and_back_again() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("Checkout API").await;
    ada.new_events().await;

    let form = look(&ada, &format!("/incidents/new?service={api}")).await.expect(200);
    assert_eq!(picked(&form, &api), "degraded_performance");
    let path = report(&ada, "Payments fail", &[(&api, "major_outage")]).await;
    assert_eq!(ada.new_events().await, ["incident.opened"]);
    let page = look(&ada, &format!("{path}?told=incident-reported")).await.expect(200);
    for words in
        ["Payments fail", "Critical", "Investigating", "We are looking into it.", "Checkout API", "Everyone who watches sees it now."]
    {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert_eq!(picked(&page, &api), "major_outage");
    let shown = public(&ada).await;
    assert!(shown.contains("Payments fail") && shown.contains("Major outage"), "{shown}");

    server.advance(Duration::from_secs(300));
    let version = hidden(&page, "version");
    let service = affected(&api);
    let update = [
        ("status", "identified"),
        ("message", "It is **the disk**."),
        ("version", version.as_str()),
        ("picker", "1"),
        (service.as_str(), "partial_outage"),
    ];
    let done = post(&ada, &path, &update).await.expect(303);
    assert!(done.header("location").contains("told=update-posted"), "{}", done.header("location"));
    assert_eq!(ada.new_events().await, ["incident.updated"]);
    let shown = public(&ada).await;
    assert!(shown.contains("It is <strong>the disk</strong>.") && shown.contains("Partial outage"), "{shown}");

    let page = look(&ada, &format!("{path}?status=resolved")).await.expect(200);
    assert!(page.text.contains("value=\"resolved\" checked"), "{}", page.text);
    // The second click: no word is needed.
    let version = hidden(&page, "version");
    let done = post(&ada, &path, &[("status", "resolved"), ("message", ""), ("version", &version)]).await.expect(303);
    assert!(done.header("location").contains("told=incident-resolved"), "{}", done.header("location"));
    assert_eq!(ada.new_events().await, ["incident.resolved"]);
    assert!(public(&ada).await.contains("All Systems Operational"));

    let page = look(&ada, &path).await.expect(200);
    assert!(page.text.contains("Open again: investigating") && page.text.contains("lasted 5 min"), "{}", page.text);
    let version = hidden(&page, "version");
    let done = post(&ada, &path, &[("status", "monitoring"), ("message", "It is back."), ("version", &version)]).await.expect(303);
    assert!(done.header("location").contains("told=incident-reopened"), "{}", done.header("location"));
    assert_eq!(ada.new_events().await, ["incident.reopened"]);
    assert!(public(&ada).await.contains("It is back."));
}

#[tokio::test]
async fn services_change_with_an_update_and_those_that_no_form_shows_stay() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, web) = (ada.service("API").await, ada.service("Web").await);
    let path = report(&ada, "It fails", &[(&api, "major_outage"), (&web, "mentioned")]).await;
    ada.new_events().await;
    let statuses = async || {
        let shown = ada.get(format!("/api{path}")).await.expect(200);
        shown.json["affected"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (one["name"].clone(), one["status"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, [(Value::from("API"), Value::from("major_outage")), (Value::from("Web"), Value::Null)]);

    let version = hidden(&look(&ada, &path).await, "version");
    post(&ada, &path, &[("message", "No picker here."), ("version", &version)]).await.expect(303);
    assert_eq!(statuses().await.len(), 2);

    // Sent in another order, and one of them not affected any more.
    let version = hidden(&look(&ada, &path).await, "version");
    let (api_field, web_field) = (affected(&api), affected(&web));
    let fields = [
        ("message", ""),
        ("version", version.as_str()),
        ("picker", "1"),
        (web_field.as_str(), "mentioned"),
        (api_field.as_str(), "major_outage"),
    ];
    assert!(post(&ada, &path, &fields).await.expect(422).text.contains("must say something"), "the order alone is no change");
    let fields =
        [("message", ""), ("version", version.as_str()), ("picker", "1"), (web_field.as_str(), "operational"), (api_field.as_str(), "")];
    let done = post(&ada, &path, &fields).await.expect(303);
    assert!(done.header("location").contains("told=incident-saved"), "nothing was said");
    assert_eq!(statuses().await, [(Value::from("Web"), Value::from("operational"))]);
    assert_eq!(ada.new_events().await, ["incident.updated", "incident.updated"]);
}

#[tokio::test]
async fn a_corrected_text_is_kept_as_it_was_in_the_timeline() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = report(&ada, "It fails", &[]).await;
    ada.new_events().await;
    let page = look(&ada, &path).await.expect(200);
    let update = page.text.split_once("<li class=\"update\" id=\"").expect("an update").1.split_once('"').expect("its id").0.to_owned();
    let place = format!("{path}/updates/{update}");
    let form = look(&ada, &place).await.expect(200);
    assert!(form.text.contains("We are looking into it.</textarea>"), "{}", form.text);
    let version = hidden(&form, "version");

    let empty = post(&ada, &place, &[("message", " "), ("version", &version)]).await.expect(422);
    assert!(empty.text.contains("Message must be 1 to 20000 characters long") && ada.new_events().await.is_empty(), "{}", empty.text);
    let done = post(&ada, &place, &[("message", "We look into it."), ("version", &version)]).await.expect(303);
    assert!(done.header("location").ends_with(&format!("#{update}")), "{}", done.header("location"));

    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["data"]["before"]["message"], "We are looking into it.");
    let page = look(&ada, &path).await.expect(200).text;
    assert!(page.contains("We look into it.") && page.contains("corrected") && !page.contains("We are looking"), "{page}");
    look(&ada, &format!("{path}/updates/upd_00000000000000000000000000000001")).await.expect(404);
}

#[tokio::test]
async fn a_stale_form_says_what_changed_and_keeps_what_was_typed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("responder").await;
    let api = ada.service("API").await;
    let path = report(&ada, "Payments fail", &[(&api, "major_outage")]).await;
    let (seen_by_bob, edit) = (look(&bob, &path).await.expect(200), look(&bob, &format!("{path}/edit")).await.expect(200));
    ada.new_events().await;

    let version = hidden(&seen_by_bob, "version");
    post(&ada, &path, &[("status", "identified"), ("message", "It is the disk."), ("version", &version)]).await.expect(303);

    let (version, seen) = (hidden(&seen_by_bob, "version"), hidden(&seen_by_bob, "seen"));
    let typed = [("status", "monitoring"), ("message", "I replaced the disk."), ("version", version.as_str()), ("seen", seen.as_str())];
    let refused = post(&bob, &path, &typed).await.expect(412);
    for words in [
        "data-kind=\"stale\"",
        "<bdi>Ada</bdi>",
        "posted an update: Identified",
        "I replaced the disk.</textarea>",
        "value=\"monitoring\" checked",
    ] {
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    assert_eq!(ada.new_events().await, ["incident.updated"], "only Ada's");

    // Looking at a preview is no way around it.
    let previewed = post(&bob, &path, &[typed[0], typed[1], typed[2], typed[3], ("action", "preview")]).await.expect(200);
    assert_eq!((hidden(&previewed, "version"), hidden(&previewed, "seen")), (version, seen));

    let (version, seen) = (hidden(&refused, "version"), hidden(&refused, "seen"));
    let again = [("status", "monitoring"), ("message", "I replaced the disk."), ("version", version.as_str()), ("seen", seen.as_str())];
    post(&bob, &path, &again).await.expect(303);
    assert_eq!(ada.new_events().await, ["incident.updated"]);

    // The form for title and impact has been open all the while.
    let place = format!("{path}/edit");
    let (version, seen) = (hidden(&edit, "version"), hidden(&edit, "seen"));
    let typed = [("title", "Payments are slow"), ("impact", "minor"), ("version", version.as_str()), ("seen", seen.as_str())];
    let refused = post(&bob, &place, &typed).await.expect(412);
    assert!(
        refused.text.contains("posted an update: Identified") && refused.text.contains("posted an update: Monitoring"),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("value=\"Payments are slow\"") && refused.text.contains("value=\"minor\" selected"), "{}", refused.text);
    let unknown = post(&bob, &place, &[typed[0], typed[1], typed[2], ("seen", "another:1")]).await.expect(412);
    assert!(unknown.text.contains("Something changed since you opened this."), "{}", unknown.text);
    let version = hidden(&refused, "version");
    post(&bob, &place, &[typed[0], typed[1], ("version", &version)]).await.expect(303);
    let page = look(&ada, &path).await.expect(200).text;
    assert!(page.contains("Payments are slow") && page.contains("set by hand"), "{page}");
    assert_eq!(ada.new_events().await, ["incident.updated"]);
}

/// All that the form of an incident's page sends, with this status and text; each service with the name of its field.
fn filled<'a>(page: &Answer, status: &'a str, message: &'a str, services: [(&'a str, &'a str); 2]) -> Vec<(&'a str, String)> {
    let chosen = services.into_iter().map(|(service, field)| (field, picked(page, service)));
    let made_from = ["version", "seen", "was"].map(|name| (name, hidden(page, name)));
    let typed = [("status", status.to_owned()), ("message", message.to_owned()), ("picker", "1".into()), ("find", String::new())];
    typed.into_iter().chain(made_from).chain(chosen).collect()
}

fn pairs<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn what_somebody_else_changed_is_not_taken_back_by_sending_again() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("responder").await;
    let (dns, builds) = (ada.service("DNS").await, ada.service("Builds").await);
    let (dns_field, builds_field) = (affected(&dns), affected(&builds));
    let path = report(&ada, "Names do not resolve", &[(&dns, "degraded_performance")]).await;
    let seen_by_ada = look(&ada, &path).await.expect(200);
    let seen_by_bob = look(&bob, &path).await.expect(200);
    ada.new_events().await;
    let services = [(dns.as_str(), dns_field.as_str()), (builds.as_str(), builds_field.as_str())];

    let mut bobs = filled(&seen_by_bob, "identified", "It is the resolver.", services);
    for (name, value) in &mut bobs {
        if *name == dns_field {
            *value = "partial_outage".into();
        } else if *name == builds_field {
            *value = "major_outage".into();
        }
    }
    post(&bob, &path, &pairs(&bobs)).await.expect(303);
    assert_eq!(ada.new_events().await, ["incident.updated"]);

    // Ada only typed a message. Looking at it first is no way around what comes.
    let mut adas = filled(&seen_by_ada, "investigating", "We restart the resolvers.", services);
    adas.push(("action", "preview".into()));
    let previewed = post(&ada, &path, &pairs(&adas)).await.expect(200);
    assert_eq!(hidden(&previewed, "was"), hidden(&seen_by_ada, "was"));
    adas.pop();
    let late = post(&ada, &path, &pairs(&adas)).await.expect(412);
    for words in [
        "posted an update: Identified, changed the affected services",
        "We restart the resolvers.</textarea>",
        "value=\"identified\" checked",
    ] {
        assert!(late.text.contains(words), "{words}: {}", late.text);
    }
    assert_eq!((picked(&late, &dns), picked(&late, &builds)), ("partial_outage".into(), "major_outage".into()));
    assert_ne!(hidden(&late, "was"), hidden(&seen_by_ada, "was"));

    let again = filled(&late, "identified", "We restart the resolvers.", services);
    post(&ada, &path, &pairs(&again)).await.expect(303);
    let now = ada.get(format!("/api{path}")).await.expect(200).json;
    let statuses: Vec<_> = now["affected"].as_array().expect("a list").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(now["status"], "identified");
    assert_eq!(statuses, ["partial_outage", "major_outage"]);
    assert_eq!(ada.new_events().await, ["incident.updated"]);

    // A form that does not say what it was made from, or says nonsense, is kept whole.
    for was in ["", "nonsense", EVIL] {
        let mut blind = filled(&seen_by_ada, "investigating", "Mine.", services);
        for (_, value) in blind.iter_mut().filter(|(name, _)| *name == "was") {
            *value = was.into();
        }
        let late = post(&ada, &path, &pairs(&blind)).await.expect(412);
        assert!(late.text.contains("value=\"investigating\" checked") && !late.text.contains("<script>alert"), "{}", late.text);
        assert_eq!((picked(&late, &dns), picked(&late, &builds)), ("degraded_performance".into(), String::new()), "{was}");
    }
    assert!(ada.new_events().await.is_empty());
}

#[tokio::test]
async fn a_title_that_nobody_touched_follows_the_incident() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("responder").await;
    let path = report(&ada, "Payments fail", &[]).await;
    let place = format!("{path}/edit");
    let opened = look(&ada, &place).await.expect(200);
    ada.put(format!("/api{path}"), serde_json::json!({ "title": "Payments & refunds fail", "impact": "major" })).await.expect(200);
    ada.new_events().await;

    let (version, seen, was) = (hidden(&opened, "version"), hidden(&opened, "seen"), hidden(&opened, "was"));
    let made_from = [("version", version.as_str()), ("seen", seen.as_str()), ("was", was.as_str())];
    let fields = |title, impact| [("title", title), ("impact", impact)].into_iter().chain(made_from).collect::<Vec<_>>();
    let untouched = post(&ada, &place, &fields("Payments fail", "")).await.expect(412);
    assert!(untouched.text.contains("value=\"Payments &#38; refunds fail\""), "{}", untouched.text);
    assert!(untouched.text.contains("value=\"major\" selected"), "{}", untouched.text);
    let touched = post(&bob, &place, &fields("Cards are refused", "")).await.expect(412);
    assert!(touched.text.contains("value=\"Cards are refused\"") && touched.text.contains("value=\"major\" selected"), "{}", touched.text);

    let (version, was) = (hidden(&touched, "version"), hidden(&touched, "was"));
    let again = [("title", "Cards are refused"), ("impact", "major"), ("version", version.as_str()), ("was", was.as_str())];
    post(&bob, &place, &again).await.expect(303);
    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["data"]["after"], serde_json::json!({ "title": "Cards are refused" }), "the impact stays as it was set");
}

#[tokio::test]
async fn of_what_is_private_nobody_is_told_that_everyone_sees_it() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let ledger = ada.private_service("Ledger").await;
    let field = affected(&ledger);
    let fields = [("title", "The ledger is slow"), ("message", "Looking."), ("picker", "1"), (field.as_str(), "degraded_performance")];
    let done = post(&ada, "/incidents", &fields).await.expect(303);
    let page = ada.send("GET", done.header("location"), &[BROWSER], "").await.expect(200);
    let only = "Only people of this organization see it.";
    let told = format!("The incident is reported. {only}");
    assert!(page.text.contains(&told) && !page.text.contains("Everyone who watches"), "{}", page.text);

    let path = led(done, &ada);
    let version = hidden(&page, "version");
    let done = post(&ada, &path, &[("message", "It is the disk."), ("version", &version)]).await.expect(303);
    let page = ada.send("GET", done.header("location"), &[BROWSER], "").await.expect(200).text;
    assert!(page.contains(&format!("The update is posted. {only}")) && !page.contains("Everyone who watches"), "{page}");
    assert!(!public(&ada).await.contains("ledger"));
}

#[tokio::test]
async fn deleting_is_undone_by_the_notice() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    let path = report(&ada, "Payments fail", &[(&api, "major_outage")]).await;
    ada.new_events().await;

    let done = post(&ada, &format!("{path}/delete"), &[]).await.expect(303);
    look(&ada, &path).await.expect(404);
    let again = post(&ada, &format!("{path}/delete"), &[]).await.expect(303);
    assert_eq!(again.header("location"), done.header("location"), "pressed twice");
    assert!(!public(&ada).await.contains("Payments fail"));
    let list = ada.send("GET", done.header("location"), &[BROWSER], "").await.expect(200).text;
    let undo = format!("action=\"/o/{}{path}/restore\"", ada.slug);
    assert!(list.contains("The incident is deleted.") && list.contains(&undo), "{list}");

    assert_eq!(led(post(&ada, &format!("{path}/restore"), &[]).await, &ada), path);
    assert!(public(&ada).await.contains("Payments fail"));
    assert_eq!(led(post(&ada, &format!("{path}/restore"), &[]).await, &ada), path, "pressed twice");
    assert_eq!(ada.new_events().await, ["incident.deleted", "incident.restored"]);
    for what in ["delete", "restore"] {
        post(&ada, &format!("/incidents/inc_00000000000000000000000000000001/{what}"), &[]).await.expect(404);
    }
}

#[tokio::test]
async fn finding_and_previewing_without_script_lose_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut services = Vec::new();
    for number in 0..40 {
        services.push(ada.service(&format!("Service {number}")).await);
    }
    ada.new_events().await;
    let form = look(&ada, "/incidents/new").await.expect(200);
    assert_eq!(form.text.matches("class=\"picker-row\"").count(), 30);
    assert!(form.text.contains("There are more services"));

    let (third, last) = (affected(&services[3]), affected(&services[39]));
    let mut fields = vec![
        ("title", "Half typed"),
        ("message", "Some *words*"),
        ("status", "identified"),
        ("impact", "minor"),
        ("picker", "1"),
        (third.as_str(), "partial_outage"),
        ("find", "SERVICE 39"),
        ("action", "find"),
    ];
    let found = post(&ada, "/incidents", &fields).await.expect(200);
    assert_eq!((picked(&found, &services[3]), picked(&found, &services[39])), ("partial_outage".into(), String::new()));
    assert_eq!(found.text.matches("class=\"picker-row\"").count(), 2);
    for kept in [
        "value=\"Half typed\"",
        "Some *words*</textarea>",
        "value=\"identified\" checked",
        "value=\"minor\" selected",
        "value=\"SERVICE 39\"",
    ] {
        assert!(found.text.contains(kept), "{kept}: {}", found.text);
    }

    fields.push((&last, "mentioned"));
    fields[6] = ("find", "");
    fields[7] = ("action", "preview");
    let previewed = post(&ada, "/incidents", &fields).await.expect(200);
    assert!(previewed.text.contains("Some <em>words</em>") && previewed.text.contains("value=\"Half typed\""), "{}", previewed.text);
    assert_eq!((picked(&previewed, &services[3]), picked(&previewed, &services[39])), ("partial_outage".into(), "mentioned".into()));
    assert!(ada.new_events().await.is_empty(), "nothing was reported");

    // With script the fragment alone comes, from whichever form.
    let fragment = post(&ada, "/preview", &[("message", "Some *words*"), ("title", "x"), ("whatever", "y")]).await.expect(200).text;
    assert!(fragment.starts_with("<div class=\"preview text\" id=\"preview\"") && fragment.contains("<em>words</em>"), "{fragment}");
    assert!(post(&ada, "/preview", &[("description", "*A* service")]).await.expect(200).text.contains("<em>A</em>"));

    let path = report(&ada, "It fails", &[(&services[39], "major_outage")]).await;
    let (version, find) = (hidden(&look(&ada, &path).await, "version"), [("find", "service 7"), ("action", "find"), ("picker", "1")]);
    for place in [path.clone(), format!("{path}/edit")] {
        let fields = [find[0], find[1], find[2], (last.as_str(), "degraded_performance"), ("version", version.as_str())];
        let found = post(&ada, &place, &fields).await.expect(200);
        assert_eq!(
            (picked(&found, &services[39]), picked(&found, &services[7])),
            ("degraded_performance".into(), String::new()),
            "{place}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_is_lost() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    ada.new_events().await;
    let service = affected(&api);
    let whole = [
        ("title", "It fails"),
        ("message", "Looking."),
        ("status", "investigating"),
        ("impact", ""),
        ("picker", "1"),
        (service.as_str(), "major_outage"),
    ];
    for (at, field, value, why) in [
        (0, "title", "x", "Title must be 5 to 200 characters long"),
        (1, "message", " ", "Message must be 1 to 20000 characters long"),
        (2, "status", "broken", "Status must be one of the list"),
        (3, "impact", "huge", "Impact must be one of the list"),
        (5, service.as_str(), "under_maintenance", "one of the statuses of the list"),
        (5, "affected-svc_00000000000000000000000000000001", "mentioned", "A service that you chose is gone by now."),
        (5, "affected-x", "mentioned", "is none of this organization"),
        (5, "told", "everyone", "told is not a field of this form"),
    ] {
        let mut fields = whole;
        fields[at] = (field, value);
        let refused = post(&ada, "/incidents", &fields).await.expect(422);
        assert!(refused.text.contains(why) && refused.text.contains("id=\"problems\""), "{why}: {}", refused.text);
        assert!(at == 0 || refused.text.contains("value=\"It fails\""), "{why}: {}", refused.text);
    }
    assert!(ada.new_events().await.is_empty());

    let path = report(&ada, "It fails", &[]).await;
    let version = hidden(&look(&ada, &path).await, "version");
    let silent = post(&ada, &path, &[("status", "investigating"), ("message", ""), ("version", &version)]).await.expect(422);
    assert!(silent.text.contains("Message must say something"), "{}", silent.text);
    let blind = post(&ada, &path, &[("status", "resolved"), ("message", "Done."), ("version", "newest")]).await.expect(422);
    assert!(blind.text.contains("version must be the number") && blind.text.contains("Done.</textarea>"), "{}", blind.text);
    post(&ada, &format!("{path}/edit"), &[("title", "x"), ("version", &version)]).await.expect(422);
    assert_eq!(ada.new_events().await, ["incident.opened"]);
}

#[tokio::test]
async fn a_viewer_looks_and_a_stranger_sees_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let path = report(&ada, "Payments fail", &[]).await;
    let update = ada.get(format!("/api{path}")).await.json["updates"][0]["id"].as_str().expect("an update").to_owned();
    let viewer = ada.make_member("viewer").await;
    let responder = ada.make_member("responder").await;
    let mut stranger = server.sign_up("eve").await;
    stranger.slug = ada.slug.clone();
    let mut nobody = server.anonymous();
    nobody.slug = ada.slug.clone();
    ada.new_events().await;

    let page = look(&viewer, &path).await.expect(200).text;
    assert!(
        page.contains("Payments fail") && !page.contains("Post update") && !page.contains("/delete\"") && !page.contains("/edit\""),
        "{page}"
    );
    let list = look(&viewer, "/incidents").await.expect(200).text;
    assert!(list.contains("Payments fail") && !list.contains("/incidents/new"), "{list}");

    let forms = ["/incidents/new".to_owned(), format!("{path}/edit"), format!("{path}/updates/{update}")];
    for form in &forms {
        look(&responder, form).await.expect(200);
        look(&viewer, form).await.expect(403);
        look(&stranger, form).await.expect(404);
    }
    let fields = [("title", "Payments fail"), ("message", "Mine."), ("version", "1")];
    for (place, fields) in [
        ("/incidents".to_owned(), &fields[..2]),
        (path.clone(), &fields[1..]),
        (format!("{path}/edit"), &[fields[0], fields[2]][..]),
        (format!("{path}/updates/{update}"), &fields[1..]),
        (format!("{path}/delete"), &fields[..0]),
        (format!("{path}/restore"), &fields[..0]),
    ] {
        post(&viewer, &place, fields).await.expect(403);
        post(&stranger, &place, fields).await.expect(404);
        post(&nobody, &place, fields).await.expect(401);
    }
    for place in ["/incidents".to_owned(), path.clone(), format!("{path}/edit")] {
        post(&viewer, &place, &[("action", "find"), ("find", "x"), ("picker", "1")]).await.expect(403);
    }
    for place in ["/incidents", path.as_str()] {
        look(&stranger, place).await.expect(404);
    }
    post(&stranger, "/preview", &[("message", "x")]).await.expect(404);
    assert!(ada.new_events().await.is_empty());
}

#[tokio::test]
async fn hostile_text_does_no_harm() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service(EVIL).await;
    let service = affected(&api);
    let fields = [("title", EVIL), ("message", EVIL), ("picker", "1"), (service.as_str(), "major_outage")];
    let path = led(post(&ada, "/incidents", &fields).await, &ada);
    let shown = look(&ada, &path).await.expect(200);
    let refused =
        post(&ada, &path, &[("message", EVIL), ("status", EVIL), ("version", EVIL), ("find", EVIL), ("seen", EVIL)]).await.expect(422);
    let strange = post(&ada, "/incidents", &[(EVIL, EVIL), ("title", EVIL)]).await.expect(422);
    let list = look(&ada, "/incidents?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await.expect(200);
    for page in [&shown, &refused, &strange, &list, &look(&ada, &format!("{path}/edit")).await.expect(200)] {
        assert!(!page.text.contains("<script>") && page.text.contains("alert(1)"), "{}", page.text);
    }
}

#[tokio::test]
async fn the_list_filters_by_its_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let empty = look(&ada, "/incidents").await.expect(200).text;
    assert!(empty.contains("No incidents yet") && empty.contains("/api/incidents") && empty.contains("Report the first one"), "{empty}");

    let (api, web) = (ada.service("API").await, ada.service("Web").await);
    for number in 0..55 {
        server.advance(Duration::from_secs(60));
        let path = report(&ada, &format!("Past trouble {number:02}"), &[(&web, "partial_outage")]).await;
        ada.put(format!("/api{path}"), serde_json::json!({ "status": "resolved" })).await.expect(200);
    }
    let open = report(&ada, "Payments fail", &[(&api, "major_outage")]).await;

    let first = look(&ada, "/incidents").await.expect(200).text;
    let (head, rest) = first.split_once("id=\"incidents-title\"").expect("two parts");
    assert!(head.contains("Payments fail") && head.contains(id_of(&open)) && !rest.contains("Payments fail"), "{first}");
    assert_eq!(rest.matches("class=\"item\"").count(), 50);
    assert!(rest.find("Past trouble 54") < rest.find("Past trouble 53"), "the latest come first");
    let next = rest.split_once("rel=\"next\" href=\"").expect("a next page").1.split_once('"').expect("an attribute").0;
    let second = ada.send("GET", next.replace("&#38;", "&").replace("&amp;", "&"), &[BROWSER], "").await.expect(200).text;
    assert_eq!(second.matches("class=\"item\"").count(), 5);
    assert!(second.contains("Past trouble 04") && !second.contains("Past trouble 05") && !second.contains("rel=\"next\""), "{second}");

    let count = async |query: &str| look(&ada, &format!("/incidents?{query}")).await.expect(200).text.matches("class=\"item\"").count();
    assert_eq!(count("state=open").await, 1);
    assert_eq!(count("state=resolved&q=TROUBLE+0").await, 10);
    assert_eq!(count(&format!("service={api}")).await, 1);
    assert_eq!(count(&format!("service={web}&state=open")).await, 0);
    assert_eq!(count(&format!("service={web}&q=trouble+54&state=resolved")).await, 1);
    let none = look(&ada, "/incidents?q=nothing").await.expect(200).text;
    assert!(none.contains("No incident matches by how a word begins") && none.contains("value=\"nothing\""), "{none}");
    look(&ada, "/incidents?service=svc_00000000000000000000000000000001").await.expect(404);
    look(&ada, "/incidents?cursor=nonsense").await.expect(404);
}
