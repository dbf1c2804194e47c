//! Removing what nobody looks for any more, a little at a time.

use std::sync::Arc;

use tokio_postgres::{Client, Error as SqlError};
use uuid::Uuid;

use super::super::{Erase, Scope, unavailable};
use super::Shared;
use super::session::{self, fault};
use super::sql;
use super::write::stored;
use crate::error::Result;

/// What stands under an id beside the rows, in the order in which it goes.
const REST: [&str; 3] = [
    "delete from allclear.names where ctid in (select ctid from allclear.names where org_id = $1 limit $2::int8)",
    "delete from allclear.touches where ctid in (select ctid from allclear.touches where org_id = $1 limit $2::int8)",
    "delete from allclear.log where log = $1 and seq in (select seq from allclear.log where log = $1 order by seq desc limit $2::int8)",
];

impl Shared {
    pub(super) fn erase(self: &Arc<Self>, erase: Erase) -> Result<()> {
        let shared = self.clone();
        self.pools.handle().spawn(async move {
            let Erase { owners, limit, answer } = erase;
            answer(shared.erase_some(owners, limit).await);
        });
        Ok(())
    }

    async fn erase_some(&self, mut owners: Vec<Uuid>, limit: usize) -> Result<bool> {
        // What belongs to no organization has no owner who could be deleted.
        owners.retain(|owner| Scope(*owner) != Scope::SYSTEM);
        let connection = self.pools.writer().await?;
        let erased = async {
            connection.batch_execute("begin").await?;
            let mut gone = 0;
            // The organization, which is named last, before its pages: in the order of all who write.
            for owner in owners.iter().rev() {
                let locked = connection.query_opt(sql::LOCK, &[owner]).await?;
                if locked.is_some_and(|row| !session::is_ours(&row)) {
                    return Ok(None);
                }
            }
            for owner in owners {
                gone += self.erase_from(&connection, owner, limit - gone).await?;
            }
            connection.batch_execute("commit").await?;
            Ok::<_, SqlError>(Some(gone))
        };
        match erased.await {
            Ok(Some(gone)) => Ok(gone >= limit),
            Ok(None) => {
                drop(deadpool_postgres::Object::take(connection));
                Err(unavailable())
            }
            Err(error) => {
                drop(deadpool_postgres::Object::take(connection));
                let _ = fault(&error);
                Err(unavailable())
            }
        }
    }

    /// Removes at most so much of what stands under an id. The rows go last, and backwards: an organization's own, which says that it is deleted,
    /// outlives everything else that it had.
    async fn erase_from(&self, client: &Client, owner: Uuid, most: usize) -> Result<usize, SqlError> {
        let mut gone = 0;
        for sql in REST {
            gone += self.step(client, sql, owner, most - gone).await?;
        }
        for table in self.pools.tables.sorted().into_iter().rev() {
            gone += self.step(client, &table.erase, owner, most - gone).await?;
        }
        // Last of all: without it nobody would be kept from writing meanwhile.
        if gone < most {
            gone += count(client.execute("delete from allclear.heads where log = $1", &[&owner]).await?);
        }
        Ok(gone)
    }

    async fn step(&self, client: &Client, sql: &str, owner: Uuid, most: usize) -> Result<usize, SqlError> {
        if most == 0 {
            return Ok(0);
        }
        let limit = stored(u64::try_from(most).unwrap_or(u64::MAX));
        client.execute(sql, &[&owner, &limit]).await.map(count)
    }
}

fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}
