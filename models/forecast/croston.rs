//! Croston's method (1972) for intermittent demand, and its correction by Syntetos & Boylan (2005).
//!
//! Size and interval are smoothed only when demand occurs; the mean is size over interval, which is
//! too high by about `alpha / 2`, and SBA takes that off.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

const ALPHAS: [f64; 4] = [0.05, 0.1, 0.15, 0.25];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Croston {
    alpha: f64,
    size: f64,
    interval: f64,
    /// Observed days since the last demand.
    waited: f64,
    /// 1 for Croston, `1 - alpha / 2` for SBA.
    correction: f64,
}

impl Croston {
    /// Fits alpha by squared one-step error. `corrected` makes it SBA.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn fit(history: &History, corrected: bool) -> Result<Croston, FitError> {
        let mut best: Option<(f64, Croston)> = None;
        for alpha in ALPHAS {
            let (loss, fitted) = Croston::follow(history, alpha, corrected)?;
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, fitted));
            }
        }
        best.map(|(_, fitted)| fitted).ok_or(FitError::NoFiniteLoss)
    }

    /// With a given smoothing constant: squared one-step error, and the state at the end.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn follow(
        history: &History,
        alpha: f64,
        corrected: bool,
    ) -> Result<(f64, Croston), FitError> {
        let mut observed = history.demand.iter().copied().filter(|d| !d.is_nan());
        let mut interval = 1.0;
        let size = loop {
            match observed.next() {
                Some(demand) if demand > 0.0 => break demand,
                Some(_) => interval += 1.0,
                None => return Err(FitError::TooFewSales { needed: 1, got: 0 }),
            }
        };
        let correction = if corrected { 1.0 - alpha / 2.0 } else { 1.0 };
        let mut fitted = Croston { alpha, size, interval, waited: 0.0, correction };
        let mut loss = 0.0;
        for demand in observed {
            loss += (demand - fitted.mean()).powi(2);
            fitted.update(demand);
        }
        Ok((loss, fitted))
    }

    fn mean(&self) -> f64 {
        self.correction * self.size / self.interval
    }
}

impl Fitted for Croston {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            return;
        }
        self.waited += 1.0;
        if demand > 0.0 {
            self.size += self.alpha * (demand - self.size);
            self.interval += self.alpha * (self.waited - self.interval);
            self.waited = 0.0;
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.mean());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn croston_and_sba_by_hand() {
        // First demand 4 on day 2, interval 2. Then 0 0 6: interval 3. Then 2: interval 1.
        let demand = [0.0, 4.0, 0.0, f64::NAN, 0.0, 6.0, 2.0];
        let history = History::of(&demand);
        let (_, croston) = Croston::follow(&history, 0.1, false).unwrap();
        let size: f64 = 0.9 * (0.9 * 4.0 + 0.1 * 6.0) + 0.1 * 2.0;
        let interval = 0.9 * (0.9 * 2.0 + 0.1 * 3.0) + 0.1 * 1.0;
        assert!((croston.mean() - size / interval).abs() < 1e-12);
        let (_, sba) = Croston::follow(&history, 0.1, true).unwrap();
        assert!((sba.mean() - 0.95 * size / interval).abs() < 1e-12);
        let none = Croston::fit(&History::of(&[0.0; 30]), true);
        assert_eq!(none, Err(FitError::TooFewSales { needed: 1, got: 0 }));
    }
}
