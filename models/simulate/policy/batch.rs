//! How much to order where an order has a price of its own: (s, S) on demand paths.
//!
//! Levels are counted from what there is: level 0 is "order nothing now". `G(q)` is the expected
//! cost of the interval from this order's arrival to the next order's when `q` more units are
//! there, read off the paths; the paths' demand of a review is the step of a renewal process, and
//! Zheng & Federgruen (1991) find the levels `s` and `S` of least average cost. Tonight's order goes
//! up to `S` when level 0 is at or below `s`. Later reviews see later forecasts.

use crate::policy::order::{Needs, Window};
use crate::policy::projection::{PathMatrix, Shortage};
use crate::simulate::item::Money;

/// Levels between `s` and `S` at most; larger quantities are counted in larger steps.
const LEVELS: f64 = 256.0;
const STEPS_MAX: i64 = 2_048;

/// Sorted needs as of the end of each period of the window, and their sums: expected shortage and
/// surplus of a level are two look-ups.
struct Curve {
    sorted: Vec<f64>,
    /// `below[k]`: the sum of the `k` smallest.
    below: Vec<f64>,
}

impl Curve {
    fn new(mut needs: Vec<f64>) -> Curve {
        needs.sort_by(f64::total_cmp);
        let mut below = Vec::with_capacity(needs.len() + 1);
        below.push(0.0);
        let mut sum = 0.0;
        for need in &needs {
            sum += need;
            below.push(sum);
        }
        Curve { sorted: needs, below }
    }

    /// Mean surplus and mean shortage at level `q`.
    fn at(&self, q: f64) -> (f64, f64) {
        let n = self.sorted.len();
        let covered = self.sorted.partition_point(|&need| need <= q);
        let surplus = covered as f64 * q - self.below[covered];
        let short = self.below[n] - self.below[covered] - (n - covered) as f64 * q;
        (surplus / n as f64, short / n as f64)
    }
}

/// Expected cost of the window by level, and the demand of one review.
pub struct Batch {
    curves: Vec<Curve>,
    /// Probability of each demand of a review, in steps.
    demand: Vec<f64>,
    /// Units of a step.
    step: f64,
    money: Money,
    shortage: Shortage,
}

impl Batch {
    /// From projections without this order; `mean` is the mean demand of a review and `receipts`
    /// what arrives in the window anyway.
    pub fn new(
        demand: &PathMatrix,
        receipts: &PathMatrix,
        needs: &Needs,
        window: &Window,
        money: Money,
        shortage: Shortage,
    ) -> Option<Batch> {
        let (arrive, until) = (*window.arrive.first()? as usize, *window.until.first()? as usize);
        let mut curves = Vec::with_capacity(until - arrive);
        let mut walked = vec![0.0; demand.paths];
        // Stock as the order arrives: the first day's need is what that day lacks of it.
        let opening: Vec<f64> = (0..demand.paths)
            .map(|path| opening_at(demand, receipts, needs, path, arrive))
            .collect();
        for day in arrive..until.min(demand.days) {
            let rows = demand.row(day).iter().zip(receipts.row(day));
            for (walked, (wanted, received)) in walked.iter_mut().zip(rows) {
                *walked += wanted - received;
            }
            let lacking = walked.iter().zip(&opening).map(|(walked, there)| walked - there);
            curves.push(Curve::new(lacking.collect()));
        }
        let last = curves.last()?;
        let mean = needs.window_demand.iter().sum::<f64>() / demand.paths as f64;
        let span = last.sorted[last.sorted.len() - 1] - last.sorted[0];
        let economic = (2.0 * money.order * mean / money.holding.max(1e-9 * money.shortage)).sqrt();
        let wide = span + economic.min(1e12) + 1.0;
        let step = (wide / LEVELS).ceil().max(1.0);
        let demand = review_pmf(&needs.window_demand, mean, step)?;
        Some(Batch { curves, demand, step, money, shortage })
    }

    /// Cost of one interval at level `j` steps.
    fn cost(&self, j: i64) -> f64 {
        let q = j as f64 * self.step;
        let Money { holding, shortage, .. } = self.money;
        let holding = holding.max(1e-9 * shortage);
        let last = self.curves.len() - 1;
        let each = self.curves.iter().enumerate().map(|(at, curve)| {
            let (surplus, short) = curve.at(q);
            // A lost unit is lost once, a unit that is owed is so every period.
            let counts = self.shortage == Shortage::BackOrdered || at == last;
            holding * surplus + if counts { shortage * short } else { 0.0 }
        });
        each.sum()
    }

    /// `s` and `S` in units; orders are at least `least` units where that is more than `S - s`.
    pub fn levels(&self, least: f64) -> (f64, f64) {
        let best = self.cheapest();
        let mut renewal = Renewal::new(&self.demand);
        let (mut low, mut high) = (best, best);
        let mut average = f64::INFINITY;
        for _ in 0..STEPS_MAX {
            low -= 1;
            average = renewal.average(self, low, high);
            if average <= self.cost(low) {
                break;
            }
        }
        let mut found = (low, high);
        let mut trial = high + 1;
        while trial - best < STEPS_MAX && self.cost(trial) <= average {
            high = trial;
            if renewal.average(self, low, high) < average {
                while low + 1 < high && renewal.average(self, low, high) <= self.cost(low + 1) {
                    low += 1;
                }
                average = renewal.average(self, low, high);
                found = (low, high);
            }
            trial += 1;
        }
        let lot = (least / self.step).ceil() as i64;
        if found.1 - found.0 < lot {
            found = self.with_lot(&mut renewal, lot.min(STEPS_MAX), best);
        }
        (found.0 as f64 * self.step, found.1 as f64 * self.step)
    }

    /// The best `s` when an order is always `lot` steps or more.
    fn with_lot(&self, renewal: &mut Renewal, lot: i64, best: i64) -> (i64, i64) {
        let mut low = best - 1;
        let mut average = renewal.average(self, low, low + lot);
        for _ in 0..STEPS_MAX {
            let next = renewal.average(self, low - 1, low - 1 + lot);
            if next >= average {
                break;
            }
            (average, low) = (next, low - 1);
        }
        (low, low + lot)
    }

    /// The level of least cost; the cost is convex.
    fn cheapest(&self) -> i64 {
        let lows = self.curves.iter().map(|curve| curve.sorted[0]);
        let highs = self.curves.iter().map(|curve| curve.sorted[curve.sorted.len() - 1]);
        let mut low = (lows.fold(f64::INFINITY, f64::min) / self.step).floor() as i64;
        let mut high = (highs.fold(f64::NEG_INFINITY, f64::max) / self.step).ceil() as i64;
        while low < high {
            let middle = low + (high - low) / 2;
            if self.cost(middle) <= self.cost(middle + 1) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        low
    }
}

/// Stock on a path as the window opens.
fn opening_at(
    demand: &PathMatrix,
    receipts: &PathMatrix,
    needs: &Needs,
    path: usize,
    arrive: usize,
) -> f64 {
    // The running need of the first day is what that day's demand lacks after its receipts.
    let at = arrive * demand.paths + path;
    let first = needs.running.values.get(arrive * needs.running.paths + path);
    first.map_or(0.0, |need| demand.values[at] - receipts.values[at] - f64::from(*need))
}

/// Probabilities of a review's demand in steps, from the paths; where it is so rare that no path
/// has any, from its mean. `None` where there is none at all.
fn review_pmf(window_demand: &[f64], mean: f64, step: f64) -> Option<Vec<f64>> {
    let n = window_demand.len() as f64;
    let most = window_demand.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 || mean <= 0.0 {
        return None;
    }
    let mut pmf = vec![0.0; (most / step).ceil() as usize + 2];
    for &units in window_demand {
        // Between two steps by their distances, so that the mean stays.
        let at = units / step;
        let (whole, part) = (at.floor() as usize, at.fract());
        pmf[whole] += (1.0 - part) / n;
        pmf[whole + 1] += part / n;
    }
    Some(pmf)
}

/// The renewal function of the demand of reviews, made as far as it is asked for.
struct Renewal<'a> {
    demand: &'a [f64],
    /// `m(j)`: expected visits at `j` steps below `S`.
    visits: Vec<f64>,
    /// `M(j)`: the sum of the first `j`.
    reviews: Vec<f64>,
}

impl<'a> Renewal<'a> {
    fn new(demand: &'a [f64]) -> Renewal<'a> {
        let first = 1.0 / (1.0 - demand[0]).max(1e-9);
        Renewal { demand, visits: vec![first], reviews: vec![0.0, first] }
    }

    fn extend(&mut self, to: usize) {
        while self.visits.len() < to {
            let j = self.visits.len();
            let most = j.min(self.demand.len() - 1);
            let sum: f64 = (1..=most).map(|step| self.demand[step] * self.visits[j - step]).sum();
            self.visits.push(sum * self.visits[0]);
            self.reviews.push(self.reviews[j] + self.visits[j]);
        }
    }

    /// Average cost of a review under `(low, high)`.
    fn average(&mut self, batch: &Batch, low: i64, high: i64) -> f64 {
        let reach = (high - low).max(1) as usize;
        self.extend(reach);
        let costs: f64 = (0..reach).map(|j| self.visits[j] * batch.cost(high - j as i64)).sum();
        (batch.money.order + costs) / self.reviews[reach]
    }
}
