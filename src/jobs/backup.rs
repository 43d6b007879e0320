//! A copy of an SQLite database that can be taken while it is at work, and the way back.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::config::{Exit, Refused};
use crate::store::{Store, check_file};

#[derive(Clone, Debug, Serialize)]
pub struct BackupReport {
    pub file: PathBuf,
    pub bytes: u64,
    /// Of the schema in it.
    pub schema: i64,
    /// blake3 of the file's bytes.
    pub digest: String,
}

/// Writes a whole copy of the database to `out`, which must not be there yet.
///
/// The copy is one state of the database: readers and writers go on meanwhile. It takes its name only
/// when it is complete and SQLite's own check found every page sound.
pub async fn backup(store: &Store, out: &Path) -> anyhow::Result<BackupReport> {
    refuse_existing(out)?;
    let unfinished = beside(out, ".unfinished");
    // What an earlier backup that was killed left behind.
    remove(&unfinished)?;
    store.copy_to(&unfinished).await?;
    let report = sound(&unfinished, out).await;
    match report {
        Ok(report) => {
            settle(&unfinished, out)?;
            Ok(report)
        }
        Err(error) => {
            remove(&unfinished)?;
            Err(error)
        }
    }
}

/// Puts a backup in the place of the database at `path`. The old database is kept beside it as
/// `….before-restore`, and nothing is touched before the backup was checked.
pub async fn restore(backup: &Path, path: &Path) -> anyhow::Result<BackupReport> {
    if !backup.is_file() {
        let message = format!("there is no backup {}", backup.display());
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let kept = beside(path, ".before-restore");
    refuse_existing(&kept)?;
    let unfinished = beside(path, ".unfinished");
    remove(&unfinished)?;
    std::fs::copy(backup, &unfinished)
        .with_context(|| format!("cannot copy {}", backup.display()))?;
    let report = match sound(&unfinished, path).await {
        Ok(report) => report,
        Err(error) => {
            remove(&unfinished)?;
            return Err(error);
        }
    };
    if path.exists() {
        // Whatever was committed and still lies in the log beside the file comes into the file first.
        let old = Store::open(path).await.context("the database to be replaced")?;
        old.fold_log().await?;
        old.close().await;
        std::fs::rename(path, &kept).with_context(|| format!("cannot keep {}", path.display()))?;
    }
    for left in ["-wal", "-shm"] {
        remove(&beside(path, left))?;
    }
    settle(&unfinished, path)?;
    Ok(report)
}

async fn sound(file: &Path, name: &Path) -> anyhow::Result<BackupReport> {
    let schema = check_file(file).await.with_context(|| format!("{}", file.display()))?;
    let mut hasher = blake3::Hasher::new();
    let bytes = std::io::copy(&mut File::open(file)?, &mut hasher)?;
    let digest = hasher.finalize().to_hex().to_string();
    Ok(BackupReport { file: name.to_owned(), bytes, schema, digest })
}

/// Gives a finished file its name, so that it survives a power cut under it.
fn settle(unfinished: &Path, out: &Path) -> anyhow::Result<()> {
    File::open(unfinished)?.sync_all()?;
    std::fs::rename(unfinished, out)
        .with_context(|| format!("cannot name the file {}", out.display()))?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        let message = format!("{} is there already; move it away first", path.display());
        return Err(Refused::new(Exit::Usage, message).into());
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
