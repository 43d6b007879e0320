//! The clock's books: leases, dates, pauses and the history of jobs.

use granary_models::calendar::Day;
use serde::Serialize;
use sqlx::FromRow;

use crate::store::db::{self, Db};

/// Who is at work on a job. Times are UTC, RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct LeaseRow {
    pub job: String,
    pub business_date: String,
    /// The fencing token.
    pub attempt_id: i64,
    pub owner: String,
    pub renewed_at: String,
    pub until_at: String,
    /// `until_at` on the clock that judges it.
    #[serde(skip)]
    pub until_ms: i64,
}

/// What became of a business date.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct JobDate {
    pub job: String,
    pub business_date: String,
    pub state: String,
    pub due_at: Option<String>,
    /// That failed.
    pub tries: i64,
    pub retry_at: Option<String>,
    pub attempt_id: Option<i64>,
    pub detail: String,
}

/// States in which the clock does nothing more for a date.
pub const DONE: [&str; 5] = ["published", "held", "gave_up", "skipped", "cancelled"];

impl JobDate {
    pub fn is_done(&self) -> bool {
        DONE.contains(&self.state.as_str())
    }

    pub fn date(&self) -> Option<Day> {
        self.business_date.parse().ok()
    }
}

/// A change in the life of a job, or of one of its dates.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct JobEvent {
    pub event_id: i64,
    pub job: String,
    /// Empty: of the job as a whole.
    pub business_date: String,
    pub at: String,
    pub what: String,
    pub attempt_id: Option<i64>,
    pub actor: String,
    pub detail: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, FromRow)]
pub struct JobControl {
    pub job: String,
    /// In a row.
    pub failures: i64,
    pub paused_at: Option<String>,
    pub paused_by: String,
    pub reason: String,
}

pub async fn leases(db: &mut Db) -> sqlx::Result<Vec<LeaseRow>> {
    db::query_as("SELECT * FROM job_lease ORDER BY job").fetch_all(db).await
}

/// How a job stands; the default where nothing was ever written of it.
pub async fn control(db: &mut Db, job: &str) -> sqlx::Result<JobControl> {
    let row = db::query_as("SELECT * FROM job_control WHERE job = $1").bind(job);
    let row: Option<JobControl> = row.fetch_optional(db).await?;
    Ok(row.unwrap_or_else(|| JobControl { job: job.to_owned(), ..JobControl::default() }))
}

pub async fn date(db: &mut Db, job: &str, business_date: &str) -> sqlx::Result<Option<JobDate>> {
    db::query_as("SELECT * FROM job_date WHERE job = $1 AND business_date = $2")
        .bind(job)
        .bind(business_date)
        .fetch_optional(db)
        .await
}

/// Dates that the clock is not done with, and all from `from` on; oldest first.
pub async fn dates_from(db: &mut Db, job: &str, from: Day) -> sqlx::Result<Vec<JobDate>> {
    db::query_as(
        "SELECT * FROM job_date WHERE job = $1 AND (business_date >= $2 OR \
         state IN ('waiting', 'running', 'stale', 'failed')) ORDER BY business_date",
    )
    .bind(job)
    .bind(from)
    .fetch_all(db)
    .await
}

/// Dates between two, both included, oldest first.
pub async fn dates_between(
    db: &mut Db,
    job: &str,
    from: Day,
    to: Day,
) -> sqlx::Result<Vec<JobDate>> {
    db::query_as(
        "SELECT * FROM job_date WHERE job = $1 AND business_date >= $2 AND business_date <= $3 \
         ORDER BY business_date",
    )
    .bind(job)
    .bind(from)
    .bind(to)
    .fetch_all(db)
    .await
}

/// The last changes of a job, or of all, newest first.
pub async fn events(db: &mut Db, job: Option<&str>, limit: i64) -> sqlx::Result<Vec<JobEvent>> {
    db::query_as(
        "SELECT * FROM job_event WHERE ($1 IS NULL OR job = $1) ORDER BY event_id DESC LIMIT $2",
    )
    .bind(job)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// The newest attempt at a date, whoever made it.
pub async fn newest_attempt(db: &mut Db, job: &str, date: Day) -> sqlx::Result<Option<i64>> {
    db::query_scalar(
        "SELECT max(attempt_id) FROM run_attempt WHERE job = $1 AND business_date = $2",
    )
    .bind(job)
    .bind(date)
    .fetch_one(db)
    .await
}
