//! Lots of steady items that cost a set-up: how much to make tonight, and what is planned after it.
//!
//! Dynamic lot sizing (Wagner & Whitin 1958) on a lot grid, with a largest lot and late supply at a
//! price: a dynamic program over the number of lots made so far, in O(days × lots) with a sliding
//! minimum over the lots that one run may hold. What must be there by each day is a quantile of the
//! demand summed along paths, never a sum of daily quantiles.

use std::collections::VecDeque;

use crate::distribution::DemandPaths;
use crate::policy::projection::rank;
use crate::policy::rounding::Lot;

/// Lots made so far that the program tells apart; a finer grid is planned in several lots at once.
const LOTS_MAX: i64 = 4_000;

/// Days that a plan may be lengthened to.
const DAYS_MAX: usize = 366;

/// What must have been made by the end of each day, smallest units: with probability `level` the
/// stock and what is coming then last. `receipts` are per day, shorter or longer than the paths;
/// never falling, ≥ 0.
pub fn cumulative_need(
    demand: &DemandPaths,
    opening_qty: i64,
    receipts: &[i64],
    level: f64,
) -> Vec<i64> {
    let mut sums = vec![0.0f64; demand.paths];
    let (mut there, mut most) = (opening_qty, 0);
    let mut need = Vec::with_capacity(demand.horizon);
    for day in 0..demand.horizon {
        there = there.saturating_add(receipts.get(day).copied().unwrap_or(0));
        for (path, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(demand.path(path)[day].max(0.0));
        }
        let mut sorted = sums.clone();
        let quantile = match demand.paths {
            0 => 0.0,
            paths => *sorted.select_nth_unstable_by(rank(level, paths), f64::total_cmp).1,
        };
        most = (quantile.ceil() as i64).saturating_sub(there).max(most);
        need.push(most);
    }
    need
}

/// Lengthens a need to `days` (at most a year) at the mean pace of its last four weeks: a plan that
/// ends too soon makes too little in its first lot, because what lasts past the end looks wasted.
pub fn lengthened(mut need: Vec<i64>, days: usize) -> Vec<i64> {
    let known = need.len();
    let days = days.min(DAYS_MAX);
    let Some(&last) = need.last().filter(|_| days > known) else { return need };
    let back = known.min(28);
    let before = if known > back { need[known - back - 1] } else { 0 };
    let pace = (last - before) as f64 / back as f64;
    need.extend((1..=days - known).map(|k| last + (pace * k as f64).round() as i64));
    need
}

/// What running costs, minor units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunCosts {
    /// Once per run, ≥ 0.
    pub setup: f64,
    /// Per smallest unit and day in stock, ≥ 0.
    pub holding_per_day: f64,
    /// Per smallest unit and day that the need is not met, ≥ 0; should be above holding.
    pub short_per_day: f64,
}

impl RunCosts {
    /// Days of three economic lots at this pace: far enough for the end not to matter to the first
    /// (the economic lot lasts `√(2K / (h d))` days).
    pub fn days_to_plan(&self, daily_qty: f64) -> usize {
        let days = 3.0 * (2.0 * self.setup / (self.holding_per_day * daily_qty)).sqrt();
        if days.is_finite() { days.ceil().min(DAYS_MAX as f64) as usize } else { DAYS_MAX }
    }
}

/// Goods that are there on this day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedLot {
    /// Days from the first of the need.
    pub day: usize,
    /// Smallest units, on the lot grid.
    pub qty: i64,
}

/// The cheapest lots for a need. The first is tonight's where it is due on the first day on which
/// tonight's run can be there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LotPlan {
    pub lots: Vec<PlannedLot>,
    pub setup_minor: f64,
    pub holding_minor: f64,
    pub short_minor: f64,
}

impl LotPlan {
    pub fn cost_minor(&self) -> f64 {
        self.setup_minor + self.holding_minor + self.short_minor
    }

    /// What is there on the given day, 0 where no lot is.
    pub fn qty_on(&self, day: usize) -> i64 {
        self.lots.iter().find(|lot| lot.day == day).map_or(0, |lot| lot.qty)
    }

    /// Makes lots so that `need[t]` units have been made by the end of day `t`, at least cost. Lots
    /// can be there on the days on which `can_arrive` is true (missing: true); a need before the
    /// first of them, or beyond the largest lot, is late and pays for it. A run holds at least the
    /// MOQ, in multiples, and at most the capacity.
    pub fn cheapest(need: &[i64], can_arrive: &[bool], lot: Lot, costs: RunCosts) -> LotPlan {
        let total = need.iter().copied().max().unwrap_or(0);
        let Some(grid) = LotGrid::new(total, lot) else {
            let short: f64 = need.iter().map(|&due| due.max(0) as f64).sum();
            return LotPlan { short_minor: costs.short_per_day * short, ..LotPlan::default() };
        };
        let made = grid.program(need, can_arrive, costs);
        grid.read(need, &made, costs)
    }
}

/// When the runs of a steady item can be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunDays {
    /// Days from today until tonight's run can be sold.
    pub first: usize,
    /// Days from one decision to the next, ≥ 1.
    pub apart: usize,
}

/// A steady item's lot of tonight and the lots planned after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SteadyRun {
    /// Smallest units; 0: this decision can be left to the next.
    pub tonight_qty: i64,
    /// All lots; days are counted from today.
    pub plan: LotPlan,
}

/// Tonight's lot of a steady item: the need by each day from today ([`cumulative_need`]) is met at
/// least cost by runs that can be there on their days, far enough ahead for the plan's end not to
/// matter. What is needed before tonight's run can be there is late whatever is done, and is part
/// of the first lot.
pub fn steady_run(need: &[i64], days: RunDays, lot: Lot, costs: RunCosts) -> SteadyRun {
    let last = need.last().copied().unwrap_or(0);
    let daily = last as f64 / need.len().max(1) as f64;
    let need = lengthened(need.to_vec(), days.first + costs.days_to_plan(daily));
    let can_arrive: Vec<bool> = (0..need.len())
        .map(|day| day >= days.first && (day - days.first).is_multiple_of(days.apart.max(1)))
        .collect();
    let plan = LotPlan::cheapest(&need, &can_arrive, lot, costs);
    SteadyRun { tonight_qty: plan.qty_on(days.first), plan }
}

/// Lots as counts of one step.
struct LotGrid {
    step: i64,
    least: usize,
    most: usize,
    /// Counts made so far that are worth telling apart.
    counts: usize,
}

impl LotGrid {
    /// `None` where nothing is needed or no lot is allowed.
    fn new(total: i64, lot: Lot) -> Option<LotGrid> {
        if total <= 0 {
            return None;
        }
        let multiple = lot.multiple.max(1);
        let together = (total / multiple / LOTS_MAX + 1).max(1);
        let coarse = multiple.checked_mul(together)?;
        // A coarse step must not take away the only lot that fits.
        let fits = |step: i64| {
            let least = (lot.moq.max(1) - 1) / step + 1;
            let most = lot.capacity.map_or(i64::MAX, |capacity| capacity / step);
            (most >= least).then_some((step, least, most))
        };
        let (step, least, most) = fits(coarse).or_else(|| fits(multiple))?;
        let enough = (total - 1) / step + 1;
        // One whole smallest lot past the need: the last run may have to be larger than what is
        // left.
        let counts = enough.saturating_add(least).min(4 * LOTS_MAX);
        Some(LotGrid {
            step,
            least: least.min(counts) as usize,
            most: most.min(counts) as usize,
            counts: counts as usize,
        })
    }

    /// Counts made by the end of each day at least cost.
    fn program(&self, need: &[i64], can_arrive: &[bool], costs: RunCosts) -> Vec<usize> {
        let width = self.counts + 1;
        let mut before = vec![f64::INFINITY; width];
        before[0] = 0.0;
        let mut from: Vec<Vec<u32>> = Vec::with_capacity(need.len());
        for (day, &due) in need.iter().enumerate() {
            let open = can_arrive.get(day).copied().unwrap_or(true);
            let (mut now, mut source) = (before.clone(), (0..width as u32).collect::<Vec<_>>());
            if open {
                self.run(&before, costs.setup, &mut now, &mut source);
            }
            for (count, cost) in now.iter_mut().enumerate() {
                let over = (count as i64 * self.step - due) as f64;
                *cost += if over >= 0.0 {
                    costs.holding_per_day * over
                } else {
                    -costs.short_per_day * over
                };
            }
            before = now;
            from.push(source);
        }
        let last = (0..width)
            .fold(0, |best, count| if before[count] < before[best] { count } else { best });
        let mut made = vec![last; need.len()];
        for day in (1..need.len()).rev() {
            made[day - 1] = from[day][made[day]] as usize;
        }
        made
    }

    /// Cheapest way to each count by one run: the least cost among the counts that lie one allowed
    /// lot below, kept in a queue whose costs rise.
    fn run(&self, before: &[f64], setup: f64, now: &mut [f64], source: &mut [u32]) {
        let mut queue: VecDeque<usize> = VecDeque::new();
        for count in self.least..before.len() {
            let entering = count - self.least;
            while queue.back().is_some_and(|&last| before[last] > before[entering]) {
                queue.pop_back();
            }
            queue.push_back(entering);
            while queue.front().is_some_and(|&first| first + self.most < count) {
                queue.pop_front();
            }
            if let Some(&best) = queue.front()
                && before[best] + setup < now[count]
            {
                now[count] = before[best] + setup;
                source[count] = best as u32;
            }
        }
    }

    fn read(&self, need: &[i64], made: &[usize], costs: RunCosts) -> LotPlan {
        let mut plan = LotPlan::default();
        let mut before = 0;
        for (day, (&due, &count)) in need.iter().zip(made).enumerate() {
            if count > before {
                let qty = (count - before) as i64 * self.step;
                plan.lots.push(PlannedLot { day, qty });
                plan.setup_minor += costs.setup;
            }
            let over = (count as i64 * self.step - due) as f64;
            plan.holding_minor += costs.holding_per_day * over.max(0.0);
            plan.short_minor += costs.short_per_day * (-over).max(0.0);
            before = count;
        }
        plan
    }
}
