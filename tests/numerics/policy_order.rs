//! The order quantity against brute force, and its laws.

use granary_models::policy::order::{Needs, Target, UnitMoney, Window, mean, needs, raw_quantity};
use granary_models::policy::projection::{
    Issue, Opening, PathMatrix, Projection, Shortage, project,
};
use proptest::prelude::*;

use crate::policy_projection::{Case, cases};

const MONEY: UnitMoney =
    UnitMoney { margin_and_penalty: 10.0, holding_per_day: 0.25, left_over: 3.0 };

pub fn window(case: &Case, seed: usize) -> Window {
    let days = case.demand.days;
    let paths = case.demand.paths;
    let arrive: Vec<f64> = (0..paths).map(|p| ((p + seed) % days) as f64).collect();
    let until = arrive.iter().enumerate().map(|(p, a)| a + ((p + seed) % 6) as f64).collect();
    Window { arrive, until }
}

pub fn lacking(case: &Case, window: &Window) -> Needs {
    let mut out = Needs::default();
    needs(&case.demand, &case.receipts, &case.opening, window, case.shortage, &mut out);
    out
}

/// Short per path in its window with `qty` arriving, by projecting to both ends of the window.
pub fn short_by_projection(case: &Case, window: &Window, qty: f64) -> Vec<f64> {
    let mut receipts = case.receipts.clone();
    receipts.add_on_days(&window.arrive, qty);
    let lost_until = |path: usize, day: f64| {
        let days = (day as usize).min(case.demand.days);
        let (mut demand, mut receipts) = (case.demand.clone(), receipts.clone());
        demand.truncate(days);
        receipts.truncate(days);
        let mut out = Projection::default();
        project(&demand, &receipts, &case.opening, case.shortage, &mut out);
        out.lost[path]
    };
    (0..case.demand.paths)
        .map(|path| {
            let (arrive, until) = (window.arrive[path], window.until[path]);
            if until > arrive { lost_until(path, until) - lost_until(path, arrive) } else { 0.0 }
        })
        .collect()
}

proptest! {
    #[test]
    fn an_order_leaves_exactly_the_rest_of_the_need_short(
        case in cases(false), seed in 0usize..20, qty in 0u8..60,
    ) {
        prop_assume!(case.shortage == Shortage::Lost && case.opening.net >= 0);
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        let qty = f64::from(qty);
        let short = short_by_projection(&case, &window, qty);
        let ours: Vec<f64> = lack.need.iter().map(|need| (need - qty).max(0.0)).collect();
        prop_assert_eq!(&ours, &short);
        prop_assert!((lack.short_with(qty) - mean(&short)).abs() < 1e-9);
    }

    #[test]
    fn perishables_without_receipts_likewise(
        mut case in cases(true), seed in 0usize..20, qty in 0u8..60,
    ) {
        prop_assume!(case.shortage == Shortage::Lost && case.opening.net >= 0);
        case.opening.issue = Issue::Fifo;
        case.receipts.values.fill(0.0);
        // With lots that outlive the order, the order sells first and the need is only a bound.
        prop_assume!(case.opening.lots.iter().all(|lot| {
            case.opening.shelf_life_days.is_none_or(|life| (lot.last_day as u32) < life)
        }));
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        let qty = f64::from(qty);
        let short = mean(&short_by_projection(&case, &window, qty));
        prop_assert!((lack.short_with(qty) - short).abs() < 1e-9, "{short}");
    }

    #[test]
    fn the_cycle_quantity_is_the_smallest_that_covers_enough_paths(
        case in cases(false), seed in 0usize..20, p in 0.05f64..1.0,
    ) {
        prop_assume!(case.shortage == Shortage::Lost && case.opening.net >= 0);
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        let raw = raw_quantity(&lack, Target::Cycle(p), MONEY, &mut Vec::new());
        let covers = |qty: i64| {
            let short = short_by_projection(&case, &window, qty as f64);
            short.iter().filter(|&&s| s <= 0.0).count() as f64 >= p * short.len() as f64 - 1e-9
        };
        let brute = (0..).find(|&qty| covers(qty)).expect("some quantity is enough");
        prop_assert_eq!(raw.qty, brute);
    }

    #[test]
    fn the_fill_quantity_is_the_smallest_that_fills_enough(
        case in cases(false), seed in 0usize..20, beta in 0.05f64..1.0,
    ) {
        prop_assume!(case.shortage == Shortage::Lost && case.opening.net >= 0);
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        let raw = raw_quantity(&lack, Target::Fill(beta), MONEY, &mut Vec::new());
        let fills = |qty: i64| {
            let short = mean(&short_by_projection(&case, &window, qty as f64));
            short <= (1.0 - beta) * mean(&lack.window_demand) + 1e-9
        };
        let brute = (0..).find(|&qty| fills(qty)).expect("some quantity is enough");
        prop_assert_eq!(raw.qty, brute);
    }

    #[test]
    fn the_money_quantity_is_worth_most(case in cases(true), seed in 0usize..20) {
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        let raw = raw_quantity(&lack, Target::Economics, MONEY, &mut Vec::new());
        let best = lack.value_of(raw.qty as f64, MONEY);
        for qty in 0..120 {
            prop_assert!(lack.value_of(f64::from(qty), MONEY) <= best + 1e-9);
            let marginal = lack.marginal(f64::from(qty + 1), MONEY);
            let value = |qty: i32| lack.value_of(f64::from(qty), MONEY);
            let difference = value(qty + 1) - value(qty);
            prop_assert!((marginal - difference).abs() < 1e-9);
            prop_assert!(marginal + 1e-9 >= lack.marginal(f64::from(qty + 2), MONEY));
        }
    }

    #[test]
    fn a_higher_service_level_never_orders_less(
        case in cases(true), seed in 0usize..20, low in 0.1f64..1.0, high in 0.1f64..1.0,
    ) {
        let lack = lacking(&case, &window(&case, seed));
        let quantity = |target| raw_quantity(&lack, target, MONEY, &mut Vec::new()).qty;
        let (low, high) = (low.min(high), low.max(high));
        prop_assert!(quantity(Target::Cycle(low)) <= quantity(Target::Cycle(high)));
        prop_assert!(quantity(Target::Fill(low)) <= quantity(Target::Fill(high)));
        prop_assert!(quantity(Target::Cycle(low)) >= 0);
    }

    #[test]
    fn a_longer_lead_time_never_orders_less(
        mut case in cases(false), arrive in 0usize..10, review in 1usize..5, level in 0.1f64..1.0,
    ) {
        // With back-orders nothing is forgotten while waiting; lost sales need not be bought again.
        case.shortage = Shortage::BackOrdered;
        case.receipts.values.fill(0.0);
        let days = case.demand.days;
        let quantity = |arrive: usize| {
            let until = (arrive + review).min(days);
            let fixed = |day: usize| vec![day.min(days) as f64; case.demand.paths];
            let lack = lacking(&case, &Window { arrive: fixed(arrive), until: fixed(until) });
            raw_quantity(&lack, Target::Cycle(level), MONEY, &mut Vec::new()).qty
        };
        prop_assume!(arrive + 1 < days);
        prop_assert!(quantity(arrive) <= quantity(arrive + 1));
    }
}

#[test]
fn a_lead_time_quantile_is_not_a_sum_of_daily_quantiles() {
    // Ten paths, each with one sale of 10 on a day of its own.
    let mut demand = PathMatrix::default();
    demand.reset(10, 10, 0.0);
    for path in 0..10 {
        demand.row_mut(path)[path] = 10.0;
    }
    let mut receipts = PathMatrix::default();
    receipts.reset(10, 10, 0.0);
    let window = Window { arrive: vec![0.0; 10], until: vec![10.0; 10] };
    let mut lack = Needs::default();
    needs(&demand, &receipts, &Opening::default(), &window, Shortage::Lost, &mut lack);
    for target in [Target::Cycle(0.95), Target::Cycle(0.1), Target::Fill(1.0)] {
        assert_eq!(raw_quantity(&lack, target, MONEY, &mut Vec::new()).qty, 10);
    }
}
