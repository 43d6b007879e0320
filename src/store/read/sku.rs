//! Everything known of one item at one location: past, stock, forecast, projection, lines.

use granary_models::calendar::Day;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::advice::{self, OrderException, StockExit, Wanted};
use super::history;
use super::lines::{self, FindingRow, Line, LineQuery, Production, Step};
use super::runs::Run;
use crate::store::db::{self, Db};
use crate::store::inputs;
use crate::store::release::{on_order, run_release};
use crate::store::split::{MeanParts, StoredSplit};

/// Days of history that a reader is shown.
pub const HISTORY_DAYS: i32 = 120;

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Item {
    pub item_id: String,
    pub name: String,
    pub category: String,
    pub department: String,
    pub base_uom: String,
    pub qty_decimals: i64,
    pub unit_cost_minor: Option<i64>,
    pub unit_price_minor: Option<i64>,
    pub currency: String,
    pub shelf_life_days: Option<i64>,
    pub launched_on: Option<String>,
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Location {
    pub location_id: String,
    pub name: String,
    pub kind: String,
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct SaleDay {
    pub date: String,
    pub qty: i64,
    pub promo_depth: f64,
    pub available_fraction: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ForecastDay {
    pub date: String,
    pub mean: f64,
    pub q01: f64,
    pub q05: f64,
    pub q10: f64,
    pub q25: f64,
    pub q50: f64,
    pub q75: f64,
    pub q90: f64,
    pub q95: f64,
    pub q99: f64,
}

/// How the series was forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    pub demand_class: String,
    pub model: String,
    pub runner_up: String,
    pub margin: Option<f64>,
    pub history_days: i64,
    pub censored_days: i64,
    pub daily_mean: f64,
    /// Steps of a forecast from an item's neighbours.
    pub launch: Option<serde_json::Value>,
    #[serde(skip)]
    split: Option<StoredSplit>,
}

/// What a run keeps of how a forecast came about. Earlier versions kept other things, which nobody
/// reads any more.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Components {
    split: Option<StoredSplit>,
    launch: Option<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Stock {
    pub date: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct OpenOrder {
    pub po_id: String,
    pub line_no: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub ordered_on: Option<String>,
    pub expected_on: Option<String>,
    /// Still to come, smallest units.
    pub open_qty: i64,
}

/// What stock will be, day by day from `from`, in smallest units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Projection {
    pub from: Day,
    pub p10: Vec<f64>,
    pub p50: Vec<f64>,
    pub p90: Vec<f64>,
    pub p50_without: Vec<f64>,
    /// (days after `from`, quantity).
    pub receipts: Vec<(i64, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineWithReason {
    #[serde(flatten)]
    pub line: Line,
    pub reason: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProductionWithReason {
    #[serde(flatten)]
    pub suggestion: Production,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sku {
    pub item: Item,
    pub location: Location,
    pub run: Run,
    pub model: Option<Model>,
    pub segment: Option<Segment>,
    pub history: Vec<SaleDay>,
    pub forecast: Vec<ForecastDay>,
    /// What its means are made of, where the night stored it.
    pub parts: Option<MeanParts>,
    pub stock: Option<Stock>,
    pub open_orders: Vec<OpenOrder>,
    /// What was said, released and taken of the lines here, oldest first.
    pub told: Vec<history::Entry>,
    pub projection: Option<Projection>,
    pub lines: Vec<LineWithReason>,
    pub production: Vec<ProductionWithReason>,
    /// Advice on its open orders.
    pub exceptions: Vec<OrderException>,
    pub exits: Vec<StockExit>,
    pub findings: Vec<FindingRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Segment {
    pub abc: String,
    pub xyz: String,
    /// Traffic, profit, image or custom; empty where nothing tells.
    pub role: String,
    /// Exposure and conversion against the category's.
    pub quadrant: String,
}

impl Sku {
    /// Smallest units still to come.
    pub fn on_order(&self) -> i64 {
        self.open_orders.iter().map(|order| order.open_qty).sum()
    }

    /// On hand + on order − reserved − backordered; `None` where stock was never counted.
    pub fn position(&self) -> Option<i64> {
        let stock = self.stock.as_ref()?;
        Some(stock.on_hand + self.on_order() - stock.reserved - stock.backordered)
    }

    /// Expected demand of the first `days` days of the forecast, smallest units. Means add up over
    /// days; quantiles do not, so there is no such sum of theirs.
    pub fn mean_demand(&self, days: usize) -> Option<f64> {
        let known = self.forecast.get(..days)?;
        Some(known.iter().map(|day| day.mean).sum())
    }

    fn says_nothing(&self) -> bool {
        self.model.is_none()
            && self.history.is_empty()
            && self.stock.is_none()
            && self.lines.is_empty()
            && self.production.is_empty()
    }
}

/// `None` when neither history nor plan knows this item at this location.
pub async fn load(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> anyhow::Result<Option<Sku>> {
    let place = Wanted::Place { item_id, location_id };
    let item = item(db, item_id).await?;
    let location = location(db, location_id).await?;
    let mut lines_of_sku = Vec::new();
    let query = LineQuery {
        item_id: Some(item_id.to_owned()),
        location_id: Some(location_id.to_owned()),
        ..LineQuery::of_run(&run.run_id)
    };
    for line in lines::lines(db, &query).await? {
        let reason = lines::reason(db, &run.run_id, &line.line_key).await?.unwrap_or_default();
        lines_of_sku.push(LineWithReason { line, reason: lines::steps_of(&reason) });
    }
    let production = lines::production(db, &run.run_id, Some(item_id))
        .await?
        .into_iter()
        .filter(|suggestion| suggestion.location_id == location_id)
        .map(|suggestion| ProductionWithReason {
            steps: lines::steps_of(&suggestion.reason),
            suggestion,
        })
        .collect();
    let model = model(db, run, item_id, location_id).await?;
    let forecast = forecast(db, run, item_id, location_id).await?;
    let split = model.as_ref().and_then(|model| model.split.as_ref());
    let sku = Sku {
        item,
        location,
        parts: split.map(|split| MeanParts::new(split, &forecast)),
        model,
        segment: segment(db, run, item_id, location_id).await?,
        history: history(db, run, item_id, location_id).await?,
        forecast,
        stock: stock(db, run, item_id, location_id).await?,
        open_orders: open_orders(db, run, item_id, location_id).await?,
        told: history::of_place(db, run, item_id, location_id).await?,
        projection: projection(db, run, item_id, location_id).await?,
        lines: lines_of_sku,
        production,
        exceptions: advice::exceptions(db, &run.run_id, place).await?,
        exits: advice::exits(db, &run.run_id, place).await?,
        findings: findings(db, run, item_id, location_id).await?,
        run: run.clone(),
    };
    Ok(if sku.says_nothing() { None } else { Some(sku) })
}

const ITEM: &str = "SELECT item_id, name, category, department, base_uom, qty_decimals, \
     unit_cost_minor, unit_price_minor, currency, shelf_life_days, launched_on, status \
     FROM item WHERE item_id = $1";

/// The item's master data, or its id alone where there is none (a source without master data).
async fn item(db: &mut Db, item_id: &str) -> sqlx::Result<Item> {
    let known = db::query_as(ITEM).bind(item_id).fetch_optional(db).await?;
    Ok(known.unwrap_or_else(|| Item {
        item_id: item_id.to_owned(),
        name: String::new(),
        category: String::new(),
        department: String::new(),
        base_uom: "each".to_owned(),
        qty_decimals: 0,
        unit_cost_minor: None,
        unit_price_minor: None,
        currency: String::new(),
        shelf_life_days: None,
        launched_on: None,
        status: "active".to_owned(),
    }))
}

async fn location(db: &mut Db, location_id: &str) -> sqlx::Result<Location> {
    let known =
        db::query_as("SELECT location_id, name, kind, region FROM location WHERE location_id = $1")
            .bind(location_id)
            .fetch_optional(db)
            .await?;
    Ok(known.unwrap_or_else(|| Location {
        location_id: location_id.to_owned(),
        name: String::new(),
        kind: String::new(),
        region: String::new(),
    }))
}

async fn model(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Option<Model>> {
    let row = db::query(
        "SELECT * FROM forecast_series WHERE run_id = $1 AND item_id = $2 AND location_id = $3",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .optional_row(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let components: String = row.try_get("components")?;
    let components: Components = serde_json::from_str(&components).unwrap_or_default();
    Ok(Some(Model {
        demand_class: row.try_get("demand_class")?,
        model: row.try_get("model")?,
        runner_up: row.try_get("runner_up")?,
        margin: row.try_get("margin")?,
        history_days: row.try_get("history_days")?,
        censored_days: row.try_get("censored_days")?,
        daily_mean: row.try_get("daily_mean")?,
        launch: components.launch,
        split: components.split,
    }))
}

async fn segment(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Option<Segment>> {
    db::query_as(
        "SELECT abc, xyz, role, quadrant FROM segment \
         WHERE run_id = $1 AND item_id = $2 AND location_id = $3",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .fetch_optional(db)
    .await
}

/// The last days before the business date, without gaps: a day without a row between the first and
/// the last is a day on which nothing was sold.
async fn history(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Vec<SaleDay>> {
    let Some(until) = run.date() else { return Ok(Vec::new()) };
    let rows: Vec<SaleDay> = db::query_as(
        "SELECT date, qty, promo_depth, available_fraction FROM sales \
         WHERE item_id = $1 AND location_id = $2 AND date >= $3 AND date < $4 ORDER BY date",
    )
    .bind(item_id)
    .bind(location_id)
    .bind((until - HISTORY_DAYS).to_string())
    .bind(until.to_string())
    .fetch_all(db)
    .await?;
    let mut days: Vec<SaleDay> = Vec::with_capacity(rows.len());
    for row in rows {
        let last = days.last().and_then(|day| day.date.parse::<Day>().ok());
        if let (Some(last), Ok(this)) = (last, row.date.parse::<Day>()) {
            days.extend((last + 1).until(this).map(|date| SaleDay {
                date: date.to_string(),
                qty: 0,
                promo_depth: 0.0,
                available_fraction: 1.0,
            }));
        }
        days.push(row);
    }
    Ok(days)
}

async fn forecast(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Vec<ForecastDay>> {
    db::query_as(
        "SELECT date, mean, q01, q05, q10, q25, q50, q75, q90, q95, q99 FROM forecast \
         WHERE run_id = $1 AND item_id = $2 AND location_id = $3 ORDER BY date",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .fetch_all(db)
    .await
}

/// The last count before the business date's selling begins.
async fn stock(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Option<Stock>> {
    db::query_as(
        "SELECT date, on_hand, reserved, backordered FROM stock \
         WHERE item_id = $1 AND location_id = $2 AND date <= $3 ORDER BY date DESC LIMIT 1",
    )
    .bind(item_id)
    .bind(location_id)
    .bind(&run.business_date)
    .fetch_optional(db)
    .await
}

/// Open orders of the upstream, and what was released and no order shows yet.
async fn open_orders(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> anyhow::Result<Vec<OpenOrder>> {
    let mut open: Vec<OpenOrder> = db::query_as(
        "SELECT po_id, line_no, supplier_id, source_location_id, ordered_on, expected_on, \
           CASE WHEN qty > received_qty THEN qty - received_qty ELSE 0 END AS open_qty FROM purchase_order \
         WHERE item_id = $1 AND location_id = $2 AND state = 'open' \
         ORDER BY expected_on IS NULL, expected_on, po_id, line_no",
    )
    .bind(item_id)
    .bind(location_id)
    .fetch_all(db)
    .await?;
    let Some(business_date) = run.date() else { return Ok(open) };
    let place = Some((item_id, location_id));
    let scope = on_order::Scope { job: &run.job, business_date, place };
    let released = on_order::released(db, scope).await?;
    if released.is_empty() {
        return Ok(open);
    }
    let rules = run_release(db, &run.run_id).await?.map(|found| found.rules).unwrap_or_default();
    let placed = inputs::orders_of(db, business_date, item_id, location_id).await?;
    let placed = on_order::without_own_date(placed, business_date);
    let counted = released.against(&placed, scope, rules.on_order_days)?;
    open.extend(counted.orders.into_iter().map(|order| OpenOrder {
        po_id: order.po_id,
        line_no: order.line_no,
        supplier_id: order.supplier_id,
        source_location_id: order.source_location_id,
        ordered_on: order.ordered_on.map(|day| day.to_string()),
        expected_on: order.expected_on.map(|day| day.to_string()),
        open_qty: order.qty,
    }));
    Ok(open)
}

async fn projection(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Option<Projection>> {
    let json: Option<String> = db::query_scalar(
        "SELECT projection FROM stock_projection \
         WHERE run_id = $1 AND item_id = $2 AND location_id = $3",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .fetch_optional(db)
    .await?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

async fn findings(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Vec<FindingRow>> {
    db::query_as(
        "SELECT finding_no, severity, code, item_id, location_id, detail, occurrences \
         FROM finding WHERE run_id = $1 AND item_id = $2 AND location_id IN ($3, '') \
         ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, finding_no",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .fetch_all(db)
    .await
}
