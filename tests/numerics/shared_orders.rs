//! Supplier orders and oddities, by example.

use granary_models::finding::Code;
use granary_models::plan::hysteresis::{Hysteresis, Previous, PreviousLine};
use granary_models::plan::limits::{Budget, Capacity, Container, PlanLimits, SupplierRule};
use granary_models::plan::line::{LineState, ReorderLine};
use granary_models::plan::settle::{Noted, OrderOutcome, settle};
use granary_models::policy::reason::{codes, recompute};

use crate::shared_help::{TODAY, line, run};

fn rule() -> SupplierRule {
    SupplierRule { supplier_id: "S".to_owned(), currency: "EUR".to_owned(), ..Default::default() }
}

fn supplier(rule: SupplierRule) -> PlanLimits {
    PlanLimits { suppliers: vec![rule], ..PlanLimits::default() }
}

fn budget(amount_minor: i64) -> PlanLimits {
    let currency = "EUR".to_owned();
    let budgets = vec![Budget { currency, amount_minor, supplier_id: None, category: None }];
    PlanLimits { budgets, ..PlanLimits::default() }
}

fn qty(plan: &[ReorderLine], item: &str) -> i64 {
    plan.iter().find(|line| line.item_id == item).map_or(0, |line| line.qty)
}

fn has(notes: &[Noted], code: Code) -> bool {
    notes.iter().any(|noted| noted.finding.code == code)
}

/// Ten wanted; every further unit loses a little. Nothing wanted, but not much lost either.
fn two_lines(worth: f64) -> Vec<ReorderLine> {
    vec![
        line("A", "S", "L", &[0, 10, 20, 30], &[0.0, worth, worth - 20.0, worth - 60.0]),
        line("B", "S", "L", &[0, 10, 20], &[0.0, -5.0, -30.0]),
    ]
}

#[test]
fn an_order_below_its_minimum_is_raised_by_what_loses_least_or_waits() {
    // erpnext#58710: the minimum is the order's, so 20 of one line and 10 of another make 30.
    for (worth, minimum, a, b, outcome) in [
        (100.0, 10, 10, 0, OrderOutcome::AsWanted),
        (100.0, 20, 10, 10, OrderOutcome::Raised),
        (100.0, 30, 20, 10, OrderOutcome::Raised),
        // odoo#175882: the minimum must not make an order that is not worth it.
        (26.0, 30, 20, 10, OrderOutcome::Raised),
        (24.0, 30, 0, 0, OrderOutcome::Deferred),
        (100.0, 60, 0, 0, OrderOutcome::Deferred),
    ] {
        let (plan, settlement, notes) =
            run(&two_lines(worth), &supplier(SupplierRule { min_order_units: minimum, ..rule() }));
        assert_eq!((qty(&plan, "A"), qty(&plan, "B")), (a, b), "{worth} {minimum}");
        assert_eq!(settlement.orders[0].outcome, outcome, "{worth} {minimum}");
        assert_eq!(has(&notes, Code::OrderRaised), outcome == OrderOutcome::Raised);
        assert_eq!(has(&notes, Code::OrderDeferred), outcome == OrderOutcome::Deferred);
        let deferred = outcome == OrderOutcome::Deferred;
        assert_eq!(has(&notes, Code::LeftOut), deferred, "nothing vanishes in silence");
        assert_eq!(settlement.left_out.len(), usize::from(deferred));
        for line in plan.iter().chain(&settlement.left_out) {
            assert_eq!(recompute(&line.reason), Some(line.qty));
            assert_eq!(line.value_minor, 100 * line.qty);
        }
    }
}

#[test]
fn a_minimum_by_value_counts_the_whole_order_and_no_other_destination() {
    let mut lines = two_lines(100.0);
    lines.push(line("C", "S", "M", &[0, 10], &[0.0, 100.0]));
    let limits = supplier(SupplierRule { min_order_value_minor: 2_000, ..rule() });
    let (plan, settlement, _) = run(&lines, &limits);
    assert_eq!((qty(&plan, "A"), qty(&plan, "B"), qty(&plan, "C")), (10, 10, 0));
    assert_eq!(settlement.left_out[0].item_id, "C");
}

#[test]
fn a_container_is_filled_up_by_worth_and_sent_if_it_pays() {
    // One kilogram a unit: 24 fit a container.
    let value = |own: f64| [0.0, own, own - 10.0, own - 40.0];
    let lines = [
        line("A", "S", "L", &[0, 10, 14, 20], &value(500.0)),
        line("B", "S", "L", &[0, 10, 14, 20], &value(300.0)),
    ];
    for (fixed_cost_minor, min_fill_share, a, b, containers) in [
        (0, 0.0, 10, 10, 1),
        (0, 1.0, 14, 10, 1),
        (700, 1.0, 14, 10, 1),
        // One line alone does not pay its container, and both do not either.
        (900, 0.0, 0, 0, 0),
    ] {
        let holds = Capacity { weight_g: Some(24_000), ..Capacity::default() };
        let container = Some(Container { holds, fixed_cost_minor, min_fill_share });
        let (plan, settlement, _) = run(&lines, &supplier(SupplierRule { container, ..rule() }));
        let case = (fixed_cost_minor, min_fill_share);
        let both = (qty(&plan, "A"), qty(&plan, "B"));
        assert!(
            both == (a, b) || (both == (b, a) && a != b && min_fill_share > 0.0),
            "{case:?} {both:?}"
        );
        assert_eq!(settlement.orders[0].containers, containers, "{case:?}");
    }
}

#[test]
fn a_budget_has_a_price_and_every_cut_a_reason() {
    let lines = [
        line("A", "S", "L", &[0, 1, 2, 3], &[0.0, 90.0, 150.0, 180.0]),
        line("B", "S", "L", &[0, 1, 2, 3], &[0.0, 50.0, 80.0, 90.0]),
    ];
    let (plan, settlement, notes) = run(&lines, &budget(300));
    assert_eq!((qty(&plan, "A"), qty(&plan, "B")), (2, 1));
    let limit = &settlement.limits[0];
    assert_eq!((limit.wanted, limit.used, limit.limit), (600.0, 300.0, 300.0));
    // The next unit of either is worth 30: another 100 would earn between that and the last one's.
    assert!((0.3 - 1e-6..=0.5 + 1e-6).contains(&limit.price), "{limit:?}");
    assert!(has(&notes, Code::LimitBinds));
    for line in &plan {
        assert_eq!(recompute(&line.reason), Some(line.qty));
        assert_eq!(line.reason[line.reason.len() - 2].step, codes::BUDGET);
        assert_eq!((line.order_qty, line.value_minor), (line.qty, 100 * line.qty));
    }
    assert_eq!(plan[0].expected_value_minor, 150);
}

#[test]
fn packs_and_weighed_goods_keep_their_units() {
    let mut packs = line("A", "S", "L", &[0, 12, 24, 36], &[0.0, 900.0, 1_500.0, 1_800.0]);
    packs.facts.multiple = 12;
    packs.facts.pack_uom = "case".to_owned();
    (packs.order_qty, packs.order_uom) = (3, "case".to_owned());
    let (plan, _, _) = run(&[packs], &budget(2_500));
    assert_eq!((plan[0].qty, plan[0].order_qty, plan[0].order_uom.as_str()), (24, 2, "case"));

    let mut tea = line("T", "S", "L", &[0, 500, 1_000], &[0.0, 900.0, 1_500.0]);
    tea.facts.per_base = 1_000;
    tea.facts.base_uom = "kg".to_owned();
    tea.choice.cost_minor = vec![0.0, 400.0, 800.0];
    (tea.value_minor, tea.unit_cost_minor) = (800, 800);
    let (plan, _, _) = run(&[tea], &budget(500));
    assert_eq!((plan[0].order_qty, plan[0].order_uom.as_str()), (500, "0.001 kg"));
    assert_eq!((plan[0].value_minor, plan[0].unit_cost_minor), (400, 800));
    assert_eq!(plan[0].reason.last().expect("a step").text, "Order 0.500 kg.");
}

#[test]
fn currencies_are_never_added() {
    let mut dollars = line("B", "S", "L", &[0, 10], &[0.0, 50.0]);
    dollars.currency = "USD".to_owned();
    let lines = [line("A", "S", "L", &[0, 10], &[0.0, 50.0]), dollars];
    // 1,000 EUR are enough for the line in EUR, and say nothing about the other.
    let (plan, _, notes) = run(&lines, &budget(1_000));
    assert_eq!(plan.len(), 2);
    assert!(has(&notes, Code::LimitCurrency));
    let (plan, _, _) = run(&lines, &budget(999));
    assert_eq!((qty(&plan, "A"), qty(&plan, "B")), (0, 10));
    // A capacity is shared by what lines in each want.
    let capacity = Capacity { units: Some(20), ..Capacity::default() };
    let (plan, _, notes) = run(&lines, &supplier(SupplierRule { capacity, ..rule() }));
    assert_eq!((qty(&plan, "A"), qty(&plan, "B")), (10, 10));
    assert!(has(&notes, Code::LimitCurrency));
}

#[test]
fn lines_that_cannot_change_come_first_and_are_held_where_they_exceed_the_limit() {
    let fixed =
        ReorderLine { choice: Default::default(), ..line("F", "S", "L", &[0, 6], &[0.0, 10.0]) };
    let lines = [line("A", "S", "L", &[0, 5, 10], &[0.0, 400.0, 500.0]), fixed];
    let (plan, _, _) = run(&lines, &budget(1_200));
    assert_eq!((qty(&plan, "A"), qty(&plan, "F")), (5, 6));
    let (plan, _, notes) = run(&lines, &budget(500));
    assert!(has(&notes, Code::LimitExceeded));
    assert_eq!(plan[1].state, LineState::Held);
    assert_eq!((qty(&plan, "A"), plan[0].state), (5, LineState::Proposed));
    // Below a minimum, and nothing can be done about it.
    let (_, _, notes) = run(&lines[1..], &supplier(SupplierRule { min_order_units: 50, ..rule() }));
    assert!(has(&notes, Code::OrderBelowMinimum));
}

#[test]
fn a_choice_that_makes_no_sense_leaves_the_line_as_it_is() {
    let good = line("A", "S", "L", &[0, 5, 10], &[0.0, 400.0, 500.0]);
    let mut faults = vec![good.clone(); 5];
    faults[0].choice.value_minor.pop();
    faults[1].choice.qty[0] = 1;
    faults[2].qty = 7;
    faults[3].choice.value_minor[1] = f64::NAN;
    faults[4].choice.cost_minor[2] = -1.0;
    for line in faults {
        let (plan, _, notes) = run(std::slice::from_ref(&line), &budget(2_000));
        assert_eq!(plan[0].qty, line.qty);
        assert!(has(&notes, Code::BadChoice));
    }
    let mut light = good;
    light.facts.weight_g = None;
    let capacity = Capacity { weight_g: Some(1), ..Capacity::default() };
    let (plan, _, notes) = run(&[light], &supplier(SupplierRule { capacity, ..rule() }));
    assert_eq!(plan[0].qty, 10);
    assert!(has(&notes, Code::LimitSizeUnknown));
}

#[test]
fn small_changes_are_not_made_and_frozen_lines_stay() {
    let lines = [line("A", "S", "L", &[0, 4, 5, 6], &[0.0, 380.0, 395.0, 400.0])];
    let settled = |before: i64, days: i32, hysteresis: Hysteresis| {
        let entry = PreviousLine { qty: before, expected_on: TODAY + days };
        let lines_before = [("purchase/A/L/S".to_owned(), entry)].into();
        let previous = Previous { lines: lines_before, whole: false };
        let limits = PlanLimits { hysteresis, ..PlanLimits::default() };
        settle(lines.to_vec(), &limits, &previous, TODAY)
    };
    let share = |min_value_share| Hysteresis { min_value_share, ..Hysteresis::default() };
    let lots = |lots| Hysteresis { lots, ..Hysteresis::default() };
    let money = |min_value_minor| Hysteresis { min_value_minor, ..Hysteresis::default() };
    let fence = |freeze_days| Hysteresis { freeze_days, ..Hysteresis::default() };
    for (before, days, hysteresis, qty, step) in [
        (5, 9, share(0.02), 5, codes::KEPT),
        (5, 9, share(0.01), 6, ""),
        (5, 9, money(6), 5, codes::KEPT),
        (5, 9, lots(1), 6, ""),
        (5, 9, lots(2), 5, codes::KEPT),
        (4, 9, lots(2), 6, ""),
        (3, 9, lots(9), 6, ""),
        (4, 3, fence(4), 4, codes::FROZEN),
        (4, 4, fence(4), 6, ""),
        (3, 3, fence(4), 6, ""),
    ] {
        let (plan, _, notes) = settled(before, days, hysteresis.clone());
        assert_eq!(plan[0].qty, qty, "{before} {hysteresis:?}");
        assert_eq!(recompute(&plan[0].reason), Some(qty));
        let said = plan[0].reason.iter().any(|one| one.step == step);
        assert_eq!(said, !step.is_empty(), "{before} {hysteresis:?}");
        assert_eq!(has(&notes, Code::FrozenLineGone), before == 3 && days == 3);
    }
}
