//! What people are told about limits and orders.

use std::collections::BTreeMap;

use crate::finding::Code;
use crate::plan::limits::{Measure, PlanLimits};
use crate::plan::line::ReorderLine;
use crate::plan::settle::ledger::{self, Component, from_supplier};
use crate::plan::settle::orders::Order;
use crate::plan::settle::outcome::Outcome;
use crate::plan::settle::{
    CurrencyReport, LimitKind, LimitReport, Notes, OrderOutcome, OrderReport, Settlement, counts,
};

/// Adds one currency's figures; `kept` is the final option of each of its lines.
pub(super) fn report(
    component: &Component,
    outcome: &Outcome,
    kept: &[usize],
    settlement: &mut Settlement,
    notes: &mut Notes,
) {
    let problem = &component.problem;
    let own: Vec<usize> = problem.goods.iter().map(|goods| goods.own).collect();
    let taken = problem.used(kept);
    let cost = |order: &Order| {
        order.container_cost * order.containers(|at| taken[at], &outcome.built) as f64
    };
    let cost: f64 = component.orders.iter().map(cost).sum();
    settlement.currencies.push(CurrencyReport {
        currency: component.currency.clone(),
        value_minor: problem.value(kept) - cost,
        bound_minor: outcome.bound,
        wanted_value_minor: problem.value(&own),
    });
    let (wanted, used) = (problem.used(&own), taken);
    for (at, name) in component.named.iter().enumerate() {
        let most = outcome.limits[at].most;
        if !most.is_finite() {
            continue;
        }
        let sign = if name.at_least { -1.0 } else { 1.0 };
        let report = LimitReport {
            kind: name.kind,
            currency: component.currency.clone(),
            supplier_id: name.supplier_id.clone(),
            category: name.category.clone(),
            location_id: name.location_id.clone(),
            measure: name.measure.as_str(),
            limit: sign * most + name.fixed,
            wanted: sign * wanted[at] + name.fixed,
            used: sign * used[at] + name.fixed,
            price: outcome.prices[at],
        };
        if matches!(name.kind, LimitKind::Budget | LimitKind::SupplierCapacity) {
            note_limit(&report, name.measure, notes);
        }
        settlement.limits.push(report);
    }
    for order in &component.orders {
        settlement.orders.extend(order_report(component, outcome, order, kept, notes));
    }
}

fn note_limit(report: &LimitReport, measure: Measure, notes: &mut Notes) {
    if report.wanted <= report.limit && report.price == 0.0 {
        return;
    }
    let of = match (&report.supplier_id, &report.category) {
        (None, None) => "the run".to_owned(),
        (Some(id), None) => format!("supplier {id}"),
        (None, Some(id)) => format!("category {id}"),
        (Some(id), Some(of)) => format!("category {of} of supplier {id}"),
    };
    let currency = &report.currency;
    let detail = format!(
        "{} of {of}: {} wanted, the limit is {}, {} used; one more would earn {:.3} {currency} \
         minor units",
        report.kind.as_str(),
        measure.show(report.wanted, currency),
        measure.show(report.limit, currency),
        measure.show(report.used, currency),
        report.price
    );
    notes.night(Code::LimitBinds, detail);
}

fn order_report(
    component: &Component,
    outcome: &Outcome,
    order: &Order,
    kept: &[usize],
    notes: &mut Notes,
) -> Option<OrderReport> {
    let problem = &component.problem;
    let sum = |of: &dyn Fn(usize) -> f64| order.goods.iter().map(|&at| of(at)).sum::<f64>();
    let wanted = sum(&|at| problem.goods[at].money[problem.goods[at].own]);
    let money = sum(&|at| problem.goods[at].money[kept[at]]);
    if wanted == 0.0 && money == 0.0 {
        return None;
    }
    let outcome_of = if order.goods.iter().all(|&at| kept[at] == problem.goods[at].own) {
        OrderOutcome::AsWanted
    } else if order.goods.iter().all(|&at| kept[at] == 0) {
        OrderOutcome::Deferred
    } else if money > wanted {
        OrderOutcome::Raised
    } else {
        OrderOutcome::Cut
    };
    let used = problem.used(kept);
    let containers = order.containers(|limit| used[limit], &outcome.built);
    let saved = sum(&|at| problem.goods[at].value[kept[at]] - problem.goods[at].value[0]);
    let surplus_minor = saved - order.container_cost * containers as f64;
    let report = OrderReport {
        supplier_id: order.supplier_id.clone(),
        location_id: order.location_id.clone(),
        currency: component.currency.clone(),
        outcome: outcome_of,
        containers,
        wanted_value_minor: wanted as i64,
        value_minor: money as i64,
        surplus_minor,
    };
    let lost = sum(&|at| problem.goods[at].value[problem.goods[at].own]) - saved;
    note_order(&report, lost, notes);
    Some(report)
}

fn note_order(report: &OrderReport, lost: f64, notes: &mut Notes) {
    let OrderReport { supplier_id, location_id, currency, .. } = report;
    let (wanted, value) = (report.wanted_value_minor, report.value_minor);
    match report.outcome {
        OrderOutcome::Raised => {
            let detail = format!(
                "the order to {supplier_id} for {location_id} was raised from {wanted} to {value} \
                 {currency} minor units and brings {:.0}",
                report.surplus_minor
            );
            notes.night(Code::OrderRaised, detail);
        }
        OrderOutcome::Deferred => {
            let detail = format!(
                "the order to {supplier_id} for {location_id}, {wanted} {currency} minor units, \
                 waits; waiting loses {lost:.0}, less than ordering would"
            );
            notes.night(Code::OrderDeferred, detail);
        }
        OrderOutcome::AsWanted | OrderOutcome::Cut => {}
    }
}

/// Orders that stay below a minimum because of lines that cannot change.
pub(super) fn below_minimum(lines: &[ReorderLine], limits: &PlanLimits, notes: &mut Notes) {
    for rule in &limits.suppliers {
        let mut orders: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
        let ordered = |line: &&ReorderLine| counts(line) && line.qty > 0;
        for line in lines.iter().filter(ordered).filter(|line| from_supplier(rule, line)) {
            let order = orders.entry((&line.location_id, &line.currency)).or_default();
            order.0 += ledger::takes(line, Measure::Units);
            order.1 += ledger::takes(line, Measure::Money);
        }
        for ((location_id, currency), (units, money)) in orders {
            let same = currency == rule.currency;
            for (measure, total, least) in [
                (Measure::Units, units, rule.min_order_units),
                (Measure::Money, money, if same { rule.min_order_value_minor } else { 0 }),
            ] {
                if total + 1e-6 < least as f64 {
                    let detail = format!(
                        "the order to {} for {location_id} is {}, at least {} are asked",
                        rule.supplier_id,
                        measure.show(total, currency),
                        measure.show(least as f64, currency)
                    );
                    notes.night(Code::OrderBelowMinimum, detail);
                }
            }
        }
    }
}
