//! SQLite: opened for reading only. A value has a type of its own there, whatever its column says.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row};
use sqlx::{SqlSafeStr, Statement as _, TypeInfo, ValueRef};

use super::sql::Statement;
use super::{Answer, Ask, checked, schema_error};
use crate::config::{ColumnSeen, Problem, RejectCode, Secret};

/// Steps of the virtual machine between two looks at the clock.
const STEPS: i32 = 10_000;

pub async fn run(url: &Secret, statement: &Statement, ask: &Ask) -> anyhow::Result<Answer> {
    let options: SqliteConnectOptions =
        url.reveal().parse().map_err(|error: sqlx::Error| anyhow::anyhow!("the URL: {error}"))?;
    let options = options
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(ask.timeout.min(Duration::from_secs(30)))
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| schema_error(error, &[]).context("cannot open"))?;
    let deadline = Instant::now() + ask.timeout;
    connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
    let answer = select(&mut connection, statement, ask).await;
    let _ = connection.close().await;
    answer.map_err(|error| {
        if Instant::now() >= deadline {
            error.context(format!("ended after {} seconds", ask.timeout.as_secs()))
        } else {
            error
        }
    })
}

async fn select(
    connection: &mut SqliteConnection,
    statement: &Statement,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let wrong = |error| schema_error(error, &[]);
    // One row more than is allowed tells that there are too many.
    let sql =
        format!("SELECT * FROM ({}) AS granary_source LIMIT {}", statement.sql, ask.rows_max + 1);
    let described =
        connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await.map_err(wrong)?;
    let columns = described.columns().iter().map(|column| ColumnSeen {
        name: column.name().to_owned(),
        kind: column.type_info().name().to_ascii_lowercase(),
    });
    let mut answer = Answer::new(checked(columns.collect())?);
    let mut arguments = SqliteArguments::default();
    for value in &statement.binds {
        arguments.add(value.clone()).map_err(|error| anyhow::anyhow!("a parameter: {error}"))?;
    }
    let mut rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(wrong)? {
        let values: Vec<_> =
            (0..answer.columns.len()).map(|at| text(&row, at)).collect::<Result<_, _>>()?;
        let values: Vec<_> = values
            .iter()
            .map(|value| value.as_ref().map(Option::as_deref).map_err(Clone::clone))
            .collect();
        answer.push(&values, ask.rows_max)?;
    }
    Ok(answer)
}

/// A value as text: whole numbers and the shortest form of a fraction, exactly.
fn text(row: &SqliteRow, at: usize) -> anyhow::Result<Result<Option<String>, Problem>> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Ok(None));
    }
    let kind = raw.type_info().name().to_owned();
    let value = match kind.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(at).map(|value| value.to_string()),
        "REAL" => row.try_get_unchecked::<f64, _>(at).map(|value| value.to_string()),
        "BLOB" => {
            let reason = "a BLOB is no text; cast it in the query";
            return Ok(Err(Problem::new(RejectCode::ControlCharacter, "", reason)));
        }
        _ => row.try_get_unchecked::<String, _>(at),
    };
    Ok(value
        .map(Some)
        .map_err(|_| Problem::new(RejectCode::ControlCharacter, "", "the text is not valid UTF-8")))
}
