//! Files that appear in a folder together, when all of them are whole.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::{Exit, Refused};

/// A folder for what is not finished, inside the one that it belongs to. Only one process at a time
/// has it.
pub struct Unfinished {
    pub folder: PathBuf,
    /// Held until the end.
    _lock: File,
}

impl Unfinished {
    /// Takes the folder `name` in `out` for `job`, as it is; it need not be there.
    ///
    /// # Errors
    /// When another process has it.
    pub fn open(out: &Path, name: &str, job: &str) -> anyhow::Result<Unfinished> {
        let lock = File::open(out).with_context(|| wrong("read", out))?;
        match lock.try_lock() {
            Ok(()) => Ok(Unfinished { folder: out.join(name), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                let message = format!("another {job} is writing to {}", out.display());
                Err(Refused::new(Exit::LockHeld, message).into())
            }
            Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| wrong("lock", out)),
        }
    }

    /// Forgets what an earlier process left in it.
    pub fn clear(&self) -> anyhow::Result<()> {
        let folder = &self.folder;
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| wrong("remove", folder))?;
        }
        fs::create_dir_all(folder).with_context(|| wrong("make", folder))
    }

    /// A file under a name of its own until it is whole.
    pub fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let unfinished = self.folder.join(format!("{name}.part"));
        let path = self.folder.join(name);
        let mut file =
            BufWriter::new(File::create(&unfinished).with_context(|| wrong("write", &unfinished))?);
        write(&mut file).with_context(|| wrong("write", &unfinished))?;
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all().with_context(|| wrong("write", &unfinished))?;
        fs::rename(&unfinished, &path).with_context(|| wrong("write", &path))
    }

    /// Moves finished files out of the folder to where they belong, and ends the folder.
    pub fn publish(self, out: &Path, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let path = out.join(name);
            fs::rename(self.folder.join(name), &path).with_context(|| wrong("write", &path))?;
        }
        fs::remove_dir_all(&self.folder).with_context(|| wrong("remove", &self.folder))
    }
}

pub fn wrong(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}
