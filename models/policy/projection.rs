//! Stock projected day by day along every demand path.
//!
//! Within a day: receipts, then demand, then expiry, then the count. Matrices are day-major (all
//! paths of a day beside each other), so that the recursion runs over paths in vector registers.
//! Values are whole smallest units held as `f64`, exact up to 2^53.

use crate::distribution::DemandPaths;
use crate::policy::perishable;
use crate::policy::walk::Cell;

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
const TILE: usize = 4;

/// Ranges up to this are counted rather than sorted.
const COUNTED_RANGE: usize = 1_024;

/// `values[day * paths + path]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathMatrix<T = f64> {
    pub paths: usize,
    pub days: usize,
    pub values: Vec<T>,
}

impl<T: Cell> PathMatrix<T> {
    pub fn row(&self, day: usize) -> &[T] {
        &self.values[day * self.paths..(day + 1) * self.paths]
    }

    pub fn row_mut(&mut self, day: usize) -> &mut [T] {
        &mut self.values[day * self.paths..(day + 1) * self.paths]
    }

    /// Keeps the allocation.
    pub fn reset(&mut self, paths: usize, days: usize, value: T) {
        (self.paths, self.days) = (paths, days);
        self.values.clear();
        self.values.resize(paths * days, value);
    }

    /// The same, for whoever writes every value: they are what happens to be there.
    pub(crate) fn resize(&mut self, paths: usize, days: usize) {
        (self.paths, self.days) = (paths, days);
        self.values.resize(paths * days, T::ZERO);
    }

    /// Keeps the first `days` days.
    pub fn truncate(&mut self, days: usize) {
        self.days = self.days.min(days);
        self.values.truncate(self.days * self.paths);
    }

    /// Adds a series' demand, path by path, in whole smallest units. Holes and negative demand
    /// count as 0; what the series has beyond this matrix is left out, and the other way round.
    pub fn add_demand(&mut self, demand: &DemandPaths) {
        self.turn(demand, |to, value| *to += value);
    }

    /// Becomes the first `days` days of a series' demand, as [`Self::add_demand`] reads it.
    pub fn set_demand(&mut self, demand: &DemandPaths, days: usize) {
        self.resize(demand.paths, days.min(demand.horizon));
        self.turn(demand, |to, value| *to = value);
    }

    /// Hands each cell to `put` with its demand.
    #[inline(always)]
    fn turn(&mut self, demand: &DemandPaths, put: impl Fn(&mut T, T)) {
        let paths = self.paths;
        let known = self.days.min(demand.horizon);
        let shared = paths.min(demand.paths);
        // A few days at a time: turned as they are, then made whole numbers row by row, which is
        // what the processor's registers are made for.
        let mut turned = vec![0.0f32; TILE * shared];
        for day in (0..known).step_by(TILE) {
            let steps = (known - day).min(TILE);
            let tiled = if steps == TILE { shared - shared % TILE } else { 0 };
            for first in (0..tiled).step_by(TILE) {
                let tile: [[f32; TILE]; TILE] = std::array::from_fn(|lane| {
                    let days = &demand.values[(first + lane) * demand.horizon + day..];
                    days.first_chunk().copied().unwrap_or_default()
                });
                for step in 0..TILE {
                    let row = &mut turned[step * shared + first..];
                    if let Some(row) = row.first_chunk_mut::<TILE>() {
                        *row = std::array::from_fn(|lane| tile[lane][step]);
                    }
                }
            }
            for path in tiled..shared {
                for step in 0..steps {
                    turned[step * shared + path] = demand.path(path)[day + step];
                }
            }
            for (step, row) in turned.chunks_exact(shared.max(1)).take(steps).enumerate() {
                let to = &mut self.values[(day + step) * paths..][..shared];
                to.iter_mut().zip(row).for_each(|(to, &raw)| put(to, T::whole(raw)));
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
            self.row_mut(day).iter_mut().for_each(|v| *v += T::of(qty));
        }
    }

    /// Adds `qty` on each path's own day.
    pub fn add_on_days(&mut self, days: &[f64], qty: f64) {
        for (path, &day) in days.iter().enumerate() {
            if (day as usize) < self.days {
                self.values[day as usize * self.paths + path] += T::of(qty);
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
        let (mut least, mut most) = (T::INFINITY, -T::INFINITY);
        for &value in row {
            least = if value < least { value } else { least };
            most = if value > most { value } else { most };
        }
        if (most - least).into() < COUNTED_RANGE as f64 {
            return quantiles_by_counting(row, least, levels);
        }
        scratch.clear();
        scratch.extend(row.iter().map(|&v| v.into() as i64));
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
fn quantiles_by_counting<T: Cell, const N: usize>(
    row: &[T],
    least: T,
    levels: [f64; N],
) -> [i64; N] {
    let mut counts = [0u32; COUNTED_RANGE];
    for &value in row {
        counts[(value - least).into() as usize % COUNTED_RANGE] += 1;
    }
    let (mut at, mut below) = (0, 0);
    levels.map(|p| {
        let rank = rank(p, row.len()) as u32;
        while below + counts[at] <= rank && at + 1 < COUNTED_RANGE {
            below += counts[at];
            at += 1;
        }
        least.into() as i64 + at as i64
    })
}

/// 0-based rank of the `p` quantile among `n`: the ⌈p n⌉-th smallest, as an order statistic.
pub fn rank(p: f64, n: usize) -> usize {
    ((p * n as f64 - 1e-9).ceil() as usize).clamp(1, n.max(1)) - 1
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
