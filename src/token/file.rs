//! The file that the keys are in: for few eyes, made once however many look for it at the same time, and never half written.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::hex;
use crate::id::secret;

/// What its mode may not grant: anything to everyone, and writing to the group. The group may read: secrets are mounted so for a user who
/// does not own them.
const TOO_MUCH: u32 = 0o027;

/// What is in the file; `None` when it is missing.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let failed = |error: io::Error| format!("{} can't be read: {error}", path.display());
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    // Of the open file: by its name it might be another one by now.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & TOO_MUCH != 0 {
        let path = path.display();
        return Err(format!("{path} is open to too many (mode {mode:03o}): run `chmod 600 {path}`, or mount it with mode 0440"));
    }
    Ok(Some(text))
}

/// Puts a file with this text there, durably, unless somebody else is quicker; gives what is there in the end.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn make(path: &Path, text: &str) -> Result<String, String> {
    place(path, text).map_err(|error| format!("{} can't be made: {error}", path.display()))?;
    read(path)?.ok_or_else(|| gone(path))
}

fn place(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = Draft::write(path, text)?;
    // A link appears whole, and never in the place of a file that is there: of all who try, on whatever machine, exactly one succeeds.
    match std::fs::hard_link(&draft.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        // Some file systems have no links. There a lock keeps apart those who share it, and whatever else went wrong will go wrong again.
        Err(_) => {
            let _alone = lock(folder)?;
            if !path.try_exists()? {
                std::fs::rename(&draft.0, path)?;
            }
        }
    }
    sync(folder)
}

/// Adds to the file what `more` finds missing in its text; gives what is there in the end. A crash leaves all as it was or all as it will
/// be.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn complete(path: &Path, more: impl FnOnce(&str) -> String) -> Result<String, String> {
    let failed = |error: io::Error| format!("{} lacks keys, and they can't be added: {error}", path.display());
    let folder = folder_of(path);
    // Who comes second must add to what the first has added. The folder is locked, not the file, which is replaced. Where a file system
    // keeps such locks on one machine (NFS), two machines may still disagree; who compares `Keys::prints` notices.
    let _alone = lock(folder).map_err(failed)?;
    let there = read(path)?.ok_or_else(|| gone(path))?;
    let more = more(&there);
    if more.is_empty() {
        return Ok(there);
    }
    let newline = if there.is_empty() || there.ends_with('\n') { "" } else { "\n" };
    let text = format!("{there}{newline}{more}");
    let draft = Draft::write(path, &text).map_err(failed)?;
    std::fs::rename(&draft.0, path).and_then(|()| sync(folder)).map_err(failed)?;
    Ok(text)
}

fn gone(path: &Path) -> String {
    format!("{} is gone again, or a link that leads nowhere", path.display())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until nobody else holds it; held until the file is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    rustix::io::retry_on_intr(|| flock(&folder, FlockOperation::LockExclusive))?;
    Ok(folder)
}

/// Without this a power cut could take the keys from a store that has kept everything.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A durable file beside the one that it is to become, under a name that nobody else uses; removed when dropped.
struct Draft(PathBuf);

impl Draft {
    fn write(path: &Path, text: &str) -> io::Result<Self> {
        let name = path.with_extension(format!("{}.new", hex(&secret::<8>())));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name)?;
        let draft = Self(name);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It has no name of its own any more where it was renamed.
        let _ = std::fs::remove_file(&self.0);
    }
}
