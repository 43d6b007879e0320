//! Learning of the effects: iteratively reweighted least squares over all series, then per
//! category, then the prior by which single series may depart.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::model::seen_demand;
use super::features::{Features, Group};
use super::gram::{Gram, Row};
use super::level::{ALPHAS, SeriesEffects, alpha_losses, choose_alpha};
use crate::series::Panel;

/// Rows that one category's fit uses at most; beyond, every n-th series speaks for all.
const CATEGORY_ROWS_MAX: usize = 400_000;
const PANEL_ROWS_MAX: usize = 800_000;
/// A level of its own for each block of about so many days.
const BLOCK_DAYS: usize = 21;
const ANNUAL_BLOCK_DAYS: usize = 364;
const PASSES: usize = 4;
const CATEGORY_PASSES: usize = 2;
/// Dispersion in the weights `mu / (1 + phi mu)`: keeps large series from deciding alone.
const WEIGHT_DISPERSION: f64 = 0.3;
const L1_RATIO: f64 = 0.5;
/// Share of the universal threshold `sqrt(2 log p / n)`.
const PENALTY_SHARE: f64 = 0.5;
const LOG_FACTOR_MAX: f64 = 4.0;
/// Errors of one series' days go together, so its evidence for a departure is discounted.
const DEPARTURE_DISCOUNT: f64 = 0.7;
const SERIES_PER_TASK_MIN: usize = 64;
const TASKS_MAX: usize = 48;

/// Effects of the regressors on log demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// Of each category.
    pub category: Vec<Vec<f64>>,
    /// How much series of a category differ: variance of each effect.
    pub departure_variance: Vec<Vec<f64>>,
    /// Residual scale of the weighted responses per category.
    scale: Vec<f64>,
    /// Relative losses of the level's alphas per category.
    alpha_loss: Vec<[f64; ALPHAS.len()]>,
}

/// Which days may be learned from: the first `ends[i]` history days of series `i`.
pub struct Learner<'a> {
    pub panel: &'a Panel,
    pub features: &'a Features<'a>,
    pub ends: &'a [usize],
    /// Series of each category, ascending.
    pub members: &'a [Vec<usize>],
}

impl Learner<'_> {
    pub fn learn(&self) -> Effects {
        let columns = self.features.columns();
        let everyone: Vec<usize> = (0..self.panel.len()).collect();
        let sample = self.sample(&everyone, PANEL_ROWS_MAX);
        let mut global = vec![0.0; columns];
        for _ in 0..PASSES {
            let gram = self.gram(&sample, &global);
            global = gram.elastic_net(&vec![0.0; columns], penalty(&gram, &global), L1_RATIO);
        }
        let gram = self.gram(&sample, &global);
        let scale = gram.residual_scale(&global);
        let overall = self.departures(&sample, &global, scale);
        let alpha_prior = ([1.0; ALPHAS.len()], 0.0);
        let mut effects = Effects {
            category: Vec::new(),
            departure_variance: Vec::new(),
            scale: Vec::new(),
            alpha_loss: Vec::new(),
        };
        let learned: Vec<_> = self
            .members
            .par_iter()
            .map(|members| self.learn_category(members, &global, scale, &overall))
            .collect();
        for (beta, variance, scale) in learned {
            effects.category.push(beta);
            effects.departure_variance.push(variance);
            effects.scale.push(scale);
        }
        let losses: Vec<_> = self
            .members
            .par_iter()
            .enumerate()
            .map(|(category, members)| self.alpha_losses(category, members, &effects))
            .collect();
        let mut all = alpha_prior;
        for (sum, n) in &losses {
            all.0.iter_mut().zip(sum).for_each(|(a, b)| *a += b);
            all.1 += n;
        }
        let all: [f64; ALPHAS.len()] = all.0.map(|sum| sum / (all.1 + 1.0));
        effects.alpha_loss = losses
            .iter()
            .map(|(sum, n)| std::array::from_fn(|k| (sum[k] + 30.0 * all[k]) / (n + 30.0)))
            .collect();
        effects
    }

    fn learn_category(
        &self,
        members: &[usize],
        global: &[f64],
        scale: f64,
        overall: &(Vec<f64>, Vec<f64>, f64),
    ) -> (Vec<f64>, Vec<f64>, f64) {
        let mut beta = global.to_vec();
        let mut own_scale = scale;
        let sample = self.sample(members, CATEGORY_ROWS_MAX);
        for _ in 0..CATEGORY_PASSES {
            let gram = self.gram(&sample, &beta);
            if gram.freedom < 100.0 {
                break;
            }
            beta = gram.elastic_net(global, penalty(&gram, &beta), L1_RATIO);
            own_scale = gram.residual_scale(&beta);
        }
        let own = self.departures(&sample, &beta, own_scale);
        let weight = own.2 / (own.2 + 30.0);
        let variance = (0..beta.len())
            .map(|j| {
                let ratio = |s: &(Vec<f64>, Vec<f64>, f64)| {
                    if s.1[j] > 0.0 { (s.0[j] / s.1[j]).clamp(0.0, 1.0) } else { 0.0 }
                };
                DEPARTURE_DISCOUNT * (weight * ratio(&own) + (1.0 - weight) * ratio(overall))
            })
            .collect();
        (beta, variance, own_scale)
    }

    /// What pooled learning says about one series whose effects are `beta`.
    pub fn series(
        &self,
        i: usize,
        category: usize,
        effects: &Effects,
        beta: &[f64],
    ) -> SeriesEffects {
        let factors = self.factors(i, beta, 0);
        let demand: Vec<f64> = self.demand(i);
        let alpha = choose_alpha(&demand, &factors, &effects.alpha_loss[category]);
        SeriesEffects { factors, alpha }
    }

    /// A series' effects: its category's, and its own departures as far as its days before
    /// `ends[i]` speak for them.
    pub fn series_beta(&self, i: usize, category: usize, effects: &Effects) -> Vec<f64> {
        let mut beta = effects.category[category].clone();
        let mut gram = Gram::new(beta.len());
        self.add_series(i, &beta, &mut gram);
        let variance = &effects.departure_variance[category];
        let departures = gram.departures(&beta, variance, effects.scale[category]);
        beta.iter_mut().zip(departures).for_each(|(beta, departure)| *beta += departure);
        beta
    }

    /// Mean contribution of each group of effects over the days `days`, as factors.
    pub fn parts(&self, i: usize, beta: &[f64], days: std::ops::Range<usize>) -> [f64; 5] {
        let series = self.features.series(i);
        let mut row = Row::new();
        let mut sums = [0.0; 5];
        let n = days.len().max(1) as f64;
        for t in days {
            series.row(t, &mut row);
            for &(column, value) in &row {
                let group = match Features::group(usize::from(column)) {
                    Group::Season => 0,
                    Group::Events => 1,
                    Group::Promo => 2,
                    Group::Price => 3,
                    Group::Weather => 4,
                };
                sums[group] += beta[usize::from(column)] * f64::from(value);
            }
        }
        sums.map(|sum| (sum / n).exp())
    }

    /// What events do to the logarithm of demand on each day of history and horizon.
    pub fn event_logs(&self, i: usize, beta: &[f64]) -> Vec<f32> {
        let series = self.features.series(i);
        let mut row = Row::new();
        (0..series.len())
            .map(|t| {
                series.row(t, &mut row);
                let events =
                    row.iter().filter(|(j, _)| Features::group(usize::from(*j)) == Group::Events);
                events.map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum::<f64>() as f32
            })
            .collect()
    }

    fn demand(&self, i: usize) -> Vec<f64> {
        let mut demand = seen_demand(&self.panel.series(i));
        demand.truncate(self.ends[i]);
        demand
    }

    /// `exp(x * beta)` over history and horizon, from history day `from` on.
    pub fn factors(&self, i: usize, beta: &[f64], from: usize) -> Vec<f32> {
        let series = self.features.series(i);
        let mut row = Row::new();
        (from..series.len())
            .map(|t| {
                series.row(t, &mut row);
                log_factor(&row, beta).exp() as f32
            })
            .collect()
    }

    /// Every n-th series, so that about `rows_max` days remain.
    fn sample(&self, members: &[usize], rows_max: usize) -> Vec<usize> {
        let rows: usize = members.iter().map(|&i| self.ends[i]).sum();
        members.iter().copied().step_by(rows.div_ceil(rows_max).max(1)).collect()
    }

    /// Sums over series in chunks whose bounds depend on the data only, merged in their order.
    fn gram(&self, members: &[usize], beta: &[f64]) -> Gram {
        let chunk = members.len().div_ceil(TASKS_MAX).max(SERIES_PER_TASK_MIN);
        let parts: Vec<Gram> = members
            .par_chunks(chunk)
            .map(|members| {
                let mut gram = Gram::new(beta.len());
                members.iter().for_each(|&i| self.add_series(i, beta, &mut gram));
                gram
            })
            .collect();
        let mut total = Gram::new(beta.len());
        parts.iter().for_each(|part| total.merge(part));
        total
    }

    /// Adds the working responses of one series at `beta`, block by block.
    fn add_series(&self, i: usize, beta: &[f64], gram: &mut Gram) {
        let series = self.features.series(i);
        let demand = self.demand(i);
        let block = if self.features.annual { ANNUAL_BLOCK_DAYS } else { BLOCK_DAYS };
        let blocks = (demand.len() / block).max(1);
        let mut rows: Vec<(Row, f64, f64)> = Vec::new();
        for b in 0..blocks {
            let days = b * demand.len() / blocks..(b + 1) * demand.len() / blocks;
            let (mut sold, mut effects, mut used) = (0.0, 0.0, 0);
            for t in days {
                if demand[t].is_nan() {
                    continue;
                }
                if used == rows.len() {
                    rows.push((Row::new(), 0.0, 0.0));
                }
                let (row, log, y) = &mut rows[used];
                series.row(t, row);
                *log = log_factor(row, beta);
                *y = demand[t];
                sold += demand[t];
                effects += log.exp();
                used += 1;
            }
            if sold <= 0.0 || used < 3 {
                continue;
            }
            let level = sold / effects;
            for (row, log, y) in &rows[..used] {
                let mean = level * log.exp();
                let weight = mean / (1.0 + WEIGHT_DISPERSION * mean);
                gram.add(row, weight, log + (y - mean) / mean);
            }
            gram.close_block();
        }
    }

    /// Moment sums of the variance with which series depart from `beta`, per column, and how many
    /// series had a say: `E[score^2 / information] = scale + information * variance`.
    fn departures(&self, members: &[usize], beta: &[f64], scale: f64) -> (Vec<f64>, Vec<f64>, f64) {
        let columns = beta.len();
        let chunk = members.len().div_ceil(TASKS_MAX).max(SERIES_PER_TASK_MIN);
        let parts: Vec<(Vec<f64>, Vec<f64>)> = members
            .par_chunks(chunk)
            .map(|members| {
                let (mut above, mut below) = (vec![0.0; columns], vec![0.0; columns]);
                let mut gram = Gram::new(columns);
                for &i in members {
                    gram.clear();
                    self.add_series(i, beta, &mut gram);
                    let score = gram.score(beta);
                    for j in 0..columns {
                        let information = gram.diagonal(j);
                        if information > 1e-6 {
                            let excess = score[j] * score[j] / information;
                            above[j] += excess.min(25.0 * scale) - scale;
                            below[j] += information;
                        }
                    }
                }
                (above, below)
            })
            .collect();
        let mut total = (vec![0.0; columns], vec![0.0; columns], members.len() as f64);
        for (above, below) in &parts {
            total.0.iter_mut().zip(above).for_each(|(a, b)| *a += b);
            total.1.iter_mut().zip(below).for_each(|(a, b)| *a += b);
        }
        total
    }

    fn alpha_losses(
        &self,
        category: usize,
        members: &[usize],
        effects: &Effects,
    ) -> ([f64; ALPHAS.len()], f64) {
        let sample = self.sample(members, CATEGORY_ROWS_MAX / 8);
        let per_series: Vec<([f64; ALPHAS.len()], f64)> = sample
            .par_iter()
            .map(|&i| {
                alpha_losses(&self.demand(i), &self.factors(i, &effects.category[category], 0))
            })
            .collect();
        let mut total = ([0.0; ALPHAS.len()], 0.0);
        for (losses, _) in per_series.iter().filter(|(_, windows)| *windows > 0.0) {
            total.0.iter_mut().zip(losses).for_each(|(a, b)| *a += b);
            total.1 += 1.0;
        }
        total
    }
}

fn log_factor(row: &Row, beta: &[f64]) -> f64 {
    let sum: f64 = row.iter().map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum();
    sum.clamp(-LOG_FACTOR_MAX, LOG_FACTOR_MAX)
}

/// The noise in a column's score, times the largest that p columns of pure noise would show.
fn penalty(gram: &Gram, beta: &[f64]) -> f64 {
    let noise = gram.residual_scale(beta) / gram.weight.max(1e-300);
    PENALTY_SHARE * (2.0 * (gram.columns as f64).ln() * noise).sqrt()
}
