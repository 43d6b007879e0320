//! Simple exponential smoothing of each step of the season on its own: Mondays follow Mondays
//! (statsforecast's `SeasonalExponentialSmoothing`).

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

/// The smoothing constants that are tried; all steps of the season share one, for a single one has
/// too few values to tell.
const ALPHAS: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.8];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalSes {
    alpha: f64,
    /// Of each step of the season, `None` before its first observation.
    level: Vec<Option<f64>>,
    next: usize,
}

impl SeasonalSes {
    /// Chooses the alpha with the least squared error one season ahead.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<SeasonalSes, FitError> {
        if history.observed() == 0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        let mut best = SeasonalSes::follow(history, ALPHAS[0]);
        for &alpha in &ALPHAS[1..] {
            let (loss, fitted) = SeasonalSes::follow(history, alpha);
            if loss < best.0 {
                best = (loss, fitted);
            }
        }
        Ok(best.1)
    }

    /// With a given constant: squared errors, and the state at the end.
    pub fn follow(history: &History, alpha: f64) -> (f64, SeasonalSes) {
        let mut fitted = SeasonalSes { alpha, level: vec![None; history.season()], next: 0 };
        let mut loss = 0.0;
        for &demand in history.demand {
            if let Some(level) = fitted.level[fitted.next].filter(|_| !demand.is_nan()) {
                loss += (demand - level) * (demand - level);
            }
            fitted.update(demand);
        }
        (loss, fitted)
    }
}

impl Fitted for SeasonalSes {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            let level = &mut self.level[self.next];
            *level = Some(level.map_or(demand, |level| level + self.alpha * (demand - level)));
        }
        self.next = if self.next + 1 == self.level.len() { 0 } else { self.next + 1 };
    }

    /// A step of the season that was never seen gets the mean of the others.
    fn forecast(&self, out: &mut [f64]) {
        let seen = self.level.iter().flatten();
        let (sum, n) = seen.fold((0.0, 0.0), |(sum, n), level| (sum + level, n + 1.0));
        let levels = self.level.iter().cycle().skip(self.next);
        out.iter_mut().zip(levels).for_each(|(out, level)| *out = level.unwrap_or(sum / n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let demand = [10.0, 2.0, 20.0, f64::NAN, 30.0, 4.0];
        let history = History::with_seasons(&demand, &[2]);
        let (loss, fitted) = SeasonalSes::follow(&history, 0.5);
        // Odd steps: 10, then 15, then 22.5. Even: 2, then 3.
        let mut out = [0.0; 3];
        fitted.forecast(&mut out);
        assert_eq!(out, [22.5, 3.0, 22.5]);
        assert_eq!(loss, 100.0 + 225.0 + 4.0);
    }
}
