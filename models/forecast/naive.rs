//! Naive: tomorrow is like the last step that was seen, the best there is for a random walk
//! (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2).

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Naive {
    last: f64,
}

impl Naive {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<Naive, FitError> {
        let last = history.demand.iter().rev().find(|d| !d.is_nan());
        last.map(|&last| Naive { last }).ok_or(FitError::TooShort { needed: 1, got: 0 })
    }
}

impl Fitted for Naive {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.last = demand;
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.last);
    }
}
