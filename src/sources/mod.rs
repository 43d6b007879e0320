//! Reading files: bytes to typed rows, with every row accounted for.

mod chunk;
mod condition;
mod delimited;
pub mod guard;
mod ics;
mod intake;
pub mod isolated;
mod map;
mod parquet;
pub mod parse;
pub mod query;
mod recur;
mod rule;
mod settle;
pub mod shelf;
mod words;
mod workbook;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::config::{
    ColumnSeen, FileRead, Load, OnUnknown, Problem, RejectCode, Symbols, Table, TableLoad, Unknown,
};

pub use chunk::{Cell, Chunk, ChunkReader, write_cell};
pub use intake::Scales;
pub use map::{Defaults, Map};

use condition::Test;
use intake::{Compiled, Context as RowContext, Feed, Intake};
use map::{Combine, Rule as RuleText, UnknownPolicy};
use rule::{Headers, Shared};

/// Quantities over this, in base units, are absurd unless the map says otherwise.
pub const MAX_QTY_DEFAULT: i64 = 10_000_000;

/// How much a file may claim before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a workbook, or of one Parquet row group, when unpacked.
    pub unpacked_bytes: u64,
    pub rows: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { unpacked_bytes: 256 << 20, rows: 200_000_000 }
    }
}

/// The known text that is nearest to a mistyped one.
pub fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    known
        .map(|name| (edits(&wanted, &name.to_lowercase()), name))
        .min()
        .filter(|(edits, name)| *edits <= 2.max(name.chars().count() / 3))
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// Trimmed header names; no two alike, none missing.
fn checked_headers<'a>(
    names: impl Iterator<Item = &'a str>,
    file: &str,
) -> anyhow::Result<Vec<String>> {
    let headers: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    let mut seen = BTreeSet::new();
    for (at, header) in headers.iter().enumerate() {
        anyhow::ensure!(!header.is_empty(), "{file}: column {} has no name", at + 1);
        anyhow::ensure!(
            seen.insert(header.to_lowercase()),
            "{file}: two columns are named `{header}`"
        );
    }
    Ok(headers)
}

/// A library that panics on nonsense has given up on the file, not on the service.
fn guarded<T>(name: &str, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(anyhow::anyhow!("{name} is damaged: its reader gave up with: {text}"))
    })
}

fn open(path: &Path, map: &Map, limits: &Limits) -> anyhow::Result<Box<dyn ChunkReader>> {
    let extension =
        path.extension().and_then(|ext| ext.to_str()).unwrap_or("").to_ascii_lowercase();
    Ok(match extension.as_str() {
        "csv" | "txt" | "tsv" => Box::new(delimited::DelimitedReader::open(path, map)?),
        "parquet" => {
            let name = path.display().to_string();
            Box::new(guarded(&name, || parquet::ParquetFile::open(path, limits))?)
        }
        "xlsx" => {
            let name = path.display().to_string();
            Box::new(guarded(&name, || workbook::WorkbookReader::open(path, map, limits))?)
        }
        "ics" => Box::new(ics::CalendarReader::open(path, map, limits)?),
        other => anyhow::bail!(
            "{}: want a .csv, .tsv, .parquet, .xlsx or .ics file, not {other:?}",
            path.display()
        ),
    })
}

/// A CSV, TSV or Parquet file as the table that it is, without rules; 32-bit floats keep their value
/// rather than the decimal that they stand for.
///
/// # Errors
/// A file that cannot be read, has a claim over the limits, or headers that are no names.
pub fn open_table(path: &Path, limits: &Limits) -> anyhow::Result<Box<dyn ChunkReader>> {
    let extension = path.extension().and_then(|ext| ext.to_str()).unwrap_or("");
    if extension.eq_ignore_ascii_case("parquet") {
        return Ok(Box::new(parquet::ParquetFile::open(path, limits)?.with_exact_floats()));
    }
    open(path, &Map::default(), limits)
}

/// The feeds of a load: the KIND's table and every `[[also]]`.
fn feeds(kind: &'static Table, map: &Map) -> anyhow::Result<Vec<Feed>> {
    let mut feeds = vec![feed(kind, &map.columns, &map.combine)?];
    feeds[0].conflict = map.conflict;
    feeds[0].unknown = map.unknown;
    for also in &map.also {
        let table = Table::named(&also.table).with_context(|| {
            format!("[[also]] table = {:?} is none of the input tables", also.table)
        })?;
        anyhow::ensure!(
            feeds.iter().all(|feed| feed.table.name != table.name),
            "the map feeds the table `{}` twice",
            table.name
        );
        let mut feed = feed(table, &also.columns, &also.combine)?;
        feed.conflict = also.conflict;
        feed.unknown = also.unknown;
        feed.when = also.when.clone();
        feeds.push(feed);
    }
    Ok(feeds)
}

fn feed(
    table: &'static Table,
    columns: &BTreeMap<String, RuleText>,
    combine: &BTreeMap<String, Combine>,
) -> anyhow::Result<Feed> {
    let place = |name: &str| {
        table.column(name).with_context(|| {
            let near = nearest(name, table.columns.iter().map(|column| column.name))
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            format!("the table `{}` has no column `{name}`{near}", table.name)
        })
    };
    let mut rules = vec![None; table.columns.len()];
    for (name, rule) in columns {
        rules[place(name)?] = Some(rule.clone());
    }
    let mut combines = vec![None; table.columns.len()];
    for (name, &how) in combine {
        let at = place(name)?;
        let column = &table.columns[at];
        anyhow::ensure!(at >= table.key, "`{name}` is part of the key and cannot be combined");
        let is_real = matches!(column.kind, crate::config::Kind::Real { .. });
        anyhow::ensure!(
            !(is_real && matches!(how, Combine::Sum | Combine::Distinct)),
            "`{name}` holds fractions: combine it by min, max or first"
        );
        combines[at] = Some(how);
    }
    Ok(Feed {
        table,
        rules,
        combine: combines,
        conflict: map::Conflict::Reject,
        unknown: UnknownPolicy::default(),
        when: None,
    })
}

/// Other well-known names of headers of sales, for files that come without a map.
const ALIASES: [(&str, &str); 4] =
    [("unique_id", "item_id"), ("ds", "date"), ("y", "qty"), ("available", "available_fraction")];

/// The source columns that an import reads where they are there, in lower case: those that the map
/// names and those that are called as the table's columns are.
pub fn columns_wanted(kind: &Table, map: &Map) -> BTreeSet<String> {
    let mut wanted = map.columns_named();
    let mut of = |table: &Table, ruled: &BTreeMap<String, RuleText>| {
        let bare = table.columns.iter().filter(|column| !ruled.contains_key(column.name));
        wanted.extend(bare.map(|column| column.name.to_owned()));
    };
    of(kind, &map.columns);
    for also in &map.also {
        if let Some(table) = Table::named(&also.table) {
            of(table, &also.columns);
        }
    }
    if map.digest.is_empty() && kind.name == "sales" {
        wanted.extend(ALIASES.map(|(alias, _)| alias.to_owned()));
    }
    wanted
}

fn with_aliases(feed: &mut Feed, headers: &[String], has_map: bool) {
    if has_map || feed.table.name != "sales" {
        return;
    }
    let has = |name: &str| headers.iter().any(|header| header.eq_ignore_ascii_case(name));
    for (alias, name) in ALIASES {
        if has(alias)
            && !has(name)
            && let Some(at) = feed.table.column(name)
        {
            feed.rules[at] = Some(RuleText::from_text(alias));
        }
    }
    if has("unique_id")
        && !has("location_id")
        && let Some(at) = feed.table.column("location_id")
    {
        let constant = Some(toml::Value::String("all".to_owned()));
        feed.rules[at] = Some(RuleText(map::RuleTable { constant, ..Default::default() }));
    }
}

/// The columns that the map or a header gives, and the key's columns that have a default.
fn fields(feed: &Feed, headers: &[Vec<String>], files: &[FileRead]) -> anyhow::Result<Vec<usize>> {
    let mut fields = Vec::new();
    for (at, column) in feed.table.columns.iter().enumerate() {
        let has = |headers: &Vec<String>| {
            headers.iter().any(|header| header.eq_ignore_ascii_case(column.name))
        };
        let given = feed.rules[at].is_some() || headers.iter().any(has);
        if given || at < feed.table.key {
            fields.push(at);
        }
        let everywhere = feed.rules[at].is_some() || headers.iter().all(has);
        if column.need == crate::config::Need::Required && !everywhere {
            let known = headers.iter().flatten().map(String::as_str);
            let near = nearest(column.name, known)
                .map(|near| format!("; is it `{near}`?"))
                .unwrap_or_default();
            let lacking = headers.iter().position(|headers| !has(headers)).unwrap_or(0);
            anyhow::bail!(
                "{}: the table `{}` needs the column `{}`, which neither a header nor the map \
                 gives{near}",
                files[lacking].name,
                feed.table.name,
                column.name
            );
        }
    }
    Ok(fields)
}

fn check_unused(
    headers: &[String],
    used: &[bool],
    map: &Map,
    table: &Table,
    file: &str,
) -> anyhow::Result<()> {
    for (header, used) in headers.iter().zip(used) {
        let ignored = map.ignore.iter().any(|ignore| ignore == "*" || ignore == header);
        if !used && !ignored {
            let near = nearest(header, table.columns.iter().map(|column| column.name))
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            anyhow::bail!(
                "{file}: no rule uses the column `{header}`{near} (a map can list it in `ignore`)"
            );
        }
    }
    Ok(())
}

fn shared(map: &Map, salt: Option<String>) -> Shared {
    let salt = salt.or_else(|| map.hash_salt.clone());
    Shared {
        null_values: map.null_values.clone(),
        date_formats: map.date_formats.clone(),
        max_qty: map.max_qty.unwrap_or(MAX_QTY_DEFAULT),
        hash_key: salt.map(|salt| blake3::derive_key("granary shopper hash v1", salt.as_bytes())),
    }
}

/// The policy for unknown keys where the map has none: what is sold or seen exists, what is stocked
/// or supplied should have been declared.
fn unknown_policy(feed: &Feed) -> Unknown {
    let creates = matches!(
        feed.table.name,
        "sales" | "behaviour" | "event_log" | "presale" | "purchase_order"
    );
    let usual = if creates { OnUnknown::Create } else { OnUnknown::Reject };
    let given = feed.unknown;
    Unknown([
        given.item.unwrap_or(usual),
        given.location.unwrap_or(usual),
        given.supplier.unwrap_or(OnUnknown::Create),
    ])
}

/// One thing to read: a file, or what a query brought.
pub struct Input {
    /// As the books and rejections name it.
    pub name: String,
    /// blake3 of its bytes.
    pub digest: String,
    pub reader: Box<dyn ChunkReader>,
}

impl Input {
    /// # Errors
    /// A file that cannot be read, has a claim over the limits, or headers that are no names.
    pub fn file(path: &Path, map: &Map, limits: &Limits) -> anyhow::Result<Input> {
        let reader = open(path, map, limits)?;
        Ok(Input { name: file_name(path), digest: digest(path)?, reader })
    }

    /// The columns as the source has them.
    pub fn columns(&self) -> Vec<ColumnSeen> {
        let names = self.reader.headers().iter().cloned();
        names.zip(self.reader.types()).map(|(name, kind)| ColumnSeen { name, kind }).collect()
    }
}

/// Reads inputs into settled rows of `kind` and of the map's further tables.
///
/// `salt` keys the hash of identities and goes before the map's own; `progress` hears how many rows
/// were read.
///
/// # Errors
/// A file that cannot be read or decoded, headers that do not fit, a map that does not fit.
pub fn read(
    kind: &'static Table,
    inputs: Vec<Input>,
    map: &Map,
    scales: &Scales,
    limits: &Limits,
    salt: Option<String>,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Load> {
    if let Some(wanted) = &map.kind {
        anyhow::ensure!(
            Table::named(wanted).is_some_and(|table| table.name == kind.name),
            "the map is for {wanted:?}, not for {}",
            kind.name
        );
    }
    let has_map = !map.digest.is_empty();
    let mut readers = Vec::new();
    let mut files = Vec::new();
    for input in inputs {
        readers.push(input.reader);
        files.push(FileRead { name: input.name, digest: input.digest });
    }
    let headers: Vec<Vec<String>> = readers.iter().map(|r| r.headers().to_vec()).collect();
    let mut symbols = Symbols::default();
    let shared = shared(map, salt);
    let mut intakes = Vec::new();
    for mut feed in feeds(kind, map)? {
        with_aliases(&mut feed, &headers[0], has_map);
        let fields = fields(&feed, &headers, &files)?;
        intakes.push(Intake::new(feed, fields, files.len()));
    }
    let mut rows_read = 0;
    for (at, reader) in readers.iter_mut().enumerate() {
        let headers = Headers(&headers[at]);
        let mut plans = Vec::new();
        for intake in &intakes {
            let plan = intake
                .compile(&headers, &mut symbols, &shared)
                .with_context(|| format!("{}: table `{}`", files[at].name, kind_of(intake)))?;
            plans.push(plan);
        }
        let tests: Vec<(Test, &str)> = map
            .exclude
            .iter()
            .map(|exclude| Ok((Test::compile(&exclude.when, &headers)?, &*exclude.because)))
            .collect::<anyhow::Result<_>>()?;
        let mut used = vec![false; headers.0.len()];
        plans.iter().flat_map(|plan| &plan.sources).for_each(|&source| used[source] = true);
        tests.iter().for_each(|(test, _)| used[test.column()] = true);
        check_unused(headers.0, &used, map, kind, &files[at].name)?;
        reader.select(used);
        while let Some(chunk) = reader.next_chunk()? {
            take(
                &chunk,
                at as u32,
                &mut intakes,
                &mut plans,
                &tests,
                RowContext { shared: &shared, scales },
                &mut symbols,
            );
            rows_read += chunk.len() as u64;
            anyhow::ensure!(
                rows_read <= limits.rows,
                "more than {} rows; split the load or raise the limit",
                limits.rows
            );
            progress(rows_read);
        }
    }
    Ok(finish(intakes, symbols, files, scales, map))
}

fn kind_of(intake: &Intake) -> &'static str {
    intake.feed.table.name
}

fn take(
    chunk: &Chunk,
    file: u32,
    intakes: &mut [Intake],
    plans: &mut [Compiled],
    tests: &[(Test, &str)],
    context: RowContext,
    symbols: &mut Symbols,
) {
    let excluded: Vec<Option<Problem>> = if tests.is_empty() {
        Vec::new()
    } else {
        (0..chunk.len())
            .map(|row| {
                let (_, because) = tests.iter().find(|(test, _)| test.holds(chunk, row))?;
                Some(Problem::new(RejectCode::Excluded, "", *because))
            })
            .collect()
    };
    for (intake, plan) in intakes.iter_mut().zip(plans) {
        intake.take(chunk, &excluded, file, plan, context, symbols);
    }
}

fn finish(
    mut intakes: Vec<Intake>,
    symbols: Symbols,
    files: Vec<FileRead>,
    scales: &Scales,
    map: &Map,
) -> Load {
    let ranks = symbols.ranks();
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    for intake in &mut intakes {
        settle::settle(intake, &symbols, &ranks, scales, &names);
    }
    // Dimensions first, as ALL has them, so that references find what the same file brings.
    intakes.sort_by_key(|intake| {
        crate::config::ALL_TABLES.iter().position(|table| table.name == intake.feed.table.name)
    });
    let tables = intakes
        .into_iter()
        .map(|intake| TableLoad {
            unknown: unknown_policy(&intake.feed),
            batch: intake.batch,
            books: intake.books,
            rejections: intake.rejections,
        })
        .collect();
    Load {
        symbols,
        files,
        tables,
        defaults: map.defaults.pairs(),
        map_digest: map.digest.clone(),
        note: None,
    }
}

/// The file's name without its folders: paths of one machine mean nothing on another.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into())
}

/// The blake3 of a file's bytes, as hexadecimal text.
///
/// # Errors
/// A file that cannot be read.
pub fn digest(path: &Path) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let wrong = || format!("cannot read {}", path.display());
    let mut file = std::fs::File::open(path).with_context(wrong)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(wrong)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => hasher.update(&buffer[..read]),
        };
    }
}
