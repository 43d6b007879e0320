//! Seasonal naive: next Monday is like the last Monday that was seen. The yardstick of forecast
//! value added.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalNaive {
    /// Last observed demand of each step of the season, `None` where there never was any.
    last: Vec<Option<f64>>,
    /// The mean stands in for a step of the season that was never observed.
    sum: f64,
    steps: f64,
    next: usize,
}

impl SeasonalNaive {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<SeasonalNaive, FitError> {
        let last = vec![None; history.season()];
        let mut fitted = SeasonalNaive { last, sum: 0.0, steps: 0.0, next: 0 };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        if fitted.steps == 0.0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        Ok(fitted)
    }
}

impl Fitted for SeasonalNaive {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.last[self.next] = Some(demand);
            self.sum += demand;
            self.steps += 1.0;
        }
        self.next = (self.next + 1) % self.last.len();
    }

    fn forecast(&self, out: &mut [f64]) {
        let mean = self.sum / self.steps;
        for (step, out) in out.iter_mut().enumerate() {
            *out = self.last[(self.next + step) % self.last.len()].unwrap_or(mean);
        }
    }
}
