//! What does not change about series: a file with a row for each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use granary_models::series::StaticColumn;

use super::super::read::{cell_text, check_text, opened, rejected, unbroken};
use super::super::rejections::{Rejections, Wrong};
use super::super::table::LongTable;
use super::declare::StaticLayout;
use crate::sources::{Chunk, file_name};

/// A column of more labels than this is no property to learn from.
const LABELS_MAX: usize = 65_535;
const NO_ROW: u32 = 0;

/// Properties of the series of a table, each of which has a label, the empty one where none is
/// known.
#[derive(Debug)]
pub struct Statics {
    pub columns: Vec<StaticColumn>,
    pub category: Option<StaticColumn>,
    pub notes: Vec<String>,
}

/// A column under way: labels in the order in which they came.
struct Draft {
    at: usize,
    name: String,
    codes: Vec<u32>,
    labels: Vec<Box<str>>,
    by_label: BTreeMap<Box<str>, u32>,
}

impl Draft {
    fn new(at: usize, name: &str, series: usize) -> Draft {
        let mut draft = Draft {
            at,
            name: name.to_owned(),
            codes: vec![0; series],
            labels: Vec::new(),
            by_label: BTreeMap::new(),
        };
        draft.code("");
        draft
    }

    fn code(&mut self, label: &str) -> u32 {
        if let Some(&code) = self.by_label.get(label) {
            return code;
        }
        let code = self.labels.len() as u32;
        self.labels.push(label.into());
        self.by_label.insert(label.into(), code);
        code
    }

    fn finish(self) -> StaticColumn {
        let labels: Vec<String> = self.labels.into_iter().map(String::from).collect();
        restricted(&self.name, &labels, self.codes.iter().copied())
    }
}

/// A column of some series, with only the labels that they have, in the order of their names.
fn restricted(name: &str, labels: &[String], codes: impl Iterator<Item = u32>) -> StaticColumn {
    let mut codes: Vec<u32> = codes.collect();
    let mut used: Vec<u32> = codes.clone();
    used.sort_unstable();
    used.dedup();
    used.sort_by(|&a, &b| labels[a as usize].cmp(&labels[b as usize]));
    let mut place = vec![0; labels.len()];
    used.iter().zip(0..).for_each(|(&code, at)| place[code as usize] = at);
    codes.iter_mut().for_each(|code| *code = place[*code as usize]);
    let labels: Arc<[String]> = used.iter().map(|&code| labels[code as usize].clone()).collect();
    StaticColumn { name: name.to_owned(), codes: codes.into(), labels }
}

/// The properties of some series of the table.
pub fn of_members(
    columns: &[StaticColumn],
    series: impl Iterator<Item = usize> + Clone,
) -> Vec<StaticColumn> {
    let one = |column: &StaticColumn| {
        let codes = series.clone().map(|series| column.codes[series]);
        restricted(&column.name, &column.labels, codes)
    };
    columns.iter().map(one).collect()
}

/// Reads the properties of the series of `table`.
///
/// # Errors
/// A series that comes twice, too many labels, a file without a row of any series.
pub fn read(path: &Path, layout: &StaticLayout, table: &LongTable) -> anyhow::Result<Statics> {
    let name = path.display().to_string();
    let mut reader = opened(path)?;
    let headers = reader.headers().to_vec();
    let places = || layout.columns.iter().chain(&layout.category).copied();
    let mut wanted = vec![false; headers.len()];
    places().chain([layout.id]).for_each(|at| wanted[at] = true);
    reader.select(wanted);
    let mut rows = Rows {
        table,
        headers: &headers,
        id: layout.id,
        drafts: places().map(|at| Draft::new(at, &headers[at], table.len())).collect(),
        row_of: vec![NO_ROW; table.len()],
        others: 0,
        rejections: Rejections::default(),
    };
    while let Some(chunk) = unbroken(&name, || reader.next_chunk())? {
        (0..chunk.len()).for_each(|row| rows.take(&chunk, row));
    }
    rows.rejections.check(&name)?;
    let without = rows.row_of.iter().filter(|&&row| row == NO_ROW).count();
    if without == table.len() {
        return Err(rejected(format!("{name}: none of its rows is of a series of the panel")));
    }
    let file = file_name(path);
    let mut notes = Vec::new();
    if without > 0 {
        notes.push(format!("series without a row in {file}: {without}"));
    }
    if rows.others > 0 {
        notes.push(format!("rows of {file} whose series are not in the panel: {}", rows.others));
    }
    if let Some(at) = layout.unused {
        notes.push(format!(
            "column `{}` of {file} is not used: the panel says the category",
            headers[at]
        ));
    }
    if let Some(many) = rows.drafts.iter().find(|draft| draft.labels.len() > LABELS_MAX) {
        return Err(rejected(format!(
            "{name}: column `{}` has {} labels; at most {LABELS_MAX} are a property",
            many.name,
            many.labels.len() - 1
        )));
    }
    let mut columns: Vec<StaticColumn> = rows.drafts.into_iter().map(Draft::finish).collect();
    let category = layout.category.and_then(|_| columns.pop());
    Ok(Statics { columns, category, notes })
}

struct Rows<'a> {
    table: &'a LongTable,
    headers: &'a [String],
    id: usize,
    drafts: Vec<Draft>,
    /// Where each series was read, as a person counts.
    row_of: Vec<u32>,
    /// Rows of series that are not in the table.
    others: u64,
    rejections: Rejections,
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
        let mut scratch = String::new();
        let id = cell_text(chunk.columns[self.id].get(row), &mut scratch);
        if id.is_empty() {
            return Err((self.id, "it is missing; want the series' name".into()));
        }
        let ids = &self.table.ids;
        let Ok(series) = ids.binary_search_by(|known| (**known).cmp(id)) else {
            self.others += 1;
            return Ok(());
        };
        let first = std::mem::replace(&mut self.row_of[series], number);
        if first != NO_ROW {
            return Err((self.id, format!("row {first} has that series already")));
        }
        for draft in &mut self.drafts {
            let text = cell_text(chunk.columns[draft.at].get(row), &mut scratch);
            check_text(text).map_err(|why| (draft.at, why))?;
            // `None` or `NA` may well be a label; only this is never one.
            let code = draft.code(if text == "NaN" { "" } else { text });
            draft.codes[series] = code;
        }
        Ok(())
    }
}
