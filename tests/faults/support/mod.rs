//! What fault tests share: the independent checker, a canonical dump, and the program itself.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../chance.rs"]
mod chance;
#[path = "../invariants.rs"]
pub mod invariants;
pub mod retailer;
pub mod scene;

pub use chance::{Random, setting};
pub use invariants::{broken, open};

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Column, Row, SqliteConnection, TypeInfo, ValueRef};

/// Tables of the plan and of what became of it: those with a `run_id`, what nights remember, and what
/// people and purchasing systems said.
async fn plan_tables(db: &mut SqliteConnection) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' AND (t.name LIKE \
         'forecast_memory%' OR t.name IN ('approval', 'acknowledgement', 'release_total', \
         'released_line_event') OR EXISTS (SELECT 1 FROM pragma_table_info(t.name) c \
         WHERE c.name = 'run_id')) ORDER BY t.name",
    )
    .fetch_all(db)
    .await
    .expect("the schema");
    assert!(tables.len() >= 24, "{tables:?}");
    tables
}

/// Every row of every table of the plan, sorted, as lines of text; numbers and bytes to the bit.
pub async fn dump_plan(db: &mut SqliteConnection) -> String {
    let mut text = String::new();
    for table in plan_tables(db).await {
        text.push_str(&dump(db, &table).await);
    }
    text
}

/// Every row of a table, sorted.
pub async fn dump(db: &mut SqliteConnection, table: &str) -> String {
    let sql = AssertSqlSafe(format!("SELECT * FROM {table}"));
    let rows = sqlx::query(sql).fetch_all(&mut *db).await.expect("a table");
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut line = table.to_owned();
            for column in row.columns() {
                let at = column.ordinal();
                let value = row.try_get_raw(at).expect("a column");
                let kind = value.type_info().name().to_owned();
                let shown = match kind.as_str() {
                    _ if value.is_null() => "NULL".to_owned(),
                    "REAL" => row.get::<f64, _>(at).to_bits().to_string(),
                    "INTEGER" => row.get::<i64, _>(at).to_string(),
                    "BLOB" => blake3::hash(&row.get::<Vec<u8>, _>(at)).to_hex().to_string(),
                    _ => row.get::<String, _>(at),
                };
                line.push('\t');
                line.push_str(&shown);
            }
            line.push('\n');
            line
        })
        .collect();
    lines.sort_unstable();
    lines.concat()
}

/// The first lines in which two dumps differ; empty when they are the same.
pub fn difference(got: &str, want: &str) -> Vec<String> {
    if got == want {
        return Vec::new();
    }
    let (got, want): (Vec<&str>, Vec<&str>) = (got.lines().collect(), want.lines().collect());
    let short = |line: &&str| line.chars().take(200).collect::<String>();
    let more = |some: &[&str], than: &[&str], mark: &str| -> Vec<String> {
        let than: std::collections::BTreeSet<&&str> = than.iter().collect();
        let only = some.iter().filter(|line| !than.contains(line)).take(3);
        only.map(|line| format!("{mark} {}", short(line))).collect()
    };
    let mut lines = vec![format!("{} rows instead of {}", got.len(), want.len())];
    lines.extend(more(&got, &want, "+"));
    lines.extend(more(&want, &got, "-"));
    lines
}

/// The program with a database and a folder of jobs, and no fault.
pub fn granary(db: &Path, jobs: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
    command.env_remove(granary::config::faults::VARIABLE);
    command.arg("--db").arg(db).arg("--jobs").arg(jobs).arg("--json");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A copy of a database that no process has open, in a folder of its own. A command that has just ended
/// may have left what it wrote in the log beside the file.
pub fn copy(db: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("granary.db");
    std::fs::copy(db, &path).expect("a copy");
    let log = |of: &Path| PathBuf::from(format!("{}-wal", of.display()));
    if log(db).exists() {
        std::fs::copy(log(db), log(&path)).expect("a copy of its log");
    }
    (folder, path)
}
