//! All-units price breaks: is the next tier worth the waiting stock?

use crate::policy::rounding::{Lot, Rounded, round};
use crate::policy::terms::PriceBreak;

/// What it takes to judge a tier.
#[derive(Clone, Copy, Debug)]
pub struct BreakCosts {
    /// Minor units per smallest unit and day.
    pub holding_per_day: f64,
    /// Mean demand per day after the cover window, smallest units.
    pub daily_demand: f64,
    /// Days until the next order arrives: units beyond the need wait at least this long.
    pub cover_days: f64,
    /// Smallest units per base unit, which prices are for.
    pub per_base: f64,
    /// The most that may be ordered at all (shelf life, most cover), smallest units.
    pub most: i64,
}

/// The unit cost that holds for `qty`: of the highest tier reached.
pub fn unit_cost_minor(list_minor: i64, breaks: &[PriceBreak], qty: i64) -> i64 {
    breaks
        .iter()
        .filter(|tier| tier.min_qty <= qty)
        .max_by_key(|tier| tier.min_qty)
        .map_or(list_minor, |tier| tier.unit_cost_minor)
}

/// Each tier's cheapest feasible quantity is the smallest allowed one from its threshold on (Hadley
/// & Whitin 1963). Units beyond the need replace later purchases at today's price, and are held
/// until they sell. Returns the best quantity to ask the lot for: `need` when no tier pays.
pub fn with_breaks(
    need: i64,
    list_minor: i64,
    breaks: &[PriceBreak],
    lot: Lot,
    costs: BreakCosts,
) -> i64 {
    let plain: Rounded = round(need, lot);
    if plain.qty == 0 || costs.daily_demand <= 0.0 {
        return need;
    }
    let base_minor = unit_cost_minor(list_minor, breaks, plain.qty) as f64 / costs.per_base;
    let mut best = (0.0, need);
    let mut tiers: Vec<PriceBreak> =
        breaks.iter().copied().filter(|tier| tier.min_qty > plain.qty).collect();
    tiers.sort_by_key(|tier| tier.min_qty);
    for tier in tiers {
        let there = round(tier.min_qty, lot);
        if there.impossible || there.cut > 0 || there.qty > costs.most {
            continue;
        }
        let tier_minor = unit_cost_minor(list_minor, breaks, there.qty) as f64 / costs.per_base;
        let extra = (there.qty - plain.qty) as f64;
        let days_held = costs.cover_days + extra / (2.0 * costs.daily_demand);
        let gain = there.qty as f64 * (base_minor - tier_minor)
            - extra * days_held * costs.holding_per_day;
        if gain > best.0 {
            best = (gain, tier.min_qty);
        }
    }
    best.1
}
