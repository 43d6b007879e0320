//! Seasonal naive: next Monday is like the last Monday that was seen. The yardstick of forecast
//! value added.

use super::model::{FitError, Fitted, History, SEASON_DAYS};

#[derive(Clone, Debug)]
pub struct SeasonalNaive {
    /// Last observed demand of each day of the season.
    last: [f64; SEASON_DAYS],
    /// The mean stands in for a day of the season that was never observed.
    sum: f64,
    days: f64,
    next: usize,
}

impl SeasonalNaive {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed day.
    pub fn fit(history: &History) -> Result<SeasonalNaive, FitError> {
        let mut fitted =
            SeasonalNaive { last: [f64::NAN; SEASON_DAYS], sum: 0.0, days: 0.0, next: 0 };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        if fitted.days == 0.0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        Ok(fitted)
    }
}

impl Fitted for SeasonalNaive {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.last[self.next] = demand;
            self.sum += demand;
            self.days += 1.0;
        }
        self.next = (self.next + 1) % SEASON_DAYS;
    }

    fn forecast(&self, out: &mut [f64]) {
        for (step, out) in out.iter_mut().enumerate() {
            let last = self.last[(self.next + step) % SEASON_DAYS];
            *out = if last.is_nan() { self.sum / self.days } else { last };
        }
    }
}
