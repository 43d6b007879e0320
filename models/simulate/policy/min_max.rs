//! Min/max as most tools have it: at or below the minimum, order up to the maximum.

use super::{Situation, recent_moments, units_up_to};

/// With mean `m` and deviation `sd` of the last periods and a protection interval of `P` periods,
/// the minimum is `m P + z sd √P`, the maximum `order_cover_periods` of mean demand above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinMax {
    /// Periods of history that mean and deviation come from.
    pub window_periods: usize,
    /// Standard deviations of safety; `None`: those of the critical ratio.
    pub z: Option<f64>,
    pub order_cover_periods: f64,
}

impl Default for MinMax {
    fn default() -> MinMax {
        MinMax { window_periods: 26, z: None, order_cover_periods: 4.0 }
    }
}

impl MinMax {
    pub fn ask(&self, situation: &Situation) -> i64 {
        let Some((mean, deviation)) = recent_moments(situation.history, self.window_periods) else {
            return 0;
        };
        let z = situation.safety_factor(self.z);
        let periods = situation.protection_periods() as f64;
        let least = mean * periods + z * deviation * periods.sqrt();
        let position = situation.stock.position();
        if position as f64 > least || mean <= 0.0 {
            return 0;
        }
        units_up_to(least + self.order_cover_periods * mean, position).max(0)
    }
}
