//! The map: a TOML that says how a file's columns become a table's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Context;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::OnUnknown;

/// One map file. Every key is optional; without a map, headers are the table's column names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Map {
    /// For people.
    pub about: String,
    /// Refuses a KIND other than this.
    pub kind: Option<String>,
    /// `utf-8`, `utf-16le`, `utf-16be` or `gb18030`; a byte-order mark needs no declaration.
    pub encoding: Option<String>,
    pub delimiter: Option<char>,
    /// IANA zone whose date the UTC times of an iCalendar file have; goes before the file's own.
    pub time_zone: Option<String>,
    /// Sheet of a workbook; the first without it.
    pub sheet: Option<String>,
    /// Texts that mean "no value", beside the empty text, in every column.
    pub null_values: Vec<String>,
    /// strptime formats tried in order, for every date column.
    pub date_formats: Vec<String>,
    /// Quantities over this, in base units, are absurd.
    pub max_qty: Option<i64>,
    /// Largest share of rejected rows per table.
    pub reject_limit: Option<f64>,
    /// Source columns that feed nothing; `*` ignores all that no rule uses.
    pub ignore: Vec<String>,
    /// Key for hashed identities; the environment's GRANARY_HASH_SALT goes before it.
    pub hash_salt: Option<String>,
    pub defaults: Defaults,
    pub columns: BTreeMap<String, Rule>,
    pub combine: BTreeMap<String, Combine>,
    pub conflict: Conflict,
    pub unknown: UnknownPolicy,
    /// Rows refused before any rule runs.
    pub exclude: Vec<Exclude>,
    /// Further tables that the same file feeds, in the same pass.
    pub also: Vec<Also>,
    /// blake3 of the map's bytes, not in the file.
    #[serde(skip)]
    pub digest: String,
}

/// Master data for upstreams that have none; stored, and every use is a finding.
#[derive(Clone, Debug, Default, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_time_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shelf_life_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_cost_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Stands for every item's supplier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier_id: Option<String>,
    /// Stock to start from where nothing was counted, in days of mean demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hand_cover_days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_level: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_uom: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty_decimals: Option<u8>,
}

impl Defaults {
    /// Key and text of each value that the map gives, sorted by key.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(self) else {
            return Vec::new();
        };
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let mut pairs: Vec<_> = fields.into_iter().map(|(key, v)| (key, text(v))).collect();
        pairs.sort();
        pairs
    }

    fn check(&self) -> anyhow::Result<()> {
        let bounds: [(&str, Option<i64>, i64); 7] = [
            ("lead_time_days", self.lead_time_days, 0),
            ("review_days", self.review_days, 1),
            ("moq", self.moq, 0),
            ("multiple", self.multiple, 1),
            ("shelf_life_days", self.shelf_life_days, 1),
            ("unit_cost_minor", self.unit_cost_minor, 0),
            ("unit_price_minor", self.unit_price_minor, 0),
        ];
        for (name, value, least) in bounds {
            anyhow::ensure!(
                value.is_none_or(|value| value >= least),
                "[defaults] {name} should be at least {least}, but is {}",
                value.unwrap_or_default()
            );
        }
        if let Some(level) = self.service_level {
            anyhow::ensure!(
                level > 0.0 && level < 1.0,
                "[defaults] service_level should be between 0 and 1, but is {level}"
            );
        }
        if let Some(decimals) = self.qty_decimals {
            anyhow::ensure!(
                decimals <= 6,
                "[defaults] qty_decimals should be in [0, 6], but is {decimals}"
            );
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    pub table: String,
    pub columns: BTreeMap<String, Rule>,
    #[serde(default)]
    pub combine: BTreeMap<String, Combine>,
    #[serde(default)]
    pub conflict: Conflict,
    #[serde(default)]
    pub unknown: UnknownPolicy,
    /// Rows for which this is false do not concern the table and are not counted in its books.
    #[serde(default)]
    pub when: Option<Condition>,
}

/// What becomes of rows with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    Sum,
    Max,
    Min,
    First,
    /// Number of different values, as of shoppers in a day.
    Distinct,
    /// Revenue over quantity, rounded to a minor unit: the price that was paid on average.
    RevenuePerQty,
}

/// Rows with one key and different values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// All of them are rejected, each naming the other.
    #[default]
    Reject,
    /// The first in the order of files and rows stands; the others count as duplicates.
    First,
    /// The last stands.
    Last,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnknownPolicy {
    pub item: Option<OnUnknown>,
    pub location: Option<OnUnknown>,
    pub supplier: Option<OnUnknown>,
}

/// True when every part that is given holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    pub column: String,
    /// The cell is one of these texts.
    pub is: Vec<String>,
    pub prefix: Option<String>,
    pub at_most: Option<f64>,
    /// The cell is empty or a null text.
    pub blank: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    pub when: Condition,
    /// The reason that the rejection gives.
    pub because: String,
}

/// How one column of a table is made. A bare text is a source column's name, or a template when it
/// has braces: `"{city_id}-{store_id}"`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleTable {
    pub from: Option<String>,
    pub template: Option<String>,
    pub constant: Option<toml::Value>,
    /// Template whose text is replaced by a keyed hash.
    pub hash: Option<String>,
    /// Multiplied with `from`: line quantity × unit price.
    pub times: Option<String>,
    pub when: Option<Condition>,
    pub unless: Option<Condition>,
    /// The value where the condition does not hold; else the column's default.
    pub otherwise: Option<toml::Value>,
    /// Other words for a value; what is not listed stays as it is.
    pub values: BTreeMap<String, String>,
    pub null_values: Vec<String>,
    pub formats: Vec<String>,
    pub shift_hours: i64,
    /// Decimals of a major unit, for money: 2 turns 6.95 into 695.
    pub scale: u32,
    pub factor: Option<f64>,
    pub offset: Option<f64>,
    pub clamp: Option<[f64; 2]>,
    pub round: bool,
    pub abs: bool,
    /// Text to capitals, so that `85123a` and `85123A` are one item.
    pub upper: bool,
}

#[derive(Clone, Debug)]
pub struct Rule(pub RuleTable);

impl Rule {
    pub fn from_text(text: &str) -> Rule {
        let table = if text.contains('{') {
            RuleTable { template: Some(text.to_owned()), ..RuleTable::default() }
        } else {
            RuleTable { from: Some(text.to_owned()), ..RuleTable::default() }
        };
        Rule(table)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
        struct TextOrTable;
        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Rule;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "a source column's name, a template, or a table such as { from = \"…\" }",
                )
            }
            fn visit_str<E>(self, text: &str) -> Result<Rule, E> {
                Ok(Rule::from_text(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                RuleTable::deserialize(MapAccessDeserializer::new(map)).map(Rule)
            }
        }
        deserializer.deserialize_any(TextOrTable)
    }
}

impl Map {
    /// Every row has `value` in `column`, whatever the file says.
    pub fn set(&mut self, column: &str, value: toml::Value) {
        let rule = RuleTable { constant: Some(value), ..RuleTable::default() };
        self.columns.insert(column.to_owned(), Rule(rule));
    }

    /// The source columns that some rule or condition names, in lower case.
    pub fn columns_named(&self) -> BTreeSet<String> {
        let rules = self.also.iter().flat_map(|also| also.columns.values());
        let rules: Vec<&RuleTable> =
            self.columns.values().chain(rules).map(|rule| &rule.0).collect();
        let excluded = self.exclude.iter().map(|exclude| &exclude.when);
        let chosen = self.also.iter().filter_map(|also| also.when.as_ref());
        let within = rules.iter().flat_map(|rule| rule.when.iter().chain(&rule.unless));
        let mut names: BTreeSet<String> = excluded
            .chain(chosen)
            .chain(within)
            .map(|condition| condition.column.trim().to_lowercase())
            .collect();
        for rule in rules {
            names
                .extend(rule.from.iter().chain(&rule.times).map(|name| name.trim().to_lowercase()));
            for template in rule.template.iter().chain(&rule.hash) {
                let parts = template.split('{').skip(1).filter_map(|part| part.split_once('}'));
                names.extend(parts.map(|(name, _)| name.trim().to_lowercase()));
            }
        }
        names
    }

    /// Whether lines are summed to rows, here or for a further table.
    pub fn combines(&self) -> bool {
        !self.combine.is_empty() || self.also.iter().any(|also| !also.combine.is_empty())
    }

    /// Errors give the line and column in the file.
    pub fn parse(text: &str) -> anyhow::Result<Map> {
        let mut map: Map = toml::from_str(text)?;
        map.defaults.check()?;
        if let Some(limit) = map.reject_limit {
            anyhow::ensure!(
                (0.0..=1.0).contains(&limit),
                "reject_limit should be in [0, 1], but is {limit}"
            );
        }
        map.digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(map)
    }

    pub fn load(path: &Path) -> anyhow::Result<Map> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the map {}", path.display()))?;
        Map::parse(&text).with_context(|| format!("the map {} is wrong", path.display()))
    }
}
