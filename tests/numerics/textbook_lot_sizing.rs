//! Lot sizing against Wagner & Whitin's table over all orders.

use granary_models::policy::textbook::lot_sizing::{LotPlan, LotSizing};
use proptest::prelude::*;

fn of(costs: &[f64], t: usize) -> f64 {
    match costs {
        [] => 0.0,
        [always] => *always,
        _ => costs[t],
    }
}

/// Wagner & Whitin (1958), `O(T^2)`: least cost of the periods up to each.
fn table(demand: &[f64], holding: &[f64], fixed: &[f64], purchase: &[f64]) -> f64 {
    let mut best = vec![0.0; demand.len() + 1];
    for end in 1..=demand.len() {
        best[end] = if demand[end - 1] == 0.0 { best[end - 1] } else { f64::INFINITY };
        for start in 0..end {
            let mut cost = best[start] + of(fixed, start);
            let mut unit = of(purchase, start);
            for (t, demand) in demand.iter().enumerate().take(end).skip(start) {
                cost += unit * demand;
                unit += of(holding, t);
            }
            best[end] = best[end].min(cost);
        }
    }
    best[demand.len()]
}

fn covers(plan: &LotPlan, demand: &[f64]) -> bool {
    let mut stock = 0.0;
    plan.order_quantities.iter().zip(demand).all(|(order, demand)| {
        stock += order - demand;
        *order >= 0.0 && stock > -1e-6
    }) && stock < 1e-6
}

fn costs(periods: usize, most: f64) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        (0.0..most).prop_map(|cost| vec![cost]),
        prop::collection::vec(0.0..most, periods),
        prop::collection::vec((0u8..4).prop_map(f64::from), periods),
    ]
}

fn instance() -> impl Strategy<Value = [Vec<f64>; 4]> {
    (1usize..40).prop_flat_map(|periods| {
        let demand = prop::collection::vec(
            prop_oneof![Just(0.0), 0.0..200.0f64, (0u8..9).prop_map(f64::from)],
            periods,
        );
        let purchase = prop_oneof![Just(Vec::new()), costs(periods, 9.0)];
        (demand, costs(periods, 3.0), costs(periods, 600.0), purchase)
            .prop_map(|(demand, holding, fixed, purchase)| [demand, holding, fixed, purchase])
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 700, ..ProptestConfig::default()
    })]

    #[test]
    fn the_best_plan_costs_what_the_table_says([demand, holding, fixed, purchase] in instance()) {
        let lots = LotSizing::new(&demand, &holding, &fixed, &purchase).expect("legal");
        let (best, heuristic) = (lots.best(), lots.silver_meal());
        let want = table(&demand, &holding, &fixed, &purchase);
        prop_assert!((best.cost - want).abs() <= 1e-9 * want.max(1.0), "{} {want}", best.cost);
        prop_assert!(covers(&best, &demand) && covers(&heuristic, &demand));
        prop_assert!(heuristic.cost >= best.cost - 1e-9 * want.max(1.0));
    }

    #[test]
    fn the_plan_costs_no_less_where_a_cost_or_a_demand_is_higher(
        [demand, holding, fixed, purchase] in instance(), more in 0.0..50.0f64, at in 0usize..40
    ) {
        let cost = |demand: &[f64], holding: &[f64], fixed: &[f64]| {
            LotSizing::new(demand, holding, fixed, &purchase).expect("legal").best().cost
        };
        let before = cost(&demand, &holding, &fixed);
        let raised = |values: &[f64]| {
            let mut values = values.to_vec();
            let at = at % values.len();
            values[at] += more;
            values
        };
        let slack = 1e-9 * before.max(1.0);
        prop_assert!(cost(&raised(&demand), &holding, &fixed) >= before - slack);
        prop_assert!(cost(&demand, &raised(&holding), &fixed) >= before - slack);
        prop_assert!(cost(&demand, &holding, &raised(&fixed)) >= before - slack);
    }
}

#[test]
fn long_horizons_take_no_quadratic_time() {
    let demand: Vec<f64> = (0..200_000).map(|t| f64::from((t * 7919) % 23)).collect();
    let plan = LotSizing::new(&demand, &[0.3], &[40.0], &[]).expect("legal").best();
    assert!(covers(&plan, &demand));
    let prefix = LotSizing::new(&demand[..400], &[0.3], &[40.0], &[]).expect("legal").best();
    let want = table(&demand[..400], &[0.3], &[40.0], &[]);
    assert!((prefix.cost - want).abs() < 1e-9 * want);
}

#[test]
fn what_is_wrong_is_named() {
    let named = |demand: &[f64], holding: &[f64], fixed: &[f64]| {
        LotSizing::new(demand, holding, fixed, &[]).expect_err("illegal").field
    };
    assert_eq!(named(&[], &[1.0], &[1.0]), "demand");
    assert_eq!(named(&[1.0, -2.0], &[1.0], &[1.0]), "demand[1]");
    assert_eq!(named(&[1.0, 2.0], &[f64::NAN], &[1.0]), "holding_cost[0]");
    assert_eq!(named(&[1.0, 2.0, 3.0], &[1.0], &[1.0, 2.0]), "fixed_cost");
    assert_eq!(named(&[1.0, 2.0, 3.0], &[], &[1.0]), "holding_cost");
}
