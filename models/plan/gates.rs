//! Gates hold what a person should see first. A gate never merely warns.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::{Code, Finding};
use crate::plan::line::{LineState, ReorderLine};
use crate::policy::terms::SupplyKind;

/// Limits of a job. 0 switches a gate off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateLimits {
    /// A line over this many times the largest demand ever seen in as many days as it covers is
    /// held, unless it is a single order multiple. Default 3.
    pub max_times_largest_demand: f64,
    /// A line that brings stock and orders to more than this many days of demand is held, unless as
    /// much was sold before within a protection interval. Default 120.
    pub max_cover_days: f64,
    /// An item with fewer days of history counts as new. Default 28.
    pub new_item_days: u32,
    /// A new item's line over this value is held, minor units. Default 1,000,000.
    pub new_item_max_value_minor: i64,
    /// The plan is held when what it buys differs from the previous run's by more than this share,
    /// up or down. Default 0.5.
    pub max_run_value_change: f64,
    /// The plan is held when what it buys in any one currency is over this, minor units. Default 0.
    pub max_run_value_minor: i64,
}

impl Default for GateLimits {
    fn default() -> GateLimits {
        GateLimits {
            max_times_largest_demand: 3.0,
            max_cover_days: 120.0,
            new_item_days: 28,
            new_item_max_value_minor: 1_000_000,
            max_run_value_change: 0.5,
            max_run_value_minor: 0,
        }
    }
}

/// Holds every line that a gate stops, for the first gate that does, and returns one finding for
/// each, with the index of its line.
pub fn hold_lines(lines: &mut [ReorderLine], limits: &GateLimits) -> Vec<(usize, Finding)> {
    let mut findings = Vec::new();
    for (at, line) in lines.iter_mut().enumerate() {
        if line.state != LineState::Proposed {
            continue;
        }
        if let Some(finding) = line_gate(line, limits) {
            line.state = LineState::Held;
            line.held_because = Some(finding.code);
            findings.push((at, finding));
        }
    }
    findings
}

fn line_gate(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let facts = &line.facts;
    let new = facts.history_days.is_some_and(|days| days < limits.new_item_days);
    let value_limit = limits.new_item_max_value_minor;
    if new && value_limit > 0 && line.value_minor > value_limit {
        let detail = format!(
            "{} of history and a line worth {} minor units, limit {value_limit}",
            days(facts.history_days.unwrap_or(0)),
            line.value_minor
        );
        return Some(Finding::new(Code::GateNewItem, detail));
    }
    let times = limits.max_times_largest_demand;
    if let Some((largest, limit)) = facts.largest_demand_seen.zip(quantity_cap(line, limits))
        && line.qty > limit
    {
        let detail = format!(
            "{} ordered, the largest demand seen in a protection interval is {largest}, \
             limit {times} times",
            line.qty
        );
        return Some(Finding::new(Code::GateQuantity, detail));
    }
    let sold_before = facts.largest_demand_seen.is_some_and(|largest| line.qty <= largest);
    if limits.max_cover_days > 0.0 && !sold_before {
        let stock = facts.position.max(0).saturating_add(line.qty) as f64;
        if stock > limits.max_cover_days * facts.daily_demand {
            let cover =
                if facts.daily_demand > 0.0 { stock / facts.daily_demand } else { f64::INFINITY };
            let detail = format!("cover of {cover:.0} days, limit {:.0}", limits.max_cover_days);
            return Some(Finding::new(Code::GateCover, detail));
        }
    }
    None
}

/// The most that a line may hold without somebody's approval, smallest units; `None` where neither
/// history nor the limits say.
pub fn quantity_cap(line: &ReorderLine, limits: &GateLimits) -> Option<i64> {
    let facts = &line.facts;
    let new = facts.history_days.is_some_and(|days| days < limits.new_item_days);
    let times = limits.max_times_largest_demand;
    let largest = facts.largest_demand_seen.filter(|_| !new && times > 0.0)?;
    Some(((times * largest as f64).floor() as i64).max(facts.multiple))
}

fn days(n: u32) -> String {
    format!("{n} {}", if n == 1 { "day" } else { "days" })
}

/// What a plan buys or makes, per currency, minor units. Transfers cost nothing here.
pub fn run_value_minor(lines: &[ReorderLine]) -> BTreeMap<String, i64> {
    let mut values: BTreeMap<String, i64> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.kind != SupplyKind::Transfer) {
        let value = values.entry(line.currency.clone()).or_default();
        *value = value.saturating_add(line.value_minor);
    }
    values
}

/// Facts about a run that its lines do not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFacts {
    /// [`run_value_minor`] of the last published run; `None` before the first.
    pub previous_value_minor: Option<BTreeMap<String, i64>>,
    /// One sentence per input that is older than the job allows.
    pub stale_inputs: Vec<String>,
}

/// Every gate that holds the whole plan; it is published only if there are none. The first one's
/// code is the plan's `held_because`.
pub fn hold_plan(lines: &[ReorderLine], facts: &RunFacts, limits: &GateLimits) -> Vec<Finding> {
    let mut held: Vec<Finding> = facts
        .stale_inputs
        .iter()
        .map(|detail| Finding::new(Code::GateStaleInput, detail.clone()))
        .collect();
    let values = run_value_minor(lines);
    let most = limits.max_run_value_minor;
    for (currency, &value) in values.iter().filter(|&(_, &value)| most > 0 && value > most) {
        let detail = format!("the run buys for {value} {currency} minor units, limit {most}");
        held.push(Finding::new(Code::GateRunValue, detail));
    }
    let Some(previous) = facts.previous_value_minor.as_ref() else { return held };
    let change = limits.max_run_value_change;
    if change <= 0.0 {
        return held;
    }
    let currencies: std::collections::BTreeSet<&String> =
        values.keys().chain(previous.keys()).collect();
    for currency in currencies {
        let of = |values: &BTreeMap<String, i64>| values.get(currency).copied().unwrap_or(0) as f64;
        let (now, before) = (of(&values), of(previous));
        if (now - before).abs() > change * before {
            let detail = format!(
                "the run buys for {now:.0} {currency} minor units, the previous one for \
                 {before:.0}, limit ±{:.0}%",
                100.0 * change
            );
            held.push(Finding::new(Code::GateRunValueChange, detail));
        }
    }
    held
}
