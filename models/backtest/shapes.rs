//! The shape of a class's spread, learned from the trials of what was chosen.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::judge::{Judge, PerClass};
use crate::distribution::LEVELS;
use crate::distribution::count::CountDemand;
use crate::distribution::paths::{mix, unit};
use crate::distribution::shape::{Shift, SpreadShape, Stage};
use crate::forecast::demand_class::DemandClass;

/// So many series of a panel tell its shapes; more would only take longer.
const SERIES_MAX: usize = 8_000;
/// A class's growth counts for nothing at first, and for half from so many series on.
const GROWTH_PRIOR_SERIES: f64 = 20.0;
/// A level's shift counts for half when so many values should have fallen beyond the level.
const SHIFT_PRIOR_VALUES: f64 = 10.0;
/// A class's shift is drawn to that of all classes as if by so many values.
const CLASS_PRIOR_VALUES: f64 = 40.0;
/// A larger correction says that the family is no model of these values, not how to mend it.
const SHIFT_MAX: f64 = 1.0;
/// Squared errors count up to so many variances.
const SQUARED_SCORE_MAX: f64 = 16.0;
const GROWTH_MIN: f64 = 0.2;
const GROWTH_MAX: f64 = 6.0;

/// Learns a shape per class.
pub struct Shaper<'a> {
    pub judge: &'a Judge<'a>,
    /// What would have been chosen without each cutoff; empty where nothing was.
    pub held: &'a [Vec<usize>],
    pub dispersion: &'a PerClass<f64>,
    /// Factor on the dispersion per class.
    pub calibration: &'a [f64],
    pub keys: &'a [u64],
    pub horizon: usize,
    pub stage_steps: usize,
}

/// Stages and where their actual values lay in the forecast distribution.
type Places = Vec<(usize, f64)>;

/// Squared errors of one stage beside the variance that was expected, without their Poisson part.
#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    seen: f64,
    expected: f64,
    series: f64,
}

impl Shaper<'_> {
    pub fn shapes(&self) -> Vec<SpreadShape> {
        let stages = self.horizon.div_ceil(self.stage_steps).max(1);
        let stride = self.held.len().div_ceil(SERIES_MAX).max(1);
        let sample: Vec<usize> = (0..self.held.len()).step_by(stride).collect();
        let growth = self.growth(&sample, stages);
        let shifts = self.shifts(&sample, &growth);
        let shape = |(growth, shifts): (Vec<f64>, Vec<Shift>)| {
            let stage = |(growth, shift)| Stage { growth, shift };
            let stages = growth.into_iter().zip(shifts).map(stage).collect();
            SpreadShape::new(self.stage_steps, stages)
        };
        growth.into_iter().zip(shifts).map(shape).collect()
    }

    /// The class of a series that has trials, and its candidates.
    fn tried(&self, i: usize) -> Option<(usize, &[usize])> {
        let held = self.held[i].as_slice();
        (!held.is_empty()).then_some((self.judge.trials[i].0 as usize, held))
    }

    /// Per class and stage the factor on the dispersion.
    fn growth(&self, sample: &[usize], stages: usize) -> Vec<Vec<f64>> {
        let per_series: Vec<Option<(usize, Vec<Growth>)>> = sample
            .par_iter()
            .map(|&i| {
                let (class, held) = self.tried(i)?;
                let own = |&c: &usize| self.judge.dispersion(i, c, self.dispersion[class][c]);
                let dispersions: Vec<f64> =
                    held.iter().map(|c| (self.calibration[class] * own(c)).max(1e-9)).collect();
                let mut sums = vec![Growth::default(); stages];
                self.judge.scored_by(
                    i,
                    |k| held[k],
                    |k, step, mean, actual| {
                        let day = CountDemand::new(mean, dispersions[k]);
                        let variance = day.variance();
                        if mean > 0.0 && variance > 0.0 {
                            let squared = (actual - mean).powi(2).min(SQUARED_SCORE_MAX * variance);
                            let sum = &mut sums[(step / self.stage_steps).min(stages - 1)];
                            sum.seen += (squared - mean) / variance;
                            sum.expected += (variance - mean) / variance;
                        }
                    },
                );
                Some((class, sums))
            })
            .collect();
        let mut table = vec![vec![Growth::default(); stages]; DemandClass::ALL.len()];
        for (class, sums) in per_series.into_iter().flatten() {
            for (total, sum) in table[class].iter_mut().zip(sums) {
                total.seen += sum.seen;
                total.expected += sum.expected;
                total.series += f64::from(u8::from(sum.expected != 0.0));
            }
        }
        table.iter().map(|row| growth_of(row)).collect()
    }

    /// Per class and stage the correction of the nine levels.
    fn shifts(&self, sample: &[usize], growth: &[Vec<f64>]) -> Vec<Vec<Shift>> {
        let stages = growth[0].len();
        let per_series: Vec<Option<(usize, Places)>> = sample
            .par_iter()
            .map(|&i| {
                let (class, held) = self.tried(i)?;
                let own = self.judge.held_dispersions(i, held, &self.dispersion[class]);
                let mut places = Vec::new();
                self.judge.scored_by(
                    i,
                    |k| held[k],
                    |k, step, mean, actual| {
                        let stage = (step / self.stage_steps).min(stages - 1);
                        let dispersion = self.calibration[class] * growth[class][stage] * own[k];
                        let day = CountDemand::new(mean, dispersion);
                        let chance = uniform(self.keys[i], places.len());
                        let (below, upto) = (day.cdf(actual - 1.0), day.cdf(actual));
                        places.push((stage, below + chance * (upto - below)));
                    },
                );
                Some((class, places))
            })
            .collect();
        let everything = DemandClass::ALL.len();
        let mut table = vec![vec![Vec::new(); stages]; everything + 1];
        for (class, places) in per_series.into_iter().flatten() {
            for (stage, place) in places {
                table[class][stage].push(place);
                table[everything][stage].push(place);
            }
        }
        table.iter_mut().flatten().for_each(|places| places.sort_by(f64::total_cmp));
        let nothing = [0.0; LEVELS.len()];
        let all: Vec<Shift> =
            table[everything].iter().map(|p| shift(p, &nothing, SHIFT_PRIOR_VALUES)).collect();
        table[..everything]
            .iter()
            .map(|row| {
                let of = row.iter().zip(&all);
                of.map(|(places, all)| shift(places, all, CLASS_PRIOR_VALUES)).collect()
            })
            .collect()
    }
}

fn growth_of(row: &[Growth]) -> Vec<f64> {
    let (seen, expected) = row.iter().fold((0.0, 0.0), |(s, e), g| (s + g.seen, e + g.expected));
    let overall = seen / expected;
    row.iter()
        .map(|g| {
            let ratio = g.seen / g.expected / overall;
            if !(ratio.is_finite() && ratio > 0.0) {
                return 1.0;
            }
            let trust = g.series / (g.series + GROWTH_PRIOR_SERIES);
            (trust * ratio + 1.0 - trust).clamp(GROWTH_MIN, GROWTH_MAX)
        })
        .collect()
}

/// Where the sorted `places` say that each level really lies, as a shift of its score, drawn to
/// `prior` as if by so many values beyond the level. The rank is the conformal one, `(n + 1) p`.
fn shift(places: &[f64], prior: &Shift, prior_values: f64) -> Shift {
    let normal = Normal::standard();
    let n = places.len() as f64;
    let mut shift = *prior;
    for (shift, &level) in shift.iter_mut().zip(&LEVELS) {
        let rank = (n + 1.0) * level;
        if places.is_empty() || rank < 1.0 || rank > n {
            continue;
        }
        let (low, share) = (rank.floor() as usize, rank.fract());
        let high = (low + 1).min(places.len());
        let place = (1.0 - share) * places[low - 1] + share * places[high - 1];
        let seen = (normal.inverse_cdf(place.clamp(1e-4, 1.0 - 1e-4)) - normal.inverse_cdf(level))
            .clamp(-SHIFT_MAX, SHIFT_MAX);
        let beyond = n * level.min(1.0 - level);
        let trust = beyond / (beyond + prior_values);
        *shift = trust * seen + (1.0 - trust) * *shift;
    }
    shift
}

/// A number in (0, 1) that only depends on the series and the count, so that a run repeats itself.
fn uniform(key: u64, n: usize) -> f64 {
    unit(key ^ mix(n as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_that_is_too_wide_draws_the_levels_in() {
        let n = 4_000;
        // Values that keep to the middle half of their forecasts.
        let places: Vec<f64> = (0..n).map(|k| 0.25 + 0.5 * (k as f64 + 0.5) / n as f64).collect();
        let shift = shift(&places, &[0.0; 9], SHIFT_PRIOR_VALUES);
        assert!(shift[0] > 0.7 && shift[8] < -0.7 && shift[4].abs() < 1e-3, "{shift:?}");
        assert!((shift[3] - (-0.3186 + 0.6745)).abs() < 0.01, "{shift:?}");
    }

    #[test]
    fn few_values_change_little() {
        let shift = shift(&[0.9, 0.95, 0.99], &[0.0; 9], SHIFT_PRIOR_VALUES);
        assert!(shift.iter().all(|s| s.abs() < 0.3), "{shift:?}");
    }
}
