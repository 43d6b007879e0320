//! Every combination of the lines that hardly mind which option they take.
//!
//! At the prices a plan loses, against the bound, what each line gives up by not picking its best,
//! and the worth of the room left over. Options that alone lose more than the best plan so far
//! cannot be part of a better one (reduced-cost fixing); of the rest, the lines that would move
//! most cheaply are searched depth first.

use super::dual::Dual;
use super::primal::Picks;
use super::problem::Problem;

/// Lines searched at once, and options of each.
const CORE_LINES: usize = 40;
const CORE_OPTIONS: usize = 8;
/// Below this many lines no option is left out.
const SMALL: usize = 12;
const NODES_MOST: usize = 60_000;

/// Replaces `best` by a better plan where the search finds one.
pub(super) fn improve(problem: &Problem, dual: &Dual, best: &mut Picks) {
    // Where no plan is known any will do.
    let gap = if best.feasible { dual.bound() - best.value } else { f64::INFINITY };
    let least = 1e-9 * best.value.abs() + 1e-9;
    if gap <= least {
        return;
    }
    let lines = core(problem, dual, best, gap);
    if lines.is_empty() {
        return;
    }
    let mut search = Search::new(problem, dual, best, lines);
    search.descend(0, search.lost_elsewhere);
    if let Some(found) = search.found {
        let mut at = best.at.clone();
        for (core, option) in search.lines.iter().zip(found) {
            at[core.line] = option;
        }
        let (used, value) = (problem.used(&at), problem.value(&at));
        if problem.keeps_all(&used) && (!best.feasible || value > best.value) {
            *best = Picks { at, used, value, feasible: true };
        }
    }
}

struct Core {
    line: usize,
    /// Options and what each loses, least first.
    options: Vec<(usize, f64)>,
}

fn core(problem: &Problem, dual: &Dual, best: &Picks, gap: f64) -> Vec<Core> {
    let small = problem.goods.len() <= SMALL;
    let mut cores: Vec<(f64, Core)> = Vec::new();
    for line in (0..problem.goods.len()).filter(|&line| !problem.closed[line]) {
        let top = dual.net(line, dual.pick(line));
        let lost = |option: usize| (top - dual.net(line, option)).max(0.0);
        let now = best.at[line];
        let mut options: Vec<(usize, f64)> = (0..problem.goods[line].options())
            .map(|option| (option, lost(option)))
            .filter(|&(option, lost)| option == now || lost < gap)
            .collect();
        if options.len() < 2 || problem.goods[line].members.is_empty() {
            continue;
        }
        options.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let cheapest =
            options.iter().find(|&&(option, _)| option != now).map_or(f64::INFINITY, |o| o.1);
        if !small && options.len() > CORE_OPTIONS {
            let own = options.iter().position(|&(option, _)| option == now).unwrap_or(0);
            options.swap(own.max(CORE_OPTIONS - 1), CORE_OPTIONS - 1);
            options.truncate(CORE_OPTIONS);
            options.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        }
        cores.push((cheapest, Core { line, options }));
    }
    cores.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.line.cmp(&b.1.line)));
    cores.truncate(CORE_LINES);
    cores.into_iter().map(|(_, core)| core).collect()
}

struct Search<'a> {
    problem: &'a Problem,
    lines: Vec<Core>,
    /// Limits that the core's lines are in, with their price.
    limits: Vec<(usize, f64)>,
    /// Least and most that the core's lines from `depth` on take: `[depth][limit]`.
    rest: Vec<Vec<(f64, f64)>>,
    /// What `[depth][option][limit]` takes.
    takes: Vec<Vec<Vec<f64>>>,
    used: Vec<f64>,
    chosen: Vec<usize>,
    /// By the lines that are not searched, and by room in limits without searched lines.
    lost_elsewhere: f64,
    least_lost: f64,
    found: Option<Vec<usize>>,
    nodes: usize,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, dual: &Dual, best: &Picks, lines: Vec<Core>) -> Search<'a> {
        let mut touched = vec![false; problem.limits.len()];
        for core in &lines {
            problem.goods[core.line].members.iter().for_each(|m| touched[m.limit] = true);
        }
        let limits: Vec<(usize, f64)> = (0..problem.limits.len())
            .filter(|&at| touched[at] && problem.limits[at].most.is_finite())
            .map(|at| (at, dual.prices[at]))
            .collect();
        let take = |line: usize, option: usize| -> Vec<f64> {
            let goods = &problem.goods[line];
            let of = |&(limit, _): &(usize, f64)| {
                let members = goods.members.iter().filter(|member| member.limit == limit);
                members.map(|member| goods.takes(member, option)).sum()
            };
            limits.iter().map(of).collect()
        };
        let takes: Vec<Vec<Vec<f64>>> = lines
            .iter()
            .map(|core| core.options.iter().map(|&(option, _)| take(core.line, option)).collect())
            .collect();
        let mut rest = vec![vec![(0.0, 0.0); limits.len()]; lines.len() + 1];
        for depth in (0..lines.len()).rev() {
            for at in 0..limits.len() {
                let of = takes[depth].iter().map(|take| take[at]);
                let (least, most) = of.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), take| {
                    (f64::min(l, take), f64::max(m, take))
                });
                rest[depth][at] = (rest[depth + 1][at].0 + least, rest[depth + 1][at].1 + most);
            }
        }
        let mut used: Vec<f64> = limits.iter().map(|&(limit, _)| best.used[limit]).collect();
        let mut now_lost = 0.0;
        for core in &lines {
            let now = best.at[core.line];
            for (used, take) in used.iter_mut().zip(take(core.line, now)) {
                *used -= take;
            }
            now_lost += core.options.iter().find(|o| o.0 == now).map_or(0.0, |o| o.1);
        }
        let room: f64 = limits
            .iter()
            .map(|&(limit, price)| price * (problem.limits[limit].most - best.used[limit]))
            .sum();
        let now = dual.bound() - best.value;
        let least_lost = if best.feasible { now } else { f64::INFINITY };
        Search {
            problem,
            limits,
            rest,
            takes,
            used,
            chosen: vec![0; lines.len()],
            lost_elsewhere: now - now_lost - room,
            least_lost,
            found: None,
            nodes: 0,
            lines,
        }
    }

    /// Whether the limits can still be kept, and what room is lost at least.
    fn room_lost(&self, depth: usize) -> Option<f64> {
        let mut lost = 0.0;
        for (at, &(limit, price)) in self.limits.iter().enumerate() {
            let limit = &self.problem.limits[limit];
            let (least, most) = self.rest[depth][at];
            if limit.over(self.used[at] + least) > 0.0 {
                return None;
            }
            lost += price * (limit.most - self.used[at] - most).max(0.0);
        }
        Some(lost)
    }

    fn descend(&mut self, depth: usize, lost: f64) {
        self.nodes += 1;
        let Some(room) = self.room_lost(depth) else { return };
        let worse = self.least_lost.is_finite()
            && lost + room >= self.least_lost - 1e-9 * (1.0 + self.least_lost.abs());
        if worse {
            return;
        }
        if depth == self.lines.len() {
            self.least_lost = lost + room;
            let options = self.lines.iter().zip(&self.chosen);
            self.found = Some(options.map(|(core, &at)| core.options[at].0).collect());
            return;
        }
        for at in 0..self.lines[depth].options.len() {
            if self.nodes > NODES_MOST {
                return;
            }
            self.chosen[depth] = at;
            let more = self.lines[depth].options[at].1;
            for limit in 0..self.limits.len() {
                self.used[limit] += self.takes[depth][at][limit];
            }
            self.descend(depth + 1, lost + more);
            for limit in 0..self.limits.len() {
                self.used[limit] -= self.takes[depth][at][limit];
            }
        }
    }
}
