//! People who write, at whichever node answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::nodes::Board;
use crate::harness::{Acknowledged, Answer, Client, Dice};
use crate::live::client::within;

/// How long a node may take before another one is asked.
const ASK: Duration = Duration::from_secs(5);

/// Makes services and incidents, in turn, until it is told to stop. What it has begun it brings to its end, and tells of it.
pub(super) async fn write(
    ada: Client,
    board: Board,
    mut dice: Dice,
    numbers: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    acknowledge: mpsc::UnboundedSender<Acknowledged>,
) {
    while !stop.load(Ordering::Relaxed) {
        let name = format!("Number {}", numbers.fetch_add(1, Ordering::Relaxed));
        let service = settle(&ada, &board, &mut dice, "/api/services", &name, &json!({ "name": name })).await.id();
        let path = format!("/api/services/{service}");
        let incidents = format!("{path}/incidents");
        let _ = acknowledge.send(Acknowledged { kind: "service.created", path, field: "name", text: name.clone() });

        let input = json!({ "title": name, "message": "Looking.", "service_status": "major_outage" });
        let incident = settle(&ada, &board, &mut dice, &incidents, &name, &input).await.id();
        let path = format!("/api/incidents/{incident}");
        let updates = format!("{path}/updates");
        let _ = acknowledge.send(Acknowledged { kind: "incident.opened", path: path.clone(), field: "title", text: name.clone() });

        let input = json!({ "status": "resolved", "message": "Done." });
        settle(&ada, &board, &mut dice, &updates, &name, &input).await;
        let _ = acknowledge.send(Acknowledged { kind: "incident.resolved", path, field: "status", text: "resolved".into() });
    }
}

/// Posts to one node after another until one says that it is done. However many were asked, and whatever became of that, the key makes it
/// one change.
pub(super) async fn settle(who: &Client, board: &Board, dice: &mut Dice, path: &str, key: &str, input: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    // Where all nodes refuse at once, one need not ask as fast as one can.
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asking = async {
        loop {
            ticks.tick().await;
            let node = who.at(&board.any(dice));
            match timeout(ASK, node.try_send("POST", path, &headers, input.to_string())).await {
                Ok(Ok(answer)) if answer.status != 503 => return answer.expect(201),
                Ok(Ok(refused)) => assert!(!refused.header("retry-after").is_empty(), "{}", refused.text),
                // Nobody there, cut off, or silent: it may be done or not.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    };
    within(asking).await
}
