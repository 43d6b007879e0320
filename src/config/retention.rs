//! How long rows are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Days that rows are kept, by table. What is not named is kept for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Retention(pub BTreeMap<String, i32>);

const LEAST_DAYS: i32 = 7;
const MOST_DAYS: i32 = 36_500;

impl Retention {
    /// What can be named. `run` is a plan with everything that belongs to it.
    pub const TABLES: [&str; 15] = [
        "sales",
        "stock",
        "stock_lot",
        "behaviour",
        "event_log",
        "presale",
        "weather",
        "promotion",
        "calendar_event",
        "run",
        "run_attempt",
        "job_event",
        "import_rejection",
        "import_batch",
        "purge_log",
    ];

    /// Refuses names that nothing has, and days that would empty a table.
    pub fn check(&self) -> Result<(), String> {
        for (name, &days) in &self.0 {
            if !Retention::TABLES.contains(&name.as_str()) {
                let known = Retention::TABLES.join(", ");
                return Err(format!("retention.{name} is unknown; there are {known}"));
            }
            if !(LEAST_DAYS..=MOST_DAYS).contains(&days) {
                return Err(format!(
                    "retention.{name} is {days}, should be in {LEAST_DAYS}..={MOST_DAYS} days"
                ));
            }
        }
        Ok(())
    }
}
