//! Gates of whole plans: against budgets, against the previous run, and against inputs that have
//! been lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Code, Finding};
use crate::plan::gates::{GateLimits, over, proposed_value_minor};
use crate::plan::hysteresis::key_without_date;
use crate::plan::line::{LineState, ReorderLine};

/// Fewer places more without stock than this are the matter of their lines.
const EMPTIED_PLACES_MIN: u64 = 5;

/// Facts about a run that its lines do not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFacts {
    /// One sentence per input that is older than the job allows.
    pub stale_inputs: Vec<String>,
    /// One sentence per pair of sums that should be equal and is not.
    pub unbalanced_books: Vec<String>,
    /// Series, and those that a fallback had to forecast.
    pub series: u64,
    pub fallback_series: u64,
    /// Places that were planned, and how many of them each kind of default stands in at.
    pub places: u64,
    pub defaults: BTreeMap<String, u64>,
    /// Rows of each input that should not get fewer from one night to the next.
    pub inputs: BTreeMap<String, u64>,
    /// Rows of the last day of sales, and the fewest that such a day has by its weekday or by the
    /// weeks before; `None` where there are too few days to say.
    pub sales_day_rows: u64,
    pub usual_sales_day_rows: Option<f64>,
    /// Stock counts, and those that found nothing.
    pub stock_rows: u64,
    pub empty_stock_rows: u64,
    pub open_orders: u64,
    /// Orders of today's table that were open at the previous run's date, cancelled ones included.
    pub open_orders_then: u64,
    /// What the published plans of other jobs for the same date buy, by currency.
    pub other_jobs_value_minor: BTreeMap<String, i64>,
    /// The last published run of the job before this date; `None` before the first.
    pub previous: Option<PreviousRun>,
}

/// What a published run left for the next one to be compared with. `None` where the run is older
/// than what it would have to have stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PreviousRun {
    /// `nightly@2025-10-20`.
    pub run_id: String,
    /// What it and the other published runs of its week bought, by currency, held lines left out;
    /// empty where none stored it.
    pub week_values_minor: Vec<BTreeMap<String, i64>>,
    /// How many lines they had, held ones included.
    pub week_lines: Vec<u64>,
    /// What of these runs went out and is on its way, by currency. A plan is smaller by as much.
    pub released_values_minor: BTreeMap<String, i64>,
    pub released_lines: u64,
    /// Quantities by [`key_without_date`], held lines included; smallest units.
    pub lines: BTreeMap<String, i64>,
    pub places: Option<u64>,
    pub defaults: Option<BTreeMap<String, u64>>,
    pub inputs: Option<BTreeMap<String, u64>>,
    pub stock_rows: Option<u64>,
    pub empty_stock_rows: Option<u64>,
    pub open_orders: Option<u64>,
}

/// Every gate that holds the whole plan; it is published only if there are none. The first one's
/// code is the plan's `held_because`.
pub fn hold_plan(lines: &[ReorderLine], facts: &RunFacts, limits: &GateLimits) -> Vec<Finding> {
    let all = |code: Code, details: &[String]| -> Vec<Finding> {
        details.iter().map(|detail| Finding::new(code, detail.clone())).collect()
    };
    let mut held = all(Code::GateStaleInput, &facts.stale_inputs);
    held.extend(all(Code::GateBooks, &facts.unbalanced_books));
    let values = proposed_value_minor(lines);
    held.extend(budgets(&values, facts, limits));
    held.extend(fallbacks(facts, limits));
    held.extend(sales_day(facts, limits));
    if let Some(previous) = &facts.previous {
        held.extend(inputs(facts, previous, limits));
        held.extend(orders(facts, previous, limits));
        held.extend(empty_stock(facts, previous, limits));
        held.extend(defaults(facts, previous, limits));
        held.extend(value_change(&values, previous, limits));
        held.extend(line_count(lines.len(), previous, limits));
        held.extend(changed_lines(lines, previous, limits));
    }
    held
}

/// Says which comparisons had to be left out, because there is no previous run or it stored less
/// than this version compares; `None` where all were made.
pub fn not_compared(facts: &RunFacts) -> Option<Finding> {
    let Some(previous) = &facts.previous else {
        let detail = "this is the first published run of the job, so nothing was compared with a \
                      previous one: value, lines, terms and the rows of the inputs";
        return Some(Finding::new(Code::GateNoPrevious, detail));
    };
    let stored = [
        ("value", !previous.week_values_minor.is_empty()),
        ("number of lines", !previous.week_lines.is_empty()),
        ("inputs", previous.inputs.is_some()),
        ("open orders", previous.open_orders.is_some()),
        ("stock", previous.stock_rows.is_some() && previous.empty_stock_rows.is_some()),
        ("defaults", previous.places.is_some() && previous.defaults.is_some()),
    ];
    let missing: Vec<&str> =
        stored.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect();
    if missing.is_empty() {
        return None;
    }
    let detail =
        format!("{} did not store its {}; not compared", previous.run_id, missing.join(", "));
    Some(Finding::new(Code::GateNoPrevious, detail))
}

fn budgets(values: &BTreeMap<String, i64>, facts: &RunFacts, limits: &GateLimits) -> Vec<Finding> {
    let mut held = Vec::new();
    let (run, day) = (limits.max_run_value_minor, limits.max_day_value_minor);
    for (currency, &value) in values {
        if run != 0 && value > run {
            let detail = format!("the run buys for {value} {currency} minor units, limit {run}");
            held.push(Finding::new(Code::GateRunValue, detail));
        }
        let others = facts.other_jobs_value_minor.get(currency).copied().unwrap_or(0);
        let all = value.saturating_add(others);
        if day != 0 && all > day {
            let detail = format!(
                "the run buys for {value} {currency} minor units and other jobs for {others} on \
                 the same date, limit {day}"
            );
            held.push(Finding::new(Code::GateDayValue, detail));
        }
    }
    held
}

/// `part` of `whole` as a share; not a number where there is no whole, which holds.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn percent(share: f64) -> f64 {
    100.0 * share
}

fn fallbacks(facts: &RunFacts, limits: &GateLimits) -> Option<Finding> {
    let limit = limits.max_fallback_share;
    if limit == 0.0 || !over(share(facts.fallback_series, facts.series), limit) {
        return None;
    }
    let detail = format!(
        "{} of {} series are forecast by a fallback, limit {:.0}%",
        facts.fallback_series,
        facts.series,
        percent(limit)
    );
    Some(Finding::new(Code::GateFallbackShare, detail))
}

fn sales_day(facts: &RunFacts, limits: &GateLimits) -> Option<Finding> {
    let (limit, usual) = (limits.max_sales_day_shrink, facts.usual_sales_day_rows?);
    let rows = facts.sales_day_rows;
    if limit == 0.0 || !over(1.0 - rows as f64 / usual, limit) {
        return None;
    }
    let detail = format!(
        "the last day of sales has {rows} rows, such days have {usual:.0}; limit -{:.0}%",
        percent(limit)
    );
    Some(Finding::new(Code::GateInputShrunk, detail))
}

fn inputs(facts: &RunFacts, previous: &PreviousRun, limits: &GateLimits) -> Vec<Finding> {
    let limit = limits.max_input_shrink;
    let mut held = Vec::new();
    for (input, &before) in previous.inputs.iter().flatten() {
        // An input that is no longer counted at all has no rows.
        let now = facts.inputs.get(input).copied().unwrap_or(0);
        let lost = before.saturating_sub(now);
        if limit == 0.0 || lost == 0 || !over(share(lost, before), limit) {
            continue;
        }
        let detail = format!(
            "{input}: {now} rows, {before} in {}; limit -{:.0}%",
            previous.run_id,
            percent(limit)
        );
        held.push(Finding::new(Code::GateInputShrunk, detail));
    }
    held
}

fn orders(facts: &RunFacts, previous: &PreviousRun, limits: &GateLimits) -> Option<Finding> {
    let (limit, before) = (limits.max_orders_lost_share, previous.open_orders?);
    let lost = before.saturating_sub(facts.open_orders_then);
    if limit == 0.0 || lost == 0 || !over(share(lost, before), limit) {
        return None;
    }
    let detail = format!(
        "{lost} of the {before} orders that were open in {} are gone, and were neither received \
         nor cancelled; limit {:.0}%",
        previous.run_id,
        percent(limit)
    );
    Some(Finding::new(Code::GateOrdersLost, detail))
}

fn empty_stock(facts: &RunFacts, previous: &PreviousRun, limits: &GateLimits) -> Option<Finding> {
    let limit = limits.max_empty_stock_rise;
    let (rows, empty) = (previous.stock_rows?, previous.empty_stock_rows?);
    // Where stock was never counted there is nothing to lose; that it no longer is, is `inputs`.
    if limit == 0.0 || rows == 0 || facts.stock_rows == 0 {
        return None;
    }
    let (now, before) = (share(facts.empty_stock_rows, facts.stock_rows), share(empty, rows));
    let few = facts.empty_stock_rows < empty.saturating_add(EMPTIED_PLACES_MIN);
    if few || !over(now - before, limit) {
        return None;
    }
    let detail = format!(
        "{} of {} stock counts found nothing, {empty} of {rows} in {}; limit +{:.0} points",
        facts.empty_stock_rows,
        facts.stock_rows,
        previous.run_id,
        percent(limit)
    );
    Some(Finding::new(Code::GateStockLost, detail))
}

fn defaults(facts: &RunFacts, previous: &PreviousRun, limits: &GateLimits) -> Vec<Finding> {
    let limit = limits.max_default_share_rise;
    let (Some(before_all), Some(places)) = (&previous.defaults, previous.places) else {
        return Vec::new();
    };
    let mut held = Vec::new();
    for (kind, &now) in &facts.defaults {
        let before = before_all.get(kind).copied().unwrap_or(0);
        let rise = share(now, facts.places) - share(before, places);
        if limit == 0.0 || now <= before.saturating_add(1) || !over(rise, limit) {
            continue;
        }
        let detail = format!(
            "no {kind} {now} times at {} places, {before} times at {places} in {}; limit +{:.0} \
             points",
            facts.places,
            previous.run_id,
            percent(limit)
        );
        held.push(Finding::new(Code::GateDefaultShare, detail));
    }
    held
}

/// Orders have their days, so the runs of a whole week say what is usual: more than the largest of
/// them, or less than the smallest even with what was released since, by more than the share.
fn outside(now: f64, released: f64, week: &[f64], change: f64) -> Option<(f64, f64)> {
    let low = week.iter().copied().reduce(f64::min)?;
    let high = week.iter().copied().reduce(f64::max)?;
    (over(now - high, change * high) || over(low - now - released, change * low))
        .then_some((low, high))
}

fn value_change(
    values: &BTreeMap<String, i64>,
    previous: &PreviousRun,
    limits: &GateLimits,
) -> Vec<Finding> {
    let (change, week) = (limits.max_run_value_change, &previous.week_values_minor);
    if change == 0.0 {
        return Vec::new();
    }
    let currencies: BTreeSet<&String> =
        values.keys().chain(week.iter().flat_map(BTreeMap::keys)).collect();
    let mut held = Vec::new();
    for currency in currencies {
        let of = |values: &BTreeMap<String, i64>| values.get(currency).copied().unwrap_or(0) as f64;
        let before: Vec<f64> = week.iter().map(of).collect();
        let now = of(values);
        let released = of(&previous.released_values_minor);
        let Some((low, high)) = outside(now, released, &before, change) else { continue };
        let detail = format!(
            "the run buys for {now:.0} {currency} minor units, the runs of the week before for \
             {low:.0} to {high:.0}, limit ±{:.0}%",
            percent(change)
        );
        held.push(Finding::new(Code::GateRunValueChange, detail));
    }
    held
}

fn line_count(now: usize, previous: &PreviousRun, limits: &GateLimits) -> Option<Finding> {
    let change = limits.max_line_count_change;
    if change == 0.0 {
        return None;
    }
    let before: Vec<f64> = previous.week_lines.iter().map(|&lines| lines as f64).collect();
    let released = previous.released_lines as f64;
    let (low, high) = outside(now as f64, released, &before, change)?;
    // One line more or less is a line's matter.
    if now as f64 <= high + 1.0 && now as f64 >= low - 1.0 && !change.is_nan() {
        return None;
    }
    let detail = format!(
        "the run has {now} lines, the runs of the week before {low:.0} to {high:.0}, limit ±{:.0}%",
        percent(change)
    );
    Some(Finding::new(Code::GateLineCountChange, detail))
}

/// Of lines that nothing holds: a held one is a person's matter already. An order that tops up what
/// a day sold is easily five times another such, so a change counts only if it is also more than
/// what sells until the next order arrives.
fn changed_lines(
    lines: &[ReorderLine],
    previous: &PreviousRun,
    limits: &GateLimits,
) -> Option<Finding> {
    let (times, limit) = (limits.changed_line_times, limits.max_changed_lines_share);
    if times == 0.0 || limit == 0.0 {
        return None;
    }
    let both: Vec<(&ReorderLine, i64)> = lines
        .iter()
        .filter(|line| line.state != LineState::Held)
        .filter_map(|line| Some((line, *previous.lines.get(key_without_date(&line.line_key))?)))
        .collect();
    let far = |&&(line, before): &&(&ReorderLine, i64)| {
        let (small, large) = (line.qty.min(before) as f64, line.qty.max(before) as f64);
        let days = f64::from(line.facts.evidence.protection_days);
        over(large, times * small) && over(large - small, days * line.facts.daily_demand)
    };
    let changed = both.iter().filter(far).count();
    if changed <= 1 || !over(changed as f64 / both.len() as f64, limit) {
        return None;
    }
    let detail = format!(
        "{changed} of {} lines are more than {times} times what they were in {}, or less than one \
         such part of it; limit {:.0}%",
        both.len(),
        previous.run_id,
        percent(limit)
    );
    Some(Finding::new(Code::GateLinesChanged, detail))
}
