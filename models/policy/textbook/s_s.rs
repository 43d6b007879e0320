//! The optimal (s,S) policy under periodic review, by Zheng & Federgruen (Operations Research
//! 39(4), 1991): order up to S whenever the inventory position is s or less.
//!
//! Whole units, back-orders, an order usable `L` periods later; demand is independent from period
//! to period. With `G(y)` the expected holding and stock-out cost of a period that is met from
//! position `y` (demand of `L + 1` periods) and `m(j)` the expected number of periods that the
//! position spends j below S in a cycle,
//! `c(s,S) = (K + Σ_{j < S−s} m(j) G(S − j)) / Σ_{j < S−s} m(j)`.
//! Nothing is approximated but the tails of the demand, at a level that no float shows.

use super::check::{ParameterError, not_negative, positive};
use super::demand::{CountLaw, NewsvendorCost, Pmf};
use super::newsvendor::checked_lead_time;

/// Multiplications that one case may take, about two seconds.
const WORK_MAX: usize = 2_000_000_000;
/// Units between s and S that one case may have.
const SPAN_MAX: usize = 2_000_000;

/// Checked parameters.
#[derive(Clone, Debug)]
pub struct PeriodicReview {
    fixed_cost: f64,
    costs: NewsvendorCost,
    demand: Pmf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SsPolicy {
    /// Order when the position is at most this.
    pub reorder_point: i64,
    pub order_up_to_level: i64,
    /// Expected cost a period in the long run.
    pub cost_rate: f64,
}

impl PeriodicReview {
    /// `holding_cost` a unit left at a period's end and `stockout_cost` a unit then back-ordered,
    /// above 0; `fixed_cost` an order, at least 0; `lead_time` in periods, 0: usable at once.
    ///
    /// # Errors
    /// The parameter that is not, and demand too large for its window.
    ///
    /// ```
    /// use granary_models::policy::textbook::demand::CountLaw;
    /// use granary_models::policy::textbook::s_s::PeriodicReview;
    /// // Snyder & Shen, example 4.7.
    /// let demand = CountLaw::poisson(6.0).unwrap();
    /// let best = PeriodicReview::new(1.0, 4.0, 5.0, &demand, 0.0).unwrap().best().unwrap();
    /// assert_eq!((best.reorder_point, best.order_up_to_level), (4, 10));
    /// assert!((best.cost_rate - 8.034_111_561_471_642).abs() < 1e-12);
    /// ```
    pub fn new(
        holding_cost: f64,
        stockout_cost: f64,
        fixed_cost: f64,
        demand: &CountLaw,
        lead_time: f64,
    ) -> Result<PeriodicReview, ParameterError> {
        positive("holding_cost", holding_cost)?;
        positive("stockout_cost", stockout_cost)?;
        not_negative("fixed_cost", fixed_cost)?;
        let of_one = demand.over(1.0)?;
        if of_one.last() == 0 {
            let legal = "a table with some demand above 0";
            return Err(ParameterError::new("demand_pmf", "always 0", legal));
        }
        let lead_time = checked_lead_time(lead_time)?;
        let costs = match lead_time == 0.0 {
            true => NewsvendorCost::new(&of_one, holding_cost, stockout_cost),
            false => {
                let window = demand.over(lead_time + 1.0)?;
                NewsvendorCost::new(&window, holding_cost, stockout_cost)
            }
        };
        Ok(PeriodicReview { fixed_cost, costs, demand: of_one })
    }

    /// The policy of least cost in the long run.
    ///
    /// # Errors
    /// A fixed cost so large beside the others that orders would be of far too many units to look
    /// at one by one.
    pub fn best(&self) -> Result<SsPolicy, ParameterError> {
        let mut search = Search::new(self);
        search.run()?;
        Ok(SsPolicy {
            reorder_point: search.costs.least() - search.below as i64,
            order_up_to_level: search.costs.least() + search.above as i64,
            cost_rate: search.cost,
        })
    }

    /// The expected cost a period of any policy with `s < S`, by the renewal function.
    ///
    /// # Errors
    /// Levels that are not in that order, or too far apart.
    pub fn cost_rate(&self, policy: (i64, i64)) -> Result<f64, ParameterError> {
        let (s, up_to) = policy;
        let span = usize::try_from(i128::from(up_to) - i128::from(s)).unwrap_or(0);
        if span == 0 || span.saturating_mul(span.min(self.demand.last())) > WORK_MAX {
            let legal = format!("above s, {s}, by not too many units");
            return Err(ParameterError::new("S", up_to, legal));
        }
        let mut renewal = Renewal::new(&self.demand);
        let (mut cost, mut periods) = (self.fixed_cost, 0.0);
        for j in 0..span {
            let visits = renewal.at(j);
            cost += visits * self.costs.at(up_to - j as i64);
            periods += visits;
        }
        Ok(cost / periods)
    }
}

/// `m(j)`: `m(0) = 1 / (1 − p_0)`, `m(j) = Σ_{l = 1..j} p_l m(j − l) / (1 − p_0)`.
struct Renewal<'a> {
    demand: &'a Pmf,
    /// `1 / P(D > 0)`, added up from the probabilities above 0 and so exact where sales are rare.
    scale: f64,
    visits: Vec<f64>,
    work: usize,
}

impl<'a> Renewal<'a> {
    fn new(demand: &'a Pmf) -> Renewal<'a> {
        let zeros = usize::from(demand.first() == 0);
        let some: f64 = demand.probabilities()[zeros..].iter().sum();
        Renewal { demand, scale: 1.0 / some, visits: Vec::with_capacity(256), work: 0 }
    }

    fn at(&mut self, j: usize) -> f64 {
        while self.visits.len() <= j {
            let next = self.visits.len();
            let least = self.demand.first().max(1);
            let most = self.demand.last().min(next);
            let mut sum = if next == 0 { 1.0 } else { 0.0 };
            if least <= most {
                let probabilities =
                    &self.demand.probabilities()[least - self.demand.first()..][..most - least + 1];
                sum = dot_reversed(probabilities, &self.visits[next - most..=next - least]);
                self.work += most - least + 1;
            }
            self.visits.push(sum * self.scale);
        }
        self.visits[j]
    }
}

/// The search of Zheng & Federgruen from `S = y*`, the least point of `G`.
struct Search<'a> {
    costs: &'a NewsvendorCost,
    fixed_cost: f64,
    renewal: Renewal<'a>,
    /// `M(j) = Σ_{i < j} m(i)`.
    periods: Vec<f64>,
    /// `G(y* − k)` and `G(y* + k)`.
    costs_below: Vec<f64>,
    costs_above: Vec<f64>,
    /// `y* − s` and `S − y*`.
    below: usize,
    above: usize,
    cost: f64,
    work: usize,
}

impl<'a> Search<'a> {
    fn new(case: &'a PeriodicReview) -> Search<'a> {
        let least = case.costs.at(case.costs.least());
        Search {
            costs: &case.costs,
            fixed_cost: case.fixed_cost,
            renewal: Renewal::new(&case.demand),
            periods: vec![0.0],
            costs_below: vec![least],
            costs_above: vec![least],
            below: 0,
            above: 0,
            cost: f64::INFINITY,
            work: 0,
        }
    }

    /// `G(y* − k)`.
    fn cost_below(&mut self, k: usize) -> f64 {
        while self.costs_below.len() <= k {
            let next = self.costs_below.len() as i64;
            self.costs_below.push(self.costs.at(self.costs.least() - next));
        }
        self.costs_below[k]
    }

    /// `M(j)`, with every `m` below j known afterwards.
    fn periods_to(&mut self, j: usize) -> f64 {
        while self.periods.len() <= j {
            let next = self.periods.len();
            self.periods.push(self.periods[next - 1] + self.renewal.at(next - 1));
        }
        self.periods[j]
    }

    /// Fixed cost and cost of all visits in a cycle from `y* + above` down to above `y* − below`.
    fn cycle_cost(&mut self, below: usize, above: usize) -> f64 {
        self.periods_to(below + above);
        let visits = &self.renewal.visits[..below + above];
        let (high, low) = visits.split_at(above.min(visits.len()));
        self.work += visits.len();
        let costs_above = &self.costs_above[above + 1 - high.len()..=above];
        self.fixed_cost + dot_reversed(high, costs_above) + dot(low, &self.costs_below[..low.len()])
    }

    fn run(&mut self) -> Result<(), ParameterError> {
        // Down with s until the cycle costs no more a period than G(s).
        let mut cycle = self.fixed_cost;
        loop {
            cycle += self.renewal.at(self.below) * self.cost_below(self.below);
            self.below += 1;
            self.cost = cycle / self.periods_to(self.below);
            self.check_work()?;
            if self.cost <= self.cost_below(self.below) {
                break;
            }
        }
        // Up with S while a position there costs no more than the best cycle, and after each
        // improvement up with s.
        let mut above = 0;
        loop {
            above += 1;
            self.check_work()?;
            let at_top = self.costs.at(self.costs.least() + above as i64);
            if at_top > self.cost {
                return Ok(());
            }
            self.costs_above.push(at_top);
            let mut cycle = self.cycle_cost(self.below, above);
            let cost = cycle / self.periods_to(self.below + above);
            if cost >= self.cost {
                continue;
            }
            (self.above, self.cost) = (above, cost);
            // Once s is higher by one, position s + 1 is no longer visited.
            while self.below > 1 && self.cost <= self.costs_below[self.below - 1] {
                self.below -= 1;
                let visits = self.renewal.visits[self.below + self.above];
                cycle -= visits * self.costs_below[self.below];
                self.cost = cycle / self.periods_to(self.below + self.above);
            }
        }
    }

    fn check_work(&self) -> Result<(), ParameterError> {
        if self.work + self.renewal.work <= WORK_MAX && self.periods.len() <= SPAN_MAX {
            return Ok(());
        }
        let legal = format!(
            "small enough beside the other costs that an order is of fewer than about {} units; \
             or count in a larger unit",
            self.below + self.above
        );
        Err(ParameterError::new("fixed_cost", self.fixed_cost, legal))
    }
}

const LANES: usize = 4;

/// `Σ a_i b_i`, with several sums at a time.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `Σ a_i b_{n−1−i}`.
pub(super) fn dot_reversed(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.rchunks_exact(LANES));
    let b_rest = b_chunks.remainder();
    let rest: f64 = a_chunks.remainder().iter().zip(b_rest.iter().rev()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[LANES - 1 - lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
