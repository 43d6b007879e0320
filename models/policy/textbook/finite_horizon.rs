//! Random demand over a finite horizon, with fixed costs: the dynamic program over whole
//! inventory levels (Scarf 1960; Snyder & Shen, section 4.4 and algorithm 4.1).
//!
//! `θ_t(x) = min_{y >= x} { K_t [y > x] + c_t (y − x) + g_t(y) + γ_t E[θ_{t+1}(y − D_t)] }`, with
//! `g_t` the holding and stock-out cost of period t and `θ_{T+1}(x) = h_T x⁺ + p_T x⁻`. Demand is
//! used from the level it is ordered for in the same period; unmet demand waits. Every level is
//! looked at up to bounds beyond which no order can pay, and below them costs are linear exactly.

use super::check::{ParameterError, as_many, between, each, not_negative};
use super::demand::{CountLaw, NewsvendorCost, Pmf};
use super::normal::NormalDemand;

/// Multiplications that one case may take, about two seconds.
const WORK_MAX: f64 = 2e9;
/// Levels of one period.
const LEVELS_MAX: f64 = 5e6;
pub const PERIODS_MAX: usize = 10_000;
/// Standard deviations of normal demand that are looked at; less than 1e-15 is left out.
const SPREAD: f64 = 8.0;
/// More than that many whole units of demand in a period are too many.
const UNITS_MAX: f64 = 1e6;

/// Costs of a horizon, each given once for all periods or for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HorizonCosts<'a> {
    /// A unit left at the end of the period.
    pub holding_cost: &'a [f64],
    /// A unit back-ordered at the end of the period.
    pub stockout_cost: &'a [f64],
    /// A unit ordered.
    pub purchase_cost: &'a [f64],
    /// An order.
    pub fixed_cost: &'a [f64],
    /// What a coin of the next period is worth now, above 0 and at most 1.
    pub discount_factor: &'a [f64],
    /// A unit left after the last period.
    pub terminal_holding_cost: f64,
    /// A unit back-ordered after the last period.
    pub terminal_stockout_cost: f64,
}

/// Demand of one period, independent of the others.
#[derive(Clone, Debug, PartialEq)]
pub enum PeriodDemand {
    /// Rounded to whole units; its cost in the period is that of the continuous law.
    Normal(NormalDemand),
    Counts(CountLaw),
}

/// A checked instance.
#[derive(Clone, Debug)]
pub struct FiniteHorizon {
    periods: Vec<Period>,
    terminal: (f64, f64),
}

#[derive(Clone, Debug)]
struct Period {
    purchase: f64,
    fixed: f64,
    discount: f64,
    holding: f64,
    stockout: f64,
    current: Current,
    first: usize,
    /// Probabilities of demand from `last` down to `first`, ready for a dot product.
    reversed: Vec<f64>,
}

impl Period {
    fn last(&self) -> usize {
        self.first + self.reversed.len() - 1
    }

    /// Holding and stock-out cost of the period, demand met from level `y`.
    fn cost(&self, y: i64) -> f64 {
        match &self.current {
            Current::Normal(demand) => {
                demand.newsvendor_cost(y as f64, self.holding, self.stockout)
            }
            Current::Counts(costs) => costs.at(y),
        }
    }
}

#[derive(Clone, Debug)]
enum Current {
    Normal(NormalDemand),
    Counts(NewsvendorCost),
}

/// The optimal policy, period by period.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonPolicy {
    /// The highest level at which an order up to `S` is made; none where no order ever pays.
    pub reorder_points: Vec<Option<i64>>,
    pub order_up_to_levels: Vec<Option<i64>>,
    /// Expected discounted cost from the initial level on.
    pub total_cost: f64,
    /// Whether ordering up to `S` exactly at or below `s` is optimal in every period. It is where
    /// `K_t >= γ_t K_{t+1}`; with fixed costs that rise, levels between may order too.
    pub is_s_s: bool,
}

impl FiniteHorizon {
    /// # Errors
    /// A cost that is negative or not given for as many periods as there are demands, a discount
    /// factor not in (0, 1], demand of more than a million units in a period.
    pub fn new(
        costs: &HorizonCosts,
        demand: &[PeriodDemand],
    ) -> Result<FiniteHorizon, ParameterError> {
        if demand.is_empty() || demand.len() > PERIODS_MAX {
            let legal = format!("a whole number from 1 to {PERIODS_MAX}");
            return Err(ParameterError::new("num_periods", demand.len(), legal));
        }
        let lists = [
            ("holding_cost", costs.holding_cost),
            ("stockout_cost", costs.stockout_cost),
            ("purchase_cost", costs.purchase_cost),
            ("fixed_cost", costs.fixed_cost),
            ("discount_factor", costs.discount_factor),
        ];
        for (field, list) in lists {
            if list.len() != 1 {
                as_many(field, list.len(), demand.len(), "num_periods")?;
            }
            each(field, list, if field == "discount_factor" { discount } else { not_negative })?;
        }
        let terminal = (
            not_negative("terminal_holding_cost", costs.terminal_holding_cost)?,
            not_negative("terminal_stockout_cost", costs.terminal_stockout_cost)?,
        );
        let periods = demand
            .iter()
            .enumerate()
            .map(|(t, demand)| {
                let of = |list: &[f64]| if list.len() == 1 { list[0] } else { list[t] };
                let (holding, stockout) = (of(costs.holding_cost), of(costs.stockout_cost));
                let (pmf, current) = one_period(demand, holding, stockout)?;
                Ok(Period {
                    purchase: of(costs.purchase_cost),
                    fixed: of(costs.fixed_cost),
                    discount: of(costs.discount_factor),
                    holding,
                    stockout,
                    current,
                    first: pmf.first(),
                    reversed: pmf.probabilities().iter().rev().copied().collect(),
                })
            })
            .collect::<Result<_, ParameterError>>()?;
        Ok(FiniteHorizon { periods, terminal })
    }

    /// The optimal policy and its cost from `initial_inventory_level` on.
    ///
    /// # Errors
    /// An initial level of more than a million units either way, or costs so far apart that too
    /// many levels would have to be looked at.
    pub fn solve(&self, initial_inventory_level: i64) -> Result<HorizonPolicy, ParameterError> {
        let initial = initial_inventory_level;
        between(
            "initial_inventory_level",
            initial as f64,
            -UNITS_MAX,
            UNITS_MAX,
            "a whole number from -1000000 to 1000000",
        )?;
        let high = self.highest_level().max(initial);
        let longest = self.periods.iter().map(Period::last).max().unwrap_or(0) as i64;
        let mut depth = longest + 2;
        loop {
            let low = initial.min(0) - depth;
            let levels = (high - low) as f64;
            let work: f64 = self.periods.iter().map(|t| levels * t.reversed.len() as f64).sum();
            if work > WORK_MAX || levels > LEVELS_MAX {
                let legal = "small enough beside the other costs and demand that fewer levels \
                             matter; or count in a larger unit";
                let most = self.periods.iter().map(|t| t.fixed).fold(0.0, f64::max);
                return Err(ParameterError::new("fixed_cost", most, legal));
            }
            if let Some(policy) = self.backwards(low, high, initial) {
                return Ok(policy);
            }
            depth *= 2;
        }
    }

    /// No order goes beyond this level: from a lower one the rest can be ordered in the next
    /// period, at its fixed cost, so a level is too high where
    /// `(c_t − γ c_{t+1}) y + g_t(y)` is above its least value by more than `γ K_{t+1}`; nor does
    /// any go beyond all the demand there can be.
    fn highest_level(&self) -> i64 {
        let mut demand_left = 0i64;
        let mut highest = 0;
        for (t, period) in self.periods.iter().enumerate().rev() {
            demand_left += period.last() as i64;
            let next = self.periods.get(t + 1);
            let later_purchase = next.map_or(0.0, |next| period.discount * next.purchase);
            let slack = next.map_or(0.0, |next| period.discount * next.fixed);
            let cost = |y: i64| {
                let end = match next {
                    Some(_) => 0.0,
                    None => period.discount * self.expected(period, y, |x| self.ending(x)),
                };
                (period.purchase - later_purchase) * y as f64 + period.cost(y) + end
            };
            let least = first_where(0, demand_left, |y| cost(y + 1) >= cost(y));
            let most = cost(least) + slack;
            highest = highest.max(first_where(least, demand_left, |y| cost(y) > most));
        }
        highest
    }

    fn ending(&self, x: i64) -> f64 {
        if x >= 0 { self.terminal.0 * x as f64 } else { -self.terminal.1 * x as f64 }
    }

    fn expected(&self, period: &Period, y: i64, value: impl Fn(i64) -> f64) -> f64 {
        let lowest = y - period.last() as i64;
        period.reversed.iter().enumerate().map(|(k, p)| p * value(lowest + k as i64)).sum()
    }

    /// The recursion on levels `low..=high`, or none where costs below `low` are not yet linear.
    fn backwards(&self, low: i64, high: i64, initial: i64) -> Option<HorizonPolicy> {
        let levels = (high - low + 1) as usize;
        let mut values: Vec<f64> = (low..=high).map(|x| self.ending(x)).collect();
        let mut slope = self.terminal.1;
        let mut padded = Vec::new();
        let mut reorder_points = vec![None; self.periods.len()];
        let mut order_up_to_levels = vec![None; self.periods.len()];
        let mut is_s_s = true;
        let mut up_to = vec![low; levels];
        for (t, period) in self.periods.iter().enumerate().rev() {
            // Levels below the lowest follow their line.
            let pad = period.last();
            padded.clear();
            padded.extend((1..=pad).rev().map(|k| values[0] + slope * k as f64));
            padded.extend_from_slice(&values);
            for (at, value) in values.iter_mut().enumerate() {
                let future = &padded[at..at + period.reversed.len()];
                let expected: f64 = super::s_s::dot(&period.reversed, future);
                *value = period.cost(low + at as i64) + period.discount * expected;
            }
            // From here on `values` is the cost of standing at a level; what remains is to order.
            let (mut best, mut best_level) = (f64::INFINITY, high);
            for at in (0..levels).rev() {
                let level = low + at as i64;
                let spent = period.purchase * level as f64;
                let stay = values[at] + spent;
                let ordered = period.fixed + best;
                if stay <= best {
                    (best, best_level) = (stay, level);
                }
                let orders = ordered < stay;
                up_to[at] = if orders { best_level } else { level };
                values[at] = if orders { ordered } else { stay } - spent;
            }
            let orders = up_to[0] > low;
            let waiting = period.stockout + period.discount * slope;
            let gain = waiting - period.purchase;
            let tolerance = 1e-12 * (waiting + period.purchase);
            if (orders && gain < -tolerance) || (!orders && gain > tolerance) {
                return None;
            }
            slope = if orders { period.purchase } else { waiting };
            if orders {
                let top = up_to[0];
                let upto = up_to.iter().take_while(|&&level| level == top).count();
                reorder_points[t] = Some(low + upto as i64 - 1);
                order_up_to_levels[t] = Some(top);
                is_s_s &= (upto..levels).all(|at| up_to[at] == low + at as i64);
            } else {
                is_s_s &= (0..levels).all(|at| up_to[at] == low + at as i64);
            }
        }
        let total_cost = values[(initial - low) as usize];
        Some(HorizonPolicy { reorder_points, order_up_to_levels, total_cost, is_s_s })
    }
}

fn discount(field: &str, value: f64) -> Result<f64, ParameterError> {
    between(field, value, 1e-6, 1.0, "above 0 and at most 1 (1e-6 to 1)")
}

/// The least whole number in `from..to` with a property that holds for all greater ones, or `to`.
fn first_where(mut from: i64, mut to: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) { to = middle } else { from = middle + 1 }
    }
    from
}

fn one_period(
    demand: &PeriodDemand,
    holding: f64,
    stockout: f64,
) -> Result<(Pmf, Current), ParameterError> {
    match demand {
        PeriodDemand::Counts(law) => {
            let pmf = law.over(1.0)?;
            let most = pmf.last() as f64;
            between("demand_mean", most, 0.0, UNITS_MAX, "demand of at most 1000000 units")?;
            let costs = NewsvendorCost::new(&pmf, holding, stockout);
            Ok((pmf, Current::Counts(costs)))
        }
        PeriodDemand::Normal(normal) => {
            not_negative("demand_mean", normal.mean)?;
            not_negative("demand_sd", normal.sd)?;
            let most = normal.mean + SPREAD * normal.sd;
            let legal = "small enough that demand stays under 1000000 units a period";
            between("demand_mean + 8 demand_sd", most, 0.0, UNITS_MAX, legal)?;
            let first = (normal.mean - SPREAD * normal.sd).round().max(0.0);
            let last = most.round().max(first);
            // What would be below zero counts as no demand.
            let mut below = 0.0;
            let mut weights = Vec::new();
            for count in first as usize..=last as usize {
                let upto =
                    if count == last as usize { 1.0 } else { normal.cdf(count as f64 + 0.5) };
                weights.push(upto - below);
                below = upto;
            }
            Ok((Pmf::weighted(first as usize, weights), Current::Normal(*normal)))
        }
    }
}
