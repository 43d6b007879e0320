//! The curves on which shared limits are settled, and what a quantity costs.

use granary_models::distribution::DemandPaths;
use granary_models::plan::choice::Choice;
use granary_models::plan_sku::{ItemSupply, LocationKind, PlanConfig, plan_item};
use granary_models::policy::order::Target;
use granary_models::policy::price::{BreakCosts, reviews_per_order, with_breaks};
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::rounding::{Lot, round};
use granary_models::policy::terms::{BreakKind, PriceBreak, SupplyTerms};
use granary_models::policy::unit::QtyUnit;
use proptest::prelude::*;

use crate::plan_help::{TODAY, item, location, purchase};

const PATHS: usize = 64;
const DAYS: usize = 28;

fn random_item(seed: u64, daily: u64, on_hand: i64, target: Target) -> ItemSupply<'static> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let values = (0..PATHS * DAYS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % (2 * daily + 1)) as f32
        })
        .collect();
    let mut shop = location("L", LocationKind::Store, on_hand, vec![purchase(3, 7)]);
    shop.demand = Some(DemandPaths { paths: PATHS, horizon: DAYS, values });
    ItemSupply { target: Some(target), unit_price_minor: Some(150), ..item(vec![shop]) }
}

fn with_choices() -> PlanConfig {
    PlanConfig { with_choices: true, ..PlanConfig::default() }
}

/// The choice of the only line or candidate, and the line's own quantity.
fn choice_of(item: &ItemSupply) -> Option<(Choice, i64)> {
    let (plan, _) = plan_item(item, TODAY, &with_choices());
    plan.lines.iter().chain(&plan.candidates).next().map(|line| (line.choice.clone(), line.qty))
}

proptest! {
    #[test]
    fn a_choice_is_on_the_lot_grid_with_falling_returns_and_no_better_than_the_line(
        seed in 0u64..1000, daily in 1u64..40, on_hand in 0i64..300, moq in 0i64..50,
        multiple in 1i64..13, target in 0usize..3,
    ) {
        let target = [Target::Cycle(0.95), Target::Fill(0.97), Target::Economics][target];
        let mut item = random_item(seed, daily, on_hand, target);
        let terms = &mut item.locations[0].terms[0];
        (terms.moq, terms.multiple) = (moq, multiple);
        if let Some((choice, own)) = choice_of(&item) {
            let Choice { qty, value_minor, cost_minor } = &choice;
            prop_assert!(qty.len() <= 48 && qty.len() > 1, "{} points", qty.len());
            prop_assert_eq!((qty[0], value_minor[0], cost_minor[0]), (0, 0.0, 0.0));
            for pair in qty.windows(2) {
                prop_assert!(pair[0] < pair[1]);
                prop_assert!(pair[1] >= moq && pair[1] % multiple == 0, "{} is no lot", pair[1]);
            }
            let at = qty.iter().position(|&q| q == own).expect("its own quantity");
            let best = value_minor.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // Where money decides, rounding up to the lot may cost more than the last unit brings.
            if target != Target::Economics {
                // What nobody asks for keeps its own worth: that makes it a candidate.
                prop_assert!(own == 0 || value_minor[at] >= best - 1e-6, "{own} of {choice:?}");
                let slopes: Vec<f64> = (1..qty.len())
                    .filter(|&i| i != at && i != at + 1)
                    .map(|i| (value_minor[i] - value_minor[i - 1]) / (qty[i] - qty[i - 1]) as f64)
                    .collect();
                prop_assert!(slopes.windows(2).all(|s| s[1] <= s[0] + 1e-6), "{slopes:?}");
            } else {
                let slopes: Vec<f64> = (1..qty.len())
                    .map(|i| (value_minor[i] - value_minor[i - 1]) / (qty[i] - qty[i - 1]) as f64)
                    .collect();
                prop_assert!(slopes.windows(2).all(|s| s[1] <= s[0] + 1e-6), "{slopes:?}");
                let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
                if let Some(line) = plan.lines.first() {
                    prop_assert!((line.expected_value_minor as f64 - value_minor[at]).abs() <= 0.51);
                }
            }
            for (q, cost) in qty.iter().zip(cost_minor) {
                prop_assert_eq!(*cost, *q as f64 * 100.0);
            }
        }
    }

    #[test]
    fn incremental_tiers_are_as_good_as_every_quantity_tried(
        need in 1i64..60, first in 2i64..80, second in 2i64..120, list in 50i64..200,
        off in 1i64..40, more in 0i64..20, moq in 0i64..30, multiple in 1i64..9,
        holding in 0.0f64..2.0, daily in 0.5f64..9.0, cover in 1.0f64..14.0, most in 10i64..400,
    ) {
        let breaks = [
            PriceBreak { min_qty: first, unit_cost_minor: list - off },
            PriceBreak { min_qty: first + second, unit_cost_minor: list - off - more },
        ];
        let lot = Lot { moq, multiple, capacity: None };
        let costs = BreakCosts {
            holding_per_day: holding, daily_demand: daily, cover_days: cover, per_base: 1.0, most,
        };
        let asked = with_breaks(need, list, &breaks, BreakKind::Incremental, lot, costs);
        let plain = round(need, lot).qty;
        let cost = |qty: i64| -> f64 {
            (1..=qty).map(|unit| {
                let tier = breaks.iter().rev().find(|tier| tier.min_qty <= unit);
                tier.map_or(list, |tier| tier.unit_cost_minor) as f64
            }).sum()
        };
        let gain = |qty: i64| {
            let extra = (qty - plain) as f64;
            qty as f64 * cost(plain) / plain as f64
                - cost(qty)
                - extra * (cover + extra / (2.0 * daily)) * holding
        };
        let brute = (plain..=most).filter(|q| q % multiple == 0).map(gain).fold(0.0, f64::max);
        let ours = gain(round(asked, lot).qty);
        prop_assert!(ours >= brute - 1e-6, "{asked}: {ours} for {brute}");
    }

    #[test]
    fn reviews_per_order_cost_the_least(
        fixed in 1.0f64..5000.0, holding in 0.01f64..2.0, daily in 0.5f64..20.0, cover in 1.0f64..14.0,
    ) {
        let costs = BreakCosts {
            holding_per_day: holding, daily_demand: daily, cover_days: cover, per_base: 1.0, most: i64::MAX,
        };
        let per_day = |k: u32| {
            let days = f64::from(k) * cover;
            fixed / days + holding * daily * days / 2.0
        };
        let ours = reviews_per_order(fixed, &costs, 365.0);
        let most = (365.0 / cover).floor() as u32;
        let best = (1..=most).map(per_day).fold(f64::INFINITY, f64::min);
        prop_assert!(per_day(ours) <= best + 1e-9, "{ours}");
    }
}

#[test]
fn costs_follow_the_tiers() {
    let breaks = vec![
        PriceBreak { min_qty: 100, unit_cost_minor: 90 },
        PriceBreak { min_qty: 200, unit_cost_minor: 80 },
    ];
    let check = |kind: BreakKind, landed: i64, qty: i64, cost: f64, price: i64| {
        let terms = SupplyTerms {
            unit_cost_minor: 100,
            price_breaks: breaks.clone(),
            break_kind: kind,
            landed_cost_minor: landed,
            ..SupplyTerms::default()
        };
        assert_eq!(terms.cost_minor(&QtyUnit::default(), qty), cost, "{kind:?} {qty}");
        assert_eq!(terms.price_minor(qty), price, "{kind:?} {qty}");
    };
    check(BreakKind::AllUnits, 0, 99, 9_900.0, 100);
    check(BreakKind::AllUnits, 0, 100, 9_000.0, 90);
    check(BreakKind::AllUnits, 5, 200, 17_000.0, 80);
    check(BreakKind::Incremental, 0, 99, 9_900.0, 100);
    check(BreakKind::Incremental, 0, 100, 9_990.0, 100);
    check(BreakKind::Incremental, 0, 199, 18_900.0, 95);
    check(BreakKind::Incremental, 5, 200, 19_980.0, 95);
    check(BreakKind::Incremental, 0, 0, 0.0, 100);
}

#[test]
fn what_an_order_costs_once_makes_it_wait_or_last() {
    let order = |target: Target, on_hand: i64, fixed: i64| {
        let mut item = random_item(7, 5, on_hand, target);
        item.locations[0].terms[0].fixed_cost_minor = fixed;
        let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
        let reason = plan.locations[0].reason.clone();
        let qty: i64 = plan.lines.iter().map(|line| line.qty).sum();
        assert_eq!(recompute(&reason), Some(qty));
        let step = |code: &str| reason.iter().any(|s| s.step == code);
        (qty, step(codes::NOT_WORTH_IT), step(codes::FIXED_COST))
    };
    let (plain, waits, lasts) = order(Target::Economics, 20, 0);
    assert!(plain > 0 && !waits && !lasts);
    assert_eq!(order(Target::Economics, 20, 100), (plain, false, false));
    assert_eq!(order(Target::Economics, 20, 1_000_000), (0, true, false));
    let (plain, ..) = order(Target::Cycle(0.95), 20, 0);
    let (more, _, lasts) = order(Target::Cycle(0.95), 20, 100);
    assert!(more > plain && lasts, "{more} after {plain}");
    // Sixty days of demand are the most.
    let (most, ..) = order(Target::Cycle(0.95), 20, i64::from(i32::MAX));
    assert!(most <= 60 * 5 + 20 && most > more, "{most}");
}

#[test]
fn candidates_are_what_would_earn_though_nothing_asks_for_it() {
    let item = random_item(3, 5, 60, Target::Cycle(0.3));
    let (plan, _) = plan_item(&item, TODAY, &with_choices());
    assert!(plan.lines.is_empty());
    assert_eq!(plan.candidates.len(), 1);
    assert_eq!(plan.candidates[0].qty, 0);
    assert_eq!(recompute(&plan.candidates[0].reason), Some(0));
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    assert!(plan.candidates.is_empty());
    let plenty = random_item(3, 5, 6_000, Target::Cycle(0.3));
    assert!(plan_item(&plenty, TODAY, &with_choices()).0.candidates.is_empty());
}
