//! Which keys the instance's tokens are sealed with: not the keys, only by what they are told apart.
//!
//! Several nodes on one store must seal and open with the same keys, or whoever signs in at one is a stranger at the next. The first that starts
//! leaves the prints of its keys here, and every other compares its own.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{Document, SystemDocument, SystemTx};

/// The key of one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPrint {
    /// Made of the purpose.
    pub id: Id<KeyPrint>,
    /// What the key is for.
    pub purpose: String,
    /// The key's id: a hash, of which nothing follows for the key.
    pub print: String,
}

impl Kind for KeyPrint {
    const PREFIX: &'static str = "key";
}
impl Document for KeyPrint {
    const NAME: &'static str = "key_prints";
    const NUMBER: u16 = 8;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl SystemDocument for KeyPrint {}

/// The id under which a purpose's key is remembered.
fn id_of(purpose: &str) -> Id<KeyPrint> {
    Id::of_digest(Sha256::digest(purpose))
}

/// Compares a node's keys with those that are remembered, and remembers those of purposes that are new. `replace`: the node's keys count, whatever
/// is remembered.
///
/// # Errors
/// `Conflict`, naming the purposes whose keys differ.
pub fn agree(tx: &mut SystemTx<'_>, prints: &[(&'static str, String)], replace: bool) -> Result<()> {
    let mut different = Vec::new();
    for (purpose, print) in prints {
        let id = id_of(purpose);
        match tx.find(id)? {
            Some(known) if known.print == *print => {}
            Some(_) if !replace => different.push(*purpose),
            _ => tx.put(&KeyPrint { id, purpose: (*purpose).to_owned(), print: print.clone() })?,
        }
    }
    if different.is_empty() { Ok(()) } else { Err(Error::Conflict(different.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::app::{App, Settings};
    use crate::clock::{Clock, Timestamp};
    use crate::id::IdSource;

    async fn compare(app: &App, prints: &[(&'static str, &str)], replace: bool) -> Result<()> {
        let prints: Vec<_> = prints.iter().map(|(purpose, print)| (*purpose, (*print).to_owned())).collect();
        app.system_change(Actor::System("test"), move |tx| agree(tx, &prints, replace)).await
    }

    #[tokio::test]
    async fn the_first_nodes_keys_are_everyones() {
        let (app, _news) = App::in_memory(Clock::manual(Timestamp::from_millis(0)), IdSource::seeded(1), Settings::default()).unwrap();
        assert_eq!(compare(&app, &[("session", "a"), ("setup", "b")], false).await, Ok(()));
        assert_eq!(compare(&app, &[("session", "a"), ("setup", "b")], false).await, Ok(()));
        let other = compare(&app, &[("session", "x"), ("setup", "b"), ("reset", "c")], false).await;
        assert_eq!(other, Err(Error::Conflict("session".into())), "it names what differs");
        assert_eq!(compare(&app, &[("reset", "d")], false).await, Ok(()), "who was refused has left nothing");
        assert_eq!(compare(&app, &[("session", "x")], true).await, Ok(()));
        assert_eq!(compare(&app, &[("session", "a")], false).await, Err(Error::Conflict("session".into())));
    }
}
