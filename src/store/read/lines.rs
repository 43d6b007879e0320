//! The plan: its lines, its totals, what is held and what was found odd.

use granary_models::policy::reason::role;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, FromRow};

use super::{UNITS_PER_BASE, contains_pattern};
use crate::store::db::{self, Bind, Db, Query, Readable, Value};

/// One order line with the names of what it is about. Its reason is read apart: it is long.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Line {
    pub run_id: String,
    pub line_key: String,
    pub kind: String,
    pub state: String,
    pub held_because: String,
    pub item_id: String,
    pub item_name: String,
    pub location_id: String,
    pub location_name: String,
    pub supplier_id: String,
    pub supplier_name: String,
    pub source_location_id: String,
    /// Smallest units of the item.
    pub qty: i64,
    pub qty_decimals: i64,
    pub base_uom: String,
    /// In `order_uom`.
    pub order_qty: i64,
    pub order_uom: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    /// Quantity times unit cost.
    pub value_minor: i64,
    pub currency: String,
    pub order_on: String,
    pub expected_on: String,
    pub need_on: String,
    pub priority: i64,
    pub expected_value_minor: i64,
    /// The released revision that it changes, or changed.
    pub revises: Option<i64>,
}

/// One step from need to final quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    #[serde(default)]
    pub step: String,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub value: Option<f64>,
    /// `term`, `fact` or `sum`: what it is to the arithmetic.
    #[serde(default, skip_deserializing)]
    pub role: &'static str,
}

#[derive(Deserialize)]
struct Reason {
    steps: Vec<Step>,
}

/// The steps of a stored reason. What is not in the agreed form is shown as it is, not lost.
pub fn steps_of(reason: &str) -> Vec<Step> {
    match serde_json::from_str::<Reason>(reason) {
        Ok(mut reason) => {
            for step in &mut reason.steps {
                step.role = role(&step.step).as_str();
            }
            reason.steps
        }
        Err(_) if reason.is_empty() => Vec::new(),
        Err(_) => {
            vec![Step { step: String::new(), text: reason.to_owned(), value: None, role: "fact" }]
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    Priority,
    Item,
    Location,
    Supplier,
    Kind,
    State,
    Qty,
    Value,
    OrderOn,
    NeedOn,
    ExpectedValue,
}

impl Sort {
    pub const ALL: [Sort; 11] = [
        Sort::Priority,
        Sort::Item,
        Sort::Location,
        Sort::Supplier,
        Sort::Kind,
        Sort::State,
        Sort::Qty,
        Sort::Value,
        Sort::OrderOn,
        Sort::NeedOn,
        Sort::ExpectedValue,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Priority => "priority",
            Sort::Item => "item",
            Sort::Location => "location",
            Sort::Supplier => "supplier",
            Sort::Kind => "kind",
            Sort::State => "state",
            Sort::Qty => "qty",
            Sort::Value => "value",
            Sort::OrderOn => "order_on",
            Sort::NeedOn => "need_on",
            Sort::ExpectedValue => "expected_value",
        }
    }

    pub fn parse(text: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.as_str() == text)
    }

    fn column(self) -> &'static str {
        match self {
            Sort::Priority => "l.priority",
            Sort::Item => "l.item_id",
            Sort::Location => "l.location_id",
            Sort::Supplier => "l.supplier_id || l.source_location_id",
            Sort::Kind => "l.kind",
            Sort::State => "l.state",
            Sort::Qty => "l.qty * 1.0 / (units_per_base)",
            Sort::Value => "value_minor",
            Sort::OrderOn => "l.order_on",
            Sort::NeedOn => "l.need_on",
            Sort::ExpectedValue => "l.expected_value_minor",
        }
    }
}

/// Which lines, in which order. Empty conditions match everything.
#[derive(Clone, Debug, Default)]
pub struct LineQuery {
    pub run_id: String,
    /// Found in the item's, location's or supplier's id or name.
    pub text: Option<String>,
    pub kind: Option<String>,
    pub state: Option<String>,
    pub held_because: Option<String>,
    pub supplier_id: Option<String>,
    pub location_id: Option<String>,
    pub item_id: Option<String>,
    pub line_key: Option<String>,
    pub sort: Sort,
    pub descending: bool,
    /// `None`: all.
    pub limit: Option<i64>,
    pub offset: i64,
}

impl LineQuery {
    pub fn of_run(run_id: &str) -> LineQuery {
        LineQuery { run_id: run_id.to_owned(), ..LineQuery::default() }
    }

    fn push_conditions(&self, query: &mut Made) {
        query.push(" WHERE l.run_id = ").push_bind(self.run_id.as_str());
        let equal = [
            ("l.kind", &self.kind),
            ("l.state", &self.state),
            ("l.held_because", &self.held_because),
            ("l.supplier_id", &self.supplier_id),
            ("l.location_id", &self.location_id),
            ("l.item_id", &self.item_id),
            ("l.line_key", &self.line_key),
        ];
        for (column, wanted) in equal {
            if let Some(wanted) = wanted {
                query.push(" AND ").push(column).push(" = ").push_bind(wanted);
            }
        }
        if let Some(text) = self.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            let pattern = contains_pattern(&text.to_lowercase());
            let columns = [
                "l.item_id",
                "i.name",
                "l.location_id",
                "p.name",
                "l.supplier_id",
                "s.name",
                "l.source_location_id",
            ];
            for (n, column) in columns.into_iter().enumerate() {
                let or = if n == 0 { " AND (" } else { " OR " };
                query.push(or).push("lower(").push(column).push(") LIKE ");
                query.push_bind(pattern.as_str()).push(" ESCAPE '\\'");
            }
            query.push(")");
        }
    }
}

/// A statement that is put together; its values stand apart from its text.
struct Made {
    sql: String,
    values: Vec<Value>,
}

impl Made {
    fn new(sql: &str) -> Made {
        Made { sql: sql.to_owned(), values: Vec::new() }
    }

    fn push(&mut self, sql: &str) -> &mut Made {
        self.sql.push_str(sql);
        self
    }

    fn push_bind(&mut self, value: impl Bind) -> &mut Made {
        self.values.push(value.value());
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    fn of<T: Readable>(self) -> Query<T> {
        let query = db::query_as(AssertSqlSafe(self.sql));
        self.values.into_iter().fold(query, Query::bind)
    }
}

const JOINS: &str = " FROM reorder_line l \
     LEFT JOIN item i ON i.item_id = l.item_id \
     LEFT JOIN location p ON p.location_id = l.location_id \
     LEFT JOIN supplier s ON s.supplier_id = l.supplier_id";

/// Quantity times unit cost, in minor units, rounded half up.
fn value_minor() -> String {
    format!(
        "CAST((l.qty * l.unit_cost_minor + ({UNITS_PER_BASE}) / 2) / ({UNITS_PER_BASE}) AS BIGINT)"
    )
}

pub async fn lines(db: &mut Db, wanted: &LineQuery) -> sqlx::Result<Vec<Line>> {
    let mut query = Made::new(
        "SELECT l.run_id, l.line_key, l.kind, l.state, l.held_because, l.item_id, \
         coalesce(i.name, '') AS item_name, l.location_id, coalesce(p.name, '') AS location_name, \
         l.supplier_id, coalesce(s.name, '') AS supplier_name, l.source_location_id, l.qty, \
         coalesce(i.qty_decimals, 0) AS qty_decimals, coalesce(i.base_uom, 'each') AS base_uom, \
         l.order_qty, l.order_uom, l.unit_cost_minor, l.currency, l.order_on, l.expected_on, \
         l.need_on, l.priority, l.expected_value_minor, l.revises, ",
    );
    query.push(&value_minor()).push(" AS value_minor").push(JOINS);
    wanted.push_conditions(&mut query);
    let order = wanted.sort.column().replace("units_per_base", UNITS_PER_BASE);
    query.push(" ORDER BY ").push(&order).push(if wanted.descending { " DESC" } else { "" });
    // The key last: pages of equal values must not show one line twice and another never.
    query.push(", l.priority, l.line_key LIMIT ").push_bind(wanted.limit.unwrap_or(i64::MAX));
    query.push(" OFFSET ").push_bind(wanted.offset);
    query.of().fetch_all(db).await
}

pub async fn count_lines(db: &mut Db, wanted: &LineQuery) -> sqlx::Result<i64> {
    let mut query = Made::new("SELECT count(*)");
    query.push(JOINS);
    wanted.push_conditions(&mut query);
    let (lines,) = query.of().fetch_one(db).await?;
    Ok(lines)
}

/// The stored reason of one line, JSON.
pub async fn reason(db: &mut Db, run_id: &str, line_key: &str) -> sqlx::Result<Option<String>> {
    db::query_scalar("SELECT reason FROM reorder_line WHERE run_id = $1 AND line_key = $2")
        .bind(run_id)
        .bind(line_key)
        .fetch_optional(db)
        .await
}

/// Lines of one kind, state, holding code and currency.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Total {
    pub kind: String,
    pub state: String,
    pub held_because: String,
    pub currency: String,
    pub lines: i64,
    pub value_minor: i64,
    pub expected_value_minor: i64,
}

/// The whole plan added up, by kind, state, code and currency.
pub async fn totals(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Total>> {
    let mut query = Made::new(
        "SELECT l.kind, l.state, l.held_because, l.currency, count(*) AS lines, \
         CAST(sum(l.expected_value_minor) AS BIGINT) AS expected_value_minor, CAST(sum(",
    );
    query.push(&value_minor()).push(
        ") AS BIGINT) AS value_minor FROM reorder_line l LEFT JOIN item i ON i.item_id = l.item_id \
         WHERE l.run_id = ",
    );
    query.push_bind(run_id);
    query.push(
        " GROUP BY l.kind, l.state, l.held_because, l.currency \
         ORDER BY l.kind, l.state, l.held_because, l.currency",
    );
    query.of().fetch_all(db).await
}

/// The currency of most of the plan's lines; empty without lines.
pub fn main_currency(totals: &[Total]) -> &str {
    let mut lines: std::collections::BTreeMap<&str, i64> = std::collections::BTreeMap::new();
    for total in totals {
        *lines.entry(&total.currency).or_default() += total.lines;
    }
    lines.into_iter().max_by_key(|&(_, lines)| lines).map_or("", |(currency, _)| currency)
}

/// A value of a filter and how many lines have it.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Choice {
    pub value: String,
    pub name: String,
    pub lines: i64,
}

pub async fn suppliers(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Choice>> {
    db::query_as(
        "SELECT l.supplier_id AS value, coalesce(s.name, '') AS name, count(*) AS lines \
         FROM reorder_line l LEFT JOIN supplier s ON s.supplier_id = l.supplier_id \
         WHERE l.run_id = $1 AND l.supplier_id <> '' GROUP BY l.supplier_id, s.name \
         ORDER BY l.supplier_id",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}

pub async fn locations(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Choice>> {
    db::query_as(
        "SELECT l.location_id AS value, coalesce(p.name, '') AS name, count(*) AS lines \
         FROM reorder_line l LEFT JOIN location p ON p.location_id = l.location_id \
         WHERE l.run_id = $1 GROUP BY l.location_id, p.name \
         ORDER BY l.location_id",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct FindingGroup {
    pub severity: String,
    pub code: String,
    pub findings: i64,
    pub occurrences: i64,
    /// The detail of the first one.
    pub example: String,
}

/// Findings by code, errors first.
pub async fn finding_groups(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<FindingGroup>> {
    db::query_as(
        "SELECT g.severity, g.code, g.findings, g.occurrences, f.detail AS example \
         FROM (SELECT severity, code, count(*) AS findings, \
                 CAST(sum(occurrences) AS BIGINT) AS occurrences, \
                 min(finding_no) AS first_no \
               FROM finding WHERE run_id = $1 GROUP BY severity, code) g \
         JOIN finding f ON f.run_id = $1 AND f.finding_no = g.first_no \
         ORDER BY CASE g.severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, \
           g.occurrences DESC, g.code",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct FindingRow {
    pub finding_no: i64,
    pub severity: String,
    pub code: String,
    pub item_id: String,
    pub location_id: String,
    pub detail: String,
    pub occurrences: i64,
}

/// Findings in stored order; `code` of `None` is all of them.
pub async fn findings(
    db: &mut Db,
    run_id: &str,
    code: Option<&str>,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<FindingRow>> {
    db::query_as(
        "SELECT finding_no, severity, code, item_id, location_id, detail, occurrences \
         FROM finding WHERE run_id = $1 AND ($2 IS NULL OR code = $2) \
         ORDER BY finding_no LIMIT $3 OFFSET $4",
    )
    .bind(run_id)
    .bind(code)
    .bind(limit)
    .bind(offset)
    .fetch_all(db)
    .await
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Production {
    pub run_id: String,
    pub item_id: String,
    pub item_name: String,
    pub location_id: String,
    pub location_name: String,
    pub qty: i64,
    pub qty_decimals: i64,
    pub base_uom: String,
    pub start_on: String,
    pub ready_on: String,
    pub sell_all_probability: f64,
    pub expected_value_minor: i64,
    pub currency: String,
    pub reason: String,
}

/// What to make, the most valuable first; one item's with `item_id`.
pub async fn production(
    db: &mut Db,
    run_id: &str,
    item_id: Option<&str>,
) -> sqlx::Result<Vec<Production>> {
    db::query_as(
        "SELECT p.run_id, p.item_id, coalesce(i.name, '') AS item_name, p.location_id, \
           coalesce(c.name, '') AS location_name, p.qty, \
           coalesce(i.qty_decimals, 0) AS qty_decimals, coalesce(i.base_uom, 'each') AS base_uom, \
           p.start_on, p.ready_on, p.sell_all_probability, p.expected_value_minor, \
           coalesce(i.currency, '') AS currency, p.reason \
         FROM production_suggestion p LEFT JOIN item i ON i.item_id = p.item_id \
         LEFT JOIN location c ON c.location_id = p.location_id \
         WHERE p.run_id = $1 AND ($2 IS NULL OR p.item_id = $2) \
         ORDER BY p.expected_value_minor DESC, p.item_id, p.location_id",
    )
    .bind(run_id)
    .bind(item_id)
    .fetch_all(db)
    .await
}
