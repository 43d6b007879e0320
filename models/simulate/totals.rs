//! Books to money.

use crate::policy::projection::Shortage;
use crate::simulate::item::Money;
use crate::simulate::stock::Period;

/// Sums over scored periods of one series, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    pub periods: u64,
    /// Of them without a shortage.
    pub served_periods: u64,
    pub orders: u64,
    pub received: i64,
    pub demand: i64,
    pub sold: i64,
    pub lost: i64,
    pub wasted: i64,
    pub ordered: i64,
    /// Stock at the end of each period, added up.
    pub held: i64,
    /// Units owed at the end of each period, added up.
    pub owed: i64,
}

impl Units {
    pub fn add(&mut self, period: &Period) {
        self.periods += 1;
        self.served_periods += u64::from(period.lost == 0);
        self.orders += u64::from(period.ordered > 0);
        self.received += period.received;
        self.demand += period.demand;
        self.sold += period.sold;
        self.lost += period.lost;
        self.wasted += period.wasted;
        self.ordered += period.ordered;
        self.held += period.closing.max(0);
        self.owed += (-period.closing).max(0);
    }

    pub fn merge(&mut self, other: &Units) {
        self.periods += other.periods;
        self.served_periods += other.served_periods;
        self.orders += other.orders;
        self.received += other.received;
        self.demand += other.demand;
        self.sold += other.sold;
        self.lost += other.lost;
        self.wasted += other.wasted;
        self.ordered += other.ordered;
        self.held += other.held;
        self.owed += other.owed;
    }

    /// Share of demand served from stock at once; none where nothing was asked for.
    pub fn fill_rate(&self) -> Option<f64> {
        (self.demand > 0).then(|| 1.0 - self.lost as f64 / self.demand as f64)
    }

    /// Share of periods without a shortage.
    pub fn in_stock_rate(&self) -> Option<f64> {
        (self.periods > 0).then(|| self.served_periods as f64 / self.periods as f64)
    }

    pub fn costs(&self, money: &Money, shortage: Shortage) -> Costs {
        let short = if shortage == Shortage::Lost { self.lost } else { self.owed };
        Costs {
            holding: self.held as f64 * money.holding,
            shortage: short as f64 * money.shortage,
            order: self.orders as f64 * money.order,
            waste: self.wasted as f64 * money.waste,
        }
    }
}

/// Whole units times a rate are rounded once, so sums of one rate are exact to the last digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Costs {
    pub holding: f64,
    pub shortage: f64,
    pub order: f64,
    pub waste: f64,
}

impl Costs {
    pub fn of(period: &Period, money: &Money, shortage: Shortage) -> Costs {
        let mut units = Units::default();
        units.add(period);
        units.costs(money, shortage)
    }

    pub fn total(&self) -> f64 {
        self.holding + self.shortage + self.order + self.waste
    }

    pub fn add(&mut self, other: &Costs) {
        self.holding += other.holding;
        self.shortage += other.shortage;
        self.order += other.order;
        self.waste += other.waste;
    }
}
