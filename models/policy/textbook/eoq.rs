//! Economic order quantities: demand at a known, steady rate. Equations are of Snyder & Shen,
//! Fundamentals of Supply Chain Theory, chapter 3.

use super::check::{NUMBER_MAX, ParameterError, as_many, between, each, not_negative, positive};

/// Checked parameters of [`Eoq::plain`] and its two extensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eoq {
    fixed_cost: f64,
    holding_cost: f64,
    demand_rate: f64,
}

/// An order quantity and the cost a unit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderQuantity {
    pub order_quantity: f64,
    pub cost_rate: f64,
}

impl Eoq {
    /// `fixed_cost` an order, `holding_cost` a unit and unit of time, `demand_rate` units a unit
    /// of time; all above 0.
    ///
    /// # Errors
    /// The parameter that is not.
    pub fn new(
        fixed_cost: f64,
        holding_cost: f64,
        demand_rate: f64,
    ) -> Result<Eoq, ParameterError> {
        Ok(Eoq {
            fixed_cost: positive("fixed_cost", fixed_cost)?,
            holding_cost: positive("holding_cost", holding_cost)?,
            demand_rate: positive("demand_rate", demand_rate)?,
        })
    }

    /// Harris (1913): `Q = sqrt(2 K λ / h)`, cost `sqrt(2 K λ h)`.
    pub fn plain(&self) -> OrderQuantity {
        self.with_holding(self.holding_cost)
    }

    fn with_holding(&self, holding: f64) -> OrderQuantity {
        let twice = 2.0 * self.fixed_cost * self.demand_rate;
        OrderQuantity {
            order_quantity: (twice / holding).sqrt(),
            cost_rate: (twice * holding).sqrt(),
        }
    }

    /// With planned back-orders at `stockout_cost` a unit and unit of time: the answer and the
    /// fraction of demand that waits, `h / (h + p)`.
    ///
    /// # Errors
    /// A stock-out cost that is not above 0.
    pub fn with_backorders(
        &self,
        stockout_cost: f64,
    ) -> Result<(OrderQuantity, f64), ParameterError> {
        let stockout_cost = positive("stockout_cost", stockout_cost)?;
        let waits = self.holding_cost / (self.holding_cost + stockout_cost);
        Ok((self.with_holding(self.holding_cost * (1.0 - waits)), waits))
    }

    /// Made at `production_rate` while it sells: `h` becomes `h (1 − λ / μ)`.
    ///
    /// # Errors
    /// A production rate that is not above the demand rate.
    pub fn with_production(&self, production_rate: f64) -> Result<OrderQuantity, ParameterError> {
        let legal = format!("above demand_rate, which is {}", self.demand_rate);
        let least = self.demand_rate * (1.0 + 1e-12);
        between("production_rate", production_rate, least, NUMBER_MAX, &legal)?;
        Ok(self.with_holding(self.holding_cost * (1.0 - self.demand_rate / production_rate)))
    }
}

/// An order quantity in a price tier, the purchase cost included in the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierQuantity {
    pub order_quantity: f64,
    /// From 0.
    pub price_tier: usize,
    pub cost_rate: f64,
}

/// Checked parameters with quantity discounts.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscountEoq<'a> {
    fixed_cost: f64,
    holding_cost_rate: f64,
    demand_rate: f64,
    breakpoints: &'a [f64],
    unit_costs: &'a [f64],
}

impl<'a> DiscountEoq<'a> {
    /// `holding_cost_rate` is a share of the unit cost a unit of time; tier j holds from
    /// `breakpoints[j]` units on, the first from 0.
    ///
    /// # Errors
    /// Breakpoints that do not rise from 0, unit costs that rise, lists of different lengths, a
    /// parameter not above 0.
    pub fn new(
        fixed_cost: f64,
        holding_cost_rate: f64,
        demand_rate: f64,
        breakpoints: &'a [f64],
        unit_costs: &'a [f64],
    ) -> Result<DiscountEoq<'a>, ParameterError> {
        let empty = |field| ParameterError::new(field, "empty", "a list of at least one tier");
        each("breakpoints", breakpoints, not_negative)?;
        each("unit_costs", unit_costs, positive)?;
        as_many("unit_costs", unit_costs.len(), breakpoints.len(), "breakpoints")?;
        let first = breakpoints.first().ok_or_else(|| empty("breakpoints"))?;
        if *first != 0.0 {
            return Err(ParameterError::new("breakpoints[0]", first, "0, where the first begins"));
        }
        for (at, two) in breakpoints.windows(2).enumerate() {
            if two[1] <= two[0] {
                let field = format!("breakpoints[{}]", at + 1);
                let legal = format!("above the breakpoint before it, {}", two[0]);
                return Err(ParameterError::new(field, two[1], legal));
            }
        }
        for (at, two) in unit_costs.windows(2).enumerate() {
            if two[1] > two[0] {
                let field = format!("unit_costs[{}]", at + 1);
                let legal = format!("at most the cost of the tier before it, {}", two[0]);
                return Err(ParameterError::new(field, two[1], legal));
            }
        }
        Ok(DiscountEoq {
            fixed_cost: positive("fixed_cost", fixed_cost)?,
            holding_cost_rate: positive("holding_cost_rate", holding_cost_rate)?,
            demand_rate: positive("demand_rate", demand_rate)?,
            breakpoints,
            unit_costs,
        })
    }

    /// The unit cost of the tier holds for the whole order. In each tier the best quantity is its
    /// EOQ or, where that lies below, the tier's first; above a tier, the next one is cheaper.
    pub fn all_units(&self) -> TierQuantity {
        self.cheapest(|tier, unit_cost, from| {
            let holding = self.holding_cost_rate * unit_cost;
            let eoq = (2.0 * self.fixed_cost * self.demand_rate / holding).sqrt();
            let quantity = eoq.max(from);
            let reached = self.breakpoints.get(tier + 1).is_none_or(|next| quantity < *next);
            let setups = self.fixed_cost * self.demand_rate / quantity;
            let cost = unit_cost * self.demand_rate + setups + holding * quantity / 2.0;
            reached.then_some((quantity, cost))
        })
    }

    /// Each tier's cost holds for its own units only: as if the fixed cost were higher by what the
    /// units below the tier cost more. A tier counts where its quantity lies in it.
    pub fn incremental(&self) -> TierQuantity {
        let mut dearer = 0.0;
        self.cheapest(|tier, unit_cost, from| {
            if tier > 0 {
                dearer += (self.unit_costs[tier - 1] - unit_cost) * from;
            }
            let holding = self.holding_cost_rate * unit_cost;
            let fixed = self.fixed_cost + dearer;
            let quantity = (2.0 * fixed * self.demand_rate / holding).sqrt();
            // One tier always counts; the slack is for two tiers that cost nearly the same.
            let within = quantity >= from * (1.0 - 1e-9)
                && self.breakpoints.get(tier + 1).is_none_or(|next| quantity <= *next);
            let cost = unit_cost * self.demand_rate
                + self.holding_cost_rate * dearer / 2.0
                + fixed * self.demand_rate / quantity
                + holding * quantity / 2.0;
            within.then_some((quantity, cost))
        })
    }

    fn cheapest(
        &self,
        mut of_tier: impl FnMut(usize, f64, f64) -> Option<(f64, f64)>,
    ) -> TierQuantity {
        let mut best =
            TierQuantity { order_quantity: 0.0, price_tier: 0, cost_rate: f64::INFINITY };
        for (tier, (&unit_cost, &from)) in self.unit_costs.iter().zip(self.breakpoints).enumerate()
        {
            if let Some((order_quantity, cost_rate)) = of_tier(tier, unit_cost, from)
                && cost_rate < best.cost_rate
            {
                best = TierQuantity { order_quantity, price_tier: tier, cost_rate };
            }
        }
        best
    }
}
