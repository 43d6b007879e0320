//! A file to rows: every cell is checked, and what is wrong is said with its place.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::drivers::declare::Declared;
use super::drivers::draft::Draft;
use super::freq::Freq;
use super::rejections::{Rejections, Wrong};
use super::table::{Gathered, LongTable, Origin, settle};
use crate::config::{Exit, Refused};
use crate::sources::{
    Cell, Chunk, ChunkReader, Limits, file_name, nearest, open_table, parse, write_cell,
};

/// A row group of an analyst's own file may be larger than one of an upstream's.
pub(in crate::jobs) const ROW_GROUP_BYTES_MAX: u64 = 4 << 30;
const TEXT_BYTES_MAX: usize = 1_000;
/// Demand above this is no quantity to the models.
const Y_MAX: f64 = 1e15;
const PRICE_MAX: f64 = 1e12;
/// Words that a cell without a value may hold, in any case.
pub(super) const NULL_WORDS: [&str; 6] = ["nan", "na", "n/a", "<na>", "null", "none"];

/// Which column is what. A column that is named after its default may be absent where it is
/// optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Columns {
    pub id: String,
    pub time: String,
    pub target: String,
    pub available: String,
    pub category: String,
    pub promo: String,
    pub price: String,
    /// Columns that feed nothing, whatever their names.
    pub ignore: Vec<String>,
}

impl Default for Columns {
    fn default() -> Columns {
        let name = str::to_owned;
        Columns {
            id: name("unique_id"),
            time: name("ds"),
            target: name("y"),
            available: name("available"),
            category: name("category"),
            promo: name("promo"),
            price: name("price"),
            ignore: Vec::new(),
        }
    }
}

/// Where the columns are in the file.
struct Places {
    id: usize,
    time: usize,
    target: usize,
    available: Option<usize>,
    category: Option<usize>,
    promo: Option<usize>,
    price: Option<usize>,
    /// Columns that are drivers of no meaning of their own.
    drivers: Vec<usize>,
    unused: Vec<String>,
}

/// What is said of the panel's columns beside their names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    pub declared: Option<&'a Declared>,
    /// The category may be absent: another file has it.
    pub category: bool,
}

pub(in crate::jobs) fn rejected(message: String) -> anyhow::Error {
    Refused::new(Exit::DataRejected, message).into()
}

impl Places {
    fn find(headers: &[String], columns: &Columns, beside: Beside) -> anyhow::Result<Places> {
        let place = |name: &str| {
            let exact = headers.iter().position(|header| header == name);
            exact.or_else(|| headers.iter().position(|header| header.eq_ignore_ascii_case(name)))
        };
        let required = |name: &str, flag: &str| {
            place(name).ok_or_else(|| {
                let near = nearest(name, headers.iter().map(String::as_str))
                    .map_or(String::new(), |near| format!("; is it `{near}`?"));
                let have = headers.join(", ");
                rejected(format!(
                    "there is no column `{name}` among {have}{near} ({flag} names another)"
                ))
            })
        };
        let usual = Columns::default();
        let optional = |name: &str, usual: &str, flag: &str| {
            let found = place(name);
            if columns.ignore.iter().any(|ignored| ignored.eq_ignore_ascii_case(name)) {
                return Ok(None);
            }
            let elsewhere = beside.category && name == columns.category;
            if name != usual && !elsewhere { required(name, flag).map(Some) } else { Ok(found) }
        };
        let mut places = Places {
            id: required(&columns.id, "--id-col")?,
            time: required(&columns.time, "--time-col")?,
            target: required(&columns.target, "--target-col")?,
            available: optional(&columns.available, &usual.available, "--available-col")?,
            category: optional(&columns.category, &usual.category, "--category-col")?,
            promo: optional(&columns.promo, &usual.promo, "--promo-col")?,
            price: optional(&columns.price, &usual.price, "--price-col")?,
            drivers: Vec::new(),
            unused: Vec::new(),
        };
        let is_driver = |at: &usize| {
            beside.declared.is_some_and(|declared| declared.of(&headers[*at]).is_some())
        };
        places.drivers = (0..headers.len()).filter(is_driver).collect();
        let used = places.used();
        let mut once = used.clone();
        once.dedup();
        if once.len() < used.len() {
            return Err(Refused::new(Exit::Usage, "one column is named for two purposes").into());
        }
        places.unused = (0..headers.len())
            .filter(|at| !used.contains(at))
            .map(|at| headers[at].clone())
            .collect();
        Ok(places)
    }

    /// Ascending.
    fn used(&self) -> Vec<usize> {
        let optional = [self.available, self.category, self.promo, self.price];
        let mut used = vec![self.id, self.time, self.target];
        used.extend(optional.into_iter().flatten().chain(self.drivers.iter().copied()));
        used.sort_unstable();
        used
    }
}

/// Reads and settles a table.
///
/// # Errors
/// A file that cannot be read, and rows that are no series of this frequency, by their places.
pub fn read_table(
    path: &Path,
    freq: Freq,
    columns: &Columns,
    on_rows: &dyn Fn(u64),
) -> anyhow::Result<LongTable> {
    read_panel(path, freq, columns, Beside::default(), on_rows)
}

/// As [`read_table`], with columns that are declared to be drivers.
///
/// # Errors
/// As [`read_table`].
pub fn read_panel(
    path: &Path,
    freq: Freq,
    columns: &Columns,
    beside: Beside,
    on_rows: &dyn Fn(u64),
) -> anyhow::Result<LongTable> {
    let name = path.display().to_string();
    let mut reader = opened(path)?;
    let headers = reader.headers().to_vec();
    let places = Places::find(&headers, columns, beside)?;
    let mut wanted = vec![false; headers.len()];
    places.used().into_iter().for_each(|at| wanted[at] = true);
    reader.select(wanted);
    let mut rows = Rows::new(freq, &headers, places);
    let known = |at: usize| beside.declared.and_then(|declared| declared.of(&headers[at]));
    for &at in &rows.places.drivers {
        let draft = known(at).map(|known| Draft::new(&headers[at], known));
        rows.gathered.drivers.extend(draft);
    }
    while let Some(chunk) = unbroken(&name, || reader.next_chunk())? {
        rows.take(&chunk);
        on_rows(rows.read);
    }
    rows.rejections.check(&name)?;
    if rows.read == 0 {
        return Err(rejected(format!("{name} has no rows")));
    }
    let unused = std::mem::take(&mut rows.places.unused);
    let from = Origin { file: &file_name(path), id: &headers[rows.places.id] };
    let mut table = settle(rows.gathered, freq, from).map_err(|error| {
        let exit = error.downcast_ref::<Refused>().map_or(Exit::Failed, |refused| refused.exit);
        Refused::new(exit, format!("{name}: {error}"))
    })?;
    if !unused.is_empty() {
        table.notes.push(format!("columns that are not used: {}", unused.join(", ")));
    }
    Ok(table)
}

/// A file as the table that it is.
///
/// # Errors
/// A file that is not there, or is none.
pub(super) fn opened(path: &Path) -> anyhow::Result<Box<dyn ChunkReader>> {
    let name = path.display().to_string();
    std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
    let limits = Limits { unpacked_bytes: ROW_GROUP_BYTES_MAX, ..Limits::default() };
    unbroken(&name, || open_table(path, &limits))
}

/// A broken Parquet file may end its decoder by a panic; here it is one more file that cannot be
/// read.
pub(in crate::jobs) fn unbroken<T>(
    name: &str,
    read: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(rejected(format!("{error:#}"))),
        Err(_) => Err(rejected(format!("{name} is not a file that can be read: it is damaged"))),
    }
}

/// What a number may be.
pub(in crate::jobs) struct Legal {
    pub range: RangeInclusive<f64>,
    pub words: &'static str,
}

const LEGAL_Y: Legal =
    Legal { range: 0.0..=Y_MAX, words: "0 to 1e15, or empty where it is missing" };
const LEGAL_SHARE: Legal = Legal { range: 0.0..=1.0, words: "0 to 1" };
const LEGAL_PRICE: Legal =
    Legal { range: f64::MIN_POSITIVE..=PRICE_MAX, words: "above 0 and up to 1e12, or empty" };

/// Rows under way.
struct Rows<'a> {
    freq: Freq,
    headers: &'a [String],
    places: Places,
    gathered: Gathered,
    /// Names in the order in which they came.
    by_name: HashMap<Box<str>, u32>,
    by_category: HashMap<String, u32>,
    /// Row in which a series' category was first said.
    said_in: Vec<u32>,
    read: u64,
    rejections: Rejections,
    text: String,
}

struct Taken {
    label: i64,
    y: f64,
    available: f32,
    promo: f32,
    price: f32,
}

impl<'a> Rows<'a> {
    fn new(freq: Freq, headers: &'a [String], places: Places) -> Rows<'a> {
        let gathered = Gathered {
            available: places.available.map(|_| Vec::new()),
            promo: places.promo.map(|_| Vec::new()),
            price: places.price.map(|_| Vec::new()),
            ..Gathered::default()
        };
        Rows {
            freq,
            headers,
            places,
            gathered,
            by_name: HashMap::new(),
            by_category: HashMap::new(),
            said_in: Vec::new(),
            read: 0,
            rejections: Rejections::default(),
            text: String::new(),
        }
    }

    fn take(&mut self, chunk: &Chunk) {
        for row in 0..chunk.len() {
            self.read += 1;
            let number = chunk.row_numbers[row];
            if let Some(problem) = chunk.bad.get(&row) {
                self.rejections.row(number, &problem.reason);
                continue;
            }
            let taken = self.cells(chunk, row).and_then(|taken| {
                let series = self.series(chunk, row, number)?;
                self.drivers(chunk, row, number)?;
                Ok((series, taken))
            });
            match taken {
                Ok((series, taken)) => self.push(series, number, taken),
                Err((column, why)) => {
                    let cell = chunk.columns[column].get(row);
                    self.rejections.cell(number, &self.headers[column], cell, &why);
                }
            }
        }
    }

    /// Takes the drivers of a row, which is the last that is done with it: a row that is rejected
    /// leaves columns of uneven length behind, but then there is no table either.
    fn drivers(&mut self, chunk: &Chunk, row: usize, number: u32) -> Result<(), Wrong> {
        for (&at, draft) in self.places.drivers.iter().zip(&mut self.gathered.drivers) {
            let value = draft.value(chunk.columns[at].get(row), number);
            draft.values.push(value.map_err(|why| (at, why))?);
        }
        Ok(())
    }

    fn push(&mut self, series: u32, number: u32, taken: Taken) {
        let rows = &mut self.gathered;
        rows.series.push(series);
        rows.row.push(number);
        rows.label.push(taken.label);
        rows.y.push(taken.y);
        for (column, value) in [
            (&mut rows.available, taken.available),
            (&mut rows.promo, taken.promo),
            (&mut rows.price, taken.price),
        ] {
            if let Some(column) = column {
                column.push(value);
            }
        }
    }

    fn cells(&self, chunk: &Chunk, row: usize) -> Result<Taken, Wrong> {
        let places = &self.places;
        let label = self.freq.read(chunk.columns[places.time].get(row));
        let number = |column: Option<usize>, legal: &Legal| match column {
            None => Ok(None),
            Some(at) => number(chunk.columns[at].get(row), legal).map_err(|why| (at, why)),
        };
        let available = number(places.available, &LEGAL_SHARE)?;
        Ok(Taken {
            label: label.map_err(|why| (places.time, why))?,
            y: number(Some(places.target), &LEGAL_Y)?.unwrap_or(f64::NAN),
            available: available.map_or(0.0, share),
            promo: number(places.promo, &LEGAL_SHARE)?.map_or(f32::NAN, |depth| depth as f32),
            price: number(places.price, &LEGAL_PRICE)?.map_or(f32::NAN, |price| price as f32),
        })
    }

    /// The series of a row; what its category says is checked on the way.
    fn series(&mut self, chunk: &Chunk, row: usize, number: u32) -> Result<u32, Wrong> {
        let id = self.places.id;
        let series = {
            let text = cell_text(chunk.columns[id].get(row), &mut self.text);
            check_text(text).map_err(|why| (id, why))?;
            if text.is_empty() {
                return Err((id, "it is missing; want the series' name".into()));
            }
            match self.gathered.series.last() {
                // Most files have a series' rows together.
                Some(&last) if &*self.gathered.names[last as usize] == text => Some(last),
                _ => self.by_name.get(text).copied(),
            }
        };
        let category = self.category(chunk, row)?;
        if let Some(series) = series {
            if let (Some(at), Some(category)) = (self.places.category, category) {
                let first = self.gathered.category[series as usize];
                if first != category {
                    let said_in = self.said_in[series as usize];
                    let first = &self.gathered.categories[first as usize];
                    return Err((at, format!("row {said_in} puts the series into {first:?}")));
                }
            }
            return Ok(series);
        }
        let text = cell_text(chunk.columns[id].get(row), &mut self.text);
        let series = self.gathered.names.len() as u32;
        self.gathered.names.push(text.into());
        self.by_name.insert(text.into(), series);
        self.gathered.category.push(category.unwrap_or(0));
        self.said_in.push(number);
        Ok(series)
    }

    fn category(&mut self, chunk: &Chunk, row: usize) -> Result<Option<u32>, Wrong> {
        let Some(at) = self.places.category else {
            if self.gathered.categories.is_empty() {
                self.gathered.categories.push("all".to_owned());
            }
            return Ok(None);
        };
        let text = cell_text(chunk.columns[at].get(row), &mut self.text);
        check_text(text).map_err(|why| (at, why))?;
        let next = self.by_category.len() as u32;
        Ok(Some(match self.by_category.get(text) {
            Some(&known) => known,
            None => {
                self.gathered.categories.push(text.to_owned());
                self.by_category.insert(text.to_owned(), next);
                next
            }
        }))
    }
}

/// A cell's text, trimmed, without a copy where the file holds text.
pub(in crate::jobs) fn cell_text<'a>(cell: Cell<'a>, scratch: &'a mut String) -> &'a str {
    match cell {
        Cell::Text(text) => text.trim(),
        other => {
            scratch.clear();
            write_cell(other, scratch);
            scratch
        }
    }
}

pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{} bytes; at most {TEXT_BYTES_MAX} are a name", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character".into());
    }
    Ok(())
}

/// A share just below 1 stays below 1 as a smaller float.
fn share(value: f64) -> f32 {
    if value < 1.0 { (value as f32).min(1.0f32.next_down()) } else { 1.0 }
}

pub(in crate::jobs) fn number(cell: Cell<'_>, legal: &Legal) -> Result<Option<f64>, String> {
    let value = match cell {
        Cell::Null => return Ok(None),
        Cell::Int(value) => value as f64,
        Cell::Real(value) if value.is_nan() => return Ok(None),
        Cell::Real(value) => value,
        Cell::Day(_) | Cell::Stamp(_) => return Err("it is a date, not a number".into()),
        Cell::Text(text) => {
            let text = text.trim();
            if text.is_empty() || NULL_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
                return Ok(None);
            }
            let checked = parse::number(text)
                .map_err(|problem| format!("{}; legal is {}", problem.reason, legal.words))?;
            // The parser knows the form; the library rounds the decimal to its nearest float.
            text.parse().unwrap_or_else(|_| checked.as_f64())
        }
    };
    if legal.range.contains(&value) {
        return Ok(Some(value));
    }
    let why = match value {
        value if !value.is_finite() => "not a finite number",
        value if value < 0.0 => "negative",
        _ => "out of range",
    };
    Err(format!("{why}; legal is {}", legal.words))
}
