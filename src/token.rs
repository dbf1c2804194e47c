//! Sealed tokens: PASETO v4.local, one key per purpose.
//!
//! The key is picked by purpose and key id from a fixed set, never by what a token asks for beyond that; issuer, audience and time are always set and
//! always checked, against our clock. Every refusal is the same.

mod file;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::secret;

/// What a token is for. A token for one purpose is nothing for another: other key, other audience, other assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// In the session cookie.
    Session,
    /// In the setup link.
    Setup,
    /// In an invitation's link.
    Invitation,
    /// In a link that sets another password.
    Reset,
}

impl Purpose {
    const ALL: [Purpose; 4] = [Purpose::Session, Purpose::Setup, Purpose::Invitation, Purpose::Reset];

    /// Those that every file of keys has had.
    const FIRST: [Purpose; 2] = [Purpose::Session, Purpose::Setup];

    fn name(self) -> &'static str {
        match self {
            Purpose::Session => "session",
            Purpose::Setup => "setup",
            Purpose::Invitation => "invitation",
            Purpose::Reset => "reset",
        }
    }
}

const ISSUER: &str = "allclear";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: Timestamp,
    exp: Timestamp,
}

/// The keys of an instance.
pub struct Keys(Vec<(Purpose, String, SymmetricKey<V4>)>);

impl Keys {
    /// New keys, for a store that is gone with the process.
    ///
    /// # Panics
    /// Without randomness from the operating system.
    pub fn ephemeral() -> Self {
        Self(Purpose::ALL.iter().filter_map(|purpose| Self::entry(*purpose, &secret::<32>())).collect())
    }

    /// The keys in this file; made, with mode 0600, when missing. A line is `<purpose> <64 hexadecimal digits>`. A file of an earlier
    /// program gets the lines that it lacks. One that is complete is read and nothing else, so that it may be mounted for reading alone.
    ///
    /// Several nodes that share the file may start at once: all come out with the same keys.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = match file::read(path)? {
            Some(text) => text,
            None => file::make(path, &lines(&Purpose::ALL))?,
        };
        let text = if lacking(&text).is_empty() { text } else { file::complete(path, |text| lines(&lacking(text)))? };
        let mut keys = Vec::new();
        for purpose in Purpose::ALL {
            let line = line_of(&text, purpose);
            let entry = line.and_then(|hex| unhex(hex.trim())).and_then(|bytes| Self::entry(purpose, &bytes));
            keys.push(entry.ok_or_else(|| {
                format!(
                    "{} has no good `{}` key: restore the file from a backup, or remove it to sign everyone out",
                    path.display(),
                    purpose.name()
                )
            })?);
        }
        Ok(Self(keys))
    }

    /// The id of each purpose's key, by the purpose's name: what nodes compare to find out that they seal with the same keys.
    ///
    /// An id is a part of the key's hash. It stands in the open in each token, too, and tells nothing of the key.
    pub fn prints(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|(purpose, kid, _)| (purpose.name(), kid.clone())).collect()
    }

    fn entry(purpose: Purpose, bytes: &[u8; 32]) -> Option<(Purpose, String, SymmetricKey<V4>)> {
        use sha2::{Digest, Sha256};
        let kid = hex(&Sha256::new().chain_update(b"allclear key id").chain_update(bytes).finalize()[..6]);
        Some((purpose, kid, SymmetricKey::<V4>::from(bytes).ok()?))
    }

    fn of(&self, purpose: Purpose) -> Result<&(Purpose, String, SymmetricKey<V4>)> {
        self.0.iter().find(|(known, ..)| *known == purpose).ok_or_else(|| Error::internal("a purpose without a key"))
    }

    /// Seals `subject` for a purpose, good for `lifetime` from `now`.
    ///
    /// # Errors
    /// `Internal` if the cipher fails.
    pub fn seal(&self, purpose: Purpose, subject: &str, now: Timestamp, lifetime: Duration) -> Result<String> {
        self.seal_until(purpose, subject, now, now.plus(lifetime))
    }

    /// Seals `subject` for a purpose, good from `now` until `end`.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_until(&self, purpose: Purpose, subject: &str, now: Timestamp, end: Timestamp) -> Result<String> {
        let (_, kid, key) = self.of(purpose)?;
        let claims = Claims { iss: ISSUER.into(), aud: purpose.name().into(), sub: subject.into(), iat: now, exp: end };
        let message = serde_json::to_vec(&claims).map_err(Error::internal)?;
        LocalToken::encrypt(key, &message, Some(kid.as_bytes()), Some(purpose.name().as_bytes()))
            .map_err(|error| Error::internal(format!("{error:?}")))
    }

    /// The subject of a token that this instance sealed for this purpose and that is good at `now`; `None` for any other text.
    pub fn open(&self, purpose: Purpose, token: &str, now: Timestamp) -> Option<String> {
        let (_, kid, key) = self.of(purpose).ok()?;
        if token.len() > 4_096 {
            return None;
        }
        let untrusted = UntrustedToken::try_from(token).ok()?;
        if untrusted.untrusted_footer() != kid.as_bytes() {
            return None;
        }
        let trusted = LocalToken::decrypt(key, &untrusted, Some(kid.as_bytes()), Some(purpose.name().as_bytes())).ok()?;
        let claims: Claims = serde_json::from_str(trusted.payload()).ok()?;
        let good = claims.iss == ISSUER && claims.aud == purpose.name() && claims.iat <= now && now < claims.exp;
        good.then_some(claims.sub)
    }
}

/// What stands behind a purpose's name in a file of keys.
fn line_of(text: &str, purpose: Purpose) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(purpose.name())?.strip_prefix(' '))
}

/// The purposes that a file of an earlier program has no key for. One that lacks those of the first program is no older file but a broken
/// one, and gets nothing.
fn lacking(text: &str) -> Vec<Purpose> {
    let missing: Vec<_> = Purpose::ALL.into_iter().filter(|purpose| line_of(text, *purpose).is_none()).collect();
    let is_older = Purpose::FIRST.iter().all(|purpose| !missing.contains(purpose));
    if text.is_empty() || is_older { missing } else { Vec::new() }
}

/// New keys for these purposes, as lines of a file.
fn lines(purposes: &[Purpose]) -> String {
    purposes.iter().fold(String::new(), |mut text, purpose| {
        let _ = writeln!(text, "{} {}", purpose.name(), hex(&secret::<32>()));
        text
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn only_the_right_token_opens() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let (keys, others) = (Keys::ephemeral(), Keys::ephemeral());
        let token = keys.seal(Purpose::Session, "ses_1", now, HOUR).unwrap();
        assert_eq!(keys.open(Purpose::Session, &token, now).as_deref(), Some("ses_1"));

        assert_eq!(keys.open(Purpose::Session, &token, now.plus(HOUR)), None, "expired");
        assert_eq!(keys.open(Purpose::Session, &token, now.minus(Duration::from_secs(1))), None, "not yet valid");
        assert_eq!(keys.open(Purpose::Setup, &token, now), None, "another purpose");
        assert_eq!(others.open(Purpose::Session, &token, now), None, "another key");
        assert_eq!(keys.open(Purpose::Session, "v4.local.AAAA", now), None, "nonsense");
        for at in ["v4.local.".len(), token.len() / 2, token.len() - 2] {
            let mut tampered = token.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(keys.open(Purpose::Session, &String::from_utf8(tampered).unwrap(), now), None, "tampered at {at}");
        }
    }

    #[test]
    fn keys_are_made_once_and_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let now = Timestamp::from_millis(0);
        let token = Keys::load(&path).unwrap().seal(Purpose::Setup, "x", now, HOUR).unwrap();
        assert_eq!(Keys::load(&path).unwrap().open(Purpose::Setup, &token, now).as_deref(), Some("x"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for broken in ["session 12", "setup 12\nsession 12\n", "invitation 12"] {
            std::fs::write(&path, broken).unwrap();
            assert!(Keys::load(&path).is_err(), "{broken}");
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().next(), broken.lines().next(), "nothing that is there is lost");
        }
    }

    #[test]
    fn of_many_who_look_for_keys_at_once_all_find_the_same() {
        const MANY: usize = 16;
        let now = Timestamp::from_millis(0);
        for older in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("shared").join("keys");
            if older {
                Keys::load(&path).unwrap();
                let lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().take(2).map(str::to_owned).collect();
                std::fs::write(&path, lines.join("\n")).unwrap();
            }

            let start = std::sync::Barrier::new(MANY);
            let all: Vec<Keys> = std::thread::scope(|scope| {
                let (start, path) = (&start, &path);
                let load = move || {
                    start.wait();
                    Keys::load(path).unwrap()
                };
                let threads: Vec<_> = (0..MANY).map(|_| scope.spawn(load)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });

            for purpose in Purpose::ALL {
                let token = all[0].seal(purpose, "x", now, HOUR).unwrap();
                for keys in &all {
                    assert_eq!(keys.open(purpose, &token, now).as_deref(), Some("x"), "older: {older}");
                }
            }
            assert!(all.iter().all(|keys| keys.prints() == all[0].prints()));
            let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["keys"], "no drafts");
        }
    }

    #[test]
    fn keys_that_too_many_may_read_or_write_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        Keys::load(&path).unwrap();
        for (mode, fine) in [(0o600, true), (0o400, true), (0o440, true), (0o640, true), (0o644, false), (0o602, false), (0o660, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match Keys::load(&path) {
                Ok(_) => assert!(fine, "{mode:o} was taken"),
                Err(says) => assert!(!fine && says.contains("chmod 600"), "{mode:o}: {says}"),
            }
        }
    }

    #[test]
    fn a_complete_file_is_read_and_nothing_else() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = Keys::load(&path).unwrap();
        let allow = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        allow(&path, 0o440);
        allow(folder.path(), 0o500);
        let state = || {
            let (file, folder) = (std::fs::metadata(&path).unwrap(), std::fs::metadata(folder.path()).unwrap());
            (file.ino(), file.mode(), file.modified().unwrap(), folder.modified().unwrap())
        };
        let before = state();

        let read = Keys::load(&path).unwrap();

        assert_eq!((read.prints(), state()), (made.prints(), before));
        allow(folder.path(), 0o700);
    }

    #[test]
    fn prints_tell_keys_apart_and_stand_in_the_open_in_tokens() {
        let (keys, others) = (Keys::ephemeral(), Keys::ephemeral());
        let (prints, foreign) = (keys.prints(), others.prints());
        assert_eq!(prints.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["session", "setup", "invitation", "reset"]);
        assert!(prints.iter().zip(&foreign).all(|(ours, theirs)| ours != theirs));
        let token = keys.seal(Purpose::Session, "x", Timestamp::from_millis(0), HOUR).unwrap();
        assert_eq!(
            UntrustedToken::<pasetors::token::Local, V4>::try_from(token.as_str()).unwrap().untrusted_footer(),
            prints[0].1.as_bytes()
        );
    }

    #[test]
    fn an_older_file_keeps_its_keys_and_gets_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let now = Timestamp::from_millis(0);
        let session = Keys::load(&path).unwrap().seal(Purpose::Session, "x", now, HOUR).unwrap();
        let older: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().take(2).map(str::to_owned).collect();
        std::fs::write(&path, older.join("\n")).unwrap();
        let link = Keys::load(&path).unwrap().seal(Purpose::Invitation, "y", now, HOUR).unwrap();
        let again = Keys::load(&path).unwrap();
        assert_eq!(again.open(Purpose::Session, &session, now).as_deref(), Some("x"));
        assert_eq!(again.open(Purpose::Invitation, &link, now).as_deref(), Some("y"));
    }
}
