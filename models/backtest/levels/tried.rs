//! The trials of what was chosen.

use crate::backtest::judge::Judge;
use crate::backtest::trial::{Origins, Trial};
use crate::forecast::demand_class::DemandClass;

/// What would have forecast a series at the cutoffs, each by the choice that had no say from what
/// followed it.
pub struct Tried {
    pub origins: Origins,
    /// `means[cutoff * horizon + step]`, NaN without a forecast.
    means: Vec<f32>,
}

impl Tried {
    /// `held` as in [`crate::backtest::pick::Picked`].
    pub fn of(judge: &Judge, held: &[Vec<usize>]) -> Vec<Tried> {
        let of = |((_, trial), held): (&(DemandClass, Trial), &Vec<usize>)| {
            let origins = trial.origins;
            let means = if held.is_empty() {
                vec![f32::NAN; origins.count * origins.horizon]
            } else {
                held.iter().enumerate().flat_map(|(k, &c)| trial.means(c, k)).copied().collect()
            };
            Tried { origins, means }
        };
        judge.trials.iter().zip(held).map(of).collect()
    }

    pub fn mean(&self, cutoff: usize, step: usize) -> f32 {
        self.means[cutoff * self.origins.horizon + step]
    }
}
