//! What the tests of the clock share: a shop of a dozen items whose night takes a moment, seeded
//! chance, and processes to treat badly.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../chance.rs"]
pub mod chance;

use chance::setting;
use std::path::{Path, PathBuf};
use std::process::Command;

use granary::store::Store;
use granary::store::attempt::owner::Owner;
use granary::store::db::{self, Bulk};
use granary::store::read::jobs::{self, LeaseRow};
use granary_models::calendar::Day;
use rustix::process::{Pid, Signal, kill_process};

pub const JOB: &str = "clock";
const ITEMS: u32 = 12;
const DAYS: i32 = 120;

/// A job whose dates are due at midnight in UTC, with what `schedule` says beside.
pub fn job_text(schedule: &str) -> String {
    format!(
        "name = \"{JOB}\"\nkind = \"nightly\"\n\
         [schedule]\ncron = \"0 0 0 * * *\"\ntime_zone = \"UTC\"\n{schedule}\n\
         [freshness]\nsales_max_age_days = 4000\nstock_max_age_days = 4000\n\
         [forecast]\nhorizon_days = 14\npaths = 64\n\
         [defaults]\nlead_time_days = 3\nreview_days = 7\nmoq = 1\nmultiple = 1\ncurrency = \"CNY\"\n\
         unit_cost_minor = 300\nunit_price_minor = 500\nsupplier_id = \"V1\"\non_hand_cover_days = 3\n"
    )
}

/// Makes the folder of jobs, with the one job, and names it.
pub fn write_jobs(folder: &Path, schedule: &str) -> PathBuf {
    let jobs = folder.join("jobs");
    std::fs::create_dir_all(&jobs).expect("a folder");
    write_job(&jobs, schedule);
    jobs
}

pub fn write_job(folder: &Path, schedule: &str) {
    let path = folder.join(format!("{JOB}.toml"));
    std::fs::write(path, job_text(schedule)).expect("a job file");
}

/// Sales of a dozen items on every day before `until`.
pub async fn fill(store: &Store, until: Day) {
    let mut db = store.write().await.expect("a transaction");
    for sql in [
        "INSERT INTO location (location_id, name, region) VALUES ('S1', 'Corner shop', 'CN-SOUTH')",
        "INSERT INTO supplier (supplier_id, name) VALUES ('V1', 'Green')",
    ] {
        db::query(sql).execute(&mut db).await.expect(sql);
    }
    for item in 0..ITEMS {
        let sql = "INSERT INTO item (item_id, name, category, unit_cost_minor, unit_price_minor, \
                   currency) VALUES ($1, $1, 'tea', 300, 500, 'CNY')";
        let insert = db::query(sql).bind(format!("tea-{item:02}"));
        insert.execute(&mut db).await.expect(sql);
    }
    let insert = "sales (item_id, location_id, date, qty, available_fraction)";
    let mut bulk = Bulk::new(&mut db, insert, 5);
    for item in 0..ITEMS {
        for day in 1..=DAYS {
            bulk.push(format!("tea-{item:02}")).expect("pushed");
            bulk.push("S1").expect("pushed");
            bulk.push(until - day).expect("pushed");
            bulk.push(i64::from(5 + (item as i32 * 7 + day * day % 11) % 9)).expect("pushed");
            bulk.push(1.0).expect("pushed");
            bulk.end_row().await.expect("a row");
        }
    }
    bulk.finish().await.expect("all rows");
    db.commit().await.expect("committed");
}

/// `GRANARY_TRIALS`, or as many as suit every run of the tests.
pub fn trials(usual: usize) -> usize {
    setting("GRANARY_TRIALS", usual as u64) as usize
}

/// `GRANARY_SEED`, or 1; printed, so that a failure can be had again.
pub fn seed(of: &str) -> u64 {
    let seed = setting("GRANARY_SEED", 1);
    println!("{of}: GRANARY_SEED={seed}");
    seed
}

/// Leases are as long as the environment says when a process first asks, and a test cannot change its
/// own: it runs itself again in a process with short ones. `true` in that process.
pub fn with_short_leases(test: &str, seconds: &str) -> bool {
    const SHORT: &str = "GRANARY_LEASE_SECONDS";
    if std::env::var_os(SHORT).is_some() {
        return true;
    }
    let itself = std::env::current_exe().expect("the test's program");
    let status = Command::new(itself)
        .args([test, "--exact", "--nocapture"])
        .env(SHORT, seconds)
        .status()
        .expect("the test starts again");
    assert!(status.success(), "{test}, with leases of {seconds} s");
    false
}

pub async fn lease(store: &Store) -> Option<LeaseRow> {
    let leases = jobs::leases(&mut store.snapshot().await.expect("a snapshot")).await;
    leases.expect("leases").into_iter().find(|lease| lease.job == JOB)
}

/// The lease, once somebody has it and `wanted` likes it.
pub async fn lease_when(store: &Store, wanted: impl Fn(&LeaseRow) -> bool) -> LeaseRow {
    for _ in 0..12_000 {
        if let Some(lease) = lease(store).await.filter(|lease| wanted(lease)) {
            return lease;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("nobody takes the lease")
}

pub fn process_of(lease: &LeaseRow) -> i32 {
    Owner::parse(&lease.owner).expect("an owner").process_id
}

/// The process may have ended meanwhile; that is for the trial to find out.
pub fn send(process_id: i32, signal: Signal) {
    let pid = Pid::from_raw(process_id).expect("a process number");
    let _ = kill_process(pid, signal);
}

/// What is written of a date: its state, its failed tries, and the outcomes of its attempts in order.
pub async fn told(store: &Store, date: Day) -> (String, i64, Vec<String>) {
    let mut db = store.snapshot().await.expect("a snapshot");
    let row = jobs::date(&mut db, JOB, &date.to_string()).await.expect("a date");
    let outcomes = db::query_scalar(
        "SELECT outcome FROM run_attempt WHERE job = $1 AND business_date = $2 ORDER BY attempt_id",
    )
    .bind(JOB)
    .bind(date)
    .fetch_all(&mut db)
    .await
    .expect("attempts");
    row.map_or((String::new(), 0, outcomes.clone()), |row| (row.state, row.tries, outcomes.clone()))
}

/// The books of every date: exactly one attempt wrote a plan, and it says so once.
pub async fn check_books(store: &Store, what: &str) {
    let mut db = store.snapshot().await.expect("a snapshot");
    for (sql, law) in [
        (
            "SELECT job || ' ' || business_date FROM run_attempt \
             WHERE outcome IN ('published', 'held') GROUP BY job, business_date HAVING count(*) > 1",
            "one attempt writes the plan of a date",
        ),
        (
            "SELECT job || ' ' || business_date FROM job_event \
             WHERE what IN ('published', 'held') GROUP BY job, business_date HAVING count(*) > 1",
            "one success per date",
        ),
        (
            "SELECT d.job || ' ' || d.business_date FROM job_date d JOIN run_attempt a \
             ON a.attempt_id = d.attempt_id \
             WHERE d.state IN ('published', 'held') AND a.outcome <> d.state",
            "a date names the attempt that wrote its plan",
        ),
        (
            "SELECT d.job || ' ' || d.business_date FROM job_date d LEFT JOIN run r \
             ON r.job = d.job AND r.business_date = d.business_date AND r.state = d.state \
             WHERE d.state IN ('published', 'held') AND r.run_id IS NULL",
            "a date that is done has its plan",
        ),
        (
            "SELECT r.run_id FROM run r LEFT JOIN job_date d \
             ON d.job = r.job AND d.business_date = r.business_date \
             WHERE d.state IS NULL OR d.state NOT IN ('published', 'held')",
            "a plan is of a date that is done",
        ),
        (
            "SELECT a.job || ' ' || a.attempt_id FROM run_attempt a LEFT JOIN job_lease l \
             ON l.attempt_id = a.attempt_id WHERE a.outcome = 'running' AND l.job IS NULL",
            "who is at work has the lease",
        ),
    ] {
        let broken: Vec<String> = db::query_scalar(sql).fetch_all(&mut db).await.expect(sql);
        assert_eq!(broken, Vec::<String>::new(), "{what}: {law}");
    }
}
