//! Combinations of forecasts. What several models agree on is rarely far off, and a combination is
//! hardly ever the worst (Bates & Granger 1969; the M competitions since).

use serde::{Deserialize, Serialize};

/// Weight of a member falls with this power of its loss.
const LOSS_POWER: i32 = 25;
/// Members with less are left out, which saves their fits.
const WEIGHT_MIN: f64 = 0.04;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Blend {
    Median,
    /// A weight per candidate, 0 for those that are no members.
    Weighted(Vec<f64>),
}

impl Blend {
    /// Weights from average relative losses of the members (`None` for candidates that are not).
    pub fn from_losses(losses: &[Option<f64>]) -> Blend {
        let raw = |loss: &Option<f64>| match loss {
            Some(loss) if loss.is_finite() => (1.0 / loss.max(1e-3)).powi(LOSS_POWER),
            _ => 0.0,
        };
        let total: f64 = losses.iter().map(raw).sum();
        let share: Vec<f64> = losses.iter().map(|l| raw(l) / total.max(1e-300)).collect();
        Blend::Weighted(share.into_iter().map(|w| if w < WEIGHT_MIN { 0.0 } else { w }).collect())
    }

    pub fn weight(&self, candidate: usize) -> f64 {
        match self {
            Blend::Median => 1.0,
            Blend::Weighted(weights) => weights[candidate],
        }
    }

    /// One value from (value, weight) pairs, which it may reorder. Weights need not add up to one;
    /// when all are zero the plain mean is taken.
    pub fn combine(&self, values: &mut [(f64, f64)]) -> f64 {
        match self {
            Blend::Median => {
                values.sort_by(|a, b| a.0.total_cmp(&b.0));
                let n = values.len();
                0.5 * (values[(n - 1) / 2].0 + values[n / 2].0)
            }
            Blend::Weighted(_) => {
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
        assert_eq!(Blend::Median.combine(&mut values.clone()), 2.0);
        assert_eq!(Blend::Median.combine(&mut values[..2].to_vec()), 5.0);
        assert_eq!(Blend::Weighted(vec![]).combine(&mut values.clone()), 3.25);
        let Blend::Weighted(weights) = Blend::from_losses(&[Some(1.0), None, Some(1.0), Some(9.0)])
        else {
            panic!("losses make weights");
        };
        assert!((weights[0] - 0.5).abs() < 1e-6 && weights[1] == 0.0 && weights[3] == 0.0);
    }
}
