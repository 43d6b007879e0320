//! Rows of a load against those of the table they go to.

use std::collections::HashMap;
use std::sync::Arc;

use granary_models::calendar::Day;
use sqlx::AssertSqlSafe;

use super::Fate;
use crate::config::{Symbols, TableLoad, Value, Values, clock};
use crate::store::db::{self, Bulk, Db, Dialect, Query};

/// SQLite takes 32,766 variables in a statement; more rows a statement than these gain nothing.
const VARIABLES_MAX: usize = 32_766;
const ROWS_PER_STATEMENT: usize = 500;
/// Where PostgreSQL keeps rows that were copied and are not in their table yet.
const STAGE: &str = "incoming";

/// Statements and values for one table's rows.
pub struct Writer<'a> {
    table: &'a TableLoad,
    symbols: &'a Symbols,
    columns: Vec<&'static str>,
    /// Text of the days seen; there are few.
    days: HashMap<i32, Arc<str>>,
}

impl<'a> Writer<'a> {
    pub fn new(table: &'a TableLoad, symbols: &'a Symbols) -> Writer<'a> {
        let batch = &table.batch;
        let columns = batch.fields.iter().map(|&at| batch.table.columns[at].name).collect();
        Writer { table, symbols, columns, days: HashMap::new() }
    }

    /// Finds which keys the table has already, and whether with the same values.
    pub async fn compare(
        &mut self,
        db: &mut Db,
        rows: &[u32],
        fates: &mut [Fate],
    ) -> anyhow::Result<()> {
        let pieces = match db.dialect() {
            Dialect::Sqlite => self.rows_per_statement(),
            Dialect::Postgres => rows.len().max(1),
        };
        for chunk in rows.chunks(pieces) {
            let found: Vec<(i64, bool)> = match db.dialect() {
                Dialect::Sqlite => {
                    let query = db::query_as(AssertSqlSafe(self.lookup_values(chunk.len())));
                    self.bind(query, chunk).fetch_all(db).await?
                }
                Dialect::Postgres => {
                    self.stage(db, chunk).await?;
                    let sql = self.lookup(&format!("{STAGE} new"));
                    let found = db::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
                    unstage(db).await?;
                    found
                }
            };
            for (place, same) in found {
                let row = chunk[place as usize] as usize;
                fates[row] = if same { Fate::Same } else { Fate::Replaces };
            }
        }
        Ok(())
    }

    /// Puts rows into the table, over those with the same key. `old`: the table has rows.
    pub async fn write(&mut self, db: &mut Db, rows: &[u32], old: bool) -> anyhow::Result<()> {
        if db.dialect() == Dialect::Sqlite {
            for chunk in rows.chunks(self.rows_per_statement()) {
                let query = db::query(AssertSqlSafe(self.upsert_values(chunk.len())));
                self.bind(query, chunk).execute(db).await?;
            }
        } else if old {
            self.stage(db, rows).await?;
            let columns = self.columns.join(", ");
            let from = format!("SELECT {columns} FROM {STAGE} ORDER BY place");
            db::query(AssertSqlSafe(self.upsert(&from))).execute(db).await?;
            unstage(db).await?;
        } else {
            let into = format!("{} ({})", self.table.batch.table.name, self.columns.join(", "));
            let mut bulk = Bulk::new(db, into, self.columns.len());
            for &row in rows {
                for value in self.values(row) {
                    bulk.push(value)?;
                }
                bulk.end_row().await?;
            }
            bulk.finish().await?;
        }
        Ok(())
    }

    /// Copies rows with their places in `rows` to a table of this transaction.
    async fn stage(&mut self, db: &mut Db, rows: &[u32]) -> anyhow::Result<()> {
        let columns = self.columns.join(", ");
        let create = format!(
            "CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS \
             SELECT CAST(0 AS BIGINT) AS place, {columns} FROM {} WHERE FALSE",
            self.table.batch.table.name
        );
        db::query(AssertSqlSafe(create)).execute(db).await?;
        let into = format!("{STAGE} (place, {columns})");
        let mut bulk = Bulk::new(db, into, self.columns.len() + 1);
        for (place, &row) in (0_i64..).zip(rows) {
            bulk.push(place)?;
            for value in self.values(row) {
                bulk.push(value)?;
            }
            bulk.end_row().await?;
        }
        bulk.finish().await?;
        Ok(())
    }

    fn rows_per_statement(&self) -> usize {
        ROWS_PER_STATEMENT.min(VARIABLES_MAX / self.columns.len())
    }

    fn upsert_values(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        self.upsert(&format!("VALUES {}", vec![row.as_str(); rows].join(",")))
    }

    fn upsert(&self, from: &str) -> String {
        let table = self.table.batch.table;
        let key = self.columns[..table.key].join(", ");
        let others = &self.columns[table.key..];
        let act = if others.is_empty() {
            "NOTHING".to_owned()
        } else {
            let set: Vec<String> = others.iter().map(|c| format!("{c} = excluded.{c}")).collect();
            format!("UPDATE SET {}", set.join(", "))
        };
        let columns = self.columns.join(", ");
        format!("INSERT INTO {} ({columns}) {from} ON CONFLICT ({key}) DO {act}", table.name)
    }

    fn lookup_values(&self, rows: usize) -> String {
        let questions = vec!["?"; self.columns.len()].join(",");
        let values: Vec<String> = (0..rows).map(|row| format!("({row},{questions})")).collect();
        let columns = self.columns.join(", ");
        let with = format!("WITH new (place, {columns}) AS (VALUES {})", values.join(","));
        format!("{with} {}", self.lookup("new"))
    }

    /// `(place, whether the values are the same)` of each key of `new` that the table has.
    fn lookup(&self, new: &str) -> String {
        let table = self.table.batch.table;
        let join: Vec<String> =
            self.columns[..table.key].iter().map(|c| format!("old.{c} = new.{c}")).collect();
        let same: Vec<String> = self.columns[table.key..]
            .iter()
            .map(|c| format!("old.{c} IS NOT DISTINCT FROM new.{c}"))
            .collect();
        format!(
            "SELECT new.place, {} FROM {new} CROSS JOIN {} old WHERE {}",
            if same.is_empty() { "TRUE".to_owned() } else { same.join(" AND ") },
            table.name,
            join.join(" AND ")
        )
    }

    fn bind<T>(&mut self, mut query: Query<T>, rows: &[u32]) -> Query<T> {
        for &row in rows {
            for value in self.values(row) {
                query = query.bind(value);
            }
        }
        query
    }

    fn values(&mut self, row: u32) -> Vec<db::Value> {
        let days = &mut self.days;
        let symbols = self.symbols;
        let value = |column: &Values| match column.get(row as usize) {
            Value::Null => missing(column),
            Value::Symbol(symbol) => db::Value::Text(Some(symbols.shared(symbol))),
            Value::Day(day) => {
                let text = days.entry(day).or_insert_with(|| Day(day).to_string().into());
                db::Value::Text(Some(text.clone()))
            }
            Value::Stamp(at) => db::Value::Text(Some(stamp_text(at).into())),
            Value::Int(value) => db::Value::Int(Some(value)),
            Value::Real(value) => db::Value::Real(Some(value)),
        };
        self.table.batch.columns.iter().map(value).collect()
    }
}

async fn unstage(db: &mut Db) -> sqlx::Result<()> {
    db::query("DROP TABLE incoming").execute(db).await.map(|_| ())
}

fn stamp_text(at: i64) -> String {
    match chrono::DateTime::from_timestamp(at, 0) {
        Some(at) => clock::stamp(at),
        None => String::new(),
    }
}

/// No value, of the column's type.
fn missing(column: &Values) -> db::Value {
    match column {
        Values::Symbol(_) | Values::Day(_) | Values::Stamp(_) => db::Value::Text(None),
        Values::Int(_) => db::Value::Int(None),
        Values::Real(_) => db::Value::Real(None),
    }
}
