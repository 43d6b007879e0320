//! Counts with more zeros than a Poisson or a negative binomial has (Lambert 1992), around a
//! discounted mean: on some days nobody asks, whatever the others sell. The share of such days and
//! the dispersion are the likeliest of the whole history; which of the two counts it is, the AICc
//! decides.

use serde::{Deserialize, Serialize};

use super::discounted::DiscountedMean;
use super::model::{FitError, Fitted, History};
use crate::distribution::count_fit::choose_among;
use crate::distribution::family::{CountFamily, CountKind};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZeroInflated {
    level: DiscountedMean,
    zero: f64,
    dispersion: f64,
}

impl ZeroInflated {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<ZeroInflated, FitError> {
        let level = DiscountedMean::fit(history)?;
        let kinds = [CountKind::ZeroInflatedPoisson, CountKind::ZeroInflatedNegativeBinomial];
        let fit = choose_among(&kinds, history.demand);
        let family = fit.ok_or(FitError::TooShort { needed: 1, got: 0 })?.family;
        Ok(ZeroInflated { level, zero: family.zero(), dispersion: family.dispersion() })
    }
}

impl Fitted for ZeroInflated {
    fn update(&mut self, demand: f64) {
        self.level.update(demand);
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.level.mean());
    }

    fn own_day(&self, _step: usize) -> Option<CountFamily> {
        let part = self.level.mean() / (1.0 - self.zero);
        Some(CountFamily::zero_inflated(self.zero, part, self.dispersion))
    }
}
