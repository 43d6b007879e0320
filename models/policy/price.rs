//! What goods cost, and whether the next price tier or a larger lot is worth the waiting stock.

use crate::policy::rounding::{Lot, Rounded, round};
use crate::policy::terms::{BreakKind, PriceBreak, SupplyTerms};
use crate::policy::unit::QtyUnit;

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

/// What `qty` smallest units cost at the list price and its tiers, in minor units times smallest
/// units per base unit. Of incremental tiers each unit pays the price of the tier it lies in.
fn price_of(list_minor: i64, breaks: &[PriceBreak], kind: BreakKind, qty: i64) -> f64 {
    if kind == BreakKind::AllUnits {
        return qty as f64 * unit_cost_minor(list_minor, breaks, qty) as f64;
    }
    let mut tiers: Vec<PriceBreak> = breaks.iter().copied().filter(|t| t.min_qty <= qty).collect();
    tiers.sort_by_key(|tier| tier.min_qty);
    let (mut paid, mut from, mut price) = (0.0, 0, list_minor as f64);
    for tier in tiers {
        // A tier from 100 on holds for the hundredth unit.
        let to = (tier.min_qty - 1).max(from);
        paid += (to - from) as f64 * price;
        (from, price) = (to, tier.unit_cost_minor as f64);
    }
    paid + (qty - from) as f64 * price
}

impl SupplyTerms {
    /// Minor units for `qty` with freight, duty and handling, without what each order costs once.
    pub fn cost_minor(&self, unit: &QtyUnit, qty: i64) -> f64 {
        let price = price_of(self.unit_cost_minor, &self.price_breaks, self.break_kind, qty);
        (price + qty as f64 * self.landed_cost_minor as f64) / unit.per_base() as f64
    }

    /// The price per base unit that a line of `qty` shows: of its tier, or the mean over all tiers
    /// that it fills, to the nearest minor unit.
    pub fn price_minor(&self, qty: i64) -> i64 {
        if self.break_kind == BreakKind::AllUnits || qty <= 0 {
            return unit_cost_minor(self.unit_cost_minor, &self.price_breaks, qty);
        }
        let price = price_of(self.unit_cost_minor, &self.price_breaks, self.break_kind, qty);
        (price / qty as f64).round() as i64
    }
}

/// The quantity to ask the lot for: `need`, or more where a price tier pays for the waiting stock.
pub fn with_breaks(
    need: i64,
    list_minor: i64,
    breaks: &[PriceBreak],
    kind: BreakKind,
    lot: Lot,
    costs: BreakCosts,
) -> i64 {
    match kind {
        BreakKind::AllUnits => with_all_units(need, list_minor, breaks, lot, costs),
        BreakKind::Incremental => with_incremental(need, list_minor, breaks, lot, costs),
    }
}

/// Units beyond the need replace later purchases of the plain order's mean price, and are held until
/// they sell: within a tier the gain is a parabola, so its best lot is next to the peak or at an end
/// (Hadley & Whitin 1963, section 2-12).
fn with_incremental(
    need: i64,
    list_minor: i64,
    breaks: &[PriceBreak],
    lot: Lot,
    costs: BreakCosts,
) -> i64 {
    let plain = round(need, lot);
    if plain.qty == 0 || plain.cut > 0 || costs.daily_demand <= 0.0 {
        return need;
    }
    let cost =
        |qty: i64| price_of(list_minor, breaks, BreakKind::Incremental, qty) / costs.per_base;
    let mean_price = cost(plain.qty) / plain.qty as f64;
    let most = lot.capacity.map_or(costs.most, |capacity| costs.most.min(capacity));
    let gain = |qty: i64| {
        let extra = (qty - plain.qty) as f64;
        let days_held = costs.cover_days + extra / (2.0 * costs.daily_demand);
        qty as f64 * mean_price - cost(qty) - extra * days_held * costs.holding_per_day
    };
    let mut tiers: Vec<PriceBreak> = breaks.to_vec();
    tiers.sort_by_key(|tier| tier.min_qty);
    let step = lot.multiple.max(1);
    let mut best = (0.0, need);
    for (at, tier) in tiers.iter().enumerate() {
        let to = tiers.get(at + 1).map_or(most, |next| most.min(next.min_qty - 1));
        let from = tier.min_qty.max(plain.qty + 1);
        let saved = mean_price - tier.unit_cost_minor as f64 / costs.per_base;
        let peak = if costs.holding_per_day > 0.0 {
            let extra = costs.daily_demand * (saved / costs.holding_per_day - costs.cover_days);
            (plain.qty as f64 + extra).clamp(0.0, most.max(0) as f64) as i64
        } else {
            most
        };
        for qty in [from, peak, peak.saturating_add(step), to] {
            for qty in [qty - qty.rem_euclid(step), qty.saturating_add(step - 1) / step * step] {
                if qty >= from && qty <= to && gain(qty) > best.0 {
                    best = (gain(qty), qty);
                }
            }
        }
    }
    best.1
}

/// How many reviews an order should last: fewer orders pay their fixed cost less often, and hold
/// more. The best `k` has `k (k − 1) ≤ 2 K / (h d R²) ≤ k (k + 1)`, for a fixed cost `K`, holding
/// `h` per unit and day, demand `d` a day and `R` days between orders (Silver, Pyke & Thomas 2017,
/// section 4.5). At most `most_days` of cover.
pub fn reviews_per_order(fixed_minor: f64, costs: &BreakCosts, most_days: f64) -> u32 {
    let rate = costs.holding_per_day * costs.daily_demand * costs.cover_days.powi(2);
    let most = (most_days / costs.cover_days.max(1.0)).floor().clamp(1.0, 1e6) as u32;
    if fixed_minor <= 0.0 || costs.cover_days <= 0.0 || costs.daily_demand <= 0.0 {
        return 1;
    }
    let ratio = if rate > 0.0 { 2.0 * fixed_minor / rate } else { f64::INFINITY };
    let best = (0.25 + ratio).sqrt() + 0.5;
    (best.floor().clamp(1.0, f64::from(most))) as u32
}

/// Each tier's cheapest feasible quantity is the smallest allowed one from its threshold on (Hadley
/// & Whitin 1963). Units beyond the need replace later purchases at today's price, and are held
/// until they sell. Returns the best quantity to ask the lot for: `need` when no tier pays.
fn with_all_units(
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
