//! The engine that the journeys run on: the embedded store, or PostgreSQL where `ENGINE_FOR_TESTS=postgres` asks for it.
//!
//! On PostgreSQL each server has a database of its own in the cluster that `POSTGRES_FOR_TESTS` names (`scripts/with-postgres` starts
//! one): a copy of a template, on which a store was opened once. Copied as files, which took 27 ms on two busy cores; through the log it took 37.
//!
//! One thread of this process makes and drops them all, on a runtime of its own: a test's runtime ends with the test, and what goes with a
//! server can't be waited for there.

use std::path::Path;
use std::sync::OnceLock;

use allclear::config::StorePlace;
use allclear::store::{Committed, Store};
use allclear::token::Keys;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::NoTls;

/// What a store may keep in memory.
const CACHE: usize = 16 << 20;

/// How many connections a server in this process may hold: several run at once, and a test has seldom more than one thing to ask.
const CONNECTIONS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Embedded,
    Postgres,
}

fn engine() -> Engine {
    match std::env::var("ENGINE_FOR_TESTS").as_deref() {
        Err(_) | Ok("") => Engine::Embedded,
        Ok("postgres") => Engine::Postgres,
        Ok(other) => panic!("ENGINE_FOR_TESTS is {other:?}; it may be postgres, or left out for the embedded store"),
    }
}

/// The address of the PostgreSQL that tests may make databases in.
fn postgres() -> String {
    let named = std::env::var("POSTGRES_FOR_TESTS").ok().filter(|url| !url.is_empty());
    named.unwrap_or_else(|| panic!("this test needs PostgreSQL, and POSTGRES_FOR_TESTS names none; run: scripts/with-postgres cargo test"))
}

/// The address of another database of the same server.
fn beside(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap_or_else(|| panic!("no address of a database: {url}"));
    format!("{server}/{name}")
}

fn place(url: &str) -> StorePlace {
    url.parse::<StorePlace>().unwrap_or_else(|_| panic!("no place for a store: {url}"))
}

/// A connection, which this runtime drives.
///
/// # Errors
/// What the client says; above all, that nobody answers.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Opens the store of a server in this process: the one of this directory, or a new one that goes with the server.
pub(super) async fn open(dir: Option<&Path>) -> (Store, mpsc::UnboundedReceiver<Committed>, Option<Database>) {
    let (at, database) = match (engine(), dir) {
        (Engine::Embedded, None) => {
            let (store, news) = Store::memory().expect("the store opens");
            return (store, news, None);
        }
        (Engine::Embedded, Some(dir)) => (StorePlace::Redb(dir.join("allclear.redb")), None),
        (Engine::Postgres, None) => {
            let database = Database::new().await;
            (place(database.url()), Some(database))
        }
        (Engine::Postgres, Some(dir)) => (place(&database_of(dir).await), None),
    };
    let opened = tokio::task::spawn_blocking(move || Store::open_place(&at, CACHE, CONNECTIONS)).await;
    let (store, news) = opened.expect("it does not panic").expect("the store opens");
    (store, news, database)
}

/// What a program that runs in this directory is told of its engine.
pub(super) async fn flags(dir: &Path) -> Vec<String> {
    match engine() {
        Engine::Embedded => Vec::new(),
        Engine::Postgres => on_postgres(&database_of(dir).await, &dir.join("keys")),
    }
}

/// What a program is told that runs on this database with these keys; they are made when missing.
pub(crate) fn on_postgres(url: &str, keys: &Path) -> Vec<String> {
    Keys::load(keys).expect("the keys load");
    ["--store", url, "--key-file", &keys.display().to_string()].map(str::to_owned).to_vec()
}

/// The address of a directory's database. The first who asks has it made; its name stays in the directory for those who come later. It is left
/// to the cluster, for nobody knows who was the last.
async fn database_of(dir: &Path) -> String {
    let note = dir.join("database");
    let name = match std::fs::read_to_string(&note) {
        Ok(name) => name,
        Err(_) => {
            let name = make().await;
            std::fs::write(&note, &name).expect("it is noted");
            name
        }
    };
    beside(&postgres(), &name)
}

/// A database with everything that a store needs, and nothing else in it; dropped with this.
pub(crate) struct Database {
    name: String,
    url: String,
}

impl Database {
    /// A new one.
    ///
    /// # Panics
    /// Without a PostgreSQL; the message says what to run.
    pub(crate) async fn new() -> Self {
        let name = make().await;
        let url = beside(&postgres(), &name);
        Self { name, url }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody waits for it: the next test has another one.
        let _ = keeper().send(Order::Drop(std::mem::take(&mut self.name)));
    }
}

async fn make() -> String {
    // Asked here too, so that it is this test which says what is missing.
    let _ = postgres();
    let (made, name) = oneshot::channel();
    let _ = keeper().send(Order::Make(made));
    name.await.expect("whoever makes the databases has ended, and said why")
}

/// What the keeper of the databases is to do.
enum Order {
    /// Make one, and tell its name.
    Make(oneshot::Sender<String>),
    /// Drop the one of this name, whoever is connected to it.
    Drop(String),
}

/// Where it takes its orders.
fn keeper() -> &'static mpsc::UnboundedSender<Order> {
    static KEEPER: OnceLock<mpsc::UnboundedSender<Order>> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let (orders, taken) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(keep(taken));
        });
        orders
    })
}

async fn keep(mut orders: mpsc::UnboundedReceiver<Order>) {
    let server = postgres();
    let admin = connect(&server).await.unwrap_or_else(|error| panic!("{server}, from POSTGRES_FOR_TESTS: {error}"));
    let process = std::process::id();
    let template = format!("allclear_template_{process}");
    make_template(&admin, &server, &template).await;
    let mut number = 0;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Make(made) => {
                number += 1;
                let name = format!("t_{process}_{number}");
                // A cluster that outlives its tests may have one of an earlier process that had this number.
                run(&admin, &format!("drop database if exists \"{name}\" with (force)")).await;
                run(&admin, &format!("create database \"{name}\" template \"{template}\" strategy file_copy")).await;
                let _ = made.send(name);
            }
            Order::Drop(name) => run(&admin, &format!("drop database if exists \"{name}\" with (force)")).await,
        }
    }
}

/// Makes the database that all others are copies of.
async fn make_template(admin: &tokio_postgres::Client, server: &str, name: &str) {
    run(admin, &format!("drop database if exists \"{name}\" with (force)")).await;
    run(admin, &format!("create database \"{name}\"")).await;
    let at = place(&beside(server, name));
    let opened = tokio::task::spawn_blocking(move || {
        let (store, _) = Store::open_place(&at, CACHE, CONNECTIONS).expect("the store opens");
        store.close();
    });
    opened.await.expect("the template is made");
    // PostgreSQL copies no database that somebody is connected to, and a connection that was closed just now may still be there.
    let left = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    admin.execute(left, &[&name]).await.expect("they are gone");
}

async fn run(admin: &tokio_postgres::Client, statement: &str) {
    admin.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
}
