//! Simple exponential smoothing (Brown 1959): `level += alpha * (demand - level)`.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

/// The smoothing constants that are tried. Squared error is flat in alpha, so a finer search buys
/// nothing, and a grid needs one pass over the history.
const ALPHAS: [f64; 10] = [0.02, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.42, 0.6, 0.85];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ses {
    alpha: f64,
    level: f64,
}

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
        Ok(Ses { alpha: ALPHAS[best], level: level[best] })
    }

    /// A smoother with a given constant in (0, 1] and first level.
    pub fn with(alpha: f64, level: f64) -> Ses {
        Ses { alpha: alpha.clamp(0.0, 1.0), level }
    }
}

impl Fitted for Ses {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.level += self.alpha * (demand - self.level);
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.level);
    }
}
