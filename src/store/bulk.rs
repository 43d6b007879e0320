//! Many rows into one table, a few thousand values at a time.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

/// SQLite takes at most 32,766 variables in a statement; past a few thousand nothing is gained.
const VALUES_PER_STATEMENT: usize = 8192;

/// Collects rows and writes them with one `INSERT` per few thousand values.
///
/// Push every value of a row in column order, then call [`Bulk::end_row`]; call [`Bulk::finish`]
/// at the end or the last rows are lost.
pub struct Bulk<'c> {
    connection: &'c mut SqliteConnection,
    insert: String,
    columns: usize,
    rows_per_statement: usize,
    full_statement: Arc<str>,
    arguments: SqliteArguments,
    rows_pending: usize,
    pub rows_written: u64,
}

impl<'c> Bulk<'c> {
    /// `insert` is `INSERT INTO t (a, b) VALUES`, or with `OR REPLACE`.
    pub fn new(connection: &'c mut SqliteConnection, insert: &str, columns: usize) -> Bulk<'c> {
        let rows_per_statement = (VALUES_PER_STATEMENT / columns).max(1);
        Bulk {
            connection,
            insert: insert.to_owned(),
            columns,
            rows_per_statement,
            full_statement: statement(insert, columns, rows_per_statement).into(),
            arguments: SqliteArguments::default(),
            rows_pending: 0,
            rows_written: 0,
        }
    }

    pub fn push<'t, T>(&mut self, value: T) -> anyhow::Result<()>
    where
        T: Encode<'t, Sqlite> + Type<Sqlite>,
    {
        self.arguments.add(value).map_err(|error| anyhow::anyhow!("cannot bind a value: {error}"))
    }

    pub async fn end_row(&mut self) -> anyhow::Result<()> {
        self.rows_pending += 1;
        if self.rows_pending == self.rows_per_statement {
            self.flush().await?;
        }
        Ok(())
    }

    pub async fn finish(mut self) -> anyhow::Result<u64> {
        self.flush().await?;
        Ok(self.rows_written)
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if self.rows_pending == 0 {
            return Ok(());
        }
        let arguments = std::mem::take(&mut self.arguments);
        let full = self.rows_pending == self.rows_per_statement;
        let result = if full {
            let sql = AssertSqlSafe(self.full_statement.clone());
            sqlx::query_with(sql, arguments).execute(&mut *self.connection).await
        } else {
            let sql = AssertSqlSafe(statement(&self.insert, self.columns, self.rows_pending));
            // The last, shorter statement is used once and need not stay prepared.
            sqlx::query_with(sql, arguments).persistent(false).execute(&mut *self.connection).await
        };
        result.with_context(|| format!("writing: {}", self.insert))?;
        self.rows_written += self.rows_pending as u64;
        self.rows_pending = 0;
        Ok(())
    }
}

fn statement(insert: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let mut sql = String::with_capacity(insert.len() + rows * (row.len() + 1));
    let _ = write!(sql, "{insert} ");
    for i in 0..rows {
        if i > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    sql
}
