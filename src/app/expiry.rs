//! Removing what is over, a step at a time, wherever there is something to remove.

use std::time::Duration;

use super::App;
use crate::access::{Actor, Administer};
use crate::clock::Timestamp;
use crate::domain::answered::{self, Answered};
use crate::domain::invitation::{self, Invitation};
use crate::domain::lease::Tenure;
use crate::domain::organization::OrgId;
use crate::domain::session;
use crate::error::{Error, Result};
use crate::event::Change;
use crate::store::{Index, OrgDocument, OrgTx, WideTx};

/// Who does it, as the timeline says.
const EXPIRY: Actor = Actor::System("expiry");
/// How many documents one step removes: a commit of a few milliseconds.
const STEP: usize = 100;
/// How many organizations are looked up at once.
const ORGANIZATIONS: usize = 500;
/// For how long an answer may be kept too long before its organization is visited. A visit then forgets all that may go, so that an
/// organization where much is done costs a commit an hour, and not one each time that something has become old.
const LATE: Duration = Duration::from_secs(3_600);

/// Removes so many at most of what was over by then, and answers whether there may be more.
type Step = fn(&mut OrgTx<'_, Administer>, Timestamp, usize) -> Result<Change<bool>>;

impl App {
    /// Ends the sessions that have reached their age, with what was opened through them.
    ///
    /// # Errors
    /// `Conflict` when this is another node's to do; what the store says.
    pub async fn end_over_sessions(&self, tenure: Tenure) -> Result<()> {
        // Most of the time there is nothing, and nothing is written.
        while !self.system_read(|view| session::over(view, 1)).await?.is_empty() {
            let ended = self.system_change(EXPIRY, move |tx| {
                tenure.check(tx)?;
                session::end_over(tx, STEP)
            });
            if !ended.await? {
                break;
            }
        }
        Ok(())
    }

    /// Forgets the answers that nobody may ask for again.
    ///
    /// # Errors
    /// As [`end_over_sessions`](Self::end_over_sessions).
    pub async fn forget_answers(&self, tenure: Tenure) -> Result<()> {
        let until = answered::kept_since(self.0.clock.now());
        self.remove(tenure, &Answered::BY_AGE, until.minus(LATE), until, answered::forget).await
    }

    /// Removes the invitations that nobody took up, with an event for each.
    ///
    /// # Errors
    /// As [`end_over_sessions`](Self::end_over_sessions).
    pub async fn expire_invitations(&self, tenure: Tenure) -> Result<()> {
        let until = invitation::kept_since(self.0.clock.now());
        self.remove(tenure, &Invitation::BY_END, until, until, invitation::expire).await
    }

    /// Removes what was over by `until`, in every organization that has something in the index that was over by `due`, which is no later.
    async fn remove<D: OrgDocument>(
        &self,
        tenure: Tenure,
        index: &'static Index<D, (), Timestamp>,
        due: Timestamp,
        until: Timestamp,
        step: Step,
    ) -> Result<()> {
        loop {
            let organizations = self.system_read(move |view| view.due(index, due, ORGANIZATIONS)).await?;
            let mut is_done = organizations.len() < ORGANIZATIONS;
            for organization in organizations {
                match self.remove_in(tenure, organization, until, step).await {
                    Ok(()) => {}
                    // No fault of this organization's; the next would say the same.
                    Err(error @ (Error::Unavailable(_) | Error::Conflict(_))) => return Err(error),
                    Err(error) => {
                        tracing::error!(%organization, %error, "what is over can't be removed; it is tried again");
                        // It would be found again and again. Those that were not looked up yet have their turn next time.
                        is_done = true;
                    }
                }
            }
            if is_done {
                return Ok(());
            }
        }
    }

    /// Also of an organization that is shut, and of one that is deleted and not yet erased: nobody hears of it there, and it does no harm.
    ///
    /// Wide, though nothing is written but what is the organization's: the lease must not change hands between the look at it and the
    /// commit.
    async fn remove_in(&self, tenure: Tenure, organization: OrgId, until: Timestamp, step: Step) -> Result<()> {
        loop {
            let removed = self.change_wide(EXPIRY, organization, move |tx: &mut WideTx<'_, Administer>| {
                tenure.check(tx.system())?;
                step(&mut tx.inside(), until, STEP)
            });
            if !removed.await? {
                return Ok(());
            }
        }
    }
}
