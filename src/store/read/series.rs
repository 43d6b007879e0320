//! Long tables in pieces, and the ids there are: for exports and for "did you mean".

use crate::store::db::{self, Db};
use serde::Serialize;
use sqlx::FromRow;

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ForecastRow {
    pub item_id: String,
    pub location_id: String,
    pub date: String,
    pub mean: f64,
    pub q01: f64,
    pub q05: f64,
    pub q10: f64,
    pub q25: f64,
    pub q50: f64,
    pub q75: f64,
    pub q90: f64,
    pub q95: f64,
    pub q99: f64,
}

impl ForecastRow {
    pub fn key(&self) -> (String, String, String) {
        (self.item_id.clone(), self.location_id.clone(), self.date.clone())
    }
}

/// The next `limit` rows after a key, in key order. Each piece costs the same, however late.
pub async fn forecast_after(
    db: &mut Db,
    run_id: &str,
    after: &(String, String, String),
    limit: i64,
) -> sqlx::Result<Vec<ForecastRow>> {
    db::query_as(
        "SELECT item_id, location_id, date, mean, q01, q05, q10, q25, q50, q75, q90, q95, q99 \
         FROM forecast WHERE run_id = $1 AND (item_id, location_id, date) > ($2, $3, $4) \
         ORDER BY item_id, location_id, date LIMIT $5",
    )
    .bind(run_id)
    .bind(&after.0)
    .bind(&after.1)
    .bind(&after.2)
    .bind(limit)
    .fetch_all(db)
    .await
}

pub async fn count_forecast(db: &mut Db, run_id: &str) -> sqlx::Result<i64> {
    db::query_scalar("SELECT count(*) FROM forecast WHERE run_id = $1")
        .bind(run_id)
        .fetch_one(db)
        .await
}

/// Ids and names of every item, by id.
pub async fn item_names(db: &mut Db) -> sqlx::Result<Vec<(String, String)>> {
    db::query_as(
        "SELECT item_id, name FROM item UNION \
         SELECT DISTINCT item_id, '' FROM forecast_series \
           WHERE item_id NOT IN (SELECT item_id FROM item) ORDER BY 1",
    )
    .fetch_all(db)
    .await
}

/// Ids and names of every location, by id.
pub async fn location_names(db: &mut Db) -> sqlx::Result<Vec<(String, String)>> {
    db::query_as(
        "SELECT location_id, name FROM location UNION \
         SELECT DISTINCT location_id, '' FROM forecast_series \
           WHERE location_id NOT IN (SELECT location_id FROM location) ORDER BY 1",
    )
    .fetch_all(db)
    .await
}

/// Where a run forecasts an item.
pub async fn locations_of_item(
    db: &mut Db,
    run_id: &str,
    item_id: &str,
) -> sqlx::Result<Vec<String>> {
    db::query_scalar(
        "SELECT location_id FROM forecast_series WHERE run_id = $1 AND item_id = $2 \
         ORDER BY location_id",
    )
    .bind(run_id)
    .bind(item_id)
    .fetch_all(db)
    .await
}

/// What `granary doctor` asks of the data.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Freshness {
    pub items: i64,
    pub locations: i64,
    pub last_sale_on: Option<String>,
    pub last_stock_on: Option<String>,
}

pub async fn freshness(db: &mut Db) -> sqlx::Result<Freshness> {
    db::query_as(
        "SELECT (SELECT count(*) FROM item) AS items, (SELECT count(*) FROM location) AS locations, \
           (SELECT max(date) FROM sales) AS last_sale_on, \
           (SELECT max(date) FROM stock) AS last_stock_on",
    )
    .fetch_one(db)
    .await
}

/// Applied migrations: version and whether each went through.
pub async fn migrations(db: &mut Db) -> sqlx::Result<Vec<(i64, bool)>> {
    db::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(db)
        .await
}
