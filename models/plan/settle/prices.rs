//! Prices of what supplier orders share, when each order may also be put off.
//!
//! At prices λ of the shared limits the bound of a plan is the sum over lines, and over orders of
//! their best mode, plus `λ · limits`: convex in λ, so that it is lowered one price at a time.

use crate::plan::settle::ledger::Component;
use crate::plan::settle::orders::{Assessed, Mode, Order};
use crate::plan::share::{Dual, Limit};

/// Rounds over the shared limits.
const ROUNDS: usize = 3;
/// Modes of orders looked at in all; what is left then keeps the price it has.
const LOOKS_MOST: usize = 25_000;
const PRECISION: f64 = 1e-5;

pub(super) struct Priced {
    pub prices: Vec<f64>,
    /// Every mode of each order that was looked at in the end, the best first.
    pub modes: Vec<Vec<Assessed>>,
    pub bound: f64,
}

struct Market<'a> {
    dual: Dual<'a>,
    component: &'a Component,
    built: &'a [Limit],
    /// Limits of each order.
    own: Vec<Vec<usize>>,
    /// Orders with lines in each limit.
    touching: Vec<Vec<usize>>,
    modes: Vec<Vec<Assessed>>,
    looks: usize,
}

pub(super) fn price(component: &Component, built: &[Limit]) -> Priced {
    let mut market = Market::new(component, built);
    for round in 0..ROUNDS {
        let mut moved = 0.0f64;
        for limit in market.shared() {
            let before = market.dual.prices[limit];
            market.price_one(limit);
            let after = market.dual.prices[limit];
            moved = moved.max((after - before).abs() / after.max(before).max(1e-12));
        }
        if market.looks == 0 || (round > 0 && moved < 10.0 * PRECISION) {
            break;
        }
    }
    let all: Vec<usize> = (0..component.orders.len()).collect();
    market.look_at(&all);
    let bound = market.bound();
    Priced { prices: market.dual.into_prices(), modes: market.modes, bound }
}

impl<'a> Market<'a> {
    fn new(component: &'a Component, built: &'a [Limit]) -> Market<'a> {
        let Component { problem, orders, .. } = component;
        let own: Vec<Vec<usize>> = orders.iter().map(|order| order.limits().collect()).collect();
        let mut dual = Dual::new(problem, vec![0.0; built.len()]);
        dual.limits.copy_from_slice(built);
        for &limit in own.iter().flatten() {
            dual.limits[limit].most = f64::INFINITY;
        }
        dual.closed.fill(false);
        // Where orders ask for nothing the prices are a start.
        dual.precision = PRECISION;
        dual.descend();
        let mut touching = vec![Vec::new(); built.len()];
        for (at, order) in orders.iter().enumerate() {
            let members = order.goods.iter().flat_map(|&line| &problem.goods[line].members);
            let mut limits: Vec<usize> = members.map(|member| member.limit).collect();
            limits.sort_unstable();
            limits.dedup();
            limits.into_iter().for_each(|limit| touching[limit].push(at));
        }
        let modes = vec![Vec::new(); orders.len()];
        Market { dual, component, built, own, touching, modes, looks: LOOKS_MOST }
    }

    fn shared(&self) -> Vec<usize> {
        let mut shared = vec![true; self.built.len()];
        self.own.iter().flatten().for_each(|&limit| shared[limit] = false);
        (0..shared.len()).filter(|&limit| shared[limit]).collect()
    }

    /// Puts these orders into their best modes at the prices.
    fn look_at(&mut self, orders: &[usize]) {
        for &at in orders {
            let order = &self.component.orders[at];
            let nothing = self.under(at, Mode::Deferred);
            let mut found = vec![nothing];
            if order.holds.is_empty() {
                found.push(self.under(at, Mode::Placed { containers: 0, full_of: None }));
            } else {
                let start = self.start(at, order);
                let built = self.built;
                for full_of in order.filled() {
                    found.extend(order.walk(start, built, |containers| {
                        self.under(at, Mode::Placed { containers, full_of })
                    }));
                }
            }
            found.sort_by(|a, b| b.bound.total_cmp(&a.bound).then(a.mode.cmp(&b.mode)));
            let best = found[0].mode;
            self.under(at, best);
            self.modes[at] = found;
        }
    }

    /// Containers to start from: those of the last look, or what the order would fill freely.
    fn start(&mut self, at: usize, order: &Order) -> i64 {
        let last = self.modes[at].iter().find_map(|assessed| match assessed.mode {
            Mode::Placed { containers, .. } => Some(containers),
            Mode::Deferred => None,
        });
        last.unwrap_or_else(|| {
            self.open(at);
            let used = |limit: usize| self.dual.use_of(limit);
            order.containers(used, self.built).max(1)
        })
    }

    /// The order without any limit of its own.
    fn open(&mut self, at: usize) {
        for &limit in &self.own[at] {
            self.dual.limits[limit].most = f64::INFINITY;
            self.dual.set(limit, 0.0);
        }
        for &line in &self.component.orders[at].goods {
            self.dual.closed[line] = false;
        }
    }

    fn under(&mut self, at: usize, mode: Mode) -> Assessed {
        self.looks = self.looks.saturating_sub(1);
        let order = &self.component.orders[at];
        order.set(mode, &mut self.dual.limits, self.built, |limit| limit);
        for &line in &order.goods {
            self.dual.closed[line] = mode == Mode::Deferred;
        }
        for &limit in &self.own[at] {
            if !self.dual.limits[limit].most.is_finite() && self.dual.prices[limit] != 0.0 {
                self.dual.set(limit, 0.0);
            }
        }
        let hopeless = self.own[at].iter().any(|&limit| {
            let limits = &self.dual.limits;
            limits[limit].most < 0.0
                && limits[limit].over(self.component.problem.least_use(limit)) > 0.0
        });
        let bound = if hopeless && mode != Mode::Deferred {
            f64::NEG_INFINITY
        } else {
            if mode != Mode::Deferred {
                self.dual.price_these(&self.own[at]);
            }
            self.dual.worth_of(&order.goods, &self.own[at]) - order.cost(mode, self.built)
        };
        Assessed { mode, value: bound, bound }
    }

    fn kept(&mut self, limit: usize, price: f64) -> bool {
        self.dual.set(limit, price);
        let orders = self.touching[limit].clone();
        self.look_at(&orders);
        self.built[limit].over(self.dual.use_of(limit)) == 0.0
    }

    /// The smallest price at which the limit is kept, the other shared prices standing.
    fn price_one(&mut self, limit: usize) {
        if self.looks == 0 || !self.built[limit].most.is_finite() {
            return;
        }
        let now = self.dual.prices[limit];
        if self.kept(limit, 0.0) {
            return;
        }
        let guess = if now > 0.0 { now } else { self.dual.first_guess(limit) };
        let (mut low, mut high) = (0.0, guess);
        while !self.kept(limit, high) {
            (low, high) = (high, high * 1.5);
            if !high.is_finite() {
                return;
            }
        }
        if low == 0.0 && self.kept(limit, 0.7 * high) {
            high *= 0.7;
        } else if low == 0.0 {
            low = 0.7 * high;
        }
        while high - low > PRECISION * high && self.looks > 0 {
            let middle = 0.5 * (low + high);
            if self.kept(limit, middle) { high = middle } else { low = middle }
        }
        self.kept(limit, high);
    }

    fn bound(&self) -> f64 {
        let Component { problem, orders, .. } = self.component;
        let best = |modes: &Vec<Assessed>| modes[0].bound;
        let mut alone = vec![true; problem.goods.len()];
        orders.iter().flat_map(|order| &order.goods).for_each(|&line| alone[line] = false);
        let alone: Vec<usize> = (0..alone.len()).filter(|&line| alone[line]).collect();
        self.modes.iter().map(best).sum::<f64>() + self.dual.worth_of(&alone, &self.shared())
    }
}
