//! Whatever happens to the connections and to the server: every event exactly once and in order.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use crate::harness::Server;
use crate::live::client::{Events, Link, Socket, seq};
use crate::live::{change_service, positions};

/// The most events of one story: fewer than are told again, so that a reset would be a loss.
const EVENTS_MAX: u64 = 900;

/// What may happen.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many changes that everyone may know of.
    Public(u64),
    /// So many that are for members.
    Private(u64),
    /// A listener reads so many of the events that it has not read.
    Read(usize, u64),
    /// A listener's connection is lost, with what is on its way.
    Cut(usize),
    /// A listener comes back, while so many changes are being made.
    Return(usize, u64),
    /// The server stops and starts again on the same data.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..8_u64).prop_map(Step::Public),
        1 => (1..4_u64).prop_map(Step::Private),
        // Now and then more than one chunk of the log.
        1 => (100..150_u64).prop_map(Step::Public),
        3 => (0..4_usize, 1..10_u64).prop_map(|(who, count)| Step::Read(who, count)),
        3 => (0..4_usize).prop_map(Step::Cut),
        4 => (0..4_usize, 0..6_u64).prop_map(|(who, count)| Step::Return(who, count)),
        1 => Just(Step::Restart),
    ]
}

#[test]
fn every_event_is_heard_once_and_in_order_through_cuts_and_restarts() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 12, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let told = TestRunner::new(config).run(&vec(step(), 1..40), |steps| {
        runtime.block_on(story(&steps));
        Ok(())
    });
    told.unwrap_or_else(|failure| panic!("{failure}"));
}

async fn story(steps: &[Step]) {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(dir.path()).await;
    let ada = server.sign_up("ada").await;
    let (public, private) = (ada.service("API").await, ada.private_service("Vault").await);
    let mut world = World { org: ada.org_id.clone(), cookie: ada.cookie(), public, private, position: 10, org_head: 0, page_head: 0 };
    let mut listeners = Listener::one_of_each(&world, &ada.slug);
    for listener in &mut listeners {
        listener.come(&server.base(), &world).await;
    }
    world.org_head = listeners[0].last();
    world.page_head = listeners[1].last();

    for step in steps {
        match *step {
            Step::Public(count) => world.change(&server, true, count).await,
            Step::Private(count) => world.change(&server, false, count).await,
            Step::Read(who, count) => listeners[who].read(&world, count).await,
            Step::Cut(who) => listeners[who].link = None,
            Step::Return(who, count) => {
                let (base, before) = (server.base(), world.clone());
                tokio::join!(world.change(&server, true, count), listeners[who].come(&base, &before));
            }
            Step::Restart => {
                let goodbye = async {
                    for listener in &mut listeners {
                        listener.read_out().await;
                    }
                };
                tokio::join!(server.stop(), goodbye);
                server = Server::start_in(dir.path()).await;
            }
        }
    }

    for listener in &mut listeners {
        listener.come(&server.base(), &world).await;
        listener.read(&world, u64::MAX).await;
        listener.is_silent().await;
    }
}

/// What is watched, and how far its logs have come.
#[derive(Clone)]
struct World {
    org: String,
    cookie: String,
    public: String,
    private: String,
    /// Never the same twice, so that each change is one.
    position: i64,
    org_head: u64,
    page_head: u64,
}

impl World {
    async fn change(&mut self, server: &Server, public: bool, count: u64) {
        let count = count.min(EVENTS_MAX.saturating_sub(self.org_head));
        let first = self.position + 1;
        self.position += i64::try_from(count).unwrap();
        self.org_head += count;
        let service = if public { &self.public } else { &self.private };
        self.page_head += if public { count } else { 0 };
        change_service(server.app(), &self.org, service, positions(first..=self.position)).await;
    }
}

/// A client that knows the last id it saw and nothing else.
struct Listener {
    by_socket: bool,
    for_members: bool,
    room: String,
    last: Option<String>,
    link: Option<Link>,
}

impl Listener {
    /// A WebSocket and a stream for members, and each for visitors: first, third and second, fourth.
    fn one_of_each(world: &World, slug: &str) -> [Self; 4] {
        let new = |by_socket, for_members| Self {
            by_socket,
            for_members,
            room: if for_members { format!("org:{}", world.org) } else { format!("page:{slug}") },
            last: None,
            link: None,
        };
        [new(true, true), new(true, false), new(false, true), new(false, false)]
    }

    fn last(&self) -> u64 {
        self.last.as_deref().map(seq).expect("it has a position")
    }

    /// Connects if it is not connected, and resumes after the last id it saw.
    async fn come(&mut self, base: &str, world: &World) {
        if self.link.is_some() {
            return;
        }
        let cookie = if self.for_members { world.cookie.as_str() } else { "" };
        let (link, at) = if self.by_socket {
            let mut socket = Socket::open(base, cookie).await;
            let at = socket.join(&self.room, self.last.as_deref()).await;
            (Link::Socket(Box::new(socket)), at)
        } else {
            let after = self.last.as_ref().map(|last| format!("&after={last}")).unwrap_or_default();
            let stream = Events::open(base, &format!("room={}{after}", self.room), cookie).await;
            let at = stream.at.clone();
            (Link::Stream(Box::new(stream)), at)
        };
        // A reset would begin elsewhere.
        assert_eq!(*self.last.get_or_insert(at.clone()), at, "{}", self.room);
        self.link = Some(link);
    }

    /// Reads so many events, or as many as there are, if it is connected.
    async fn read(&mut self, world: &World, count: u64) {
        let head = if self.for_members { world.org_head } else { world.page_head };
        let left = head - self.last();
        if self.link.is_some() {
            for _ in 0..count.min(left) {
                assert!(self.hear().await, "{}: ended after {} of {head}", self.room, self.last());
            }
        }
    }

    /// Reads what still comes until the connection ends, if there is one.
    async fn read_out(&mut self) {
        while self.link.is_some() && self.hear().await {}
        self.link = None;
    }

    /// Hears the next event; `false` at the end.
    async fn hear(&mut self) -> bool {
        let id = match &mut self.link {
            None => None,
            Some(link) => link.hear(&self.room).await,
        };
        let Some(id) = id else { return false };
        assert_eq!(seq(&id), self.last() + 1, "{}: exactly once and in order", self.room);
        self.last = Some(id);
        true
    }

    /// What was not announced is not told. A stream can't be asked; the next event of its own would show.
    async fn is_silent(&mut self) {
        if let Some(Link::Socket(socket)) = &mut self.link {
            socket.is_silent().await;
        }
    }
}
