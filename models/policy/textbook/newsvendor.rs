//! One order for one window of random demand: overage and underage a unit. Snyder & Shen,
//! chapter 4; with a lead time the window is `L + 1` periods and the order a base-stock level.

use super::check::{ParameterError, between, each, finite, not_negative, positive};
use super::demand::{CountLaw, NewsvendorCost, check_pmf};
use super::normal::NormalDemand;

/// Checked costs: above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newsvendor {
    holding_cost: f64,
    stockout_cost: f64,
}

/// A level and the expected cost a period at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseStock {
    pub base_stock_level: f64,
    pub cost: f64,
    /// Mean of the demand that the level has to meet.
    pub window_mean: f64,
    /// Probability that it does.
    pub cycle_service_level: f64,
}

/// Most sample paths and most demands in all of them.
const SAMPLES_MAX: usize = 10_000_000;

impl Newsvendor {
    /// `holding_cost` a unit left over and `stockout_cost` a unit short, both above 0.
    ///
    /// # Errors
    /// The cost that is not.
    pub fn new(holding_cost: f64, stockout_cost: f64) -> Result<Newsvendor, ParameterError> {
        Ok(Newsvendor {
            holding_cost: positive("holding_cost", holding_cost)?,
            stockout_cost: positive("stockout_cost", stockout_cost)?,
        })
    }

    /// `p / (p + h)`.
    pub fn critical_ratio(&self) -> f64 {
        self.stockout_cost / (self.stockout_cost + self.holding_cost)
    }

    /// Normal demand a period; `lead_time` periods, 0 or more.
    ///
    /// ```
    /// use granary_models::policy::textbook::newsvendor::Newsvendor;
    /// // Snyder & Shen, example 4.3.
    /// let newsvendor = Newsvendor::new(0.18, 0.70).unwrap();
    /// let best = newsvendor.normal(50.0, 8.0, 0.0).unwrap();
    /// assert!((best.base_stock_level - 56.604).abs() < 1e-3 && (best.cost - 1.9976).abs() < 1e-4);
    /// ```
    ///
    /// # Errors
    /// A mean that is no number, a negative spread or lead time, costs 1e12 times apart.
    pub fn normal(&self, mean: f64, sd: f64, lead_time: f64) -> Result<BaseStock, ParameterError> {
        finite("demand_mean", mean)?;
        not_negative("demand_sd", sd)?;
        let window = NormalDemand { mean, sd }.over(1.0 + checked_lead_time(lead_time)?);
        let ratio = between(
            "stockout_cost / (stockout_cost + holding_cost)",
            self.critical_ratio(),
            1e-12,
            1.0 - 1e-12,
            "between 1e-12 and 1 - 1e-12 for normal demand, which has no end",
        )?;
        let level = window.quantile(ratio);
        Ok(BaseStock {
            base_stock_level: level,
            cost: window.newsvendor_cost(level, self.holding_cost, self.stockout_cost),
            window_mean: window.mean,
            cycle_service_level: window.cdf(level),
        })
    }

    /// Demand in whole units: the least level that reaches the critical ratio.
    ///
    /// # Errors
    /// A lead time that is negative, or too long for this demand.
    pub fn counts(&self, demand: &CountLaw, lead_time: f64) -> Result<BaseStock, ParameterError> {
        let window = demand.over(1.0 + checked_lead_time(lead_time)?)?;
        let costs = NewsvendorCost::new(&window, self.holding_cost, self.stockout_cost);
        let level = costs.least();
        let upto = (level - window.first() as i64 + 1) as usize;
        Ok(BaseStock {
            base_stock_level: level as f64,
            cost: costs.at(level),
            window_mean: window.mean(),
            cycle_service_level: window.probabilities()[..upto].iter().sum::<f64>().min(1.0),
        })
    }

    /// Any table of demands, which need not be whole, and their probabilities.
    ///
    /// # Errors
    /// Probabilities that do not add up to 1, negative or repeated demands.
    pub fn discrete(&self, pmf: &[(f64, f64)]) -> Result<BaseStock, ParameterError> {
        Ok(self.weighted(&check_pmf(pmf)?))
    }

    /// Equally likely futures: each path's demands are added up, and the least sum that covers a
    /// share `p / (p + h)` of the paths is the level.
    ///
    /// # Errors
    /// No path, a path without demand, a demand that is negative or no number.
    pub fn paths(&self, paths: &[Vec<f64>]) -> Result<BaseStock, ParameterError> {
        let field = "demand_paths";
        let values: usize = paths.iter().map(Vec::len).sum();
        if paths.is_empty() || values > SAMPLES_MAX {
            let value = format!("{} paths with {values} demands", paths.len());
            let legal = format!("1 path or more, of at most {SAMPLES_MAX} demands");
            return Err(ParameterError::new(field, value, legal));
        }
        let mut totals = Vec::with_capacity(paths.len());
        for (at, path) in paths.iter().enumerate() {
            let field = format!("{field}[{at}]");
            if path.is_empty() {
                return Err(ParameterError::new(field, "empty", "one demand or more"));
            }
            each(&field, path, not_negative)?;
            totals.push(path.iter().sum::<f64>());
        }
        totals.sort_by(f64::total_cmp);
        let share = 1.0 / totals.len() as f64;
        let equal: Vec<(f64, f64)> = totals.into_iter().map(|total| (total, share)).collect();
        Ok(self.weighted(&equal))
    }

    /// Demands ascending with probabilities that add up to 1.
    fn weighted(&self, demands: &[(f64, f64)]) -> BaseStock {
        let critical = self.critical_ratio() * (1.0 - 1e-12);
        let (mut sum, mut level) = (0.0, None);
        for &(demand, probability) in demands {
            sum += probability;
            if sum >= critical {
                level = Some(demand);
                break;
            }
        }
        let last = demands.last().map_or(0.0, |last| last.0);
        let level = level.unwrap_or(last);
        let (mut cost, mut window_mean, mut covered) = (0.0, 0.0, 0.0);
        for &(demand, probability) in demands {
            let over = level - demand;
            cost += probability
                * if over >= 0.0 { self.holding_cost * over } else { -self.stockout_cost * over };
            window_mean += probability * demand;
            covered += if over >= 0.0 { probability } else { 0.0 };
        }
        let cycle_service_level = f64::min(covered, 1.0);
        BaseStock { base_stock_level: level, cost, window_mean, cycle_service_level }
    }
}

pub(super) fn checked_lead_time(lead_time: f64) -> Result<f64, ParameterError> {
    between("lead_time", lead_time, 0.0, 1e6, "a number from 0 to 1e6")
}
