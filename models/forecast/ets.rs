//! Exponential smoothing with additive errors and an additive weekly season: ETS(A,N,A) and, with a
//! damped trend, ETS(A,Ad,A) (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 8.5).
//! Demand has zeros, so nothing here multiplies.

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::neldermead::NelderMead;

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History, SEASON_DAYS};

const OBSERVED_DAYS_MIN: usize = 2 * SEASON_DAYS;
/// Seasons from which the first level and season are read.
const START_SEASONS: usize = 5;
const ITERATIONS_MAX: u64 = 40;
const TOLERANCE: f64 = 1e-3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ets {
    smoothing: Smoothing,
    state: EtsState,
    scale: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Smoothing {
    level: f64,
    trend: f64,
    season: f64,
    damping: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct EtsState {
    level: f64,
    trend: f64,
    season: [f64; SEASON_DAYS],
    next: usize,
}

impl Smoothing {
    /// From unbounded numbers: alpha in (0, 1), gamma in (0, 1 - alpha), beta in (0, alpha),
    /// damping in (0.8, 0.98), so that every search step is admissible.
    fn from_search(x: &[f64]) -> Smoothing {
        let squash = |v: f64| 1.0 / (1.0 + (-v).exp());
        let level = squash(x[0]);
        let season = squash(x[1]) * (1.0 - level);
        let (trend, damping) = match x {
            [_, _, trend, damping] => (squash(*trend) * level, 0.8 + 0.18 * squash(*damping)),
            _ => (0.0, 0.0),
        };
        Smoothing { level, trend, season, damping }
    }
}

impl EtsState {
    /// Level and season of the first weeks, from the days of them that were observed.
    fn start(demand: &[f64], scale: f64) -> EtsState {
        let mut sums = [(0.0, 0.0); SEASON_DAYS];
        for (t, d) in
            demand.iter().enumerate().filter(|(_, d)| !d.is_nan()).take(START_SEASONS * SEASON_DAYS)
        {
            sums[t % SEASON_DAYS].0 += d / scale;
            sums[t % SEASON_DAYS].1 += 1.0;
        }
        let (total, days) = sums.iter().fold((0.0, 0.0), |(s, n), (a, b)| (s + a, n + b));
        let level = total / days;
        // Two days' worth of the level steady a weekday that was seen rarely.
        let season = sums.map(|(sum, n)| (sum + 2.0 * level) / (n + 2.0) - level);
        EtsState { level, trend: 0.0, season, next: 0 }
    }

    #[inline]
    fn step(&mut self, demand: f64, by: &Smoothing) -> f64 {
        let carried = self.level + by.damping * self.trend;
        let season = &mut self.season[self.next];
        self.next = if self.next + 1 == SEASON_DAYS { 0 } else { self.next + 1 };
        if demand.is_nan() {
            self.level = carried;
            self.trend *= by.damping;
            return 0.0;
        }
        let error = demand - carried - *season;
        self.level = carried + by.level * error;
        self.trend = by.damping * self.trend + by.trend * error;
        *season += by.season * error;
        error
    }
}

struct Search<'a> {
    demand: &'a [f64],
    scale: f64,
    start: EtsState,
}

impl CostFunction for Search<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        let by = Smoothing::from_search(x);
        let mut state = self.start.clone();
        let mut sum = 0.0;
        for &demand in self.demand {
            let error = state.step(demand / self.scale, &by);
            sum += error * error;
        }
        Ok(if sum.is_finite() { sum } else { f64::MAX })
    }
}

impl Ets {
    /// Fits the smoothing parameters by least squares; `damped` adds a damped trend.
    ///
    /// # Errors
    /// [`FitError::TooShort`] under two observed weeks; [`FitError::NoFiniteLoss`] when the search
    /// finds nothing.
    pub fn fit(history: &History, damped: bool) -> Result<Ets, FitError> {
        let got = history.observed();
        if got < OBSERVED_DAYS_MIN {
            return Err(FitError::TooShort { needed: OBSERVED_DAYS_MIN, got });
        }
        let scale = history.scale();
        let start = EtsState::start(history.demand, scale);
        let search = Search { demand: history.demand, scale, start: start.clone() };
        let origin = if damped { vec![-2.0, -2.0, -2.5, 0.5] } else { vec![-2.0, -2.0] };
        let mut simplex = vec![origin.clone()];
        for k in 0..origin.len() {
            let mut corner = origin.clone();
            corner[k] += 1.5;
            simplex.push(corner);
        }
        let solver = NelderMead::new(simplex)
            .with_sd_tolerance(TOLERANCE * history.demand.len() as f64 * 1e-2)
            .map_err(|_| FitError::NoFiniteLoss)?;
        let result = Executor::new(search, solver)
            .configure(|state| state.max_iters(ITERATIONS_MAX))
            .run()
            .map_err(|_| FitError::NoFiniteLoss)?;
        let best = result.state().get_best_param().ok_or(FitError::NoFiniteLoss)?;
        let smoothing = Smoothing::from_search(best);
        let mut fitted = Ets { smoothing, state: start, scale };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        if fitted.state.level.is_finite() { Ok(fitted) } else { Err(FitError::NoFiniteLoss) }
    }
}

impl Fitted for Ets {
    fn update(&mut self, demand: f64) {
        self.state.step(demand / self.scale, &self.smoothing);
    }

    fn forecast(&self, out: &mut [f64]) {
        let mut trend = 0.0;
        let mut damping = 1.0;
        for (step, out) in out.iter_mut().enumerate() {
            damping *= self.smoothing.damping;
            trend += damping * self.state.trend;
            let season = self.state.season[(self.state.next + step) % SEASON_DAYS];
            *out = (self.scale * (self.state.level + trend + season)).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeating_week_is_learned_and_continued() {
        let week = [4.0, 5.0, 6.0, 5.0, 9.0, 14.0, 13.0];
        let demand: Vec<f64> =
            (0..140).map(|t| if t % 11 == 3 { f64::NAN } else { week[t % 7] }).collect();
        for damped in [false, true] {
            let fitted = Ets::fit(&History::of(&demand), damped).unwrap();
            let mut out = [0.0; 14];
            fitted.forecast(&mut out);
            for (step, got) in out.iter().enumerate() {
                assert!((got - week[step % 7]).abs() < 0.8, "{damped} {step}: {got}");
            }
        }
    }
}
