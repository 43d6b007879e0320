//! The database: one writer, many readers, migrations.

mod attempt;
pub mod db;
pub mod events;
pub mod inputs;
mod load;
pub mod memory;
pub mod publish;
pub mod read;
pub mod release;
pub mod sales;
pub mod split;

use std::path::{Path, PathBuf};

use self::db::{Connected, Db, Pools};
use crate::config::Database;

pub use load::{LoadOptions, Loaded};

/// An open database with every migration applied.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    /// Of an SQLite file.
    path: Option<PathBuf>,
}

impl Store {
    /// Opens an SQLite file, creating it when it is not there.
    pub async fn open(path: &Path) -> anyhow::Result<Store> {
        Ok(Store { pools: db::open_sqlite(path).await?, path: Some(path.to_owned()) })
    }

    /// Opens whichever database is meant.
    pub async fn connect(database: &Database) -> anyhow::Result<Store> {
        match database {
            Database::Sqlite(path) => Store::open(path).await,
            Database::Postgres(url) => {
                let pools = db::open_postgres(url, Connected::Migrated).await?;
                Ok(Store { pools, path: None })
            }
        }
    }

    /// A read transaction: everything read through it belongs to one state of the database.
    pub async fn snapshot(&self) -> sqlx::Result<Db> {
        self.pools.read().await
    }

    /// The write transaction. There is one at a time.
    pub async fn write(&self) -> sqlx::Result<Db> {
        self.pools.write().await
    }

    /// Carries out one statement in a transaction of its own; gives how many rows it changed.
    pub async fn execute(&self, query: db::Query) -> sqlx::Result<u64> {
        let mut transaction = self.write().await?;
        let rows = query.execute(&mut transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// The file of an SQLite database.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Ends every connection, after what they are doing.
    pub async fn close(&self) {
        db::close(&self.pools).await;
    }
}
