//! Sealed tokens: PASETO v4.local, one key per purpose.
//!
//! The key is picked by purpose and key id from a fixed set, never by what a token asks for beyond that; issuer, audience and time are always set and
//! always checked, against our clock. Every refusal is the same.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
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

    /// The keys in this file; made, with mode 0600, when missing. A line is `<purpose> <64 hexadecimal digits>`. A file of an earlier program gets
    /// the lines that it lacks.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn load(path: &Path) -> Result<Self, String> {
        let mut text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{} can't be read: {error}", path.display())),
        };
        let line_of = |text: &str, purpose: Purpose| {
            text.lines().find_map(|line| line.strip_prefix(purpose.name())?.strip_prefix(' ').map(str::to_owned))
        };
        let missing: Vec<_> = Purpose::ALL.into_iter().filter(|purpose| line_of(&text, *purpose).is_none()).collect();
        // One that lacks those of the first program is no older file but a broken one.
        let is_older = Purpose::FIRST.iter().all(|purpose| !missing.contains(purpose));
        if !missing.is_empty() && (text.is_empty() || is_older) {
            text = write(path, text, &missing)?;
        }
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

    fn entry(purpose: Purpose, bytes: &[u8; 32]) -> Option<(Purpose, String, SymmetricKey<V4>)> {
        use sha2::{Digest, Sha256};
        let kid = Sha256::new().chain_update(b"allclear key id").chain_update(bytes).finalize()[..6].iter().fold(
            String::new(),
            |mut kid, byte| {
                let _ = write!(kid, "{byte:02x}");
                kid
            },
        );
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

/// Writes what is there and new keys for these purposes beside the final name and renames them into place, so that a crash leaves all as it was or
/// all as it will be.
fn write(path: &Path, there: String, missing: &[Purpose]) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{} can't be written: {error}", path.display());
    let there = if there.is_empty() || there.ends_with('\n') { there } else { there + "\n" };
    let text = missing.iter().fold(there, |mut text, purpose| {
        let _ = writeln!(text, "{} {}", purpose.name(), secret::<32>().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        text
    });
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)?;
    // Without this a power cut could take the keys from a store that has kept everything.
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(text)
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
