//! The independent checker itself: for every invariant of a night a database in which it is
//! broken. Those of releases are broken in the release's own tests.

use std::path::Path;

use crate::support::invariants::of_part;
use crate::support::scene::Scene;
use crate::support::{broken, copy, open};

/// Takes a sound database, breaks one thing and wants that, and only that, to be found.
async fn check(base: &Path, name: &str, breaking: &[&'static str]) {
    let (_folder, path) = copy(base);
    let mut db = open(&path).await;
    let unchecked = [
        "PRAGMA foreign_keys = OFF",
        "PRAGMA ignore_check_constraints = ON",
        "PRAGMA legacy_alter_table = ON",
    ];
    for sql in unchecked.iter().chain(breaking) {
        let done = sqlx::query(*sql).execute(&mut db).await;
        done.unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
    }
    let found = broken(&mut db).await;
    let of_name = |line: &String| line.split(':').next() == Some(name);
    assert!(!found.is_empty() && found.iter().all(of_name), "{name}: {found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_what_is_broken() {
    let scene = Scene::prepare(5).await;
    let keyless = |table: &str| {
        [
            format!("CREATE TABLE keyless AS SELECT * FROM {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE keyless RENAME TO {table}"),
        ]
    };
    let [run_copy, run_drop, run_rename] = keyless("run").map(|sql| &*sql.leak());
    let [line_copy, line_drop, line_rename] = keyless("reorder_line").map(|sql| &*sql.leak());
    let attempt = "INSERT INTO run_attempt (job, business_date, process_id, started_at, outcome) \
                   VALUES ('refit', '2030-01-01', 1, '', 'running')";
    let cases: &[(&str, &[&'static str])] = &[
        (
            "books_balance",
            &["UPDATE import_batch SET rows_read = rows_read + 1 WHERE batch_id = 2"],
        ),
        (
            "rejections_are_kept",
            &["UPDATE import_batch SET rows_rejected = 1, rows_read = rows_read + 1"],
        ),
        (
            "one_published_run_per_date",
            &[
                run_copy,
                run_drop,
                run_rename,
                "INSERT INTO run SELECT * FROM run WHERE job = 'refit'",
            ],
        ),
        ("one_running_attempt_per_date", &[attempt, attempt]),
        (
            "published_attempts_have_a_run",
            &["INSERT INTO run_attempt (job, business_date, process_id, started_at, outcome) \
               VALUES ('refit', '2030-01-01', 1, '', 'published')"],
        ),
        ("rows_have_their_run", &["UPDATE segment SET run_id = 'gone' WHERE run_id LIKE 'refit%'"]),
        (
            "counts_are_the_rows",
            &["DELETE FROM finding WHERE finding_no = \
               (SELECT max(finding_no) FROM finding f WHERE f.run_id = finding.run_id)"],
        ),
        (
            "forecasts_are_series_times_horizon",
            &["DELETE FROM forecast WHERE item_id = 'i003' AND location_id = 'S2' \
               AND date = (SELECT max(date) FROM forecast)"],
        ),
        (
            "forecasts_have_their_series",
            &["UPDATE forecast SET item_id = 'i999' WHERE item_id = 'i003' AND location_id = 'S2'"],
        ),
        (
            "forecasts_begin_at_the_business_date",
            &["UPDATE forecast SET date = '2020-01-01' \
               WHERE date = (SELECT max(date) FROM forecast)"],
        ),
        ("quantiles_ascend", &["UPDATE forecast SET q75 = q99 + 1 WHERE item_id = 'i001'"]),
        ("effects_lie_in_their_interval", &["UPDATE effect SET low = high + 1"]),
        (
            "line_keys_are_unique",
            &[
                line_copy,
                line_drop,
                line_rename,
                "UPDATE reorder_line SET line_key = \
                 (SELECT min(line_key) FROM reorder_line l WHERE l.run_id = reorder_line.run_id) \
                 WHERE priority = 2",
            ],
        ),
        ("quantities_are_whole_packs", &["UPDATE reorder_line SET order_qty = qty + 1"]),
        ("priorities_count_from_one", &["UPDATE reorder_line SET priority = priority + 1"]),
        (
            "held_lines_say_why",
            &["UPDATE reorder_line SET state = 'held', held_because = '' WHERE state = 'proposed'"],
        ),
        ("held_runs_say_why", &["UPDATE run SET held_because = 'gate' WHERE job = 'refit'"]),
        ("findings_count_from_one", &["UPDATE finding SET finding_no = finding_no + 100000"]),
        (
            "finished_nights_leave_no_checkpoints",
            &["INSERT INTO run_checkpoint SELECT job, business_date, '', 'trials', 0, x'00', \
               attempt_id, '' FROM run_attempt WHERE outcome IN ('published', 'held')"],
        ),
        ("memory_is_of_known_refits", &["DELETE FROM forecast_memory"]),
    ];
    let names: Vec<&str> = of_part("nights").iter().map(|invariant| invariant.name).collect();
    let covered: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
    assert_eq!(covered, names, "every invariant has a case");
    for (name, breaking) in cases {
        check(&scene.base, name, breaking).await;
    }
}
