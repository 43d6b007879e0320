//! Mean of all observed days: the last resort, defined for any history.

use serde::{Deserialize, Serialize};

use super::model::{Fitted, History};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MeanDemand {
    sum: f64,
    days: f64,
}

impl MeanDemand {
    /// Without an observed day the mean is zero.
    pub fn fit(history: &History) -> MeanDemand {
        let mut fitted = MeanDemand { sum: 0.0, days: 0.0 };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        fitted
    }
}

impl Fitted for MeanDemand {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.sum += demand;
            self.days += 1.0;
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(if self.days > 0.0 { self.sum / self.days } else { 0.0 });
    }
}
