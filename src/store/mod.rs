//! The database: one writer, many readers, migrations.

mod attempt;
mod bulk;
pub mod events;
pub mod gates;
pub mod inputs;
mod load;
pub mod memory;
pub mod publish;
pub mod read;
pub mod sales;
pub mod split;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use load::{LoadOptions, Loaded};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("data/migrations");

/// An open database with every migration applied.
///
/// SQLite has one writer at a time, so ours is a pool of one connection; every write transaction
/// starts with `BEGIN IMMEDIATE`, because a read transaction that turns into a write is refused
/// without waiting. Readers see the last committed state and never wait.
#[derive(Clone, Debug)]
pub struct Store {
    pub path: PathBuf,
    pub writer: SqlitePool,
    pub reader: SqlitePool,
}

impl Store {
    /// Opens the file, creating it when it is not there.
    pub async fn open(path: &Path) -> anyhow::Result<Store> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .foreign_keys(true)
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY");
        let describe = || format!("cannot open the database {}", path.display());
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .with_context(describe)?;
        MIGRATIONS
            .run(&writer)
            .await
            .with_context(|| format!("cannot migrate the database {}", path.display()))?;
        let reader = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true))
            .await
            .with_context(describe)?;
        Ok(Store { path: path.to_owned(), writer, reader })
    }
}
