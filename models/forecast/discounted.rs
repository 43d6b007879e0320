//! An exponentially discounted mean: the level that the count models follow.
//!
//! `sum of keep^age demand / sum of keep^age` over the observed steps (the steady model's discount;
//! West & Harrison 1997, section 2.4). Unlike a smoothed level it needs no first value, and with
//! `keep` 1 it is the plain mean.

use serde::{Deserialize, Serialize};

use super::model::{FitError, History};

/// Discounts that are tried, by squared one-step error.
const KEEPS: [f64; 5] = [0.9, 0.95, 0.98, 0.99, 1.0];
/// Observed steps before errors count: the mean of few says little of the discount.
const FIRST_STEPS: usize = 7;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscountedMean {
    keep: f64,
    sum: f64,
    weight: f64,
}

impl DiscountedMean {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<DiscountedMean, FitError> {
        let (mut sum, mut weight) = ([0.0; KEEPS.len()], [0.0; KEEPS.len()]);
        let mut loss = [0.0; KEEPS.len()];
        let observed = || history.demand.iter().copied().filter(|d| !d.is_nan());
        for (n, demand) in observed().enumerate() {
            for k in 0..KEEPS.len() {
                if n >= FIRST_STEPS {
                    let error = demand - sum[k] / weight[k];
                    loss[k] += error * error;
                }
                sum[k] = KEEPS[k] * sum[k] + demand;
                weight[k] = KEEPS[k] * weight[k] + 1.0;
            }
        }
        if weight[0] <= 0.0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        // The longest memory wins a tie, such as that of a history too short to tell.
        let least = |best: usize, k: usize| if loss[k] <= loss[best] { k } else { best };
        let best = (0..KEEPS.len()).fold(0, least);
        Ok(DiscountedMean { keep: KEEPS[best], sum: sum[best], weight: weight[best] })
    }

    pub fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.sum = self.keep * self.sum + demand;
            self.weight = self.keep * self.weight + 1.0;
        }
    }

    pub fn mean(&self) -> f64 {
        self.sum / self.weight
    }

    /// Each observed step but the first few, and what this discount would have forecast of it.
    pub fn one_step(&self, history: &History) -> Vec<(f64, f64)> {
        let mut level = DiscountedMean { keep: self.keep, sum: 0.0, weight: 0.0 };
        let observed = history.demand.iter().copied().filter(|d| !d.is_nan());
        let steps = observed.map(|demand| {
            let before = level.mean();
            level.update(demand);
            (demand, before)
        });
        steps.skip(FIRST_STEPS).collect()
    }
}
