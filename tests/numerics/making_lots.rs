//! Dynamic lot sizing on a lot grid: textbook cases, full enumeration, laws.

use granary_models::distribution::DemandPaths;
use granary_models::policy::production::lots::{
    LotPlan, PlannedLot, RunCosts, RunDays, cumulative_need, lengthened, steady_run,
};
use granary_models::policy::rounding::Lot;
use proptest::prelude::*;

const ANY: Lot = Lot { moq: 0, multiple: 1, capacity: None };

fn summed(daily: &[i64]) -> Vec<i64> {
    let mut sum = 0;
    daily
        .iter()
        .map(|qty| {
            sum += qty;
            sum
        })
        .collect()
}

fn costs(setup: f64, holding_per_day: f64) -> RunCosts {
    RunCosts { setup, holding_per_day, short_per_day: 1e6 }
}

fn check(daily: &[i64], setup: f64, holding: f64, lot: Lot, lots: &[(usize, i64)], cost: f64) {
    let plan = LotPlan::cheapest(&summed(daily), &[], lot, costs(setup, holding));
    let want: Vec<PlannedLot> = lots.iter().map(|&(day, qty)| PlannedLot { day, qty }).collect();
    assert_eq!(plan.lots, want, "{daily:?}");
    assert!((plan.cost_minor() - cost).abs() < 1e-9, "{} for {cost}", plan.cost_minor());
}

/// Snyder & Shen (2019), example 3.9: demands 90, 120, 80, 70 at K = 500 and h = 2, the best cost
/// 1380 with orders for periods 1–2 and 3–4. Silver, Pyke & Thomas (2017), §5.6: a year of twelve
/// months at K = 54 and h = 0.4 a unit, the best cost 501.2.
#[test]
fn textbook_cases_come_out() {
    check(&[90, 120, 80, 70], 500.0, 2.0, ANY, &[(0, 210), (2, 150)], 1380.0);
    let months = [10, 62, 12, 130, 154, 129, 88, 52, 124, 160, 238, 41];
    let year = LotPlan::cheapest(&summed(&months), &[], ANY, costs(54.0, 0.4));
    assert!((year.cost_minor() - 501.2).abs() < 1e-9, "{}", year.cost_minor());
    // On a grid of 50 two plans cost 1700: 250 and 150 for periods 1 and 3, or 100 and 300 for 1,
    // 2.
    let grid = Lot { moq: 0, multiple: 50, capacity: None };
    let plan = LotPlan::cheapest(&summed(&[90, 120, 80, 70]), &[], grid, costs(500.0, 2.0));
    assert!((plan.cost_minor() - 1700.0).abs() < 1e-9, "{plan:?}");
    // At most 200 a run: 70 of the first run wait one day, 150 the second, 70 the third.
    let capped = Lot { moq: 0, multiple: 10, capacity: Some(200) };
    check(&[90, 120, 80, 70], 500.0, 2.0, capped, &[(0, 160), (1, 200)], 1580.0);
    check(&[0, 0, 0], 10.0, 1.0, ANY, &[], 0.0);
}

/// Every sequence of allowed lots.
fn brute(need: &[i64], open: &[bool], lot: Lot, costs: RunCosts) -> f64 {
    fn rest(t: usize, made: i64, case: &(&[i64], &[bool], Lot, RunCosts), most: i64) -> f64 {
        let &(need, open, lot, costs) = case;
        if t == need.len() {
            return 0.0;
        }
        let step = lot.multiple.max(1);
        let mut best = f64::INFINITY;
        let mut qty = 0;
        while qty == 0 || (open[t] && made + qty <= most) {
            let allowed = qty == 0 || (qty >= lot.moq && lot.capacity.is_none_or(|cap| qty <= cap));
            if allowed {
                let over = (made + qty - need[t]) as f64;
                let stock =
                    costs.holding_per_day * over.max(0.0) + costs.short_per_day * (-over).max(0.0);
                let setup = if qty > 0 { costs.setup } else { 0.0 };
                best = best.min(setup + stock + rest(t + 1, made + qty, case, most));
            }
            qty += step;
        }
        best
    }
    let most = need.last().copied().unwrap_or(0) + lot.moq.max(lot.multiple) + lot.multiple;
    rest(0, 0, &(need, open, lot, costs), most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_plans_are_the_cheapest_there_are(
        daily in prop::collection::vec(0i64..7, 1..6),
        open in prop::collection::vec(any::<bool>(), 6),
        grid in (0i64..6, 1i64..4, prop::option::of(1i64..9)), setup in 0.0..40.0f64,
        holding in 0.1..3.0f64, short in 3.0..30.0f64
    ) {
        let need = summed(&daily);
        let lot = Lot { moq: grid.0, multiple: grid.1, capacity: grid.2 };
        let costs = RunCosts { setup, holding_per_day: holding, short_per_day: short };
        let plan = LotPlan::cheapest(&need, &open, lot, costs);
        let possible = (1..40).any(|k| {
            let qty = k * lot.multiple;
            qty >= lot.moq && lot.capacity.is_none_or(|cap| qty <= cap)
        });
        if need.last().is_none_or(|&last| last == 0) || !possible {
            prop_assert!(plan.lots.is_empty());
            return Ok(());
        }
        let best = brute(&need, &open, lot, costs);
        prop_assert!((plan.cost_minor() - best).abs() < 1e-6, "{} of {best}", plan.cost_minor());
    }

    #[test]
    fn lots_keep_to_their_grid_and_days(
        daily in prop::collection::vec(0i64..900, 1..60),
        open in prop::collection::vec(any::<bool>(), 60),
        grid in (0i64..500, 1i64..60, prop::option::of(100i64..4_000)), setup in 0.0..9_000.0f64
    ) {
        let lot = Lot { moq: grid.0, multiple: grid.1, capacity: grid.2 };
        let need = summed(&daily);
        let plan = LotPlan::cheapest(&need, &open, lot, costs(setup, 0.5));
        for planned in &plan.lots {
            prop_assert!(planned.qty > 0 && planned.qty % lot.multiple == 0);
            prop_assert!(planned.qty >= lot.moq);
            prop_assert!(lot.capacity.is_none_or(|cap| planned.qty <= cap));
            prop_assert!(open[planned.day]);
        }
        let made: i64 = plan.lots.iter().map(|planned| planned.qty).sum();
        let last = need.last().copied().unwrap_or(0);
        prop_assert!(plan.short_minor > 0.0 || made >= last);
        // A dearer set-up never asks for more runs.
        let dear = LotPlan::cheapest(&need, &open, lot, costs(4.0 * setup + 100.0, 0.5));
        prop_assert!(dear.lots.len() <= plan.lots.len());
        prop_assert_eq!(&plan, &LotPlan::cheapest(&need, &open, lot, costs(setup, 0.5)));
    }
}

/// 10,000,000 units in steps of one are planned in steps of 2,501, to within one of them.
#[test]
fn a_fine_grid_is_planned_in_several_lots_at_once() {
    let need = summed(&vec![100_000; 100]);
    let plan = LotPlan::cheapest(&need, &[], ANY, costs(2_000_000.0, 1.0));
    let made: i64 = plan.lots.iter().map(|planned| planned.qty).sum();
    assert!((10_000_000..10_002_501).contains(&made), "{made}");
    // The economic lot lasts sqrt(2 K / (h d)) = 6.3 days.
    assert!((14..=17).contains(&plan.lots.len()), "{:?}", plan.lots);
}

#[test]
fn a_need_is_a_quantile_of_sums_less_what_is_there() {
    // Two units a day on half of the paths, none on the others, and the other way round next day.
    let values =
        (0..4).flat_map(|path| if path % 2 == 0 { [2.0, 0.0, 1.0] } else { [0.0, 2.0, 1.0] });
    let paths = DemandPaths { paths: 4, horizon: 3, values: values.collect() };
    for (level, opening, receipts, want) in [
        (0.9, 0, vec![], [2, 2, 3]),
        (0.5, 0, vec![], [0, 2, 3]),
        (0.9, 1, vec![0, 1], [1, 1, 1]),
        (0.9, 9, vec![], [0, 0, 0]),
        (0.9, -2, vec![], [4, 4, 5]),
    ] {
        assert_eq!(cumulative_need(&paths, opening, &receipts, level), want, "{level} {opening}");
    }
    assert_eq!(lengthened(vec![2, 4, 6], 5), [2, 4, 6, 8, 10]);
    assert_eq!(lengthened(vec![2, 4, 6], 2), [2, 4, 6]);
    assert_eq!(lengthened(Vec::new(), 5), Vec::<i64>::new());
    // K = 200, h = 0.1, 10 a day: an economic lot lasts 20 days.
    assert_eq!(costs(200.0, 0.1).days_to_plan(10.0), 60);
    assert_eq!(costs(200.0, 0.0).days_to_plan(10.0), 366);
}

/// Ten a day, K = 200, h = 1: an economic lot is √(2 · 200 · 10 / 1) = 63 units. A run every day
/// can be there from day 3 on.
#[test]
fn tonight_makes_the_first_lot_or_waits() {
    let days = RunDays { first: 3, apart: 1 };
    let run = |daily: &[i64]| {
        let costs = RunCosts { setup: 200.0, holding_per_day: 1.0, short_per_day: 50.0 };
        steady_run(&summed(daily), days, ANY, costs)
    };
    let now = run(&[10; 14]);
    // Three days are late whatever is done; from then on lots of six days, give or take one.
    assert!((80..=100).contains(&now.tonight_qty), "{now:?}");
    assert!(now.plan.lots.len() >= 3 && now.plan.lots[0].day == 3);
    assert!(now.plan.lots[1..].iter().all(|lot| (50..=80).contains(&lot.qty)), "{now:?}");
    // Stock for nine days: the first run can wait.
    let later = run(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10, 10, 10]);
    assert_eq!((later.tonight_qty, later.plan.lots[0].day), (0, 9));
    assert_eq!(run(&[0; 14]).plan.lots, []);
    assert_eq!(steady_run(&[], days, ANY, costs(1.0, 1.0)).tonight_qty, 0);
    // Weekly runs: a lot holds whole weeks, or misses a set-up at the price of being short.
    let weekly = RunDays { first: 3, apart: 7 };
    let costs = RunCosts { setup: 200.0, holding_per_day: 1.0, short_per_day: 50.0 };
    let plan = steady_run(&summed(&[10; 28]), weekly, ANY, costs).plan;
    assert!(plan.lots.iter().all(|lot| lot.day % 7 == 3), "{plan:?}");
}
