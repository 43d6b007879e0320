//! So many periods' cover of a seasonal forecast, as many planners order.

use super::{Situation, units_up_to};

/// What the seasonal forecast is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeasonalForecast {
    /// What was asked for one season ago.
    LastSeason,
    /// The mean of the last `window_periods` without their season, times the season's index: the
    /// benchmark of the VN2 inventory planning competition (with 13 weeks).
    IndexedAverage { window_periods: usize },
}

/// Orders up to the forecast of the next `cover_periods` periods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeasonalNaiveCover {
    pub cover_periods: usize,
    pub forecast: SeasonalForecast,
}

impl Default for SeasonalNaiveCover {
    fn default() -> SeasonalNaiveCover {
        SeasonalNaiveCover { cover_periods: 4, forecast: SeasonalForecast::LastSeason }
    }
}

impl SeasonalNaiveCover {
    pub fn ask(&self, situation: &Situation) -> i64 {
        let (history, season) = (situation.history, situation.season);
        let coming = match self.forecast {
            SeasonalForecast::LastSeason => seasonal_naive(history, season, self.cover_periods),
            SeasonalForecast::IndexedAverage { window_periods } => {
                indexed_average(history, season, window_periods, self.cover_periods)
            }
        };
        units_up_to(coming.iter().sum(), situation.stock.position()).max(0)
    }
}

/// The demand of the season before, as far back as one is known; without one the mean of all that
/// is known.
pub fn seasonal_naive(history: &[f64], season: usize, periods: usize) -> Vec<f64> {
    let known: Vec<f64> = history.iter().copied().filter(|d| !d.is_nan()).collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let season = season.max(1);
    let of = |ahead: usize| {
        let mut at = (history.len() + ahead).checked_sub(season);
        while let Some(back) = at {
            if history.get(back).is_some_and(|demand| !demand.is_nan()) {
                return history[back];
            }
            at = back.checked_sub(season);
        }
        mean
    };
    (0..periods).map(of).collect()
}

/// Index of a place in the season: its mean over the mean of all. The level is the mean of the last
/// periods over their indices.
pub fn indexed_average(
    history: &[f64],
    season: usize,
    window_periods: usize,
    periods: usize,
) -> Vec<f64> {
    let season = season.max(1);
    let (mut sums, mut counts) = (vec![0.0; season], vec![0.0; season]);
    for (at, &demand) in history.iter().enumerate().filter(|(_, d)| !d.is_nan()) {
        sums[at % season] += demand;
        counts[at % season] += 1.0;
    }
    let all = sums.iter().sum::<f64>() / counts.iter().sum::<f64>().max(1.0);
    let index = |at: usize| {
        let place = at % season;
        if counts[place] > 0.0 && all > 0.0 { sums[place] / counts[place] / all } else { 1.0 }
    };
    let recent = history.iter().enumerate().rev().filter(|(_, d)| !d.is_nan());
    let (mut level, mut n) = (0.0, 0.0);
    for (at, &demand) in recent.take(window_periods) {
        let index = index(at);
        // A place that never sold anything tells nothing of the level.
        if index > 0.0 {
            level += demand / index;
            n += 1.0;
        }
    }
    let level = if n > 0.0 { level / n } else { 0.0 };
    (0..periods).map(|ahead| level * index(history.len() + ahead)).collect()
}
