//! The limits of a job's gates, and which values make sense.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Limits of a job. 0 switches a gate off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateLimits {
    /// A line over this many base units is held, whatever the item. Default 100,000.
    pub max_line_qty: i64,
    /// A line that buys or makes for more than this is held, minor units of its currency; so is one
    /// whose unit cost is not known. Default 50,000,000.
    pub max_line_value_minor: i64,
    /// A line is held whose pack, minimum, unit cost or unit is so many times what it was in the
    /// last published plan, or one such part of it. Default 2.
    pub max_terms_change: f64,
    /// A line over this many times the largest demand ever seen in as many days as it covers is
    /// held, unless it is a single order multiple. Default 3.
    pub max_times_largest_demand: f64,
    /// A line is held where the forecast, without what events and promotions bring, is over this
    /// many times the largest of three plain means. Default 4.
    pub max_times_usual_demand: f64,
    /// A line that brings stock and orders to more than this many days of demand is held, unless as
    /// much was sold before within a protection interval. Default 120.
    pub max_cover_days: f64,
    /// A line of a perishable that brings stock and orders to more than this many times what is
    /// expected to sell until it expires is held, unless it is a single order multiple or as much
    /// was sold before within a shelf life. Default 1.5.
    pub max_times_shelf_life_demand: f64,
    /// An item with fewer days of history counts as new. Default 28.
    pub new_item_days: u32,
    /// A new item's line over this value is held, minor units. Default 1,000,000.
    pub new_item_max_value_minor: i64,
    /// A line is held where the stock was counted as nothing and more than this share of the count
    /// before is missing after sales, deliveries out and expiry. Default 0.5.
    pub max_stock_gone_share: f64,
    /// Days for which a released line keeps the same item from being ordered again, as long as no
    /// order of it has come back. Default 30.
    pub unseen_release_days: u32,
    /// All lines of a supplier are held when together they are over this, minor units of any one
    /// currency. Default 0.
    pub max_supplier_value_minor: i64,
    /// The same for single suppliers, by id; they come before the limit for all.
    pub supplier_max_value_minor: BTreeMap<String, i64>,
    /// The plan is held when what it buys in any one currency is over this, minor units. Default 0.
    pub max_run_value_minor: i64,
    /// The plan is held when what it and the published plans of other jobs for the same date buy in
    /// any one currency is over this, minor units. Default 0.
    pub max_day_value_minor: i64,
    /// The plan is held when what it buys is over the most or under the least that the published
    /// runs of the week before bought, by more than this share of it. Default 0.5.
    pub max_run_value_change: f64,
    /// The same for its number of lines. Default 0.5.
    pub max_line_count_change: f64,
    /// A line counts as changed when it is more than so many times what it was in the previous
    /// run, or less than one such part of it, and by more than sells in a protection interval.
    /// Default 5.
    pub changed_line_times: f64,
    /// The plan is held when more than this share of the lines that the previous run had too is
    /// changed, and more than one of them. Default 0.02.
    pub max_changed_lines_share: f64,
    /// The plan is held when more than this share of the series is forecast by a fallback.
    /// Default 0.2.
    pub max_fallback_share: f64,
    /// The plan is held when defaults stand in for one kind of master data at more places than in
    /// the previous run, by more than this share of all places. Default 0.1.
    pub max_default_share_rise: f64,
    /// The plan is held when an input has lost more than this share of its rows since the previous
    /// run. Default 0.2.
    pub max_input_shrink: f64,
    /// The plan is held when the last day of sales has lost more than this share of the rows that
    /// such days have. Default 0.5.
    pub max_sales_day_shrink: f64,
    /// The plan is held when more than this share of the orders that were open in the previous run
    /// is gone without having been received or cancelled. Default 0.3.
    pub max_orders_lost_share: f64,
    /// The plan is held when the share of stock counts that say nothing is there has risen by more
    /// than this since the previous run. Default 0.1.
    pub max_empty_stock_rise: f64,
}

impl Default for GateLimits {
    fn default() -> GateLimits {
        GateLimits {
            max_line_qty: 100_000,
            max_line_value_minor: 50_000_000,
            max_terms_change: 2.0,
            max_times_largest_demand: 3.0,
            max_times_usual_demand: 4.0,
            max_cover_days: 120.0,
            max_times_shelf_life_demand: 1.5,
            new_item_days: 28,
            new_item_max_value_minor: 1_000_000,
            max_stock_gone_share: 0.5,
            unseen_release_days: 30,
            max_supplier_value_minor: 0,
            supplier_max_value_minor: BTreeMap::new(),
            max_run_value_minor: 0,
            max_day_value_minor: 0,
            max_run_value_change: 0.5,
            max_line_count_change: 0.5,
            changed_line_times: 5.0,
            max_changed_lines_share: 0.02,
            max_fallback_share: 0.2,
            max_default_share_rise: 0.1,
            max_input_shrink: 0.2,
            max_sales_day_shrink: 0.5,
            max_orders_lost_share: 0.3,
            max_empty_stock_rise: 0.1,
        }
    }
}

/// A limit that says nothing: which, what it is, and what it may be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}, should be {range}")]
pub struct BadLimit {
    pub name: String,
    pub value: String,
    pub range: &'static str,
}

impl GateLimits {
    /// Every gate off, e.g. to switch on a single one.
    pub fn off() -> GateLimits {
        GateLimits {
            max_line_qty: 0,
            max_line_value_minor: 0,
            max_terms_change: 0.0,
            max_times_largest_demand: 0.0,
            max_times_usual_demand: 0.0,
            max_cover_days: 0.0,
            max_times_shelf_life_demand: 0.0,
            new_item_days: 0,
            new_item_max_value_minor: 0,
            max_stock_gone_share: 0.0,
            unseen_release_days: 0,
            max_run_value_change: 0.0,
            max_line_count_change: 0.0,
            changed_line_times: 0.0,
            max_changed_lines_share: 0.0,
            max_fallback_share: 0.0,
            max_default_share_rise: 0.0,
            max_input_shrink: 0.0,
            max_sales_day_shrink: 0.0,
            max_orders_lost_share: 0.0,
            max_empty_stock_rise: 0.0,
            ..GateLimits::default()
        }
    }

    /// # Errors
    /// The first limit that is not a number, negative, or that no value could ever pass or reach.
    pub fn check(&self) -> Result<(), BadLimit> {
        let bad = |name: &str, value: &dyn ToString, range| {
            Err(BadLimit { name: name.to_owned(), value: value.to_string(), range })
        };
        for (name, value) in self.amounts() {
            if value < 0 {
                return bad(name, &value, "0 (off) or more");
            }
        }
        for (supplier_id, value) in &self.supplier_max_value_minor {
            if *value < 0 {
                let name = format!("supplier_max_value_minor.{supplier_id}");
                return bad(&name, value, "0 (off) or more");
            }
        }
        for (name, value) in self.times() {
            if value != 0.0 && !(1.0..=1e12).contains(&value) {
                return bad(name, &value, "0 (off) or in 1..=1e12");
            }
        }
        for (name, value) in self.shares() {
            if !(0.0..=1.0).contains(&value) {
                return bad(name, &value, "in 0 (off)..=1");
            }
        }
        for (name, value) in self.changes() {
            if !(0.0..=1e12).contains(&value) {
                return bad(name, &value, "in 0 (off)..=1e12");
            }
        }
        Ok(())
    }

    fn amounts(&self) -> [(&'static str, i64); 6] {
        [
            ("max_line_qty", self.max_line_qty),
            ("max_line_value_minor", self.max_line_value_minor),
            ("new_item_max_value_minor", self.new_item_max_value_minor),
            ("max_supplier_value_minor", self.max_supplier_value_minor),
            ("max_run_value_minor", self.max_run_value_minor),
            ("max_day_value_minor", self.max_day_value_minor),
        ]
    }

    fn times(&self) -> [(&'static str, f64); 6] {
        [
            ("max_terms_change", self.max_terms_change),
            ("max_times_largest_demand", self.max_times_largest_demand),
            ("max_times_usual_demand", self.max_times_usual_demand),
            ("max_cover_days", self.max_cover_days),
            ("max_times_shelf_life_demand", self.max_times_shelf_life_demand),
            ("changed_line_times", self.changed_line_times),
        ]
    }

    fn shares(&self) -> [(&'static str, f64); 8] {
        [
            ("max_stock_gone_share", self.max_stock_gone_share),
            ("max_changed_lines_share", self.max_changed_lines_share),
            ("max_fallback_share", self.max_fallback_share),
            ("max_default_share_rise", self.max_default_share_rise),
            ("max_input_shrink", self.max_input_shrink),
            ("max_sales_day_shrink", self.max_sales_day_shrink),
            ("max_orders_lost_share", self.max_orders_lost_share),
            ("max_empty_stock_rise", self.max_empty_stock_rise),
        ]
    }

    /// Shares that may be over one: a plan can grow tenfold.
    fn changes(&self) -> [(&'static str, f64); 2] {
        [
            ("max_run_value_change", self.max_run_value_change),
            ("max_line_count_change", self.max_line_count_change),
        ]
    }

    /// What a supplier's lines may come to; 0 where nothing limits them.
    pub(super) fn supplier_value_minor(&self, supplier_id: &str) -> i64 {
        let own = self.supplier_max_value_minor.get(supplier_id);
        own.copied().unwrap_or(self.max_supplier_value_minor)
    }
}
