//! Trouble with data, as data.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something odd about one SKU's input or result. The caller knows which SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub code: Code,
    /// One sentence with the numbers in it.
    pub detail: String,
}

impl Finding {
    pub fn new(code: Code, detail: impl Into<String>) -> Finding {
        Finding { code, detail: detail.into() }
    }
}

macro_rules! codes {
    ($($variant:ident, $text:literal, $severity:ident, $explain:literal;)*) => {
        /// Every kind of trouble that has a name. `granary explain CODE` prints the long text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity),* }
            }

            /// What it means and what to do about it.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$variant => $explain),* }
            }
        }
    };
}

// Grouped by the part that raises them; add to your group.
codes! {
    // Series and forecasting.
    ShortHistory, "short_history", Info,
        "Too few days with full availability to fit a seasonal model; a simpler one was used.";
    AllCensored, "all_censored", Warning,
        "The item was out of stock on every day of its history, so its demand is unknown.";
    ModelFailed, "model_failed", Warning,
        "A model could not be fitted to this series; the fallback named in the detail was used.";
    EventsIgnored, "events_ignored", Info,
        "Some shopper events were left out of the similarity of items: see the detail.";
    NoNeighbours, "no_neighbours", Warning,
        "No established item resembles this new one; the whole assortment's launches stand in.";
    NoEarlyInterest, "no_early_interest", Info,
        "The new item has no views, carts or favourites yet; its neighbours alone set its scale.";
    NoLaunchSeen, "no_launch_seen", Info,
        "No item was launched within the history, so a new item is expected to sell evenly.";
    // Supply and planning.
    DefaultUsed, "default_used", Info,
        "Master data had no value; the default of the job's TOML or the import map was used.";
    PromiseLate, "promise_late", Warning,
        "A batch started today is not ready for every reservation's promised date.";
    PromiseNotCovered, "promise_not_covered", Error,
        "Paid reservations stay without stock: making them loses more than the limit allows.";
    BatchAtLoss, "batch_at_loss", Warning,
        "The batch is expected to lose money and is suggested only to keep what was promised.";
    BatchCapacityShort, "batch_capacity_short", Warning,
        "The maker's capacity is below what is already reserved, or below its own minimum.";
    // Gates.
    // Service.
}

impl Code {
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let text = String::deserialize(deserializer)?;
        Code::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a finding's code")))
    }
}
