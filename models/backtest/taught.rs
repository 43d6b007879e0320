//! What all series taught together: the pooled regression's effects and the trees on top of them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::memory::{Memory, SeriesMemory};
use crate::forecast::drivers::ForecastInput;
use crate::forecast::pooled::learn::{Effects, Learner};
use crate::forecast::trees::board::Board;
use crate::forecast::trees::learner::{TreesConfig, TreesLearner};
use crate::forecast::trees::life::Life;

/// Rows that the trees of a trial learn from: they only have to show what they are worth.
const TRIAL_ROWS: usize = 400_000;

/// How the trees of the last fits learn.
pub fn last_fit() -> TreesConfig {
    TreesConfig::default()
}

/// How those of the trials do.
pub fn trial_fit() -> TreesConfig {
    TreesConfig { rows_max: TRIAL_ROWS, ..TreesConfig::default() }
}

/// Effects of every series, in single precision as they are remembered: trees that are asked again
/// on the same night say the same.
pub fn betas(learner: &Learner, effects: &Effects, input: &ForecastInput) -> Vec<Vec<f64>> {
    (0..input.panel.len())
        .into_par_iter()
        .map(|i| {
            let beta = learner.series_beta(i, input.meta[i].category as usize, effects);
            beta.into_iter().map(|effect| f64::from(effect as f32)).collect()
        })
        .collect()
}

pub fn keys(input: &ForecastInput) -> Vec<u64> {
    input.meta.iter().map(|meta| meta.key).collect()
}

/// What the trees say of the days after every series' history.
#[derive(Serialize, Deserialize)]
pub struct TreesTonight {
    /// Mean demand per day at the level of forecasts before they are brought to that of whole days;
    /// empty for a series that is too young.
    pub means: Vec<Vec<f32>>,
    /// Likewise of the days between a series' last fit and tonight, as was to be said then.
    pub since: Vec<Vec<f32>>,
    /// The level of each series that the regression's factors and theirs are applied to, units a
    /// whole day.
    pub level: Vec<f32>,
}

impl TreesTonight {
    /// Asks about `steps` days from the end of every series on.
    pub fn ask(
        trees: &TreesLearner,
        board: &Board,
        whole_days: &[f64],
        steps: usize,
    ) -> TreesTonight {
        let ends: Vec<Vec<usize>> = board.lives.iter().map(|life| vec![life.days()]).collect();
        let mut means = trees.forecast(board, &ends, steps);
        let of = |(i, life): (usize, &Life)| board.level(i, life.days()) as f32;
        let start = board.lives.iter().enumerate().map(of).collect();
        level(&mut means, whole_days);
        TreesTonight { means, since: Vec::new(), level: start }
    }

    /// Also asks what was to be said of the days since each remembered series was fitted.
    pub fn catch_up(
        &mut self,
        trees: &TreesLearner,
        board: &Board,
        whole_days: &[f64],
        input: &ForecastInput,
        memory: &Memory,
    ) {
        let of = |i: usize| memory.series.get(&input.meta[i].key);
        let seen = |i: usize, memory: &SeriesMemory| memory.seen(&input.panel.series(i));
        let origins: Vec<Vec<usize>> = (0..input.panel.len())
            .map(|i| of(i).map(|memory| seen(i, memory)).into_iter().collect())
            .collect();
        let gap = |(i, origins): (usize, &Vec<usize>)| {
            origins.first().map_or(0, |&seen| board.lives[i].days() - seen)
        };
        let gaps: Vec<usize> = origins.iter().enumerate().map(gap).collect();
        let steps = gaps.iter().copied().max().unwrap_or(0);
        self.since = vec![Vec::new(); origins.len()];
        if steps == 0 {
            return;
        }
        self.since = trees.forecast(board, &origins, steps);
        self.since.iter_mut().zip(&gaps).for_each(|(since, &gap)| since.truncate(gap));
        level(&mut self.since, whole_days);
    }

    /// For a series that goes on from its last fit: the days since, then those to come.
    pub fn since_fit(&self, i: usize) -> Vec<f32> {
        let mut means = self.since.get(i).cloned().unwrap_or_default();
        means.extend(&self.means[i]);
        means
    }
}

/// Trees learn from whole days; every other model's forecast is brought to their level afterwards.
pub fn level(means: &mut [Vec<f32>], whole_days: &[f64]) {
    for (means, &whole) in means.iter_mut().zip(whole_days) {
        means.iter_mut().for_each(|mean| *mean /= whole.max(1e-3) as f32);
    }
}
