//! Safety stock in a tree of stages that guarantee each other service times.
//!
//! Graves & Willems (Manufacturing & Service Operations Management 2(1), 2000; erratum 5(2),
//! 2003); Snyder & Shen, section 6.3. A stage that is promised its inputs within `SI` periods, works
//! for `T` and promises its output within `S` holds `z σ sqrt(SI + T − S)` of safety stock. The
//! dynamic program runs over any spanning tree, from its leaves to a root, in `O(N M²)` for `N`
//! stages and `M` the longest replenishment time.

use super::check::{ParameterError, between, not_negative};

const STAGES_MAX: usize = 100_000;
const WORK_MAX: f64 = 2e9;
/// Longest sum of processing times along a path.
const TIME_MAX: usize = 20_000;

/// One stage; times in whole periods.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TreeStage {
    pub processing_time: usize,
    /// A unit of safety stock and unit of time.
    pub holding_cost: f64,
    /// Of the demand from outside at this stage, a period; 0 where there is none.
    pub demand_sd: f64,
    /// Time after which what comes from outside is there.
    pub external_inbound_service_time: usize,
    /// The longest time that outside customers accept. A stage without a successor needs one.
    pub external_outbound_service_time: Option<usize>,
}

/// A checked tree.
#[derive(Clone, Debug)]
pub struct ServiceTree {
    stages: Vec<TreeStage>,
    /// Neighbours: (stage, whether it is downstream).
    links: Vec<Vec<(usize, bool)>>,
    /// `z σ` of all demand that passes a stage.
    bound: Vec<f64>,
    /// Longest time to replenish a stage with nothing in stock above it.
    longest: Vec<usize>,
    /// Every stage after its neighbour nearer to the root, which is the first.
    order: Vec<usize>,
    parent: Vec<Option<(usize, bool)>>,
}

/// Per stage, in the order of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceTimes {
    pub service_times: Vec<usize>,
    pub inbound_service_times: Vec<usize>,
    pub net_replenishment_times: Vec<usize>,
    pub safety_stocks: Vec<f64>,
    /// Of all safety stock, a unit of time.
    pub cost_rate: f64,
}

impl ServiceTree {
    /// `arcs` are pairs of (supplying stage, supplied stage); `demand_bound_constant` is the z for
    /// which demand is guaranteed.
    ///
    /// # Errors
    /// A graph that is no tree, a customer's stage without a service time, times too long, a cost
    /// or a spread that is negative.
    pub fn new(
        stages: &[TreeStage],
        arcs: &[(usize, usize)],
        demand_bound_constant: f64,
    ) -> Result<ServiceTree, ParameterError> {
        not_negative("demand_bound_constant", demand_bound_constant)?;
        let links = linked(stages, arcs)?;
        for (at, stage) in stages.iter().enumerate() {
            let named = |error: ParameterError| ParameterError {
                field: format!("stages[{at}].{}", error.field),
                ..error
            };
            not_negative("holding_cost", stage.holding_cost).map_err(named)?;
            not_negative("demand_sd", stage.demand_sd).map_err(named)?;
            let sells = !links[at].iter().any(|(_, downstream)| *downstream);
            if (sells || stage.demand_sd > 0.0) && stage.external_outbound_service_time.is_none() {
                let legal = "given, as customers buy from this stage";
                let field = "external_outbound_service_time";
                return Err(named(ParameterError::new(field, "missing", legal)));
            }
        }
        let (order, parent) = walk(&links)?;
        let longest = longest_times(stages, &links)?;
        let variance = passing_variance(stages, &links);
        let bound = variance.iter().map(|v| demand_bound_constant * v.sqrt()).collect();
        let most = longest.iter().copied().max().unwrap_or(0) as f64 + 1.0;
        let work = most * most * stages.len() as f64;
        between("stages × longest time²", work, 0.0, WORK_MAX, "at most 2e9; or count in weeks")?;
        Ok(ServiceTree { stages: stages.to_vec(), links, bound, longest, order, parent })
    }

    /// The service times of least holding cost for all safety stock.
    pub fn solve(&self) -> ServiceTimes {
        let count = self.stages.len();
        let mut tables: Vec<Table> = Vec::new();
        tables.resize_with(count, Table::default);
        for &stage in self.order.iter().rev() {
            tables[stage] = self.table(stage, &tables);
        }
        let mut inbound = vec![0; count];
        let mut outbound = vec![0; count];
        for &stage in &self.order {
            let table = &tables[stage];
            match self.parent[stage] {
                None => {
                    let best = (0..table.cost.len())
                        .min_by(|&a, &b| table.cost[a].total_cmp(&table.cost[b]));
                    inbound[stage] = best.unwrap_or(0);
                    outbound[stage] = table.choice[inbound[stage]];
                }
                Some((parent, true)) => {
                    outbound[stage] = table.at_most(inbound[parent]);
                    inbound[stage] = table.choice[outbound[stage]];
                }
                Some((parent, false)) => {
                    inbound[stage] = table.reach[outbound[parent]];
                    outbound[stage] = table.choice[inbound[stage]];
                }
            }
        }
        let net: Vec<usize> =
            (0..count).map(|k| inbound[k] + self.stages[k].processing_time - outbound[k]).collect();
        let safety_stocks: Vec<f64> = net
            .iter()
            .zip(&self.bound)
            .map(|(&time, bound)| bound * (time as f64).sqrt())
            .collect();
        let cost_rate =
            self.stages.iter().zip(&safety_stocks).map(|(k, stock)| k.holding_cost * stock).sum();
        ServiceTimes {
            service_times: outbound,
            inbound_service_times: inbound,
            net_replenishment_times: net,
            safety_stocks,
            cost_rate,
        }
    }

    /// Least cost of a stage and all behind it, by its outbound time if the stage towards the root
    /// is downstream, by its inbound time otherwise.
    fn table(&self, stage: usize, tables: &[Table]) -> Table {
        let TreeStage { processing_time, holding_cost, .. } = self.stages[stage];
        let inbound_most = self.longest[stage] - processing_time;
        let inbound_least = self.stages[stage].external_inbound_service_time;
        let accepted = self.stages[stage].external_outbound_service_time.unwrap_or(usize::MAX);
        let outbound_most = self.longest[stage].min(accepted);
        // What the stages behind cost, given this one's times.
        let mut behind_inbound = vec![0.0; inbound_most + 1];
        let mut behind_outbound = vec![0.0; outbound_most + 1];
        for &(other, downstream) in &self.links[stage] {
            if self.parent[stage] == Some((other, downstream)) {
                continue;
            }
            let table = &tables[other];
            if downstream {
                for (time, cost) in behind_outbound.iter_mut().enumerate() {
                    *cost += table.cost[table.reach[time]];
                }
            } else {
                for (time, cost) in behind_inbound.iter_mut().enumerate() {
                    *cost += table.cost[table.at_most(time)];
                }
            }
        }
        let weight = holding_cost * self.bound[stage];
        let root: Vec<f64> =
            (0..=self.longest[stage]).map(|time| weight * (time as f64).sqrt()).collect();
        let by_outbound = matches!(self.parent[stage], Some((_, true)));
        let cells = if by_outbound { outbound_most + 1 } else { inbound_most + 1 };
        let mut cost = vec![f64::INFINITY; cells];
        let mut choice = vec![0; cells];
        for inbound in inbound_least..=inbound_most {
            for outbound in 0..=outbound_most.min(inbound + processing_time) {
                let total = root[inbound + processing_time - outbound]
                    + behind_inbound[inbound]
                    + behind_outbound[outbound];
                let (cell, other) =
                    if by_outbound { (outbound, inbound) } else { (inbound, outbound) };
                if total < cost[cell] {
                    (cost[cell], choice[cell]) = (total, other);
                }
            }
        }
        Table::new(cost, choice, by_outbound)
    }
}

/// See [`ServiceTree::table`].
#[derive(Default)]
struct Table {
    cost: Vec<f64>,
    /// The other time that gives the cost.
    choice: Vec<usize>,
    /// By outbound time: the best time that is not longer. By inbound time: the best that is not
    /// shorter.
    reach: Vec<usize>,
}

impl Table {
    fn new(cost: Vec<f64>, choice: Vec<usize>, by_outbound: bool) -> Table {
        let mut reach: Vec<usize> = (0..cost.len()).collect();
        // On equal cost the shorter time.
        if by_outbound {
            for at in 1..reach.len() {
                let kept = reach[at - 1];
                reach[at] = if cost[kept] <= cost[at] { kept } else { at };
            }
        } else {
            for at in (0..reach.len().saturating_sub(1)).rev() {
                let kept = reach[at + 1];
                reach[at] = if cost[at] <= cost[kept] { at } else { kept };
            }
        }
        Table { cost, choice, reach }
    }

    /// The best outbound time of at most `time`.
    fn at_most(&self, time: usize) -> usize {
        self.reach[time.min(self.reach.len() - 1)]
    }
}

fn linked(
    stages: &[TreeStage],
    arcs: &[(usize, usize)],
) -> Result<Vec<Vec<(usize, bool)>>, ParameterError> {
    if stages.is_empty() || stages.len() > STAGES_MAX {
        let value = format!("a list of {}", stages.len());
        return Err(ParameterError::new("stages", value, "a list of 1 to 100000 stages"));
    }
    if arcs.len() + 1 != stages.len() {
        let value = format!("a list of {}", arcs.len());
        let legal = format!("a list of {}, one fewer than stages, to be a tree", stages.len() - 1);
        return Err(ParameterError::new("arcs", value, legal));
    }
    let mut links = vec![Vec::new(); stages.len()];
    for (at, &(from, to)) in arcs.iter().enumerate() {
        if from >= stages.len() || to >= stages.len() || from == to {
            let legal = format!("two different stages, 0 to {}", stages.len() - 1);
            return Err(ParameterError::new(format!("arcs[{at}]"), format!("{from}–{to}"), legal));
        }
        links[from].push((to, true));
        links[to].push((from, false));
    }
    Ok(links)
}

/// Stages from the first on, each after its parent; the flag says whether the parent is
/// downstream.
type Walk = (Vec<usize>, Vec<Option<(usize, bool)>>);

fn walk(links: &[Vec<(usize, bool)>]) -> Result<Walk, ParameterError> {
    let mut parent = vec![None; links.len()];
    let mut seen = vec![false; links.len()];
    let mut order = vec![0];
    seen[0] = true;
    let mut at = 0;
    while at < order.len() {
        let stage = order[at];
        for &(other, downstream) in &links[stage] {
            if !seen[other] {
                seen[other] = true;
                // Seen from the other stage, this one is on the opposite side.
                parent[other] = Some((stage, !downstream));
                order.push(other);
            }
        }
        at += 1;
    }
    if order.len() == links.len() {
        return Ok((order, parent));
    }
    let lost = seen.iter().position(|seen| !seen).unwrap_or(0);
    let legal = "such that every stage is connected with every other in one way";
    Err(ParameterError::new("arcs", format!("without a way from stage 0 to stage {lost}"), legal))
}

/// Every stage after those on its one side: upstream ones or downstream ones.
fn sorted(links: &[Vec<(usize, bool)>], downstream_first: bool) -> Vec<usize> {
    let before = |stage: usize| {
        links[stage].iter().filter(|(_, downstream)| *downstream == downstream_first).count()
    };
    let mut waits: Vec<usize> = (0..links.len()).map(before).collect();
    let mut order: Vec<usize> = (0..links.len()).filter(|&stage| waits[stage] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for &(other, downstream) in &links[order[at]] {
            if downstream != downstream_first {
                waits[other] -= 1;
                if waits[other] == 0 {
                    order.push(other);
                }
            }
        }
        at += 1;
    }
    order
}

fn longest_times(
    stages: &[TreeStage],
    links: &[Vec<(usize, bool)>],
) -> Result<Vec<usize>, ParameterError> {
    let mut longest = vec![0usize; stages.len()];
    for stage in sorted(links, false) {
        let of = &stages[stage];
        let above = links[stage].iter().filter(|(_, downstream)| !downstream);
        let inbound = above
            .map(|(other, _)| longest[*other])
            .fold(of.external_inbound_service_time, usize::max);
        longest[stage] = inbound.saturating_add(of.processing_time);
        if longest[stage] > TIME_MAX {
            let field = format!("stages[{stage}].processing_time");
            let legal = format!("such that times along a path add up to at most {TIME_MAX}");
            return Err(ParameterError::new(field, of.processing_time, legal));
        }
    }
    Ok(longest)
}

/// Variance of all demand that passes each stage; demands are independent.
fn passing_variance(stages: &[TreeStage], links: &[Vec<(usize, bool)>]) -> Vec<f64> {
    let mut variance = vec![0.0; stages.len()];
    for stage in sorted(links, true) {
        let below = links[stage].iter().filter(|(_, downstream)| *downstream);
        let passed: f64 = below.map(|(other, _)| variance[*other]).sum();
        variance[stage] = stages[stage].demand_sd.powi(2) + passed;
    }
    variance
}
