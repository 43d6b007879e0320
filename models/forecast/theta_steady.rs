//! A cheap and steady member of the Theta family for short daily histories: simple exponential
//! smoothing with half the slope of the trend as drift (Hyndman & Billah 2003 on Assimakopoulos &
//! Nikolopoulos 2000), on demand freed of a multiplicative week whose indices are drawn to 1. See
//! [`super::theta`] for the family as published.

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::brent::BrentOpt;

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History, SEASON_DAYS};

const OBSERVED_DAYS_MIN: usize = SEASON_DAYS + 1;
const ITERATIONS_MAX: u64 = 16;
/// Days' worth of an average day that steady each weekday's index.
const INDEX_PRIOR_DAYS: f64 = 2.0;
const INDEX_MIN: f64 = 0.05;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThetaSteady {
    alpha: f64,
    level: f64,
    /// Half the least-squares slope, units per day.
    drift: f64,
    index: [f64; SEASON_DAYS],
    next: usize,
    days: f64,
}

struct Search {
    /// Observed demand without its week and its drift.
    flat: Vec<f64>,
    start: f64,
}

impl CostFunction for Search {
    type Param = f64;
    type Output = f64;

    fn cost(&self, alpha: &f64) -> Result<f64, Error> {
        let mut level = self.start;
        let mut sum = 0.0;
        for &value in &self.flat {
            let error = value - level;
            sum += error * error;
            level += alpha * error;
        }
        Ok(sum)
    }
}

impl ThetaSteady {
    /// # Errors
    /// [`FitError::TooShort`] under eight observed days, [`FitError::NoFiniteLoss`] when the search
    /// fails.
    pub fn fit(history: &History) -> Result<ThetaSteady, FitError> {
        let got = history.observed();
        if got < OBSERVED_DAYS_MIN {
            return Err(FitError::TooShort { needed: OBSERVED_DAYS_MIN, got });
        }
        let index = weekday_index(history);
        let flat = || {
            let days = history.demand.iter().enumerate().filter(|(_, d)| !d.is_nan());
            days.map(|(t, d)| (t as f64, d / index[t % SEASON_DAYS]))
        };
        let n = got as f64;
        let (time, mean) = flat().fold((0.0, 0.0), |(a, b), (t, d)| (a + t / n, b + d / n));
        let (above, below) = flat().fold((0.0, 0.0), |(a, b), (t, d)| {
            (a + (t - time) * (d - mean), b + (t - time) * (t - time))
        });
        let drift = 0.5 * above / below;
        let start = flat().take(SEASON_DAYS).map(|(_, d)| d).sum::<f64>() / SEASON_DAYS as f64;
        let scale = history.scale();
        let search =
            Search { flat: flat().map(|(_, d)| d / scale).collect(), start: start / scale };
        let result = Executor::new(search, BrentOpt::new(0.01, 0.95))
            .configure(|state| state.max_iters(ITERATIONS_MAX))
            .run()
            .map_err(|_| FitError::NoFiniteLoss)?;
        let alpha = *result.state().get_best_param().ok_or(FitError::NoFiniteLoss)?;
        let mut fitted = ThetaSteady { alpha, level: start, drift, index, next: 0, days: 0.0 };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        if fitted.level.is_finite() { Ok(fitted) } else { Err(FitError::NoFiniteLoss) }
    }
}

/// Mean of each day of the week over the mean of all days, steadied; all 1 without demand.
fn weekday_index(history: &History) -> [f64; SEASON_DAYS] {
    let mut sums = [(0.0, 0.0); SEASON_DAYS];
    for (t, d) in history.demand.iter().enumerate().filter(|(_, d)| !d.is_nan()) {
        sums[t % SEASON_DAYS].0 += d;
        sums[t % SEASON_DAYS].1 += 1.0;
    }
    let (total, days) = sums.iter().fold((0.0, 0.0), |(s, n), (a, b)| (s + a, n + b));
    let mean = total / days;
    if mean <= 0.0 {
        return [1.0; SEASON_DAYS];
    }
    sums.map(|(sum, n)| ((sum / mean + INDEX_PRIOR_DAYS) / (n + INDEX_PRIOR_DAYS)).max(INDEX_MIN))
}

impl Fitted for ThetaSteady {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            self.level += self.alpha * (demand / self.index[self.next] - self.level);
            self.days += 1.0;
        }
        self.next = (self.next + 1) % SEASON_DAYS;
    }

    fn forecast(&self, out: &mut [f64]) {
        // Hyndman & Billah (2003), equation 4: the drift also makes up for the lag of the level.
        let lag = (1.0 - (1.0 - self.alpha).powf(self.days)) / self.alpha;
        for (step, out) in out.iter_mut().enumerate() {
            let trended = self.level + self.drift * (step as f64 + lag);
            *out = (trended * self.index[(self.next + step) % SEASON_DAYS]).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_slope_is_the_drift() {
        let demand: Vec<f64> = (0..70).map(|t| 100.0 + f64::from(t / 7) * 7.0).collect();
        let fitted = ThetaSteady::fit(&History::of(&demand)).unwrap();
        assert!((fitted.drift - 0.5).abs() < 0.02, "{fitted:?}");
        let mut out = [0.0; 14];
        fitted.forecast(&mut out);
        assert!(out[13] > out[0] && out[0] > 160.0, "{out:?}");
    }
}
