//! How much of the errors of one day all series have in common, and those of a group.
//!
//! Products of the errors of two series of one day, summed over pairs, say how much wider a sum is
//! than independent series would make it. Pairs come from sums: `(Σe)² - Σe²`. A latent value and a
//! count go together less than fully, so a pair's product is that of the latent correlation and how
//! closely each count follows its latent value (the first term of Mehler's expansion).

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::parts::Part;
use crate::backtest::judge::{Judge, PerClass};
use crate::distribution::count::{CountDemand, Levels};
use crate::distribution::luck::SharedLuck;
use crate::distribution::shape::SpreadShape;

/// So many series of a panel tell what they share; more would only take longer.
const SERIES_MAX: usize = 6_000;
/// An error counts up to so many standard deviations.
const SCORE_MAX: f64 = 4.0;
/// Days of one week are one piece of evidence; fewer weeks say nothing.
const WEEK_DAYS: i32 = 7;
const WEEKS_MIN: usize = 3;
/// What is left of a series' luck for itself.
const OWN_SHARE_MIN: f64 = 0.1;
/// A part whose groups are smaller on average is no part to share luck in.
const MEMBERS_MIN: usize = 3;
/// Levels at which a count is held against its latent value.
const STRATA: usize = 32;

/// What the series of a panel share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Luck {
    /// Shares of the latent variance.
    pub all: f32,
    pub of_group: f32,
    /// [`Part::name`] of the groups, empty without.
    pub part: String,
}

impl Luck {
    /// Per series of the panel.
    pub fn shared(&self, parts: &[Part], series: usize) -> Vec<SharedLuck> {
        let part = parts.iter().find(|part| part.name == self.part);
        let of_group = if part.is_some() { self.of_group } else { 0.0 };
        let group = |i: usize| part.map_or(0, |part| part.codes[i]);
        (0..series).map(|i| SharedLuck { group: group(i), all: self.all, of_group }).collect()
    }
}

/// The trials of what was chosen, and their spread.
pub struct Errors<'a> {
    pub judge: &'a Judge<'a>,
    /// Per series and cutoff, as in [`crate::backtest::pick::Picked`].
    pub held: &'a [Vec<usize>],
    pub dispersion: &'a PerClass<f64>,
    pub calibration: &'a [f64],
    pub shapes: &'a [SpreadShape],
}

/// One series' error of one day, and how far its demand follows its latent value.
#[derive(Clone, Copy)]
struct Cell {
    /// Cutoff and day, so that only errors of one trial meet.
    at: (usize, i32),
    error: f64,
    follows: f64,
}

/// Sums over the pairs of one week: of products of errors, and of what they would be for latent
/// values that are one.
#[derive(Clone, Copy, Debug, Default)]
struct Pairs {
    product: f64,
    whole: f64,
}

impl Pairs {
    fn share(self) -> f64 {
        if self.whole > 0.0 { self.product / self.whole } else { 0.0 }
    }

    fn plus(self, other: Pairs, sign: f64) -> Pairs {
        Pairs {
            product: self.product + sign * other.product,
            whole: self.whole + sign * other.whole,
        }
    }
}

impl Errors<'_> {
    /// Learns what is shared: by all, and by the groups of the part that explains most.
    pub fn luck(&self, parts: &[Part]) -> Luck {
        let series = self.judge.trials.len();
        let sample: Vec<usize> = (0..series).step_by(series.div_ceil(SERIES_MAX).max(1)).collect();
        let cells: Vec<Vec<Cell>> = sample.par_iter().map(|&i| self.cells(i)).collect();
        let of_all = pairs(&cells, |_| 0);
        let mut best: Option<(f64, f64, &Part)> = None;
        for part in parts {
            let codes: Vec<u32> = sample.iter().map(|&i| part.codes[i]).collect();
            let groups = codes.iter().collect::<BTreeSet<_>>().len();
            if groups < 2 || groups * MEMBERS_MIN > sample.len() {
                continue;
            }
            let inside = pairs(&cells, |at| codes[at]);
            let others =
                |weeks: &[usize]| summed(&of_all, weeks).plus(summed(&inside, weeks), -1.0);
            let all = believed(&of_all, &|weeks| others(weeks).share().max(0.0));
            let group = believed(&inside, &|weeks| {
                summed(&inside, weeks).share().max(0.0) - others(weeks).share().max(0.0)
            });
            if best.is_none_or(|(_, most, _)| group > most) {
                best = Some((all, group, part));
            }
        }
        match best.filter(|&(_, group, _)| group > 0.0) {
            Some((all, group, part)) => {
                let scale = ((1.0 - OWN_SHARE_MIN) / (all + group)).min(1.0);
                let (all, of_group) = ((scale * all) as f32, (scale * group) as f32);
                Luck { all, of_group, part: part.name.clone() }
            }
            None => {
                let all = believed(&of_all, &|weeks| summed(&of_all, weeks).share());
                Luck { all: all.min(1.0 - OWN_SHARE_MIN) as f32, ..Luck::default() }
            }
        }
    }

    fn cells(&self, i: usize) -> Vec<Cell> {
        let (class, trial) = &self.judge.trials[i];
        let class = *class as usize;
        let held = &self.held[i];
        if held.is_empty() {
            return Vec::new();
        }
        let own = |&c: &usize| {
            self.calibration[class] * self.judge.dispersion(i, c, self.dispersion[class][c])
        };
        let dispersion: Vec<f64> = held.iter().map(own).collect();
        let start = self.judge.panel.start[i];
        let strata = Levels::strata(STRATA);
        let mut follows = vec![f64::NAN; trial.origins.count];
        let mut cells = Vec::new();
        self.judge.scored_by(
            i,
            |k| held[k],
            |k, step, mean, actual| {
                let day = CountDemand::new(mean, self.shapes[class].growth(step) * dispersion[k]);
                let deviation = day.variance().sqrt();
                if mean <= 0.0 || !deviation.is_finite() {
                    return;
                }
                if follows[k].is_nan() {
                    follows[k] = following(day, &strata);
                }
                let limit = SCORE_MAX * deviation;
                cells.push(Cell {
                    at: (k, start.0 + (trial.origins.at(k) + step) as i32),
                    error: (actual - mean).clamp(-limit, limit),
                    follows: follows[k] * deviation,
                });
            },
        );
        cells
    }
}

/// Correlation of a count and the standard normal value behind it.
fn following(day: CountDemand, strata: &Levels) -> f64 {
    let mut values = [0.0f32; STRATA];
    day.quantiles(strata, &mut values);
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / STRATA as f64;
    let (mut both, mut squares, mut normal) = (0.0, 0.0, 0.0);
    for (&value, z) in values.iter().zip(strata.scores()) {
        let off = f64::from(value) - mean;
        both += off * z;
        squares += off * off;
        normal += z * z;
    }
    if squares > 0.0 { both / (squares * normal).sqrt() } else { 0.0 }
}

/// Per week the pairs of series of one group. Sums are added up in the order of series.
fn pairs(cells: &[Vec<Cell>], group: impl Fn(usize) -> u32) -> Vec<Pairs> {
    let mut sums: BTreeMap<(i32, usize, u32), [f64; 4]> = BTreeMap::new();
    for (at, of_series) in cells.iter().enumerate() {
        for cell in of_series {
            let (cutoff, day) = cell.at;
            let sum = sums.entry((day, cutoff, group(at))).or_default();
            let values = [cell.error, cell.error.powi(2), cell.follows, cell.follows.powi(2)];
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }
    let first = sums.keys().next().map_or(0, |key| key.0);
    let mut weeks: Vec<Pairs> = Vec::new();
    for ((day, ..), [error, squares, follows, own]) in sums {
        let week = ((day - first) / WEEK_DAYS) as usize;
        weeks.resize(weeks.len().max(week + 1), Pairs::default());
        weeks[week].product += error * error - squares;
        weeks[week].whole += follows * follows - own;
    }
    weeks
}

fn summed(weeks: &[Pairs], chosen: &[usize]) -> Pairs {
    chosen.iter().fold(Pairs::default(), |sum, &week| sum.plus(weeks[week], 1.0))
}

/// A share that all weeks tell, or nothing when it is smaller than its own doubt: how much it
/// changes when one week is left out (the jackknife's deviation, Efron & Stein 1981). What is
/// believed is not drawn to zero, for a total that seems too certain costs more than one that seems
/// too vague.
fn believed(weeks: &[Pairs], share: &dyn Fn(&[usize]) -> f64) -> f64 {
    let known: Vec<usize> = (0..weeks.len()).filter(|&week| weeks[week].whole > 0.0).collect();
    if known.len() < WEEKS_MIN {
        return 0.0;
    }
    let all = share(&known);
    let n = known.len() as f64;
    let without = |left: usize| -> f64 {
        share(&known.iter().copied().filter(|&week| week != left).collect::<Vec<usize>>())
    };
    let left: Vec<f64> = known.iter().map(|&week| without(week)).collect();
    let mean = left.iter().sum::<f64>() / n;
    let variance = left.iter().map(|share| (share - mean).powi(2)).sum::<f64>() * (n - 1.0) / n;
    if all <= variance.sqrt() { 0.0 } else { all }
}
