//! Stock projected day by day along every demand path.
//!
//! Within a day: receipts, then demand, then expiry, then the count. Matrices are day-major (all
//! paths of a day beside each other), so that the recursion runs over paths in vector registers.
//! Values are whole smallest units held as `f64`, exact up to 2^53.

use crate::distribution::DemandPaths;
use crate::policy::perishable;

/// What becomes of demand that finds no stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shortage {
    #[default]
    Lost,
    BackOrdered,
}

/// Which of the goods that expire leave the shelf first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issue {
    /// The soonest to expire.
    #[default]
    Fifo,
    /// The latest: shoppers reach for the freshest.
    Lifo,
}

/// Paths and days that are turned from path-major to day-major at once.
const TILE: usize = 8;

/// Ranges up to this are counted rather than sorted.
const COUNTED_RANGE: usize = 1_024;

/// `values[day * paths + path]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathMatrix {
    pub paths: usize,
    pub days: usize,
    pub values: Vec<f64>,
}

impl PathMatrix {
    pub fn row(&self, day: usize) -> &[f64] {
        &self.values[day * self.paths..(day + 1) * self.paths]
    }

    pub fn row_mut(&mut self, day: usize) -> &mut [f64] {
        &mut self.values[day * self.paths..(day + 1) * self.paths]
    }

    /// Keeps the allocation.
    pub fn reset(&mut self, paths: usize, days: usize, value: f64) {
        (self.paths, self.days) = (paths, days);
        self.values.clear();
        self.values.resize(paths * days, value);
    }

    /// Keeps the first `days` days.
    pub fn truncate(&mut self, days: usize) {
        self.days = self.days.min(days);
        self.values.truncate(self.days * self.paths);
    }

    /// Adds a series' demand, path by path, in whole smallest units. Holes and negative demand
    /// count as 0; what the series has beyond this matrix is left out, and the other way round.
    pub fn add_demand(&mut self, demand: &DemandPaths) {
        let (paths, horizon) = (self.paths, demand.horizon);
        let known = self.days.min(horizon);
        let shared = paths.min(demand.paths);
        let tiled = (shared - shared % TILE, known - known % TILE);
        // A tile's row is one cache line of the matrix: each line is written once.
        for first in (0..tiled.0).step_by(TILE) {
            for day in (0..tiled.1).step_by(TILE) {
                let mut tile = [[0.0f64; TILE]; TILE];
                for (lane, whole_days) in tile.iter_mut().enumerate() {
                    let at = (first + lane) * horizon + day;
                    for (to, &value) in whole_days.iter_mut().zip(&demand.values[at..at + TILE]) {
                        *to = whole(value);
                    }
                }
                for step in 0..TILE {
                    let at = (day + step) * paths + first;
                    for (to, lane) in self.values[at..at + TILE].iter_mut().zip(&tile) {
                        *to += lane[step];
                    }
                }
            }
        }
        for path in 0..shared {
            let from = if path < tiled.0 { tiled.1 } else { 0 };
            for (day, &value) in demand.path(path)[..known].iter().enumerate().skip(from) {
                self.values[day * paths + path] += whole(value);
            }
        }
    }

    /// Fills the days from `known` on with the week before them, repeated.
    pub fn repeat_last_week(&mut self, known: usize) {
        let week = known.min(7);
        if week == 0 {
            return;
        }
        for day in known..self.days {
            let from = (day - week) * self.paths;
            self.values.copy_within(from..from + self.paths, day * self.paths);
        }
    }

    /// Adds `qty` on the same day of every path. A day past the matrix is past what is planned.
    pub fn add_on(&mut self, day: usize, qty: f64) {
        if day < self.days {
            self.row_mut(day).iter_mut().for_each(|v| *v += qty);
        }
    }

    /// Adds `qty` on each path's own day.
    pub fn add_on_days(&mut self, days: &[f64], qty: f64) {
        for (path, &day) in days.iter().enumerate() {
            if (day as usize) < self.days {
                self.values[day as usize * self.paths + path] += qty;
            }
        }
    }

    /// The smallest value that at least a `p` share of the paths do not exceed, on `day`; the
    /// levels must not fall. `scratch` is overwritten.
    pub fn quantiles<const N: usize>(
        &self,
        day: usize,
        levels: [f64; N],
        scratch: &mut Vec<i64>,
    ) -> [i64; N] {
        let row = self.row(day);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for &value in row {
            least = if value < least { value } else { least };
            most = if value > most { value } else { most };
        }
        if most - least < COUNTED_RANGE as f64 {
            return quantiles_by_counting(row, least, levels);
        }
        scratch.clear();
        scratch.extend(row.iter().map(|&v| v as i64));
        let mut from = 0;
        levels.map(|p| {
            let rank = rank(p, scratch.len());
            let value = *scratch[from..].select_nth_unstable(rank - from).1;
            from = rank;
            value
        })
    }
}

/// As [`PathMatrix::quantiles`], for whole values from `least` on within [`COUNTED_RANGE`].
fn quantiles_by_counting<const N: usize>(row: &[f64], least: f64, levels: [f64; N]) -> [i64; N] {
    let mut counts = [0u32; COUNTED_RANGE];
    for &value in row {
        counts[(value - least) as usize % COUNTED_RANGE] += 1;
    }
    let (mut at, mut below) = (0, 0);
    levels.map(|p| {
        let rank = rank(p, row.len()) as u32;
        while below + counts[at] <= rank && at + 1 < COUNTED_RANGE {
            below += counts[at];
            at += 1;
        }
        least as i64 + at as i64
    })
}

/// 0-based rank of the `p` quantile among `n`: the ⌈p n⌉-th smallest, as an order statistic.
pub fn rank(p: f64, n: usize) -> usize {
    ((p * n as f64 - 1e-9).ceil() as usize).clamp(1, n.max(1)) - 1
}

/// Nearest whole number for demand, with holes, negatives and the absurd made 0.
fn whole(value: f32) -> f64 {
    const ABSURD: f32 = 1e15;
    // Adding and taking away 2^52 rounds to the nearest whole number without a call.
    const HALF_ULP_IS_HALF: f64 = 4_503_599_627_370_496.0;
    let known = if (0.0..ABSURD).contains(&value) { value } else { 0.0 };
    (f64::from(known) + HALF_ULP_IS_HALF) - HALF_ULP_IS_HALF
}

/// Part of the stock on hand, by its last day for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotLeft {
    pub qty: i64,
    /// Day 0 is today.
    pub last_day: i32,
}

/// What there is as today opens, smallest units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// On hand less reserved and back-ordered; negative where more is promised than there is.
    pub net: i64,
    /// Lots of what is on hand, soonest first, without any that has expired.
    pub lots: Vec<LotLeft>,
    /// The part of what is on hand that no lot covers: with a shelf life it counts as just
    /// received, otherwise it does not expire.
    pub unlotted: i64,
    /// Days for sale of goods still to be received; `None`: they do not expire.
    pub shelf_life_days: Option<u32>,
    pub issue: Issue,
}

impl Opening {
    pub fn perishes(&self) -> bool {
        self.shelf_life_days.is_some() || !self.lots.is_empty()
    }
}

/// A projection with its books: on every path `opening + received - sold - wasted = closing`.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Stock at the end of each day; negative is owed.
    pub closing: PathMatrix,
    /// Per path, over all days.
    pub sold: Vec<f64>,
    pub lost: Vec<f64>,
    pub wasted: Vec<f64>,
}

impl Projection {
    fn reset(&mut self, paths: usize, days: usize) {
        self.closing.reset(paths, days, 0.0);
        for totals in [&mut self.sold, &mut self.lost, &mut self.wasted] {
            totals.clear();
            totals.resize(paths, 0.0);
        }
    }
}

/// Runs every day of `demand` and `receipts`, which must be of the same shape. Under
/// [`Shortage::Lost`] `lost` counts sales lost; under [`Shortage::BackOrdered`] demand that had to
/// wait, while `sold` is all demand (it will be served).
pub fn project(
    demand: &PathMatrix,
    receipts: &PathMatrix,
    opening: &Opening,
    shortage: Shortage,
    out: &mut Projection,
) {
    out.reset(demand.paths, demand.days);
    if opening.perishes() {
        return perishable::project(demand, receipts, opening, shortage, out);
    }
    let paths = demand.paths;
    let mut before = vec![opening.net as f64; paths];
    for day in 0..demand.days {
        let rows = demand.row(day).iter().zip(receipts.row(day));
        let totals = out.sold.iter_mut().zip(out.lost.iter_mut());
        let stock = before.iter_mut().zip(out.closing.row_mut(day));
        for (((&wanted, &received), (sold, lost)), (left, closing)) in rows.zip(totals).zip(stock) {
            let there = *left + received;
            let served = wanted.min(there.max(0.0));
            let out_of_stock = wanted - served;
            let taken = if shortage == Shortage::Lost { served } else { wanted };
            *sold += taken;
            *lost += out_of_stock;
            *left = there - taken;
            *closing = *left;
        }
    }
}
