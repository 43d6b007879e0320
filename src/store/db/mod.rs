//! One way to speak to both databases.
//!
//! Statements are written once, in SQL that SQLite and PostgreSQL both take, with `$1`, `$2`, … for
//! their values; results are read by column name. Everything happens in a transaction ([`Db`]): a
//! reader sees one state of the database, and a writer is alone.
//!
//! Never drop a future of this module halfway (`select!`, a timeout, an aborted task): the connection
//! behind it could keep an open transaction. Spawn the work and wait for it; the server has limits of
//! its own for statements that take too long.

mod bulk;
mod connect;
mod copy;
mod query;
mod row;
mod schema;
mod value;

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

pub use bulk::Bulk;
pub use query::{Query, Readable, query, query_as, query_scalar};
pub use row::{Column, Row};
pub use schema::migrator;
pub use value::{Bind, Value};

pub use copy::check_file;
pub(super) use copy::{copy_to, fold_log};

pub(super) use connect::{close, open_postgres, open_sqlite};

/// Which database is behind a [`Db`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// The pools of an open database.
#[derive(Clone, Debug)]
pub(super) enum Pools {
    /// SQLite has one writer at a time, so ours is a pool of one connection.
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres(PgPool),
}

/// An open transaction. Dropped without [`Db::commit`] it is rolled back.
pub struct Db {
    transaction: Inner,
}

enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Who holds the lock of [`Pools::write`] in PostgreSQL: any number, the same for every process.
const WRITER_LOCK: &str = "SELECT pg_advisory_xact_lock(4737295)";

impl Pools {
    /// A read transaction: everything read through it belongs to one state of the database.
    pub async fn read(&self) -> sqlx::Result<Db> {
        let transaction = match self {
            Pools::Sqlite { reader, .. } => Inner::Sqlite(reader.begin().await?),
            Pools::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Inner::Postgres(pool.begin_with(begin).await?)
            }
        };
        Ok(Db { transaction })
    }

    /// The write transaction; there is one at a time, and others wait for it.
    ///
    /// SQLite refuses a read transaction that turns into a write without waiting, hence
    /// `BEGIN IMMEDIATE`. PostgreSQL gets a lock of ours, so that a check and the write that relies on
    /// it cannot be torn apart by another process.
    pub async fn write(&self) -> sqlx::Result<Db> {
        let transaction = match self {
            Pools::Sqlite { writer, .. } => {
                Inner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Pools::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                sqlx::query(WRITER_LOCK).execute(&mut *transaction).await?;
                Inner::Postgres(transaction)
            }
        };
        Ok(Db { transaction })
    }

    /// A write transaction without the lock of [`Pools::write`] in PostgreSQL: for one statement that
    /// brings its own condition and must not wait behind a long import. SQLite has one writer anyway.
    pub async fn touch(&self) -> sqlx::Result<Db> {
        match self {
            Pools::Sqlite { .. } => self.write().await,
            Pools::Postgres(pool) => Ok(Db { transaction: Inner::Postgres(pool.begin().await?) }),
        }
    }
}

impl Db {
    pub fn dialect(&self) -> Dialect {
        match &self.transaction {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    pub async fn commit(self) -> sqlx::Result<()> {
        match self.transaction {
            Inner::Sqlite(transaction) => transaction.commit().await,
            Inner::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub async fn rollback(self) -> sqlx::Result<()> {
        match self.transaction {
            Inner::Sqlite(transaction) => transaction.rollback().await,
            Inner::Postgres(transaction) => transaction.rollback().await,
        }
    }
}
