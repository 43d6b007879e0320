//! Poisson counts around a discounted mean: the distribution of demand that comes one unit at a time
//! and independently.

use serde::{Deserialize, Serialize};

use super::discounted::DiscountedMean;
use super::model::{FitError, Fitted, History};
use crate::distribution::family::CountFamily;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Poisson(DiscountedMean);

impl Poisson {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<Poisson, FitError> {
        DiscountedMean::fit(history).map(Poisson)
    }
}

impl Fitted for Poisson {
    fn update(&mut self, demand: f64) {
        self.0.update(demand);
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.0.mean());
    }

    fn own_day(&self, _step: usize) -> Option<CountFamily> {
        Some(CountFamily::poisson(self.0.mean()))
    }
}
