//! A small demo retailer in a folder of its own, and what a plan looks like as text.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod database;
pub mod postgres;

use std::path::{Path, PathBuf};

use granary::config::{Job, Table};
use granary::jobs::demo::{DemoConfig, write_demo};
use granary::jobs::import::{ImportOptions, import_files};
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::sources::Map;
use granary::store::{Store, db};

pub struct Shop {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub config: DemoConfig,
    address: String,
}

impl Shop {
    /// Writes the demo's files and imports them.
    pub async fn open(config: DemoConfig) -> Shop {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = write_demo(&config, folder.path(), |_| {}).expect("the demo is written");
        let address = database::address(folder.path()).await;
        let store = database::open(&address).await;
        for group in manifest.files.chunk_by(|a, b| a.0 == b.0) {
            let table = Table::named(group[0].0).expect("an input table");
            let files: Vec<PathBuf> = group.iter().map(|(_, path)| path.clone()).collect();
            let report = import_files(
                &store,
                table,
                &files,
                &Map::default(),
                &ImportOptions::default(),
                |_| {},
            )
            .await
            .expect("the import runs");
            assert_eq!(report.refused, None, "{}", group[0].0);
        }
        Shop { folder, store, config, address }
    }

    pub async fn night(&self, job: &Job, threads: usize) -> RunOutcome {
        let options = RunOptions { threads, ..RunOptions::default() };
        nightly::run(&self.store, job, self.config.business_date, &options).await.expect("a night")
    }

    /// As `--db` takes it.
    pub fn db(&self) -> &str {
        &self.address
    }
}

pub fn jobs_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs")
}

pub fn nightly_job() -> Job {
    Job::find(&jobs_folder(), "nightly").expect("the shipped job")
}

/// Tables whose every byte belongs to the plan.
pub const PLAN_TABLES: [&str; 15] = [
    "run_fact",
    "effect",
    "run",
    "forecast_series",
    "forecast",
    "reorder_line",
    "stock_projection",
    "production_suggestion",
    "finding",
    "segment",
    "order_exception",
    "stock_exit",
    "plan_limit",
    "kpi",
    "backtest_score",
];

/// Every row of every plan table, as lines of text in key order.
pub async fn dump(store: &Store) -> String {
    let mut text = String::new();
    for table in PLAN_TABLES {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4");
        let rows = db::query(sqlx::AssertSqlSafe(sql))
            .rows(&mut store.snapshot().await.expect("a snapshot"))
            .await
            .expect("a table of the plan");
        for row in rows {
            text.push_str(table);
            for value in row.values().expect("values") {
                text.push('\t');
                text.push_str(&text_of(value));
            }
            text.push('\n');
        }
    }
    text
}

fn text_of(value: db::Value) -> String {
    match value {
        db::Value::Int(Some(value)) => value.to_string(),
        db::Value::Real(Some(value)) => value.to_bits().to_string(),
        db::Value::Text(Some(value)) => value.to_string(),
        db::Value::Bool(Some(value)) => value.to_string(),
        db::Value::Blob(Some(value)) => format!("{} bytes", value.len()),
        _ => "NULL".to_owned(),
    }
}

/// Fails with the first line that differs rather than with both plans in full.
pub fn assert_same_plan(a: &str, b: &str, what: &str) {
    for (i, (left, right)) in a.lines().zip(b.lines()).enumerate() {
        assert_eq!(left, right, "{what}: row {i} differs");
    }
    assert_eq!(a.lines().count(), b.lines().count(), "{what}: the number of rows differs");
}
