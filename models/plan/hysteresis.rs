//! A plan that is made again from nearly the same facts should be nearly the same plan: people have
//! seen the last one, and a change that is worth little costs them more than it brings.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::calendar::Day;
use crate::plan::line::ReorderLine;

/// When a line keeps the quantity of the plan before. By default never.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hysteresis {
    /// A change by less than so many order multiples is not made.
    pub lots: u32,
    /// Nor one that is worth less than this share of the line.
    pub min_value_share: f64,
    /// Nor one worth less than this, minor units.
    pub min_value_minor: i64,
    /// Lines that were planned to arrive within so many days keep their quantity.
    pub freeze_days: u32,
}

impl Hysteresis {
    /// What a change must be worth for a line that is worth `value`.
    pub(super) fn least_gain(&self, value: f64) -> f64 {
        (self.min_value_share * value.abs()).max(self.min_value_minor as f64)
    }

    pub(super) fn small(&self, change: i64, multiple: i64) -> bool {
        change.unsigned_abs() < u64::from(self.lots) * multiple.max(1).unsigned_abs()
    }

    pub(super) fn freezes(&self, before: &PreviousLine, today: Day) -> bool {
        before.expected_on - today < self.freeze_days as i32
    }
}

/// The plan before: of the same business date, or what the night before proposed and nobody has
/// released.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Previous {
    /// By [`key_without_date`].
    pub lines: BTreeMap<String, PreviousLine>,
    /// The plan was one of the same business date: a line that it does not have was not wanted.
    pub whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousLine {
    /// Smallest units.
    pub qty: i64,
    pub expected_on: Day,
}

impl Previous {
    /// A plan to compare the next with, e.g. in a replay.
    pub fn of(lines: &[ReorderLine], whole: bool) -> Previous {
        let entry = |line: &ReorderLine| {
            let before = PreviousLine { qty: line.qty, expected_on: line.expected_on };
            (key_without_date(&line.line_key).to_owned(), before)
        };
        Previous { lines: lines.iter().map(entry).collect(), whole }
    }

    /// What the line was; `None` where nothing can be said.
    pub(super) fn qty(&self, line_key: &str) -> Option<i64> {
        match self.lines.get(key_without_date(line_key)) {
            Some(before) => Some(before.qty),
            None => self.whole.then_some(0),
        }
    }
}

/// `purchase/A17/STORE-3/SUP-9` of `2025-10-20/purchase/A17/STORE-3/SUP-9`.
pub fn key_without_date(line_key: &str) -> &str {
    line_key.split_once('/').map_or(line_key, |(_, key)| key)
}
