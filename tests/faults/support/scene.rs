//! A small retailer between two nights, and what the second one must come to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use granary::config::Table;
use granary::jobs::import::{ImportOptions, import_files};
use granary::sources::Map;
use granary::store::Store;
use sqlx::Connection;

use super::retailer::{self, FIRST_NIGHT, JOBS, SECOND_NIGHT};
use super::{broken, copy, difference, dump_plan, granary, open};

/// Thirty-six series make five partitions or so.
const PARTITION_SERIES: &str = "8";

/// The job whose lines go out, and the system that takes them.
pub const RELEASED: &str = "refit";
pub const CONSUMER: &str = "erp";

/// A retailer whose first night is published and partly taken, and what its second night must come to.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub base: PathBuf,
    pub before: String,
    pub nights: Vec<Undisturbed>,
}

pub struct Undisturbed {
    pub job: &'static str,
    pub plan: String,
    pub usual: Duration,
}

/// How the second night is started.
#[derive(Clone, Copy)]
pub struct Start {
    pub job: &'static str,
    pub threads: u64,
}

impl Scene {
    pub async fn prepare(seed: u64) -> Scene {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = folder.path().join("base.db");
        retailer::write_jobs(folder.path());
        let store = Store::open(&base).await.expect("a database");
        for (table, file) in retailer::write(folder.path(), seed) {
            let table = Table::named(table).expect("an input table");
            let (map, options) = (Map::default(), ImportOptions::default());
            let report = import_files(&store, table, &[file], &map, &options, |_| {})
                .await
                .expect("the import runs");
            assert_eq!(report.refused, None, "{}", table.name);
        }
        store.close().await;
        let mut scene = Scene { folder, base, before: String::new(), nights: Vec::new() };
        for job in JOBS {
            let date = FIRST_NIGHT.to_string();
            let mut night = granary(&scene.base, scene.folder.path());
            let status = night.args(["run", job, "--date", &date]).status().expect("a night");
            assert!(matches!(status.code(), Some(0 | 4)), "{job}: {status}");
        }
        scene.release_and_take(&scene.base);
        let mut db = open(&scene.base).await;
        assert_eq!(broken(&mut db).await, Vec::<String>::new(), "before any kill");
        scene.before = dump_plan(&mut db).await;
        db.close().await.expect("closed");
        for job in JOBS {
            let night = scene.undisturbed(job).await;
            scene.nights.push(night);
        }
        scene
    }

    /// What the first night of one job orders from one supplier goes out, and purchasing takes every
    /// other line. The second night still has something to order.
    fn release_and_take(&self, db: &Path) {
        self.people(db, &["approve", "--all", RELEASED, "--supplier", "acme"]);
        self.people(db, &["release", RELEASED]);
        let keys = self.to_take(db);
        assert!(keys.len() > 2, "{keys:?}");
        let taken: Vec<&str> = keys.iter().step_by(2).map(String::as_str).collect();
        self.people(db, &[&["ack", CONSUMER], &taken[..]].concat());
    }

    /// A command of somebody's, who must be known by name.
    pub fn person(&self, db: &Path, arguments: &[&str]) -> Command {
        let mut command = granary(db, self.folder.path());
        command.env("GRANARY_ACTOR", "anna").args(arguments);
        command
    }

    /// Runs such a command to its end and gives what it printed.
    pub fn people(&self, db: &Path, arguments: &[&str]) -> serde_json::Value {
        let mut command = self.person(db, arguments);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 4)), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Keys of the lines that the purchasing system has still to take.
    pub fn to_take(&self, db: &Path) -> Vec<String> {
        let lines = self.people(db, &["released", CONSUMER]);
        let lines = lines.as_array().expect("a list of lines");
        let key = |line: &serde_json::Value| line["line_key"].as_str().expect("a key").to_owned();
        lines.iter().map(key).collect()
    }

    /// The plan of an undisturbed second night, the same from three starts, and the middle of their
    /// durations.
    pub async fn undisturbed(&self, job: &'static str) -> Undisturbed {
        let mut plans = Vec::new();
        let mut durations = Vec::new();
        for threads in 1..=3 {
            let (_folder, db) = copy(&self.base);
            let begun = Instant::now();
            let resumed = self.finish(&db, Start { job, threads });
            durations.push(begun.elapsed());
            assert_eq!(resumed.0, 0, "{job}: nothing was kept");
            plans.push(self.plan(&db).await);
        }
        durations.sort_unstable();
        assert!(plans[0] != self.before, "{job}: the second night publishes");
        for plan in &plans {
            assert_eq!(difference(plan, &plans[0]), Vec::<String>::new(), "{job}: threads");
        }
        Undisturbed { job, plan: plans.remove(0), usual: durations[1] }
    }

    pub fn command(&self, db: &Path, start: Start) -> Command {
        let mut command = granary(db, self.folder.path());
        command.env("GRANARY_PARTITION_SERIES", PARTITION_SERIES);
        command.args(["run", start.job, "--threads", &start.threads.to_string()]);
        command.args(["--date", &SECOND_NIGHT.to_string()]);
        command
    }

    /// Runs the second night to its end and says how many pieces it went on from, of how many.
    pub fn finish(&self, db: &Path, start: Start) -> (u64, u64) {
        let mut command = self.command(db, start);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 4)), "{}: {errors}", output.status);
        let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let number = |name: &str| outcome["resumed"][name].as_u64().expect("a number");
        (number("pieces"), number("of"))
    }

    /// The plan tables, after the checker found nothing.
    pub async fn plan(&self, db: &Path) -> String {
        let mut db = open(db).await;
        let found = broken(&mut db).await;
        assert!(found.is_empty(), "{found:#?}");
        let plan = dump_plan(&mut db).await;
        db.close().await.expect("closed");
        plan
    }

    pub fn night(&self, job: &str) -> &Undisturbed {
        self.nights.iter().find(|night| night.job == job).expect("one of the jobs")
    }

    /// What readers see after a kill is the plan before or the whole new one.
    pub async fn is_whole(&self, db: &Path, job: &str, what: &str) -> bool {
        let plan = self.plan(db).await;
        let new = difference(&plan, &self.night(job).plan).is_empty();
        let old = difference(&plan, &self.before);
        assert!(new || old.is_empty(), "{what}: neither plan is whole: {old:#?}");
        new
    }

    pub async fn ends_undisturbed(&self, db: &Path, start: Start, what: &str) -> (u64, u64) {
        let resumed = self.finish(db, start);
        let plan = self.plan(db).await;
        let other = difference(&plan, &self.night(start.job).plan);
        assert!(other.is_empty(), "{what}: the next start ends with another plan: {other:#?}");
        resumed
    }
}
