//! Random walk with drift: the line through the first and the last step that were seen, continued
//! (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2).

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomWalkWithDrift {
    first: f64,
    last: f64,
    /// Steps from the first to the last that was seen.
    between: f64,
    /// Steps since the last that was seen, over which the walk drifted unseen.
    unseen: f64,
}

impl RandomWalkWithDrift {
    /// A single observed step has no drift.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<RandomWalkWithDrift, FitError> {
        let seen = |d: &f64| !d.is_nan();
        let (Some(from), Some(to)) =
            (history.demand.iter().position(seen), history.demand.iter().rposition(seen))
        else {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        };
        Ok(RandomWalkWithDrift {
            first: history.demand[from],
            last: history.demand[to],
            between: (to - from) as f64,
            unseen: (history.demand.len() - 1 - to) as f64,
        })
    }
}

impl Fitted for RandomWalkWithDrift {
    fn update(&mut self, demand: f64) {
        self.unseen += 1.0;
        if !demand.is_nan() {
            self.last = demand;
            self.between += self.unseen;
            self.unseen = 0.0;
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        let drift = if self.between > 0.0 { (self.last - self.first) / self.between } else { 0.0 };
        for (step, out) in out.iter_mut().enumerate() {
            *out = self.last + drift * (self.unseen + step as f64 + 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drift_is_per_step_whether_seen_or_not() {
        // From 2 to 8 in four steps is 1.5 a step; the last step that was seen is two ago.
        let demand = [f64::NAN, 2.0, 9.0, f64::NAN, f64::NAN, 8.0, f64::NAN];
        let fitted = RandomWalkWithDrift::fit(&History::of(&demand)).unwrap();
        let mut out = [0.0; 2];
        fitted.forecast(&mut out);
        assert_eq!(out, [11.0, 12.5]);
    }
}
