//! Numbers that belong to a series: from columns of the panel, or from a table of their own.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::super::backtest::read::{
    Legal, ROW_GROUP_BYTES_MAX, cell_text, number, rejected, unbroken,
};
use crate::jobs::backtest::LongTable;
use crate::sources::{Limits, nearest, open_table};

/// What any of the columns may hold.
const LEGAL: Legal = Legal { range: 0.0..=1e12, words: "0 to 1e12, or empty" };

/// A column of a file with a row per series and, where there is time, step.
#[derive(Clone, Debug, Default)]
pub struct NumberColumn {
    /// Per series the steps with a value, ascending; of a table without time all at step 0.
    pub values: Vec<Vec<(i64, f64)>>,
}

impl NumberColumn {
    /// The one value of a series.
    ///
    /// # Errors
    /// When there is none, or several that differ.
    pub fn one(&self, series: usize, id: &str, name: &str) -> anyhow::Result<f64> {
        let values = &self.values[series];
        let Some(&(_, first)) = values.first() else {
            return Err(rejected(format!("series {id:?} has no value of `{name}`")));
        };
        match values.iter().find(|(_, value)| *value != first) {
            None => Ok(first),
            Some((_, other)) => Err(rejected(format!(
                "series {id:?} has {first} and {other} of `{name}`; want one value for a series"
            ))),
        }
    }

    /// The last value up to a step.
    ///
    /// # Errors
    /// When there is none.
    pub fn until(&self, series: usize, step: i64, id: &str, name: &str) -> anyhow::Result<f64> {
        let values = &self.values[series];
        let before = values.partition_point(|(at, _)| *at <= step);
        // A table without time has its one value at step 0, whatever the steps of the panel.
        let found = values[..before].last().or(values.first().filter(|_| values.len() == 1));
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| rejected(format!("series {id:?} has no value of `{name}` by then")))
    }

    /// The value at a step, 0 where there is none.
    pub fn at(&self, series: usize, step: i64) -> f64 {
        let values = &self.values[series];
        values.binary_search_by_key(&step, |(at, _)| *at).map_or(0.0, |at| values[at].1)
    }
}

/// A file whose columns are wanted.
pub struct Source<'a> {
    pub path: &'a Path,
    pub id_col: &'a str,
    /// The panel's column of time; `None` for a table with a row per series.
    pub time_col: Option<&'a str>,
}

/// Names of the columns of a file.
pub fn headers(path: &Path) -> anyhow::Result<Vec<String>> {
    let name = path.display().to_string();
    std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
    let limits = Limits { unpacked_bytes: ROW_GROUP_BYTES_MAX, ..Limits::default() };
    Ok(unbroken(&name, || open_table(path, &limits))?.headers().to_vec())
}

/// Reads the named columns of a file for the series of `table`; rows of other series are left out.
///
/// # Errors
/// A column that is not there, a cell that is no number, a series that comes twice.
pub fn read(
    source: &Source,
    names: &[String],
    table: &LongTable,
) -> anyhow::Result<BTreeMap<String, NumberColumn>> {
    let file = source.path.display().to_string();
    let limits = Limits { unpacked_bytes: ROW_GROUP_BYTES_MAX, ..Limits::default() };
    let mut reader = unbroken(&file, || open_table(source.path, &limits))?;
    let headers = reader.headers().to_vec();
    let place = |name: &str| {
        headers.iter().position(|header| header.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let near = nearest(name, headers.iter().map(String::as_str))
                .map_or(String::new(), |near| format!("; is it `{near}`?"));
            rejected(format!(
                "{file}: there is no column `{name}` among {}{near}",
                headers.join(", ")
            ))
        })
    };
    let id_at = place(source.id_col)?;
    let time_at = source.time_col.map(place).transpose()?;
    let places: Vec<usize> = names.iter().map(|name| place(name)).collect::<Result<_, _>>()?;
    let mut wanted = vec![false; headers.len()];
    places.iter().chain(&time_at).for_each(|&at| wanted[at] = true);
    wanted[id_at] = true;
    reader.select(wanted);
    let mut columns = vec![NumberColumn { values: vec![Vec::new(); table.len()] }; names.len()];
    let mut seen = vec![false; table.len()];
    let mut text = String::new();
    while let Some(chunk) = unbroken(&file, || reader.next_chunk())? {
        for row in 0..chunk.len() {
            let told = |column: usize, why: String| {
                let (row, header) = (chunk.row_numbers[row], &headers[column]);
                rejected(format!("{file}: row {row}, column `{header}`: {why}"))
            };
            if let Some(problem) = chunk.bad.get(&row) {
                return Err(told(id_at, problem.reason.clone()));
            }
            let id = cell_text(chunk.columns[id_at].get(row), &mut text);
            let Ok(series) = table.ids.binary_search_by(|known| (**known).cmp(id)) else {
                continue;
            };
            let step = match time_at {
                None if seen[series] => {
                    return Err(told(id_at, format!("series {id:?} comes twice")));
                }
                None => 0,
                Some(at) => {
                    let label = table.clock.freq.read(chunk.columns[at].get(row));
                    let step = label.map_err(|why| told(at, why))?;
                    let step = table.clock.step(step).map(|step| step + table.moved[series]);
                    step.ok_or_else(|| told(at, "it is no step of the panel".into()))?
                }
            };
            seen[series] = true;
            for (column, &at) in columns.iter_mut().zip(&places) {
                let value = number(chunk.columns[at].get(row), &LEGAL);
                if let Some(value) = value.map_err(|why| told(at, why))? {
                    column.values[series].push((step, value));
                }
            }
        }
    }
    if let Some(missing) = seen.iter().position(|seen| !seen) {
        return Err(rejected(format!("{file} has no row of series {:?}", table.ids[missing])));
    }
    for column in &mut columns {
        column.values.iter_mut().for_each(|values| values.sort_by_key(|(step, _)| *step));
    }
    Ok(names.iter().cloned().zip(columns).collect())
}
