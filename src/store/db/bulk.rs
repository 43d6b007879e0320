//! Many rows into one table: `COPY` in PostgreSQL, a few thousand values a statement in SQLite.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::{Bind, Db, Inner, Value};

/// SQLite takes at most 32,766 variables in a statement; past a few thousand nothing is gained.
const VALUES_PER_STATEMENT: usize = 8192;
/// What is sent to PostgreSQL at a time.
const COPY_BYTES: usize = 1 << 20;
/// The head of PostgreSQL's binary `COPY` format: signature, no flags, no extension.
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Where rows wait that may not be copied to their table.
const STAGE: &str = "bulk_stage";
const COPY_END: [u8; 2] = (-1_i16).to_be_bytes();

/// Collects rows and writes them in pieces.
///
/// Push every value of a row in column order, then call [`Bulk::end_row`]; call [`Bulk::finish`]
/// at the end or the last rows are lost.
pub struct Bulk<'d> {
    db: &'d mut Db,
    /// `table (column, column)`
    into: Cow<'static, str>,
    columns: usize,
    rows_per_statement: usize,
    pending: Pending,
    values_in_row: usize,
    rows_pending: usize,
    pub rows_written: u64,
}

enum Pending {
    Sqlite {
        arguments: SqliteArguments,
        full_statement: Arc<str>,
    },
    Postgres {
        bytes: Vec<u8>,
        /// Whether rows of the table are shown by location; asked before the first copy.
        guarded: Option<bool>,
    },
}

impl<'d> Bulk<'d> {
    /// `into` is `table (column, column)` with so many columns.
    pub fn new(db: &'d mut Db, into: impl Into<Cow<'static, str>>, columns: usize) -> Bulk<'d> {
        let into = into.into();
        debug_assert_eq!(into.matches(',').count() + 1, columns, "{into}");
        let rows_per_statement = (VALUES_PER_STATEMENT / columns).max(1);
        let pending = match &db.transaction {
            Inner::Sqlite(_) => Pending::Sqlite {
                arguments: SqliteArguments::default(),
                full_statement: statement(&into, columns, rows_per_statement).into(),
            },
            Inner::Postgres(_) => Pending::Postgres { bytes: COPY_HEAD.to_vec(), guarded: None },
        };
        Bulk {
            db,
            into,
            columns,
            rows_per_statement,
            pending,
            values_in_row: 0,
            rows_pending: 0,
            rows_written: 0,
        }
    }

    /// The next value of the row.
    pub fn push(&mut self, value: impl Bind) -> anyhow::Result<()> {
        match &mut self.pending {
            Pending::Sqlite { arguments, .. } => value
                .value()
                .add_to_sqlite(arguments)
                .map_err(|error| anyhow::anyhow!("cannot bind a value: {error}")),
            Pending::Postgres { bytes, .. } => {
                if self.values_in_row == 0 {
                    bytes.extend_from_slice(&(self.columns as i16).to_be_bytes());
                }
                self.values_in_row += 1;
                copy_value(bytes, &value.value()).with_context(|| format!("writing {}", self.into))
            }
        }
    }

    /// Ends the row that was pushed.
    pub async fn end_row(&mut self) -> anyhow::Result<()> {
        self.rows_pending += 1;
        self.values_in_row = 0;
        let full = match &self.pending {
            Pending::Sqlite { .. } => self.rows_pending == self.rows_per_statement,
            Pending::Postgres { bytes, .. } => bytes.len() >= COPY_BYTES,
        };
        if full { self.flush().await } else { Ok(()) }
    }

    pub async fn finish(mut self) -> anyhow::Result<u64> {
        self.flush().await?;
        Ok(self.rows_written)
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if self.rows_pending == 0 {
            return Ok(());
        }
        self.send().await.with_context(|| format!("writing {}", self.into))?;
        self.rows_written += self.rows_pending as u64;
        self.rows_pending = 0;
        Ok(())
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        match (&mut self.db.transaction, &mut self.pending) {
            (Inner::Sqlite(transaction), Pending::Sqlite { arguments, full_statement }) => {
                let arguments = std::mem::take(arguments);
                if self.rows_pending == self.rows_per_statement {
                    let sql = AssertSqlSafe(full_statement.clone());
                    sqlx::query_with(sql, arguments).execute(&mut **transaction).await?;
                } else {
                    // The last, shorter statement is used once and need not stay prepared.
                    let sql = statement(&self.into, self.columns, self.rows_pending);
                    sqlx::query_with(AssertSqlSafe(sql), arguments)
                        .persistent(false)
                        .execute(&mut **transaction)
                        .await?;
                }
            }
            (Inner::Postgres(transaction), Pending::Postgres { bytes, guarded }) => {
                let mut bytes = std::mem::replace(bytes, COPY_HEAD.to_vec());
                bytes.extend_from_slice(&COPY_END);
                let (table, columns) = self.into.split_once(' ').unwrap_or((&self.into, ""));
                // PostgreSQL does not copy into a table whose rows are shown by location.
                if guarded.is_none() {
                    let asked = sqlx::query_scalar("SELECT row_security_active($1)")
                        .bind(table)
                        .fetch_one(&mut **transaction)
                        .await?;
                    *guarded = Some(asked);
                }
                let rows = if *guarded == Some(true) {
                    let columns = columns.trim_matches(['(', ')']);
                    let create = format!(
                        "CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS \
                         SELECT {columns} FROM {table} WHERE FALSE"
                    );
                    let insert = format!("INSERT INTO {} SELECT {columns} FROM {STAGE}", self.into);
                    sqlx::query(AssertSqlSafe(create)).execute(&mut **transaction).await?;
                    copy(transaction, &format!("{STAGE} ({columns})"), bytes).await?;
                    let done =
                        sqlx::query(AssertSqlSafe(insert)).execute(&mut **transaction).await?;
                    sqlx::query("DROP TABLE bulk_stage").execute(&mut **transaction).await?;
                    done.rows_affected()
                } else {
                    copy(transaction, &self.into, bytes).await?
                };
                anyhow::ensure!(
                    rows == self.rows_pending as u64,
                    "{} rows were sent and {rows} written",
                    self.rows_pending
                );
            }
            _ => unreachable!("what is pending was made for this database"),
        }
        Ok(())
    }
}

async fn copy(
    transaction: &mut Transaction<'static, Postgres>,
    into: &str,
    bytes: Vec<u8>,
) -> sqlx::Result<u64> {
    let sql = format!("COPY {into} FROM STDIN (FORMAT binary)");
    let mut copy = transaction.copy_in_raw(&sql).await?;
    copy.send(bytes).await?;
    copy.finish().await
}

fn copy_value(bytes: &mut Vec<u8>, value: &Value) -> anyhow::Result<()> {
    let mut put = |value: &[u8]| -> anyhow::Result<()> {
        let len = i32::try_from(value.len()).context("a value of more than 2 GiB")?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(value);
        Ok(())
    };
    match value {
        Value::Int(Some(value)) => put(&value.to_be_bytes()),
        Value::Real(Some(value)) => put(&value.to_be_bytes()),
        Value::Bool(Some(value)) => put(&[u8::from(*value)]),
        Value::Text(Some(value)) => put(value.as_bytes()),
        Value::Blob(Some(value)) => put(value),
        Value::Int(None)
        | Value::Real(None)
        | Value::Bool(None)
        | Value::Text(None)
        | Value::Blob(None) => {
            bytes.extend_from_slice(&(-1_i32).to_be_bytes());
            Ok(())
        }
    }
}

fn statement(into: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let mut sql = String::with_capacity(into.len() + 24 + rows * (row.len() + 1));
    let _ = write!(sql, "INSERT INTO {into} VALUES ");
    for i in 0..rows {
        if i > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    sql
}
