//! What is due, in zones whose clocks jump, and that it runs once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use granary::config::Job;
use granary::jobs::due::{Timetable, retry_at};
use granary::schedule::{Runner, Scheduler};
use granary::store::db;
use granary::store::read::runs::Attempt;
use granary_models::calendar::Day;

use super::fixture;

fn day(text: &str) -> Day {
    text.parse().expect("a date of the test")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant of the test")
}

fn timetable(cron: &str, zone: &str, catch_up_days: u32) -> Timetable {
    Timetable::new(cron, zone.parse().expect("a zone"), catch_up_days).expect("a timetable")
}

#[test]
fn a_wall_clock_time_is_due_when_its_zone_says() {
    for (cron, zone, date, due) in [
        ("0 30 3 * * *", "Asia/Shanghai", "2025-10-20", Some("2025-10-19T19:30:00Z")),
        // 02:30 does not exist: due at the end of the gap, 03:00 summer time.
        ("0 30 2 * * *", "America/New_York", "2025-03-09", Some("2025-03-09T07:00:00Z")),
        // 01:30 comes twice: due the first time.
        ("0 30 1 * * *", "America/New_York", "2025-11-02", Some("2025-11-02T05:30:00Z")),
        ("0 30 1 * * *", "Europe/London", "2025-03-30", Some("2025-03-30T01:00:00Z")),
        ("0 30 1 * * *", "Europe/London", "2025-10-26", Some("2025-10-26T00:30:00Z")),
        // Samoa crossed the date line: it had no 30 December 2011.
        ("0 0 3 * * *", "Pacific/Apia", "2011-12-29", Some("2011-12-29T13:00:00Z")),
        ("0 0 3 * * *", "Pacific/Apia", "2011-12-30", None),
        ("0 0 3 * * *", "Pacific/Apia", "2011-12-31", Some("2011-12-30T13:00:00Z")),
        // Midnight itself is skipped.
        ("0 0 0 * * *", "America/Sao_Paulo", "2018-11-04", Some("2018-11-04T03:00:00Z")),
        // Half an hour's jump.
        ("0 15 2 * * *", "Australia/Lord_Howe", "2025-10-05", Some("2025-10-04T15:30:00Z")),
        ("0 0 6 * * MON", "Asia/Shanghai", "2025-10-21", None),
        ("0 0 6 * * MON", "Asia/Shanghai", "2025-10-20", Some("2025-10-19T22:00:00Z")),
    ] {
        let found = timetable(cron, zone, 0).due_at(day(date));
        assert_eq!(found, due.map(at), "{cron} {zone} {date}");
    }
}

#[test]
fn every_date_of_a_year_is_due_once_and_in_order() {
    for zone in ["America/New_York", "Europe/London", "Asia/Shanghai", "Pacific/Apia"] {
        let timetable = timetable("0 30 2 * * *", zone, 0);
        let dues: Vec<_> = day("2025-01-01")
            .until(day("2026-01-01"))
            .map(|date| timetable.due_at(date).expect("every date has a night"))
            .collect();
        assert!(dues.windows(2).all(|pair| pair[0] < pair[1]), "{zone}");
    }
}

#[test]
fn the_catch_up_window_bounds_what_is_due() {
    let now = at("2025-10-20T00:00:00Z"); // 08:00 in Shanghai
    for (catch_up_days, due) in
        [(0, vec!["2025-10-20"]), (2, vec!["2025-10-20", "2025-10-19", "2025-10-18"])]
    {
        let found = timetable("0 30 3 * * *", "Asia/Shanghai", catch_up_days).due_dates(now);
        assert_eq!(found, due.into_iter().map(day).collect::<Vec<_>>());
    }
    let early = timetable("0 30 3 * * *", "Asia/Shanghai", 0);
    assert_eq!(early.due_dates(at("2025-10-19T19:29:59Z")), []);
    let (date, due) = early.next_due(at("2025-10-19T19:30:00Z")).expect("a next night");
    assert_eq!((date, due), (day("2025-10-21"), at("2025-10-20T19:30:00Z")));
}

#[test]
fn a_failure_waits_longer_each_time() {
    let attempt = |outcome: &str| Attempt {
        attempt_id: 1,
        job: "j".into(),
        business_date: "2025-10-20".into(),
        started_at: "2025-10-20T00:00:00Z".into(),
        finished_at: None,
        outcome: outcome.into(),
        detail: String::new(),
        stage_ms: "{}".into(),
        process_id: 1,
    };
    for (outcomes, minutes) in [
        (vec!["failed"], 5),
        (vec!["failed", "failed"], 10),
        (vec!["failed"; 9], 60),
        (vec!["stale"], 15),
        (vec!["running"], 0),
        (vec!["abandoned", "abandoned"], 10),
    ] {
        let attempts: Vec<Attempt> = outcomes.iter().map(|outcome| attempt(outcome)).collect();
        let again = retry_at(&attempts).expect("a time");
        assert_eq!((again - at("2025-10-20T00:00:00Z")).num_minutes(), minutes, "{outcomes:?}");
    }
    assert_eq!(retry_at(&[]), None);
}

/// Counts its runs, and how many are at work at once.
struct Slow {
    runs: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
    panics: bool,
}

impl Runner for Slow {
    fn run(&self, _: &Job, _: Day) -> anyhow::Result<String> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(at_once, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(200));
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        assert!(!self.panics, "the test's runner panics");
        Ok(String::new())
    }
}

async fn ticks(panics: bool) -> (usize, usize) {
    let fixture = fixture::empty().await;
    let path = fixture.folder.path().join("clock.toml");
    let text = "name = \"clock\"\nkind = \"nightly\"\n[schedule]\ncron = \"0 0 1 * * *\"\n\
                time_zone = \"Asia/Shanghai\"\n";
    std::fs::write(&path, text).expect("a job file");
    let jobs = BTreeMap::from([("clock".to_owned(), Job::read(&path).expect("a legal job"))]);
    let runner = Arc::new(Slow {
        runs: AtomicUsize::new(0),
        at_once: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        panics,
    });
    let mut scheduler =
        Scheduler::new(fixture.store.clone(), &jobs, runner.clone()).expect("a scheduler");
    let now = at("2025-10-20T00:00:00Z");
    let first = scheduler.tick(now).await.expect("a tick");
    assert_eq!(first, Some(("clock".to_owned(), day("2025-10-20"))));
    for _ in 0..3 {
        assert_eq!(scheduler.tick(now).await.expect("a tick"), None, "one at a time");
    }
    scheduler.finish().await;
    // Nothing was stored, so the date is still due: a panic has not stopped the clock.
    assert!(scheduler.tick(now).await.expect("a tick").is_some());
    scheduler.finish().await;
    let run = "INSERT INTO run VALUES ('clock@2025-10-20', 'clock', '2025-10-20', 'published', \
               '', '', '', '', 1, '', '{}')";
    fixture.store.execute(db::query(run)).await.expect("a stored run");
    assert_eq!(scheduler.tick(now).await.expect("a tick"), None, "once per business date");
    (runner.runs.load(Ordering::SeqCst), runner.most.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_runs_once_and_alone() {
    assert_eq!(ticks(false).await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_run_does_not_stop_the_clock() {
    assert_eq!(ticks(true).await.0, 2);
}
