//! `kill -9` in a loop under load: what was acknowledged is there, with its event, and the log has no gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::harness::{Acknowledged, Client, Log, Process};

const KILLS: usize = 50;
const WRITERS: usize = 8;
/// So many changes are acknowledged before each kill; the rest of what is under way then may have become durable or not.
const ACKNOWLEDGED: usize = 24;

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
