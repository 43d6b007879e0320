//! What history and forecast say about a line, for the gates.

use crate::plan::gates::{Evidence, OrderTerms, usual_daily_demand};
use crate::plan_sku::decide::largest_over;
use crate::plan_sku::input::ItemSupply;
use crate::policy::terms::SupplyTerms;

/// Of a line on `terms` that serves the locations `serves` of an item.
pub(super) fn evidence_of(
    item: &ItemSupply,
    serves: &[usize],
    terms: &SupplyTerms,
    protection_days: u32,
    arrives_in_days: u32,
) -> Evidence {
    let places = || serves.iter().map(|&at| &item.locations[at]);
    let histories = || places().filter_map(|place| place.history);
    let selling = || places().filter(|place| place.demand.is_some());
    let shelf_life_days = terms.shelf_life_days.or(item.shelf_life_days);
    Evidence {
        usual_daily: histories()
            .filter_map(|history| usual_daily_demand(&history))
            .reduce(|sum, place| sum + place),
        plain_daily: selling()
            .map(|place| place.plain_daily)
            .reduce(|sum, place| Some(sum? + place?))
            .flatten(),
        protection_days,
        by_neighbours: selling().any(|place| place.by_neighbours),
        shelf_life_days,
        arrives_in_days,
        // Of several locations the sum, which is at least what they sold together.
        largest_in_shelf_life: shelf_life_days.and_then(|days| {
            let largest = histories().map(|history| largest_over(history.sold, days));
            largest.reduce(i64::saturating_add)
        }),
        max_order_qty: item.max_order_qty,
        terms: Some(OrderTerms::of(terms, &item.unit)),
        ..Evidence::default()
    }
}
