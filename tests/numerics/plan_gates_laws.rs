//! Laws of the line gates: nothing over a limit goes out, and a looser limit holds no more.

use granary_models::plan::gates::{GateLimits, OrderTerms, StockGone, UnseenRelease, hold_lines};
use granary_models::plan::line::{LineState, ReorderLine};
use granary_models::policy::terms::SupplyKind;
use proptest::prelude::*;

use crate::plan_gates::line;
use crate::plan_help::TODAY;

/// Numbers that a broken feed, an overflow or a division may leave.
fn odd_f64() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..200.0f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-1.0),
        1 => Just(1e300),
    ]
}

fn odd_i64() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1..5_000i64, 1 => Just(i64::MAX), 1 => 1_000_000..1_000_000_000i64]
}

prop_compose! {
    fn terms()(
        multiple in 0..50i64,
        moq in 0..500i64,
        unit_cost_minor in 0..1_000i64,
        decimals in 0..3u32,
        base_uom in prop_oneof![Just("kg"), Just("g")],
        pack_uom in prop_oneof![Just(""), Just("case"), Just("pallet")],
    ) -> OrderTerms {
        OrderTerms {
            multiple,
            moq,
            unit_cost_minor,
            per_base: 10i64.pow(decimals),
            base_uom: base_uom.to_owned(),
            pack_uom: pack_uom.to_owned(),
        }
    }
}

prop_compose! {
    fn any_line()(
        (qty, value_minor, unit_cost_minor) in (odd_i64(), odd_i64(), 0..500i64),
        (daily_demand, position, multiple) in (odd_f64(), odd_i64(), 1..100i64),
        (largest, history_days) in
            (proptest::option::of(0..1_000i64), proptest::option::of(0..100u32)),
        (plain_daily, usual_daily) in
            (proptest::option::of(odd_f64()), proptest::option::of(odd_f64())),
        (shelf_life_days, largest_in_shelf_life, by_neighbours) in
            (proptest::option::of(1..30u32), proptest::option::of(0..500i64), any::<bool>()),
        (max_order_qty, transfer) in (proptest::option::of(1..5_000i64), any::<bool>()),
        (now, was) in (proptest::option::of(terms()), proptest::option::of(terms())),
        (gone, released) in
            (proptest::option::of((1..500i64, 0..500i64)), proptest::option::of(1..60u32)),
    ) -> ReorderLine {
        let mut line = line();
        (line.qty, line.value_minor, line.unit_cost_minor) = (qty, value_minor, unit_cost_minor);
        line.kind = if transfer { SupplyKind::Transfer } else { SupplyKind::Purchase };
        let facts = &mut line.facts;
        (facts.daily_demand, facts.position, facts.multiple) = (daily_demand, position, multiple);
        (facts.largest_demand_seen, facts.history_days) = (largest, history_days);
        let evidence = &mut facts.evidence;
        (evidence.plain_daily, evidence.usual_daily) = (plain_daily, usual_daily);
        (evidence.shelf_life_days, evidence.largest_in_shelf_life) =
            (shelf_life_days, largest_in_shelf_life);
        (evidence.max_order_qty, evidence.by_neighbours) = (max_order_qty, by_neighbours);
        (evidence.terms, evidence.terms_before) = (now, was);
        evidence.stock_gone = gone.map(|(before, unexplained)| StockGone {
            counted_on: TODAY - 1,
            before_on: TODAY - 2,
            before,
            unexplained,
        });
        evidence.unseen_release = released.map(|age_days| UnseenRelease {
            business_date: TODAY - age_days as i32,
            qty: 5,
            age_days,
        });
        line
    }
}

prop_compose! {
    /// 0 is off; the number of days by which an item is new is another question than how much.
    fn any_limits()(
        (max_line_qty, max_line_value_minor, new_item_max_value_minor) in
            (0..5_000i64, 0..5_000i64, 0..5_000i64),
        times in proptest::array::uniform5(prop_oneof![1 => Just(0.0), 6 => 1.0..200.0f64]),
        max_stock_gone_share in prop_oneof![1 => Just(0.0), 3 => 0.01..1.0f64],
        unseen_release_days in 0..60u32,
    ) -> GateLimits {
        GateLimits {
            max_line_qty,
            max_line_value_minor,
            new_item_max_value_minor,
            max_terms_change: times[0],
            max_times_largest_demand: times[1],
            max_times_usual_demand: times[2],
            max_cover_days: times[3],
            max_times_shelf_life_demand: times[4],
            max_stock_gone_share,
            unseen_release_days,
            new_item_days: 28,
            ..GateLimits::off()
        }
    }
}

/// What must never go out, said once more and in plain words.
fn over_some_limit(line: &ReorderLine, limits: &GateLimits) -> bool {
    let (facts, evidence) = (&line.facts, &line.facts.evidence);
    let qty = line.qty as f64;
    let on = |limit: f64| limit > 0.0;
    let new = facts.history_days.is_none_or(|days| days < limits.new_item_days);
    let bought = line.kind != SupplyKind::Transfer;
    evidence.max_order_qty.is_some_and(|cap| line.qty > cap)
        || limits.max_line_qty > 0 && line.qty > limits.max_line_qty
        || bought
            && limits.max_line_value_minor > 0
            && line.value_minor > limits.max_line_value_minor
        || !new
            && !evidence.by_neighbours
            && on(limits.max_times_largest_demand)
            && line.qty > facts.multiple
            && facts
                .largest_demand_seen
                .is_some_and(|largest| qty > limits.max_times_largest_demand * largest as f64)
        || on(limits.max_cover_days)
            && facts.largest_demand_seen.is_none_or(|largest| line.qty > largest)
            && (facts.daily_demand.is_nan() || qty > limits.max_cover_days * facts.daily_demand)
        || bought
            && new
            && limits.new_item_max_value_minor > 0
            && line.value_minor > limits.new_item_max_value_minor
}

/// Each limit looser on its own: larger, or off.
fn looser(limits: &GateLimits, by: f64) -> Vec<GateLimits> {
    let times = |limit: f64| if limit == 0.0 { 0.0 } else { limit * by };
    let amount = |limit: i64| (limit as f64 * by) as i64;
    let base = limits.clone();
    vec![
        GateLimits { max_line_qty: amount(base.max_line_qty), ..base.clone() },
        GateLimits { max_line_qty: 0, ..base.clone() },
        GateLimits { max_line_value_minor: amount(base.max_line_value_minor), ..base.clone() },
        GateLimits { max_line_value_minor: 0, ..base.clone() },
        GateLimits { max_terms_change: times(base.max_terms_change), ..base.clone() },
        GateLimits { max_terms_change: 0.0, ..base.clone() },
        GateLimits {
            max_times_largest_demand: times(base.max_times_largest_demand),
            ..base.clone()
        },
        GateLimits { max_times_largest_demand: 0.0, ..base.clone() },
        GateLimits { max_times_usual_demand: times(base.max_times_usual_demand), ..base.clone() },
        GateLimits { max_times_usual_demand: 0.0, ..base.clone() },
        GateLimits { max_cover_days: times(base.max_cover_days), ..base.clone() },
        GateLimits { max_cover_days: 0.0, ..base.clone() },
        GateLimits {
            max_times_shelf_life_demand: times(base.max_times_shelf_life_demand),
            ..base.clone()
        },
        GateLimits { max_times_shelf_life_demand: 0.0, ..base.clone() },
        GateLimits {
            new_item_max_value_minor: amount(base.new_item_max_value_minor),
            ..base.clone()
        },
        GateLimits { new_item_max_value_minor: 0, ..base.clone() },
        GateLimits { max_stock_gone_share: times(base.max_stock_gone_share), ..base.clone() },
        GateLimits { max_stock_gone_share: 0.0, ..base.clone() },
        GateLimits { unseen_release_days: base.unseen_release_days / 2, ..base.clone() },
        GateLimits { unseen_release_days: 0, ..base },
    ]
}

fn is_held(line: &ReorderLine, limits: &GateLimits) -> bool {
    let mut lines = [line.clone()];
    hold_lines(&mut lines, limits);
    lines[0].state == LineState::Held
}

proptest! {
    #[test]
    fn nothing_over_a_limit_is_proposed(line in any_line(), limits in any_limits()) {
        let mut lines = [line];
        let findings = hold_lines(&mut lines, &limits);
        let [line] = lines;
        prop_assert_eq!(line.state == LineState::Held, !findings.is_empty());
        prop_assert_eq!(line.held_because, findings.first().map(|(_, finding)| finding.code));
        if over_some_limit(&line, &limits) {
            prop_assert_eq!(line.state, LineState::Held);
        }
    }

    #[test]
    fn a_looser_limit_holds_no_more(
        line in any_line(),
        limits in any_limits(),
        by in 1.0..50.0f64,
    ) {
        let held = is_held(&line, &limits);
        for looser in looser(&limits, by) {
            prop_assert!(held || !is_held(&line, &looser), "{looser:?}");
        }
    }

    #[test]
    fn with_every_gate_off_only_the_items_own_cap_holds(line in any_line()) {
        let over = line.facts.evidence.max_order_qty.is_some_and(|cap| line.qty > cap);
        prop_assert_eq!(is_held(&line, &GateLimits::off()), over);
    }
}
