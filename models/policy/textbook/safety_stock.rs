//! Safety stock for a service level: periodic review (R,S) and a fixed order quantity (s,Q).
//!
//! Cycle service is the probability that a cycle ends without a stock-out. Fill rate is the share
//! of demand met from the shelf (Silver, Pyke & Thomas, Inventory and Production Management,
//! chapters 6 and 7; Axsäter, Inventory Control, chapter 5). Both terms are kept:
//! (R,S): `β = 1 − (E[(D_{L+R} − S)+] − E[(D_L − S)+]) / E[D_R]`,
//! (s,Q): `β = 1 − (n(s) − n(s + Q)) / Q` with `n` the expected shortage of the lead time's demand;
//! without the second, a shortage that waits for two orders counts twice.

use super::check::{ParameterError, between, not_negative, positive, share};
use super::demand::{CountLaw, Pmf};
use super::newsvendor::checked_lead_time;
use super::normal::{self, NormalDemand};

/// What the stock is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Service {
    /// Probability of no stock-out in a cycle.
    Cycle(f64),
    /// Share of demand met from stock.
    Fill(f64),
}

impl Service {
    /// # Errors
    /// A level that is not between 0 and 1.
    pub fn cycle(level: f64) -> Result<Service, ParameterError> {
        share("cycle_service_level", level).map(Service::Cycle)
    }

    /// # Errors
    /// A level that is not between 0 and 1.
    pub fn fill(level: f64) -> Result<Service, ParameterError> {
        share("fill_rate", level).map(Service::Fill)
    }
}

/// A level and the service that it gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceLevel {
    /// Order-up-to level S or reorder point s.
    pub level: f64,
    /// What the level is above mean demand of the time it has to cover.
    pub safety_stock: f64,
    pub cycle_service_level: f64,
    pub fill_rate: f64,
}

/// When orders are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Review {
    /// (R,S): every `R` periods up to S.
    EachPeriods(f64),
    /// (s,Q): `Q` units when the position is at s.
    OrderQuantity(f64),
}

impl Review {
    /// # Errors
    /// A review period that is not above 0.
    pub fn each(periods: f64) -> Result<Review, ParameterError> {
        let legal = "above 0 (1e-6 to 1e6 periods)";
        between("review_period", periods, 1e-6, 1e6, legal).map(Review::EachPeriods)
    }

    /// # Errors
    /// A quantity that is not above 0.
    pub fn quantity(units: f64) -> Result<Review, ParameterError> {
        positive("order_quantity", units).map(Review::OrderQuantity)
    }
}

/// Normal demand a period, over a lead time that may itself vary: over `L ± sd_L` periods the
/// variance is `L σ² + μ² sd_L²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalSupply {
    demand: NormalDemand,
    lead_time: f64,
    lead_time_sd: f64,
}

impl NormalSupply {
    /// # Errors
    /// A mean not above 0, a negative spread or lead time, no spread at all.
    pub fn new(
        demand_mean: f64,
        demand_sd: f64,
        lead_time: f64,
        lead_time_sd: f64,
    ) -> Result<NormalSupply, ParameterError> {
        positive("demand_mean", demand_mean)?;
        not_negative("demand_sd", demand_sd)?;
        between("lead_time_sd", lead_time_sd, 0.0, 1e6, "a number from 0 to 1e6")?;
        let demand = NormalDemand { mean: demand_mean, sd: demand_sd };
        Ok(NormalSupply { demand, lead_time: checked_lead_time(lead_time)?, lead_time_sd })
    }

    fn over(&self, periods: f64) -> NormalDemand {
        let sure = self.demand.over(periods);
        let variance = sure.sd * sure.sd + (self.demand.mean * self.lead_time_sd).powi(2);
        NormalDemand { mean: sure.mean, sd: variance.sqrt() }
    }

    /// The span that the level covers, and what `fill` needs.
    fn spans(&self, review: Review) -> (NormalDemand, NormalDemand, f64) {
        match review {
            Review::EachPeriods(periods) => (
                self.over(self.lead_time + periods),
                self.over(self.lead_time),
                self.demand.mean * periods,
            ),
            Review::OrderQuantity(quantity) => {
                let during = self.over(self.lead_time);
                let mean = during.mean - quantity;
                (during, NormalDemand { mean, ..during }, quantity)
            }
        }
    }

    /// The level at least cost in stock that reaches the service.
    ///
    /// # Errors
    /// Demand without any spread over the time to cover.
    pub fn level(&self, review: Review, service: Service) -> Result<ServiceLevel, ParameterError> {
        let (cover, before, cycle_demand) = self.spans(review);
        if cover.sd <= 0.0 {
            let legal = "above 0 over the time to cover; a known demand needs no safety stock";
            return Err(ParameterError::new("demand_sd", self.demand.sd, legal));
        }
        // E[(D_L − s − Q)+] is E[(D_L − Q − s)+]: one formula for both kinds of review.
        let fill =
            |level: f64| 1.0 - (cover.shortfall(level) - before.shortfall(level)) / cycle_demand;
        let level = match service {
            Service::Cycle(target) => cover.mean + cover.sd * normal::quantile(target),
            Service::Fill(target) => {
                let (mut low, mut high) =
                    (before.mean.min(cover.mean) - 10.0 * cover.sd, cover.mean + 40.0 * cover.sd);
                for _ in 0..200 {
                    let middle = low + (high - low) / 2.0;
                    if fill(middle) < target { low = middle } else { high = middle }
                }
                high
            }
        };
        Ok(ServiceLevel {
            level,
            safety_stock: level - cover.mean,
            cycle_service_level: cover.cdf(level),
            fill_rate: fill(level).clamp(0.0, 1.0),
        })
    }
}

/// Demand in whole units: the least whole level that reaches the service.
///
/// (s,Q) is exact for Poisson demand only, where the position stops at s on its way down; for
/// demand in lumps use (R,S).
///
/// # Errors
/// Parameters out of range; (s,Q) with other demand than Poisson, or not of whole units.
pub fn counts_level(
    demand: &CountLaw,
    lead_time: f64,
    review: Review,
    service: Service,
) -> Result<ServiceLevel, ParameterError> {
    let lead_time = checked_lead_time(lead_time)?;
    let (cover, before, shift, cycle_demand) = match review {
        Review::EachPeriods(periods) => {
            let (cover, before) = (demand.over(lead_time + periods)?, demand.over(lead_time)?);
            (cover, before, 0, demand.mean() * periods)
        }
        Review::OrderQuantity(quantity) => {
            if quantity.fract() != 0.0 || quantity > 1e9 {
                let legal = "a whole number of units, 1 to 1e9";
                return Err(ParameterError::new("order_quantity", quantity, legal));
            }
            if !matches!(demand, CountLaw::Poisson { .. }) {
                let legal = "Poisson for (s,Q), where no demand is larger than a unit";
                return Err(ParameterError::new("demand", "in lumps", legal));
            }
            let during = demand.over(lead_time)?;
            (during.clone(), during, quantity as i64, quantity)
        }
    };
    let (short, short_before) = (Shortfall::new(&cover), Shortfall::new(&before));
    let fill = |level: i64| 1.0 - (short.at(level) - short_before.at(level + shift)) / cycle_demand;
    let level = match service {
        Service::Cycle(target) => cover.quantile(target) as i64,
        Service::Fill(target) => {
            // Fill rate rises with the level; with (s,Q) the reorder point may be below zero.
            let (mut low, mut high) = (-shift - 1, cover.last() as i64);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if fill(middle) < target { low = middle } else { high = middle }
            }
            high
        }
    };
    Ok(ServiceLevel {
        level: level as f64,
        safety_stock: level as f64 - cover.mean(),
        cycle_service_level: short.cdf(level),
        fill_rate: fill(level).clamp(0.0, 1.0),
    })
}

/// `E[(D − y)+]` and `P(D <= y)` for every whole y.
struct Shortfall {
    first: i64,
    mean: f64,
    short: Vec<f64>,
    cumulative: Vec<f64>,
}

impl Shortfall {
    fn new(demand: &Pmf) -> Shortfall {
        let mut short = vec![0.0; demand.probabilities().len()];
        let (mut above, mut sum) = (0.0, 0.0);
        // From the far end, so that small shortages are not differences of large numbers.
        for (k, probability) in demand.probabilities().iter().enumerate().rev() {
            short[k] = sum;
            above += probability;
            sum += above;
        }
        let mut total = 0.0;
        let cumulative = demand.probabilities().iter().map(|probability| {
            total += probability;
            f64::min(total, 1.0)
        });
        let cumulative = cumulative.collect();
        Shortfall { first: demand.first() as i64, mean: demand.mean(), short, cumulative }
    }

    fn at(&self, y: i64) -> f64 {
        match usize::try_from(y - self.first) {
            Err(_) => self.mean - y as f64,
            Ok(k) => self.short.get(k).copied().unwrap_or(0.0),
        }
    }

    fn cdf(&self, y: i64) -> f64 {
        match usize::try_from(y - self.first) {
            Err(_) => 0.0,
            Ok(k) => self.cumulative.get(k).copied().unwrap_or(1.0),
        }
    }
}
