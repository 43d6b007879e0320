//! Removing what is older than its retention.

use anyhow::Context;
use granary_models::calendar::Day;
use sqlx::AssertSqlSafe;

use super::Store;
use super::db;

/// Rows that a retention may name.
#[derive(Clone, Copy, Debug)]
pub struct Purgeable {
    pub name: &'static str,
    table: &'static str,
    /// A text that begins with the row's date.
    date: &'static str,
    /// Rows that are kept whatever their age.
    except: &'static str,
}

const NEWEST_PLAN: &str = "run_id NOT IN (SELECT run_id FROM v_run_current)";
const NEWEST_COUNT: &str = "date < (SELECT max(date) FROM stock newest WHERE newest.item_id = t.item_id \
     AND newest.location_id = t.location_id)";

const fn plain(name: &'static str, date: &'static str) -> Purgeable {
    Purgeable { name, table: name, date, except: "" }
}

pub const ALL: [Purgeable; 15] = [
    plain("sales", "date"),
    Purgeable { name: "stock", table: "stock", date: "date", except: NEWEST_COUNT },
    Purgeable { name: "stock_lot", table: "stock_lot", date: "date", except: NEWEST_COUNT },
    plain("behaviour", "date"),
    plain("event_log", "at"),
    plain("presale", "date"),
    plain("weather", "date"),
    plain("promotion", "ends_on"),
    plain("calendar_event", "ends_on"),
    Purgeable { name: "run", table: "run", date: "business_date", except: NEWEST_PLAN },
    plain("run_attempt", "started_at"),
    plain("job_event", "at"),
    plain("import_rejection", "imported_at"),
    plain("import_batch", "imported_at"),
    plain("purge_log", "purged_at"),
];

impl Purgeable {
    pub fn named(name: &str) -> Option<Purgeable> {
        ALL.into_iter().find(|of| of.name == name)
    }

    /// The condition of what goes; `$1` is the day.
    fn condition(&self) -> String {
        if self.name == "import_rejection" {
            return "batch_id IN (SELECT batch_id FROM import_batch WHERE imported_at < $1)"
                .to_owned();
        }
        let Purgeable { date, except, .. } = self;
        match *except {
            "" => format!("{date} < $1"),
            except => format!("{date} < $1 AND {except}"),
        }
    }
}

impl Store {
    pub async fn count_before(&self, what: Purgeable, before: Day) -> anyhow::Result<u64> {
        let sql = format!("SELECT count(*) FROM {} t WHERE {}", what.table, what.condition());
        let rows: i64 = db::query_scalar(AssertSqlSafe(sql))
            .bind(before)
            .fetch_one(&mut self.snapshot().await?)
            .await
            .with_context(|| format!("counting old rows of {}", what.name))?;
        Ok(rows.unsigned_abs())
    }

    /// Removes the rows and notes it, in one transaction a kind.
    pub async fn purge_before(
        &self,
        what: Purgeable,
        before: Day,
        purged_at: &str,
    ) -> anyhow::Result<u64> {
        let mut transaction = self.write().await?;
        let mut rows = 0;
        if what.name == "run" {
            let old = format!("SELECT run_id FROM run t WHERE {}", what.condition());
            for table in super::publish::RUN_TABLES {
                let sql = format!("DELETE FROM {table} WHERE run_id IN ({old})");
                if table != "run" {
                    rows += db::query(AssertSqlSafe(sql))
                        .bind(before)
                        .execute(&mut transaction)
                        .await
                        .with_context(|| format!("removing old rows of {table}"))?;
                }
            }
        }
        if what.name == "import_batch" {
            // A rejection belongs to its batch.
            let rejections = Purgeable { name: "import_rejection", ..what };
            let sql = format!("DELETE FROM import_rejection WHERE {}", rejections.condition());
            rows += db::query(AssertSqlSafe(sql)).bind(before).execute(&mut transaction).await?;
        }
        let table = what.table;
        let sql = format!("DELETE FROM {table} AS t WHERE {}", what.condition());
        rows += db::query(AssertSqlSafe(sql))
            .bind(before)
            .execute(&mut transaction)
            .await
            .with_context(|| format!("removing old rows of {table}"))?;
        let log = "INSERT INTO purge_log (purged_at, table_name, before, row_count) \
                   VALUES ($1, $2, $3, $4)";
        db::query(log)
            .bind(purged_at)
            .bind(what.name)
            .bind(before)
            .bind(i64::try_from(rows).unwrap_or(i64::MAX))
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::config::Retention;

    #[test]
    fn what_can_be_named_can_be_removed() {
        assert_eq!(ALL.map(|of| of.name), Retention::TABLES);
    }
}
