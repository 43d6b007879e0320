//! Where a recursion starts: the season by decomposition, level and trend by a line through the
//! first steps freed of it (Hyndman et al. 2008, section 2.6.1), all from what was observed.

use super::spec::{EtsSpec, SeasonKind};
use super::state::EtsState;

/// Fewest steps that level and trend are read from.
const LINE_STEPS: usize = 10;
/// A factor of the season is never smaller at its start.
const FACTOR_MIN: f64 = 1e-2;
/// Seasons that a shrunken start is read from, and average steps that it is drawn to.
const SHRUNKEN_SEASONS: usize = 5;
const SHRUNKEN_PRIOR: f64 = 2.0;

/// First states for a search, in the unit of `demand`.
pub(super) fn decomposed(demand: &[f64], spec: EtsSpec, ring: usize) -> EtsState {
    let multiplied = spec.season == SeasonKind::Multiplicative;
    let season = match spec.season {
        SeasonKind::None => vec![0.0],
        _ => seasonal_means(demand, ring, multiplied),
    };
    let (level, trend) = first_line(demand, &season, multiplied, spec.has_trend());
    EtsState { level, trend, season, next: 0, multiplied }
}

/// First states that are not searched: level and additive season of the first seasons, where each
/// place of a season has some steps' worth of the level beside its own few.
pub(super) fn shrunken(demand: &[f64], ring: usize) -> EtsState {
    let mut sums = vec![(0.0, 0.0); ring];
    let observed = demand.iter().enumerate().filter(|(_, d)| !d.is_nan());
    for (t, d) in observed.take(SHRUNKEN_SEASONS * ring) {
        sums[t % ring].0 += d;
        sums[t % ring].1 += 1.0;
    }
    let (total, steps) = sums.iter().fold((0.0, 0.0), |(s, n), (a, b)| (s + a, n + b));
    let level = total / f64::max(steps, 1.0);
    let shrink =
        |(sum, n): &(f64, f64)| (sum + SHRUNKEN_PRIOR * level) / (n + SHRUNKEN_PRIOR) - level;
    let season = if ring > 1 { sums.iter().map(shrink).collect() } else { vec![0.0] };
    EtsState { level, trend: 0.0, season, next: 0, multiplied: false }
}

/// Mean distance (or ratio) of each place in the season to a moving mean of one season's length,
/// centred to sum to zero (or to their number).
fn seasonal_means(demand: &[f64], ring: usize, multiplied: bool) -> Vec<f64> {
    let moving = MovingMean::over(demand, ring);
    let mut sums = vec![(0.0, 0.0); ring];
    let mut place = 0;
    for (t, &value) in demand.iter().enumerate() {
        if let (false, Some(mean)) = (value.is_nan(), moving.around(t)) {
            sums[place].0 += if multiplied { value / mean.max(FACTOR_MIN) } else { value - mean };
            sums[place].1 += 1.0;
        }
        place = if place + 1 == ring { 0 } else { place + 1 };
    }
    let neutral = if multiplied { 1.0 } else { 0.0 };
    let of_place = |(sum, n): &(f64, f64)| if *n > 0.0 { sum / n } else { neutral };
    let mut season: Vec<f64> = sums.iter().map(of_place).collect();
    let mean = season.iter().sum::<f64>() / ring as f64;
    for s in &mut season {
        *s = if multiplied { (*s / mean.max(FACTOR_MIN)).max(FACTOR_MIN) } else { *s - mean };
    }
    season
}

/// Means of the season around each step, by running sums over what was observed.
struct MovingMean {
    /// Sum and number of the observed steps before each.
    before: Vec<(f64, f64)>,
    ring: usize,
    /// Whether steps without a whole season around them use the one at their end of the history.
    ends: bool,
}

impl MovingMean {
    fn over(demand: &[f64], ring: usize) -> MovingMean {
        let mut before = Vec::with_capacity(demand.len() + 1);
        let mut sum = (0.0, 0.0);
        before.push(sum);
        for d in demand {
            if !d.is_nan() {
                sum = (sum.0 + d, sum.1 + 1.0);
            }
            before.push(sum);
        }
        MovingMean { before, ring, ends: demand.len() < 3 * ring }
    }

    fn around(&self, t: usize) -> Option<f64> {
        let steps = self.before.len() - 1;
        let half = self.ring / 2;
        let even = self.ring.is_multiple_of(2);
        // An even season is centred by the mean of the two windows that lie half a step off.
        let last = t + half + usize::from(!even);
        if t >= half && last + usize::from(even) <= steps {
            let (sum, n) = self.window(t - half);
            let (sum_next, n_next) = if even { self.window(t - half + 1) } else { (0.0, 0.0) };
            return (n + n_next > 0.0).then(|| (sum + sum_next) / (n + n_next));
        }
        let (sum, n) = self.window(t.saturating_sub(half).min(steps.saturating_sub(self.ring)));
        (self.ends && n > 0.0).then(|| sum / n)
    }

    fn window(&self, first: usize) -> (f64, f64) {
        let (low, high) = (self.before[first], self.before[first + self.ring]);
        (high.0 - low.0, high.1 - low.1)
    }
}

/// Level before the first step and trend a step: a least-squares line through the first steps, or
/// their mean.
fn first_line(demand: &[f64], season: &[f64], multiplied: bool, sloped: bool) -> (f64, f64) {
    let steps = LINE_STEPS.max(2 * season.len());
    let first = || {
        let observed = demand.iter().enumerate().filter(|(_, d)| !d.is_nan()).take(steps);
        observed.map(|(t, d)| {
            let s = season[t % season.len()];
            ((t + 1) as f64, if multiplied { d / s } else { d - s })
        })
    };
    let n = first().count().max(1) as f64;
    let (time, mean) = first().fold((0.0, 0.0), |(a, b), (t, d)| (a + t / n, b + d / n));
    if !sloped {
        return (mean, 0.0);
    }
    let (above, below) = first().fold((0.0, 0.0), |(a, b), (t, d)| {
        (a + (t - time) * (d - mean), b + (t - time) * (t - time))
    });
    let trend = if below > 0.0 { above / below } else { 0.0 };
    (mean - trend * time, trend)
}
