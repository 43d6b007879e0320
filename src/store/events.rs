//! Calendar events as a planner enters them: one event of several regions, categories and items is as
//! many rows of `calendar_event`.

use anyhow::Context;
use granary_models::calendar::Day;

use super::Store;
use super::db::{self, Db};

/// One row of `calendar_event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub event_id: String,
    pub name: String,
    pub kind: String,
    pub region: String,
    pub category: String,
    pub supplier_id: String,
    pub item_id: String,
    pub starts_on: Day,
    pub ends_on: Day,
    pub lead_days: i32,
    pub lag_days: i32,
}

/// Names that an event may refer to, each list sorted.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub items: Vec<String>,
    pub categories: Vec<String>,
    /// Of locations.
    pub regions: Vec<String>,
}

impl Store {
    /// Puts `rows`, all of one event, in the place of the event's rows of before. Returns how many
    /// there were.
    pub async fn replace_event(&self, event_id: &str, rows: &[EventRow]) -> anyhow::Result<u64> {
        let mut transaction = self.write().await?;
        let before = delete(&mut transaction, event_id).await?;
        for row in rows {
            db::query(
                "INSERT INTO calendar_event (event_id, name, kind, region, category, supplier_id, \
                 item_id, starts_on, ends_on, lead_days, lag_days) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(&row.event_id)
            .bind(&row.name)
            .bind(&row.kind)
            .bind(&row.region)
            .bind(&row.category)
            .bind(&row.supplier_id)
            .bind(&row.item_id)
            .bind(row.starts_on)
            .bind(row.ends_on)
            .bind(row.lead_days)
            .bind(row.lag_days)
            .execute(&mut transaction)
            .await
            .with_context(|| format!("cannot write the event {event_id}"))?;
        }
        transaction.commit().await?;
        Ok(before)
    }

    /// Removes an event with all its rows; returns how many there were.
    pub async fn remove_event(&self, event_id: &str) -> anyhow::Result<u64> {
        let mut transaction = self.write().await?;
        let removed = delete(&mut transaction, event_id).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// Every row, in order of time.
    pub async fn events(&self) -> anyhow::Result<Vec<EventRow>> {
        let sql = "SELECT event_id, name, kind, region, category, supplier_id, item_id, \
                   starts_on, ends_on, lead_days, lag_days FROM calendar_event \
                   ORDER BY starts_on, event_id, region, category, supplier_id, item_id";
        let rows = db::query(sql).rows(&mut self.snapshot().await?).await?;
        let day = |text: &str| text.parse::<Day>().context("a date of calendar_event");
        rows.iter()
            .map(|row| {
                Ok(EventRow {
                    event_id: row.try_get("event_id")?,
                    name: row.try_get("name")?,
                    kind: row.try_get("kind")?,
                    region: row.try_get("region")?,
                    category: row.try_get("category")?,
                    supplier_id: row.try_get("supplier_id")?,
                    item_id: row.try_get("item_id")?,
                    starts_on: day(row.text("starts_on")?)?,
                    ends_on: day(row.text("ends_on")?)?,
                    lead_days: row.try_get("lead_days")?,
                    lag_days: row.try_get("lag_days")?,
                })
            })
            .collect()
    }

    /// What an event of these items and categories may name.
    pub async fn names_for_events(&self) -> anyhow::Result<Known> {
        let mut snapshot = self.snapshot().await?;
        let mut lists = Vec::new();
        for sql in [
            "SELECT item_id FROM item ORDER BY item_id",
            "SELECT DISTINCT category FROM item WHERE category <> '' ORDER BY category",
            "SELECT DISTINCT region FROM location WHERE region <> '' ORDER BY region",
        ] {
            lists.push(db::query_scalar::<String>(sql).fetch_all(&mut snapshot).await?);
        }
        let mut lists = lists.into_iter();
        let mut next = || lists.next().unwrap_or_default();
        Ok(Known { items: next(), categories: next(), regions: next() })
    }
}

async fn delete(db: &mut Db, event_id: &str) -> anyhow::Result<u64> {
    let removed = db::query("DELETE FROM calendar_event WHERE event_id = $1")
        .bind(event_id)
        .execute(db)
        .await?;
    Ok(removed)
}
