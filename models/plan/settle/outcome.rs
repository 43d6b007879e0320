//! The best modes of all orders together with the best picks of all lines.

use crate::plan::settle::ledger::Component;
use crate::plan::settle::orders::{Assessed, Mode};
use crate::plan::share::{Effort, Limit, Problem, Solved, solve};

/// Rounds of prices for lines and modes for orders in turn.
const ROUNDS_MOST: usize = 6;
/// Up to so many combinations of modes are all tried, where lines are few.
const COMBINATIONS_MOST: usize = 64;
const FEW_LINES: usize = 60;
/// Line options looked at while trying single orders in another mode.
const FLIP_WORK: usize = 60_000;

pub(super) struct Outcome {
    pub picks: Vec<usize>,
    /// Per unit of each limit.
    pub prices: Vec<f64>,
    pub bound: f64,
    /// The limits as the modes set them.
    pub limits: Vec<Limit>,
    /// And as they were before.
    pub built: Vec<Limit>,
}

struct Joint<'a> {
    component: &'a mut Component,
    built: Vec<Limit>,
}

/// A plan under some modes.
struct Tried {
    modes: Vec<Mode>,
    solved: Solved,
    value: f64,
    bound: f64,
}

pub(super) fn outcome(component: &mut Component) -> Outcome {
    let built = component.problem.limits.clone();
    let mut joint = Joint { component, built };
    let best = joint.best();
    joint.choose(&best.modes);
    let limits = joint.component.problem.limits.clone();
    Outcome {
        picks: best.solved.picks,
        prices: best.solved.prices,
        bound: best.bound.max(best.value),
        limits,
        built: joint.built,
    }
}

impl Joint<'_> {
    fn problem(&mut self) -> &mut Problem {
        &mut self.component.problem
    }

    fn choose(&mut self, modes: &[Mode]) {
        let Component { orders, problem, .. } = &mut *self.component;
        for (order, &mode) in orders.iter().zip(modes) {
            order.choose(mode, problem, &self.built);
        }
    }

    /// Solves under these modes, putting off orders whose minimum cannot be kept.
    fn under(&mut self, mut modes: Vec<Mode>, effort: Effort, prices: &[f64]) -> Tried {
        loop {
            self.choose(&modes);
            let solved = solve(self.problem(), effort, prices.to_vec());
            if solved.feasible || !self.put_off(&mut modes, &solved) {
                let solved = if solved.feasible { solved } else { self.nothing(solved) };
                let orders = self.component.orders.iter().zip(&modes);
                let cost: f64 = orders.map(|(order, &mode)| order.cost(mode, &self.built)).sum();
                let (value, bound) = (solved.value - cost, solved.bound - cost);
                return Tried { modes, solved, value, bound };
            }
        }
    }

    /// Of the orders that break their own limits, or if none does, of all that are placed, the one
    /// that brings least. False if none is placed.
    fn put_off(&self, modes: &mut [Mode], solved: &Solved) -> bool {
        let problem = &self.component.problem;
        let used = problem.used(&solved.picks);
        let broken = |at: &usize| {
            self.component.orders[*at]
                .limits()
                .any(|limit| problem.limits[limit].over(used[limit]) > 0.0)
        };
        let placed: Vec<usize> =
            (0..modes.len()).filter(|&at| modes[at] != Mode::Deferred).collect();
        let worth = |at: &usize| -> f64 {
            let order = &self.component.orders[*at];
            let wanted = |&line: &usize| {
                let goods = &problem.goods[line];
                goods.value[goods.own] - goods.value[0]
            };
            order.goods.iter().map(wanted).sum::<f64>() - order.cost(modes[*at], &self.built)
        };
        let least = |of: &mut dyn Iterator<Item = usize>| {
            of.min_by(|a, b| worth(a).total_cmp(&worth(b)).then(a.cmp(b)))
        };
        let first = least(&mut placed.iter().copied().filter(broken));
        let Some(at) = first.or_else(|| least(&mut placed.iter().copied())) else { return false };
        modes[at] = Mode::Deferred;
        true
    }

    /// Ordering nothing keeps every limit that is left.
    fn nothing(&self, solved: Solved) -> Solved {
        let picks = vec![0; solved.picks.len()];
        Solved { value: self.component.problem.value(&picks), picks, feasible: true, ..solved }
    }

    fn best(&mut self) -> Tried {
        let none = vec![0.0; self.built.len()];
        if self.component.orders.is_empty() {
            return self.under(Vec::new(), Effort::Full, &none);
        }
        if let Some(modes) = self.all_modes() {
            return self.enumerate(&modes);
        }
        let mut assessed = self.assess(&none);
        let mut best: Option<Tried> = None;
        let mut seen: Vec<Vec<Mode>> = Vec::new();
        for _ in 0..ROUNDS_MOST {
            let modes: Vec<Mode> = assessed.iter().map(|modes| modes[0].mode).collect();
            if seen.contains(&modes) {
                break;
            }
            seen.push(modes.clone());
            let prices = best.as_ref().map_or(&none, |best| &best.solved.prices);
            let tried = self.under(modes, Effort::Quick, &prices.clone());
            assessed = self.assess(&tried.solved.prices);
            let bound = self.bound(&assessed, &tried.solved.prices);
            let lowest = best.as_ref().map_or(bound, |best| best.bound.min(bound));
            if best.as_ref().is_none_or(|best| tried.value > best.value) {
                best = Some(tried);
            }
            best.as_mut().expect("just set").bound = lowest;
        }
        let best = best.expect("at least one round");
        self.finish(best)
    }

    fn finish(&mut self, best: Tried) -> Tried {
        let lowest = best.bound;
        let full = self.under(best.modes.clone(), Effort::Full, &best.solved.prices);
        let mut best = if full.value >= best.value { full } else { best };
        best.bound = lowest;
        let assessed = self.assess(&best.solved.prices);
        best.bound = best.bound.min(self.bound(&assessed, &best.solved.prices));
        self.flip(best, &assessed)
    }

    /// Single orders in another mode, the most promising first.
    fn flip(&mut self, mut best: Tried, assessed: &[Vec<Assessed>]) -> Tried {
        let mut flips: Vec<(f64, usize, Mode)> = Vec::new();
        for (order, modes) in assessed.iter().enumerate() {
            let of = |mode: Mode| modes.iter().find(|m| m.mode == mode).map_or(0.0, |m| m.value);
            let now = of(best.modes[order]);
            let others = modes.iter().filter(|m| m.mode != best.modes[order]);
            flips.extend(others.map(|other| (now - other.value, order, other.mode)));
        }
        flips.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let tries = FLIP_WORK / self.component.rows.len().max(1);
        for (_, order, mode) in flips.into_iter().take(tries) {
            if best.bound - best.value <= 1e-6 * best.bound.abs() {
                break;
            }
            let mut modes = best.modes.clone();
            modes[order] = mode;
            let tried = self.under(modes, Effort::Full, &best.solved.prices);
            if tried.value > best.value + 1e-9 * best.value.abs() {
                best = Tried { bound: best.bound, ..tried };
            }
        }
        best
    }

    fn assess(&self, prices: &[f64]) -> Vec<Vec<Assessed>> {
        let Component { orders, problem, .. } = &*self.component;
        orders.iter().map(|order| order.assess(problem, &self.built, prices)).collect()
    }

    /// No plan, whatever its modes, is worth more: every line and every order is at its best at
    /// these prices.
    fn bound(&self, assessed: &[Vec<Assessed>], prices: &[f64]) -> f64 {
        let Component { orders, problem, .. } = &*self.component;
        let mut shared = vec![true; prices.len()];
        orders.iter().flat_map(|order| order.limits()).for_each(|limit| shared[limit] = false);
        let mut bound: f64 = assessed
            .iter()
            .map(|modes| modes.iter().map(|m| m.bound).fold(f64::NEG_INFINITY, f64::max))
            .sum();
        let mut alone = vec![true; problem.goods.len()];
        orders.iter().flat_map(|order| &order.goods).for_each(|&line| alone[line] = false);
        for goods in problem.goods.iter().zip(&alone).filter(|(_, alone)| **alone).map(|g| g.0) {
            let (money, qty) = goods.members.iter().fold((0.0, 0.0), |(money, qty), member| {
                let price = prices[member.limit];
                (money + price * member.per_money, qty + price * member.per_qty)
            });
            bound += goods.net(goods.best(money, qty), money, qty);
        }
        let priced = (0..prices.len()).filter(|&at| shared[at] && prices[at] > 0.0);
        bound + priced.map(|at| prices[at] * self.built[at].most).sum::<f64>()
    }

    /// Every mode of every order, where their combinations are few.
    fn all_modes(&self) -> Option<Vec<Vec<Mode>>> {
        let Component { orders, problem, rows, .. } = &*self.component;
        if rows.len() > FEW_LINES {
            return None;
        }
        let (mut all, mut combinations) = (Vec::new(), 1usize);
        for order in orders {
            let mut modes = vec![Mode::Deferred];
            if order.holds.is_empty() {
                modes.push(Mode::Placed { containers: 0, full_of: None });
            } else {
                let largest: Vec<usize> =
                    problem.goods.iter().map(|goods| goods.options() - 1).collect();
                let used = order.used(problem, &largest);
                let own: Vec<usize> = order.limits().collect();
                let of = |limit| used[own.iter().position(|&at| at == limit).unwrap_or(0)];
                let most = order.containers(of, &self.built);
                let least = order.containers(|_| 0.0, &self.built).max(1);
                for containers in least..=most.min(least + COMBINATIONS_MOST as i64) {
                    let full = (0..order.holds.len()).map(Some);
                    let any = order.min_fill_share == 0.0;
                    let filled = full.filter(|_| !any).chain(any.then_some(None));
                    modes.extend(filled.map(|full_of| Mode::Placed { containers, full_of }));
                }
            }
            combinations = combinations.saturating_mul(modes.len());
            if combinations > COMBINATIONS_MOST {
                return None;
            }
            all.push(modes);
        }
        Some(all)
    }

    fn enumerate(&mut self, all: &[Vec<Mode>]) -> Tried {
        let none = vec![0.0; self.built.len()];
        let mut best: Option<Tried> = None;
        let mut bound = f64::NEG_INFINITY;
        let combinations: usize = all.iter().map(Vec::len).product();
        for combination in 0..combinations {
            let mut rest = combination;
            let mut modes = Vec::with_capacity(all.len());
            for of in all {
                modes.push(of[rest % of.len()]);
                rest /= of.len();
            }
            self.choose(&modes);
            let orders = self.component.orders.iter().zip(&modes);
            let cost: f64 = orders.map(|(order, &mode)| order.cost(mode, &self.built)).sum();
            let solved = solve(self.problem(), Effort::Full, none.clone());
            bound = bound.max(solved.bound - cost);
            let value = solved.value - cost;
            let better = best.as_ref().is_none_or(|best| value > best.value + 1e-9);
            if solved.feasible && better {
                best = Some(Tried { modes, solved, value, bound });
            }
        }
        // Deferring everything is always one of them.
        let mut best = best
            .unwrap_or_else(|| self.under(vec![Mode::Deferred; all.len()], Effort::Full, &none));
        best.bound = bound;
        best
    }
}
