//! Rounding to MOQ, multiples and capacity, and price breaks.

use granary_models::policy::price::{BreakCosts, unit_cost_minor, with_breaks};
use granary_models::policy::rounding::{Lot, round, round_down};
use granary_models::policy::terms::{BreakKind, PriceBreak};
use proptest::prelude::*;

fn lots() -> impl Strategy<Value = Lot> {
    (0i64..200, -1i64..40, proptest::option::of(0i64..500))
        .prop_map(|(moq, multiple, capacity)| Lot { moq, multiple, capacity })
}

fn allowed(qty: i64, lot: Lot) -> bool {
    qty >= lot.moq.max(1)
        && qty % lot.multiple.max(1) == 0
        && lot.capacity.is_none_or(|capacity| qty <= capacity)
}

proptest! {
    #[test]
    fn it_is_the_smallest_allowed_quantity_or_the_largest_within_capacity(
        need in -20i64..600, lot in lots(),
    ) {
        let rounded = round(need, lot);
        let all: Vec<i64> = (1..=1_000).filter(|&qty| allowed(qty, lot)).collect();
        let expected = match all.iter().find(|&&qty| qty >= need) {
            _ if need <= 0 => 0,
            Some(&qty) => qty,
            None => all.last().copied().unwrap_or(0),
        };
        prop_assert_eq!(rounded.qty, expected);
        prop_assert_eq!(rounded.impossible, need > 0 && all.is_empty());
        let sum = need.max(0) + rounded.moq_added + rounded.multiple_added - rounded.cut;
        prop_assert_eq!(sum, rounded.qty);
        prop_assert!(rounded.moq_added >= 0 && rounded.multiple_added >= 0 && rounded.cut >= 0);
    }

    #[test]
    fn rounding_is_idempotent_and_monotone(need in 0i64..600, more in 0i64..100, lot in lots()) {
        let once = round(need, lot).qty;
        prop_assert_eq!(round(once, lot).qty, once);
        prop_assert!(round(need + more, lot).qty >= once);
    }

    #[test]
    fn rounding_down_is_the_largest_allowed_quantity_within_the_limit(
        limit in -20i64..600, lot in lots(),
    ) {
        let expected = (1..=limit.max(0)).rev().find(|&qty| allowed(qty, lot)).unwrap_or(0);
        prop_assert_eq!(round_down(limit, lot), expected);
    }

    #[test]
    fn no_number_is_too_large(need: i64, moq: i64, multiple: i64, capacity: i64) {
        for capacity in [None, Some(capacity)] {
            let lot = Lot { moq, multiple, capacity };
            let qty = round(need, lot).qty;
            prop_assert!(qty >= 0);
            prop_assert!(round_down(need, lot) >= 0);
        }
    }
}

#[test]
fn an_moq_that_is_no_multiple_asks_for_the_next_multiple() {
    for (need, moq, multiple, capacity, qty) in [
        (5, 10, 4, None, 12),
        (12, 10, 4, None, 12),
        (13, 10, 4, None, 16),
        (5, 10, 4, Some(11), 0),
        (50, 10, 4, Some(30), 28),
        (200, 30_000, 1, None, 30_000),
    ] {
        assert_eq!(round(need, Lot { moq, multiple, capacity }).qty, qty, "need {need}");
    }
}

fn check_break(need: i64, daily_demand: f64, holding_per_day: f64, asked: i64) {
    let breaks = [
        PriceBreak { min_qty: 100, unit_cost_minor: 95 },
        PriceBreak { min_qty: 500, unit_cost_minor: 90 },
    ];
    let lot = Lot { moq: 0, multiple: 10, capacity: Some(900) };
    let costs =
        BreakCosts { holding_per_day, daily_demand, cover_days: 7.0, per_base: 1.0, most: 800 };
    assert_eq!(
        with_breaks(need, 100, &breaks, BreakKind::AllUnits, lot, costs),
        asked,
        "need {need}"
    );
}

#[test]
fn a_price_break_is_taken_when_it_pays_for_the_waiting_stock() {
    check_break(80, 10.0, 0.01, 500);
    check_break(80, 10.0, 0.5, 100);
    check_break(80, 10.0, 5.0, 80);
    check_break(10, 0.5, 0.1, 10);
    check_break(600, 10.0, 0.01, 600);
    check_break(80, 0.0, 0.0, 80);
    check_break(0, 10.0, 0.0, 0);
}

#[test]
fn every_unit_costs_the_tier_it_reaches() {
    let breaks = [
        PriceBreak { min_qty: 500, unit_cost_minor: 90 },
        PriceBreak { min_qty: 100, unit_cost_minor: 95 },
    ];
    for (qty, cost) in [(1, 100), (99, 100), (100, 95), (499, 95), (500, 90)] {
        assert_eq!(unit_cost_minor(100, &breaks, qty), cost);
    }
}
