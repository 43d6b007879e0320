//! What is due: decided from the job's timetable and the rows of earlier runs, never from what a
//! timer remembers.
//!
//! A timetable is a cron expression read on the wall clock of an IANA zone. A wall-clock time that
//! the zone skips is due at the end of the gap; one that it has twice is due the first time.

use std::str::FromStr;

use anyhow::Context;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use granary_models::calendar::Day;
use serde::Serialize;

use crate::config::{Job, Schedule};
use crate::store::db::Db;
use crate::store::read::runs::{self, Attempt};

/// After a run that found its inputs stale, the next look.
const STALE_RETRY_MINUTES: i64 = 15;
/// After a first failure; doubled with each further one.
const FAILED_RETRY_MINUTES: i64 = 5;
const LONGEST_RETRY_MINUTES: i64 = 60;
/// How far ahead the next due time is searched: a cron may name one day of the year.
const SEARCH_DAYS: i32 = 366;

pub struct Timetable {
    cron: Cron,
    zone: Tz,
    catch_up_days: u32,
}

impl Timetable {
    /// `cron` has six fields: seconds, minutes, hours, day of month, month, day of week.
    pub fn new(cron: &str, zone: Tz, catch_up_days: u32) -> anyhow::Result<Timetable> {
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(cron)
            .with_context(|| format!("{cron:?} is not a cron expression of six fields"))?;
        Ok(Timetable { cron, zone, catch_up_days })
    }

    pub fn of(schedule: &Schedule) -> anyhow::Result<Timetable> {
        Timetable::new(&schedule.cron, schedule.time_zone, schedule.catch_up_days)
    }

    /// When the run for a business date is due: the first match of the cron on that date. `None`
    /// on a date that the cron does not name or that the zone never had.
    pub fn due_at(&self, date: Day) -> Option<DateTime<Utc>> {
        let midnight = date.to_date().and_hms_opt(0, 0, 0)?;
        // Cron is matched on the bare wall clock; the zone comes in afterwards.
        let match_on_clock =
            self.cron.find_next_occurrence(&midnight.and_utc(), true).ok()?.naive_utc();
        if match_on_clock.date() != date.to_date() || !has_date(self.zone, date.to_date()) {
            return None;
        }
        instant(self.zone, match_on_clock)
    }

    pub fn local_date(&self, now: DateTime<Utc>) -> Day {
        Day::from(now.with_timezone(&self.zone).date_naive())
    }

    /// Business dates within the catch-up window whose time has come, the newest first.
    pub fn due_dates(&self, now: DateTime<Utc>) -> Vec<Day> {
        let today = self.local_date(now);
        let window = i32::try_from(self.catch_up_days).unwrap_or(i32::MAX).min(SEARCH_DAYS);
        (today - window)
            .until(today + 1)
            .rev()
            .filter(|&date| self.due_at(date).is_some_and(|due| due <= now))
            .collect()
    }

    /// The next business date that is not due yet, and when it will be.
    pub fn next_due(&self, now: DateTime<Utc>) -> Option<(Day, DateTime<Utc>)> {
        let today = self.local_date(now);
        today.until(today + SEARCH_DAYS + 1).find_map(|date| {
            let due = self.due_at(date)?;
            (due > now).then_some((date, due))
        })
    }
}

/// A zone that crosses the date line leaves out a whole date (Pacific/Apia: 2011-12-30).
fn has_date(zone: Tz, date: NaiveDate) -> bool {
    let Some(midnight) = date.and_hms_opt(0, 0, 0) else { return false };
    instant(zone, midnight).is_some_and(|start| start.with_timezone(&zone).date_naive() == date)
}

/// The instant of a wall-clock time: the first of two, the end of the gap for one that is skipped.
fn instant(zone: Tz, clock: NaiveDateTime) -> Option<DateTime<Utc>> {
    if let Some(found) = zone.from_local_datetime(&clock).earliest() {
        return Some(found.with_timezone(&Utc));
    }
    // No offset is more than a day, so the clock is before `clock` at `low` and past it at `high`.
    let reading = |at: i64| {
        let at = DateTime::from_timestamp(at, 0)?;
        Some(at.with_timezone(&zone).naive_local())
    };
    let center = clock.and_utc().timestamp();
    let (mut low, mut high) = (center - 2 * 86_400, center + 2 * 86_400);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reading(middle)? > clock { high = middle } else { low = middle }
    }
    DateTime::from_timestamp(high, 0)
}

/// When a date that was tried may be tried again. `attempts` has the newest first.
pub fn retry_at(attempts: &[Attempt]) -> Option<DateTime<Utc>> {
    let newest = attempts.first()?;
    let at = newest.finished_at.as_deref().unwrap_or(&newest.started_at);
    let at = DateTime::<Utc>::from_str(at).ok()?;
    let killed = matches!(newest.outcome.as_str(), "running" | "abandoned");
    let tries = attempts.iter().take_while(|attempt| attempt.outcome != "stale").count();
    let minutes = match newest.outcome.as_str() {
        "stale" => STALE_RETRY_MINUTES,
        // Once killed is bad luck, and the next start finishes the night; twice is a pattern.
        _ if killed && tries <= 1 => 0,
        _ => {
            let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(8).min(8);
            (FAILED_RETRY_MINUTES << doublings).min(LONGEST_RETRY_MINUTES)
        }
    };
    Some(at + Duration::minutes(minutes))
}

/// The business date that a job should run for now, if any: the newest that is due, has no run and
/// need not wait after a failure. Dates before the job's first run were not missed.
pub async fn due_now(
    db: &mut Db,
    job: &str,
    timetable: &Timetable,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Day>> {
    let due = timetable.due_dates(now);
    let (Some(&newest), Some(&oldest)) = (due.first(), due.last()) else { return Ok(None) };
    let done = runs::dates_with_run(db, job, oldest).await?;
    let first_ever = runs::first_date(db, job).await?.and_then(|date| date.parse::<Day>().ok());
    for date in due {
        let missed = date == newest || first_ever.is_some_and(|first| date > first);
        if !missed || done.contains(&date.to_string()) {
            continue;
        }
        let attempts = runs::attempts_of(db, job, date).await?;
        if retry_at(&attempts).is_none_or(|at| at <= now) {
            return Ok(Some(date));
        }
    }
    Ok(None)
}

/// A job as an operator wants to see it.
#[derive(Clone, Debug, Serialize)]
pub struct JobStatus {
    pub job: String,
    pub cron: Option<String>,
    pub time_zone: Option<String>,
    pub catch_up_days: u32,
    /// What the clock saw last, finished or not.
    pub last: Option<Attempt>,
    pub last_seconds: Option<i64>,
    pub last_success: Option<Attempt>,
    /// A date that is due and has no run yet.
    pub due_now: Option<Day>,
    pub next_business_date: Option<Day>,
    /// On the job's own wall clock, with its offset.
    pub next_due_at: Option<String>,
}

pub async fn status(db: &mut Db, job: &Job, now: DateTime<Utc>) -> anyhow::Result<JobStatus> {
    let last = runs::last_attempts(db, &job.name, 1).await?.into_iter().next();
    let last_success =
        runs::last_successes(db).await?.into_iter().find(|attempt| attempt.job == job.name);
    let mut status = JobStatus {
        job: job.name.clone(),
        cron: None,
        time_zone: None,
        catch_up_days: 0,
        last_seconds: last.as_ref().and_then(seconds),
        last,
        last_success,
        due_now: None,
        next_business_date: None,
        next_due_at: None,
    };
    if let Some(schedule) = &job.schedule {
        let timetable = Timetable::of(schedule)?;
        status.cron = Some(schedule.cron.clone());
        status.time_zone = Some(schedule.time_zone.name().to_owned());
        status.catch_up_days = schedule.catch_up_days;
        status.due_now = due_now(db, &job.name, &timetable, now).await?;
        if let Some((date, at)) = timetable.next_due(now) {
            let local = at.with_timezone(&schedule.time_zone);
            status.next_business_date = Some(date);
            status.next_due_at = Some(local.format("%Y-%m-%d %H:%M %Z").to_string());
        }
    }
    Ok(status)
}

/// How long an attempt took; `None` while it runs.
fn seconds(attempt: &Attempt) -> Option<i64> {
    let start = DateTime::<Utc>::from_str(&attempt.started_at).ok()?;
    let end = DateTime::<Utc>::from_str(attempt.finished_at.as_deref()?).ok()?;
    Some((end - start).num_seconds())
}
