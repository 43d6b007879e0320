//! Stock walked day by day along many paths at once, for goods that do not perish.
//!
//! The walk is a few additions and a maximum per path and day, so its time is that of the memory it
//! reads: whole units up to 2^24 are exact in `f32`, which halves it.

#![allow(clippy::needless_range_loop, reason = "lanes of several rows go side by side")]
#![allow(clippy::manual_range_contains, reason = "without branches it becomes vector code")]

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Neg, Sub};

use crate::policy::order::{Needs, Window};
use crate::policy::projection::{Opening, PathMatrix, Shortage};

/// What a path matrix holds: `f64`, or `f32` where every sum stays below [`Cell::EXACT`].
pub trait Cell:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Into<f64>
{
    const ZERO: Self;
    const INFINITY: Self;
    /// Whole numbers below this are exact.
    const EXACT: f64;

    fn of(value: f64) -> Self;

    fn narrow(self) -> f32;

    /// Nearest whole number for demand, with holes, negatives and the absurd made 0.
    fn whole(demand: f32) -> Self;
}

const ABSURD: f32 = 1e15;

#[inline(always)]
fn known(demand: f32) -> f32 {
    // What is no number is not below either, and both sides at once take no jump.
    let below = if demand < ABSURD { demand } else { 0.0 };
    if below > 0.0 { below } else { 0.0 }
}

impl Cell for f64 {
    const ZERO: f64 = 0.0;
    const INFINITY: f64 = f64::INFINITY;
    const EXACT: f64 = 9_007_199_254_740_992.0;

    fn of(value: f64) -> f64 {
        value
    }

    fn narrow(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn whole(demand: f32) -> f64 {
        // Adding and taking away 2^52 rounds to the nearest whole number without a call.
        const HALF_ULP_IS_HALF: f64 = 4_503_599_627_370_496.0;
        (f64::from(known(demand)) + HALF_ULP_IS_HALF) - HALF_ULP_IS_HALF
    }
}

impl Cell for f32 {
    const ZERO: f32 = 0.0;
    const INFINITY: f32 = f32::INFINITY;
    const EXACT: f64 = 16_777_216.0;

    fn of(value: f64) -> f32 {
        value as f32
    }

    fn narrow(self) -> f32 {
        self
    }

    #[inline(always)]
    fn whole(demand: f32) -> f32 {
        // As above, for what is below 2^23.
        const HALF_ULP_IS_HALF: f32 = 8_388_608.0;
        (known(demand) + HALF_ULP_IS_HALF) - HALF_ULP_IS_HALF
    }
}

/// As [`crate::policy::order::needs`], for goods that do not perish and cells of either width.
pub fn lasting_needs<T: Cell>(
    demand: &PathMatrix<T>,
    receipts: &PathMatrix<T>,
    opening: &Opening,
    window: &Window,
    shortage: Shortage,
    out: &mut Needs,
) {
    let days = window.last_day(demand.days);
    out.reset(demand.paths);
    // Every cell of it is written below.
    out.running.resize(demand.paths, days);
    for first in (0..demand.paths).step_by(LANES) {
        let width = (demand.paths - first).min(LANES);
        let mut lanes = Lanes::new(T::of(opening.net as f64), window, first, width);
        let rows = Rows { demand, receipts, first };
        let running = &mut out.running;
        match (shortage, width == LANES) {
            (Shortage::Lost, true) => lanes.run::<true, true>(&rows, days, running),
            (Shortage::Lost, false) => lanes.run::<true, false>(&rows, days, running),
            (Shortage::BackOrdered, true) => lanes.run::<false, true>(&rows, days, running),
            (Shortage::BackOrdered, false) => lanes.run::<false, false>(&rows, days, running),
        }
        lanes.store(out, first, width);
    }
}

/// Paths that are walked side by side: as many as make use of the processor's registers.
const LANES: usize = 8;
type Eight<T> = [T; LANES];

/// Unlike [`f64::max`], with no thought for holes, of which there are none: one instruction.
#[inline(always)]
fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

struct Rows<'a, T> {
    demand: &'a PathMatrix<T>,
    receipts: &'a PathMatrix<T>,
    first: usize,
}

impl<T: Cell> Rows<'_, T> {
    /// Demand and receipts of a day; lanes past the last path ask for nothing.
    #[inline(always)]
    fn day(&self, day: usize) -> (Eight<T>, Eight<T>) {
        let at = day * self.demand.paths + self.first;
        (self.lanes(&self.demand.values[at..]), self.lanes(&self.receipts.values[at..]))
    }

    /// What a lane past the last path reads is never stored.
    #[inline(always)]
    fn lanes(&self, values: &[T]) -> Eight<T> {
        match values.first_chunk::<LANES>() {
            Some(whole) => *whole,
            None => std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(T::ZERO)),
        }
    }

    /// Writes the lanes that have a path: all of them where they are `WHOLE`.
    #[inline(always)]
    fn put<const WHOLE: bool>(
        &self,
        running: &mut PathMatrix<f32>,
        day: usize,
        eight: [f32; LANES],
    ) {
        let paths = self.demand.paths;
        let to = &mut running.values[day * paths + self.first..(day + 1) * paths];
        if !WHOLE {
            to.iter_mut().zip(eight).for_each(|(to, value)| *to = value);
        } else if let Some(whole) = to.first_chunk_mut::<LANES>() {
            *whole = eight;
        }
    }
}

struct Lanes<T> {
    arrive: Eight<T>,
    until: Eight<T>,
    opening: T,
    stock: Eight<T>,
    /// The lowest stock of the window: less nothing, it is the need.
    lowest: Eight<T>,
    owed: Eight<T>,
    lost_before: Eight<T>,
    /// Asked for before the window.
    waiting_demand: Eight<T>,
    window_demand: Eight<T>,
    received_until: Eight<T>,
}

impl<T: Cell> Lanes<T> {
    fn new(net: T, window: &Window, first: usize, width: usize) -> Lanes<T> {
        let days = |of: &[f64]| std::array::from_fn(|lane| T::of(of[first + lane.min(width - 1)]));
        Lanes {
            arrive: days(&window.arrive),
            until: days(&window.until),
            opening: net,
            stock: [net; LANES],
            lowest: [T::INFINITY; LANES],
            owed: [T::ZERO; LANES],
            lost_before: [T::ZERO; LANES],
            waiting_demand: [T::ZERO; LANES],
            window_demand: [T::ZERO; LANES],
            received_until: [T::ZERO; LANES],
        }
    }

    /// Days on which all lanes wait for the order, or all have it, take the short way.
    fn run<const LOST_SALES: bool, const WHOLE: bool>(
        &mut self,
        rows: &Rows<T>,
        days: usize,
        running: &mut PathMatrix<f32>,
    ) {
        let least = |lanes: &Eight<T>| lanes.iter().copied().fold(T::INFINITY, smaller).into();
        let most = |lanes: &Eight<T>| lanes.iter().copied().fold(T::ZERO, larger).into();
        let (first_arrival, first_end) =
            (least(&self.arrive) as usize, least(&self.until) as usize);
        let waiting_until = first_arrival.min(first_end).min(days);
        let served = most(&self.arrive) as usize + 1..first_end.min(days);
        self.wait::<LOST_SALES>(rows, waiting_until);
        for day in 0..waiting_until {
            rows.put::<WHOLE>(running, day, [f32::INFINITY; LANES]);
        }
        let mut day = waiting_until;
        while day < days {
            if day == served.start && !served.is_empty() {
                self.serve::<WHOLE>(rows, served.clone(), running);
                day = served.end;
            } else {
                let need = self.any_day::<LOST_SALES>(rows, day);
                rows.put::<WHOLE>(running, day, need);
                day += 1;
            }
        }
    }

    fn wait<const LOST_SALES: bool>(&mut self, rows: &Rows<T>, days: usize) {
        let (mut stock, mut asked, mut received) =
            (self.stock, self.waiting_demand, self.received_until);
        for day in 0..days {
            let (demand, receipts) = rows.day(day);
            for p in 0..LANES {
                let there = stock[p] + receipts[p];
                let after = stock[p] + (receipts[p] - demand[p]);
                stock[p] = if LOST_SALES { larger(after, smaller(there, T::ZERO)) } else { after };
                asked[p] += demand[p];
                received[p] += receipts[p];
            }
        }
        for p in 0..LANES {
            // What the books do not explain was lost.
            self.lost_before[p] = stock[p] - (self.opening + received[p] - asked[p]);
        }
        (self.stock, self.waiting_demand, self.received_until) = (stock, asked, received);
    }

    /// Once the order can help, a deficit is a need, not a sale lost.
    fn serve<const WHOLE: bool>(
        &mut self,
        rows: &Rows<T>,
        days: std::ops::Range<usize>,
        running: &mut PathMatrix<f32>,
    ) {
        let (mut stock, mut lowest) = (self.stock, self.lowest);
        let (mut asked, mut received) = (self.window_demand, self.received_until);
        for day in days {
            let (demand, receipts) = rows.day(day);
            let mut need = [0.0f32; LANES];
            for p in 0..LANES {
                stock[p] += receipts[p] - demand[p];
                lowest[p] = smaller(lowest[p], stock[p]);
                asked[p] += demand[p];
                received[p] += receipts[p];
                need[p] = (-lowest[p]).narrow();
            }
            rows.put::<WHOLE>(running, day, need);
        }
        (self.stock, self.lowest) = (stock, lowest);
        (self.window_demand, self.received_until) = (asked, received);
    }

    #[inline(always)]
    fn any_day<const LOST_SALES: bool>(&mut self, rows: &Rows<T>, day: usize) -> [f32; LANES] {
        let (demand, receipts) = rows.day(day);
        let today = T::of(day as f64);
        let mut running = [f32::INFINITY; LANES];
        // One thought a loop and no jumps, so that all lanes take each step together.
        let mut there = self.stock;
        there.iter_mut().zip(receipts).for_each(|(there, received)| *there += received);
        // Lost sales are never owed: only what was promised before today is.
        if !LOST_SALES || self.opening < T::ZERO {
            for (p, &there) in there.iter().enumerate() {
                let owed = larger(-there, T::ZERO);
                self.owed[p] = if today == self.arrive[p] { owed } else { self.owed[p] };
            }
        }
        for (p, &there) in there.iter().enumerate() {
            let after = there - demand[p];
            let kept = larger(after, smaller(there, T::ZERO));
            let lost = LOST_SALES & (today < self.arrive[p]);
            self.stock[p] = if lost { kept } else { after };
            self.lost_before[p] += self.stock[p] - after;
        }
        for p in 0..LANES {
            let (asked, received) = (demand[p], receipts[p]);
            let in_cover = today < self.until[p];
            let served = in_cover & (today >= self.arrive[p]);
            let waiting = in_cover & (today < self.arrive[p]);
            self.received_until[p] += if in_cover { received } else { T::ZERO };
            self.waiting_demand[p] += if waiting { asked } else { T::ZERO };
            self.window_demand[p] += if served { asked } else { T::ZERO };
        }
        for (p, running) in running.iter_mut().enumerate() {
            let served = (today >= self.arrive[p]) & (today < self.until[p]);
            let lower = smaller(self.lowest[p], self.stock[p]);
            self.lowest[p] = if served { lower } else { self.lowest[p] };
            *running = if served { (-lower).narrow() } else { f32::INFINITY };
        }
        running
    }

    fn store(&self, out: &mut Needs, first: usize, width: usize) {
        for p in 0..width {
            // Unless the next order is there before this one, and nothing depends on it.
            let depends = self.lowest[p] < T::INFINITY;
            out.need[first + p] = if depends { 0.0 - self.lowest[p].into() } else { 0.0 };
            out.owed[first + p] = if depends { self.owed[p].into() } else { 0.0 };
            out.lost_before[first + p] = self.lost_before[p].into();
            out.window_demand[first + p] = self.window_demand[p].into();
            out.demand_until[first + p] = (self.waiting_demand[p] + self.window_demand[p]).into();
            out.received_until[first + p] = self.received_until[p].into();
        }
    }
}
