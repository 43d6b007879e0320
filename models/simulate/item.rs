//! What is simulated: the terms of each series, the rules of the game, and what can be wrong.

use serde::{Deserialize, Serialize};

use crate::backtest::panel::ForecastConfig;
use crate::calendar::Day;
use crate::forecast::drivers::{InputError, Region, SeriesMeta};
use crate::policy::projection::{Issue, Shortage};
use crate::series::Panel;

/// No series has more units of anything.
pub const QTY_MAX: i64 = 1_000_000_000_000_000;

/// Money per smallest unit; the currency is the caller's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Money {
    /// Of a unit that is there at the end of a period.
    pub holding: f64,
    /// Of a unit of lost demand; with back-orders, of a unit owed at the end of a period.
    pub shortage: f64,
    /// Of each order.
    pub order: f64,
    /// Of a unit that expires: its cost and disposal.
    pub waste: f64,
    /// What a unit is bought for; it values stock and is in no cost.
    pub unit: f64,
}

/// Stock as the first simulated period opens.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    Given {
        on_hand: i64,
        /// `due[k]` is received in the `k`-th simulated period, 0 being the first.
        due: Vec<i64>,
    },
    /// So many periods of the seasonal naive forecast on hand, nothing on order. `None`: the lead
    /// time and one review.
    Cover(Option<usize>),
}

/// Terms of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// An order placed at the end of period `X` is usable in `X + lead_periods`; at least 1.
    pub lead_periods: usize,
    /// Smallest units; 0 or 1 where there is none.
    pub moq: i64,
    /// Smallest units, at least 1.
    pub multiple: i64,
    /// Periods of sale from receipt, that one included; `None`: it does not expire.
    pub shelf_life_periods: Option<u32>,
    pub money: Money,
    pub start: Start,
    /// What the business itself ordered at the end of each period, the one before the first
    /// simulated period first; empty where it is not known.
    pub recorded_orders: Vec<i64>,
}

impl Default for Item {
    fn default() -> Item {
        Item {
            lead_periods: 1,
            moq: 0,
            multiple: 1,
            shelf_life_periods: None,
            money: Money::default(),
            start: Start::Cover(None),
            recorded_orders: Vec::new(),
        }
    }
}

/// What of the demand a policy gets to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knowledge {
    /// The panel's, whatever the policy itself could have sold.
    #[default]
    Recorded,
    /// Its own sales; a period that ended without stock is known to be censored.
    OwnSales,
}

/// What the demand was in periods that were only partly available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialDemand {
    /// What was sold; policies see it as a demand like any other.
    #[default]
    Recorded,
    /// What is to be expected given the sales and the share of the period that saw them; policies
    /// see sales and availability.
    Expected,
}

/// The rules of the game, the same for every policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The first simulated period; the first decision is made at the end of the one before it.
    pub first: Day,
    /// Warm-up and scored periods together.
    pub periods: usize,
    /// Simulated periods before costs count.
    pub warm_up_periods: usize,
    pub review_every_periods: usize,
    pub shortage: Shortage,
    pub issue: Issue,
    pub knowledge: Knowledge,
    pub partial_demand: PartialDemand,
    /// Models are chosen and fitted anew every so many reviews, and follow the demand in between.
    pub refit_every_reviews: usize,
    /// Demand paths per series and review.
    pub paths: usize,
    pub seed: u64,
    /// Its horizon is set by lead times and policies.
    pub forecast: ForecastConfig,
}

/// A panel through the last simulated period, and the terms of each of its series.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// `sold` is the recorded demand in smallest units, with 0 and `available` 0 where there is no
    /// record. `price_ratio` is the asked price itself, NaN where unknown: each review measures it
    /// by the median of what was asked until then. Drivers reach [`Panel::horizon_days`] beyond.
    pub panel: &'a Panel,
    /// As long as the panel.
    pub meta: &'a [SeriesMeta],
    pub categories: &'a [String],
    pub regions: &'a [Region],
    /// As long as the panel.
    pub items: &'a [Item],
}

/// Why nothing was simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SimulateError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{what} is {value}; legal is {legal}")]
    Rule { what: &'static str, value: String, legal: String },
    #[error("series {series}: {what} is {value}; legal is {legal}")]
    Item { series: usize, what: &'static str, value: String, legal: &'static str },
    #[error("the books of policy {policy} do not balance for series {series} in period {period}")]
    Books { policy: String, series: usize, period: usize },
}

impl Item {
    /// # Errors
    /// The first number out of range.
    pub fn check(&self, series: usize) -> Result<(), SimulateError> {
        let wrong =
            |what, value: String, legal| Err(SimulateError::Item { series, what, value, legal });
        if !(1..=1_000).contains(&self.lead_periods) {
            return wrong("lead_periods", self.lead_periods.to_string(), "1 to 1000");
        }
        if !(1..=QTY_MAX).contains(&self.multiple) {
            return wrong("multiple", self.multiple.to_string(), "1 to 1e15");
        }
        if !(0..=QTY_MAX).contains(&self.moq) {
            return wrong("moq", self.moq.to_string(), "0 to 1e15");
        }
        if self.shelf_life_periods == Some(0) {
            return wrong("shelf_life_periods", "0".to_owned(), "at least 1");
        }
        let Money { holding, shortage, order, waste, unit } = self.money;
        for (what, value) in [
            ("holding", holding),
            ("shortage", shortage),
            ("order cost", order),
            ("waste", waste),
            ("unit cost", unit),
        ] {
            if !(0.0..=1e12).contains(&value) {
                return wrong(what, value.to_string(), "0 to 1e12");
            }
        }
        if let Start::Given { on_hand, due } = &self.start
            && let Some(bad) = [*on_hand].iter().chain(due).find(|q| !(0..=QTY_MAX).contains(*q))
        {
            return wrong("starting stock or receipt", bad.to_string(), "0 to 1e15");
        }
        match self.recorded_orders.iter().find(|q| !(0..=QTY_MAX).contains(*q)) {
            Some(bad) => wrong("recorded order", bad.to_string(), "0 to 1e15"),
            None => Ok(()),
        }
    }
}

impl Rules {
    /// # Errors
    /// The first number out of range.
    pub fn check(&self) -> Result<(), SimulateError> {
        let ranged = |what, value: usize, least: usize, most: usize| {
            let legal = format!("{least} to {most}");
            let error = || SimulateError::Rule { what, value: value.to_string(), legal };
            (least..=most).contains(&value).then_some(()).ok_or_else(error)
        };
        ranged("periods", self.periods, 1, 100_000)?;
        ranged("warm_up_periods", self.warm_up_periods, 0, self.periods - 1)?;
        ranged("review_every_periods", self.review_every_periods, 1, 1_000)?;
        ranged("refit_every_reviews", self.refit_every_reviews, 1, 100_000)?;
        ranged("paths", self.paths, 10, 10_000)
    }
}
