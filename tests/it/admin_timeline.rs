//! The pages that tell what is and what was: the overview, the timeline with its files, and finding.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};
use crate::live::{change_service, positions};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

/// A page of the client's organization.
async fn page(client: &Client, path: &str) -> Answer {
    client.send("GET", format!("/o/{}{path}", client.slug), &[BROWSER], "").await
}

async fn shown(client: &Client, path: &str) -> String {
    page(client, path).await.expect(200).text
}

/// The numbers of the entries on a page.
fn entries(html: &str) -> Vec<u64> {
    let ids = html.split("id=\"entry-").skip(1).map(|rest| rest.split_once('"').expect("an attribute").0);
    ids.map(|id| id.parse().expect("a number")).collect()
}

/// Where the older entries are.
fn older(html: &str) -> Option<String> {
    let rest = html.split_once("rel=\"next\" href=\"")?.1;
    Some(rest.split_once('"').expect("an attribute").0.replace("&#38;", "&"))
}

/// What is read of an entry: its first paragraph without the tags.
fn sentence(html: &str, seq: u64) -> String {
    let entry = html.split_once(&format!("id=\"entry-{seq}\"")).expect("the entry").1;
    let paragraph = entry.split_once("<p>").expect("a paragraph").1.split_once("</p>").expect("its end").0;
    paragraph.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

/// A file, whole.
async fn file(client: &Client, path: &str) -> String {
    let response = client.open(format!("/o/{}{path}", client.slug)).await;
    assert_eq!(response.status().as_u16(), 200, "{path}");
    response.text().await.expect("nothing is cut")
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The rows below the head.
fn csv_rows(text: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head: Vec<_> = reader.headers().expect("a head").iter().map(str::to_owned).collect();
    let columns = ["seq", "id", "at", "type", "actor_kind", "actor_id", "actor_name", "subject_kind", "subject_id", "subject_name", "data"];
    assert_eq!(head, columns);
    reader.records().map(|row| row.expect("a row")).collect()
}

#[tokio::test]
async fn a_new_organization_sees_its_first_steps_until_they_are_done() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let empty = shown(&ada, "").await;
    for part in ["First steps", "href=\"/o/adas-org/services/new\"", "Nothing is open.", "founded the organization", "--json"] {
        assert!(empty.contains(part), "{part}: {empty}");
    }
    assert!(!empty.contains("Done:"));

    let api = ada.service("API").await;
    let begun = shown(&ada, "").await;
    assert_eq!(begun.matches("Done:").count(), 1);
    assert!(begun.contains("The one service is operational.") && begun.contains("All Systems Operational"), "{begun}");

    let incident = ada.incident(&[(&api, "degraded_performance")], "Only a test").await;
    ada.delete(format!("/api/incidents/{incident}")).await.expect(204);
    assert!(!shown(&ada, "").await.contains("First steps"), "who has tried it is not asked again");
}

#[tokio::test]
async fn the_overview_says_what_is_broken_and_why_and_never_lists_everything() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    let mut services = Vec::new();
    for number in 0..25 {
        services.push(ada.service(&format!("Region {number}")).await);
    }
    let inside = ada.private_service("Inside").await;
    let affected: Vec<_> = services[..22].iter().map(|service| (service.as_str(), "partial_outage")).collect();
    let incident = ada.incident(&affected, "Cables are cut").await;
    ada.put(format!("/api/services/{inside}"), json!({ "own_status": "major_outage" })).await.expect(200);

    let html = shown(&ada, "").await;
    assert!(html.contains("23 of 26 services are not operational.") && html.contains("3 more among all services"), "{html}");
    assert_eq!(html.matches("id=\"broken-svc_").count(), 20);
    let worst = html.split_once("id=\"broken-svc_").expect("one").1.split_once("</li>").expect("its end").0;
    assert!(worst.contains("Inside") && worst.contains("Set by hand"), "the worst is first: {worst}");
    assert!(html.contains(&format!("href=\"/o/adas-org/incidents/{incident}\"")), "{html}");
    assert!(html.contains(&format!("href=\"/o/adas-org/incidents/{incident}#update\"")), "{html}");
    assert!(html.contains("We are looking into it.") && html.contains("Impact: major"), "{html}");

    let seen = shown(&viewer, "").await;
    assert!(seen.contains("Cables are cut") && seen.contains("Inside") && !seen.contains("#update"), "{seen}");
}

#[tokio::test]
async fn pages_of_the_timeline_have_no_gaps_and_nothing_twice() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    change_service(server.app(), &ada.org_id, &api, positions(1..=120)).await;

    let mut seen = Vec::new();
    let mut next = Some(format!("/o/{}/timeline", ada.slug));
    while let Some(path) = next {
        let html = ada.send("GET", &path, &[BROWSER], "").await.expect(200).text;
        let found = entries(&html);
        assert!((1..=50).contains(&found.len()), "{path}: {}", found.len());
        if seen.is_empty() {
            // What comes while someone reads is newer than where they are.
            ada.service("Web").await;
        }
        seen.extend(found);
        next = older(&html);
    }
    let all: Vec<u64> = (1..=122).rev().collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn entries_are_sentences_with_links_to_what_is_still_there() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (api, web) = (ada.service("API").await, ada.service("Web <b>").await);
    let incident = ada.incident(&[(&api, "major_outage")], "Nothing works").await;
    ada.put(format!("/api/incidents/{incident}"), json!({ "status": "resolved", "message": "Done." })).await.expect(200);
    ada.delete(format!("/api/services/{web}")).await.expect(204);

    let html = shown(&ada, "/timeline").await;
    assert_eq!(entries(&html), [6, 5, 4, 3, 2, 1]);
    for (seq, expected) in [
        (6, "Ada deleted the service Web &#60;b&#62;"),
        (5, "Ada resolved the incident Nothing works"),
        (4, "Ada reported the incident Nothing works with critical impact"),
        (2, "Ada created the service API"),
        (1, "Ada founded the organization Ada&#39;s Org"),
    ] {
        assert_eq!(sentence(&html, seq), expected);
    }
    assert!(html.contains(&format!("href=\"/o/adas-org/services/{api}\"")) && html.contains(&format!("/incidents/{incident}\"")), "{html}");
    assert!(!html.contains(&format!("/services/{web}\"")), "a link leads nowhere: {html}");
    assert!(html.contains("Investigating") && html.contains("Resolved"), "what changed is told: {html}");
    assert!(!html.contains("<b>"), "{html}");
}

#[tokio::test]
async fn filters_stand_in_the_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let responder = ada.make_member("responder").await;
    let (api, _) = (ada.service("API").await, ada.service("Web").await);
    server.advance(Duration::from_secs(24 * 3_600));
    responder.incident(&[(&api, "major_outage")], "Nothing works").await;
    server.advance(Duration::from_secs(24 * 3_600));
    ada.put(format!("/api/services/{api}"), json!({ "name": "Gateway" })).await.expect(200);

    for (query, expected) in [
        (String::new(), vec![7, 6, 5, 4, 3, 2, 1]),
        ("?type=&since=&until=".to_owned(), vec![7, 6, 5, 4, 3, 2, 1]),
        ("?type=incident".to_owned(), vec![6]),
        ("?type=service.created".to_owned(), vec![5, 4]),
        ("?type=member".to_owned(), vec![3, 2]),
        (format!("?actor={}", responder.user_id), vec![6, 3]),
        (format!("?subject={api}"), vec![7, 4]),
        (format!("?service={api}"), vec![7, 6, 4]),
        ("?since=2026-03-02".to_owned(), vec![7, 6]),
        ("?until=2026-03-02".to_owned(), vec![6, 5, 4, 3, 2, 1]),
        (format!("?type=service&actor={}&since=2026-03-02", ada.user_id), vec![7]),
        ("?before=3".to_owned(), vec![2, 1]),
        ("?type=group".to_owned(), vec![]),
    ] {
        assert_eq!(entries(&shown(&ada, &format!("/timeline{query}")).await), expected, "{query}");
    }
    let chosen = shown(&ada, &format!("/timeline?service={api}&type=incident")).await;
    assert!(chosen.contains("Touching <bdi>Gateway</bdi>") && chosen.contains("<option value=\"incident\" selected>"), "{chosen}");
    assert!(
        chosen.contains(&format!("name=\"service\" value=\"{api}\"")) && chosen.contains("/timeline.csv?type=incident&#38;service="),
        "{chosen}"
    );
    assert!(shown(&ada, "/timeline?type=group").await.contains("Nothing matches these filters"));

    let wrong = page(&ada, "/timeline?since=yesterday&type=incid").await.expect(422).text;
    assert!(
        wrong.contains("id=\"since-error\"") && wrong.contains("value=\"yesterday\"") && wrong.contains("What must be one of the list"),
        "{wrong}"
    );
    assert!(entries(&wrong).is_empty());
    page(&ada, "/timeline?service=svc_00000000000000000000000000000001").await.expect(404);
    page(&ada, "/timeline.csv?since=yesterday").await.expect(422);
}

#[tokio::test]
async fn the_files_hold_what_the_api_tells_entry_for_entry() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let api = ada.service("API").await;
    ada.incident(&[(&api, "major_outage")], "Nothing works").await;
    // More than are read at once.
    change_service(server.app(), &ada.org_id, &api, positions(1..=450)).await;
    let told: Vec<Value> = ada.timeline().await.into_iter().rev().collect();
    assert_eq!(told.len(), 453);

    assert_eq!(json_lines(&file(&ada, "/timeline.jsonl").await), told);

    let rows = csv_rows(&file(&ada, "/timeline.csv").await);
    assert_eq!(rows.len(), told.len());
    for (row, entry) in rows.iter().zip(&told) {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(row[0], entry["seq"].to_string());
        let pointers = ["/id", "/at", "/type", "/actor/kind", "/actor/id", "/actor/name", "/subject/kind", "/subject/id", "/subject/name"];
        assert_eq!(row.iter().skip(1).take(9).collect::<Vec<_>>(), pointers.map(text));
        assert_eq!(serde_json::from_str::<Value>(&row[10]).expect("JSON"), entry["data"]);
    }

    let of_incidents = ada.all(&format!("/api/timeline/organization/{}?type=incident", ada.org_id)).await;
    assert_eq!(json_lines(&file(&ada, "/timeline.jsonl?type=incident").await), of_incidents);
    assert_eq!(csv_rows(&file(&ada, "/timeline.csv?type=group").await).len(), 0);
    assert_eq!(file(&ada, "/timeline.jsonl?type=group").await, "");
}

#[tokio::test]
async fn a_file_is_named_and_kept_by_nobody_between() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    for (path, name, kind) in [
        ("/timeline.csv", "adas-org-timeline-2026-03-01.csv", "text/csv; charset=utf-8; header=present"),
        ("/timeline.jsonl", "adas-org-timeline-2026-03-01.jsonl", "application/x-ndjson; charset=utf-8"),
    ] {
        let response = viewer.open(format!("/o/{}{path}", viewer.slug)).await;
        assert_eq!(response.status().as_u16(), 200, "{path}");
        assert_eq!(response.headers()["content-disposition"], format!("attachment; filename=\"{name}\""));
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn no_cell_is_a_formula_when_it_is_opened() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for name in ["=HYPERLINK(\"https://evil.example\",\"x\")", "+1", "-1", "@SUM(A1)", "a, \"b\"; c", "'quoted'"] {
        let service = ada.service(name).await;
        let rows = csv_rows(&file(&ada, &format!("/timeline.csv?subject={service}")).await);
        let expected = if name.starts_with(['=', '+', '-', '@']) { format!("'{name}") } else { name.to_owned() };
        assert_eq!(&rows[0][9], expected);
        assert_eq!(serde_json::from_str::<Value>(&rows[0][10]).expect("JSON")["after"]["name"], name);
    }
}

#[tokio::test]
async fn to_strangers_there_is_nothing() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    for path in ["", "/timeline", "/timeline.jsonl", "/timeline.csv", "/find?q=a"] {
        eve.send("GET", format!("/o/{}{path}", ada.slug), &[BROWSER], "").await.expect(404);
        let anonymous = server.anonymous().send("GET", format!("/o/{}{path}", ada.slug), &[BROWSER], "").await.expect(303);
        assert!(anonymous.header("location").starts_with("/login?next=%2Fo%2F"), "{path}");
        assert!(!anonymous.text.contains("Ada"), "{path}: {}", anonymous.text);
    }
}

#[tokio::test]
async fn a_few_letters_find_services_incidents_and_pages() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let viewer = ada.make_member("viewer").await;
    let (pay, _) = (ada.service("Payments API").await, ada.service("Website").await);
    let incident = ada.incident(&[(&pay, "major_outage")], "Repayments fail").await;
    let gone = ada.service("Payroll").await;
    ada.delete(format!("/api/services/{gone}")).await.expect(204);

    let found = shown(&ada, "/find?q=+PAY+").await;
    let list = found.split_once("id=\"found\"").expect("the list").1.split_once("</ul>").expect("its end").0;
    let (service, title) = (list.find("Payments API").expect("the service"), list.find("Repayments fail").expect("the incident"));
    assert!(service < title, "the beginning counts more: {list}");
    assert!(list.contains(&format!("href=\"/o/adas-org/services/{pay}\"")) && list.contains("Major outage"), "{list}");
    assert!(list.contains(&format!("href=\"/o/adas-org/incidents/{incident}\"")) && list.contains("Investigating"), "{list}");
    assert!(!list.contains("Payroll") && !list.contains("Website"), "{list}");

    assert!(shown(&ada, "/find?q=new+service").await.contains("href=\"/o/adas-org/services/new\""));
    assert!(!shown(&viewer, "/find?q=new+service").await.contains("services/new"));
    assert!(shown(&ada, "/find").await.contains("Password and sessions"), "without a word, the pages");
    let hostile = shown(&ada, "/find?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(hostile.contains("Nothing is called like that.") && !hostile.contains("<script>"), "{hostile}");
}

#[tokio::test]
async fn finding_shows_twenty_and_counts_the_rest() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for number in 0..23 {
        ada.service(&format!("Region {number}")).await;
    }
    let found = shown(&ada, "/find?q=region").await;
    assert_eq!(found.matches(">Region ").count(), 20);
    assert!(found.contains("3 more. Type more of the name."), "{found}");
}
