//! Erasing what deleted organizations left behind, a step at a time.

use tokio::sync::oneshot;

use super::App;
use crate::access::Actor;
use crate::domain::lease::Tenure;
use crate::domain::organization::OrgId;
use crate::domain::purge;
use crate::error::Result;
use crate::store::unavailable;

/// How much one step erases: a commit of some milliseconds, which those who change something meanwhile do not notice.
const STEP: usize = 1_000;

/// What a step of erasing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// There is nothing to erase.
    Nothing,
    /// Some of it; there may be more.
    Part,
    /// Nothing is left of this organization.
    All(OrgId),
}

impl App {
    /// Erases some of what deleted organizations left.
    ///
    /// A bounded step, between the changes of others. All of it at once would be less work, and would keep everyone else waiting
    /// for as long as that takes. The step itself does not ask whose it is to do: what it erases nobody can find, and twice is no more than
    /// once.
    ///
    /// # Errors
    /// `Unavailable` while the store can't write; `Conflict` when this is another node's to do.
    pub async fn erase_some(&self, tenure: Tenure) -> Result<Erased> {
        let Some(due) = self.system_read(purge::next).await? else { return Ok(Erased::Nothing) };
        let (done, waiting) = oneshot::channel();
        self.0.store.erase(due.owners().collect(), STEP, move |more| {
            // The task may have been stopped meanwhile; what is gone is gone.
            let _ = done.send(more);
        })?;
        if waiting.await.unwrap_or_else(|_| Err(unavailable()))? {
            return Ok(Erased::Part);
        }
        // Only now: a stop in between leaves a purge that finds nothing, and never rows that nobody looks for.
        self.system_change(Actor::System("purge"), move |tx| {
            tenure.check(tx)?;
            tx.delete(due.id);
            Ok(())
        })
        .await?;
        Ok(Erased::All(due.org_id))
    }
}
