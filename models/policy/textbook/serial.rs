//! A serial supply chain with back-orders at its end: optimal echelon base-stock levels.
//!
//! Clark & Scarf (1960) in the recursion of Chen & Zheng (1994); Snyder & Shen, section 6.2. With
//! stage 1 next to the customer, `D_j` the demand during stage j's lead time and `H` the sum of all
//! echelon holding costs: `C̲_0(x) = (p + H) x⁻`, `Ĉ_j(x) = h_j x + C̲_{j−1}(x)`,
//! `C_j(y) = E[Ĉ_j(y − D_j)]`, `S_j = argmin C_j`, `C̲_j(x) = C_j(min(S_j, x))`; the cost rate is
//! `C_N(S_N)`, with stock on its way held at the echelon costs of the stages above.
//!
//! Review is continuous. For periodic review, add the review period to the last stage's lead time.

use super::check::{ParameterError, as_many, between, each, not_negative, positive};
use super::demand::{CountLaw, Pmf};
use super::newsvendor::checked_lead_time;
use super::normal;
use super::s_s::dot_reversed;

/// Grid points in a standard deviation of the demand during all lead times.
const POINTS_PER_SD: f64 = 256.0;
/// The grid for normal demand, in those standard deviations from the mean.
const SDS_BELOW: f64 = 12.0;
const SDS_ABOVE: f64 = 10.0;
const KERNEL_SDS: f64 = 9.0;
const STAGES_MAX: usize = 1_000;
const WORK_MAX: f64 = 4e9;

/// A checked chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Serial {
    /// From stage 1, next to the customer, upwards.
    echelon_holding_costs: Vec<f64>,
    lead_times: Vec<f64>,
    stockout_cost: f64,
}

/// Levels in the order of the input, the furthest upstream first.
#[derive(Clone, Debug, PartialEq)]
pub struct EchelonLevels {
    pub echelon_base_stock_levels: Vec<f64>,
    /// The same policy with each stage looking at its own stock and orders only.
    pub local_base_stock_levels: Vec<f64>,
    pub cost_rate: f64,
}

impl Serial {
    /// Stages from the furthest upstream to the one next to the customer. An echelon holding cost
    /// is what a unit costs more than one stage up, above 0; `stockout_cost` is a unit and unit of
    /// time at the last stage.
    ///
    /// # Errors
    /// No stage, lists of different lengths, a cost not above 0, no lead time at all.
    pub fn new(
        echelon_holding_costs: &[f64],
        lead_times: &[f64],
        stockout_cost: f64,
    ) -> Result<Serial, ParameterError> {
        let stages = echelon_holding_costs.len();
        if stages == 0 || stages > STAGES_MAX {
            let value = format!("a list of {stages}");
            let legal = format!("a list of 1 to {STAGES_MAX} numbers");
            return Err(ParameterError::new("echelon_holding_costs", value, legal));
        }
        each("echelon_holding_costs", echelon_holding_costs, positive)?;
        as_many("lead_times", lead_times.len(), stages, "echelon_holding_costs")?;
        each("lead_times", lead_times, |_, time| checked_lead_time(time))?;
        let total: f64 = lead_times.iter().sum();
        between("the sum of lead_times", total, 1e-9, 1e6, "above 0 (1e-9 to 1e6)")?;
        Ok(Serial {
            echelon_holding_costs: echelon_holding_costs.iter().rev().copied().collect(),
            lead_times: lead_times.iter().rev().copied().collect(),
            stockout_cost: positive("stockout_cost", stockout_cost)?,
        })
    }

    /// Poisson demand: exact, whole levels.
    ///
    /// # Errors
    /// A mean out of range, or so much demand that it would take long.
    pub fn poisson(&self, demand_mean: f64) -> Result<EchelonLevels, ParameterError> {
        let law = CountLaw::poisson(demand_mean)?;
        let kernels: Vec<Pmf> =
            self.lead_times.iter().map(|&time| law.over(time)).collect::<Result<_, _>>()?;
        let points = law.over(self.lead_times.iter().sum())?.last() + 2;
        let work: f64 =
            kernels.iter().map(|kernel| points as f64 * kernel.probabilities().len() as f64).sum();
        let legal = "small enough that fewer levels matter; or count in a larger unit";
        if work > WORK_MAX {
            return Err(ParameterError::new("demand_mean", demand_mean, legal));
        }
        let mut recursion = Recursion::new(self, Grid { low: 0.0, step: 1.0, points, whole: true });
        for kernel in &kernels {
            recursion.stage(kernel.probabilities(), kernel.first() as i64, 0.0);
        }
        Ok(self.answer(recursion, |_, level| level.round()))
    }

    /// Normal demand with mean and standard deviation a unit of time: on a fine grid, with every
    /// expectation exact for the function between its points drawn as lines. Levels and cost are
    /// good to about 1e-5 of the spread and its cost.
    ///
    /// ```
    /// use granary_models::policy::textbook::serial::Serial;
    /// // Snyder & Shen, example 6.1.
    /// let chain = Serial::new(&[2.0, 2.0, 3.0], &[2.0, 1.0, 1.0], 37.12).unwrap();
    /// let best = chain.normal(5.0, 1.0).unwrap();
    /// let levels = &best.echelon_base_stock_levels;
    /// assert!((levels[2] - 6.49).abs() < 0.01 && (levels[1] - 12.02).abs() < 0.01);
    /// assert!((levels[0] - 22.71).abs() < 0.02 && (best.cost_rate - 47.65).abs() < 0.03);
    /// ```
    ///
    /// # Errors
    /// A negative mean, a spread not above 0, a stock-out cost beyond the grid.
    pub fn normal(
        &self,
        demand_mean: f64,
        demand_sd: f64,
    ) -> Result<EchelonLevels, ParameterError> {
        not_negative("demand_mean", demand_mean)?;
        positive("demand_sd", demand_sd)?;
        let holding: f64 = self.echelon_holding_costs.iter().sum();
        let least = self.echelon_holding_costs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = least * 1e12;
        let legal = format!("such that stockout_cost + holding costs are at most {most}");
        between("stockout_cost", self.stockout_cost + holding, 0.0, most, &legal)?;
        let spread = demand_sd * self.lead_times.iter().sum::<f64>().sqrt();
        let step = spread / POINTS_PER_SD;
        let below = SDS_BELOW * POINTS_PER_SD;
        let grid = Grid {
            low: -below * step,
            step,
            points: (below + SDS_ABOVE * POINTS_PER_SD) as usize + 1,
            whole: false,
        };
        let mut recursion = Recursion::new(self, grid);
        let mut mean_below = 0.0;
        // Levels are measured from the mean demand below them, so that the grid has to hold the
        // spread only.
        for &time in &self.lead_times {
            let kernel = hat_weights(demand_sd * time.sqrt() / step);
            let reach = (kernel.len() / 2) as i64;
            recursion.stage(&kernel, -reach, mean_below);
            mean_below += demand_mean * time;
        }
        Ok(self.answer(recursion, |stages, level| {
            level + demand_mean * self.lead_times[..stages].iter().sum::<f64>()
        }))
    }

    fn answer(&self, recursion: Recursion, level: impl Fn(usize, f64) -> f64) -> EchelonLevels {
        let mut echelon: Vec<f64> =
            recursion.levels.iter().enumerate().map(|(j, &at)| level(j + 1, at)).collect();
        echelon.reverse();
        // An echelon level above that of a stage further up cannot be reached.
        let mut reached = echelon.clone();
        for j in 1..reached.len() {
            reached[j] = reached[j].min(reached[j - 1]);
        }
        let local = |j: usize| reached[j] - reached.get(j + 1).copied().unwrap_or(0.0);
        EchelonLevels {
            local_base_stock_levels: (0..reached.len()).map(local).collect(),
            echelon_base_stock_levels: echelon,
            cost_rate: recursion.cost_rate,
        }
    }
}

/// `P(D)` spread over grid points such that every function drawn with lines between them has its
/// exact expectation: second differences of the loss function. `sd` in grid steps.
fn hat_weights(sd: f64) -> Vec<f64> {
    if sd <= 0.0 {
        return vec![1.0];
    }
    let reach = (KERNEL_SDS * sd).ceil() as i64 + 1;
    let loss = |k: i64| sd * normal::loss(k as f64 / sd);
    let weight = |k: i64| (loss(k.abs() - 1) - 2.0 * loss(k.abs()) + loss(k.abs() + 1)).max(0.0);
    (-reach..=reach).map(weight).collect()
}

#[derive(Clone, Copy, Debug)]
struct Grid {
    low: f64,
    step: f64,
    points: usize,
    /// Levels are grid points; otherwise they may lie between.
    whole: bool,
}

/// `C̲_j` on the grid, going up the chain.
struct Recursion<'a> {
    chain: &'a Serial,
    grid: Grid,
    /// `C̲_{j−1}`.
    induced: Vec<f64>,
    /// Its slope below the grid.
    slope: f64,
    levels: Vec<f64>,
    cost_rate: f64,
}

impl<'a> Recursion<'a> {
    fn new(chain: &'a Serial, grid: Grid) -> Recursion<'a> {
        let penalty = chain.stockout_cost + chain.echelon_holding_costs.iter().sum::<f64>();
        let level = |at: usize| grid.low + at as f64 * grid.step;
        let induced = (0..grid.points).map(|at| penalty * (-level(at)).max(0.0)).collect();
        Recursion { chain, grid, induced, slope: -penalty, levels: Vec::new(), cost_rate: 0.0 }
    }

    /// One stage up. `kernel[k]` is the probability of a demand of `first + k` steps, above the
    /// `mean_below` that levels here are measured from.
    fn stage(&mut self, kernel: &[f64], first: i64, mean_below: f64) {
        let Grid { low, step, points, whole } = self.grid;
        let holding = self.chain.echelon_holding_costs[self.levels.len()];
        let last = first + kernel.len() as i64 - 1;
        let (left, right) = (last.max(0), (-first).max(0));
        // Ĉ with its lines continued to both sides: above, stock beyond S costs its holding only.
        let mut costs = Vec::with_capacity(points + (left + right) as usize);
        for at in -left..points as i64 + right {
            let level = low + at as f64 * step;
            let induced = if at < 0 {
                self.induced[0] + self.slope * at as f64 * step
            } else {
                self.induced[(at as usize).min(points - 1)]
            };
            costs.push(holding * (level + mean_below) + induced);
        }
        let expected: Vec<f64> = (0..points)
            .map(|at| {
                let from = (at as i64 + left - last) as usize;
                dot_reversed(kernel, &costs[from..from + kernel.len()])
            })
            .collect();
        let least = (0..points).min_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap_or(0);
        let (offset, cost) = if whole { (0.0, expected[least]) } else { vertex(&expected, least) };
        self.levels.push(low + (least as f64 + offset) * step);
        self.cost_rate = cost;
        self.slope += holding;
        self.induced = expected;
        self.induced[least..].fill(cost);
    }
}

/// The least point of the parabola through three grid points, in steps from the middle one, and
/// its value.
fn vertex(values: &[f64], at: usize) -> (f64, f64) {
    if at == 0 || at + 1 == values.len() {
        return (0.0, values[at]);
    }
    let (before, here, after) = (values[at - 1], values[at], values[at + 1]);
    let bend = before - 2.0 * here + after;
    if bend <= 0.0 {
        return (0.0, here);
    }
    let offset = ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5);
    (offset, here - bend * offset * offset / 2.0)
}
