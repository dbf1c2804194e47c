//! Opening a file that an older program wrote: all that stands in it is filed anew, in one transaction.
//!
//! Each row is decoded by its collection and written as it would be today: fields that came since have their defaults, and it stands under
//! every index there is. So an index is added by declaring it, and by counting the schema up. Entries of the log are never changed; the lists
//! that name them are. What follows from several rows together is set right at last, organization by organization.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use redb::Database;
use uuid::Uuid;

use super::super::base::{Base, Scope};
use super::super::tx::{Context, OrgTx};
use super::super::writes::WriteSet;
use super::tables::{self, WriteTables};
use crate::access::{Actor, Respond};
use crate::clock::Clock;
use crate::domain::organization::OrgId;
use crate::domain::{COLLECTIONS, Collection, incident};
use crate::error::{Error, Result};
use crate::id::{Id, IdSource};

/// How many rows are in memory at once.
const PART: usize = 500;

/// Brings a file to this schema. Whatever goes wrong, it is left as it was.
pub(super) fn refile(database: &Database, schema: u32) -> Result<()> {
    let transaction = database.begin_write().map_err(Error::internal)?;
    {
        let mut tables = WriteTables::open(&transaction).map_err(Error::internal)?;
        let owners = rows(&mut tables)?;
        tables.relist().map_err(Error::internal)?;
        for owner in owners {
            mend(&mut tables, owner)?;
        }
    }
    tables::mark(&transaction, schema).map_err(Error::internal)?;
    transaction.commit().map_err(Error::internal)
}

/// Files every row anew, and answers whose they are.
fn rows(tables: &mut WriteTables<'_>) -> Result<BTreeSet<Scope>> {
    let (mut owners, mut last) = (BTreeSet::new(), None);
    loop {
        let part = tables.stored(last, PART).map_err(Error::internal)?;
        let Some(end) = part.last() else { return Ok(owners) };
        last = Some(end.0);
        for ((scope, number, id), doc) in part {
            owners.insert(scope);
            // What no collection knows is nobody's to file; it stays as it is.
            if let Some(collection) = COLLECTIONS.iter().find(|collection| collection.number == number) {
                let row = (collection.refile)(&doc).map_err(|error| unreadable(scope, collection, id, &error))?;
                tables.file(scope, number, id, Some(&row)).map_err(Error::internal)?;
            }
        }
    }
}

/// Says which row it is, so that somebody can look at it.
fn unreadable(scope: Scope, collection: &Collection, id: Uuid, error: &Error) -> Error {
    let Collection { name, prefix, .. } = collection;
    let owner = if scope == Scope::SYSTEM { "no organization".to_owned() } else { OrgId::from_uuid(scope.0).to_string() };
    Error::internal(format!("{prefix}_{} among the {name} of {owner}: {error}", id.simple()))
}

fn mend(tables: &mut WriteTables<'_>, owner: Scope) -> Result<()> {
    if owner == Scope::SYSTEM {
        return Ok(());
    }
    let mut writes = WriteSet::default();
    let (actor, ids) = (Actor::System("migration").describe(), IdSource::system());
    let context = Context { now: Clock::system().now(), actor: &actor, ids: &ids };
    let base = Base::RedbWrite(tables);
    incident::mend(&mut OrgTx::<Respond>::new(base, &mut writes, Id::from_uuid(owner.0), context))?;
    tables.apply(&writes).map_err(Error::internal)
}
