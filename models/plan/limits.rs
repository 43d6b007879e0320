//! Limits that many lines share: budgets, what a supplier can deliver, and what it asks of an order.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::plan::hysteresis::Hysteresis;

/// Shared limits of a job; by default there are none. Money is minor units of the currency named
/// beside it, and limits only what is in that currency: amounts in different currencies are never
/// added.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanLimits {
    pub budgets: Vec<Budget>,
    pub suppliers: Vec<SupplierRule>,
    pub hysteresis: Hysteresis,
}

/// The most that a run may buy and make for, of all lines that match.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// ISO 4217.
    pub currency: String,
    pub amount_minor: i64,
    /// Only lines of this supplier; with `category` too, only lines of both.
    #[serde(default)]
    pub supplier_id: Option<String>,
    #[serde(default)]
    pub category: Option<String>,
}

/// What one supplier can deliver and asks for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupplierRule {
    pub supplier_id: String,
    /// Of the money below.
    pub currency: String,
    /// In all orders of a run together.
    pub capacity: Capacity,
    /// Of one order, which is all lines from the supplier to one destination in one currency. Base
    /// units; 0: none.
    pub min_order_units: i64,
    /// 0: none.
    pub min_order_value_minor: i64,
    pub container: Option<Container>,
}

/// How much fits; what is not given is not limited.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacity {
    /// Base units.
    pub units: Option<i64>,
    /// Order multiples.
    pub packs: Option<i64>,
    pub weight_g: Option<i64>,
    pub volume_ml: Option<i64>,
}

/// An order travels in as few of these as hold it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Container {
    pub holds: Capacity,
    /// Of each, in the rule's currency.
    pub fixed_cost_minor: i64,
    /// The share to which an order's containers must be full on average, in whatever fills them
    /// first; 0: they may be empty.
    pub min_fill_share: f64,
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key} should be {range}, but is {value}")]
pub struct BadLimit {
    /// As in the file, e.g. `budgets[0].amount_minor`.
    pub key: String,
    pub range: &'static str,
    pub value: String,
}

fn bad(key: String, range: &'static str, value: impl ToString) -> BadLimit {
    BadLimit { key, range, value: value.to_string() }
}

fn at_least(least: i64, key: String, value: i64) -> Result<(), BadLimit> {
    let range = if least == 0 { "in [0, inf)" } else { "in [1, inf)" };
    if value < least { Err(bad(key, range, value)) } else { Ok(()) }
}

fn currency(key: String, code: &str) -> Result<(), BadLimit> {
    if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(bad(key, "a currency code of three capitals", format!("{code:?}")))
}

fn share(key: String, value: f64) -> Result<(), BadLimit> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(bad(key, "in [0, 1]", value)) }
}

impl PlanLimits {
    /// Fails on the first setting that cannot be meant.
    pub fn check(&self) -> Result<(), BadLimit> {
        let mut seen = BTreeSet::new();
        for (at, budget) in self.budgets.iter().enumerate() {
            let key = |name: &str| format!("budgets[{at}].{name}");
            currency(key("currency"), &budget.currency)?;
            at_least(0, key("amount_minor"), budget.amount_minor)?;
            for (name, id) in [("supplier_id", &budget.supplier_id), ("category", &budget.category)]
            {
                if id.as_ref().is_some_and(String::is_empty) {
                    return Err(bad(key(name), "left out or not empty", "\"\""));
                }
            }
            if !seen.insert((&budget.currency, &budget.supplier_id, &budget.category)) {
                let range = "the only one for its currency, supplier and category";
                return Err(bad(format!("budgets[{at}]"), range, "the second"));
            }
        }
        let mut seen = BTreeSet::new();
        for (at, rule) in self.suppliers.iter().enumerate() {
            rule.check(&format!("suppliers[{at}]"))?;
            if !seen.insert(&rule.supplier_id) {
                let key = format!("suppliers[{at}].supplier_id");
                return Err(bad(key, "named once", format!("{:?} again", rule.supplier_id)));
            }
        }
        let steady = &self.hysteresis;
        share("hysteresis.min_value_share".to_owned(), steady.min_value_share)?;
        at_least(0, "hysteresis.min_value_minor".to_owned(), steady.min_value_minor)
    }

    /// Whether nothing is limited and nothing kept.
    pub fn is_neutral(&self) -> bool {
        *self == PlanLimits::default()
    }
}

impl SupplierRule {
    fn check(&self, at: &str) -> Result<(), BadLimit> {
        let key = |name: &str| format!("{at}.{name}");
        if self.supplier_id.is_empty() {
            return Err(bad(key("supplier_id"), "not empty", "\"\""));
        }
        self.capacity.check(&key("capacity"))?;
        at_least(0, key("min_order_units"), self.min_order_units)?;
        at_least(0, key("min_order_value_minor"), self.min_order_value_minor)?;
        let mut money = self.min_order_value_minor > 0;
        if let Some(container) = &self.container {
            container.holds.check(&key("container.holds"))?;
            if container.holds == Capacity::default() {
                let range = "units, packs, weight_g or volume_ml";
                return Err(bad(key("container.holds"), range, "nothing"));
            }
            at_least(0, key("container.fixed_cost_minor"), container.fixed_cost_minor)?;
            share(key("container.min_fill_share"), container.min_fill_share)?;
            money |= container.fixed_cost_minor > 0;
        }
        if money || !self.currency.is_empty() {
            currency(key("currency"), &self.currency)?;
        }
        Ok(())
    }
}

impl Capacity {
    fn check(&self, at: &str) -> Result<(), BadLimit> {
        for measure in Measure::SIZES {
            if let Some(most) = self.of(measure) {
                at_least(1, format!("{at}.{}", measure.as_str()), most)?;
            }
        }
        Ok(())
    }

    pub fn of(&self, measure: Measure) -> Option<i64> {
        match measure {
            Measure::Money => None,
            Measure::Units => self.units,
            Measure::Packs => self.packs,
            Measure::WeightG => self.weight_g,
            Measure::VolumeMl => self.volume_ml,
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Minor units.
    Money,
    /// Base units.
    Units,
    /// Order multiples.
    Packs,
    WeightG,
    VolumeMl,
}

impl Measure {
    pub const SIZES: [Measure; 4] =
        [Measure::Units, Measure::Packs, Measure::WeightG, Measure::VolumeMl];

    /// As the settings call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Money => "money",
            Measure::Units => "units",
            Measure::Packs => "packs",
            Measure::WeightG => "weight_g",
            Measure::VolumeMl => "volume_ml",
        }
    }

    /// `1200 EUR minor units`, `40 packs`.
    pub fn show(self, amount: f64, currency: &str) -> String {
        match self {
            Measure::Money => format!("{amount:.0} {currency} minor units"),
            Measure::Units => format!("{amount:.0} units"),
            Measure::Packs => format!("{amount:.0} packs"),
            Measure::WeightG => format!("{amount:.0} g"),
            Measure::VolumeMl => format!("{amount:.0} ml"),
        }
    }
}
