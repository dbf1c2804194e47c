//! The line between a node and its database: it can be cut, closed for a while, or fall silent.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A proxy before a database; gone when dropped, with all that goes through it.
pub(crate) struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: AbortHandle,
}

/// What becomes of what goes through. In a watch, so that each connection hears of a change at once, and one that is being made can't miss it.
#[derive(Debug, Clone, Copy)]
struct State {
    way: Way,
    /// How often all connections of the moment were cut. One that began at another count than now is to go.
    cuts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// New connections end at once.
    Closed,
    /// Nothing arrives, and nothing tells why.
    Silent,
}

impl Line {
    /// A line to the server of this database's address.
    pub(crate) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State { way: Way::Open, cuts: 0 });
        let accepting = tokio::spawn(accept(listener, authority(url).to_owned(), state.subscribe())).abort_handle();
        Self { address, state, accepting }
    }

    /// The address of the same database over this line.
    pub(crate) fn before(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    /// Cuts all connections of the moment; new ones can be made.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Cuts all connections and lets none be made until it is mended.
    pub(crate) fn close(&self) {
        self.state.send_modify(|state| *state = State { way: Way::Closed, cuts: state.cuts + 1 });
    }

    /// Holds back what is sent, both ways, until it is mended.
    pub(crate) fn hush(&self) {
        self.state.send_modify(|state| state.way = Way::Silent);
    }

    /// As at first. What was held back goes on.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.way = Way::Open);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Its connections end by themselves: the state that they watch is gone.
        self.accepting.abort();
    }
}

/// Host and port in a database's address.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

async fn accept(listener: TcpListener, database: String, state: watch::Receiver<State>) {
    while let Ok((node, _)) = listener.accept().await {
        let now = *state.borrow();
        if now.way == Way::Closed {
            continue;
        }
        let (database, passing, mut watching) = (database.clone(), state.clone(), state.clone());
        tokio::spawn(async move {
            let cut = async {
                let _ = watching.wait_for(|then| then.cuts != now.cuts).await;
            };
            // Either side may go at any time; what the node makes of it is what the tests look at.
            tokio::select! {
                _ = pass(node, &database, passing) => {}
                () = cut => {}
            }
        });
    }
}

async fn pass(node: TcpStream, database: &str, mut state: watch::Receiver<State>) -> io::Result<()> {
    open(&mut state).await?;
    let server = TcpStream::connect(database).await?;
    node.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_node, to_node), (from_server, to_server)) = (node.into_split(), server.into_split());
    tokio::try_join!(carry(from_node, to_server, state.clone()), carry(from_server, to_node, state))?;
    Ok(())
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1_024];
    loop {
        let read = from.read(&mut buffer).await?;
        open(&mut state).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Waits while the line is silent.
async fn open(state: &mut watch::Receiver<State>) -> io::Result<()> {
    let heard = state.wait_for(|now| now.way != Way::Silent).await.is_ok();
    if heard { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}
