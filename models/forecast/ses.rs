//! Simple exponential smoothing (Brown 1959): `level += alpha * (demand - level)`.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};
use super::smoothing::Smoother;

/// The smoothing constants that are tried. Squared error is flat in alpha, so a finer search buys
/// nothing, and a grid needs one pass over the history.
const ALPHAS: [f64; 10] = [0.02, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.42, 0.6, 0.85];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ses(Smoother);

impl Ses {
    /// Chooses the alpha with the least squared one-step error; the first level is the mean of the
    /// first seven observed days.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed day.
    pub fn fit(history: &History) -> Result<Ses, FitError> {
        let first = || history.demand.iter().filter(|d| !d.is_nan()).take(7);
        let seen = first().count();
        if seen == 0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        let start = first().sum::<f64>() / seen as f64;
        let mut level = [start; ALPHAS.len()];
        let mut loss = [0.0f64; ALPHAS.len()];
        for &demand in history.demand.iter().filter(|d| !d.is_nan()) {
            for k in 0..ALPHAS.len() {
                let error = demand - level[k];
                loss[k] += error * error;
                level[k] += ALPHAS[k] * error;
            }
        }
        let best = (0..ALPHAS.len()).fold(0, |best, k| if loss[k] < loss[best] { k } else { best });
        let mut fitted = Smoother::new(ALPHAS[best], start);
        fitted.follow(history.demand);
        Ok(Ses(fitted))
    }

    /// With a given constant in [0, 1]; the first level is the first observed step, the peers'
    /// convention.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn with_alpha(history: &History, alpha: f64) -> Result<Ses, FitError> {
        let Some(first) = history.demand.iter().position(|d| !d.is_nan()) else {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        };
        let mut fitted = Smoother::new(alpha, history.demand[first]);
        fitted.follow(&history.demand[first + 1..]);
        Ok(Ses(fitted))
    }

    /// A smoother with a given constant in [0, 1] and first level.
    pub fn with(alpha: f64, level: f64) -> Ses {
        Ses(Smoother::new(alpha, level))
    }
}

impl Fitted for Ses {
    fn update(&mut self, demand: f64) {
        self.0.push(demand);
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.0.level());
    }
}
