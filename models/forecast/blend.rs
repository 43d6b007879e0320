//! Combinations of forecasts. What several models agree on is rarely far off, and a combination is
//! hardly ever the worst (Bates & Granger 1969; the M competitions since).

use serde::{Deserialize, Serialize};

/// Members with less are left out, which saves their fits.
pub const WEIGHT_MIN: f64 = 0.04;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    pub rule: Rule,
    /// Steps of the horizon that share weights; the last ones hold for what lies beyond.
    pub stage_steps: usize,
    /// Per stage and candidate, 0 for those that are no members; a median only asks whether there
    /// is one.
    pub weights: Vec<Vec<f64>>,
}

impl Blend {
    /// The same weights over the whole horizon.
    pub fn even(rule: Rule, weights: Vec<f64>) -> Blend {
        Blend { rule, stage_steps: usize::MAX, weights: vec![weights] }
    }

    /// Weights of the candidates at a step of the horizon.
    pub fn at(&self, step: usize) -> &[f64] {
        &self.weights[stage(step, self.stage_steps, self.weights.len())]
    }

    /// Weights of one candidate by stage.
    pub fn of(&self, candidate: usize) -> Vec<f64> {
        self.weights.iter().map(|stage| stage[candidate]).collect()
    }

    /// Whether a candidate has a weight at any step.
    pub fn has(&self, candidate: usize) -> bool {
        self.weights.iter().any(|stage| stage[candidate] > 0.0)
    }
}

/// The stage of a step, the last of `stages` for what lies beyond.
pub fn stage(step: usize, stage_steps: usize, stages: usize) -> usize {
    (step / stage_steps.max(1)).min(stages - 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    Median,
    Weighted,
}

impl Rule {
    /// One value from (value, weight) pairs, which it may reorder. Weights need not add up to one;
    /// when all are zero the plain mean is taken.
    pub fn combine(self, values: &mut [(f64, f64)]) -> f64 {
        match self {
            Rule::Median => {
                values.sort_by(|a, b| a.0.total_cmp(&b.0));
                let n = values.len();
                0.5 * (values[(n - 1) / 2].0 + values[n / 2].0)
            }
            Rule::Weighted => {
                let total: f64 = values.iter().map(|v| v.1).sum();
                if total > 0.0 {
                    values.iter().map(|(value, weight)| value * weight).sum::<f64>() / total
                } else {
                    values.iter().map(|v| v.0).sum::<f64>() / values.len() as f64
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blends_by_hand() {
        let values = [(1.0, 0.5), (9.0, 0.25), (2.0, 0.25)];
        assert_eq!(Rule::Median.combine(&mut values.clone()), 2.0);
        assert_eq!(Rule::Median.combine(&mut values[..2].to_vec()), 5.0);
        assert_eq!(Rule::Weighted.combine(&mut values.clone()), 3.25);
    }
}
