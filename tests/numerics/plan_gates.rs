//! Lines under their keys, priorities, and what holds them.

use std::collections::BTreeMap;

use granary_models::plan::assemble::assemble;
use granary_models::plan::gates::{GateLimits, RunFacts, hold_lines, hold_plan, run_value_minor};
use granary_models::plan::line::{LineState, ReorderLine, line_key, order_units};
use granary_models::plan_sku::{LocationKind, PlanConfig, plan_item};
use granary_models::policy::terms::SupplyKind;
use granary_models::policy::unit::QtyUnit;
use granary_models::series::Series;

use crate::plan_help::{TODAY, flat, item, location, purchase};

const SOLD: [f64; 60] = [10.0; 60];
const AVAILABLE: [f32; 60] = [1.0; 60];

fn line() -> ReorderLine {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    shop.history = Some(Series { start: TODAY - 60, sold: &SOLD, available: &AVAILABLE });
    let item = item(vec![shop]);
    plan_item(&item, TODAY, &PlanConfig::default()).0.lines[0].reorder_line(&item, TODAY)
}

#[test]
fn a_line_is_known_by_a_key_that_no_other_has() {
    let key = |item, at, supplier, source| {
        line_key(TODAY, SupplyKind::Transfer, item, at, supplier, source)
    };
    assert_eq!(line().line_key, "2025-10-20/purchase/A/L/S");
    assert_eq!(key("A", "L", "", "DC"), "2025-10-20/transfer/A/L//DC");
    assert_ne!(key("A/B", "C", "S", ""), key("A", "B/C", "S", ""));
    assert_ne!(key("A%2FB", "C", "S", ""), key("A/B", "C", "S", ""));
}

#[test]
fn quantities_are_ordered_in_packs_where_they_have_a_name() {
    let kg = QtyUnit { name: "kg".to_owned(), decimals: 3 };
    let each = QtyUnit::default();
    for (qty, unit, multiple, pack, expected) in [
        (24, &each, 12, "case", (2, "case")),
        (24, &each, 12, "", (24, "each")),
        (25, &each, 12, "case", (25, "each")),
        (2_000, &kg, 1, "", (2, "kg")),
        (2_500, &kg, 1, "", (2_500, "0.001 kg")),
    ] {
        let (order_qty, uom) = order_units(qty, unit, multiple, pack);
        assert_eq!((order_qty, uom.as_str()), expected);
    }
}

#[test]
fn the_first_to_run_short_comes_first() {
    let base = line();
    let with = |key: &str, days: i32, value: i64| ReorderLine {
        line_key: key.to_owned(),
        need_on: TODAY + days,
        expected_value_minor: value,
        ..base.clone()
    };
    let lines = assemble(vec![with("d", 2, 5), with("a", 2, 9), with("c", 1, 1), with("b", 2, 5)]);
    let ranks: Vec<(&str, u32)> =
        lines.iter().map(|line| (line.line_key.as_str(), line.priority)).collect();
    assert_eq!(ranks, [("a", 2), ("b", 3), ("c", 1), ("d", 4)]);
}

fn check(change: impl Fn(&mut ReorderLine), held: Option<&str>) {
    let mut line = line();
    change(&mut line);
    let mut lines = [line];
    let findings = hold_lines(&mut lines, &GateLimits::default());
    assert_eq!(lines[0].held_because.map(|code| code.as_str()), held);
    assert_eq!(lines[0].state == LineState::Held, held.is_some());
    assert_eq!(findings.len(), usize::from(held.is_some()));
}

#[test]
fn odd_lines_are_held() {
    check(|_| {}, None);
    // The history saw 100 in the ten days of the protection interval.
    check(|line| line.qty = 300, None);
    check(|line| line.qty = 301, Some("gate_quantity"));
    check(|line| (line.qty, line.facts.multiple) = (301, 301), None);
    check(|line| (line.qty, line.facts.largest_demand_seen) = (1_151, None), Some("gate_cover"));
    check(|line| (line.qty, line.facts.largest_demand_seen) = (1_150, None), None);
    check(|line| line.facts.position = 5_000, None);
    check(|line| (line.qty, line.facts.position) = (101, 5_000), Some("gate_cover"));
    check(
        |line| (line.value_minor, line.facts.history_days) = (2_000_000, Some(3)),
        Some("gate_new_item"),
    );
    check(|line| line.value_minor = 2_000_000, None);
}

#[test]
fn a_gate_can_be_switched_off() {
    let off = GateLimits {
        max_times_largest_demand: 0.0,
        max_cover_days: 0.0,
        new_item_max_value_minor: 0,
        max_run_value_change: 0.0,
        ..GateLimits::default()
    };
    let mut lines = [ReorderLine { qty: i64::MAX, ..line() }];
    assert!(hold_lines(&mut lines, &off).is_empty());
    let facts = RunFacts { previous_value_minor: Some(BTreeMap::new()), ..RunFacts::default() };
    assert!(hold_plan(&lines, &facts, &off).is_empty());
}

fn check_plan(previous: Option<i64>, stale: &[&str], held: &[&str]) {
    let lines = [line()];
    assert_eq!(run_value_minor(&lines)["EUR"], 5_000);
    let facts = RunFacts {
        previous_value_minor: previous.map(|value| BTreeMap::from([("EUR".to_owned(), value)])),
        stale_inputs: stale.iter().map(|&text| text.to_owned()).collect(),
    };
    let limits = GateLimits { max_run_value_minor: 6_000, ..GateLimits::default() };
    let findings = hold_plan(&lines, &facts, &limits);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, held);
}

#[test]
fn an_odd_run_is_held_whole() {
    check_plan(None, &[], &[]);
    check_plan(Some(5_000), &[], &[]);
    check_plan(Some(3_334), &[], &[]);
    check_plan(Some(3_333), &[], &["gate_run_value_change"]);
    check_plan(Some(10_001), &[], &["gate_run_value_change"]);
    check_plan(Some(0), &[], &["gate_run_value_change"]);
    check_plan(None, &["stock is 3 days old"], &["gate_stale_input"]);
    let lines = [ReorderLine { value_minor: 6_001, ..line() }];
    let limits = GateLimits { max_run_value_minor: 6_000, ..GateLimits::default() };
    assert_eq!(hold_plan(&lines, &RunFacts::default(), &limits)[0].code.as_str(), "gate_run_value");
    let transfer = ReorderLine { kind: SupplyKind::Transfer, ..line() };
    assert!(run_value_minor(&[transfer]).is_empty());
}
