//! How an item reaches a location, and on which days it cannot.

use crate::calendar::Day;
use crate::policy::lead_time::{LeadTime, Permutation};

/// The kinds of reorder line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SupplyKind {
    Purchase,
    Transfer,
    Produce,
}

impl SupplyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            SupplyKind::Purchase => "purchase",
            SupplyKind::Transfer => "transfer",
            SupplyKind::Produce => "produce",
        }
    }

    pub fn parse(text: &str) -> Option<SupplyKind> {
        [SupplyKind::Purchase, SupplyKind::Transfer, SupplyKind::Produce]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Days on which a supplier neither sends off nor delivers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedWindow {
    pub from: Day,
    pub to: Day,
}

/// An all-units discount: from `min_qty` smallest units on, every unit costs this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBreak {
    pub min_qty: i64,
    /// Per base unit.
    pub unit_cost_minor: i64,
}

/// Which units a price tier holds for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakKind {
    /// From its threshold on, for every unit of the order.
    #[default]
    AllUnits,
    /// Only for the units from its threshold on.
    Incremental,
}

/// How much of an order comes: with probability `whole` all of it, otherwise the share `part`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered {
    /// 0..=1.
    pub whole: f64,
    /// 0..=1.
    pub part: f64,
}

impl Default for Delivered {
    fn default() -> Delivered {
        Delivered { whole: 1.0, part: 1.0 }
    }
}

impl Delivered {
    pub fn mean(self) -> f64 {
        self.whole + (1.0 - self.whole) * self.part
    }

    /// Whether every order comes whole.
    pub fn is_certain(self) -> bool {
        self.whole >= 1.0 || self.part >= 1.0
    }

    /// The share that comes on each of `paths` paths in turn: dealt out like lead times, by a
    /// permutation of its own for each `salt`.
    pub fn sample_each(self, paths: usize, salt: u64, mut put: impl FnMut(usize, f64)) {
        let order = Permutation::new(paths.max(1), salt);
        for path in 0..paths {
            let stratum = (order.of(path) as f64 + 0.5) / paths as f64;
            put(path, if stratum < self.whole { 1.0 } else { self.part });
        }
    }
}

/// One row of `supply_terms`, with its lead time learned.
#[derive(Clone, Debug)]
pub struct SupplyTerms {
    pub kind: SupplyKind,
    /// 1 is the usual source; the others stand behind it.
    pub priority: u32,
    /// Empty for a transfer.
    pub supplier_id: String,
    /// Index into the item's locations, for a transfer.
    pub source: Option<usize>,
    /// From the order until it can be sold, in days.
    pub lead_time: LeadTime,
    /// Days from this order to the next, at least 1.
    pub review_days: u32,
    /// Smallest units; 0 or 1 where there is none.
    pub moq: i64,
    /// Smallest units, at least 1.
    pub multiple: i64,
    /// What one `multiple` is called; empty where it has no name.
    pub pack_uom: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    /// ISO 4217.
    pub currency: String,
    pub price_breaks: Vec<PriceBreak>,
    pub break_kind: BreakKind,
    /// Freight, duty and handling per base unit, on top of the price.
    pub landed_cost_minor: i64,
    /// Once per order line: set-up, paperwork, the truck of a transfer.
    pub fixed_cost_minor: i64,
    /// Weekdays on which an order may leave, Monday first.
    pub order_weekdays: [bool; 7],
    /// Tonight's lines are released after the supplier's cut-off, and count as ordered a day later.
    pub misses_cut_off: bool,
    /// Learned from received orders.
    pub delivered: Delivered,
    /// Days for sale from receipt, of goods from this source.
    pub shelf_life_days: Option<u32>,
    /// The most that one order may hold, smallest units.
    pub capacity_qty: Option<i64>,
    pub closed: Vec<ClosedWindow>,
}

impl Default for SupplyTerms {
    /// Bought from nobody, there at once, reviewed every day, without limits.
    fn default() -> SupplyTerms {
        SupplyTerms {
            kind: SupplyKind::Purchase,
            priority: 1,
            supplier_id: String::new(),
            source: None,
            lead_time: LeadTime::fixed(0),
            review_days: 1,
            moq: 0,
            multiple: 1,
            pack_uom: String::new(),
            unit_cost_minor: 0,
            currency: String::new(),
            price_breaks: Vec::new(),
            break_kind: BreakKind::AllUnits,
            landed_cost_minor: 0,
            fixed_cost_minor: 0,
            order_weekdays: [true; 7],
            misses_cut_off: false,
            delivered: Delivered::default(),
            shelf_life_days: None,
            capacity_qty: None,
            closed: Vec::new(),
        }
    }
}

impl SupplyTerms {
    /// The first day from `day` on that lies in no closed window.
    pub fn next_open(&self, day: Day) -> Day {
        next_open(&self.closed, day)
    }

    /// The first day from `day` on that is open and on which an order may leave.
    pub fn next_order_day(&self, mut day: Day) -> Day {
        // No window closes all days, and some weekday is allowed (`check` sees to it).
        loop {
            let open = self.next_open(day);
            if self.order_weekdays[open.weekday()] || self.order_weekdays == [false; 7] {
                return open;
            }
            day = open + 1;
        }
    }

    /// When the lines of a plan of `today` leave.
    pub fn order_on(&self, today: Day) -> Day {
        self.next_order_day(self.release_on(today))
    }

    /// Whether the lines of `today` can leave as soon as they are released.
    pub fn takes_orders(&self, today: Day) -> bool {
        self.order_on(today) == self.release_on(today)
    }

    fn release_on(&self, today: Day) -> Day {
        today + i32::from(self.misses_cut_off)
    }

    /// Whether an order that cannot leave as soon as it is released may as well be decided by a
    /// later run, `next_run_days` from today or after: it waits for its weekday only, and that run
    /// still catches the same day. A shutdown is not waited for, as its order is a large one that
    /// suppliers want to hear of in time.
    pub fn waits_for_weekday(&self, today: Day, next_run_days: u32) -> bool {
        let release = self.release_on(today);
        let order_on = self.next_order_day(release);
        let later = today + next_run_days.max(1) as i32;
        self.next_open(release) == release && order_on > release && self.order_on(later) <= order_on
    }

    /// When an order of `ordered_on` with this lead time is there. What would arrive in a closed
    /// window arrives on the first open day after it.
    pub fn arrival(&self, ordered_on: Day, lead_time_days: u32) -> Day {
        self.next_open(ordered_on + lead_time_days as i32)
    }

    /// The same where nothing is received on the days of `receiving` either.
    pub fn arrival_at(
        &self,
        receiving: &[ClosedWindow],
        ordered_on: Day,
        lead_time_days: u32,
    ) -> Day {
        let mut day = self.arrival(ordered_on, lead_time_days);
        loop {
            let open = self.next_open(next_open(receiving, day));
            if open == day {
                return day;
            }
            day = open;
        }
    }
}

/// Windows may overlap and need not be sorted; one that ends before it starts closes nothing.
pub fn next_open(closed: &[ClosedWindow], mut day: Day) -> Day {
    while let Some(window) = closed.iter().find(|w| w.from <= day && day <= w.to) {
        day = window.to + 1;
    }
    day
}
