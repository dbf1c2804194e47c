//! `kill -9` in a loop under load: what was acknowledged is there, with its event, and the log has no gap.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::harness::{Client, Process};

const KILLS: usize = 50;
const WRITERS: usize = 8;
/// So many changes are acknowledged before each kill; the rest of what is under way then may have become durable or not.
const ACKNOWLEDGED: usize = 24;

/// A change that the server has said was made.
struct Acknowledged {
    /// The event it must have written.
    kind: &'static str,
    /// Where the thing is found.
    path: String,
    /// What it then says of itself under `field`.
    field: &'static str,
    text: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_in_fifty_kills() {
    let dir = tempfile::tempdir().unwrap();
    let open = ["--registration", "open"];
    let mut process = Process::spawn(dir.path(), &open, &[]).await;
    let mut ada = process.anonymous().sign_up("ada").await;
    let numbers = Arc::new(AtomicUsize::new(1));
    let mut log = Log::default();
    log.check(&ada, &[]).await;

    for kill in 1..=KILLS {
        let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(ada.clone(), numbers.clone(), acknowledge.clone()));
        }
        drop(acknowledge);
        let mut changes = Vec::new();
        while changes.len() < ACKNOWLEDGED {
            changes.push(acknowledged.recv().await.expect("the writers go on until the server is gone"));
        }
        process.kill().await;
        writers.join_all().await;
        while let Some(change) = acknowledged.recv().await {
            changes.push(change);
        }

        process = Process::spawn(dir.path(), &open, &[]).await;
        ada = ada.at(process.base());
        let news = log.check(&ada, &changes).await;
        assert!(news >= changes.len(), "kill {kill}: {news} events for {} acknowledged changes", changes.len());
    }
    log.check_whole(&ada).await;
    assert_eq!(process.terminate().await, Some(0));
}

/// Makes services and incidents, in turn, until the server is gone.
async fn write(ada: Client, numbers: Arc<AtomicUsize>, acknowledge: mpsc::UnboundedSender<Acknowledged>) {
    loop {
        let name = format!("Number {}", numbers.fetch_add(1, Ordering::Relaxed));
        let Some(service) = made(&ada, "/api/services", json!({ "name": name })).await else { return };
        let path = format!("/api/services/{service}");
        let incidents = format!("{path}/incidents");
        let _ = acknowledge.send(Acknowledged { kind: "service.created", path, field: "name", text: name.clone() });

        let input = json!({ "title": name, "message": "Looking.", "service_status": "major_outage" });
        let Some(incident) = made(&ada, &incidents, input).await else { return };
        let path = format!("/api/incidents/{incident}");
        let updates = format!("{path}/updates");
        let _ = acknowledge.send(Acknowledged { kind: "incident.opened", path: path.clone(), field: "title", text: name });

        if made(&ada, &updates, json!({ "status": "resolved", "message": "Done." })).await.is_none() {
            return;
        }
        let _ = acknowledge.send(Acknowledged { kind: "incident.resolved", path, field: "status", text: "resolved".into() });
    }
}

/// The id of what a POST made; `None` when the server is gone.
async fn made(ada: &Client, path: &str, input: Value) -> Option<String> {
    let answer = ada.try_send("POST", path, &[("content-type", "application/json")], input.to_string()).await.ok()?;
    Some(answer.expect(201).id())
}

/// The timeline as far as it was looked at.
#[derive(Default)]
struct Log {
    seen: u64,
    /// What exists by the log: a type and the subject's id.
    told: HashSet<(String, String)>,
}

impl Log {
    /// Reads what is new and holds the acknowledged changes against it; answers how much was new.
    async fn check(&mut self, ada: &Client, changes: &[Acknowledged]) -> usize {
        let mut new = Vec::new();
        let mut path = format!("/api/timeline/organization/{}?limit=200", ada.org_id);
        loop {
            let page = ada.get(&path).await.expect(200).json;
            new.extend(page["data"].as_array().expect("entries").iter().filter(|entry| entry["seq"].as_u64() > Some(self.seen)).cloned());
            let reached = new.last().is_none_or(|oldest| oldest["seq"] == self.seen + 1);
            match page["next_cursor"].as_str().filter(|_| !reached) {
                Some(cursor) => path = format!("/api/timeline/organization/{}?limit=200&cursor={cursor}", ada.org_id),
                None => break,
            }
        }
        for entry in new.iter().rev() {
            assert_eq!(entry["seq"], self.seen + 1, "a number is missing or doubled");
            self.seen += 1;
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let is_new = self.told.insert((text(&entry["type"]), text(&entry["subject"]["id"])));
            assert!(is_new, "told twice: {entry}");
        }
        for change in changes {
            let shown = ada.get(&change.path).await.expect(200);
            assert_eq!(shown.json[change.field], change.text, "{}", change.path);
            assert!(self.told.contains(&(change.kind.to_owned(), shown.id())), "{} without {}", change.path, change.kind);
        }
        new.len()
    }

    /// What is there and what the log tells are the same, acknowledged or not.
    async fn check_whole(&self, ada: &Client) {
        for (path, kind) in [("/api/services?limit=200", "service.created"), ("/api/incidents?limit=200", "incident.opened")] {
            let there: HashSet<_> = ada.all(path).await.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
            let told: HashSet<_> = self.told.iter().filter(|(told, _)| told == kind).map(|(_, id)| id.clone()).collect();
            assert_eq!(there, told, "{path}");
        }
        assert_eq!(ada.timeline().await.len() as u64, self.seen);
    }
}
