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
use crate::policy::walk::lasting_needs;

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
    /// Share of this order that comes, per path; empty where all of it always does.
    pub share: Vec<f64>,
    /// `need` as of the end of each day of the window, infinite outside it. Exact below 2^24 units.
    pub running: PathMatrix<f32>,
}

impl Needs {
    pub(crate) fn reset(&mut self, paths: usize) {
        self.share.clear();
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

    /// What of `qty` comes on a path.
    #[inline]
    fn got(&self, path: usize, qty: f64) -> f64 {
        self.share.get(path).map_or(qty, |share| qty * share)
    }

    /// Mean over paths of what `qty` leaves short of the window's demand.
    pub fn short_with(&self, qty: f64) -> f64 {
        if self.displaces {
            return self.short_displacing(qty);
        }
        let short = self.need.iter().zip(&self.owed).zip(&self.lost_after_life).enumerate();
        let total: f64 = short
            .map(|(path, ((&need, &owed), &late))| {
                let got = self.got(path, qty);
                (need - got).max(0.0) - (owed - got).max(0.0) + late
            })
            .sum();
        total / self.need.len().max(1) as f64
    }

    /// The same, at the most, where the first units may only displace older ones.
    fn short_displacing(&self, qty: f64) -> f64 {
        let total: f64 = (0..self.need.len())
            .map(|path| {
                let (need, owed) = (self.need[path], self.owed[path]);
                let at_first = (need - self.displaced[path] - owed).max(0.0);
                let got = self.got(path, qty);
                (need - got.max(owed)).max(0.0).min(at_first) + self.lost_after_life[path]
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
        let needs = self.need.iter().enumerate();
        let covered = needs.filter(|&(path, &need)| need <= self.got(path, qty)).count();
        covered as f64 / self.need.len().max(1) as f64
    }

    /// Money that ordering `qty` brings over ordering nothing, before the order's own fixed costs:
    /// sales saved, less holding until sold or the next arrival, less what is left then.
    pub fn value_of(&self, qty: f64, money: UnitMoney) -> f64 {
        let paths = self.need.len().max(1) as f64;
        let (mut saved, mut left) = (0.0, 0.0);
        for (path, &need) in self.need.iter().enumerate() {
            let got = self.got(path, qty);
            let used = got.min(need.max(0.0));
            let saves = if self.displaces { used * self.saving_share(path) } else { used };
            saved += saves;
            left += got - saves;
        }
        let held = self.waiting_days(qty);
        (saved * money.margin_and_penalty - left * money.left_over - held * money.holding_per_day)
            / paths
    }

    /// Days that units of an order of `qty` wait to be used up, over all paths.
    fn waiting_days(&self, qty: f64) -> f64 {
        if self.share.is_empty() {
            return unsold_days(&self.running.values, qty);
        }
        let rows = self.running.values.chunks_exact(self.share.len());
        let cells = rows.flat_map(|row| row.iter().zip(&self.share));
        cells.map(|(&used, share)| (qty * share - f64::from(used.max(0.0))).max(0.0)).sum()
    }

    /// Marginal value of the `j`-th unit, non-increasing in `j`: its unit is sold on the first day
    /// on which the path's running need reaches `j`, held until then, or left over.
    pub fn marginal(&self, j: f64, money: UnitMoney) -> f64 {
        if !self.share.is_empty() {
            // What the order is worth is a smooth curve then, as each path gets its own part of it.
            return self.value_of(j, money) - self.value_of(j - 1.0, money);
        }
        self.marginal_held(j, money, count_below(&self.running.values, j))
    }

    /// The same for a unit that is held for `held` days over all paths.
    fn marginal_held(&self, j: f64, money: UnitMoney, held: f64) -> f64 {
        let paths = self.need.len().max(1) as f64;
        let sells = |need: f64| need >= j;
        let sold = match self.displaces {
            false => self.need.iter().filter(|&&need| sells(need)).count() as f64,
            true => (0..self.need.len())
                .filter(|&path| sells(self.need[path]))
                .map(|path| self.saving_share(path))
                .sum(),
        };
        (sold * money.margin_and_penalty
            - held * money.holding_per_day
            - (paths - sold) * money.left_over)
            / paths
    }

    /// The quantity up to which every unit is worth more than it costs.
    pub fn best_quantity(&self, money: UnitMoney) -> i64 {
        let most = self.need.iter().copied().fold(0.0, f64::max);
        self.worth_having(most, money).min(1e15) as i64
    }

    /// For each of the rising quantities `at`: units used up by the needs, and days that units wait
    /// to be, both summed over paths. Most of the quantities should be `first + i * width`: one look
    /// at every cell serves all of them, and one each any other.
    pub fn used_and_waiting(&self, at: &[f64], (first, width): (f64, f64)) -> Vec<(f64, f64)> {
        let steps = |qty: f64| ((qty - first) / width).ceil().clamp(0.0, 64.0) as usize;
        let on_step = |qty: f64| qty >= first && (qty - first) % width == 0.0;
        // How many cells end at each step, and their sum.
        let mut bins = [(0u32, 0.0f64); 66];
        let shared = self.share.is_empty() && at.iter().filter(|&&qty| on_step(qty)).count() > 2;
        if shared {
            for &used in self.running.values.iter().filter(|used| **used < f32::INFINITY) {
                let used = f64::from(used.max(0.0));
                let beyond = usize::from(used > first + 64.0 * width);
                let bin = &mut bins[steps(used) + beyond];
                *bin = (bin.0 + 1, bin.1 + used);
            }
        }
        let waiting = |qty: f64| {
            if !(shared && on_step(qty)) || qty > first + 64.0 * width {
                return self.waiting_days(qty);
            }
            let below = &bins[..=steps(qty)];
            below.iter().map(|&(count, sum)| f64::from(count) * qty - sum).sum()
        };
        let used = |qty: f64| {
            let needs = self.need.iter().enumerate();
            let saves = |path| if self.displaces { self.saving_share(path) } else { 1.0 };
            needs.map(|(path, &need)| need.clamp(0.0, self.got(path, qty)) * saves(path)).sum()
        };
        at.iter().map(|&qty| (used(qty), waiting(qty))).collect()
    }

    /// The number of units that are worth more than they cost, at most `most`.
    fn worth_having(&self, most: f64, money: UnitMoney) -> f64 {
        if !self.share.is_empty() {
            return smallest(-1.0, 2.0 * most, |q| self.marginal(q + 1.0, money) <= 0.0);
        }
        // No unit is held for longer than all days of the window: how much shorter has to be
        // counted only from the quantity on that this would allow. It is near, as the last unit is
        // sold late in its window where it is sold at all.
        let all = count_below(&self.running.values, f64::INFINITY);
        let least = smallest(-1.0, most, |q| self.marginal_held(q + 1.0, money, all) <= 0.0);
        let enough = |q: f64| self.marginal(q + 1.0, money) <= 0.0;
        let (mut below, mut step) = (least - 1.0, 1.0);
        while below + step < most && !enough(below + step) {
            below += step;
            step *= 2.0;
        }
        smallest(below, most.min(below + step), enough)
    }
}

/// Sum over cells of what of `qty` the running need has not used.
fn unsold_days(running: &[f32], qty: f64) -> f64 {
    const LANES: usize = 8;
    let unsold = |used: f32| {
        let left = qty - f64::from(if used > 0.0 { used } else { 0.0 });
        if left > 0.0 { left } else { 0.0 }
    };
    // Sums of whole numbers, so their order does not matter.
    let mut sums = [0.0; LANES];
    let (chunks, rest) = running.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &used) in sums.iter_mut().zip(chunk) {
            *sum += unsold(used);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&used| unsold(used)).sum::<f64>()
}

fn count_below(values: &[f32], limit: f64) -> f64 {
    let limit = limit as f32;
    let count = |part: &[f32]| part.iter().map(|&value| u32::from(value < limit)).sum::<u32>();
    values.chunks(1 << 16).map(|part| f64::from(count(part))).sum()
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
    if opening.perishes() {
        out.reset(demand.paths);
        out.running.reset(demand.paths, window.last_day(demand.days), f32::INFINITY);
        perishable::needs(demand, receipts, opening, window, shortage, out);
    } else {
        lasting_needs(demand, receipts, opening, window, shortage, out);
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
    let mut most = scratch.iter().copied().fold(0.0, f64::max);
    if !needs.share.is_empty() {
        // What has to be ordered for what is lacking to come; where nothing comes, no order helps.
        for (need, share) in scratch.iter_mut().zip(&needs.share) {
            *need = if *need > 0.0 { (*need / share - 1e-9).ceil() } else { *need };
        }
        scratch.retain(|need| need.is_finite());
        most *= 2.0;
        if scratch.is_empty() {
            return RawOrder { qty: 0, spare: 0 };
        }
    }
    let qty = match target {
        Target::Cycle(p) => {
            let at = rank(p, scratch.len());
            *scratch.select_nth_unstable_by(at, f64::total_cmp).1
        }
        Target::Fill(beta) => {
            let allowed = (1.0 - beta).max(0.0) * mean(&needs.window_demand);
            // No quantity serves what is short after the goods have expired.
            let allowed = allowed.max(mean(&needs.lost_after_life));
            smallest(-1.0, most, |qty| needs.short_with(qty) <= allowed + 1e-9)
        }
        Target::Economics => needs.worth_having(most, money),
    };
    if qty > 0.0 {
        return RawOrder { qty: qty.min(1e15) as i64, spare: 0 };
    }
    let p = if let Target::Cycle(p) | Target::Fill(p) = target { p } else { 0.5 };
    let at = rank(p, scratch.len());
    let signed = *scratch.select_nth_unstable_by(at, f64::total_cmp).1;
    RawOrder { qty: 0, spare: (-signed).max(0.0) as i64 }
}

/// The smallest whole number above `below` and up to `most` for which `enough` holds, given that it
/// holds from some number on; `most` if it holds for none.
fn smallest(mut below: f64, most: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let mut at = most.ceil();
    while at - below > 1.0 {
        let middle = ((below + at) / 2.0).floor();
        if enough(middle) { at = middle } else { below = middle }
    }
    at
}
