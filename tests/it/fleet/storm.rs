//! Everything that can break does, in turn, while people write and listen: nothing acknowledged is lost, and everyone hears each event once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::nodes::{Fleet, assert_same};
use super::viewers::{Heads, Viewer, look_on};
use super::writers::{settle, write};
use crate::harness::{Acknowledged, Cluster, Dice, Log, Stop};
use crate::live::client::{Socket, seq, within};

const NODES: usize = 3;
const ROUNDS: usize = 30;
const WRITERS: usize = 6;
/// So many of each kind of listener.
const OF_EACH: usize = 2;
/// So many changes are acknowledged after each mishap, before the next one.
const ACKNOWLEDGED: usize = 20;
/// So many are while a mishap lasts that lasts.
const MEANWHILE: usize = 5;
/// The longest silence. What a silent node holds locked, others may have to wait for; so it is not only counted, but timed.
const A_MOMENT: Duration = Duration::from_secs(1);
/// What the last change says.
const LAST: &str = "The last word";

#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// A node is killed, and started again.
    Kill,
    /// PostgreSQL loses its power, and comes back.
    Crash,
    /// PostgreSQL is restarted by its operator.
    Restart,
    /// A node's connections to the database are cut.
    Cut,
    /// A node can't reach the database for a while.
    Close,
    /// A node hears nothing from the database for a while, nor the database from the node.
    Hush,
}

const MISHAPS: [Mishap; 6] = [Mishap::Kill, Mishap::Crash, Mishap::Restart, Mishap::Cut, Mishap::Close, Mishap::Hush];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_breaks() {
    let mut dice = Dice::seeded();
    let mut cluster = Cluster::start().await;
    let mut fleet = Fleet::on(&cluster.url("postgres"), NODES).await;
    let ada = fleet.anonymous(0).sign_up("ada").await;

    let (end, heads) = watch::channel(None);
    let (mut viewers, mut onlookers) = (JoinSet::new(), JoinSet::new());
    for by_socket in [true, false].repeat(OF_EACH) {
        for (room, cookie) in [(format!("org:{}", ada.org_id), ada.cookie()), (format!("page:{}", ada.slug), String::new())] {
            viewers.spawn(Viewer::new(by_socket, room, cookie).follow(fleet.board(), dice.split(), heads.clone()));
        }
    }
    for _ in 0..OF_EACH {
        onlookers.spawn(look_on(ada.slug.clone(), fleet.board(), dice.split(), LAST));
    }
    let (numbers, stop) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicBool::new(false)));
    let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(ada.clone(), fleet.board(), dice.split(), numbers.clone(), stop.clone(), acknowledge.clone()));
    }
    drop(acknowledge);

    let (mut changes, mut deck) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        if deck.is_empty() {
            deck = dice.shuffled(&MISHAPS);
        }
        let (mishap, node) = (deck.pop().expect("a full deck"), dice.below(NODES));
        println!("round {round}: {mishap:?}, node {node}, after {} changes", changes.len());
        match mishap {
            Mishap::Kill => {
                fleet.kill(node).await;
                gather(&mut acknowledged, &mut changes, MEANWHILE).await;
                fleet.start(node).await;
            }
            Mishap::Crash => cluster.restart(Stop::Immediate).await,
            Mishap::Restart => cluster.restart(Stop::Fast).await,
            Mishap::Cut => fleet.line(node).cut(),
            Mishap::Close => {
                fleet.line(node).close();
                gather(&mut acknowledged, &mut changes, MEANWHILE).await;
                fleet.line(node).mend();
            }
            Mishap::Hush => {
                fleet.line(node).hush();
                let _ = timeout(A_MOMENT, gather(&mut acknowledged, &mut changes, MEANWHILE)).await;
                fleet.line(node).mend();
            }
        }
        gather(&mut acknowledged, &mut changes, ACKNOWLEDGED).await;
    }
    stop.store(true, Ordering::Relaxed);
    within(writers.join_all()).await;
    while let Some(change) = acknowledged.recv().await {
        changes.push(change);
    }

    let board = fleet.board();
    let service = settle(&ada, &board, &mut dice, "/api/services", "last", &json!({ "name": "Last" })).await.id();
    let input = json!({ "title": LAST, "message": "Looking.", "service_status": "major_outage" });
    settle(&ada, &board, &mut dice, &format!("/api/services/{service}/incidents"), "last", &input).await;

    let mut log = Log::default();
    log.check(&fleet.at(0, &ada), &changes).await;
    let timeline = fleet.at(0, &ada).timeline().await;
    for node in 0..NODES {
        let ada = fleet.at(node, &ada);
        log.check_whole(&ada).await;
        assert_eq!(ada.timeline().await, timeline, "node {node}");
    }
    let org = timeline.last().and_then(|entry| entry["seq"].as_u64()).expect("an event");
    let page = seq(&Socket::open(fleet.base(0), "").await.join(&format!("page:{}", ada.slug), None).await);
    end.send_replace(Some(Heads { org, page }));
    for viewer in within(viewers.join_all()).await {
        println!("{}", viewer.summary());
    }
    println!("pages went back by going to a node that was behind: {:?}", within(onlookers.join_all()).await);
    assert_same(&fleet.pages(&ada.slug, LAST).await);
    println!("{} changes were acknowledged, and none was lost", changes.len());

    for node in 0..NODES {
        let log = fleet.log(node);
        assert!(!log.contains("panicked"), "{log}");
    }
    fleet.stop().await;
}

/// Waits until so many more changes were acknowledged.
async fn gather(acknowledged: &mut mpsc::UnboundedReceiver<Acknowledged>, changes: &mut Vec<Acknowledged>, count: usize) {
    let until = changes.len() + count;
    while changes.len() < until {
        changes.push(within(acknowledged.recv()).await.expect("the writers go on"));
    }
}
