//! People who listen: they lose their node, or tire of it, and go on at another one with nothing but the last id they saw.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::nodes::Board;
use crate::harness::Dice;
use crate::live::client::{Events, Link, Socket, seq};

/// The numbers that the logs end with, once nobody writes any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub(super) org: u64,
    pub(super) page: u64,
}

/// Someone in one room.
pub(super) struct Viewer {
    by_socket: bool,
    /// `org:…` or `page:…`.
    room: String,
    /// Empty for a visitor.
    cookie: String,
    last: Option<String>,
    heard: u64,
    visits: usize,
}

impl Viewer {
    pub(super) fn new(by_socket: bool, room: String, cookie: String) -> Self {
        Self { by_socket, room, cookie, last: None, heard: 0, visits: 0 }
    }

    /// Listens, now here and now there, until the log's last event was heard. Every event comes once, and in order.
    pub(super) async fn follow(mut self, board: Board, mut dice: Dice, mut heads: watch::Receiver<Option<Heads>>) -> Self {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            let Some(mut link) = self.come(&board.any(&mut dice)).await else { continue };
            self.visits += 1;
            let until = self.heard + 5 + u64::try_from(dice.below(60)).expect("a number");
            while self.heard < until {
                let told: Option<Heads> = *heads.borrow_and_update();
                let head = told.map(|heads| if self.room.starts_with("org:") { heads.org } else { heads.page });
                if head.is_some_and(|head| self.seen() >= head) {
                    return self;
                }
                tokio::select! {
                    id = link.hear(&self.room) => match id {
                        Some(id) => self.take(id),
                        None => break,
                    },
                    changed = heads.changed() => changed.expect("the test goes on"),
                }
            }
        }
    }

    /// What came of it, in words.
    pub(super) fn summary(&self) -> String {
        let by = if self.by_socket { "WebSocket" } else { "stream" };
        let (room, _) = self.room.split_once(':').expect("a room");
        format!("{by} in the {room}'s room: {} events, {} visits", self.heard, self.visits)
    }

    /// Connects to a node and resumes there; `None` if it can't be now.
    async fn come(&mut self, base: &str) -> Option<Link> {
        let last = self.last.clone().unwrap_or_default();
        let (link, at) = if self.by_socket {
            let mut socket = Socket::knock(base, &self.cookie).await?;
            let at = socket.try_join(&self.room, self.last.as_deref()).await?;
            (Link::Socket(Box::new(socket)), at)
        } else {
            let headers = [("cookie", self.cookie.as_str()), ("last-event-id", last.as_str())];
            let stream = Events::knock(base, &format!("/live/sse?room={}", self.room), &headers).await?;
            let at = stream.at.clone();
            (Link::Stream(Box::new(stream)), at)
        };
        // A reset would begin elsewhere.
        assert_eq!(*self.last.get_or_insert(at.clone()), at, "{}", self.room);
        Some(link)
    }

    fn seen(&self) -> u64 {
        self.last.as_deref().map_or(0, seq)
    }

    fn take(&mut self, id: String) {
        assert_eq!(seq(&id), self.seen() + 1, "{}: exactly once and in order", self.room);
        self.last = Some(id);
        self.heard += 1;
    }
}

/// Keeps a public page open, now from this node and now from that, until it shows these words. Answers how often the page went back in time
/// because another node was a moment behind; while one node is listened to it never does.
pub(super) async fn look_on(slug: String, board: Board, mut dice: Dice, words: &'static str) -> usize {
    let (mut ticks, mut last, mut shown, mut back) = (ticks(), String::new(), 0, 0);
    let path = format!("/p/{slug}/live");
    loop {
        ticks.tick().await;
        let Some(mut stream) = Events::knock(&board.any(&mut dice), &path, &[("last-event-id", last.as_str())]).await else { continue };
        let mut here = 0;
        for _ in 0..5 + dice.below(20) {
            let Ok(told) = stream.hear().await else { break };
            let number = position(&told.id);
            assert!(number >= here, "{number} after {here}: a node's page went back");
            back += usize::from(number < shown);
            (here, shown) = (number, number);
            if told.data.contains(words) {
                return back;
            }
            last = told.id;
        }
    }
}

/// The number in a page's position, `<epoch>:<number>.<day>`.
#[track_caller]
fn position(id: &str) -> u64 {
    seq(id.split_once('.').map_or(id, |(log, _)| log))
}

/// When to try again where nobody answered.
fn ticks() -> Interval {
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
