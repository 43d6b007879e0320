//! The same as the pages, for programs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::params::PlanParams;
use super::{App, Failure, reading};
use crate::config::clock;
use crate::jobs::due::{self, JobStatus};
use crate::store::db::Db;
use crate::store::read::advice::{self, Wanted};
use crate::store::read::jobs;
use crate::store::read::lines;
use crate::store::read::runs::{self, Attempt};
use crate::store::read::sku;

fn not_found(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": what }))).into_response()
}

/// One page of the plan's lines with the totals of all.
pub async fn plan(
    State(app): State<App>,
    Query(params): Query<PlanParams>,
) -> Result<Response, Failure> {
    reading(&app, async move |_, mut db| {
        let Some(run) = runs::find(&mut db, &params.choice()).await? else {
            return Ok(not_found("no such plan"));
        };
        let query = params.query(&run.run_id);
        let found = lines::lines(&mut db, &query).await?;
        let matching = lines::count_lines(&mut db, &query).await?;
        Ok(Json(json!({
            "run": run,
            "totals": lines::totals(&mut db, &run.run_id).await?,
            "lines_matching": matching,
            "page": params.page(),
            "per_page": params.page_size(),
            "pages": matching.max(1).div_euclid(params.page_size())
                + i64::from(matching.max(1) % params.page_size() > 0),
            "order_exceptions": advice::exceptions(&mut db, &run.run_id, Wanted::All).await?,
            "stock_exits": advice::exits(&mut db, &run.run_id, Wanted::All).await?,
            "limits": advice::limits(&mut db, &run.run_id).await?,
            "lines": found,
        }))
        .into_response())
    })
    .await
}

/// Everything known of one item at one location; the file is the location's id with `.json`.
pub async fn sku(
    State(app): State<App>,
    Path((item_id, location_file)): Path<(String, String)>,
    Query(params): Query<PlanParams>,
) -> Result<Response, Failure> {
    let Some(location_id) = location_file.strip_suffix(".json").map(str::to_owned) else {
        return Ok(not_found("the address ends in .json"));
    };
    reading(&app, async move |_, mut db| {
        let Some(run) = runs::find(&mut db, &params.choice()).await? else {
            return Ok(not_found("no such plan"));
        };
        match sku::load(&mut db, &run, &item_id, &location_id).await? {
            Some(sku) => Ok(Json(sku).into_response()),
            None => Ok(not_found("no such item at this location")),
        }
    })
    .await
}

/// How many changes and attempts of the past are given.
const HISTORY: i64 = 200;

/// Every job as it stands, and so many of each one's last attempts, newest first.
pub(super) async fn how_jobs_stand(
    app: &App,
    db: &mut Db,
    attempts_each: i64,
) -> anyhow::Result<(Vec<JobStatus>, Vec<Attempt>)> {
    let mut statuses = Vec::new();
    let mut attempts = Vec::new();
    for job in app.jobs.values() {
        statuses.push(due::status(db, job, clock::now()).await?);
        attempts.extend(runs::last_attempts(db, &job.name, attempts_each).await?);
    }
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.attempt_id));
    Ok((statuses, attempts))
}

/// Every job as it stands, with the last changes and attempts of all, newest first.
pub async fn jobs(State(app): State<App>) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let (statuses, attempts) = how_jobs_stand(&app, &mut db, HISTORY).await?;
        let events = jobs::events(&mut db, None, HISTORY).await?;
        Ok(Json(json!({ "jobs": statuses, "events": events, "attempts": attempts }))
            .into_response())
    })
    .await
}

/// 200 while the database answers, 503 otherwise; on this machine the last success of every job too.
pub async fn health(State(app): State<App>) -> Response {
    let detailed = app.loopback;
    let report = reading(&app, async move |app, mut db| {
        runs::newest_per_job(&mut db).await?;
        let mut jobs = Vec::new();
        for job in app.jobs.values().filter(|_| detailed) {
            let status = due::status(&mut db, job, clock::now()).await?;
            jobs.push(json!({
                "job": status.job,
                "last_success_business_date":
                    status.last_success.as_ref().map(|attempt| attempt.business_date.clone()),
                "last_success_finished_at":
                    status.last_success.as_ref().and_then(|attempt| attempt.finished_at.clone()),
                "last_outcome": status.last.as_ref().map(|attempt| attempt.outcome.clone()),
                "next_due_at": status.next_due_at,
            }));
        }
        Ok(jobs)
    })
    .await;
    let version = env!("CARGO_PKG_VERSION");
    match report {
        Ok(jobs) => {
            Json(json!({ "version": version, "database": "ok", "jobs": jobs })).into_response()
        }
        Err(failure) => {
            tracing::error!("health check failed: {:#}", failure.0);
            let body = json!({ "version": version, "database": "failed", "jobs": [] });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
