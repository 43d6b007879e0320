//! Stock that expires, by age along each path: the soonest to expire is sold first, or the latest.

use crate::policy::order::{Needs, Window};
use crate::policy::projection::{Issue, Opening, PathMatrix, Projection, Shortage};

/// Stock of one path by its last day for sale. Reused from path to path.
pub(crate) struct Shelf {
    /// `by_last_day[d]` expires at the end of day `d`; the last entry never does.
    by_last_day: Vec<f64>,
    /// Nothing that expires sooner is left.
    soonest: usize,
    /// Nothing that expires later is left.
    latest: usize,
    issue: Issue,
    /// Promised and not there: served before anything else.
    owed: f64,
    total: f64,
}

/// What one day did.
pub(crate) struct DayBooks {
    pub sold: f64,
    pub short: f64,
    pub wasted: f64,
}

impl Shelf {
    pub(crate) fn new(days: usize) -> Shelf {
        Shelf {
            by_last_day: vec![0.0; days + 1],
            soonest: 0,
            latest: 0,
            issue: Issue::Fifo,
            owed: 0.0,
            total: 0.0,
        }
    }

    /// Stocks the shelf as today opens. What is reserved or back-ordered takes the soonest lots.
    pub(crate) fn open(&mut self, opening: &Opening) {
        self.by_last_day.fill(0.0);
        (self.soonest, self.latest, self.owed, self.total) = (0, 0, 0.0, 0.0);
        self.issue = opening.issue;
        let mut left = opening.net;
        if left < 0 {
            self.owed = -left as f64;
            return;
        }
        // Reservations take the soonest lots, so what is left is the latest of them.
        let in_lots: i64 = opening.lots.iter().map(|lot| lot.qty).sum();
        let unknown = opening.unlotted.clamp(0, left);
        left -= unknown;
        let mut reserved = in_lots - left;
        for lot in &opening.lots {
            let taken = lot.qty.min(reserved.max(0));
            reserved -= taken;
            self.put(lot.last_day.max(0) as usize, (lot.qty - taken) as f64);
        }
        let last_day = opening.shelf_life_days.map_or(usize::MAX, |days| last_day(0, days));
        self.put(last_day, unknown as f64);
    }

    fn put(&mut self, last_day: usize, qty: f64) {
        if qty > 0.0 {
            let at = last_day.min(self.by_last_day.len() - 1);
            self.by_last_day[at] += qty;
            self.soonest = self.soonest.min(at);
            self.latest = self.latest.max(at);
            self.total += qty;
        }
    }

    pub(crate) fn day(
        &mut self,
        day: usize,
        received: f64,
        shelf_life_days: Option<u32>,
        demand: f64,
        shortage: Shortage,
    ) -> DayBooks {
        let settled = received.min(self.owed);
        self.owed -= settled;
        self.put(shelf_life_days.map_or(usize::MAX, |d| last_day(day, d)), received - settled);
        let served = demand.min(self.total);
        match self.issue {
            Issue::Fifo => self.take_soonest(served),
            Issue::Lifo => self.take_latest(served),
        }
        let short = demand - served;
        if shortage == Shortage::BackOrdered {
            self.owed += short;
        }
        let never = self.by_last_day.len() - 1;
        let wasted = if day < never { std::mem::take(&mut self.by_last_day[day]) } else { 0.0 };
        self.total -= served + wasted;
        let sold = if shortage == Shortage::Lost { served } else { demand };
        DayBooks { sold, short, wasted }
    }

    /// `wanted` is no more than there is, here and below.
    fn take_soonest(&mut self, mut wanted: f64) {
        while wanted > 0.0 {
            let there = &mut self.by_last_day[self.soonest];
            let taken = there.min(wanted);
            *there -= taken;
            wanted -= taken;
            if *there <= 0.0 && self.soonest + 1 < self.by_last_day.len() {
                self.soonest += 1;
            }
        }
    }

    fn take_latest(&mut self, mut wanted: f64) {
        while wanted > 0.0 {
            let there = &mut self.by_last_day[self.latest];
            let taken = there.min(wanted);
            *there -= taken;
            wanted -= taken;
            if *there <= 0.0 && self.latest > 0 {
                self.latest -= 1;
            }
        }
    }

    pub(crate) fn closing(&self) -> f64 {
        self.total - self.owed
    }
}

/// Goods received on `day` sell on `shelf_life_days` days, that day included.
fn last_day(day: usize, shelf_life_days: u32) -> usize {
    day + shelf_life_days.max(1) as usize - 1
}

pub(crate) fn project(
    demand: &PathMatrix,
    receipts: &PathMatrix,
    opening: &Opening,
    shortage: Shortage,
    out: &mut Projection,
) {
    let (paths, days) = (demand.paths, demand.days);
    let mut shelf = Shelf::new(days);
    for path in 0..paths {
        shelf.open(opening);
        for day in 0..days {
            let at = day * paths + path;
            let (wanted, received) = (demand.values[at], receipts.values[at]);
            let books = shelf.day(day, received, opening.shelf_life_days, wanted, shortage);
            out.sold[path] += books.sold;
            out.lost[path] += books.short;
            out.wasted[path] += books.wasted;
            out.closing.values[at] = shelf.closing();
        }
    }
}

/// As [`crate::policy::order::needs`], with ages. Units of this order expire `shelf_life_days`
/// after arrival, so a need after that is not one it can serve.
///
/// Where the latest to expire sells first, units of this order sell in place of older ones, which
/// may expire of it: the need is then what it takes to run short of nothing, and `displaced` says
/// how much of that only pushes older units into expiry.
pub(crate) fn needs(
    demand: &PathMatrix,
    receipts: &PathMatrix,
    opening: &Opening,
    window: &Window,
    shortage: Shortage,
    out: &mut Needs,
) {
    let paths = demand.paths;
    let days = window.last_day(demand.days);
    let shelf_life = opening.shelf_life_days.map_or(usize::MAX, |d| d.max(1) as usize);
    let mut shelf = Shelf::new(demand.days);
    for path in 0..paths {
        shelf.open(opening);
        let (arrive, until) = (window.arrive[path] as usize, window.until[path] as usize);
        let serves_until = arrive.saturating_add(shelf_life).min(until);
        let (mut need, mut owed_at_arrival) = (0.0, 0.0);
        for day in 0..days {
            let at = day * paths + path;
            let (wanted, received) = (demand.values[at], receipts.values[at]);
            if day < until {
                out.demand_until[path] += wanted;
                out.received_until[path] += received;
            }
            if day == arrive {
                owed_at_arrival = (shelf.owed - received).max(0.0);
                need += owed_at_arrival;
            }
            let books = shelf.day(day, received, opening.shelf_life_days, wanted, shortage);
            if day < until {
                out.wasted_until[path] += books.wasted;
            }
            if day < arrive {
                out.lost_before[path] += books.short;
            } else if day < until {
                out.window_demand[path] += wanted;
                if day < serves_until {
                    need += books.short;
                    out.running.values[at] = need as f32;
                } else {
                    out.lost_after_life[path] += books.short;
                }
            }
        }
        if opening.issue == Issue::Lifo && need > owed_at_arrival {
            let served = arrive..serves_until.min(days);
            let lifo = Displacing { demand, receipts, opening, shortage, path };
            let enough = lifo.enough(&mut shelf, served.clone(), need);
            for day in served {
                let running = &mut out.running.values[day * paths + path];
                *running = (f64::from(*running) * enough / need).round() as f32;
            }
            out.displaced[path] = enough - need;
            out.displaces |= enough > need;
            need = enough;
        }
        out.need[path] = if until > arrive { need } else { 0.0 };
        out.owed[path] = if until > arrive { owed_at_arrival } else { 0.0 };
    }
}

/// One path where fresh units push older ones into expiry.
struct Displacing<'a> {
    demand: &'a PathMatrix,
    receipts: &'a PathMatrix,
    opening: &'a Opening,
    shortage: Shortage,
    path: usize,
}

impl Displacing<'_> {
    /// The smallest quantity, arriving on the first of the days `served`, that leaves nothing short
    /// on them. A unit saves at most one sale, so that what is still short is missing at the least:
    /// adding it again and again ends at the smallest.
    fn enough(&self, shelf: &mut Shelf, served: std::ops::Range<usize>, need: f64) -> f64 {
        let mut qty = need;
        loop {
            let short = self.short_with(shelf, &served, qty);
            if short <= 0.0 {
                return qty;
            }
            qty += short;
        }
    }

    fn short_with(&self, shelf: &mut Shelf, served: &std::ops::Range<usize>, qty: f64) -> f64 {
        shelf.open(self.opening);
        let mut short = 0.0;
        for day in 0..served.end {
            let at = day * self.demand.paths + self.path;
            let arrived = if day == served.start { qty } else { 0.0 };
            let received = self.receipts.values[at] + arrived;
            let life = self.opening.shelf_life_days;
            let books = shelf.day(day, received, life, self.demand.values[at], self.shortage);
            if served.contains(&day) {
                short += books.short;
            }
        }
        short
    }
}
