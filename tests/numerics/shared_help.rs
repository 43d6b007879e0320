//! Lines to settle, and every plan that could be made of them.

use std::collections::BTreeMap;

use granary_models::calendar::Day;
use granary_models::plan::choice::Choice;
use granary_models::plan::hysteresis::Previous;
use granary_models::plan::limits::{Capacity, Measure, PlanLimits};
use granary_models::plan::line::{LineFacts, LineState, ReorderLine, line_key};
use granary_models::plan::settle::{Noted, Settlement, settle};
use granary_models::policy::reason::{Reason, codes};
use granary_models::policy::terms::SupplyKind;

/// 2025-10-20.
pub const TODAY: Day = Day(20_381);

/// A purchase of item `item` from `supplier` for `location`, at 100 a unit; the line's own quantity
/// is the one worth most, the smallest of several.
pub fn line(item: &str, supplier: &str, location: &str, qty: &[i64], value: &[f64]) -> ReorderLine {
    let mut own = 0;
    for option in 1..value.len() {
        if value[option] > value[own] {
            own = option;
        }
    }
    let cost: Vec<f64> = qty.iter().map(|&qty| 100.0 * qty as f64).collect();
    let mut reason = Reason::default();
    reason.term(codes::EXPECTED_DEMAND, qty[own], "Asked for.".to_owned());
    reason.sum(codes::FINAL, |qty| format!("Order {qty}."));
    ReorderLine {
        line_key: line_key(TODAY, SupplyKind::Purchase, item, location, supplier, ""),
        kind: SupplyKind::Purchase,
        state: LineState::Proposed,
        item_id: item.to_owned(),
        supplier_id: supplier.to_owned(),
        source_location_id: String::new(),
        location_id: location.to_owned(),
        qty: qty[own],
        order_qty: qty[own],
        order_uom: "each".to_owned(),
        unit_cost_minor: 100,
        value_minor: 100 * qty[own],
        currency: "EUR".to_owned(),
        order_on: TODAY,
        expected_on: TODAY + 3,
        need_on: TODAY + 5,
        priority: 0,
        expected_value_minor: value[own].round() as i64,
        reason: reason.steps(),
        held_because: None,
        facts: LineFacts {
            multiple: 1,
            per_base: 1,
            base_uom: "each".to_owned(),
            weight_g: Some(1_000),
            volume_ml: Some(500),
            ..LineFacts::default()
        },
        choice: Choice { qty: qty.to_vec(), value_minor: value.to_vec(), cost_minor: cost },
    }
}

pub fn run(
    lines: &[ReorderLine],
    limits: &PlanLimits,
) -> (Vec<ReorderLine>, Settlement, Vec<Noted>) {
    limits.check().expect("legal limits");
    settle(lines.to_vec(), limits, &Previous::default(), TODAY)
}

/// The settled option of each of `lines`, in their order.
pub fn picks(lines: &[ReorderLine], plan: &[ReorderLine]) -> Vec<usize> {
    let of = |line: &ReorderLine| {
        let qty = plan.iter().find(|l| l.line_key == line.line_key).map_or(0, |line| line.qty);
        line.choice.qty.iter().position(|&q| q == qty).expect("a quantity of the choice")
    };
    lines.iter().map(of).collect()
}

fn fills(capacity: &Capacity, lines: &[(&ReorderLine, i64)]) -> Vec<f64> {
    let total = |of: &dyn Fn(&ReorderLine) -> i64| -> f64 {
        lines.iter().map(|(line, qty)| (of(line) * qty) as f64).sum()
    };
    let share = |measure: Measure, used: f64| capacity.of(measure).map(|most| used / most as f64);
    let facts = |line: &ReorderLine| (line.facts.weight_g, line.facts.volume_ml);
    [
        share(Measure::Units, total(&|_| 1)),
        share(Measure::WeightG, total(&|line| facts(line).0.unwrap_or(0))),
        share(Measure::VolumeMl, total(&|line| facts(line).1.unwrap_or(0))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a plan is worth by the definition of the limits, `None` where it breaks one. All lines must
/// be in one currency.
pub fn worth(lines: &[ReorderLine], limits: &PlanLimits, picks: &[usize]) -> Option<f64> {
    let ordered: Vec<(&ReorderLine, i64)> =
        lines.iter().zip(picks).map(|(line, &at)| (line, line.choice.qty[at])).collect();
    let money = |at: usize| lines[at].choice.cost_minor[picks[at]];
    for budget in &limits.budgets {
        let spent: f64 = (0..lines.len())
            .filter(|&at| {
                let line = &lines[at];
                budget.supplier_id.as_ref().is_none_or(|id| *id == line.supplier_id)
                    && budget.category.as_ref().is_none_or(|id| *id == line.facts.category)
            })
            .map(money)
            .sum();
        if spent > budget.amount_minor as f64 {
            return None;
        }
    }
    let mut value: f64 =
        lines.iter().zip(picks).map(|(line, &at)| line.choice.value_minor[at]).sum();
    for rule in &limits.suppliers {
        let from: Vec<(&ReorderLine, i64)> =
            ordered.iter().filter(|o| o.0.supplier_id == rule.supplier_id).copied().collect();
        let cost = |(line, qty): &(&ReorderLine, i64)| {
            let at = line.choice.qty.iter().position(|q| q == qty).expect("an option");
            line.choice.cost_minor[at]
        };
        if fills(&rule.capacity, &from).iter().any(|&share| share > 1.0) {
            return None;
        }
        let mut orders: BTreeMap<&str, Vec<(&ReorderLine, i64)>> = BTreeMap::new();
        for one in from.into_iter().filter(|one| one.1 > 0) {
            orders.entry(&one.0.location_id).or_default().push(one);
        }
        for order in orders.values() {
            let units: i64 = order.iter().map(|one| one.1).sum();
            let worth: f64 = order.iter().map(cost).sum();
            if units < rule.min_order_units || worth < rule.min_order_value_minor as f64 {
                return None;
            }
            if let Some(container) = &rule.container {
                let fullest = fills(&container.holds, order).into_iter().fold(0.0, f64::max);
                let containers = (fullest - 1e-9).ceil();
                if fullest + 1e-9 < containers * container.min_fill_share {
                    return None;
                }
                value -= containers * container.fixed_cost_minor as f64;
            }
        }
    }
    Some(value)
}

/// The best of all plans.
pub fn brute_force(lines: &[ReorderLine], limits: &PlanLimits) -> f64 {
    let mut best = f64::NEG_INFINITY;
    let mut picks = vec![0; lines.len()];
    loop {
        if let Some(value) = worth(lines, limits, &picks) {
            best = best.max(value);
        }
        let mut at = 0;
        while at < lines.len() && picks[at] + 1 == lines[at].choice.qty.len() {
            picks[at] = 0;
            at += 1;
        }
        if at == lines.len() {
            return best;
        }
        picks[at] += 1;
    }
}
