//! The search for alpha, theta and the first level.
//!
//! The level that simple exponential smoothing reaches is linear in the first level, and theta only
//! scales what is added to it. So with alpha given, the squared error is a quadratic of the first
//! level and of `1 - 1/theta`, whose six coefficients one pass over the history collects and whose
//! least value is known. What is left is one number, alpha; eight of them go through the history
//! at once, first spread over the whole range, so that no local valley holds the search, then
//! closing in. argmin's solvers ask for one value at a time and would take the passes one by one.

use super::super::season_index::SeasonIndex;
use super::{Line, Regression, faded};

const LANES: usize = 8;
/// The range in which the field searches alpha (R's forecTheta, statsforecast).
const ALPHA: (f64, f64) = (0.01, 0.99);
/// Passes that spread alphas over the whole range, and passes that close in on the best of them.
const SPREAD_PASSES: usize = 2;
const CLOSING_PASSES: usize = 3;
/// Errors before the line means anything, which the field leaves out of the loss.
const BURN_IN: usize = 3;
/// `1 - 1/theta` of the standard model, theta 2.
const STANDARD_WEIGHT: f64 = 0.5;
/// The part of a column that must not be explained by the other for both to be solved for.
const INDEPENDENT: f64 = 1e-10;

/// An observed step: demand without its season, the line before it, the missing steps after it.
struct Step {
    value: f64,
    intercept: f64,
    slope: f64,
    missing_after: f64,
}

pub(super) struct Search {
    steps: Vec<Step>,
    line: Line,
    missing_before: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub(super) alpha: f64,
    pub(super) weight: f64,
    pub(super) level: f64,
    loss: f64,
}

/// Sums of products of the error that smoothing from the first observation makes, of what a unit of
/// first level would add to the mean, and of what the line adds at weight 1.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    error_error: f64,
    error_level: f64,
    error_line: f64,
    level_level: f64,
    level_line: f64,
    line_line: f64,
}

impl Search {
    pub(super) fn new(demand: &[f64], season: &SeasonIndex, dynamic: bool) -> Search {
        let mut season = season.clone();
        let mut steps: Vec<Step> = Vec::with_capacity(demand.len());
        let mut regression = Regression::default();
        let mut missing_before = 0.0;
        for &demand in demand {
            if demand.is_nan() {
                regression.skip();
                let before = steps.last_mut().map(|step| &mut step.missing_after);
                *before.unwrap_or(&mut missing_before) += 1.0;
            } else {
                let value = season.without(demand);
                let (intercept, slope) = regression.coefficients();
                steps.push(Step { value, intercept, slope, missing_after: 0.0 });
                regression.observe(value);
            }
            season.advance();
        }
        if dynamic {
            return Search { steps, line: Line::Running(Regression::default()), missing_before };
        }
        let (intercept, slope) = regression.coefficients();
        for step in &mut steps {
            (step.intercept, step.slope) = (intercept, slope);
        }
        Search { steps, line: Line::Fixed { intercept, slope }, missing_before }
    }

    /// The line as it is before the first step.
    pub(super) fn line(&self) -> Line {
        self.line
    }

    /// The least squared error over alpha, the first level and, if `optimized`, theta.
    pub(super) fn best(&self, optimized: bool) -> Option<Best> {
        let (low, high) = ALPHA;
        let total = SPREAD_PASSES * LANES;
        let mut width = (high - low) / (total - 1) as f64;
        let mut best: Option<Best> = None;
        for pass in 0..SPREAD_PASSES {
            let alphas = std::array::from_fn(|k| low + width * (pass * LANES + k) as f64);
            self.improve(&mut best, &alphas, optimized);
        }
        for _ in 0..CLOSING_PASSES {
            let centre = best?.alpha;
            let (from, to) = ((centre - width).max(low), (centre + width).min(high));
            width = (to - from) / (LANES + 1) as f64;
            let alphas = std::array::from_fn(|k| from + width * (k + 1) as f64);
            self.improve(&mut best, &alphas, optimized);
        }
        best
    }

    fn improve(&self, best: &mut Option<Best>, alphas: &[f64; LANES], optimized: bool) {
        for (moments, &alpha) in self.moments(alphas).iter().zip(alphas) {
            let (level, weight, loss) = moments.solved(optimized);
            if loss.is_finite() && best.is_none_or(|best| loss < best.loss) {
                *best = Some(Best { alpha, weight, level: self.steps[0].value + level, loss });
            }
        }
    }

    fn moments(&self, alphas: &[f64; LANES]) -> [Moments; LANES] {
        let mut sums = [[0.0; LANES]; 6];
        let mut level = [self.steps[0].value; LANES];
        let mut start = [1.0; LANES];
        let mut lag = [1.0 + self.missing_before; LANES];
        for (n, step) in self.steps.iter().enumerate() {
            let counted = if n < BURN_IN { 0.0 } else { 1.0 };
            for k in 0..LANES {
                let error = step.value - level[k];
                let line = counted * (start[k] * step.intercept + lag[k] * step.slope);
                let unit = counted * start[k];
                sums[0][k] += counted * error * error;
                sums[1][k] += error * unit;
                sums[2][k] += error * line;
                sums[3][k] += unit * unit;
                sums[4][k] += unit * line;
                sums[5][k] += line * line;
                level[k] += alphas[k] * error;
                start[k] = faded(start[k], 1.0 - alphas[k]);
                lag[k] = lag[k] * (1.0 - alphas[k]) + 1.0 + step.missing_after;
            }
        }
        std::array::from_fn(|k| Moments {
            error_error: sums[0][k],
            error_level: sums[1][k],
            error_line: sums[2][k],
            level_level: sums[3][k],
            level_line: sums[4][k],
            line_line: sums[5][k],
        })
    }

    /// Akaike's criterion corrected for short histories, without what all members share.
    pub(super) fn criterion(&self, best: &Best, optimized: bool) -> f64 {
        let n = (self.steps.len() - BURN_IN) as f64;
        let parameters = if optimized { 3.0 } else { 2.0 };
        let scale: f64 = self.steps.iter().map(|step| step.value * step.value).sum();
        // A perfect fit is as good as rounding can tell.
        let variance = (best.loss / n).max(1e-20 * scale / n).max(f64::MIN_POSITIVE);
        let short = (n - parameters - 2.0).max(1.0);
        n * variance.ln()
            + 2.0 * (parameters + 1.0)
            + 2.0 * (parameters + 1.0) * (parameters + 2.0) / short
    }
}

impl Moments {
    /// The first level above the first observation, `1 - 1/theta`, and the squared error there.
    fn solved(&self, optimized: bool) -> (f64, f64, f64) {
        let determinant = self.level_level * self.line_line - self.level_line * self.level_line;
        let independent = determinant > INDEPENDENT * self.level_level * self.line_line;
        let weight = if optimized && independent {
            let free = self.level_level * self.error_line - self.level_line * self.error_level;
            // Theta is at least 1. The error is convex, so the best on the border is the best.
            (free / determinant).clamp(0.0, 1.0)
        } else {
            STANDARD_WEIGHT
        };
        let level = (self.error_level - weight * self.level_line) / self.level_level;
        let loss = self.error_error - weight * self.error_line - level * self.error_level
            + weight * (weight * self.line_line + level * self.level_line - self.error_line)
            + level * (level * self.level_level + weight * self.level_line - self.error_level);
        (level, weight, loss.max(0.0))
    }
}
