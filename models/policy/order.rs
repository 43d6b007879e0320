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
    /// perishables).
    pub need: Vec<f64>,
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
    stock: Vec<f64>,
}

impl Needs {
    fn reset(&mut self, paths: usize, days: usize) {
        self.running.reset(paths, days, f64::INFINITY);
        for totals in [
            &mut self.need,
            &mut self.owed,
            &mut self.window_demand,
            &mut self.demand_until,
            &mut self.received_until,
            &mut self.wasted_until,
            &mut self.lost_before,
            &mut self.lost_after_life,
            &mut self.stock,
        ] {
            totals.clear();
            totals.resize(paths, 0.0);
        }
    }

    /// Mean over paths of what `qty` leaves short of the window's demand.
    pub fn short_with(&self, qty: f64) -> f64 {
        let short = self.need.iter().zip(&self.owed).zip(&self.lost_after_life);
        let total: f64 = short
            .map(|((&need, &owed), &late)| (need - qty).max(0.0) - (owed - qty).max(0.0) + late)
            .sum();
        total / self.need.len().max(1) as f64
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
        for &need in &self.need {
            let used = qty.min(need.max(0.0));
            saved += used;
            left += qty - used;
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
        let sold = self.need.iter().filter(|&&need| need >= j).count() as f64;
        let held = self.running.values.iter().filter(|&&used| used < j).count() as f64;
        (sold * money.margin_and_penalty
            - held * money.holding_per_day
            - (paths - sold) * money.left_over)
            / paths
    }
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
    out.stock.fill(opening.net as f64);
    out.need.fill(f64::NEG_INFINITY);
    let lost_sales = shortage == Shortage::Lost;
    for day in 0..days {
        let today = day as f64;
        let paths = demand.paths;
        let (demand, receipts) = (&demand.row(day)[..paths], &receipts.row(day)[..paths]);
        let running = &mut out.running.values[day * paths..(day + 1) * paths];
        let (arrive, until) = (&window.arrive[..paths], &window.until[..paths]);
        let (stock, need) = (&mut out.stock[..paths], &mut out.need[..paths]);
        let (owed, lost_before) = (&mut out.owed[..paths], &mut out.lost_before[..paths]);
        let window_demand = &mut out.window_demand[..paths];
        let demand_until = &mut out.demand_until[..paths];
        let received_until = &mut out.received_until[..paths];
        for p in 0..paths {
            let there = stock[p] + receipts[p];
            let arrived = today >= arrive[p];
            let in_cover = today < until[p];
            let in_window = arrived && in_cover;
            let after = there - demand[p];
            // Once the order can help, a deficit is a need, not a sale lost.
            let reflected = if lost_sales && !arrived { after.max(there.min(0.0)) } else { after };
            owed[p] = if today == arrive[p] { (-there).max(0.0) } else { owed[p] };
            lost_before[p] += if arrived { 0.0 } else { reflected - after };
            demand_until[p] += if in_cover { demand[p] } else { 0.0 };
            received_until[p] += if in_cover { receipts[p] } else { 0.0 };
            window_demand[p] += if in_window { demand[p] } else { 0.0 };
            need[p] = if in_window { need[p].max(-reflected) } else { need[p] };
            running[p] = if in_window { need[p] } else { f64::INFINITY };
            stock[p] = reflected;
        }
    }
    for need in &mut out.need {
        // The next order is there before this one: nothing depends on it.
        if *need == f64::NEG_INFINITY {
            *need = 0.0;
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
