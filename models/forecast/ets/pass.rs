//! One pass over a history: the loss of a set of parameters and, carried forward along the
//! recursion, its derivatives.
//!
//! The derivatives of level, trend and season with respect to each of `P` searched numbers are
//! lanes of small arrays of fixed length: the compiler vectorises them, and they fill the time that
//! the recursion would otherwise wait for its own last step.

use super::loss::{Loss, LossSums};
use super::state::{DIVISOR_MIN, EtsState, Smoothing};

/// A lane that a layout does not have.
const NO_LANE: usize = usize::MAX;

/// Which searched number has which lane. Those from `P` on are left out of a pass; the compiler
/// knows which.
pub(super) trait Layout {
    /// Lanes of alpha, beta over alpha, gamma over (1 - alpha) and phi.
    const SHARES: [usize; 4];
    const LEVEL: usize;
    const TREND: usize;
}

/// Smoothing parameters alone; first states are given.
pub(super) struct Smoothed;
/// Smoothing parameters, first level and first trend, ordered so that the simplest models need fewest lanes.
pub(super) struct Started;

impl Layout for Smoothed {
    const SHARES: [usize; 4] = [0, 2, 1, 3];
    const LEVEL: usize = NO_LANE;
    const TREND: usize = NO_LANE;
}

impl Layout for Started {
    const SHARES: [usize; 4] = [0, 2, 5, 4];
    const LEVEL: usize = 1;
    const TREND: usize = 3;
}

/// Memory of a pass, allocated once per search.
pub(super) struct SeasonLanes<const P: usize> {
    season: Vec<f64>,
    season_by: Vec<[f64; P]>,
}

impl<const P: usize> SeasonLanes<P> {
    pub fn new(ring: usize) -> SeasonLanes<P> {
        SeasonLanes { season: vec![0.0; ring], season_by: vec![[0.0; P]; ring] }
    }

    fn begin(&mut self, start: &EtsState) {
        self.season.copy_from_slice(&start.season);
        self.season_by.fill([0.0; P]);
    }
}

/// Level and trend on the way, with their derivatives.
struct Carried<const P: usize> {
    level: f64,
    trend: f64,
    level_by: [f64; P],
    trend_by: [f64; P],
}

impl<const P: usize> Carried<P> {
    fn new<L: Layout>(start: &EtsState) -> Carried<P> {
        let (mut level_by, mut trend_by) = ([0.0; P], [0.0; P]);
        if L::LEVEL < P {
            level_by[L::LEVEL] = 1.0;
        }
        if L::TREND < P {
            trend_by[L::TREND] = 1.0;
        }
        Carried { level: start.level, trend: start.trend, level_by, trend_by }
    }

    #[inline(always)]
    fn advance<L: Layout>(&mut self, damping: f64) {
        for j in 0..P {
            self.trend_by[j] *= damping;
        }
        let [_, _, _, phi] = L::SHARES;
        if phi < P {
            self.trend_by[phi] += self.trend;
        }
        self.trend *= damping;
        for j in 0..P {
            self.level_by[j] += self.trend_by[j];
        }
        self.level += self.trend;
    }

    /// Moves level, trend and season by an error, and their derivatives by what the error and the
    /// smoothing parameters do to it.
    #[inline(always)]
    fn correct<L: Layout, const MULTIPLIED: bool>(
        &mut self,
        (s, s_by): (&mut f64, &mut [f64; P]),
        by: &Smoothing,
        residual: f64,
        mean_by: &[f64; P],
    ) {
        let (mut to_level, mut to_season) = (residual, residual);
        if MULTIPLIED {
            let (per_s, per_level) = (1.0 / *s, 1.0 / self.level);
            to_level *= per_s;
            to_season *= per_level;
            for j in 0..P {
                let level_turn = (mean_by[j] + to_level * s_by[j]) * per_s;
                let season_turn = (mean_by[j] + to_season * self.level_by[j]) * per_level;
                self.level_by[j] -= by.level * level_turn;
                self.trend_by[j] -= by.trend * level_turn;
                s_by[j] -= by.season * season_turn;
            }
        } else {
            for j in 0..P {
                self.level_by[j] -= by.level * mean_by[j];
                self.trend_by[j] -= by.trend * mean_by[j];
                s_by[j] -= by.season * mean_by[j];
            }
        }
        let [alpha, beta, gamma, _] = L::SHARES;
        self.level_by[alpha] += to_level;
        if beta < P {
            self.trend_by[alpha] += to_level * (by.trend / by.level);
            self.trend_by[beta] += to_level * by.level;
        }
        if gamma < P {
            s_by[alpha] -= to_season * (by.season / (1.0 - by.level));
            s_by[gamma] += to_season * (1.0 - by.level);
        }
        self.level += by.level * to_level;
        self.trend += by.trend * to_level;
        *s += by.season * to_season;
    }
}

/// Loss and derivatives of smoothing a history from a start; none where something that divides
/// comes too near zero, and none as soon as squared errors exceed `give_up_above` (additive errors
/// only, whose sum never falls).
pub(super) fn pass<L: Layout, const P: usize, const MULTIPLIED: bool, const RELATIVE: bool>(
    demand: &[f64],
    by: &Smoothing,
    start: &EtsState,
    lanes: &mut SeasonLanes<P>,
    give_up_above: f64,
) -> Option<Loss<P>> {
    lanes.begin(start);
    let SeasonLanes { season, season_by } = lanes;
    let ring = season.len();
    let mut sums = LossSums::<P>::new();
    let mut at = Carried::<P>::new::<L>(start);
    let mut next = start.next;
    for &demand in demand {
        at.advance::<L>(by.damping);
        let (s, s_by) = (&mut season[next], &mut season_by[next]);
        next = if next + 1 == ring { 0 } else { next + 1 };
        if demand.is_nan() {
            continue;
        }
        let mut mean_by = [0.0; P];
        for j in 0..P {
            mean_by[j] = if MULTIPLIED {
                at.level_by[j] * *s + at.level * s_by[j]
            } else {
                at.level_by[j] + s_by[j]
            };
        }
        let mean = if MULTIPLIED { at.level * *s } else { at.level + *s };
        let residual = demand - mean;
        if RELATIVE {
            let divisor = if MULTIPLIED { at.level.min(*s).min(mean) } else { mean };
            if divisor < DIVISOR_MIN {
                return None;
            }
            sums.add_relative(demand, mean, &mean_by);
        } else {
            sums.add(residual, &mean_by.map(|by| -by));
            if sums.squares > give_up_above {
                return None;
            }
        }
        at.correct::<L, MULTIPLIED>((s, s_by), by, residual, &mean_by);
    }
    sums.finish::<RELATIVE>()
}
