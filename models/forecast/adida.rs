//! ADIDA (Nikolopoulos, Syntetos, Boylan, Petropoulos & Assimakopoulos 2011): demand is added up
//! over as many steps as lie between two sales on average, the sums are smoothed, and their
//! forecast is spread evenly over the steps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};
use super::smoothing::{Smoother, least_squares_alpha};

const ALPHA_RANGE: (f64, f64) = (0.1, 0.3);

/// Smoothed sums over a number of observed steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    steps: usize,
    smoother: Smoother,
    /// The steps after the last whole sum.
    sum: f64,
    added: usize,
}

impl Aggregate {
    /// Sums of `steps` each that end with the last of `observed`, smoothed with the constant that
    /// forecasts the next sum with the least squared error. `sums` is room to work in. There are
    /// at least `steps` observed ones.
    pub fn fit(observed: &[f64], steps: usize, sums: &mut Vec<f64>) -> Aggregate {
        let whole = &observed[observed.len() % steps..];
        sums.clear();
        sums.extend(whole.chunks_exact(steps).map(|chunk| chunk.iter().sum::<f64>()));
        let alpha = least_squares_alpha(sums, ALPHA_RANGE.0, ALPHA_RANGE.1);
        let mut smoother = Smoother::new(alpha, sums[0]);
        smoother.follow(&sums[1..]);
        Aggregate { steps, smoother, sum: 0.0, added: 0 }
    }

    /// Takes one observed step.
    pub fn push(&mut self, demand: f64) {
        self.sum += demand;
        self.added += 1;
        if self.added == self.steps {
            self.smoother.push(self.sum);
            (self.sum, self.added) = (0.0, 0);
        }
    }

    /// Mean demand of one step.
    pub fn mean(&self) -> f64 {
        self.smoother.level() / self.steps as f64
    }
}

/// The observed steps and the mean interval between sales among them, the first counted from the
/// beginning, to the nearest whole step.
///
/// # Errors
/// [`FitError::TooFewSales`] without any demand.
pub fn observed_and_interval<'a>(
    history: &History<'a>,
) -> Result<(Cow<'a, [f64]>, usize), FitError> {
    let demand = history.demand;
    let observed: Cow<[f64]> = if demand.iter().any(|d| d.is_nan()) {
        demand.iter().copied().filter(|d| !d.is_nan()).collect()
    } else {
        demand.into()
    };
    let sales = observed.iter().filter(|&&d| d > 0.0).count();
    let last = observed.iter().rposition(|&d| d > 0.0);
    let Some(last) = last else {
        return Err(FitError::TooFewSales { needed: 1, got: 0 });
    };
    let interval = ((last + 1) as f64 / sales as f64).round_ties_even() as usize;
    Ok((observed, interval))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adida(Aggregate);

impl Adida {
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn fit(history: &History) -> Result<Adida, FitError> {
        let (observed, interval) = observed_and_interval(history)?;
        Ok(Adida(Aggregate::fit(&observed, interval, &mut Vec::new())))
    }
}

impl Fitted for Adida {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.0.push(demand);
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.0.mean());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adida_by_hand() {
        // Sales on observed steps 2, 4 and 7: every 7/3 steps, so sums of two from the end.
        let demand = [0.0, 3.0, f64::NAN, 0.0, 5.0, 0.0, 0.0, 4.0];
        let mut fitted = Adida::fit(&History::of(&demand)).unwrap();
        let sums = [3.0, 5.0, 4.0];
        let alpha = least_squares_alpha(&sums, 0.1, 0.3);
        let level = (1.0 - alpha) * (3.0 + alpha * 2.0) + alpha * 4.0;
        let mut out = [0.0];
        fitted.forecast(&mut out);
        assert!((out[0] - level / 2.0).abs() < 1e-12, "{out:?}");
        for demand in [6.0, f64::NAN, 2.0] {
            fitted.update(demand);
        }
        fitted.forecast(&mut out);
        let level = level + alpha * (8.0 - level);
        assert!((out[0] - level / 2.0).abs() < 1e-12, "{out:?}");
    }
}
