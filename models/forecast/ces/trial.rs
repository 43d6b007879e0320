//! First states, and the squared error of four parameter vectors in one pass.
//!
//! First states are backcast: filter backwards from a rough guess, and the state at the beginning
//! is the first; only the pass forwards from there is scored. The field filters forwards before
//! that, which changes nothing once the filter has forgotten its guess.

use super::super::season_index::SeasonIndex;
use super::super::simplex::LANES;
use super::{Moves, Seasonality, mean, moves, step};

/// Real and imaginary part of the level's smoothing parameter, then of the season's.
pub(super) type Weights = [f64; 4];
/// What the field divides the first level by to get the first potential.
const POTENTIAL: f64 = 1.1;
/// Steps whose mean is the rough guess of a level without a season.
const LEVEL_STEPS: usize = 10;

/// The states before the first step.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) pair: [f64; 2],
    pub(super) ring: Vec<[f64; 2]>,
}

impl Start {
    /// The rough guess: the mean of the last steps, and a season by classical decomposition.
    fn guess(demand: &[f64], m: usize, seasonality: Seasonality) -> Start {
        let at = demand.len();
        let late = if seasonality == Seasonality::None { LEVEL_STEPS } else { m };
        let around = &demand[at - late.min(at)..at];
        let mean = |demand: &[f64]| {
            let seen = demand.iter().filter(|d| !d.is_nan());
            let (sum, n) = seen.fold((0.0, 0.0), |(sum, n), d| (sum + d, n + 1.0));
            (n > 0.0).then(|| sum / n)
        };
        let level = mean(around).or(mean(demand)).unwrap_or(0.0);
        let pair = |value: f64| [value, value / POTENTIAL];
        let mut ring = match seasonality {
            Seasonality::None => vec![[0.0; 2]],
            Seasonality::Simple => {
                around.iter().map(|d| pair(if d.is_nan() { level } else { *d })).collect()
            }
            Seasonality::Partial => {
                SeasonIndex::additive(demand, m).into_iter().map(|index| [index, 0.0]).collect()
            }
            Seasonality::Full => SeasonIndex::additive(demand, m).into_iter().map(pair).collect(),
        };
        if seasonality == Seasonality::Simple {
            // The slice begins at step `at - m` of the history, the ring at step 0 of the season.
            ring.rotate_right(at % m);
        }
        Start { pair: pair(level), ring }
    }
}

/// A number per candidate.
type Lane = [f64; LANES];

/// Filters four candidates at once.
pub(super) struct Trial<'a> {
    demand: &'a [f64],
    seasonality: Seasonality,
    /// Backcasting begins with this guess after the last step.
    guess: Start,
    pair: [Lane; 2],
    ring: Vec<[Lane; 2]>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(demand: &'a [f64], m: usize, seasonality: Seasonality) -> Trial<'a> {
        let guess = Start::guess(demand, m, seasonality);
        let ring = vec![[[0.0; LANES]; 2]; guess.ring.len()];
        Trial { demand, seasonality, guess, pair: [[0.0; LANES]; 2], ring }
    }

    /// Squared one-step errors of four candidates.
    pub(super) fn losses(&mut self, weights: &[Weights; LANES]) -> Lane {
        self.backcast_lanes(weights);
        self.pass(weights, false)
    }

    /// The first states that go with the parameters.
    pub(super) fn backcast(mut self, weights: &Weights) -> Start {
        self.backcast_lanes(&[*weights; LANES]);
        let of = |pair: &[Lane; 2]| [pair[0][0], pair[1][0]];
        Start { pair: of(&self.pair), ring: self.ring.iter().map(of).collect() }
    }

    fn backcast_lanes(&mut self, weights: &[Weights; LANES]) {
        self.pair = self.guess.pair.map(|state| [state; LANES]);
        for (lanes, guess) in self.ring.iter_mut().zip(&self.guess.ring) {
            *lanes = guess.map(|state| [state; LANES]);
        }
        self.pass(weights, true);
    }

    /// Filters from the first step to the last or, `backwards`, the other way.
    fn pass(&mut self, weights: &[Weights; LANES], backwards: bool) -> Lane {
        let by = weights.map(|weights| moves(&weights));
        // Chosen once, so that the inner loop has no branch for it.
        match self.seasonality {
            Seasonality::None => self.filter::<{ Seasonality::None as usize }>(&by, backwards),
            Seasonality::Simple => self.filter::<{ Seasonality::Simple as usize }>(&by, backwards),
            Seasonality::Partial => {
                self.filter::<{ Seasonality::Partial as usize }>(&by, backwards)
            }
            Seasonality::Full => self.filter::<{ Seasonality::Full as usize }>(&by, backwards),
        }
    }

    fn filter<const SEASONALITY: usize>(
        &mut self,
        by: &[[Moves; 2]; LANES],
        backwards: bool,
    ) -> Lane {
        let (n, m) = (self.demand.len(), self.ring.len());
        let mut loss = [0.0; LANES];
        let mut pair = self.pair;
        let mut place = if backwards { (n - 1) % m } else { 0 };
        for t in 0..n {
            let demand = self.demand[if backwards { n - 1 - t } else { t }];
            if !demand.is_nan() {
                let squared = one_step::<SEASONALITY>(demand, by, &mut pair, &mut self.ring[place]);
                for k in 0..LANES {
                    loss[k] += squared[k];
                }
            }
            place = match backwards {
                true if place == 0 => m - 1,
                true => place - 1,
                false if place + 1 == m => 0,
                false => place + 1,
            };
        }
        self.pair = pair;
        loss
    }
}

/// Takes one observation and returns the squared errors.
#[inline(always)]
fn one_step<const SEASONALITY: usize>(
    demand: f64,
    by: &[[Moves; 2]; LANES],
    pair: &mut [Lane; 2],
    lagged: &mut [Lane; 2],
) -> Lane {
    let seasonality = Seasonality::ALL[SEASONALITY];
    let mut squared = [0.0; LANES];
    for k in 0..LANES {
        let mut states = [[pair[0][k], pair[1][k]], [lagged[0][k], lagged[1][k]]];
        let error = demand - mean(seasonality, &states);
        step(seasonality, &by[k], &mut states, error);
        ([pair[0][k], pair[1][k]], [lagged[0][k], lagged[1][k]]) = (states[0], states[1]);
        squared[k] = error * error;
    }
    squared
}
