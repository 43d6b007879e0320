//! Import: files in, one load, books out. Nothing is kept unless everything adds up.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::config::{Books, Dimension, FileRead, Load, PullNote, Rejection, Table, clock};
use crate::sources::{self, Input, Limits, Map, Scales};
use crate::store::{LoadOptions, Store};

/// Rejected share of a table's rows beyond which a load changes nothing.
pub const REJECT_LIMIT_DEFAULT: f64 = 0.01;

/// How to import, beside the map.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Goes before the map's limit.
    pub reject_limit: Option<f64>,
    pub dry_run: bool,
    pub limits: Limits,
    /// Keys the hash of shoppers; goes before the map's.
    pub hash_salt: Option<String>,
}

/// The books of a load.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub tables: Vec<TableReport>,
    /// Keys that only other tables' rows knew, now rows of their own.
    pub created: Created,
    pub dry_run: bool,
    /// Why nothing was kept.
    pub refused: Option<String>,
    #[serde(skip)]
    pub rejections: Vec<NamedRejection>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Created {
    pub items: u64,
    pub locations: u64,
    pub suppliers: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    pub table: &'static str,
    pub total: Books,
    pub files: Vec<FileReport>,
    /// How many rows were rejected for each reason, by code.
    pub rejected_by_code: std::collections::BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    pub file: String,
    #[serde(flatten)]
    pub books: Books,
}

/// A rejection with its table and file by name.
#[derive(Clone, Debug)]
pub struct NamedRejection {
    pub table: &'static str,
    pub file: String,
    pub rejection: Rejection,
}

impl Report {
    pub fn table(&self, name: &str) -> Option<&TableReport> {
        self.tables.iter().find(|table| table.table == name)
    }

    /// The rejections as CSV with a byte-order mark, which spreadsheets open as UTF-8.
    pub fn write_rejections(&self, path: &Path) -> anyhow::Result<()> {
        write_rejections(self.rejections.iter(), path)
    }
}

/// Rejections as CSV with a byte-order mark, which spreadsheets open as UTF-8.
///
/// # Errors
/// The file cannot be written.
pub fn write_rejections<'a>(
    rejections: impl Iterator<Item = &'a NamedRejection>,
    path: &Path,
) -> anyhow::Result<()> {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    let mut csv = csv::Writer::from_writer(&mut bytes);
    csv.write_record(["table", "file", "row", "column", "value", "code", "reason"])?;
    for NamedRejection { table, file, rejection } in rejections {
        csv.write_record([
            table,
            &*harmless(file),
            &rejection.row.to_string(),
            &harmless(&rejection.column),
            &harmless(&rejection.problem.value),
            rejection.problem.code.as_str(),
            &harmless(&rejection.problem.reason),
        ])?;
    }
    csv.flush()?;
    drop(csv);
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// A spreadsheet takes a text that starts with one of these for a formula; a quote prevents it.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// Imports files into `kind` and into the map's further tables, in one transaction.
///
/// A refused load is a report with `refused`, not an error, so that its rejections can be read.
///
/// # Errors
/// Files, maps or headers that cannot be understood, and failures of the database.
pub async fn import_files(
    store: &Store,
    kind: &'static Table,
    files: &[PathBuf],
    map: &Map,
    options: &ImportOptions,
    progress: impl FnMut(u64) + Send + 'static,
) -> anyhow::Result<Report> {
    anyhow::ensure!(!files.is_empty(), "no files to import");
    let (paths, map_read, limits) = (files.to_vec(), map.clone(), options.limits);
    let open = move || {
        let inputs: anyhow::Result<Vec<Input>> =
            paths.iter().map(|path| Input::file(path, &map_read, &limits)).collect();
        inputs
    };
    import_inputs(store, kind, map, options, open, |_| Ok(None), progress).await
}

/// Imports whatever `open` opens. `settled` sees the rows before they are written; it can still
/// refuse them, or give what is to be noted beside them.
///
/// # Errors
/// As [`import_files`].
pub async fn import_inputs(
    store: &Store,
    kind: &'static Table,
    map: &Map,
    options: &ImportOptions,
    open: impl FnOnce() -> anyhow::Result<Vec<Input>> + Send + 'static,
    settled: impl FnOnce(&Load) -> anyhow::Result<Option<PullNote>> + Send + 'static,
    mut progress: impl FnMut(u64) + Send + 'static,
) -> anyhow::Result<Report> {
    let scales = scales(store, kind, map).await?;
    let (map_read, limits, salt) = (map.clone(), options.limits, options.hash_salt.clone());
    // Parsing is long and synchronous, and a panic of a reader's must not take the service along.
    let load = tokio::task::spawn_blocking(move || {
        let inputs = open()?;
        let mut load =
            sources::read(kind, inputs, &map_read, &scales, &limits, salt, &mut progress)?;
        load.note = settled(&load)?;
        anyhow::Ok(load)
    })
    .await
    .context("a reader gave up on the file")??;
    let reject_limit = options.reject_limit.or(map.reject_limit).unwrap_or(REJECT_LIMIT_DEFAULT);
    anyhow::ensure!(
        (0.0..=1.0).contains(&reject_limit),
        "the reject limit should be in [0, 1], but is {reject_limit}"
    );
    let names: Vec<&'static str> = load.tables.iter().map(|table| table.batch.table.name).collect();
    let read: Vec<FileRead> = load.files.clone();
    let imported_at = clock::stamp(clock::now());
    write(
        store,
        load,
        LoadOptions { reject_limit, dry_run: options.dry_run },
        &imported_at,
        (names, read),
    )
    .await
}

async fn write(
    store: &Store,
    load: Load,
    options: LoadOptions,
    imported_at: &str,
    (names, files): (Vec<&'static str>, Vec<FileRead>),
) -> anyhow::Result<Report> {
    let loaded = store.load(load, options, imported_at).await?;
    let mut tables = Vec::new();
    let mut rejections = Vec::new();
    for (at, table) in names.into_iter().enumerate() {
        let mut total = Books::default();
        let mut by_file = Vec::new();
        for (file, &books) in files.iter().zip(&loaded.books[at]) {
            total.read += books.read;
            total.loaded += books.loaded;
            total.duplicate += books.duplicate;
            total.rejected += books.rejected;
            total.replaced += books.replaced;
            total.written += books.written;
            by_file.push(FileReport { file: file.name.clone(), books });
        }
        let mut by_code = std::collections::BTreeMap::new();
        let mut sorted = loaded.rejections[at].clone();
        sorted.sort_by_key(|rejection| (rejection.file, rejection.row));
        for rejection in sorted {
            *by_code.entry(rejection.problem.code.as_str()).or_default() += 1;
            let file = files[rejection.file as usize].name.clone();
            rejections.push(NamedRejection { table, file, rejection });
        }
        tables.push(TableReport { table, total, files: by_file, rejected_by_code: by_code });
    }
    let [items, locations, suppliers] = loaded.created;
    Ok(Report {
        tables,
        created: Created { items, locations, suppliers },
        dry_run: options.dry_run,
        refused: loaded.refused,
        rejections,
    })
}

/// Decimals of quantities. A map that feeds the item table itself says what they are; otherwise what
/// the database knows goes before the map's default.
async fn scales(store: &Store, kind: &'static Table, map: &Map) -> anyhow::Result<Scales> {
    let default = u32::from(map.defaults.qty_decimals.unwrap_or(0));
    let item = Dimension::Item.table();
    let feeds_items = kind.name == item || map.also.iter().any(|also| also.table == item);
    if feeds_items && map.defaults.qty_decimals.is_some() {
        return Ok(Scales { default, by_item: Default::default() });
    }
    let mut by_item = store.item_decimals().await?;
    if by_item.values().all(|&decimals| decimals == default) {
        by_item.clear();
    }
    Ok(Scales { default, by_item })
}
