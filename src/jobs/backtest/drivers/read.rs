//! Files of drivers: every row to the place of its group and step.

use std::collections::BTreeSet;
use std::path::Path;

use granary_models::series::StaticColumn;

use super::super::read::{Columns, cell_text, opened, rejected, unbroken};
use super::super::rejections::{Rejections, Wrong};
use super::super::table::LongTable;
use super::Made;
use super::block::{DriverBlock, Groups, NO_GROUP, first_steps};
use super::declare::{Join, Layout};
use super::draft::Draft;
use crate::sources::{Chunk, file_name};

/// Between the labels of a group; no label holds a control character.
const BETWEEN: char = '\u{1f}';
/// Of rows as a person counts: the first is that of the headers.
const NO_ROW: u32 = 0;

/// A property of series that files of drivers may be joined on: its column and the labels.
pub struct Key<'a> {
    pub name: &'a str,
    pub codes: &'a [u32],
    pub labels: &'a [String],
}

impl<'a> Key<'a> {
    pub fn of(column: &'a StaticColumn) -> Key<'a> {
        Key { name: &column.name, codes: &column.codes, labels: &column.labels }
    }

    fn label(&self, series: usize) -> &'a str {
        &self.labels[self.codes[series] as usize]
    }
}

/// Reads a file of drivers for the series of `table`. The second value says what was left out.
///
/// # Errors
/// A cell that is no number, label or step, a row that repeats a group and step, a file without a
/// row that belongs to the table.
pub fn read(
    path: &Path,
    layout: &Layout,
    columns: &Columns,
    table: &LongTable,
    keys: &[Key],
) -> anyhow::Result<(Made, Vec<String>)> {
    let name = path.display().to_string();
    let mut reader = opened(path)?;
    let headers = reader.headers().to_vec();
    let groups = groups(table, &layout.join, keys);
    let mut wanted = vec![false; headers.len()];
    let used = layout.drivers.iter().map(|of| of.0).chain(layout.join.places());
    used.chain([layout.time]).for_each(|at| wanted[at] = true);
    reader.select(wanted);
    let draft = |&(at, known): &(usize, _)| {
        let values = vec![f32::NAN; groups.slots()];
        Draft::new(&headers[at], known).with_values(values)
    };
    let mut rows = Rows {
        table,
        layout,
        headers: &headers,
        drafts: layout.drivers.iter().map(draft).collect(),
        row_of: vec![NO_ROW; groups.slots()],
        groups,
        last_group: None,
        books: RowBooks::default(),
        rejections: Rejections::default(),
        key: String::new(),
    };
    while let Some(chunk) = unbroken(&name, || reader.next_chunk())? {
        (0..chunk.len()).for_each(|row| rows.take(&chunk, row));
    }
    rows.rejections.check(&name)?;
    rows.books.check(&name)?;
    let joined_by: Vec<String> = match &layout.join {
        Join::Series(_) => vec![columns.id.clone()],
        Join::Labels(keys) => keys.iter().map(|(_, key)| key.clone()).collect(),
        Join::Date => Vec::new(),
    };
    let file = file_name(path);
    let notes = rows.books.notes(&file);
    Ok((DriverBlock::new(table, &file, joined_by, rows.groups, rows.drafts), notes))
}

/// The groups that rows of a file may belong to.
fn groups(table: &LongTable, join: &Join, keys: &[Key]) -> Groups {
    let labels = match join {
        Join::Series(_) => return Groups::of_each(table),
        Join::Date => Vec::new(),
        Join::Labels(labels) => labels
            .iter()
            .filter_map(|(_, name)| keys.iter().find(|key| key.name == name))
            .collect::<Vec<&Key>>(),
    };
    // A series with an unknown label is of no group.
    let name = |series: usize| {
        let own: Vec<&str> = labels.iter().map(|key| key.label(series)).collect();
        (!own.contains(&"")).then(|| own.join(&BETWEEN.to_string()))
    };
    let names: BTreeSet<String> = (0..table.len()).filter_map(name).collect();
    let names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
    let group = |series: usize| {
        let found = name(series).and_then(|own| names.binary_search_by(|of| (**of).cmp(&own)).ok());
        found.map_or(NO_GROUP, |group| group as u32)
    };
    let of_series = (0..table.len()).map(group).collect();
    Groups::new(names, of_series, &first_steps(table), table.last)
}

/// What became of the rows of a file.
#[derive(Default)]
struct RowBooks {
    taken: u64,
    /// Of series that are not in the table.
    strangers: u64,
    first_stranger: Option<(u32, String)>,
    /// At steps at which no series of the group has a value to be known.
    outside: u64,
    repeated: u64,
    /// What is told of the first row that repeats another.
    first_repeated: Option<String>,
}

impl RowBooks {
    fn check(&self, name: &str) -> anyhow::Result<()> {
        if let Some(told) = &self.first_repeated {
            return Err(rejected(format!(
                "{name}: {told}; rows that repeat another: {}",
                self.repeated
            )));
        }
        if self.taken > 0 {
            return Ok(());
        }
        let read = self.strangers + self.outside;
        Err(rejected(match &self.first_stranger {
            _ if read == 0 => format!("{name} has no rows"),
            Some((row, key)) if self.outside == 0 => format!(
                "{name}: none of its {read} rows is of a series of the panel; row {row} is of {key:?}"
            ),
            _ => format!("{name}: none of its {read} rows is of a series and step of the panel"),
        }))
    }

    fn notes(&self, file: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((row, key)) = &self.first_stranger {
            let count = self.strangers;
            notes.push(format!(
                "rows of {file} whose series are not in the panel: {count}, the first is row {row}, \
                 {key:?}"
            ));
        }
        if self.outside > 0 {
            notes
                .push(format!("rows of {file} beyond the steps of their series: {}", self.outside));
        }
        notes
    }
}

struct Rows<'a> {
    table: &'a LongTable,
    layout: &'a Layout,
    headers: &'a [String],
    groups: Groups,
    drafts: Vec<Draft>,
    /// Where each value was read, as a person counts.
    row_of: Vec<u32>,
    /// Most files have a group's rows together.
    last_group: Option<usize>,
    books: RowBooks,
    rejections: Rejections,
    /// The group of the row.
    key: String,
}

impl Rows<'_> {
    fn take(&mut self, chunk: &Chunk, row: usize) {
        let number = chunk.row_numbers[row];
        if let Some(problem) = chunk.bad.get(&row) {
            return self.rejections.row(number, &problem.reason);
        }
        if let Err((at, why)) = self.cells(chunk, row, number) {
            self.rejections.cell(number, &self.headers[at], chunk.columns[at].get(row), &why);
        }
    }

    fn cells(&mut self, chunk: &Chunk, row: usize, number: u32) -> Result<(), Wrong> {
        let time = self.layout.time;
        let clock = self.table.clock;
        let label = clock.freq.read(chunk.columns[time].get(row)).map_err(|why| (time, why))?;
        let misfit = || {
            let unit = clock.freq.unit();
            (
                time,
                format!(
                    "it is not one of the panel's {unit}s, such as {}",
                    clock.text(self.table.last)
                ),
            )
        };
        let step = clock.step(label).ok_or_else(misfit)?;
        self.read_key(chunk, row)?;
        let Some(group) = self.group() else {
            self.books.strangers += 1;
            let shown = || (number, self.key.replace(BETWEEN, ", "));
            self.books.first_stranger.get_or_insert_with(shown);
            return Ok(());
        };
        let Some(slot) = self.groups.slot(group, step) else {
            self.books.outside += 1;
            return Ok(());
        };
        let first = std::mem::replace(&mut self.row_of[slot], number);
        if first != NO_ROW {
            self.repeat(label, first, number);
            return Ok(());
        }
        self.books.taken += 1;
        for (&(at, _), draft) in self.layout.drivers.iter().zip(&mut self.drafts) {
            let value = draft.value(chunk.columns[at].get(row), number);
            draft.values[slot] = value.map_err(|why| (at, why))?;
        }
        Ok(())
    }

    fn repeat(&mut self, label: i64, first: u32, number: u32) {
        self.books.repeated += 1;
        let when = self.table.clock.label_text(label);
        let shown = || match &self.layout.join {
            Join::Date => format!("{when} is there twice, in rows {first} and {number}"),
            _ => {
                let key = self.key.replace(BETWEEN, ", ");
                format!("{key:?} has {when} twice, in rows {first} and {number}")
            }
        };
        self.books.first_repeated.get_or_insert_with(shown);
    }

    fn read_key(&mut self, chunk: &Chunk, row: usize) -> Result<(), Wrong> {
        self.key.clear();
        let mut scratch = String::new();
        for (n, at) in self.layout.join.places().enumerate() {
            let text = cell_text(chunk.columns[at].get(row), &mut scratch);
            if text.is_empty() {
                return Err((at, "it is missing; want what the row belongs to".into()));
            }
            if n > 0 {
                self.key.push(BETWEEN);
            }
            self.key.push_str(text);
        }
        Ok(())
    }

    fn group(&mut self) -> Option<usize> {
        match self.last_group {
            Some(last) if *self.groups.names[last] == self.key => {}
            _ => self.last_group = self.groups.find(&self.key),
        }
        self.last_group
    }
}
