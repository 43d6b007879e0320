//! A negative binomial as a few weighted points, and functions on an even grid.

use statrs::distribution::{ContinuousCDF, Normal};

/// Means up to this are summed term by term; e^-mean is still a number.
const SUMMED_MEAN_MAX: f64 = 250.0;

/// (value, probability) of a negative binomial with real size and a mean: its own terms where they
/// are at most `count`, otherwise the means of `count` parts, which keeps the mean exact.
pub(super) fn points(size: f64, mean: f64, count: usize) -> Vec<(f64, f64)> {
    if mean <= 0.0 {
        return vec![(0.0, 1.0)];
    }
    if mean > SUMMED_MEAN_MAX {
        return gamma_points(size, mean, count);
    }
    let mut terms: Vec<f64> = Vec::new();
    let ratio = mean / (size + mean);
    let mut here = (-size * (mean / size).ln_1p()).exp();
    let (mut k, mut total) = (0.0, 0.0);
    while total < 1.0 - 1e-9 && k < 40.0 * (mean + 10.0) {
        terms.push(here);
        total += here;
        here *= (size + k) / (k + 1.0) * ratio;
        k += 1.0;
    }
    if terms.len() <= count {
        return terms.iter().enumerate().map(|(k, &p)| (k as f64, p / total)).collect();
    }
    parts(&terms, total, count)
}

/// Share of the probability below the i-th of `count` cuts: parts grow towards the middle, so that
/// the far ends, where money is lost, are not one point.
fn cut(i: usize, count: usize) -> f64 {
    0.5 * (1.0 - (std::f64::consts::PI * i as f64 / count as f64).cos())
}

/// Cuts a mass into parts; a term on a cut belongs to both sides in shares.
fn parts(terms: &[f64], total: f64, count: usize) -> Vec<(f64, f64)> {
    let share = |i: usize| (cut(i + 1, count) - cut(i, count)) * total;
    let (mut points, mut filled, mut sum) = (Vec::with_capacity(count), 0.0, 0.0);
    for (k, &term) in terms.iter().enumerate() {
        let mut left = term;
        while points.len() + 1 < count && filled + left >= share(points.len()) {
            let part = share(points.len());
            let taken = part - filled;
            sum += taken * k as f64;
            points.push((sum / part, part / total));
            (left, filled, sum) = (left - taken, 0.0, 0.0);
        }
        filled += left;
        sum += left * k as f64;
    }
    if filled > 0.0 {
        points.push((sum / filled, filled / total));
    }
    points
}

/// Large counts: a gamma of the same mean and variance, by Wilson & Hilferty's (1931) cube of a
/// normal at the middle of each part, scaled to the mean.
fn gamma_points(size: f64, mean: f64, count: usize) -> Vec<(f64, f64)> {
    let shape = mean * mean / (mean + mean * mean / size);
    let normal = Normal::standard();
    let share = |i: usize| cut(i + 1, count) - cut(i, count);
    let values: Vec<f64> = (0..count)
        .map(|i| {
            let z = normal.inverse_cdf(0.5 * (cut(i, count) + cut(i + 1, count)));
            (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.0).powi(3)
        })
        .collect();
    let sum: f64 = values.iter().enumerate().map(|(i, value)| value * share(i)).sum();
    values.iter().enumerate().map(|(i, value)| (value * mean / sum, share(i))).collect()
}

/// `low`, `low + step`, …
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub low: f64,
    pub step: f64,
    /// 1 / step.
    pub per_step: f64,
    pub len: usize,
}

impl Grid {
    /// From `low` to `high` in whole steps of at least 1 and at most `most` points.
    pub fn over(low: f64, high: f64, most: usize) -> Grid {
        let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let step = ((high - low) / (most - 1) as f64).max(1.0);
        let len = ((high - low) / step).ceil() as usize + 1;
        Grid { low, step, per_step: 1.0 / step, len: len.max(2) }
    }

    pub fn at(&self, i: usize) -> f64 {
        self.low + i as f64 * self.step
    }

    /// The point below `value` and the share of the one above it; at the ends the nearest.
    pub fn place(&self, value: f64) -> (usize, f64) {
        let x = ((value - self.low) * self.per_step).clamp(0.0, (self.len - 1) as f64);
        let i = (x as usize).min(self.len - 2);
        (i, x - i as f64)
    }

    /// Value of a function known at the points.
    pub fn read(&self, values: &[f64], at: f64) -> f64 {
        let (i, share) = self.place(at);
        values[i] + share * (values[i + 1] - values[i])
    }
}
