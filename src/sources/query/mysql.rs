//! MariaDB and MySQL: the server turns every value into its own text.

use anyhow::{Context, ensure};
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection};
use sqlx::{Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row};
use sqlx::{SqlSafeStr, Statement as _, TypeInfo};

use super::sql::Statement;
use super::{Answer, Ask, checked, schema_error};
use crate::config::{ColumnSeen, Secret};

/// Unknown column, unknown table.
const SCHEMA_CODES: [&str; 2] = ["42S22", "42S02"];

pub async fn run(url: &Secret, statement: &Statement, ask: &Ask) -> anyhow::Result<Answer> {
    let options: MySqlConnectOptions =
        url.reveal()
            .replacen("mariadb://", "mysql://", 1)
            .parse()
            .map_err(|error: sqlx::Error| anyhow::anyhow!("the URL: {error}"))?;
    let options = options.charset("utf8mb4").disable_statement_logging();
    let mut connection = MySqlConnection::connect_with(&options)
        .await
        .map_err(|error| schema_error(error, &[]).context("cannot connect"))?;
    let answer = select(&mut connection, statement, ask).await;
    let _ = connection.close().await;
    answer
}

async fn select(
    connection: &mut MySqlConnection,
    statement: &Statement,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let wrong = |error| schema_error(error, &SCHEMA_CODES);
    set_limits(connection, ask).await?;
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
    for column in &answer.columns {
        let binary = ["blob", "binary", "varbinary", "bit", "geometry"];
        ensure!(
            !binary.iter().any(|kind| column.kind.ends_with(kind)),
            "the column `{}` is {}, which is no text; cast it in the query",
            column.name,
            column.kind
        );
    }
    let texts: Vec<String> = answer
        .columns
        .iter()
        .map(|column| format!("CAST(granary_source.`{}` AS CHAR)", column.name.replace('`', "``")))
        .collect();
    // One row more than is allowed tells that there are too many.
    let sql = format!("SELECT {} FROM {inner} LIMIT {}", texts.join(", "), ask.rows_max + 1);
    let mut arguments = MySqlArguments::default();
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

/// MariaDB counts the time of a statement in seconds, MySQL in milliseconds and under another name.
async fn set_limits(connection: &mut MySqlConnection, ask: &Ask) -> anyhow::Result<()> {
    let wrong = |error| schema_error(error, &[]);
    let version: String = sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)")
        .fetch_one(&mut *connection)
        .await
        .map_err(wrong)?;
    let limit = if version.to_ascii_lowercase().contains("mariadb") {
        format!("SET SESSION max_statement_time = {}", ask.timeout.as_secs_f64())
    } else {
        format!("SET SESSION max_execution_time = {}", ask.timeout.as_millis())
    };
    // Quotes are read as the statement's reader reads them, and times are UTC.
    let settings = [
        limit,
        "SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00'".to_owned(),
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned(),
        "START TRANSACTION READ ONLY".to_owned(),
    ];
    for setting in settings {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(setting))).await.map_err(wrong)?;
    }
    Ok(())
}
