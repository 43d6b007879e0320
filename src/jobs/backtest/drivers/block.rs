//! The drivers of one file, laid out by group and step, and what a panel takes of them.
//!
//! A group is what rows of the file belong to: one series, all series of a city, all series. Values
//! are kept once per group, however many series it has.

use std::ops::Range;

use granary_models::series::{DriverColumn, Known, Panel};
use rayon::prelude::*;

use super::super::table::{LongTable, Origin};
use super::draft::{Draft, Driver};
use super::{DriverTold, Made, known_text};

/// No rows of the file belong to a series.
pub const NO_GROUP: u32 = u32::MAX;

/// Where the steps of each group are: from the first step of its series to the table's last.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// By name, ascending.
    pub names: Vec<Box<str>>,
    /// Per series of the table, or [`NO_GROUP`].
    pub of_series: Vec<u32>,
    start: Vec<i64>,
    /// `offsets[g]..offsets[g + 1]` are the steps of group `g` in every column.
    offsets: Vec<usize>,
}

impl Groups {
    /// Lays out the groups of series whose steps, as the file has them, go from `first` to `last`.
    pub fn new(names: Vec<Box<str>>, of_series: Vec<u32>, first: &[i64], last: i64) -> Groups {
        let mut start = vec![i64::MAX; names.len()];
        for (&group, &first) in of_series.iter().zip(first) {
            if let Some(start) = start.get_mut(group as usize) {
                *start = first.min(*start);
            }
        }
        let mut offsets = vec![0; names.len() + 1];
        for (group, &start) in start.iter().enumerate() {
            let steps = if start > last { 0 } else { (last - start + 1) as usize };
            offsets[group + 1] = offsets[group] + steps;
        }
        Groups { names, of_series, start, offsets }
    }

    /// Every series by itself.
    pub fn of_each(table: &LongTable) -> Groups {
        let series = (0..table.len() as u32).collect();
        Groups::new(table.ids.clone(), series, &first_steps(table), table.last)
    }

    /// Values of a column.
    pub fn slots(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|known| (**known).cmp(name)).ok()
    }

    /// Where the value of a group at a step is, when the group has such a step.
    pub fn slot(&self, group: usize, step: i64) -> Option<usize> {
        let at = usize::try_from(step.checked_sub(self.start[group])?).ok()?;
        (at < self.offsets[group + 1] - self.offsets[group]).then(|| self.offsets[group] + at)
    }

    /// Steps of all series up to the table's last, and those of them without a value.
    fn cells(&self, values: &[f32], first: &[i64], last: i64) -> (u64, u64) {
        let (mut cells, mut missing) = (0, 0);
        for (&group, &first) in self.of_series.iter().zip(first) {
            let own = (last - first + 1).max(0) as usize;
            cells += own as u64;
            missing += match self.offsets.get(group as usize + 1) {
                // The steps of a group end with the table's.
                Some(&end) => values[end - own..end].iter().filter(|v| v.is_nan()).count() as u64,
                None => own as u64,
            };
        }
        (cells, missing)
    }

    /// Copies the values of a series from a step on, as far as there are any.
    fn copy(&self, values: &[f32], series: usize, first: i64, to: &mut [f32]) {
        let group = self.of_series[series];
        if group == NO_GROUP {
            return;
        }
        let group = group as usize;
        let held = self.offsets[group]..self.offsets[group + 1];
        // Place of the first wanted step among the group's.
        let shift = first - self.start[group];
        let skip = (-shift).max(0) as usize;
        let from = held.start + shift.max(0) as usize;
        if skip >= to.len() || from >= held.end {
            return;
        }
        let count = (to.len() - skip).min(held.end - from);
        to[skip..skip + count].copy_from_slice(&values[from..from + count]);
    }
}

/// The first step of every series, not moved.
pub fn first_steps(table: &LongTable) -> Vec<i64> {
    let first = |series: usize| {
        table.step.get(table.offsets[series]).map_or(i64::MAX, |step| step - table.moved[series])
    };
    (0..table.len()).map(first).collect()
}

/// The drivers of one file.
#[derive(Clone, Debug)]
pub struct DriverBlock {
    pub groups: Groups,
    pub drivers: Vec<Driver>,
}

/// The series of a panel, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// In the table.
    pub series: usize,
    /// Step of the table at which its history begins.
    pub first: i64,
}

impl DriverBlock {
    /// Settles columns whose values are laid out as `groups`, and says what is told of them.
    pub fn new(
        table: &LongTable,
        file: &str,
        joined_by: Vec<String>,
        groups: Groups,
        drafts: Vec<Draft>,
    ) -> Made {
        let first = first_steps(table);
        let (mut drivers, mut all_told) = (Vec::new(), Vec::new());
        for mut draft in drafts {
            draft.settle();
            let (cells, missing) = groups.cells(&draft.values, &first, table.last);
            all_told.push(DriverTold {
                name: draft.name.clone(),
                known: known_text(draft.known),
                file: file.to_owned(),
                joined_by: joined_by.clone(),
                labels: draft.labels(),
                cells,
                missing,
                missing_ahead: None,
                place: (0, drivers.len()),
            });
            drivers.extend(draft.finish());
        }
        (DriverBlock { groups, drivers }, all_told)
    }

    /// The drivers among the panel's own columns, a value per row of the table.
    pub fn of_rows(table: &LongTable, drafts: Vec<Draft>, from: Origin) -> Made {
        let groups = Groups::of_each(table);
        let laid_out = |draft: Draft| {
            let mut values = vec![f32::NAN; groups.slots()];
            for series in 0..table.len() {
                for row in table.rows(series) {
                    // Rows after the last y are in no window.
                    if let Some(slot) = groups.slot(series, table.step[row]) {
                        values[slot] = draft.values[row];
                    }
                }
            }
            draft.with_values(values)
        };
        let drafts = drafts.into_iter().map(laid_out).collect();
        DriverBlock::new(table, from.file, vec![from.id.to_owned()], groups, drafts)
    }

    /// Steps of the horizons after all cutoffs, of all series, at which a driver has no value.
    pub fn missing_ahead(
        &self,
        table: &LongTable,
        driver: usize,
        cutoffs: &[i64],
        horizon: usize,
    ) -> u64 {
        let of_series = |series: usize| {
            let mut values = vec![f32::NAN; horizon];
            let mut missing = 0;
            for cutoff in cutoffs {
                let member = Member { series, first: cutoff + 1 };
                self.values(table, &self.drivers[driver], member, &mut values);
                missing += values.iter().filter(|value| value.is_nan()).count() as u64;
            }
            missing
        };
        (0..table.len()).into_par_iter().map(of_series).sum()
    }

    /// Values of a driver for a series from a step of the table on; NaN where unknown.
    pub fn values(&self, table: &LongTable, driver: &Driver, member: Member, to: &mut [f32]) {
        to.fill(f32::NAN);
        let first = member.first - table.moved[member.series];
        self.groups.copy(&driver.values, member.series, first, to);
        if let Some(label) = driver.label {
            let flags = to.iter_mut().filter(|value| !value.is_nan());
            flags.for_each(|value| *value = f32::from(*value == label));
        }
    }
}

/// What a panel knows of the drivers: history and horizon of what is known ahead, the history of
/// what is not. A label that was not seen by then is no column: nobody knew that it exists.
pub fn columns(
    table: &LongTable,
    blocks: &[DriverBlock],
    panel: &Panel,
    members: &[Member],
) -> Vec<DriverColumn> {
    let all: Vec<(&DriverBlock, &Driver)> =
        blocks.iter().flat_map(|block| block.drivers.iter().map(move |of| (block, of))).collect();
    let column = |(block, driver): (&DriverBlock, &Driver)| {
        let length = panel.driver_days(members.len() - 1).end;
        let mut values = vec![f32::NAN; length];
        for (at, &member) in members.iter().enumerate() {
            let days = known_days(panel, at, driver.known);
            block.values(table, driver, member, &mut values[days]);
        }
        let told = driver.label.is_none() || values.contains(&1.0);
        let column =
            |name: String| DriverColumn { name, known: driver.known, values: values.into() };
        told.then(|| column(driver.name.clone()))
    };
    if members.is_empty() {
        return Vec::new();
    }
    all.into_par_iter().filter_map(column).collect()
}

/// The days of a panel's series on which a driver of this kind is known at the cutoff.
fn known_days(panel: &Panel, at: usize, known: Known) -> Range<usize> {
    let days = panel.driver_days(at);
    match known {
        Known::Ahead => days,
        Known::Past => days.start..days.end - panel.horizon_days,
    }
}
