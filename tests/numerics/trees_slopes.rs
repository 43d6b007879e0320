//! Objectives: slopes are the loss's, starts are its best constant. Bins: what they keep apart.

use granary_models::forecast::trees::bins::{BinEdges, VALUE_BINS};
use granary_models::forecast::trees::booster::{BoostConfig, BoostError, Booster};
use granary_models::forecast::trees::objective::Objective;
use proptest::prelude::*;

use super::{Random, Table, exact};

const OBJECTIVES: [Objective; 6] = [
    Objective::Tweedie { power: 1.1 },
    Objective::Tweedie { power: 1.5 },
    Objective::Tweedie { power: 1.9 },
    Objective::Poisson,
    Objective::Quantile { level: 0.2 },
    Objective::Squared,
];

#[test]
fn slopes_are_finite_differences_of_the_loss() {
    for objective in OBJECTIVES {
        for target in [0.0f32, 0.3, 1.0, 7.0, 120.0] {
            for score in [-3.0f32, -0.7, 0.1, 1.4, 4.2] {
                let slopes = objective.slopes(target, score);
                let step = 1.0 / 1024.0;
                let loss = |s: f32| objective.loss(target, s);
                let (up, down, at) = (loss(score + step), loss(score - step), loss(score));
                let gradient = (up - down) / (2.0 * f64::from(step));
                let hessian = (up - 2.0 * at + down) / f64::from(step).powi(2);
                let close = |found: f32, wanted: f64| {
                    (f64::from(found) - wanted).abs() <= 1e-4 * (1.0 + wanted.abs())
                };
                let case = format!("{objective:?} target {target} score {score}");
                assert!(close(slopes.gradient, gradient), "{case}: {slopes:?} {gradient}");
                // The pinball loss has no second derivative; its hessian is by convention.
                if !matches!(objective, Objective::Quantile { .. }) {
                    assert!(close(slopes.hessian, hessian), "{case}: {slopes:?} {hessian}");
                }
            }
        }
    }
}

#[test]
fn no_constant_is_better_than_the_start() {
    let mut random = Random(3);
    for objective in OBJECTIVES {
        // One value a feature: a tree can split nothing, so a score is the start.
        let mut table = Table::new(1);
        for _ in 0..500 {
            let offset = 0.5 * random.normal() as f32;
            table.push(&[1.0], random.compound(2.0) as f32, (0.5 + random.unit()) as f32, offset);
        }
        let scores =
            table.scores(&table.fit(&BoostConfig { learning_rate: 1e-9, ..exact(objective) }));
        let best = table.loss(objective, &scores);
        for shift in [-0.1, -0.02, 0.02, 0.1] {
            let shifted: Vec<f32> = scores.iter().map(|score| score + shift).collect();
            let loss = table.loss(objective, &shifted);
            assert!(best < loss, "{objective:?}: {best} at the start, {loss} at {shift}");
        }
    }
}

#[test]
fn a_mean_of_nothing_sold_is_as_good_as_zero_and_finite() {
    let mut table = Table::new(1);
    for i in 0..50 {
        table.push(&[i as f32], 0.0, 1.0, 0.0);
    }
    for objective in [Objective::Tweedie { power: 1.3 }, Objective::Poisson] {
        let config = BoostConfig { rounds: 20, ..exact(objective) };
        for score in table.scores(&table.fit(&config)) {
            assert!(score.is_finite() && objective.predict(score) < 1e-6, "{objective:?} {score}");
        }
    }
}

#[test]
fn what_cannot_be_learned_from_is_said() {
    type Change = fn(&mut Table, &mut BoostConfig);
    let cases: [(&str, Change); 10] = [
        ("no rows", |table, _| *table = Table::new(2)),
        ("no rows", |table, _| table.weight.fill(0.0)),
        ("row 1: target is -1", |table, _| table.target[1] = -1.0),
        ("row 1: target is NaN", |table, _| table.target[1] = f32::NAN),
        ("row 0: weight is -2", |table, _| table.weight[0] = -2.0),
        ("row 2: offset is inf", |table, _| table.offset[2] = f32::INFINITY),
        ("leaves is 1", |_, config| config.leaves = 1),
        ("row_share is 0", |_, config| config.row_share = 0.0),
        ("objective is 2", |_, config| config.objective = Objective::Tweedie { power: 2.0 }),
        ("l2 is NaN", |_, config| config.l2 = f64::NAN),
    ];
    for (wanted, change) in cases {
        let mut table = Table::new(2);
        for i in 0..5 {
            table.push(&[i as f32, 1.0], i as f32, 1.0, 0.0);
        }
        let mut config = exact(Objective::Tweedie { power: 1.5 });
        change(&mut table, &mut config);
        let edges = table.edges();
        let error = Booster::fit(edges.clone(), &table.training(&edges), &config);
        let said = error.expect_err(wanted).to_string();
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let edges = BinEdges::learn(&[1.0, 2.0, 3.0], 3);
    let mut table = Table::new(2);
    table.push(&[1.0, 2.0], 1.0, 1.0, 0.0);
    let rows = table.training(&table.edges());
    let error = Booster::fit(edges, &rows, &exact(Objective::Squared)).expect_err("columns");
    assert_eq!(error, BoostError::Columns { rows: 2, edges: 3 });
}

#[test]
fn a_targets_sign_is_free_where_there_is_no_logarithm() {
    let mut table = Table::new(1);
    for i in 0..10 {
        table.push(&[i as f32], i as f32 - 5.0, 1.0, 0.0);
    }
    let scores = table.scores(&table.fit(&exact(Objective::Squared)));
    assert!(scores[0] < -2.0 && scores[9] > 1.0, "{scores:?}");
}

#[test]
fn common_values_have_a_bin_to_themselves_and_others_share_evenly() {
    let mut random = Random(8);
    let values: Vec<f32> = (0..60_000)
        .map(|_| if random.unit() < 0.6 { 0.0 } else { random.normal() as f32 })
        .collect();
    let edges = BinEdges::learn(&values, 1);
    let mut counts = vec![0usize; 256];
    let mut of_zero = [0];
    edges.bin_row(&[0.0], &mut of_zero);
    for &value in &values {
        let mut bin = [0];
        edges.bin_row(&[value], &mut bin);
        assert_eq!(bin == of_zero, value == 0.0, "{value}");
        counts[usize::from(bin[0])] += 1;
    }
    let used = counts.iter().filter(|&&c| c > 0).count();
    assert!((240..=VALUE_BINS).contains(&used), "{used} bins");
    let most = counts.iter().enumerate().filter(|(b, _)| *b != usize::from(of_zero[0]));
    let most = most.map(|(_, &count)| count).max().expect("bins");
    assert!(most < 3 * 24_000 / 253, "{most} rows in one bin");
}

proptest! {
    /// Order is kept, values that are few are kept apart, and what is missing is apart from all.
    #[test]
    fn bins_keep_the_order_of_values(
        mut values in prop::collection::vec(
            prop_oneof![any::<f32>(), (-20i8..20).prop_map(|x| f32::from(x) / 4.0)], 1..400),
        probes in prop::collection::vec(any::<f32>(), 2..20),
    ) {
        let edges = BinEdges::learn(&values, 1);
        let bin = |value: f32| {
            let mut bin = [0];
            edges.bin_row(&[value], &mut bin);
            bin[0]
        };
        let mut sorted: Vec<f32> = probes.iter().chain(&values).copied().filter(|v| !v.is_nan())
            .collect();
        sorted.sort_by(f32::total_cmp);
        for pair in sorted.windows(2) {
            prop_assert!(bin(pair[0]) <= bin(pair[1]) && bin(pair[0]) >= 1);
        }
        prop_assert_eq!(bin(f32::NAN), 0);
        values.retain(|v| !v.is_nan());
        values.sort_by(f32::total_cmp);
        values.dedup();
        if values.len() <= VALUE_BINS {
            for pair in values.windows(2) {
                prop_assert!(bin(pair[0]) < bin(pair[1]), "{} {}", pair[0], pair[1]);
            }
        }
    }
}
