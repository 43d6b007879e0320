//! Orders as if all demand were known: what no forecast can beat.
//!
//! Demand that neither stock nor receipts serve is netted by playing the stock on without further
//! orders. Without a fixed cost each order then brings what its own interval lacks, as far as
//! keeping a unit until it sells costs less than losing it. With one, orders are joined by dynamic
//! programming over the remaining reviews (Wagner & Whitin 1958), where an interval may also go
//! unserved. MOQ and multiples are not part of it: with them the result is no longer a bound. With
//! back-orders everything is served in its period.

use super::Situation;
use crate::policy::projection::Shortage;
use crate::simulate::item::Item;

/// Units to order now; `coming` is the demand from the next period to the end.
pub fn ask(situation: &Situation, coming: &[i64]) -> i64 {
    let (item, rules) = (situation.item, situation.rules);
    let arrive = item.lead_periods - 1;
    if arrive >= coming.len() {
        return 0;
    }
    let mut stock = situation.stock.clone();
    for &demand in &coming[..arrive] {
        stock.period(demand, item, rules.shortage, rules.issue);
    }
    // What is owed when the order arrives is demand of that period.
    let owed = (stock.on_order() + stock.on_hand() - stock.position()).max(0);
    let mut lacking = Vec::with_capacity(coming.len() - arrive);
    for &demand in &coming[arrive..] {
        let period = stock.period(demand, item, Shortage::Lost, rules.issue);
        lacking.push(period.lost);
    }
    lacking[0] += owed;
    let plan = Plan { item, review: rules.review_every_periods, shortage: rules.shortage, lacking };
    plan.first_order()
}

struct Plan<'a> {
    item: &'a Item,
    review: usize,
    shortage: Shortage,
    /// Units that only new orders can serve, from the arrival of this one on.
    lacking: Vec<i64>,
}

impl Plan<'_> {
    /// Cost of a unit that arrives so many periods before it is asked for, and whether it is served
    /// at all.
    fn unit(&self, waits: usize) -> (f64, bool) {
        let money = &self.item.money;
        let keeps = self.item.shelf_life_periods.is_none_or(|life| waits < life as usize);
        let held = waits as f64 * money.holding;
        let pays = self.shortage == Shortage::BackOrdered || held < money.shortage;
        if keeps && pays { (held, true) } else { (money.shortage, false) }
    }

    /// Cost and units of serving the interval `slot` from an order that arrives with `from`.
    fn interval(&self, from: usize, slot: usize) -> (f64, i64) {
        let first = slot * self.review;
        let last = (first + self.review).min(self.lacking.len());
        let (mut cost, mut units) = (0.0, 0);
        for at in first..last {
            let (unit, served) = self.unit(at - from * self.review);
            cost += unit * self.lacking[at] as f64;
            units += if served { self.lacking[at] } else { 0 };
        }
        (cost, units)
    }

    fn unserved(&self, slot: usize) -> f64 {
        let first = slot * self.review;
        let last = (first + self.review).min(self.lacking.len());
        let units: i64 = self.lacking[first..last].iter().sum();
        match self.shortage {
            Shortage::BackOrdered if units > 0 => f64::INFINITY,
            _ => units as f64 * self.item.money.shortage,
        }
    }

    fn first_order(&self) -> i64 {
        let slots = self.lacking.len().div_ceil(self.review);
        let fixed = self.item.money.order;
        if fixed <= 0.0 {
            return self.interval(0, 0).1;
        }
        // `best[i]`: least cost of the intervals from `i` on.
        let mut best = vec![0.0; slots + 1];
        let mut first = 0;
        for from in (0..slots).rev() {
            best[from] = self.unserved(from) + best[from + 1];
            first = 0;
            let (mut cost, mut units) = (fixed, 0);
            for slot in from..slots {
                let (carried, served) = self.interval(from, slot);
                // Once keeping an interval's goods costs an order, a later order is better.
                if slot > from && carried > fixed + self.interval(slot, slot).0 {
                    break;
                }
                cost += carried;
                units += served;
                if cost + best[slot + 1] < best[from] {
                    best[from] = cost + best[slot + 1];
                    first = units;
                }
            }
        }
        first
    }
}
