//! Exponential smoothing of observed values with a given constant (Brown 1959):
//! `level += alpha * (value - level)`, and the search of the constant.
//!
//! Written step by step every level waits for the one before. Here whole blocks of observed values
//! are added up with their weights first, `(1 - alpha)^8 level + sum of alpha (1 - alpha)^k value`,
//! which is the same level but for rounding and lets the blocks' sums run beside each other. A block
//! counts from the first value, not from where a history ends, so a smoother that follows value by
//! value has the bits of one that is given everything at once.

use serde::{Deserialize, Serialize};

const BLOCK: usize = 8;
/// Constants that are tried at once.
const LANES: usize = 8;
const ROUNDS: usize = 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoother {
    alpha: f64,
    /// Level after the last whole block.
    base: f64,
    /// The values after it, `held` of them.
    recent: [f64; BLOCK],
    held: usize,
}

/// What a block leaves of the level before it, and the weights of its values.
struct Weights {
    keep: f64,
    of: [f64; BLOCK],
}

impl Weights {
    fn of(alpha: f64) -> Weights {
        let mut of = [alpha; BLOCK];
        for k in (0..BLOCK - 1).rev() {
            of[k] = of[k + 1] * (1.0 - alpha);
        }
        let two = (1.0 - alpha) * (1.0 - alpha);
        Weights { keep: (two * two) * (two * two), of }
    }

    /// The level after a block; NaN when a value of it is missing.
    fn level(&self, before: f64, block: &[f64; BLOCK]) -> f64 {
        let mut part = [0.0; BLOCK / 2];
        for (k, part) in part.iter_mut().enumerate() {
            *part = self.of[k] * block[k] + self.of[k + BLOCK / 2] * block[k + BLOCK / 2];
        }
        self.keep * before + ((part[0] + part[2]) + (part[1] + part[3]))
    }
}

impl Smoother {
    /// A smoother with a constant in [0, 1] and its first level.
    pub fn new(alpha: f64, level: f64) -> Smoother {
        Smoother { alpha: alpha.clamp(0.0, 1.0), base: level, recent: [0.0; BLOCK], held: 0 }
    }

    /// Takes one value; a missing one (NaN) leaves the level.
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.recent[self.held] = value;
        self.held += 1;
        if self.held == BLOCK {
            self.base = Weights::of(self.alpha).level(self.base, &self.recent);
            self.recent = [0.0; BLOCK];
            self.held = 0;
        }
    }

    /// As [`Smoother::push`] of every value in turn.
    pub fn follow(&mut self, values: &[f64]) {
        let weights = Weights::of(self.alpha);
        let mut rest = values;
        while let Some((&first, after_first)) = rest.split_first() {
            if self.held == 0
                && let Some((block, after)) = rest.split_first_chunk()
            {
                let level = weights.level(self.base, block);
                if !level.is_nan() {
                    self.base = level;
                    rest = after;
                    continue;
                }
            }
            self.push(first);
            rest = after_first;
        }
    }

    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    pub fn level(&self) -> f64 {
        let recent = &self.recent[..self.held];
        recent.iter().fold(self.base, |level, value| level + self.alpha * (value - level))
    }
}

/// The constant within `low..=high` whose one-step errors over `values`, the first of which is the
/// first level, have the least sum of squares: a grid, a finer grid around its best, and the vertex
/// of the parabola through that one's best three. Every grid is one pass.
pub fn least_squares_alpha(values: &[f64], low: f64, high: f64) -> f64 {
    if values.len() < 3 {
        return 0.5 * (low + high);
    }
    let (mut from, mut to) = (low, high);
    let mut best = low;
    for _ in 0..ROUNDS {
        let step = (to - from) / (LANES - 1) as f64;
        let alphas: [f64; LANES] = std::array::from_fn(|k| from + step * k as f64);
        let loss = losses(values, &alphas);
        let least = (0..LANES).fold(0, |least, k| if loss[k] < loss[least] { k } else { least });
        best = alphas[least];
        if 0 < least && least < LANES - 1 {
            let (left, right) = (loss[least - 1] - loss[least], loss[least + 1] - loss[least]);
            if left + right > 0.0 {
                best += 0.5 * step * (left - right) / (left + right);
            }
        }
        (from, to) = ((alphas[least] - step).max(low), (alphas[least] + step).min(high));
    }
    best
}

fn losses(values: &[f64], alphas: &[f64; LANES]) -> [f64; LANES] {
    let mut level = [values.first().copied().unwrap_or(0.0); LANES];
    let mut loss = [0.0; LANES];
    for &value in values.iter().skip(1) {
        for k in 0..LANES {
            let error = value - level[k];
            loss[k] += error * error;
            level[k] += alphas[k] * error;
        }
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(t: usize) -> f64 {
        if t % 11 == 4 { f64::NAN } else { ((t * 7) % 13) as f64 }
    }

    #[test]
    fn blocks_give_the_levels_of_the_recursion_and_the_bits_of_single_steps() {
        let values: Vec<f64> = (0..200).map(wave).collect();
        for (alpha, first) in [(0.1, 5.0), (0.37, 0.0), (1.0, 2.0), (0.0, 3.0)] {
            let mut single = Smoother::new(alpha, first);
            let mut level = first;
            for (t, value) in values.iter().enumerate() {
                let mut whole = Smoother::new(alpha, first);
                whole.follow(&values[..t]);
                let mut parts = Smoother::new(alpha, first);
                parts.follow(&values[..t / 3]);
                parts.follow(&values[t / 3..t]);
                assert_eq!((&whole, &parts), (&single, &single));
                assert!((whole.level() - level).abs() < 1e-12 * level.max(1.0));
                single.push(*value);
                level += if value.is_nan() { 0.0 } else { alpha * (value - level) };
            }
        }
    }

    #[test]
    fn the_search_finds_the_least_squares() {
        let mut level = 50.0;
        let values: Vec<f64> = (0..400)
            .map(|t| {
                let noise = (((t * 7919) % 1009) as f64 / 1009.0 - 0.5) * 8.0;
                level += 0.2 * noise;
                level + noise
            })
            .collect();
        let best = least_squares_alpha(&values, 0.1, 0.3);
        let loss = |alpha: f64| losses(&values, &[alpha; LANES])[0];
        for k in 0..=2000 {
            assert!(loss(best) <= loss(0.1 + 1e-4 * f64::from(k)) * (1.0 + 1e-9), "{best} {k}");
        }
        assert_eq!(least_squares_alpha(&[3.0, 8.0], 0.1, 0.3), 0.2);
        assert_eq!(least_squares_alpha(&[], 0.1, 0.3), 0.2);
    }
}
