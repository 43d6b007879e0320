//! Prices and promotions by series and day, history and plan together.

use std::collections::HashMap;

use granary_models::calendar::Day;

use super::facts::Facts;
use super::panel::{Index, SeriesKey};
use crate::store::sales::SalesDay;

/// An item, and the location where the plan names one.
type PlanKey = (usize, Option<usize>);

/// Planned prices and usual prices.
pub struct PriceBook<'a> {
    facts: &'a Facts,
    /// `(starts_on, price_minor)` by date.
    plans: HashMap<PlanKey, Vec<(Day, i64)>>,
}

impl<'a> PriceBook<'a> {
    pub fn new(facts: &'a Facts, index: &Index) -> PriceBook<'a> {
        let mut plans: HashMap<_, Vec<_>> = HashMap::new();
        for plan in &facts.price_plan {
            let Some(item) = index.item(&plan.item_id) else { continue };
            let location = index.location(&plan.location_id);
            plans.entry((item, location)).or_default().push((plan.starts_on, plan.price_minor));
        }
        PriceBook { facts, plans }
    }

    /// Regular price over usual price for each of `length` days from `start`, 1 where unknown; and
    /// the usual price in minor units: the item's own, or the median of those that were asked.
    ///
    /// A promotion's discount is taken out of the asked price first, because its depth is a
    /// driver of its own. Days without a row keep the last price; the plan speaks for the future.
    pub fn ratios(
        &self,
        key: SeriesKey,
        start: Day,
        length: usize,
        days: &[SalesDay],
        depths: &[f32],
    ) -> (Vec<f32>, Option<f64>) {
        let regular: Vec<(usize, f64)> = days
            .iter()
            .filter_map(|day| {
                let at = (day.date - start) as usize;
                let price = day.price_minor? as f64 / (1.0 - f64::from(depths[at])).max(0.01);
                (price > 0.0).then_some((at, price))
            })
            .collect();
        let usual = self.facts.items[key.item]
            .unit_price_minor
            .map(|price| price as f64)
            .filter(|price| *price > 0.0)
            .or_else(|| median(regular.iter().map(|(_, price)| *price)));
        let Some(usual) = usual else { return (vec![1.0; length], None) };
        let mut ratios = Vec::with_capacity(length);
        let mut known = regular.iter().peekable();
        let mut price = known.peek().map_or(usual, |(_, price)| *price);
        let history = (self.facts.business_date - start) as usize;
        for at in 0..length {
            while let Some((_, seen)) = known.next_if(|(day, _)| *day <= at) {
                price = *seen;
            }
            if at >= history
                && let Some(planned) = self.planned(key, start + at as i32)
            {
                price = planned as f64;
            }
            ratios.push((price / usual) as f32);
        }
        (ratios, Some(usual))
    }

    fn planned(&self, key: SeriesKey, day: Day) -> Option<i64> {
        let plan = self
            .plans
            .get(&(key.item, Some(key.location)))
            .or_else(|| self.plans.get(&(key.item, None)))?;
        let after = plan.partition_point(|(starts_on, _)| *starts_on <= day);
        Some(plan[after.checked_sub(1)?].1)
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

struct Window {
    starts_on: Day,
    ends_on: Day,
    depth: f32,
    location: Option<usize>,
}

/// Promotions by item; those of a category are spread over its items once.
pub struct PromotionBook {
    by_item: HashMap<usize, Vec<Window>>,
}

impl PromotionBook {
    pub fn new(facts: &Facts, index: &Index) -> PromotionBook {
        let mut by_category: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, item) in facts.items.iter().enumerate() {
            by_category.entry(&item.category).or_default().push(i);
        }
        let mut by_item: HashMap<usize, Vec<Window>> = HashMap::new();
        for promotion in &facts.promotions {
            let location = match promotion.location_id.as_str() {
                "" => None,
                id => match index.location(id) {
                    Some(location) => Some(location),
                    None => continue,
                },
            };
            let items: Vec<usize> = match promotion.item_id.as_str() {
                "" => by_category.get(promotion.category.as_str()).cloned().unwrap_or_default(),
                id => index.item(id).into_iter().collect(),
            };
            for item in items {
                by_item.entry(item).or_default().push(Window {
                    starts_on: promotion.starts_on,
                    ends_on: promotion.ends_on,
                    depth: promotion.depth as f32,
                    location,
                });
            }
        }
        PromotionBook { by_item }
    }

    /// Whether anybody plans promotions for this item at all.
    pub fn plans(&self, item: usize) -> bool {
        self.by_item.contains_key(&item)
    }

    /// Writes the deepest promotion of each day from `start` on.
    pub fn fill(&self, key: SeriesKey, start: Day, depths: &mut [f32]) {
        let end = start + depths.len() as i32;
        for window in self.by_item.get(&key.item).into_iter().flatten() {
            if window.location.is_some_and(|location| location != key.location) {
                continue;
            }
            for day in window.starts_on.max(start).until((window.ends_on + 1).min(end)) {
                let depth = &mut depths[(day - start) as usize];
                *depth = depth.max(window.depth);
            }
        }
    }
}
