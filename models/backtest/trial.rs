//! What every model would have forecast of one series at every cutoff.

use serde::{Deserialize, Serialize};

use super::checkpoint::runs;
use super::portfolio::is_yardstick;
use crate::forecast::blend::Blend;
use crate::forecast::model::{History, Model, SEASON_DAYS};

/// A cutoff needs this many days of history before it.
const TRAINING_DAYS_MIN: usize = 21;

/// Where the cutoffs of a series lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origins {
    /// History days before the first cutoff.
    pub first: usize,
    pub count: usize,
    pub step: usize,
    /// Days scored after each cutoff.
    pub horizon: usize,
}

impl Origins {
    /// At most `count` cutoffs, `step` days apart, the last `horizon` days before the end of
    /// `history` days. A short history has a shorter horizon and fewer cutoffs, so that at least
    /// half of it stays to learn from; none at all when it is shorter than a month.
    pub fn new(history: usize, horizon: usize, count: usize, step: usize) -> Origins {
        let step = step.max(1);
        let horizon = horizon.min((history / 4).max(SEASON_DAYS));
        let learn = TRAINING_DAYS_MIN.max(history / 2);
        let room = history.saturating_sub(learn + horizon);
        let enough = history >= learn + horizon && horizon > 0;
        let count = if enough { count.min(room / step + 1) } else { 0 };
        let first = if count > 0 { history - horizon - (count - 1) * step } else { history };
        Origins { first, count, step, horizon }
    }

    /// History days before each cutoff.
    pub fn ends(&self) -> Vec<usize> {
        (0..self.count).map(|k| self.at(k)).collect()
    }

    /// History days before cutoff `k`.
    pub fn at(&self, k: usize) -> usize {
        self.first + k * self.step
    }
}

/// Mean forecasts of all candidates at all cutoffs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    pub origins: Origins,
    /// `means[(candidate * count + cutoff) * horizon + step]`, NaN for a model without a fit.
    #[serde(with = "runs")]
    pub means: Vec<f32>,
}

impl Trial {
    /// Fits the models that are `asked` before the first cutoff and lets them follow the days to the
    /// later ones with the same parameters. The whole history is given; its pooled effects were
    /// learned from days before the first cutoff only. Yardsticks have the days that were `seen`
    /// whole and nothing else. Blends stay NaN, for [`Trial::fill`].
    pub fn run(
        whole: &History,
        seen: &[f64],
        models: &[Model],
        origins: Origins,
        asked: impl Fn(Model) -> bool,
    ) -> Trial {
        let means = vec![f32::NAN; models.len() * origins.count * origins.horizon];
        let mut trial = Trial { origins, means };
        if origins.count == 0 {
            return trial;
        }
        let mut out = vec![0.0; origins.horizon];
        for (c, model) in models.iter().enumerate().filter(|(_, model)| asked(**model)) {
            let demand = if is_yardstick(*model) { seen } else { whole.demand };
            let history = History { demand: &demand[..origins.first], ..*whole };
            let Ok(mut fitted) = model.fit(&history) else { continue };
            for k in 0..origins.count {
                if k > 0 {
                    demand[origins.at(k - 1)..origins.at(k)].iter().for_each(|&d| fitted.update(d));
                }
                fitted.forecast(&mut out);
                trial.means_mut(c, k).iter_mut().zip(&out).for_each(|(mean, &value)| {
                    *mean = if value.is_finite() { value.max(0.0) as f32 } else { f32::NAN };
                });
            }
        }
        trial
    }

    /// Brings forecasts to another level, but for the yardsticks'.
    pub fn scale(&mut self, models: &[Model], level: f64) {
        let of_model = self.origins.count * self.origins.horizon;
        if of_model == 0 {
            return;
        }
        for (means, _) in self
            .means
            .chunks_exact_mut(of_model)
            .zip(models)
            .filter(|(_, model)| !is_yardstick(**model))
        {
            means.iter_mut().for_each(|mean| *mean *= level as f32);
        }
    }

    /// Fills in what a learner of all series says: `horizon` values or more from each cutoff on,
    /// `steps` apart. Nothing when there are none.
    pub fn tell(&mut self, candidate: usize, means: &[f32], steps: usize) {
        for (k, from) in means.chunks_exact(steps.max(1)).enumerate().take(self.origins.count) {
            let horizon = self.origins.horizon;
            self.means_mut(candidate, k).copy_from_slice(&from[..horizon]);
        }
    }

    /// Fills in a blend of those of its members that have a forecast.
    pub fn fill(&mut self, candidate: usize, blend: &Blend) {
        let weighty = |&m: &usize| blend.has(m) && self.has(m);
        let members: Vec<usize> = (0..blend.weights[0].len()).filter(weighty).collect();
        if members.is_empty() {
            return;
        }
        let mut values = vec![(0.0, 0.0); members.len()];
        for k in 0..self.origins.count {
            for step in 0..self.origins.horizon {
                let weights = blend.at(step);
                for (value, &m) in values.iter_mut().zip(&members) {
                    *value = (f64::from(self.means(m, k)[step]), weights[m]);
                }
                self.means_mut(candidate, k)[step] = blend.rule.combine(&mut values) as f32;
            }
        }
    }

    pub fn means(&self, candidate: usize, cutoff: usize) -> &[f32] {
        let from = (candidate * self.origins.count + cutoff) * self.origins.horizon;
        &self.means[from..from + self.origins.horizon]
    }

    pub fn means_mut(&mut self, candidate: usize, cutoff: usize) -> &mut [f32] {
        let from = (candidate * self.origins.count + cutoff) * self.origins.horizon;
        &mut self.means[from..from + self.origins.horizon]
    }

    /// Whether the candidate has a forecast for every day of every cutoff.
    pub fn has(&self, candidate: usize) -> bool {
        (0..self.origins.count).all(|k| self.means(candidate, k).iter().all(|m| m.is_finite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutoffs_leave_half_of_the_history_to_learn_from() {
        for (history, horizon, want) in [
            (76, 14, (41, 4, 14)),
            (730, 42, (667, 4, 42)),
            (60, 42, (31, 3, 15)),
            (27, 14, (27, 0, 7)),
            (28, 14, (21, 1, 7)),
            (0, 14, (0, 0, 7)),
        ] {
            let got = Origins::new(history, horizon, 4, 7);
            assert_eq!((got.first, got.count, got.horizon), want, "{history} {horizon}");
            assert!(got.count == 0 || got.at(got.count - 1) + got.horizon == history);
        }
    }
}
