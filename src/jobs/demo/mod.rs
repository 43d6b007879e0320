//! The demo's retailer: a seeded simulator that writes the files a real upstream would, and beside
//! them the truth that a real upstream does not know.
//!
//! `in/` holds CSV files with the columns of the input tables, sales a file per month. `truth/`
//! holds the demand that stock-outs hid, the demand of the days to come, the effects behind both
//! and the stock ledgers. The same configuration gives the same bytes on any number of threads:
//! every item draws from streams of its own, and items are written in their order.

mod behaviour;
mod catalogue;
mod categories;
mod demand;
mod festivals;
mod inventory;
mod output;
mod places;
mod random;
mod shelf;
mod tables;
mod truth;
mod weather;
mod world;

use std::path::{Path, PathBuf};

use granary_models::calendar::Day;

pub use catalogue::Role;
pub use categories::{EventResponse, WeatherResponse};
pub use places::LeadTime;
pub use tables::HEADERS;
pub use truth::{CategoryEffects, Effects, ItemEffects, SeriesTruth, TrueDay, Truth};
use world::World;

/// Days from the business date on for which the truth is told.
pub const HORIZON_DAYS: usize = 60;

/// Days ahead for which promotions and prices are decided.
const DECIDED_DAYS: i32 = 45;

/// Days ahead for which there is a weather forecast.
const WEATHER_FORECAST_DAYS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoConfig {
    /// 60 ..= 50 000; from 60 on every ingredient is there.
    pub items: usize,
    /// Days of history, 120 ..= 1500.
    pub days: usize,
    pub seed: u64,
    /// The day to plan for; the files hold what is known on the evening before it.
    pub business_date: Day,
}

impl Default for DemoConfig {
    fn default() -> DemoConfig {
        // A Monday three weeks before Double-11, with two earlier ones in the history.
        DemoConfig { items: 2000, days: 730, seed: 1, business_date: Day(20381) }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DemoConfigError {
    #[error("{0} items: the demo has 60 to 50000")]
    Items(usize),
    #[error("{0} days of history: the demo has 120 to 1500")]
    Days(usize),
    #[error("history from {0} and business date {1}: the calendars hold 2018-02-01 to 2027-08-31")]
    Calendar(Day, Day),
}

impl DemoConfig {
    pub fn check(&self) -> Result<(), DemoConfigError> {
        if !(60..=50_000).contains(&self.items) {
            return Err(DemoConfigError::Items(self.items));
        }
        if !(120..=1500).contains(&self.days) {
            return Err(DemoConfigError::Days(self.days));
        }
        let start = self.business_date - self.days as i32;
        // 2018-02-01 and 2027-08-31: every event with an effect is then in the shipped calendars.
        if start < Day(17563) || self.business_date > Day(21061) {
            return Err(DemoConfigError::Calendar(start, self.business_date));
        }
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct DemoManifest {
    /// Input table and file, in an order in which they can be imported.
    pub files: Vec<(&'static str, PathBuf)>,
    pub items: u64,
    /// Item × selling location with a history.
    pub series: u64,
    /// Days of these series on sale, and those on which stock hid demand.
    pub series_days: u64,
    pub censored_days: u64,
    pub sales_rows: u64,
    pub purchase_order_rows: u64,
    pub event_log_rows: u64,
    pub truth_rows: u64,
}

/// Writes `dir/in` and `dir/truth`, replacing files of the same names. `progress` is told what is
/// being made.
///
/// # Errors
/// When the configuration is out of range or a file cannot be written.
pub fn write_demo(
    config: &DemoConfig,
    dir: &Path,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<DemoManifest> {
    config.check()?;
    progress("Laying out the shop");
    let world = World::new(config)?;
    output::write(&world, dir, &mut progress)
}
