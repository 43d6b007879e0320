//! Complex exponential smoothing: Svetunkov, Kourentzes & Ord (2022), Naval Research Logistics
//! 69(8), equations 13 to 16. Beside the level there is a second state, the information potential,
//! and with a complex smoothing parameter `a + ib` one model covers level and trend.
//!
//! One-step error `e`, level `l` and potential `c` move as `l' = l - (1 - b) c + (a - b) e` and `c'
//! = l + (1 - a) c + (a + b) e`. The season is none, simple (the pair itself is lagged by a
//! season), partial (an additive season beside the pair) or full (the season is a pair too);
//! Akaike's corrected criterion chooses.
//!
//! Most smoothing parameters let the pair fade. Demand does not fade to nothing, so a pair that
//! serves all steps is that of demand less its mean, and fades to the mean. The simple season's
//! pairs are left as published, since each step of the season has a mean of its own.
//!
//! A missing step leaves the pair as it is. Taking `e = 0` instead would let a growing pair run
//! away over a long gap.

mod trial;

use serde::{Deserialize, Serialize};

use self::trial::{Start, Trial, Weights};
use super::model::{FitError, Fitted, History};
use super::season_index::until_last_seen;
use super::simplex::{Region, minimize};

const OBSERVED_MIN: usize = 8;
const PASSES_MAX: usize = 60;
const TOLERANCE: f64 = 1e-5;
/// A squared error below this part of demand's squares is rounding.
const PERFECT: f64 = 1e-20;
/// The ranges in which the field searches (R's smooth, statsforecast).
const LOW: f64 = 0.01;
const HIGH: Weights = [1.8, 1.9, 1.5, 1.5];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seasonality {
    None,
    Simple,
    Partial,
    Full,
}

impl Seasonality {
    const ALL: [Seasonality; 4] =
        [Seasonality::None, Seasonality::Simple, Seasonality::Partial, Seasonality::Full];

    /// Smoothing parameters at which the search begins, and its first steps.
    fn region(self) -> Region {
        let (season, steps) = match self {
            Seasonality::None | Seasonality::Simple => ([0.0, 0.0], [0.0, 0.0]),
            Seasonality::Partial => ([0.1, 0.0], [0.1, 0.0]),
            Seasonality::Full => ([1.3, 1.0], [-0.2, -0.1]),
        };
        Region {
            start: [1.3, 1.0, season[0], season[1]],
            step: [-0.2, -0.1, steps[0], steps[1]],
            // What is held at zero has zero for a bound.
            low: [LOW, LOW, season[0].min(LOW), season[1].min(LOW)],
            high: HIGH,
        }
    }

    /// States per step of the longest lag and the variance, as the field counts them.
    fn parameters(self) -> f64 {
        match self {
            Seasonality::None | Seasonality::Simple => 3.0,
            Seasonality::Partial => 4.0,
            Seasonality::Full => 5.0,
        }
    }
}

/// Fitted complex exponential smoothing with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ces {
    seasonality: Seasonality,
    weights: Weights,
    /// What is taken off demand before all else.
    centre: f64,
    /// Level and potential, unless the season is simple.
    pair: [f64; 2],
    /// Per step of the season: level and potential if it is simple, else season and its potential.
    ring: Vec<[f64; 2]>,
    next: usize,
}

impl Ces {
    /// The seasonality with the least corrected Akaike criterion.
    ///
    /// # Errors
    /// [`FitError::TooShort`] under eight observed steps; [`FitError::NoFiniteLoss`] when no
    /// parameters keep the filter finite.
    pub fn fit(history: &History) -> Result<Ces, FitError> {
        Ces::fit_best(history, &Seasonality::ALL)
    }

    /// One kind of season; without two seasons of history there is none.
    ///
    /// # Errors
    /// As [`Ces::fit`].
    pub fn fit_kind(history: &History, seasonality: Seasonality) -> Result<Ces, FitError> {
        Ces::fit_best(history, &[seasonality])
    }

    fn fit_best(history: &History, kinds: &[Seasonality]) -> Result<Ces, FitError> {
        let got = history.observed();
        if got < OBSERVED_MIN {
            return Err(FitError::TooShort { needed: OBSERVED_MIN, got });
        }
        let m = history.season();
        let seen = until_last_seen(history.demand);
        let seasonal = m > 1 && seen.len() >= 2 * m;
        let kinds = if seasonal { kinds } else { &[Seasonality::None] };
        let mut chosen: Option<(f64, Ces)> = None;
        for &seasonality in kinds {
            let Some((loss, fitted)) = Ces::fit_as(seen, m, seasonality) else { continue };
            let criterion = criterion(seen, loss, seasonality);
            if chosen.as_ref().is_none_or(|(least, _)| criterion < *least) {
                chosen = Some((criterion, fitted));
            }
        }
        let (_, mut fitted) = chosen.ok_or(FitError::NoFiniteLoss)?;
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        Ok(fitted)
    }

    /// The squared error and the model before its first step.
    fn fit_as(demand: &[f64], m: usize, seasonality: Seasonality) -> Option<(f64, Ces)> {
        let centre = if seasonality == Seasonality::Simple { 0.0 } else { mean_seen(demand) };
        let centred: Vec<f64> = demand.iter().map(|demand| demand - centre).collect();
        let mut trial = Trial::new(&centred, m, seasonality);
        let region = seasonality.region();
        let (weights, loss) =
            minimize(&region, PASSES_MAX, TOLERANCE, |points| trial.losses(points));
        let Start { pair, ring } = trial.backcast(&weights);
        let first = Ces { seasonality, weights, centre, pair, ring, next: 0 };
        loss.is_finite().then_some((loss, first))
    }
}

fn mean_seen(demand: &[f64]) -> f64 {
    let seen = demand.iter().filter(|d| !d.is_nan());
    let (n, sum) = seen.fold((0.0, 0.0), |(n, sum), d| (n + 1.0, sum + d));
    sum / f64::max(n, 1.0)
}

/// Akaike's criterion corrected for short histories.
fn criterion(demand: &[f64], loss: f64, seasonality: Seasonality) -> f64 {
    let seen = demand.iter().filter(|d| !d.is_nan());
    let (n, squares) = seen.fold((0.0, 0.0), |(n, sum), d| (n + 1.0, sum + d * d));
    let parameters = seasonality.parameters();
    n * loss.max(PERFECT * squares).max(f64::MIN_POSITIVE).ln()
        + 2.0 * parameters
        + 2.0 * parameters * (parameters + 1.0) / (n - parameters - 1.0)
}

/// What a pair and an error add to the next pair, by a complex smoothing parameter `a + ib`.
#[derive(Clone, Copy, Debug)]
struct Moves {
    /// `b - 1`, of the potential to the level.
    level_by_potential: f64,
    /// `a - b`.
    level_by_error: f64,
    /// `1 - a`.
    potential_by_potential: f64,
    /// `a + b`.
    potential_by_error: f64,
}

impl Moves {
    fn by(real: f64, imaginary: f64) -> Moves {
        Moves {
            level_by_potential: imaginary - 1.0,
            level_by_error: real - imaginary,
            potential_by_potential: 1.0 - real,
            potential_by_error: real + imaginary,
        }
    }

    #[inline(always)]
    fn moved(&self, [level, potential]: [f64; 2], error: f64) -> [f64; 2] {
        [
            level + self.level_by_potential * potential + self.level_by_error * error,
            level + self.potential_by_potential * potential + self.potential_by_error * error,
        ]
    }
}

/// The moves of the level and of the season.
fn moves(weights: &Weights) -> [Moves; 2] {
    [Moves::by(weights[0], weights[1]), Moves::by(weights[2], weights[3])]
}

/// The pair, and the season's step.
type States = [[f64; 2]; 2];

/// The mean of the next step.
#[inline(always)]
fn mean(seasonality: Seasonality, [pair, lagged]: &States) -> f64 {
    match seasonality {
        Seasonality::None => pair[0],
        Seasonality::Simple => lagged[0],
        Seasonality::Partial | Seasonality::Full => pair[0] + lagged[0],
    }
}

/// Moves the pair and the season's step by an error. A partial season has no potential and an
/// imaginary part of zero, which makes its `a - b` its smoothing parameter.
#[inline(always)]
fn step(seasonality: Seasonality, [level, season]: &[Moves; 2], states: &mut States, error: f64) {
    match seasonality {
        Seasonality::None => states[0] = level.moved(states[0], error),
        Seasonality::Simple => states[1] = level.moved(states[1], error),
        Seasonality::Partial => {
            states[0] = level.moved(states[0], error);
            states[1][0] += season.level_by_error * error;
        }
        Seasonality::Full => {
            states[0] = level.moved(states[0], error);
            states[1] = season.moved(states[1], error);
        }
    }
}

impl Fitted for Ces {
    fn update(&mut self, demand: f64) {
        if !demand.is_nan() {
            let mut states = [self.pair, self.ring[self.next]];
            let error = demand - self.centre - mean(self.seasonality, &states);
            step(self.seasonality, &moves(&self.weights), &mut states, error);
            [self.pair, self.ring[self.next]] = states;
        }
        self.next = if self.next + 1 == self.ring.len() { 0 } else { self.next + 1 };
    }

    fn forecast(&self, out: &mut [f64]) {
        let moves = moves(&self.weights);
        let (mut pair, mut ring, mut next) = (self.pair, self.ring.clone(), self.next);
        for out in out.iter_mut() {
            let mut states = [pair, ring[next]];
            *out = self.centre + mean(self.seasonality, &states);
            step(self.seasonality, &moves, &mut states, 0.0);
            [pair, ring[next]] = states;
            next = if next + 1 == ring.len() { 0 } else { next + 1 };
        }
    }
}

#[cfg(test)]
mod tests;
