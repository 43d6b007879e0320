//! The best modes of all orders together with the best picks of all lines.

use crate::plan::settle::ledger::Component;
use crate::plan::settle::orders::{Assessed, Mode};
use crate::plan::settle::prices;
use crate::plan::share::{Effort, Limit, Problem, Solved, solve};

/// Up to so many lines in orders every mode is assessed by a plan, beyond by its bound.
const FEW_LINES: usize = 300;
/// Combinations of modes are all tried where they and their lines are together no more than this.
const ENUMERATED_MOST: usize = 4_000;
/// Line options looked at while trying single orders in another mode.
const FLIP_WORK: usize = 40_000;

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

/// Nothing that is worth looking for is missing.
fn close(tried: &Tried) -> bool {
    let many = tried.solved.picks.len() > FEW_LINES;
    let share = if many { 1e-3 } else { 1e-6 };
    tried.bound - tried.value <= share * tried.bound.abs()
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

    /// Puts off the orders that bring least, an eighth of those that break their own limits or, if
    /// none does, of all that are placed. False if none is placed.
    fn put_off(&self, modes: &mut [Mode], solved: &Solved) -> bool {
        let problem = &self.component.problem;
        let used = problem.used(&solved.picks);
        let placed: Vec<usize> =
            (0..modes.len()).filter(|&at| modes[at] != Mode::Deferred).collect();
        let breaks = |at: &usize| {
            self.component.orders[*at]
                .limits()
                .any(|limit| problem.limits[limit].over(used[limit]) > 0.0)
        };
        let broken: Vec<usize> = placed.iter().copied().filter(breaks).collect();
        let mut some = if broken.is_empty() { placed } else { broken };
        let worth = |at: usize| -> f64 {
            let order = &self.component.orders[at];
            let wanted = |&line: &usize| {
                let goods = &problem.goods[line];
                goods.value[goods.own] - goods.value[0]
            };
            order.goods.iter().map(wanted).sum::<f64>() - order.cost(modes[at], &self.built)
        };
        some.sort_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(a.cmp(&b)));
        some.truncate(some.len().div_ceil(8));
        some.iter().for_each(|&at| modes[at] = Mode::Deferred);
        !some.is_empty()
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
        let all: usize = self.component.orders.iter().map(|order| order.goods.len()).sum();
        for order in &self.component.orders {
            let open = Mode::Placed { containers: 0, full_of: None };
            order.choose(open, &mut self.component.problem, &self.built);
        }
        let priced = prices::price(self.component, &self.built);
        let assessed = if all <= FEW_LINES {
            // Few lines do not divide as smoothly as bounds suppose.
            self.assess(&priced.prices)
        } else {
            priced.modes
        };
        let modes = assessed.iter().map(|modes| modes[0].mode).collect();
        let few = self.component.rows.len() <= FEW_LINES;
        let effort = if few { Effort::Full } else { Effort::Quick };
        let best = self.under(modes, effort, &priced.prices);
        let best = Tried { bound: priced.bound, ..best };
        let mut tries = FLIP_WORK / self.component.rows.len().max(1);
        let mut best = self.flip(best, &assessed, &mut tries);
        if tries > 0 && !close(&best) {
            // From the other end: every order put off, and placed one by one.
            let none = vec![Mode::Deferred; best.modes.len()];
            let none = self.under(none, Effort::Full, &best.solved.prices);
            let other = self.flip(Tried { bound: best.bound, ..none }, &assessed, &mut tries);
            if other.value > best.value + 1e-9 * best.value.abs() {
                best = other;
            }
        }
        if best.solved.picks.len() > FEW_LINES {
            let full = self.under(best.modes.clone(), Effort::Full, &best.solved.prices);
            if full.value > best.value {
                best = Tried { bound: best.bound, ..full };
            }
        }
        best
    }

    /// Single orders in another mode, the most promising first, as long as that helps.
    fn flip(&mut self, mut best: Tried, all: &[Vec<Assessed>], tries: &mut usize) -> Tried {
        let mut helped = true;
        while helped {
            helped = false;
            let mut flips: Vec<(f64, usize, Mode)> = Vec::new();
            for (order, modes) in all.iter().enumerate() {
                let now =
                    modes.iter().find(|m| m.mode == best.modes[order]).map_or(0.0, |m| m.bound);
                let others = modes.iter().filter(|m| m.mode != best.modes[order]);
                flips.extend(others.map(|other| (now - other.bound, order, other.mode)));
            }
            flips.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            for (_, order, mode) in flips {
                if close(&best) || *tries == 0 {
                    return best;
                }
                *tries -= 1;
                let mut modes = best.modes.clone();
                modes[order] = mode;
                let effort =
                    if best.solved.picks.len() > FEW_LINES { Effort::Quick } else { Effort::Full };
                let tried = self.under(modes, effort, &best.solved.prices);
                if tried.value > best.value + 1e-9 * best.value.abs() {
                    best = Tried { bound: best.bound, ..tried };
                    helped = true;
                }
            }
        }
        best
    }

    fn assess(&self, prices: &[f64]) -> Vec<Vec<Assessed>> {
        let Component { orders, problem, .. } = &*self.component;
        orders.iter().map(|order| order.assess(problem, &self.built, prices)).collect()
    }

    /// Every mode of every order, where their combinations are few.
    fn all_modes(&self) -> Option<Vec<Vec<Mode>>> {
        let Component { orders, problem, rows, .. } = &*self.component;
        let combinations_most = ENUMERATED_MOST / rows.len().max(1);
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
                for containers in least..=most.min(least + combinations_most as i64) {
                    let full = (0..order.holds.len()).map(Some);
                    let any = order.min_fill_share == 0.0;
                    let filled = full.filter(|_| !any).chain(any.then_some(None));
                    modes.extend(filled.map(|full_of| Mode::Placed { containers, full_of }));
                }
            }
            combinations = combinations.saturating_mul(modes.len());
            if combinations > combinations_most {
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
