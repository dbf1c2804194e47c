//! The nodes, and where they are at the moment.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tempfile::TempDir;

use crate::harness::engine::{Database, on_postgres};
use crate::harness::{Client, Dice, Line, Process, eventually};

/// Nodes that share a database and a file of keys, and nothing else.
pub(super) struct Fleet {
    nodes: Vec<Node>,
    board: Board,
    dir: TempDir,
    url: String,
    /// The last, so that it goes after those who use it.
    _database: Option<Database>,
}

struct Node {
    dir: PathBuf,
    flags: Vec<String>,
    line: Line,
    process: Option<Process>,
}

impl Node {
    async fn run(&self) -> Process {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        Process::run(&self.dir, &flags, &[]).await
    }
}

impl Fleet {
    /// So many nodes on a database of their own.
    pub(super) async fn of(count: usize) -> Self {
        let database = Database::new().await;
        let url = database.url().to_owned();
        Self { _database: Some(database), ..Self::on(&url, count).await }
    }

    /// So many nodes on this database.
    pub(super) async fn on(url: &str, count: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut nodes = Vec::new();
        for number in 1..=count {
            let home = dir.path().join(format!("node-{number}"));
            std::fs::create_dir(&home).expect("a directory");
            let line = Line::to(url).await;
            let mut flags = on_postgres(&line.before(url), &dir.path().join("keys"));
            // One address for all, as behind a load balancer: pages name it.
            flags.extend(["--registration", "open", "--base-url", "http://status.example.com"].map(str::to_owned));
            nodes.push(Node { dir: home, flags, line, process: None });
        }
        // All at once, as such a group comes up: whoever is first makes the tables, and none may stumble over that.
        let processes = join_all(nodes.iter().map(Node::run)).await;
        let bases = processes.iter().map(|process| process.base().to_owned()).collect();
        for (node, process) in nodes.iter_mut().zip(processes) {
            node.process = Some(process);
        }
        Self { nodes, board: Board(Arc::new(Mutex::new(bases))), dir, url: url.to_owned(), _database: None }
    }

    /// Tries to start another node, with keys of its own: its exit code, and what it said.
    pub(super) async fn stranger(&self) -> (Option<i32>, String) {
        let home = self.dir.path().join("stranger");
        std::fs::create_dir(&home).expect("a directory");
        let flags = on_postgres(&self.url, &home.join("keys"));
        Process::ended(&home, &flags.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Where the nodes are, for those who look for one.
    pub(super) fn board(&self) -> Board {
        self.board.clone()
    }

    /// `http://127.0.0.1:<port>` of a node.
    pub(super) fn base(&self, node: usize) -> &str {
        self.process(node).base()
    }

    /// Someone without a session, at this node.
    pub(super) fn anonymous(&self, node: usize) -> Client {
        self.process(node).anonymous()
    }

    /// The same person, at this node.
    pub(super) fn at(&self, node: usize, who: &Client) -> Client {
        who.at(self.base(node))
    }

    /// The node's line to the database.
    pub(super) fn line(&self, node: usize) -> &Line {
        &self.nodes[node].line
    }

    /// What a node logged so far, in all its lives.
    pub(super) fn log(&self, node: usize) -> String {
        self.process(node).log()
    }

    /// Whether a node is the same program still.
    pub(super) fn runs(&mut self, node: usize) -> bool {
        self.nodes[node].process.as_mut().is_some_and(Process::runs)
    }

    /// `kill -9`.
    pub(super) async fn kill(&mut self, node: usize) {
        self.nodes[node].process.take().expect("it runs").kill().await;
    }

    /// Starts a node that was killed.
    pub(super) async fn start(&mut self, node: usize) {
        let process = self.nodes[node].run().await;
        self.board.0.lock().expect("no panic")[node] = process.base().to_owned();
        self.nodes[node].process = Some(process);
    }

    /// Stops them all in good order.
    pub(super) async fn stop(self) {
        for node in self.nodes {
            let process = node.process.expect("it runs");
            assert_eq!(process.terminate().await, Some(0));
        }
    }

    /// The bytes of a page at each node, once each shows these words.
    pub(super) async fn pages(&self, slug: &str, words: &str) -> Vec<String> {
        let mut pages = Vec::new();
        for node in 0..self.nodes.len() {
            let (visitor, path) = (self.anonymous(node), format!("/p/{slug}"));
            let get = async || visitor.send("GET", &path, &[("accept-encoding", "identity")], "").await.expect(200).text;
            eventually(async || get().await.contains(words)).await;
            pages.push(get().await);
        }
        pages
    }

    fn process(&self, node: usize) -> &Process {
        self.nodes[node].process.as_ref().expect("it runs")
    }
}

/// The nodes' addresses, in their order: what a load balancer knows. Locked when a node starts anew and by everyone who looks for one, for
/// a copy of a text.
#[derive(Clone)]
pub(super) struct Board(Arc<Mutex<Vec<String>>>);

impl Board {
    /// Where some node is, or was a moment ago.
    pub(super) fn any(&self, dice: &mut Dice) -> String {
        let bases = self.0.lock().expect("no panic");
        bases[dice.below(bases.len())].clone()
    }
}

/// All nodes show the same page, to the byte; the first line that differs is told.
#[track_caller]
pub(super) fn assert_same(pages: &[String]) {
    for page in pages {
        let differs = page.lines().zip(pages[0].lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "two nodes show different pages");
        assert_eq!(page.len(), pages[0].len(), "one page goes on where the other ends");
    }
}
