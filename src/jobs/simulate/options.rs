//! What a simulation's TOML file says.

use std::path::{Path, PathBuf};

use anyhow::Context;
use granary_models::backtest::partial::PartialDays;
use granary_models::policy::order::Target;
use granary_models::policy::projection::{Issue, Shortage};
use granary_models::simulate::item::{Knowledge, PartialDemand};
use granary_models::simulate::policy::base_stock::BaseStock;
use granary_models::simulate::policy::granary::Granary;
use granary_models::simulate::policy::min_max::MinMax;
use granary_models::simulate::policy::seasonal_naive_cover::{
    SeasonalForecast, SeasonalNaiveCover,
};
use granary_models::simulate::policy::{Policy, PolicyKind};
use serde::{Deserialize, Serialize};

use crate::config::{Exit, Refused};
use crate::sources::nearest;

const KINDS: [&str; 6] =
    ["granary", "min_max", "base_stock", "seasonal_naive_cover", "perfect_information", "recorded"];

/// Unknown keys are refused, because a misspelt cost is no cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub freq: Option<String>,
    pub season: Option<Vec<u64>>,
    #[serde(default = "one")]
    pub review_every_periods: u64,
    /// An order placed at the end of period X is usable in X + this.
    pub lead_periods: Value,
    pub shortage: ShortageKind,
    #[serde(default)]
    pub issue: IssueKind,
    #[serde(default)]
    pub knowledge: Knowledge,
    #[serde(default)]
    pub partial_demand: PartialDemand,
    #[serde(default = "expected")]
    pub partial_days: PartialDays,
    #[serde(default)]
    pub warm_up_periods: u64,
    pub scored_periods: u64,
    #[serde(default = "one")]
    pub seed: u64,
    #[serde(default = "usual_paths")]
    pub paths: u64,
    #[serde(default = "usual_refit")]
    pub refit_every_reviews: u64,
    /// Decimals of a quantity; without it as many as the table has.
    pub qty_decimals: Option<u64>,
    #[serde(default = "nothing")]
    pub moq: Value,
    #[serde(default = "no_multiple")]
    pub multiple: Value,
    pub shelf_life_periods: Option<Value>,
    pub costs: CostOptions,
    #[serde(default)]
    pub start: StartOptions,
    pub items: Option<ItemsOptions>,
    pub business: Option<BusinessOptions>,
    #[serde(default)]
    pub policies: Vec<PolicyOptions>,
}

/// A number for all series, or a column with one for each: `3`, `"lead_weeks"`, or
/// `{ column = "holding_per_year", times = 0.019 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "want a number, a column's name, or { column, times, plus }")]
pub enum Value {
    Number(f64),
    Column(String),
    Scaled(Scaled),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scaled {
    pub column: String,
    #[serde(default = "unity")]
    pub times: f64,
    #[serde(default)]
    pub plus: f64,
}

impl Value {
    pub fn column(&self) -> Option<&str> {
        match self {
            Value::Number(_) => None,
            Value::Column(name) => Some(name),
            Value::Scaled(scaled) => Some(&scaled.column),
        }
    }

    /// What a cell of the column stands for.
    pub fn of(&self, cell: f64) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Column(_) => cell,
            Value::Scaled(scaled) => cell * scaled.times + scaled.plus,
        }
    }
}

/// Money per unit and period, in any currency.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CostOptions {
    pub holding: Value,
    pub shortage: Value,
    #[serde(default = "nothing")]
    pub order: Value,
    #[serde(default = "nothing")]
    pub unit: Value,
    /// Of a unit that expires; usually its cost.
    pub waste: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StartOptions {
    pub on_hand: Option<Value>,
    /// Received in the first, second, … simulated period.
    #[serde(default)]
    pub due: Vec<Value>,
    pub cover_periods: Option<u64>,
}

/// A table with a row per series.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsOptions {
    /// Relative to the options' own folder.
    pub file: PathBuf,
    #[serde(default = "unique_id")]
    pub id_col: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessOptions {
    /// Name of the policy that the business orders by today.
    pub policy: String,
    #[serde(default)]
    pub software_cost_per_period: f64,
    #[serde(default)]
    pub introduction_cost: f64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyOptions {
    pub kind: String,
    pub name: Option<String>,
    pub target: Option<String>,
    pub level: Option<f64>,
    pub window_periods: Option<u64>,
    pub z: Option<f64>,
    pub order_cover_periods: Option<f64>,
    pub cover_periods: Option<u64>,
    pub forecast: Option<String>,
    pub column: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortageKind {
    Lost,
    Backordered,
}

impl ShortageKind {
    pub fn model(self) -> Shortage {
        match self {
            ShortageKind::Lost => Shortage::Lost,
            ShortageKind::Backordered => Shortage::BackOrdered,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueKind {
    #[default]
    Fifo,
    Lifo,
}

impl IssueKind {
    pub fn model(self) -> Issue {
        match self {
            IssueKind::Fifo => Issue::Fifo,
            IssueKind::Lifo => Issue::Lifo,
        }
    }
}

fn one() -> u64 {
    1
}

fn unity() -> f64 {
    1.0
}

fn expected() -> PartialDays {
    PartialDays::Expected
}

fn usual_paths() -> u64 {
    256
}

fn usual_refit() -> u64 {
    8
}

fn nothing() -> Value {
    Value::Number(0.0)
}

fn no_multiple() -> Value {
    Value::Number(0.0)
}

fn unique_id() -> String {
    "unique_id".to_owned()
}

/// A sentence about a number out of its range.
fn ranged(key: &str, value: f64, least: f64, most: f64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{key} is {value}; legal is {least} to {most}"))
}

impl Options {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The first key that is unknown, missing or out of range, with its value.
    pub fn read(path: &Path) -> anyhow::Result<Options> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the options {}", path.display()))?;
        Options::parse(&text)
            .map_err(|message| Refused::new(Exit::Usage, format!("{}: {message}", path.display())))
            .map_err(Into::into)
    }

    /// # Errors
    /// As [`Options::read`].
    pub fn parse(text: &str) -> Result<Options, String> {
        let options: Options = toml::from_str(text).map_err(|error| error.to_string())?;
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), String> {
        for (key, value, least, most) in [
            ("review_every_periods", self.review_every_periods, 1, 1_000),
            ("warm_up_periods", self.warm_up_periods, 0, 100_000),
            ("scored_periods", self.scored_periods, 1, 100_000),
            ("paths", self.paths, 10, 10_000),
            ("refit_every_reviews", self.refit_every_reviews, 1, 100_000),
            ("qty_decimals", self.qty_decimals.unwrap_or(0), 0, 6),
            ("start.cover_periods", self.start.cover_periods.unwrap_or(0), 0, 1_000),
        ] {
            ranged(key, value as f64, least as f64, most as f64)?;
        }
        for (at, &season) in self.season.iter().flatten().enumerate() {
            ranged(&format!("season.{at}"), season as f64, 1.0, 10_000.0)?;
        }
        for (key, value, least, most) in self.numbers() {
            if let Value::Number(number) = value {
                ranged(&key, *number, least, most)?;
            }
        }
        if self.start.on_hand.is_none() && !self.start.due.is_empty() {
            return Err("start.due needs start.on_hand".into());
        }
        if self.start.on_hand.is_some() && self.start.cover_periods.is_some() {
            return Err("start has on_hand and cover_periods; want one of them".into());
        }
        let names: Vec<String> = self.policies().map_err(|e| e.to_string())?.into_names();
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            return Err(format!("policies.{twice}: the name {:?} is taken", names[twice]));
        }
        let Some(business) = &self.business else { return Ok(()) };
        ranged("business.software_cost_per_period", business.software_cost_per_period, 0.0, 1e12)?;
        ranged("business.introduction_cost", business.introduction_cost, 0.0, 1e15)?;
        if names.contains(&business.policy) {
            return Ok(());
        }
        Err(format!("business.policy is {:?}; legal is {}", business.policy, names.join(", ")))
    }

    /// Every key that takes a number or a column, with its range.
    pub fn numbers(&self) -> Vec<(String, &Value, f64, f64)> {
        let key = str::to_owned;
        let costs = &self.costs;
        let mut numbers = vec![
            (key("lead_periods"), &self.lead_periods, 1.0, 1_000.0),
            (key("moq"), &self.moq, 0.0, 1e12),
            (key("multiple"), &self.multiple, 0.0, 1e12),
            (key("costs.holding"), &costs.holding, 0.0, 1e9),
            (key("costs.shortage"), &costs.shortage, 0.0, 1e9),
            (key("costs.order"), &costs.order, 0.0, 1e9),
            (key("costs.unit"), &costs.unit, 0.0, 1e9),
        ];
        let optional = [
            ("shelf_life_periods", &self.shelf_life_periods, 1.0, 1e6),
            ("costs.waste", &costs.waste, 0.0, 1e9),
            ("start.on_hand", &self.start.on_hand, 0.0, 1e12),
        ];
        for (name, value, least, most) in optional {
            numbers.extend(value.iter().map(|value| (key(name), value, least, most)));
        }
        for (at, value) in self.start.due.iter().enumerate() {
            numbers.push((format!("start.due.{at}"), value, 0.0, 1e12));
        }
        numbers
    }

    /// The policies in their order; without any, all that need nothing else.
    pub fn policies(&self) -> Result<Policies, String> {
        if self.policies.is_empty() {
            let usual = KINDS[..5]
                .iter()
                .map(|kind| PolicyOptions { kind: (*kind).to_owned(), ..PolicyOptions::default() });
            return usual.map(|policy| policy.policy()).collect::<Result<_, _>>().map(Policies);
        }
        let each = self.policies.iter().enumerate();
        each.map(|(at, policy)| policy.policy().map_err(|why| format!("policies.{at}: {why}")))
            .collect::<Result<_, _>>()
            .map(Policies)
    }

    /// The column of the business's own orders.
    pub fn recorded_column(&self) -> Option<String> {
        let recorded = self.policies.iter().find(|policy| policy.kind == "recorded")?;
        Some(recorded.column.clone().unwrap_or_else(|| "ordered".to_owned()))
    }
}

/// Policies as the models take them.
pub struct Policies(pub Vec<Policy>);

impl Policies {
    fn into_names(self) -> Vec<String> {
        self.0.into_iter().map(|policy| policy.name).collect()
    }
}

impl PolicyOptions {
    fn policy(&self) -> Result<Policy, String> {
        let kind = match self.kind.as_str() {
            "granary" => PolicyKind::Granary(Granary { target: self.target()? }),
            "min_max" => PolicyKind::MinMax(MinMax {
                window_periods: self.window()?,
                z: self.z,
                order_cover_periods: self.order_cover_periods.unwrap_or(4.0),
            }),
            "base_stock" => {
                PolicyKind::BaseStock(BaseStock { window_periods: self.window()?, z: self.z })
            }
            "seasonal_naive_cover" => PolicyKind::SeasonalNaiveCover(self.cover()?),
            "perfect_information" => PolicyKind::PerfectInformation,
            "recorded" => PolicyKind::Recorded,
            other => {
                let near = nearest(other, KINDS.into_iter())
                    .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                return Err(format!("kind is {other:?}{near}; legal is {}", KINDS.join(", ")));
            }
        };
        self.only_its_own_keys()?;
        ranged("z", self.z.unwrap_or(0.0), -10.0, 10.0)?;
        ranged("order_cover_periods", self.order_cover_periods.unwrap_or(0.0), 0.0, 1_000.0)?;
        Ok(Policy { name: self.name.clone().unwrap_or_else(|| self.kind.clone()), kind })
    }

    fn target(&self) -> Result<Target, String> {
        let level = |target: fn(f64) -> Target| {
            let level = self.level.ok_or("level is missing; legal is 0.5 to 0.9999")?;
            ranged("level", level, 0.5, 0.9999)?;
            Ok(target(level))
        };
        match self.target.as_deref() {
            None | Some("money") if self.level.is_none() => Ok(Target::Economics),
            None | Some("money") => Err("level needs target = \"cycle\" or \"fill\"".into()),
            Some("cycle") => level(Target::Cycle),
            Some("fill") => level(Target::Fill),
            Some(other) => Err(format!("target is {other:?}; legal is money, cycle, fill")),
        }
    }

    fn window(&self) -> Result<usize, String> {
        let window = self.window_periods.unwrap_or(26);
        ranged("window_periods", window as f64, 2.0, 10_000.0)?;
        Ok(window as usize)
    }

    fn cover(&self) -> Result<SeasonalNaiveCover, String> {
        let cover = self.cover_periods.unwrap_or(4);
        ranged("cover_periods", cover as f64, 1.0, 1_000.0)?;
        let forecast = match self.forecast.as_deref() {
            None | Some("last_season") if self.window_periods.is_none() => {
                SeasonalForecast::LastSeason
            }
            None | Some("last_season") => {
                return Err("window_periods needs forecast = \"indexed_average\"".into());
            }
            Some("indexed_average") => {
                let window_periods = self.window_periods.unwrap_or(13);
                ranged("window_periods", window_periods as f64, 1.0, 10_000.0)?;
                SeasonalForecast::IndexedAverage { window_periods: window_periods as usize }
            }
            Some(other) => {
                let legal = "last_season, indexed_average";
                return Err(format!("forecast is {other:?}; legal is {legal}"));
            }
        };
        Ok(SeasonalNaiveCover { cover_periods: cover as usize, forecast })
    }

    fn only_its_own_keys(&self) -> Result<(), String> {
        let own: &[&str] = match self.kind.as_str() {
            "granary" => &["target", "level"],
            "min_max" => &["window_periods", "z", "order_cover_periods"],
            "base_stock" => &["window_periods", "z"],
            "seasonal_naive_cover" => &["cover_periods", "forecast", "window_periods"],
            "recorded" => &["column"],
            _ => &[],
        };
        let given = [
            ("target", self.target.is_some()),
            ("level", self.level.is_some()),
            ("window_periods", self.window_periods.is_some()),
            ("z", self.z.is_some()),
            ("order_cover_periods", self.order_cover_periods.is_some()),
            ("cover_periods", self.cover_periods.is_some()),
            ("forecast", self.forecast.is_some()),
            ("column", self.column.is_some()),
        ];
        match given.iter().find(|(key, given)| *given && !own.contains(key)) {
            None => Ok(()),
            Some((key, _)) if own.is_empty() => Err(format!("{} takes no {key}", self.kind)),
            Some((key, _)) => Err(format!("{} takes no {key}, only {}", self.kind, own.join(", "))),
        }
    }
}
