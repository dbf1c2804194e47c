//! Stopping without cutting anyone off.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

/// Tells everyone that the process stops, and knows who has not finished yet.
///
/// Clones share one state. What lives longer than a request runs in [`spawn_tracked`](Self::spawn_tracked) and ends when [`stopping`](Self::stopping)
/// does; the server waits for it as long as its limits say.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Nothing stops yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to stop. Doing so twice changes nothing.
    pub fn begin(&self) {
        self.stop.cancel();
    }

    /// Resolves when stopping begins, at once if it already has.
    pub fn stopping(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    /// Runs a task that a stop waits for.
    pub fn spawn_tracked<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// How many tasks a stop would wait for now.
    pub fn held(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until everything tracked has ended, `grace` at most. Says whether it did.
    pub async fn drained(&self, grace: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_is_tracked_but_not_for_ever() {
        let shutdown = Shutdown::new();
        let (done, waiting) = tokio::sync::oneshot::channel::<()>();
        shutdown.spawn_tracked(waiting);
        shutdown.begin();
        shutdown.stopping().await;

        assert!(!shutdown.drained(Duration::from_secs(5)).await);
        drop(done);
        assert!(shutdown.drained(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_tracked_task_is_waited_for() {
        let shutdown = Shutdown::new();
        let task = shutdown.spawn_tracked({
            let stopping = shutdown.stopping();
            async move {
                stopping.await;
                "ended"
            }
        });
        shutdown.begin();
        assert!(shutdown.drained(Duration::from_secs(60)).await);
        assert_eq!(task.await.unwrap(), "ended");
    }
}
