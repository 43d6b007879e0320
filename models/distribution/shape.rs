//! How the spread of a class of demand differs from its family's: wider with the steps ahead, and
//! with other quantiles than the negative binomial's.
//!
//! A level is corrected by what a backtest saw: where the actual values fell in the forecast
//! distributions (the probability integral transform), a level `p` of theirs stands at the `p`
//! quantile of those places (conformal predictive distributions, Vovk et al. 2017; Kuleshov et al.
//! 2018). The correction keeps the order of levels, so quantiles never cross, and counts stay
//! counts. Paths use the same corrected levels.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::LEVELS;
use super::count::{LEVELS_Z, Levels};

/// The correction at the nine levels, as a shift of the standard normal score.
pub type Shift = [f64; LEVELS.len()];

/// Corrected scores rise by at least this from one of the nine levels to the next.
const SCORE_STEP_MIN: f64 = 0.02;

/// Spread of some consecutive steps of the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Factor on the series' dispersion.
    pub growth: f64,
    pub shift: Shift,
}

impl Default for Stage {
    fn default() -> Stage {
        Stage { growth: 1.0, shift: [0.0; LEVELS.len()] }
    }
}

/// Stages of the horizon, each `stage_steps` long; the last one goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "StoredShape", into = "StoredShape")]
pub struct SpreadShape {
    stage_steps: usize,
    stages: Vec<Stage>,
    nine: Vec<Levels>,
    strata: OnceLock<Vec<Levels>>,
}

/// What of a shape is stored.
#[derive(Serialize, Deserialize)]
struct StoredShape {
    stage_steps: usize,
    stages: Vec<Stage>,
}

impl From<StoredShape> for SpreadShape {
    fn from(stored: StoredShape) -> SpreadShape {
        SpreadShape::new(stored.stage_steps, stored.stages)
    }
}

impl From<SpreadShape> for StoredShape {
    fn from(shape: SpreadShape) -> StoredShape {
        StoredShape { stage_steps: shape.stage_steps, stages: shape.stages }
    }
}

impl Clone for SpreadShape {
    fn clone(&self) -> SpreadShape {
        SpreadShape::new(self.stage_steps, self.stages.clone())
    }
}

impl Default for SpreadShape {
    /// The family as it is.
    fn default() -> SpreadShape {
        SpreadShape::new(1, vec![Stage::default()])
    }
}

impl PartialEq for SpreadShape {
    fn eq(&self, other: &SpreadShape) -> bool {
        (self.stage_steps, &self.stages) == (other.stage_steps, &other.stages)
    }
}

impl SpreadShape {
    /// Without a stage it is the family as it is.
    pub fn new(stage_steps: usize, mut stages: Vec<Stage>) -> SpreadShape {
        if stages.is_empty() {
            stages.push(Stage::default());
        }
        let nine = stages.iter().map(|stage| corrected(&stage.shift, &LEVELS_Z)).collect();
        SpreadShape { stage_steps: stage_steps.max(1), stages, nine, strata: OnceLock::new() }
    }

    /// Index of the stage of a step of the horizon, 0 being the first.
    pub fn stage(&self, step: usize) -> usize {
        (step / self.stage_steps).min(self.stages.len() - 1)
    }

    /// Factor on the dispersion at a step.
    pub fn growth(&self, step: usize) -> f64 {
        self.stages[self.stage(step)].growth
    }

    /// The corrected nine levels of a step.
    pub fn nine(&self, step: usize) -> &Levels {
        &self.nine[self.stage(step)]
    }

    /// The corrected `levels` of each stage. Those of the first call are kept, for a plan draws
    /// many series with one set of levels.
    pub fn strata(&self, levels: &Levels) -> Cow<'_, [Levels]> {
        let corrected = || -> Vec<Levels> {
            self.stages.iter().map(|stage| corrected(&stage.shift, levels.scores())).collect()
        };
        let kept = self.strata.get_or_init(corrected);
        if kept[0].len() == levels.len() { Cow::Borrowed(kept) } else { Cow::Owned(corrected()) }
    }
}

/// Levels at the shifted scores; between the nine the shift is interpolated, beyond them it stays.
fn corrected(shift: &Shift, scores: &[f64]) -> Levels {
    let mut knots = [0.0; LEVELS.len()];
    for k in 0..knots.len() {
        let score = LEVELS_Z[k] + shift[k];
        knots[k] = if k > 0 { score.max(knots[k - 1] + SCORE_STEP_MIN) } else { score };
    }
    let at = |score: f64| {
        let above = LEVELS_Z.partition_point(|&z| z <= score);
        if above == 0 {
            return score + knots[0] - LEVELS_Z[0];
        }
        if above == LEVELS_Z.len() {
            return score + knots[above - 1] - LEVELS_Z[above - 1];
        }
        let (low, high) = (LEVELS_Z[above - 1], LEVELS_Z[above]);
        let share = (score - low) / (high - low);
        knots[above - 1] + share * (knots[above] - knots[above - 1])
    };
    Levels::at_scores(scores.iter().map(|&score| at(score)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::count::CountDemand;

    #[test]
    fn without_a_shift_the_levels_stay() {
        let plain = SpreadShape::default();
        for mean in [0.3, 4.0, 70.0, 5e4] {
            let day = CountDemand::new(mean, 0.3);
            assert_eq!(day.at(plain.nine(5)), day.nine(), "{mean}");
        }
    }

    #[test]
    fn any_shift_keeps_quantiles_in_order() {
        let wild = [3.0, -2.0, 5.0, -4.0, 0.0, 1.0, -3.0, 8.0, -8.0];
        let shape = SpreadShape::new(7, vec![Stage { growth: 2.0, shift: wild }]);
        for mean in [0.01, 1.0, 30.0, 1e3, 1e6] {
            let nine = CountDemand::new(mean, 0.5).at(shape.nine(0));
            assert!(nine.windows(2).all(|w| w[0] <= w[1]), "{nine:?}");
        }
    }

    #[test]
    fn a_uniform_shift_moves_every_level_by_it() {
        let stage = Stage { growth: 1.0, shift: [LEVELS_Z[5]; 9] };
        let shape = SpreadShape::new(1, vec![stage]);
        let day = CountDemand::new(5_000.0, 0.1);
        // The corrected median is the family's upper quartile.
        assert_eq!(day.at(shape.nine(0))[4], day.nine()[5]);
    }
}
