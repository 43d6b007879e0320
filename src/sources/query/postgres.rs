//! PostgreSQL: the server turns every value into its own text.

use anyhow::Context;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row};
use sqlx::{SqlSafeStr, Statement as _, TypeInfo};

use super::sql::Statement;
use super::{Answer, Ask, checked, schema_error};
use crate::config::{ColumnSeen, Secret};

/// Undefined column, table, function; ambiguous column.
const SCHEMA_CODES: [&str; 4] = ["42703", "42P01", "42883", "42702"];

pub async fn run(url: &Secret, statement: &Statement, ask: &Ask) -> anyhow::Result<Answer> {
    let options: PgConnectOptions =
        url.reveal().parse().map_err(|error: sqlx::Error| anyhow::anyhow!("the URL: {error}"))?;
    let options = options.application_name("granary").disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options)
        .await
        .map_err(|error| schema_error(error, &[]).context("cannot connect"))?;
    let answer = select(&mut connection, statement, ask).await;
    // The transaction has only read; closing ends it.
    let _ = connection.close().await;
    answer
}

async fn select(
    connection: &mut PgConnection,
    statement: &Statement,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let wrong = |error| schema_error(error, &SCHEMA_CODES);
    let milliseconds = ask.timeout.as_millis();
    let settings = format!(
        "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
         SET idle_in_transaction_session_timeout = {milliseconds}; \
         SET default_transaction_read_only = on; SET TimeZone = 'UTC'; \
         SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; \
         SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await.map_err(wrong)?;
    let inner = format!("({}) AS granary_source", statement.sql);
    let described = connection
        .prepare(AssertSqlSafe(format!("SELECT * FROM {inner}")).into_sql_str())
        .await
        .map_err(wrong)?;
    let columns = described.columns().iter().map(|column| ColumnSeen {
        name: column.name().to_owned(),
        kind: column.type_info().name().to_ascii_lowercase(),
    });
    let mut answer = Answer::new(checked(columns.collect())?);
    let texts: Vec<String> = answer
        .columns
        .iter()
        .map(|column| format!("granary_source.\"{}\"::text", column.name.replace('"', "\"\"")))
        .collect();
    // One row more than is allowed tells that there are too many.
    let sql = format!("SELECT {} FROM {inner} LIMIT {}", texts.join(", "), ask.rows_max + 1);
    let mut arguments = PgArguments::default();
    for value in &statement.binds {
        arguments.add(value.as_str()).map_err(|error| anyhow::anyhow!("a parameter: {error}"))?;
    }
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(wrong)? {
        let values: Vec<_> = (0..answer.columns.len())
            .map(|at| row.try_get::<Option<&str>, _>(at))
            .collect::<Result<_, _>>()
            .context("a value is no text")?;
        let values: Vec<_> = values.into_iter().map(Ok).collect();
        answer.push(&values, ask.rows_max)?;
    }
    Ok(answer)
}
