//! The least squares line through demand over time, the first step at time 1.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// Of the whole history that the model was fitted to.
    Fixed { intercept: f64, slope: f64 },
    /// Of the steps so far.
    Running(Regression),
}

impl Line {
    #[inline]
    pub(super) fn coefficients(&self) -> (f64, f64) {
        match self {
            Line::Fixed { intercept, slope } => (*intercept, *slope),
            Line::Running(regression) => regression.coefficients(),
        }
    }

    #[inline]
    pub(super) fn observe(&mut self, value: f64) {
        if let Line::Running(regression) = self {
            regression.observe(value);
        }
    }

    pub(super) fn skip(&mut self) {
        if let Line::Running(regression) = self {
            regression.skip();
        }
    }
}

/// Running least squares. Without gaps its slope is the recursion of Fiorucci et al. (2016),
/// equations 17 to 19; means and centred sums also hold with gaps, and lose no digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Regression {
    steps: f64,
    observed: f64,
    mean_time: f64,
    mean: f64,
    time_squares: f64,
    products: f64,
}

impl Regression {
    #[inline]
    pub(super) fn observe(&mut self, value: f64) {
        self.steps += 1.0;
        self.observed += 1.0;
        let ahead = self.steps - self.mean_time;
        self.mean_time += ahead / self.observed;
        self.mean += (value - self.mean) / self.observed;
        self.time_squares += ahead * (self.steps - self.mean_time);
        self.products += ahead * (value - self.mean);
    }

    pub(super) fn skip(&mut self) {
        self.steps += 1.0;
    }

    /// Intercept and slope; a single step has a level line.
    #[inline]
    pub(super) fn coefficients(&self) -> (f64, f64) {
        let slope = if self.time_squares > 0.0 { self.products / self.time_squares } else { 0.0 };
        (self.mean - slope * self.mean_time, slope)
    }
}
