//! Exact costs of small inventory systems: value iteration, and the chain that a policy makes.
//!
//! Period: an order is placed, demand comes, what is too old expires, the rest is counted, and what
//! was ordered `lead` periods ago arrives before the next period's demand.

#![allow(dead_code, reason = "the tests and the bench each use a part")]

use std::collections::HashMap;

use granary_models::policy::lookahead::{Lookahead, LookaheadScratch, PeriodMoney};
use granary_models::policy::order::Window;
use granary_models::policy::projection::{Issue, LotLeft, Opening, PathMatrix, Shortage};

/// `[stock by age, oldest first ... newest, then orders on their way, next first]`; goods that keep
/// have one age.
pub type State = Vec<u16>;

/// A single item with independent demand, reviewed every period, lost sales.
#[derive(Clone, Debug)]
pub struct System {
    pub pmf: Vec<f64>,
    /// Periods from the order to the demand that it can serve.
    pub lead: usize,
    /// Periods for sale; `None`: keeps.
    pub life: Option<usize>,
    pub issue: Issue,
    pub money: PeriodMoney,
    pub most_order: u16,
    pub most_stock: u16,
}

impl System {
    pub fn ages(&self) -> usize {
        self.life.unwrap_or(1)
    }

    pub fn empty(&self) -> State {
        vec![0; self.ages() + self.lead - 1]
    }

    /// The next state, and what the period costs.
    pub fn step(&self, state: &State, order: u16, demand: usize) -> (State, f64) {
        let ages = self.ages();
        let mut stock: Vec<i64> = state[..ages].iter().map(|&s| i64::from(s)).collect();
        let mut wanted = demand as i64;
        let mut take = |stock: &mut i64| {
            let taken = (*stock).min(wanted);
            *stock -= taken;
            wanted -= taken;
        };
        match self.issue {
            Issue::Fifo => stock.iter_mut().for_each(&mut take),
            Issue::Lifo => stock.iter_mut().rev().for_each(&mut take),
        }
        let expired = if self.life.is_some() { stock[0] } else { 0 };
        let held = stock.iter().sum::<i64>() - expired;
        let cost = self.money.holding * held as f64
            + self.money.shortage * wanted as f64
            + self.money.waste * expired as f64
            + self.money.unit_cost * f64::from(order);
        let mut pipeline: Vec<u16> = state[ages..].to_vec();
        pipeline.push(order);
        let arrived = i64::from(pipeline.remove(0));
        let mut next: State = Vec::with_capacity(state.len());
        if self.life.is_some() {
            next.extend(stock[1..].iter().map(|&s| s as u16));
            next.push(arrived as u16);
        } else {
            next.push((stock[0] + arrived).min(i64::from(self.most_stock)) as u16);
        }
        next.extend(pipeline);
        (next, cost)
    }

    fn sizes(&self) -> Vec<usize> {
        let order = usize::from(self.most_order) + 1;
        match self.life {
            Some(life) => vec![order; life + self.lead - 1],
            None => {
                let mut sizes = vec![order; self.lead];
                sizes[0] = usize::from(self.most_stock) + 1;
                sizes
            }
        }
    }

    /// The best policy, by value iteration: its long-run average cost, or under a discount its cost
    /// to go from each state.
    pub fn optimum(&self) -> Optimum {
        let sizes = self.sizes();
        let count: usize = sizes.iter().product();
        let index = |state: &State| {
            state.iter().zip(&sizes).fold(0, |at, (&s, &size)| at * size + usize::from(s))
        };
        let state_of = |mut at: usize| {
            let mut state = vec![0u16; sizes.len()];
            for (s, &size) in state.iter_mut().zip(&sizes).rev() {
                *s = (at % size) as u16;
                at /= size;
            }
            state
        };
        let orders = usize::from(self.most_order) + 1;
        let mut own = vec![0.0; count];
        let mut next = vec![0u32; count * self.pmf.len()];
        for at in 0..count {
            let state = state_of(at);
            for (demand, &p) in self.pmf.iter().enumerate() {
                let (to, cost) = self.step(&state, 0, demand);
                own[at] += p * cost;
                next[at * self.pmf.len() + demand] = index(&to) as u32;
            }
        }
        let gamma = self.money.discount;
        let mut value = vec![0.0; count];
        let mut best = vec![0u16; count];
        let mut average = 0.0;
        let mut ahead = vec![0.0; orders];
        for _ in 0..20_000 {
            let mut fresh = vec![0.0; count];
            for at in 0..count {
                ahead.iter_mut().for_each(|a| *a = 0.0);
                for (demand, &p) in self.pmf.iter().enumerate() {
                    let to = next[at * self.pmf.len() + demand] as usize;
                    // The order fills the last place of the next state: with lead 1 the newest age.
                    for (order, ahead) in ahead.iter_mut().enumerate() {
                        *ahead += p * value[to + order];
                    }
                }
                let (mut least, mut by) = (f64::INFINITY, 0);
                for (order, ahead) in ahead.iter().enumerate() {
                    let cost = self.money.unit_cost * order as f64 + gamma * ahead;
                    if cost < least - 1e-12 {
                        (least, by) = (cost, order);
                    }
                }
                fresh[at] = own[at] + least;
                best[at] = by as u16;
            }
            let differences = || fresh.iter().zip(&value).map(|(a, b)| a - b);
            let low = differences().fold(f64::INFINITY, f64::min);
            let high = differences().fold(f64::NEG_INFINITY, f64::max);
            average = (low + high) / 2.0;
            let shift = if gamma == 1.0 { fresh[0] } else { 0.0 };
            let done =
                if gamma == 1.0 { high - low < 1e-5 } else { high.abs().max(low.abs()) < 1e-7 };
            value = fresh.iter().map(|v| v - shift).collect();
            if done {
                break;
            }
        }
        let policy = (0..count).map(|at| (state_of(at), best[at])).collect();
        let value = (0..count).map(|at| (state_of(at), value[at])).collect();
        Optimum { average, policy, value }
    }

    /// Follows `decide` from an empty shelf to every state that it can reach.
    pub fn chain(&self, mut decide: impl FnMut(&State) -> u16) -> Chain {
        let mut ids = HashMap::from([(self.empty(), 0usize)]);
        let mut states = vec![self.empty()];
        let (mut cost, mut next) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < states.len() {
            let state = states[at].clone();
            let order = decide(&state);
            let mut own = 0.0;
            for (demand, &p) in self.pmf.iter().enumerate() {
                let (to, price) = self.step(&state, order, demand);
                own += p * price;
                let id = *ids.entry(to.clone()).or_insert_with(|| {
                    states.push(to);
                    states.len() - 1
                });
                next.push(id as u32);
            }
            cost.push(own);
            at += 1;
        }
        Chain { states, cost, next, pmf: self.pmf.clone(), gamma: self.money.discount }
    }

    /// The state as a night finds it: stock, and what is on its way.
    pub fn opening(&self, state: &State) -> (Opening, Vec<u16>) {
        let ages = self.ages();
        let net = state[..ages].iter().map(|&s| i64::from(s)).sum();
        let lots = match self.life {
            None => Vec::new(),
            Some(_) => state[..ages]
                .iter()
                .enumerate()
                .filter(|(_, qty)| **qty > 0)
                .map(|(age, &qty)| LotLeft { qty: i64::from(qty), last_day: age as i32 })
                .collect(),
        };
        let unlotted = if self.life.is_some() { 0 } else { net };
        let shelf_life_days = self.life.map(|life| life as u32);
        let opening = Opening { net, lots, unlotted, shelf_life_days, issue: self.issue };
        (opening, state[ages..].to_vec())
    }
}

pub struct Optimum {
    pub average: f64,
    pub policy: HashMap<State, u16>,
    pub value: HashMap<State, f64>,
}

/// The states that a policy visits, with what each costs and leads to.
pub struct Chain {
    pub states: Vec<State>,
    cost: Vec<f64>,
    next: Vec<u32>,
    pmf: Vec<f64>,
    gamma: f64,
}

impl Chain {
    fn ahead(&self, value: &[f64], at: usize) -> f64 {
        let next = &self.next[at * self.pmf.len()..(at + 1) * self.pmf.len()];
        next.iter().zip(&self.pmf).map(|(&to, p)| p * value[to as usize]).sum()
    }

    /// Long-run average cost a period.
    pub fn average(&self) -> f64 {
        let mut value = vec![0.0; self.cost.len()];
        for _ in 0..5_000 {
            let fresh: Vec<f64> =
                (0..value.len()).map(|at| self.cost[at] + self.ahead(&value, at)).collect();
            let differences = || fresh.iter().zip(&value).map(|(a, b)| a - b);
            let low = differences().fold(f64::INFINITY, f64::min);
            let high = differences().fold(f64::NEG_INFINITY, f64::max);
            if high - low < 1e-6 {
                return (low + high) / 2.0;
            }
            let shift = fresh[0];
            value = fresh.iter().map(|v| v - shift).collect();
        }
        f64::NAN
    }

    /// Discounted cost to go from each state.
    pub fn value(&self) -> Vec<f64> {
        let mut value = vec![0.0; self.cost.len()];
        for _ in 0..20_000 {
            let fresh: Vec<f64> = (0..value.len())
                .map(|at| self.cost[at] + self.gamma * self.ahead(&value, at))
                .collect();
            let most = fresh.iter().zip(&value).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            value = fresh;
            if most < 1e-8 {
                break;
            }
        }
        value
    }

    /// Long-run share of each state.
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.cost.len()];
        shares[0] = 1.0;
        for _ in 0..20_000 {
            let mut fresh = vec![0.0; shares.len()];
            for (at, share) in shares.iter().enumerate() {
                let next = &self.next[at * self.pmf.len()..(at + 1) * self.pmf.len()];
                for (&to, p) in next.iter().zip(&self.pmf) {
                    fresh[to as usize] += share * p;
                }
            }
            let change: f64 = fresh.iter().zip(&shares).map(|(a, b)| (a - b).abs()).sum();
            shares = fresh;
            if change < 1e-10 {
                break;
            }
        }
        shares
    }
}

/// Paths of independent demand: every period's values are stratified over the paths, as the
/// night's are, and put in an order of their own.
pub fn paths(pmf: &[f64], paths: usize, days: usize, seed: u64) -> PathMatrix {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut out = PathMatrix::default();
    out.reset(paths, days, 0.0);
    for day in 0..days {
        let mut ranks: Vec<usize> = (0..paths).collect();
        for last in (1..paths).rev() {
            ranks.swap(last, (uniform() * (last + 1) as f64) as usize);
        }
        for (to, rank) in out.row_mut(day).iter_mut().zip(ranks) {
            let mut left = (rank as f64 + uniform()) / paths as f64;
            let mut value = 0;
            while value + 1 < pmf.len() && left > pmf[value] {
                left -= pmf[value];
                value += 1;
            }
            *to = value as f64;
        }
    }
    out
}

/// Our policy: one decision after another from the same code and the same paths.
pub struct Ours {
    pub system: System,
    pub ahead: Lookahead,
    pub demand: PathMatrix,
    pub receipts: PathMatrix,
    pub window: Window,
    pub scratch: LookaheadScratch,
}

impl Ours {
    pub fn new(system: &System, demand: PathMatrix) -> Ours {
        let paths = demand.paths;
        let lead = system.lead as f64;
        let mut receipts = PathMatrix::default();
        receipts.reset(paths, demand.days, 0.0);
        let window = Window { arrive: vec![lead; paths], until: vec![lead + 1.0; paths] };
        let mut ahead = Lookahead::new(system.money, Shortage::Lost, 1);
        ahead.most = Some(i64::from(system.most_order));
        Ours {
            system: system.clone(),
            ahead,
            demand,
            receipts,
            window,
            scratch: LookaheadScratch::default(),
        }
    }

    /// Stock in `state`; what is on its way goes into `receipts`.
    pub fn open(&mut self, state: &State) -> Opening {
        let (opening, pipeline) = self.system.opening(state);
        for (due, &qty) in pipeline.iter().enumerate() {
            self.receipts.row_mut(due + 1).fill(f64::from(qty));
        }
        opening
    }

    /// Our order, and what the plain rule would order.
    pub fn decide(&mut self, state: &State) -> (i64, i64) {
        let opening = self.open(state);
        let order = self.ahead.best_order(
            &self.demand,
            &self.receipts,
            &opening,
            &self.window,
            &mut self.scratch,
        );
        (order.qty, order.by_rule)
    }
}

pub fn poisson(mean: f64) -> Vec<f64> {
    let mut pmf = vec![(-mean).exp()];
    while pmf.len() < 12 || *pmf.last().unwrap() > 1e-9 {
        pmf.push(pmf.last().unwrap() * mean / pmf.len() as f64);
    }
    let rest = 1.0 - pmf.iter().sum::<f64>();
    *pmf.last_mut().unwrap() += rest;
    pmf
}

/// Gamma demand rounded to whole units: mass of `(d - 1/2, d + 1/2]`. `shape` is whole (Erlang).
pub fn rounded_erlang(mean: f64, shape: u32) -> Vec<f64> {
    let rate = f64::from(shape) / mean;
    let cdf = |x: f64| {
        let mut term = 1.0;
        let mut sum = 1.0;
        for k in 1..shape {
            term *= rate * x / f64::from(k);
            sum += term;
        }
        1.0 - (-rate * x).exp() * sum
    };
    let mut pmf = vec![cdf(0.5)];
    while pmf.len() < 10 || 1.0 - cdf(pmf.len() as f64 - 0.5) > 1e-9 {
        let d = pmf.len() as f64;
        pmf.push(cdf(d + 0.5) - cdf(d - 0.5));
    }
    let rest = 1.0 - pmf.iter().sum::<f64>();
    *pmf.last_mut().unwrap() += rest;
    pmf
}

/// Zipkin (2008): Poisson(5), holding 1, lead time 4.
pub fn lost_sales(penalty: f64) -> System {
    let money =
        PeriodMoney { holding: 1.0, shortage: penalty, discount: 1.0, ..PeriodMoney::default() };
    System {
        pmf: poisson(5.0),
        lead: 4,
        life: None,
        issue: Issue::Fifo,
        money,
        most_order: 12,
        most_stock: 36,
    }
}

/// De Moor, Gijsbrechts & Boute (2022).
pub fn perishable(life: usize, issue: Issue) -> System {
    let money =
        PeriodMoney { unit_cost: 3.0, holding: 1.0, shortage: 5.0, waste: 7.0, discount: 0.99 };
    System {
        pmf: rounded_erlang(4.0, 4),
        lead: 1,
        life: Some(life),
        issue,
        money,
        most_order: 10,
        most_stock: 0,
    }
}
