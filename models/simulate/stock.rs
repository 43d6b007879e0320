//! The stock of one series under one policy: by age, with what is on order, period by period.

use std::collections::VecDeque;

use crate::policy::projection::{Issue, LotLeft, Opening, Shortage};
use crate::simulate::item::Item;

/// What one period did: `opening + received - sold - wasted = closing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Negative is owed.
    pub opening: i64,
    pub received: i64,
    pub demand: i64,
    /// With back-orders all demand, for it will be served.
    pub sold: i64,
    /// Demand lost, or with back-orders demand that had to wait.
    pub lost: i64,
    pub wasted: i64,
    pub closing: i64,
    /// Ordered at the end of the period.
    pub ordered: i64,
}

impl Period {
    pub fn balances(&self) -> bool {
        self.opening + self.received - self.sold - self.wasted == self.closing
    }
}

/// Units that leave the shelf together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lot {
    qty: i64,
    /// The last period in which they sell; `i64::MAX` never expires.
    last: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// Soonest to expire first.
    lots: VecDeque<Lot>,
    on_hand: i64,
    owed: i64,
    /// `due[k]` is received `k + 1` periods from now.
    due: VecDeque<i64>,
    /// The period that comes next.
    next: i64,
}

impl Stock {
    /// As the first period, number 0, opens; what is on hand counts as just received.
    pub fn new(on_hand: i64, due: &[i64], item: &Item) -> Stock {
        let mut stock = Stock { due: due.iter().copied().collect(), ..Stock::default() };
        stock.put(on_hand, item);
        stock
    }

    pub fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// On hand and on order less back-ordered.
    pub fn position(&self) -> i64 {
        self.on_hand - self.owed + self.on_order()
    }

    pub fn on_order(&self) -> i64 {
        self.due.iter().sum()
    }

    /// Units received in each coming period, the next first.
    pub fn due(&self) -> impl Iterator<Item = i64> + '_ {
        self.due.iter().copied()
    }

    /// As projections take it; the next period is day 0.
    pub fn opening(&self, item: &Item, issue: Issue) -> Opening {
        let lots = match item.shelf_life_periods {
            None => Vec::new(),
            Some(_) => {
                let left = |lot: &Lot| LotLeft {
                    qty: lot.qty,
                    last_day: (lot.last - self.next).min(i64::from(i32::MAX)) as i32,
                };
                self.lots.iter().map(left).collect()
            }
        };
        Opening {
            net: self.on_hand - self.owed,
            unlotted: if lots.is_empty() { self.on_hand } else { 0 },
            lots,
            shelf_life_days: item.shelf_life_periods,
            issue,
        }
    }

    /// Usable `lead_periods` after the period that has just ended.
    pub fn order(&mut self, qty: i64, lead_periods: usize) {
        if qty > 0 {
            if self.due.len() < lead_periods {
                self.due.resize(lead_periods, 0);
            }
            self.due[lead_periods - 1] += qty;
        }
    }

    fn put(&mut self, qty: i64, item: &Item) {
        if qty <= 0 {
            return;
        }
        let last = item.shelf_life_periods.map_or(i64::MAX, |n| self.next + i64::from(n) - 1);
        match self.lots.back_mut().filter(|lot| lot.last == last) {
            Some(lot) => lot.qty += qty,
            None => self.lots.push_back(Lot { qty, last }),
        }
        self.on_hand += qty;
    }

    /// Receipts, then demand, then expiry, then the count.
    pub fn period(&mut self, demand: i64, item: &Item, shortage: Shortage, issue: Issue) -> Period {
        let opening = self.on_hand - self.owed;
        let received = self.due.pop_front().unwrap_or(0);
        let settled = received.min(self.owed);
        self.owed -= settled;
        self.put(received - settled, item);
        let served = demand.min(self.on_hand);
        self.take(served, issue);
        let short = demand - served;
        let sold = if shortage == Shortage::BackOrdered {
            self.owed += short;
            demand
        } else {
            served
        };
        let wasted = self.expire();
        self.next += 1;
        let closing = self.on_hand - self.owed;
        Period { opening, received, demand, sold, lost: short, wasted, closing, ordered: 0 }
    }

    fn take(&mut self, mut qty: i64, issue: Issue) {
        self.on_hand -= qty;
        while qty > 0 {
            let lot = match issue {
                Issue::Fifo => self.lots.front_mut(),
                Issue::Lifo => self.lots.back_mut(),
            };
            let Some(lot) = lot else { return };
            let taken = lot.qty.min(qty);
            lot.qty -= taken;
            qty -= taken;
            if lot.qty == 0 {
                match issue {
                    Issue::Fifo => self.lots.pop_front(),
                    Issue::Lifo => self.lots.pop_back(),
                };
            }
        }
    }

    fn expire(&mut self) -> i64 {
        let mut wasted = 0;
        while let Some(lot) = self.lots.front().filter(|lot| lot.last <= self.next) {
            wasted += lot.qty;
            self.lots.pop_front();
        }
        self.on_hand -= wasted;
        wasted
    }
}
