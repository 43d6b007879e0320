//! Factors against bias: what lasts is corrected, what does not moves nothing.

use granary_models::forecast::reconcile::bias::{Week, factors};

/// A small generator, so that cases repeat themselves.
struct Random(u64);

impl Random {
    fn normal(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..12 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (self.0 >> 11) as f64 / (1u64 << 53) as f64;
        }
        sum - 6.0
    }
}

/// Weeks of groups whose demand is their forecast times a lasting factor, with noise as of counts.
fn weeks(truth: &[f64], count: usize, forecast: f64, noise: f64, seed: u64) -> Vec<Vec<Week>> {
    let mut random = Random(seed);
    (0..count)
        .map(|_| {
            truth
                .iter()
                .map(|factor| {
                    let actual = factor * forecast + noise * forecast.sqrt() * random.normal();
                    Week { forecast, actual: actual.max(0.0) }
                })
                .collect()
        })
        .collect()
}

/// The root mean squared distance of the factors from the truth, and of leaving them at 1.
fn distances(truth: &[f64], factors: &[f64]) -> (f64, f64) {
    let n = truth.len() as f64;
    let of = |factor: &dyn Fn(usize) -> f64| {
        let squares = truth.iter().enumerate().map(|(g, truth)| (factor(g) - truth).powi(2));
        (squares.sum::<f64>() / n).sqrt()
    };
    (of(&|g| factors[g]), of(&|_| 1.0))
}

#[test]
fn lasting_bias_is_found_and_noise_moves_nothing() {
    let wave = |height: f64| -> Vec<f64> {
        (0..40).map(|g| 1.0 + height * (g as f64 * 2.4).sin()).collect()
    };
    // Truth, weeks, forecast of a week, noise, how much nearer than 1 the factors must be.
    let cases: [(Vec<f64>, usize, f64, f64, f64); 5] = [
        (wave(0.2), 4, 400.0, 1.0, 0.35),
        (wave(0.1), 5, 400.0, 1.5, 0.75),
        (vec![1.1; 40], 4, 400.0, 1.0, 0.3),
        (vec![0.9; 1], 6, 4_000.0, 1.0, 0.3),
        (wave(0.2).iter().map(|f| 0.92 * f).collect(), 4, 400.0, 1.0, 0.4),
    ];
    for (seed, (truth, count, forecast, noise, share)) in cases.iter().enumerate() {
        let made = factors(&weeks(truth, *count, *forecast, *noise, seed as u64 + 5));
        let (near, plain) = distances(truth, &made);
        assert!(near < share * plain, "{seed}: {near} of {plain}");
    }
    let mut moved = 0.0;
    for seed in 0..40 {
        let made = factors(&weeks(&[1.0; 40], 4, 100.0, 2.0, 100 + seed));
        let (off, _) = distances(&[1.0; 40], &made);
        moved += off / 40.0;
    }
    // The noise of a mean of four weeks is 2 / sqrt(400), 0.1.
    assert!(moved < 0.01, "{moved}");
}

#[test]
fn too_little_says_nothing() {
    let one = Week { forecast: 10.0, actual: 20.0 };
    let dead = Week { forecast: 10.0, actual: 0.0 };
    for (weeks, groups) in [
        (vec![], 0),
        (vec![vec![one; 3]], 3),
        (vec![vec![dead; 2]; 4], 2),
        (vec![vec![Week::default(); 2]; 4], 2),
    ] {
        assert_eq!(factors(&weeks), vec![1.0; groups]);
    }
    let mut weeks = vec![vec![one, Week::default()]; 4];
    weeks[2][0].actual = 19.0;
    let made = factors(&weeks);
    assert!(made.iter().all(|f| (1.0..=1.4).contains(f)), "{made:?}");
}
