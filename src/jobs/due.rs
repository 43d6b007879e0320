//! What is due: decided from the job's timetable and the rows of earlier runs, never from what a
//! timer remembers.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use granary_models::calendar::Day;
use serde::Serialize;

use super::timetable::Timetable;
use crate::config::{Job, Overlap};
use crate::store::attempt::{Moment, in_the_way};
use crate::store::db::Db;
use crate::store::read::jobs::{self, JobDate, LeaseRow};
use crate::store::read::runs::{self, Attempt};

/// Dates shown of a job that has none to do.
const DATES_SHOWN: i32 = 7;

/// What the clock sees of a job when it looks.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Dates that have come due and have no row yet, with the time.
    pub unnoted: Vec<(Day, DateTime<Utc>)>,
    /// Dates that were not done while the catch-up window was open.
    pub missed: Vec<Day>,
    /// A run was left without a process that could end it.
    pub left_running: bool,
    /// The date to start now: the newest that is due, is still to be done and need not wait.
    pub start: Option<Day>,
    /// What keeps the job from starting anything.
    pub waits_for: Option<String>,
}

impl Seen {
    /// Whether rows have to be written before anything is started.
    pub fn has_news(&self) -> bool {
        !self.unnoted.is_empty() || !self.missed.is_empty() || self.left_running
    }
}

/// Looks at a job at `now`. Dates before its first run were not missed.
pub async fn look(
    db: &mut Db,
    job: &Job,
    timetable: &Timetable,
    now: DateTime<Utc>,
) -> anyhow::Result<Seen> {
    let moment = Moment::of(db).await?;
    let leases = jobs::leases(db).await?;
    let own = leases.iter().find(|lease| lease.job == job.name);
    let holder = in_the_way(&leases, &job.name, &moment);
    let due = timetable.due_dates(now);
    let oldest = due.last().map_or_else(|| timetable.local_date(now), |&(date, _)| date);
    let known: BTreeMap<String, JobDate> = jobs::dates_from(db, &job.name, oldest)
        .await?
        .into_iter()
        .map(|date| (date.business_date.clone(), date))
        .collect();
    let first_ever = runs::first_date(db, &job.name).await?.and_then(|date| date.parse().ok());
    let newest = due.first().map(|&(date, _)| date);

    let mut seen = Seen {
        left_running: own.is_some_and(|lease| !lease.is_valid(&moment))
            || own.is_none() && known.values().any(|date| date.state == "running"),
        missed: known
            .values()
            .filter(|date| !date.is_done() && date.state != "running")
            .filter_map(JobDate::date)
            .filter(|&date| timetable.is_past(date, now))
            .collect(),
        ..Seen::default()
    };
    let control = jobs::control(db, &job.name).await?;
    if control.paused_at.is_some() {
        seen.waits_for = Some(format!("paused by {}: {}", control.paused_by, control.reason));
    }
    for (date, due_at) in due {
        let row = known.get(&date.to_string());
        let missed = Some(date) == newest || first_ever.is_some_and(|first: Day| date > first);
        if row.is_none() && missed {
            seen.unnoted.push((date, due_at));
        }
        let to_do = row.map_or(missed, |row| is_to_do(row, now));
        if !to_do || seen.start.is_some() || seen.waits_for.is_some() {
            continue;
        }
        match holder {
            Some(holder) if !gives_way(job, holder, date) => {
                let (job, date) = (&holder.job, &holder.business_date);
                seen.waits_for = Some(format!("{job} for {date} is at work: {}", holder.holder()));
            }
            _ => seen.start = Some(date),
        }
    }
    Ok(seen)
}

fn is_to_do(row: &JobDate, now: DateTime<Utc>) -> bool {
    let retry_at = row.retry_at.as_deref().and_then(|at| DateTime::<Utc>::from_str(at).ok());
    !row.is_done() && retry_at.is_none_or(|at| at <= now)
}

fn gives_way(job: &Job, holder: &LeaseRow, date: Day) -> bool {
    let overlap = job.schedule.as_ref().map(|schedule| schedule.overlap);
    overlap == Some(Overlap::Replace)
        && holder.job == job.name
        && holder.business_date < date.to_string()
}

/// A job as an operator wants to see it.
#[derive(Clone, Debug, Serialize)]
pub struct JobStatus {
    pub job: String,
    /// In one word: `running`, `paused`, `due`, `waiting` (after a failure, or for data), `idle`, or
    /// `by_hand`.
    pub state: &'static str,
    /// What keeps a date that is due from starting.
    pub waits_for: Option<String>,
    pub cron: Option<String>,
    pub time_zone: Option<String>,
    pub catch_up_days: u32,
    /// Who is at work; its time may be up.
    pub lease: Option<LeaseRow>,
    pub paused_at: Option<String>,
    pub paused_by: Option<String>,
    pub pause_reason: Option<String>,
    /// Failures in a row, of any date.
    pub failures: i64,
    /// The dates of the last days and all that are still to be done, newest first.
    pub dates: Vec<JobDate>,
    /// What the clock saw last, finished or not.
    pub last: Option<Attempt>,
    pub last_seconds: Option<i64>,
    pub last_success: Option<Attempt>,
    /// A date that would start now.
    pub due_now: Option<Day>,
    pub next_business_date: Option<Day>,
    /// On the job's own wall clock, with its offset.
    pub next_due_at: Option<String>,
}

pub async fn status(db: &mut Db, job: &Job, now: DateTime<Utc>) -> anyhow::Result<JobStatus> {
    let last = runs::last_attempts(db, &job.name, 1).await?.into_iter().next();
    let last_success =
        runs::last_successes(db).await?.into_iter().find(|attempt| attempt.job == job.name);
    let control = jobs::control(db, &job.name).await?;
    let lease = jobs::leases(db).await?.into_iter().find(|lease| lease.job == job.name);
    let today = job.schedule.as_ref().map_or_else(
        || Day::from(now.date_naive()),
        |schedule| Day::from(now.with_timezone(&schedule.time_zone).date_naive()),
    );
    let mut dates = jobs::dates_from(db, &job.name, today - DATES_SHOWN).await?;
    dates.reverse();
    let mut status = JobStatus {
        job: job.name.clone(),
        state: "by_hand",
        waits_for: None,
        cron: None,
        time_zone: None,
        catch_up_days: 0,
        failures: control.failures,
        pause_reason: control.paused_at.is_some().then(|| control.reason.clone()),
        paused_by: control.paused_at.is_some().then(|| control.paused_by.clone()),
        paused_at: control.paused_at,
        dates,
        last_seconds: last.as_ref().and_then(seconds),
        last,
        last_success,
        due_now: None,
        next_business_date: None,
        next_due_at: None,
        lease,
    };
    if let Some(schedule) = &job.schedule {
        let timetable = Timetable::of(schedule)?;
        status.cron = Some(schedule.cron.clone());
        status.time_zone = Some(schedule.time_zone.name().to_owned());
        status.catch_up_days = schedule.catch_up_days;
        let seen = look(db, job, &timetable, now).await?;
        status.due_now = seen.start;
        status.waits_for = seen.waits_for;
        if let Some((date, at)) = timetable.next_due(now) {
            let local = at.with_timezone(&schedule.time_zone);
            status.next_business_date = Some(date);
            status.next_due_at = Some(local.format("%Y-%m-%d %H:%M %Z").to_string());
        }
    }
    status.state = state(&status);
    Ok(status)
}

fn state(status: &JobStatus) -> &'static str {
    let waits = || status.dates.iter().any(|date| !date.is_done());
    match status {
        JobStatus { lease: Some(_), .. } => "running",
        JobStatus { paused_at: Some(_), .. } => "paused",
        JobStatus { due_now: Some(_), .. } => "due",
        JobStatus { cron: None, .. } => "by_hand",
        _ if waits() => "waiting",
        _ => "idle",
    }
}

/// How long an attempt took; `None` while it runs.
fn seconds(attempt: &Attempt) -> Option<i64> {
    let start = DateTime::<Utc>::from_str(&attempt.started_at).ok()?;
    let end = DateTime::<Utc>::from_str(attempt.finished_at.as_deref()?).ok()?;
    Some((end - start).num_seconds())
}
