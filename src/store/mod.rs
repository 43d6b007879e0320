//! The database: one writer, many readers, migrations.

pub mod access;
pub mod attempt;
pub mod checkpoint;
pub mod db;
pub mod events;
pub mod gates;
pub mod inputs;
mod load;
pub mod memory;
pub mod publish;
pub mod pulls;
pub mod purge;
pub mod read;
pub mod release;
pub mod roles;
pub mod sales;
pub mod split;

use std::path::{Path, PathBuf};

use self::db::{Db, Pools};
use crate::config::Database;

pub use db::check_file;
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
                let pools = db::open_postgres(url).await?;
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

    /// A write transaction that does not wait for its turn among the writers of PostgreSQL; see
    /// [`Pools::touch`].
    async fn touch(&self) -> sqlx::Result<Db> {
        self.pools.touch().await
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

    /// Writes one state of an SQLite database to a new file.
    pub async fn copy_to(&self, out: &Path) -> anyhow::Result<()> {
        db::copy_to(&self.pools, out).await
    }

    /// Brings what lies in the log beside an SQLite file into the file; refused while others use it.
    pub async fn fold_log(&self) -> anyhow::Result<()> {
        db::fold_log(&self.pools).await
    }

    /// Ends every connection, after what they are doing.
    pub async fn close(&self) {
        db::close(&self.pools).await;
    }
}
