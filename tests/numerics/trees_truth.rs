//! Known truth recovered, and the same bytes whatever the threads.

use granary_models::forecast::trees::booster::{BoostConfig, Booster};
use granary_models::forecast::trees::objective::Objective;

use super::{Random, Table};

const FEATURES: usize = 8;

/// Rows with a known mean: effects that add, an interaction, and features that say nothing.
fn known(rows: usize, seed: u64) -> (Table, Vec<f64>) {
    let mut random = Random(seed);
    let (mut table, mut means) = (Table::new(FEATURES), Vec::new());
    for _ in 0..rows {
        let x: Vec<f32> = (0..FEATURES)
            .map(|k| {
                let value = random.unit() as f32;
                if k == 6 && random.unit() < 0.3 { f32::NAN } else { value }
            })
            .collect();
        let together = if x[2] > 0.5 && x[3] > 0.5 { 1.0 } else { 0.0 };
        let season = 0.6 * (f64::from(x[0]) * std::f64::consts::TAU).sin();
        let mean = (season + 1.2 * f64::from(x[1]) + together + 0.5).exp();
        table.push(&x, random.compound(mean) as f32, 1.0, 0.0);
        means.push(mean);
    }
    (table, means)
}

fn config(objective: Objective) -> BoostConfig {
    BoostConfig {
        objective,
        rounds: 80,
        learning_rate: 0.1,
        leaves: 16,
        min_leaf_rows: 50.0,
        ..BoostConfig::default()
    }
}

/// Sum of absolute errors of a prediction by the sum of the truth.
fn error(predicted: impl Iterator<Item = f64>, truth: &[f64]) -> f64 {
    let absolute: f64 = predicted.zip(truth).map(|(p, t)| (p - t).abs()).sum();
    absolute / truth.iter().sum::<f64>()
}

#[test]
fn means_that_add_and_interact_are_recovered() {
    let (train, _) = known(60_000, 1);
    let (test, means) = known(10_000, 2);
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let without = error(means.iter().map(|_| mean), &means);
    for (objective, most) in [
        (Objective::Tweedie { power: 1.5 }, 0.06),
        (Objective::Poisson, 0.07),
        (Objective::Squared, 0.08),
    ] {
        let booster = train.fit(&config(objective));
        let scores = test.scores(&booster);
        let found = error(scores.iter().map(|&s| f64::from(objective.predict(s))), &means);
        println!("{objective:?}: error of the mean {found:.4}, of a constant {without:.4}");
        assert!(found < most, "{objective:?} {found}");
        let sum: f64 = scores.iter().map(|&s| f64::from(objective.predict(s))).sum();
        let bias = sum / means.iter().sum::<f64>() - 1.0;
        assert!(bias.abs() < 0.02, "{objective:?} {bias}");
        // What matters is used, what does not is hardly.
        let gain = booster.gain();
        let told = gain[..4].iter().copied().fold(f64::INFINITY, f64::min);
        let untold = gain[4..].iter().copied().fold(0.0, f64::max);
        assert!(told > 5.0 * untold, "{gain:?}");
    }
}

#[test]
fn quantiles_cover_their_share_everywhere() {
    let (train, _) = known(60_000, 3);
    let (test, _) = known(20_000, 4);
    for level in [0.1, 0.5, 0.9, 0.98] {
        let longer = BoostConfig { rounds: 200, ..config(Objective::Quantile { level }) };
        let scores = test.scores(&train.fit(&longer));
        let share = |is_in: &dyn Fn(usize) -> bool| {
            let rows: Vec<usize> = (0..test.rows()).filter(|&i| is_in(i)).collect();
            let covered = rows.iter().filter(|&&i| test.target[i] <= scores[i]).count();
            covered as f64 / rows.len() as f64
        };
        for (name, covered) in [
            ("all", share(&|_| true)),
            ("low", share(&|i| test.row(i)[1] < 0.3)),
            ("high", share(&|i| test.row(i)[1] > 0.7)),
            ("together", share(&|i| test.row(i)[2] > 0.5 && test.row(i)[3] > 0.5)),
        ] {
            println!("level {level} {name}: {covered:.4}");
            // A few outcomes are exactly zero, so a low quantile may cover more than it says.
            assert!((covered - level).abs() < 0.025, "{level} {name}: {covered}");
        }
    }
}

#[test]
fn training_loss_falls_from_round_to_round() {
    let (table, _) = known(5000, 5);
    for objective in [
        Objective::Tweedie { power: 1.3 },
        Objective::Poisson,
        Objective::Quantile { level: 0.8 },
        Objective::Squared,
    ] {
        let mut last = f64::INFINITY;
        for rounds in [0, 1, 2, 3, 5, 8, 13, 21, 34] {
            let all = BoostConfig { rounds, row_share: 1.0, ..config(objective) };
            let loss = table.loss(objective, &table.scores(&table.fit(&all)));
            assert!(loss < last, "{objective:?} {rounds} rounds: {loss} after {last}");
            last = loss;
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    // Enough rows for every part that is done in parallel to be so.
    let (table, _) = known(150_000, 6);
    for objective in [Objective::Tweedie { power: 1.5 }, Objective::Quantile { level: 0.9 }] {
        let config = BoostConfig { rounds: 4, leaves: 24, ..config(objective) };
        let fit = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                let booster = table.fit(&config);
                let scores = table.scores(&booster);
                (postcard::to_stdvec(&booster).expect("bytes"), scores)
            })
        };
        let one = fit(1);
        for threads in [2, 5] {
            let other = fit(threads);
            assert!(one.0 == other.0, "{objective:?}: other trees with {threads} threads");
            assert!(one.1 == other.1, "{objective:?}: other scores with {threads} threads");
        }
        let again = BoostConfig { seed: 2, ..config.clone() };
        assert!(postcard::to_stdvec(&table.fit(&again)).expect("bytes") != one.0);
    }
}

#[test]
fn what_is_stored_comes_back_whole_and_small() {
    let (table, _) = known(20_000, 7);
    let booster = table.fit(&BoostConfig { leaves: 64, ..config(Objective::Poisson) });
    let bytes = postcard::to_stdvec(&booster).expect("bytes");
    let back: Booster = postcard::from_bytes(&bytes).expect("a booster");
    assert_eq!(back, booster);
    let json = serde_json::to_string(&booster).expect("text");
    assert_eq!(serde_json::from_str::<Booster>(&json).expect("a booster"), booster);
    assert!(bytes.len() < 1200 * booster.rounds(), "{} bytes", bytes.len());
    assert_eq!(back.objective(), Objective::Poisson);
}

#[test]
fn a_block_scores_as_its_rows_one_by_one() {
    let (table, _) = known(12_000, 8);
    for (leaves, depth) in [(2, 1), (31, 99), (64, 99), (65, 99), (128, 99), (200, 99), (300, 99)] {
        let objective = Objective::Tweedie { power: 1.5 };
        let config = BoostConfig {
            rounds: 5,
            leaves,
            max_depth: depth,
            min_leaf_rows: 5.0,
            ..config(objective)
        };
        let booster = table.fit(&config);
        let bins = table.bins(booster.edges());
        let mut scores = vec![0.0; table.rows()];
        booster.scores(&bins, &mut scores);
        for (row, score) in bins.chunks(FEATURES).zip(&scores) {
            assert_eq!(booster.score(row).to_bits(), score.to_bits(), "{leaves} leaves");
        }
    }
}
