//! The Theta family as state space models: Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler
//! (2016), "Models for optimising the theta method and their relationship to state space models",
//! International Journal of Forecasting 32(4), equations 13 to 19.
//!
//! The mean of the next step is `l + (1 - 1/theta) (a (1 - alpha)^n + b (1 - (1 - alpha)^(n+1)) /
//! alpha)`, where `l` is the level of simple exponential smoothing and `a + b t` the least squares
//! line through demand: of the whole history in the standard and the optimised model, of the
//! history so far in the two dynamic ones. Theta is 2 or is optimised.
//!
//! The second bracket is how far smoothing lags behind the line: `line(t) - smoothed(line)`. Said
//! that way it holds with gaps too. Over a missing step the level stays, and the lag grows by `b`.

mod line;
mod search;

use serde::{Deserialize, Serialize};

use self::line::{Line, Regression};
use self::search::{Best, Search};
use super::model::{FitError, Fitted, History};
use super::season_index::SeasonIndex;

const OBSERVED_MIN: usize = 8;
/// A weight of the start below this is none; smaller ones would become slow denormal numbers.
const START_MIN: f64 = 1e-100;

/// The members of the family, by what is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// STM: theta is 2, the line is that of the whole history.
    Standard,
    /// OTM: theta is optimised.
    Optimized,
    /// DSTM: theta is 2, the line is refitted at each step.
    Dynamic,
    /// DOTM: theta is optimised, the line is refitted at each step.
    DynamicOptimized,
}

impl Variant {
    const ALL: [Variant; 4] =
        [Variant::Standard, Variant::Optimized, Variant::Dynamic, Variant::DynamicOptimized];

    fn is_dynamic(self) -> bool {
        matches!(self, Variant::Dynamic | Variant::DynamicOptimized)
    }

    fn is_optimized(self) -> bool {
        matches!(self, Variant::Optimized | Variant::DynamicOptimized)
    }
}

/// A fitted member of the family with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Theta {
    alpha: f64,
    /// `1 - 1/theta`, in 0 to 1.
    weight: f64,
    filter: Filter,
    season: SeasonIndex,
}

/// What moves from step to step on demand without its season.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Filter {
    level: f64,
    /// `(1 - alpha)^n` after n observed steps, the weight that the start still has.
    start: f64,
    /// The next step's time less the smoothed time.
    lag: f64,
    line: Line,
}

impl Filter {
    fn new(level: f64, line: Line) -> Filter {
        Filter { level, start: 1.0, lag: 1.0, line }
    }

    fn mean(&self, weight: f64) -> f64 {
        let (intercept, slope) = self.line.coefficients();
        self.level + weight * (self.start * intercept + self.lag * slope)
    }

    fn observe(&mut self, value: f64, alpha: f64) {
        self.level += alpha * (value - self.level);
        self.start = faded(self.start, 1.0 - alpha);
        self.lag = self.lag * (1.0 - alpha) + 1.0;
        self.line.observe(value);
    }

    fn skip(&mut self) {
        self.lag += 1.0;
        self.line.skip();
    }
}

#[inline]
fn faded(start: f64, keep: f64) -> f64 {
    if start > START_MIN { start * keep } else { 0.0 }
}

impl Theta {
    /// # Errors
    /// [`FitError::TooShort`] under eight observed steps; [`FitError::NoFiniteLoss`] when demand is
    /// too large to square.
    pub fn fit(history: &History, variant: Variant) -> Result<Theta, FitError> {
        let season = seasonal(history)?;
        let search = Search::new(history.demand, &season, variant.is_dynamic());
        let best = search.best(variant.is_optimized()).ok_or(FitError::NoFiniteLoss)?;
        Ok(Theta::filtered(history, season, &search, &best))
    }

    /// The member with the least Akaike criterion, corrected for short histories. Squared error
    /// alone, as others compare, could never choose a theta of 2.
    ///
    /// # Errors
    /// As [`Theta::fit`].
    pub fn fit_auto(history: &History) -> Result<Theta, FitError> {
        let season = seasonal(history)?;
        let searches = [false, true].map(|dynamic| Search::new(history.demand, &season, dynamic));
        let mut chosen: Option<(f64, &Search, Best)> = None;
        for variant in Variant::ALL {
            let search = &searches[usize::from(variant.is_dynamic())];
            let Some(best) = search.best(variant.is_optimized()) else { continue };
            let criterion = search.criterion(&best, variant.is_optimized());
            if chosen.as_ref().is_none_or(|(least, ..)| criterion < *least) {
                chosen = Some((criterion, search, best));
            }
        }
        let (_, search, best) = chosen.ok_or(FitError::NoFiniteLoss)?;
        Ok(Theta::filtered(history, season, search, &best))
    }

    fn filtered(history: &History, season: SeasonIndex, search: &Search, best: &Best) -> Theta {
        let filter = Filter::new(best.level, search.line());
        let mut fitted = Theta { alpha: best.alpha, weight: best.weight, filter, season };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        fitted
    }
}

fn seasonal(history: &History) -> Result<SeasonIndex, FitError> {
    let got = history.observed();
    if got < OBSERVED_MIN {
        return Err(FitError::TooShort { needed: OBSERVED_MIN, got });
    }
    Ok(SeasonIndex::if_significant(history.demand, history.season()))
}

impl Fitted for Theta {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            self.filter.skip();
        } else {
            self.filter.observe(self.season.without(demand), self.alpha);
        }
        self.season.advance();
    }

    /// Further than one step the mean stands in for demand, also in a dynamic line.
    fn forecast(&self, out: &mut [f64]) {
        let mut filter = self.filter;
        for out in out.iter_mut() {
            *out = filter.mean(self.weight);
            filter.observe(*out, self.alpha);
        }
        self.season.restore(out);
    }
}

#[cfg(test)]
mod tests;
