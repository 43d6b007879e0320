//! From proposal to order: what people said of a line, what was released, what came of it.
//!
//! Every function works inside a transaction of its caller, since what it reads must still be true
//! when the caller writes.

pub mod acknowledge;
pub mod lines;
pub mod manifest;
pub mod on_order;
pub mod settle;
pub mod switches;
pub mod words;

use chrono::{DateTime, Utc};
use granary_models::calendar::Day;
use granary_models::plan::line::LineState;
use granary_models::plan::release::ReleaseRules;

use super::db::{self, Db};
use super::read::runs::Run;
use crate::config::clock::stamp;
use crate::config::{Actor, Operation};

/// Who does something, and when.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

impl By {
    pub fn stamp(&self) -> String {
        stamp(self.at)
    }

    /// The instant at which what is said now ceases to count.
    pub fn expires(&self, days: u32) -> String {
        stamp(self.at + chrono::TimeDelta::days(i64::from(days)))
    }

    /// The date in UTC, for what has a date and no better one.
    pub fn today(&self) -> Day {
        Day::from(self.at.date_naive())
    }
}

/// A run that may be released: what its lines were, and the rules that it was made under.
#[derive(Clone, Debug)]
pub struct RunRelease {
    pub lines: i64,
    pub lines_digest: String,
    pub rules: ReleaseRules,
}

/// `None` for a run of a version that did not write it.
pub async fn run_release(db: &mut Db, run_id: &str) -> anyhow::Result<Option<RunRelease>> {
    let row: Option<(i64, String, String)> =
        db::query_as("SELECT lines, lines_digest, rules FROM run_release WHERE run_id = $1")
            .bind(run_id)
            .fetch_optional(db)
            .await?;
    let Some((lines, lines_digest, rules)) = row else { return Ok(None) };
    Ok(Some(RunRelease { lines, lines_digest, rules: serde_json::from_str(&rules)? }))
}

/// The newest published run of a job.
pub async fn current_run(db: &mut Db, job: &str) -> sqlx::Result<Option<Run>> {
    db::query_as("SELECT * FROM v_run_current WHERE job = $1").bind(job).fetch_optional(db).await
}

/// The newest published run that has a line of this key.
pub async fn current_run_of_line(db: &mut Db, line_key: &str) -> sqlx::Result<Option<Run>> {
    db::query_as(
        "SELECT r.* FROM v_run_current r WHERE EXISTS (SELECT 1 FROM reorder_line l \
         WHERE l.run_id = r.run_id AND l.line_key = $1) ORDER BY r.job LIMIT 1",
    )
    .bind(line_key)
    .fetch_optional(db)
    .await
}

/// A held plan of a later date than this run's: something was wrong since.
pub async fn held_after(db: &mut Db, run: &Run) -> sqlx::Result<Option<Run>> {
    db::query_as(
        "SELECT * FROM run WHERE job = $1 AND state = 'held' AND business_date > $2 \
         ORDER BY business_date DESC LIMIT 1",
    )
    .bind(&run.job)
    .bind(&run.business_date)
    .fetch_optional(db)
    .await
}

/// Notes a step of a released line.
pub async fn note(
    db: &mut Db,
    by: &By,
    operation: Operation,
    line: &lines::ReleasedLine,
    new_state: LineState,
    detail: &str,
) -> sqlx::Result<()> {
    db::query(
        "INSERT INTO released_line_event (line_key, revision, operation, old_state, new_state, \
         actor, role, at, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&line.line_key)
    .bind(line.revision)
    .bind(operation.as_str())
    .bind(&line.state)
    .bind(new_state.as_str())
    .bind(&by.actor.name)
    .bind(by.actor.role.as_str())
    .bind(by.stamp())
    .bind(detail)
    .execute(db)
    .await?;
    Ok(())
}
