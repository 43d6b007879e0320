//! Files of a folder or a bucket: one after the other, by name, each a load of its own.
//!
//! Later files may correct earlier ones, so their order counts; and a file that cannot be taken
//! stops those after it, while those before it are kept.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use anyhow::Context;

use super::drift::{self, Drift};
use super::query::accept;
use super::{Pull, SourceReport, as_rejected};
use crate::config::source::{Bucket, FileRules, Folder};
use crate::config::{ColumnSeen, FileSeen, Load, PullNote, clock};
use crate::jobs::import::{Report, import_inputs};
use crate::sources::shelf::{Listed, Shelf};
use crate::sources::{self, Input, Limits, columns_wanted, isolated};

pub async fn pull_folder(
    pull: &Pull<'_>,
    of: &Folder,
    report: &mut SourceReport,
) -> anyhow::Result<()> {
    let (folder, home) = (of.clone(), pull.job.folder.clone());
    let shelf = blocking(move || Shelf::folder(&folder, &home)).await?;
    pull_files(pull, Arc::new(shelf), &of.files, report).await
}

pub async fn pull_bucket(
    pull: &Pull<'_>,
    of: &Bucket,
    report: &mut SourceReport,
) -> anyhow::Result<()> {
    let (bucket, home) = (of.clone(), pull.job.folder.clone());
    let shelf = blocking(move || Shelf::s3(&bucket, &home)).await?;
    pull_files(pull, Arc::new(shelf), &of.files, report).await
}

/// Files and networks are waited for on threads of their own.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(act).await.context("a reader gave up")?
}

/// The file is not what it was when its reading began.
#[derive(Debug, thiserror::Error)]
#[error("it changed while it was read")]
struct Moving;

async fn pull_files(
    pull: &Pull<'_>,
    shelf: Arc<Shelf>,
    rules: &FileRules,
    report: &mut SourceReport,
) -> anyhow::Result<()> {
    let (job, source) = (&pull.job.name, &pull.source.name);
    let of_shelf = shelf.clone();
    let listing = blocking(move || of_shelf.list()).await?;
    report.files_left = listing.left;
    let known = pull.store.source_files(job, source).await?;
    let mut digests: BTreeSet<String> = known.values().map(|file| file.digest.clone()).collect();
    let state = pull.store.source_state(job, source).await?.unwrap_or_default();
    let mut columns = state.columns;
    let mut rows = 0;
    for file in listing.files {
        let same =
            |seen: &FileSeen| seen.size_bytes == file.size_bytes && seen.version == file.version;
        if known.get(&file.name).is_some_and(same) {
            report.files_unchanged += 1;
            continue;
        }
        let mut next = Next { pull, shelf: &shelf, rules, columns: &mut columns };
        let loaded = next.load(&file, &mut digests, report).await?;
        rows += loaded.unwrap_or_default();
    }
    // Nights without a new file are successes as well; a source that never had one is not.
    if rows == 0 && !columns.is_empty() && !pull.options.dry_run {
        let note = note(pull, &columns, 0, None);
        pull.store.note_pull(&note, &now()).await?;
    }
    Ok(())
}

fn now() -> String {
    clock::stamp(clock::now())
}

fn note(pull: &Pull<'_>, columns: &[ColumnSeen], rows: u64, file: Option<FileSeen>) -> PullNote {
    PullNote {
        job: pull.job.name.clone(),
        source: pull.source.name.clone(),
        watermark: None,
        columns: columns.to_vec(),
        rows,
        file,
    }
}

/// One new or changed file on its way.
struct Next<'a> {
    pull: &'a Pull<'a>,
    shelf: &'a Arc<Shelf>,
    rules: &'a FileRules,
    /// Of the file before; and of this one once it was loaded.
    columns: &'a mut Vec<ColumnSeen>,
}

/// What the reading thread found out.
#[derive(Default)]
struct Found {
    columns: Vec<ColumnSeen>,
    drift: Drift,
}

impl Next<'_> {
    /// How many rows were read; `None` when the file was passed over.
    async fn load(
        &mut self,
        file: &Listed,
        digests: &mut BTreeSet<String>,
        report: &mut SourceReport,
    ) -> anyhow::Result<Option<u64>> {
        let (shelf, listed) = (self.shelf.clone(), file.clone());
        let taken = blocking(move || {
            let taken = shelf.take(&listed)?;
            let digest = sources::digest(&taken.path)?;
            Ok((taken, digest))
        });
        let (taken, digest) = taken.await?;
        let seen = FileSeen {
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            version: file.version.clone(),
            digest: digest.clone(),
        };
        if digests.contains(&digest) {
            report.notes.push(format!("{} has the bytes of a file that was loaded", file.name));
            report.files_unchanged += 1;
            if !self.pull.options.dry_run {
                let note = note(self.pull, self.columns, 0, Some(seen));
                self.pull.store.note_pull(&note, &now()).await?;
            }
            return Ok(None);
        }
        let found = Arc::new(Mutex::new(Found::default()));
        let done = self.import(file, &taken.path, seen, found.clone()).await;
        let found =
            std::mem::take(&mut *found.lock().map_err(|_| anyhow::anyhow!("a reader gave up"))?);
        let drift = accept(found.drift, self.pull.options.accept_schema, report);
        drift.map_err(|error| as_rejected(error, &file.name))?;
        let done = match done {
            Err(error) if error.is::<Moving>() => {
                report.files_left.push((file.name.clone(), Moving.to_string()));
                return Ok(None);
            }
            done => done.map_err(|error| as_rejected(error, &file.name))?,
        };
        let rows = done.tables.first().map_or(0, |table| table.total.read);
        report.take(&file.name, done)?;
        digests.insert(digest);
        *self.columns = found.columns;
        Ok(Some(rows))
    }

    async fn import(
        &self,
        file: &Listed,
        path: &std::path::Path,
        seen: FileSeen,
        found: Arc<Mutex<Found>>,
    ) -> anyhow::Result<Report> {
        let pull = self.pull;
        let mut map = pull.map.clone();
        if !self.columns.is_empty() {
            // New columns are told of, and what was missing stops the pull.
            map.ignore.push("*".to_owned());
        }
        let limits =
            Limits { unpacked_bytes: self.rules.unpacked_mib_max << 20, ..Limits::default() };
        let memory_bytes = self.rules.memory_mib_max << 20;
        let accept_schema = pull.options.accept_schema;
        let (path, before) = (path.to_owned(), self.columns.clone());
        let (name, map_read) = (file.name.clone(), map.clone());
        let wanted = columns_wanted(pull.source.kind, &map);
        let told = found.clone();
        let open = move || {
            let input = isolated::input(&path, &map_read, &limits, memory_bytes)?;
            let columns = input.columns();
            let drift = drift::compare(&before, &columns, &wanted);
            let broken = !drift.breaks.is_empty() && !accept_schema;
            if let Ok(mut told) = told.lock() {
                *told = Found { columns, drift };
            }
            anyhow::ensure!(!broken, "the schema has changed");
            Ok(vec![Input { name, ..input }])
        };
        let (shelf, listed) = (self.shelf.clone(), file.clone());
        let draft = note(pull, &[], 0, Some(seen.clone()));
        let settled = move |load: &Load| {
            let same = load.files.iter().all(|file| file.digest == seen.digest);
            if !same || !shelf.unchanged(&listed) {
                return Err(Moving.into());
            }
            let columns = found.lock().map(|found| found.columns.clone()).unwrap_or_default();
            let rows = load
                .tables
                .first()
                .map_or(0, |table| table.books.iter().map(|books| books.read).sum::<u64>());
            Ok(Some(PullNote { columns, rows, ..draft }))
        };
        let options = pull.import_options(limits);
        import_inputs(pull.store, pull.source.kind, &map, &options, open, settled, |_| {}).await
    }
}
