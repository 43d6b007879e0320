//! What became of each business date, and the history of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::control;
use super::lease::Moment;
use crate::config::{Job, Retry, clock};
use crate::store::db::{self, Db};
use crate::store::read::jobs::{self, JobDate};

/// After a run that found its inputs stale, the next look: data that is late is no failure of ours.
const STALE_RETRY_MINUTES: f64 = 15.0;

/// Something that happened to a job or one of its dates.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    pub job: &'a str,
    /// Empty: to the job as a whole.
    pub date: &'a str,
    pub what: &'a str,
    pub attempt_id: Option<i64>,
    pub actor: &'a str,
    pub detail: &'a str,
}

pub(super) async fn note(db: &mut Db, now: &Moment, event: &Event<'_>) -> sqlx::Result<()> {
    db::query(
        "INSERT INTO job_event (job, business_date, at, what, attempt_id, actor, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.job)
    .bind(event.date)
    .bind(now.stamp())
    .bind(event.what)
    .bind(event.attempt_id)
    .bind(event.actor)
    .bind(event.detail)
    .execute(db)
    .await?;
    Ok(())
}

/// A date's new standing; `due_at` stays when it is known.
struct Change<'a> {
    state: &'a str,
    tries: i64,
    retry_at: Option<String>,
    due_at: Option<String>,
}

async fn change(db: &mut Db, event: &Event<'_>, change: Change<'_>) -> sqlx::Result<()> {
    db::query(
        "INSERT INTO job_date (job, business_date, state, due_at, tries, retry_at, attempt_id, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (job, business_date) DO UPDATE SET \
         state = excluded.state, due_at = coalesce(job_date.due_at, excluded.due_at), \
         tries = excluded.tries, retry_at = excluded.retry_at, \
         attempt_id = coalesce(excluded.attempt_id, job_date.attempt_id), detail = excluded.detail",
    )
    .bind(event.job)
    .bind(event.date)
    .bind(change.state)
    .bind(change.due_at)
    .bind(change.tries)
    .bind(change.retry_at)
    .bind(event.attempt_id)
    .bind(event.detail)
    .execute(db)
    .await?;
    Ok(())
}

/// A date whose time has come.
pub(super) async fn due(
    db: &mut Db,
    now: &Moment,
    event: &Event<'_>,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    // Several servers see it at once; one row and one event are enough.
    if jobs::date(db, event.job, event.date).await?.is_some() {
        return Ok(());
    }
    let due_at = Some(clock::stamp(due_at));
    change(db, event, Change { state: "waiting", tries: 0, retry_at: None, due_at }).await?;
    note(db, now, event).await
}

/// An attempt begins. A date that the clock is done with stays as it is until the attempt brings
/// something better: its plan is still the published one.
pub(super) async fn begin(
    db: &mut Db,
    now: &Moment,
    event: &Event<'_>,
    known: Option<&JobDate>,
) -> sqlx::Result<()> {
    if known.is_none_or(|date| !date.is_done()) {
        let tries = known.map_or(0, |date| date.tries);
        let running = Change { state: "running", tries, retry_at: None, due_at: None };
        change(db, event, running).await?;
    }
    note(db, now, event).await
}

/// An attempt has written its plan: `published` or `held`. A held plan hides no published one.
pub(super) async fn finish(db: &mut Db, now: &Moment, event: &Event<'_>) -> sqlx::Result<()> {
    let known = jobs::date(db, event.job, event.date).await?;
    let stays = event.what == "held" && known.as_ref().is_some_and(|d| d.state == "published");
    if !stays {
        let tries = known.map_or(0, |date| date.tries);
        let done = Change { state: event.what, tries, retry_at: None, due_at: None };
        change(db, event, done).await?;
    }
    control::forget_failures(db, event.job).await?;
    note(db, now, event).await
}

/// An attempt has come to nothing: `failed`, `abandoned` (its process is gone) or `stale`. Says when
/// the date is tried again, and pauses a job that fails too often.
pub(super) async fn fail(
    db: &mut Db,
    now: &Moment,
    job: &Job,
    event: &Event<'_>,
) -> sqlx::Result<()> {
    let known = jobs::date(db, event.job, event.date).await?;
    let done = known.as_ref().is_some_and(JobDate::is_done);
    let before = known.map_or(0, |date| date.tries);
    note(db, now, event).await?;
    if event.what == "stale" {
        if !done {
            let retry_at = after(now, Some(STALE_RETRY_MINUTES));
            let stale = Change { state: "stale", tries: before, retry_at, due_at: None };
            change(db, event, stale).await?;
        }
        return Ok(());
    }
    if !done {
        let retry = job.schedule.as_ref().map_or_else(Retry::default, |schedule| schedule.retry);
        let tries = before + 1;
        // Once killed is bad luck, and the next start finishes the night; twice is a pattern.
        let minutes = match event.what {
            "abandoned" if tries == 1 && retry.max > 0 => Some(0.0),
            _ => retry.minutes_after(tries),
        };
        let state = if minutes.is_some() { "failed" } else { "gave_up" };
        let retry_at = after(now, minutes);
        change(db, event, Change { state, tries, retry_at, due_at: None }).await?;
        if minutes.is_none() {
            let detail = format!("after {tries} failures; `granary run` tries it by hand");
            note(db, now, &Event { what: "gave_up", detail: &detail, ..*event }).await?;
        }
    }
    control::count_failure(db, now, job, event).await
}

fn after(now: &Moment, minutes: Option<f64>) -> Option<String> {
    let milliseconds = (minutes? * 60_000.0) as i64;
    Some(clock::stamp(now.at + TimeDelta::milliseconds(milliseconds)))
}

/// The clock, or a person, is done with a date that has no plan: `skipped` or `cancelled`. `replaced`
/// also skips it.
pub(super) async fn close(
    db: &mut Db,
    now: &Moment,
    event: &Event<'_>,
    state: &'static str,
) -> sqlx::Result<()> {
    let known = jobs::date(db, event.job, event.date).await?;
    if known.as_ref().is_none_or(|date| !date.is_done()) {
        let tries = known.map_or(0, |date| date.tries);
        change(db, event, Change { state, tries, retry_at: None, due_at: None }).await?;
    }
    note(db, now, event).await
}
