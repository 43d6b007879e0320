//! Negative binomial counts around a discounted mean: demand in units whose rate varies from day to
//! day. The dispersion is the likeliest one of the history's steps around the means that would
//! have been forecast of them, so it includes what the level could not know.

use serde::{Deserialize, Serialize};

use super::discounted::DiscountedMean;
use super::model::{FitError, Fitted, History};
use crate::distribution::count_fit::dispersion_around;
use crate::distribution::family::CountFamily;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NegativeBinomial {
    level: DiscountedMean,
    dispersion: f64,
}

impl NegativeBinomial {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<NegativeBinomial, FitError> {
        let level = DiscountedMean::fit(history)?;
        let dispersion = dispersion_around(&level.one_step(history));
        Ok(NegativeBinomial { level, dispersion })
    }
}

impl Fitted for NegativeBinomial {
    fn update(&mut self, demand: f64) {
        self.level.update(demand);
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.level.mean());
    }

    fn own_day(&self, _step: usize) -> Option<CountFamily> {
        Some(CountFamily::negative_binomial(self.level.mean(), self.dispersion))
    }
}
