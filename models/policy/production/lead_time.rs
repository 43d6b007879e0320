//! How long the maker takes.

use super::ProductionError;

/// Days from the start of a batch until it is ready to ship.
#[derive(Clone, Debug, PartialEq)]
pub struct MakerLeadTime {
    /// (days, P(lead time ≤ days)), both rising, ending at 1.
    at_most: Vec<(u16, f64)>,
}

impl MakerLeadTime {
    pub fn fixed(days: u16) -> MakerLeadTime {
        MakerLeadTime { at_most: vec![(days, 1.0)] }
    }

    /// From (days, weight) pairs in any order; weights ≥ 0 with a positive finite sum.
    pub fn from_weights(weights: &[(u16, f64)]) -> Result<MakerLeadTime, ProductionError> {
        let total: f64 = weights.iter().map(|&(_, weight)| weight).sum();
        if !(total.is_finite() && total > 0.0) || weights.iter().any(|&(_, weight)| weight < 0.0) {
            return Err(ProductionError::OutOfRange {
                name: "lead time weights' sum",
                value: total,
                legal: "above 0, of weights that are at least 0",
            });
        }
        let mut sorted: Vec<(u16, f64)> =
            weights.iter().copied().filter(|&(_, weight)| weight > 0.0).collect();
        sorted.sort_by_key(|&(days, _)| days);
        let mut so_far = 0.0;
        for (_, weight) in &mut sorted {
            so_far += *weight / total;
            *weight = so_far;
        }
        Ok(MakerLeadTime { at_most: sorted })
    }

    /// Smallest number of days that is enough with probability `level`.
    pub fn quantile_days(&self, level: f64) -> i32 {
        let place = self.at_most.partition_point(|&(_, enough)| enough < level - 1e-12);
        i32::from(self.at_most[place.min(self.at_most.len() - 1)].0)
    }

    /// P(ready within `days`).
    pub fn ready_within(&self, days: i32) -> f64 {
        let place = self.at_most.partition_point(|&(lead, _)| i32::from(lead) <= days);
        if place == 0 { 0.0 } else { self.at_most[place - 1].1.min(1.0) }
    }
}
