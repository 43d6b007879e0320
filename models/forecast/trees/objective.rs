//! What trees minimise: a deviance of the target from the prediction, and its slopes.
//!
//! Tweedie and Poisson predict on the log scale, so that effects multiply and means are positive;
//! the other two predict on the target's own scale.

use serde::{Deserialize, Serialize};

/// Scores outside are as good as infinite, and their exponentials would overflow.
const MAX_LOG_MEAN: f32 = 40.0;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Objective {
    /// Variance as the mean to this power, between 1 and 2: many zeros and a long tail.
    Tweedie { power: f64 },
    /// Variance as the mean.
    Poisson,
    /// The value that a share `level` of outcomes does not exceed.
    Quantile { level: f64 },
    /// Least squares.
    Squared,
}

/// First and second derivative of a row's loss by its score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slopes {
    pub gradient: f32,
    pub hessian: f32,
}

impl Objective {
    /// Whether a score is the logarithm of a mean.
    pub fn is_log(self) -> bool {
        matches!(self, Self::Tweedie { .. } | Self::Poisson)
    }

    /// Whether its parameter is one that it can have.
    pub fn is_valid(self) -> bool {
        match self {
            Self::Tweedie { power } => power > 1.0 && power < 2.0,
            Self::Quantile { level } => level > 0.0 && level < 1.0,
            Self::Poisson | Self::Squared => true,
        }
    }

    /// The prediction of a score that has its offset.
    pub fn predict(self, score: f32) -> f32 {
        if self.is_log() { exp(score) } else { score }
    }

    /// Slopes of one row's loss, without its weight.
    ///
    /// Tweedie: `-y exp((1-p)s) / (1-p) + exp((2-p)s) / (2-p)`; Poisson: `exp(s) - y s`;
    /// quantile: `(level - [y < s]) (y - s)`, whose hessian is set to 1; squared: `(y - s)^2 / 2`.
    #[inline]
    pub fn slopes(self, target: f32, score: f32) -> Slopes {
        match self {
            Self::Tweedie { power } => {
                let power = power as f32;
                let mean = exp(score);
                let scaled = exp((1.0 - power) * score);
                let (below, above) = (target * scaled, mean * scaled);
                Slopes {
                    gradient: above - below,
                    hessian: (power - 1.0) * below + (2.0 - power) * above,
                }
            }
            Self::Poisson => {
                let mean = exp(score);
                Slopes { gradient: mean - target, hessian: mean }
            }
            Self::Quantile { level } => {
                let level = level as f32;
                Slopes { gradient: if target > score { -level } else { 1.0 - level }, hessian: 1.0 }
            }
            Self::Squared => Slopes { gradient: score - target, hessian: 1.0 },
        }
    }

    /// Loss of one row at a score, without its weight, up to a constant of the target: half the
    /// unit deviance for Tweedie and Poisson, pinball for a quantile, half the squared error.
    pub fn loss(self, target: f32, score: f32) -> f64 {
        let (target, score) = (f64::from(target), f64::from(score));
        match self {
            Self::Tweedie { power } => {
                let (one, two) = (1.0 - power, 2.0 - power);
                -target * (one * score).exp() / one + (two * score).exp() / two
            }
            Self::Poisson => score.exp() - target * score,
            Self::Quantile { level } => {
                let over = target - score;
                if over > 0.0 { level * over } else { (level - 1.0) * over }
            }
            Self::Squared => (target - score).powi(2) / 2.0,
        }
    }

    /// The one score that is best for all rows, given as target, weight and offset.
    pub(super) fn start(self, rows: &[(f32, f32, f32)]) -> f32 {
        match self {
            // Where the sum of gradients is zero; Poisson is the case p = 1.
            Self::Tweedie { power } => log_start(rows, power),
            Self::Poisson => log_start(rows, 1.0),
            Self::Quantile { level } => {
                let mut over: Vec<(f32, f32)> = rows.iter().map(|r| (r.0 - r.2, r.1)).collect();
                weighted_quantile(&mut over, level)
            }
            Self::Squared => {
                let (mut sum, mut weight) = (0.0, 0.0);
                for &(y, w, o) in rows {
                    sum += f64::from(w) * (f64::from(y) - f64::from(o));
                    weight += f64::from(w);
                }
                (sum / weight) as f32
            }
        }
    }
}

fn log_start(rows: &[(f32, f32, f32)], power: f64) -> f32 {
    let (mut above, mut below) = (0.0, 0.0);
    for &(y, w, o) in rows {
        let (y, w, o) = (f64::from(y), f64::from(w), f64::from(o));
        above += w * y * ((1.0 - power) * o).exp();
        below += w * ((2.0 - power) * o).exp();
    }
    // Nothing was ever sold: the mean is as good as zero.
    (above / below).ln().max(-20.0) as f32
}

fn exp(score: f32) -> f32 {
    score.clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN).exp()
}

/// The smallest value that has at least a share `level` of the weight at or below it.
///
/// # Panics
/// If there are no values.
pub(super) fn weighted_quantile(values: &mut [(f32, f32)], level: f64) -> f32 {
    let total: f64 = values.iter().map(|v| f64::from(v.1)).sum();
    let mut wanted = level * total;
    let mut rest = values;
    while rest.len() > 1 {
        // Median by median the half that holds the wanted weight is kept. Ties are ordered by
        // weight, so that the sums do not depend on the order of the rows.
        let middle = rest.len() / 2;
        rest.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let below: f64 = rest[..middle].iter().map(|v| f64::from(v.1)).sum();
        if wanted <= below {
            rest = &mut rest[..middle];
        } else {
            wanted -= below;
            rest = &mut rest[middle..];
        }
    }
    rest[0].0
}
