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
use granary::store::{Store, db};
use granary_models::calendar::Day;

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
    let lines = db::query("SELECT * FROM reorder_line ORDER BY priority")
        .rows(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("lines");
    for line in lines {
        let get = |column: &str| line.try_get::<String>(column).expect("a column");
        let whole = |column: &str| line.try_get::<i64>(column).expect("a column");
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
    let findings = db::query("SELECT * FROM finding ORDER BY finding_no")
        .rows(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("findings");
    let _ = writeln!(text);
    for finding in findings {
        let _ = writeln!(
            text,
            "{} {} {} {} ×{} {}",
            finding.try_get::<String>("severity").expect("a column"),
            finding.try_get::<String>("code").expect("a column"),
            finding.try_get::<String>("item_id").expect("a column"),
            finding.try_get::<String>("location_id").expect("a column"),
            finding.try_get::<i64>("occurrences").expect("a column"),
            finding.try_get::<String>("detail").expect("a column"),
        );
    }
    text.push_str(&advice(store).await);
    let series = db::query("SELECT * FROM forecast_series ORDER BY item_id, location_id")
        .rows(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("series");
    let _ = writeln!(text);
    for row in series {
        let _ = writeln!(
            text,
            "series {} {}: {}, {} days, {} censored, {:.2} a day",
            row.try_get::<String>("item_id").expect("a column"),
            row.try_get::<String>("location_id").expect("a column"),
            row.try_get::<String>("demand_class").expect("a column"),
            row.try_get::<i64>("history_days").expect("a column"),
            row.try_get::<i64>("censored_days").expect("a column"),
            row.try_get::<f64>("daily_mean").expect("a column"),
        );
    }
    text
}

/// Limits, open orders to act on and stock that should go; nothing where there are none.
async fn advice(store: &Store) -> String {
    let mut text = String::new();
    let rows = |sql: &'static str| async move {
        db::query(sql).rows(&mut store.snapshot().await.expect("a snapshot")).await.expect("advice")
    };
    for row in rows("SELECT * FROM plan_limit ORDER BY limit_no").await {
        let _ = writeln!(
            text,
            "limit {} {}: {:.0} of {:.0} {}, wanted {:.0}, one more brings {:.3}",
            row.try_get::<String>("name").expect("a column"),
            row.try_get::<String>("scope").expect("a column"),
            row.try_get::<f64>("used").expect("a column"),
            row.try_get::<f64>("amount").expect("a column"),
            row.try_get::<String>("unit").expect("a column"),
            row.try_get::<f64>("wanted").expect("a column"),
            row.try_get::<f64>("price").expect("a column"),
        );
    }
    for row in rows("SELECT * FROM order_exception ORDER BY po_id, line_no").await {
        let _ = writeln!(
            text,
            "{} {} {}: {} from {} to {}, worth {}: {}",
            row.try_get::<String>("action").expect("a column"),
            row.try_get::<String>("po_id").expect("a column"),
            row.try_get::<String>("line_no").expect("a column"),
            row.try_get::<i64>("qty").expect("a column"),
            row.try_get::<String>("due_on").expect("a column"),
            row.try_get::<String>("move_to").expect("a column"),
            row.try_get::<i64>("value_minor").expect("a column"),
            row.try_get::<String>("detail").expect("a column"),
        );
    }
    for row in rows("SELECT * FROM stock_exit ORDER BY item_id, location_id").await {
        let _ = writeln!(
            text,
            "exit {} {}: {} by {}, {} at cost, may bring {}: {}",
            row.try_get::<String>("item_id").expect("a column"),
            row.try_get::<String>("location_id").expect("a column"),
            row.try_get::<i64>("qty").expect("a column"),
            row.try_get::<String>("proposal").expect("a column"),
            row.try_get::<i64>("value_minor").expect("a column"),
            row.try_get::<i64>("expected_recovery_minor").expect("a column"),
            row.try_get::<String>("detail").expect("a column"),
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
        let address = support::database::address(folder.path()).await;
        let store = support::database::open(&address).await;
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
