//! One read-only statement against another database: every value as the text that the server has
//! for it, so that the same parser takes it as from a file.

mod mysql;
mod postgres;
pub mod sql;
mod sqlite;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use url::Url;

use crate::config::{ColumnSeen, Exit, Problem, Refused, Secret};

use super::chunk::{Cells, Chunk, ChunkReader, TextColumn};
use super::guard;
use sql::{Dialect, Parameter, Statement};

const CHUNK_ROWS: usize = 32_768;
/// A result is held in memory until it is parsed.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Shorter options of a URL are words such as `ro` or `on`.
const SECRET_BYTES: usize = 4;
/// Beyond the server's own limit, before the answer is given up.
const GRACE_SECONDS: u64 = 20;

/// What to ask, and how much may come.
#[derive(Clone, Debug)]
pub struct Ask {
    pub sql: String,
    pub parameters: Vec<Parameter>,
    pub timeout: Duration,
    pub rows_max: u64,
    /// Hosts that may be asked; empty: any.
    pub hosts: Vec<String>,
}

/// All rows of a result, as text.
#[derive(Debug, Default)]
pub struct Answer {
    pub columns: Vec<ColumnSeen>,
    pub rows: u64,
    chunks: Vec<Chunk>,
    bytes: usize,
    digest: blake3::Hasher,
}

impl Answer {
    fn new(columns: Vec<ColumnSeen>) -> Answer {
        Answer { columns, ..Answer::default() }
    }

    /// Adds a row; `None` is NULL, `Err` a value that cannot be text.
    fn push(&mut self, row: &[Result<Option<&str>, Problem>], rows_max: u64) -> anyhow::Result<()> {
        if self.rows == rows_max {
            let message = format!("more than {rows_max} rows (`rows_max`); nothing was taken");
            return Err(Refused::new(Exit::DataRejected, message).into());
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_ROWS) {
            let columns = row.iter().map(|_| Cells::Text(TextColumn::default())).collect();
            let (row_numbers, bad) = (Vec::new(), BTreeMap::new());
            self.chunks.push(Chunk { row_numbers, columns, bad });
        }
        let Some(chunk) = self.chunks.last_mut() else { return Ok(()) };
        self.rows += 1;
        for (cells, value) in chunk.columns.iter_mut().zip(row) {
            let text = match value {
                Ok(text) => *text,
                Err(problem) => {
                    chunk.bad.insert(chunk.row_numbers.len(), problem.clone());
                    None
                }
            };
            self.digest.update(&[u8::from(text.is_some())]);
            self.digest.update(&(text.unwrap_or("").len() as u64).to_le_bytes());
            self.digest.update(text.unwrap_or("").as_bytes());
            self.bytes += text.unwrap_or("").len() + 16;
            if let Cells::Text(column) = cells {
                column.push(text);
            }
        }
        chunk.row_numbers.push(u32::try_from(self.rows).unwrap_or(u32::MAX));
        if self.bytes > ANSWER_BYTES_MAX {
            let message = format!("the result is larger than {} MiB", ANSWER_BYTES_MAX >> 20);
            return Err(Refused::new(Exit::DataRejected, message).into());
        }
        Ok(())
    }

    /// blake3 over all values, in order.
    pub fn digest(&self) -> String {
        self.digest.finalize().to_hex().to_string()
    }

    /// The values of a column with their row numbers; NULLs are left out.
    pub fn texts(&self, column: usize) -> impl Iterator<Item = (u32, &str)> {
        self.chunks.iter().flat_map(move |chunk| {
            (0..chunk.len()).filter_map(move |row| match chunk.columns[column].get(row) {
                super::Cell::Text(text) => Some((chunk.row_numbers[row], text)),
                _ => None,
            })
        })
    }

    /// The rows as something to import.
    pub fn into_reader(self) -> Box<dyn ChunkReader> {
        let headers = self.columns.iter().map(|column| column.name.clone()).collect();
        let types = self.columns.into_iter().map(|column| column.kind).collect();
        let mut chunks = self.chunks;
        chunks.reverse();
        Box::new(AnswerReader { headers, types, chunks })
    }
}

struct AnswerReader {
    headers: Vec<String>,
    types: Vec<String>,
    /// The last comes first.
    chunks: Vec<Chunk>,
}

impl ChunkReader for AnswerReader {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn types(&self) -> Vec<String> {
        self.types.clone()
    }

    fn select(&mut self, _wanted: Vec<bool>) {}

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        Ok(self.chunks.pop())
    }
}

/// The dialect that a URL's scheme names.
///
/// # Errors
/// A URL of another kind; the URL itself is not in the message.
pub fn dialect(url: &Secret) -> anyhow::Result<Dialect> {
    let scheme = url.reveal().split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        "postgres" | "postgresql" => Ok(Dialect::Postgres),
        "mysql" | "mariadb" => Ok(Dialect::MySql),
        "sqlite" => Ok(Dialect::Sqlite),
        _ => Err(Refused::new(
            Exit::Usage,
            "the URL should start with postgres://, mysql://, mariadb:// or sqlite:",
        )
        .into()),
    }
}

/// Runs the statement and gathers its rows.
///
/// No call to the database is ever cut short from here: the server ends the statement at its own
/// timeout. Where not even that comes back, the task is left to itself and an error is given.
///
/// # Errors
/// A statement that is refused, a host that may not or cannot be asked, trouble at the server, too
/// many rows. No message has the URL's password.
pub async fn ask(url: &Secret, ask: &Ask) -> anyhow::Result<Answer> {
    let dialect = dialect(url)?;
    let statement = sql::translate(&ask.sql, dialect, &ask.parameters)
        .map_err(|error| Refused::new(Exit::Usage, format!("sql: {error}")))?;
    let (own_url, own_ask) = (url.clone(), ask.clone());
    let task = tokio::spawn(async move { run(&own_url, dialect, &statement, &own_ask).await });
    let patience = ask.timeout + Duration::from_secs(GRACE_SECONDS + 2 * guard::CONNECT_SECONDS);
    let answer = match tokio::time::timeout(patience, task).await {
        Ok(joined) => joined.context("the pull's task")?,
        Err(_) => Err(anyhow::anyhow!("no answer within {} seconds", patience.as_secs())),
    };
    answer.map_err(|error| without_secrets(error, url))
}

async fn run(
    url: &Secret,
    dialect: Dialect,
    statement: &Statement,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    if dialect != Dialect::Sqlite {
        let parsed = Url::parse(url.reveal())
            .map_err(|error| Refused::new(Exit::Usage, format!("the URL: {error}")))?;
        let socket = parsed
            .query_pairs()
            .any(|(key, value)| key == "socket" || key == "host" && value.starts_with('/'));
        let host = parsed.host_str().unwrap_or("localhost").to_owned();
        let by_path = socket || host.starts_with("%2F") || host.starts_with("%2f");
        if !by_path {
            let usual = if dialect == Dialect::Postgres { 5432 } else { 3306 };
            let (port, hosts) = (parsed.port().unwrap_or(usual), ask.hosts.clone());
            tokio::task::spawn_blocking(move || guard::reach(&host, port, &hosts))
                .await
                .context("the look for the host")??;
        }
    }
    match dialect {
        Dialect::Postgres => postgres::run(url, statement, ask).await,
        Dialect::MySql => mysql::run(url, statement, ask).await,
        Dialect::Sqlite => sqlite::run(url, statement, ask).await,
    }
}

/// The same error as text without the URL, its password or the password's plain form.
fn without_secrets(error: anyhow::Error, url: &Secret) -> anyhow::Error {
    let exit = error.downcast_ref::<Refused>().map(|refused| refused.exit);
    let message = redacted(&format!("{error:#}"), url);
    match exit {
        Some(exit) => Refused::new(exit, message).into(),
        None => anyhow::anyhow!(message),
    }
}

/// A text without what is secret in a URL.
pub fn redacted(text: &str, url: &Secret) -> String {
    let mut text = url.redact(text);
    if let Ok(parsed) = Url::parse(url.reveal()) {
        // A driver repeats an option that it does not understand.
        let place = |key: &str| matches!(key, "host" | "socket" | "port" | "user");
        let in_query = parsed.query_pairs().filter(|(key, _)| !place(key));
        let mut secrets: Vec<String> = in_query
            .map(|(_, value)| value.into_owned())
            .filter(|value| value.len() >= SECRET_BYTES)
            .collect();
        secrets.extend(parsed.password().map(str::to_owned));
        for secret in secrets {
            let bytes = percent_decoded(&secret);
            for form in [secret, bytes] {
                text = Secret::new(form).redact(&text);
            }
        }
    }
    text
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        rest = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                &after[2..]
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A column or table that the upstream does not have (any more) is the data's fault, not the
/// connection's.
fn schema_error(error: sqlx::Error, codes: &[&str]) -> anyhow::Error {
    let text = match error.as_database_error() {
        Some(database) => {
            let known = database.code().is_some_and(|code| codes.contains(&&*code))
                || database.message().starts_with("no such column")
                || database.message().starts_with("no such table");
            let message = database.message().to_owned();
            if known {
                let message = format!("the upstream's schema has changed: {message}");
                return Refused::new(Exit::DataRejected, message).into();
            }
            message
        }
        None => error.to_string(),
    };
    anyhow::anyhow!("the upstream database: {text}")
}

/// No two columns alike, and none without a name.
fn checked(columns: Vec<ColumnSeen>) -> anyhow::Result<Vec<ColumnSeen>> {
    super::checked_headers(columns.iter().map(|column| column.name.as_str()), "the query")?;
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_password_is_left() {
        let url = Secret::new("postgres://me:s%40cr%2Fet@db.example.com/x");
        let cases = [
            "cannot use postgres://me:s%40cr%2Fet@db.example.com/x here",
            "password s@cr/et is wrong",
            "password s%40cr%2Fet is wrong",
        ];
        for text in cases {
            let got = redacted(text, &url);
            assert!(!got.contains("cr") || !got.contains("et@"), "{got}");
            assert!(!got.contains("s@cr/et") && !got.contains("s%40cr"), "{got}");
        }
    }

    #[test]
    fn the_scheme_names_the_server() {
        let cases = [
            ("postgres://x/y", Some(Dialect::Postgres)),
            ("postgresql://x/y", Some(Dialect::Postgres)),
            ("MySQL://x/y", Some(Dialect::MySql)),
            ("mariadb://x/y", Some(Dialect::MySql)),
            ("sqlite:/x", Some(Dialect::Sqlite)),
            ("http://user:hush@x/y", None),
        ];
        for (url, want) in cases {
            let got = dialect(&Secret::new(url));
            if let Err(error) = &got {
                assert!(!error.to_string().contains("hush"), "{error}");
            }
            assert_eq!(got.ok(), want, "{url}");
        }
    }
}
