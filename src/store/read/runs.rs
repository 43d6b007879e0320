//! Runs, what the clock saw of them, and their figures.

use crate::store::db::{self, Db};
use granary_models::calendar::Day;
use serde::Serialize;
use sqlx::FromRow;

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Run {
    pub run_id: String,
    pub job: String,
    pub business_date: String,
    /// `published` or `held`.
    pub state: String,
    pub held_because: String,
    pub config_digest: String,
    pub input_digest: String,
    pub plan_digest: String,
    pub seed: i64,
    pub version: String,
    /// JSON object: series, lines, findings, …
    pub counts: String,
}

impl Run {
    pub fn is_held(&self) -> bool {
        self.state == "held"
    }

    pub fn date(&self) -> Option<Day> {
        self.business_date.parse().ok()
    }

    /// The stored counts in the order they were written; empty when they are not an object.
    pub fn counts(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(&self.counts).unwrap_or_default()
    }
}

/// One start of a job, with the wall clock's times (UTC, RFC 3339).
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Attempt {
    pub attempt_id: i64,
    pub job: String,
    pub business_date: String,
    pub started_at: String,
    pub finished_at: Option<String>,
    pub outcome: String,
    pub detail: String,
    /// JSON object: stage → milliseconds.
    pub stage_ms: String,
    pub process_id: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Kpi {
    pub name: String,
    /// Empty for the whole plan, else `location`, `category` or `supplier`.
    pub scope: String,
    pub scope_id: String,
    pub value: f64,
    pub unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Score {
    pub demand_class: String,
    pub model: String,
    pub series: i64,
    pub wape: Option<f64>,
    pub bias: Option<f64>,
    pub pinball: Option<f64>,
    pub coverage90: Option<f64>,
}

/// Which run a reader wants. Everything `None`: the newest published plan of any job.
#[derive(Clone, Debug, Default)]
pub struct RunChoice {
    pub run_id: Option<String>,
    pub job: Option<String>,
    pub date: Option<Day>,
}

/// The chosen run: a published one before a held one, the newest business date first.
pub async fn find(db: &mut Db, choice: &RunChoice) -> sqlx::Result<Option<Run>> {
    db::query_as(
        "SELECT * FROM run \
         WHERE ($1 IS NULL OR run_id = $1) AND ($2 IS NULL OR job = $2) \
           AND ($3 IS NULL OR business_date = $3) \
         ORDER BY state = 'held', business_date DESC, job LIMIT 1",
    )
    .bind(&choice.run_id)
    .bind(&choice.job)
    .bind(choice.date.map(|date| date.to_string()))
    .fetch_optional(db)
    .await
}

/// A held plan of the same job that is newer than, or of the same date as, the run being read.
pub async fn held_beside(db: &mut Db, run: &Run) -> sqlx::Result<Option<Run>> {
    db::query_as(
        "SELECT * FROM run WHERE job = $1 AND state = 'held' AND run_id <> $2 AND business_date >= $3 \
         ORDER BY business_date DESC LIMIT 1",
    )
    .bind(&run.job)
    .bind(&run.run_id)
    .bind(&run.business_date)
    .fetch_optional(db)
    .await
}

/// The newest held plan of a job, or the one of a date.
pub async fn newest_held(db: &mut Db, job: &str, date: Option<Day>) -> sqlx::Result<Option<Run>> {
    db::query_as(
        "SELECT * FROM run WHERE job = $1 AND state = 'held' \
           AND ($2 = '' OR business_date = $2) ORDER BY business_date DESC LIMIT 1",
    )
    .bind(job)
    .bind(date.map_or(String::new(), |date| date.to_string()))
    .fetch_optional(db)
    .await
}

/// The newest run of every job, published ones first, by job name.
pub async fn newest_per_job(db: &mut Db) -> sqlx::Result<Vec<Run>> {
    db::query_as("SELECT * FROM v_run_current ORDER BY job").fetch_all(db).await
}

/// The first business date that a job ever had a run for.
pub async fn first_date(db: &mut Db, job: &str) -> sqlx::Result<Option<String>> {
    db::query_scalar("SELECT min(business_date) FROM run WHERE job = $1")
        .bind(job)
        .fetch_one(db)
        .await
}

/// The last starts of a job, newest first.
pub async fn last_attempts(db: &mut Db, job: &str, limit: i64) -> sqlx::Result<Vec<Attempt>> {
    db::query_as("SELECT * FROM run_attempt WHERE job = $1 ORDER BY attempt_id DESC LIMIT $2")
        .bind(job)
        .bind(limit)
        .fetch_all(db)
        .await
}

/// The newest start of every job that ended with a published plan.
pub async fn last_successes(db: &mut Db) -> sqlx::Result<Vec<Attempt>> {
    db::query_as(
        "SELECT a.* FROM run_attempt a JOIN \
         (SELECT max(attempt_id) AS attempt_id FROM run_attempt \
          WHERE outcome = 'published' GROUP BY job) newest USING (attempt_id) ORDER BY a.job",
    )
    .fetch_all(db)
    .await
}

/// Those of the plan as a whole.
pub async fn kpis_of_plan(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Kpi>> {
    db::query_as(
        "SELECT name, scope, scope_id, value, unit FROM kpi WHERE run_id = $1 AND scope = '' \
         ORDER BY scope_id, name",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}

pub async fn kpis(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Kpi>> {
    db::query_as(
        "SELECT name, scope, scope_id, value, unit FROM kpi WHERE run_id = $1 \
         ORDER BY scope, scope_id, name",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}

pub async fn scores(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<Score>> {
    db::query_as(
        "SELECT demand_class, model, series, wape, bias, pinball, coverage90 \
         FROM backtest_score WHERE run_id = $1 \
         ORDER BY demand_class <> 'all', demand_class, model <> 'chosen', pinball, model",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}
