//! Attempts at a run: one at a time for a job, each with a fencing token, and books of what became of
//! every business date.
//!
//! Everything here that decides and writes does both in one write transaction, so several processes
//! agree: one begins a date, and one that lost its lease writes nothing more.

mod control;
mod dates;
mod keeper;
mod lease;
pub mod owner;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use granary_models::calendar::Day;

use self::dates::Event;
use self::owner::Owner;
use super::Store;
use super::db::{self, Db};
use super::read::jobs::{self, JobDate, LeaseRow};
use crate::config::{Exit, Job, Overlap, Refused, clock, user};

pub use control::Cancelled;
pub use keeper::Lease;
pub use lease::{Moment, check_fence, in_the_way};

/// Who wants a run, and so on what terms it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A person, or a program of theirs: any date, as often as they like.
    ByHand,
    /// The clock: a date that is still to be done, of a job that is not paused. `due_at` is when.
    ByClock { due_at: Option<DateTime<Utc>> },
}

impl Store {
    /// Begins a run and takes the job's lease, which is renewed until [`Lease::end`].
    ///
    /// What earlier processes left running is settled first: they are gone, or have let their lease
    /// run out.
    ///
    /// # Errors
    /// `Refused` with [`Exit::LockHeld`] while another run is at work, and, when the clock asks, for
    /// a date that is not to be done (any more).
    pub async fn begin_run(
        &self,
        job: &Job,
        business_date: Day,
        asked: Asked,
    ) -> anyhow::Result<Lease> {
        let date = business_date.to_string();
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let leases = jobs::leases(&mut db).await?;
        if let Some(holder) = in_the_way(&leases, &job.name, &now) {
            if !replaces(job, business_date, asked, holder) {
                return Err(Refused::new(Exit::LockHeld, held_by(holder)).into());
            }
            let older = (job.name.as_str(), holder.business_date.as_str());
            replace(&mut db, &now, older, Some(holder), business_date).await?;
        }
        settle(&mut db, &now, job).await?;
        let known = jobs::date(&mut db, &job.name, &date).await?;
        if let Asked::ByClock { .. } = asked
            && let Some(reason) = not_to_be_done(&mut db, &now, job, known.as_ref()).await?
        {
            // What was settled stays settled.
            db.commit().await?;
            let message = format!("{} for {date} {reason}", job.name);
            return Err(Refused::new(Exit::LockHeld, message).into());
        }
        let attempt_id = insert(&mut db, &now, &job.name, &date).await?;
        lease::take(&mut db, &job.name, &date, attempt_id, &now).await?;
        let owner = owner::label(&Owner::current().to_string());
        let (actor, detail) = match asked {
            Asked::ByHand => (user(), format!("by hand, {owner}")),
            Asked::ByClock { .. } => (owner, String::new()),
        };
        let event = Event {
            job: &job.name,
            date: &date,
            what: "begun",
            attempt_id: Some(attempt_id),
            actor: &actor,
            detail: &detail,
        };
        if let Asked::ByClock { due_at: Some(due_at) } = asked {
            let due = Event { what: "due", attempt_id: None, detail: "", ..event };
            dates::due(&mut db, &now, &due, due_at).await?;
        }
        dates::begin(&mut db, &now, &event, known.as_ref()).await?;
        db.commit().await?;
        Ok(Lease::keep(self.clone(), job.clone(), business_date, attempt_id, asked))
    }

    /// The time as the database has it: its own clock's in PostgreSQL, this process's in SQLite.
    pub async fn now(&self) -> anyhow::Result<DateTime<Utc>> {
        Ok(Moment::of(&mut self.snapshot().await?).await?.at)
    }

    /// Writes down what the clock sees before it starts anything: dates that have come due, dates that
    /// the catch-up window has left behind, and runs whose process is gone.
    pub async fn note_dates(
        &self,
        job: &Job,
        due: &[(Day, DateTime<Utc>)],
        missed: &[Day],
    ) -> anyhow::Result<()> {
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let lease = lease::of_job(&mut db, &job.name).await?;
        if lease.is_none_or(|lease| !lease.is_valid(&now)) {
            settle(&mut db, &now, job).await?;
        }
        let actor = owner::label(&Owner::current().to_string());
        let event = Event {
            job: &job.name,
            date: "",
            what: "due",
            attempt_id: None,
            actor: &actor,
            detail: "",
        };
        for &(date, due_at) in due {
            dates::due(&mut db, &now, &Event { date: &date.to_string(), ..event }, due_at).await?;
        }
        for date in missed {
            let date = date.to_string();
            let known = jobs::date(&mut db, &job.name, &date).await?;
            if known.is_some_and(|date| !date.is_done() && date.state != "running") {
                let detail = "the catch-up window has passed";
                let skipped = Event { date: &date, what: "skipped", detail, ..event };
                dates::close(&mut db, &now, &skipped, "skipped").await?;
            }
        }
        db.commit().await?;
        Ok(())
    }

    /// Writes down how a run of the clock's broke off whose process could not. `before` is the newest
    /// attempt at the date before it was started. Does nothing where the run has said how it ended,
    /// or where another process is at work by now.
    pub async fn close_run(
        &self,
        job: &Job,
        business_date: Day,
        before: Option<i64>,
        why: &str,
    ) -> anyhow::Result<()> {
        let date = business_date.to_string();
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let lease = lease::of_job(&mut db, &job.name).await?;
        if lease.is_some_and(|lease| lease.is_valid(&now)) {
            return Ok(());
        }
        let newest = jobs::newest_attempt(&mut db, &job.name, business_date).await?;
        let attempt_id = newest.filter(|newest| before.is_none_or(|before| *newest > before));
        match attempt_id {
            Some(attempt_id) if !is_running(&mut db, attempt_id).await? => return Ok(()),
            Some(attempt_id) => {
                conclude(&mut db, &now, attempt_id, "failed", why).await?;
                lease::release(&mut db, &job.name, attempt_id).await?;
            }
            None => {
                if is_done(&mut db, &job.name, &date).await? {
                    return Ok(());
                }
            }
        }
        let actor = owner::label(&Owner::current().to_string());
        let event = Event {
            job: &job.name,
            date: &date,
            what: "failed",
            attempt_id,
            actor: &actor,
            detail: why,
        };
        dates::fail(&mut db, &now, job, &event).await?;
        db.commit().await?;
        Ok(())
    }

    /// Lets a newer date take the place of an older one of the same job: its run, if it is at work, can
    /// write no more, and the clock is done with it.
    pub async fn replace_date(&self, job: &str, older: Day, by: Day) -> anyhow::Result<()> {
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let older = older.to_string();
        let lease = lease::of_job(&mut db, job).await?;
        let at_work = lease.filter(|lease| lease.business_date == older);
        replace(&mut db, &now, (job, older.as_str()), at_work.as_ref(), by).await?;
        db.commit().await?;
        Ok(())
    }

    /// The end of a run, by the run itself; see [`Lease::end`].
    async fn end_run(
        &self,
        job: &Job,
        business_date: Day,
        attempt_id: i64,
        (outcome, detail): (&str, &str),
        stage_ms: &BTreeMap<&str, u64>,
    ) -> anyhow::Result<()> {
        let date = business_date.to_string();
        let mut db = self.write().await?;
        let now = Moment::of(&mut db).await?;
        let ours = lease::is_ours(&mut db, &job.name, attempt_id).await?;
        let written = matches!(outcome, "published" | "held");
        let actor = owner::label(&Owner::current().to_string());
        let event = Event {
            job: &job.name,
            date: &date,
            what: if ours { outcome } else { "fenced" },
            attempt_id: Some(attempt_id),
            actor: &actor,
            detail,
        };
        if ours {
            conclude(&mut db, &now, attempt_id, outcome, detail).await?;
            if !written {
                dates::fail(&mut db, &now, job, &event).await?;
            }
            lease::release(&mut db, &job.name, attempt_id).await?;
        } else if !written {
            fenced(&mut db, &now, attempt_id, detail).await?;
            dates::note(&mut db, &now, &event).await?;
        }
        db::query("UPDATE run_attempt SET stage_ms = $2 WHERE attempt_id = $1")
            .bind(attempt_id)
            .bind(serde_json::to_string(stage_ms)?)
            .execute(&mut db)
            .await?;
        db.commit().await?;
        Ok(())
    }
}

/// The words of a publication in the books, within its transaction: the date is done from the instant
/// on at which readers see its plan.
pub(super) async fn published(
    db: &mut Db,
    (job, date): (&str, &str),
    attempt_id: i64,
    state: &str,
    held_because: &str,
) -> anyhow::Result<()> {
    let now = Moment::of(db).await?;
    conclude(db, &now, attempt_id, state, held_because).await?;
    let actor = owner::label(&Owner::current().to_string());
    let attempt_id = Some(attempt_id);
    let event = Event { job, date, what: state, attempt_id, actor: &actor, detail: held_because };
    dates::finish(db, &now, &event).await?;
    Ok(())
}

impl Store {
    /// A date is done whose job makes no plan.
    pub async fn finish_without_plan(
        &self,
        job: &str,
        business_date: Day,
        attempt_id: i64,
        detail: &str,
    ) -> anyhow::Result<()> {
        let mut db = self.write().await?;
        check_fence(&mut db, job, attempt_id).await?;
        let date = business_date.to_string();
        published(&mut db, (job, &date), attempt_id, "published", detail).await?;
        Ok(db.commit().await?)
    }
}

fn replaces(job: &Job, business_date: Day, asked: Asked, holder: &LeaseRow) -> bool {
    let overlap = job.schedule.as_ref().map(|schedule| schedule.overlap);
    asked != Asked::ByHand
        && overlap == Some(Overlap::Replace)
        && holder.job == job.name
        && holder.business_date < business_date.to_string()
}

fn held_by(holder: &LeaseRow) -> String {
    format!(
        "{} for {} is at work: {}, attempt {}, until {} unless it renews its lease",
        holder.job,
        holder.business_date,
        holder.holder(),
        holder.attempt_id,
        holder.until_at
    )
}

/// A newer date takes the place of an older one, whose run may be at work or have just ended.
async fn replace(
    db: &mut Db,
    now: &Moment,
    (job, older): (&str, &str),
    at_work: Option<&LeaseRow>,
    by: Day,
) -> anyhow::Result<()> {
    let detail = format!("by the run for {by}");
    let attempt_id = at_work.map(|lease| lease.attempt_id);
    if let Some(attempt_id) = attempt_id {
        lease::release(db, job, attempt_id).await?;
        if !is_running(db, attempt_id).await? {
            // It has published its plan and was about to say goodbye.
            return Ok(());
        }
        conclude(db, now, attempt_id, "replaced", &detail).await?;
    }
    let actor = owner::label(&Owner::current().to_string());
    let event =
        Event { job, date: older, what: "replaced", attempt_id, actor: &actor, detail: &detail };
    if attempt_id.is_some() || !is_done(db, job, older).await? {
        dates::close(db, now, &event, "skipped").await?;
    }
    Ok(())
}

async fn is_done(db: &mut Db, job: &str, date: &str) -> sqlx::Result<bool> {
    Ok(jobs::date(db, job, date).await?.is_some_and(|date| date.is_done()))
}

/// Attempts that are still down as running although nobody holds the job's lease: their processes are
/// gone, or stopped for longer than a lease.
async fn settle(db: &mut Db, now: &Moment, job: &Job) -> anyhow::Result<()> {
    let left: Vec<(i64, String)> = db::query_as(
        "SELECT attempt_id, business_date FROM run_attempt \
         WHERE job = $1 AND outcome = 'running' ORDER BY attempt_id",
    )
    .bind(&job.name)
    .fetch_all(db)
    .await?;
    let lease = lease::of_job(db, &job.name).await?;
    for (attempt_id, date) in left {
        db::query("UPDATE run_attempt SET outcome = 'abandoned' WHERE attempt_id = $1")
            .bind(attempt_id)
            .execute(db)
            .await?;
        let owner = lease.as_ref().filter(|lease| lease.attempt_id == attempt_id);
        let detail = owner.map_or_else(
            || "its process is gone".to_owned(),
            |lease| match lease.is_owner_gone(now) {
                true => format!("{} is gone", lease.holder()),
                false => format!("{} let its lease run out", lease.holder()),
            },
        );
        let event = Event {
            job: &job.name,
            date: &date,
            what: "abandoned",
            attempt_id: Some(attempt_id),
            actor: "granary",
            detail: &detail,
        };
        dates::fail(db, now, job, &event).await?;
    }
    if let Some(lease) = lease {
        lease::release(db, &job.name, lease.attempt_id).await?;
    }
    Ok(())
}

/// Why the clock leaves a date alone; `None` when it is to be done.
async fn not_to_be_done(
    db: &mut Db,
    now: &Moment,
    job: &Job,
    known: Option<&JobDate>,
) -> anyhow::Result<Option<String>> {
    let control = jobs::control(db, &job.name).await?;
    if control.paused_at.is_some() {
        return Ok(Some(format!("waits: the job is paused, {}", control.reason)));
    }
    let Some(date) = known else { return Ok(None) };
    if date.is_done() {
        return Ok(Some(format!("is {} already", date.state)));
    }
    let retry_at = date.retry_at.as_deref().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    Ok(retry_at
        .filter(|at| *at > now.at)
        .map(|at| format!("is tried again at {}", clock::stamp(at))))
}

async fn insert(db: &mut Db, now: &Moment, job: &str, date: &str) -> sqlx::Result<i64> {
    db::query_scalar(
        "INSERT INTO run_attempt (job, business_date, started_at, process_id) \
         VALUES ($1, $2, $3, $4) RETURNING attempt_id",
    )
    .bind(job)
    .bind(date)
    .bind(now.stamp())
    .bind(std::process::id())
    .fetch_one(db)
    .await
}

async fn conclude(
    db: &mut Db,
    now: &Moment,
    attempt_id: i64,
    outcome: &str,
    detail: &str,
) -> sqlx::Result<()> {
    db::query(
        "UPDATE run_attempt SET finished_at = $2, outcome = $3, detail = $4 WHERE attempt_id = $1",
    )
    .bind(attempt_id)
    .bind(now.stamp())
    .bind(outcome)
    .bind(detail)
    .execute(db)
    .await?;
    Ok(())
}

/// An attempt that came back after another had taken its place.
async fn fenced(db: &mut Db, now: &Moment, attempt_id: i64, detail: &str) -> sqlx::Result<()> {
    db::query(
        "UPDATE run_attempt SET finished_at = $2, outcome = 'fenced', detail = $3 \
         WHERE attempt_id = $1 AND outcome IN ('running', 'abandoned')",
    )
    .bind(attempt_id)
    .bind(now.stamp())
    .bind(detail)
    .execute(db)
    .await?;
    Ok(())
}

async fn is_running(db: &mut Db, attempt_id: i64) -> sqlx::Result<bool> {
    let outcome: Option<String> =
        db::query_scalar("SELECT outcome FROM run_attempt WHERE attempt_id = $1")
            .bind(attempt_id)
            .fetch_optional(db)
            .await?;
    Ok(outcome.as_deref() == Some("running"))
}
