//! What share of an item's sales comes back.

use std::collections::HashMap;

use crate::jobs::nightly::facts::Facts;
use crate::jobs::nightly::panel::Index;

/// Units sold of its category that speak for an item beside its own.
const CATEGORY_WEIGHT_UNITS: f64 = 50.0;

/// Per item: units returned over units sold, drawn towards that of its category.
pub struct ReturnShares {
    of_item: Vec<f64>,
}

impl ReturnShares {
    pub fn learn(facts: &Facts, index: &Index) -> ReturnShares {
        let mut counts = vec![(0.0, 0.0); facts.items.len()];
        for series in &facts.sales {
            let Some(item) = index.item(&series.item_id) else { continue };
            let per_base = 10f64.powi(facts.items[item].qty_decimals as i32);
            for day in &series.days {
                counts[item].0 += f64::from(day.returned_qty) / per_base;
                counts[item].1 += day.qty as f64 / per_base;
            }
        }
        let mut categories: HashMap<&str, (f64, f64)> = HashMap::new();
        for (item, (returned, sold)) in facts.items.iter().zip(&counts) {
            let category = categories.entry(&item.category).or_default();
            category.0 += returned;
            category.1 += sold;
        }
        let share =
            |(item, &(returned, sold)): (&crate::store::inputs::master::Item, &(f64, f64))| {
                let (all_returned, all_sold) = categories[item.category.as_str()];
                let pooled = if all_sold > 0.0 { all_returned / all_sold } else { 0.0 };
                let share =
                    (returned + CATEGORY_WEIGHT_UNITS * pooled) / (sold + CATEGORY_WEIGHT_UNITS);
                share.clamp(0.0, 0.99)
            };
        ReturnShares { of_item: facts.items.iter().zip(&counts).map(share).collect() }
    }

    pub fn of(&self, item: usize) -> f64 {
        self.of_item[item]
    }
}
