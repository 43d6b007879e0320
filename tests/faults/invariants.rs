//! The independent checker: the queries of `check.sql`, asked as any other program would ask them,
//! without the service's own code.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

/// What plans that a test makes of nothing but a run, or of lines alone, do not keep to.
pub const EMPTY_PLANS: [&str; 2] = ["counts_are_the_rows", "forecasts_are_series_times_horizon"];

/// A query that finds rows only where something is broken.
#[derive(Clone, Copy)]
pub struct Invariant {
    /// `nights` or `releases`.
    pub part: &'static str,
    pub name: &'static str,
    pub sql: &'static str,
}

/// Every invariant, in the order of the file.
pub fn invariants() -> Vec<Invariant> {
    let mut all = Vec::new();
    for part in include_str!("check.sql").split("-- part: ").skip(1) {
        let (part, checks) = part.split_once('\n').expect("checks below a part's name");
        for check in checks.split("-- check: ").skip(1) {
            let (name, sql) = check.split_once('\n').expect("a query below its name");
            let sql = sql.trim().trim_end_matches(';');
            all.push(Invariant { part: part.trim(), name: name.trim(), sql });
        }
    }
    assert!(all.len() >= 35, "{} invariants are read", all.len());
    all
}

pub fn of_part(part: &str) -> Vec<Invariant> {
    invariants().into_iter().filter(|invariant| invariant.part == part).collect()
}

impl Invariant {
    /// What it found, one line each.
    fn told(&self, found: sqlx::Result<Vec<String>>) -> Vec<String> {
        let rows = found.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        rows.into_iter().map(|row| format!("{}: {row}", self.name)).collect()
    }
}

/// Opens an SQLite file as any other program would.
pub async fn open(db: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(db).connect().await.expect("a database")
}

/// What is broken in an SQLite database, one line each: the invariant's name and where.
pub async fn broken(db: &mut SqliteConnection) -> Vec<String> {
    let mut broken = Vec::new();
    for invariant in invariants() {
        let found = sqlx::query_scalar(invariant.sql).fetch_all(&mut *db).await;
        broken.extend(invariant.told(found));
    }
    broken
}

/// The same of what `--db` names.
pub async fn broken_at(address: &str) -> Vec<String> {
    if !address.starts_with("postgres") {
        let mut db = open(Path::new(address)).await;
        let broken = broken(&mut db).await;
        db.close().await.expect("closed");
        return broken;
    }
    let options: PgConnectOptions = address.parse().expect("an address of PostgreSQL");
    let mut db = options.connect().await.expect("the server answers");
    let mut broken = Vec::new();
    for invariant in invariants() {
        let found = sqlx::query_scalar(invariant.sql).fetch_all(&mut db).await;
        broken.extend(invariant.told(found));
    }
    db.close().await.expect("a calm goodbye");
    broken
}

/// Fails when any invariant but the excused ones is broken.
pub async fn assert_sound_but(address: &str, excused: &[&str], what: &str) {
    let mut broken = broken_at(address).await;
    broken.retain(|line| !excused.iter().any(|name| line.starts_with(&format!("{name}:"))));
    assert!(broken.is_empty(), "{what}: {broken:#?}");
}

/// Fails when anything is broken.
pub async fn assert_sound(address: &str, what: &str) {
    assert_sound_but(address, &[], what).await;
}
