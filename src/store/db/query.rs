//! Statements and their answers.

use std::marker::PhantomData;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, SqlSafeStr, SqlStr};

use super::{Bind, Db, Inner, Row, Value};

/// A statement with its values; `T` is what a row of the answer is read as.
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Query<T = ()> {
    sql: SqlStr,
    values: Vec<Value>,
    row: PhantomData<fn() -> T>,
}

/// What both databases' rows can be read as. Structs get it from `#[derive(sqlx::FromRow)]`; their
/// whole numbers are `i64`.
pub trait Readable:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Readable for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// A statement whose answer is rows, or none.
pub fn query(sql: impl SqlSafeStr) -> Query {
    Query { sql: sql.into_sql_str(), values: Vec::new(), row: PhantomData }
}

/// A statement whose rows are read as `T`.
pub fn query_as<T: Readable>(sql: impl SqlSafeStr) -> Query<T> {
    Query { sql: sql.into_sql_str(), values: Vec::new(), row: PhantomData }
}

/// A statement whose rows have one column.
pub fn query_scalar<T>(sql: impl SqlSafeStr) -> Scalar<T>
where
    (T,): Readable,
{
    Scalar(query_as(sql))
}

/// See [`query_scalar`].
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Scalar<T>(Query<(T,)>)
where
    (T,): Readable;

fn encode_error(error: Box<dyn std::error::Error + Send + Sync>) -> sqlx::Error {
    sqlx::Error::Encode(error)
}

impl<T> Query<T> {
    /// The value of the next `$n`.
    pub fn bind(mut self, value: impl Bind) -> Query<T> {
        self.values.push(value.value());
        self
    }

    fn for_sqlite(values: Vec<Value>) -> sqlx::Result<SqliteArguments> {
        let mut arguments = SqliteArguments::default();
        for value in values {
            value.add_to_sqlite(&mut arguments).map_err(encode_error)?;
        }
        Ok(arguments)
    }

    fn for_postgres(values: Vec<Value>) -> sqlx::Result<PgArguments> {
        let mut arguments = PgArguments::default();
        for value in values {
            value.add_to_postgres(&mut arguments).map_err(encode_error)?;
        }
        Ok(arguments)
    }

    /// Carries it out; gives how many rows it changed.
    pub async fn execute(self, db: &mut Db) -> sqlx::Result<u64> {
        match &mut db.transaction {
            Inner::Sqlite(transaction) => {
                let query = sqlx::query_with(self.sql, Self::for_sqlite(self.values)?);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
            Inner::Postgres(transaction) => {
                let query = sqlx::query_with(self.sql, Self::for_postgres(self.values)?);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }
}

impl Query<()> {
    /// Every row.
    pub async fn rows(self, db: &mut Db) -> sqlx::Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.each(db, |row| {
            rows.push(row);
            Ok::<(), sqlx::Error>(())
        })
        .await?;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub async fn optional_row(self, db: &mut Db) -> sqlx::Result<Option<Row>> {
        Ok(match &mut db.transaction {
            Inner::Sqlite(transaction) => {
                sqlx::query_with(self.sql, Self::for_sqlite(self.values)?)
                    .fetch_optional(&mut **transaction)
                    .await?
                    .map(Row::Sqlite)
            }
            Inner::Postgres(transaction) => {
                sqlx::query_with(self.sql, Self::for_postgres(self.values)?)
                    .fetch_optional(&mut **transaction)
                    .await?
                    .map(Row::Postgres)
            }
        })
    }

    /// Row by row: a row of the driver takes many times what is usually kept of it.
    pub async fn each<E: From<sqlx::Error>>(
        self,
        db: &mut Db,
        mut take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut db.transaction {
            Inner::Sqlite(transaction) => {
                let query = sqlx::query_with(self.sql, Self::for_sqlite(self.values)?);
                let mut found = query.fetch(&mut **transaction);
                while let Some(row) = found.try_next().await? {
                    take(Row::Sqlite(row))?;
                }
            }
            Inner::Postgres(transaction) => {
                let query = sqlx::query_with(self.sql, Self::for_postgres(self.values)?);
                let mut found = query.fetch(&mut **transaction);
                while let Some(row) = found.try_next().await? {
                    take(Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }
}

impl<T: Readable> Query<T> {
    pub async fn fetch_all(self, db: &mut Db) -> sqlx::Result<Vec<T>> {
        match &mut db.transaction {
            Inner::Sqlite(transaction) => {
                sqlx::query_as_with(self.sql, Self::for_sqlite(self.values)?)
                    .fetch_all(&mut **transaction)
                    .await
            }
            Inner::Postgres(transaction) => {
                sqlx::query_as_with(self.sql, Self::for_postgres(self.values)?)
                    .fetch_all(&mut **transaction)
                    .await
            }
        }
    }

    pub async fn fetch_optional(self, db: &mut Db) -> sqlx::Result<Option<T>> {
        match &mut db.transaction {
            Inner::Sqlite(transaction) => {
                sqlx::query_as_with(self.sql, Self::for_sqlite(self.values)?)
                    .fetch_optional(&mut **transaction)
                    .await
            }
            Inner::Postgres(transaction) => {
                sqlx::query_as_with(self.sql, Self::for_postgres(self.values)?)
                    .fetch_optional(&mut **transaction)
                    .await
            }
        }
    }

    pub async fn fetch_one(self, db: &mut Db) -> sqlx::Result<T> {
        self.fetch_optional(db).await?.ok_or(sqlx::Error::RowNotFound)
    }
}

impl<T> Scalar<T>
where
    (T,): Readable,
{
    /// The value of the next `$n`.
    pub fn bind(self, value: impl Bind) -> Scalar<T> {
        Scalar(self.0.bind(value))
    }

    pub async fn fetch_all(self, db: &mut Db) -> sqlx::Result<Vec<T>> {
        Ok(self.0.fetch_all(db).await?.into_iter().map(|(value,)| value).collect())
    }

    pub async fn fetch_optional(self, db: &mut Db) -> sqlx::Result<Option<T>> {
        Ok(self.0.fetch_optional(db).await?.map(|(value,)| value))
    }

    pub async fn fetch_one(self, db: &mut Db) -> sqlx::Result<T> {
        Ok(self.0.fetch_one(db).await?.0)
    }
}
