//! Prices of the limits: the multipliers whose bound is lowest.

use super::problem::{Limit, Problem};

/// Rounds over all limits, each priced by bisection while the others stand.
const ROUNDS_MOST: usize = 30;
/// A round that lowers the bound by a smaller share is the last: in a hurry over many lines, whose
/// kinks are small, and otherwise.
const ROUND_GAIN: [f64; 2] = [1e-5, 1e-7];
const MANY_LINES: usize = 1_000;
const BISECTIONS: usize = 40;
const POLISH_STEPS: [usize; 2] = [60, 200];
/// Steps without a lower bound before they are halved.
const PATIENCE: usize = 12;

pub(in crate::plan) struct Dual<'a> {
    problem: &'a Problem,
    /// The problem's, until somebody changes them here.
    pub limits: Vec<Limit>,
    pub closed: Vec<bool>,
    pub prices: Vec<f64>,
    /// To which share of itself a price is found.
    pub precision: f64,
    /// Not in a hurry; with few lines there is none.
    pub thorough: bool,
    /// Of a unit of money and of quantity, per line, over all its limits.
    line_prices: Vec<(f64, f64)>,
}

impl<'a> Dual<'a> {
    pub fn new(problem: &'a Problem, mut prices: Vec<f64>) -> Dual<'a> {
        prices.resize(problem.limits.len(), 0.0);
        for (price, limit) in prices.iter_mut().zip(&problem.limits) {
            if !limit.most.is_finite() {
                *price = 0.0;
            }
        }
        let mut dual = Dual {
            problem,
            limits: problem.limits.clone(),
            closed: problem.closed.clone(),
            prices,
            precision: 1e-10,
            thorough: problem.goods.len() <= MANY_LINES,
            line_prices: Vec::new(),
        };
        dual.price_lines();
        dual
    }

    pub fn into_prices(self) -> Vec<f64> {
        self.prices
    }

    fn price_lines(&mut self) {
        self.line_prices.clear();
        self.line_prices.extend(self.problem.goods.iter().map(|goods| {
            goods.members.iter().fold((0.0, 0.0), |(money, qty), member| {
                let price = self.prices[member.limit];
                (money + price * member.per_money, qty + price * member.per_qty)
            })
        }));
    }

    pub fn pick(&self, line: usize) -> usize {
        if self.closed[line] {
            return 0;
        }
        let (money, qty) = self.line_prices[line];
        self.problem.goods[line].best(money, qty)
    }

    /// What an option of a line is worth less what it takes.
    pub fn net(&self, line: usize, option: usize) -> f64 {
        let (money, qty) = self.line_prices[line];
        self.problem.goods[line].net(option, money, qty)
    }

    /// What moving a line would take from the limits, at their prices.
    pub fn cost(&self, line: usize, from: usize, to: usize) -> f64 {
        let (money, qty) = self.line_prices[line];
        let goods = &self.problem.goods[line];
        money * (goods.money[to] - goods.money[from]) + qty * (goods.qty[to] - goods.qty[from])
    }

    pub fn picks(&self) -> Vec<usize> {
        (0..self.problem.goods.len()).map(|line| self.pick(line)).collect()
    }

    pub fn bound(&self) -> f64 {
        let lines: f64 =
            (0..self.problem.goods.len()).map(|line| self.net(line, self.pick(line))).sum();
        lines + self.room_worth()
    }

    fn room_worth(&self) -> f64 {
        let priced = self.prices.iter().zip(&self.limits);
        priced.filter(|(price, _)| **price > 0.0).map(|(price, limit)| price * limit.most).sum()
    }

    /// Use of one limit if its price were `price`.
    fn use_at(&self, limit: usize, price: f64) -> f64 {
        let change = price - self.prices[limit];
        let mut total = 0.0;
        for &(line, at) in &self.problem.lines_of[limit] {
            let goods = &self.problem.goods[line as usize];
            let member = &goods.members[usize::from(at)];
            let option = if self.closed[line as usize] {
                0
            } else {
                let (money, qty) = self.line_prices[line as usize];
                // At no price at all a line is exactly at its own quantity.
                let whole = |price: f64, part: f64| {
                    if (price + change * part).abs() < 1e-12 * price.abs() {
                        0.0
                    } else {
                        price + change * part
                    }
                };
                goods.best(whole(money, member.per_money), whole(qty, member.per_qty))
            };
            total += goods.takes(member, option);
        }
        total
    }

    pub fn set(&mut self, limit: usize, price: f64) {
        self.prices[limit] = price;
        for &(line, _) in &self.problem.lines_of[limit] {
            let goods = &self.problem.goods[line as usize];
            self.line_prices[line as usize] =
                goods.members.iter().fold((0.0, 0.0), |(money, qty), member| {
                    let price = self.prices[member.limit];
                    (money + price * member.per_money, qty + price * member.per_qty)
                });
        }
    }

    /// The smallest price at which the limit is kept, the other prices standing.
    fn price_one(&mut self, limit: usize) {
        let most = self.limits[limit];
        if !most.most.is_finite() {
            return;
        }
        let kept = |price: f64| most.over(self.use_at(limit, price)) == 0.0;
        let now = self.prices[limit];
        if (now == 0.0 || kept(0.0)) && kept(0.0) {
            if now != 0.0 {
                self.set(limit, 0.0);
            }
            return;
        }
        let (mut low, mut high);
        if now > 0.0 && kept(now) {
            (low, high) = (0.0, now);
            let mut step = 1e-3;
            while step < 1.0 {
                let lower = now * (1.0 - step);
                if !kept(lower) {
                    low = lower;
                    break;
                }
                high = lower;
                step *= 8.0;
            }
        } else {
            low = now;
            let mut step = if now > 0.0 { 1e-3 * now } else { self.first_guess(limit) };
            high = low + step;
            while !kept(high) {
                low = high;
                step *= 4.0;
                high += step;
                if !high.is_finite() {
                    return;
                }
            }
        }
        for _ in 0..BISECTIONS {
            if high - low <= self.precision * high {
                break;
            }
            let middle = 0.5 * (low + high);
            if kept(middle) { high = middle } else { low = middle }
        }
        self.set(limit, high);
    }

    /// Prices these limits alone, the others standing.
    pub fn price_these(&mut self, limits: &[usize]) {
        for _ in 0..ROUNDS_MOST {
            let mut moved = false;
            for &limit in limits {
                let before = self.prices[limit];
                self.price_one(limit);
                let change = (self.prices[limit] - before).abs();
                moved |= change > 10.0 * self.precision * self.prices[limit].max(before);
            }
            if !moved || limits.len() < 2 {
                return;
            }
        }
    }

    /// What some lines are worth at the prices, and the room of limits that only they are in.
    pub fn worth_of(&self, lines: &[usize], limits: &[usize]) -> f64 {
        let worth: f64 = lines.iter().map(|&line| self.net(line, self.pick(line))).sum();
        let priced = limits.iter().filter(|&&limit| self.prices[limit] > 0.0);
        worth + priced.map(|&limit| self.prices[limit] * self.limits[limit].most).sum::<f64>()
    }

    /// Use of one limit at the prices.
    pub fn use_of(&self, limit: usize) -> f64 {
        self.use_at(limit, self.prices[limit])
    }

    /// The mean worth of a unit that the lines want.
    pub fn first_guess(&self, limit: usize) -> f64 {
        let (mut value, mut taken) = (0.0, 0.0);
        for &(line, at) in &self.problem.lines_of[limit] {
            let goods = &self.problem.goods[line as usize];
            value += (goods.value[goods.own] - goods.value[0]).abs();
            taken += goods.takes(&goods.members[usize::from(at)], goods.own).abs();
        }
        if taken > 0.0 && value > 0.0 { 0.1 * value / taken } else { 1e-6 }
    }

    /// Coordinate descent. Where few lines make the bound's kinks large it may stop above its
    /// minimum; [`Dual::polish`] goes on from there.
    pub fn descend(&mut self) {
        let least = ROUND_GAIN[usize::from(self.thorough)];
        let mut before = self.bound();
        for round in 0..ROUNDS_MOST {
            for limit in 0..self.prices.len() {
                self.price_one(limit);
            }
            let bound = self.bound();
            if round > 0 && before - bound <= least * bound.abs() {
                break;
            }
            before = bound;
        }
    }

    /// Subgradient steps towards `target`, a value that some plan reaches (Polyak 1969). Each limit
    /// counts in shares of itself.
    pub fn polish(&mut self, target: Option<f64>) {
        let mut best = (self.bound(), self.prices.clone());
        let mut target = target.unwrap_or(best.0 - 0.05 * best.0.abs().max(1.0));
        let (mut relaxed, mut waited) = (1.0, 0);
        for _ in 0..POLISH_STEPS[usize::from(self.thorough)] {
            let used = self.problem.used(&self.picks());
            let bound = self.bound();
            if bound < best.0 - 1e-9 * best.0.abs() {
                best = (bound, self.prices.clone());
                waited = 0;
            } else {
                waited += 1;
                if waited > PATIENCE {
                    (relaxed, waited) = (relaxed * 0.5, 0);
                    self.prices.clone_from(&best.1);
                    self.price_lines();
                }
            }
            target = target.min(best.0);
            let away: Vec<f64> = self
                .problem
                .limits
                .iter()
                .zip(used.iter().zip(&self.prices))
                .map(|(limit, (&used, &price))| {
                    let over = if limit.most.is_finite() {
                        (used - limit.most) / limit.scale()
                    } else {
                        0.0
                    };
                    if price == 0.0 { f64::max(over, 0.0) } else { over }
                })
                .collect();
            let square: f64 = away.iter().map(|part| part * part).sum();
            if square < 1e-18 || relaxed < 1e-4 {
                break;
            }
            let step = relaxed * (bound - target).max(1e-9 * best.0.abs()) / square;
            for ((price, limit), part) in self.prices.iter_mut().zip(&self.limits).zip(&away) {
                *price = (*price + step * part / limit.scale()).max(0.0);
            }
            self.price_lines();
        }
        if self.bound() > best.0 {
            self.prices = best.1;
            self.price_lines();
        }
    }
}
