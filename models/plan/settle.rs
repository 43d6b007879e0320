//! Between planning and gates: what shared limits make of the lines.
//!
//! Every line comes with its [`Choice`] of quantities and what each is worth. Budgets, capacities,
//! minimums of supplier orders and containers are settled together, by price and never by scaling
//! all lines alike: at a price of a unit of each limit every line orders what is then worth most.
//! What the price of a limit comes to is reported, and how far the plan is from the bound.
//!
//! [`Choice`]: crate::plan::choice::Choice

mod keep;
mod ledger;
mod orders;
mod outcome;
mod report;
mod write;

use serde::Serialize;

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan::choice::Choice;
use crate::plan::hysteresis::Previous;
use crate::plan::limits::{Measure, PlanLimits};
use crate::plan::line::{LineState, ReorderLine};
use crate::policy::reason::codes;
use crate::policy::terms::SupplyKind;

/// The kinds of limit, each with the reason step of the lines that it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    Budget,
    SupplierCapacity,
    SupplierMinimum,
    Container,
}

impl LimitKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LimitKind::Budget => codes::BUDGET,
            LimitKind::SupplierCapacity => codes::SUPPLIER_CAPACITY,
            LimitKind::SupplierMinimum => codes::SUPPLIER_MINIMUM,
            LimitKind::Container => codes::CONTAINER,
        }
    }
}

/// What the settlement came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settlement {
    /// One for each currency with lines that may change.
    pub currencies: Vec<CurrencyReport>,
    pub limits: Vec<LimitReport>,
    /// Orders of suppliers that ask for a minimum or send containers.
    pub orders: Vec<OrderReport>,
    /// Lines whose quantity changed, those left out included.
    pub changed: usize,
    /// Lines that wanted something and get nothing, with the reason; they are not in the plan.
    #[serde(skip)]
    pub left_out: Vec<ReorderLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurrencyReport {
    pub currency: String,
    /// Expected money of all lines with a choice, over ordering nothing, less container costs.
    pub value_minor: f64,
    /// No plan within the limits is worth more.
    pub bound_minor: f64,
    /// The same with every line as it was wanted, without any limit or container cost.
    pub wanted_value_minor: f64,
}

impl CurrencyReport {
    /// Share of the bound that is missing.
    pub fn gap(&self) -> f64 {
        let missing = (self.bound_minor - self.value_minor).max(0.0);
        if missing > 0.0 { missing / self.bound_minor.abs().max(1e-9) } else { 0.0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitReport {
    pub kind: LimitKind,
    pub currency: String,
    pub supplier_id: Option<String>,
    pub category: Option<String>,
    /// Of an order's limits.
    pub location_id: Option<String>,
    /// `money`, `units`, `packs`, `weight_g` or `volume_ml`.
    pub measure: &'static str,
    /// Of a container limit: what all containers of the order hold.
    pub limit: f64,
    pub wanted: f64,
    pub used: f64,
    /// What one unit more of the limit would earn, minor units of money; 0 where it does not bind.
    /// Of a minimum: what it costs that it is not one unit lower.
    pub price: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    AsWanted,
    /// Lines were brought forward to its minimum or into its containers.
    Raised,
    Cut,
    /// Nothing is ordered tonight that was wanted.
    Deferred,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderReport {
    pub supplier_id: String,
    pub location_id: String,
    pub currency: String,
    pub outcome: OrderOutcome,
    /// 0 where the supplier sends none.
    pub containers: i64,
    pub wanted_value_minor: i64,
    pub value_minor: i64,
    /// Expected money of the order over not placing it, less its containers.
    pub surplus_minor: f64,
}

/// A finding about a line, or with empty ids about the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    pub line_key: String,
    pub item_id: String,
    pub location_id: String,
    pub finding: Finding,
}

/// Gathers findings.
#[derive(Default)]
struct Notes(Vec<Noted>);

impl Notes {
    fn night(&mut self, code: Code, detail: String) {
        self.0.push(Noted {
            line_key: String::new(),
            item_id: String::new(),
            location_id: String::new(),
            finding: Finding::new(code, detail),
        });
    }

    fn line(&mut self, line: &ReorderLine, code: Code, detail: String) {
        self.0.push(Noted {
            line_key: line.line_key.clone(),
            item_id: line.item_id.clone(),
            location_id: line.location_id.clone(),
            finding: Finding::new(code, detail),
        });
    }
}

/// Settles all lines of a night. Lines of quantity 0 with a choice are candidates: they may be
/// brought forward where an order needs filling, and otherwise go. A line without a choice stays as
/// it is. `previous` is the plan that lines should not leave for little.
///
/// Lines come back sorted by key; those that get nothing are in [`Settlement::left_out`], with a
/// finding. Where no limit binds, every line keeps its quantity and its bytes. The result does not
/// depend on the order of `lines`.
pub fn settle(
    mut lines: Vec<ReorderLine>,
    limits: &PlanLimits,
    previous: &Previous,
    today: Day,
) -> (Vec<ReorderLine>, Settlement, Vec<Noted>) {
    lines.sort_by(|a, b| a.line_key.cmp(&b.line_key));
    let mut settlement = Settlement::default();
    let mut notes = Notes::default();
    if !limits.is_neutral() {
        let mut free = free_lines(&lines, &mut notes);
        keep::freeze(&mut lines, &mut free, limits, previous, today, &mut notes);
        hold_fixed(&mut lines, &free, limits, &mut notes);
        for mut component in ledger::components(&lines, &free, limits, &mut notes) {
            let outcome = outcome::outcome(&mut component);
            let kept = keep::keep(&component, &outcome, &lines, &limits.hysteresis, previous);
            report::report(&component, &outcome, &kept, &mut settlement, &mut notes);
            let writer = write::Writer::new(&component, &outcome);
            settlement.changed += writer.write(&mut lines, &kept, &mut notes);
        }
        report::below_minimum(&lines, limits, &mut notes);
    }
    let wanted = |line: &ReorderLine| line.reason.iter().any(|step| is_settling(step.step));
    let (plan, none): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.qty > 0);
    settlement.left_out = none.into_iter().filter(wanted).collect();
    (plan, settlement, notes.0)
}

fn is_settling(step: &str) -> bool {
    [
        codes::BUDGET,
        codes::SUPPLIER_CAPACITY,
        codes::SUPPLIER_MINIMUM,
        codes::CONTAINER,
        codes::FROZEN,
        codes::KEPT,
    ]
    .contains(&step)
}

/// Whether the line costs money of the run: transfers do not.
fn is_bought(line: &ReorderLine) -> bool {
    line.kind != SupplyKind::Transfer
}

/// Whether the line is part of what the run buys: a held one waits for a person.
fn counts(line: &ReorderLine) -> bool {
    line.state == LineState::Proposed
}

/// Which lines may change: those with a choice that makes sense.
fn free_lines(lines: &[ReorderLine], notes: &mut Notes) -> Vec<bool> {
    let mut free = Vec::with_capacity(lines.len());
    for line in lines {
        let given = line.choice != Choice::default();
        let fault = if given { fault(&line.choice, line.qty) } else { None };
        if let Some(fault) = fault {
            notes.line(line, Code::BadChoice, fault.to_owned());
        }
        free.push(given && fault.is_none() && counts(line));
    }
    free
}

fn fault(choice: &Choice, own: i64) -> Option<&'static str> {
    let Choice { qty, value_minor, cost_minor } = choice;
    if value_minor.len() != qty.len() || cost_minor.len() != qty.len() {
        return Some("the numbers of quantities, values and costs differ");
    }
    if qty.first() != Some(&0) || qty.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Some("the quantities do not rise from 0");
    }
    if !qty.contains(&own) {
        return Some("the line's own quantity is not among them");
    }
    if value_minor.iter().any(|value| !value.is_finite()) {
        return Some("a value is not a number");
    }
    if cost_minor.iter().any(|cost| !(0.0..1e15).contains(cost)) || cost_minor[0] != 0.0 {
        return Some("a cost is negative or no number, or nothing costs something");
    }
    None
}

/// Lines that cannot change and exceed a limit by themselves are held, those that bring least for
/// what they take first: a limit is never exceeded by what is proposed.
fn hold_fixed(lines: &mut [ReorderLine], free: &[bool], limits: &PlanLimits, notes: &mut Notes) {
    for budget in &limits.budgets {
        let concerns = |line: &ReorderLine| ledger::in_budget(budget, line);
        let most = budget.amount_minor as f64;
        hold_over(lines, free, (Measure::Money, most), concerns, notes);
    }
    for rule in &limits.suppliers {
        for measure in Measure::SIZES {
            let Some(most) = rule.capacity.of(measure) else { continue };
            let concerns = |line: &ReorderLine| ledger::from_supplier(rule, line);
            hold_over(lines, free, (measure, most as f64), concerns, notes);
        }
    }
}

fn hold_over(
    lines: &mut [ReorderLine],
    free: &[bool],
    (measure, most): (Measure, f64),
    concerns: impl Fn(&ReorderLine) -> bool,
    notes: &mut Notes,
) {
    let mut fixed: Vec<usize> = (0..lines.len())
        .filter(|&at| !free[at] && counts(&lines[at]) && concerns(&lines[at]))
        .collect();
    let total: f64 = fixed.iter().map(|&at| ledger::takes(&lines[at], measure)).sum();
    if total <= most {
        return;
    }
    let worth = |at: usize| {
        lines[at].expected_value_minor as f64 / ledger::takes(&lines[at], measure).max(1e-9)
    };
    fixed.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
    let mut left = most;
    for at in fixed {
        let takes = ledger::takes(&lines[at], measure);
        if takes <= left {
            left -= takes;
            continue;
        }
        let currency = &lines[at].currency;
        let detail = format!(
            "lines that cannot change take {}, the limit is {}; this one was held",
            measure.show(total, currency),
            measure.show(most, currency)
        );
        notes.line(&lines[at], Code::LimitExceeded, detail);
        lines[at].state = LineState::Held;
        lines[at].held_because = Some(Code::LimitExceeded);
    }
}
