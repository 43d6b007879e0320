//! Typed rows on their way from a file to a table: columns of plain numbers, text as symbols.

use std::collections::HashMap;
use std::sync::Arc;

use super::reject::Rejection;
use super::tables::{Kind, Table};

/// Text kept once, named by a number.
#[derive(Debug, Default)]
pub struct Symbols {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Symbols {
    pub fn intern(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    pub fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// The text without a copy of it.
    pub fn shared(&self, number: u32) -> Arc<str> {
        self.texts[number as usize].clone()
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The place of each symbol when all are sorted as SQLite sorts text: by bytes.
    pub fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.texts.len() as u32).collect();
        order.sort_unstable_by_key(|&number| &self.texts[number as usize]);
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.into_iter().enumerate() {
            ranks[number as usize] = rank as u32;
        }
        ranks
    }
}

/// One typed cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Null,
    Symbol(u32),
    /// Days since 1970-01-01.
    Day(i32),
    /// Seconds since 1970-01-01T00:00:00Z.
    Stamp(i64),
    Int(i64),
    Real(f64),
}

/// One column; null is the value that its type cannot otherwise hold.
#[derive(Clone, Debug)]
pub enum Values {
    Symbol(Vec<u32>),
    Day(Vec<i32>),
    Stamp(Vec<i64>),
    Int(Vec<i64>),
    Real(Vec<f64>),
}

const NO_SYMBOL: u32 = u32::MAX;
const NO_DAY: i32 = i32::MIN;
const NO_INT: i64 = i64::MIN;

impl Values {
    pub fn of(kind: Kind) -> Values {
        match kind {
            Kind::Text | Kind::Choice(_) | Kind::Currency | Kind::Form(_) => {
                Values::Symbol(Vec::new())
            }
            Kind::Day => Values::Day(Vec::new()),
            Kind::Stamp => Values::Stamp(Vec::new()),
            Kind::Quantity { .. } | Kind::Money { .. } | Kind::Whole { .. } => {
                Values::Int(Vec::new())
            }
            Kind::Real { .. } => Values::Real(Vec::new()),
        }
    }

    /// A value of another type than the column's becomes null; rules are typed before they run.
    pub fn push(&mut self, value: Value) {
        match self {
            Values::Symbol(to) => to.push(if let Value::Symbol(v) = value { v } else { NO_SYMBOL }),
            Values::Day(to) => to.push(if let Value::Day(v) = value { v } else { NO_DAY }),
            Values::Stamp(to) => to.push(if let Value::Stamp(v) = value { v } else { NO_INT }),
            Values::Int(to) => to.push(if let Value::Int(v) = value { v } else { NO_INT }),
            Values::Real(to) => to.push(if let Value::Real(v) = value { v } else { f64::NAN }),
        }
    }

    pub fn get(&self, row: usize) -> Value {
        match self {
            Values::Symbol(from) if from[row] != NO_SYMBOL => Value::Symbol(from[row]),
            Values::Day(from) if from[row] != NO_DAY => Value::Day(from[row]),
            Values::Stamp(from) if from[row] != NO_INT => Value::Stamp(from[row]),
            Values::Int(from) if from[row] != NO_INT => Value::Int(from[row]),
            Values::Real(from) if !from[row].is_nan() => Value::Real(from[row]),
            _ => Value::Null,
        }
    }

    /// Keeps the rows named, in the order named.
    pub fn gather(&mut self, rows: &[u32]) {
        fn pick<T: Copy>(from: &mut Vec<T>, rows: &[u32]) {
            *from = rows.iter().map(|&row| from[row as usize]).collect();
        }
        match self {
            Values::Symbol(from) => pick(from, rows),
            Values::Day(from) => pick(from, rows),
            Values::Stamp(from) => pick(from, rows),
            Values::Int(from) => pick(from, rows),
            Values::Real(from) => pick(from, rows),
        }
    }
}

/// Where a row came from: the file's place in the list, and the row as a person counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub file: u32,
    pub row: u32,
}

/// Rows for one table. Only the columns that the file or the map gives are present.
#[derive(Debug)]
pub struct Batch {
    pub table: &'static Table,
    /// Which of the table's columns; its key columns come first, in the key's order.
    pub fields: Vec<usize>,
    pub columns: Vec<Values>,
    pub origins: Vec<Origin>,
    /// How many lines of each file were summed into a row, when lines are summed: row `i` has
    /// `(file, lines)` pairs. Empty: one line a row, from the row's origin.
    pub lines: Vec<Vec<(u32, u64)>>,
}

impl Batch {
    pub fn new(table: &'static Table, fields: Vec<usize>) -> Batch {
        let columns = fields.iter().map(|&field| Values::of(table.columns[field].kind)).collect();
        Batch { table, fields, columns, origins: Vec::new(), lines: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.origins.len()
    }

    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    pub fn push(&mut self, row: &[Value], origin: Origin) {
        for (column, &value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
        self.origins.push(origin);
    }

    pub fn gather(&mut self, rows: &[u32]) {
        for column in &mut self.columns {
            column.gather(rows);
        }
        self.origins = rows.iter().map(|&row| self.origins[row as usize]).collect();
        if !self.lines.is_empty() {
            self.lines =
                rows.iter().map(|&row| std::mem::take(&mut self.lines[row as usize])).collect();
        }
    }

    /// The column of this name, when the batch has it.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|&field| self.table.columns[field].name == name)
    }

    /// Adds what row `row` stands for to a per-file count.
    pub fn tally(&self, row: usize, mut add: impl FnMut(u32, u64)) {
        match self.lines.get(row) {
            Some(lines) => lines.iter().for_each(|&(file, lines)| add(file, lines)),
            None => add(self.origins[row].file, 1),
        }
    }
}

/// The books of one table and file: `read = loaded + duplicate + rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Books {
    pub read: u64,
    pub loaded: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Of `loaded`: took the place of a row with other values.
    pub replaced: u64,
    /// Rows of the table written; fewer than loaded where lines are summed by day.
    pub written: u64,
}

impl Books {
    pub fn balance(&self) -> bool {
        self.read == self.loaded + self.duplicate + self.rejected
    }
}

/// One table's share of a load.
#[derive(Debug)]
pub struct TableLoad {
    pub batch: Batch,
    /// By file.
    pub books: Vec<Books>,
    pub rejections: Vec<Rejection>,
    /// What to do about keys that the dimension tables do not have.
    pub unknown: Unknown,
}

/// Policy for a reference to an item, location or supplier that no table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    Reject,
    Create,
}

/// By dimension, in the order of `Dimension::ALL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown(pub [OnUnknown; 3]);

/// Everything that a set of files holds, typed and settled, ready to be written.
#[derive(Debug)]
pub struct Load {
    pub symbols: Symbols,
    pub files: Vec<FileRead>,
    /// Dimension tables first.
    pub tables: Vec<TableLoad>,
    /// `[defaults]` of the map, as key and text.
    pub defaults: Vec<(String, String)>,
    /// blake3 of the map; empty without one.
    pub map_digest: String,
    /// What a pull notes in the transaction of its rows.
    pub note: Option<PullNote>,
}

/// How far a source was read. Kept with the rows or not at all, so that a source never counts as
/// read when its rows are not there.
#[derive(Clone, Debug)]
pub struct PullNote {
    pub job: String,
    pub source: String,
    /// `None` where the source has none, or none yet.
    pub watermark: Option<String>,
    pub columns: Vec<ColumnSeen>,
    pub rows: u64,
    /// The file or object that was read.
    pub file: Option<FileSeen>,
}

/// A column as the source had it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ColumnSeen {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSeen {
    /// Path below the folder, or key below the prefix.
    pub name: String,
    pub size_bytes: u64,
    /// What changes when the file does: an object's ETag, a file's times and inode.
    pub version: String,
    /// blake3 of the bytes.
    pub digest: String,
}

#[derive(Clone, Debug)]
pub struct FileRead {
    pub name: String,
    pub digest: String,
}
