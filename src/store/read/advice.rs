//! What a plan advises beside its lines: open orders, stock that should go, limits.

use crate::store::db::{self, Db};
use serde::Serialize;
use sqlx::FromRow;

/// Advice on one open order.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct OrderException {
    pub run_id: String,
    pub item_id: String,
    pub item_name: String,
    pub location_id: String,
    pub po_id: String,
    pub line_no: String,
    pub supplier_id: String,
    /// `expedite`, `chase`, `postpone`, `cancel` or `excess`.
    pub action: String,
    pub qty: i64,
    pub qty_decimals: i64,
    pub base_uom: String,
    pub due_on: String,
    pub move_to: String,
    pub value_minor: i64,
    pub currency: String,
    pub detail: String,
}

/// Stock that will not sell in time, and the way out that brings most.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct StockExit {
    pub run_id: String,
    pub item_id: String,
    pub item_name: String,
    pub location_id: String,
    pub qty: i64,
    pub qty_decimals: i64,
    pub base_uom: String,
    /// `None`: never sold.
    pub days_without_sale: Option<i64>,
    pub cover_days: Option<f64>,
    /// At cost.
    pub value_minor: i64,
    /// `transfer`, `markdown`, `return` or `write_off`.
    pub proposal: String,
    pub to_location_id: String,
    pub depth: Option<f64>,
    pub expected_recovery_minor: i64,
    pub currency: String,
    pub detail: String,
}

/// A limit that lines share.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct PlanLimit {
    pub name: String,
    pub scope: String,
    pub unit: String,
    pub amount: f64,
    pub wanted: f64,
    pub used: f64,
    /// Expected money that one more unit of the limit would bring.
    pub price: f64,
}

/// Which rows of advice are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    All,
    /// So many, the most valuable first.
    Most(i64),
    /// Of one item at one location.
    Place {
        item_id: &'a str,
        location_id: &'a str,
    },
}

impl<'a> Wanted<'a> {
    fn place(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Wanted::Place { item_id, location_id } => (Some(item_id), Some(location_id)),
            _ => (None, None),
        }
    }

    fn limit(self) -> i64 {
        if let Wanted::Most(rows) = self { rows } else { i64::MAX }
    }
}

/// How many rows of advice a run has: on open orders, and on stock that should go.
pub async fn counts(db: &mut Db, run_id: &str) -> sqlx::Result<(i64, i64)> {
    db::query_as(
        "SELECT (SELECT count(*) FROM order_exception WHERE run_id = $1), \
         (SELECT count(*) FROM stock_exit WHERE run_id = $1)",
    )
    .bind(run_id)
    .fetch_one(db)
    .await
}

/// Advice on open orders, the most valuable first.
pub async fn exceptions(
    db: &mut Db,
    run_id: &str,
    wanted: Wanted<'_>,
) -> sqlx::Result<Vec<OrderException>> {
    db::query_as(
        "SELECT e.*, coalesce(i.name, '') AS item_name, \
           coalesce(i.qty_decimals, 0) AS qty_decimals, coalesce(i.base_uom, 'each') AS base_uom \
         FROM order_exception e LEFT JOIN item i ON i.item_id = e.item_id \
         WHERE e.run_id = $1 AND ($2 IS NULL OR (e.item_id = $2 AND e.location_id = $3)) \
         ORDER BY e.value_minor DESC, e.item_id, e.location_id, e.po_id, e.line_no LIMIT $4",
    )
    .bind(run_id)
    .bind(wanted.place().0)
    .bind(wanted.place().1)
    .bind(wanted.limit())
    .fetch_all(db)
    .await
}

/// Stock that should go, the most valuable first.
pub async fn exits(db: &mut Db, run_id: &str, wanted: Wanted<'_>) -> sqlx::Result<Vec<StockExit>> {
    db::query_as(
        "SELECT e.*, coalesce(i.name, '') AS item_name, \
           coalesce(i.qty_decimals, 0) AS qty_decimals, coalesce(i.base_uom, 'each') AS base_uom \
         FROM stock_exit e LEFT JOIN item i ON i.item_id = e.item_id \
         WHERE e.run_id = $1 AND ($2 IS NULL OR (e.item_id = $2 AND e.location_id = $3)) \
         ORDER BY e.value_minor DESC, e.item_id, e.location_id LIMIT $4",
    )
    .bind(run_id)
    .bind(wanted.place().0)
    .bind(wanted.place().1)
    .bind(wanted.limit())
    .fetch_all(db)
    .await
}

/// Limits of the run, in stored order.
pub async fn limits(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<PlanLimit>> {
    db::query_as(
        "SELECT name, scope, unit, amount, wanted, used, price FROM plan_limit \
         WHERE run_id = $1 ORDER BY limit_no",
    )
    .bind(run_id)
    .fetch_all(db)
    .await
}
