//! Learning of the effects: per category and region, then the prior by which single series may
//! depart from them.
//!
//! 1. All series together, an elastic net: what to start from, and what to fall back on.
//! 2. Each category for itself, next to unpenalised, to a proven solution; the regions of a
//!    category depart from it as far as regions are seen to differ. What the category's series have
//!    on average is reported, with its error ([`super::evidence`]).
//! 3. Categories, events and classes draw each other ([`super::prior`]): what is forecast with.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::model::seen_demand;
use super::category::{CategoryFit, Solved};
use super::columns;
use super::features::{Features, Group};
use super::fit::{Days, log_factor};
use super::gram::{Gram, Row};
use super::level::{ALPHAS, SeriesEffects, alpha_losses, choose_alpha};
use super::newton::{Local, solve};
use super::pool::Pool;
pub use super::pool::Reported;
use crate::series::Panel;

/// Rows that one category's fit uses at most; beyond, every n-th series speaks for all.
pub const CATEGORY_ROWS_MAX: usize = 400_000;
const PANEL_ROWS_MAX: usize = 600_000;
/// Rows that find the way for the whole panel.
const START_ROWS_MAX: usize = 150_000;
const EVALUATIONS_MAX: usize = 12;
/// Standard errors by which a score may miss zero.
pub const GRADIENT_MAX: f64 = 0.05;
const L1_RATIO: f64 = 0.5;
/// Share of the universal threshold `sqrt(2 log p / n)`.
const PENALTY_SHARE: f64 = 0.5;
/// Windows of the panel that a category's own losses of the level's alphas are drawn to.
const ALPHA_PRIOR_SERIES: f64 = 30.0;

/// Effects of the regressors on log demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// Of each category, for a region that was not seen.
    pub category: Vec<Vec<f64>>,
    /// Of each (category, region) that was seen, ascending.
    regional: Vec<((u32, u32), Vec<f64>)>,
    /// How much series of a category and region differ: variance of each effect.
    pub departure_variance: Vec<Vec<f64>>,
    /// Per category, for people.
    pub reported: Vec<Vec<Reported>>,
    /// Residual scale of the weighted responses per category.
    scale: Vec<f64>,
    /// Relative losses of the level's alphas per category.
    alpha_loss: Vec<[f64; ALPHAS.len()]>,
}

impl Effects {
    /// Of a category at the places of one region.
    pub fn of(&self, category: usize, region: u32) -> &[f64] {
        let key = (category as u32, region);
        match self.regional.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => &self.regional[at].1,
            Err(_) => &self.category[category],
        }
    }
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
        let global = self.global();
        let fits: Vec<CategoryFit> = self
            .members
            .par_iter()
            .map(|members| CategoryFit::new(self.days(), members, &global))
            .collect();
        let pool = Pool::new(self.features, &global, &fits);
        let solved: Vec<Solved> =
            fits.par_iter().map(|fit| fit.solve(self.days(), &pool)).collect();
        let learned = pool.settle(&fits, &solved);
        let mut effects = Effects {
            category: learned.category,
            regional: learned.regional,
            departure_variance: learned.departure_variance,
            reported: learned.reported,
            scale: solved.iter().map(|solved| solved.scale).collect(),
            alpha_loss: Vec::new(),
        };
        effects.alpha_loss = self.alphas(&effects);
        effects
    }

    fn days(&self) -> Days<'_> {
        // A panel that was not made for learning is one whose partly available days are missing.
        let made = !std::ptr::eq(self.panel, self.features.input.panel);
        let open_min = made.then_some(self.features.open_min);
        Days { panel: self.panel, features: self.features, ends: self.ends, open_min }
    }

    /// Effects of all series together; none where nothing can be learned.
    fn global(&self) -> Vec<f64> {
        let days = self.days();
        let columns = self.features.columns();
        let everyone: Vec<usize> = (0..self.panel.len()).collect();
        let few = days.sample(&everyone, START_ROWS_MAX);
        let zero = vec![0.0; columns];
        let start = solve(zero.clone(), EVALUATIONS_MAX, GRADIENT_MAX, |beta| {
            local(&days.grams(&few, beta, 1, |_| 0).remove(0), beta, &zero)
        });
        let Ok((start, _)) = start else { return zero };
        let sample = days.sample(&everyone, PANEL_ROWS_MAX);
        let gram = days.grams(&sample, &start, 1, |_| 0).remove(0);
        gram.elastic_net(&zero, penalty(&gram, &start), L1_RATIO)
    }

    /// What the panel says of each of the level's alphas, per category.
    fn alphas(&self, effects: &Effects) -> Vec<[f64; ALPHAS.len()]> {
        let losses: Vec<_> = self
            .members
            .par_iter()
            .enumerate()
            .map(|(category, members)| self.alpha_losses(category, members, effects))
            .collect();
        let mut all = ([1.0; ALPHAS.len()], 0.0);
        for (sum, n) in &losses {
            all.0.iter_mut().zip(sum).for_each(|(a, b)| *a += b);
            all.1 += n;
        }
        let all: [f64; ALPHAS.len()] = all.0.map(|sum| sum / (all.1 + 1.0));
        let drawn = |(sum, n): &([f64; ALPHAS.len()], f64)| {
            let prior = ALPHA_PRIOR_SERIES;
            std::array::from_fn(|k| (sum[k] + prior * all[k]) / (n + prior))
        };
        losses.iter().map(drawn).collect()
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

    /// A series' effects: its category's in its region, and its own departures as far as its days
    /// before `ends[i]` speak for them.
    pub fn series_beta(&self, i: usize, category: usize, effects: &Effects) -> Vec<f64> {
        let mut beta = effects.of(category, self.features.input.meta[i].region).to_vec();
        let mut gram = Gram::new(beta.len());
        self.days().add_series(i, &beta, &mut Vec::new(), &mut gram);
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
            let unlike = series.unlike_its_weekday(t, beta);
            sums[0] -= unlike;
            sums[1] += unlike;
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
                let own: f64 = events.map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum();
                (own + series.unlike_its_weekday(t, beta)) as f32
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

    fn alpha_losses(
        &self,
        category: usize,
        members: &[usize],
        effects: &Effects,
    ) -> ([f64; ALPHAS.len()], f64) {
        let sample = self.days().sample(members, CATEGORY_ROWS_MAX / 8);
        let per_series: Vec<([f64; ALPHAS.len()], f64)> = sample
            .par_iter()
            .map(|&i| {
                let beta = effects.of(category, self.features.input.meta[i].region);
                alpha_losses(&self.demand(i), &self.factors(i, beta, 0))
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

/// The estimating equation at `beta`, drawn weakly to `center`; a score is measured in its standard
/// errors.
pub fn local(gram: &Gram, beta: &[f64], center: &[f64]) -> Local {
    let scale = gram.residual_scale(beta);
    let precision = columns::weak_precision(beta.len(), scale);
    let mut score = gram.score(beta);
    for (j, score) in score.iter_mut().enumerate() {
        *score -= precision[j] * (beta[j] - center[j]);
    }
    let error = |j: usize| ((gram.diagonal(j).max(0.0) + precision[j]) * scale).sqrt();
    Local {
        information: gram.with_precision(&precision),
        score,
        scale: (0..beta.len()).map(error).collect(),
    }
}

/// The noise in a column's score, times the largest that p columns of pure noise would show.
fn penalty(gram: &Gram, beta: &[f64]) -> f64 {
    let noise = gram.residual_scale(beta) / gram.weight.max(1e-300);
    PENALTY_SHARE * (2.0 * (gram.columns as f64).ln() * noise).sqrt()
}
