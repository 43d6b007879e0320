//! Opening a database and bringing its schema up to date.

use std::fs::File;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, Row, SqliteConnection};

use super::{Dialect, Pools, schema};
use crate::config::{Exit, Refused, Secret};

/// How long a caller waits for a connection of the pool.
const ACQUIRE_SECONDS: u64 = 120;

pub async fn open_sqlite(path: &Path) -> anyhow::Result<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30))
        .foreign_keys(true)
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "MEMORY");
    migrate_sqlite(path, &options)
        .await
        .with_context(|| format!("cannot open or migrate the database {}", path.display()))?;
    let describe = || format!("cannot open the database {}", path.display());
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
        .connect_with(options.clone())
        .await
        .with_context(describe)?;
    let reader = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
        .connect_with(options.read_only(true))
        .await
        .with_context(describe)?;
    Ok(Pools::Sqlite { writer, reader })
}

/// Two processes that open a new file at once must not both create its tables, and SQLite's own locks
/// do not cover a row of migrations: a lock beside the file does. The system lets go of it when the
/// process ends.
async fn migrate_sqlite(path: &Path, options: &SqliteConnectOptions) -> anyhow::Result<()> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".migrate");
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path)?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let mut connection = SqliteConnection::connect_with(options).await?;
    let migrated = schema::migrator(Dialect::Sqlite).run(&mut connection).await;
    connection.close().await?;
    drop(lock);
    migrated.map_err(explain_schema)?;
    Ok(())
}

/// Connects to PostgreSQL 15 or newer.
///
/// Limits are set on the server's side, where they hold whatever happens to this process: a statement
/// may take ten minutes, and a transaction in which nothing happens for half a minute is ended, so that
/// a process that hangs does not keep the others from writing.
pub async fn open_postgres(url: &Secret) -> anyhow::Result<Pools> {
    let options = PgConnectOptions::from_str(url.reveal())
        .map_err(|_| {
            let message = "the database's address cannot be read; it should look like \
                           postgres://user@host:5432/granary";
            Refused::new(Exit::Usage, message)
        })?
        .application_name("granary")
        .options([
            ("statement_timeout", "10min"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("lock_timeout", "5min"),
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("client_min_messages", "warning"),
        ]);
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let mut connection = PgConnection::connect_with(&options)
        .await
        .with_context(|| format!("cannot connect to PostgreSQL at {place}"))?;
    let migrated = migrate_postgres(&mut connection).await;
    // A connection that is lost at this point is found lost again by the pool.
    let _ = connection.close().await;
    migrated.with_context(|| format!("the database at {place}"))?;
    let pool = pool_options()
        .connect_with(options)
        .await
        .with_context(|| format!("cannot connect to PostgreSQL at {place}"))?;
    Ok(Pools::Postgres(pool))
}

fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
        .max_lifetime(Duration::from_secs(15 * 60))
        .idle_timeout(Duration::from_secs(60))
        // A connection that came back with an open transaction, or dead, is not handed out: outside of
        // a transaction the statement is its own transaction's first. In one message, since a prepared
        // statement's transaction begins when it is parsed and not when it is executed.
        .before_acquire(|connection, _| {
            Box::pin(async move {
                let asked = sqlx::raw_sql("SELECT now() = statement_timestamp()");
                let clean = asked.fetch_one(connection).await.and_then(|row| row.try_get(0));
                Ok(clean.unwrap_or(false))
            })
        })
}

async fn migrate_postgres(connection: &mut PgConnection) -> anyhow::Result<()> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut *connection)
        .await?;
    if version < 150_000 {
        let message = format!("PostgreSQL {} is too old; 15 or newer is needed", version / 10_000);
        return Err(Refused::new(Exit::Failed, message).into());
    }
    let known = schema::newest(Dialect::Postgres);
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let applied: i64 = if there {
        let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
        sqlx::query_scalar(sql).fetch_one(&mut *connection).await?
    } else {
        0
    };
    if applied > known {
        let message = format!(
            "its schema is version {applied}, this program knows up to {known}; use a newer granary"
        );
        return Err(Refused::new(Exit::Failed, message).into());
    }
    // A role that may not change the schema need not try when there is nothing to change.
    if applied == known {
        return Ok(());
    }
    // Whoever may act as the owner does, so that new tables belong to it like the others.
    let owner: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'granary_owner' \
         AND pg_has_role(current_user, oid, 'MEMBER'))",
    )
    .fetch_one(&mut *connection)
    .await?;
    if owner {
        sqlx::query("SET ROLE granary_owner").execute(&mut *connection).await?;
    }
    schema::migrator(Dialect::Postgres).run(connection).await.map_err(explain_schema)
}

fn explain_schema(error: sqlx::migrate::MigrateError) -> anyhow::Error {
    use sqlx::migrate::MigrateError::{Dirty, VersionMismatch, VersionMissing};
    let advice = match &error {
        VersionMissing(_) => "the database was written by a newer granary; use that one",
        VersionMismatch(_) => "the database was made by other migrations than this program's",
        Dirty(_) => "a migration broke off; restore the backup from before it",
        _ => return anyhow::Error::new(error).context("cannot bring the schema up to date"),
    };
    anyhow::Error::new(error).context(advice)
}

/// Ends every connection; for tests and for a calm exit.
pub async fn close(pools: &Pools) {
    match pools {
        Pools::Sqlite { writer, reader } => {
            reader.close().await;
            writer.close().await;
        }
        Pools::Postgres(pool) => PgPool::close(pool).await,
    }
}
