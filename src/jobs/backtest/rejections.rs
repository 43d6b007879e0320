//! Rows of a file that cannot be taken: the first are told with their places, all are counted.

use super::read::rejected;
use crate::config::{Problem, RejectCode};
use crate::sources::{Cell, write_cell};

/// Rejected rows that are told; the others are counted.
const TOLD: usize = 5;

/// A cell that cannot be taken: its column and what is wrong with it.
pub type Wrong = (usize, String);

#[derive(Default)]
pub struct Rejections {
    wrong: u64,
    told: Vec<String>,
}

impl Rejections {
    pub fn row(&mut self, number: u32, reason: &str) {
        self.push(|| format!("row {number}: {reason}"));
    }

    pub fn cell(&mut self, number: u32, header: &str, cell: Cell<'_>, why: &str) {
        self.push(|| {
            let mut text = String::new();
            write_cell(cell, &mut text);
            let value = Problem::new(RejectCode::OutOfRange, &text, "").value;
            format!("row {number}, column `{header}`: {value:?}: {why}")
        });
    }

    fn push(&mut self, message: impl FnOnce() -> String) {
        self.wrong += 1;
        if self.told.len() < TOLD {
            self.told.push(message());
        }
    }

    /// # Errors
    /// When a row was rejected.
    pub fn check(&self, file: &str) -> anyhow::Result<()> {
        if self.wrong == 0 {
            return Ok(());
        }
        let told = self.told.join("\n  ");
        Err(rejected(format!("{file}: rejected rows: {}\n  {told}", self.wrong)))
    }
}
