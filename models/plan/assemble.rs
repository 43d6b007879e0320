//! All lines of a night in one order.

use std::cmp::Reverse;

use crate::plan::line::ReorderLine;

/// Sorts the lines by key, so that the plan does not depend on which thread planned what, and ranks
/// them: first what runs short first, and among these what is worth most.
pub fn assemble(mut lines: Vec<ReorderLine>) -> Vec<ReorderLine> {
    lines.sort_by(|a, b| a.line_key.cmp(&b.line_key));
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|&at| {
        let line = &lines[at];
        (line.need_on, Reverse(line.expected_value_minor), at)
    });
    for (rank, at) in order.into_iter().enumerate() {
        lines[at].priority = rank as u32 + 1;
    }
    lines
}
