//! What is due, in zones whose clocks jump, and that it runs once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds};
use granary::config::{Exit, Job, Refused};
use granary::jobs::backfill;
use granary::jobs::due::{self, Seen};
use granary::jobs::timetable::Timetable;
use granary::store::attempt::Asked;
use granary::store::publish::{RunRow, RunRows};
use granary::store::read::jobs;
use granary::store::{Store, db};
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
        let dates: Vec<Day> = found.into_iter().map(|(date, _)| date).collect();
        assert_eq!(dates, due.into_iter().map(day).collect::<Vec<_>>());
    }
    let early = timetable("0 30 3 * * *", "Asia/Shanghai", 0);
    assert_eq!(early.due_dates(at("2025-10-19T19:29:59Z")), []);
    let (date, due) = early.next_due(at("2025-10-19T19:30:00Z")).expect("a next night");
    assert_eq!((date, due), (day("2025-10-21"), at("2025-10-20T19:30:00Z")));
}

/// A timetable looks at one time a day; the library searches. Both find the same first match.
#[test]
fn the_first_match_of_a_date_is_what_the_library_finds() {
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    for cron in [
        "0 30 3 * * *",
        "0 */7 * * * *",
        "15,45 5-9 22,4 * * *",
        "0 0 3 29 2 *",
        "0 0 3 L * *",
        "0 0 3 15W * *",
        "0 0 3 * * FRI#2",
        "0 0 3 * * MON#L",
        "0 0 3 1,15 * MON",
        "0 59 23 31 * *",
        "0 0 6 * JAN-MAR MON-FRI",
    ] {
        let library = parser.parse(cron).expect(cron);
        let ours = timetable(cron, "UTC", 0);
        let mut named = 0;
        for date in day("2023-12-01").until(day("2028-03-10")) {
            let midnight = date.to_date().and_hms_opt(0, 0, 0).expect("midnight").and_utc();
            let found = library.find_next_occurrence(&midnight, true).expect("a next time");
            let wanted = (Day::from(found.date_naive()) == date).then_some(found);
            assert_eq!(ours.due_at(date), wanted, "{cron} on {date}");
            named += usize::from(wanted.is_some());
        }
        assert!(named > 0, "{cron}");
    }
}

const JOB: &str = "name = \"clock\"\nkind = \"nightly\"\n[schedule]\ncron = \"0 0 1 * * *\"\n\
                   time_zone = \"Asia/Shanghai\"\n";

fn job(rules: &str) -> Job {
    Job::parse(&format!("{JOB}{rules}"), "clock").expect("a legal job")
}

async fn look(store: &Store, job: &Job, now: &str) -> Seen {
    let timetable = Timetable::of(job.schedule.as_ref().expect("a schedule")).expect("legal");
    let mut db = store.snapshot().await.expect("a snapshot");
    due::look(&mut db, job, &timetable, at(now)).await.expect("a look")
}

fn plan(job: &Job, date: Day) -> RunRows {
    let run = RunRow {
        job: job.name.clone(),
        business_date: date.to_string(),
        counts: "{\"value_minor\":{}}".to_owned(),
        ..RunRow::default()
    };
    RunRows { run, ..RunRows::default() }
}

async fn publish(store: &Store, job: &Job, date: &str) {
    let lease = store.begin_run(job, day(date), Asked::ByHand).await.expect("a lease");
    store.publish(lease.attempt_id(), &plan(job, day(date))).await.expect("published");
    lease.end("published", "", &BTreeMap::new()).await.expect("the end");
}

async fn fail(store: &Store, job: &Job, date: &str, outcome: &str) {
    let lease = store.begin_run(job, day(date), Asked::ByHand).await.expect("a lease");
    lease.end(outcome, "as asked", &BTreeMap::new()).await.expect("the end");
}

async fn state(store: &Store, date: &str) -> (String, i64) {
    let mut db = store.snapshot().await.expect("a snapshot");
    let row = jobs::date(&mut db, "clock", date).await.expect("a read").expect("a row");
    (row.state, row.tries)
}

async fn events(store: &Store) -> Vec<String> {
    let mut db = store.snapshot().await.expect("a snapshot");
    let mut events = jobs::events(&mut db, Some("clock"), 100).await.expect("events");
    events.reverse();
    events.into_iter().map(|event| event.what).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_do_is_read_from_rows() {
    let fixture = fixture::empty().await;
    let store = &fixture.store;
    let job = job("catch_up_days = 2\n");
    // 08:00 in Shanghai on the twentieth.
    let now = "2035-10-20T00:00:00Z";
    let seen = look(store, &job, now).await;
    assert_eq!(
        seen.start,
        Some(day("2035-10-20")),
        "the dates before the first run were not missed"
    );
    assert_eq!(seen.unnoted.len(), 1);
    publish(store, &job, "2035-10-18").await;
    assert_eq!(look(store, &job, now).await.unnoted.len(), 2, "now they were");
    publish(store, &job, "2035-10-20").await;
    assert_eq!(look(store, &job, now).await.start, Some(day("2035-10-19")), "done once");
    fail(store, &job, "2035-10-19", "failed").await;
    assert_eq!(look(store, &job, now).await.start, Some(day("2035-10-19")), "again, in time");
    let tomorrow = "2035-10-22T00:00:00Z";
    assert_eq!(look(store, &job, tomorrow).await.missed, [day("2035-10-19")]);
    let missed = look(store, &job, tomorrow).await;
    store.note_dates(&job, &missed.unnoted, &missed.missed).await.expect("noted");
    assert_eq!(state(store, "2035-10-19").await, ("skipped".into(), 1));
    assert_eq!(state(store, "2035-10-22").await, ("waiting".into(), 0));

    store.pause_job("clock", "the test", "stocktaking").await.expect("paused");
    let seen = look(store, &job, tomorrow).await;
    assert_eq!(seen.start, None);
    assert!(seen.waits_for.expect("a reason").contains("stocktaking"));
    let by_clock = Asked::ByClock { due_at: None };
    let refused = store.begin_run(&job, day("2035-10-22"), by_clock).await.err().expect("refused");
    assert!(format!("{refused:#}").contains("stocktaking"), "{refused:#}");
    // By hand it may still run.
    publish(store, &job, "2035-10-22").await;
    store.resume_job("clock", "the test").await.expect("resumed");
    let again = store.begin_run(&job, day("2035-10-22"), by_clock).await.err().expect("refused");
    let refused = again.downcast_ref::<Refused>().expect("a refusal");
    assert_eq!(refused.exit, Exit::LockHeld);
    assert!(refused.message.contains("is published already"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_a_published_date_as_it_is() {
    let fixture = fixture::empty().await;
    let store = &fixture.store;
    let job = job("retry = { max = 1 }\n");
    publish(store, &job, "2035-10-20").await;
    for outcome in ["failed", "stale"] {
        fail(store, &job, "2035-10-20", outcome).await;
        assert_eq!(state(store, "2035-10-20").await, ("published".into(), 0));
    }
    for (tries, wanted) in [(1, "failed"), (2, "gave_up"), (2, "gave_up")] {
        fail(store, &job, "2035-10-21", "failed").await;
        assert_eq!(state(store, "2035-10-21").await, (wanted.into(), tries));
    }
    fail(store, &job, "2035-10-22", "stale").await;
    assert_eq!(state(store, "2035-10-22").await, ("stale".into(), 0), "late data is no failure");
    assert_eq!(
        events(store).await,
        [
            "begun",
            "published",
            "begun",
            "failed",
            "begun",
            "stale",
            "begun",
            "failed",
            "begun",
            "failed",
            "gave_up",
            "begun",
            "failed",
            "begun",
            "stale"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_lost_its_lease_writes_nothing() {
    let fixture = fixture::empty().await;
    let store = &fixture.store;
    let job = job("overlap = \"replace\"\n");
    let by_clock = Asked::ByClock { due_at: Some(at("2035-10-19T17:00:00Z")) };
    let old = store.begin_run(&job, day("2035-10-20"), by_clock).await.expect("a lease");
    let busy = store.begin_run(&job, day("2035-10-20"), by_clock).await.err().expect("refused");
    assert!(format!("{busy:#}").contains("is at work"), "{busy:#}");
    let new = store.begin_run(&job, day("2035-10-21"), by_clock).await.expect("takes its place");
    assert!(new.attempt_id() > old.attempt_id());
    let fenced = store.publish(old.attempt_id(), &plan(&job, day("2035-10-20"))).await;
    let fenced = fenced.expect_err("the old one is fenced");
    assert_eq!(fenced.downcast_ref::<Refused>().expect("a refusal").exit, Exit::LockHeld);
    old.end("failed", "fenced", &BTreeMap::new()).await.expect("the end");
    assert_eq!(state(store, "2035-10-20").await.0, "skipped");
    store.publish(new.attempt_id(), &plan(&job, day("2035-10-21"))).await.expect("published");
    new.end("published", "", &BTreeMap::new()).await.expect("the end");
    assert_eq!(state(store, "2035-10-21").await.0, "published");

    let cancelled = store.begin_run(&job, day("2035-10-22"), by_clock).await.expect("a lease");
    store.cancel_run("clock", None, "the test", "why not").await.expect("cancelled");
    let fenced = store.publish(cancelled.attempt_id(), &plan(&job, day("2035-10-22"))).await;
    assert!(fenced.is_err());
    drop(cancelled);
    assert_eq!(state(store, "2035-10-22").await.0, "cancelled");
    let nothing = store.cancel_run("clock", None, "the test", "").await.expect_err("nothing");
    assert_eq!(nothing.downcast_ref::<Refused>().expect("a refusal").exit, Exit::Usage);
    let runs: i64 = db::query_scalar("SELECT count(*) FROM run")
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    assert_eq!(runs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_never_began_counts_as_a_failure_once() {
    let fixture = fixture::empty().await;
    let store = &fixture.store;
    let job = job("");
    let date = day("2035-10-20");
    let why = "the run cannot be started";
    store.close_run(&job, date, None, why).await.expect("closed");
    assert_eq!(state(store, "2035-10-20").await, ("failed".into(), 1));
    // Its own word goes before ours.
    fail(store, &job, "2035-10-20", "failed").await;
    store.close_run(&job, date, None, why).await.expect("closed");
    assert_eq!(state(store, "2035-10-20").await, ("failed".into(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_takes_what_has_no_plan_in_order() {
    let fixture = fixture::empty().await;
    let store = &fixture.store;
    let mut job = job("");
    publish(store, &job, "2035-10-19").await;
    fail(store, &job, "2035-10-20", "failed").await;
    let (from, to) = (day("2035-10-18"), day("2035-10-20"));
    for (again, wanted) in [(false, [true, false, true]), (true, [true, true, true])] {
        let steps = backfill::plan(store, &job, from, to, again).await.expect("a plan");
        let to_run: Vec<bool> = steps.iter().map(|step| step.to_run).collect();
        assert_eq!(to_run, wanted);
        assert_eq!(steps[0].business_date, from);
        let why: Vec<&str> = steps.iter().map(|step| step.why.as_str()).collect();
        assert_eq!(why, ["no run yet", "published", "failed: as asked"]);
    }
    job.schedule.as_mut().expect("a schedule").cron = "0 0 1 * * MON".to_owned();
    let steps = backfill::plan(store, &job, day("2035-10-21"), day("2035-10-23"), true).await;
    let to_run: Vec<bool> = steps.expect("a plan").iter().map(|step| step.to_run).collect();
    assert_eq!(to_run, [false, true, false], "the twenty-second is a Monday");
    let backwards = backfill::plan(store, &job, to, from, false).await.expect_err("backwards");
    assert!(format!("{backwards}").contains("are -2 days, should be in 0..=3660"), "{backwards}");
}
