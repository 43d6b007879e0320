//! How much to order now, from what each demand path would lack.
//!
//! An order placed today arrives on day `a` of a path, the next one on day `a'`. What a path lacks
//! in `[a, a')` without this order is its need: with lost sales, stock projected to `a` less the
//! demand after it, the running maximum of the deficit (a reflected walk), so that an order of `q`
//! leaves exactly `(need − q)⁺` short. The order quantity is then a property of the distribution of
//! needs alone.

use serde::Deserialize;

use crate::policy::perishable;
use crate::policy::projection::{Opening, PathMatrix, Shortage, rank};

/// What an order is to achieve.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Probability of no shortage between this order's arrival and the next.
    Cycle(f64),
    /// Share of the demand in that time served from stock.
    Fill(f64),
    /// As long as one more unit earns money.
    Economics,
}

impl Target {
    pub fn show(self) -> String {
        match self {
            Target::Cycle(p) => format!("a {:.1}% chance of no shortage", 100.0 * p),
            Target::Fill(beta) => format!("{:.1}% of demand served from stock", 100.0 * beta),
            Target::Economics => "every unit that earns more than it costs".to_owned(),
        }
    }

    /// The level in hundredths of a percent; 0 under [`Target::Economics`].
    pub fn basis_points(self) -> i64 {
        match self {
            Target::Cycle(level) | Target::Fill(level) => (level * 10_000.0).round() as i64,
            Target::Economics => 0,
        }
    }
}

/// Money per smallest unit, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UnitMoney {
    /// Gross margin of a unit sold plus the penalty of one not sold.
    pub margin_and_penalty: f64,
    /// Of a unit for a day.
    pub holding_per_day: f64,
    /// Loss on a unit that is left when the next order arrives: for perishables its cost and
    /// disposal, otherwise what carrying it on costs.
    pub left_over: f64,
}

/// When this order and the next arrive, per path, in days from today; whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    pub arrive: Vec<f64>,
    pub until: Vec<f64>,
}

impl Window {
    /// Days to project: up to the last path's end, within `days`.
    pub fn last_day(&self, days: usize) -> usize {
        let until = self.until.iter().copied().fold(0.0, f64::max);
        days.min(until as usize)
    }

    /// Mean of `arrive`, mean of `until`.
    pub fn means(&self) -> (f64, f64) {
        (mean(&self.arrive), mean(&self.until))
    }
}

/// Per path: what it would lack, and where its stock goes. Reused from SKU to SKU.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Units short in the window without this order; negative is stock to spare (never so for
    /// perishables). With `displaced`, what it takes to be short of nothing.
    pub need: Vec<f64>,
    /// The part of `need` that saves no sale: it sells in place of older units, which expire.
    pub displaced: Vec<f64>,
    /// Whether any path has some.
    pub displaces: bool,
    /// Units already owed as the order arrives: served by it, but not part of the window's demand.
    pub owed: Vec<f64>,
    pub window_demand: Vec<f64>,
    pub demand_until: Vec<f64>,
    pub received_until: Vec<f64>,
    pub wasted_until: Vec<f64>,
    pub lost_before: Vec<f64>,
    /// Short in the window, but after this order's units have expired.
    pub lost_after_life: Vec<f64>,
    /// `need` as of the end of each day of the window, infinite outside it.
    pub running: PathMatrix,
}

impl Needs {
    fn reset(&mut self, paths: usize, days: usize) {
        self.running.reset(paths, days, f64::INFINITY);
        self.displaces = false;
        for totals in [
            &mut self.need,
            &mut self.displaced,
            &mut self.owed,
            &mut self.window_demand,
            &mut self.demand_until,
            &mut self.received_until,
            &mut self.wasted_until,
            &mut self.lost_before,
            &mut self.lost_after_life,
        ] {
            totals.clear();
            totals.resize(paths, 0.0);
        }
    }

    /// Mean over paths of what `qty` leaves short of the window's demand.
    pub fn short_with(&self, qty: f64) -> f64 {
        if self.displaces {
            return self.short_displacing(qty);
        }
        let short = self.need.iter().zip(&self.owed).zip(&self.lost_after_life);
        let total: f64 = short
            .map(|((&need, &owed), &late)| (need - qty).max(0.0) - (owed - qty).max(0.0) + late)
            .sum();
        total / self.need.len().max(1) as f64
    }

    /// The same, at the most, where the first units may only displace older ones.
    fn short_displacing(&self, qty: f64) -> f64 {
        let total: f64 = (0..self.need.len())
            .map(|path| {
                let (need, owed) = (self.need[path], self.owed[path]);
                let at_first = (need - self.displaced[path] - owed).max(0.0);
                (need - qty.max(owed)).max(0.0).min(at_first) + self.lost_after_life[path]
            })
            .sum();
        total / self.need.len().max(1) as f64
    }

    /// Share of a path's need that saves sales. Its first units may save none and its last one
    /// each; taken as even, the value of units never rises with their number.
    fn saving_share(&self, path: usize) -> f64 {
        let need = self.need[path];
        if need > 0.0 { 1.0 - self.displaced[path] / need } else { 1.0 }
    }

    /// Share of the window's demand served from stock; 1 where there is none.
    pub fn fill_with(&self, qty: f64) -> f64 {
        let demand = mean(&self.window_demand);
        if demand > 0.0 { (1.0 - self.short_with(qty) / demand).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Share of the paths that lack nothing with `qty`.
    pub fn cycle_with(&self, qty: f64) -> f64 {
        let covered = self.need.iter().filter(|&&need| need <= qty).count();
        covered as f64 / self.need.len().max(1) as f64
    }

    /// Money that ordering `qty` brings over ordering nothing, before the order's own fixed costs:
    /// sales saved, less holding until sold or the next arrival, less what is left then.
    pub fn value_of(&self, qty: f64, money: UnitMoney) -> f64 {
        let paths = self.need.len().max(1) as f64;
        let (mut saved, mut left) = (0.0, 0.0);
        for (path, &need) in self.need.iter().enumerate() {
            let used = qty.min(need.max(0.0));
            let saves = if self.displaces { used * self.saving_share(path) } else { used };
            saved += saves;
            left += qty - saves;
        }
        let held: f64 =
            self.running.values.iter().map(|&used| (qty - used.max(0.0)).max(0.0)).sum();
        (saved * money.margin_and_penalty - left * money.left_over - held * money.holding_per_day)
            / paths
    }

    /// Marginal value of the `j`-th unit, non-increasing in `j`: its unit is sold on the first day
    /// on which the path's running need reaches `j`, held until then, or left over.
    pub fn marginal(&self, j: f64, money: UnitMoney) -> f64 {
        let paths = self.need.len().max(1) as f64;
        let sells = |need: f64| need >= j;
        let sold = match self.displaces {
            false => self.need.iter().filter(|&&need| sells(need)).count() as f64,
            true => (0..self.need.len())
                .filter(|&path| sells(self.need[path]))
                .map(|path| self.saving_share(path))
                .sum(),
        };
        let held = self.running.values.iter().filter(|&&used| used < j).count() as f64;
        (sold * money.margin_and_penalty
            - held * money.holding_per_day
            - (paths - sold) * money.left_over)
            / paths
    }
}

/// Unlike [`f64::max`], with no thought for holes, of which there are none: one instruction.
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Projects every path without this order and records what it lacks. `demand` and `receipts` must
/// have the same shape, and the window one entry per path.
pub fn needs(
    demand: &PathMatrix,
    receipts: &PathMatrix,
    opening: &Opening,
    window: &Window,
    shortage: Shortage,
    out: &mut Needs,
) {
    let days = window.last_day(demand.days);
    out.reset(demand.paths, days);
    if opening.perishes() {
        return perishable::needs(demand, receipts, opening, window, shortage, out);
    }
    for first in (0..demand.paths).step_by(LANES) {
        let width = (demand.paths - first).min(LANES);
        let mut lanes = Lanes::new(opening.net as f64, window, first, width);
        let rows = Rows { demand, receipts, first, width };
        if shortage == Shortage::Lost {
            lanes.run::<true>(&rows, days, &mut out.running);
        } else {
            lanes.run::<false>(&rows, days, &mut out.running);
        }
        lanes.store(out, first, width);
    }
}

/// Paths that are walked side by side: a cache line of a row, and state that stays in registers or
/// close by.
const LANES: usize = 8;
type Eight = [f64; LANES];

struct Rows<'a> {
    demand: &'a PathMatrix,
    receipts: &'a PathMatrix,
    first: usize,
    width: usize,
}

impl Rows<'_> {
    /// Demand and receipts of a day; lanes past the last path ask for nothing.
    #[inline(always)]
    fn day(&self, day: usize) -> (Eight, Eight) {
        let at = day * self.demand.paths + self.first;
        (self.lanes(&self.demand.values[at..]), self.lanes(&self.receipts.values[at..]))
    }

    #[inline(always)]
    fn lanes(&self, values: &[f64]) -> Eight {
        if let Some(whole) = values.first_chunk::<LANES>().filter(|_| self.width == LANES) {
            return *whole;
        }
        let mut eight = [0.0; LANES];
        eight[..self.width].copy_from_slice(&values[..self.width]);
        eight
    }
}

struct Lanes {
    arrive: Eight,
    until: Eight,
    stock: Eight,
    need: Eight,
    owed: Eight,
    lost_before: Eight,
    /// Asked for before the window.
    waiting_demand: Eight,
    window_demand: Eight,
    received_until: Eight,
}

impl Lanes {
    fn new(net: f64, window: &Window, first: usize, width: usize) -> Lanes {
        let mut lanes = Lanes {
            arrive: [window.arrive[first]; LANES],
            until: [window.until[first]; LANES],
            stock: [net; LANES],
            need: [f64::NEG_INFINITY; LANES],
            owed: [0.0; LANES],
            lost_before: [0.0; LANES],
            waiting_demand: [0.0; LANES],
            window_demand: [0.0; LANES],
            received_until: [0.0; LANES],
        };
        lanes.arrive[..width].copy_from_slice(&window.arrive[first..first + width]);
        lanes.until[..width].copy_from_slice(&window.until[first..first + width]);
        lanes
    }

    /// Days on which all lanes wait for the order, or all have it, take the short way.
    fn run<const LOST_SALES: bool>(&mut self, rows: &Rows, days: usize, running: &mut PathMatrix) {
        let least = |lanes: &Eight| lanes.iter().copied().fold(f64::INFINITY, f64::min) as usize;
        let most = |lanes: &Eight| lanes.iter().copied().fold(0.0, f64::max) as usize;
        let waiting_until = least(&self.arrive).min(least(&self.until)).min(days);
        let served = most(&self.arrive) + 1..least(&self.until).min(days);
        for day in 0..waiting_until {
            self.waiting_day::<LOST_SALES>(rows, day);
        }
        for day in waiting_until..days {
            let need = if served.contains(&day) {
                self.served_day(rows, day)
            } else {
                self.any_day::<LOST_SALES>(rows, day)
            };
            let at = day * running.paths + rows.first;
            let to = &mut running.values[at..];
            match to.first_chunk_mut::<LANES>().filter(|_| rows.width == LANES) {
                Some(whole) => *whole = need,
                None => to[..rows.width].copy_from_slice(&need[..rows.width]),
            }
        }
    }

    #[inline(always)]
    fn waiting_day<const LOST_SALES: bool>(&mut self, rows: &Rows, day: usize) {
        let (demand, receipts) = rows.day(day);
        for p in 0..LANES {
            let there = self.stock[p] + receipts[p];
            let after = there - demand[p];
            let left = if LOST_SALES { larger(after, -larger(-there, 0.0)) } else { after };
            self.lost_before[p] += left - after;
            self.waiting_demand[p] += demand[p];
            self.received_until[p] += receipts[p];
            self.stock[p] = left;
        }
    }

    /// Once the order can help, a deficit is a need, not a sale lost.
    #[inline(always)]
    fn served_day(&mut self, rows: &Rows, day: usize) -> Eight {
        let (demand, receipts) = rows.day(day);
        for p in 0..LANES {
            self.stock[p] += receipts[p] - demand[p];
            self.need[p] = larger(self.need[p], -self.stock[p]);
            self.window_demand[p] += demand[p];
            self.received_until[p] += receipts[p];
        }
        self.need
    }

    fn any_day<const LOST_SALES: bool>(&mut self, rows: &Rows, day: usize) -> Eight {
        let (demand, receipts) = rows.day(day);
        let today = day as f64;
        let mut running = [f64::INFINITY; LANES];
        for p in 0..LANES {
            let there = self.stock[p] + receipts[p];
            let arrived = today >= self.arrive[p];
            let in_cover = today < self.until[p];
            let after = there - demand[p];
            let lost = LOST_SALES && !arrived;
            let left = if lost { larger(after, -larger(-there, 0.0)) } else { after };
            if today == self.arrive[p] {
                self.owed[p] = larger(-there, 0.0);
            }
            self.lost_before[p] += left - after;
            if in_cover {
                self.received_until[p] += receipts[p];
            }
            if in_cover && !arrived {
                self.waiting_demand[p] += demand[p];
            }
            if arrived && in_cover {
                self.window_demand[p] += demand[p];
                self.need[p] = larger(self.need[p], -left);
                running[p] = self.need[p];
            }
            self.stock[p] = left;
        }
        running
    }

    fn store(&self, out: &mut Needs, first: usize, width: usize) {
        for p in 0..width {
            // Unless the next order is there before this one, and nothing depends on it.
            let depends = self.need[p] > f64::NEG_INFINITY;
            out.need[first + p] = if depends { self.need[p] } else { 0.0 };
            out.owed[first + p] = if depends { self.owed[p] } else { 0.0 };
            out.lost_before[first + p] = self.lost_before[p];
            out.window_demand[first + p] = self.window_demand[p];
            out.demand_until[first + p] = self.waiting_demand[p] + self.window_demand[p];
            out.received_until[first + p] = self.received_until[p];
        }
    }
}

/// The order quantity before any rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOrder {
    /// Never negative.
    pub qty: i64,
    /// What the target could do without, where `qty` is 0.
    pub spare: i64,
}

/// The smallest quantity that reaches the target; `scratch` is overwritten.
pub fn raw_quantity(
    needs: &Needs,
    target: Target,
    money: UnitMoney,
    scratch: &mut Vec<f64>,
) -> RawOrder {
    scratch.clear();
    scratch.extend_from_slice(&needs.need);
    if scratch.is_empty() {
        return RawOrder { qty: 0, spare: 0 };
    }
    let most = scratch.iter().copied().fold(0.0, f64::max);
    let qty = match target {
        Target::Cycle(p) => {
            let at = rank(p, scratch.len());
            *scratch.select_nth_unstable_by(at, f64::total_cmp).1
        }
        Target::Fill(beta) => {
            let allowed = (1.0 - beta).max(0.0) * mean(&needs.window_demand);
            // No quantity serves what is short after the goods have expired.
            let allowed = allowed.max(mean(&needs.lost_after_life));
            smallest(most, |qty| needs.short_with(qty) <= allowed + 1e-9)
        }
        Target::Economics => smallest(most, |qty| needs.marginal(qty + 1.0, money) <= 0.0),
    };
    if qty > 0.0 {
        return RawOrder { qty: qty.min(1e15) as i64, spare: 0 };
    }
    let p = if let Target::Cycle(p) | Target::Fill(p) = target { p } else { 0.5 };
    let at = rank(p, scratch.len());
    let signed = *scratch.select_nth_unstable_by(at, f64::total_cmp).1;
    RawOrder { qty: 0, spare: (-signed).max(0.0) as i64 }
}

/// The smallest whole number in `0..=most` for which `enough` holds, given that it holds from some
/// number on; `most` if it holds for none.
fn smallest(most: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let (mut below, mut at) = (-1.0, most.ceil());
    while at - below > 1.0 {
        let middle = ((below + at) / 2.0).floor();
        if enough(middle) { at = middle } else { below = middle }
    }
    at
}
