//! What was acknowledged, held against what is there and what the timeline tells.

use std::collections::HashSet;

use serde_json::Value;

use super::Client;

/// A change that the server has said was made.
pub(crate) struct Acknowledged {
    /// The event it must have written.
    pub(crate) kind: &'static str,
    /// Where the thing is found.
    pub(crate) path: String,
    /// What it then says of itself under `field`.
    pub(crate) field: &'static str,
    /// Namely this.
    pub(crate) text: String,
}

/// The timeline as far as it was looked at.
#[derive(Default)]
pub(crate) struct Log {
    seen: u64,
    /// What exists by the log: a type and the subject's id.
    told: HashSet<(String, String)>,
}

impl Log {
    /// Reads what is new and holds the acknowledged changes against it; answers how much was new.
    pub(crate) async fn check(&mut self, ada: &Client, changes: &[Acknowledged]) -> usize {
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
    pub(crate) async fn check_whole(&self, ada: &Client) {
        for (path, kind) in [("/api/services?limit=200", "service.created"), ("/api/incidents?limit=200", "incident.opened")] {
            let there: HashSet<_> = ada.all(path).await.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
            let told: HashSet<_> = self.told.iter().filter(|(told, _)| told == kind).map(|(_, id)| id.clone()).collect();
            assert_eq!(there, told, "{path}");
        }
        assert_eq!(ada.timeline().await.len() as u64, self.seen);
    }
}
