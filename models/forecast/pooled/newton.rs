//! Newton's method for estimating equations with a log link, and the proof that it got there.
//!
//! A generalised linear model with a log link is fitted by iteratively reweighted least squares
//! (Nelder & Wedderburn 1972), which is Newton's method with the expected information. From far
//! away a step may overshoot: it is halved until the Newton decrement `s' A^-1 s` no longer grows.
//! A fit is one only when its gradient is next to nothing of what makes it up.

use super::cholesky::Cholesky;

const HALVINGS_MAX: usize = 30;

/// How the variance of a count goes with its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Poisson,
    /// `mean^power`, 1 < power < 2: zeros, and sizes above them.
    Tweedie {
        power: f64,
    },
    /// `mean + dispersion * mean^2`.
    NegativeBinomial {
        dispersion: f64,
    },
}

impl Family {
    /// Weight of a working response under the log link: `mean^2 / variance(mean)`.
    pub fn weight(self, mean: f64) -> f64 {
        match self {
            Family::Poisson => mean,
            Family::Tweedie { power } => mean.powf(2.0 - power),
            Family::NegativeBinomial { dispersion } => mean / (1.0 + dispersion * mean),
        }
    }

    /// Twice the log-likelihood that `mean` falls short of a perfect one.
    pub fn deviance(self, y: f64, mean: f64) -> f64 {
        let log_ratio = if y > 0.0 { y * (y / mean).ln() } else { 0.0 };
        match self {
            Family::Poisson => 2.0 * (log_ratio - (y - mean)),
            Family::Tweedie { power } => {
                let (a, b) = (1.0 - power, 2.0 - power);
                2.0 * (y.powf(b) / (a * b) - y * mean.powf(a) / a + mean.powf(b) / b)
            }
            Family::NegativeBinomial { dispersion } => {
                let size = 1.0 / dispersion;
                2.0 * (log_ratio - (y + size) * ((y + size) / (mean + size)).ln())
            }
        }
    }
}

/// The penalised estimating equation around one point.
pub struct Local {
    /// Lower triangle of the information, p x p, penalty included.
    pub information: Vec<f64>,
    /// Zero at the solution.
    pub score: Vec<f64>,
    /// What each entry of the score is to be measured against, above zero.
    pub scale: Vec<f64>,
}

impl Local {
    /// The largest entry of the score against its scale; infinite where anything is not a number.
    fn gradient(&self) -> f64 {
        self.score.iter().zip(&self.scale).fold(0.0, |most: f64, (score, scale)| {
            let relative = (score / scale).abs();
            if relative.is_nan() { f64::INFINITY } else { most.max(relative) }
        })
    }
}

/// That a fit solves its equation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Times that the equation was evaluated.
    pub evaluations: usize,
    /// The largest entry of the penalised score, relative to its scale.
    pub gradient: f64,
}

/// Why there is no solution.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoSolution {
    #[error("the relative gradient is {gradient:.3e} after {evaluations} evaluations")]
    NotConverged { evaluations: usize, gradient: f64 },
    #[error("the information matrix is singular")]
    Singular,
}

/// Solves `score(beta) = 0` from `start`.
///
/// # Errors
/// When the gradient is above `tolerance` after `evaluations_max`, or the information is singular.
pub fn solve(
    start: Vec<f64>,
    evaluations_max: usize,
    tolerance: f64,
    mut evaluate: impl FnMut(&[f64]) -> Local,
) -> Result<(Vec<f64>, Proof), NoSolution> {
    let mut beta = start;
    // The last point that was accepted, the step from it, and its decrement.
    let mut last: Option<(Vec<f64>, Vec<f64>, f64)> = None;
    let mut halvings = 0;
    let mut gradient = f64::INFINITY;
    for evaluations in 1..=evaluations_max {
        let local = evaluate(&beta);
        gradient = local.gradient();
        if gradient <= tolerance {
            return Ok((beta, Proof { evaluations, gradient }));
        }
        let columns = beta.len();
        let step = gradient
            .is_finite()
            .then(|| Cholesky::new(local.information, columns))
            .flatten()
            .map(|factor| factor.solve(&local.score));
        let decrement = step
            .as_ref()
            .map_or(f64::INFINITY, |step| step.iter().zip(&local.score).map(|(a, b)| a * b).sum());
        match (&mut last, step) {
            (Some((from, step, before)), _)
                if (decrement.is_nan() || decrement > *before) && halvings < HALVINGS_MAX =>
            {
                halvings += 1;
                step.iter_mut().for_each(|step| *step *= 0.5);
                beta = from.iter().zip(step.iter()).map(|(b, s)| b + s).collect();
            }
            (_, Some(step)) => {
                halvings = 0;
                let next = beta.iter().zip(&step).map(|(b, s)| b + s).collect();
                last = Some((std::mem::replace(&mut beta, next), step, decrement));
            }
            (_, None) => return Err(NoSolution::Singular),
        }
    }
    Err(NoSolution::NotConverged { evaluations: evaluations_max, gradient })
}
