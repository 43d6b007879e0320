//! Whole copies of an SQLite file.

use std::path::Path;

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use super::Pools;
use crate::config::{Exit, Refused};

/// Writes one state of the database to a new file.
pub async fn copy_to(pools: &Pools, out: &Path) -> anyhow::Result<()> {
    let Pools::Sqlite { reader, .. } = pools else { return Err(only_sqlite()) };
    let out = out.to_str().context("the file's name is not UTF-8")?;
    sqlx::query("VACUUM INTO ?1")
        .bind(out)
        .execute(reader)
        .await
        .with_context(|| format!("cannot write {out}"))?;
    Ok(())
}

/// Brings what lies in the log beside the file into the file.
pub async fn fold_log(pools: &Pools) -> anyhow::Result<()> {
    let Pools::Sqlite { writer, .. } = pools else { return Err(only_sqlite()) };
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writer).await?;
    if busy != 0 {
        let message = "the database is in use; stop `granary serve` first";
        return Err(Refused::new(Exit::LockHeld, message).into());
    }
    Ok(())
}

/// Checks every page of a file that nobody uses; gives the version of its schema.
pub async fn check_file(file: &Path) -> anyhow::Result<i64> {
    let broken = |what: String| Refused::new(Exit::DataRejected, what);
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Delete)
        .create_if_missing(false);
    let mut connection = options
        .connect()
        .await
        .map_err(|error| broken(format!("this is no SQLite database: {error}")))?;
    let answer: Result<String, _> =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    let schema: Result<i64, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut connection)
            .await;
    connection.close().await?;
    match answer {
        Ok(answer) if answer == "ok" => {}
        Ok(answer) => return Err(broken(format!("SQLite finds it damaged: {answer}")).into()),
        Err(error) => return Err(broken(format!("SQLite cannot read it: {error}")).into()),
    }
    schema.map_err(|_| broken("this is no database of granary".to_owned()).into())
}

fn only_sqlite() -> anyhow::Error {
    let message = "this works on SQLite files; PostgreSQL has pg_dump, see docs/operating.md";
    Refused::new(Exit::Usage, message).into()
}
