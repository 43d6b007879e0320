//! Overlap, panic, hang, cancel: whatever becomes of a run, the next one happens.
//!
//! 200 times each with a stand-in whose runs take no time, a few times with the real child process.

#[path = "clock/mod.rs"]
mod clock;
#[path = "invariants.rs"]
mod invariants;
#[path = "../service/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use granary::config::{Job, Secret};
use granary::schedule::{ChildRunner, Ended, Runner, Scheduler, Stop};
use granary::store::Store;
use granary::store::attempt::Asked;
use granary::store::publish::{RunRow, RunRows};
use granary_models::calendar::Day;
use rustix::process::Signal;

use clock::{JOB, check_books, lease_when, process_of, send, told, trials, with_short_leases};

const TRIALS: usize = 200;

/// What a stand-in does at its next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Publish,
    /// Before it has begun.
    Panic,
    PanicAtWork,
    Fail,
    /// Until it is asked to end.
    Hang,
    /// Once the test says so.
    PublishLater,
}

struct StandIn {
    store: Store,
    runtime: tokio::runtime::Handle,
    acts: Mutex<VecDeque<Act>>,
    /// What [`Act::PublishLater`] waits for.
    go: AtomicBool,
}

impl Runner for StandIn {
    fn run(&self, job: &Job, date: Day, stop: &Stop) -> Ended {
        let act = self.acts.lock().expect("acts").pop_front().unwrap_or(Act::Publish);
        assert!(act != Act::Panic, "the stand-in panics before it begins");
        let asked = Asked::ByClock { due_at: None };
        let lease = match self.runtime.block_on(self.store.begin_run(job, date, asked)) {
            Ok(lease) => lease,
            Err(error) => return Ended::NotBegun(format!("{error:#}")),
        };
        assert!(act != Act::PanicAtWork, "the stand-in panics at work");
        let none = BTreeMap::new();
        match act {
            Act::Publish | Act::PublishLater => {
                while act == Act::PublishLater && !self.go.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let run = RunRow {
                    job: job.name.clone(),
                    business_date: date.to_string(),
                    counts: "{\"value_minor\":{}}".to_owned(),
                    ..RunRow::default()
                };
                let rows = RunRows { run, ..RunRows::default() };
                let published = self.runtime.block_on(async {
                    self.store.publish(lease.attempt_id(), &rows).await?;
                    lease.end("published", "", &none).await
                });
                published.map_or_else(
                    |error| Ended::BrokeOff(format!("{error:#}")),
                    |()| Ended::InOrder("published".to_owned()),
                )
            }
            Act::Fail => {
                self.runtime.block_on(lease.end("failed", "as asked", &none)).expect("the end");
                Ended::BrokeOff("ended with code 1".to_owned())
            }
            _ => {
                while !stop.is_set() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ended::BrokeOff("killed".to_owned())
            }
        }
    }
}

/// A database, a job and its scheduler, with a day for every trial.
struct Theatre {
    store: Store,
    scheduler: Scheduler,
    stand_in: Arc<StandIn>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Theatre {
    async fn open(schedule: &str) -> Theatre {
        let folder = tempfile::tempdir().expect("a folder");
        let address = support::database::address(folder.path()).await;
        let store = support::database::open(&address).await;
        let job = Job::parse(&clock::job_text(schedule), JOB).expect("a legal job");
        let stand_in = Arc::new(StandIn {
            store: store.clone(),
            runtime: tokio::runtime::Handle::current(),
            acts: Mutex::default(),
            go: AtomicBool::new(false),
        });
        let jobs = BTreeMap::from([(JOB.to_owned(), job)]);
        let scheduler = Scheduler::new(store.clone(), &jobs, stand_in.clone()).expect("legal");
        Theatre { store, scheduler, stand_in, address, _folder: folder }
    }

    /// What has to hold after every trial.
    async fn check(&self, what: &str) {
        check_books(&self.store, what).await;
        invariants::assert_sound_but(&self.address, &invariants::EMPTY_PLANS, what).await;
    }

    fn script(&self, acts: &[Act]) {
        *self.stand_in.acts.lock().expect("acts") = acts.iter().copied().collect();
    }

    /// Ticks until a run starts. In a world without faults the first tick starts it.
    async fn starts(&mut self, now: DateTime<Utc>, what: &str) -> Day {
        for _ in 0..2000 {
            if let Some((_, date)) = self.scheduler.tick(now).await.expect("a tick") {
                return date;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{what}: no run starts; {:?}", told(&self.store, day_of(now)).await)
    }

    /// Looks after the run at work until it has ended.
    async fn ends(&mut self, date: Day, wanted: &str) -> (String, i64, Vec<String>) {
        for _ in 0..4000 {
            self.scheduler.look_after().await.expect("a look");
            let told = told(&self.store, date).await;
            let let_go = self.scheduler.is_idle() && clock::lease(&self.store).await.is_none();
            if let_go && told.0 == wanted {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{date} does not become {wanted}: {:?}", told(&self.store, date).await)
    }
}

/// A minute after the `trial`-th midnight of years to come, so that no retry lies ahead of it.
fn now(trial: usize) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2031-01-01T00:01:00Z".parse().expect("an instant");
    first + TimeDelta::days(trial as i64)
}

fn day_of(now: DateTime<Utc>) -> Day {
    Day::from(now.date_naive())
}

const AT_ONCE: &str = "retry = { max = 3, first_minutes = 0, longest_minutes = 0 }";

#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_or_a_failure_the_next_run_happens() {
    let mut theatre = Theatre::open(AT_ONCE).await;
    for trial in 0..trials(TRIALS) {
        let (act, outcomes): (Act, &[&str]) = match trial % 3 {
            0 => (Act::Panic, &["published"]),
            1 => (Act::PanicAtWork, &["failed", "published"]),
            _ => (Act::Fail, &["failed", "published"]),
        };
        theatre.script(&[act, Act::Publish]);
        let (now, what) = (now(trial), format!("trial {trial}, {act:?}"));
        assert_eq!(theatre.starts(now, &what).await, day_of(now));
        theatre.scheduler.finish().await;
        assert_eq!(theatre.starts(now, &what).await, day_of(now), "{what}");
        theatre.scheduler.finish().await;
        let (state, tries, attempts) = told(&theatre.store, day_of(now)).await;
        assert_eq!((state.as_str(), tries), ("published", 1), "{what}");
        assert_eq!(attempts, outcomes, "{what}");
        assert_eq!(theatre.scheduler.tick(now).await.expect("a tick"), None, "{what}: once");
        theatre.check(&what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_fails_too_often_is_given_up_and_the_job_pauses() {
    let rules = format!("{AT_ONCE}\npause_after_failures = 6");
    let mut theatre = Theatre::open(&rules).await;
    for trial in 0..2 {
        theatre.script(&[Act::Fail; 4]);
        for _ in 0..4 {
            if trial == 1 && theatre.stand_in.acts.lock().expect("acts").len() == 2 {
                break;
            }
            theatre.starts(now(trial), "before it is given up").await;
            theatre.scheduler.finish().await;
        }
        let (state, tries, _) = told(&theatre.store, day_of(now(trial))).await;
        // Three tries after the first on the first day; two on the second make six in a row.
        let wanted = if trial == 0 { ("gave_up", 4) } else { ("failed", 2) };
        assert_eq!((state.as_str(), tries), wanted);
        assert_eq!(theatre.scheduler.tick(now(trial)).await.expect("a tick"), None);
    }
    assert!(theatre.store.resume_job(JOB, "the test").await.expect("resumed"));
    theatre.script(&[Act::Publish]);
    theatre.starts(now(1), "after it was resumed").await;
    theatre.scheduler.finish().await;
    assert_eq!(told(&theatre.store, day_of(now(1))).await.0, "published");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hang_the_next_run_happens() {
    let mut theatre = Theatre::open(&format!("{AT_ONCE}\nmax_minutes = 0.001")).await;
    for trial in 0..trials(TRIALS) {
        theatre.script(&[Act::Hang, Act::Publish]);
        let (now, what) = (now(trial), format!("trial {trial}"));
        let date = theatre.starts(now, &what).await;
        let (_, tries, attempts) = theatre.ends(date, "failed").await;
        assert_eq!((tries, attempts), (1, vec!["failed".to_owned()]), "{what}");
        assert_eq!(theatre.starts(now, &what).await, date, "{what}");
        theatre.scheduler.finish().await;
        assert_eq!(told(&theatre.store, date).await.0, "published", "{what}");
    }
    theatre.check("hangs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cancellation_the_next_run_happens() {
    if !with_short_leases("after_a_cancellation_the_next_run_happens", "1.2") {
        return;
    }
    let mut theatre = Theatre::open(AT_ONCE).await;
    for trial in 0..trials(TRIALS) {
        theatre.script(&[Act::Hang]);
        let (now, what) = (now(trial), format!("trial {trial}"));
        let date = theatre.starts(now, &what).await;
        let lease = lease_when(&theatre.store, |lease| lease.business_date == date.to_string());
        let attempt_id = lease.await.attempt_id;
        let cancelled = theatre.store.cancel_run(JOB, None, "the test", "trial").await;
        assert_eq!(cancelled.expect("cancelled").attempt_id, Some(attempt_id), "{what}");
        let (_, _, attempts) = theatre.ends(date, "cancelled").await;
        assert_eq!(attempts, ["cancelled"], "{what}");
        assert_eq!(theatre.scheduler.tick(now).await.expect("a tick"), None, "{what}: not again");
        theatre.check(&what).await;
    }
    let next = now(trials(TRIALS));
    theatre.starts(next, "after all of them").await;
    theatre.scheduler.finish().await;
    assert_eq!(told(&theatre.store, day_of(next)).await.0, "published");
    theatre.check("cancellations").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_comes_due_meanwhile_waits() {
    let mut theatre = Theatre::open(&format!("{AT_ONCE}\ncatch_up_days = 1")).await;
    for trial in 0..trials(TRIALS) {
        let (first, second) = (now(2 * trial), now(2 * trial + 1));
        theatre.stand_in.go.store(false, Ordering::SeqCst);
        theatre.script(&[Act::PublishLater, Act::Publish]);
        let what = format!("trial {trial}");
        let date = theatre.starts(first, &what).await;
        let lease = lease_when(&theatre.store, |lease| lease.business_date == date.to_string());
        lease.await;
        assert_eq!(theatre.scheduler.tick(second).await.expect("a tick"), None, "{what}");
        assert_eq!(told(&theatre.store, day_of(second)).await.0, "waiting", "{what}");
        theatre.stand_in.go.store(true, Ordering::SeqCst);
        theatre.scheduler.finish().await;
        assert_eq!(told(&theatre.store, date).await.0, "published", "{what}");
        assert_eq!(theatre.starts(second, &what).await, day_of(second), "{what}");
        theatre.scheduler.finish().await;
        assert_eq!(told(&theatre.store, day_of(second)).await.0, "published", "{what}");
        theatre.check(&what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_date_takes_the_place_of_an_older_one_where_the_job_says_so() {
    let mut theatre = Theatre::open(&format!("{AT_ONCE}\noverlap = \"replace\"")).await;
    for trial in 0..trials(TRIALS) {
        let (first, second) = (now(2 * trial), now(2 * trial + 1));
        theatre.script(&[Act::Hang, Act::Publish]);
        let what = format!("trial {trial}");
        let date = theatre.starts(first, &what).await;
        let lease = lease_when(&theatre.store, |lease| lease.business_date == date.to_string());
        lease.await;
        assert_eq!(theatre.starts(second, &what).await, day_of(second), "{what}");
        theatre.scheduler.finish().await;
        assert_eq!(told(&theatre.store, day_of(second)).await.0, "published", "{what}");
        let (state, _, attempts) = told(&theatre.store, date).await;
        assert_eq!((state.as_str(), attempts.len()), ("skipped", 1), "{what}");
        assert_ne!(attempts, ["published"], "{what}");
        theatre.check(&what).await;
    }
}

/// The real child process on a small shop.
struct Real {
    store: Store,
    scheduler: Scheduler,
    jobs: PathBuf,
    folder: tempfile::TempDir,
    address: String,
}

impl Real {
    async fn open(schedule: &str) -> Real {
        let folder = tempfile::tempdir().expect("a folder");
        let address = support::database::address(folder.path()).await;
        let store = support::database::open(&address).await;
        clock::fill(&store, day_of(now(0))).await;
        let jobs = clock::write_jobs(folder.path(), schedule);
        let runner = ChildRunner {
            program: env!("CARGO_BIN_EXE_granary").into(),
            database: Secret::new(address.clone()),
            jobs: jobs.clone(),
            threads: 1,
            environment: Vec::new(),
        };
        let read = Job::read_all(&jobs).expect("legal jobs");
        let scheduler = Scheduler::new(store.clone(), &read, Arc::new(runner)).expect("legal");
        Real { store, scheduler, jobs, folder, address }
    }

    async fn check(&self, what: &str) {
        check_books(&self.store, what).await;
        invariants::assert_sound(&self.address, what).await;
    }

    /// Starts a run and gives its process once it holds the lease.
    async fn at_work(&mut self, now: DateTime<Utc>) -> i32 {
        let started = self.scheduler.tick(now).await.expect("a tick");
        assert_eq!(started, Some((JOB.to_owned(), day_of(now))));
        let date = day_of(now).to_string();
        process_of(&lease_when(&self.store, |lease| lease.business_date == date).await)
    }

    async fn ends(&mut self, date: Day, wanted: &str) -> (String, i64, Vec<String>) {
        for _ in 0..6000 {
            self.scheduler.look_after().await.expect("a look");
            let told = told(&self.store, date).await;
            if told.0 == wanted && self.scheduler.is_idle() {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{date} does not become {wanted}: {:?}", told(&self.store, date).await)
    }

    async fn publishes(&mut self, now: DateTime<Utc>) {
        let started = self.scheduler.tick(now).await.expect("a tick");
        assert_eq!(started, Some((JOB.to_owned(), day_of(now))), "the next run happens");
        self.scheduler.finish().await;
        let (state, _, _) = told(&self.store, day_of(now)).await;
        assert!(matches!(state.as_str(), "published" | "held"), "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_dies_hangs_or_is_cancelled_is_followed_by_the_next() {
    if !with_short_leases("a_child_that_dies_hangs_or_is_cancelled_is_followed_by_the_next", "4") {
        return;
    }
    let rules = format!("{AT_ONCE}\nmax_minutes = 0.5");
    let mut real = Real::open(&rules).await;
    for (round, signal) in [Signal::ABORT, Signal::KILL, Signal::TERM].into_iter().enumerate() {
        let now = now(round);
        let process_id = real.at_work(now).await;
        send(process_id, signal);
        let (_, tries, attempts) = real.ends(day_of(now), "failed").await;
        assert_eq!((tries, attempts), (1, vec!["failed".to_owned()]), "{signal:?}");
        real.publishes(now).await;
    }
    real.check("signals").await;

    // Stopped for good: the limit ends it, though it neither answers nor takes the polite signal.
    let process_id = real.at_work(now(3)).await;
    send(process_id, Signal::STOP);
    let (_, tries, _) = real.ends(day_of(now(3)), "failed").await;
    assert_eq!(tries, 1);
    real.publishes(now(3)).await;

    // Cancelled while it cannot hear of it.
    let process_id = real.at_work(now(4)).await;
    send(process_id, Signal::STOP);
    real.store.cancel_run(JOB, None, "the test", "stuck").await.expect("cancelled");
    real.ends(day_of(now(4)), "cancelled").await;
    assert_eq!(real.scheduler.tick(now(4)).await.expect("a tick"), None);
    real.publishes(now(5)).await;

    // Cancelled while it can: it ends by itself.
    real.at_work(now(6)).await;
    real.store.cancel_run(JOB, None, "the test", "changed my mind").await.expect("cancelled");
    real.ends(day_of(now(6)), "cancelled").await;

    // It cannot even begin: its job's file was spoilt after the server read it.
    let file = real.jobs.join(format!("{JOB}.toml"));
    std::fs::write(&file, "name = \"clock\"\nkind = \"weekly\"\n").expect("spoilt");
    assert!(real.scheduler.tick(now(7)).await.expect("a tick").is_some());
    real.scheduler.finish().await;
    let (state, tries, attempts) = told(&real.store, day_of(now(7))).await;
    assert_eq!((state.as_str(), tries, attempts.len()), ("failed", 1, 0));
    clock::write_job(&real.jobs, &rules);
    real.publishes(now(7)).await;
    real.check("children").await;
    drop(real.folder);
}
