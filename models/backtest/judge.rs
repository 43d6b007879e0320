//! Judging the trials of all series: spread and loss of every candidate, averages per class.

use rayon::prelude::*;

use super::choose::{Choice, relative};
use super::memory::SeriesPlan;
use super::scores::{ScoreRow, ScoreSums};
use super::spread::{CorrelationSums, DispersionSums, Window};
use super::trial::Trial;
use crate::distribution::count::CountDemand;
use crate::distribution::shape::SpreadShape;
use crate::forecast::demand_class::DemandClass;
use crate::forecast::model::{Model, seen_demand};
use crate::series::{Panel, Series};

/// A class's average relative loss is drawn to the average of all as if by so many series.
const CLASS_PRIOR_SERIES: f64 = 10.0;

/// Factors on the dispersion that are tried per class. Moments are driven by rare large errors, so
/// the dispersion that serves the nine levels best is often smaller.
const DISPERSION_FACTORS: [f64; 10] = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5];
/// Where the factor is 1.
const NEUTRAL_FACTOR: usize = 6;

/// A table with a row per demand class and a column per candidate.
pub type PerClass<T> = Vec<Vec<T>>;

/// Out-of-sample results of one series, per candidate.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Mean pinball, NaN without a fit or a scored day.
    pub loss: Vec<f64>,
    pub sums: Vec<ScoreSums>,
    /// Summed pinball after each cutoff; empty without a fit.
    pub of_cutoffs: Vec<Vec<f64>>,
    /// Days that could be scored, in all and after each cutoff.
    pub days: f64,
    pub cutoff_days: Vec<f64>,
}

impl Losses {
    pub fn unscored(candidates: usize) -> Losses {
        Losses {
            loss: vec![f64::NAN; candidates],
            sums: vec![ScoreSums::default(); candidates],
            of_cutoffs: vec![Vec::new(); candidates],
            days: 0.0,
            cutoff_days: Vec::new(),
        }
    }

    /// Mean pinball of a candidate over the days that do not follow cutoff `k`.
    pub fn without(&self, candidate: usize, k: usize) -> f64 {
        let of = &self.of_cutoffs[candidate];
        let days = self.days - self.cutoff_days.get(k).copied().unwrap_or(0.0);
        match of.get(k) {
            Some(_) if days > 0.0 => {
                let others = of.iter().enumerate().filter(|(other, _)| *other != k);
                others.map(|(_, pinball)| pinball).sum::<f64>() / days
            }
            _ => f64::NAN,
        }
    }
}

/// The trials of a panel under judgement.
pub struct Judge<'a> {
    pub panel: &'a Panel,
    pub models: &'a [Model],
    pub trials: &'a [(DemandClass, Trial)],
}

impl Judge<'_> {
    /// Calls `each(cutoff, step, mean, actual)` on every scored day of a candidate.
    pub fn scored(&self, i: usize, candidate: usize, each: impl FnMut(usize, usize, f64, f64)) {
        self.scored_by(i, |_| candidate, each);
    }

    /// Likewise, of the candidate that `of` names for each cutoff.
    pub fn scored_by(
        &self,
        i: usize,
        of: impl Fn(usize) -> usize,
        mut each: impl FnMut(usize, usize, f64, f64),
    ) {
        let trial = &self.trials[i].1;
        let first = trial.origins.first;
        let whole = self.panel.series(i);
        let scored = Series {
            start: whole.start + first as i32,
            sold: &whole.sold[first..],
            available: &whole.available[first..],
        };
        let actual = seen_demand(&scored);
        for k in 0..trial.origins.count {
            let actual = &actual[trial.origins.at(k) - first..];
            for (step, (&mean, &actual)) in trial.means(of(k), k).iter().zip(actual).enumerate() {
                if !actual.is_nan() {
                    each(k, step, f64::from(mean), actual);
                }
            }
        }
    }

    /// Per cutoff.
    fn dispersion_sums(&self, i: usize, candidate: usize) -> Vec<DispersionSums> {
        let mut sums = vec![DispersionSums::default(); self.trials[i].1.origins.count];
        self.scored(i, candidate, |k, _, mean, actual| sums[k].add(mean, actual));
        sums
    }

    /// Dispersion of a series' own errors under a candidate, drawn to its class's.
    pub fn dispersion(&self, i: usize, candidate: usize, class: f64) -> f64 {
        let mut total = DispersionSums::default();
        self.dispersion_sums(i, candidate).iter().for_each(|sums| total.merge(sums));
        total.shrunk(class)
    }

    /// Dispersion of each class under each candidate of `only`; the rest stays as it is in `table`.
    pub fn class_dispersions(&self, only: &[usize], table: &mut PerClass<f64>) {
        let per_series: Vec<Vec<DispersionSums>> = (0..self.trials.len())
            .into_par_iter()
            .map(|i| {
                let total = |&c: &usize| {
                    let mut total = DispersionSums::default();
                    if self.trials[i].1.has(c) {
                        self.dispersion_sums(i, c).iter().for_each(|sums| total.merge(sums));
                    }
                    total
                };
                only.iter().map(total).collect()
            })
            .collect();
        for (n, &c) in only.iter().enumerate() {
            let mut classes = [DispersionSums::default(); DemandClass::ALL.len()];
            for ((class, _), sums) in self.trials.iter().zip(&per_series) {
                classes[*class as usize].merge(&sums[n]);
            }
            for (row, sums) in table.iter_mut().zip(&classes) {
                row[c] = sums.class_dispersion();
            }
        }
    }

    /// Scores the candidates of `only` with dispersions that have not seen the scored cutoff.
    pub fn losses(&self, only: &[usize], class: &PerClass<f64>, losses: &mut [Losses]) {
        losses.par_iter_mut().enumerate().for_each(|(i, losses)| {
            let (kind, trial) = &self.trials[i];
            let plain = SpreadShape::default();
            for &c in only.iter().filter(|&&c| trial.has(c)) {
                let held = self.held_out(i, c, class[*kind as usize][c]);
                let of_cutoffs = self.score(i, |_| c, &held, 1.0, &plain);
                let sums = total(&of_cutoffs);
                if sums.days > 0.0 {
                    losses.loss[c] = sums.pinball / sums.days;
                    losses.days = sums.days;
                    losses.cutoff_days = of_cutoffs.iter().map(|sums| sums.days).collect();
                    losses.of_cutoffs[c] = of_cutoffs.iter().map(|sums| sums.pinball).collect();
                }
                losses.sums[c] = sums;
            }
        });
    }

    /// Per class the factor on the dispersion of the chosen candidates with the least pinball loss,
    /// each series counting alike; 1 for a class without a scored series. `held` is what would have
    /// been chosen without each cutoff: a choice flatters itself on the days that made it.
    pub fn calibration(&self, held: &[Vec<usize>], class: &PerClass<f64>) -> Vec<f64> {
        let plain = SpreadShape::default();
        let per_series: Vec<Option<[f64; DISPERSION_FACTORS.len()]>> = held
            .par_iter()
            .enumerate()
            .map(|(i, held)| {
                let class = &class[self.trials[i].0 as usize];
                let own = (!held.is_empty()).then(|| self.held_dispersions(i, held, class))?;
                let of = |k: usize| held[k];
                let score = |f| total(&self.score(i, of, &own, f, &plain)).pinball;
                Some(DISPERSION_FACTORS.map(score))
            })
            .collect();
        let mut table = [[0.0; DISPERSION_FACTORS.len()]; DemandClass::ALL.len()];
        for ((kind, _), losses) in self.trials.iter().zip(&per_series) {
            let Some(losses) = losses else { continue };
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            if mean > 0.0 {
                let row = table[*kind as usize].iter_mut().zip(losses);
                row.for_each(|(total, loss)| *total += loss / mean);
            }
        }
        table.iter().map(|row| DISPERSION_FACTORS[least(row)]).collect()
    }

    /// Scores of what would have been chosen without each cutoff, with its calibrated spread.
    pub fn chosen_scores(
        &self,
        held: &[Vec<usize>],
        class: &PerClass<f64>,
        calibration: &[f64],
        shapes: &[SpreadShape],
    ) -> Vec<ScoreSums> {
        held.par_iter()
            .enumerate()
            .map(|(i, held)| {
                let kind = self.trials[i].0 as usize;
                if held.is_empty() {
                    return ScoreSums::default();
                }
                let own = self.held_dispersions(i, held, &class[kind]);
                total(&self.score(i, |k| held[k], &own, calibration[kind], &shapes[kind]))
            })
            .collect()
    }

    /// Dispersion of a series for each cutoff, from its errors at the other cutoffs.
    pub fn held_out(&self, i: usize, candidate: usize, class: f64) -> Vec<f64> {
        let parts = self.dispersion_sums(i, candidate);
        let mut total = DispersionSums::default();
        parts.iter().for_each(|part| total.merge(part));
        parts.iter().map(|part| total.without(part).shrunk(class)).collect()
    }

    /// Likewise of the candidate that is held for each cutoff; `class` has every candidate's.
    pub fn held_dispersions(&self, i: usize, held: &[usize], class: &[f64]) -> Vec<f64> {
        let mut known: Vec<(usize, Vec<f64>)> = Vec::new();
        let of = |(k, &c): (usize, &usize)| {
            if let Some((_, all)) = known.iter().find(|(candidate, _)| *candidate == c) {
                return all[k];
            }
            let all = self.held_out(i, c, class[c]);
            let own = all[k];
            known.push((c, all));
            own
        };
        held.iter().enumerate().map(of).collect()
    }

    /// Scores after each cutoff of the candidate that `of` names for it, with its `dispersions`.
    fn score(
        &self,
        i: usize,
        of: impl Fn(usize) -> usize,
        dispersions: &[f64],
        factor: f64,
        shape: &SpreadShape,
    ) -> Vec<ScoreSums> {
        let mut sums = vec![ScoreSums::default(); dispersions.len()];
        let mut last = (f64::NAN, usize::MAX, usize::MAX, [0.0; 9]);
        self.scored_by(i, of, |k, step, mean, actual| {
            let stage = shape.stage(step);
            if (mean, k, stage) != (last.0, last.1, last.2) {
                let day = CountDemand::new(mean, factor * shape.growth(step) * dispersions[k]);
                last = (mean, k, stage, day.at(shape.nine(step)));
            }
            sums[k].add(mean, &last.3, actual);
        });
        sums
    }

    /// Average relative loss per class and candidate, drawn to the average of all classes.
    pub fn class_losses(&self, losses: &[Vec<f64>]) -> PerClass<f64> {
        let n = self.models.len();
        let everything = DemandClass::ALL.len();
        let mut sums = vec![vec![(0.0, 0.0); n]; everything + 1];
        let mut ratio = vec![f64::NAN; n];
        for ((class, _), losses) in self.trials.iter().zip(losses) {
            ratio.fill(f64::NAN);
            if !relative(losses, &mut ratio) {
                continue;
            }
            for row in [*class as usize, everything] {
                let known = sums[row].iter_mut().zip(&ratio).filter(|(_, r)| r.is_finite());
                known.for_each(|(sum, ratio)| *sum = (sum.0 + ratio, sum.1 + 1.0));
            }
        }
        let all: Vec<f64> = sums[everything]
            .iter()
            .zip(self.models)
            .map(|(&(sum, n), model)| (sum + 5.0 * unjudged_loss(*model)) / (n + 5.0))
            .collect();
        let shrunk = |row: &Vec<(f64, f64)>| -> Vec<f64> {
            let both = row.iter().zip(&all);
            both.map(|(&(sum, n), all)| (sum + CLASS_PRIOR_SERIES * all) / (n + CLASS_PRIOR_SERIES))
                .collect()
        };
        sums[..everything].iter().map(shrunk).collect()
    }

    /// Correlation over days per class, from the windows of the chosen candidates.
    pub fn correlations(
        &self,
        held: &[Vec<usize>],
        class: &PerClass<f64>,
        calibration: &[f64],
    ) -> Vec<f64> {
        let per_series: Vec<CorrelationSums> = held
            .par_iter()
            .enumerate()
            .map(|(i, held)| {
                let (kind, trial) = &self.trials[i];
                let (kind, mut sums) = (*kind as usize, CorrelationSums::default());
                let own = |k: usize| self.dispersion(i, held[k], class[kind][held[k]]);
                let dispersion: Vec<f64> =
                    (0..held.len()).map(|k| calibration[kind] * own(k)).collect();
                if !held.is_empty() {
                    let mut windows = vec![Window::default(); trial.origins.count];
                    self.scored_by(
                        i,
                        |k| held[k],
                        |k, _, mean, actual| {
                            windows[k].add(CountDemand::new(mean, dispersion[k]), actual);
                        },
                    );
                    windows.iter().for_each(|window| sums.add(window));
                }
                sums
            })
            .collect();
        let mut table = [CorrelationSums::default(); DemandClass::ALL.len()];
        for ((class, _), sums) in self.trials.iter().zip(&per_series) {
            table[*class as usize].merge(sums);
        }
        table.iter().map(CorrelationSums::correlation).collect()
    }

    /// What the choice means for a series, with its class's spread as far as its own is unknown.
    pub fn plan(
        &self,
        i: usize,
        choice: Option<Choice>,
        class: &PerClass<f64>,
        calibration: &[f64],
    ) -> SeriesPlan {
        let (kind, trial) = &self.trials[i];
        let row = &class[*kind as usize];
        let dispersion = match choice {
            Some(c) if trial.has(c.best) => self.dispersion(i, c.best, row[c.best]),
            Some(c) => row[c.best],
            None => row[0],
        };
        SeriesPlan {
            class: *kind,
            wanted: choice.map(|c| self.models[c.best]),
            runner_up: choice.and_then(|c| c.runner_up).map(|c| self.models[c]),
            margin: choice.map_or(0.0, |c| c.margin),
            dispersion: calibration[*kind as usize] * dispersion,
            tried: trial.origins.count > 0,
        }
    }

    /// Rows per class and for all, per candidate and for what was chosen.
    pub fn score_rows(&self, losses: &[Losses], chosen: &[ScoreSums]) -> Vec<ScoreRow> {
        let everything = DemandClass::ALL.len();
        let columns = self.models.len() + 1;
        let mut table = vec![vec![ScoreSums::default(); columns]; everything + 1];
        for (i, (class, _)) in self.trials.iter().enumerate() {
            for row in [*class as usize, everything] {
                for (total, sums) in table[row].iter_mut().zip(&losses[i].sums) {
                    total.merge(sums);
                }
                table[row][columns - 1].merge(&chosen[i]);
            }
        }
        let mut rows = Vec::new();
        for (row, sums) in table.iter().enumerate() {
            let class = DemandClass::ALL.get(row).map_or("all", |class| class.as_str());
            for (c, sums) in sums.iter().enumerate().filter(|(_, sums)| sums.days > 0.0) {
                let model = self.models.get(c).map_or("chosen", |model| model.as_str());
                rows.push(ScoreRow::new(class, model, sums));
            }
        }
        rows
    }
}

/// Of one series, over all its cutoffs.
fn total(of_cutoffs: &[ScoreSums]) -> ScoreSums {
    let mut total = ScoreSums::default();
    of_cutoffs.iter().for_each(|sums| total.merge(sums));
    ScoreSums { series: 1.0, ..total }
}

/// Relative loss to expect before any backtest, from the ranking on retail series at large.
fn unjudged_loss(model: Model) -> f64 {
    match model {
        Model::Trees | Model::Pooled | Model::BlendWeighted => 0.93,
        Model::BlendMedian | Model::Ses | Model::Tsb => 0.97,
        Model::SeasonalNaive => 1.2,
        _ => 1.0,
    }
}

/// Index of the least; neutral when nothing was summed.
fn least(row: &[f64; DISPERSION_FACTORS.len()]) -> usize {
    if row[0] <= 0.0 {
        return NEUTRAL_FACTOR;
    }
    (0..row.len()).min_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(NEUTRAL_FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_cutoff_is_left_out_of_its_own_loss() {
        let losses = Losses {
            of_cutoffs: vec![vec![6.0, 2.0, 4.0], Vec::new()],
            days: 10.0,
            cutoff_days: vec![4.0, 3.0, 3.0],
            ..Losses::unscored(2)
        };
        for (k, want) in [(0, 6.0 / 6.0), (1, 10.0 / 7.0), (2, 8.0 / 7.0)] {
            assert_eq!(losses.without(0, k), want, "cutoff {k}");
        }
        assert!(losses.without(1, 0).is_nan(), "a candidate without a fit");
        let one = Losses { days: 4.0, cutoff_days: vec![4.0], ..losses };
        assert!(one.without(0, 0).is_nan(), "nothing is left of a single cutoff");
    }
}
