//! The rows of a run, as its tables have them.

use std::sync::Arc;

use granary_models::backtest::panel::EffectRow;
use granary_models::plan::gates::OrderTerms;

use crate::store::gates::TermsKey;
use crate::store::memory::MemoryRows;
use crate::store::release::By;
use crate::store::release::settle::Carried;

/// Everything a run has to say, as rows. Texts that repeat are shared.
#[derive(Default)]
pub struct RunRows {
    pub run: RunRow,
    pub forecast_series: Vec<ForecastSeriesRow>,
    pub forecasts: Vec<ForecastRow>,
    pub effects: Vec<EffectRow>,
    pub lines: Vec<LineRow>,
    pub projections: Vec<ProjectionRow>,
    pub productions: Vec<ProductionRow>,
    pub exceptions: Vec<OrderExceptionRow>,
    pub exits: Vec<StockExitRow>,
    pub limits: Vec<PlanLimitRow>,
    pub findings: Vec<FindingRow>,
    pub segments: Vec<SegmentRow>,
    pub kpis: Vec<KpiRow>,
    pub scores: Vec<ScoreRow>,
    pub facts: Vec<RunFactRow>,
    /// Terms that no plan before was made on.
    pub terms: Vec<PlannedTermsRow>,
    /// What later nights go on with.
    pub memory: MemoryRows,
    /// What was released before, as far as the night has a say in it.
    pub carried: Carried,
    /// Whose word publishes the plan in spite of the gates that held it; `None` where none did.
    pub lifted: Option<Lifted>,
}

/// A person's word that a plan which gates held goes out as it stands.
#[derive(Clone, Debug)]
pub struct Lifted {
    pub by: By,
    pub reason: String,
    /// Codes of the gates, separated by commas.
    pub gates: String,
}

#[derive(Default)]
pub struct RunRow {
    pub job: String,
    pub business_date: String,
    /// The gate that holds the whole plan; empty when it is published.
    pub held_because: String,
    pub config_digest: String,
    pub input_digest: String,
    pub seed: i64,
    pub version: String,
    pub counts: String,
}

impl RunRow {
    pub fn run_id(&self) -> String {
        if self.held_because.is_empty() {
            format!("{}@{}", self.job, self.business_date)
        } else {
            self.run_id_held()
        }
    }

    /// Under which a held plan of the same date stands.
    pub fn run_id_held(&self) -> String {
        format!("{}@{}!held", self.job, self.business_date)
    }

    pub fn state(&self) -> &'static str {
        if self.held_because.is_empty() { "published" } else { "held" }
    }
}

pub struct ForecastSeriesRow {
    pub item_id: Arc<str>,
    pub location_id: Arc<str>,
    pub demand_class: &'static str,
    pub model: String,
    pub runner_up: String,
    pub margin: Option<f64>,
    pub history_days: i64,
    pub censored_days: i64,
    pub daily_mean: f64,
    pub dispersion: f64,
    pub correlation: f64,
    pub components: String,
}

pub struct ForecastRow {
    pub item_id: Arc<str>,
    pub location_id: Arc<str>,
    pub date: Arc<str>,
    pub mean: f64,
    pub quantiles: [f64; 9],
}

pub struct LineRow {
    pub line_key: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub item_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub location_id: String,
    pub qty: i64,
    pub order_qty: i64,
    pub order_uom: String,
    pub unit_cost_minor: i64,
    pub currency: String,
    pub order_on: String,
    pub expected_on: String,
    pub need_on: String,
    pub priority: i64,
    pub expected_value_minor: i64,
    pub reason: String,
    pub held_because: String,
    /// The most that an override may say without another person; `None` where nothing is known.
    pub cap_qty: Option<i64>,
}

pub struct ProjectionRow {
    pub item_id: Arc<str>,
    pub location_id: Arc<str>,
    pub projection: String,
}

pub struct ProductionRow {
    pub item_id: String,
    pub location_id: String,
    pub qty: i64,
    pub start_on: String,
    pub ready_on: String,
    pub sell_all_probability: f64,
    pub expected_value_minor: i64,
    pub reason: String,
}

pub struct FindingRow {
    pub severity: &'static str,
    pub code: &'static str,
    pub item_id: String,
    pub location_id: String,
    pub detail: String,
    pub occurrences: i64,
}

pub struct SegmentRow {
    pub item_id: Arc<str>,
    pub location_id: Arc<str>,
    pub abc: &'static str,
    pub xyz: &'static str,
    /// Empty where nothing tells.
    pub role: &'static str,
    pub quadrant: &'static str,
}

pub struct KpiRow {
    pub name: &'static str,
    /// Empty for the whole plan, else `location`, `category` or `supplier`.
    pub scope: &'static str,
    pub scope_id: String,
    pub value: f64,
    pub unit: &'static str,
}

pub struct ScoreRow {
    pub demand_class: String,
    pub model: String,
    pub series: i64,
    pub wape: Option<f64>,
    pub bias: Option<f64>,
    pub pinball: Option<f64>,
    pub coverage90: Option<f64>,
}

pub struct OrderExceptionRow {
    pub item_id: String,
    pub location_id: String,
    pub po_id: String,
    pub line_no: String,
    pub supplier_id: String,
    pub action: &'static str,
    pub qty: i64,
    pub due_on: String,
    pub move_to: String,
    pub value_minor: i64,
    pub currency: String,
    pub detail: String,
}

pub struct StockExitRow {
    pub item_id: String,
    pub location_id: String,
    pub qty: i64,
    pub days_without_sale: Option<i64>,
    pub cover_days: Option<f64>,
    pub value_minor: i64,
    pub proposal: &'static str,
    pub to_location_id: String,
    pub depth: Option<f64>,
    pub expected_recovery_minor: i64,
    pub currency: String,
    pub detail: String,
}

pub struct PlanLimitRow {
    pub name: String,
    pub scope: String,
    pub unit: String,
    pub amount: f64,
    pub wanted: f64,
    pub used: f64,
    pub price: f64,
}

/// A figure that the next run is compared with.
pub struct RunFactRow {
    /// `input`, `default`, `value` or `count`.
    pub kind: &'static str,
    pub name: String,
    pub value: i64,
}

pub struct PlannedTermsRow {
    pub key: TermsKey,
    pub terms: OrderTerms,
    /// The change holds its lines.
    pub held: bool,
}
