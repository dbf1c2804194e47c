//! How many changes a second the store makes durable, alone and with many who wait.
//!
//! `cargo bench --bench store`; `-- --seconds 3 --sync-ms 2.3` sets how long each figure is measured, and adds that long to every sync, as a disk
//! would whose cache survives nothing. A change is what the API does: the role is read, a service written with its index keys, one event
//! numbered, and its public projection written to the page's log.
//!
//! With `-- --postgres URL` the same of one organization on PostgreSQL, in a database that is empty. How long a sync takes there is the
//! server's to say, and its settings are told with the figures; `scripts/measure-cluster` starts one whose syncs take a while.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use allclear::access::{Actor, Edit};
use allclear::app::{App, Settings, SignUpInput};
use allclear::clock::Clock;
use allclear::config::{Config, Registration, StorePlace};
use allclear::domain::organization::OrgId;
use allclear::domain::service::{self, NewService, ServicePatch, Visibility};
use allclear::domain::session::Origin;
use allclear::domain::status::ServiceStatus;
use allclear::id::IdSource;
use allclear::store::Store;
use allclear::store::redb::Place;
use allclear::token::Keys;
use redb::{StorageBackend, backends::FileBackend};
use tokio_postgres::NoTls;

/// A file whose syncs take a while longer.
#[derive(Debug)]
struct SlowDisk {
    file: FileBackend,
    sync: Duration,
}

impl StorageBackend for SlowDisk {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.file.sync_data()?;
        std::thread::sleep(self.sync);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.file.write(offset, data)
    }
}

fn argument(name: &str, default: f64) -> f64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The text that follows a flag.
fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// An application with open registration.
fn application(store: Store) -> App {
    let settings = Settings { registration: Registration::Open, ..Settings::default() };
    App::new(store, Clock::system(), IdSource::system(), Keys::ephemeral(), settings)
}

fn open(path: &Path, sync: Duration) -> App {
    let path = path.to_owned();
    let disk = move || {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = FileBackend::new(file.map_err(redb::StorageError::from)?)?;
        Ok(Box::new(SlowDisk { file, sync }) as Box<dyn StorageBackend>)
    };
    let (store, _) = Store::open_at(Place::Disk(Arc::new(disk)), 256 << 20).expect("the store opens");
    application(store)
}

/// On PostgreSQL, with as many connections as a node has unless it is told otherwise.
async fn open_postgres(url: &str) -> App {
    let Ok(place) = url.parse::<StorePlace>() else { panic!("no place for a store: {url}") };
    let opened = tokio::task::spawn_blocking(move || Store::open_place(&place, 256 << 20, Config::default().store_connections)).await;
    let (store, _) = opened.expect("it does not panic").expect("the store opens");
    application(store)
}

/// What a commit waits for at this server.
async fn syncs(url: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it answers");
    tokio::spawn(connection);
    let settings = ["server_version", "fsync", "synchronous_commit", "commit_delay", "commit_siblings"];
    let mut words = Vec::new();
    for setting in settings {
        let row = client.query_one("select current_setting($1)", &[&setting]).await.expect("it is set");
        words.push(format!("{setting} {}", row.get::<_, String>(0)));
    }
    words.join(", ")
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
fn now() -> Instant {
    Instant::now()
}

/// Changes a second with so many submitters, and the 99th percentile of one change's time.
async fn measure(app: &App, org: OrgId, submitters: usize, time: Duration) -> (f64, Duration) {
    let actor = || Actor::System("bench");
    let mut services = Vec::new();
    for number in 0..submitters {
        let input = NewService {
            name: format!("Service {number}"),
            description: String::new(),
            visibility: Visibility::Public,
            own_status: ServiceStatus::Operational,
            group_id: None,
        };
        services.push(app.change(actor(), org, move |tx| service::create(tx, input)).await.expect("it is created").service.id);
    }
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let start = now();
    let tasks: Vec<_> = services
        .iter()
        .copied()
        .map(|id| {
            let (app, stop, done) = (app.clone(), stop.clone(), done.clone());
            tokio::spawn(async move {
                let (mut number, mut times) = (0_u64, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let patch = ServicePatch { name: Some(format!("Service {number}")), ..ServicePatch::default() };
                    let begun = now();
                    app.change::<Edit, _>(Actor::System("bench"), org, move |tx| service::update(tx, id, patch, None))
                        .await
                        .expect("it is durable");
                    times.push(begun.elapsed());
                    done.fetch_add(1, Ordering::Relaxed);
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    let (count, elapsed) = (done.load(Ordering::Relaxed), start.elapsed());
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no submitter panics"));
    }
    times.sort_unstable();
    for id in services {
        app.change(actor(), org, move |tx| service::delete(tx, id, None)).await.expect("it is deleted");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of some seconds")]
    let rate = count as f64 / elapsed.as_secs_f64();
    (rate, times[times.len() * 99 / 100])
}

/// Signs somebody up and measures their organization with so many submitters each, one figure a line.
async fn compare(app: &App, counts: &[usize], seconds: Duration) {
    let input = SignUpInput {
        email: "bench@example.com".into(),
        password: "tangerine-otter-plinth".into(),
        full_name: "Bench".into(),
        organization_name: "Bench".into(),
        setup_token: None,
        invite_token: None,
    };
    let signed_in = app.sign_up(input, [127, 0, 0, 1].into(), Origin::default()).await.expect("sign-up works");
    let org = signed_in.profile.organizations[0].organization.id;
    let mut alone = 0.0;
    for submitters in counts.iter().copied() {
        let (rate, p99) = measure(app, org, submitters, seconds).await;
        alone = if submitters == 1 { rate } else { alone };
        println!(
            "  {submitters:>3} submitters: {rate:>8.0} durable changes a second ({:.1} x), p99 {:.1} ms",
            rate / alone,
            p99.as_secs_f64() * 1_000.0
        );
    }
}

fn main() {
    let (seconds, slow) = (Duration::from_secs_f64(argument("--seconds", 3.0)), argument("--sync-ms", 2.3));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    if let Some(url) = text("--postgres") {
        let app = runtime.block_on(async {
            println!("PostgreSQL, one organization ({}):", syncs(&url).await);
            let app = open_postgres(&url).await;
            compare(&app, &[1, 16, 64], seconds).await;
            app
        });
        app.close();
        return;
    }
    for sync in [0.0, slow] {
        // Beside the build, not in /tmp: that is memory on many machines, and syncs nothing.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made");
        let app = open(&folder.path().join("bench.redb"), Duration::from_secs_f64(sync / 1_000.0));
        println!("sync + {sync} ms:");
        runtime.block_on(compare(&app, &[1, 16, 64, 256], seconds));
        app.close();
    }
}
