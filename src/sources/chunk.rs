//! Some rows of a file, before any rule: columns of text, numbers, dates or instants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// One cell as the file holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Text(&'a str),
    Int(i64),
    Real(f64),
    /// Days since 1970-01-01.
    Day(i32),
    /// Microseconds since 1970-01-01T00:00:00, UTC where the file says so.
    Stamp(i64),
}

/// Texts end to end, with where each ends.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TextColumn {
    texts: String,
    ends: Vec<usize>,
    nulls: Vec<bool>,
}

impl TextColumn {
    pub fn push(&mut self, text: Option<&str>) {
        self.texts.push_str(text.unwrap_or(""));
        self.ends.push(self.texts.len());
        self.nulls.push(text.is_none());
    }

    fn get(&self, row: usize) -> Cell<'_> {
        if self.nulls[row] {
            return Cell::Null;
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        Cell::Text(&self.texts[start..self.ends[row]])
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Cells {
    /// No rule uses the column.
    Unread,
    Text(TextColumn),
    Int(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Day(Vec<Option<i32>>),
    Stamp(Vec<Option<i64>>),
}

impl Cells {
    pub fn get(&self, row: usize) -> Cell<'_> {
        match self {
            Cells::Unread => Cell::Null,
            Cells::Text(column) => column.get(row),
            Cells::Int(column) => column[row].map_or(Cell::Null, Cell::Int),
            Cells::Real(column) => column[row].map_or(Cell::Null, Cell::Real),
            Cells::Day(column) => column[row].map_or(Cell::Null, Cell::Day),
            Cells::Stamp(column) => column[row].map_or(Cell::Null, Cell::Stamp),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Chunk {
    /// As a person counts: 1 is the file's first line.
    pub row_numbers: Vec<u32>,
    /// One for each header.
    pub columns: Vec<Cells>,
    /// Rows that cannot be read at all, by place in the chunk.
    pub bad: BTreeMap<usize, Problem>,
}

impl Chunk {
    pub fn len(&self) -> usize {
        self.row_numbers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.row_numbers.is_empty()
    }
}

/// A file that is read in chunks.
pub trait ChunkReader: Send {
    fn headers(&self) -> &[String];
    /// The type of each column as the source names it; empty in formats that have no types.
    fn types(&self) -> Vec<String> {
        vec![String::new(); self.headers().len()]
    }
    /// Reads only the columns for which this is true.
    fn select(&mut self, wanted: Vec<bool>);
    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>>;
}

/// Text of a cell as a person would write it; `None` for a null.
pub fn write_cell(cell: Cell<'_>, to: &mut String) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = match cell {
        Cell::Null => Ok(()),
        Cell::Text(text) => {
            to.push_str(text);
            Ok(())
        }
        Cell::Int(value) => write!(to, "{value}"),
        Cell::Real(value) => write!(to, "{value}"),
        Cell::Day(days) => write!(to, "{}", granary_models::calendar::Day(days)),
        Cell::Stamp(micros) => match chrono::DateTime::from_timestamp_micros(micros) {
            Some(at) => write!(to, "{}", at.format("%Y-%m-%dT%H:%M:%S%.fZ")),
            None => write!(to, "{micros} µs"),
        },
    };
}
