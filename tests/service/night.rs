//! A night on a small retailer: repeatable, the same on any number of threads, and whole after a kill.

#[path = "../faults/invariants.rs"]
mod invariants;
mod support;

use std::process::{Child, Command, Stdio};

use granary::config::{Exit, Refused};
use granary::jobs::demo::DemoConfig;
use granary::jobs::nightly::{self, RunOptions};
use granary::store::attempt::Asked;
use granary::store::db;
use support::{Shop, assert_same_plan, dump, jobs_folder, nightly_job};

fn small() -> DemoConfig {
    DemoConfig { items: 60, days: 400, ..DemoConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_and_any_number_of_threads_leave_the_same_bytes() {
    let shop = Shop::open(small()).await;
    let job = nightly_job();
    let first = shop.night(&job, 1).await;
    assert!(first.counts.lines > 20, "{:?}", first.counts);
    assert!(first.counts.series > 60, "{:?}", first.counts);
    let plan = dump(&shop.store).await;
    for threads in [1, 2, 4] {
        let again = shop.night(&job, threads).await;
        assert_eq!(again.run_id, first.run_id);
        assert_same_plan(&plan, &dump(&shop.store).await, &format!("{threads} threads"));
    }
    let runs: i64 = db::query_scalar("SELECT count(*) FROM run")
        .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    assert_eq!(runs, 1, "a re-run replaces, never doubles");
}

fn start_night(shop: &Shop) -> Child {
    Command::new(env!("CARGO_BIN_EXE_granary"))
        .arg("--db")
        .arg(shop.db())
        .arg("--jobs")
        .arg(jobs_folder())
        .args(["run", "nightly", "--date"])
        .arg(shop.config.business_date.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_night_leaves_the_previous_plan_whole_and_the_next_one_finishes() {
    let shop = Shop::open(small()).await;
    let mut job = nightly_job();
    // The plan that readers hold on to is of the day before, when the last count was a month old.
    job.freshness.stock_max_age_days = 40;
    let yesterday = shop.config.business_date - 1;
    let options = RunOptions::default();
    nightly::run(&shop.store, &job, yesterday, &options).await.expect("a night");
    let before = dump(&shop.store).await;
    let started = std::time::Instant::now();
    shop.night(&job, 0).await;
    let undisturbed = dump(&shop.store).await;
    let length = started.elapsed();

    // Back to yesterday's plan alone.
    for table in support::PLAN_TABLES {
        let sql =
            format!("DELETE FROM {table} WHERE run_id = 'nightly@{}'", shop.config.business_date);
        shop.store.execute(db::query(sqlx::AssertSqlSafe(sql))).await.expect("deleted");
    }
    assert_same_plan(&before, &dump(&shop.store).await, "after the reset");

    let mut killed = 0;
    for step in 1..=8u32 {
        let mut child = start_night(&shop);
        std::thread::sleep(length * step / 8);
        let finished = child.try_wait().expect("a child to ask").is_some();
        let _ = child.kill();
        child.wait().expect("a child to wait for");
        let now = dump(&shop.store).await;
        if finished {
            break;
        }
        killed += 1;
        // Killed after its commit is as good as finished; anything between would be a torn plan.
        if now.lines().count() == before.lines().count() {
            assert_same_plan(&before, &now, &format!("killed at {step}/8"));
        } else {
            assert_same_plan(&undisturbed, &now, &format!("killed at {step}/8"));
        }
    }
    assert!(killed > 0, "the night was too short to be killed");
    let status = start_night(&shop).wait().expect("a child to wait for");
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    assert_same_plan(&undisturbed, &dump(&shop.store).await, "after the kills");
    let abandoned: i64 =
        db::query_scalar("SELECT count(*) FROM run_attempt WHERE outcome = 'abandoned'")
            .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
            .await
            .expect("a count");
    assert!(abandoned >= 1, "a killed attempt is told apart from a failed one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_follows_the_one_before_and_an_earlier_one_can_be_repeated() {
    let shop = Shop::open(small()).await;
    let mut job = nightly_job();
    job.freshness.stock_max_age_days = 40;
    let last = shop.config.business_date;
    let options = RunOptions::default();
    let night = async |job: &granary::config::Job, date| {
        nightly::run(&shop.store, job, date, &options).await.expect("a night").counts
    };
    let refit = night(&job, last - 2).await;
    assert_eq!(refit.series_fitted, refit.series);
    let follow = night(&job, last - 1).await;
    assert!(follow.series_fitted < follow.series / 4, "{follow:?}");
    night(&job, last).await;
    let plans = dump(&shop.store).await;
    for date in [last - 1, last - 2, last] {
        night(&job, date).await;
        assert_same_plan(&plans, &dump(&shop.store).await, &format!("{date} again"));
    }
    job.forecast.refit_days = 1;
    let every_night = night(&job, last).await;
    assert_eq!(every_night.series_fitted, every_night.series);
    // A date older than the refits that are remembered leaves nothing of its own behind.
    for date in [last - 1, last - 2] {
        night(&job, date).await;
        invariants::assert_sound(shop.db(), "an older date").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_data_a_held_lock_and_a_tight_gate_are_refused_by_their_codes() {
    let shop = Shop::open(small()).await;
    let mut job = nightly_job();
    let options = RunOptions::default();
    let exit = |error: anyhow::Error| error.downcast_ref::<Refused>().expect("a refusal").exit;

    let late = shop.config.business_date + 9;
    let stale = nightly::run(&shop.store, &job, late, &options).await.expect_err("stale data");
    assert_eq!(exit(stale), Exit::StaleData);

    let date = shop.config.business_date;
    let lease = shop.store.begin_run(&job, date, Asked::ByHand).await.expect("a free lease");
    let locked = nightly::run(&shop.store, &job, date, &options).await.expect_err("a held lock");
    assert_eq!(exit(locked), Exit::LockHeld);
    lease.end("failed", "the test's", &Default::default()).await.expect("let go of");

    let published = shop.night(&job, 0).await;
    let plan = dump(&shop.store).await;
    job.gates.max_run_value_minor = 1;
    let held = shop.night(&job, 0).await;
    assert_eq!(held.exit(), Exit::PlanHeld);
    assert_eq!(held.held_because, ["gate_run_value"]);
    // The held plan stands beside the published one and hides nothing of it.
    let current: String = db::query_scalar("SELECT run_id FROM v_run_current")
        .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a current run");
    assert_eq!(current, published.run_id);
    let still: String = dump(&shop.store)
        .await
        .lines()
        .filter(|line| !line.contains("!held"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_same_plan(&plan, &still, "beside a held plan");
}
