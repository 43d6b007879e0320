//! One tree against brute force; weights, offsets and what is missing.

use granary_models::forecast::trees::booster::BoostConfig;
use granary_models::forecast::trees::objective::Objective;
use proptest::prelude::*;

use super::{Random, Table, exact};

/// The least loss of any split of rows in two by one feature, what is missing on either side, each
/// side at its weighted mean: what one tree of two leaves must reach for least squares.
fn best_of_all_splits(table: &Table) -> f64 {
    let mut best = side_loss(table, |_| true);
    for column in 0..table.columns {
        for cut in (0..table.rows()).map(|i| table.row(i)[column]).filter(|v| !v.is_nan()) {
            for missing_left in [false, true] {
                let is_left = |i: usize| {
                    let value = table.row(i)[column];
                    if value.is_nan() { missing_left } else { value <= cut }
                };
                let loss = side_loss(table, is_left) + side_loss(table, |i| !is_left(i));
                best = best.min(loss);
            }
        }
    }
    best / table.weight.iter().map(|&w| f64::from(w)).sum::<f64>()
}

fn side_loss(table: &Table, is_in: impl Fn(usize) -> bool) -> f64 {
    let rows = || (0..table.rows()).filter(|&i| is_in(i));
    let weight: f64 = rows().map(|i| f64::from(table.weight[i])).sum();
    let over = |i: usize| f64::from(table.target[i]) - f64::from(table.offset[i]);
    let mean =
        rows().map(|i| f64::from(table.weight[i]) * over(i)).sum::<f64>() / weight.max(1e-30);
    rows().map(|i| f64::from(table.weight[i]) * (over(i) - mean).powi(2) / 2.0).sum()
}

proptest! {
    #[test]
    fn two_leaves_are_as_good_as_the_best_of_all_splits(
        rows in prop::collection::vec(
            (prop::collection::vec(prop::option::weighted(0.8, 0u8..12), 3), -50i16..50, 1u8..5,
             -20i16..20),
            2..60),
    ) {
        let mut table = Table::new(3);
        for (features, target, weight, offset) in &rows {
            let features: Vec<f32> =
                features.iter().map(|f| f.map_or(f32::NAN, f32::from)).collect();
            table.push(&features, f32::from(*target), f32::from(*weight), f32::from(*offset) / 4.0);
        }
        let scores = table.scores(&table.fit(&exact(Objective::Squared)));
        let (found, best) = (table.loss(Objective::Squared, &scores), best_of_all_splits(&table));
        prop_assert!((found - best).abs() <= 1e-4 * (1.0 + best), "{} {}", found, best);
    }
}

#[test]
fn leaves_enough_for_every_value_repeat_the_table() {
    // An interaction that no sum of single effects tells, with a level of its own each.
    let mut table = Table::new(2);
    for i in 0..200 {
        let (a, b) = (i % 5, (i / 5) % 4);
        table.push(&[a as f32, b as f32], ((a * 7 + b * 3) % 11) as f32, 1.0, 0.0);
    }
    let config = BoostConfig { leaves: 20, ..exact(Objective::Squared) };
    for (score, target) in table.scores(&table.fit(&config)).iter().zip(&table.target) {
        assert!((score - target).abs() < 1e-3, "{score} {target}");
    }
}

fn noisy(rows: usize, seed: u64) -> Table {
    let mut random = Random(seed);
    let mut table = Table::new(4);
    for _ in 0..rows {
        let x: Vec<f32> = (0..4).map(|_| (random.unit() * 20.0).floor() as f32).collect();
        let mean = (0.1 * f64::from(x[0]) - 0.05 * f64::from(x[1])).exp();
        table.push(&x, random.compound(mean) as f32, 1.0, 0.0);
    }
    table
}

#[test]
fn a_weight_is_so_many_rows() {
    let (mut weighted, mut repeated) = (noisy(3000, 5), Table::new(4));
    for i in 0..weighted.rows() {
        let times = 1 + i % 3;
        weighted.weight[i] = times as f32;
        for _ in 0..times {
            repeated.push(weighted.row(i), weighted.target[i], 1.0, 0.0);
        }
    }
    for objective in
        [Objective::Tweedie { power: 1.5 }, Objective::Quantile { level: 0.7 }, Objective::Squared]
    {
        let config = BoostConfig { rounds: 10, leaves: 8, ..exact(objective) };
        let config = BoostConfig { learning_rate: 0.3, ..config };
        let one = weighted.scores(&weighted.fit(&config));
        let other = weighted.scores(&repeated.fit(&config));
        for (one, other) in one.iter().zip(&other) {
            assert!((one - other).abs() < 2e-3, "{objective:?} {one} {other}");
        }
    }
}

#[test]
fn an_offset_is_a_level_that_need_not_be_learned() {
    let (base, mut random) = (noisy(4000, 6), Random(7));
    let (mut offset, mut shifted) = (base.clone(), base.clone());
    for i in 0..base.rows() {
        let level = random.normal() as f32;
        offset.target[i] *= level.exp();
        offset.offset[i] = level;
        shifted.target[i] += level;
        shifted.offset[i] = level;
    }
    // Power 1.999 is near the gamma's deviance, which a factor of the target leaves as it is.
    let scale_free = Objective::Tweedie { power: 1.999 };
    for (objective, table, tolerance) in
        [(scale_free, &offset, 0.05), (Objective::Squared, &shifted, 1e-3)]
    {
        let config = BoostConfig { rounds: 20, leaves: 6, learning_rate: 0.2, ..exact(objective) };
        let positive = |table: &Table| {
            let mut table = table.clone();
            for (target, offset) in table.target.iter_mut().zip(&table.offset) {
                *target += if objective.is_log() { offset.exp() } else { 0.0 };
            }
            table
        };
        let (base, table) = (positive(&base), positive(table));
        let one = base.scores(&base.fit(&config));
        let other = table.scores(&table.fit(&config));
        let worst = (0..one.len())
            .map(|i| (other[i] - table.offset[i] - one[i]).abs())
            .fold(0.0f32, f32::max);
        assert!(worst < tolerance, "{objective:?}: {worst}");
    }
}

#[test]
fn what_is_missing_is_a_value_of_its_own() {
    let mut table = Table::new(2);
    for i in 0..400 {
        let missing = i % 4 == 0;
        let x = if missing { f32::NAN } else { (i % 7) as f32 };
        table.push(&[x, 3.0], if missing { 9.0 } else { 2.0 }, 1.0, 0.0);
    }
    let booster = table.fit(&exact(Objective::Squared));
    for (i, score) in table.scores(&booster).iter().enumerate() {
        assert!((score - table.target[i]).abs() < 1e-3, "{i} {score}");
    }
    assert!(booster.gain()[0] > 0.0 && booster.gain()[1] == 0.0);
    // Likewise when all that is there is one value.
    let mut lone = Table::new(1);
    for i in 0..100 {
        let missing = i % 4 == 0;
        lone.push(&[if missing { f32::NAN } else { 1.5 }], f32::from(u8::from(missing)), 1.0, 0.0);
    }
    for (i, score) in lone.scores(&lone.fit(&exact(Objective::Squared))).iter().enumerate() {
        assert!((score - lone.target[i]).abs() < 1e-3, "{i} {score}");
    }
}

#[test]
fn limits_of_leaves_rows_depth_and_gain_are_kept() {
    let table = noisy(2000, 9);
    let counted = |config: &BoostConfig| {
        let mut counts = std::collections::BTreeMap::new();
        for score in table.scores(&table.fit(config)) {
            *counts.entry(score.to_bits()).or_insert(0) += 1;
        }
        (counts.len(), counts.into_values().min().expect("leaves"))
    };
    let squared = exact(Objective::Squared);
    assert_eq!(counted(&BoostConfig { leaves: 13, ..squared.clone() }).0, 13);
    let large = BoostConfig { leaves: 64, min_leaf_rows: 150.0, ..squared.clone() };
    let (leaves, least) = counted(&large);
    assert!((5..=13).contains(&leaves) && least >= 150, "{leaves} {least}");
    assert_eq!(counted(&BoostConfig { leaves: 64, max_depth: 2, ..squared.clone() }).0, 4);
    assert_eq!(counted(&BoostConfig { min_gain: 1e9, ..squared }).0, 1);
}
