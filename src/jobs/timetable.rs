//! When business dates are due.
//!
//! A timetable is a cron expression read on the wall clock of an IANA zone. A date is due at the first
//! instant at which that clock reads the expression's first time of the date, or later: at the end of a
//! gap for a time that the zone skips, the first time for one that it has twice.

use anyhow::Context;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use granary_models::calendar::Day;

use crate::config::Schedule;

/// The longest catch-up window.
const LONGEST_WINDOW_DAYS: u32 = 366;
/// How far ahead the next due date is searched: 29 February may be eight years away.
const SEARCH_DAYS: i32 = 8 * 366;

pub struct Timetable {
    cron: Cron,
    zone: Tz,
    catch_up_days: i32,
    /// Which times of a day a cron names does not depend on the date, so the first is always the same.
    first_time: NaiveTime,
}

impl Timetable {
    /// `cron` has six fields: seconds, minutes, hours, day of month, month, day of week.
    pub fn new(cron: &str, zone: Tz, catch_up_days: u32) -> anyhow::Result<Timetable> {
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(cron)
            .with_context(|| format!("{cron:?} is not a cron expression of six fields"))?;
        let first_time = first_time(&cron).context("a cron expression without a time of day")?;
        let catch_up_days = catch_up_days.min(LONGEST_WINDOW_DAYS) as i32;
        Ok(Timetable { cron, zone, catch_up_days, first_time })
    }

    pub fn of(schedule: &Schedule) -> anyhow::Result<Timetable> {
        Timetable::new(&schedule.cron, schedule.time_zone, schedule.catch_up_days)
    }

    /// When the run for a business date is due. `None` on a date that the cron does not name or that
    /// the zone never had.
    pub fn due_at(&self, date: Day) -> Option<DateTime<Utc>> {
        // Cron is matched on the bare wall clock; the zone comes in afterwards.
        let clock = date.to_date().and_time(self.first_time);
        if !self.cron.is_time_matching(&clock.and_utc()).ok()? {
            return None;
        }
        let due = instant(self.zone, clock)?;
        let exists = self.local_date(due) == date || has_date(self.zone, date.to_date());
        exists.then_some(due)
    }

    pub fn local_date(&self, now: DateTime<Utc>) -> Day {
        Day::from(now.with_timezone(&self.zone).date_naive())
    }

    /// Business dates within the catch-up window whose time has come, with that time; the newest
    /// first.
    ///
    /// The window counts from the local date on which a date was due. That is the date itself, unless
    /// its time was in a gap that ends at or after midnight (America/Nuuk skips the last hour of a
    /// Saturday in March). And where a clock goes back over midnight, a date may be due while the local
    /// date is the one before again. Hence a day more on either side.
    pub fn due_dates(&self, now: DateTime<Utc>) -> Vec<(Day, DateTime<Utc>)> {
        let today = self.local_date(now);
        (today - self.catch_up_days - 1)
            .until(today + 2)
            .rev()
            .filter_map(|date| Some((date, self.due_at(date)?)))
            .filter(|&(_, due)| due <= now && today - self.local_date(due) <= self.catch_up_days)
            .collect()
    }

    /// Whether a date can no longer come up by itself.
    pub fn is_past(&self, date: Day, now: DateTime<Utc>) -> bool {
        let was_due_on = self.due_at(date).map_or(date, |due| self.local_date(due));
        self.local_date(now) - was_due_on > self.catch_up_days
    }

    /// The next business date that is not due yet, and when it will be.
    pub fn next_due(&self, now: DateTime<Utc>) -> Option<(Day, DateTime<Utc>)> {
        let today = self.local_date(now);
        (today - 1).until(today + SEARCH_DAYS + 1).find_map(|date| {
            let due = self.due_at(date)?;
            (due > now).then_some((date, due))
        })
    }
}

fn first_time(cron: &Cron) -> Option<NaiveTime> {
    let pattern = &cron.pattern;
    let hour = (0..24).find(|&hour| pattern.hour_match(hour).unwrap_or(false))?;
    let minute = (0..60).find(|&minute| pattern.minute_match(minute).unwrap_or(false))?;
    let second = (0..60).find(|&second| pattern.second_match(second).unwrap_or(false))?;
    NaiveTime::from_hms_opt(hour, minute, second)
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
