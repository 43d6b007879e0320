//! Window average: the mean of the last steps that were seen.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

/// The registry's window: the last two seasons, and no less than this many steps.
const WINDOW_MIN: usize = 8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowAverage {
    window: usize,
    /// The last observed demands, at most `window` of them; the oldest is at `oldest`.
    last: Vec<f64>,
    oldest: usize,
}

impl WindowAverage {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<WindowAverage, FitError> {
        WindowAverage::with_window(history, (2 * history.season()).max(WINDOW_MIN))
    }

    /// Over the last `window` observed steps, or over all when there are fewer.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn with_window(history: &History, window: usize) -> Result<WindowAverage, FitError> {
        let window = window.max(1);
        let seen = history.demand.iter().rev().copied().filter(|d| !d.is_nan());
        let mut last: Vec<f64> = seen.take(window).collect();
        if last.is_empty() {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        last.reverse();
        Ok(WindowAverage { window, last, oldest: 0 })
    }
}

impl Fitted for WindowAverage {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            return;
        }
        if self.last.len() < self.window {
            self.last.push(demand);
            return;
        }
        self.last[self.oldest] = demand;
        self.oldest += 1;
        if self.oldest == self.window {
            self.oldest = 0;
        }
    }

    /// Adds the window up anew, oldest first: a running sum would keep the rounding of every
    /// demand that has left the window.
    fn forecast(&self, out: &mut [f64]) {
        let (newer, older) = self.last.split_at(self.oldest);
        let sum: f64 = older.iter().chain(newer).sum();
        out.fill(sum / self.last.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_observed_steps_are_averaged() {
        let demand = [50.0, 1.0, f64::NAN, 2.0, 6.0, f64::NAN];
        let mut fitted = WindowAverage::with_window(&History::of(&demand), 3).unwrap();
        let mut out = [0.0];
        fitted.forecast(&mut out);
        assert_eq!(out, [3.0]);
        for (demand, want) in [(f64::NAN, 3.0), (4.0, 4.0), (5.0, 5.0), (9.0, 6.0), (7.0, 7.0)] {
            fitted.update(demand);
            fitted.forecast(&mut out);
            assert_eq!(out, [want], "after {demand}");
        }
    }
}
