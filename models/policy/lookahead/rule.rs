//! The plain rule that orders after this order: up to a level of projected stock, in units of each
//! window's own spread, so that one number serves demand that changes over time.

use crate::policy::lookahead::PeriodMoney;
use crate::policy::lookahead::ground::{Eight, Ground, LANES};
use crate::policy::lookahead::walk::Start;

/// A projected-inventory-level policy laid out over the reviews of one decision; review 0 is today.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub prices: Prices,
    /// Projected stock to order up to.
    pub level: Vec<f32>,
    pub reviews: Vec<Review>,
    /// Mean demand from today's order's arrival to the next.
    pub usual: f32,
    /// Standard deviation of that demand.
    pub spread: f32,
    setting: f32,
}

/// What is known of a review on its day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Review {
    /// From the review to its order's usual arrival, in a few pieces.
    pub stretches: [Stretch; STRETCHES],
    pub count: usize,
    /// Usual arrival of the order after it.
    pub next: usize,
    /// Mean demand until the order comes.
    pub lead_demand: f32,
    /// Demand between the two arrivals.
    pub gap: Moments,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub end: usize,
    pub mean: f32,
    pub variance: f32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub mean: f32,
    pub variance: f32,
}

/// Pieces into which a lead time is cut, at the most.
const STRETCHES: usize = 4;

/// Blocks of paths on which the level is fitted, at the least: its cost is flat about the best.
const FITTED_BLOCKS: usize = 16;

/// [`PeriodMoney`] in single precision.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prices {
    pub unit_cost: f32,
    pub holding: f32,
    pub shortage: f32,
    pub waste: f32,
}

impl Prices {
    fn of(money: &PeriodMoney) -> Prices {
        Prices {
            unit_cost: money.unit_cost as f32,
            holding: money.holding as f32,
            shortage: money.shortage as f32,
            waste: money.waste as f32,
        }
    }
}

impl Rule {
    /// Measures the windows and searches the level, coarse to fine.
    pub(super) fn fit(&mut self, ground: &mut Ground) {
        self.prices = Prices::of(&ground.money);
        self.measure(ground);
        let (mut at, mut best) = (1.0, self.price(ground, 1.0));
        for step in [0.8, 0.4, 0.2, 0.1] {
            for towards in [step, -step] {
                let mut moved = false;
                loop {
                    let cost = self.price(ground, at + towards);
                    if cost >= best {
                        break;
                    }
                    (at, best, moved) = (at + towards, cost, true);
                }
                if moved {
                    break;
                }
            }
        }
        self.lay_out(at);
    }

    fn price(&mut self, ground: &mut Ground, setting: f32) -> f64 {
        self.lay_out(setting);
        let blocks = (ground.arrive.len() / 4).max(FITTED_BLOCKS);
        ground.walk(self, Start::Level, blocks)
    }

    fn lay_out(&mut self, setting: f32) {
        self.setting = setting;
        self.level.clear();
        let level =
            |review: &Review| (review.gap.mean + setting * review.gap.variance.sqrt()).max(0.0);
        self.level.extend(self.reviews.iter().map(level));
    }

    fn measure(&mut self, ground: &Ground) {
        self.reviews.clear();
        let mean = |days: &[Eight]| {
            let sum: f64 = (0..ground.paths).map(|p| f64::from(days[p / LANES][p % LANES])).sum();
            sum / ground.paths.max(1) as f64
        };
        let arrive = mean(&ground.arrive).round() as usize;
        let until = mean(&ground.until).round() as usize;
        for review in 0.. {
            let day = review * ground.review;
            let end = if review == 0 { arrive } else { until + (review - 1) * ground.review };
            let next = until + review * ground.review;
            if review > 0 && next > ground.days {
                break;
            }
            let mut plan = Review { next, ..Review::default() };
            let lead = end.saturating_sub(day);
            plan.count = lead.min(STRETCHES);
            let mut from = day;
            for (at, stretch) in plan.stretches[..plan.count].iter_mut().enumerate() {
                let to = day + lead * (at + 1) / plan.count;
                let demand = moments(ground, from, to);
                *stretch = Stretch {
                    end: to.min(ground.days),
                    mean: demand.mean,
                    variance: demand.variance,
                };
                from = to;
            }
            plan.lead_demand = moments(ground, day, end).mean;
            plan.gap = moments(ground, end, next);
            self.reviews.push(plan);
        }
        self.usual = self.reviews[0].gap.mean;
        self.spread = self.reviews[0].gap.variance.sqrt();
    }
}

/// Demand from day to day, over the paths.
fn moments(ground: &Ground, from: usize, to: usize) -> Moments {
    let (mut sum, mut squares) = (0.0f64, 0.0f64);
    let (from, to) = (from.min(ground.days), to.min(ground.days));
    for block in 0..ground.arrive.len() {
        let before = &ground.before[block * (ground.days + 1)..];
        let (mut eight, mut squared) = (0.0, 0.0);
        for (to, from) in before[to].iter().zip(&before[from]) {
            let demand = to - from;
            eight += demand;
            squared += demand * demand;
        }
        sum += f64::from(eight);
        squares += f64::from(squared);
    }
    let paths = ground.paths.max(1) as f64;
    let mean = sum / paths;
    let variance = (squares / paths - mean * mean).max(0.0);
    Moments { mean: mean as f32, variance: variance as f32 }
}
