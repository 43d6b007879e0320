//! Where the latest to expire sells first: what an order serves, and what it pushes into expiry.

use granary_models::policy::order::{Needs, UnitMoney, Window, mean, needs};
use granary_models::policy::projection::{
    Issue, LotLeft, Opening, PathMatrix, Projection, Shortage, project,
};
use proptest::prelude::*;

use crate::policy_order::{lacking, short_by_projection, window};
use crate::policy_projection::cases;

const MONEY: UnitMoney =
    UnitMoney { margin_and_penalty: 10.0, holding_per_day: 0.25, left_over: 3.0 };

fn one_path(values: &[f64]) -> PathMatrix {
    PathMatrix { paths: 1, days: values.len(), values: values.to_vec() }
}

/// Five old units on their last day as a fresh order comes, five asked for on each of two days.
fn old_beside_fresh(issue: Issue) -> Needs {
    let lots = vec![LotLeft { qty: 5, last_day: 0 }];
    let opening = Opening { net: 5, lots, unlotted: 0, shelf_life_days: Some(2), issue };
    let window = Window { arrive: vec![0.0], until: vec![2.0] };
    let mut out = Needs::default();
    let (demand, receipts) = (one_path(&[5.0, 5.0]), one_path(&[0.0, 0.0]));
    needs(&demand, &receipts, &opening, &window, Shortage::Lost, &mut out);
    out
}

#[test]
fn fresh_units_that_sell_first_push_old_ones_out() {
    let fifo = old_beside_fresh(Issue::Fifo);
    assert_eq!((fifo.need[0], fifo.displaced[0]), (5.0, 0.0));
    let lifo = old_beside_fresh(Issue::Lifo);
    assert_eq!((lifo.need[0], lifo.displaced[0]), (10.0, 5.0));
    assert_eq!([0.0, 5.0, 8.0, 10.0].map(|qty| lifo.short_with(qty)), [5.0, 5.0, 2.0, 0.0]);
    // Ten units save five sales and waste five: half of each on the mean.
    let money = UnitMoney { holding_per_day: 0.0, ..MONEY };
    assert_eq!(lifo.value_of(10.0, money), 5.0 * 10.0 - 5.0 * 3.0);
    assert_eq!(lifo.marginal(1.0, money), 0.5 * 10.0 - 0.5 * 3.0);
}

#[test]
fn lifo_sells_the_latest_and_wastes_the_rest() {
    let lots = vec![LotLeft { qty: 4, last_day: 0 }, LotLeft { qty: 3, last_day: 2 }];
    for (issue, sold, wasted) in [(Issue::Fifo, 7.0, 0.0), (Issue::Lifo, 6.0, 1.0)] {
        let opening = Opening { net: 7, lots: lots.clone(), issue, ..Opening::default() };
        let mut out = Projection::default();
        let demand = one_path(&[6.0, 1.0, 0.0]);
        project(&demand, &one_path(&[0.0; 3]), &opening, Shortage::Lost, &mut out);
        assert_eq!((out.sold[0], out.wasted[0]), (sold, wasted), "{issue:?}");
    }
}

proptest! {
    #[test]
    fn the_need_is_the_smallest_that_leaves_nothing_short(
        mut case in cases(true), seed in 0usize..20, qty in 0u8..60,
    ) {
        prop_assume!(case.shortage == Shortage::Lost && case.opening.net >= 0);
        prop_assume!(case.opening.perishes());
        case.opening.issue = Issue::Lifo;
        // What outlives the order is sold before it: no part of this law.
        case.receipts.values.fill(0.0);
        prop_assume!(case.opening.lots.iter().all(|lot| {
            case.opening.shelf_life_days.is_none_or(|life| (lot.last_day as u32) < life)
        }));
        let window = window(&case, seed);
        let lack = lacking(&case, &window);
        for path in 0..case.demand.paths {
            let short = |qty: f64| short_by_projection(&case, &window, qty)[path];
            let late = lack.lost_after_life[path];
            prop_assert_eq!(short(lack.need[path]), late);
            if lack.need[path] > 0.0 {
                prop_assert!(short(lack.need[path] - 1.0) > late);
            }
            prop_assert_eq!(short(0.0), lack.need[path] - lack.displaced[path] + late);
        }
        let qty = f64::from(qty);
        let short = mean(&short_by_projection(&case, &window, qty));
        prop_assert!(lack.short_with(qty) >= short - 1e-9, "{short}");
        prop_assert!(lack.short_with(qty) <= lack.short_with(0.0) + 1e-9);
    }

    #[test]
    fn units_are_worth_less_and_less(
        mut case in cases(true), seed in 0usize..20, most in 1u8..40,
    ) {
        case.opening.issue = Issue::Lifo;
        let lack = lacking(&case, &window(&case, seed));
        let mut before = f64::INFINITY;
        for j in 1..=most {
            let worth = lack.marginal(f64::from(j), MONEY);
            prop_assert!(worth <= before + 1e-9);
            before = worth;
        }
        let sum: f64 = (1..=most).map(|j| lack.marginal(f64::from(j), MONEY)).sum();
        prop_assert!((sum - lack.value_of(f64::from(most), MONEY)).abs() < 1e-6);
    }
}
