//! Walking the paths: eight side by side, day by day, with the rule's orders on review days.
#![allow(clippy::needless_range_loop, reason = "lanes of several rows go side by side")]

use crate::policy::lookahead::ground::{Aging, Eight, Ground, LANES};
use crate::policy::lookahead::rule::{Rule, Stretch};

/// Where a walk starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    /// Today's stock and open orders, with so much ordered now.
    Today(f32),
    /// The rule's own level, an average order on each earlier review's way.
    Level,
}

impl Ground {
    /// Mean over the paths of the stock that the rule expects as today's order comes.
    pub(super) fn projected_today(&mut self, rule: &Rule) -> f64 {
        let mut incoming = std::mem::take(&mut self.incoming);
        let mut shelf = std::mem::take(&mut self.shelf);
        let mut total = 0.0;
        for block in 0..self.arrive.len() {
            let lanes =
                Lanes::start(self, rule, Start::Today(0.0), block, &mut incoming, &mut shelf);
            let stock = match (self.aging, self.lost_sales) {
                (Aging::Keeps, true) => lanes.projected::<0, true>(0, 0),
                (Aging::Keeps, false) => lanes.projected::<0, false>(0, 0),
                (Aging::Fifo, true) => lanes.projected::<1, true>(0, 0),
                (Aging::Fifo, false) => lanes.projected::<1, false>(0, 0),
                (Aging::Lifo, true) => lanes.projected::<2, true>(0, 0),
                (Aging::Lifo, false) => lanes.projected::<2, false>(0, 0),
            };
            let width = (self.paths - block * LANES).min(LANES);
            total += stock[..width].iter().map(|&s| f64::from(s)).sum::<f64>();
        }
        (self.incoming, self.shelf) = (incoming, shelf);
        total / self.paths.max(1) as f64
    }

    /// Mean over the paths of what the walk costs if `qty` is ordered now.
    pub(super) fn cost(&mut self, rule: &Rule, qty: f64) -> f64 {
        self.walk(rule, Start::Today(qty as f32), usize::MAX)
    }

    pub(super) fn walk(&mut self, rule: &Rule, start: Start, blocks: usize) -> f64 {
        let mut incoming = std::mem::take(&mut self.incoming);
        let mut shelf = std::mem::take(&mut self.shelf);
        let blocks = blocks.min(self.arrive.len());
        let mut total = 0.0;
        for block in 0..blocks {
            let mut lanes = Lanes::start(self, rule, start, block, &mut incoming, &mut shelf);
            let cost = match (self.aging, self.lost_sales) {
                (Aging::Keeps, true) => lanes.run::<0, true>(),
                (Aging::Keeps, false) => lanes.run::<0, false>(),
                (Aging::Fifo, true) => lanes.run::<1, true>(),
                (Aging::Fifo, false) => lanes.run::<1, false>(),
                (Aging::Lifo, true) => lanes.run::<2, true>(),
                (Aging::Lifo, false) => lanes.run::<2, false>(),
            };
            let width = (self.paths - block * LANES).min(LANES);
            total += cost[..width].iter().map(|&c| f64::from(c)).sum::<f64>();
        }
        (self.incoming, self.shelf) = (incoming, shelf);
        total / self.paths.min(blocks * LANES).max(1) as f64
    }
}

const TWO_OVER_PI: f32 = std::f32::consts::FRAC_2_PI;

fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Nearest whole number, of what is not negative, without a call.
fn nearest(value: f32) -> f32 {
    const ULP_IS_ONE: f32 = 8_388_608.0;
    if value < ULP_IS_ONE { (value + ULP_IS_ONE) - ULP_IS_ONE } else { value }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// What is expected of eight paths' stock, as far as a review can know.
struct Outlook {
    mean: Eight,
    variance: Eight,
    came: Eight,
    expired_by: Eight,
}

impl Outlook {
    #[inline(always)]
    fn sell<const LOST_SALES: bool>(&mut self, stretch: &Stretch) {
        if !LOST_SALES {
            self.mean.iter_mut().for_each(|mean| *mean -= stretch.mean);
            return;
        }
        for p in 0..LANES {
            // What is owed stays owed; sales are lost down to that.
            let owed = smaller(self.mean[p], 0.0);
            let m = self.mean[p] - owed - stretch.mean;
            let v = self.variance[p] + stretch.variance;
            let root = (m * m + TWO_OVER_PI * v + 1e-6).sqrt();
            let positive = 0.5 + 0.5 * m / root;
            self.mean[p] = owed + 0.5 * (m + root);
            // Of a normal cut at its mean 0.36 of the variance are left, far above 0 all.
            self.variance[p] = v * positive * (0.36 + 0.64 * positive);
        }
    }

    /// FIFO: takes off what will have expired if `demand` more is sold.
    #[inline(always)]
    fn waste(&mut self, demand: f32) {
        for p in 0..LANES {
            let gone = self.came[p] - self.mean[p] + demand;
            self.mean[p] -= larger(self.expired_by[p] - gone, 0.0);
        }
    }
}

/// Eight paths on their way.
struct Lanes<'a> {
    ground: &'a Ground,
    rule: &'a Rule,
    block: usize,
    /// Receipts and orders by the day they come.
    incoming: &'a mut [Eight],
    /// See [`Ground::shelf`].
    shelf: &'a mut [Eight],
    /// Nothing on the shelf expires later, under LIFO; `days` stands for never.
    latest: usize,
    stock: Eight,
    /// All that ever came, opening stock included.
    came: Eight,
    /// Of what came, with a last day for sale that is over (FIFO).
    expired_by: Eight,
    /// Stock and all that was ordered or is known to come in the window, since the start.
    supplied: Eight,
    ordered_cost: Eight,
    cost: Eight,
    counted_from: usize,
}

impl<'a> Lanes<'a> {
    fn start(
        ground: &'a Ground,
        rule: &'a Rule,
        start: Start,
        block: usize,
        incoming: &'a mut Vec<Eight>,
        shelf: &'a mut Vec<Eight>,
    ) -> Lanes<'a> {
        let days = ground.days;
        incoming.clear();
        shelf.clear();
        match start {
            Start::Today(_) => {
                incoming.extend_from_slice(&ground.receipts[block * days..(block + 1) * days]);
                shelf.extend(ground.lots.iter().map(|&qty| [qty; LANES]));
            }
            Start::Level => {
                incoming.resize(days, [0.0; LANES]);
                shelf.resize(days + 1, [0.0; LANES]);
            }
        }
        let mut lanes = Lanes {
            ground,
            rule,
            block,
            incoming,
            shelf,
            latest: days,
            stock: [ground.net; LANES],
            came: [larger(ground.net, 0.0); LANES],
            expired_by: [0.0; LANES],
            supplied: [ground.net; LANES],
            ordered_cost: [0.0; LANES],
            cost: [0.0; LANES],
            counted_from: 0,
        };
        if ground.aging == Aging::Fifo {
            lanes.expiring_receipts();
        }
        match start {
            Start::Today(qty) => lanes.order_at(&ground.arrive[block], &[qty; LANES], 0),
            Start::Level => lanes.start_at_level(),
        }
        lanes
    }

    /// Under FIFO only the days on which units would expire are told apart.
    fn expiring_receipts(&mut self) {
        if self.ground.life == usize::MAX {
            return;
        }
        for day in 0..self.ground.days {
            let last = self.ground.last_day(day);
            for p in 0..LANES {
                self.shelf[last][p] += self.incoming[day][p];
            }
        }
    }

    fn start_at_level(&mut self) {
        let ground = self.ground;
        let order = self.rule.usual.round();
        let on_hand = self.rule.level[0];
        let mut total = on_hand;
        let mut day = ground.first_arrival as i64;
        while day > 0 {
            let at = day as usize;
            self.order_at(&[at as f32; LANES], &[order; LANES], 0);
            total += order;
            day -= ground.review as i64;
        }
        self.stock = [on_hand; LANES];
        self.came = [on_hand; LANES];
        self.shelf[ground.last_day(0)] = [on_hand; LANES];
        self.supplied = [total; LANES];
        let unit_cost = self.rule.prices.unit_cost;
        self.ordered_cost = [total * unit_cost; LANES];
        self.counted_from = ground.first_arrival;
    }

    /// Books an order of `day` that comes on each lane's own day.
    #[inline(always)]
    fn order_at(&mut self, arrive: &Eight, qty: &Eight, day: usize) {
        let ground = self.ground;
        let price = self.rule.prices.unit_cost * ground.weights[day];
        let same = arrive.iter().all(|at| *at == arrive[0]);
        if same {
            let at = arrive[0] as usize;
            if at < ground.days {
                for p in 0..LANES {
                    self.incoming[at][p] += qty[p];
                }
                if ground.aging == Aging::Fifo && ground.life != usize::MAX {
                    let last = ground.last_day(at);
                    for p in 0..LANES {
                        self.shelf[last][p] += qty[p];
                    }
                }
            }
        } else {
            for p in 0..LANES {
                let at = arrive[p] as usize;
                if at < ground.days {
                    self.incoming[at][p] += qty[p];
                    if ground.aging == Aging::Fifo && ground.life != usize::MAX {
                        self.shelf[ground.last_day(at)][p] += qty[p];
                    }
                }
            }
        }
        for p in 0..LANES {
            self.supplied[p] += qty[p];
            self.ordered_cost[p] += price * qty[p];
        }
    }

    fn run<const AGING: u8, const LOST_SALES: bool>(&mut self) -> Eight {
        let ground = self.ground;
        let reviews = self.rule.reviews.len();
        let mut review = 1;
        for day in 0..ground.days {
            if review < reviews && day == review * ground.review {
                self.review::<AGING, LOST_SALES>(review, day);
                review += 1;
            }
            let cost = self.day::<AGING, LOST_SALES>(day);
            if day >= self.counted_from {
                for p in 0..LANES {
                    self.cost[p] += ground.weights[day] * cost[p];
                }
            }
        }
        // What is left, here or on its way, can be sold later and is worth what it cost.
        let worth = self.rule.prices.unit_cost * ground.weights[ground.days];
        let mut total = self.cost;
        for p in 0..LANES {
            let gone = self.came[p] - self.stock[p];
            total[p] += self.ordered_cost[p] - worth * (self.supplied[p] - gone);
        }
        total
    }

    #[inline(always)]
    fn review<const AGING: u8, const LOST_SALES: bool>(&mut self, review: usize, day: usize) {
        let ground = self.ground;
        let level = self.rule.level[review];
        let projected = self.projected::<AGING, LOST_SALES>(review, day);
        let mut qty = [0.0; LANES];
        let mut arrive = [0.0; LANES];
        let later = ((review - 1) * ground.review) as f32;
        for p in 0..LANES {
            qty[p] = nearest(larger(level - projected[p], 0.0));
            arrive[p] = ground.until[self.block][p] + later;
        }
        self.order_at(&arrive, &qty, day);
    }

    /// What should be there as the order of `review`, placed on `day`, comes, with all that comes
    /// until the order after it, as far as can be known on `day`.
    ///
    /// Mean and variance of stock are taken from stretch to stretch as if it were normal, cut at 0
    /// for the sales lost: `E[X⁺] ≈ (m + √(m² + 2v/π)) / 2`, exact at `m = 0` and in both tails.
    #[inline(always)]
    pub(super) fn projected<const AGING: u8, const LOST_SALES: bool>(
        &self,
        review: usize,
        day: usize,
    ) -> Eight {
        let plan = &self.rule.reviews[review];
        let mut outlook = Outlook {
            mean: self.stock,
            variance: [0.0; LANES],
            came: self.came,
            expired_by: self.expired_by,
        };
        let mut from = day;
        for stretch in &plan.stretches[..plan.count] {
            self.pass::<AGING>(&mut outlook, from..stretch.end);
            from = stretch.end;
            outlook.sell::<LOST_SALES>(stretch);
            if AGING == 1 {
                outlook.waste(0.0);
            }
        }
        if AGING == 2 {
            self.pass_over(&mut outlook.mean, day..from, plan.lead_demand);
        }
        self.pass::<AGING>(&mut outlook, from..plan.next.min(self.ground.days));
        if AGING == 1 {
            // What will expire before the order after this one comes serves only till then.
            outlook.waste(plan.gap.mean);
        }
        outlook.mean
    }

    /// Books what comes, and what will expire, on these days.
    #[inline(always)]
    fn pass<const AGING: u8>(&self, outlook: &mut Outlook, days: std::ops::Range<usize>) {
        for at in days {
            for p in 0..LANES {
                outlook.mean[p] += self.incoming[at][p];
                outlook.came[p] += self.incoming[at][p];
            }
            if AGING == 1 {
                for p in 0..LANES {
                    outlook.expired_by[p] += self.shelf[at][p];
                }
            }
        }
    }

    /// LIFO: takes off what expires on these days, of what younger stock leaves for it to sell.
    fn pass_over(&self, mean: &mut Eight, days: std::ops::Range<usize>, demand: f32) {
        let mut old = [0.0; LANES];
        for at in days {
            for p in 0..LANES {
                old[p] += self.shelf[at][p];
            }
        }
        for p in 0..LANES {
            let young = larger(self.stock[p], 0.0) - old[p];
            mean[p] -= larger(old[p] - larger(demand - young, 0.0), 0.0);
        }
    }

    #[inline(always)]
    fn day<const AGING: u8, const LOST_SALES: bool>(&mut self, day: usize) -> Eight {
        let ground = self.ground;
        let money = &self.rule.prices;
        let demand = &ground.demand[self.block * ground.days + day];
        let incoming = self.incoming[day];
        let (mut shelved, mut served) = ([0.0; LANES], [0.0; LANES]);
        let mut cost = [0.0; LANES];
        for p in 0..LANES {
            let there = self.stock[p] + incoming[p];
            self.came[p] += incoming[p];
            // What was owed is gone as it comes.
            shelved[p] = larger(there, 0.0) - larger(self.stock[p], 0.0);
            served[p] = smaller(demand[p], larger(there, 0.0));
            let taken = if LOST_SALES { served[p] } else { demand[p] };
            self.stock[p] = there - taken;
            let short =
                if LOST_SALES { demand[p] - served[p] } else { larger(-self.stock[p], 0.0) };
            cost[p] = money.shortage * short;
        }
        if AGING == 1 {
            for p in 0..LANES {
                self.expired_by[p] += self.shelf[day][p];
                let gone = self.came[p] - self.stock[p];
                let wasted = larger(self.expired_by[p] - gone, 0.0);
                self.stock[p] -= wasted;
                cost[p] += money.waste * wasted;
            }
        }
        if AGING == 2 {
            let wasted = self.issue_latest(day, &shelved, &served);
            for p in 0..LANES {
                self.stock[p] -= wasted[p];
                cost[p] += money.waste * wasted[p];
            }
        }
        for p in 0..LANES {
            cost[p] += money.holding * larger(self.stock[p], 0.0);
        }
        cost
    }

    /// LIFO: puts what came on the shelf, takes `served` from the latest on, and returns what
    /// expires at the end of `day`.
    fn issue_latest(&mut self, day: usize, shelved: &Eight, served: &Eight) -> Eight {
        let last = self.ground.last_day(day);
        for p in 0..LANES {
            self.shelf[last][p] += shelved[p];
        }
        let mut wanted = *served;
        for at in (day..=self.latest).rev() {
            let mut left = 0.0;
            for p in 0..LANES {
                let taken = smaller(wanted[p], self.shelf[at][p]);
                self.shelf[at][p] -= taken;
                wanted[p] -= taken;
                left += wanted[p];
            }
            if left <= 0.0 {
                break;
            }
        }
        std::mem::replace(&mut self.shelf[day], [0.0; LANES])
    }
}
