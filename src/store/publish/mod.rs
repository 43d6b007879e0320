//! Publishing a run: every row in one transaction, or none.

mod advice;
mod gates;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use granary_models::backtest::panel::EffectRow;
use granary_models::calendar::Day;
use granary_models::plan::hysteresis::{Previous, PreviousLine, key_without_date};
use sqlx::AssertSqlSafe;

use super::db::{self, Bulk, Db};
use super::release::{By, settle};
use super::{Store, attempt, checkpoint, memory};
use crate::config::{Actor, clock, faults};

pub use rows::{
    FindingRow, ForecastRow, ForecastSeriesRow, KpiRow, Lifted, LineRow, OrderExceptionRow,
    PlanLimitRow, PlannedTermsRow, ProductionRow, ProjectionRow, RunFactRow, RunRow, RunRows,
    ScoreRow, SegmentRow, StockExitRow,
};

/// Tables that hold rows of a run; each has a `run_id`.
pub const RUN_TABLES: [&str; 16] = [
    "run",
    "run_fact",
    "run_release",
    "effect",
    "order_exception",
    "stock_exit",
    "plan_limit",
    "forecast_series",
    "forecast",
    "reorder_line",
    "stock_projection",
    "production_suggestion",
    "finding",
    "segment",
    "kpi",
    "backtest_score",
];

impl Store {
    /// Replaces the run of the same job and business date. `attempt_id` is the fencing token: if the
    /// job's lease is no longer this attempt's, nothing is written and the error says so. The date is
    /// done in the same transaction.
    pub async fn publish(&self, attempt_id: i64, rows: &RunRows) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        let run = &rows.run;
        attempt::check_fence(&mut transaction, &run.job, attempt_id).await?;
        write(&mut transaction, rows).await.context("publishing the run")?;
        if rows.run.held_because.is_empty() {
            let by = By { actor: Actor::engine(), at: clock::now() };
            let run_id: Arc<str> = rows.run.run_id().into();
            let date = &rows.run.business_date;
            settle::carry(&mut transaction, &by, &run_id, date, &rows.lines, &rows.carried)
                .await
                .context("carrying over what was said and released")?;
            let held = rows.run.run_id_held();
            delete(&mut transaction, &held).await.context("removing the held plan")?;
        }
        if let Some(lifted) = &rows.lifted {
            let run_id = rows.run.run_id();
            insert_lift(&mut transaction, &run_id, lifted).await.context("noting who lifted")?;
        }
        let date = (run.job.as_str(), run.business_date.as_str());
        attempt::published(&mut transaction, date, attempt_id, run.state(), &run.held_because)
            .await
            .context("publishing the run")?;
        faults::point("publish.before_commit")?;
        transaction.commit().await.context("publishing the run")?;
        faults::point("publish.after_commit")
    }
}

/// What the last published run before this date bought, by currency.
pub async fn previous_value_minor(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<Option<BTreeMap<String, i64>>> {
    let counts: Option<String> = db::query_scalar(
        "SELECT counts FROM run WHERE job = $1 AND business_date < $2 AND state = 'published' \
         ORDER BY business_date DESC LIMIT 1",
    )
    .bind(job)
    .bind(business_date)
    .fetch_optional(db)
    .await?;
    let Some(counts) = counts else { return Ok(None) };
    let counts: serde_json::Value = serde_json::from_str(&counts)?;
    Ok(Some(serde_json::from_value(counts["value_minor"].clone())?))
}

/// The plan that the next one should not leave for little: the published one of the same
/// business date, else the lines of the night before that nobody has acted on.
pub async fn previous_lines(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<Previous> {
    let rows: Vec<(String, String, i64, String)> = db::query_as(
        "SELECT r.business_date, l.line_key, l.qty, l.expected_on FROM run r \
         JOIN reorder_line l ON l.run_id = r.run_id \
         WHERE r.job = $1 AND r.state = 'published' \
           AND (l.state IN ('proposed', 'held') OR r.business_date = $2) \
           AND r.business_date = (SELECT max(business_date) FROM run WHERE job = $1 \
             AND state = 'published' AND business_date <= $2) ORDER BY l.line_key",
    )
    .bind(job)
    .bind(business_date)
    .fetch_all(db)
    .await
    .context("reading the plan before")?;
    let mut previous = Previous::default();
    for (date, line_key, qty, expected_on) in rows {
        previous.whole |= date == business_date.to_string();
        let expected_on = expected_on.parse().context("column expected_on of reorder_line")?;
        let key = key_without_date(&line_key).to_owned();
        previous.lines.insert(key, PreviousLine { qty, expected_on });
    }
    Ok(previous)
}

async fn write(db: &mut Db, rows: &RunRows) -> anyhow::Result<()> {
    let run_id: Arc<str> = rows.run.run_id().into();
    delete(db, &run_id).await?;
    faults::point("publish.after_deletes")?;
    write_forecasts(db, &run_id, rows).await?;
    faults::point("publish.after_forecasts")?;
    write_effects(db, &run_id, &rows.effects).await?;
    write_lines(db, &run_id, &rows.lines).await?;
    faults::point("publish.after_lines")?;
    write_suggestions(db, &run_id, rows).await?;
    advice::write(db, &run_id, rows).await?;
    write_findings(db, &run_id, rows).await?;
    write_measures(db, &run_id, rows).await?;
    gates::write(db, &run_id, rows).await?;
    memory::write(db, &rows.run.job, &rows.run.business_date, &rows.memory).await?;
    checkpoint::forget(db, &rows.run.job, &rows.run.business_date).await?;
    write_run(db, &run_id, &rows.run, &plan_digest(rows)).await
}

async fn delete(db: &mut Db, run_id: &str) -> sqlx::Result<()> {
    for table in RUN_TABLES {
        let delete = format!("DELETE FROM {table} WHERE run_id = $1");
        db::query(AssertSqlSafe(delete)).bind(run_id).execute(db).await?;
    }
    Ok(())
}

/// The approval of a whole plan stands beside those of lines, under the run's name.
async fn insert_lift(db: &mut Db, run_id: &str, lifted: &Lifted) -> sqlx::Result<()> {
    db::query(
        "INSERT INTO approval (line_key, verdict, held_because, old_state, new_state, actor, role, \
         at, reason) VALUES ($1, 'approve', $2, 'held', 'published', $3, $4, $5, $6)",
    )
    .bind(run_id)
    .bind(&lifted.gates)
    .bind(&lifted.by.actor.name)
    .bind(lifted.by.actor.role.as_str())
    .bind(lifted.by.stamp())
    .bind(&lifted.reason)
    .execute(db)
    .await?;
    Ok(())
}

async fn write_run(
    db: &mut Db,
    run_id: &str,
    run: &RunRow,
    plan_digest: &str,
) -> anyhow::Result<()> {
    db::query(
        "INSERT INTO run (run_id, job, business_date, state, held_because, \
         config_digest, input_digest, plan_digest, seed, version, counts) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(run_id)
    .bind(&run.job)
    .bind(&run.business_date)
    .bind(run.state())
    .bind(&run.held_because)
    .bind(&run.config_digest)
    .bind(&run.input_digest)
    .bind(plan_digest)
    .bind(run.seed)
    .bind(&run.version)
    .bind(&run.counts)
    .execute(db)
    .await?;
    Ok(())
}

/// Binds the values of one row and ends it.
macro_rules! row {
    ($bulk:ident, $($value:expr),+ $(,)?) => {{
        $($bulk.push($value)?;)+
        $bulk.end_row().await?;
    }};
}

async fn write_forecasts(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "forecast_series (run_id, item_id, location_id, demand_class, model, \
                  runner_up, margin, history_days, censored_days, daily_mean, dispersion, \
                  correlation, components)";
    let mut bulk = Bulk::new(db, insert, 13);
    for series in &rows.forecast_series {
        row!(
            bulk,
            run_id.clone(),
            series.item_id.clone(),
            series.location_id.clone(),
            series.demand_class,
            series.model.as_str(),
            series.runner_up.as_str(),
            series.margin,
            series.history_days,
            series.censored_days,
            series.daily_mean,
            series.dispersion,
            series.correlation,
            series.components.as_str(),
        );
    }
    bulk.finish().await?;

    let insert = "forecast (run_id, item_id, location_id, date, mean, q01, q05, q10, \
                  q25, q50, q75, q90, q95, q99)";
    let mut bulk = Bulk::new(db, insert, 14);
    for forecast in &rows.forecasts {
        bulk.push(run_id.clone())?;
        bulk.push(forecast.item_id.clone())?;
        bulk.push(forecast.location_id.clone())?;
        bulk.push(forecast.date.clone())?;
        bulk.push(forecast.mean)?;
        for quantile in forecast.quantiles {
            bulk.push(quantile)?;
        }
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    Ok(())
}

async fn write_effects(
    db: &mut Db,
    run_id: &Arc<str>,
    effects: &[EffectRow],
) -> anyhow::Result<()> {
    let insert = "effect (run_id, category, regressor, log_effect, low, high, days, \
                  items, occurrences)";
    let mut bulk = Bulk::new(db, insert, 9);
    for row in effects {
        row!(
            bulk,
            run_id.clone(),
            row.category.as_str(),
            row.regressor.as_str(),
            row.log_effect,
            row.low,
            row.high,
            i64::from(row.days),
            i64::from(row.items),
            i64::from(row.occurrences),
        );
    }
    bulk.finish().await?;
    Ok(())
}

async fn write_lines(db: &mut Db, run_id: &Arc<str>, lines: &[LineRow]) -> anyhow::Result<()> {
    let insert = "reorder_line (run_id, line_key, kind, state, item_id, supplier_id, \
                  source_location_id, location_id, qty, order_qty, order_uom, unit_cost_minor, \
                  currency, order_on, expected_on, need_on, priority, expected_value_minor, \
                  reason, held_because, cap_qty)";
    let mut bulk = Bulk::new(db, insert, 21);
    for line in lines {
        row!(
            bulk,
            run_id.clone(),
            line.line_key.as_str(),
            line.kind,
            line.state,
            line.item_id.as_str(),
            line.supplier_id.as_str(),
            line.source_location_id.as_str(),
            line.location_id.as_str(),
            line.qty,
            line.order_qty,
            line.order_uom.as_str(),
            line.unit_cost_minor,
            line.currency.as_str(),
            line.order_on.as_str(),
            line.expected_on.as_str(),
            line.need_on.as_str(),
            line.priority,
            line.expected_value_minor,
            line.reason.as_str(),
            line.held_because.as_str(),
            line.cap_qty,
        );
    }
    bulk.finish().await?;
    Ok(())
}

async fn write_suggestions(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "stock_projection (run_id, item_id, location_id, projection)";
    let mut bulk = Bulk::new(db, insert, 4);
    for row in &rows.projections {
        row!(
            bulk,
            run_id.clone(),
            row.item_id.clone(),
            row.location_id.clone(),
            row.projection.as_str(),
        );
    }
    bulk.finish().await?;

    let insert = "production_suggestion (run_id, item_id, location_id, qty, start_on, \
                  ready_on, sell_all_probability, expected_value_minor, reason)";
    let mut bulk = Bulk::new(db, insert, 9);
    for row in &rows.productions {
        row!(
            bulk,
            run_id.clone(),
            row.item_id.as_str(),
            row.location_id.as_str(),
            row.qty,
            row.start_on.as_str(),
            row.ready_on.as_str(),
            row.sell_all_probability,
            row.expected_value_minor,
            row.reason.as_str(),
        );
    }
    bulk.finish().await?;
    Ok(())
}

async fn write_findings(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "finding (run_id, finding_no, severity, code, item_id, location_id, \
                  detail, occurrences)";
    let mut bulk = Bulk::new(db, insert, 8);
    for (finding_no, finding) in (1_i64..).zip(&rows.findings) {
        row!(
            bulk,
            run_id.clone(),
            finding_no,
            finding.severity,
            finding.code,
            finding.item_id.as_str(),
            finding.location_id.as_str(),
            finding.detail.as_str(),
            finding.occurrences,
        );
    }
    bulk.finish().await?;
    Ok(())
}

async fn write_measures(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "segment (run_id, item_id, location_id, abc, xyz, role, quadrant)";
    let mut bulk = Bulk::new(db, insert, 7);
    for row in &rows.segments {
        row!(
            bulk,
            run_id.clone(),
            row.item_id.clone(),
            row.location_id.clone(),
            row.abc,
            row.xyz,
            row.role,
            row.quadrant,
        );
    }
    bulk.finish().await?;

    let insert = "kpi (run_id, name, scope, scope_id, value, unit)";
    let mut bulk = Bulk::new(db, insert, 6);
    for row in &rows.kpis {
        let scope_id = row.scope_id.as_str();
        row!(bulk, run_id.clone(), row.name, row.scope, scope_id, row.value, row.unit);
    }
    bulk.finish().await?;

    let insert = "backtest_score (run_id, demand_class, model, series, wape, bias, \
                  pinball, coverage90)";
    let mut bulk = Bulk::new(db, insert, 8);
    for row in &rows.scores {
        row!(
            bulk,
            run_id.clone(),
            row.demand_class.as_str(),
            row.model.as_str(),
            row.series,
            row.wape,
            row.bias,
            row.pinball,
            row.coverage90,
        );
    }
    bulk.finish().await?;
    Ok(())
}

/// A digest of what readers see of a plan. Two runs with the same digest published the same plan.
pub fn plan_digest(rows: &RunRows) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for line in &rows.lines {
        text(&line.line_key);
        text(line.state);
        text(&line.qty.to_string());
        text(&line.reason);
        text(&line.held_because);
        text(&line.priority.to_string());
    }
    for row in &rows.productions {
        text(&row.item_id);
        text(&row.location_id);
        text(&row.qty.to_string());
        text(&row.reason);
    }
    for row in &rows.exceptions {
        [&row.po_id, &row.line_no, &row.move_to, &row.detail].into_iter().for_each(|t| text(t));
        text(row.action);
    }
    for row in &rows.exits {
        [&row.item_id, &row.location_id, &row.detail].into_iter().for_each(|t| text(t));
    }
    for finding in &rows.findings {
        text(finding.code);
        text(&finding.item_id);
        text(&finding.location_id);
        text(&finding.detail);
    }
    for series in &rows.forecast_series {
        text(&series.model);
        text(&series.components);
    }
    for row in &rows.effects {
        text(&row.category);
        text(&row.regressor);
        [row.log_effect, row.low, row.high].iter().for_each(|of| text(&of.to_bits().to_string()));
    }
    for forecast in &rows.forecasts {
        hasher.update(&forecast.mean.to_le_bytes());
        for quantile in forecast.quantiles {
            hasher.update(&quantile.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
