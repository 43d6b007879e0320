//! What fault tests share: the independent checker, a canonical dump, and the program itself.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod retailer;
pub mod scene;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Row, SqliteConnection, TypeInfo, ValueRef};

/// One invariant of `check.sql`.
pub struct Check {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Every invariant, in the order of the file.
pub fn checks() -> Vec<Check> {
    let parts = include_str!("../check.sql").split("-- check: ").skip(1);
    parts
        .map(|part| {
            let (name, sql) = part.split_once('\n').expect("a query below its name");
            Check { name: name.trim(), sql: sql.trim().trim_end_matches(';') }
        })
        .collect()
}

/// What is broken, one line each: the invariant's name and where.
pub async fn broken(db: &mut SqliteConnection) -> Vec<String> {
    let mut broken = Vec::new();
    for check in checks() {
        let rows: Vec<String> = sqlx::query_scalar(check.sql)
            .fetch_all(&mut *db)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", check.name));
        broken.extend(rows.into_iter().map(|row| format!("{}: {row}", check.name)));
    }
    broken
}

/// Opens a database as any other program would, without the service's own code.
pub async fn open(db: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(db).connect().await.expect("a database")
}

/// Tables of the plan: those with a `run_id`, and what nights remember.
async fn plan_tables(db: &mut SqliteConnection) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' AND (t.name LIKE \
         'forecast_memory%' OR EXISTS (SELECT 1 FROM pragma_table_info(t.name) c \
         WHERE c.name = 'run_id')) ORDER BY t.name",
    )
    .fetch_all(db)
    .await
    .expect("the schema");
    assert!(tables.len() >= 16, "{tables:?}");
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

/// A number from the environment.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => otherwise,
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A copy of a database that no process has open, in a folder of its own.
pub fn copy(db: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("granary.db");
    std::fs::copy(db, &path).expect("a copy");
    (folder, path)
}
