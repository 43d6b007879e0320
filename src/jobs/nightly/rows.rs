//! Results to rows: what the tables of DESIGN.md §4.2 hold of a night.

use std::sync::Arc;

use granary_models::backtest::panel::{EffectRow, PanelForecast};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan::gates::{quantity_cap, run_value_minor};
use granary_models::plan::line::{LineState, ReorderLine};
use granary_models::plan::settle::Settlement;
use granary_models::plan_sku::{ExitProposal, LocationProjection};
use serde_json::json;

use super::Counts;
use super::facts::Facts;
use super::findings::Findings;
use super::launches::LaunchReasons;
use super::panel::{Index, NightPanel};
use super::planning::Planned;
use super::production::Batch;
use super::{held_because, measures};
use crate::config::Job;
use crate::store::memory::MemoryRows;
use crate::store::publish::{
    FindingRow, ForecastRow, ForecastSeriesRow, LineRow, OrderExceptionRow, PlanLimitRow,
    ProductionRow, ProjectionRow, RunRow, RunRows, ScoreRow, SegmentRow, StockExitRow,
};
use crate::store::release::settle::Carried;
use crate::store::split::StoredSplit;

/// Everything that one night found out.
pub struct Tonight<'a> {
    pub facts: &'a Facts,
    pub night: &'a NightPanel,
    pub job: &'a Job,
    pub forecast: &'a PanelForecast,
    /// Series whose models were fitted tonight; the others followed.
    pub series_fitted: usize,
    pub launches: &'a LaunchReasons,
    pub planned: &'a Planned,
    pub batches: &'a [Batch],
}

pub fn build(tonight: &Tonight, index: &Index, mut findings: Findings) -> (RunRows, Counts) {
    let (facts, series) = (tonight.facts, &tonight.forecast.series);
    let kpis = measures::kpis(facts, index, tonight.night, series, tonight.planned, &mut findings);
    let ids = Ids::new(tonight.facts);
    let findings: Vec<FindingRow> = findings
        .into_rows()
        .into_iter()
        .map(|row| FindingRow {
            severity: row.severity.as_str(),
            code: row.code.as_str(),
            item_id: row.item_id,
            location_id: row.location_id,
            detail: row.detail,
            occurrences: row.occurrences as i64,
        })
        .collect();
    let lines = &tonight.planned.lines;
    let counts = Counts {
        series: tonight.night.keys.len(),
        series_fitted: tonight.series_fitted,
        history_days: tonight.night.panel.sold.len(),
        items_planned: tonight.planned.items,
        lines: lines.len(),
        lines_held: lines.iter().filter(|line| line.state == LineState::Held).count(),
        production_suggestions: tonight.batches.len(),
        findings: findings.len(),
        value_minor: run_value_minor(lines),
    };
    let rows = RunRows {
        run: run_row(tonight, &counts),
        forecast_series: series_rows(tonight, &ids),
        forecasts: forecast_rows(tonight, &ids),
        effects: effect_rows(tonight.forecast),
        lines: lines.iter().map(|line| line_row(line, tonight.job)).collect(),
        projections: projection_rows(tonight, &ids),
        productions: tonight.batches.iter().map(|batch| production_row(tonight, batch)).collect(),
        exceptions: exception_rows(tonight),
        exits: exit_rows(tonight),
        limits: limit_rows(&tonight.planned.settlement),
        findings,
        segments: segment_rows(tonight, &ids),
        kpis,
        scores: score_rows(tonight.forecast),
        facts: Vec::new(),
        terms: Vec::new(),
        memory: MemoryRows::default(),
        lifted: None,
        carried: Carried {
            rules: tonight.job.release.clone(),
            closings: facts.released.closings.clone(),
        },
    };
    (rows, counts)
}

/// Keys as shared texts: a key repeats in many rows.
struct Ids {
    items: Vec<Arc<str>>,
    locations: Vec<Arc<str>>,
}

impl Ids {
    fn new(facts: &Facts) -> Ids {
        Ids {
            items: facts.items.iter().map(|item| item.item_id.as_str().into()).collect(),
            locations: facts.locations.iter().map(|at| at.location_id.as_str().into()).collect(),
        }
    }
}

fn run_row(tonight: &Tonight, counts: &Counts) -> RunRow {
    RunRow {
        job: tonight.job.name.clone(),
        business_date: tonight.facts.business_date.to_string(),
        held_because: held_because(tonight.planned).first().cloned().unwrap_or_default(),
        config_digest: tonight.job.digest.clone(),
        input_digest: tonight.facts.input_digest.clone(),
        seed: tonight.job.forecast.seed as i64,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        counts: json!(counts).to_string(),
    }
}

fn series_rows(tonight: &Tonight, ids: &Ids) -> Vec<ForecastSeriesRow> {
    let series = tonight.forecast.series.iter().zip(&tonight.night.keys).enumerate();
    series
        .map(|(i, (forecast, key))| ForecastSeriesRow {
            item_id: ids.items[key.item].clone(),
            location_id: ids.locations[key.location].clone(),
            demand_class: forecast.class.as_str(),
            model: forecast.model.as_str().to_owned(),
            runner_up: forecast
                .runner_up
                .map(|model| model.as_str().to_owned())
                .unwrap_or_default(),
            margin: forecast.runner_up.map(|_| finite(f64::from(forecast.margin))),
            history_days: i64::from(forecast.history_days),
            censored_days: i64::from(forecast.censored_days),
            daily_mean: daily_mean(forecast, tonight.job.forecast.horizon_days),
            dispersion: finite(f64::from(forecast.dispersion)),
            correlation: finite(f64::from(forecast.correlation)),
            components: components(tonight, i, forecast),
        })
        .collect()
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

fn daily_mean(forecast: &SkuForecast, days: usize) -> f64 {
    let days = days.min(forecast.mean.len());
    let sum: f64 = forecast.mean[..days].iter().sum();
    sum / days.max(1) as f64
}

/// What the forecast is made of: the parts of its means, and the steps of a launch.
fn components(tonight: &Tonight, i: usize, forecast: &SkuForecast) -> String {
    let split = StoredSplit::of(forecast, tonight.job.forecast.horizon_days);
    match tonight.launches.get(&i) {
        Some(launch) => {
            let steps: Vec<_> = launch
                .reason
                .iter()
                .map(|step| json!({"step": step.step, "text": step.text, "value": step.value}))
                .collect();
            let weight = launch.own_sales_weight;
            json!({ "split": split, "launch": steps, "own_sales_weight": weight })
        }
        None => json!({ "split": split }),
    }
    .to_string()
}

/// An effect without a finite interval has not been learned.
fn effect_rows(forecast: &PanelForecast) -> Vec<EffectRow> {
    let known = |row: &&EffectRow| {
        [row.low, row.log_effect, row.high].iter().all(|value| value.is_finite())
    };
    forecast.effects.iter().filter(known).cloned().collect()
}

fn forecast_rows(tonight: &Tonight, ids: &Ids) -> Vec<ForecastRow> {
    let days = tonight.job.forecast.horizon_days;
    let start = tonight.facts.business_date;
    let dates: Vec<Arc<str>> =
        start.until(start + days as i32).map(|day| day.to_string().into()).collect();
    let series = tonight.forecast.series.iter().zip(&tonight.night.keys);
    series
        .flat_map(|(forecast, key)| {
            dates.iter().enumerate().map(|(day, date)| ForecastRow {
                item_id: ids.items[key.item].clone(),
                location_id: ids.locations[key.location].clone(),
                date: date.clone(),
                mean: forecast.mean[day],
                quantiles: forecast.quantiles(day),
            })
        })
        .collect()
}

fn line_row(line: &ReorderLine, job: &Job) -> LineRow {
    LineRow {
        line_key: line.line_key.clone(),
        kind: line.kind.as_str(),
        state: line.state.as_str(),
        item_id: line.item_id.clone(),
        supplier_id: line.supplier_id.clone(),
        source_location_id: line.source_location_id.clone(),
        location_id: line.location_id.clone(),
        qty: line.qty,
        order_qty: line.order_qty,
        order_uom: line.order_uom.clone(),
        unit_cost_minor: line.unit_cost_minor,
        currency: line.currency.clone(),
        order_on: line.order_on.to_string(),
        expected_on: line.expected_on.to_string(),
        need_on: line.need_on.to_string(),
        priority: i64::from(line.priority),
        expected_value_minor: line.expected_value_minor,
        reason: json!({ "steps": line.reason }).to_string(),
        held_because: line.held_because.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        cap_qty: quantity_cap(line, &job.gates),
    }
}

fn projection_rows(tonight: &Tonight, ids: &Ids) -> Vec<ProjectionRow> {
    let places = tonight.planned.places.iter();
    places
        .filter(|place| !place.plan.projection.p50.is_empty())
        .map(|place| ProjectionRow {
            item_id: ids.items[place.item].clone(),
            location_id: ids.locations[place.location].clone(),
            projection: projection(&place.plan.projection, tonight.job.forecast.horizon_days),
        })
        .collect()
}

/// Receipts are few, so they are pairs of day and quantity. Past the published days, what is empty
/// for good need not be drawn.
fn projection(projection: &LocationProjection, horizon_days: usize) -> String {
    let receipts: Vec<(usize, i64)> = projection
        .receipts
        .iter()
        .enumerate()
        .filter(|(_, qty)| **qty != 0)
        .map(|(day, qty)| (day, *qty))
        .collect();
    let last_stock = projection.p90.iter().rposition(|&qty| qty > 0).map_or(0, |day| day + 1);
    let last_receipt = receipts.last().map_or(0, |(day, _)| day + 1);
    let days = horizon_days.max(last_stock).max(last_receipt).min(projection.p50.len());
    json!({
        "from": projection.from,
        "p10": projection.p10[..days],
        "p50": projection.p50[..days],
        "p90": projection.p90[..days],
        "p50_without": projection.p50_without[..days],
        "receipts": receipts,
    })
    .to_string()
}

fn production_row(tonight: &Tonight, batch: &Batch) -> ProductionRow {
    let suggestion = &batch.suggestion;
    let today = tonight.facts.business_date;
    let steps: Vec<_> = suggestion
        .reason
        .iter()
        .map(|step| json!({"step": step.step, "text": step.text, "value": step.value}))
        .collect();
    ProductionRow {
        item_id: batch.item_id.clone(),
        location_id: batch.location_id.clone(),
        qty: suggestion.qty,
        start_on: suggestion.start_on.unwrap_or(today).to_string(),
        ready_on: suggestion.ready_on.unwrap_or(today).to_string(),
        sell_all_probability: suggestion.sell_all_probability,
        expected_value_minor: suggestion.expected_profit_minor,
        reason: json!({ "steps": steps }).to_string(),
    }
}

fn segment_rows(tonight: &Tonight, ids: &Ids) -> Vec<SegmentRow> {
    let series = &tonight.forecast.series;
    let keys = &tonight.night.keys;
    measures::segments(
        tonight.facts,
        tonight.night,
        |i| series[i].class,
        |i| (ids.items[keys[i].item].clone(), ids.locations[keys[i].location].clone()),
    )
}

fn exception_rows(tonight: &Tonight) -> Vec<OrderExceptionRow> {
    let facts = tonight.facts;
    let rows = tonight.planned.exceptions.iter().map(|planned| {
        let advice = &planned.advice;
        OrderExceptionRow {
            item_id: facts.items[planned.item].item_id.clone(),
            location_id: facts.locations[planned.location].location_id.clone(),
            po_id: advice.po_id.clone(),
            line_no: advice.line_no.clone(),
            supplier_id: advice.supplier_id.clone(),
            action: advice.action.as_str(),
            qty: advice.qty,
            due_on: advice.from.to_string(),
            move_to: advice.to.to_string(),
            value_minor: advice.value_minor,
            currency: facts.items[planned.item].currency.clone(),
            detail: advice.text.clone(),
        }
    });
    rows.collect()
}

fn exit_rows(tonight: &Tonight) -> Vec<StockExitRow> {
    let facts = tonight.facts;
    let rows = tonight.planned.exits.iter().map(|planned| {
        let exit = &planned.exit;
        StockExitRow {
            item_id: facts.items[planned.item].item_id.clone(),
            location_id: facts.locations[planned.location].location_id.clone(),
            qty: exit.qty,
            days_without_sale: exit.days_without_sale.map(i64::from),
            cover_days: exit.cover_days.filter(|days| days.is_finite()),
            value_minor: exit.value_minor,
            proposal: exit.proposal.as_str(),
            to_location_id: planned
                .to
                .map(|to| facts.locations[to].location_id.clone())
                .unwrap_or_default(),
            depth: match exit.proposal {
                ExitProposal::Markdown { depth } => Some(depth),
                _ => None,
            },
            expected_recovery_minor: exit.expected_recovery_minor,
            currency: facts.items[planned.item].currency.clone(),
            detail: exit.text.clone(),
        }
    });
    rows.collect()
}

fn limit_rows(settlement: &Settlement) -> Vec<PlanLimitRow> {
    let rows = settlement.limits.iter().map(|limit| {
        let scope: Vec<&str> = [&limit.supplier_id, &limit.category, &limit.location_id]
            .into_iter()
            .filter_map(|part| part.as_deref())
            .collect();
        let unit = if limit.measure == "money" { limit.currency.as_str() } else { limit.measure };
        PlanLimitRow {
            name: limit.kind.as_str().to_owned(),
            scope: scope.join(", "),
            unit: unit.to_owned(),
            amount: limit.limit,
            wanted: limit.wanted,
            used: limit.used,
            price: limit.price,
        }
    });
    rows.collect()
}

fn score_rows(forecast: &PanelForecast) -> Vec<ScoreRow> {
    let value = |value: f64| value.is_finite().then_some(value);
    forecast
        .scores
        .iter()
        .map(|row| ScoreRow {
            demand_class: row.class.clone(),
            model: row.model.clone(),
            series: row.series as i64,
            wape: value(row.wape),
            bias: value(row.bias),
            pinball: value(row.pinball),
            coverage90: value(row.coverage_90),
        })
        .collect()
}
