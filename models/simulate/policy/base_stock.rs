//! Base stock: at every review, up to a level that lasts until the next order has arrived.

use super::{Situation, recent_moments, units_up_to};

/// With mean `m` and deviation `sd` of the last periods and a protection interval of `P` periods,
/// the level is `m P + z sd √P` (Silver, Pyke & Thomas 2017, §6.9).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseStock {
    /// Periods of history that mean and deviation come from.
    pub window_periods: usize,
    /// Standard deviations of safety; `None`: those of the critical ratio.
    pub z: Option<f64>,
}

impl Default for BaseStock {
    fn default() -> BaseStock {
        BaseStock { window_periods: 26, z: None }
    }
}

impl BaseStock {
    pub fn ask(&self, situation: &Situation) -> i64 {
        let Some((mean, deviation)) = recent_moments(situation.history, self.window_periods) else {
            return 0;
        };
        let z = situation.safety_factor(self.z);
        let periods = situation.protection_periods() as f64;
        let level = mean * periods + z * deviation * periods.sqrt();
        units_up_to(level, situation.stock.position()).max(0)
    }
}
