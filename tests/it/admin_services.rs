//! Services and groups in the admin: every form as a browser without JavaScript sends it, with the exact events of each.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, Client, Server};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const EVIL: &str = "\"><script>alert(1)</script>";
const NONE: [&str; 0] = [];

/// A page of the person's organization.
async fn page(client: &Client, rest: &str) -> Answer {
    client.send("GET", format!("/o/{}{rest}", client.slug), &[BROWSER], "").await
}

/// A form of the person's organization.
async fn send(client: &Client, rest: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_form(format!("/o/{}{rest}", client.slug), fields).await
}

/// Where an answer leads, below the organization's pages, and the page that is there.
async fn follow(client: &Client, answer: Answer) -> (String, String) {
    let location = answer.expect(303).header("location").to_owned();
    let rest = location.strip_prefix(&format!("/o/{}", client.slug)).unwrap_or_else(|| panic!("it leads to {location}")).to_owned();
    let shown = page(client, &rest).await.expect(200).text;
    (rest, shown)
}

/// A hidden field, as the first form of the page that has it would send it.
fn hidden(html: &str, name: &str) -> String {
    let rest = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {html}")).1;
    rest.split_once('"').expect("an attribute").0.to_owned()
}

/// The form that changes a service, filled in; it stays public and in no group.
fn edited<'a>(name: &'a str, description: &'a str, version: &'a str, seen: &'a str) -> [(&'a str, &'a str); 6] {
    [("name", name), ("description", description), ("group_id", ""), ("visibility", "public"), ("version", version), ("seen", seen)]
}

/// The services on a sheet of the list, in its order.
fn listed(html: &str) -> Vec<String> {
    let rows = html.split("<li class=\"item\" id=\"").skip(1).filter_map(|row| row.split_once('"'));
    rows.map(|(id, _)| id.to_owned()).filter(|id| id.starts_with("svc_")).collect()
}

#[tokio::test]
async fn a_service_from_its_form_to_deleting_and_back() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let empty = page(&ada, "/services").await.expect(200).text;
    assert!(empty.contains("No services yet") && empty.contains("curl --cookie cookies.txt"), "{empty}");

    let form = page(&ada, "/services/new").await.expect(200).text;
    assert!(form.contains("action=\"/o/adas-org/services\"") && !form.contains("aria-invalid"), "{form}");
    let typed = [
        ("name", "Checkout"),
        ("description", "Where people **pay**"),
        ("group_id", ""),
        ("visibility", "private"),
        ("own_status", "degraded_performance"),
    ];
    let (rest, shown) = follow(&ada, send(&ada, "/services", &typed).await).await;
    assert!(rest.starts_with("/services?told=service-created-privately&of=svc_"), "{rest}");
    let told = "The service is made. Only people of this organization see it.";
    for words in ["Checkout", "Private", "Degraded performance", told, "1 service"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(ada.new_events().await, ["service.created"]);
    let id = listed(&shown).remove(0);

    let one = page(&ada, &format!("/services/{id}")).await.expect(200).text;
    assert!(one.contains("<strong>pay</strong>") && one.contains("No incident has touched it"), "{one}");
    let (version, seen) = (hidden(&one, "version"), hidden(&one, "seen"));
    let typed = edited("Checkout page", "Where people pay", &version, &seen);
    let (rest, shown) = follow(&ada, send(&ada, &format!("/services/{id}"), &typed).await).await;
    assert_eq!(rest, format!("/services/{id}?told=service-saved&of={id}"));
    assert!(shown.contains("The service is saved.") && shown.contains("<h1 dir=\"auto\">Checkout page</h1>"), "{shown}");
    let news = ada.news().await;
    assert_eq!(news.len(), 1);
    let after = json!({ "name": "Checkout page", "description": "Where people pay", "visibility": "public" });
    assert_eq!((&news[0]["type"], &news[0]["data"]["after"]), (&json!("service.updated"), &after));

    let (rest, shown) = follow(&ada, send(&ada, &format!("/services/{id}/delete"), &[]).await).await;
    assert_eq!(rest, format!("/services?told=service-deleted&of={id}"));
    assert!(shown.contains(&format!("action=\"/o/adas-org/services/{id}/restore\"")), "{shown}");
    assert_eq!(listed(&shown), NONE);
    assert_eq!(ada.new_events().await, ["service.deleted"]);
    let (again, shown) = follow(&ada, send(&ada, &format!("/services/{id}/delete"), &[]).await).await;
    assert!(again == rest && shown.contains(&format!("/services/{id}/restore\"")), "{again}: {shown}");
    send(&ada, "/services/svc_00000000000000000000000000000001/delete", &[]).await.expect(404);
    assert_eq!(ada.new_events().await, NONE, "pressed twice");
    page(&ada, &format!("/services/{id}")).await.expect(404);
    send(&ada, &format!("/services/{id}"), &typed).await.expect(404);

    let (rest, shown) = follow(&ada, send(&ada, &format!("/services/{id}/restore"), &[]).await).await;
    assert_eq!(rest, format!("/services/{id}?told=service-restored&of={id}"));
    assert!(shown.contains("The service is back.") && shown.contains("Checkout page"), "{shown}");
    assert_eq!(ada.new_events().await, ["service.restored"]);
    send(&ada, &format!("/services/{id}/restore"), &[]).await.expect(303);
    assert_eq!(ada.new_events().await, NONE, "pressed twice");
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_names_what_is_wrong() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let gone = ada.group("Gone").await;
    ada.delete(format!("/api/service-groups/{gone}")).await.expect(204);
    let id = ada.service("API").await;
    ada.new_events().await;
    let long = "x".repeat(201);

    for (field, value, told) in [
        ("name", long.as_str(), "Name must be 1 to 200 characters long"),
        ("group_id", gone.as_str(), "Group is gone: somebody deleted it"),
        ("group_id", "grp_1", "Group is gone"),
        ("visibility", "secret", "Visibility must be public or private"),
        ("position", "-1", "position is not a field of this form"),
    ] {
        let mut typed = vec![("name", "Kept name"), ("description", "Kept <b>text</b>"), ("group_id", ""), ("visibility", "public")];
        typed.retain(|(known, _)| *known != field);
        typed.push((field, value));
        for (path, own) in [("/services".to_owned(), Some(("own_status", "major_outage"))), (format!("/services/{id}"), None)] {
            let fields: Vec<_> = typed.iter().copied().chain(own).collect();
            let refused = send(&ada, &path, &fields).await.expect(422).text;
            assert!(refused.contains(told) && refused.contains("id=\"problems\""), "{told}: {refused}");
            assert!(refused.contains("Kept &#60;b&#62;text&#60;/b&#62;"), "{refused}");
            assert!(field == "name" || refused.contains("value=\"Kept name\""), "{refused}");
            assert!(own.is_none() || refused.contains("value=\"major_outage\" selected"), "{refused}");
        }
    }
    let refused = send(&ada, &format!("/services/{id}/status"), &[("own_status", "fine")]).await.expect(422).text;
    assert!(refused.contains("Status set by hand must be one of those offered"), "{refused}");
    send(&ada, &format!("/services/{id}/shift"), &[("direction", "sideways")]).await.expect(422);
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn a_stale_edit_is_answered_with_what_changed_and_loses_nothing() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    let id = ada.service("API").await;
    let path = format!("/services/{id}");
    let opened = page(&ada, &path).await.expect(200).text;
    let (old, seen) = (hidden(&opened, "version"), hidden(&opened, "seen"));
    ada.new_events().await;

    let bobs = page(&bob, &path).await.expect(200).text;
    send(&bob, &path, &edited("Public API", "", &hidden(&bobs, "version"), &hidden(&bobs, "seen"))).await.expect(303);
    let stale = send(&ada, &path, &edited("API", "What *Ada* typed", &old, &seen)).await.expect(412).text;
    assert!(stale.contains("What *Ada* typed") && stale.contains("Somebody changed this since you opened it"), "{stale}");
    assert!(stale.contains("Editor-") && stale.contains("changed the name from “API” to “Public API”"), "{stale}");
    assert_eq!(ada.new_events().await, ["service.updated"], "Bob's alone");

    // Refused for another reason first, it would still be held against what she has seen.
    let mut odd = edited("API", "What *Ada* typed", &old, &seen);
    odd[3].1 = "secret";
    let wrong = send(&ada, &path, &odd).await.expect(422).text;
    assert!(wrong.contains(&format!("name=\"version\" value=\"{old}\"")), "{wrong}");

    let (new, seen) = (hidden(&stale, "version"), hidden(&stale, "seen"));
    assert_ne!(new, old);
    send(&ada, &path, &edited("API", "What *Ada* typed", &new, &seen)).await.expect(303);
    assert_eq!(ada.new_events().await, ["service.updated"]);
    let now = ada.get(format!("/api/services/{id}")).await.json;
    assert_eq!((&now["name"], &now["description"]), (&json!("API"), &json!("What *Ada* typed")));
}

#[tokio::test]
async fn a_status_is_set_from_the_list_and_from_the_page() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.service("API").await;
    let list = page(&ada, "/services?q=api").await.expect(200).text;
    assert_eq!(hidden(&list, "list"), "q=api");
    let (version, seen) = (hidden(&list, "version"), hidden(&list, "seen"));
    ada.new_events().await;

    let path = format!("/services/{id}/status");
    let form = |status, list: Option<&'static str>| {
        let fields = [("own_status", status), ("version", version.as_str()), ("seen", seen.as_str())];
        fields.into_iter().chain(list.map(|list| ("list", list))).collect::<Vec<_>>()
    };
    let (rest, shown) = follow(&ada, send(&ada, &path, &form("partial_outage", Some("q=api&told=x"))).await).await;
    assert_eq!(rest, format!("/services?q=api&told=status-set&of=set-{id}#set-{id}"));
    assert!(shown.contains("Partial outage") && shown.matches(" autofocus").count() == 1, "{shown}");
    assert_eq!(ada.new_events().await, ["service.status_changed"]);

    let stale = send(&ada, &path, &form("major_outage", None)).await.expect(412).text;
    assert!(stale.contains("value=\"major_outage\" selected") && stale.contains("set the status to Partial outage"), "{stale}");
    assert_eq!(ada.new_events().await, NONE);
    let (version, seen) = (hidden(&stale, "version"), hidden(&stale, "seen"));
    let again = [("own_status", "major_outage"), ("version", version.as_str()), ("seen", seen.as_str())];
    let (rest, _) = follow(&ada, send(&ada, &path, &again).await).await;
    assert_eq!(rest, format!("/services/{id}?told=status-set&of={id}"));
    assert_eq!(ada.new_events().await, ["service.status_changed"]);
}

#[tokio::test]
async fn a_service_says_by_which_incident_it_is_shown_worse() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.service("API").await;
    let incident = ada.incident(&[(&id, "major_outage")], "Payments fail").await;

    let list = page(&ada, "/services").await.expect(200).text;
    assert!(list.contains("Major outage") && list.contains("Set by hand: Operational") && list.contains("Payments fail"), "{list}");
    let one = page(&ada, &format!("/services/{id}")).await.expect(200).text;
    assert!(one.contains(&format!("id=\"cause-{incident}\"")) && one.contains("Investigating"), "{one}");
    assert!(one.contains(&format!("/timeline?service={id}")) && one.contains(&format!("/incidents?service={id}")), "{one}");

    ada.put(format!("/api/incidents/{incident}"), json!({ "status": "resolved" })).await.expect(200);
    let one = page(&ada, &format!("/services/{id}")).await.expect(200).text;
    assert!(one.contains("No open incident touches it") && one.contains("Payments fail") && one.contains("Resolved"), "{one}");
}

#[tokio::test]
async fn services_and_groups_are_moved_a_step_at_a_time() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (a, b, c) = (ada.service("A").await, ada.service("B").await, ada.service("C").await);
    let (first, second) = (ada.group("First").await, ada.group("Second").await);
    ada.new_events().await;

    let path = format!("/services/{c}/shift");
    let (rest, shown) = follow(&ada, send(&ada, &path, &[("direction", "up"), ("list", "")]).await).await;
    assert_eq!(rest, format!("/services?told=moved&of=up-{c}#up-{c}"));
    assert_eq!(listed(&shown), [a.as_str(), &c, &b]);
    assert!(shown.contains("The order is changed.") && shown.matches(" autofocus").count() == 1, "{shown}");
    assert_eq!(ada.new_events().await, ["service.updated", "service.updated"]);
    send(&ada, &path, &[("direction", "up")]).await.expect(303);
    assert_eq!(ada.new_events().await, ["service.updated", "service.updated"]);

    let (rest, shown) = follow(&ada, send(&ada, &path, &[("direction", "up"), ("list", "")]).await).await;
    assert_eq!(rest, format!("/services?of=up-{c}#up-{c}"), "nothing was moved, so nothing is told");
    assert_eq!(listed(&shown), [c.as_str(), &a, &b]);
    assert_eq!(ada.new_events().await, NONE);

    let (_, shown) = follow(&ada, send(&ada, &format!("/groups/{second}/shift"), &[("direction", "up"), ("list", "")]).await).await;
    let place = |id: &str| shown.find(&format!("<section class=\"card\" id=\"{id}\"")).expect("it is listed");
    assert!(place("ungrouped") < place(&second) && place(&second) < place(&first), "{shown}");
    assert_eq!(ada.new_events().await, ["group.updated", "group.updated"]);
}

#[tokio::test]
async fn each_role_sees_and_may_do_what_it_should() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let id = ada.service("API").await;
    let group = ada.group("Core").await;
    let (viewer, responder) = (ada.make_member("viewer").await, ada.make_member("responder").await);
    let (one, of_group) = (format!("/services/{id}"), format!("/groups/{group}"));
    ada.new_events().await;

    for path in ["/services", &one, &of_group] {
        let shown = page(&viewer, path).await.expect(200).text;
        assert_eq!(shown.matches("method=\"post\"").count(), 1, "only to sign out: {shown}");
    }
    let service = [("name", "X"), ("description", ""), ("group_id", ""), ("visibility", "public")];
    for who in [&viewer, &responder] {
        page(who, "/services/new").await.expect(403);
        page(who, "/groups/new").await.expect(403);
        send(who, "/services", &service).await.expect(403);
        send(who, "/services", &[("visibility", "wrong")]).await.expect(403);
        send(who, &one, &service).await.expect(403);
        send(who, "/groups", &[("name", "X")]).await.expect(403);
        send(who, &of_group, &[("name", "X")]).await.expect(403);
        for path in [&one, &of_group] {
            send(who, &format!("{path}/shift"), &[("direction", "up")]).await.expect(403);
            send(who, &format!("{path}/delete"), &[]).await.expect(403);
            send(who, &format!("{path}/restore"), &[]).await.expect(403);
        }
    }
    let status = [("own_status", "major_outage")];
    send(&viewer, &format!("{one}/status"), &status).await.expect(403);
    assert_eq!(ada.new_events().await, NONE);
    let shown = page(&responder, &one).await.expect(200).text;
    assert!(shown.contains("/status\"") && !shown.contains("/delete\"") && !shown.contains("name=\"description\""), "{shown}");
    send(&responder, &format!("{one}/status"), &status).await.expect(303);
    assert_eq!(ada.new_events().await, ["service.status_changed"]);

    let eve = server.sign_up("eve").await;
    let nobody = server.anonymous();
    for path in ["/services", "/services/new", &one, &of_group] {
        let path = format!("/o/{}{path}", ada.slug);
        eve.send("GET", &path, &[BROWSER], "").await.expect(404);
        let location = nobody.send("GET", &path, &[BROWSER], "").await.expect(303).header("location").to_owned();
        assert_eq!(location, format!("/login?next={}", path.replace('/', "%2F")));
    }
    page(&eve, &one).await.expect(404);
    send(&eve, &format!("{one}/delete"), &[]).await.expect(404);
    nobody.post_form(format!("/o/{}/services", ada.slug), &service).await.expect(401);
}

#[tokio::test]
async fn the_list_comes_in_sheets_and_is_filtered_by_its_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let group = ada.group("Core").await;
    let mut made = BTreeSet::new();
    for number in 0..70 {
        let group = (number % 2 == 0).then_some(&group);
        made.insert(ada.service_with(json!({ "name": format!("Service {number:02}"), "group_id": group })).await);
    }

    let (mut seen, mut next, mut sheets) = (Vec::new(), Some("/services".to_owned()), 0);
    while let Some(path) = next {
        let shown = page(&ada, &path).await.expect(200).text;
        let rows = listed(&shown);
        assert!((1..=50).contains(&rows.len()), "{path}: {}", rows.len());
        seen.extend(rows);
        sheets += 1;
        let link = shown.split_once("rel=\"next\" href=\"/o/adas-org").and_then(|(_, rest)| rest.split_once('"'));
        next = link.map(|(link, _)| link.replace("&#38;", "&"));
    }
    assert_eq!((sheets, seen.len()), (2, 70));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);

    let found = page(&ada, "/services?q=SERVICE+07").await.expect(200).text;
    assert_eq!(listed(&found).len(), 1);
    assert!(found.contains("1 of 70") && found.contains("value=\"SERVICE 07\""), "{found}");
    let seven = listed(&found).remove(0);
    assert_eq!(listed(&page(&ada, "/services?q=zzz").await.expect(200).text), NONE);
    assert_eq!(listed(&page(&ada, &format!("/services?group={group}")).await.expect(200).text).len(), 35);
    ada.put(format!("/api/services/{seven}"), json!({ "own_status": "major_outage" })).await.expect(200);
    assert_eq!(listed(&page(&ada, "/services?state=major_outage").await.expect(200).text), [seven]);
    assert_eq!(listed(&page(&ada, "/services?cursor=broken&state=fine&group=x").await.expect(200).text).len(), 49);
}

#[tokio::test]
async fn a_group_from_its_form_to_deleting_and_back() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.new_events().await;
    let refused = send(&ada, "/groups", &[("name", "  ")]).await.expect(422).text;
    assert!(refused.contains("Name must be 1 to 200"), "{refused}");

    let (rest, shown) = follow(&ada, send(&ada, "/groups", &[("name", "Core")]).await).await;
    let group = rest.strip_prefix("/groups/").and_then(|rest| rest.split_once('?')).expect("a group").0.to_owned();
    assert!(shown.contains("The group is made.") && shown.contains("No service is in this group yet"), "{shown}");
    let list = page(&ada, "/services").await.expect(200).text;
    assert!(list.contains(&format!("id=\"{group}\"")), "an empty group can be found: {list}");
    let form = page(&ada, &format!("/services/new?group={group}")).await.expect(200).text;
    assert!(form.contains(&format!("value=\"{group}\" selected")), "{form}");
    let typed =
        [("name", "API"), ("description", ""), ("group_id", group.as_str()), ("visibility", "public"), ("own_status", "operational")];
    let (_, list) = follow(&ada, send(&ada, "/services", &typed).await).await;
    assert!(list.contains("The service is on the page."), "{list}");
    let service = listed(&list).remove(0);
    assert_eq!(ada.new_events().await, ["group.created", "service.created"]);

    let path = format!("/groups/{group}");
    let shown = page(&ada, &path).await.expect(200).text;
    assert!(shown.contains(&service), "{shown}");
    let (version, seen) = (hidden(&shown, "version"), hidden(&shown, "seen"));
    let named = |name| [("name", name), ("version", version.as_str()), ("seen", seen.as_str())];
    let (_, shown) = follow(&ada, send(&ada, &path, &named("Heart")).await).await;
    assert!(shown.contains("The group is saved.") && shown.contains("Heart"), "{shown}");
    let stale = send(&ada, &path, &named("Spine")).await.expect(412).text;
    assert!(stale.contains("value=\"Spine\"") && stale.contains("changed the name from “Core” to “Heart”"), "{stale}");
    assert_eq!(ada.new_events().await, ["group.updated"]);

    let (rest, shown) = follow(&ada, send(&ada, &format!("{path}/delete"), &[]).await).await;
    assert_eq!(rest, format!("/services?told=group-deleted&of={group}"));
    assert!(shown.contains(&format!("action=\"/o/adas-org/groups/{group}/restore\"")), "{shown}");
    assert_eq!(listed(&shown), [service.as_str()], "its services stay");
    page(&ada, &path).await.expect(404);
    assert_eq!(ada.new_events().await, ["group.deleted"]);
    let (again, shown) = follow(&ada, send(&ada, &format!("{path}/delete"), &[]).await).await;
    assert!(again == rest && shown.contains(&format!("/groups/{group}/restore\"")), "{again}: {shown}");
    send(&ada, "/groups/grp_00000000000000000000000000000001/delete", &[]).await.expect(404);
    assert_eq!(ada.new_events().await, NONE, "pressed twice");

    let (_, shown) = follow(&ada, send(&ada, &format!("{path}/restore"), &[]).await).await;
    assert!(shown.contains("The group is back.") && shown.contains(&service), "{shown}");
    assert_eq!(ada.new_events().await, ["group.restored"]);
    send(&ada, &format!("{path}/restore"), &[]).await.expect(303);
    assert_eq!(ada.new_events().await, NONE, "pressed twice");
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let group = ada.group(EVIL).await;
    let id = ada.service_with(json!({ "name": EVIL, "description": EVIL, "group_id": group })).await;
    ada.incident(&[(&id, "major_outage")], EVIL).await;
    for path in ["/services".to_owned(), "/services/new".into(), format!("/services/{id}"), format!("/groups/{group}")] {
        let shown = page(&ada, &path).await.expect(200).text;
        assert!(!shown.contains("<script>alert") && shown.contains("&#60;script&#62;alert"), "{path}: {shown}");
    }
    let typed = [("name", EVIL), ("description", EVIL), ("group_id", EVIL), ("visibility", EVIL)];
    let refused = ada.post_form(format!("/o/{}/services/{id}", ada.slug), &typed).await.expect(422).text;
    assert!(!refused.contains("<script>alert"), "{refused}");
    let query = "/services?q=%22%3E%3Cscript%3Ealert(1)&of=%22%3E%3Cscript%3Ealert(1)&told=moved";
    assert!(!page(&ada, query).await.expect(200).text.contains("<script>alert"));
}
