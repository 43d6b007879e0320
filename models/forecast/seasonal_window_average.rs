//! Seasonal window average: next Monday is like the mean of the last Mondays that were seen.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};

/// The registry's number of values of each step of the season.
const VALUES: usize = 4;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalWindowAverage {
    values: usize,
    /// The last observed demands, `values` for each step of the season, `None` where there were
    /// fewer.
    last: Vec<Option<f64>>,
    /// Where the oldest of each step of the season is.
    oldest: Vec<usize>,
    next: usize,
}

impl SeasonalWindowAverage {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn fit(history: &History) -> Result<SeasonalWindowAverage, FitError> {
        SeasonalWindowAverage::with_values(history, VALUES)
    }

    /// Over the last `values` observed values of each step of the season, or over as many as there
    /// are.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn with_values(
        history: &History,
        values: usize,
    ) -> Result<SeasonalWindowAverage, FitError> {
        let (season, values) = (history.season(), values.max(1));
        let mut last = vec![None; season * values];
        for (step, last) in last.chunks_mut(values).enumerate() {
            // From the end, because the beginning of a long history is not needed.
            let demand = history.demand.get(step..).unwrap_or_default();
            let seen = demand.iter().step_by(season).rev().filter(|d| !d.is_nan());
            last.iter_mut().rev().zip(seen).for_each(|(last, &demand)| *last = Some(demand));
        }
        if last.iter().all(Option::is_none) {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        let oldest = vec![0; season];
        Ok(SeasonalWindowAverage { values, last, oldest, next: history.demand.len() % season })
    }

    /// Mean of one step of the season, oldest first.
    fn mean(&self, step: usize) -> Option<f64> {
        let last = &self.last[step * self.values..(step + 1) * self.values];
        let (newer, older) = last.split_at(self.oldest[step]);
        let seen = older.iter().chain(newer).flatten();
        let (sum, n) = seen.fold((0.0, 0.0), |(sum, n), demand| (sum + demand, n + 1.0));
        (n > 0.0).then(|| sum / n)
    }
}

impl Fitted for SeasonalWindowAverage {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            let oldest = &mut self.oldest[self.next];
            self.last[self.next * self.values + *oldest] = Some(demand);
            *oldest = if *oldest + 1 == self.values { 0 } else { *oldest + 1 };
        }
        self.next = if self.next + 1 == self.oldest.len() { 0 } else { self.next + 1 };
    }

    fn forecast(&self, out: &mut [f64]) {
        // A step of the season that was never seen has the mean of the others.
        let means: Vec<Option<f64>> = (0..self.oldest.len()).map(|step| self.mean(step)).collect();
        let seen = || means.iter().flatten();
        let otherwise = seen().sum::<f64>() / seen().count() as f64;
        let mut step = self.next;
        for out in out {
            *out = means[step].unwrap_or(otherwise);
            step = if step + 1 == means.len() { 0 } else { step + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_the_season_has_its_own_window() {
        let demand = [9.0, 1.0, 2.0, f64::NAN, 4.0, 3.0, 6.0];
        let history = History::with_seasons(&demand, &[2]);
        let mut fitted = SeasonalWindowAverage::with_values(&history, 2).unwrap();
        let mut out = [0.0; 3];
        fitted.forecast(&mut out);
        assert_eq!(out, [2.0, 5.0, 2.0]);
        fitted.update(7.0);
        fitted.update(f64::NAN);
        fitted.update(5.0);
        fitted.forecast(&mut out);
        assert_eq!(out, [5.0, 6.0, 5.0]);
    }
}
