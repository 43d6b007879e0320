//! Paths, stock and prices of one decision, laid out to be walked.

use crate::policy::lookahead::{Lookahead, MAX_DAYS, PeriodMoney};
use crate::policy::order::Window;
use crate::policy::projection::{Issue, Opening, PathMatrix, Shortage};

pub(super) const LANES: usize = 8;
/// Single precision: what a plan costs is an estimate, and twice as many fit a register.
pub(super) type Eight = [f32; LANES];

/// How stock leaves besides by being sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aging {
    #[default]
    Keeps,
    /// First in, first out: ages need not be told apart, cumulative numbers do.
    Fifo,
    Lifo,
}

/// Paths, stock and prices of one decision, laid out in blocks of eight paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    pub paths: usize,
    pub days: usize,
    /// `demand[block * days + day]`.
    pub demand: Vec<Eight>,
    pub receipts: Vec<Eight>,
    /// Demand before each day, `days + 1` entries a block.
    pub before: Vec<Eight>,
    /// Arrival of this order and of the next, per block.
    pub arrive: Vec<Eight>,
    pub until: Vec<Eight>,
    pub first_arrival: usize,
    pub review: usize,
    pub lost_sales: bool,
    pub aging: Aging,
    /// Days for sale; `usize::MAX`: all.
    pub life: usize,
    pub money: PeriodMoney,
    /// `discount` to the power of the day, one more than days.
    pub weights: Vec<f32>,
    /// Stock on hand as today opens, by last day for sale; the last entry outlives the walk.
    pub lots: Vec<f32>,
    pub net: f32,
    pub incoming: Vec<Eight>,
    /// By last day for sale: units on the shelf (LIFO), or units that will expire (FIFO).
    pub shelf: Vec<Eight>,
}

impl Ground {
    pub(super) fn lay_out(
        &mut self,
        ahead: &Lookahead,
        demand: &PathMatrix,
        receipts: &PathMatrix,
        opening: &Opening,
        window: &Window,
    ) {
        let review = ahead.review_days.max(1) as usize;
        let last = window.until.iter().copied().fold(1.0, f64::max) as usize;
        self.days = (last + ahead.further_reviews as usize * review).min(MAX_DAYS);
        (self.paths, self.review) = (demand.paths, review);
        self.lost_sales = ahead.shortage == Shortage::Lost;
        self.life = opening.shelf_life_days.map_or(usize::MAX, |days| days.max(1) as usize);
        self.aging = match opening.issue {
            _ if !opening.perishes() => Aging::Keeps,
            Issue::Fifo => Aging::Fifo,
            Issue::Lifo => Aging::Lifo,
        };
        self.money = ahead.money;
        let discount = ahead.money.discount;
        self.weights.clear();
        self.weights.extend((0..=self.days).map(|day| discount.powi(day as i32) as f32));
        self.blocks(demand, receipts, window, ahead.season_days.max(1) as usize);
        self.open(opening);
    }

    fn blocks(
        &mut self,
        demand: &PathMatrix,
        receipts: &PathMatrix,
        window: &Window,
        season: usize,
    ) {
        let blocks = demand.paths.div_ceil(LANES);
        for rows in [&mut self.demand, &mut self.receipts, &mut self.before] {
            rows.clear();
        }
        self.arrive.clear();
        self.until.clear();
        let season = season.min(demand.days).max(1);
        for block in 0..blocks {
            let first = block * LANES;
            let width = (demand.paths - first).min(LANES);
            let eight = |row: &[f64]| {
                let mut eight = [0.0; LANES];
                for (to, from) in eight.iter_mut().zip(&row[first..first + width]) {
                    *to = *from as f32;
                }
                eight
            };
            let mut so_far = [0.0; LANES];
            self.before.push(so_far);
            for day in 0..self.days {
                let known = match day < demand.days {
                    true => day,
                    false => demand.days - season + (day - demand.days) % season,
                };
                let wanted = if demand.days == 0 { [0.0; LANES] } else { eight(demand.row(known)) };
                let received =
                    if day < receipts.days { eight(receipts.row(day)) } else { [0.0; LANES] };
                for p in 0..LANES {
                    so_far[p] += wanted[p];
                }
                self.demand.push(wanted);
                self.receipts.push(received);
                self.before.push(so_far);
            }
            self.arrive.push(eight(&window.arrive));
            self.until.push(eight(&window.until));
        }
        self.first_arrival =
            window.arrive.iter().copied().fold(f64::INFINITY, f64::min).min(1e6) as usize;
    }

    /// As [`crate::policy::perishable`] opens its shelf: promises take the soonest lots.
    fn open(&mut self, opening: &Opening) {
        self.net = opening.net as f32;
        self.lots.clear();
        self.lots.resize(self.days + 1, 0.0);
        if opening.net <= 0 {
            return;
        }
        let unknown = opening.unlotted.clamp(0, opening.net);
        let in_lots: i64 = opening.lots.iter().map(|lot| lot.qty).sum();
        let mut reserved = in_lots - (opening.net - unknown);
        for lot in &opening.lots {
            let taken = lot.qty.min(reserved.max(0));
            reserved -= taken;
            self.lots[(lot.last_day.max(0) as usize).min(self.days)] += (lot.qty - taken) as f32;
        }
        let last = self.last_day(0);
        self.lots[last] += unknown as f32;
    }

    /// The last day for sale of what is received on `day`, `days` where it outlives the walk.
    pub(super) fn last_day(&self, day: usize) -> usize {
        day.saturating_add(self.life - 1).min(self.days)
    }

    pub(super) fn expires(&self) -> bool {
        self.aging != Aging::Keeps
    }
}
