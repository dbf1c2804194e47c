//! Connections: those that read, those that write, and the one that listens.
//!
//! Two pools, or a crowd of readers would keep a writer waiting that holds an organization, and writers that wait for each other all readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime, Timeouts};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{AsyncMessage, Client, Config, Error as SqlError};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::unavailable;
use super::sql::Tables;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};

/// The channel of hints. They say nothing: only that a look is worth it.
pub(super) const CHANNEL: &str = "allclear";

/// How long whoever wants a connection waits for one.
const WAIT: Duration = Duration::from_secs(5);

/// What every connection is told.
///
/// A node that vanished must not hold an organization: what it began is undone after ten seconds, or when the network has noticed. Planning by
/// compilation costs more than any of our statements.
const OPTIONS: &str = "-c jit=off -c idle_in_transaction_session_timeout=10s -c lock_timeout=10s -c statement_timeout=30s \
    -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c default_transaction_isolation=read\\ committed \
    -c timezone=UTC -c search_path=allclear -c synchronous_commit=on";

/// Connections, and what is known of the database behind them.
pub(super) struct Pools {
    pub(super) tables: Tables,
    readers: Pool,
    writers: Pool,
    config: Config,
    tls: MakeRustlsConnect,
    handle: Handle,
    clock: Clock,
    /// Milliseconds since 1970 of the last look before the database was found to be away; 0 while it is there. Written by the follower alone.
    away: AtomicI64,
    /// The last look that was answered, in the same way.
    seen: AtomicI64,
    /// How many dead connections may lie in a pool, one after the other.
    pub(super) tries: usize,
    pub(super) own_trips: AtomicU64,
    pub(super) read_trips: AtomicU64,
}

impl Pools {
    /// No connection yet. Must be called on the runtime on which connections are to live.
    pub(super) fn new(config: Config, tls: MakeRustlsConnect, tables: Tables, connections: usize) -> Result<Self, String> {
        let mut config = with_options(config);
        if config.get_hosts().len() > 1 {
            // Of a primary and its standbys the one that takes writes, whichever it is by now.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let pool = |size: usize| {
            let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let timeouts = Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) };
            Pool::builder(Manager::from_config(config.clone(), tls.clone(), manager))
                .max_size(size)
                .timeouts(timeouts)
                // The one used last has its statements prepared and its pages warm.
                .queue_mode(QueueMode::Lifo)
                .runtime(Runtime::Tokio1)
                .build()
                .map_err(|error| error.to_string())
        };
        // One listens; of the rest, more read than write: a writer takes all who wait along.
        let rest = connections.saturating_sub(1).max(2);
        let writers = (rest / 3).max(1);
        Ok(Self {
            tables,
            readers: pool(rest - writers)?,
            writers: pool(writers)?,
            handle: Handle::current(),
            clock: Clock::system(),
            away: AtomicI64::new(0),
            seen: AtomicI64::new(Clock::system().now().millis()),
            tries: connections,
            own_trips: AtomicU64::new(0),
            read_trips: AtomicU64::new(0),
            config,
            tls,
        })
    }

    /// A connection to read with.
    pub(super) async fn reader(&self) -> Result<Object> {
        self.readers.get().await.map_err(|error| refused(&error))
    }

    /// A connection to write with.
    pub(super) async fn writer(&self) -> Result<Object> {
        self.writers.get().await.map_err(|error| refused(&error))
    }

    /// A connection that hears hints, outside of the pools.
    pub(super) async fn listener(&self) -> Result<(Client, Hints), SqlError> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let hint = Arc::new(Notify::new());
        let (heard, gone) = (hint.clone(), tokio_util::sync::CancellationToken::new());
        let ends = gone.clone();
        let (own_id, mut told_own_id) = tokio::sync::oneshot::channel::<i32>();
        tokio::spawn(async move {
            let _ends = ends.drop_guard();
            let mut own = None;
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                own = own.or_else(|| told_own_id.try_recv().ok());
                // Our own hints come back to us; we knew.
                if let AsyncMessage::Notification(notification) = message
                    && own != Some(notification.process_id())
                {
                    heard.notify_one();
                }
            }
        });
        let id: i32 = client.query_one("select pg_backend_pid()", &[]).await?.get(0);
        let _ = own_id.send(id);
        client.batch_execute(&format!("listen {CHANNEL}")).await?;
        Ok((client, Hints { hint, gone }))
    }

    /// Waits on this thread, which must be one that may.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    /// For what is sent or dropped on a thread that is not of the runtime.
    pub(super) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }

    /// Where tasks run.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Since when the database can't be reached.
    pub(super) fn away_since(&self) -> Option<Timestamp> {
        let since = self.away.load(Ordering::SeqCst);
        (since != 0).then(|| Timestamp::from_millis(since))
    }

    /// The database was found to be away, or there again.
    pub(super) fn is_away(&self, away: bool) {
        if !away {
            self.seen.store(self.clock.now().millis(), Ordering::SeqCst);
            if self.away.swap(0, Ordering::SeqCst) != 0 {
                tracing::info!("the database is there again");
            }
        } else if self.away.load(Ordering::SeqCst) == 0 {
            tracing::error!("the database is away; changes are refused, pages are served from memory, and it is tried again");
            // None of these is of use any more, and each would be found out by somebody's waiting.
            self.readers.retain(|_, _| false);
            self.writers.retain(|_, _| false);
            // What pages show was true when it was last looked at, and no later.
            self.away.store(self.seen.load(Ordering::SeqCst).max(1), Ordering::SeqCst);
        }
    }
}

/// News of the connection that listens.
pub(super) struct Hints {
    /// Another node has committed something.
    pub(super) hint: Arc<Notify>,
    /// The connection is no more.
    pub(super) gone: tokio_util::sync::CancellationToken,
}

/// The operator's own after ours: of two that name the same the later counts.
fn with_options(mut config: Config) -> Config {
    let options = match config.get_options() {
        Some(own) => format!("{OPTIONS} {own}"),
        None => OPTIONS.to_owned(),
    };
    config.options(options);
    config
}

fn refused(error: &PoolError) -> Error {
    match error {
        PoolError::Backend(error) => super::session::fault(error),
        other => {
            tracing::warn!("no connection to the database can be had: {other}");
            unavailable()
        }
    }
}

/// An error with what lies behind it, which its own words leave out.
pub(super) fn explain(error: &SqlError) -> String {
    use std::error::Error as _;
    if let Some(detail) = error.as_db_error() {
        return detail.to_string();
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let told = deeper.to_string();
        if !words.contains(&told) {
            words = format!("{words}: {told}");
        }
        cause = deeper.source();
    }
    words
}
