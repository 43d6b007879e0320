//! MSTL with any model for what the seasons leave: Bandara, Hyndman & Bergmeir (2021), "MSTL: A
//! seasonal-trend decomposition algorithm for time series with multiple seasonal patterns".
//!
//! Decomposition looks at the whole history and cannot be updated, so the last cycle of each season
//! goes on as it was, a seasonal naive forecast, and new steps update the model of the rest.

mod loess;
mod stl;

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, FittedModel, History, Model};
use super::season_index::until_last_seen;

/// What forecasts the rest in `mstl_ets`.
pub const ETS_REMAINDER: Model = Model::AutoEts;
/// What forecasts the rest in `mstl_theta`.
pub const THETA_REMAINDER: Model = Model::DynamicOptimizedTheta;

/// The last cycle of one season.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cycle {
    season: Vec<f64>,
    next: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mstl {
    cycles: Vec<Cycle>,
    remainder: Box<FittedModel>,
}

impl Mstl {
    /// Seasons longer than half of the history are left out; without any season the remainder's
    /// model has the history itself.
    ///
    /// # Errors
    /// When nothing was observed, and those of the remainder's model.
    pub fn fit(history: &History, remainder: Model) -> Result<Mstl, FitError> {
        let demand = until_last_seen(history.demand);
        let n = demand.len();
        if n == 0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        let mut seasons: Vec<usize> =
            history.seasons.iter().copied().filter(|m| (2..=n / 2).contains(m)).collect();
        seasons.sort_unstable();
        seasons.dedup();
        let parts = stl::decompose(demand, &seasons);
        let mut rest = demand.to_vec();
        for season in &parts.seasons {
            rest.iter_mut().zip(season).for_each(|(rest, season)| *rest -= season);
        }
        let remainder = remainder.fit(&History::with_seasons(&rest, &[]))?;
        let last =
            |(season, m): (&Vec<f64>, &usize)| Cycle { season: season[n - m..].to_vec(), next: 0 };
        let cycles = parts.seasons.iter().zip(&seasons).map(last).collect();
        let mut fitted = Mstl { cycles, remainder: Box::new(remainder) };
        history.demand[n..].iter().for_each(|&missing| fitted.update(missing));
        Ok(fitted)
    }
}

impl Fitted for Mstl {
    fn update(&mut self, demand: f64) {
        let mut rest = demand;
        for cycle in &mut self.cycles {
            rest -= cycle.season[cycle.next];
            cycle.next = if cycle.next + 1 == cycle.season.len() { 0 } else { cycle.next + 1 };
        }
        self.remainder.update(rest);
    }

    fn forecast(&self, out: &mut [f64]) {
        self.remainder.forecast_signed(out);
        for Cycle { season, next } in &self.cycles {
            let season = season.iter().cycle().skip(*next);
            out.iter_mut().zip(season).for_each(|(out, season)| *out += season);
        }
    }
}

#[cfg(test)]
mod tests;
