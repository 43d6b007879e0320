//! What a batch costs and earns, and which lots its maker accepts.

use crate::calendar::Day;

/// Name | default | purpose | range. Money is in minor units of one currency, per base unit;
/// quantities are smallest units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchTerms {
    /// What a customer pays, ≥ 0.
    pub price_minor: i64,
    /// What the maker asks, > 0.
    pub unit_cost_minor: i64,
    /// Once per batch, ≥ 0.
    pub setup_cost_minor: i64,
    /// What an unsold unit brings, below the unit cost; negative where it costs to be rid of.
    pub salvage_minor: i64,
    /// Freight and handling of one returned unit, ≥ 0.
    pub return_cost_minor: i64,
    /// Share of reservations cancelled before they ship, 0..=1.
    pub cancellation_rate: f64,
    /// Share of shipped units that come back, 0..1.
    pub return_rate: f64,
    /// 1: share of returned units sold again in the season, 0..=1; the rest is salvaged.
    pub resold_share: f64,
    /// Smallest batch, ≥ 1.
    pub moq: i64,
    /// Batches are multiples of this, ≥ 1.
    pub multiple: i64,
    /// Largest batch, where the maker has one.
    pub capacity: Option<i64>,
    /// 0.95: probability with which the stock ships every reservation not cancelled, 0..1.
    pub promise_level: f64,
    /// 0.9: probability with which the batch is ready on the stated date, 0..1.
    pub ready_level: f64,
    /// 0.25: share of the promised units' price that may be lost to keep the promise, ≥ 0.
    pub loss_limit: f64,
    /// 0.02: share of a promised unit's price that each day past its date costs, ≥ 0.
    pub late_share_per_day: f64,
    /// 1: smallest units in a base unit, ≥ 1.
    pub per_base: i64,
}

impl Default for BatchTerms {
    /// The shares and levels above; the money and the unit cost are the caller's to set.
    fn default() -> Self {
        BatchTerms {
            price_minor: 0,
            unit_cost_minor: 0,
            setup_cost_minor: 0,
            salvage_minor: 0,
            return_cost_minor: 0,
            cancellation_rate: 0.0,
            return_rate: 0.0,
            resold_share: 1.0,
            moq: 1,
            multiple: 1,
            capacity: None,
            promise_level: 0.95,
            ready_level: 0.9,
            loss_limit: 0.25,
            late_share_per_day: 0.02,
            per_base: 1,
        }
    }
}

/// What keeps a batch from being judged at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProductionError {
    #[error("{name} should be {legal}, but is {value}")]
    OutOfRange { name: &'static str, value: f64, legal: &'static str },
    #[error("salvage {salvage_minor} should be below the unit cost {unit_cost_minor}")]
    SalvageAboveCost { salvage_minor: i64, unit_cost_minor: i64 },
    #[error("the season should close after it opens on {opens}, but closes on {closes}")]
    SeasonEmpty { opens: Day, closes: Day },
    #[error("no past season of the category has a quantity and an exposure")]
    NoPastSeason,
    #[error("a mean demand of {mean_qty} base units is over 2000000: count in a larger unit")]
    DemandTooLarge { mean_qty: f64 },
    #[error("a batch's lots should rise from 0, each with its worth, and being late earn no more")]
    BadCurve,
}

/// Terms that passed `BatchTerms::check`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckedTerms(pub(super) BatchTerms);

impl BatchTerms {
    pub fn check(self) -> Result<CheckedTerms, ProductionError> {
        /// Minor units and base units past this are a mistake in the data, and would not multiply.
        const AMOUNT_MAX: f64 = 1e12;
        let within = |name, value: f64, low: f64, high: f64, legal| {
            let fits = value >= low && value <= high;
            if fits { Ok(()) } else { Err(ProductionError::OutOfRange { name, value, legal }) }
        };
        let below_1 = 1.0 - f64::EPSILON;
        within("price", self.price_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("unit cost", self.unit_cost_minor as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        within("setup cost", self.setup_cost_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("salvage", self.salvage_minor as f64, -AMOUNT_MAX, AMOUNT_MAX, "-1e12..=1e12")?;
        within("return cost", self.return_cost_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("cancellation rate", self.cancellation_rate, 0.0, 1.0, "0..=1")?;
        within("return rate", self.return_rate, 0.0, below_1, "0..1")?;
        within("resold share", self.resold_share, 0.0, 1.0, "0..=1")?;
        within("MOQ", self.moq as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        within("multiple", self.multiple as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        let capacity = self.capacity.map_or(0.0, |capacity| capacity as f64);
        within("capacity", capacity, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("promise level", self.promise_level, f64::EPSILON, below_1, "0..1")?;
        within("ready level", self.ready_level, f64::EPSILON, below_1, "0..1")?;
        within("loss limit", self.loss_limit, 0.0, AMOUNT_MAX, "at least 0")?;
        within("late share", self.late_share_per_day, 0.0, AMOUNT_MAX, "at least 0")?;
        within("units in a base unit", self.per_base as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        if self.salvage_minor >= self.unit_cost_minor {
            return Err(ProductionError::SalvageAboveCost {
                salvage_minor: self.salvage_minor,
                unit_cost_minor: self.unit_cost_minor,
            });
        }
        Ok(CheckedTerms(self))
    }
}

impl CheckedTerms {
    /// Probability that a gross unit of demand is net: neither cancelled nor served by a return.
    pub(super) fn keep(&self) -> f64 {
        (1.0 - self.0.cancellation_rate) * (1.0 - self.0.return_rate * self.0.resold_share)
    }

    /// What a net smallest unit earns once its returns are paid for, in minor units. Of `1`
    /// shipped, `r` comes back and `rρ` serves somebody else, so `1 − rρ` units carry the rest.
    pub(super) fn revenue_minor(&self) -> f64 {
        let terms = &self.0;
        let returned = terms.return_rate;
        let resold = returned * terms.resold_share;
        ((1.0 - returned) * terms.price_minor as f64
            + (returned - resold) * terms.salvage_minor as f64
            - returned * terms.return_cost_minor as f64)
            / (1.0 - resold)
            / terms.per_base as f64
    }

    /// Per smallest unit, as the two below.
    pub(super) fn cost_minor(&self) -> f64 {
        self.0.unit_cost_minor as f64 / self.0.per_base as f64
    }

    pub(super) fn salvage_minor(&self) -> f64 {
        self.0.salvage_minor as f64 / self.0.per_base as f64
    }

    pub(super) fn price_minor(&self) -> f64 {
        self.0.price_minor as f64 / self.0.per_base as f64
    }

    /// Smallest lot of at least `qty`, capacity aside.
    pub(super) fn lot_at_least(&self, qty: i64) -> i64 {
        let terms = &self.0;
        let lots = (qty.max(terms.moq) + terms.multiple - 1) / terms.multiple;
        lots * terms.multiple
    }

    /// Largest legal lot, 0 where the capacity is below the smallest.
    pub(super) fn lot_max(&self) -> Option<i64> {
        self.0.capacity.map(|capacity| {
            let lots = capacity / self.0.multiple * self.0.multiple;
            if lots >= self.lot_at_least(0) { lots } else { 0 }
        })
    }
}
