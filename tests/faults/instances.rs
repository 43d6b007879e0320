//! Several servers on one database, killed, stopped for longer than a lease and with wrong clocks: one
//! run per date, and a writer that comes back writes nothing.
//!
//! A trial is one fault. `GRANARY_TRIALS` says how many (in all, over both databases), `GRANARY_SEED`
//! which.

#[path = "clock/mod.rs"]
mod clock;
#[path = "invariants.rs"]
mod invariants;
#[path = "../service/support/mod.rs"]
mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use granary::store::Store;
use granary::store::db;
use granary::store::read::jobs::{self, JobDate, LeaseRow};
use granary_models::calendar::Day;
use rustix::process::Signal;
use support::postgres::Server;

use clock::chance::Random as Chance;
use clock::{JOB, check_books, lease_when, process_of, seed, send, trials};

/// Seconds of a lease in these trials.
const LEASE: f64 = 1.5;
const DATES: i32 = 4;
const FAULTS_PER_ROUND: usize = 4;
/// A day more than is waited for, should midnight pass meanwhile.
const SCHEDULE: &str = "catch_up_days = 4\nmax_minutes = 5\n\
                        retry = { max = 1000, first_minutes = 0, longest_minutes = 0 }";

/// A database with sales, to be copied for every round.
struct Original {
    folder: tempfile::TempDir,
    postgres: Option<&'static Server>,
    name: String,
    copies: u32,
}

impl Original {
    async fn make(postgres: Option<&'static Server>, today: Day) -> Original {
        let folder = tempfile::tempdir().expect("a folder");
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("clock_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let address = match postgres {
            Some(server) => server.create(&name).await,
            None => folder.path().join("original.db").display().to_string(),
        };
        let store = support::database::open(&address).await;
        clock::fill(&store, today + 2).await;
        // A night of long ago, so that the days since then count as missed.
        clock::write_jobs(folder.path(), SCHEDULE);
        let long_ago = run_by_hand(&address, folder.path(), 0, today - 30).wait_with_output();
        let long_ago = long_ago.expect("a night of long ago");
        let said = String::from_utf8_lossy(&long_ago.stderr);
        assert_eq!(long_ago.status.code(), Some(0), "{said}");
        store.close().await;
        Original { folder, postgres, name, copies: 0 }
    }

    /// The address of a fresh copy.
    async fn copy(&mut self) -> String {
        self.copies += 1;
        let copy = format!("{}_{}", self.name, self.copies);
        let Some(server) = self.postgres else {
            let path = self.folder.path().join(format!("{copy}.db"));
            std::fs::copy(self.folder.path().join("original.db"), &path).expect("a copy");
            return path.display().to_string();
        };
        server.copy(&self.name, &copy).await
    }
}

/// One `granary serve`.
struct Instance {
    child: Child,
}

struct Servers {
    address: String,
    folder: PathBuf,
    started: u32,
    instances: Vec<Instance>,
}

impl Servers {
    fn start(&mut self, offset_seconds: i64) {
        self.started += 1;
        let log = File::create(self.folder.join(format!("serve-{}.log", self.started)));
        let log = log.expect("a log");
        let child = granary(&self.address, &self.folder)
            .args(["--threads", "1", "serve", "--listen", "127.0.0.1:0"])
            .env("GRANARY_TICK_SECONDS", "1")
            .env("GRANARY_CLOCK_OFFSET_SECONDS", offset_seconds.to_string())
            .env("GRANARY_LEASE_SECONDS", LEASE.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.instances.push(Instance { child });
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for number in 1..=self.started {
            let path = self.folder.join(format!("serve-{number}.log"));
            let log = std::fs::read_to_string(path).unwrap_or_default();
            text.push_str(&format!("--- server {number}\n{log}"));
        }
        text
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for instance in &mut self.instances {
            let _ = instance.child.kill();
            let _ = instance.child.wait();
        }
    }
}

fn granary(address: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
    command.env("GRANARY_DB", address).arg("--jobs").arg(folder.join("jobs"));
    command
}

/// The process that started another.
fn parent_of(process_id: i32) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    text.get(text.rfind(')')? + 1..)?.split_whitespace().nth(1)?.parse().ok()
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillRun,
    KillServer,
    StopRun,
    StopServer,
    StopBoth,
}

const FAULTS: [Fault; 5] =
    [Fault::KillRun, Fault::KillServer, Fault::StopRun, Fault::StopServer, Fault::StopBoth];

/// Treats whoever is at work badly; gives the attempt that was stopped and came back, if one was.
async fn strike(
    servers: &mut Servers,
    lease: &LeaseRow,
    fault: Fault,
    chance: &mut Chance,
) -> Option<i64> {
    tokio::time::sleep(Duration::from_millis(chance.below(250))).await;
    let run = process_of(lease);
    let server = parent_of(run);
    let past = LEASE * (1.5 + chance.below(100) as f64 / 100.0);
    let stop = async |processes: &[i32]| {
        for &process_id in processes {
            send(process_id, Signal::STOP);
        }
        tokio::time::sleep(Duration::from_secs_f64(past)).await;
        for &process_id in processes.iter().rev() {
            send(process_id, Signal::CONT);
        }
    };
    match (fault, server) {
        (Fault::KillServer, Some(server)) => {
            send(server, Signal::KILL);
            servers.start(0);
            None
        }
        (Fault::StopServer, Some(server)) => {
            stop(&[server]).await;
            None
        }
        (Fault::StopBoth, Some(server)) => {
            stop(&[server, run]).await;
            Some(lease.attempt_id)
        }
        (Fault::StopRun, _) => {
            stop(&[run]).await;
            Some(lease.attempt_id)
        }
        // Its server is gone already; then the run is about to be.
        _ => {
            send(run, Signal::KILL);
            None
        }
    }
}

async fn dates(store: &Store, from: Day, to: Day) -> Vec<JobDate> {
    let mut db = store.snapshot().await.expect("a snapshot");
    jobs::dates_between(&mut db, JOB, from, to).await.expect("dates")
}

fn is_finished(dates: &[JobDate]) -> bool {
    let planned = |date: &JobDate| matches!(date.state.as_str(), "published" | "held");
    dates.len() == DATES as usize && dates.iter().all(planned)
}

/// Who is at work, or nobody when every date is done.
async fn lease_or_end(store: &Store, from: Day, to: Day) -> Option<LeaseRow> {
    for _ in 0..6000 {
        if let Some(lease) = clock::lease(store).await {
            return Some(lease);
        }
        if is_finished(&dates(store, from, to).await) {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Then the wait for the dates says what there is.
    None
}

/// Starts servers with clocks that differ, strikes while they work through the missed dates, and reads
/// the books.
async fn round(original: &mut Original, today: Day, chance: &mut Chance, what: &str) -> usize {
    let address = original.copy().await;
    let folder = tempfile::tempdir().expect("a folder");
    clock::write_jobs(folder.path(), SCHEDULE);
    let store = support::database::open(&address).await;
    let mut servers =
        Servers { address, folder: folder.path().to_owned(), started: 0, instances: Vec::new() };
    for _ in 0..2 + chance.below(3) {
        let offset_seconds = [0, 3600, -3600][chance.below(3) as usize];
        servers.start(offset_seconds);
    }
    let (from, to) = (today - (DATES - 1), today);
    let mut stopped = Vec::new();
    let mut faults = 0;
    while faults < FAULTS_PER_ROUND {
        let fault = FAULTS[chance.below(FAULTS.len() as u64) as usize];
        let Some(lease) = lease_or_end(&store, from, to).await else { break };
        stopped.extend(strike(&mut servers, &lease, fault, chance).await);
        faults += 1;
    }
    // Whoever is left finishes; a server that was killed was replaced.
    let mut finished = false;
    for _ in 0..1200 {
        finished = is_finished(&dates(&store, from, to).await);
        if finished {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let found = dates(&store, from, to).await;
    assert!(finished, "{what}: {found:?}\n{}", servers.logs());
    stop_calmly(&mut servers, what);
    check_books(&store, what).await;
    invariants::assert_sound(&servers.address, what).await;
    for attempt_id in stopped {
        check_fenced(&store, attempt_id, what).await;
    }
    store.close().await;
    faults
}

/// SIGTERM ends every server in order; none is left with a run.
fn stop_calmly(servers: &mut Servers, what: &str) {
    for instance in &servers.instances {
        send(instance.child.id() as i32, Signal::TERM);
    }
    let ended: Vec<ExitStatus> = servers
        .instances
        .iter_mut()
        .map(|instance| instance.child.wait().expect("a server to wait for"))
        .collect();
    // Those that were killed on the way have no code.
    let calm = ended.iter().all(|status| matches!(status.code(), Some(0) | None));
    assert!(calm, "{what}: {ended:?}\n{}", servers.logs());
}

/// A stopped writer either had written its plan before it was stopped, or wrote none.
async fn check_fenced(store: &Store, attempt_id: i64, what: &str) {
    let mut db = store.snapshot().await.expect("a snapshot");
    let (outcome, by): (String, Option<i64>) = db::query_as(
        "SELECT a.outcome, d.attempt_id FROM run_attempt a JOIN job_date d \
         ON d.job = a.job AND d.business_date = a.business_date WHERE a.attempt_id = $1",
    )
    .bind(attempt_id)
    .fetch_one(&mut db)
    .await
    .expect("the stopped attempt");
    let wrote = matches!(outcome.as_str(), "published" | "held");
    assert_eq!(wrote, by == Some(attempt_id), "{what}: attempt {attempt_id} is {outcome}");
}

fn today() -> Day {
    Day::from(chrono::Utc::now().date_naive())
}

async fn rounds(postgres: Option<&'static Server>, name: &str, trials: usize, seed: u64) {
    let today = today();
    let mut original = Original::make(postgres, today).await;
    let mut chance = Chance(seed);
    let (mut struck, mut rounds) = (0, 0);
    while struck < trials {
        rounds += 1;
        let what = format!("{name}, seed {seed}, round {rounds}");
        struck += round(&mut original, today, &mut chance, &what).await;
    }
    println!("{name}: {struck} faults in {rounds} rounds, one run per date");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_per_date_whatever_befalls_the_servers() {
    let (trials, seed) = (trials(50), seed("instances"));
    rounds(None, "SQLite", trials.div_ceil(2), seed).await;
    match Server::shared() {
        Some(server) => rounds(Some(server), "PostgreSQL", trials.div_ceil(2), seed).await,
        None => println!("PostgreSQL: SKIPPED, it is not installed"),
    }
}

/// `granary run` for a date, with leases of the usual length.
fn run_by_hand(address: &str, folder: &Path, offset_seconds: i64, date: Day) -> Child {
    granary(address, folder)
        .args(["--threads", "1", "run", JOB, "--date", &date.to_string()])
        .env("GRANARY_CLOCK_OFFSET_SECONDS", offset_seconds.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// A lease of a minute is respected by a process whose clock is an hour ahead, and not waited for once
/// its owner is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_living_lease_is_respected_and_a_dead_one_taken_at_once() {
    for postgres in [None, Server::shared()] {
        let today = today();
        let mut original = Original::make(postgres, today).await;
        let folder = tempfile::tempdir().expect("a folder");
        clock::write_jobs(folder.path(), SCHEDULE);
        let address = original.copy().await;
        let store = support::database::open(&address).await;

        let mut first = run_by_hand(&address, folder.path(), -3600, today);
        let lease = lease_when(&store, |_| true).await;
        send(first.id() as i32, Signal::STOP);
        for offset_seconds in [0, 3600] {
            let second = run_by_hand(&address, folder.path(), offset_seconds, today);
            let output = second.wait_with_output().expect("an answer");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(6), "{said}");
            assert!(said.contains(&format!("process {}", first.id())), "{said}");
        }
        first.kill().expect("killed");
        // Not even its end has been asked for yet.
        let third = run_by_hand(&address, folder.path(), 0, today);
        let output = third.wait_with_output().expect("an answer");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 4)), "{said}");
        first.wait().expect("waited for");
        let (state, _, outcomes) = clock::told(&store, today).await;
        assert!(matches!(state.as_str(), "published" | "held"), "{state}");
        assert_eq!(outcomes[0], "abandoned", "attempt {}", lease.attempt_id);
        check_books(&store, "by hand").await;
        invariants::assert_sound(&address, "by hand").await;
        if Server::shared().is_none() {
            break;
        }
    }
}
