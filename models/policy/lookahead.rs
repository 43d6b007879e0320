//! The order quantity by looking ahead: what every demand path costs if this much is ordered now
//! and a plain rule orders afterwards.
//!
//! Where unmet demand is lost and several orders are on their way, or where goods expire, the best
//! order depends on the whole pipeline and on ages, and the newsvendor on one window misses what
//! this order does to the next ones. One step of policy improvement over a good rule (rollout:
//! Bertsekas, Tsitsiklis & Wu 1997) takes most of what is to be had. The rule is a capped
//! base-stock policy (Xin 2021, Operations Research 69(1)): order up to a level, never more than a
//! cap; for perishables the position leaves out what is expected to expire before the order comes
//! (Haijema & Minner 2019). Its level and cap are fitted on the same paths. All candidates walk the
//! same paths, so that their differences are far less noisy than their costs.
//!
//! Within a day: the order, receipts, demand, expiry, the count. Costs of a day are paid at its end
//! and discounted by the day; an order is paid for as it leaves.

mod ground;
mod rule;
mod walk;

use crate::policy::lookahead::ground::Ground;
use crate::policy::lookahead::rule::Rule;
use crate::policy::order::Window;
use crate::policy::projection::{Opening, PathMatrix, Shortage};

/// Money per smallest unit, in minor units, and per day (or whatever a row of the paths is).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeriodMoney {
    /// Paid for each unit ordered; what is left at the end of the paths is worth as much.
    pub unit_cost: f64,
    /// Per unit in stock at the end of a day.
    pub holding: f64,
    /// Per sale lost: the price and the goodwill, since the unit's cost is saved. Under
    /// [`Shortage::BackOrdered`] per unit owed at the end of a day.
    pub shortage: f64,
    /// Per unit expired, on top of what it cost.
    pub waste: f64,
    /// Of money a day later; 1: none.
    pub discount: f64,
}

/// How far to look, and at what prices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lookahead {
    pub money: PeriodMoney,
    pub shortage: Shortage,
    /// Days from one order to the next, at least 1.
    pub review_days: u32,
    /// Reviews' worth of days to look at after the next order's arrival.
    pub further_reviews: u32,
    /// Beyond the end of the paths their last so many days repeat.
    pub season_days: u32,
    /// The most that can be ordered; `None`: no limit.
    pub most: Option<i64>,
}

impl Lookahead {
    /// Some reviews beyond the next order's arrival, a season of 7 days, no limit.
    pub fn new(money: PeriodMoney, shortage: Shortage, review_days: u32) -> Lookahead {
        Lookahead {
            money,
            shortage,
            review_days: review_days.max(1),
            further_reviews: (FURTHER_DAYS / review_days.max(1)).clamp(2, FURTHER_REVIEWS),
            season_days: 7,
            most: None,
        }
    }
}

/// Reviews to look at after the next order's arrival: with fewer the order does not feel what it
/// does to its followers, with more only the noise grows.
const FURTHER_REVIEWS: u32 = 6;

/// Rare reviews need fewer: the demand between two of them levels much by itself.
const FURTHER_DAYS: u32 = 28;

/// Costs that differ by less are the same, in single precision.
const ROUNDING: f64 = 1e-6;

/// Days that are looked at, at the most.
const MAX_DAYS: usize = 400;

/// Buffers, reused from item to item.
#[derive(Clone, Debug, Default)]
pub struct LookaheadScratch {
    ground: Ground,
    rule: Rule,
    costs: Vec<(i64, f64)>,
}

/// A quantity and what it is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LookaheadOrder {
    /// Smallest units, never negative, before any lot.
    pub qty: i64,
    /// What the plain rule would order.
    pub by_rule: i64,
    /// Expected money over ordering nothing now, minor units.
    pub value: f64,
}

/// One decision laid out: quantities can be priced one by one.
pub struct Prepared<'a> {
    scratch: &'a mut LookaheadScratch,
    most: i64,
    step: i64,
    by_rule: i64,
}

impl Lookahead {
    /// The cheapest quantity. `demand` and `receipts` have the same shape, the window one entry a
    /// path. Days beyond the paths repeat their last season.
    pub fn best_order(
        &self,
        demand: &PathMatrix,
        receipts: &PathMatrix,
        opening: &Opening,
        window: &Window,
        scratch: &mut LookaheadScratch,
    ) -> LookaheadOrder {
        self.prepare(demand, receipts, opening, window, scratch).best()
    }

    /// Lays the paths out and fits the rule.
    pub fn prepare<'a>(
        &self,
        demand: &PathMatrix,
        receipts: &PathMatrix,
        opening: &Opening,
        window: &Window,
        scratch: &'a mut LookaheadScratch,
    ) -> Prepared<'a> {
        scratch.costs.clear();
        let LookaheadScratch { ground, rule, .. } = &mut *scratch;
        ground.lay_out(self, demand, receipts, opening, window);
        rule.fit(ground);
        let most = self.most.unwrap_or(i64::MAX).clamp(0, 1 << 50);
        let by_rule = ((f64::from(rule.level[0]) - ground.projected_today(rule)).round() as i64)
            .clamp(0, most);
        // A quarter of a review's spread: several of them bracket the best, and halve down to it.
        let step = ((rule.spread / 4.0) as i64).max(1);
        Prepared { scratch, most, step, by_rule }
    }
}

impl Prepared<'_> {
    /// Expected cost of ordering `qty` now, minor units; only differences mean anything.
    pub fn cost(&mut self, qty: i64) -> f64 {
        let LookaheadScratch { ground, rule, costs } = &mut *self.scratch;
        if let Some((_, cost)) = costs.iter().find(|(known, _)| *known == qty) {
            return *cost;
        }
        let cost = ground.cost(rule, qty as f64);
        costs.push((qty, cost));
        cost
    }

    /// The cheapest quantity that a descent finds, to the nearest that no neighbour beats by more
    /// than rounding. Where goods expire there may be two valleys, one of them at nothing.
    pub fn best(&mut self) -> LookaheadOrder {
        let (mut at, mut cost) = self.descend(self.by_rule);
        if self.scratch.ground.expires() && at > 0 {
            let (other, price) = self.descend(0);
            if price < cost {
                (at, cost) = (other, price);
            }
        }
        let nothing = self.cost(0);
        if nothing <= cost {
            (at, cost) = (0, nothing);
        }
        let value = nothing - cost;
        LookaheadOrder { qty: at, by_rule: self.by_rule, value }
    }

    /// Steps that halve, from a quantity to one in whose steps nothing is cheaper.
    fn descend(&mut self, from: i64) -> (i64, f64) {
        let finest = (self.step / 16).max(1);
        let mut step = self.step;
        let mut at = from;
        let mut cost = self.cost(at);
        loop {
            let mut moved = false;
            for towards in [-step, step] {
                loop {
                    let next = (at + towards).clamp(0, self.most);
                    let price = self.cost(next);
                    let better = price < cost - ROUNDING * cost.abs();
                    if next == at || !better {
                        break;
                    }
                    (at, cost, moved) = (next, price, true);
                }
                if moved {
                    break;
                }
            }
            if step == finest {
                return (at, cost);
            }
            step = (step / 2).max(finest);
        }
    }
}
