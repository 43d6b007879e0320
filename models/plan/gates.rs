//! Gates hold what a person should see first. A gate never merely warns, and it fails closed: a
//! limit that is on and cannot be evaluated, because a number is missing, overflowed or not a
//! number, holds. Where there is honestly nothing to compare with, as on a job's first run,
//! [`hold_plan`] leaves the comparison out and [`not_compared`] says so.

mod evidence;
mod limits;
mod line_gates;
mod plan_gates;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::plan::line::{LineState, ReorderLine};
use crate::policy::terms::SupplyKind;

pub use evidence::{Evidence, OrderTerms, StockGone, UnseenRelease, usual_daily_demand};
pub use limits::{BadLimit, GateLimits};
pub use plan_gates::{PreviousRun, RunFacts, hold_plan, not_compared};

/// Holds every line that a gate stops and returns a finding for each gate that does, with the
/// index of its line; the first one's code is the line's `held_because`.
///
/// What a supplier's lines come to is judged last and of the lines that nothing else holds: one
/// absurd line is held by itself and does not keep its supplier's others.
pub fn hold_lines(lines: &mut [ReorderLine], limits: &GateLimits) -> Vec<(usize, Finding)> {
    let mut findings = Vec::new();
    for (at, line) in lines.iter_mut().enumerate() {
        if line.state != LineState::Proposed {
            continue;
        }
        let found = line_gates::all(line, limits);
        hold(at, line, found, &mut findings);
    }
    for (at, finding) in line_gates::suppliers_over_budget(lines, limits) {
        hold(at, &mut lines[at], vec![finding], &mut findings);
    }
    findings
}

/// The most that an override may say of a line without somebody's approval, smallest units; `None`
/// where nothing limits it. Where there is not enough history, as many times what the night says as
/// otherwise of the largest demand.
pub fn quantity_cap(line: &ReorderLine, limits: &GateLimits) -> Option<i64> {
    let facts = &line.facts;
    let times = limits.max_times_largest_demand;
    let seen = facts.largest_demand_seen.filter(|_| !line_gates::is_new(line, limits));
    let of_history = (times > 0.0).then(|| {
        let most = (times * seen.unwrap_or(line.qty) as f64).floor() as i64;
        if seen.is_some() { most.max(facts.multiple) } else { most }
    });
    let of_line = (limits.max_line_qty != 0)
        .then(|| limits.max_line_qty.saturating_mul(facts.per_base.max(1)));
    [facts.evidence.max_order_qty, of_line, of_history].into_iter().flatten().min()
}

fn hold(
    at: usize,
    line: &mut ReorderLine,
    found: Vec<Finding>,
    findings: &mut Vec<(usize, Finding)>,
) {
    let Some(first) = found.first() else { return };
    line.state = LineState::Held;
    line.held_because = Some(first.code);
    findings.extend(found.into_iter().map(|finding| (at, finding)));
}

/// Whether a value is over its limit. What cannot be compared is.
fn over(value: f64, limit: f64) -> bool {
    value.partial_cmp(&limit).is_none_or(Ordering::is_gt)
}

/// What a plan buys or makes, per currency, minor units, held lines included. Transfers cost
/// nothing here.
pub fn run_value_minor(lines: &[ReorderLine]) -> BTreeMap<String, i64> {
    value_of(lines.iter())
}

/// The same of the lines that nothing holds: what goes out if nobody objects.
pub fn proposed_value_minor(lines: &[ReorderLine]) -> BTreeMap<String, i64> {
    value_of(lines.iter().filter(|line| line.state != LineState::Held))
}

fn value_of<'a>(lines: impl Iterator<Item = &'a ReorderLine>) -> BTreeMap<String, i64> {
    let mut values: BTreeMap<String, i64> = BTreeMap::new();
    for line in lines.filter(|line| line.kind != SupplyKind::Transfer) {
        let value = values.entry(line.currency.clone()).or_default();
        *value = value.saturating_add(line.value_minor);
    }
    values
}
