//! The optimal (r,Q) policy under continuous review: order Q whenever the inventory position falls
//! to r; back-orders; a fixed lead time.
//!
//! The position is uniform above r, so the cost a unit of time is
//! `(K λ + Σ_{y = r+1}^{r+Q} G(y)) / Q` for unit demand (Poisson), an integral from r to r + Q for
//! normal demand, with `G` the newsvendor cost of the demand during the lead time (Zheng 1992;
//! Federgruen & Zheng, Operations Research 40(4), 1992; Snyder & Shen, chapter 5).

use super::check::{ParameterError, finite, not_negative, positive};
use super::demand::{CountLaw, NewsvendorCost};
use super::newsvendor::checked_lead_time;
use super::normal::NormalDemand;

/// Units of an order that one case may have; it takes that many steps.
const ORDER_MAX: i64 = 50_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RqPolicy {
    pub reorder_point: f64,
    pub order_quantity: f64,
    /// Expected cost a unit of time in the long run.
    pub cost_rate: f64,
}

/// Checked costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContinuousReview {
    holding_cost: f64,
    stockout_cost: f64,
    fixed_cost: f64,
}

impl ContinuousReview {
    /// `holding_cost` and `stockout_cost` a unit and unit of time, `fixed_cost` an order; all
    /// above 0.
    ///
    /// # Errors
    /// The cost that is not.
    pub fn new(
        holding_cost: f64,
        stockout_cost: f64,
        fixed_cost: f64,
    ) -> Result<ContinuousReview, ParameterError> {
        Ok(ContinuousReview {
            holding_cost: positive("holding_cost", holding_cost)?,
            stockout_cost: positive("stockout_cost", stockout_cost)?,
            fixed_cost: positive("fixed_cost", fixed_cost)?,
        })
    }

    /// Demand of one unit at a time: `demand_mean` a unit of time. The Q best positions are
    /// consecutive, so Q grows by the cheaper neighbour for as long as that lowers the average.
    ///
    /// ```
    /// use granary_models::policy::textbook::r_q::ContinuousReview;
    /// // Snyder & Shen, example 5.8.
    /// let best = ContinuousReview::new(20.0, 150.0, 100.0).unwrap().poisson(1.5, 2.0).unwrap();
    /// assert_eq!((best.reorder_point, best.order_quantity), (3.0, 5.0));
    /// assert!((best.cost_rate - 107.923_580_633).abs() < 1e-9);
    /// ```
    ///
    /// # Errors
    /// A mean or a lead time out of range, or orders of more than 50 million units.
    pub fn poisson(&self, demand_mean: f64, lead_time: f64) -> Result<RqPolicy, ParameterError> {
        let demand = CountLaw::poisson(demand_mean)?.over(checked_lead_time(lead_time)?)?;
        let costs = NewsvendorCost::new(&demand, self.holding_cost, self.stockout_cost);
        let mut cycle = self.fixed_cost * demand_mean;
        // Positions from `low + 1` to `high` are in the cycle.
        let (mut low, mut high) = (costs.least() - 1, costs.least());
        cycle += costs.at(high);
        loop {
            let (below, above) = (costs.at(low), costs.at(high + 1));
            let quantity = (high - low) as f64;
            if below.min(above) >= cycle / quantity {
                let cost_rate = cycle / quantity;
                return Ok(RqPolicy {
                    reorder_point: low as f64,
                    order_quantity: quantity,
                    cost_rate,
                });
            }
            if below < above {
                low -= 1;
            } else {
                high += 1;
            }
            cycle += below.min(above);
            if high - low > ORDER_MAX {
                let legal = format!(
                    "small enough beside the other costs that an order is of at most {ORDER_MAX} \
                     units; or count in a larger unit"
                );
                return Err(ParameterError::new("fixed_cost", self.fixed_cost, legal));
            }
        }
    }

    /// Normal demand with mean and standard deviation a unit of time.
    ///
    /// Every position that costs less than the optimal rate c belongs to the cycle, so c is where
    /// the area between c and `G` equals `K λ`: `∫ (c − G(y))+ dy = K λ`. That area is convex in c
    /// with slope Q; Newton's steps from above cannot overshoot, and neither can those for the two
    /// positions with `G(y) = c`.
    ///
    /// # Errors
    /// A mean not above 0, a negative spread or lead time.
    pub fn normal(
        &self,
        demand_mean: f64,
        demand_sd: f64,
        lead_time: f64,
    ) -> Result<RqPolicy, ParameterError> {
        positive("demand_mean", demand_mean)?;
        finite("demand_sd", not_negative("demand_sd", demand_sd)?)?;
        let demand =
            NormalDemand { mean: demand_mean, sd: demand_sd }.over(checked_lead_time(lead_time)?);
        let (holding, stockout) = (self.holding_cost, self.stockout_cost);
        let setups = self.fixed_cost * demand_mean;
        // Without a spread: the EOQ with back-orders.
        let harmonic = holding * stockout / (holding + stockout);
        let certain = (2.0 * setups * harmonic).sqrt();
        if demand.sd <= 1e-12 * (certain / harmonic) {
            let below = certain / stockout;
            return Ok(RqPolicy {
                reorder_point: demand.mean - below,
                order_quantity: below + certain / holding,
                cost_rate: certain,
            });
        }
        let curve = NormalCurve { demand, holding, stockout };
        let least = curve.least();
        // More than the optimum: the cost without spread and that without setups.
        let mut rate = certain + curve.at(least);
        let mut levels = curve.levels(rate, least);
        for _ in 0..100 {
            let quantity = levels.1 - levels.0;
            let area = rate * quantity - curve.integral(levels.0, levels.1);
            let lower = (rate - (area - setups) / quantity).max(curve.at(least));
            levels = curve.levels(lower, least);
            let done = (rate - lower).abs() <= 1e-14 * rate;
            rate = lower;
            if done {
                break;
            }
        }
        let quantity = levels.1 - levels.0;
        Ok(RqPolicy {
            reorder_point: levels.0,
            order_quantity: quantity,
            cost_rate: (setups + curve.integral(levels.0, levels.1)) / quantity,
        })
    }
}

/// `G` of normal demand during the lead time.
struct NormalCurve {
    demand: NormalDemand,
    holding: f64,
    stockout: f64,
}

impl NormalCurve {
    fn at(&self, y: f64) -> f64 {
        self.demand.newsvendor_cost(y, self.holding, self.stockout)
    }

    fn slope(&self, y: f64) -> f64 {
        (self.holding + self.stockout) * self.demand.cdf(y) - self.stockout
    }

    fn least(&self) -> f64 {
        let ratio = self.stockout / (self.stockout + self.holding);
        self.demand.quantile(ratio.clamp(1e-15, 1.0 - 1e-15))
    }

    /// `∫ G` from a to b.
    fn integral(&self, a: f64, b: f64) -> f64 {
        let mean = self.demand.mean;
        let stock = (b - a) * ((a + b) / 2.0 - mean);
        let short = (self.demand.square_shortfall(a) - self.demand.square_shortfall(b)) / 2.0;
        self.holding * stock + (self.holding + self.stockout) * short
    }

    /// The positions below and above the least point with `G(y) = rate`.
    fn levels(&self, rate: f64, least: f64) -> (f64, f64) {
        let mean = self.demand.mean;
        // On the asymptotes `G` lies above them, so these are outside.
        let below = (mean - rate / self.stockout).min(least);
        let above = (mean + rate / self.holding).max(least);
        (self.root(below, rate), self.root(above, rate))
    }

    /// Newton on a convex function from outside.
    fn root(&self, mut y: f64, rate: f64) -> f64 {
        for _ in 0..200 {
            let (excess, slope) = (self.at(y) - rate, self.slope(y));
            if excess <= 0.0 || slope == 0.0 {
                break;
            }
            let next = y - excess / slope;
            if (next - y).abs() <= 1e-15 * y.abs().max(self.demand.sd) {
                return next;
            }
            y = next;
        }
        y
    }
}
