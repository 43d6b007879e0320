//! What holds for all items of a job, and its legal ranges.

use serde::Deserialize;

use crate::policy::order::Target;

/// What holds for all items of a job.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanConfig {
    pub target: Target,
    /// Capital, space and care for a year, as a share of unit cost.
    pub holding_rate_per_year: f64,
    /// Lost goodwill per unit short, as a share of the margin.
    pub stockout_penalty: f64,
    /// Margin on price where the price is unknown.
    pub default_margin: f64,
    /// Cost of getting rid of an expired unit, as a share of unit cost, on top of the cost itself.
    pub disposal_cost: f64,
    /// A price break may not buy more than this many days of demand.
    pub price_break_cover_days: f64,
    /// Open orders that are due within so many days are left as they are.
    pub freeze_days: u32,
    /// Stock of which nothing was sold for so many days is dead.
    pub dead_stock_days: u32,
    /// By how many percent demand changes when the price rises by one, for markdowns; below 0.
    pub markdown_elasticity: f64,
    /// Share of its cost that a supplier credits for goods sent back; 0: takes nothing back.
    pub supplier_return_share: f64,
    /// An exception on an open order that is worth less than this is not raised, minor units.
    pub exception_min_minor: i64,
    /// Whether lines carry their [`Choice`]: needed where budgets or other shared limits hold.
    ///
    /// [`Choice`]: crate::plan::choice::Choice
    pub with_choices: bool,
    /// Days until the next run of the job. What can only leave on a later weekday, and still can if
    /// the next run decides on it, is left to that run. 0: it is proposed for its day at once.
    pub next_run_days: u32,
}

impl Default for PlanConfig {
    fn default() -> PlanConfig {
        PlanConfig {
            target: Target::Cycle(0.95),
            holding_rate_per_year: 0.25,
            stockout_penalty: 0.5,
            default_margin: 0.3,
            disposal_cost: 0.0,
            price_break_cover_days: 60.0,
            freeze_days: 0,
            dead_stock_days: 180,
            markdown_elasticity: -2.0,
            supplier_return_share: 0.0,
            exception_min_minor: 1_000,
            with_choices: false,
            next_run_days: 0,
        }
    }
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} should be in {range}, but is {value}")]
pub struct BadSetting {
    pub name: &'static str,
    pub range: &'static str,
    pub value: f64,
}

impl PlanConfig {
    /// Fails on the first setting that no plan can be made with.
    pub fn check(&self) -> Result<(), BadSetting> {
        let level = match self.target {
            Target::Cycle(level) | Target::Fill(level) => level,
            Target::Economics => 0.5,
        };
        for (name, range, value, good) in [
            ("target", "(0, 1)", level, level > 0.0 && level < 1.0),
            at_least_0("holding_rate_per_year", self.holding_rate_per_year),
            at_least_0("stockout_penalty", self.stockout_penalty),
            (
                "default_margin",
                "[0, 1)",
                self.default_margin,
                (0.0..1.0).contains(&self.default_margin),
            ),
            at_least_0("disposal_cost", self.disposal_cost),
            at_least_0("price_break_cover_days", self.price_break_cover_days),
            (
                "markdown_elasticity",
                "(-inf, 0)",
                self.markdown_elasticity,
                self.markdown_elasticity < 0.0 && self.markdown_elasticity.is_finite(),
            ),
            (
                "supplier_return_share",
                "[0, 1]",
                self.supplier_return_share,
                (0.0..=1.0).contains(&self.supplier_return_share),
            ),
            at_least_0("exception_min_minor", self.exception_min_minor as f64),
        ] {
            if !good {
                return Err(BadSetting { name, range, value });
            }
        }
        Ok(())
    }
}

fn at_least_0(name: &'static str, value: f64) -> (&'static str, &'static str, f64, bool) {
    (name, "[0, inf)", value, value >= 0.0 && value.is_finite())
}
