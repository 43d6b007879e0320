//! Teunter, Syntetos & Babai (2011): the probability of demand is smoothed every day, so a series
//! that stopped selling fades, and its size only when demand occurs.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

const SIZE_ALPHAS: [f64; 2] = [0.05, 0.15];
const PROBABILITY_ALPHAS: [f64; 4] = [0.01, 0.03, 0.07, 0.15];
/// Days whose share with demand is the first probability.
const START_DAYS: usize = 28;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tsb {
    size_alpha: f64,
    probability_alpha: f64,
    size: f64,
    probability: f64,
}

impl Tsb {
    /// Fits both constants by squared one-step error.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn fit(history: &History) -> Result<Tsb, FitError> {
        let mut best: Option<(f64, Tsb)> = None;
        for size_alpha in SIZE_ALPHAS {
            for probability_alpha in PROBABILITY_ALPHAS {
                let (loss, fitted) = Tsb::follow(history, size_alpha, probability_alpha)?;
                if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                    best = Some((loss, fitted));
                }
            }
        }
        best.map(|(_, fitted)| fitted).ok_or(FitError::NoFiniteLoss)
    }

    /// With given constants: squared one-step error, and the state at the end.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn follow(
        history: &History,
        size_alpha: f64,
        probability_alpha: f64,
    ) -> Result<(f64, Tsb), FitError> {
        let observed = || history.demand.iter().copied().filter(|d| !d.is_nan());
        let size =
            observed().find(|&d| d > 0.0).ok_or(FitError::TooFewSales { needed: 1, got: 0 })?;
        let (sales, days) = observed().take(START_DAYS).fold((0.0, 0.0), |(sales, days), d| {
            (sales + f64::from(u8::from(d > 0.0)), days + 1.0)
        });
        let mut fitted = Tsb { size_alpha, probability_alpha, size, probability: sales / days };
        let mut loss = 0.0;
        for demand in observed() {
            loss += (demand - fitted.probability * fitted.size).powi(2);
            fitted.update(demand);
        }
        Ok((loss, fitted))
    }
}

impl Fitted for Tsb {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            return;
        }
        let occurred = f64::from(u8::from(demand > 0.0));
        self.probability += self.probability_alpha * (occurred - self.probability);
        if demand > 0.0 {
            self.size += self.size_alpha * (demand - self.size);
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.probability * self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tsb_by_hand() {
        // Two sales in four days: probability starts at 1/2, size at 3.
        let demand = [0.0, 3.0, 0.0, 5.0];
        let (loss, tsb) = Tsb::follow(&History::of(&demand), 0.2, 0.1).unwrap();
        let p = [0.5, 0.45, 0.505, 0.4545];
        assert!((tsb.size - 3.4).abs() < 1e-12);
        assert!((tsb.probability - (0.9 * p[3] + 0.1)).abs() < 1e-12);
        let want: f64 = demand.iter().zip(p).map(|(d, p)| (d - p * 3.0) * (d - p * 3.0)).sum();
        assert!((loss - want).abs() < 1e-12);
    }
}
