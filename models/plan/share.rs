//! Maximise the sum of what lines are worth subject to limits that several of them share.
//!
//! Each line picks one of its options (a multiple-choice knapsack in several dimensions). Limits are
//! priced by Lagrange multipliers (Everett 1963): at prices λ every line picks for itself, and
//! `Σ max_k (value − λ·use) + λ·limit` bounds every plan from above (Geoffrion 1974). The picks at
//! the best prices are repaired, filled up by value per scarce unit, and the few lines that are
//! nearly indifferent are searched exhaustively (the core of Pisinger 1995).

mod dual;
mod primal;
mod problem;
mod search;

pub(super) use problem::{Goods, Limit, Member, Problem};

pub(super) use dual::Dual;
use primal::Picks;

/// How hard to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Prices, repair and filling up.
    Quick,
    /// And the search among nearly indifferent lines.
    Full,
}

#[derive(Clone, Debug)]
pub(super) struct Solved {
    /// Option of each line.
    pub picks: Vec<usize>,
    /// Per unit of each limit.
    pub prices: Vec<f64>,
    pub value: f64,
    /// No plan within the limits is worth more.
    pub bound: f64,
    /// Whether the picks keep every limit; if not, perhaps none do.
    pub feasible: bool,
}

/// Solves from `prices` (zeros where nothing better is known).
pub(super) fn solve(problem: &Problem, effort: Effort, prices: Vec<f64>) -> Solved {
    if let Some(solved) = untouched(problem) {
        return solved;
    }
    if problem.hopeless() {
        let picks = vec![0; problem.goods.len()];
        let value = problem.value(&picks);
        return Solved { picks, prices, value, bound: f64::NEG_INFINITY, feasible: false };
    }
    let mut dual = Dual::new(problem, prices);
    dual.thorough |= effort == Effort::Full;
    dual.descend();
    let mut best = Picks::at(problem, &dual);
    best.settle(problem, &dual);
    let close =
        |best: &Picks, bound: f64| best.feasible && bound - best.value <= 1e-4 * bound.abs();
    if !close(&best, dual.bound()) {
        dual.polish(if best.feasible { Some(best.value) } else { None });
        let mut again = Picks::at(problem, &dual);
        again.settle(problem, &dual);
        if (again.feasible, again.value) > (best.feasible, best.value) {
            best = again;
        }
    }
    if effort == Effort::Full {
        search::improve(problem, &dual, &mut best);
    }
    let bound = dual.bound();
    Solved {
        value: problem.value(&best.at),
        picks: best.at,
        prices: dual.into_prices(),
        bound,
        feasible: best.feasible,
    }
}

/// Where every line may keep its own quantity there is nothing to solve.
fn untouched(problem: &Problem) -> Option<Solved> {
    let picks: Vec<usize> = (0..problem.goods.len()).map(|line| problem.wanted(line)).collect();
    let used = problem.used(&picks);
    if !problem.keeps_all(&used) {
        return None;
    }
    let value = problem.value(&picks);
    let prices = vec![0.0; problem.limits.len()];
    Some(Solved { picks, prices, value, bound: value, feasible: true })
}
