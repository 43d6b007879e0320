//! Seasonal naive: next Monday is like the last Monday that was seen. The yardstick of forecast
//! value added.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalNaive {
    /// Last observed demand of each step of the season, `None` where there never was any.
    last: Vec<Option<f64>>,
    next: usize,
}

impl SeasonalNaive {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<SeasonalNaive, FitError> {
        let season = history.season();
        let of = |step: usize| {
            // From the end, because the beginning of a long history is not needed.
            let demand = history.demand.get(step..).unwrap_or_default();
            demand.iter().step_by(season).rev().copied().find(|d| !d.is_nan())
        };
        let last: Vec<Option<f64>> = (0..season).map(of).collect();
        if last.iter().all(Option::is_none) {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        Ok(SeasonalNaive { last, next: history.demand.len() % season })
    }
}

impl Fitted for SeasonalNaive {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.last[self.next] = Some(demand);
        }
        self.next = if self.next + 1 == self.last.len() { 0 } else { self.next + 1 };
    }

    fn forecast(&self, out: &mut [f64]) {
        // A step of the season that was never seen has the mean of the others.
        let seen = || self.last.iter().flatten();
        let otherwise = seen().sum::<f64>() / seen().count() as f64;
        let mut step = self.next;
        for out in out {
            *out = self.last[step].unwrap_or(otherwise);
            step = if step + 1 == self.last.len() { 0 } else { step + 1 };
        }
    }
}
