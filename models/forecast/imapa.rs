//! IMAPA (Petropoulos & Kourentzes 2015): as ADIDA, but demand is added up over one step, two, and
//! so on to the mean interval between sales, and the forecasts of all of them are averaged.

use serde::{Deserialize, Serialize};

use super::adida::{Aggregate, observed_and_interval};
use super::model::{FitError, Fitted, History};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imapa {
    aggregates: Vec<Aggregate>,
}

impl Imapa {
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn fit(history: &History) -> Result<Imapa, FitError> {
        let (observed, interval) = observed_and_interval(history)?;
        let mut sums = Vec::with_capacity(observed.len());
        let aggregates =
            (1..=interval).map(|steps| Aggregate::fit(&observed, steps, &mut sums)).collect();
        Ok(Imapa { aggregates })
    }
}

impl Fitted for Imapa {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.aggregates.iter_mut().for_each(|aggregate| aggregate.push(demand));
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        let sum: f64 = self.aggregates.iter().map(Aggregate::mean).sum();
        out.fill(sum / self.aggregates.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::adida::Adida;

    #[test]
    fn imapa_is_the_mean_over_the_levels_of_aggregation() {
        let demand = [0.0, 3.0, 0.0, 5.0, 0.0, 0.0, 4.0];
        let mut out = [0.0];
        Imapa::fit(&History::of(&demand)).unwrap().forecast(&mut out);
        let one = Aggregate::fit(&demand, 1, &mut Vec::new()).mean();
        let mut two = [0.0];
        Adida::fit(&History::of(&demand)).unwrap().forecast(&mut two);
        assert!((out[0] - (one + two[0]) / 2.0).abs() < 1e-12);
    }
}
