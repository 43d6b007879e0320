//! Kill switches: what may not go out, whoever approved it.

use serde::Serialize;
use sqlx::FromRow;

use super::By;
use crate::store::db::{self, Db};

/// A switch that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Stop {
    /// `all`, `run`, `supplier` or `location`.
    pub scope: String,
    /// Of a run: its run_id, or the name of its job.
    pub scope_id: String,
    pub actor: String,
    pub role: String,
    pub at: String,
    pub reason: String,
}

impl Stop {
    /// `supplier SUP-9, by anna: recall`.
    pub fn told(&self) -> String {
        let blank = if self.scope_id.is_empty() { "" } else { " " };
        format!("{}{blank}{}, by {}: {}", self.scope, self.scope_id, self.actor, self.reason)
    }
}

/// Every switch that is on.
pub async fn stops(db: &mut Db) -> sqlx::Result<Vec<Stop>> {
    db::query_as(
        "SELECT scope, scope_id, actor, role, at, reason FROM v_kill_switch ORDER BY scope, scope_id",
    )
    .fetch_all(db)
    .await
}

/// What a line may be stopped by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub job: &'a str,
    pub run_id: &'a str,
    pub supplier_id: &'a str,
    pub location_id: &'a str,
    pub source_location_id: &'a str,
}

/// The first switch that stops a line, if one does.
pub fn stopping<'s>(stops: &'s [Stop], line: &Subject) -> Option<&'s Stop> {
    stops.iter().find(|stop| {
        let id = stop.scope_id.as_str();
        match stop.scope.as_str() {
            "run" => id == line.run_id || id == line.job,
            "supplier" => id == line.supplier_id,
            "location" => id == line.location_id || id == line.source_location_id,
            // `all`, and whatever this version does not know.
            _ => true,
        }
    })
}

/// Turns a switch on or off.
pub async fn turn(
    db: &mut Db,
    by: &By,
    (scope, scope_id): (&str, &str),
    stopped: bool,
    reason: &str,
) -> sqlx::Result<()> {
    db::query(
        "INSERT INTO kill_switch (scope, scope_id, stopped, actor, role, at, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(scope)
    .bind(scope_id)
    .bind(i64::from(stopped))
    .bind(&by.actor.name)
    .bind(by.actor.role.as_str())
    .bind(by.stamp())
    .bind(reason)
    .execute(db)
    .await?;
    Ok(())
}
