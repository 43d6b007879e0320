//! From what the lines pick at the prices to a plan within the limits.

use super::dual::Dual;
use super::problem::Problem;

/// Passes of repair and of filling up; each moves every line at most once.
const PASSES: usize = 60;

#[derive(Clone, Debug)]
pub(super) struct Picks {
    pub at: Vec<usize>,
    pub used: Vec<f64>,
    pub value: f64,
    pub feasible: bool,
}

/// A line's step to another option, and how it ranks.
struct Move {
    score: f64,
    line: usize,
    to: usize,
}

impl Picks {
    pub fn at(problem: &Problem, dual: &Dual) -> Picks {
        let at = dual.picks();
        let used = problem.used(&at);
        let value = problem.value(&at);
        let feasible = problem.keeps_all(&used);
        Picks { at, used, value, feasible }
    }

    /// Into the limits, then up to them.
    pub fn settle(&mut self, problem: &Problem, dual: &Dual) {
        self.repair(problem, dual);
        if self.feasible {
            self.fill(problem, dual);
        }
        // Sums that were carried along have lost their last digits.
        self.used = problem.used(&self.at);
        self.feasible = problem.keeps_all(&self.used);
        self.value = problem.value(&self.at);
    }

    pub fn go(&mut self, problem: &Problem, line: usize, to: usize) {
        let from = self.at[line];
        problem.apply(&mut self.used, line, from, to);
        self.value += problem.goods[line].value[to] - problem.goods[line].value[from];
        self.at[line] = to;
    }

    /// By how much less limits are exceeded after a step, in shares of each.
    fn relief(&self, problem: &Problem, line: usize, to: usize) -> f64 {
        let goods = &problem.goods[line];
        let of = |member: &super::Member| {
            let limit = &problem.limits[member.limit];
            let used = self.used[member.limit];
            let more = goods.takes(member, to) - goods.takes(member, self.at[line]);
            (limit.over(used) - limit.over(used + more)) / limit.scale()
        };
        goods.members.iter().map(of).sum()
    }

    /// Steps that lose least for what they bring back within the limits.
    fn repair(&mut self, problem: &Problem, dual: &Dual) {
        for _ in 0..PASSES {
            let over: Vec<usize> = (0..problem.limits.len())
                .filter(|&limit| problem.limits[limit].over(self.used[limit]) > 0.0)
                .collect();
            self.feasible = over.is_empty();
            if self.feasible {
                return;
            }
            let mut lines: Vec<u32> =
                over.iter().flat_map(|&at| problem.lines_of[at].iter().map(|l| l.0)).collect();
            lines.sort_unstable();
            lines.dedup();
            let mut moves: Vec<Move> = lines
                .into_iter()
                .filter(|&line| !problem.closed[line as usize])
                .filter_map(|line| self.relieving(problem, dual, line as usize))
                .collect();
            moves.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.line.cmp(&b.line)));
            let mut moved = false;
            for Move { line, to, .. } in moves {
                if self.relief(problem, line, to) > 1e-12 {
                    self.go(problem, line, to);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn relieving(&self, problem: &Problem, dual: &Dual, line: usize) -> Option<Move> {
        let now = dual.net(line, self.at[line]);
        (0..problem.goods[line].options())
            .filter(|&to| to != self.at[line])
            .filter_map(|to| {
                let relief = self.relief(problem, line, to);
                let lost = (now - dual.net(line, to)).max(0.0);
                (relief > 1e-12).then(|| Move { score: lost / relief, line, to })
            })
            .min_by(|a, b| a.score.total_cmp(&b.score).then(a.to.cmp(&b.to)))
    }

    /// Steps that are worth most for what they take, while there is room.
    pub fn fill(&mut self, problem: &Problem, dual: &Dual) {
        for _ in 0..PASSES {
            let mut moves: Vec<Move> = (0..problem.goods.len())
                .filter(|&line| !problem.closed[line])
                .filter_map(|line| self.worthwhile(problem, dual, line))
                .collect();
            if moves.is_empty() {
                return;
            }
            moves.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.line.cmp(&b.line)));
            for Move { line, to, .. } in moves {
                if problem.fits(&self.used, line, self.at[line], to) {
                    self.go(problem, line, to);
                }
            }
        }
    }

    fn worthwhile(&self, problem: &Problem, dual: &Dual, line: usize) -> Option<Move> {
        let goods = &problem.goods[line];
        let from = self.at[line];
        let least = 1e-9 * goods.value[goods.own].abs() + 1e-9;
        if goods.value[goods.own] - goods.value[from] <= least {
            return None;
        }
        (0..goods.options())
            .filter(|&to| goods.value[to] - goods.value[from] > least)
            .filter(|&to| problem.fits(&self.used, line, from, to))
            .map(|to| {
                let gain = goods.value[to] - goods.value[from];
                let cost = dual.cost(line, from, to);
                // What takes nothing scarce comes first, by its worth.
                let score = if cost > 1e-9 * gain { gain / cost } else { 1e18 * (1.0 + gain) };
                Move { score, line, to }
            })
            .max_by(|a, b| a.score.total_cmp(&b.score).then(b.to.cmp(&a.to)))
    }
}
