//! What deleted organizations left behind: remembered here until nothing of it is left.
//!
//! An organization is deleted at once, in one small transaction: from then on nobody finds it. Its rows and its log may be hundreds of thousands,
//! and go afterwards, some at a time ([`crate::tasks::purge`]). What stands here is how they are found again, also after a restart.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::organization::OrgId;
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::store::{Document, Scan, SystemDocument, SystemTx, SystemView};

/// A deleted organization of which something may be left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The organization's, as a purge's: there is at most one of each.
    pub id: Id<Purge>,
    /// Whose rows and log are to go.
    pub org_id: OrgId,
    /// Its pages, whose public logs stand under ids of their own.
    pub pages: Vec<Id<Page>>,
    /// When the organization was deleted.
    pub since: Timestamp,
}

impl Kind for Purge {
    const PREFIX: &'static str = "prg";
}
impl Document for Purge {
    const NAME: &'static str = "purges";
    const NUMBER: u16 = 7;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for Purge {}

impl Purge {
    /// Under which ids something may be left, in the order in which it goes: the organization, whose own row says that it is deleted, last.
    pub fn owners(&self) -> impl Iterator<Item = Uuid> {
        self.pages.iter().map(|page| page.uuid()).chain([self.org_id.uuid()])
    }
}

/// Has everything that is stored of an organization erased, from the moment that this transaction is durable. Part of the transaction that deletes
/// the organization: after it nobody may find it any more, nor write to it.
///
/// # Errors
/// What the store says.
pub fn schedule(tx: &mut SystemTx<'_>, org: OrgId, pages: Vec<Id<Page>>) -> Result<()> {
    let since = tx.now();
    tx.put(&Purge { id: Id::from_uuid(org.uuid()), org_id: org, pages, since })
}

/// One of the organizations of which something may be left.
///
/// # Errors
/// What the store says.
pub fn next(view: &SystemView<'_>) -> Result<Option<Purge>> {
    Ok(view.scan(Scan::all().limit(1))?.items.pop())
}
