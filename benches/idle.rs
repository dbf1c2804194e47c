//! What several nodes ask of their database while nobody asks anything of them.
//!
//! `cargo bench --bench idle -- --postgres URL`; `--nodes 3 --organizations 1000 --seconds 60` sets the sizes. The database must be empty, and
//! its server must have `pg_stat_statements` among its `shared_preload_libraries`: `scripts/measure-cluster` starts one. The nodes are the real
//! binary; what is counted is what the server says that it was asked, transactions' beginnings and ends included.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use allclear::access::{Actor, Edit};
use allclear::app::{App, Settings};
use allclear::clock::Clock;
use allclear::config::{Config, StorePlace};
use allclear::domain::organization::{self, OrgId};
use allclear::domain::service::{self, NewService, Visibility};
use allclear::domain::status::ServiceStatus;
use allclear::id::IdSource;
use allclear::store::{OrgTx, Store};
use allclear::token::Keys;
use futures_util::{StreamExt, stream};
use tokio_postgres::{Client, NoTls};

/// How many organizations are made at once.
const AT_ONCE: usize = 16;

/// How long the nodes are left alone before it counts: what a start has to do is not idleness.
const SETTLE: Duration = Duration::from_secs(10);

/// A node; killed when dropped.
struct Node {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Node {
    /// Starts one, and returns when it says where it listens.
    fn start(url: &str, keys: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_allclear"))
            .args(["--listen", "127.0.0.1:0", "--log", "warn", "--store", url, "--key-file", keys, "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it has an output")).read_line(&mut line).expect("it says where it listens");
        assert!(line.contains("http://"), "it never said where it listens: {line}");
        Self { child, _folder: folder }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text that follows a flag.
fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn argument(name: &str, default: usize) -> usize {
    text(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Makes organizations with a service each, and so with a log.
async fn fill(url: &str, organizations: usize) {
    let Ok(place) = url.parse::<StorePlace>() else { panic!("no place for a store: {url}") };
    let opened = tokio::task::spawn_blocking(move || Store::open_place(&place, 64 << 20, Config::default().store_connections)).await;
    let (store, _) = opened.expect("it does not panic").expect("the store opens");
    let (clock, ids) = (Clock::system(), IdSource::system());
    let orgs: Vec<OrgId> = (0..organizations).map(|_| ids.next(clock.now())).collect();
    let app = App::new(store, clock, ids, Keys::ephemeral(), Settings::default());
    stream::iter(orgs.into_iter().enumerate()).for_each_concurrent(AT_ONCE, |(number, org)| make(&app, number, org)).await;
    tokio::task::spawn_blocking(move || app.close()).await.expect("it closes");
}

async fn make(app: &App, number: usize, org: OrgId) {
    let name = format!("Organization {number}");
    let founded = app.system_change(Actor::System("bench"), move |tx| organization::found(tx, org, None, &name).map(|change| change.value));
    founded.await.expect("it is founded");
    let input = NewService {
        name: "API".into(),
        description: String::new(),
        visibility: Visibility::Public,
        own_status: ServiceStatus::Operational,
        group_id: None,
    };
    let created = app.change(Actor::System("bench"), org, move |tx: &mut OrgTx<'_, Edit>| service::create(tx, input));
    created.await.expect("it is created");
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it answers");
    tokio::spawn(connection);
    client.batch_execute("create extension if not exists pg_stat_statements").await.expect("it counts statements");
    client
}

/// What was asked since the last reset, the most frequent first; not what counts it.
async fn asked(client: &Client) -> Vec<(i64, String)> {
    let counted = "select calls, query from pg_stat_statements where query not like '%pg_stat_statements%' order by calls desc";
    let rows = client.query(counted, &[]).await.expect("it has counted");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn per_second(calls: i64, time: Duration) -> f64 {
    calls as f64 / time.as_secs_f64()
}

fn main() {
    let Some(url) = text("--postgres") else { panic!("name a database: cargo bench --bench idle -- --postgres URL") };
    let (nodes, organizations) = (argument("--nodes", 3), argument("--organizations", 1_000));
    let time = Duration::from_secs(u64::try_from(argument("--seconds", 60)).expect("a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        fill(&url, organizations).await;
        let shared = tempfile::tempdir().expect("a folder is made");
        let keys = shared.path().join("keys").display().to_string();
        let running: Vec<Node> = (0..nodes).map(|_| Node::start(&url, &keys)).collect();
        let client = connect(&url).await;
        tokio::time::sleep(SETTLE).await;

        client.execute("select pg_stat_statements_reset()", &[]).await.expect("it forgets");
        tokio::time::sleep(time).await;
        let asked = asked(&client).await;

        let all: i64 = asked.iter().map(|(calls, _)| calls).sum();
        println!("{nodes} idle nodes, {organizations} organizations, {time:?}: {:.1} statements a second", per_second(all, time));
        for (calls, query) in asked.iter().take(10) {
            println!("  {:>6.2}/s  {}", per_second(*calls, time), query.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        drop(running);
    });
}
