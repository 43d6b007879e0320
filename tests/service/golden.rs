//! Golden nights: each folder of `tests/golden` explains in words what it shows, holds what goes in
//! and what must come out. `UPDATE_EXPECT=1` writes what came out; read the difference before you
//! keep it.

mod support;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use granary::config::{ALL_TABLES, Exit, Job};
use granary::jobs::import::{ImportOptions, import_files};
use granary::jobs::nightly::{self, RunOptions};
use granary::sources::Map;
use granary::store::Store;
use granary_models::calendar::Day;
use sqlx::Row;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the golden folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// Imports `in/*.csv` by the names of the tables, in the tables' own order.
async fn import(store: &Store, case: &Path) {
    for table in &ALL_TABLES {
        let file = case.join("in").join(format!("{}.csv", table.name));
        if !file.exists() {
            continue;
        }
        let options = ImportOptions::default();
        let report = import_files(store, table, &[file], &Map::default(), &options, |_| {})
            .await
            .expect("the import runs");
        assert_eq!(report.refused, None, "{}: {}", case.display(), table.name);
    }
}

async fn what_came_out(store: &Store, exit: Exit) -> String {
    let mut text = format!("exit {}\n", exit as i32);
    let lines = sqlx::query("SELECT * FROM reorder_line ORDER BY priority")
        .fetch_all(&store.reader)
        .await
        .expect("lines");
    for line in lines {
        let get = |column: &str| line.get::<String, _>(column);
        let whole = |column: &str| line.get::<i64, _>(column);
        let _ = writeln!(
            text,
            "\n{} {} {} = {} {} at {} {}, order {}, expect {}, need {} {}",
            get("state"),
            get("line_key"),
            whole("qty"),
            whole("order_qty"),
            get("order_uom"),
            whole("unit_cost_minor"),
            get("currency"),
            get("order_on"),
            get("expected_on"),
            get("need_on"),
            get("held_because"),
        );
        let reason: serde_json::Value = serde_json::from_str(&get("reason")).expect("JSON");
        for step in reason["steps"].as_array().expect("steps") {
            let _ = writeln!(
                text,
                "  {:<18} {:>8}  {}",
                step["step"].as_str().expect("a code"),
                step["value"].to_string(),
                step["text"].as_str().expect("a text")
            );
        }
    }
    let findings = sqlx::query("SELECT * FROM finding ORDER BY finding_no")
        .fetch_all(&store.reader)
        .await
        .expect("findings");
    let _ = writeln!(text);
    for finding in findings {
        let _ = writeln!(
            text,
            "{} {} {} {} ×{} {}",
            finding.get::<String, _>("severity"),
            finding.get::<String, _>("code"),
            finding.get::<String, _>("item_id"),
            finding.get::<String, _>("location_id"),
            finding.get::<i64, _>("occurrences"),
            finding.get::<String, _>("detail"),
        );
    }
    text.push_str(&advice(store).await);
    let series = sqlx::query("SELECT * FROM forecast_series ORDER BY item_id, location_id")
        .fetch_all(&store.reader)
        .await
        .expect("series");
    let _ = writeln!(text);
    for row in series {
        let _ = writeln!(
            text,
            "series {} {}: {}, {} days, {} censored, {:.2} a day",
            row.get::<String, _>("item_id"),
            row.get::<String, _>("location_id"),
            row.get::<String, _>("demand_class"),
            row.get::<i64, _>("history_days"),
            row.get::<i64, _>("censored_days"),
            row.get::<f64, _>("daily_mean"),
        );
    }
    text
}

/// Limits, open orders to act on and stock that should go; nothing where there are none.
async fn advice(store: &Store) -> String {
    let mut text = String::new();
    let rows = |sql: &'static str| async move {
        sqlx::query(sql).fetch_all(&store.reader).await.expect("advice")
    };
    for row in rows("SELECT * FROM plan_limit ORDER BY limit_no").await {
        let _ = writeln!(
            text,
            "limit {} {}: {:.0} of {:.0} {}, wanted {:.0}, one more brings {:.3}",
            row.get::<String, _>("name"),
            row.get::<String, _>("scope"),
            row.get::<f64, _>("used"),
            row.get::<f64, _>("amount"),
            row.get::<String, _>("unit"),
            row.get::<f64, _>("wanted"),
            row.get::<f64, _>("price"),
        );
    }
    for row in rows("SELECT * FROM order_exception ORDER BY po_id, line_no").await {
        let _ = writeln!(
            text,
            "{} {} {}: {} from {} to {}, worth {}: {}",
            row.get::<String, _>("action"),
            row.get::<String, _>("po_id"),
            row.get::<String, _>("line_no"),
            row.get::<i64, _>("qty"),
            row.get::<String, _>("due_on"),
            row.get::<String, _>("move_to"),
            row.get::<i64, _>("value_minor"),
            row.get::<String, _>("detail"),
        );
    }
    for row in rows("SELECT * FROM stock_exit ORDER BY item_id, location_id").await {
        let _ = writeln!(
            text,
            "exit {} {}: {} by {}, {} at cost, may bring {}: {}",
            row.get::<String, _>("item_id"),
            row.get::<String, _>("location_id"),
            row.get::<i64, _>("qty"),
            row.get::<String, _>("proposal"),
            row.get::<i64, _>("value_minor"),
            row.get::<i64, _>("expected_recovery_minor"),
            row.get::<String, _>("detail"),
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_nights() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let cases = cases();
    assert!(cases.len() >= 8, "{cases:?}");
    let mut differing = Vec::new();
    for case in cases {
        assert!(case.join("README.md").exists(), "{} explains itself", case.display());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("granary.db")).await.expect("a database");
        import(&store, &case).await;
        let job = Job::read(&case.join("in/job.toml")).expect("a job");
        let date = std::fs::read_to_string(case.join("in/date")).expect("a date");
        let date: Day = date.trim().parse().expect("a date");
        let options = RunOptions { threads: 1, ..RunOptions::default() };
        let outcome = nightly::run(&store, &job, date, &options).await.expect("a night");
        let got = what_came_out(&store, outcome.exit()).await;
        let expect = case.join("expect/night.txt");
        if update {
            std::fs::create_dir_all(case.join("expect")).expect("a folder");
            std::fs::write(&expect, &got).expect("written");
            continue;
        }
        let want = std::fs::read_to_string(&expect).unwrap_or_default();
        if got != want {
            differing.push(format!("{}:\n{got}", case.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
