//! Every transition of every IANA zone from 2000 to 2037: each local date that exists is due exactly
//! once, in order, and a tick a minute finds it exactly once.
//!
//! The truth is worked out apart from the code under test: the change of a zone's clock is found by
//! asking for its offset at instants, and the rest is arithmetic on offsets in seconds.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use granary::jobs::timetable::Timetable;
use granary_models::calendar::Day;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// Between two looks for a change: no zone has two changes within it that cancel out.
const STEP: i64 = 2 * DAY;
const QUARTERS: u32 = 96;

fn offset(zone: Tz, at: i64) -> i64 {
    let at = DateTime::from_timestamp(at, 0).expect("an instant").naive_utc();
    i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
}

fn start_of(year: i32) -> i64 {
    NaiveDate::from_ymd_opt(year, 1, 1)
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .expect("a year")
        .and_utc()
        .timestamp()
}

/// The first instants of new offsets.
fn changes(zone: Tz) -> Vec<i64> {
    let (mut at, end) = (start_of(2000), start_of(2038));
    let mut found = Vec::new();
    let mut now = offset(zone, at);
    while at < end {
        if offset(zone, at + STEP) == now {
            at += STEP;
            continue;
        }
        let (mut low, mut high) = (at, at + STEP);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if offset(zone, middle) == now { low = middle } else { high = middle }
        }
        found.push(high);
        now = offset(zone, high);
        at = high;
    }
    found
}

/// A stretch of a zone's time around a change: `(from, offset)`, each until the next.
struct Clock {
    segments: Vec<(i64, i64)>,
}

impl Clock {
    fn around(zone: Tz, changes: &[i64], change: i64) -> Clock {
        let from = change - 5 * DAY;
        let near = changes.iter().filter(|&&at| (from..change + 5 * DAY).contains(&at));
        let mut segments = vec![(from, offset(zone, from))];
        segments.extend(near.map(|&at| (at, offset(zone, at))));
        Clock { segments }
    }

    /// The first instant at which the clock reads `local` or later.
    fn first_at_or_after(&self, local: i64) -> i64 {
        for (i, &(from, offset)) in self.segments.iter().enumerate() {
            let at = from.max(local - offset);
            if self.segments.get(i + 1).is_none_or(|&(next, _)| at < next) {
                return at;
            }
        }
        unreachable!("the last segment has no end")
    }

    /// Whether the clock ever shows the day that begins at `midnight`.
    fn shows(&self, midnight: i64) -> bool {
        self.segments.iter().enumerate().any(|(i, &(from, offset))| {
            let until = self.segments.get(i + 1).map_or(i64::MAX - DAY, |&(next, _)| next);
            from + offset < midnight + DAY && midnight < until + offset
        })
    }

    fn local(&self, at: i64) -> i64 {
        let offset = self.segments.iter().rev().find(|&&(from, _)| from <= at);
        at + offset.expect("an instant of the stretch").1
    }
}

fn day_of(local: i64) -> Day {
    let clock: NaiveDateTime = DateTime::from_timestamp(local, 0).expect("a time").naive_utc();
    Day::from(clock.date())
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}

fn timetables(zone: Tz, catch_up_days: u32) -> Vec<Timetable> {
    (0..QUARTERS)
        .map(|quarter| {
            let cron = format!("0 {} {} * * *", quarter % 4 * 15, quarter / 4);
            Timetable::new(&cron, zone, catch_up_days).expect("a timetable")
        })
        .collect()
}

/// The days around a change whose due times it could touch.
fn days_around(clock: &Clock, change: i64) -> Vec<Day> {
    let first = day_of(clock.local(change - DAY)) - 1;
    first.until(day_of(clock.local(change + DAY)) + 2).collect()
}

fn midnight(day: Day) -> i64 {
    day.to_date().and_hms_opt(0, 0, 0).expect("midnight").and_utc().timestamp()
}

/// Every quarter hour of the days around a change: due when the clock first reads it or more, in the
/// order of the dates, and not at all on a day that the zone never had.
fn check_dues(zone: Tz, clock: &Clock, change: i64, timetables: &[Timetable]) {
    for (quarter, timetable) in timetables.iter().enumerate() {
        let mut before = i64::MIN;
        for day in days_around(clock, change) {
            let midnight = midnight(day);
            let found = timetable.due_at(day).map(|due| due.timestamp());
            let wanted = clock
                .shows(midnight)
                .then(|| clock.first_at_or_after(midnight + quarter as i64 * 15 * MINUTE));
            assert_eq!(found, wanted, "{zone} {day} quarter {quarter}, change at {}", at(change));
            if let Some(due) = found {
                assert!(before < due, "{zone} {day} quarter {quarter}: not after the day before");
                before = due;
            }
        }
    }
}

/// Ticks once a minute through a change, runs whatever is due and not yet done, and finds every date
/// whose time falls into the stretch exactly once, at its minute.
fn check_ticks(zone: Tz, clock: &Clock, change: i64, timetables: &[Timetable]) {
    let shift = clock.local(change) - clock.local(change - 1) - 1;
    let reach = shift.abs() + HOUR;
    let (from, until) = (change - reach, change + reach);
    let near = |local: i64| {
        let time = local.rem_euclid(DAY) / (15 * MINUTE);
        [time, (time + 1) % 96, (time + 95) % 96]
    };
    // The quarters on both sides of the change, and what lies within a gap or an overlap.
    let (low, high) = (clock.local(change - 1), clock.local(change));
    let mut quarters: BTreeSet<i64> = near(low).into_iter().chain(near(high)).collect();
    if shift.abs() < 4 * HOUR {
        let (low, high) = (low.min(high), low.max(high));
        quarters.extend((low..high).step_by(900).map(|local| local.rem_euclid(DAY) / 900));
    }
    for quarter in quarters {
        let timetable = &timetables[quarter as usize];
        let mut wanted = Vec::new();
        // What was due before the first tick has run.
        let mut done = BTreeSet::new();
        for day in days_around(clock, change) {
            let midnight = midnight(day);
            let due = clock.first_at_or_after(midnight + quarter * 15 * MINUTE);
            if clock.shows(midnight) && due < from {
                done.insert(day);
            } else if clock.shows(midnight) && due < until {
                wanted.push((day, due));
            }
        }
        let mut ran = Vec::new();
        let mut tick = from;
        while tick < until {
            for (date, _) in timetable.due_dates(at(tick)).into_iter().rev() {
                if done.insert(date) {
                    ran.push((date, tick));
                }
            }
            tick += MINUTE;
        }
        let on_the_minute = |&(date, due): &(Day, i64)| {
            (date, from + (due - from + MINUTE - 1).div_euclid(MINUTE) * MINUTE)
        };
        let wanted: Vec<_> = wanted.iter().map(on_the_minute).collect();
        assert_eq!(ran, wanted, "{zone} quarter {quarter}, change at {}", at(change));
    }
}

#[test]
fn each_local_date_is_due_exactly_once_whatever_the_clocks_do() {
    let next = AtomicUsize::new(0);
    let (changed, ticked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Zones that share a change are alike around it, so ticks go through each kind of change once.
    let kinds = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(&zone) = TZ_VARIANTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let changes = changes(zone);
                    if changes.is_empty() {
                        continue;
                    }
                    let timetables = timetables(zone, 0);
                    for &change in &changes {
                        let clock = Clock::around(zone, &changes, change);
                        check_dues(zone, &clock, change, &timetables);
                        changed.fetch_add(1, Ordering::Relaxed);
                        let kind = (change, clock.segments.clone());
                        if kinds.lock().expect("kinds").insert(kind) {
                            check_ticks(zone, &clock, change, &timetables);
                            ticked.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let (changed, ticked) = (changed.into_inner(), ticked.into_inner());
    println!("{} zones, {changed} changes of their clocks, {ticked} kinds", TZ_VARIANTS.len());
    assert!(TZ_VARIANTS.len() > 500 && changed > 10_000 && ticked > 1_000, "{changed} {ticked}");
}

/// The truth of this test against a few that can be looked up.
#[test]
fn the_known_oddities_are_among_the_changes() {
    for (zone, change, shift) in [
        ("Pacific/Apia", "2011-12-30T10:00:00Z", 24 * HOUR),
        ("America/Nuuk", "2024-03-31T01:00:00Z", HOUR),
        ("Australia/Lord_Howe", "2025-10-04T15:30:00Z", HOUR / 2),
        ("America/St_Johns", "2010-11-07T02:31:00Z", -HOUR),
        ("Africa/Casablanca", "2026-02-15T02:00:00Z", -HOUR),
    ] {
        let zone: Tz = zone.parse().expect("a zone");
        let change: DateTime<Utc> = change.parse().expect("an instant");
        let change = change.timestamp();
        assert!(changes(zone).contains(&change), "{zone}");
        assert_eq!(offset(zone, change) - offset(zone, change - 1), shift, "{zone}");
    }
    // The hour before midnight of a Saturday does not exist in Nuuk: due at midnight, and not lost.
    let timetable = Timetable::new("0 15 23 * * *", chrono_tz::America::Nuuk, 0).expect("legal");
    let now: DateTime<Utc> = "2024-03-31T01:00:00Z".parse().expect("an instant");
    let saturday: Day = "2024-03-30".parse().expect("a date");
    assert_eq!(timetable.due_dates(now), [(saturday, now)]);
    assert_eq!(timetable.due_dates(now - TimeDelta::seconds(1)), []);
}
