//! What people do to jobs: pause, resume, cancel.

use anyhow::Context;
use granary_models::calendar::Day;
use serde::Serialize;

use super::dates::{self, Event};
use super::lease::{self, Moment};
use crate::config::{Exit, Job, Refused};
use crate::store::Store;
use crate::store::db::{self, Db};
use crate::store::read::jobs;

/// What a cancellation stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cancelled {
    pub job: String,
    pub business_date: String,
    /// Of the run that was at work, if one was.
    pub attempt_id: Option<i64>,
    pub holder: Option<String>,
}

impl Store {
    /// Keeps the clock from starting the job; a run at work goes on. Gives `false` when it was paused
    /// already.
    pub async fn pause_job(&self, job: &str, actor: &str, reason: &str) -> anyhow::Result<bool> {
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let paused = pause(&mut db, &now, job, actor, reason).await?;
        db.commit().await?;
        Ok(paused)
    }

    /// Lets the clock start the job again and forgets its failures. Gives `false` when it was not paused.
    pub async fn resume_job(&self, job: &str, actor: &str) -> anyhow::Result<bool> {
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let paused = jobs::control(&mut db, job).await?.paused_at.is_some();
        if paused {
            db::query(
                "UPDATE job_control SET failures = 0, paused_at = NULL, paused_by = '', reason = '' \
                 WHERE job = $1",
            )
            .bind(job)
            .execute(&mut db)
            .await?;
            let event =
                Event { job, date: "", what: "resumed", attempt_id: None, actor, detail: "" };
            dates::note(&mut db, &now, &event).await?;
        }
        db.commit().await?;
        Ok(paused)
    }

    /// Takes the lease away from the run at work, which can write no more and ends; or, with a date,
    /// lets the clock forget a date that it has not done yet.
    ///
    /// # Errors
    /// `Refused` with [`Exit::Usage`] when there is nothing to cancel.
    pub async fn cancel_run(
        &self,
        job: &str,
        date: Option<Day>,
        actor: &str,
        reason: &str,
    ) -> anyhow::Result<Cancelled> {
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let date = date.map(|date| date.to_string());
        let at_work = lease::of_job(&mut db, job)
            .await?
            .filter(|lease| date.as_ref().is_none_or(|date| *date == lease.business_date));
        let business_date = match (&at_work, &date) {
            (Some(lease), _) => lease.business_date.clone(),
            (None, Some(date)) => date.clone(),
            (None, None) => {
                let message = format!(
                    "no run of {job} is at work; `--date D` cancels a date that waits for its turn"
                );
                return Err(Refused::new(Exit::Usage, message).into());
            }
        };
        let attempt_id = at_work.as_ref().map(|lease| lease.attempt_id);
        let event = Event {
            job,
            date: &business_date,
            what: "cancelled",
            attempt_id,
            actor,
            detail: reason,
        };
        match attempt_id {
            Some(attempt_id) => stop_attempt(&mut db, &now, &event, attempt_id).await?,
            None => {
                let known = jobs::date(&mut db, job, &business_date).await?;
                let state = known.as_ref().map_or("unknown to the clock", |date| &date.state);
                if known.as_ref().is_none_or(|date| date.is_done()) {
                    let message =
                        format!("{job} for {business_date} is {state}: nothing to cancel");
                    return Err(Refused::new(Exit::Usage, message).into());
                }
            }
        }
        dates::close(&mut db, &now, &event, "cancelled").await?;
        db.commit().await.context("cancelling")?;
        let holder = at_work.map(|lease| lease.holder());
        Ok(Cancelled { job: job.to_owned(), business_date, attempt_id, holder })
    }
}

async fn stop_attempt(
    db: &mut Db,
    now: &Moment,
    event: &Event<'_>,
    attempt_id: i64,
) -> anyhow::Result<()> {
    let stopped = db::query(
        "UPDATE run_attempt SET outcome = 'cancelled', finished_at = $2, detail = $3 \
         WHERE attempt_id = $1 AND outcome = 'running'",
    )
    .bind(attempt_id)
    .bind(now.stamp())
    .bind(event.detail)
    .execute(db)
    .await?;
    if stopped == 0 {
        let message = format!("{} for {} has just ended", event.job, event.date);
        return Err(Refused::new(Exit::Usage, message).into());
    }
    lease::release(db, event.job, attempt_id).await?;
    Ok(())
}

async fn pause(
    db: &mut Db,
    now: &Moment,
    job: &str,
    actor: &str,
    reason: &str,
) -> sqlx::Result<bool> {
    if jobs::control(db, job).await?.paused_at.is_some() {
        return Ok(false);
    }
    db::query(
        "INSERT INTO job_control (job, paused_at, paused_by, reason) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (job) DO UPDATE SET paused_at = excluded.paused_at, \
         paused_by = excluded.paused_by, reason = excluded.reason",
    )
    .bind(job)
    .bind(now.stamp())
    .bind(actor)
    .bind(reason)
    .execute(db)
    .await?;
    let event = Event { job, date: "", what: "paused", attempt_id: None, actor, detail: reason };
    dates::note(db, now, &event).await?;
    Ok(true)
}

pub(super) async fn forget_failures(db: &mut Db, job: &str) -> sqlx::Result<()> {
    let update = db::query("UPDATE job_control SET failures = 0 WHERE job = $1 AND failures > 0");
    update.bind(job).execute(db).await?;
    Ok(())
}

/// One more failure in a row; so many pause the job.
pub(super) async fn count_failure(
    db: &mut Db,
    now: &Moment,
    job: &Job,
    event: &Event<'_>,
) -> sqlx::Result<()> {
    let failures: i64 = db::query_scalar(
        "INSERT INTO job_control (job, failures) VALUES ($1, 1) \
         ON CONFLICT (job) DO UPDATE SET failures = job_control.failures + 1 RETURNING failures",
    )
    .bind(event.job)
    .fetch_one(db)
    .await?;
    let limit = job.schedule.as_ref().map_or(0, |schedule| schedule.pause_after_failures);
    if limit > 0 && failures >= i64::from(limit) {
        let reason = format!("{failures} failures in a row, the last: {}", event.detail);
        pause(db, now, event.job, "granary", &reason).await?;
    }
    Ok(())
}
