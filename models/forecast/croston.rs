//! Croston's method (1972) for intermittent demand, and its correction by Syntetos & Boylan (2005).
//!
//! Size and interval are smoothed only when demand occurs; the mean is size over interval, which is
//! too high by about `alpha / 2`, and SBA takes that off.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};
use super::smoothing::{Smoother, least_squares_alpha};

/// The constant of Croston's paper.
const ALPHA: f64 = 0.1;
/// Constants recommended for intermittent demand lie within these (Syntetos & Boylan 2005).
const ALPHA_RANGE: (f64, f64) = (0.1, 0.3);

/// Above an interval of 1 by more than rounding.
const INTERMITTENT_INTERVAL_MIN: f64 = 1.0 + 1e-9;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Croston {
    size: Smoother,
    interval: Smoother,
    /// Observed steps since the last demand.
    waited: f64,
    /// 1 for Croston, `1 - alpha / 2` with the interval's constant for SBA.
    correction: f64,
    /// Shorter intervals are not corrected.
    corrected_from: f64,
}

/// Sizes of the demands of a history and the observed steps from each to the one before; the
/// first counts from the history's beginning.
struct Demands {
    sizes: Vec<f64>,
    intervals: Vec<f64>,
    /// Observed steps after the last demand.
    waited: f64,
}

impl Demands {
    fn of(history: &History) -> Result<Demands, FitError> {
        // Every step is written and only a demand moves on: whether a step has one is anyone's
        // guess, the processor's too.
        let mut sizes = vec![0.0; history.demand.len()];
        let mut seen_at = vec![0u32; history.demand.len()];
        let (mut n, mut seen) = (0, 0u32);
        for &demand in history.demand {
            seen += u32::from(!demand.is_nan());
            sizes[n] = demand;
            seen_at[n] = seen;
            n += usize::from(demand > 0.0);
        }
        if n == 0 {
            return Err(FitError::TooFewSales { needed: 1, got: 0 });
        }
        sizes.truncate(n);
        let before = std::iter::once(&0).chain(&seen_at);
        let intervals = before.zip(&seen_at[..n]).map(|(a, b)| f64::from(b - a)).collect();
        Ok(Demands { sizes, intervals, waited: f64::from(seen - seen_at[n - 1]) })
    }
}

impl Croston {
    /// Croston's method with his constant, 0.1.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn classic(history: &History) -> Result<Croston, FitError> {
        Croston::with_alpha(history, ALPHA)
    }

    /// With a given constant for both sizes and intervals.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn with_alpha(history: &History, alpha: f64) -> Result<Croston, FitError> {
        Ok(Croston::follow(&Demands::of(history)?, alpha, alpha))
    }

    /// With the constants, from 0.1 to 0.3, that forecast the next size and the next interval with
    /// the least squared error.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn optimized(history: &History) -> Result<Croston, FitError> {
        let demands = Demands::of(history)?;
        let best = |values: &[f64]| least_squares_alpha(values, ALPHA_RANGE.0, ALPHA_RANGE.1);
        let (size, interval) = (best(&demands.sizes), best(&demands.intervals));
        Ok(Croston::follow(&demands, size, interval))
    }

    /// Syntetos & Boylan's approximation with Croston's constant: his forecast times 0.95, as the
    /// peers have it, whether demand is intermittent or not.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn sba(history: &History) -> Result<Croston, FitError> {
        let croston = Croston::classic(history)?;
        Ok(Croston { correction: 1.0 - ALPHA / 2.0, ..croston })
    }

    /// As [`Croston::sba`], but Croston's own forecast while there is demand on every step: what is
    /// taken off is the bias of dividing by an interval that varies, and that one does not.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn sba_if_intermittent(history: &History) -> Result<Croston, FitError> {
        Ok(Croston { corrected_from: INTERMITTENT_INTERVAL_MIN, ..Croston::sba(history)? })
    }

    fn follow(demands: &Demands, size: f64, interval: f64) -> Croston {
        let smooth = |values: &[f64], alpha: f64| {
            let mut smoother = Smoother::new(alpha, values[0]);
            smoother.follow(&values[1..]);
            smoother
        };
        Croston {
            size: smooth(&demands.sizes, size),
            interval: smooth(&demands.intervals, interval),
            waited: demands.waited,
            correction: 1.0,
            corrected_from: 0.0,
        }
    }

    fn mean(&self) -> f64 {
        let interval = self.interval.level();
        let correction = if interval >= self.corrected_from { self.correction } else { 1.0 };
        correction * self.size.level() / interval
    }
}

impl Fitted for Croston {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            return;
        }
        self.waited += 1.0;
        if demand > 0.0 {
            self.size.push(demand);
            self.interval.push(self.waited);
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
        let demand = [0.0, 4.0, 0.0, f64::NAN, 0.0, 6.0, 2.0, 0.0];
        let history = History::of(&demand);
        let croston = Croston::classic(&history).unwrap();
        let size: f64 = 0.9 * (0.9 * 4.0 + 0.1 * 6.0) + 0.1 * 2.0;
        let interval = 0.9 * (0.9 * 2.0 + 0.1 * 3.0) + 0.1 * 1.0;
        assert!((croston.mean() - size / interval).abs() < 1e-12);
        assert_eq!(croston.waited, 1.0);
        let sba = Croston::sba(&history).unwrap();
        assert!((sba.mean() - 0.95 * size / interval).abs() < 1e-12);
        let guarded = Croston::sba_if_intermittent(&history).unwrap();
        assert_eq!(guarded.mean(), sba.mean());
        let daily = Croston::sba_if_intermittent(&History::of(&[3.0; 40])).unwrap();
        assert!((daily.mean() - 3.0).abs() < 1e-12);
        let none = Croston::optimized(&History::of(&[0.0; 30]));
        assert_eq!(none, Err(FitError::TooFewSales { needed: 1, got: 0 }));
    }
}
