//! What the other items of a category at the same place are sold for: the regressor of
//! cannibalisation.

use std::collections::BTreeMap;

use super::super::drivers::{ForecastInput, SeriesMeta};
use crate::calendar::Day;

/// Share of a category's series on promotion from which it is a peak, not a rival: when everything
/// is on promotion, as on Double-11, what the peak does and what the others do cannot be told
/// apart.
const PEAK_SHARE: f32 = 0.5;

/// Sums over the series of a category in a region on one day.
#[derive(Clone, Copy, Default)]
struct Sums {
    depth: f32,
    promoted: f32,
    series: f32,
}

/// Promotions of the series of a category in a region, per day.
#[derive(Clone)]
pub struct Rivals {
    /// (category, region) to its days.
    days: BTreeMap<(u32, u32), Vec<Sums>>,
}

impl Rivals {
    /// Days `first .. first + days`.
    pub fn new(input: &ForecastInput, first: Day, days: usize) -> Rivals {
        let panel = input.panel;
        let mut of: BTreeMap<(u32, u32), Vec<Sums>> = BTreeMap::new();
        for (i, meta) in input.meta.iter().enumerate() {
            let key = (meta.category, meta.region);
            let sums = of.entry(key).or_insert_with(|| vec![Sums::default(); days]);
            let from = (panel.start[i] - first).max(0) as usize;
            for (sum, &depth) in sums[from..].iter_mut().zip(panel.drivers(i).promo_depth) {
                let depth = super::features::depth(depth);
                sum.depth += depth;
                sum.promoted += f32::from(u8::from(depth > 0.0));
                sum.series += 1.0;
            }
        }
        Rivals { days: of }
    }

    /// Mean depth of the others on day `day` for a series whose own is `own`; 0 without others and
    /// on a peak.
    pub fn depth(&self, meta: &SeriesMeta, day: usize, own: f32) -> f32 {
        let Some(days) = self.days.get(&(meta.category, meta.region)) else { return 0.0 };
        let Sums { depth, promoted, series } = days[day];
        if series < 1.5 || promoted > PEAK_SHARE * series {
            return 0.0;
        }
        ((depth - own) / (series - 1.0)).max(0.0)
    }
}
