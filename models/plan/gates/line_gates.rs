//! Gates of single lines. Each gives its finding where it holds.

use std::collections::BTreeMap;

use crate::finding::{Code, Finding};
use crate::plan::gates::{GateLimits, over};
use crate::plan::line::{LineState, ReorderLine};
use crate::policy::terms::SupplyKind;

/// Every gate that stops a line, what is most certainly wrong first.
pub(super) fn all(line: &ReorderLine, limits: &GateLimits) -> Vec<Finding> {
    let gates = [
        item_cap,
        line_cap,
        terms,
        quantity,
        forecast,
        cover,
        shelf_life,
        new_item,
        stock_gone,
        unseen_release,
    ];
    gates.into_iter().filter_map(|gate| gate(line, limits)).collect()
}

fn held(code: Code, detail: String) -> Option<Finding> {
    Some(Finding::new(code, detail))
}

fn item_cap(line: &ReorderLine, _: &GateLimits) -> Option<Finding> {
    let cap = line.facts.evidence.max_order_qty?;
    if line.qty <= cap {
        return None;
    }
    let unit = line.facts.unit();
    let detail = format!(
        "{} ordered, the item master allows {} in one line",
        unit.show(line.qty),
        unit.show(cap)
    );
    held(Code::GateItemCap, detail)
}

fn line_cap(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let most = limits.max_line_qty;
    if most != 0 && line.qty > most.saturating_mul(line.facts.per_base.max(1)) {
        let unit = line.facts.unit();
        let detail = format!("{} ordered, limit {most} {}", unit.show(line.qty), unit.name);
        return held(Code::GateLineCap, detail);
    }
    let most = limits.max_line_value_minor;
    if most == 0 || line.kind == SupplyKind::Transfer {
        return None;
    }
    if line.unit_cost_minor <= 0 {
        let detail = "no unit cost is known, so its value cannot be compared; give one, or a \
                      default, or set gates.max_line_value_minor to 0";
        return held(Code::GateLineCap, detail.to_owned());
    }
    if line.value_minor > most {
        let detail = format!("the line is worth {} minor units, limit {most}", line.value_minor);
        return held(Code::GateLineCap, detail);
    }
    None
}

/// Terms that no published plan knew before have nothing to be compared with.
fn terms(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let times = limits.max_terms_change;
    let evidence = &line.facts.evidence;
    let (now, before) = (evidence.terms.as_ref()?, evidence.terms_before.as_ref()?);
    if times == 0.0 {
        return None;
    }
    let changed = now.changed(before, times)?;
    held(Code::GateTermsChanged, format!("{changed}; limit {times} times"))
}

/// A new item's few days say nothing of the largest demand, and [`new_item`] speaks for it.
fn quantity(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let times = limits.max_times_largest_demand;
    let largest = line.facts.largest_demand_seen?;
    if times == 0.0 || is_new(line, limits) {
        return None;
    }
    let limit = (times * largest as f64).max(line.facts.multiple as f64);
    if !times.is_nan() && !over(line.qty as f64, limit) {
        return None;
    }
    let detail = format!(
        "{} ordered, the largest demand seen in a protection interval is {largest}, limit {times} \
         times",
        line.qty
    );
    held(Code::GateQuantity, detail)
}

/// A new item has no usual demand yet, and [`new_item`] speaks for it. Less than a base unit in a
/// whole protection interval can do no harm.
fn forecast(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let times = limits.max_times_usual_demand;
    if times == 0.0 || is_new(line, limits) || line.facts.history_days.is_none() {
        return None;
    }
    let evidence = &line.facts.evidence;
    let plain = evidence.plain_daily.unwrap_or(line.facts.daily_demand);
    let days = f64::from(evidence.protection_days.max(1));
    if plain * days <= line.facts.per_base.max(1) as f64 {
        return None;
    }
    let Some(usual) = evidence.usual_daily.filter(|usual| usual.is_finite()) else {
        let detail = "nothing was available on any day, so no usual demand is known";
        return held(Code::GateForecast, detail.to_owned());
    };
    if !over(plain, times * usual) {
        return None;
    }
    let detail = format!(
        "{plain:.2} a day are forecast without events and promotions, {usual:.2} are usual, limit \
         {times} times"
    );
    held(Code::GateForecast, detail)
}

fn cover(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let (facts, limit) = (&line.facts, limits.max_cover_days);
    let sold_before = facts.largest_demand_seen.is_some_and(|largest| line.qty <= largest);
    if limit == 0.0 || sold_before {
        return None;
    }
    let stock = facts.position.max(0).saturating_add(line.qty) as f64;
    if !over(stock, limit * facts.daily_demand) {
        return None;
    }
    let cover = if facts.daily_demand > 0.0 { stock / facts.daily_demand } else { f64::INFINITY };
    held(Code::GateCover, format!("cover of {cover:.0} days, limit {limit:.0}"))
}

/// Until the line's last day, all that is there before it must sell as well.
fn shelf_life(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let (facts, times) = (&line.facts, limits.max_times_shelf_life_demand);
    let evidence = &facts.evidence;
    let life = evidence.shelf_life_days?;
    let sold_before = evidence.largest_in_shelf_life.is_some_and(|largest| line.qty <= largest);
    if times == 0.0 || sold_before || line.qty <= facts.multiple {
        return None;
    }
    let days = f64::from(evidence.arrives_in_days) + f64::from(life);
    let sells = facts.daily_demand * days;
    let stock = facts.position.max(0).saturating_add(line.qty) as f64;
    if !over(stock, times * sells) {
        return None;
    }
    let detail = format!(
        "stock and orders of {stock:.0} with the line, {sells:.0} are expected to sell until it \
         expires in {days:.0} days, limit {times} times"
    );
    held(Code::GateShelfLife, detail)
}

/// Fewer days than the limit, or none at all where goods are bought or made.
pub(super) fn is_new(line: &ReorderLine, limits: &GateLimits) -> bool {
    let few = match line.facts.history_days {
        Some(days) => days < limits.new_item_days,
        None => limits.new_item_days > 0 && line.kind != SupplyKind::Transfer,
    };
    few || line.facts.evidence.by_neighbours
}

fn new_item(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let limit = limits.new_item_max_value_minor;
    if limit == 0 || line.value_minor <= limit || !is_new(line, limits) {
        return None;
    }
    let history = match line.facts.history_days {
        Some(1) => "1 day of history".to_owned(),
        Some(days) => format!("{days} days of history"),
        None => "no history".to_owned(),
    };
    let from = if line.facts.evidence.by_neighbours { ", forecast by its neighbours," } else { "" };
    let detail =
        format!("{history}{from} and a line worth {} minor units, limit {limit}", line.value_minor);
    held(Code::GateNewItem, detail)
}

/// What is less than an order multiple could change the order by one pack at most.
fn stock_gone(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let gone = line.facts.evidence.stock_gone?;
    let share = limits.max_stock_gone_share;
    let small = gone.unexplained < line.facts.multiple.max(1);
    if share == 0.0 || small || !over(gone.unexplained as f64, share * gone.before as f64) {
        return None;
    }
    let unit = line.facts.unit();
    let detail = format!(
        "nothing was counted on {}, {} on {}, and {} of it are not explained",
        gone.counted_on,
        unit.show(gone.before),
        gone.before_on,
        unit.show(gone.unexplained)
    );
    held(Code::GateStockGone, detail)
}

fn unseen_release(line: &ReorderLine, limits: &GateLimits) -> Option<Finding> {
    let released = line.facts.evidence.unseen_release?;
    if limits.unseen_release_days == 0 || released.age_days > limits.unseen_release_days {
        return None;
    }
    let detail = format!(
        "{} were released on {} and no order of them has been seen since",
        line.facts.unit().show(released.qty),
        released.business_date
    );
    held(Code::GateUnseenRelease, detail)
}

/// Lines that nothing else holds, of suppliers for whom they come to more than allowed.
pub(super) fn suppliers_over_budget(
    lines: &[ReorderLine],
    limits: &GateLimits,
) -> Vec<(usize, Finding)> {
    let buys = |line: &&ReorderLine| {
        line.state == LineState::Proposed && line.kind != SupplyKind::Transfer
    };
    let mut values: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for line in lines.iter().filter(buys) {
        let value = values.entry((&line.supplier_id, &line.currency)).or_default();
        *value = value.saturating_add(line.value_minor);
    }
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| buys(line)) {
        let limit = limits.supplier_value_minor(&line.supplier_id);
        let value = values[&(line.supplier_id.as_str(), line.currency.as_str())];
        if limit == 0 || value <= limit {
            continue;
        }
        let detail = format!(
            "the lines of supplier {} come to {value} {} minor units, limit {limit}",
            line.supplier_id, line.currency
        );
        findings.push((at, Finding::new(Code::GateSupplierValue, detail)));
    }
    findings
}
