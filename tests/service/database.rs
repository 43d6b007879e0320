//! Both databases behave alike, and every earlier schema becomes today's with its rows.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use granary::config::Database;
use granary::store::Store;
use granary::store::db::{self, Bulk, Dialect, migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use support::postgres::Server;

/// Addresses of new databases, one a kind that can be had here.
async fn addresses(folder: &Path, name: &str) -> Vec<String> {
    let mut addresses = vec![folder.join(format!("{name}.db")).display().to_string()];
    match Server::shared() {
        Some(server) => addresses.push(server.create(name).await),
        None => {
            eprintln!("SKIPPED on PostgreSQL: it is not installed (apt-get install postgresql)")
        }
    }
    addresses
}

fn dialect(address: &str) -> Dialect {
    match Database::parse(address).expect("an address") {
        Database::Sqlite(_) => Dialect::Sqlite,
        Database::Postgres(_) => Dialect::Postgres,
    }
}

/// Rows of tables as they were when a version of the schema brought them, and what must be read of
/// them today.
const ROWS: [(i64, &str, &str, &str); 13] = [
    (
        1,
        "INSERT INTO item (item_id, name, qty_decimals, shelf_life_days) \
         VALUES ('00123', 'Tea 茶', 3, 40)",
        "SELECT item_id || ' ' || name || ' ' || qty_decimals || ' ' || issue FROM item",
        "00123 Tea 茶 3 fifo",
    ),
    (
        1,
        "INSERT INTO sales (item_id, location_id, date, qty, promo_depth) \
         VALUES ('00123', 'S1', '2025-10-20', 1500, 0.125)",
        "SELECT date || ' ' || qty || ' ' || CAST(promo_depth AS TEXT) FROM sales",
        "2025-10-20 1500 0.125",
    ),
    (
        1,
        "INSERT INTO calendar_event (event_id, name, kind, starts_on, ends_on) \
         VALUES ('e', 'cup', 'hot', '2026-06-11', '2026-07-19')",
        "SELECT event_id || ' ' || kind || ' ' || item_id || '.' FROM calendar_event",
        "e hot .",
    ),
    (
        1,
        "INSERT INTO import_batch (imported_at, kind, file, file_digest, rows_read, rows_loaded, \
         rows_duplicate, rows_rejected, rows_written) VALUES ('t', 'sales', 'f', 'd', 3, 1, 1, 1, 1)",
        "SELECT file || ' ' || rows_read FROM import_batch",
        "f 3",
    ),
    (
        2,
        "INSERT INTO run (run_id, job, business_date, state, config_digest, input_digest, \
         plan_digest, seed, version, counts) \
         VALUES ('n@2025-10-20', 'n', '2025-10-20', 'published', 'c', 'i', 'p', 1, '0', '{}')",
        "SELECT run_id || ' ' || seed FROM v_run_current",
        "n@2025-10-20 1",
    ),
    (
        2,
        "INSERT INTO reorder_line (run_id, line_key, kind, state, item_id, supplier_id, \
         source_location_id, location_id, qty, order_qty, order_uom, unit_cost_minor, currency, \
         order_on, expected_on, need_on, priority, expected_value_minor, reason) VALUES \
         ('n@2025-10-20', 'k', 'purchase', 'proposed', '00123', 'V', '', 'S1', 12, 1, 'case', 100, \
         'CNY', '2025-10-20', '2025-10-27', '2025-10-25', 1, 5, '{}')",
        "SELECT line_key || ' ' || qty FROM v_plan_current",
        "k 12",
    ),
    (
        2,
        "INSERT INTO run_attempt (job, business_date, started_at, outcome, process_id) \
         VALUES ('n', '2025-10-20', '2025-10-20T00:00:00Z', 'published', 7)",
        "SELECT job || ' ' || outcome || ' ' || process_id FROM run_attempt",
        "n published 7",
    ),
    (
        2,
        "INSERT INTO override (line_key, qty, actor, at, reason) \
         VALUES ('k', 24, 'anna', '2025-10-20T07:00:00Z', 'feast')",
        "SELECT line_key || ' ' || qty || ' ' || actor || ' ' || reason FROM override",
        "k 24 anna feast",
    ),
    (
        2,
        "INSERT INTO approval (line_key, actor, at) VALUES ('k', 'bob', '2025-10-20T08:00:00Z')",
        "SELECT line_key || ' ' || actor || ' ' || at FROM approval",
        "k bob 2025-10-20T08:00:00Z",
    ),
    (
        // A run of before there were dates.
        2,
        "INSERT INTO run (run_id, job, business_date, state, config_digest, input_digest, \
         plan_digest, seed, version, counts) \
         VALUES ('n@2025-10-20!held', 'n', '2025-10-20', 'held', 'c', 'i', 'p', 1, '0', '{}')",
        "SELECT count(*) || '' FROM run",
        "2",
    ),
    (
        9,
        "INSERT INTO job_date (job, business_date, state, tries, detail) \
         VALUES ('n', '2025-10-21', 'failed', 2, 'disk full')",
        "SELECT state || ' ' || tries || ' ' || detail FROM job_date WHERE tries > 0",
        "failed 2 disk full",
    ),
    (
        4,
        "INSERT INTO forecast_memory_series (job, series_key, fitted_on, memory) \
         VALUES ('n', -5, '2025-10-20', 'bytes')",
        "SELECT job || ' ' || series_key FROM forecast_memory_series",
        "n -5",
    ),
    (
        7,
        "INSERT INTO effect (run_id, category, regressor, log_effect, low, high, days, items, \
         occurrences) VALUES ('n@2025-10-20', 'tea', 'promo:depth', 0.5, 0.25, 0.75, 9, 3, 2)",
        "SELECT category || ' ' || CAST(log_effect AS TEXT) FROM effect",
        "tea 0.5",
    ),
];

/// A database that grew with the program: each row was written when its table was as it was then.
async fn with_schema(address: &str, version: i64) {
    let all = migrator(dialect(address));
    let versions = all.iter().map(|migration| migration.version);
    for at in versions.filter(|&at| at <= version) {
        let mut earlier = migrator(dialect(address));
        earlier.migrations.to_mut().retain(|migration| migration.version <= at);
        let rows = ROWS.iter().filter(|row| row.0 == at).map(|row| row.1);
        match Database::parse(address).expect("an address") {
            Database::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
                let mut connection = options.connect().await.expect("a new file");
                earlier.run(&mut connection).await.expect("the earlier schema");
                for sql in rows {
                    sqlx::query(sql).execute(&mut connection).await.expect(sql);
                }
                connection.close().await.expect("closed");
            }
            Database::Postgres(url) => {
                let options: PgConnectOptions = url.reveal().parse().expect("a URL");
                let mut connection = options.connect().await.expect("a new database");
                earlier.run(&mut connection).await.expect("the earlier schema");
                for sql in rows {
                    let sql = sql.replace("'bytes'", "'\\x00ff'");
                    sqlx::query(AssertSqlSafe(sql.clone()))
                        .execute(&mut connection)
                        .await
                        .unwrap_or_else(|error| panic!("{sql}: {error}"));
                }
                connection.close().await.expect("closed");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_earlier_schema_becomes_todays_with_its_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let versions: Vec<i64> = migrator(Dialect::Sqlite).iter().map(|m| m.version).collect();
    assert!(versions.len() >= 7, "{versions:?}");
    for version in versions {
        for address in addresses(folder.path(), &format!("schema{version}")).await {
            with_schema(&address, version).await;
            let store = support::database::open(&address).await;
            let mut db = store.snapshot().await.expect("a snapshot");
            for (since, _, sql, wanted) in ROWS {
                if since > version {
                    continue;
                }
                let read: Vec<String> = db::query_scalar(sql).fetch_all(&mut db).await.expect(sql);
                assert_eq!(read, [wanted], "{sql} after schema {version}");
            }
            if (2..9).contains(&version) {
                let dates =
                    "SELECT business_date || ' ' || state || ' ' || attempt_id FROM job_date";
                let read: Vec<String> =
                    db::query_scalar(dates).fetch_all(&mut db).await.expect(dates);
                assert_eq!(read, ["2025-10-20 published 1"], "after schema {version}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_open_a_new_database_at_once_all_find_it_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in addresses(folder.path(), "race").await {
        let children: Vec<_> = (0..6)
            .map(|_| {
                Command::new(env!("CARGO_BIN_EXE_granary"))
                    .env("GRANARY_DB", &address)
                    .arg("--jobs")
                    .arg(support::jobs_folder())
                    .arg("jobs")
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("the program starts")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("the program ends");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let reals = [0.1, -0.5, 1e300, f64::MIN_POSITIVE, 123_456_789.123_456_7];
    let texts = ["", "00123", "Tea 茶 🍵", "a'b\"c\\d\te\nf", "{\"x\": 1}"];
    let ints = [0, i64::MAX, i64::MIN + 1, -1, 42];
    for address in addresses(folder.path(), "values").await {
        let store = support::database::open(&address).await;
        let mut transaction = store.write().await.expect("a transaction");
        let create = "CREATE TABLE kept (n BIGINT, i BIGINT, r DOUBLE PRECISION, t TEXT, o TEXT)";
        db::query(create).execute(&mut transaction).await.expect(create);
        let mut bulk = Bulk::new(&mut transaction, "kept (n, i, r, t, o)", 5);
        for round in 0..5000_i64 {
            let at = (round % 5) as usize;
            bulk.push(round).expect("pushed");
            bulk.push(ints[at]).expect("pushed");
            bulk.push(reals[at]).expect("pushed");
            bulk.push(texts[at]).expect("pushed");
            bulk.push((at > 0).then_some(texts[at])).expect("pushed");
            bulk.end_row().await.expect("a row");
        }
        assert_eq!(bulk.finish().await.expect("all rows"), 5000);
        transaction.commit().await.expect("committed");
        let mut db = store.snapshot().await.expect("a snapshot");
        let rows: Vec<(i64, i64, f64, String, Option<String>)> =
            db::query_as("SELECT n, i, r, t, o FROM kept WHERE t = $1 OR n >= $2 ORDER BY n")
                .bind("00123")
                .bind(0_i64)
                .fetch_all(&mut db)
                .await
                .expect("rows");
        assert_eq!(rows.len(), 5000);
        for (n, i, r, t, o) in rows {
            let at = (n % 5) as usize;
            assert_eq!((i, r.to_bits(), t.as_str()), (ints[at], reals[at].to_bits(), texts[at]));
            assert_eq!(o.as_deref(), (at > 0).then_some(texts[at]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_sorts_by_its_bytes_on_both() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in addresses(folder.path(), "sorted").await {
        let store = support::database::open(&address).await;
        for item in ["a", "B", "ä", "_", "茶", "Z1", "Z 1", "0"] {
            let insert = db::query("INSERT INTO item (item_id) VALUES ($1)").bind(item);
            store.execute(insert).await.expect(item);
        }
        let mut db = store.snapshot().await.expect("a snapshot");
        let sorted: Vec<String> = db::query_scalar("SELECT item_id FROM item ORDER BY item_id")
            .fetch_all(&mut db)
            .await
            .expect("items");
        assert_eq!(sorted, ["0", "B", "Z 1", "Z1", "_", "a", "ä", "茶"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_for_each_other_and_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in addresses(folder.path(), "writers").await {
        let store = support::database::open(&address).await;
        let insert = db::query("INSERT INTO import_default (key, value) VALUES ('n', '0')");
        store.execute(insert).await.expect("a counter");
        let count = |store: Store| async move {
            for _ in 0..25 {
                let mut db = store.write().await.expect("a transaction");
                let n: String =
                    db::query_scalar("SELECT value FROM import_default WHERE key = 'n'")
                        .fetch_one(&mut db)
                        .await
                        .expect("the counter");
                let next = n.parse::<i64>().expect("a number") + 1;
                db::query("UPDATE import_default SET value = $1 WHERE key = 'n'")
                    .bind(next.to_string())
                    .execute(&mut db)
                    .await
                    .expect("counted");
                db.commit().await.expect("committed");
            }
        };
        let mut tasks = Vec::new();
        for _ in 0..6 {
            // A store each, as processes have.
            tasks.push(tokio::spawn(count(support::database::open(&address).await)));
        }
        for task in tasks {
            task.await.expect("a task");
        }
        let mut db = store.snapshot().await.expect("a snapshot");
        let n: String = db::query_scalar("SELECT value FROM import_default WHERE key = 'n'")
            .fetch_one(&mut db)
            .await
            .expect("the counter");
        assert_eq!(n, "150");
    }
}

/// Our private server does not wait for its disk, and whoever runs such a one has to know.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_what_a_database_would_lose() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in addresses(folder.path(), "patient").await {
        let output = Command::new(env!("CARGO_BIN_EXE_granary"))
            .env("GRANARY_DB", &address)
            .args(["--json", "--jobs", "jobs", "doctor"])
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let check = |what: &str| {
            let checks = told["checks"].as_array().expect("checks");
            let found = checks.iter().find(|check| check["what"] == what).expect(what);
            let text = |name: &str| found[name].as_str().expect(name).to_owned();
            (text("state"), text("detail"))
        };
        let (state, detail) = check("durability");
        let (pages, _) = check("integrity");
        match dialect(&address) {
            Dialect::Sqlite => {
                assert_eq!((state.as_str(), pages.as_str()), ("ok", "ok"), "{told}");
                assert!(detail.starts_with("SQLite 3."), "{detail}");
            }
            Dialect::Postgres => {
                assert_eq!((state.as_str(), output.status.code()), ("broken", Some(1)), "{told}");
                assert!(detail.contains("fsync is off"), "{detail}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_again() {
    let Some(server) = Server::shared() else { return };
    let address = server.create("again").await;
    let store = support::database::open(&address).await;
    let pid = async |sql: &'static str| -> i64 {
        let mut db = store.snapshot().await.expect("a snapshot");
        db::query_scalar(sql).fetch_one(&mut db).await.expect(sql)
    };
    let mut pids = std::collections::BTreeSet::new();
    for _ in 0..30 {
        pids.insert(pid("SELECT CAST(pg_backend_pid() AS BIGINT)").await);
    }
    // One that is still on its way back is not waited for.
    assert!(pids.len() <= 8, "thirty reads one after another took {} connections", pids.len());
    store.close().await;
}
