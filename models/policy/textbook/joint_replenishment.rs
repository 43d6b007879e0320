//! Joint replenishment: items share an order's fixed cost, and each joins every so many orders.
//!
//! Cost rate `(K + Σ k_n / m_n) / T + T / 2 Σ m_n h_n λ_n` with base cycle `T` and whole multiples
//! `m_n` (Snyder & Shen, section 3.8). Silver's heuristic (1976) sets the multiples once; the best
//! ones are found by walking over every cycle time at which a multiple changes (Goyal 1974; bounds
//! after Wildeman, Frenk & Dekker 1997).

use super::check::{ParameterError, as_many, each, not_negative, positive};

/// Steps of the walk; beyond, the best so far is the answer.
const CHANGES_MAX: usize = 2_000_000;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct JointReplenishment<'a> {
    shared_fixed_cost: f64,
    individual_fixed_costs: &'a [f64],
    /// `h_n λ_n`.
    holding_rates: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JointCycle {
    /// Time between two orders.
    pub base_cycle_time: f64,
    /// Each item is in every so manieth order.
    pub order_multiples: Vec<u64>,
    pub cost_rate: f64,
}

impl<'a> JointReplenishment<'a> {
    /// `shared_fixed_cost` an order and `individual_fixed_costs` an item in it, at least 0;
    /// `holding_costs` a unit and unit of time and `demand_rates` a unit of time, above 0.
    ///
    /// # Errors
    /// The parameter that is not, lists of different lengths, no fixed cost at all.
    pub fn new(
        shared_fixed_cost: f64,
        individual_fixed_costs: &'a [f64],
        holding_costs: &[f64],
        demand_rates: &[f64],
    ) -> Result<JointReplenishment<'a>, ParameterError> {
        not_negative("shared_fixed_cost", shared_fixed_cost)?;
        each("individual_fixed_costs", individual_fixed_costs, not_negative)?;
        each("holding_costs", holding_costs, positive)?;
        each("demand_rates", demand_rates, positive)?;
        let items = individual_fixed_costs.len();
        if items == 0 || items > 100_000 {
            let value = format!("a list of {items}");
            let legal = "a list of 1 to 100000 numbers";
            return Err(ParameterError::new("individual_fixed_costs", value, legal));
        }
        as_many("holding_costs", holding_costs.len(), items, "individual_fixed_costs")?;
        as_many("demand_rates", demand_rates.len(), items, "individual_fixed_costs")?;
        positive(
            "shared_fixed_cost with the least individual cost",
            shared_fixed_cost
                + individual_fixed_costs.iter().copied().fold(f64::INFINITY, f64::min),
        )?;
        let holding_rates = holding_costs.iter().zip(demand_rates).map(|(h, d)| h * d).collect();
        Ok(JointReplenishment { shared_fixed_cost, individual_fixed_costs, holding_rates })
    }

    fn items(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.individual_fixed_costs.iter().copied().zip(self.holding_rates.iter().copied())
    }

    /// The best cycle time of given multiples.
    fn cycle(&self, order_multiples: Vec<u64>) -> JointCycle {
        let (mut setups, mut holding) = (self.shared_fixed_cost, 0.0);
        for ((fixed, rate), &multiple) in self.items().zip(&order_multiples) {
            setups += fixed / multiple as f64;
            holding += rate * multiple as f64;
        }
        JointCycle {
            base_cycle_time: (2.0 * setups / holding).sqrt(),
            order_multiples,
            cost_rate: (2.0 * setups * holding).sqrt(),
        }
    }

    /// Silver's heuristic: the item with the least `k / (h λ)` is in every order, the others'
    /// multiples are rounded from the continuous optimum.
    ///
    /// ```
    /// use granary_models::policy::textbook::joint_replenishment::JointReplenishment;
    /// let (fixed, holding) = ([120.0, 840.0, 300.0], [160.0, 20.0, 50.0]);
    /// let items = JointReplenishment::new(600.0, &fixed, &holding, &[1.0; 3]).unwrap();
    /// let cycle = items.silver();
    /// assert_eq!(cycle.order_multiples, [1, 3, 1]);
    /// assert!((cycle.cost_rate - 837.8544).abs() < 1e-4);
    /// ```
    pub fn silver(&self) -> JointCycle {
        let ratio = |(fixed, rate): (f64, f64)| fixed / rate;
        let least = self
            .items()
            .enumerate()
            .min_by(|(_, a), (_, b)| ratio(*a).total_cmp(&ratio(*b)))
            .map_or(0, |(at, _)| at);
        let scale = self.holding_rates[least]
            / (self.shared_fixed_cost + self.individual_fixed_costs[least]);
        let multiple = |(at, item): (usize, (f64, f64))| {
            if at == least { 1 } else { ((ratio(item) * scale).sqrt().round() as u64).max(1) }
        };
        self.cycle(self.items().enumerate().map(multiple).collect())
    }

    /// The best multiples.
    ///
    /// For a cycle time `T` the best multiple of an item is the least m with
    /// `m (m + 1) >= 2 k / (h λ T²)`, so it rises from m to m + 1 as `T` falls through
    /// `sqrt(2 k / (h λ m (m + 1)))`. With all multiples 1 a longer `T` never helps; and since an
    /// item costs at least `sqrt(2 k h λ)`, no `T` below `K / (cost − Σ sqrt(2 k h λ))` can beat a
    /// known cost. Where the shared cost is next to nothing that bound is, too; the walk then
    /// stops when the best has not improved for long, at a cost within rounding of independent
    /// orders.
    pub fn best(&self) -> JointCycle {
        let mut best = self.silver();
        let alone: f64 = self.items().map(|(fixed, rate)| (2.0 * fixed * rate).sqrt()).sum();
        let mut multiples = vec![1u64; self.holding_rates.len()];
        let change = |item: (f64, f64), multiple: u64| {
            let m = multiple as f64;
            (2.0 * item.0 / (item.1 * m * (m + 1.0))).sqrt()
        };
        let mut next: std::collections::BinaryHeap<Change> = self
            .items()
            .enumerate()
            .map(|(item, costs)| Change { cycle_time: change(costs, 1), item })
            .collect();
        let (mut setups, mut holding) = (self.shared_fixed_cost, 0.0);
        for (fixed, rate) in self.items() {
            setups += fixed;
            holding += rate;
        }
        let together = self.cycle(multiples.clone());
        if together.cost_rate < best.cost_rate {
            best = together;
        }
        // Which item's multiple rose at each step, and after how many steps the cost was least.
        let mut rises = Vec::new();
        let mut best_step = None;
        let mut least = best.cost_rate;
        for _ in 0..CHANGES_MAX {
            let Some(Change { cycle_time, item }) = next.pop() else { break };
            let shortest = self.shared_fixed_cost / (least - alone).max(f64::MIN_POSITIVE);
            if cycle_time <= shortest || cycle_time <= 0.0 {
                break;
            }
            let (fixed, rate) = (self.individual_fixed_costs[item], self.holding_rates[item]);
            let multiple = multiples[item];
            multiples[item] += 1;
            rises.push(item);
            setups -= fixed / multiple as f64 / (multiple + 1) as f64;
            holding += rate;
            let cost = (2.0 * setups.max(0.0) * holding).sqrt();
            if cost < least * (1.0 - 1e-12) {
                least = cost;
                best_step = Some(rises.len());
            }
            next.push(Change { cycle_time: change((fixed, rate), multiple + 1), item });
        }
        let Some(steps) = best_step else { return best };
        let mut multiples = vec![1u64; self.holding_rates.len()];
        rises[..steps].iter().for_each(|&item| multiples[item] += 1);
        let walked = self.cycle(multiples);
        if walked.cost_rate < best.cost_rate { walked } else { best }
    }
}

/// An item's multiple rises where the cycle time falls below this.
struct Change {
    cycle_time: f64,
    item: usize,
}

impl Ord for Change {
    fn cmp(&self, other: &Change) -> std::cmp::Ordering {
        self.cycle_time.total_cmp(&other.cycle_time).then(other.item.cmp(&self.item))
    }
}

impl PartialOrd for Change {
    fn partial_cmp(&self, other: &Change) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Change) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Change {}
